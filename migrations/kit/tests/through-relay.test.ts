import { initTRPC } from "@trpc/server";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { throughRelay } from "../src/server/through-relay";
import {
	framesOf,
	pieces,
	type Relay,
	roomState,
	SECRET,
	startRelay,
	until,
} from "./servers";

let relay: Relay;

async function useRelay(env: Record<string, string> = {}) {
	relay = await startRelay(0, { RELAY_SECRET: SECRET, ...env });
	vi.stubEnv("RELAY_SECRET", SECRET);
	vi.stubEnv("RELAY_URL", `http://${relay.host}`);
}

beforeEach(() => useRelay());

afterEach(async () => {
	vi.unstubAllEnvs();
	vi.restoreAllMocks();
	await relay.stop();
});

async function isFinished(): Promise<boolean> {
	const { streams } = await roomState(relay.host, "lobby");
	return streams.some(({ finished }) => finished);
}

/** Calls a wrapped generator as tRPC would, and reads what the HTTP response gets. */
async function respond(
	values: string[],
	options: Parameters<typeof throughRelay>[1] = {},
	input: unknown = { trackId: "lobby:x" },
	gapMs = 2,
): Promise<unknown[]> {
	const resolver = throughRelay(async function* (_: {
		input: unknown;
		signal: AbortSignal | undefined;
	}) {
		yield* pieces(values, gapMs);
	}, options);
	const response: unknown[] = [];
	for await (const value of resolver({ input, signal: undefined })) {
		response.push(value);
	}
	return response;
}

describe("throughRelay", () => {
	it("leaves a call without a room as it is, for callers on the server", async () => {
		const t = initTRPC.create();
		const router = t.router({
			words: t.procedure.subscription(
				throughRelay(async function* () {
					yield* ["one", "two"];
				}),
			),
		});
		const values: string[] = [];
		for await (const word of await router.createCaller({}).words()) {
			values.push(word);
		}
		expect(values).toEqual(["one", "two"]);
		expect(await respond(["a"], {}, { trackId: "no room" })).toEqual(["a"]);
		expect((await roomState(relay.host, "lobby")).streams).toEqual([]);
	});

	it("keeps the function alive until the last frame is acknowledged", async () => {
		let work: Promise<void> | undefined;
		await respond(["a", "b"], {
			waitUntil: (promise) => {
				work = promise;
			},
		});
		await work;
		expect(await isFinished()).toBe(true);
	});

	it("finds the platform's own way to keep a function alive", async () => {
		const waitUntil = vi.fn();
		const name = Symbol.for("@next/request-context");
		Reflect.set(globalThis, name, { get: () => ({ waitUntil }) });
		try {
			await respond(["a"]);
		} finally {
			Reflect.deleteProperty(globalThis, name);
		}
		expect(waitUntil).toHaveBeenCalledOnce();
	});

	it("sends a value that the relay finds too large over HTTP, and the room is told", async () => {
		vi.spyOn(console, "warn").mockImplementation(() => undefined);
		const large = "x".repeat(70_000);
		const values = await respond(["small", large, "after"]);
		expect(values.map((value) => (value as unknown[])[0])).toEqual([
			"0:start",
			"1:data",
			"2:data",
			"3:data",
			"4:end",
		]);
		expect((values[2] as unknown[])[1]).toBe(large);
		await until(isFinished);
		expect((await framesOf(relay.host, "lobby")).at(-1)?.kind).toBe("error");
	});

	it("waits for a relay that takes fewer frames a second than the model makes", async () => {
		await relay.stop();
		await useRelay({ RELAY_MAX_FRAMES_PER_SECOND: "40" });
		const values = Array.from(
			{ length: 100 },
			(_, index) => `w${String(index)}`,
		);
		await respond(values);
		await until(isFinished);
		const frames = await framesOf(relay.host, "lobby");
		expect(frames.slice(1, -1).map(({ data }) => data)).toEqual(
			values.map((value) => ({ value })),
		);
	});

	it("tells the relay that a model which thinks for long is alive", async () => {
		await relay.stop();
		await useRelay({ RELAY_IDLE_SECONDS: "6" });
		await respond(["late"], {}, { trackId: "lobby:x" }, 8000);
		await until(isFinished);
		const frames = await framesOf(relay.host, "lobby");
		expect(frames.map(({ kind }) => kind)).toEqual(["start", "data", "end"]);
	});
});
