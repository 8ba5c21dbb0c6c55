// A reader's connection to a room: it comes back by itself, and notices when nothing comes through any more.
// Written by chatops; PROTOCOL.md, "Subscribe".

import { PartySocket } from "partysocket";

import { relayHost, toFrame } from "../shared";

export type RoomSocketOptions = {
	/** Host of the relay, such as `127.0.0.1:1999`; a scheme in front of it says whether to speak TLS. */
	address: string;
	room: string;
	/** One message of the relay, read from its JSON. */
	onMessage: (message: unknown) => void;
	/** The connection opened, or was lost; also told when an attempt fails. */
	onState?: (isOpen: boolean) => void;
};

export type RoomSocket = {
	readonly isOpen: boolean;
	/** Sent at once, or when the connection is there. */
	send: (message: { kind: string; stream?: string }) => void;
	close: () => void;
};

/** Nothing heard for so long: ask whether the connection lives. */
const PING_AFTER_MS = 15_000;
const PONG_WITHIN_MS = 5000;
/** The relay does not want this client; coming back would change nothing. */
const FINAL_CLOSE_CODES = [1003, 1007, 1008, 1009];
/** Streams named when coming back, the latest; what is not named is sent again. A URL has to stay short. */
const MAX_CURSORS = 50;

export function openRoomSocket(options: RoomSocketOptions): RoomSocket {
	const { host, tls } = relayHost(options.address);
	/** The number of the frame that is wanted next, for every stream that was heard. */
	const cursors = new Map<string, number>();
	const socket = new PartySocket({
		host,
		room: options.room,
		protocol: tls ? "wss" : "ws",
		query: async () => ({ from: cursorsToSend() }),
		minReconnectionDelay: 250,
		maxReconnectionDelay: 5000,
		connectionTimeout: 5000,
		maxEnqueuedMessages: 10,
		shouldReconnectOnClose: ({ code }) => !FINAL_CLOSE_CODES.includes(code),
	});
	let isOpen = false;
	let quiet: ReturnType<typeof setTimeout> | undefined;

	socket.addEventListener("open", () => {
		isOpen = true;
		heard();
		options.onState?.(true);
	});
	socket.addEventListener("message", ({ data }: { data: unknown }) => {
		heard();
		const message = parse(data);
		if (message === undefined) return;
		const frame = toFrame(message);
		if (frame) {
			cursors.delete(frame.stream); // the latest stands last
			cursors.set(frame.stream, frame.seq + 1);
		}
		options.onMessage(message);
	});
	socket.addEventListener("close", lost);
	socket.addEventListener("error", lost);

	function cursorsToSend(): string | undefined {
		const named = [...cursors].slice(-MAX_CURSORS);
		if (named.length === 0) return undefined;
		return named.map(([stream, next]) => `${stream}:${String(next)}`).join();
	}

	function heard() {
		clearTimeout(quiet);
		quiet = setTimeout(() => {
			socket.send('{"kind":"ping"}');
			quiet = setTimeout(() => {
				socket.reconnect();
			}, PONG_WITHIN_MS);
		}, PING_AFTER_MS);
	}

	function lost() {
		clearTimeout(quiet);
		isOpen = false;
		options.onState?.(false);
	}

	return {
		get isOpen() {
			return isOpen;
		},
		send: (message) => {
			socket.send(JSON.stringify(message));
		},
		close: () => {
			clearTimeout(quiet);
			socket.removeEventListener("close", lost);
			socket.removeEventListener("error", lost);
			socket.close();
		},
	};
}

function parse(data: unknown): unknown {
	if (typeof data !== "string") return undefined;
	try {
		return JSON.parse(data);
	} catch {
		return undefined;
	}
}
