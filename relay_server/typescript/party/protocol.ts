/**
 * The relay protocol's forms: what comes over the wire into types, and back.
 * No input or output here. The protocol is described in PROTOCOL.md of chatops
 * (relay_server/PROTOCOL.md), whose recorded cases this file replays.
 */
import type { Limits } from "./limits";

export const PROTOCOL_VERSION = 1;
export const PARTY = "main";
export const MAX_BAD_MESSAGES = 10;

export const ALLOWED_METHODS = "GET, POST, OPTIONS";
export const CORS_ORIGIN = { "Access-Control-Allow-Origin": "*" };
export const CORS_PREFLIGHT = {
  ...CORS_ORIGIN,
  "Access-Control-Allow-Methods": ALLOWED_METHODS,
  "Access-Control-Allow-Headers": "authorization, content-type",
  "Access-Control-Max-Age": "86400",
};

const ROOM_ID = /^[A-Za-z0-9_][A-Za-z0-9._~-]{0,127}$/;
const STREAM_ID = /^[A-Za-z0-9_][A-Za-z0-9._~:-]{0,199}$/;
const SEQ = /^[0-9]{1,16}$/;
const LONE_SURROGATE = /\p{Surrogate}/u;
/** The same in the output of JSON.stringify, which escapes no other surrogate. */
const LONE_SURROGATE_ESCAPE = /(?:^|[^\\])(?:\\\\)*\\ud[89a-f]/;

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export type Kind = "start" | "data" | "end" | "error";

/** Status of every refusal over HTTP, by its code. */
const STATUS = {
  bad_request: 400,
  bad_room: 400,
  bad_cursor: 400,
  unauthorized: 401,
  not_found: 404,
  method_not_allowed: 405,
  gap: 409,
  finished: 409,
  too_large: 413,
  too_many_frames: 413,
  too_fast: 429,
  too_many_streams: 429,
  internal: 500,
  no_secret: 503,
  unavailable: 503,
  // These two exist on the WebSocket only.
  bad_message: 400,
  unknown_stream: 404,
} as const;

export type RefusalCode = keyof typeof STATUS;

/** The relay refuses a request or a message; nothing was changed. */
export class Refusal extends Error {
  readonly code: RefusalCode;
  /** The keys that go with the code: `expected`, `limit`, ... */
  readonly detail: Readonly<Record<string, string | number>>;
  /** Set where a later try may succeed. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: RefusalCode,
    message: string,
    detail: Readonly<Record<string, string | number>> = {},
    retryAfterMs?: number,
  ) {
    super(message);
    this.name = "Refusal";
    this.code = code;
    this.detail = detail;
    this.retryAfterMs = retryAfterMs;
  }

  get status(): number {
    return STATUS[this.code];
  }

  /** Whole seconds for the Retry-After header, at least 1. */
  get retryAfterSeconds(): number | undefined {
    return this.retryAfterMs === undefined
      ? undefined
      : Math.max(1, Math.ceil(this.retryAfterMs / 1000));
  }

  body(): string {
    const { code, message, detail } = this;
    return JSON.stringify({ error: { code, message, ...detail } });
  }
}

/** JSON text as every subscriber gets it, and its size in UTF-8. */
export interface Encoded {
  readonly text: string;
  readonly bytes: number;
}

/** One numbered piece of a stream. */
export interface Frame extends Encoded {
  readonly stream: string;
  readonly seq: number;
  readonly kind: Kind;
}

export function isTerminal(frame: Frame): boolean {
  return frame.kind === "end" || frame.kind === "error";
}

export function byteLength(text: string): number {
  return utf8.encode(text).byteLength;
}

/** Encode a frame; `data` is JSON text. `stream` must be a valid stream id. */
export function makeFrame(
  stream: string,
  seq: number,
  kind: Kind,
  data?: string,
): Frame {
  const rest = data === undefined ? "" : `,"data":${data}`;
  const text = `{"stream":"${stream}","seq":${String(seq)},"kind":"${kind}"${rest}}`;
  return { stream, seq, kind, text, bytes: byteLength(text) };
}

/** The frames of a publish body. Throws Refusal: bad_request, too_large, too_many_frames. */
export function decodePublish(body: Uint8Array, limits: Limits): Frame[] {
  if (body.byteLength > limits.maxBodyBytes) throw bodyTooLarge(limits);
  const form = parseJson(decodeUtf8(body));
  const forms = isObject(form) ? form.frames : undefined;
  if (!Array.isArray(forms)) {
    throw badRequest('the body is not {"frames": [...]}');
  }
  if (forms.length === 0) throw badRequest("the body holds no frames");
  if (forms.length > limits.maxBatchFrames) {
    throw new Refusal(
      "too_many_frames",
      `${String(forms.length)} frames in one request, ${String(limits.maxBatchFrames)} are taken`,
      { limit: limits.maxBatchFrames },
    );
  }
  const frames = forms.map(decodeFrame);
  for (const frame of frames) {
    if (frame.bytes > limits.maxFrameBytes) {
      throw new Refusal(
        "too_large",
        `a frame has ${String(frame.bytes)} bytes, ${String(limits.maxFrameBytes)} are taken`,
        { limit: limits.maxFrameBytes },
      );
    }
  }
  return frames;
}

function decodeFrame(form: unknown, index: number): Frame {
  const where = `frames[${String(index)}]`;
  if (!isObject(form)) throw badRequest(`${where} is not an object`);
  const { stream, seq, kind, data } = form;
  if (!isStreamId(stream)) throw badRequest(`${where}.stream is no stream id`);
  if (!isSeq(seq)) throw badRequest(`${where}.seq is no number from 0 up`);
  if (!isKind(kind)) {
    throw badRequest(`${where}.kind is none of start, data, end, error`);
  }
  if (data === undefined) return makeFrame(stream, seq, kind);
  let text: string;
  try {
    text = JSON.stringify(data);
  } catch {
    throw badRequest(`${where}.data is nested too deeply`);
  }
  if (text.includes("\\ud") && LONE_SURROGATE_ESCAPE.test(text)) {
    throw badRequest(`${where}.data has half a surrogate pair`);
  }
  return makeFrame(stream, seq, kind, text);
}

function decodeUtf8(body: Uint8Array): string {
  try {
    return strictUtf8.decode(body);
  } catch {
    throw badRequest("the body is not UTF-8");
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest("the body is not JSON");
  }
}

function badRequest(message: string): Refusal {
  return new Refusal("bad_request", message);
}

export function bodyTooLarge(limits: Limits): Refusal {
  return new Refusal(
    "too_large",
    `the body has more than ${String(limits.maxBodyBytes)} bytes`,
    { limit: limits.maxBodyBytes },
  );
}

/** The room id in a request's path, as it stands there. Throws Refusal: not_found, bad_room. */
export function roomOfPath(path: string): string {
  const [root, parties, party, room, ...below] = path.split("/");
  if (
    root !== "" ||
    parties !== "parties" ||
    party !== PARTY ||
    room === undefined ||
    below.length > 0
  ) {
    throw new Refusal(
      "not_found",
      `nothing is here; a room's address is /parties/${PARTY}/<room>`,
    );
  }
  if (!ROOM_ID.test(room)) {
    throw new Refusal(
      "bad_room",
      "a room id is 1 to 128 of A-Z a-z 0-9 . _ ~ - and begins with a letter, a digit or _",
    );
  }
  return room;
}

/** Cursors by stream. Throws Refusal: bad_cursor. */
export function decodeCursors(query: URLSearchParams): Map<string, number> {
  const cursors = new Map<string, number>();
  const named = query.getAll("from").flatMap((value) => value.split(","));
  for (const cursor of named) {
    const colon = cursor.lastIndexOf(":");
    const stream = cursor.slice(0, Math.max(0, colon));
    const seq = cursor.slice(colon + 1);
    if (!isStreamId(stream) || !SEQ.test(seq) || !isSeq(Number(seq))) {
      throw new Refusal("bad_cursor", "a cursor is from=<stream>:<seq>");
    }
    cursors.delete(stream);
    cursors.set(stream, Number(seq));
  }
  return cursors;
}

export type Message =
  | { readonly kind: "ping" }
  | { readonly kind: "stop"; readonly stream: string };

/** What a subscriber sent. Throws Refusal: bad_message. */
export function decodeMessage(text: string): Message {
  let form: unknown;
  try {
    form = JSON.parse(text);
  } catch {
    form = undefined;
  }
  if (isObject(form)) {
    const { kind, stream } = form;
    if (kind === "ping") return { kind };
    if (
      kind === "stop" &&
      typeof stream === "string" &&
      !LONE_SURROGATE.test(stream)
    ) {
      return { kind, stream };
    }
  }
  throw new Refusal(
    "bad_message",
    'a subscriber sends {"kind": "stop", "stream": ...} or {"kind": "ping"}',
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isStreamId(value: unknown): value is string {
  return typeof value === "string" && STREAM_ID.test(value);
}

function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isKind(value: unknown): value is Kind {
  return (
    value === "start" ||
    value === "data" ||
    value === "end" ||
    value === "error"
  );
}

/** How far a stream is: `first` is the oldest frame held, `next` the number after the newest. */
export interface StreamState {
  readonly stream: string;
  readonly first: number;
  readonly next: number;
  readonly finished: boolean;
  readonly stop: boolean;
}

/** Frames `from` up to but not including `next` are gone; `next` null: the stream is not held. */
export interface Lost {
  readonly stream: string;
  readonly from: number;
  readonly next: number | null;
}

export function encodeHello(hello: {
  readonly server: string;
  readonly build: string;
  readonly room: string;
  readonly streams: readonly StreamState[];
}): string {
  const { server, build, room, streams } = hello;
  return JSON.stringify({
    kind: "hello",
    protocol: PROTOCOL_VERSION,
    server,
    build,
    room,
    streams,
  });
}

export function encodeLost({ stream, from, next }: Lost): string {
  return JSON.stringify({ kind: "lost", stream, from, next });
}

export function encodeStopping(stream: string): string {
  return JSON.stringify({ kind: "stopping", stream });
}

export function encodeRefused({ code, message, detail }: Refusal): string {
  return JSON.stringify({ kind: "refused", code, message, ...detail });
}

export const PONG = JSON.stringify({ kind: "pong" });

export function encodePublished(
  next: ReadonlyMap<string, number>,
  stop: readonly string[],
): string {
  // Put together by hand: an object would lose `__proto__` and reorder ids like "7".
  const pairs = Array.from(
    next,
    ([stream, seq]) => `"${stream}":${String(seq)}`,
  );
  return `{"next":{${pairs.join(",")}},"stop":${JSON.stringify(stop)}}`;
}
