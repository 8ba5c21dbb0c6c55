import { describe, expect, it } from "vitest";

import { readEvents, type ServerSentEvent } from "../src/client/event-stream";
import {
	packEventId,
	packValue,
	relayHost,
	roomUrl,
	trackOf,
	unpackEventId,
	unpackValue,
} from "../src/shared";

describe("track ids", () => {
	it.each([
		["lobby:6f1c", { room: "lobby", stream: "lobby:6f1c", mark: "" }],
		["a~b:c~direct", { room: "a~b", stream: "a~b:c", mark: "~direct" }],
		["a:b~follow", { room: "a", stream: "a:b", mark: "~follow" }],
	])("%s is taken apart", (trackId, track) => {
		expect(trackOf({ trackId })).toEqual(track);
	});

	it.each([
		"6f1c",
		":x",
		"room:",
		"ro om:x",
		"röm:x",
		"-a:x",
		`${"r".repeat(129)}:x`,
		7,
		undefined,
	])("%s names no room", (trackId) => {
		expect(trackOf({ trackId })).toBeUndefined();
	});
});

it.each([
	["127.0.0.1:1999", "http://127.0.0.1:1999/parties/main/r"],
	["localhost:1999", "http://localhost:1999/parties/main/r"],
	["relay.team.partykit.dev", "https://relay.team.partykit.dev/parties/main/r"],
	["http://relay.lan:80/", "http://relay.lan:80/parties/main/r"],
	["wss://10.0.0.1", "https://10.0.0.1/parties/main/r"],
])("%s is reached at %s", (address, url) => {
	expect(roomUrl(address, "r")).toBe(url);
	expect(relayHost(address).tls).toBe(url.startsWith("https"));
});

it.each([
	["5:data", { seq: 5, kind: "data" }],
	["5:data:a:b", { seq: 5, kind: "data", id: "a:b" }],
] as const)("the event id %s goes there and back", (eventId, parts) => {
	expect(unpackEventId(eventId)).toEqual(parts);
	const { seq, kind } = parts;
	expect(packEventId(seq, kind, "id" in parts ? parts.id : undefined)).toBe(
		eventId,
	);
});

it.each(["", "lobby:x", "5", "5:other"])(
	"%o is an app's own event id",
	(id) => {
		expect(unpackEventId(id)).toBeUndefined();
	},
);

it.each(["text", "half \ud83d", "\\ud83d", { a: [1, null] }, undefined])(
	"the value %j survives the relay's JSON",
	(value) => {
		const sent = JSON.stringify(packValue(value, "id"));
		expect(Buffer.from(sent).toString()).toBe(sent);
		expect(sent).not.toMatch(/[^\\]\\ud83d/);
		expect(unpackValue(JSON.parse(sent))).toEqual({ value, id: "id" });
	},
);

it("server-sent events are read however the bytes are cut", async () => {
	const text =
		"event: connected\ndata: {}\n\n\ndata: ä: 1\r\nid: 3:data:x\r\n\r\n: comment\n\nid: \ndata:2\n\nevent: return\ndata: \n\n";
	const expected: ServerSentEvent[] = [
		{ event: "connected", data: "{}", id: "" },
		{ event: "message", data: "ä: 1", id: "3:data:x" },
		{ event: "message", data: "2", id: "" },
		{ event: "return", data: "", id: "" },
	];
	const bytes = new TextEncoder().encode(text);
	for (const size of [1, 2, 7, bytes.length]) {
		const body = new ReadableStream<Uint8Array>({
			start(controller) {
				for (let at = 0; at < bytes.length; at += size) {
					controller.enqueue(bytes.slice(at, at + size));
				}
				controller.close();
			},
		});
		const events: ServerSentEvent[] = [];
		for await (const event of readEvents(body)) events.push(event);
		expect(events).toEqual(expected);
	}
});
