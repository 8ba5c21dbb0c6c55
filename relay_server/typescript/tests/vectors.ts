/** The recorded cases of the protocol, in the types of this twin. */
// As text: a JSON module is an object literal, in which `__proto__` is no key.
import roomCases from "../../vectors/room.json?raw";
import wireCases from "../../vectors/wire.json?raw";
import { DEFAULT_LIMITS, type Limits } from "../party/limits";

export interface RoomCase {
  name: string;
  limits: Record<string, number>;
  steps: RoomStep[];
  holds: { frames: number; bytes: number };
}

export interface RoomStep {
  at: number;
  publish?: FrameForm[];
  subscribe?: Record<string, number>;
  stop?: string;
  tick?: unknown;
  expect?: Record<string, unknown>;
  refused?: Record<string, unknown>;
}

export interface FrameForm {
  stream: string;
  seq: number;
  kind: "start" | "data" | "end" | "error";
  data?: unknown;
}

interface Outcome {
  expect?: unknown;
  refused?: string;
}

interface WireCases {
  limits: Record<string, number>;
  publish: ({ name: string; body?: string; hex?: string } & Outcome)[];
  paths: ({ path: string } & Outcome)[];
  cursors: ({ query: string } & Outcome)[];
  messages: ({ text: string } & Outcome)[];
}

export const ROOM_CASES = JSON.parse(roomCases) as RoomCase[];
export const WIRE = JSON.parse(wireCases) as WireCases;

/** Limits as the vectors name them: `max_room_frames`. */
export function limitsOf(named: Record<string, number>): Limits {
  const given = Object.entries(named).map(([name, value]) => [
    name.replace(/_[a-z]/g, (match) => match.slice(1).toUpperCase()),
    value,
  ]);
  const limits = { ...DEFAULT_LIMITS, ...Object.fromEntries(given) } as Limits;
  if (Object.keys(limits).length !== Object.keys(DEFAULT_LIMITS).length) {
    throw new Error(`unknown limit among ${Object.keys(named).join(", ")}`);
  }
  return limits;
}
