import { act, cleanup, render } from "@testing-library/react";
import { StrictMode, useEffect, useLayoutEffect } from "react";
import superjson from "superjson";
import {
	afterEach,
	beforeEach,
	describe,
	expect,
	expectTypeOf,
	it,
	vi,
} from "vitest";

import { useLiveState } from "../src/client/live-state";
import { type RoomReply, useRoomReplies } from "../src/client/use-room-replies";
import {
	type Item,
	useStreamingMutation,
} from "../src/client/use-streaming-mutation";
import { api, Providers } from "./providers";
import {
	framesOf,
	type Piece,
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
let wire: Wire;
const words = Array.from({ length: 30 }, (_, index) => `w${String(index)} `);

beforeEach(async () => {
	// React renders when it likes, as on a page; Testing Library's `act` sees to itself.
	Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: false });
	relay = await startRelay();
	server = await startApp();
	wire = await Wire.to(relay.port);
	vi.stubEnv("RELAY_SECRET", SECRET);
	vi.stubEnv("RELAY_URL", `http://${relay.host}`);
	vi.stubEnv("NEXT_PUBLIC_RELAY_HOST", wire.host);
	vi.stubEnv("NEXT_PUBLIC_CHAT_MODE", "streaming");
	sessionStorage.clear();
});

afterEach(async () => {
	cleanup();
	vi.unstubAllEnvs();
	vi.restoreAllMocks();
	server.stop();
	wire.stop();
	await relay.stop();
});

/** The model of the reply; it says what it is told to. */
function tell(): Told {
	const told = new Told(words);
	server.app.model = told.model;
	return told;
}

/** What the model has said of its words. */
function said(count: number): string {
	return words.slice(0, count).join("");
}

/** Has the model say on a few times, and each time waits until the page shows it. */
async function grow(told: Told, shown: () => string | undefined) {
	const begun = told.said;
	for (const more of [2, 4, 6, 8, 10, 12]) {
		const upTo = begun + more;
		told.say(upTo);
		await until(() => shown() === said(upTo));
	}
}

type Turn = { role: "user" | "model"; text: string };
type Options = Partial<Parameters<typeof useChat>[0]>;

/** A chat as the first user has it: `onSuccess` appends both turns, the rest are callbacks that are written down. */
function useChat({
	log,
	live = false,
	resume = false,
	onItem,
	room,
}: {
	log: unknown[][];
	live?: boolean;
	resume?: boolean;
	room?: string;
	onItem?: (item: { type: "function-call" } | { at: Date }) => void;
}) {
	const [history, setHistory] = useLiveState<Turn[]>([]);
	const sendMessage = useStreamingMutation(
		api.chat.sendMessage,
		api.chat.sendMessageStream,
		{
			input: ({ message }, trackId) => ({
				message,
				trackId,
				history: history.map(({ text }) => text),
			}),
			...(room === undefined ? {} : { room }),
			...(onItem ? { onItem } : {}),
			...(live ? { live: true as const } : {}),
			resume,
			onMutate: ({ message }) => {
				log.push(["mutate", message]);
				return { sent: message };
			},
			onSuccess: (response, variables, context) => {
				setHistory((turns) => [
					...turns,
					{ role: "user", text: variables.message },
					{ role: "model", text: response ?? "" },
				]);
				if (!live) log.push(["success", response, variables, context]);
			},
			onError: (error, variables, context) => {
				log.push(["error", error.message, variables, context]);
			},
			onSettled: (response, error, variables, context) => {
				log.push(["settled", response, error?.message, variables, context]);
			},
		},
	);
	return { history, setHistory, sendMessage };
}

type Chat = ReturnType<typeof useChat>;

/** Mounts the chat; `now()` is what the last render gave, `renders` what every one did. */
function mount(options: Options = {}) {
	const log: unknown[][] = options.log ?? [];
	const renders: Chat[] = [];
	function Component() {
		renders.push(useChat({ ...options, log }));
		return null;
	}
	const { unmount } = render(
		<StrictMode>
			<Providers url={server.url}>
				<Component />
			</Providers>
		</StrictMode>,
	);
	const now = () => {
		const last = renders.at(-1);
		if (!last) throw new Error("nothing was rendered");
		return last;
	};
	return { log, renders, now, unmount };
}

describe("the drop-in hook while streaming", () => {
	it("calls the mutation's callbacks with the whole text and shows it growing", async () => {
		const told = tell();
		const chat = mount();
		act(() => {
			chat.now().sendMessage.mutate({ message: "hi" });
		});
		await grow(told, () => chat.now().sendMessage.partial);
		expect(chat.now().sendMessage).toMatchObject({
			isPending: true,
			status: "pending",
			variables: { message: "hi" },
			data: undefined,
		});
		told.say();
		await until(() => chat.now().sendMessage.isSuccess);
		const text = words.join("");
		const context = { sent: "hi" };
		expect(chat.log).toEqual([
			["mutate", "hi"],
			["success", text, { message: "hi" }, context],
			["settled", text, undefined, { message: "hi" }, context],
		]);
		expect(chat.now().sendMessage).toMatchObject({
			data: text,
			error: null,
			isPending: false,
			partial: "",
			trpc: { path: "chat.sendMessage" },
		});
		const shown = new Set(
			chat.renders.map((render) => render.sendMessage.partial),
		);
		expect(shown.size).toBeGreaterThan(5);
		for (const partial of shown) expect(text.startsWith(partial)).toBe(true);
		act(() => {
			chat.now().sendMessage.reset();
		});
		await until(() => chat.now().sendMessage.isIdle);
		expect(chat.now().sendMessage.data).toBeUndefined();
	});

	it("settles mutateAsync and the callbacks of one call", async () => {
		const chat = mount();
		const onSuccess = vi.fn();
		const text = await chat
			.now()
			.sendMessage.mutateAsync({ message: "hi" }, { onSuccess });
		expect(text).toBe("hello");
		expect(onSuccess).toHaveBeenCalledOnce();
	});

	it("does not mix two messages in a row", async () => {
		server.app.model = ({ message }) =>
			pieces(
				words.map((word) => `${message}-${word}`),
				5,
			);
		const chat = mount();
		act(() => {
			chat.now().sendMessage.mutate({ message: "a" });
			chat.now().sendMessage.mutate({ message: "b" });
		});
		await until(() => chat.now().history.length === 4);
		const whole = (name: string) =>
			words.map((word) => `${name}-${word}`).join("");
		expect(chat.now().history.map(({ text }) => text)).toEqual([
			"a",
			whole("a"),
			"b",
			whole("b"),
		]);
		expect(chat.now().sendMessage.data).toBe(whole("b"));
	});

	it("hands the component's state over as it was when the message was sent", async () => {
		const chat = mount();
		for (const [message, turns] of [
			["one", 2],
			["two", 4],
		] as const) {
			act(() => {
				chat.now().sendMessage.mutate({ message });
			});
			await until(
				() =>
					chat.now().history.length === turns &&
					!chat.now().sendMessage.isPending,
			);
		}
		expect(server.app.calls.map(({ history }) => history)).toEqual([
			[],
			["one", "hello"],
		]);
	});

	it("hands over what is on the page when a message is sent the moment that it is shown", async () => {
		function Component() {
			const { history, sendMessage } = useChat({ log: [] });
			const { mutate } = sendMessage;
			// Runs with the commit, before any effect that only follows it.
			useLayoutEffect(() => {
				if (history.length === 2) mutate({ message: "two" });
			}, [history.length, mutate]);
			useEffect(() => {
				mutate({ message: "one" });
			}, [mutate]);
			return null;
		}
		render(
			<Providers url={server.url}>
				<Component />
			</Providers>,
		);
		await until(() => server.app.calls.length === 2);
		expect(server.app.calls.map(({ history }) => history)).toEqual([
			[],
			["one", "hello"],
		]);
	});

	it("takes items that are not text to their handler, in their place", async () => {
		const call: Piece = {
			type: "function-call",
			name: "light",
			parameters: { color: "red" },
		};
		server.app.model = () => pieces(["a", call, { type: "text", text: "b" }]);
		const items: unknown[] = [];
		const chat = mount({ onItem: (item) => items.push(item) });
		act(() => {
			chat.now().sendMessage.mutate({ message: "hi" });
		});
		await until(() => chat.now().sendMessage.isSuccess);
		expect(items).toEqual([call]);
		expect(chat.now().sendMessage.data).toBe("ab");
	});

	it("takes a model's error to onError and keeps what had come", async () => {
		server.app.model = async function* () {
			yield* pieces(["half ", "of it"], 5);
			throw new Error("the model fell over");
		};
		const chat = mount();
		act(() => {
			chat.now().sendMessage.mutate({ message: "hi" });
		});
		await until(() => chat.now().sendMessage.isError);
		expect(chat.log.slice(1)).toEqual([
			["error", "the model fell over", { message: "hi" }, { sent: "hi" }],
			[
				"settled",
				undefined,
				"the model fell over",
				{ message: "hi" },
				{ sent: "hi" },
			],
		]);
		expect(chat.now().sendMessage.partial).toBe("half of it");
		expect(chat.now().sendMessage.error?.data).toMatchObject({
			formattedByTheApp: "the model fell over",
		});
	});

	it("stops: what has come counts as the whole, and the stream is ended", async () => {
		const many = Array.from({ length: 1000 }, () => "word ");
		server.app.model = () => pieces(many, 20);
		const chat = mount({ room: "lobby" });
		act(() => {
			chat.now().sendMessage.mutate({ message: "hi" });
		});
		await until(() => chat.now().sendMessage.partial.length > 10);
		act(() => {
			chat.now().sendMessage.stop();
		});
		await until(() => chat.now().sendMessage.isSuccess);
		const { data } = chat.now().sendMessage;
		expect(data?.length).toBeGreaterThan(10);
		expect(data?.length).toBeLessThan(many.join("").length);
		expect((await framesOf(relay.host, "lobby")).at(-1)).toMatchObject({
			kind: "end",
			data: { stopped: true },
		});
	});

	it("leaves quietly when the page is closed, and the reply goes on", async () => {
		const told = tell();
		told.say(10);
		const chat = mount({ room: "lobby" });
		act(() => {
			chat.now().sendMessage.mutate({ message: "hi" });
		});
		await until(() => chat.now().sendMessage.partial === said(10));
		chat.unmount();
		told.say();
		await until(async () => {
			const { streams } = await roomState(relay.host, "lobby");
			return streams.some(({ finished }) => finished);
		});
		expect(chat.log).toEqual([["mutate", "hi"]]);
		expect((await framesOf(relay.host, "lobby")).at(-1)).toMatchObject({
			kind: "end",
		});
	});

	it("survives its relay", async () => {
		const told = tell();
		told.say(10);
		const chat = mount();
		act(() => {
			chat.now().sendMessage.mutate({ message: "hi" });
		});
		await until(() => chat.now().sendMessage.partial === said(10));
		await relay.kill();
		told.say();
		await until(() => chat.now().sendMessage.isSuccess);
		expect(chat.now().sendMessage.data).toBe(words.join(""));
	});

	it("gives every tab a room of its own that outlives a reload", async () => {
		const chat = mount();
		await chat.now().sendMessage.mutateAsync({ message: "hi" });
		await chat.now().sendMessage.mutateAsync({ message: "hi" });
		const [first, second] = server.app.calls.map(({ trackId }) => trackId);
		expect(first).toMatch(/^[0-9a-f]{32}:[0-9a-f]{32}$/);
		expect(second?.split(":")[0]).toBe(first?.split(":")[0]);
		expect(second).not.toBe(first);
	});
});

describe("live text", () => {
	it("grows in the component's own list and ends as the mutation would have left it", async () => {
		const told = tell();
		told.say(10);
		const chat = mount({ live: true });
		act(() => {
			chat.now().setHistory([{ role: "user", text: "before" }]);
			chat.now().sendMessage.mutate({ message: "hi" });
		});
		await until(() => chat.now().history[2]?.text === said(10));
		// What others write meanwhile stays.
		act(() => {
			chat
				.now()
				.setHistory((turns) => [...turns, { role: "user", text: "aside" }]);
		});
		await grow(told, () => chat.now().history[3]?.text);
		told.say();
		await until(() => chat.now().sendMessage.isSuccess);
		expect(chat.now().history).toEqual([
			{ role: "user", text: "before" },
			{ role: "user", text: "aside" },
			{ role: "user", text: "hi" },
			{ role: "model", text: words.join("") },
		]);
		const grown = new Set(
			chat.renders.map(({ history }) => history.at(-1)?.text),
		);
		expect(grown.size).toBeGreaterThan(5);
		for (const { history } of chat.renders) {
			expect(
				history.filter(({ role }) => role === "model").length,
			).toBeLessThan(2);
		}
	});

	it("leaves nothing of a reply that failed", async () => {
		const chat = mount({ live: true });
		server.app.model = async function* () {
			yield* pieces(words);
			await until(() => chat.now().history.length === 2);
			throw new Error("the model fell over");
		};
		act(() => {
			chat.now().sendMessage.mutate({ message: "hi" });
		});
		await until(() => chat.now().sendMessage.isError);
		expect(chat.now().history).toEqual([]);
	});
});

describe("resume", () => {
	it("reads on after a reload, with the variables and callbacks of the mutation", async () => {
		const told = tell();
		told.say(10);
		const before = mount({ resume: true });
		act(() => {
			before.now().sendMessage.mutate({ message: "hi" });
		});
		await until(() => before.now().sendMessage.partial === said(10));
		before.unmount();

		const after = mount({ resume: true });
		await until(() => after.now().sendMessage.isPending);
		expect(after.now().sendMessage.variables).toEqual({ message: "hi" });
		await until(() => after.now().sendMessage.partial === said(10));
		told.say();
		await until(() => after.now().sendMessage.isSuccess);
		expect(after.log).toEqual([
			["mutate", "hi"],
			["success", words.join(""), { message: "hi" }, { sent: "hi" }],
			["settled", words.join(""), undefined, { message: "hi" }, { sent: "hi" }],
		]);
		expect(server.app.calls).toHaveLength(1);

		after.unmount();
		expect(mount({ resume: true }).now().sendMessage.isIdle).toBe(true);
	});

	it("is off by default", async () => {
		const told = tell();
		told.say(10);
		const before = mount();
		act(() => {
			before.now().sendMessage.mutate({ message: "hi" });
		});
		await until(() => before.now().sendMessage.partial === said(10));
		before.unmount();
		told.say();
		expect(Object.keys(sessionStorage)).toEqual(["chatops:room"]);
	});

	it("starts anew when the relay has forgotten the reply", async () => {
		sessionStorage.setItem(
			"chatops:reply:chat.sendMessage",
			JSON.stringify({ trackId: "lobby:gone", variables: { message: "hi" } }),
		);
		const chat = mount({ resume: true });
		await until(() => sessionStorage.length === 0);
		expect(chat.now().sendMessage.isIdle).toBe(true);
		expect(chat.log).toEqual([]);
	});
});

describe("mode send-message", () => {
	it("is the plain mutation and opens no WebSocket", async () => {
		vi.stubEnv("NEXT_PUBLIC_CHAT_MODE", "send-message");
		const chat = mount({ resume: true, room: "lobby", live: true });
		act(() => {
			chat.now().sendMessage.mutate({ message: "hi" });
		});
		await until(() => chat.now().sendMessage.isSuccess);
		expect(chat.now().sendMessage.data).toBe("re: hi");
		expect(chat.now().history.map(({ text }) => text)).toEqual([
			"hi",
			"re: hi",
		]);
		expect(server.app.calls).toEqual([{ message: "hi" }]);
		expect(wire.connections).toBe(0);
	});
});

describe("a shared room", () => {
	it("shows the reply in both windows while it grows, and asks for it once", async () => {
		const told = tell();
		const seen: RoomReply<unknown>[] = [];
		function Onlooker() {
			useRoomReplies(api.chat.sendMessageStream, {
				room: "lobby",
				onReply: (reply) => seen.push(reply),
			});
			return null;
		}
		// The window that asks knows its own replies; the other is another page, so the question comes from outside it.
		render(
			<Providers url={server.url}>
				<Onlooker />
			</Providers>,
		);
		const trackId = "lobby:from-another-window";
		await fetch(`${server.url}/chat/chat.sendMessageStream`, {
			method: "POST",
			headers: { "content-type": "application/json" },
			body: JSON.stringify(superjson.serialize({ trackId, message: "hi" })),
		});
		await grow(told, () => seen.at(-1)?.text);
		told.say();
		await until(() => seen.at(-1)?.status === "complete");
		expect(seen.at(-1)).toMatchObject({
			trackId,
			about: { message: "hi" },
			text: words.join(""),
		});
		expect(new Set(seen.map(({ text }) => text)).size).toBeGreaterThan(5);
		expect(server.app.calls).toHaveLength(1);
	});

	it("does not tell a page of its own replies", async () => {
		const seen: RoomReply<unknown>[] = [];
		const sent = vi.fn();
		function Both() {
			useRoomReplies(api.chat.sendMessageStream, {
				room: "lobby",
				onReply: (reply) => seen.push(reply),
			});
			const { sendMessage } = useChat({ log: [], room: "lobby" });
			const { mutate } = sendMessage;
			useEffect(() => {
				mutate({ message: "hi" }, { onSuccess: sent });
			}, [mutate]);
			return null;
		}
		render(
			<Providers url={server.url}>
				<Both />
			</Providers>,
		);
		await until(() => sent.mock.calls.length > 0);
		expect(seen).toEqual([]);
	});
});

it("types an item as what is not text", () => {
	type Light = { type: "function-call"; name: string };
	type Thought = { type: "thought"; text: string };
	expectTypeOf<
		Item<
			| { id: string; data: Light | Thought | { type: "text"; text: string } }
			| { text: string }
			| string
		>
	>().toEqualTypeOf<Light | Thought>();
	// As TypeScript infers them from `yield tracked(id, { type: "text", text })`.
	type Wide = { type: string; text: string } | { type: string; name: string };
	expectTypeOf<Item<{ id: string; data: Wide }>>().toEqualTypeOf<{
		type: string;
		name: string;
	}>();
});
