// What `onSuccess` makes anew each time that it runs is made once a reply, in both places where it may be made: in
// `onSuccess` itself and in the updaters that it tells the setters.

import { act, cleanup, render } from "@testing-library/react";
import { StrictMode } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { oncePerReply, useLiveState } from "../src/client/live-state";
import { useStreamingMutation } from "../src/client/use-streaming-mutation";
import { api, Providers } from "./providers";
import {
	pieces,
	type Relay,
	type RunningApp,
	SECRET,
	startApp,
	startRelay,
	until,
} from "./servers";

let relay: Relay;
let server: RunningApp;
let ids = 0;
const words = Array.from({ length: 30 }, (_, index) => `w${String(index)} `);

beforeEach(async () => {
	Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: false });
	relay = await startRelay();
	server = await startApp();
	vi.stubEnv("RELAY_SECRET", SECRET);
	vi.stubEnv("RELAY_URL", `http://${relay.host}`);
	vi.stubEnv("NEXT_PUBLIC_RELAY_HOST", relay.host);
	vi.stubEnv("NEXT_PUBLIC_CHAT_MODE", "streaming");
	sessionStorage.clear();
	ids = 0;
});

afterEach(async () => {
	cleanup();
	vi.unstubAllEnvs();
	server.stop();
	await relay.stop();
});

type Message = { id: string; text: string; at?: Date };

function newId() {
	ids += 1;
	return `id-${String(ids)}`;
}

/** A chat whose questions get an id in an updater, and whose answers one above it and a time in it. */
function useChat(isPart: boolean, retry: number) {
	const [messages, setMessages] = useLiveState<Message[]>([]);
	const show = (text: string | undefined, { message }: { message: string }) => {
		const id = oncePerReply("id", newId);
		setMessages((before) => [
			...before,
			{ id: oncePerReply("question", newId), text: message },
		]);
		setMessages((before) => [
			...before,
			{ id, text: text ?? "", at: oncePerReply("at", () => new Date()) },
		]);
	};
	const send = useStreamingMutation(
		api.chat.sendMessage,
		api.chat.sendMessageStream,
		{
			input: ({ message }, trackId) => ({ message, trackId }),
			live: isPart ? show : true,
			retry,
			retryDelay: 10,
			onSuccess: show,
		},
	);
	return { messages, setMessages, send };
}

/** Mounts the chat; `now()` is what the last render gave, `renders` what every one did. */
function mount({ isPart = false, retry = 0 } = {}) {
	const renders: ReturnType<typeof useChat>[] = [];
	function Chat() {
		const chat = useChat(isPart, retry);
		renders.push(chat);
		return chat.messages.map(({ id, text }) => <p key={id}>{text}</p>);
	}
	const { container } = render(
		<StrictMode>
			<Providers url={server.url}>
				<Chat />
			</Providers>
		</StrictMode>,
	);
	const now = () => {
		const last = renders.at(-1);
		if (!last) throw new Error("nothing was rendered");
		return last;
	};
	return { renders, now, container };
}

/** A model that says half of the words and the rest when it is told to go on. */
function heldModel() {
	let goOn: () => void = () => undefined;
	const held = new Promise<void>((resolve) => {
		goOn = resolve;
	});
	server.app.model = async function* () {
		yield* pieces(words.slice(0, 15));
		await held;
		yield* pieces(words.slice(15));
	};
	return () => {
		goOn();
	};
}

/** What a message had in every render that showed it. */
function seen<TValue>(
	{ renders }: ReturnType<typeof mount>,
	place: number,
	of: (message: Message) => TValue,
) {
	const shown = renders.flatMap(({ messages }) => messages[place] ?? []);
	return new Set(shown.map(of));
}

describe.each([
	["the whole onSuccess", false],
	["a part of it", true],
])("while %s is replayed", (_, isPart) => {
	it("an id and a time are the same from the first frame to after the end", async () => {
		const goOn = heldModel();
		const chat = mount({ isPart });
		act(() => {
			chat.now().send.mutate({ message: "hi" });
		});
		await until(() => chat.container.children.length === 2);
		const elements = [...chat.container.children];
		const first = chat.now().messages;
		goOn();
		await until(() => chat.now().send.isSuccess);
		await until(() => chat.now().messages[1]?.text === words.join(""));

		const last = chat.now().messages;
		expect(last).toEqual([
			first[0],
			{ ...first[1], text: words.join("") } as Message,
		]);
		expect([...chat.container.children]).toEqual(elements);
		expect(seen(chat, 1, ({ text }) => text).size).toBeGreaterThan(1);
		expect(seen(chat, 0, ({ id }) => id).size).toBe(1);
		expect(seen(chat, 1, ({ id }) => id).size).toBe(1);
		expect(seen(chat, 1, ({ at }) => at).size).toBe(1);
		expect(last[0]?.id).not.toBe(last[1]?.id);
	});

	it("two messages in a row get values of their own", async () => {
		server.app.model = () => pieces(words, 5);
		const chat = mount({ isPart });
		act(() => {
			chat.now().send.mutate({ message: "a" });
			chat.now().send.mutate({ message: "b" });
		});
		await until(
			() =>
				chat.now().messages[3]?.text === words.join("") &&
				chat.now().send.isSuccess,
		);
		const { messages } = chat.now();
		expect(messages.map(({ text }) => text)).toEqual([
			"a",
			words.join(""),
			"b",
			words.join(""),
		]);
		expect(new Set(messages.map(({ id }) => id)).size).toBe(4);
		for (const place of messages.keys()) {
			expect(seen(chat, place, ({ id }) => id).size).toBe(1);
		}
	});

	it("a retry goes on with the values of the first try", async () => {
		const chat = mount({ isPart, retry: 1 });
		server.app.model = async function* () {
			yield* pieces(words.slice(0, 10));
			if (server.app.calls.length === 1) {
				await until(() => chat.now().messages.length === 2);
				throw new Error("try again");
			}
			yield* pieces(words.slice(10));
		};
		act(() => {
			chat.now().send.mutate({ message: "hi" });
		});
		await until(() => chat.now().send.isSuccess);
		await until(() => chat.now().messages.length === 2);
		expect(server.app.calls).toHaveLength(2);
		expect(seen(chat, 1, ({ text }) => text).size).toBeGreaterThan(1);
		expect(seen(chat, 1, ({ id }) => id).size).toBe(1);
	});

	it("whoever else writes meanwhile gets values of their own", async () => {
		const goOn = heldModel();
		const chat = mount({ isPart });
		act(() => {
			chat.now().send.mutate({ message: "hi" });
		});
		await until(() => chat.now().messages.length === 2);
		act(() => {
			chat
				.now()
				.setMessages((before) => [
					...before,
					{ id: oncePerReply("id", newId), text: "aside" },
				]);
		});
		await until(() => chat.now().messages.length === 3);
		goOn();
		await until(() => chat.now().send.isSuccess);
		await until(() => chat.now().messages[2]?.text === words.join(""));
		const { messages } = chat.now();
		expect(messages.map(({ text }) => text)).toEqual([
			"aside",
			"hi",
			words.join(""),
		]);
		expect(new Set(messages.map(({ id }) => id)).size).toBe(3);
	});

	it("mode send-message makes them in the one run that there is", async () => {
		vi.stubEnv("NEXT_PUBLIC_CHAT_MODE", "send-message");
		const chat = mount({ isPart });
		for (const message of ["a", "b"]) {
			await chat.now().send.mutateAsync({ message });
		}
		await until(() => chat.now().messages.length === 4);
		const { messages } = chat.now();
		expect(messages.map(({ text }) => text)).toEqual([
			"a",
			"re: a",
			"b",
			"re: b",
		]);
		expect(new Set(messages.map(({ id }) => id)).size).toBe(4);
	});
});

it("is what it is given outside of a reply", () => {
	expect([oncePerReply("id", newId), oncePerReply("id", newId)]).toEqual([
		"id-1",
		"id-2",
	]);
});
