/**
 * The room: numbering, replay, bounds and the life of streams, as a pure state
 * machine. Frames and the time go in, what to store and send comes out. No
 * socket, no storage, no clock of its own: the relay calls one method for each
 * thing that happens, does what the answer says, and calls `tick` now and then.
 * Described in PROTOCOL.md of chatops; the Python twin is relay_server/room.py.
 * Times are milliseconds of any clock that the relay keeps over restarts.
 */
import type { Limits } from "./limits";
import {
  type Encoded,
  type Frame,
  isTerminal,
  type Lost,
  makeFrame,
  Refusal,
  type StreamState,
} from "./protocol";

const PUBLISHER_GONE =
  '{"code":"publisher_gone","message":"the publisher went quiet"}';

/** A burst of this much time's worth of frames is taken before `maxFramesPerSecond` bites. */
const RATE_RESERVE_MS = 1000;

/** A stream as it is kept over a restart; the first of `frames` has number `first`. */
export interface StoredStream {
  readonly stream: string;
  readonly first: number;
  readonly frames: readonly Encoded[];
  readonly finishedAt: number | null;
  readonly endedByRelay: boolean;
  readonly stop: boolean;
}

/**
 * What a call changed and has to be stored and sent. `appended` goes to storage,
 * then to every subscriber. `dropped` maps a stream to the oldest frame that it
 * still holds, or to null if the room forgot it.
 */
export interface Changes {
  readonly appended: readonly Frame[];
  readonly dropped: ReadonlyMap<string, number | null>;
}

/** The answer to a publish: `next` and `stop` as the protocol has them, and what changed. */
export interface Published extends Changes {
  readonly next: ReadonlyMap<string, number>;
  readonly stop: readonly string[];
}

/**
 * What a new subscriber gets before anything live: hello's streams, what is lost,
 * and the replay. `ahead` holds the cursors that lie beyond what the room has:
 * frames below them are not for this subscriber.
 */
export interface Welcome {
  readonly streams: readonly StreamState[];
  readonly lost: readonly Lost[];
  readonly replay: readonly Encoded[];
  readonly ahead: Map<string, number>;
}

class Stream {
  readonly id: string;
  lastSeen: number;
  first = 0;
  frames: Encoded[] = [];
  finishedAt: number | null = null;
  endedByRelay = false;
  stop = false;

  constructor(id: string, lastSeen: number) {
    this.id = id;
    this.lastSeen = lastSeen;
  }

  get next(): number {
    return this.first + this.frames.length;
  }

  get finished(): boolean {
    return this.finishedAt !== null;
  }

  state(): StreamState {
    const { id: stream, first, next, finished, stop } = this;
    return { stream, first, next, finished, stop };
  }
}

/** One room. A method returns what happened, or throws Refusal and has changed nothing. */
export class Room {
  frames = 0;
  bytes = 0;
  private readonly limits: Limits;
  /** In opening order. */
  private readonly streams = new Map<string, Stream>();
  private rateClock = 0;

  /** `stored` are the streams kept from before a restart, in opening order; their idle limit counts from `now`. */
  constructor(limits: Limits, stored: Iterable<StoredStream> = [], now = 0) {
    this.limits = limits;
    for (const kept of stored) {
      const stream = new Stream(kept.stream, now);
      stream.first = kept.first;
      stream.frames = [...kept.frames];
      stream.finishedAt = kept.finishedAt;
      stream.endedByRelay = kept.endedByRelay;
      stream.stop = kept.stop;
      this.streams.set(stream.id, stream);
      this.frames += stream.frames.length;
      this.bytes += bytesOf(stream.frames);
    }
  }

  get isEmpty(): boolean {
    return this.streams.size === 0;
  }

  /** The streams that the room holds, in opening order. */
  states(): StreamState[] {
    return Array.from(this.streams.values(), (stream) => stream.state());
  }

  /** Append what is new. Throws Refusal: gap, finished, too_many_streams, too_fast. */
  publish(frames: readonly Frame[], now: number): Published {
    const { expected, fresh, opened } = this.sortOut(frames);
    const victims = this.victimsFor(opened);
    this.spendRate(fresh.length, now);
    const dropped = new Map<string, number | null>();
    for (const stream of victims) this.forget(stream, dropped);
    for (const frame of fresh) this.append(frame, now);
    const stop: string[] = [];
    for (const id of expected.keys()) {
      const held = this.streams.get(id);
      if (held === undefined) continue;
      held.lastSeen = now;
      if (held.stop && !held.finished) stop.push(id);
    }
    this.evict(dropped, expected);
    return { appended: fresh, dropped, next: expected, stop };
  }

  /** What a subscriber that has every frame below its cursors gets first. */
  subscribe(cursors: ReadonlyMap<string, number>): Welcome {
    const lost: Lost[] = [];
    const replay: Encoded[] = [];
    const ahead = new Map<string, number>();
    for (const stream of this.streams.values()) {
      const cursor = cursors.get(stream.id) ?? 0;
      if (cursor < stream.first) {
        lost.push({ stream: stream.id, from: cursor, next: stream.first });
      } else if (cursor > stream.next) {
        ahead.set(stream.id, cursor);
      }
      const start = Math.max(0, cursor - stream.first);
      for (let i = start; i < stream.frames.length; i++) {
        const frame = stream.frames[i];
        if (frame !== undefined) replay.push(frame);
      }
    }
    for (const [stream, cursor] of cursors) {
      if (cursor > 0 && !this.streams.has(stream)) {
        lost.push({ stream, from: cursor, next: null });
        ahead.set(stream, cursor);
      }
    }
    return { streams: this.states(), lost, replay, ahead };
  }

  /** A subscriber asks a stream to stop; true if nobody had. Throws Refusal: unknown_stream, finished. */
  stop(id: string): boolean {
    const stream = this.streams.get(id);
    if (stream === undefined) {
      throw new Refusal("unknown_stream", "the room holds no such stream");
    }
    if (stream.finished) {
      throw new Refusal("finished", "the stream is finished", { stream: id });
    }
    const newly = !stream.stop;
    stream.stop = true;
    return newly;
  }

  /** End the streams whose publisher went quiet and forget those whose grace time is over. */
  tick(now: number): Changes {
    const appended: Frame[] = [];
    const dropped = new Map<string, number | null>();
    const busy = new Set<string>();
    for (const stream of [...this.streams.values()]) {
      if (stream.finishedAt === null) {
        if (now - stream.lastSeen >= this.limits.idleMs) {
          const { id, next } = stream;
          const frame = makeFrame(id, next, "error", PUBLISHER_GONE);
          this.append(frame, now);
          stream.endedByRelay = true;
          appended.push(frame);
          busy.add(id);
        }
      } else if (now - stream.finishedAt >= this.limits.graceMs) {
        this.forget(stream, dropped);
      }
    }
    this.evict(dropped, busy);
    return { appended, dropped };
  }

  /** When `tick` next has something to do; null if the room is empty. */
  deadline(): number | null {
    let deadline: number | null = null;
    for (const { finishedAt, lastSeen } of this.streams.values()) {
      const due =
        finishedAt === null
          ? lastSeen + this.limits.idleMs
          : finishedAt + this.limits.graceMs;
      if (deadline === null || due < deadline) deadline = due;
    }
    return deadline;
  }

  /** A stream as it is to be kept. The room must hold it. */
  stored(id: string): StoredStream {
    const stream = this.streams.get(id);
    if (stream === undefined) throw new Error(`the room holds no ${id}`);
    const { first, frames, finishedAt, endedByRelay, stop } = stream;
    return { stream: id, first, frames, finishedAt, endedByRelay, stop };
  }

  /** The next seq of each stream named, the frames that are new, and how many streams they open. */
  private sortOut(frames: readonly Frame[]): {
    expected: Map<string, number>;
    fresh: Frame[];
    opened: number;
  } {
    const expected = new Map<string, number>();
    const fresh: Frame[] = [];
    const closed = new Set<string>();
    let opened = 0;
    for (const frame of frames) {
      const stream = this.streams.get(frame.stream);
      let head = expected.get(frame.stream);
      if (head === undefined) {
        head = stream?.next ?? 0;
        if (stream?.finished === true) closed.add(frame.stream);
      }
      if (frame.seq < head) {
        if (stream?.endedByRelay === true && frame.seq >= stream.next - 1) {
          throw finished(frame);
        }
      } else if (closed.has(frame.stream)) {
        throw finished(frame);
      } else if (frame.seq > head) {
        throw new Refusal(
          "gap",
          `frame ${String(frame.seq)} of ${frame.stream} came, ${String(head)} is expected`,
          { stream: frame.stream, expected: head },
        );
      } else {
        fresh.push(frame);
        if (head === 0 && stream === undefined) opened++;
        head++;
        if (isTerminal(frame)) closed.add(frame.stream);
      }
      expected.set(frame.stream, head);
    }
    return { expected, fresh, opened };
  }

  /** The finished streams to forget so that `opened` more fit. */
  private victimsFor(opened: number): Stream[] {
    const surplus = this.streams.size + opened - this.limits.maxRoomStreams;
    if (surplus <= 0) return [];
    const finished = [...this.streams.values()].filter(
      (stream) => stream.finished,
    );
    if (finished.length < surplus) {
      throw new Refusal(
        "too_many_streams",
        `the room holds ${String(this.streams.size)} streams and takes ${String(this.limits.maxRoomStreams)}`,
        { limit: this.limits.maxRoomStreams },
        this.limits.idleMs,
      );
    }
    return finished.slice(0, surplus);
  }

  private spendRate(frames: number, now: number): void {
    const rate = this.limits.maxFramesPerSecond;
    if (rate === 0 || frames === 0) return;
    const clock = Math.max(this.rateClock, now);
    if (clock - now > RATE_RESERVE_MS) {
      throw new Refusal(
        "too_fast",
        `the room takes ${String(rate)} frames a second`,
        { limit: rate },
        Math.ceil(clock - now - RATE_RESERVE_MS),
      );
    }
    this.rateClock = clock + (frames * 1000) / rate;
  }

  private append(frame: Frame, now: number): void {
    let stream = this.streams.get(frame.stream);
    if (stream === undefined) {
      stream = new Stream(frame.stream, now);
      this.streams.set(frame.stream, stream);
    }
    stream.frames.push(frame);
    this.frames += 1;
    this.bytes += frame.bytes;
    if (isTerminal(frame)) stream.finishedAt = now;
  }

  private forget(stream: Stream, dropped: Map<string, number | null>): void {
    this.streams.delete(stream.id);
    this.frames -= stream.frames.length;
    this.bytes -= bytesOf(stream.frames);
    dropped.set(stream.id, null);
  }

  /** Bring the room within its bounds, in the order of PROTOCOL.md, "What a room holds". */
  private evict(
    dropped: Map<string, number | null>,
    busy: { has(id: string): boolean },
  ): void {
    if (!this.isOver()) return;
    for (const stream of [...this.streams.values()]) {
      if (stream.finished && !busy.has(stream.id)) {
        this.forget(stream, dropped);
        if (!this.isOver()) return;
      }
    }
    for (const stream of this.streams.values()) {
      let gone = 0;
      for (const frame of stream.frames) {
        if (gone + 1 === stream.frames.length || !this.isOver()) break;
        this.frames -= 1;
        this.bytes -= frame.bytes;
        gone += 1;
      }
      if (gone === 0) continue;
      stream.frames.splice(0, gone);
      stream.first += gone;
      dropped.set(stream.id, stream.first);
    }
  }

  private isOver(): boolean {
    const { maxRoomFrames, maxRoomBytes } = this.limits;
    return this.frames > maxRoomFrames || this.bytes > maxRoomBytes;
  }
}

function finished(frame: Frame): Refusal {
  return new Refusal(
    "finished",
    `${frame.stream} is finished, frame ${String(frame.seq)} is not taken`,
    { stream: frame.stream },
  );
}

function bytesOf(frames: readonly Encoded[]): number {
  let bytes = 0;
  for (const frame of frames) bytes += frame.bytes;
  return bytes;
}
