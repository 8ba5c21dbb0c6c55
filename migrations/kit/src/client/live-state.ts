"use client";

// State in which a growing reply is shown as it will stand in the end. Written by chatops.
//
// In place of `useState` for what `onSuccess` writes to. While a reply grows, `preview` runs that `onSuccess` with the
// text so far: what its setters are told then lies over the state, anew each time, and is gone when the preview ends.
// Every other call of a setter changes the state itself, also meanwhile. What `onSuccess` makes anew each time that it
// runs, such as an id, goes through `oncePerReply`.

import {
	type Dispatch,
	type SetStateAction,
	useCallback,
	useMemo,
	useState,
} from "react";

type Layered<TState> = {
	base: TState;
	/** What lies over it, and the run of a preview that put it there. */
	over: SetStateAction<TState>[];
	run: symbol | undefined;
};

/** What `oncePerReply` has given in one reply, by name. */
type Made = Map<string, unknown>;

/** Of the reply whose `onSuccess`, or an updater that this has told a setter, is running. */
let made: Made | undefined;

function within<TResult>(reply: Made | undefined, run: () => TResult): TResult {
	const outer = made;
	made = reply;
	try {
		return run();
	} finally {
		made = outer;
	}
}

/**
 * What `make` gives; in one streamed reply the same each time that its `onSuccess` runs, in updaters too. For the id of
 * a message, which is its key on the page, or its time. `name` tells the values of one `onSuccess` apart.
 */
export function oncePerReply<TValue>(name: string, make: () => TValue): TValue {
	if (!made) return make();
	if (!made.has(name)) made.set(name, make());
	return made.get(name) as TValue;
}

/** A reply that is being shown in states made by `useLiveState`. */
export class Preview {
	static #current: { run: symbol; touched: Set<() => void> } | undefined;
	#touched = new Set<() => void>();
	#made: Made = new Map();

	static get current() {
		return Preview.#current;
	}

	/** Shows what `write` tells the setters, in place of what this preview has shown before. */
	show(write: () => void): void {
		const outer = Preview.#current;
		Preview.#current = { run: Symbol(), touched: this.#touched };
		try {
			within(this.#made, write);
		} finally {
			Preview.#current = outer;
		}
	}

	/** Runs what writes the whole reply for good, with the values that were shown, in place of the preview. */
	settle<TResult>(write: () => TResult): TResult {
		this.end();
		return within(this.#made, write);
	}

	/** Every state is again as it would be without the preview. */
	end(): void {
		for (const clear of this.#touched) clear();
		this.#touched.clear();
	}
}

/** `useState` whose setter lays what a preview writes over the state. Updaters have to be pure, as React asks. */
export function useLiveState<TState>(
	initial: TState | (() => TState),
): [TState, Dispatch<SetStateAction<TState>>] {
	const [layered, setLayered] = useState<Layered<TState>>(() => ({
		base: initial instanceof Function ? initial() : initial,
		over: [],
		run: undefined,
	}));
	const clear = useCallback(() => {
		setLayered(({ base }) => ({ base, over: [], run: undefined }));
	}, []);
	const set = useCallback(
		(told: SetStateAction<TState>) => {
			const action = bound(told);
			const preview = Preview.current;
			if (!preview) {
				setLayered((now) => ({ ...now, base: apply(now.base, action) }));
				return;
			}
			const { run, touched } = preview;
			touched.add(clear);
			setLayered((now) => ({
				base: now.base,
				over: now.run === run ? [...now.over, action] : [action],
				run,
			}));
		},
		[clear],
	);
	const { base, over } = layered;
	const shown = useMemo(() => over.reduce<TState>(apply, base), [base, over]);
	return [shown, set];
}

/** React runs an updater later, and more than once if it likes: for the reply that has told it. */
function bound<TState>(action: SetStateAction<TState>): SetStateAction<TState> {
	if (!(action instanceof Function)) return action;
	const reply = made;
	return (state) => within(reply, () => action(state));
}

function apply<TState>(state: TState, action: SetStateAction<TState>): TState {
	return action instanceof Function ? action(state) : action;
}
