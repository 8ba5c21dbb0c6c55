"use client";

// State in which a growing reply is shown as it will stand in the end. Written by chatops.
//
// In place of `useState` for what `onSuccess` writes to. While a reply grows, `preview` runs that `onSuccess` with the
// text so far: what its setters are told then lies over the state, anew each time, and is gone when the preview ends.
// Every other call of a setter changes the state itself, also meanwhile.

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

/** A reply that is being shown in states made by `useLiveState`. */
export class Preview {
	static #current: { run: symbol; touched: Set<() => void> } | undefined;
	#touched = new Set<() => void>();

	static get current() {
		return Preview.#current;
	}

	/** Shows what `write` tells the setters, in place of what this preview has shown before. */
	show(write: () => void): void {
		const outer = Preview.#current;
		Preview.#current = { run: Symbol(), touched: this.#touched };
		try {
			write();
		} finally {
			Preview.#current = outer;
		}
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
		(action: SetStateAction<TState>) => {
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

function apply<TState>(state: TState, action: SetStateAction<TState>): TState {
	return action instanceof Function ? action(state) : action;
}
