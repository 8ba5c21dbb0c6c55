import { describe, expect, test } from "vitest";

import {
  decodeCursors,
  decodeMessage,
  decodePublish,
  encodePublished,
  Refusal,
  roomOfPath,
} from "../party/protocol";
import { limitsOf, WIRE } from "./vectors";

const LIMITS = limitsOf(WIRE.limits);

function bytesOf(row: { body?: string; hex?: string }): Uint8Array {
  if (row.hex === undefined) return new TextEncoder().encode(row.body);
  const pairs = row.hex.match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}

function outcome(decode: () => unknown): object {
  try {
    return { expect: decode() };
  } catch (error) {
    if (error instanceof Refusal) return { refused: error.code };
    throw error;
  }
}

function recorded(row: { expect?: unknown; refused?: string }): object {
  return row.refused === undefined
    ? { expect: row.expect }
    : { refused: row.refused };
}

describe("publish", () => {
  for (const row of WIRE.publish)
    test(row.name, () => {
      const decode = () =>
        decodePublish(bytesOf(row), LIMITS).map(
          ({ text }) => JSON.parse(text) as unknown,
        );
      expect(outcome(decode)).toStrictEqual(recorded(row));
    });

  test("what a frame is measured by is its UTF-8", () => {
    for (const { bytes, text } of WIRE.publish
      .filter((row) => row.refused === undefined)
      .flatMap((row) => decodePublish(bytesOf(row), LIMITS))) {
      expect(bytes).toBe(new TextEncoder().encode(text).byteLength);
    }
  });

  test("data nested beyond what can be written is a bad request", () => {
    const data = "[".repeat(100_000) + "]".repeat(100_000);
    const body = `{"frames":[{"stream":"s","seq":0,"kind":"data","data":${data}}]}`;
    const limits = limitsOf({ max_frame_bytes: 1 << 20 });
    const decode = () => decodePublish(new TextEncoder().encode(body), limits);
    expect(outcome(decode)).toStrictEqual({ refused: "bad_request" });
  });

  test("text that looks like an escaped surrogate is text", () => {
    const data = "a \\ud83d b \\\\ud83d";
    const body = JSON.stringify({
      frames: [{ stream: "s", seq: 0, kind: "data", data }],
    });
    const [frame] = decodePublish(new TextEncoder().encode(body), LIMITS);
    expect(JSON.parse(frame?.text ?? "")).toMatchObject({ data });
  });
});

describe("path", () => {
  for (const row of WIRE.paths)
    test(row.path, () => {
      expect(outcome(() => roomOfPath(row.path))).toStrictEqual(recorded(row));
    });
});

describe("cursors", () => {
  for (const row of WIRE.cursors)
    test(row.query, () => {
      const decode = () => [...decodeCursors(new URLSearchParams(row.query))];
      const expected =
        row.refused === undefined
          ? { expect: Object.entries(row.expect as Record<string, number>) }
          : recorded(row);
      expect(outcome(decode)).toStrictEqual(expected);
    });
});

describe("message", () => {
  for (const row of WIRE.messages)
    test(row.text, () => {
      const decode = () => {
        const message = decodeMessage(row.text);
        return message.kind === "ping" ? "ping" : { stop: message.stream };
      };
      expect(outcome(decode)).toStrictEqual(recorded(row));
    });
});

test("an answer keeps every stream id, in the order of the request", () => {
  const next = new Map([
    ["b", 1],
    ["7", 2],
    ["__proto__", 3],
  ]);
  expect(encodePublished(next, ["7"])).toBe(
    '{"next":{"b":1,"7":2,"__proto__":3},"stop":["7"]}',
  );
});
