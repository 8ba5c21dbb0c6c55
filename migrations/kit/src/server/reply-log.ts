// One reply as it grows: its frames, and how far the relay has them. Written by chatops.

import type { FrameKind } from "../shared";

export type LogEntry = {
	kind: FrameKind;
	isTerminal: boolean;
	/** The frame as the relay takes it. */
	json: string;
	/** What the HTTP response carries when the relay cannot. */
	direct: { value: unknown; id: string | undefined };
};

/** Its frames stay to the end: a relay that lost them, or a response that takes over, gets them all. */
export class ReplyLog {
	readonly entries: LogEntry[] = [];
	/** How many frames the relay has said to have. */
	acknowledged = 0;
	/** What the generator threw. */
	error: unknown;
	isDirect = false;
	#waiting = new Set<() => void>();

	constructor(private readonly stream: string) {}

	get isFinished(): boolean {
		return this.entries.at(-1)?.isTerminal ?? false;
	}

	get isPublished(): boolean {
		return this.isFinished && this.acknowledged === this.entries.length;
	}

	/** The first frame; `data` is what the room is told. */
	start(data: unknown): void {
		this.append("start", data);
	}

	/** A value: as `data` for the relay, as it is for the HTTP response, which tRPC serialises. */
	add(value: unknown, id: string | undefined, data: unknown): void {
		this.append("data", data, { value, id });
	}

	end(data?: unknown): void {
		this.append("end", data);
	}

	/** `data` is what the room may know of `error`. */
	fail(error: unknown, data: unknown): void {
		this.error = error;
		this.append("error", data);
	}

	private append(
		kind: FrameKind,
		data: unknown,
		direct: LogEntry["direct"] = { value: null, id: undefined },
	): void {
		const seq = this.entries.length;
		this.entries.push({
			kind,
			isTerminal: kind === "end" || kind === "error",
			json: JSON.stringify({ stream: this.stream, seq, kind, data }),
			direct,
		});
		this.notify();
	}

	acknowledge(frames: number): void {
		this.acknowledged = frames;
		this.notify();
	}

	/** From now on the HTTP response carries the reply, from its beginning: what the relay had may never have arrived. */
	goDirect(): void {
		this.isDirect = true;
		this.notify();
	}

	/** Resolves at the next change, or after `ms`. */
	changed(ms?: number): Promise<void> {
		return new Promise((resolve) => {
			const timer = ms === undefined ? undefined : setTimeout(done, ms);
			const waiting = this.#waiting;
			waiting.add(done);
			function done() {
				clearTimeout(timer);
				waiting.delete(done);
				resolve();
			}
		});
	}

	private notify(): void {
		for (const done of [...this.#waiting]) done();
	}
}
