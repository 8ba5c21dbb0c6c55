import { createTRPCClient, type TRPCClientError } from "@trpc/client";
import superjson from "superjson";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { relayLink, stopReply } from "../src/client/relay-link";
import { newTrackId } from "../src/client/room";
import { FOLLOW } from "../src/shared";
import {
	type ChatRouter,
	framesOf,
	type Piece,
	type PlainRouter,
	pieces,
	type Relay,
	type RunningApp,
	roomState,
	SECRET,
	startApp,
	startRelay,
	Told,
	until,
	Wire,
} from "./servers";

let relay: Relay;
let server: RunningApp;
const leftovers: (() => unknown)[] = [];

beforeEach(async () => {
	relay = await startRelay();
	server = await startApp();
	vi.stubEnv("RELAY_SECRET", SECRET);
	vi.stubEnv("RELAY_URL", `http://${relay.host}`);
	vi.stubEnv("NEXT_PUBLIC_RELAY_HOST", relay.host);
});

afterEach(async () => {
	for (const tidy of leftovers.splice(0)) await tidy();
	vi.unstubAllEnvs();
	vi.restoreAllMocks();
	server.stop();
	await relay.stop();
});

function words(count: number): string[] {
	return Array.from({ length: count }, (_, index) => `w${String(index)} `);
}

/** The model of the reply; it says what it is told to. */
function tell(count: number): Told {
	const told = new Told(words(count));
	server.app.model = told.model;
	return told;
}

/** Waits until the relay has so many frames of the reply. */
async function untilPublished(frames: number) {
	await until(async () =>
		(await roomState(relay.host, "lobby")).streams.some(
			({ next }) => next === frames,
		),
	);
}

type Seen = {
	values: { id?: string; data: unknown }[];
	states: string[];
	error?: TRPCClientError<ChatRouter>;
	isComplete: boolean;
	text: () => string;
	done: Promise<void>;
	leave: () => void;
};

/** Reads a reply through the link, as `useSubscription` would. */
function read(
	trackId: string,
	{
		url = `${server.url}/chat`,
		relay: host,
		message = "hi",
		procedure = "sendMessageStream",
		signal,
	}: {
		url?: string;
		relay?: string;
		message?: string;
		procedure?: "sendMessageStream" | "refused" | "bare";
		signal?: AbortSignal;
	} = {},
): Seen {
	const client = createTRPCClient<ChatRouter>({
		links: [
			relayLink({
				transformer: superjson,
				url,
				...(host === undefined ? {} : { relay: host }),
				headers: () => new Headers({ "x-trpc-source": "tests" }),
			}),
		],
	});
	const seen: Seen = {
		values: [],
		states: [],
		isComplete: false,
		text: () =>
			seen.values
				.map(({ data }) => (data as { text?: string }).text ?? "")
				.join(""),
		done: Promise.resolve(),
		leave: () => undefined,
	};
	seen.done = new Promise((resolve) => {
		const callbacks = {
			onStarted: () => seen.states.push("started"),
			onData: (value: unknown) => {
				seen.values.push(value as { id?: string; data: unknown });
			},
			onStopped: () => seen.states.push("stopped"),
			onConnectionStateChange: ({ state }: { state: string }) => {
				seen.states.push(state);
			},
			onError: (error: unknown) => {
				seen.error = error as TRPCClientError<ChatRouter>;
				resolve();
			},
			onComplete: () => {
				seen.isComplete = true;
				resolve();
			},
			...(signal ? { signal } : {}),
		};
		const input = { trackId, message };
		const { subscribe } = client.chat[
			procedure
		] as typeof client.chat.sendMessageStream;
		const subscription = subscribe(input, callbacks);
		seen.leave = () => {
			subscription.unsubscribe();
		};
	});
	leftovers.push(seen.leave);
	return seen;
}

describe("a reply over the relay", () => {
	it("comes whole, in order, with its tracked ids, in tRPC's order of states", async () => {
		server.app.model = () => pieces(words(40), 5);
		const seen = read("lobby:one");
		await seen.done;
		expect(seen.text()).toBe(words(40).join(""));
		expect(new Set(seen.values.map(({ id }) => id))).toEqual(
			new Set(["lobby:one"]),
		);
		expect(seen.states).toEqual([
			"connecting",
			"started",
			"pending",
			"stopped",
			"idle",
		]);
		expect(seen.isComplete).toBe(true);
	});

	it("leaves the HTTP response nothing to carry", async () => {
		server.app.model = () => pieces(words(200), 1);
		const seen = read("lobby:small");
		await seen.done;
		expect(seen.text()).toBe(words(200).join(""));
		await until(
			() => server.responses[0]?.text.includes("event: return") ?? false,
		);
		expect(server.responses[0]?.text).not.toContain("w1 ");
		expect(server.responses[0]?.bytes).toBeLessThan(200);
	});

	it("begins with a start frame that says what was announced, and ends with a terminal one", async () => {
		await read("lobby:frames", { message: "what is it" }).done;
		const frames = await framesOf(relay.host, "lobby");
		expect(frames.map(({ kind, seq }) => [seq, kind])).toEqual([
			[0, "start"],
			[1, "data"],
			[2, "end"],
		]);
		expect(frames[0]?.data).toEqual({ message: "what is it" });
	});

	it("opens the stream before the model is asked", async () => {
		let opened = false;
		server.app.model = async function* () {
			await until(async () => {
				const { streams } = await roomState(relay.host, "lobby");
				return streams.some(({ next }) => next === 1);
			});
			opened = true;
			yield "late";
		};
		const seen = read("lobby:early");
		await seen.done;
		expect(opened).toBe(true);
		expect(seen.text()).toBe("late");
	});

	it("keeps what the transformer keeps", async () => {
		const at = new Date("2026-11-22T12:00:00Z");
		server.app.model = () => pieces([{ at }]);
		const seen = read("lobby:date");
		await seen.done;
		expect(seen.values).toEqual([{ id: "lobby:date", data: { at } }]);
	});

	it("carries plain values where there is no transformer and nothing is tracked", async () => {
		server.app.model = () => pieces(["a", "b", "c"], 5);
		const client = createTRPCClient<PlainRouter>({
			links: [relayLink({ url: `${server.url}/plain` })],
		});
		const values: Piece[] = [];
		await new Promise<void>((resolve, reject) => {
			client.chat.sendMessageStream.subscribe(
				{ trackId: "lobby:plain", message: "hi" },
				{
					onData: (value) => values.push(value as Piece),
					onComplete: resolve,
					onError: reject,
				},
			);
		});
		expect(values).toEqual(["a", "b", "c"]);
		expect(await framesOf(relay.host, "lobby")).toHaveLength(5);
	});

	it("carries a character that the model has cut in two", async () => {
		const [first = "", second = ""] = "😀".split("");
		server.app.model = () => pieces([`a${first}`, `${second}b`], 5);
		const seen = read("lobby:emoji");
		await seen.done;
		expect(seen.text()).toBe("a😀b");
		const frames = await framesOf(relay.host, "lobby");
		expect(frames.at(-1)).toMatchObject({ kind: "end", seq: 3 });
	});

	it("costs tens of requests for 500 pieces", async () => {
		const real = globalThis.fetch;
		let posts = 0;
		vi.spyOn(globalThis, "fetch").mockImplementation((url, init) => {
			if (url === `http://${relay.host}/parties/main/lobby`) posts += 1;
			return real(url, init);
		});
		server.app.model = () => pieces(words(500), 3);
		const began = Date.now();
		const seen = read("lobby:many");
		await seen.done;
		expect(seen.text()).toBe(words(500).join(""));
		expect(posts).toBeGreaterThan(2);
		// The first twenty come quicker, then there are ten a second, however long the pieces take.
		expect(posts).toBeLessThan(30 + (Date.now() - began) / 100);
	});

	it("reaches two readers in one shared room, one of them late, and is asked for once", async () => {
		const told = tell(30);
		told.say(10);
		const trackId = newTrackId("shared");
		const asking = read(trackId);
		await until(() => asking.values.length === 10);
		const following = read(trackId + FOLLOW);
		await until(() => following.values.length === 10);
		told.say();
		await Promise.all([asking.done, following.done]);
		expect(following.text()).toBe(words(30).join(""));
		expect(following.values[0]?.id).toBe(trackId);
		expect(asking.text()).toBe(following.text());
		expect(server.app.calls).toHaveLength(1);
	});

	it("is not asked for by one that subscribes, leaves and comes again at once", async () => {
		const first = read("lobby:strict");
		first.leave();
		const second = read("lobby:strict");
		await second.done;
		expect(second.text()).toBe("hello");
		expect(server.app.calls).toHaveLength(1);
	});

	it("of a reply that the relay no longer has, a follower is told", async () => {
		const seen = read(`lobby:never${FOLLOW}`);
		await seen.done;
		expect(seen.error?.message).toContain("does not have this reply");
		expect(server.app.calls).toHaveLength(0);
	});
});

describe("without the relay", () => {
	async function expectWhole(seen: Seen, count = 40) {
		await seen.done;
		expect(seen.error).toBeUndefined();
		expect(
			seen.values.map(({ data }) => (data as { text: string }).text),
		).toEqual(words(count));
		expect(seen.values[0]?.id).toBe("lobby:x");
		expect(seen.isComplete).toBe(true);
	}

	it("a relay that is dead from the start costs nothing of the reply", async () => {
		await relay.kill();
		server.app.model = () => pieces(words(40), 5);
		await expectWhole(read("lobby:x"));
	});

	it("a relay that is killed in mid-reply costs nothing of the reply", async () => {
		const told = tell(40);
		told.say(20);
		const seen = read("lobby:x");
		await until(() => seen.values.length === 20);
		await relay.kill();
		told.say();
		await expectWhole(seen);
	});

	it("a relay that forgets in mid-reply gets it all again", async () => {
		const told = tell(40);
		told.say(20);
		const seen = read("lobby:x");
		await until(() => seen.values.length === 20);
		await relay.kill();
		told.say(30);
		await until(() => seen.values.length === 30);
		relay = await startRelay(relay.port);
		told.say();
		await expectWhole(seen);
		await until(async () =>
			(await roomState(relay.host, "lobby")).streams.some(
				({ finished }) => finished,
			),
		);
		expect(await framesOf(relay.host, "lobby")).toHaveLength(42);
	});

	it("a wrong secret here sends the reply over HTTP and says why", async () => {
		const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
		vi.stubEnv("RELAY_SECRET", "another");
		server.app.model = () => pieces(words(40), 5);
		await expectWhole(read("lobby:x"));
		expect(warn.mock.calls.join()).toContain("RELAY_SECRET");
		expect(warn.mock.calls.join()).not.toContain("another");
	});

	it("a relay without a secret takes nothing, and the reply comes over HTTP", async () => {
		vi.spyOn(console, "warn").mockImplementation(() => undefined);
		const open = await startRelay(0, {});
		leftovers.push(open.stop);
		vi.stubEnv("RELAY_URL", `http://${open.host}`);
		vi.stubEnv("NEXT_PUBLIC_RELAY_HOST", open.host);
		server.app.model = () => pieces(words(40), 5);
		await expectWhole(read("lobby:x"));
	});

	it.each([
		["neither side is configured", "", ""],
		["the server is not configured", "", undefined],
		["the browser is not configured", SECRET, ""],
	])("%s: the reply comes over HTTP", async (_, secret, host) => {
		vi.stubEnv("RELAY_SECRET", secret);
		if (host !== undefined) vi.stubEnv("NEXT_PUBLIC_RELAY_HOST", host);
		server.app.model = () => pieces(words(40), 5);
		await expectWhole(read("lobby:x"));
	});

	it("a browser that never reaches the relay reads the reply over HTTP, others from the room", async () => {
		const wire = await Wire.to(relay.port);
		leftovers.push(() => {
			wire.stop();
		});
		wire.bar();
		server.app.model = () => pieces(words(40), 5);
		await expectWhole(read("lobby:x", { relay: wire.host }));
		await until(async () =>
			(await roomState(relay.host, "lobby")).streams.some(
				({ finished }) => finished,
			),
		);
		expect(await framesOf(relay.host, "lobby")).toHaveLength(42);
	});

	it("a socket that connects late joins the reply that runs over HTTP", async () => {
		const wire = await Wire.to(relay.port);
		leftovers.push(() => {
			wire.stop();
		});
		wire.bar();
		const told = tell(40);
		told.say(20);
		const seen = read("lobby:x", { relay: wire.host });
		await until(() => seen.values.length === 20);
		wire.open();
		await until(async () => {
			const { subscribers } = await roomState(relay.host, "lobby");
			return subscribers > 0;
		});
		told.say();
		await expectWhole(seen);
	});
});

describe("when connections are cut", () => {
	it("a socket that is cut in mid-reply and comes back misses nothing", async () => {
		const wire = await Wire.to(relay.port);
		leftovers.push(() => {
			wire.stop();
		});
		const told = tell(60);
		told.say(20);
		const seen = read("lobby:x", { relay: wire.host });
		await until(() => seen.values.length === 20);
		wire.bar();
		told.say(40);
		await untilPublished(41);
		await until(() => seen.states.at(-1) === "connecting");
		wire.open();
		await until(() => seen.values.length === 40);
		told.say();
		await seen.done;
		expect(seen.text()).toBe(words(60).join(""));
		expect(seen.states).toEqual([
			"connecting",
			"started",
			...["pending", "connecting"],
			...["pending", "stopped", "idle"],
		]);
		expect(wire.connections).toBeGreaterThan(1);
		expect(server.responses[0]?.text).not.toContain("w1 ");
	});

	it("a response that is cut in mid-reply leaves the rest to the relay", async () => {
		const wire = await Wire.to(server.port);
		leftovers.push(() => {
			wire.stop();
		});
		const told = tell(60);
		told.say(20);
		const seen = read("lobby:x", { url: `http://${wire.host}/chat` });
		await until(() => seen.values.length === 20);
		wire.bar();
		told.say();
		await seen.done;
		expect(seen.text()).toBe(words(60).join(""));
		expect(seen.isComplete).toBe(true);
	});

	it("both cut, the network back: the whole reply", async () => {
		const [toApp, toRelay] = await Promise.all([
			Wire.to(server.port),
			Wire.to(relay.port),
		]);
		leftovers.push(() => {
			toApp.stop();
			toRelay.stop();
		});
		const told = tell(60);
		told.say(20);
		const seen = read("lobby:x", {
			url: `http://${toApp.host}/chat`,
			relay: toRelay.host,
		});
		await until(() => seen.values.length === 20);
		toApp.bar();
		toRelay.bar();
		told.say(40);
		await untilPublished(41);
		toRelay.open();
		await until(() => seen.values.length === 40);
		told.say();
		await seen.done;
		expect(seen.text()).toBe(words(60).join(""));
	});

	it("a page that is closed does not end the reply", async () => {
		const told = tell(40);
		told.say(20);
		const seen = read("lobby:x");
		await until(() => seen.values.length === 20);
		seen.leave();
		told.say();
		await until(async () =>
			(await roomState(relay.host, "lobby")).streams.some(
				({ finished }) => finished,
			),
		);
		expect(seen.values).toHaveLength(20);
		const frames = await framesOf(relay.host, "lobby");
		expect(frames).toHaveLength(42);
		expect(frames.at(-1)).toMatchObject({ kind: "end" });
		await until(
			async () => (await roomState(relay.host, "lobby")).subscribers === 0,
		);
	});

	it("a signal ends the reading, not the reply", async () => {
		const told = tell(40);
		told.say(20);
		const leaving = new AbortController();
		const seen = read("lobby:x", { signal: leaving.signal });
		await until(() => seen.values.length === 20);
		leaving.abort();
		await seen.done;
		told.say();
		await until(async () =>
			(await roomState(relay.host, "lobby")).streams.some(
				({ finished }) => finished,
			),
		);
		expect(await framesOf(relay.host, "lobby")).toHaveLength(42);
		expect(seen.values).toHaveLength(20);
	});

	it("a server that cannot be reached at all is an error", async () => {
		const wire = await Wire.to(server.port);
		const url = `http://${wire.host}/chat`;
		wire.stop();
		for (const host of ["", relay.host]) {
			vi.stubEnv("NEXT_PUBLIC_RELAY_HOST", host);
			const seen = read("lobby:x", { url });
			await seen.done;
			expect(seen.error?.name).toBe("TRPCClientError");
		}
	});
});

describe("stop", () => {
	it("ends the model call and the stream, and the reply counts as it is", async () => {
		let cleanedUp = false;
		let aborted = false;
		server.app.model = async function* ({ signal }) {
			signal?.addEventListener("abort", () => {
				aborted = true;
			});
			try {
				yield* pieces(words(1000), 20);
			} finally {
				cleanedUp = true;
			}
		};
		const seen = read("lobby:x");
		await until(() => seen.values.length > 5);
		stopReply("lobby:x");
		await seen.done;
		expect(seen.error).toBeUndefined();
		await until(() => cleanedUp);
		expect(aborted).toBe(true);
		const frames = await framesOf(relay.host, "lobby");
		expect(frames.at(-1)).toMatchObject({
			kind: "end",
			data: { stopped: true },
		});
		expect(frames.length).toBeLessThan(1000);
	});

	it("is heard while the model is silent", async () => {
		server.app.model = async function* ({ signal }) {
			yield "one";
			await new Promise((_, reject) => {
				signal?.addEventListener("abort", () => {
					reject(new Error("aborted"));
				});
			});
		};
		const seen = read("lobby:x");
		await until(() => seen.values.length === 1);
		stopReply("lobby:x");
		await seen.done;
		expect(seen.error).toBeUndefined();
		expect((await framesOf(relay.host, "lobby")).at(-1)).toMatchObject({
			kind: "end",
		});
	});
});

describe("errors", () => {
	it("of the model in mid-stream come after what it had said, in the app's own form", async () => {
		server.app.model = async function* () {
			yield* pieces(words(10), 5);
			throw new Error("the model fell over");
		};
		const seen = read("lobby:x");
		await seen.done;
		expect(seen.text()).toBe(words(10).join(""));
		expect(seen.error?.message).toBe("the model fell over");
		expect(seen.error?.data).toMatchObject({
			code: "INTERNAL_SERVER_ERROR",
			formattedByTheApp: "the model fell over",
		});
	});

	it("that the app has not worded stay out of the room", async () => {
		server.app.model = async function* () {
			yield* pieces(words(10), 5);
			throw new Error("key sk-123 is wrong");
		};
		const trackId = "lobby:x";
		const seen = read(trackId);
		const follower = await (async () => {
			await until(() => seen.values.length > 0);
			return read(trackId + FOLLOW);
		})();
		await Promise.all([seen.done, follower.done]);
		expect(follower.text()).toBe(words(10).join(""));
		expect(follower.error?.message).toBe("The reply broke off.");
		expect(JSON.stringify(await framesOf(relay.host, "lobby"))).not.toContain(
			"sk-123",
		);
	});

	it("of the model come over HTTP when the relay is dead", async () => {
		await relay.kill();
		server.app.model = async function* () {
			yield* pieces(words(10), 5);
			throw new Error("the model fell over");
		};
		const seen = read("lobby:x");
		await seen.done;
		expect(seen.text()).toBe(words(10).join(""));
		expect(seen.error?.message).toBe("the model fell over");
	});

	it("of a middleware come at once", async () => {
		const seen = read("lobby:x", { procedure: "refused" });
		await seen.done;
		expect(seen.error?.data?.code).toBe("UNAUTHORIZED");
		expect((await roomState(relay.host, "lobby")).streams).toEqual([]);
	});

	it("of a page that is not tRPC's name the status", async () => {
		const seen = read("lobby:x", { url: `http://${relay.host}/nothing` });
		await seen.done;
		expect(seen.error?.message).toContain("404");
	});
});

describe("a procedure that is not wrapped", () => {
	it("streams over HTTP through the same link", async () => {
		const seen = read("lobby:x", { procedure: "bare" });
		await seen.done;
		expect(seen.values).toEqual(["one", "two"]);
		expect(seen.isComplete).toBe(true);
	});
});
