"use client";

// A drop-in for `api.chat.sendMessage.useMutation(options)` whose answer may arrive piece by piece. Written by chatops.
//
//   const sendMessage = useStreamingMutation(
//     api.chat.sendMessage,
//     api.chat.sendMessageStream,
//     { input: ({ message }, trackId) => ({ message, trackId, history }), onSuccess: ... },
//   );
//
// Environment: NEXT_PUBLIC_CHAT_MODE. `streaming` asks the subscription and calls the same callbacks with the whole
// text; anything else is the plain mutation, with no WebSocket. Replies of one component come one after another.

import { type SkipToken, skipToken, useMutation } from "@tanstack/react-query";
import type {
	UseTRPCMutationOptions,
	UseTRPCMutationResult,
} from "@trpc/react-query/shared";
import {
	useCallback,
	useEffect,
	useId,
	useInsertionEffect,
	useRef,
	useState,
} from "react";

import {
	FOLLOW,
	holds,
	isRecord,
	roomUrl,
	trackOf,
	withTrackId,
} from "../shared";
import { Preview } from "./live-state";
import { stopReply } from "./relay-link";
import { newTrackId, privateRoom, remember, remembered } from "./room";

/** `api.<router>.<mutation>`. */
export type MutationProcedure<TVariables, TData, TError, TContext> = {
	useMutation: (
		options: UseTRPCMutationOptions<TVariables, TError, TData, TContext>,
	) => UseTRPCMutationResult<TData, TError, TVariables, TContext>;
};

/** `api.<router>.<subscription>`. */
export type SubscriptionProcedure<TInput, TYield, TError> = {
	useSubscription: (
		input: TInput | SkipToken,
		options: {
			onStarted?: () => void;
			onData?: (data: TYield) => void;
			onError?: (error: TError) => void;
			onComplete?: () => void;
		},
	) => unknown;
};

/** A yielded value without the envelope of `tracked`. */
export type Untracked<TYield> = TYield extends { id: string; data: infer TData }
	? TData
	: TYield;

/** The yielded values that are not text. Of `{ type: string, text: string }` the type is taken to be "text". */
export type Item<TYield> = NotText<Untracked<TYield>>;

type NotText<TValue> = TValue extends string | Text<TValue> ? never : TValue;

type Text<TValue> = TValue extends { text: string; type?: infer TType }
	? IfText<TType, TValue>
	: never;

type IfText<TType, TValue> = "text" extends TType ? TValue : never;

export type StreamingMutationOptions<
	TVariables,
	TData,
	TError,
	TInput,
	TYield,
	TContext,
> = UseTRPCMutationOptions<TVariables, TError, TData, TContext> & {
	/** The subscription's input; asked when the reply begins, so it may hold the history up to then. */
	input: (variables: TVariables, trackId: string) => TInput;
	/** The text in a yielded value; by default a string itself, and the `text` of an object. */
	text?: (value: Untracked<TYield>) => string | undefined;
	/** Called with each yielded value that is not text, in its place. */
	onItem?: (item: Item<TYield>) => void;
	/**
	 * Shows the growing reply in the component's own rendering: `true` runs `onSuccess` with the text so far once a frame,
	 * a function runs that instead. It may do nothing but call setters of `useLiveState`.
	 */
	live?: true | ((data: TData, variables: TVariables) => void);
	/** A room that others read too; by default the tab's own. */
	room?: string;
	/** After a reload in mid-reply, reads on. Variables have to survive JSON. One component a procedure. */
	resume?: boolean;
} & (string extends TData
		? { result?: (text: string) => TData }
		: {
				/** What the mutation would have returned for this text. */
				result: (text: string) => TData;
			});

export type StreamingMutationResult<TVariables, TData, TError, TContext> =
	UseTRPCMutationResult<TData, TError, TVariables, TContext> & {
		/** The text so far; after an error what had come, after a reply "". */
		partial: string;
		/** Ends the reply that is running; what has come of it counts as the whole. */
		stop: () => void;
	};

export function isStreaming(): boolean {
	return process.env.NEXT_PUBLIC_CHAT_MODE === "streaming";
}

/** A reply from `mutate` to its end. */
class Run<TVariables, TData, TInput> {
	text = "";
	isBegun = false;
	/** What `onMutate` was called with, and what it returned. */
	mutateArguments: unknown[] = [];
	mutateResult: unknown;
	readonly preview = new Preview();
	frame: number | undefined;
	resolve: (data: TData) => void = () => undefined;
	reject: (reason: unknown) => void = () => undefined;

	constructor(
		readonly variables: TVariables,
		public trackId: string,
		public input: TInput,
	) {}
}

/** `onSuccess` with the arguments that it has in whichever version of React Query. */
type Replay = (...args: unknown[]) => unknown;

/** The component is gone. The reply goes on, but nobody here waits for it: no callback is called. */
class LeftError extends Error {
	override name = "AbortError";
}

export function useStreamingMutation<
	TVariables,
	TData,
	TError,
	TInput,
	TYield,
	TContext = unknown,
>(
	mutation: MutationProcedure<TVariables, TData, TError, NoInfer<TContext>>,
	subscription: SubscriptionProcedure<TInput, TYield, NoInfer<TError>>,
	options: StreamingMutationOptions<
		TVariables,
		NoInfer<TData>,
		NoInfer<TError>,
		TInput,
		TYield,
		TContext
	>,
): StreamingMutationResult<TVariables, TData, TError, TContext> {
	type ThisRun = Run<TVariables, TData, TInput>;
	type Callbacks = Required<
		Pick<
			UseTRPCMutationOptions<TVariables, TError, TData, TContext>,
			"onMutate" | "onSuccess" | "onError" | "onSettled"
		>
	>;
	const plain = mutation.useMutation(options);
	const path = plain.trpc.path;
	const [input, setInput] = useState<TInput | SkipToken>(skipToken);
	const [partial, setPartial] = useState("");
	const scopeId = useId();
	/** Every run that is not settled, in the order of their `mutate`. */
	const runs = useRef<ThisRun[]>([]);
	const current = useRef<ThisRun | undefined>(undefined);
	const isMounted = useRef(false);
	const isResumed = useRef(false);
	const latest = useRef(options);
	// With the commit, not after it as useEffect: what is shown when the user sends is what `input` reads.
	useInsertionEffect(() => {
		latest.current = options;
	});

	const memory = `chatops:reply:${path}`;
	const runOf = (variables: TVariables) =>
		runs.current.find((run) => Object.is(run.variables, variables));

	const streamed = useMutation<TData, TError, TVariables, TContext>({
		...options,
		mutationKey: [path.split(".")],
		scope: options.scope ?? { id: scopeId },
		mutationFn: begin,
		onMutate: async (...mutateArguments: Parameters<Callbacks["onMutate"]>) => {
			const run = runOf(mutateArguments[0]);
			const result = await options.onMutate?.(...mutateArguments);
			if (run) {
				run.mutateArguments = mutateArguments;
				run.mutateResult = result;
			}
			return result as TContext;
		},
		onSuccess: (...args: Parameters<Callbacks["onSuccess"]>) => {
			const succeed = () => options.onSuccess?.(...args);
			setPartial("");
			const run = runOf(args[1]);
			return run ? run.preview.settle(succeed) : succeed();
		},
		onError: (...args: Parameters<Callbacks["onError"]>) => {
			runOf(args[1])?.preview.end();
			return args[0] instanceof LeftError
				? undefined
				: options.onError?.(...args);
		},
		onSettled: (...args: Parameters<Callbacks["onSettled"]>) => {
			const settled = runOf(args[2]);
			runs.current = runs.current.filter((run) => run !== settled);
			return args[1] instanceof LeftError
				? undefined
				: options.onSettled?.(...args);
		},
	});

	subscription.useSubscription(input, {
		onData: (yielded) => {
			const run = current.current;
			if (!run) return;
			const value = untracked(yielded);
			const text = (options.text ?? textOf)(value);
			if (text === undefined) options.onItem?.(value as Item<TYield>);
			else run.text += text;
			run.frame ??= requestAnimationFrame(() => {
				show(run);
			});
		},
		onComplete: () => {
			const run = finish();
			run?.resolve(resultOf(run.text));
		},
		onError: (error) => {
			const run = finish();
			if (run) setPartial(run.text);
			run?.reject(error);
		},
	});

	/** Asks for the reply; settles when it has come to its end. */
	function begin(variables: TVariables): Promise<TData> {
		return new Promise((resolve, reject) => {
			const run = runOf(variables);
			if (!run || !isMounted.current) {
				reject(new LeftError("The component is gone."));
				return;
			}
			if (run.isBegun) {
				run.trackId = newTrackId(latest.current.room ?? privateRoom()); // a retry is a new reply
				run.input = latest.current.input(variables, run.trackId);
				run.text = "";
			}
			Object.assign(run, { isBegun: true, resolve, reject });
			current.current = run;
			if (latest.current.resume) {
				const { trackId } = run;
				remember(memory, JSON.stringify({ trackId, variables }));
			}
			setPartial("");
			setInput(run.input);
		});
	}

	/** Once a frame: a model is often faster than a screen. */
	function show(run: ThisRun): void {
		run.frame = undefined;
		setPartial(run.text);
		const { live, onSuccess } = latest.current;
		if (!live) return;
		const data = resultOf(run.text);
		run.preview.show(() => {
			if (live !== true) live(data, run.variables);
			else {
				const replay = onSuccess as Replay | undefined;
				const [variables, ...rest] = run.mutateArguments;
				replay?.(data, variables, run.mutateResult, ...rest);
			}
		});
	}

	function finish(): ThisRun | undefined {
		const run = current.current;
		current.current = undefined;
		if (run?.frame !== undefined) cancelAnimationFrame(run.frame);
		remember(memory, undefined);
		setInput(skipToken);
		return run;
	}

	function resultOf(text: string): TData {
		const { result } = latest.current as { result?: (text: string) => TData };
		return result ? result(text) : (text as TData);
	}

	useEffect(() => {
		isMounted.current = true;
		return () => {
			isMounted.current = false;
			const run = current.current;
			current.current = undefined;
			if (run?.frame !== undefined) cancelAnimationFrame(run.frame);
			run?.reject(new LeftError("The component is gone."));
		};
	}, []);

	/** Every call of `mutate` gets its input from the state that the component had at that call. */
	const enter = useCallback((given: unknown, kept?: string) => {
		const variables = given as TVariables; // tRPC's versions type the arguments of `mutate` differently
		const { room, input } = latest.current;
		const trackId = kept ?? newTrackId(room ?? privateRoom());
		const asked = input(variables, trackId);
		runs.current.push(
			new Run(
				variables,
				trackId,
				kept === undefined ? asked : withTrackId(asked, trackId + FOLLOW),
			),
		);
	}, []);
	const { mutate: mutateStreamed, mutateAsync: mutateStreamedAsync } = streamed;
	const mutate = useCallback<typeof mutateStreamed>(
		(...args) => {
			enter(args[0]);
			mutateStreamed(...args);
		},
		[enter, mutateStreamed],
	);
	const mutateAsync = useCallback<typeof mutateStreamedAsync>(
		(...args) => {
			enter(args[0]);
			return mutateStreamedAsync(...args);
		},
		[enter, mutateStreamedAsync],
	);
	const stop = useCallback(() => {
		if (current.current) stopReply(current.current.trackId);
	}, []);

	useEffect(() => {
		if (isResumed.current || !latest.current.resume || !isStreaming()) return;
		isResumed.current = true;
		const kept = keptReply(memory);
		if (!kept) return;
		void isHeldByRelay(kept.trackId).then((isHeld) => {
			if (!isHeld) remember(memory, undefined);
			else if (isMounted.current) {
				const variables = kept.variables as TVariables;
				enter(variables, kept.trackId);
				(mutateStreamed as (variables: TVariables) => void)(variables);
			}
		});
	}, [enter, memory, mutateStreamed]);

	const result = isStreaming()
		? { ...streamed, mutate, mutateAsync, trpc: plain.trpc }
		: plain;
	return { ...result, partial, stop };
}

export function untracked<TYield>(yielded: TYield): Untracked<TYield> {
	const isEnvelope =
		isRecord(yielded) &&
		typeof yielded.id === "string" &&
		Object.keys(yielded).sort().join() === "data,id";
	return (isEnvelope ? yielded.data : yielded) as Untracked<TYield>;
}

/** The text of a string and of `{ text }`, unless it calls itself something else. */
export function textOf(value: unknown): string | undefined {
	if (typeof value === "string") return value;
	if (!isRecord(value) || typeof value.text !== "string") return undefined;
	return value.type === undefined || value.type === "text"
		? value.text
		: undefined;
}

/** What `begin` has remembered before the reload. */
function keptReply(
	memory: string,
): { trackId: string; variables: unknown } | undefined {
	const text = remembered(memory);
	const kept: unknown = text === undefined ? undefined : JSON.parse(text);
	if (!isRecord(kept) || typeof kept.trackId !== "string") return undefined;
	return { trackId: kept.trackId, variables: kept.variables };
}

/** Whether the room has the reply; asked more than once, as the page may have been left before the reply had begun. */
async function isHeldByRelay(trackId: string): Promise<boolean> {
	const track = trackOf({ trackId });
	const address = process.env.NEXT_PUBLIC_RELAY_HOST?.trim();
	for (let attempt = 0; track && address && attempt < 3; attempt += 1) {
		if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, 1000));
		try {
			const answer = await fetch(roomUrl(address, track.room));
			if (holds(await answer.json(), trackId)) return true;
		} catch {
			return false;
		}
	}
	return false;
}
