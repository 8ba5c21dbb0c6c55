// Server-sent events out of a fetch response: EventSource can neither POST nor send headers. Written by chatops.
// https://html.spec.whatwg.org/multipage/server-sent-events.html

export type ServerSentEvent = { event: string; data: string; id: string };

/** The events of a body, until it ends. Throws what reading throws. */
export async function* readEvents(
	body: ReadableStream<Uint8Array>,
): AsyncGenerator<ServerSentEvent, void, undefined> {
	const reader = body.getReader();
	const decoder = new TextDecoder();
	let rest = "";
	let fields = new Map<string, string>();
	try {
		for (;;) {
			const { done, value } = await reader.read();
			if (done) return;
			const lines = (rest + decoder.decode(value, { stream: true })).split(
				/\r?\n/,
			);
			rest = lines.pop() ?? "";
			for (const line of lines) {
				if (line !== "") {
					const [, name, text = ""] = /^([^:]*):? ?([\s\S]*)$/.exec(line) ?? [];
					if (name) fields.set(name, text);
				} else if (fields.size > 0) {
					yield {
						event: fields.get("event") ?? "message",
						data: fields.get("data") ?? "",
						id: fields.get("id") ?? "",
					};
					fields = new Map();
				}
			}
		}
	} finally {
		void reader.cancel().catch(() => undefined);
	}
}
