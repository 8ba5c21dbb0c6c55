// What the server's and the browser's side of the relay agree on. Written by chatops; the protocol is its PROTOCOL.md.

/** Put behind a track id by the browser: its socket is not there, so the HTTP response has to carry the values. */
export const DIRECT = "~direct";
/** Put behind a track id by the app: read this reply from the relay and ask for none. */
export const FOLLOW = "~follow";

export type FrameKind = "start" | "data" | "end" | "error";

/** One numbered piece of a reply, as the relay carries it. */
export type RelayFrame = {
	stream: string;
	seq: number;
	kind: FrameKind;
	data?: unknown;
};

/** A track id taken apart: `<room>:<uuid>`, which is also the stream's id, and what was put behind it. */
export type Track = { room: string; stream: string; mark: string };

const TRACK = /^((\w[\w.~-]{0,127}):[\w.~:-]{1,71}?)(~direct|~follow)?$/;

/** Takes the `trackId` of a procedure's input apart; undefined if there is none that names a room. */
export function trackOf(input: unknown): Track | undefined {
	if (!isRecord(input) || typeof input.trackId !== "string") return undefined;
	const [, stream, room, mark] = TRACK.exec(input.trackId) ?? [];
	return room && stream ? { room, stream, mark: mark ?? "" } : undefined;
}

/** The same input with another track id. */
export function withTrackId<TInput>(input: TInput, trackId: string): TInput {
	return { ...input, trackId };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null;
}

/** A frame read from JSON; undefined for anything else that a relay says. */
export function toFrame(message: unknown): RelayFrame | undefined {
	if (!isRecord(message)) return undefined;
	const { stream, seq, kind, data } = message;
	if (typeof stream !== "string" || typeof seq !== "number") return undefined;
	return isFrameKind(kind) ? { stream, seq, kind, data } : undefined;
}

/** Whether a hello, or what a room answers to a GET, tells of this stream. */
export function holds(state: unknown, stream: string): boolean {
	return (
		isRecord(state) &&
		Array.isArray(state.streams) &&
		state.streams.some((held) => isRecord(held) && held.stream === stream)
	);
}

function isFrameKind(kind: unknown): kind is FrameKind {
	return (
		kind === "start" || kind === "data" || kind === "end" || kind === "error"
	);
}

// --- a value in a frame's `data`, as the app's transformer has serialised it

/** A value that survives JSON; half a surrogate pair, which the relay refuses, travels as an escape in a string. */
export function packValue(value: unknown, id?: string): unknown {
	const text = JSON.stringify(value) as string | undefined;
	return text !== undefined && /\\ud[89a-f]/i.test(text)
		? { id, json: text }
		: { id, value };
}

export function unpackValue(data: unknown): { value: unknown; id?: string } {
	if (!isRecord(data)) return { value: undefined };
	const value: unknown =
		typeof data.json === "string" ? JSON.parse(data.json) : data.value;
	return typeof data.id === "string" ? { value, id: data.id } : { value };
}

// --- the id of an event in the HTTP response: `<seq>:<kind>`, and `:<id>` behind it for a tracked value

export function packEventId(seq: number, kind: FrameKind, id?: string): string {
	return `${String(seq)}:${kind}${id === undefined ? "" : `:${id}`}`;
}

export function unpackEventId(
	eventId: string,
): { seq: number; kind: FrameKind; id?: string } | undefined {
	const found = /^(\d+):(start|data|end|error)(?::([\s\S]+))?$/.exec(eventId);
	const kind = found?.[2];
	if (!found || !isFrameKind(kind)) return undefined;
	const id = found[3];
	return { seq: Number(found[1]), kind, ...(id === undefined ? {} : { id }) };
}

// --- addresses

/** The relay's host as PartySocket wants it, and whether to speak TLS. A scheme in front of it decides, else the host. */
export function relayHost(address: string): { host: string; tls: boolean } {
	const [, scheme, host = ""] =
		/^(?:(https?|wss?):\/\/)?([^/]*)/.exec(address.trim()) ?? [];
	const near =
		/^(localhost|127\.|192\.168\.|10\.|172\.(1[6-9]|2\d|3[01])\.|\[::1\]|\[::ffff:7f00:1\])/;
	return {
		host,
		tls: scheme ? scheme === "https" || scheme === "wss" : !near.test(host),
	};
}

/** A room's address for HTTP. */
export function roomUrl(address: string, room: string): string {
	const { host, tls } = relayHost(address);
	return `${tls ? "https" : "http"}://${host}/parties/main/${room}`;
}
