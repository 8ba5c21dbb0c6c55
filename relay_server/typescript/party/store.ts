/**
 * Keeping a room in Durable Object storage, so that it survives eviction and
 * restarts. What a room is: PROTOCOL.md of chatops.
 *
 * Keys:
 * - `stream/<order>`: what is known of a stream besides its frames; `order` counts
 *   the streams of the room as they opened.
 * - `frames/<order>/<seq>/<part>`: a chunk, the run of frames that begins at `seq`,
 *   one a line, cut into as many parts as values it takes.
 * - `quiet`: since when no publisher was heard although streams are unfinished.
 */
import { byteLength, type Encoded } from "./protocol";
import type { Changes, Room, StoredStream } from "./room";

/** The part of Durable Object storage that is used here. */
export interface Storage {
  list(): Promise<Map<string, unknown>>;
  put(entries: Record<string, unknown>): Promise<void>;
  delete(keys: string[]): Promise<number>;
  deleteAll(): Promise<void>;
}

/** A value may have 128 KiB; what is left over is for its serialized form. */
const MAX_VALUE_BYTES = 120 * 1024;
/** One put or delete takes at most this many keys. */
const MAX_KEYS = 128;
/** A chunk below this size is written anew with the frames that follow: fewer keys to write, list and delete. */
const REWRITE_BYTES = 4096;
/** An alarm that comes later than this after it was due was held up while the relay was down. */
const ALARM_DELAY_MS = 10_000;

const QUIET = "quiet";
const STREAM_KEY = /^stream\/(\d+)$/;
const FRAMES_KEY = /^frames\/(\d+)\/(\d+)\/\d+$/;

type Head = Omit<StoredStream, "frames">;

interface Chunk {
  seq: number;
  bytes: number;
  parts: number;
}

/** Where a stream is in storage. */
interface Log {
  readonly order: number;
  readonly chunks: Chunk[];
}

/** A chunk as it was found; `text` holds frames, one a line. */
interface Found {
  readonly seq: number;
  readonly parts: Uint8Array[];
}

export class Store {
  private readonly storage: Storage;
  private readonly logs = new Map<string, Log>();
  private nextOrder = 0;
  private quiet = false;

  constructor(storage: Storage) {
    this.storage = storage;
  }

  /** The streams as they were kept, in opening order, and the time from which their idle limit counts. */
  async load(
    now: number,
    idleMs: number,
  ): Promise<{ streams: StoredStream[]; seen: number }> {
    const heads = new Map<number, Head>();
    const found = new Map<number, Found[]>();
    const entries = await this.storage.list();
    for (const [key, value] of entries) {
      const [, order] = STREAM_KEY.exec(key) ?? [];
      if (order !== undefined && isHead(value)) heads.set(Number(order), value);
      const [, of, seq] = FRAMES_KEY.exec(key) ?? [];
      if (seq !== undefined && value instanceof Uint8Array) {
        addPart(found, Number(of), Number(seq), value);
      }
    }
    const streams: StoredStream[] = [];
    const damaged: string[] = [];
    for (const [order, head] of heads) {
      const chunks = found.get(order) ?? [];
      const frames = framesOf(chunks, head.first);
      const log = { order, chunks: chunks.map(chunkOf) };
      if (frames === undefined) {
        console.error(`relay: forgets ${head.stream}, stored in part only`);
        damaged.push(...allKeysOf(log));
        continue;
      }
      streams.push({ ...head, frames });
      this.nextOrder = order + 1;
      this.logs.set(head.stream, log);
    }
    if (streams.length === 0) {
      // Whatever a platform or an older version left behind, an empty room holds nothing.
      if (entries.size > 0) await this.storage.deleteAll();
      return { streams, seen: now };
    }
    await this.commit(new Map(), damaged);
    const seen = await this.lastSeen(streams, entries.get(QUIET), now, idleMs);
    return { streams, seen };
  }

  /**
   * Keep what changed. Everything is handed to the storage before this first waits,
   * so that it is written whole or not at all, and ahead of what is sent afterwards.
   */
  async write(room: Room, changes: Changes): Promise<void> {
    const puts = new Map<string, unknown>();
    const deletes: string[] = [];
    const changed = new Set<string>();
    for (const [stream, first] of changes.dropped) {
      const log = this.logs.get(stream);
      if (first !== null) changed.add(stream);
      else if (log !== undefined) {
        deletes.push(...allKeysOf(log));
        this.logs.delete(stream);
      }
    }
    const grown = new Set<Chunk>();
    for (const { stream, seq, bytes } of changes.appended) {
      const log = this.logOf(stream);
      let chunk = log.chunks.at(-1);
      if (
        chunk === undefined ||
        (chunk.bytes >= REWRITE_BYTES && !grown.has(chunk))
      ) {
        chunk = { seq, bytes: 0, parts: 0 };
        log.chunks.push(chunk);
      }
      chunk.bytes += bytes + 1;
      grown.add(chunk);
      changed.add(stream);
    }
    for (const stream of changed) {
      const log = this.logOf(stream);
      const kept = room.stored(stream);
      const { first, frames } = kept;
      puts.set(streamKey(log), headOf(kept));
      deletes.push(...trim(log, first, grown));
      let end = first + frames.length;
      for (const chunk of newestFirst(log.chunks)) {
        if (!grown.has(chunk)) break;
        const parts = partsOf(frames.slice(chunk.seq - first, end - first));
        end = chunk.seq;
        chunk.parts = parts.length;
        for (const [part, key] of keysOf(log, chunk).entries()) {
          puts.set(key, parts[part]);
        }
      }
    }
    if (room.isEmpty) await this.clear();
    else await this.commit(puts, deletes);
  }

  /** Keep a stream's stop flag. */
  async writeStop(room: Room, stream: string): Promise<void> {
    const key = streamKey(this.logOf(stream));
    await this.commit(new Map([[key, headOf(room.stored(stream))]]), []);
  }

  /** A publisher was heard. */
  async heard(): Promise<void> {
    if (!this.quiet) return;
    this.quiet = false;
    await this.commit(new Map(), [QUIET]);
  }

  private async clear(): Promise<void> {
    this.quiet = false;
    await this.storage.deleteAll();
  }

  private async commit(
    puts: ReadonlyMap<string, unknown>,
    deletes: readonly string[],
  ): Promise<void> {
    const pending: Promise<unknown>[] = [];
    // Deletes first: a key that is in both is one that is written anew.
    for (const keys of batches(deletes)) {
      pending.push(this.storage.delete(keys));
    }
    for (const entries of batches([...puts])) {
      pending.push(this.storage.put(Object.fromEntries(entries)));
    }
    await Promise.all(pending);
  }

  private logOf(stream: string): Log {
    let log = this.logs.get(stream);
    if (log === undefined) {
      log = { order: this.nextOrder++, chunks: [] };
      this.logs.set(stream, log);
    }
    return log;
  }

  /**
   * From when the idle limit counts after a start. A start counts anew, but a room
   * without subscribers is evicted in seconds and started again by its own alarm,
   * so this is remembered: otherwise a dead stream would never end.
   */
  private async lastSeen(
    streams: readonly StoredStream[],
    since: unknown,
    now: number,
    idleMs: number,
  ): Promise<number> {
    if (streams.every((stream) => stream.finishedAt !== null)) return now;
    this.quiet = true;
    if (typeof since === "number" && now - since < idleMs + ALARM_DELAY_MS) {
      return since;
    }
    await this.commit(new Map([[QUIET, now]]), []);
    return now;
  }
}

/** Take out of `log` the chunks that lie below `first`; the keys to delete. */
function trim(log: Log, first: number, grown: ReadonlySet<Chunk>): string[] {
  const gone: string[] = [];
  for (;;) {
    const [oldest, next] = log.chunks;
    if (oldest === undefined || oldest.seq >= first) return gone;
    if (next === undefined || next.seq > first) {
      if (grown.has(oldest)) {
        // It is written anew, so it can begin where the stream now does.
        gone.push(...keysOf(log, oldest));
        oldest.seq = first;
      }
      return gone;
    }
    gone.push(...keysOf(log, oldest));
    log.chunks.shift();
  }
}

function* newestFirst(chunks: readonly Chunk[]): Generator<Chunk> {
  for (let at = chunks.length - 1; at >= 0; at--) {
    const chunk = chunks[at];
    if (chunk !== undefined) yield chunk;
  }
}

function headOf(kept: StoredStream): Head {
  const { stream, first, finishedAt, endedByRelay, stop } = kept;
  return { stream, first, finishedAt, endedByRelay, stop };
}

function streamKey(log: Log): string {
  return `stream/${padded(log.order)}`;
}

function allKeysOf(log: Log): string[] {
  return [streamKey(log), ...log.chunks.flatMap((chunk) => keysOf(log, chunk))];
}

function keysOf(log: Log, { seq, parts }: Chunk): string[] {
  const chunk = `frames/${padded(log.order)}/${padded(seq)}`;
  return Array.from({ length: parts }, (_, part) => `${chunk}/${padded(part)}`);
}

/** Storage sorts keys as text; 16 digits hold every safe integer. */
function padded(number: number): string {
  return String(number).padStart(16, "0");
}

function partsOf(frames: readonly Encoded[]): Uint8Array[] {
  const text = frames.map((frame) => frame.text).join("\n");
  const bytes = new TextEncoder().encode(text);
  if (bytes.byteLength <= MAX_VALUE_BYTES) return [bytes];
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.byteLength; at += MAX_VALUE_BYTES) {
    // A copy: the storage would serialize the whole buffer behind a view.
    parts.push(bytes.slice(at, at + MAX_VALUE_BYTES));
  }
  return parts;
}

function addPart(
  found: Map<number, Found[]>,
  order: number,
  seq: number,
  part: Uint8Array,
): void {
  const chunks = found.get(order) ?? [];
  found.set(order, chunks);
  const last = chunks.at(-1);
  if (last?.seq === seq) last.parts.push(part);
  else chunks.push({ seq, parts: [part] });
}

function chunkOf({ seq, parts }: Found): Chunk {
  const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  return { seq, bytes, parts: parts.length };
}

/** The frames from number `first` on; undefined if the chunks do not hold them. */
function framesOf(
  chunks: readonly Found[],
  first: number,
): Encoded[] | undefined {
  const frames: Encoded[] = [];
  for (const { seq, parts } of chunks) {
    const decoder = new TextDecoder();
    const text = parts
      .map((part) => decoder.decode(part, { stream: true }))
      .join("");
    const lines = text.split("\n");
    // Only the oldest chunk may begin below `first`.
    const skip = frames.length === 0 ? first - seq : 0;
    if (skip < 0 || skip >= lines.length) return undefined;
    if (seq + skip !== first + frames.length) return undefined;
    for (const line of lines.slice(skip)) {
      frames.push({ text: line, bytes: byteLength(line) });
    }
  }
  return frames.length === 0 ? undefined : frames;
}

function isHead(value: unknown): value is Head {
  return (
    typeof value === "object" &&
    value !== null &&
    "stream" in value &&
    typeof value.stream === "string" &&
    "first" in value &&
    typeof value.first === "number" &&
    "finishedAt" in value &&
    (value.finishedAt === null || typeof value.finishedAt === "number") &&
    "endedByRelay" in value &&
    typeof value.endedByRelay === "boolean" &&
    "stop" in value &&
    typeof value.stop === "boolean"
  );
}

function* batches<T>(items: readonly T[]): Generator<T[]> {
  for (let at = 0; at < items.length; at += MAX_KEYS) {
    yield items.slice(at, at + MAX_KEYS);
  }
}
