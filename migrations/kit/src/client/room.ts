// Rooms, ids, and what a tab remembers over a reload. Written by chatops.

const ROOM_KEY = "chatops:room";
let ownRoom: string | undefined;

/** This tab's own room: who knows a room's id can read it, so it is random. It outlives a reload. */
export function privateRoom(): string {
	ownRoom ??= remembered(ROOM_KEY) ?? randomId();
	remember(ROOM_KEY, ownRoom);
	return ownRoom;
}

/** The id of a new reply in a room: the `trackId` of a streaming procedure's input. */
export function newTrackId(room: string): string {
	return `${room}:${randomId()}`;
}

/** What this tab remembers; undefined where there is no storage, as in a browser that forbids it. */
export function remembered(key: string): string | undefined {
	try {
		return sessionStorage.getItem(key) ?? undefined;
	} catch {
		return undefined;
	}
}

export function remember(key: string, value: string | undefined): void {
	try {
		if (value === undefined) sessionStorage.removeItem(key);
		else sessionStorage.setItem(key, value);
	} catch {
		// Without storage a reload starts anew.
	}
}

/** 128 random bits; `crypto.randomUUID` is missing on pages served over plain HTTP. */
function randomId(): string {
	return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
		byte.toString(16).padStart(2, "0"),
	).join("");
}
