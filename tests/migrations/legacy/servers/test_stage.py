"""Which files are tRPC WebSocket servers, what else they do, and which of them go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from migrations.discovery.layout import find_layout
from migrations.engine import AppView
from migrations.legacy.pieces import LegacyApp, LegacyServer
from migrations.legacy.servers.stage import clean_servers, find_servers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migrations.legacy.pieces import Found

PATH = "src/server/live.ts"
APP = {
    "package.json": '{"name": "web", "dependencies": {"next": "^15.0.0"}}\n',
    "tsconfig.json": '{"compilerOptions": {"baseUrl": ".", "paths": {"~/*": ["./src/*"]}}}\n',
    "src/server/root.ts": "export const appRouter = router({});\nexport type AppRouter = typeof appRouter;\n",
    "src/server/context.ts": "export const createContext = () => ({});\n",
    "src/pages/api/trpc/[trpc].ts": """\
import { createNextApiHandler } from "@trpc/server/adapters/next";
import { createContext } from "~/server/context";
import { appRouter } from "~/server/root";

export default createNextApiHandler({ router: appRouter, createContext });
""",
    "src/utils/trpc.ts": """\
import { httpBatchLink } from "@trpc/client";
import { createTRPCNext } from "@trpc/next";
import type { AppRouter } from "~/server/root";

export const trpc = createTRPCNext<AppRouter>({
  config: () => ({ links: [httpBatchLink({ url: "/api/trpc" })] }),
});
""",
}
IMPORTS = """\
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import { WebSocketServer } from "ws";
import { createContext } from "./context";
import { appRouter } from "./root";
"""
SERVE = "const handler = applyWSSHandler({ wss, router: appRouter, createContext });\n"
SERVER = f"{IMPORTS}\nconst wss = new WebSocketServer({{ port: 3001 }});\n{SERVE}"
NEXT_SERVER = f"""\
{IMPORTS}import {{ createServer }} from "http";
import next from "next";

const port = parseInt(process.env.PORT || "3000", 10);
const app = next({{ dev: process.env.NODE_ENV !== "production" }});
const handle = app.getRequestHandler();

void app.prepare().then(() => {{
  const server = createServer((req, res) => {{
    void handle(req, res);
  }});
  const wss = new WebSocketServer({{ server }});
  const handler = applyWSSHandler({{ wss, router: appRouter, createContext }});
  server.listen(port);
}});
"""


def view_of(files: Mapping[str, str | None]) -> AppView:
    return AppView.of_files({path: text.encode() for path, text in {**APP, **files}.items() if text is not None})


def servers_of(files: Mapping[str, str | None]) -> tuple[LegacyServer, ...]:
    view = view_of(files)
    return find_servers(view, find_layout(view))


def cleaned(files: Mapping[str, str | None]) -> Found:
    view = view_of(files)
    layout = find_layout(view)
    return clean_servers(LegacyApp(view, view, layout, find_servers(view, layout)))


def line_of(text: str, needle: str) -> int:
    lines = [number for number, line in enumerate(text.splitlines(), 1) if needle in line]
    assert len(lines) == 1, (needle, lines)
    return lines[0]


# --- what is none

NONE = {
    "a raw server": (
        'import { WebSocketServer } from "ws";\nnew WebSocketServer({ port: 1 }).on("message", console.log);\n'
    ),
    "a word in a comment": "// One day: applyWSSHandler of @trpc/server/adapters/ws\nexport {};\n",
    "somebody else's function": 'import { applyWSSHandler } from "~/lib/ws";\napplyWSSHandler({ wss });\n',
    "a type alone": (
        'import type { applyWSSHandler } from "@trpc/server/adapters/ws";\nexport type T = typeof applyWSSHandler;\n'
    ),
    "an import alone": 'import { applyWSSHandler } from "@trpc/server/adapters/ws";\nexport { applyWSSHandler };\n',
    "a file of which some lines are commented out": (
        "".join(f"// {line}\n" for line in SERVER.splitlines()) + 'console.log("live");\n'
    ),
    "what a compiler wrote": (
        '"use strict";\nObject.defineProperty(exports, "__esModule", { value: true });\n'
        'const ws_1 = require("@trpc/server/adapters/ws");\n(0, ws_1.applyWSSHandler)({ wss });\n'
    ),
    "Fastify without WebSockets": (
        'import { fastifyTRPCPlugin } from "@trpc/server/adapters/fastify";\n'
        "server.register(fastifyTRPCPlugin, { useWSS: false });\n"
    ),
}


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_server(name: str) -> None:
    assert servers_of({PATH: NONE[name]}) == ()


def test_a_server_of_the_tests_is_theirs() -> None:
    assert servers_of({"tests/server.ts": SERVER}) == ()


def test_an_app_without_a_server_is_left_as_it_is() -> None:
    found = cleaned({})
    assert (found.pieces, found.needs, found.changes) == ((), (), ())


# --- what one does


def _started(text: str) -> str:
    return SERVER + text


def _listening(body: str) -> str:
    return (
        f'{IMPORTS}import {{ createServer }} from "node:http";\n\n'
        f"const server = createServer((req, res) => {{\n{body}}});\n"
        f"const wss = new WebSocketServer({{ server }});\n{SERVE}server.listen(3001);\n"
    )


SOCKETS = {
    "the plainest": SERVER,
    "a namespace": SERVER.replace("{ applyWSSHandler }", "* as trpcWs").replace(
        "= applyWSSHandler(", "= trpcWs.applyWSSHandler("
    ),
    "another name": SERVER.replace("{ applyWSSHandler }", "{ applyWSSHandler as serve }").replace(
        "= applyWSSHandler(", "= serve("
    ),
    "require": SERVER.replace(
        'import { applyWSSHandler } from "@trpc/server/adapters/ws"',
        'const { applyWSSHandler } = require("@trpc/server/adapters/ws")',
    ),
    "import when it is wanted": SERVER.replace(
        'import { applyWSSHandler } from "@trpc/server/adapters/ws"',
        'const { applyWSSHandler } = await import("@trpc/server/adapters/ws")',
    ),
    "tRPC 9": SERVER.replace("@trpc/server/adapters/ws", "@trpc/server/ws"),
    "ws.Server": SERVER.replace("import { WebSocketServer }", "import ws").replace("WebSocketServer(", "ws.Server("),
    "connections are counted": _started(
        "wss.on('connection', (ws) => {\n"
        "  console.log(`+ (${wss.clients.size})`);\n"
        "  ws.once('close', () => console.log(`- (${wss.clients.size})`));\n"
        "});\n"
        "process.on('SIGTERM', () => {\n  handler.broadcastReconnectNotification();\n"
        "  wss.close(() => process.exit(0));\n});\n"
    ),
    "heartbeats": _started(
        "const alive = new WeakMap();\n"
        "wss.on('connection', (ws) => {\n  alive.set(ws, true);\n  ws.on('pong', () => alive.set(ws, true));\n});\n"
        "const timer = setInterval(() => {\n"
        "  for (const ws of wss.clients) {\n    if (!alive.get(ws)) ws.terminate();\n    ws.ping();\n  }\n"
        "}, 30_000);\n"
        "wss.on('close', () => clearInterval(timer));\n"
    ),
    "a bus and a database that are only there": _started(
        "import { EventEmitter } from 'node:events';\nimport { PrismaClient } from '@prisma/client';\n"
        "export const bus = new EventEmitter();\nconst db = new PrismaClient();\nbus.on('error', console.error);\n"
    ),
    "a settings file for timers": _started(
        "import { EVERY } from './settings';\nsetInterval(() => wss.clients.forEach((c) => c.ping()), EVERY);\n"
    ),
    "a logger": _started("import { logger } from '~/lib/logger';\nlogger.info('ready');\n"),
    "dotenv and what old versions of Node.js lack": (
        "import 'dotenv/config';\nimport fetch from 'node-fetch';\n"
        "if (!global.fetch) {\n  (global as any).fetch = fetch;\n}\n" + SERVER
    ),
    "a function of the app that only closes": _started(
        "import { db } from './db';\n"
        "process.on('exit', () => db.$disconnect());\n"
    ),
    "certificates": "import fs from 'node:fs';\nimport { createServer } from 'node:https';\n" + SERVER.replace(
        "{ port: 3001 }", "{ server: createServer({ key: fs.readFileSync('key.pem') }) }"
    ),
    "a settings file": "import { env } from '~/env';\n" + SERVER.replace("3001", "Number(env.WS_PORT)"),
    "a start function": (
        f"{IMPORTS}function start() {{\n"
        f"  const wss = new WebSocketServer({{ port: 3001 }});\n  {SERVE}}}\nstart();\n"
    ),
    "a start function that waits": (
        f"{IMPORTS}const main = async () => {{\n  const wss = new WebSocketServer({{ port: 3001 }});\n  {SERVE}}};\n"
        "main().catch((error) => {\n  console.error(error);\n  process.exit(1);\n});\n"
    ),
    "plain HTTP is refused": _listening("  res.writeHead(426);\n  res.end('Upgrade Required');\n"),
    "a health check of its own": _listening(
        "  if (req.url === '/health') {\n    res.end('ok');\n    return;\n  }\n  res.writeHead(404).end();\n"
    ),
    "upgrades by hand": (
        f'{IMPORTS}import {{ createServer }} from "node:http";\n\nconst server = createServer();\n'
        f"const wss = new WebSocketServer({{ noServer: true }});\n{SERVE}"
        "server.on('upgrade', (req, socket, head) => {\n"
        "  if (req.url !== '/trpc') {\n    socket.destroy();\n    return;\n  }\n"
        "  wss.handleUpgrade(req, socket, head, (ws) => wss.emit('connection', ws, req));\n"
        "});\n"
        "server.listen(3001);\n"
    ),
    "tRPC's HTTP server, which nobody asks": (
        IMPORTS.replace('import { WebSocketServer } from "ws";\n', 'import { WebSocketServer } from "ws";\n'
                        'import { createHTTPServer } from "@trpc/server/adapters/standalone";\n')
        + "const { server, listen } = createHTTPServer({ router: appRouter, createContext });\n"
        f"const wss = new WebSocketServer({{ server }});\n{SERVE}listen(3001);\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SOCKETS)
def test_a_server_of_sockets_alone(name: str) -> None:
    [server] = servers_of({PATH: SOCKETS[name]})
    assert (server.kind, server.does, server.is_commented) == ("sockets", "", False)
    assert "serve(" in SOCKETS[name].splitlines()[server.line - 1] or server.line == line_of(
        SOCKETS[name], "applyWSSHandler({"
    )


def _next(old: str, new: str) -> str:
    assert NEXT_SERVER.count(old) == 1, old
    return NEXT_SERVER.replace(old, new)


REDIRECT = """\
    const proto = req.headers["x-forwarded-proto"];
    if (proto && proto === "http") {
      res.writeHead(303, { location: `https://${req.headers.host}${req.url}` });
      res.end();
      return;
    }
"""
NEXT = {
    "the plainest": NEXT_SERVER,
    "the handler itself": _next(
        "createServer((req, res) => {\n    void handle(req, res);\n  })", "createServer(handle)"
    ),
    "errors": _next(
        "    void handle(req, res);\n",
        "    try {\n      void handle(req, res);\n    } catch (error) {\n"
        "      console.error(error);\n      res.statusCode = 500;\n      res.end('internal server error');\n    }\n",
    ),
    "the url is read": 'import { parse } from "url";\n'
    + _next(
        "    void handle(req, res);\n",
        "    if (!req.url) return;\n    const parsedUrl = parse(req.url, true);\n"
        "    void handle(req, res, parsedUrl);\n",
    ),
    "the url is read, or the root": 'import url from "url";\n'
    + _next("void handle(req, res);", 'void handle(req, res, url.parse(req.url ?? "/", true));'),
    "upgrades are left to the sockets": _next(
        "    void handle(req, res);\n",
        "    if (req.headers.upgrade === 'websocket') return;\n    void handle(req, res);\n",
    ),
    "http goes to https": _next("    void handle(req, res);\n", f"{REDIRECT}    void handle(req, res);\n"),
    "a port of another spelling": _next(
        'parseInt(process.env.PORT || "3000", 10)', "process.env.PORT ? Number(process.env.PORT) : 3000"
    ),
    "3000 and nothing else": _next('parseInt(process.env.PORT || "3000", 10)', "3000"),
    "all addresses": _next("server.listen(port)", 'server.listen(port, "0.0.0.0", () => console.log("ready"))'),
    "upgrades of Next.js": _next(
        "  server.listen(port);\n",
        "  const upgrade = app.getUpgradeHandler();\n"
        "  server.on('upgrade', (req, socket, head) => {\n"
        "    if (req.url === '/trpc') wss.handleUpgrade(req, socket, head, (ws) => wss.emit('connection', ws, req));\n"
        "    else void upgrade(req, socket, head);\n"
        "  });\n"
        "  server.listen(port);\n",
    ),
}


@pytest.mark.parametrize("name", NEXT)
def test_a_server_that_is_the_whole_next_server(name: str) -> None:
    [server] = servers_of({PATH: NEXT[name]})
    assert (server.kind, server.does) == ("next", "")


# The text, and what stands on the line that does more.
SHARED = {
    "a job": (_started("setInterval(() => console.log('tidy'), 1000);\n"), "setInterval"),
    "an own function that is not known": (_started("import { boot } from './boot';\nboot();\n"), "boot();"),
    "a package's function": (_started(
        "import cron from 'node-cron';\n"
        "cron.schedule('* * * * *', () => {});\n"
    ), "schedule"),
    "a worker": (_started("import { Worker } from 'bullmq';\nconst worker = new Worker('mail');\n"), "new Worker"),
    "raw messages": (
        _started("wss.on('connection', (ws) => {\n  ws.on('message', (text) => relay(text));\n});\n"),
        "ws.on('message'",
    ),
    "raw answers": (_started("wss.on('connection', (ws) => {\n  ws.send('hello');\n});\n"), "ws.send"),
    "another server": (_started("const other = new WebSocketServer({ port: 4000 });\n"), "4000"),
    "a global": (_started("globalThis.wss = wss;\n"), "globalThis.wss"),
    "an import for its effects": ("import './otel';\n" + SERVER, "./otel"),
    "routes": (
        _started("import express from 'express';\nconst app = express();\napp.get('/x', (req, res) => res.end());\n"),
        "app.get",
    ),
    "an answer that looks something up": (
        _listening("  if (req.url === '/users') {\n    res.end(JSON.stringify(users.list()));\n  }\n  lookup();\n"),
        "lookup()",
    ),
    "a route of a Next.js server": (
        _next("    void handle(req, res);\n", "    if (req.url === '/health') {\n      return res.end('ok');\n    }\n"
              "    void handle(req, res);\n"),
        "/health",
    ),
    "headers of a Next.js server": (
        _next("    void handle(req, res);\n", "    res.setHeader('x-own', '1');\n    void handle(req, res);\n"),
        "x-own",
    ),
    "a page of a Next.js server": (
        _next("    void handle(req, res);\n", "    if (req.url === '/a') void app.render(req, res, '/b');\n"
              "    else void handle(req, res);\n"),
        "app.render",
    ),
    "TLS of a Next.js server": (
        NEXT_SERVER.replace("createServer(", "createServer(certificate, ").replace('"http"', '"https"')
        .replace('"node:http"', '"node:https"'),
        "createServer(certificate",
    ),
    "a listener of a Next.js server with TLS": (
        'import https from "node:https";\n'
        + _next("createServer((req, res) => {\n    void handle(req, res);\n  })", "https.createServer(certificate)")
        .replace("  server.listen(port);\n", '  server.on("request", handle);\n  server.listen(port);\n'),
        "https.createServer(certificate)",
    ),
    "options of the HTTP server of a Next.js server": (
        _next("createServer((req", "createServer({ maxHeaderSize: 65536 }, (req"),
        "maxHeaderSize",
    ),
    "another address for Next.js": (
        'import { parse } from "url";\n'
        + _next(
            "    void handle(req, res);\n",
            "    const url = parse(req.url!.replace('/old', '/new'), true);\n    void handle(req, res, url);\n",
        ),
        "handle(req, res, url)",
    ),
    "a prefix for Next.js": (
        _next("void handle(req, res);", "void handle(req, res, parse(`/app${req.url}`, true));"),
        "handle(req, res, parse",
    ),
    "requests that Next.js does not get": (
        _next("    void handle(req, res);\n", "    if (req.url?.startsWith('/internal')) {\n"
              "      req.socket.destroy();\n      return;\n    }\n    void handle(req, res);\n"),
        "/internal",
    ),
    "a port of its own": (_next('"3000"', '"8080"'), "8080"),
    "a port from settings": (_next('process.env.PORT || "3000"', 'env.PORT || "3000"'), "env.PORT"),
    "an address of its own": (_next("listen(port)", 'listen(port, "127.0.0.1")'), "127.0.0.1"),
    "a folder of its own": (_next("next({ dev:", 'next({ dir: "./web", dev:'), "./web"),
    "a setting for Next.js": (_next("const port", 'process.env.REGION = "eu";\nconst port'), "REGION"),
    "a function of the app, handed on": (_started(
        "import { boot } from './boot';\n"
        "setTimeout(boot, 10);\n"
    ), "setTimeout"),
    "a function of the app, after the start": (
        _next("server.listen(port)", "server.listen(port, boot)").replace("import", (
            "import { boot } from './boot';\n"
            "import"
        ), 1),
        "server.listen",
    ),
    "a bot": (_started(
        "import Bot from 'bot';\nconst bot = new Bot(token);\n"
        "bot.on('message', (m) => m.reply('hi'));\n"
    ), "new Bot"),
    "socket.io": (
        _started(
            "import { Server } from 'socket.io';\nconst io = new Server(3002);\n"
            "io.on('connection', (s) => s.emit('x'));\n"
        ),
        "new Server",
    ),
    "what comes over a connection": (
        _started("import Redis from 'ioredis';\nnew Redis().on('message', (channel, text) => store(text));\n"),
        "new Redis",
    ),
    "an object's own function": (
        _started("const jobs = {\n  start() {\n    setInterval(tidy, 1000);\n  },\n};\njobs.start();\n"),
        "setInterval",
    ),
    "a global behind a type": (_next("  server.listen", (
        "  (globalThis as any).wss = wss;\n"
        "  server.listen"
    )), "globalThis"),
    "globals at once": (_started("Object.assign(globalThis, { wss });\n"), "Object.assign"),
    "an address that is written anew": (_next("    void handle(", (
        "    req.url = rewritten(req);\n"
        "    void handle("
    )), "req.url"),
    "a time limit for connections": (
        _next("  server.listen(port);\n", "  server.keepAliveTimeout = 65_000;\n  server.listen(port);\n"),
        "keepAliveTimeout",
    ),
    "what is not understood": (_started("class Hub {}\nnew Hub();\n"), "new Hub"),
    "Fastify": (
        'import { fastifyTRPCPlugin } from "@trpc/server/adapters/fastify";\n'
        "server.register(fastifyTRPCPlugin, {\n  useWSS: true,\n});\n",
        "useWSS",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHARED)
def test_a_server_that_does_more_says_what_and_where(name: str) -> None:
    text, where = SHARED[name]
    [server] = servers_of({PATH: text})
    assert (server.kind, server.does_line) == ("shared", line_of(text, where))
    assert server.does
    [need] = cleaned({PATH: text}).needs
    assert (need.file, need.line, need.action) == (PATH, server.does_line, "keep")


def test_a_helper_of_the_app_is_looked_into() -> None:
    helper = {
        "src/server/beat.ts": (
            "export function beat(wss) {\n  setInterval(() => wss.clients.forEach((c) => c.ping()), 9);\n}\n"
        )
    }
    text = SERVER.replace(SERVE, f"{SERVE}beat(wss);\n").replace("import", 'import { beat } from "./beat";\nimport', 1)
    [server] = servers_of({PATH: text, **helper})
    assert server.kind == "sockets"
    busy = {"src/server/beat.ts": "import { db } from './db';\nexport const beat = () => db.purge();\n"}
    [server] = servers_of({PATH: text, **busy})
    assert (server.kind, server.does_line) == ("shared", line_of(text, "beat(wss)"))


def test_settings_imported_for_their_effects_are_no_work() -> None:
    env = {"src/env.ts": 'import { createEnv } from "@t3-oss/env-nextjs";\nexport const env = createEnv({});\n'}
    [server] = servers_of({PATH: 'import "../env";\n' + SERVER, **env})
    assert server.kind == "sockets"


def test_http_of_trpc_is_work_where_a_client_may_ask_for_it() -> None:
    text = SOCKETS["tRPC's HTTP server, which nobody asks"]
    asking = APP["src/utils/trpc.ts"].replace('"/api/trpc"', "process.env.NEXT_PUBLIC_TRPC")
    [server] = servers_of({PATH: text, "src/utils/trpc.ts": asking})
    assert (server.kind, server.does_line) == ("shared", line_of(text, "= createHTTPServer("))


# --- commented out whole

COMMENTED = {
    "line by line": "".join(f"// {line}".rstrip() + "\n" for line in SERVER.splitlines()),
    "without spaces": "".join(f"//{line}\n" for line in SERVER.splitlines()),
    "a block": f"/*\n{SERVER}*/\n",
    "a licence above": "/* Copyright: the people's of here */\n\n"
    + "".join(f"// {line}\n" for line in SERVER.splitlines()),
}


@pytest.mark.parametrize("name", COMMENTED)
def test_a_commented_out_server_goes(name: str) -> None:
    [server] = servers_of({PATH: COMMENTED[name]})
    assert (server.kind, server.is_commented) == ("sockets", True)
    assert server.line == line_of(COMMENTED[name], "= applyWSSHandler({")
    found = cleaned({PATH: COMMENTED[name], "src/utils/trpc.ts": None})
    assert [(change.path, change.after) for change in found.changes] == [(PATH, None)]
    assert found.needs == ()


def test_a_commented_out_server_with_more_in_it_is_left_to_a_person() -> None:
    text = "".join(f"// {line}\n" for line in SHARED["routes"][0].splitlines())
    found = cleaned({PATH: text})
    assert (found.changes, found.needs) == ((), ())
    assert [piece.action for piece in found.pieces] == ["by-hand"]


# --- who still needs one

USERS = {
    "a value": 'import { wss } from "~/server/live";\nexport const size = () => wss.clients.size;\n',
    "a type": 'import type { Live } from "../server/live";\nexport type L = Live;\n',
    "everything, passed on": 'export * from "../server/live";\n',
    "a dynamic import": 'export const load = () => import("~/server/live");\n',
    "require": 'const live = require("../server/live");\n',
    "a mock": 'vi.mock("../server/live");\n',
    "a process": 'import { fork } from "node:child_process";\nfork("src/server/live.ts");\n',
    "its compiled form": 'import { spawn } from "node:child_process";\nspawn("node", ["dist/server/live.js"]);\n',
}


@pytest.mark.parametrize("name", USERS)
def test_who_uses_a_server_keeps_it(name: str) -> None:
    user = "src/lib/user.ts"
    [need] = cleaned({PATH: SERVER, user: f"export const first = 1;\n{USERS[name]}"}).needs
    assert (need.file, need.action) == (user, "keep")
    assert "live" in USERS[name].splitlines()[need.line - 2]


def test_a_mention_in_a_comment_is_no_use() -> None:
    mention = '// import { wss } from "~/server/live"; see src/server/live.ts\nexport const nothing = 1;\n'
    assert cleaned({PATH: SERVER, "src/lib/user.ts": mention}).needs == ()


def test_an_app_that_has_no_http_handler_keeps_the_link_that_everything_goes_through() -> None:
    client = (
        'import { createWSClient, wsLink } from "@trpc/client";\n'
        'export const link = wsLink({ client: createWSClient({ url: "ws://localhost:3001" }) });\n'
    )
    found = cleaned({PATH: SERVER, "src/pages/api/trpc/[trpc].ts": None, "src/utils/trpc.ts": client})
    assert [(need.file, need.line) for need in found.needs] == [("src/utils/trpc.ts", 2)]


def test_a_link_for_subscriptions_alone_needs_no_http_handler() -> None:
    client = (
        'import { createWSClient, httpLink, splitLink, wsLink } from "@trpc/client";\n'
        "export const link = splitLink({\n"
        '  condition: (op) => op.type === "subscription",\n'
        '  true: wsLink({ client: createWSClient({ url: "ws://localhost:3001" }) }),\n'
        '  false: httpLink({ url: "https://api.example.com/api/trpc" }),\n'
        "});\n"
    )
    assert cleaned({PATH: SERVER, "src/pages/api/trpc/[trpc].ts": None, "src/utils/trpc.ts": client}).needs == ()


@pytest.mark.parametrize(
    "missing", [{"src/utils/trpc.ts": "export const nothing = 1;\n"}, {"package.json": '{"name": "sockets"}\n'}]
)
def test_a_server_whose_clients_are_elsewhere_is_needed(missing: dict[str, str]) -> None:
    [need] = cleaned({PATH: SERVER, **missing}).needs
    assert (need.file, need.line) == (PATH, line_of(SERVER, "applyWSSHandler({"))


def test_a_server_of_a_router_that_http_does_not_serve_is_needed() -> None:
    other = SERVER.replace('import { appRouter } from "./root"', 'import { liveRouter } from "./live-router"').replace(
        "router: appRouter", "router: liveRouter"
    )
    router = {"src/server/live-router.ts": "export const liveRouter = router({});\n"}
    assert cleaned({PATH: other, **router}).needs == ()
    typed = {
        "src/lib/live.ts": (
            'import type { liveRouter } from "~/server/live-router";\nexport type R = typeof liveRouter;\n'
        )
    }
    [need] = cleaned({PATH: other, **router, **typed}).needs
    assert (need.file, need.line) == (PATH, line_of(SERVER, "applyWSSHandler({"))


# --- what goes


def test_servers_that_import_each_other_go_together() -> None:
    other = "src/server/start.ts"
    found = cleaned({PATH: SERVER, other: 'import "./live";\n' + SERVER})
    assert found.needs == ()
    assert {change.path for change in found.changes} == {PATH, other}


def test_what_only_a_server_used_goes_with_it_and_nothing_else_does() -> None:
    text = SERVER.replace(
        "import",
        'import { a } from "./a";\nimport { shared } from "./shared";\nimport { kept } from "./kept";\nimport',
        1,
    )
    files = {
        PATH: text,
        "src/server/a.ts": 'import { b } from "./b";\nexport const a = b;\n',
        "src/server/b.ts": "export const b = 1;\n",
        "src/server/shared.ts": "export const shared = 1;\n",
        "src/lib/other.ts": 'import { shared } from "~/server/shared";\nexport const x = shared;\n',
        "src/server/kept.ts": "export const kept = 1;\n",
        "vercel.json": '{"functions": {"src/server/kept.ts": {}}}\n',
    }
    found = cleaned(files)
    assert {change.path for change in found.changes} == {PATH, "src/server/a.ts", "src/server/b.ts"}
    assert found.needs == ()
    assert {(piece.file, piece.action) for piece in found.pieces} == {
        (PATH, "remove"),
        ("src/server/a.ts", "remove"),
        ("src/server/b.ts", "remove"),
        ("src/server/kept.ts", "keep"),
    }


def test_what_only_a_server_used_stays_where_a_test_uses_it_too() -> None:
    text = 'import { a } from "./a";\n' + SERVER
    files = {
        PATH: text,
        "src/server/a.ts": "export const a = 1;\n",
        "src/server/a.test.ts": 'import { a } from "./a";\ntest("a", () => a);\n',
    }
    assert {change.path for change in cleaned(files).changes} == {PATH}


@pytest.mark.parametrize(
    "text",
    [
        'import cron from "node-cron";\nexport const queue = [];\ncron.schedule("* * * * *", () => queue.pop());\n',
        'import { Bot } from "bot";\n\nexport const queue = new Bot(process.env.TOKEN);\n',
        'import cron from "node-cron";\n\nexport const queue = cron.schedule("* * * * *", () => {});\n',
        'import { runJobs } from "./run";\n\nexport const queue = await runJobs();\n',
    ],
)
def test_a_module_that_starts_something_when_the_server_imports_it_is_needed(text: str) -> None:
    jobs = "src/server/jobs.ts"
    [need] = cleaned({PATH: 'import { queue } from "./jobs";\n' + SERVER, jobs: text}).needs
    assert (need.file, need.line) == (jobs, 3)


def test_a_module_that_only_gives_the_server_something_goes_with_it() -> None:
    bus = (
        'import { EventEmitter } from "node:events";\n'
        "export const bus = new EventEmitter();\nexport const make = () => new Bot();\n"
        "export const start = () => cron.schedule();\n"
    )
    found = cleaned({PATH: 'import { bus } from "./bus";\n' + SERVER, "src/server/bus.ts": bus})
    assert found.needs == ()
    assert {change.path for change in found.changes} == {PATH, "src/server/bus.ts"}


def test_the_redirect_to_https_is_told_of() -> None:
    found = cleaned({PATH: NEXT["http goes to https"]})
    assert found.needs == ()
    by_hand = [piece for piece in found.pieces if piece.action == "by-hand"]
    assert [piece.line for piece in by_hand] == [line_of(NEXT["http goes to https"], 'proto === "http"')]


def test_compiled_output_beside_the_app_is_told_of_unless_git_ignores_it() -> None:
    files = {PATH: SERVER, "dist/server/live.js": '"use strict";\n'}
    assert ("dist/server/live.js", "by-hand") in {(piece.file, piece.action) for piece in cleaned(files).pieces}
    ignored = cleaned({**files, ".gitignore": "/dist\n"})
    assert {piece.file for piece in ignored.pieces} == {PATH}


def test_compiled_output_beside_its_source_is_told_of() -> None:
    files = {PATH: SERVER, "src/server/live.js": NONE["what a compiler wrote"]}
    assert ("src/server/live.js", "by-hand") in {(piece.file, piece.action) for piece in cleaned(files).pieces}
