import { describe, expect, test, vi } from "vitest";

import { type Frame, makeFrame, Refusal } from "../party/protocol";
import { Room } from "../party/room";
import { Store } from "../party/store";
import { MemoryStorage } from "./memory";
import { limitsOf } from "./vectors";

const LONG_AGO = limitsOf({ idle_ms: 1e15, grace_ms: 1e15 });

function contents(room: Room): unknown {
  const { replay } = room.subscribe(new Map());
  return [
    room.states(),
    replay.map(({ text, bytes }) => [text, bytes]),
    room.states().map(({ stream }) => room.stored(stream).endedByRelay),
    room.states().map(({ stream }) => room.stored(stream).finishedAt),
  ];
}

async function reloaded(
  storage: MemoryStorage,
  limits = LONG_AGO,
): Promise<{ room: Room; store: Store }> {
  const store = new Store(storage);
  const { streams, seen } = await store.load(0, limits.idleMs);
  return { room: new Room(limits, streams, seen), store };
}

function data(stream: string, seq: number, text: string): Frame {
  return makeFrame(stream, seq, "data", JSON.stringify(text));
}

/** A stream of numbers from 0 up to 1 that is the same in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** One random thing that happens to a room, stored; false if the room refused it. */
async function happen(
  room: Room,
  store: Store,
  draw: () => number,
  now: number,
): Promise<void> {
  const states = room.states();
  const held = states[Math.floor(draw() * states.length)];
  const what = draw();
  if (what < 0.1) {
    await store.write(room, room.tick(now));
  } else if (what < 0.2) {
    if (held === undefined || held.finished) return;
    if (room.stop(held.stream)) await store.writeStop(room, held.stream);
  } else {
    const stream =
      held === undefined || held.finished || what < 0.35
        ? `s${String(now)}`
        : held.stream;
    const next = held?.stream === stream ? held.next : 0;
    const text = (draw() < 0.3 ? "é😀" : "x").repeat(
      Math.floor(draw() ** 6 * 200_000),
    );
    const count = Math.ceil(draw() ** 3 * 40);
    const frames = Array.from({ length: count }, (_, at) =>
      data(stream, next + at, text.slice(0, text.length / count)),
    );
    if (draw() < 0.2) frames.push(makeFrame(stream, next + count, "end"));
    await store.write(room, room.publish(frames, now));
  }
}

describe("what was stored is what comes back", () => {
  test.each([1, 2, 3, 4])("after anything (%i)", async (seed) => {
    const draw = random(seed);
    const limits = limitsOf({
      max_room_frames: 150,
      max_room_bytes: 500_000,
      max_room_streams: 6,
      idle_ms: 60,
      grace_ms: 40,
    });
    const storage = new MemoryStorage();
    let { room, store } = await reloaded(storage, limits);
    for (let now = 1; now <= 250; now++) {
      try {
        await happen(room, store, draw, now);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
      }
      const copy = await reloaded(storage, limits);
      expect(contents(copy.room)).toStrictEqual(contents(room));
      if (room.isEmpty) expect(storage.entries.size).toBe(0);
      if (draw() < 0.1) ({ room, store } = copy);
    }
    for (const now of [1e6, 2e6]) await store.write(room, room.tick(now));
    expect(storage.entries.size).toBe(0);
  });
});

test("a frame larger than a value comes back", async () => {
  const storage = new MemoryStorage();
  const { room, store } = await reloaded(storage);
  const frames = [
    data("s", 0, "a"),
    data("s", 1, "é".repeat(200_000)),
    data("s", 2, "b"),
  ];
  await store.write(room, room.publish(frames, 0));
  expect(contents((await reloaded(storage)).room)).toStrictEqual(
    contents(room),
  );
});

test("small frames share keys, and a publish writes but the newest", async () => {
  const storage = new MemoryStorage();
  const { room, store } = await reloaded(storage);
  for (let seq = 0; seq < 500; seq++) {
    const frame = data("s", seq, "x".repeat(50));
    await store.write(room, room.publish([frame], 0));
  }
  expect(storage.writes).toBe(500);
  expect(storage.entries.size).toBeLessThan(20);
});

test("more keys than one call takes are written and deleted", async () => {
  const storage = new MemoryStorage();
  const limits = limitsOf({ max_room_streams: 400, grace_ms: 10 });
  const { room, store } = await reloaded(storage, limits);
  const frames = Array.from({ length: 300 }, (_, at) =>
    makeFrame(`s${String(at)}`, 0, "end"),
  );
  await store.write(room, room.publish(frames, 0));
  expect(storage.entries.size).toBe(600);
  await store.write(room, room.publish([makeFrame("last", 0, "end")], 5));
  await store.write(room, room.tick(10));
  expect(storage.entries.size).toBe(2);
});

test("a damaged stream is forgotten, the others are there", async () => {
  vi.spyOn(console, "error").mockReturnValue();
  const storage = new MemoryStorage();
  const { room, store } = await reloaded(storage);
  for (const stream of ["a", "b", "c"]) {
    for (const seq of [0, 1, 2]) {
      const frame = data(stream, seq, "x".repeat(5000));
      await store.write(room, room.publish([frame], 0));
    }
  }
  const keys = [...storage.entries.keys()];
  for (const at of [1, 2]) {
    const chunks = keys.filter((key) => key.startsWith(`frames/${order(at)}/`));
    storage.entries.delete(chunks[1] ?? "");
  }
  const copy = await reloaded(storage);
  expect(copy.room.states().map(({ stream }) => stream)).toStrictEqual(["a"]);
  expect([...storage.entries.keys()].sort()).toStrictEqual([
    ...keys.filter((key) => key.startsWith(`frames/${order(0)}/`)),
    "quiet",
    `stream/${order(0)}`,
  ]);
  await copy.store.write(copy.room, copy.room.publish([data("d", 0, "")], 0));
  expect(contents((await reloaded(storage)).room)).toStrictEqual(
    contents(copy.room),
  );
});

function order(number: number): string {
  return String(number).padStart(16, "0");
}
