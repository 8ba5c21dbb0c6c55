// The browser's side of streaming over the relay: the tRPC link that subscriptions go through. Written by chatops.
//
//   splitLink({
//     condition: (op) => op.type === "subscription",
//     true: relayLink({ transformer: superjson, url: getBaseUrl() + "/api/trpc" }),
//     false: httpBatchStreamLink({ ... }),
//   })
//
// Environment: NEXT_PUBLIC_RELAY_HOST. The route handler needs `allowMethodOverride: true`. A subscription whose input
// has no trackId of the form `<room>:<uuid>` is left to tRPC's own httpSubscriptionLink.

import {
	type HTTPBatchLinkOptions,
	httpSubscriptionLink,
	type Operation,
	TRPCClientError,
	type TRPCLink,
} from "@trpc/client";
import {
	getTransformer,
	type TransformerOptions,
} from "@trpc/client/unstable-internals";
import type { AnyTRPCClientTypes, AnyTRPCRouter } from "@trpc/server";
import { observable } from "@trpc/server/observable";

import {
	DIRECT,
	FOLLOW,
	holds,
	isRecord,
	toFrame,
	trackOf,
	unpackEventId,
	unpackValue,
	withTrackId,
} from "../shared";
import { readEvents } from "./event-stream";
import { Reply } from "./reply";
import { openRoomSocket, type RoomSocket } from "./room-socket";

export type RelayLinkOptions<TRoot extends AnyTRPCClientTypes> = {
	url: string | URL;
	headers?: HTTPBatchLinkOptions<TRoot>["headers"];
	/** By default the browser's. */
	fetch?: typeof fetch;
	/** The relay's host; by default NEXT_PUBLIC_RELAY_HOST. Without one the replies come over HTTP. */
	relay?: string;
} & TransformerOptions<TRoot>;

/** How long the socket may take before the reply is asked for without it. */
const SOCKET_MS = 1000;
/** How long a stop may take through the relay before the reading ends without the server's word. */
const STOP_MS = 3000;
const STOP_WITHOUT_RELAY_MS = 500;
/** A response that has nothing left to say may end by itself. */
const DRAIN_MS = 5000;

/** How to stop the replies that are being read, by track id. */
const running = new Map<string, () => void>();
/** The replies that this page has asked for. */
const asked = new Set<string>();

/** Asks the relay to stop a reply that is being read; it then ends like any other. */
export function stopReply(trackId: string): void {
	running.get(trackId)?.();
}

/** Whether this page has asked for that reply, and not somebody else in the room. */
export function isOwnReply(trackId: string): boolean {
	return asked.has(trackId);
}

export function relayLink<TRouter extends AnyTRPCRouter>(
	options: RelayLinkOptions<TRouter["_def"]["_config"]["$types"]>,
): TRPCLink<TRouter> {
	const transformer = getTransformer(options.transformer);
	const url = options.url.toString();
	const makePlainLink = httpSubscriptionLink<TRouter, typeof EventSource>({
		url,
		transformer: options.transformer,
	} as Parameters<typeof httpSubscriptionLink<TRouter, typeof EventSource>>[0]);

	return (runtime) => {
		const plainLink = makePlainLink(runtime);
		return ({ op, next }) => {
			const track = trackOf(op.input);
			if (!track) return plainLink({ op, next });
			const { room, stream, mark } = track;

			return observable((observer) => {
				const response = new AbortController();
				const address =
					options.relay ?? process.env.NEXT_PUBLIC_RELAY_HOST?.trim();
				let socket: RoomSocket | undefined;
				let isStopping = false;
				let isAsking = mark === FOLLOW;
				let patience: ReturnType<typeof setTimeout> | undefined;

				const state = (state: "connecting" | "pending" | "idle") => {
					observer.next({ result: { type: "state", state, error: null } });
				};
				const reply = new Reply(
					{
						onStarted: () => {
							observer.next({ result: { type: "started" } });
							state("pending");
						},
						onValue: (data, id) => {
							observer.next({
								result:
									id === undefined
										? { type: "data", data }
										: { type: "data", id, data: { id, data } },
							});
						},
						onConnection: (isThere) => {
							state(isThere ? "pending" : "connecting");
						},
						onEnd: () => {
							observer.next({ result: { type: "stopped" } });
							state("idle");
							observer.complete();
						},
						onError: (error) => {
							observer.error(TRPCClientError.from(toError(error)));
						},
					},
					Boolean(address),
				);

				state("connecting");
				if (address) {
					socket = openRoomSocket({
						address,
						room,
						onMessage: guarded(heard),
						onState: (isOpen) => {
							reply.relayIs(isOpen);
							if (!isOpen) ask();
						},
					});
				}
				if (isAsking) {
					reply.httpIsOver();
				} else {
					asked.add(stream);
					// Never at once: React's strict mode subscribes, leaves and subscribes again.
					patience = setTimeout(ask, socket ? SOCKET_MS : 0);
				}
				running.set(stream, stop);
				op.signal?.addEventListener("abort", leave);
				if (op.signal?.aborted) leave();

				return () => {
					clearTimeout(patience);
					socket?.close();
					if (running.get(stream) === stop) running.delete(stream);
					op.signal?.removeEventListener("abort", leave);
					const abort = () => {
						response.abort();
					};
					if (reply.isOver) setTimeout(abort, DRAIN_MS);
					else abort();
					reply.close();
				};

				/** What the relay says. */
				function heard(message: unknown): void {
					const frame = toFrame(message);
					if (frame?.stream === stream) {
						reply.isInRoom(true);
						if (isStopping && frame.kind === "start") sendStop();
						if (frame.kind === "error") {
							reply.failedInRelay(
								frame.seq,
								{ error: frame.data },
								isGone(frame.data),
							);
						} else {
							const { value, id } = unpackValue(frame.data);
							reply.take({
								seq: frame.seq,
								kind: frame.kind,
								value:
									frame.kind === "data"
										? transformer.output.deserialize(value)
										: undefined,
								id,
							});
						}
					} else if (isRecord(message) && message.kind === "hello") {
						const isHeld = holds(message, stream);
						reply.isInRoom(isHeld);
						if (isHeld && isStopping) sendStop();
						if (!isHeld && mark === FOLLOW) {
							reply.fail(
								new Error("The relay does not have this reply any more."),
							);
						}
						ask();
					}
				}

				/** Starts the procedure, once; the server's generator runs on whatever becomes of the response. */
				function ask(): void {
					clearTimeout(patience);
					if (isAsking || reply.isOver) return;
					isAsking = true;
					const trackId = stream + (socket?.isOpen ? "" : DIRECT);
					request(trackId).catch((error: unknown) => {
						reply.httpIsOver(error);
					});
				}

				async function request(trackId: string): Promise<void> {
					const [, query] = url.split("?");
					const answer = await (options.fetch ?? fetch)(
						`${base(url)}/${op.path}${query ? `?${query}` : ""}`,
						{
							method: "POST",
							headers: {
								...(await headersOf(op)),
								"content-type": "application/json",
								accept: "text/event-stream",
							},
							body: JSON.stringify(
								transformer.input.serialize(withTrackId(op.input, trackId)),
							),
							signal: response.signal,
						},
					);
					const type = answer.headers.get("content-type") ?? "";
					if (!answer.body || !type.startsWith("text/event-stream")) {
						await refused(answer);
						return;
					}
					let isNumbered = false;
					for await (const { event, data, id } of readEvents(answer.body)) {
						if (event === "connected") reply.started();
						if (event === "serialized-error") {
							const error: unknown = transformer.output.deserialize(
								JSON.parse(data),
							);
							reply.failed({ error });
						}
						if (event === "return") {
							if (!isNumbered) reply.end();
							return;
						}
						if (event !== "message") continue;
						const value: unknown = transformer.output.deserialize(
							JSON.parse(data),
						);
						const number = unpackEventId(id);
						isNumbered ||= number !== undefined;
						if (number) reply.takeDirect({ ...number, value });
						else reply.takeUnnumbered(value, id === "" ? undefined : id);
					}
					throw new Error("The response broke off.");
				}

				/** An answer that is no stream: tRPC's error as JSON, or the words of something in between. */
				async function refused(answer: Response): Promise<void> {
					const said: unknown = await answer.json().catch(() => undefined);
					const error: unknown =
						isRecord(said) && said.error !== undefined
							? transformer.output.deserialize(said.error)
							: undefined;
					if (isRecord(error) && typeof error.code === "number") {
						reply.failed({ error });
						return;
					}
					const failure = new Error(
						`${base(url)} answered ${String(answer.status)} and no stream`,
					);
					// Whatever is between may have given up on a procedure that runs.
					if (answer.status >= 500) throw failure;
					reply.failed(failure);
				}

				async function headersOf(
					op: Operation,
				): Promise<Record<string, string>> {
					const given =
						typeof options.headers === "function"
							? await options.headers({ opList: [op] })
							: options.headers;
					const pairs =
						given && Symbol.iterator in given
							? [...given]
							: Object.entries(given ?? {});
					return Object.fromEntries(
						pairs.flatMap(([name, value]) =>
							value === undefined ? [] : [[name, String(value)]],
						),
					);
				}

				function stop(): void {
					if (isStopping) return;
					isStopping = true;
					sendStop();
					setTimeout(
						() => {
							reply.end();
						},
						socket?.isOpen ? STOP_MS : STOP_WITHOUT_RELAY_MS,
					);
				}

				function sendStop(): void {
					socket?.send({ kind: "stop", stream });
				}

				function leave(): void {
					reply.end();
				}

				function guarded(handle: (message: unknown) => void) {
					return (message: unknown) => {
						try {
							handle(message);
						} catch (error) {
							reply.fail(error);
						}
					};
				}
			});
		};
	};
}

function base(url: string): string {
	return (url.split("?")[0] ?? "").replace(/\/$/, "");
}

/** The relay's own word for a publisher that went quiet: while the response lives, it knows better. */
function isGone(data: unknown): boolean {
	return isRecord(data) && data.code === "publisher_gone";
}

function toError(error: unknown): Error | object {
	if (error instanceof Error) return error;
	if (isRecord(error) && isRecord(error.error)) {
		const { message, code } = error.error;
		// The relay's own errors have a word for a code, tRPC's a number.
		if (typeof code === "number") return error;
		return new Error(
			typeof message === "string" ? message : "The reply broke off.",
		);
	}
	return new Error(String(error));
}
