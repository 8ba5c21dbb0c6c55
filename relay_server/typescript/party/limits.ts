/**
 * What a relay bounds, and the environment variables that set it: PROTOCOL.md of
 * chatops, "What a room holds". A value that is not a number in range counts as
 * unset, for a Durable Object has nobody to tell.
 */

/** Bounds of a relay and of each of its rooms. Sizes in bytes, times in milliseconds. */
export interface Limits {
  readonly maxBodyBytes: number;
  readonly maxBatchFrames: number;
  readonly maxFrameBytes: number;
  readonly maxMessageBytes: number;
  readonly maxRoomFrames: number;
  readonly maxRoomBytes: number;
  readonly maxRoomStreams: number;
  /** 0 is no limit. */
  readonly maxFramesPerSecond: number;
  readonly idleMs: number;
  readonly graceMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  maxBodyBytes: 1 << 20,
  maxBatchFrames: 1000,
  maxFrameBytes: 1 << 16,
  maxMessageBytes: 4096,
  maxRoomFrames: 20_000,
  maxRoomBytes: 8 << 20,
  maxRoomStreams: 200,
  maxFramesPerSecond: 0,
  idleMs: 60_000,
  graceMs: 300_000,
};

/** Defaults, overridden by the variables that are set and in range. */
export function limitsFrom(variables: ReadonlyMap<string, unknown>): Limits {
  const count = (variable: string, fallback: number, lowest = 1): number =>
    limitOf(variables.get(variable), /^\+?\d+$/, lowest, 1) ?? fallback;
  const seconds = (variable: string, fallback: number): number =>
    limitOf(
      variables.get(variable),
      /^\+?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i,
      1,
      1000,
    ) ?? fallback;
  const unset = DEFAULT_LIMITS;
  return {
    maxBodyBytes: count("RELAY_MAX_BODY_BYTES", unset.maxBodyBytes),
    maxBatchFrames: count("RELAY_MAX_BATCH_FRAMES", unset.maxBatchFrames),
    maxFrameBytes: count("RELAY_MAX_FRAME_BYTES", unset.maxFrameBytes),
    maxMessageBytes: count("RELAY_MAX_MESSAGE_BYTES", unset.maxMessageBytes),
    maxRoomFrames: count("RELAY_MAX_ROOM_FRAMES", unset.maxRoomFrames),
    maxRoomBytes: count("RELAY_MAX_ROOM_BYTES", unset.maxRoomBytes),
    maxRoomStreams: count("RELAY_MAX_ROOM_STREAMS", unset.maxRoomStreams),
    maxFramesPerSecond: count(
      "RELAY_MAX_FRAMES_PER_SECOND",
      unset.maxFramesPerSecond,
      0,
    ),
    idleMs: seconds("RELAY_IDLE_SECONDS", unset.idleMs),
    graceMs: seconds("RELAY_GRACE_SECONDS", unset.graceMs),
  };
}

function limitOf(
  value: unknown,
  form: RegExp,
  lowest: number,
  scale: number,
): number | undefined {
  // A configuration file in JSON may give a number as well as a text.
  if (typeof value !== "string" && typeof value !== "number") return undefined;
  const text = String(value).trim();
  if (!form.test(text)) return undefined;
  const number = Number(text) * scale;
  return number >= lowest && number < 2 ** 53 ? Math.trunc(number) : undefined;
}
