"""Servers that do more than to serve tRPC's WebSocket and Next.js: refused, and not a byte changes."""

from __future__ import annotations

from tests.migrations.legacy.app_starter import STARTER
from tests.migrations.legacy.app_t3 import T3
from tests.migrations.legacy.apps import swap
from tests.migrations.legacy.cases import Case

_EXPRESS = """\
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import express from "express";
import { WebSocketServer } from "ws";

import { appRouter } from "~/server/api/root";
import { createTRPCContext } from "~/server/api/trpc";

const app = express();
app.post("/webhooks/stripe", (_req, res) => {
  res.sendStatus(200);
});

const server = app.listen(3001);
const wss = new WebSocketServer({ server });
applyWSSHandler({
  wss,
  router: appRouter,
  createContext: () => createTRPCContext({ headers: new Headers() }),
});
"""
_WEBHOOK = """\
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

import { appRouter } from "~/server/api/root";
import { createTRPCContext } from "~/server/api/trpc";

const server = createServer((req, res) => {
  if (req.url === "/internal/reindex" && req.method === "POST") {
    void import("~/server/reindex").then(({ reindex }) => reindex());
    res.writeHead(202).end();
    return;
  }
  res.writeHead(404).end();
});
const wss = new WebSocketServer({ server });
applyWSSHandler({
  wss,
  router: appRouter,
  createContext: () => createTRPCContext({ headers: new Headers() }),
});
server.listen(3001);
"""
_PROD = "src/server/prodServer.ts"
_PROD_TEXT = STARTER[_PROD]
_TLS = swap(
    _PROD_TEXT,
    (
        "import { createServer } from 'http';\n",
        "import { readFileSync } from 'fs';\nimport { createServer } from 'https';\n",
    ),
    (
        "  const server = createServer(async",
        "  const tls = { key: readFileSync('key.pem'), cert: readFileSync('cert.pem') };\n"
        "  const server = createServer(tls, async",
    ),
)
_GAME = swap(
    _PROD_TEXT,
    ("new WebSocketServer({ server })", "new WebSocketServer({ noServer: true })"),
    (
        "  server.listen(port);\n",
        """\
  const game = new WebSocketServer({ noServer: true });
  game.on('connection', (socket) => {
    socket.on('message', (data) => socket.send(data.toString()));
  });
  server.on('upgrade', (req, socket, head) => {
    const target = req.url === '/game' ? game : wss;
    target.handleUpgrade(req, socket, head, (ws) => target.emit('connection', ws, req));
  });
  server.listen(port);
""",
    ),
)
_JOBS = """\
export function startJobs() {
  setInterval(() => console.log('tidy up'), 60_000);
}
"""


BUSY_SERVERS = (
    Case(
        "a server shared with express routes",
        {**T3, "src/server/ws-server.ts": _EXPRESS},
        needs=(("src/server/ws-server.ts", "app.post("),),
    ),
    Case(
        "a server that answers other requests too",
        {
            **T3,
            "src/server/ws-server.ts": _WEBHOOK,
            "src/server/reindex.ts": "export const reindex = () => Promise.resolve();\n",
        },
        needs=(("src/server/ws-server.ts", "/internal/reindex"),),
    ),
    Case(
        "a Next.js server with a route of its own",
        {
            **STARTER,
            _PROD: swap(
                _PROD_TEXT,
                (
                    "    if (!req.url) return;\n",
                    "    if (!req.url) return;\n"
                    "    if (req.url === '/healthz') {\n"
                    "      res.end('ok');\n"
                    "      return;\n"
                    "    }\n",
                ),
            ),
        },
        needs=((_PROD, "/healthz"),),
    ),
    Case(
        "a Next.js server that starts jobs",
        {
            **STARTER,
            "src/server/jobs.ts": _JOBS,
            _PROD: swap(
                _PROD_TEXT,
                (
                    "import { appRouter } from './routers/_app';\n",
                    "import { startJobs } from './jobs';\nimport { appRouter } from './routers/_app';\n",
                ),
                ("  server.listen(port);\n", "  server.listen(port);\n  startJobs();\n"),
            ),
        },
        needs=((_PROD, "  startJobs();"),),
    ),
    Case(
        "a Next.js server that imports something for its effects",
        {
            **STARTER,
            "src/server/otel.ts": "console.log('tracing is on');\n",
            _PROD: "import './otel';\n" + _PROD_TEXT,
        },
        needs=((_PROD, "import './otel'"),),
    ),
    Case(
        "a Next.js server with certificates of its own",
        {**STARTER, _PROD: _TLS},
        needs=((_PROD, "readFileSync('key.pem')"),),
    ),
    Case(
        "a Next.js server that sets headers of its own",
        {
            **STARTER,
            _PROD: swap(
                _PROD_TEXT,
                (
                    "    if (!req.url) return;\n",
                    "    if (!req.url) return;\n    res.setHeader('X-Frame-Options', 'DENY');\n",
                ),
            ),
        },
        needs=((_PROD, "X-Frame-Options"),),
    ),
    Case(
        "a Next.js server with another WebSocket of its own",
        {**STARTER, _PROD: _GAME},
        needs=((_PROD, "socket.send("),),
    ),
    Case(
        "a server with a file of its own that writes to the database",
        {
            **T3,
            "src/server/audit.ts": """\
import { Client } from "pg";

export function startAudit() {
  const client = new Client({ connectionString: process.env.DATABASE_URL });
  void client.connect();
  client.on("notification", (event) => {
    void client.query("insert into audit (payload) values ($1)", [event.payload]);
  });
}
""",
            "src/server/ws-server.ts": swap(
                T3["src/server/ws-server.ts"],
                (
                    'import { createTRPCContext } from "~/server/api/trpc";\n',
                    'import { createTRPCContext } from "~/server/api/trpc";\n'
                    'import { startAudit } from "~/server/audit";\n',
                ),
                ('process.on("SIGTERM"', 'startAudit();\n\nprocess.on("SIGTERM"'),
            ),
        },
        needs=(("src/server/ws-server.ts", "startAudit();"),),
    ),
    Case(
        "a server whose sockets others reach through a global",
        {
            **T3,
            "src/server/ws-server.ts": T3["src/server/ws-server.ts"]
            + "\nObject.assign(globalThis, { sockets: wss });\n",
            "src/server/api/routers/chat.ts": swap(
                T3["src/server/api/routers/chat.ts"],
                (
                    ".mutation(({ input }) => `You said ${input.message}`)",
                    ".mutation(({ input }) => {\n"
                    "      for (const socket of globalThis.sockets.clients) {\n"
                    "        socket.send(input.message);\n"
                    "      }\n"
                    "      return `You said ${input.message}`;\n"
                    "    })",
                ),
            ),
            "src/global.d.ts": 'declare var sockets: import("ws").WebSocketServer;\n',
        },
        needs=(("src/server/ws-server.ts", "globalThis"),),
    ),
    Case(
        "a Next.js server whose sockets others reach through a global",
        {
            **STARTER,
            _PROD: swap(
                _PROD_TEXT,
                ("  server.listen(port);\n", "  (globalThis as any).sockets = wss;\n  server.listen(port);\n"),
            ),
            "src/global.d.ts": "declare var sockets: import('ws').WebSocketServer;\n",
        },
        needs=((_PROD, "(globalThis as any)"),),
    ),
    Case(
        "a server that is a bot too",
        {
            **T3,
            "src/server/ws-server.ts": swap(
                T3["src/server/ws-server.ts"],
                (
                    'import { WebSocketServer } from "ws";\n',
                    'import TelegramBot from "node-telegram-bot-api";\nimport { WebSocketServer } from "ws";\n',
                ),
                (
                    'process.on("SIGTERM"',
                    'const bot = new TelegramBot(process.env.BOT_TOKEN ?? "", { polling: true });\n'
                    'bot.on("message", (message) => {\n'
                    '  void bot.sendMessage(message.chat.id, "hello");\n'
                    "});\n\n"
                    'process.on("SIGTERM"',
                ),
            ),
        },
        needs=(("src/server/ws-server.ts", "bot.sendMessage"),),
    ),
    Case(
        "a server that does something every minute",
        {
            **T3,
            "src/server/sessions.ts": "export const dropOldSessions = () => Promise.resolve();\n",
            "src/server/ws-server.ts": swap(
                T3["src/server/ws-server.ts"],
                (
                    'import { createTRPCContext } from "~/server/api/trpc";\n',
                    'import { createTRPCContext } from "~/server/api/trpc";\n'
                    'import { dropOldSessions } from "~/server/sessions";\n',
                ),
                ('process.on("SIGTERM"', 'setInterval(() => void dropOldSessions(), 60_000);\n\nprocess.on("SIGTERM"'),
            ),
        },
        needs=(("src/server/ws-server.ts", "setInterval("),),
    ),
    # `next start` would listen on 3000.
    Case(
        "a Next.js server on a port of its own",
        {**STARTER, _PROD: swap(_PROD_TEXT, ("process.env.PORT || '3000'", "process.env.PORT || '8080'"))},
        needs=((_PROD, "'8080'"),),
    ),
)
