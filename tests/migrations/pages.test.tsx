// Pages that migration 5 has written, in both modes: the reply grows, and the page ends as the mutation would leave it.

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render } from "@testing-library/react";
import { httpBatchLink, splitLink } from "@trpc/client";
import { type FC, type ReactNode, StrictMode, useState } from "react";
import superjson from "superjson";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { relayLink } from "../src/client/relay-link";
import { Chat as LeftOver } from "./left-over";
import { Chat as Made } from "./made";
import { api, shown } from "./page";
import { Chat as Part } from "./part";
import {
	type Relay,
	type RunningApp,
	SECRET,
	startApp,
	startRelay,
	Told,
	until,
} from "./servers";
import { Chat as Setter } from "./setter";
import { Chat as Whole } from "./whole";

const words = Array.from({ length: 30 }, (_, index) => `w${String(index)} `);
let relay: Relay;
let server: RunningApp;

beforeEach(async () => {
	Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: false });
	relay = await startRelay();
	server = await startApp();
	vi.stubEnv("RELAY_SECRET", SECRET);
	vi.stubEnv("RELAY_URL", `http://${relay.host}`);
	vi.stubEnv("NEXT_PUBLIC_RELAY_HOST", relay.host);
	sessionStorage.clear();
	shown.length = 0;
});

afterEach(async () => {
	cleanup();
	vi.unstubAllEnvs();
	server.stop();
	await relay.stop();
});

function Providers({ children }: { children: ReactNode }) {
	const [queryClient] = useState(() => new QueryClient());
	const options = { transformer: superjson, url: `${server.url}/chat` };
	const [client] = useState(() =>
		api.createClient({
			links: [
				splitLink({
					condition: (op) => op.type === "subscription",
					true: relayLink(options),
					false: httpBatchLink(options),
				}),
			],
		}),
	);
	return (
		<api.Provider client={client} queryClient={queryClient}>
			<QueryClientProvider client={queryClient}>{children}</QueryClientProvider>
		</api.Provider>
	);
}

const PAGES: Record<string, FC> = { Whole, Part, Made, Setter, LeftOver };

for (const mode of ["streaming", "send-message"]) {
	for (const [name, Page] of Object.entries(PAGES)) {
		it(`${name}, ${mode}`, async () => {
			vi.stubEnv("NEXT_PUBLIC_CHAT_MODE", mode);
			const told = new Told(words);
			server.app.model = told.model;
			const { container } = render(
				<StrictMode>
					<Providers>
						<Page />
					</Providers>
				</StrictMode>,
			);
			shown.at(-1)?.send.mutate({ message: "hi" });
			for (const upTo of mode === "streaming" ? [4, 8, 12, 16, 20, 24] : []) {
				told.say(upTo);
				const said = words.slice(0, upTo).join("").trim();
				await until(() =>
					name === "LeftOver"
						? container.textContent.trim() === said
						: shown.at(-1)?.history.at(-1)?.text.trim() === said,
				);
			}
			told.say();
			await until(() => shown.at(-1)?.send.isSuccess === true);

			const answer = mode === "streaming" ? words.join("") : "re: hi";
			const text = name === "Part" ? answer.trim() : answer;
			await until(() => shown.at(-1)?.history.at(-1)?.text === text);
			expect(shown.at(-1)?.history).toMatchObject([
				{ role: "user", text: "hi" },
				{ role: "model", text },
			]);
			expect(container.textContent).toBe("");

			const replies = shown.map(({ history }) =>
				history.filter(({ role }) => role === "model"),
			);
			const grown = new Set(replies.map((turns) => turns.at(-1)?.text ?? ""));
			for (const turns of replies) expect(turns.length).toBeLessThan(2);
			for (const part of grown) expect(text.startsWith(part)).toBe(true);
			for (const role of ["user", "model"]) {
				const turns = shown
					.flatMap(({ history }) => history)
					.filter((turn) => turn.role === role);
				// A page is told of one id and one time of a message, from its first frame on.
				expect(new Set(turns.map(({ id }) => id)).size).toBe(1);
				expect(new Set(turns.map(({ at }) => at)).size).toBe(1);
				if (name === "Made") expect(turns[0]?.id).toBeDefined();
			}
		});
	}
}
