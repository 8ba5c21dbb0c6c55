// Brings a reply's frames to its room: one request in flight, and everything that came meanwhile in the next.
// Written by chatops; PROTOCOL.md, "Publish" and "Errors".

import { isRecord, roomUrl } from "../shared";
import type { ReplyLog } from "./reply-log";

/** A room to publish to. */
export type RelayRoom = { url: string; secret: string };

/** At least so long from one request to the next, after the first few: a fast model costs ten requests a second. */
const PACE_MS = 100;
const FIRST_PACE_MS = 40;
const FIRST_REQUESTS = 20;
/** A model that is silent is said to be alive this often, which is also how soon a stop is heard. */
const QUIET_MS = 2000;
/** A request that takes longer makes the HTTP response carry the values. */
const SLOW_MS = 1500;
const TIMEOUT_MS = 10_000;
const RETRY_MS = [250, 500, 1000, 2000, 4000];
/** The relay may come back this long after the last value; then its other readers are given up. */
const LINGER_MS = 15_000;
const MAX_FRAMES = 500;
/** Characters of JSON in a request: three bytes each at most, and the relay takes a mebibyte. */
const MAX_CHARACTERS = 300_000;
const MAX_REWINDS = 10;

export function relayFromEnvironment(room: string): RelayRoom | undefined {
	const secret = setting(process.env.RELAY_SECRET);
	const address =
		setting(process.env.RELAY_URL) ??
		setting(process.env.NEXT_PUBLIC_RELAY_HOST);
	return secret && address
		? { url: roomUrl(address, room), secret }
		: undefined;
}

function setting(value: string | undefined): string | undefined {
	return value?.trim() === "" ? undefined : value?.trim();
}

/** Publishes until the terminal frame is acknowledged, or the relay does not want the stream. Never throws. */
export async function publish(
	log: ReplyLog,
	room: RelayRoom | undefined,
	stop: AbortController,
): Promise<void> {
	if (!room) {
		log.goDirect();
		return;
	}
	let failures = 0;
	let rewinds = 0;
	let requests = 0;
	let finishedAt: number | undefined;
	while (!log.isPublished) {
		const began = Date.now();
		const { frames, next } = nextBatch(log);
		const slow = setTimeout(() => {
			log.goDirect();
		}, SLOW_MS);
		const answer = await post(room, frames);
		clearTimeout(slow);

		if (answer.kind === "taken") {
			failures = 0;
			log.acknowledge(Math.max(next, log.acknowledged));
			if (answer.stop) stop.abort();
			requests += 1;
			const pace = requests < FIRST_REQUESTS ? FIRST_PACE_MS : PACE_MS;
			await pause(log, began, pace);
			continue;
		}
		log.goDirect();
		if (
			answer.kind === "gap" &&
			answer.expected < log.entries.length &&
			rewinds < MAX_REWINDS
		) {
			rewinds += 1; // the relay has forgotten, and gets it all again
			log.acknowledge(answer.expected);
			continue;
		}
		if (answer.kind !== "again") {
			complain(room, answer.kind === "gap" ? "gap" : answer.code);
			await endInRelay(log, room);
			return;
		}
		if (log.isFinished) finishedAt ??= Date.now();
		if (finishedAt !== undefined && Date.now() - finishedAt > LINGER_MS) return;
		const wait = answer.afterMs ?? RETRY_MS[failures] ?? 5000;
		failures += 1;
		await new Promise((resolve) => setTimeout(resolve, wait));
	}
}

/** Until it is time for the next request: there is something to send, or the stream has to show that it lives. */
async function pause(
	log: ReplyLog,
	began: number,
	pace: number,
): Promise<void> {
	for (;;) {
		const news = log.acknowledged < log.entries.length;
		const due = began + (news ? pace : QUIET_MS) - Date.now();
		if (due <= 0 || log.isPublished || (news && log.isFinished)) return;
		await log.changed(due);
	}
}

/** The frames that the relay does not have yet, as many as it takes at once; the last one again if it has them all. */
function nextBatch(log: ReplyLog): { frames: string[]; next: number } {
	const from = Math.min(log.acknowledged, log.entries.length - 1);
	const frames: string[] = [];
	let characters = 0;
	for (const { json } of log.entries.slice(from, from + MAX_FRAMES)) {
		characters += json.length;
		if (frames.length > 0 && characters > MAX_CHARACTERS) break;
		frames.push(json);
	}
	return { frames, next: from + frames.length };
}

type Answer =
	| { kind: "taken"; stop: boolean }
	| { kind: "again"; afterMs: number | undefined }
	| { kind: "gap"; expected: number }
	| { kind: "refused"; code: string };

async function post(room: RelayRoom, frames: string[]): Promise<Answer> {
	let response: Response;
	let body: unknown;
	try {
		response = await fetch(room.url, {
			method: "POST",
			headers: {
				authorization: `Bearer ${room.secret}`,
				"content-type": "application/json",
			},
			body: `{"frames":[${frames.join(",")}]}`,
			cache: "no-store",
			signal: AbortSignal.timeout(TIMEOUT_MS),
		});
		const text = await response.text();
		body = response.headers.get("content-type")?.includes("json")
			? JSON.parse(text)
			: undefined;
	} catch {
		return { kind: "again", afterMs: undefined };
	}
	if (response.ok && isRecord(body)) {
		const { stop } = body;
		return { kind: "taken", stop: Array.isArray(stop) && stop.length > 0 };
	}
	const error = isRecord(body) && isRecord(body.error) ? body.error : {};
	const code =
		typeof error.code === "string" ? error.code : String(response.status);
	if (code === "gap" && typeof error.expected === "number") {
		return { kind: "gap", expected: error.expected };
	}
	const passing = [429, 502, 503, 504].includes(response.status);
	if (passing && code !== "no_secret") {
		const seconds = Number(response.headers.get("retry-after"));
		return { kind: "again", afterMs: seconds > 0 ? seconds * 1000 : undefined };
	}
	return { kind: "refused", code };
}

/** The room's readers are told that nothing more comes; the asking browser has its HTTP response. */
async function endInRelay(log: ReplyLog, room: RelayRoom): Promise<void> {
	const first = log.entries[0];
	if (log.acknowledged === 0 || !first) return;
	const opened: unknown = JSON.parse(first.json);
	const data = { code: -32603, message: "The relay does not take this reply." };
	const end = isRecord(opened)
		? { stream: opened.stream, seq: log.acknowledged, kind: "error", data }
		: {};
	await post(room, [JSON.stringify(end)]);
}

function complain(room: RelayRoom, code: string): void {
	console.warn(
		`chatops: the relay at ${new URL(room.url).host} refuses this reply (${code}), so it goes over HTTP alone; ${
			code === "unauthorized" || code === "no_secret"
				? "RELAY_SECRET has to be the same here and there"
				: "see the relay's PROTOCOL.md"
		}`,
	);
}
