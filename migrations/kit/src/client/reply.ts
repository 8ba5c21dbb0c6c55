// One reply as a browser puts it together, from the relay's frames and from the HTTP response: each value once, in
// order, whichever way it came. Written by chatops.

import type { FrameKind } from "../shared";

export type ReplyPart = {
	seq: number;
	kind: FrameKind;
	value?: unknown;
	/** The id of a tracked value. */
	id?: string | undefined;
};

export type ReplyEvents = {
	onStarted: () => void;
	onValue: (value: unknown, id: string | undefined) => void;
	/** The relay is away while nothing else carries values, or is back. */
	onConnection: (isThere: boolean) => void;
	onEnd: () => void;
	onError: (error: unknown) => void;
};

/** Once the response is over: how long the relay may be away, and how long it may not know of the reply. */
const AWAY_MS = 15_000;
const UNKNOWN_MS = 3000;
/** An error comes over the relay first and then, in the app's own form, over HTTP. */
const ERROR_FORM_MS = 3000;

/** Ends once: with the terminal part, an error, or `close`. After that everything is ignored. */
export class Reply {
	/** The number of the part that is wanted next. */
	next = 0;
	isOver = false;
	#isStarted = false;
	#parts = new Map<number, ReplyPart>();
	#http: "open" | "over" = "open";
	#httpFailure: unknown;
	#carriesValues = false;
	/** The relay is expected, there, away, or there is none. */
	#relay: "expected" | "there" | "away" | "none";
	#isInRoom = false;
	#error: { seq: number; error: unknown; isFinal: boolean } | undefined;
	#patience: ReturnType<typeof setTimeout> | undefined;

	constructor(
		private readonly events: ReplyEvents,
		hasRelay: boolean,
	) {
		this.#relay = hasRelay ? "expected" : "none";
	}

	/** The server has begun to work on it. */
	started(): void {
		if (this.isOver || this.#isStarted) return;
		this.#isStarted = true;
		this.events.onStarted();
	}

	/** A part, from either side; the one that comes first counts. */
	take(part: ReplyPart): void {
		if (this.isOver) return;
		this.started();
		if (part.seq >= this.next && !this.#parts.has(part.seq)) {
			this.#parts.set(part.seq, part);
		}
		const isRunning = () => !this.isOver; // a listener may close it
		while (isRunning()) {
			const due = this.#parts.get(this.next);
			if (!due) break;
			this.#parts.delete(this.next);
			this.next += 1;
			if (due.kind === "data") this.events.onValue(due.value, due.id);
			if (due.kind === "end") this.end();
		}
		this.#judge();
	}

	/** A part over HTTP. Its error follows as `failed`. */
	takeDirect(part: ReplyPart): void {
		if (part.kind === "data") this.#carriesValues = true;
		if (part.kind !== "error") this.take(part);
		else this.#error = { seq: part.seq, error: undefined, isFinal: true };
	}

	/** A value of a server that does not number them. */
	takeUnnumbered(value: unknown, id: string | undefined): void {
		this.take({ seq: this.next, kind: "data", value, id });
	}

	/** The relay's terminal frame of a reply that failed. As long as the response lives, it is the one to say so. */
	failedInRelay(seq: number, error: unknown, isPublisherGone: boolean): void {
		if (this.isOver) return;
		this.started();
		this.#error ??= { seq, error, isFinal: false };
		if (!isPublisherGone) {
			setTimeout(() => {
				if (this.#error) this.#error.isFinal = true;
				this.#judge();
			}, ERROR_FORM_MS);
		}
		this.#judge();
	}

	/** The response says that the procedure failed. */
	failed(error: unknown): void {
		if (this.isOver) return;
		const seq = this.#error?.isFinal ? this.#error.seq : this.next;
		this.#error = { seq, error, isFinal: true };
		this.httpIsOver();
	}

	/** The response ended or was cut: only the relay can bring more. */
	httpIsOver(failure?: unknown): void {
		this.#http = "over";
		this.#httpFailure ??= failure;
		this.#judge();
	}

	/** The connection to the room opened or was lost. */
	relayIs(isThere: boolean): void {
		if (this.isOver) return;
		const was = this.#relay;
		this.#relay = isThere ? "there" : "away";
		if (!isThere) this.#isInRoom = false;
		const isChange = was !== this.#relay && was !== "expected";
		if (isChange && this.#isStarted && !this.#carriesValues) {
			this.events.onConnection(isThere);
		}
		this.#judge();
	}

	/** The room holds the stream, so it will end it: with what comes, or by the relay's own word. */
	isInRoom(isThere: boolean): void {
		this.#isInRoom = isThere;
		this.#judge();
	}

	end(): void {
		if (this.isOver) return;
		this.close();
		this.events.onEnd();
	}

	fail(error: unknown): void {
		if (this.isOver) return;
		this.close();
		this.events.onError(error);
	}

	close(): void {
		this.isOver = true;
		clearTimeout(this.#patience);
	}

	#judge(): void {
		if (this.isOver) return;
		const found = this.#error;
		const isHttpOver = this.#http === "over";
		if (found?.error !== undefined && this.next >= found.seq) {
			if (found.isFinal || isHttpOver) {
				this.fail(found.error);
				return;
			}
		}
		clearTimeout(this.#patience);
		if (!isHttpOver || (this.#relay === "there" && this.#isInRoom)) return;
		this.#patience = setTimeout(
			() => {
				this.fail(
					found?.error ??
						this.#httpFailure ??
						new Error("The reply broke off: neither response nor relay go on."),
				);
			},
			{
				none: 0,
				there: UNKNOWN_MS,
				away: AWAY_MS,
				expected: AWAY_MS,
			}[this.#relay],
		);
	}
}
