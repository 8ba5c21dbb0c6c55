// The real parts that the tests run on: the bundled relay as a process, a tRPC app over HTTP, a network that can be cut.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import net from "node:net";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { initTRPC, TRPCError, tracked } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import superjson from "superjson";
import { z } from "zod";

import { throughRelay } from "../src/server/through-relay";

export const SECRET = "the-secret-of-the-tests";

const PYTHON =
	process.env.CHATOPS_PYTHON ??
	fileURLToPath(new URL("../../../.venv/bin/python", import.meta.url));

export type Relay = {
	host: string;
	port: number;
	kill: () => Promise<void>;
	stop: () => Promise<void>;
};

/** The bundled relay, in memory, on a port of its own or a given one. */
export async function startRelay(
	port = 0,
	env: Record<string, string> = { RELAY_SECRET: SECRET },
): Promise<Relay> {
	const child = spawn(
		PYTHON,
		[
			"-P",
			...["-m", "cli", "relay", "serve", "--json", "--until-stdin-closes"],
			...["--port", String(port), "--db", "memory"],
		],
		{
			cwd: "/",
			env: { PATH: process.env.PATH, ...env },
			stdio: ["pipe", "pipe", "inherit"],
		},
	);
	const [line] = (await once(
		createInterface({ input: child.stdout }),
		"line",
	)) as [string];
	const { url } = JSON.parse(line) as { url: string };
	const { host, port: taken } = new URL(url);
	return {
		host,
		port: Number(taken),
		kill: () => end(child, "SIGKILL"),
		stop: () => end(child, "SIGTERM"),
	};
}

async function end(child: ChildProcess, signal: NodeJS.Signals) {
	if (child.exitCode !== null || child.signalCode !== null) return;
	child.kill(signal);
	await once(child, "exit");
}

export type RoomState = {
	subscribers: number;
	streams: { stream: string; next: number; finished: boolean }[];
};

export async function roomState(host: string, room: string) {
	const answer = await fetch(`http://${host}/parties/main/${room}`);
	return (await answer.json()) as RoomState;
}

/** Every frame that a room holds, as a new reader gets them. */
export async function framesOf(host: string, room: string) {
	const { streams } = await roomState(host, room);
	const due = streams.reduce((sum, { next }) => sum + next, 0);
	const frames: {
		stream: string;
		seq: number;
		kind: string;
		data?: unknown;
	}[] = [];
	const socket = new WebSocket(`ws://${host}/parties/main/${room}`);
	await new Promise<void>((resolve) => {
		socket.onmessage = ({ data }) => {
			const message = JSON.parse(String(data)) as (typeof frames)[number];
			if (message.kind !== "hello") frames.push(message);
			if (frames.length >= due) resolve();
		};
	});
	socket.close();
	return frames;
}

export type Piece =
	| string
	| { type: "text"; text: string }
	| { type: "function-call"; name: string; parameters: { color: string } }
	| { at: Date };

export type ModelInput = {
	message: string;
	history?: string[] | undefined;
	signal: AbortSignal | undefined;
};

/** What the procedures ask; each test puts its own model here. */
export type Model = (input: ModelInput) => AsyncGenerator<Piece>;

export class App {
	/** Inputs of every call, streamed or not. */
	readonly calls: {
		message: string;
		trackId?: string;
		history?: string[] | undefined;
	}[] = [];
	model: Model = () => pieces(["hello"]);
	answer: (message: string) => Promise<string> = async (message) =>
		`re: ${message}`;
}

export async function* pieces(
	values: Piece[],
	gapMs = 0,
): AsyncGenerator<Piece> {
	for (const value of values) {
		await sleep(gapMs);
		yield value;
	}
}

/** A model that says of its pieces as many as a test has told it to. */
export class Told {
	/** How many the reply has taken. */
	said = 0;
	#upTo = 0;

	constructor(readonly values: Piece[]) {}

	/** Say on, up to so many pieces in all. */
	say(upTo = this.values.length): void {
		this.#upTo = upTo;
	}

	readonly model: Model = () => this.#pieces();

	async *#pieces(): AsyncGenerator<Piece> {
		for (const value of this.values) {
			await until(() => this.said < this.#upTo);
			yield value;
			this.said += 1;
		}
	}
}

export function sleep(ms: number) {
	return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until something is so. */
export async function until(check: () => boolean | Promise<boolean>) {
	const deadline = Date.now() + 60_000;
	while (!(await check())) {
		if (Date.now() > deadline) throw new Error("it did not come about");
		await sleep(10);
	}
}

const input = z.object({
	message: z.string(),
	trackId: z.string(),
	history: z.array(z.string()).optional(),
});

function chatRouter(app: App) {
	const t = initTRPC.create({
		transformer: superjson,
		errorFormatter: ({ shape, error }) => ({
			...shape,
			data: { ...shape.data, formattedByTheApp: error.message },
		}),
	});
	return t.router({
		chat: t.router({
			sendMessage: t.procedure
				.input(z.object({ message: z.string() }))
				.mutation(async ({ input }): Promise<string | undefined> => {
					app.calls.push(input);
					return app.answer(input.message);
				}),
			sendMessageStream: t.procedure.input(input).subscription(
				throughRelay(
					async function* ({ input, signal }) {
						app.calls.push(input);
						for await (const piece of app.model({ ...input, signal })) {
							yield tracked(
								input.trackId,
								typeof piece === "string"
									? { type: "text" as const, text: piece }
									: piece,
							);
						}
					},
					{
						transformer: superjson,
						announce: ({ message }) => ({ message }),
					},
				),
			),
			refused: t.procedure
				.use(() => {
					throw new TRPCError({ code: "UNAUTHORIZED", message: "who are you" });
				})
				.input(input)
				.subscription(
					throughRelay(
						async function* () {
							yield "never";
						},
						{ transformer: superjson },
					),
				),
			bare: t.procedure.input(input).subscription(async function* () {
				yield "one";
				yield "two";
			}),
		}),
	});
}

function plainRouter(app: App) {
	const t = initTRPC.create();
	return t.router({
		chat: t.router({
			sendMessageStream: t.procedure.input(input).subscription(
				throughRelay(async function* ({ input, signal }) {
					app.calls.push(input);
					yield* app.model({ ...input, signal });
				}),
			),
		}),
	});
}

export type ChatRouter = ReturnType<typeof chatRouter>;
export type PlainRouter = ReturnType<typeof plainRouter>;

export type RunningApp = {
	app: App;
	url: string;
	port: number;
	/** Bytes of every response of /chat. */
	responses: { path: string; bytes: number; text: string }[];
	stop: () => void;
};

/** An app as Next.js would serve it: `/chat` with superjson, `/plain` without a transformer. */
export async function startApp(): Promise<RunningApp> {
	const app = new App();
	const chat = chatRouter(app);
	const plain = plainRouter(app);
	const responses: RunningApp["responses"] = [];
	const server = createServer((incoming, outgoing) => {
		void (async () => {
			const gone = new AbortController();
			outgoing.on("close", () => {
				gone.abort();
			});
			const request = toRequest(incoming, gone.signal);
			const { pathname } = new URL(request.url);
			const isPlain = pathname.startsWith("/plain");
			const response = await fetchRequestHandler({
				endpoint: isPlain ? "/plain" : "/chat",
				req: request,
				router: isPlain ? plain : chat,
				createContext: () => ({}),
				allowMethodOverride: true,
			});
			const record = { path: pathname, bytes: 0, text: "" };
			responses.push(record);
			outgoing.writeHead(response.status, Object.fromEntries(response.headers));
			if (response.body) {
				const body = Readable.fromWeb(response.body as never);
				body.on("error", () => undefined);
				body.on("data", (chunk: Buffer) => {
					record.bytes += chunk.length;
					record.text += chunk.toString();
				});
				outgoing.on("close", () => body.destroy());
				body.pipe(outgoing);
			} else outgoing.end();
		})();
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as net.AddressInfo;
	return {
		app,
		url: `http://127.0.0.1:${String(port)}`,
		port,
		responses,
		stop: () => {
			server.close();
			server.closeAllConnections();
		},
	};
}

function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request {
	const headers = new Headers();
	for (const [name, value] of Object.entries(incoming.headers)) {
		if (typeof value === "string" && name !== "connection") {
			headers.set(name, value);
		}
	}
	const hasBody = incoming.method === "POST";
	return new Request(`http://127.0.0.1${incoming.url ?? "/"}`, {
		method: incoming.method ?? "GET",
		headers,
		signal,
		...(hasBody ? { body: Readable.toWeb(incoming) as never } : {}),
		duplex: "half",
	} as RequestInit);
}

/** A way through TCP to a port, which can be cut and barred. */
export class Wire {
	connections = 0;
	isBarred = false;
	#sockets = new Set<net.Socket>();
	#server: net.Server;

	private constructor(target: number) {
		this.#server = net.createServer((near) => {
			if (this.isBarred) {
				near.destroy();
				return;
			}
			this.connections += 1;
			const far = net.connect(target, "127.0.0.1");
			for (const [socket, other] of [
				[near, far],
				[far, near],
			] as const) {
				this.#sockets.add(socket);
				socket.on("error", () => undefined);
				socket.on("close", () => {
					this.#sockets.delete(socket);
					other.destroy();
				});
				socket.pipe(other);
			}
		});
	}

	static async to(target: number): Promise<Wire> {
		const wire = new Wire(target);
		wire.#server.listen(0, "127.0.0.1");
		await once(wire.#server, "listening");
		return wire;
	}

	get port(): number {
		return (this.#server.address() as net.AddressInfo).port;
	}

	get host(): string {
		return `127.0.0.1:${String(this.port)}`;
	}

	cut(): void {
		for (const socket of this.#sockets) socket.destroy();
	}

	bar(): void {
		this.isBarred = true;
		this.cut();
	}

	open(): void {
		this.isBarred = false;
	}

	stop(): void {
		this.#server.close();
		this.cut();
	}
}
