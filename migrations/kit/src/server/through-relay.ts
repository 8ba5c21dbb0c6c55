// The server's side of streaming over the relay: a tRPC subscription whose values reach the browser through a room.
// Written by chatops.
//
//   .subscription(throughRelay(async function* ({ input, signal }) { ... }, { transformer: superjson }))
//
// Environment: RELAY_SECRET, and RELAY_URL or NEXT_PUBLIC_RELAY_HOST. Without them, or while the relay cannot be
// reached, the values go to the HTTP response, which relayLink reads too. An input without a trackId of the form
// `<room>:<uuid>` is none of the relay's: the generator runs as if it were not wrapped.

import {
	getTRPCErrorFromUnknown,
	isTrackedEnvelope,
	TRPCError,
	tracked,
} from "@trpc/server";
import { getHTTPStatusCodeFromError } from "@trpc/server/http";
import { TRPC_ERROR_CODES_BY_KEY } from "@trpc/server/rpc";

import {
	DIRECT,
	type FrameKind,
	packEventId,
	packValue,
	trackOf,
	withTrackId,
} from "../shared";
import { publish, relayFromEnvironment } from "./publisher";
import { ReplyLog } from "./reply-log";

type Serializer = { serialize(value: unknown): unknown };

export type ThroughRelayOptions<TInput> = {
	/** The transformer of `initTRPC.create`, if it has one. */
	transformer?: Serializer | { output: Serializer };
	/** What everybody in the room is told when the reply begins, as JSON; by default nothing. */
	announce?: (input: TInput) => unknown;
	/** Keeps the function alive until the work is done; by default what Next.js and Vercel offer, if they are there. */
	waitUntil?: (work: Promise<void>) => void;
};

type ResolverOptions = { input: unknown; signal: AbortSignal | undefined };

/** Wraps the generator of a subscription. Its types stay, its work outlives the request, `stop` aborts its signal. */
export function throughRelay<TOptions extends ResolverOptions, TYield>(
	resolver: (options: TOptions) => AsyncGenerator<TYield, void>,
	options: ThroughRelayOptions<TOptions["input"]> = {},
): (options: TOptions) => AsyncGenerator<TYield, void> {
	return (call) => {
		const track = trackOf(call.input);
		if (!track) return resolver(call);

		const input = withTrackId<TOptions["input"]>(call.input, track.stream);
		const stop = new AbortController();
		const log = new ReplyLog(track.stream);
		if (track.mark === DIRECT) log.goDirect();

		log.start(options.announce?.(input));
		const published = publish(log, relayFromEnvironment(track.room), stop);
		const values = resolver({ ...call, input, signal: stop.signal });
		const generated = generate(values, log, stop.signal, options.transformer);
		const work = Promise.all([published, generated]).then(() => undefined);
		(options.waitUntil ?? platformWaitUntil)(work);
		return respond<TYield>(log);
	};
}

/** Runs the generator to its end, whoever listens, and ends the log with a terminal frame whatever happens. */
async function generate(
	values: AsyncGenerator<unknown, void>,
	log: ReplyLog,
	stop: AbortSignal,
	transformer: Serializer | { output: Serializer } | undefined,
): Promise<void> {
	const stopped = new Promise<"stopped">((resolve) => {
		stop.addEventListener("abort", () => {
			resolve("stopped");
		});
	});
	try {
		for (;;) {
			const step = await Promise.race([values.next(), stopped]);
			if (step === "stopped") break;
			if (step.done) {
				log.end();
				return;
			}
			const [id, value] = isTrackedEnvelope<unknown>(step.value)
				? [String(step.value[0]), step.value[1]]
				: [undefined, step.value];
			log.add(value, id, packValue(serialize(value), id));
		}
	} catch (error) {
		if (!stop.aborted) {
			log.fail(error, errorShape(error));
			return;
		}
	}
	log.end({ stopped: true });
	// The generator's own clean-up; how it takes the stop is its own business.
	await values.return().catch(() => undefined);

	function serialize(value: unknown): unknown {
		if (!transformer) return value;
		const serializer =
			"output" in transformer ? transformer.output : transformer;
		return serializer.serialize(value);
	}
}

/** The HTTP response: nothing but the terminal mark, or, once the log went direct, all of it, each value numbered. */
async function* respond<TYield>(log: ReplyLog): AsyncGenerator<TYield, void> {
	const event = (seq: number, kind: FrameKind, value: unknown, id?: string) =>
		tracked(packEventId(seq, kind, id), value) as unknown as TYield;
	let sent = 0;
	for (;;) {
		const entry = log.isDirect ? log.entries[sent] : undefined;
		if (entry && !entry.isTerminal) {
			const { value, id } = entry.direct;
			yield event(sent, entry.kind, value, id);
			sent += 1;
		} else if (entry ?? log.isPublished) {
			break;
		} else {
			await log.changed();
		}
	}
	const last = log.entries.length - 1;
	const kind = log.entries[last]?.kind ?? "end";
	yield event(last, kind, null);
	if (kind === "error") throw getTRPCErrorFromUnknown(log.error);
}

/** What the room may know of an error: what the app threw for its users to see, and of any other only that it was. */
function errorShape(cause: unknown): unknown {
	const error =
		cause instanceof TRPCError
			? cause
			: new TRPCError({
					code: "INTERNAL_SERVER_ERROR",
					message: "The reply broke off.",
				});
	return {
		message: error.message,
		code: TRPC_ERROR_CODES_BY_KEY[error.code],
		data: { code: error.code, httpStatus: getHTTPStatusCodeFromError(error) },
	};
}

/**
 * What Next.js' `after` stands on (its documentation, "after", platform support); read here so that nothing has to be imported
 * that a version of Next.js may not have. On a server that keeps running there is none, and none is needed.
 */
function platformWaitUntil(work: Promise<void>): void {
	for (const name of ["@next/request-context", "@vercel/request-context"]) {
		const holder: unknown = Reflect.get(globalThis, Symbol.for(name));
		const context = (holder as RequestContextHolder | undefined)?.get?.();
		if (context?.waitUntil) {
			context.waitUntil(work);
			return;
		}
	}
}

type RequestContextHolder = {
	get?: () => { waitUntil?: (work: Promise<void>) => void } | undefined;
};
