"""Servers and contexts in every form, none of which is needed: they go, with the files that only they used."""

from __future__ import annotations

from tests.apps.variants import VARIANTS
from tests.migrations.legacy.app_starter import STARTER, STARTER_AFTER, STARTER_CONTEXT_AFTER
from tests.migrations.legacy.app_t3 import T3, T3_AFTER, T3_PACKAGE_AFTER, plain_t3
from tests.migrations.legacy.apps import drop, first_user, swap, without
from tests.migrations.legacy.cases import Case, t3_case
from tests.migrations.legacy.cases_needed_elsewhere import ROUTE

_SERVER = "src/server/ws-server.ts"
_SERVER_TEXT = T3[_SERVER]
_CONTEXT = "src/server/context.ts"
_CONTEXT_TEXT = STARTER[_CONTEXT]
_CHAT = "src/server/api/routers/chat.ts"


def _first_user(variant: str) -> Case:
    files = first_user(variant)
    [server] = [path for path in files if path.endswith("server/ws-server.ts")]
    after = {server: None, "package.json": drop(files["package.json"], '"ws"', '"@types/ws"')}
    return Case(f"the first user's app after its migrations, {variant}", files, after,
                ((server, "remove"), ("package.json", "remove")))  # fmt: skip


def _server_case(name: str, text: str) -> Case:
    return t3_case(name, {_SERVER: text}, pieces=((_SERVER, "remove"),))


def _context_case(name: str, text: str, after: str) -> Case:
    return Case(name, {**STARTER, _CONTEXT: text}, {**STARTER_AFTER, _CONTEXT: after}, ((_CONTEXT, "rewrite"),))


_COMMENTED = "".join(f"// {line}".rstrip() + "\n" for line in _SERVER_TEXT.splitlines())
# The client was put right long ago; the server is a comment, its packages and its script are still there.
_ONLY_A_COMMENT = {
    **plain_t3(),
    "package.json": T3["package.json"],
    _SERVER: _COMMENTED,
}

_JS_SERVER = """\
const { createServer } = require("http");
const next = require("next");
const { WebSocketServer } = require("ws");
const { applyWSSHandler } = require("@trpc/server/adapters/ws");
const { appRouter } = require("./src/server/api/root");

const app = next({ dev: process.env.NODE_ENV !== "production" });
const handle = app.getRequestHandler();

app.prepare().then(() => {
  const server = createServer((req, res) => handle(req, res));
  const wss = new WebSocketServer({ server });
  applyWSSHandler({ wss, router: appRouter, createContext: () => ({}) });
  server.listen(process.env.PORT || 3000);
});
"""
_JS_APP = {
    **without(T3, _SERVER),
    "server.cjs": _JS_SERVER,
    "package.json": swap(
        drop(T3["package.json"], '"dev:ws"'),
        ('"dev": "next dev --turbo"', '"dev": "tsx server.cjs"'),
        ('"start": "next start"', '"start": "NODE_ENV=production tsx server.cjs"'),
    ),
}

_SERVERS = (
    *(_first_user(variant) for variant in VARIANTS),
    Case(
        "a server that is commented out, line by line",
        _ONLY_A_COMMENT,
        {_SERVER: None, "package.json": T3_PACKAGE_AFTER},
        ((_SERVER, "remove"), ("package.json", "remove")),
    ),
    Case(
        "a server that is commented out as a whole",
        {**_ONLY_A_COMMENT, _SERVER: f"/*\n{_SERVER_TEXT}*/\n"},
        {_SERVER: None, "package.json": T3_PACKAGE_AFTER},
        ((_SERVER, "remove"), ("package.json", "remove")),
    ),
    Case(
        "a JavaScript server that is the whole Next.js server in development too",
        _JS_APP,
        {
            **{path: text for path, text in T3_AFTER.items() if path != _SERVER},
            "server.cjs": None,
            "package.json": swap(
                drop(_JS_APP["package.json"], '"ws"', '"@types/ws"', '"tsx"'),
                ('"dev": "tsx server.cjs"', '"dev": "next dev"'),
                ('"start": "NODE_ENV=production tsx server.cjs"', '"start": "NODE_ENV=production next start"'),
            ),
        },
        (("server.cjs", "remove"), ("package.json", "remove")),
    ),
    Case(
        "an app without src",
        {path.removeprefix("src/"): text.replace("src/", "") for path, text in STARTER.items()},
        {
            path.removeprefix("src/"): None if text is None else text.replace("src/", "")
            for path, text in STARTER_AFTER.items()
        },
        (("server/prodServer.ts", "remove"), ("server/wssDevServer.ts", "remove")),
    ),
    _server_case(
        "a server made with ws.Server",
        swap(
            _SERVER_TEXT,
            ('import { WebSocketServer } from "ws";', 'import ws from "ws";'),
            ("new WebSocketServer({", "new ws.Server({"),
        ),
    ),
    _server_case(
        "a server with names of its own",
        swap(
            _SERVER_TEXT,
            ("import { applyWSSHandler }", "import { applyWSSHandler as serve }"),
            ("= applyWSSHandler({", "= serve({"),
            ("import { WebSocketServer }", "import { WebSocketServer as Sockets }"),
            ("new WebSocketServer(", "new Sockets("),
        ),
    ),
    # Whatever else asks it is told that this is no place for HTTP.
    _server_case(
        "a server that answers plain HTTP with a stub",
        swap(
            _SERVER_TEXT,
            (
                'import { WebSocketServer } from "ws";\n',
                'import { createServer } from "node:http";\nimport { WebSocketServer } from "ws";\n',
            ),
            (
                "const wss = new WebSocketServer({ port: 3001 });\n",
                "const http = createServer((_req, res) => {\n"
                '  res.writeHead(426, { "Content-Type": "text/plain" });\n'
                '  res.end("Upgrade Required");\n'
                "});\n"
                "const wss = new WebSocketServer({ server: http });\n"
                "http.listen(3001);\n",
            ),
        ),
    ),
    t3_case(
        "a server whose name says nothing",
        {
            "scripts/live.ts": _SERVER_TEXT,
            "package.json": swap(T3["package.json"], ("src/server/ws-server.ts", "scripts/live.ts")),
        },
        {"scripts/live.ts": None},
        (("scripts/live.ts", "remove"),),
        gone=(_SERVER,),
    ),
    t3_case(
        "a server with files that only it uses, and one that others use",
        {
            _SERVER: swap(
                _SERVER_TEXT,
                (
                    'import { createTRPCContext } from "~/server/api/trpc";\n',
                    'import { createTRPCContext } from "~/server/api/trpc";\n'
                    'import { log } from "~/server/log";\n'
                    'import { watch } from "./ws/heartbeat";\n',
                ),
                ("const handler =", 'watch(wss);\nlog("started");\n\nconst handler ='),
            ),
            "src/server/ws/heartbeat.ts": """\
import type { WebSocketServer } from "ws";

import { EVERY_MS } from "./settings";

export const watch = (wss: WebSocketServer) =>
  setInterval(() => wss.clients.forEach((client) => client.ping()), EVERY_MS);
""",
            "src/server/ws/settings.ts": "export const EVERY_MS = 30_000;\n",
            "src/server/log.ts": "export const log = (text: string) => console.log(text);\n",
            _CHAT: swap(
                T3[_CHAT],
                (
                    'import { createTRPCRouter, publicProcedure } from "~/server/api/trpc";\n',
                    'import { createTRPCRouter, publicProcedure } from "~/server/api/trpc";\n'
                    'import { log } from "~/server/log";\n',
                ),
                ("    yield", '    log("subscribed");\n    yield'),
            ),
        },
        {"src/server/ws/heartbeat.ts": None, "src/server/ws/settings.ts": None},
        ((_SERVER, "remove"), ("src/server/ws/heartbeat.ts", "remove"), ("src/server/ws/settings.ts", "remove")),
    ),
    t3_case(
        "a route of Next.js that starts the server, and that nobody asks for",
        {
            "src/pages/api/socket.ts": ROUTE,
            "package.json": drop(T3["package.json"], '"dev:ws"', '"tsx"'),
        },
        {"src/pages/api/socket.ts": None},
        (("src/pages/api/socket.ts", "remove"),),
        gone=(_SERVER,),
    ),
    t3_case(
        "a tRPC server beside a raw one",
        {
            "src/server/game.ts": """\
import { WebSocketServer } from "ws";

const wss = new WebSocketServer({ port: 4000 });

wss.on("connection", (socket) => {
  socket.on("message", (data) => socket.send(data.toString()));
});
""",
            "package.json": swap(
                T3["package.json"],
                ('    "dev:ws":', '    "dev:game": "tsx watch src/server/game.ts",\n    "dev:ws":'),
            ),
        },
        {
            "package.json": swap(
                drop(T3["package.json"], '"dev:ws"'),
                ('    "start":', '    "dev:game": "tsx watch src/server/game.ts",\n    "start":'),
            ),
        },
        ((_SERVER, "remove"), ("package.json", "keep")),
    ),
)

_CONTEXTS = (
    _context_case(
        "a context whose imports have no type keyword",
        _CONTEXT_TEXT.replace("import type", "import"),
        STARTER_CONTEXT_AFTER.replace("import type", "import"),
    ),
    _context_case(
        "a context whose imports have the type keyword inside",
        swap(
            _CONTEXT_TEXT,
            (
                "import type { NodeHTTPCreateContextFnOptions } from",
                "import { type NodeHTTPCreateContextFnOptions } from",
            ),
            ("import type { IncomingMessage } from", "import { type IncomingMessage } from"),
            ("import type ws from 'ws'", "import { type WebSocket } from 'ws'"),
            ("<IncomingMessage, ws>", "<IncomingMessage, WebSocket>"),
        ),
        STARTER_CONTEXT_AFTER,
    ),
    _context_case(
        "a context with CreateWSSContextFnOptions",
        """\
import type { CreateNextContextOptions } from '@trpc/server/adapters/next';
import type { CreateWSSContextFnOptions } from '@trpc/server/adapters/ws';
import { readSession } from './session';

export async function createContext(opts: CreateNextContextOptions | CreateWSSContextFnOptions) {
  return { session: readSession(opts.req.headers.cookie) };
}

export type Context = Awaited<ReturnType<typeof createContext>>;
""",
        """\
import type { CreateNextContextOptions } from '@trpc/server/adapters/next';
import { readSession } from './session';

export async function createContext(opts: CreateNextContextOptions) {
  return { session: readSession(opts.req.headers.cookie) };
}

export type Context = Awaited<ReturnType<typeof createContext>>;
""",
    ),
    _context_case(
        "a context with an alias, and an import that something else uses",
        """\
import type { CreateNextContextOptions } from '@trpc/server/adapters/next';
import type { NodeHTTPCreateContextFnOptions } from '@trpc/server/adapters/node-http';
import type { IncomingMessage } from 'http';
import type { WebSocket } from 'ws';
import { readSession } from './session';

type Options = CreateNextContextOptions | NodeHTTPCreateContextFnOptions<IncomingMessage, WebSocket>;

const cookieOf = (req: IncomingMessage) => req.headers.cookie;

export async function createContext({ req }: Options) {
  return { session: readSession(cookieOf(req)) };
}

export type Context = Awaited<ReturnType<typeof createContext>>;
""",
        """\
import type { CreateNextContextOptions } from '@trpc/server/adapters/next';
import type { IncomingMessage } from 'http';
import { readSession } from './session';

type Options = CreateNextContextOptions;

const cookieOf = (req: IncomingMessage) => req.headers.cookie;

export async function createContext({ req }: Options) {
  return { session: readSession(cookieOf(req)) };
}

export type Context = Awaited<ReturnType<typeof createContext>>;
""",
    ),
    t3_case(
        "a context of the server's own in a file that others use",
        {
            "src/server/api/trpc.ts": swap(
                T3["src/server/api/trpc.ts"],
                (
                    'import { initTRPC } from "@trpc/server";\n',
                    'import { initTRPC } from "@trpc/server";\n'
                    'import type { CreateWSSContextFnOptions } from "@trpc/server/adapters/ws";\n',
                ),
                (
                    "const t = initTRPC",
                    "export const createWSContext = ({ req }: CreateWSSContextFnOptions) =>\n"
                    "  createTRPCContext({ headers: new Headers(req.headers as HeadersInit) });\n\n"
                    "const t = initTRPC",
                ),
            ),
            _SERVER: swap(
                _SERVER_TEXT,
                ("import { createTRPCContext }", "import { createWSContext }"),
                (
                    "  createContext: ({ req }) =>\n"
                    "    createTRPCContext({ headers: new Headers(req.headers as HeadersInit) }),\n",
                    "  createContext: createWSContext,\n",
                ),
            ),
        },
        {"src/server/api/trpc.ts": T3["src/server/api/trpc.ts"]},
        (("src/server/api/trpc.ts", "rewrite"),),
    ),
)

SERVERS = (*_SERVERS, *_CONTEXTS)
