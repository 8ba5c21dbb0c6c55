import { describe, expect, test } from "vitest";

import { encodeLost, type Frame, makeFrame, Refusal } from "../party/protocol";
import { type Changes, Room } from "../party/room";
import { type FrameForm, limitsOf, ROOM_CASES, type RoomStep } from "./vectors";

type Said = Pick<RoomStep, "expect" | "refused">;

function frameOf({ stream, seq, kind, data }: FrameForm): Frame {
  const text = data === undefined ? undefined : JSON.stringify(data);
  return makeFrame(stream, seq, kind, text);
}

function parsed(encoded: readonly { text: string }[]): unknown[] {
  return encoded.map(({ text }) => JSON.parse(text) as unknown);
}

function changesOf({ appended, dropped }: Changes): Record<string, unknown> {
  return {
    appended: parsed(appended),
    dropped: Object.fromEntries(dropped),
  };
}

/** What the room says to one step, in the form of the vectors. */
function takeStep(room: Room, step: RoomStep): Record<string, unknown> {
  if (step.publish !== undefined) {
    const published = room.publish(step.publish.map(frameOf), step.at);
    const { next, stop } = published;
    return { next: Object.fromEntries(next), stop, ...changesOf(published) };
  }
  if (step.subscribe !== undefined) {
    const cursors = new Map(Object.entries(step.subscribe));
    const { streams, lost, replay, ahead } = room.subscribe(cursors);
    return {
      streams,
      lost: lost.map((loss) => JSON.parse(encodeLost(loss)) as unknown),
      replay: parsed(replay),
      ahead: Object.fromEntries(ahead),
    };
  }
  if (step.stop !== undefined) return { newly: room.stop(step.stop) };
  expect(step).toHaveProperty("tick");
  return changesOf(room.tick(step.at));
}

function said(take: () => Record<string, unknown>): Said {
  try {
    return { expect: take() };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, detail, retryAfterMs } = error;
    const retry =
      retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs };
    return { refused: { code, ...detail, ...retry } };
  }
}

function recorded({ expect, refused }: RoomStep): Said {
  return refused === undefined ? { expect } : { refused };
}

function holdings(room: Room): unknown {
  return [room.states(), room.frames, room.bytes, room.deadline()];
}

describe("room", () => {
  for (const { name, limits, steps, holds } of ROOM_CASES)
    test(name, () => {
      const room = new Room(limitsOf(limits));
      for (const step of steps) {
        const before = holdings(room);
        const answer = said(() => ({
          ...takeStep(room, step),
          deadline: room.deadline(),
        }));
        expect(answer).toStrictEqual(recorded(step));
        if (answer.refused !== undefined) {
          expect(holdings(room)).toStrictEqual(before);
        }
      }
      expect({ frames: room.frames, bytes: room.bytes }).toStrictEqual(holds);
    });
});

/** Idle limits and the rate count anew after a restart, so cases about them do not hold over one. */
const restartable = ROOM_CASES.filter(
  ({ limits, steps }) =>
    limits.max_frames_per_second === undefined &&
    steps.every((step) => !("tick" in step)),
);

describe("room made anew before every step", () => {
  for (const { name, limits, steps } of restartable)
    test(name, () => {
      let room = new Room(limitsOf(limits));
      for (const step of steps) {
        const kept = room.states().map(({ stream }) => room.stored(stream));
        room = new Room(limitsOf(limits), kept, step.at);
        const { deadline } = step.expect ?? {};
        // Left as recorded: the idle limit counts from the step before.
        const answer = said(() => ({ ...takeStep(room, step), deadline }));
        expect(answer).toStrictEqual(recorded(step));
      }
    });
});

test("the idle limit counts anew after a restart", () => {
  const limits = limitsOf({ idle_ms: 500 });
  let room = new Room(limits);
  room.publish([makeFrame("s", 0, "start")], 0);
  room = new Room(limits, [room.stored("s")], 10_000);
  expect(room.tick(10_499).appended).toStrictEqual([]);
  expect(room.tick(10_500).appended.map(({ kind }) => kind)).toStrictEqual([
    "error",
  ]);
});
