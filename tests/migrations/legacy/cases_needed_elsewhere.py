"""Servers that do more, and places that run them and cannot be rewritten: refused, and not a byte changes."""

from __future__ import annotations

from tests.migrations.legacy.app_starter import STARTER
from tests.migrations.legacy.app_t3 import T3
from tests.migrations.legacy.apps import swap, without
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
ROUTE = """\
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import type { NextApiRequest, NextApiResponse } from "next";
import { WebSocketServer } from "ws";

import { appRouter } from "~/server/api/root";
import { createTRPCContext } from "~/server/api/trpc";

let wss: WebSocketServer | undefined;

export default function handler(_req: NextApiRequest, res: NextApiResponse) {
  if (!wss) {
    wss = new WebSocketServer({ port: 3001 });
    applyWSSHandler({
      wss,
      router: appRouter,
      createContext: () => createTRPCContext({ headers: new Headers() }),
    });
  }
  res.end();
}
"""

WS_IMAGE = """\
FROM node:22-alpine
WORKDIR /app
COPY . .
RUN npm ci
EXPOSE 3001
CMD ["npx", "tsx", "src/server/ws-server.ts"]
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


def _t3_script(pair: tuple[str, str]) -> dict[str, str]:
    return {"package.json": swap(T3["package.json"], pair)}


_DEV = '"dev": "next dev --turbo"'

_SERVERS_THAT_DO_MORE = (
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

_RUN_ELSEWHERE = (
    Case(
        "a route of Next.js that starts the server is asked for",
        {
            **without(T3, "src/server/ws-server.ts"),
            "src/pages/api/socket.ts": ROUTE,
            "src/lib/wake.ts": 'export const wake = () => fetch("/api/socket");\n',
        },
        needs=(("src/lib/wake.ts", "/api/socket"),),
    ),
    Case(
        "a shell script runs the server",
        {
            **T3,
            **_t3_script((_DEV, '"dev": "./scripts/dev.sh"')),
            "scripts/dev.sh": "#!/bin/sh\nset -e\nnpx tsx watch src/server/ws-server.ts &\nnpx next dev --turbo\n",
        },
        needs=(("scripts/dev.sh", "src/server/ws-server.ts"),),
    ),
    Case(
        "a script runs a script that is gone then",
        {
            **T3,
            **_t3_script((_DEV, '"dev": "node scripts/dev.mjs"')),
            "scripts/dev.mjs": """\
import { spawn } from "node:child_process";

for (const name of ["dev:ws", "dev:next"]) {
  spawn("npm", ["run", name], { stdio: "inherit" });
}
""",
        },
        needs=(("scripts/dev.mjs", '"dev:ws"'),),
    ),
    Case(
        "a script of Windows runs the server's script",
        {**T3, **_t3_script((_DEV, '"dev": "start /b npm run dev:ws & next dev --turbo"'))},
        needs=(("package.json", "start /b"),),
    ),
    Case(
        "a command that is not understood runs the server",
        {**T3, **_t3_script((_DEV, '"dev": "overmind start -f <(echo \'ws: tsx src/server/ws-server.ts\')"'))},
        needs=(("package.json", "overmind"),),
    ),
    Case(
        "the server's file is imported",
        {
            **T3,
            "src/server/ws-server.ts": T3["src/server/ws-server.ts"]
            + "\nexport const connections = () => wss.clients.size;\n",
            "src/server/api/routers/chat.ts": swap(
                T3["src/server/api/routers/chat.ts"],
                (
                    'import { createTRPCRouter, publicProcedure } from "~/server/api/trpc";\n',
                    'import { createTRPCRouter, publicProcedure } from "~/server/api/trpc";\n'
                    'import { connections } from "~/server/ws-server";\n',
                ),
                ("  onMessage:", "  online: publicProcedure.query(() => connections()),\n\n  onMessage:"),
            ),
        },
        needs=(("src/server/api/routers/chat.ts", "~/server/ws-server"),),
    ),
    Case(
        "a test imports the server",
        {
            **T3,
            "tests/ws-server.test.ts": """\
import { expect, test } from "vitest";

test("the server starts", async () => {
  await expect(import("../src/server/ws-server")).resolves.toBeDefined();
});
""",
        },
        needs=(("tests/ws-server.test.ts", "../src/server/ws-server"),),
    ),
    Case(
        "a test subscribes over the server",
        {
            **T3,
            "tests/chat.test.ts": """\
import { createTRPCClient, createWSClient, wsLink } from "@trpc/client";
import { expect, test } from "vitest";

import type { AppRouter } from "../src/server/api/root";

test("messages come", async () => {
  const socket = createWSClient({ url: "ws://localhost:3001" });
  const client = createTRPCClient<AppRouter>({ links: [wsLink({ client: socket })] });
  const text = await new Promise((resolve) =>
    client.chat.onMessage.subscribe(undefined, { onData: resolve }),
  );
  expect(text).toBe("hello");
});
""",
        },
        needs=(("tests/chat.test.ts", ".subscribe("),),
    ),
    Case(
        "Playwright starts the server",
        {
            **T3,
            "playwright.config.ts": """\
import { defineConfig } from "@playwright/test";

export default defineConfig({
  webServer: [
    { command: "npm run dev", url: "http://localhost:3000" },
    { command: "npm run dev:ws", port: 3001 },
  ],
});
""",
        },
        needs=(("playwright.config.ts", "npm run dev:ws"),),
    ),
    # Node.js is all that it can run, and it takes a file.
    Case(
        "a Docker image without a shell",
        {
            **STARTER,
            "Dockerfile": """\
FROM node:22-alpine AS build
WORKDIR /app
COPY . .
RUN npm ci && npm run build

FROM gcr.io/distroless/nodejs22-debian12
WORKDIR /app
COPY --from=build /app /app
CMD ["dist/server/prodServer.js"]
""",
        },
        needs=(("Dockerfile", "CMD"),),
    ),
    Case(
        "a Docker image of the server's build alone",
        {
            **STARTER,
            "Dockerfile": """\
FROM node:22-alpine AS build
WORKDIR /app
COPY . .
RUN npm ci && npm run build

FROM node:22-alpine
WORKDIR /app
COPY --from=build /app/dist ./dist
COPY --from=build /app/node_modules ./node_modules
CMD ["node", "dist/server/prodServer.js"]
""",
        },
        needs=(("Dockerfile", "CMD"),),
    ),
    Case(
        "a Docker image whose start is a variable",
        {
            **STARTER,
            "Dockerfile": """\
FROM node:22-alpine
WORKDIR /app
COPY . .
RUN npm ci && npm run build
ENV SERVER=dist/server/prodServer.js
CMD node $SERVER
""",
        },
        needs=(("Dockerfile", "ENV SERVER"),),
    ),
    Case(
        "a Docker image that starts with a script",
        {
            **STARTER,
            "Dockerfile": """\
FROM node:22-alpine
WORKDIR /app
COPY . .
RUN npm ci && npm run build
ENTRYPOINT ["./docker-entrypoint.sh"]
""",
            "docker-entrypoint.sh": "#!/bin/sh\nnpx prisma migrate deploy\nexec node dist/server/prodServer.js\n",
        },
        needs=(("docker-entrypoint.sh", "exec node"),),
    ),
    Case(
        "a workflow publishes a Docker image of the WebSocket server",
        {
            **T3,
            "docker/ws.Dockerfile": WS_IMAGE,
            ".github/workflows/publish.yml": """\
on: [push]
jobs:
  ws:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: docker build -f docker/ws.Dockerfile -t registry.example.com/ws .
      - run: docker push registry.example.com/ws
""",
        },
        needs=(("docker/ws.Dockerfile", "CMD"),),
    ),
    Case(
        "IIS runs the server",
        {
            **STARTER,
            "web.config": """\
<configuration>
  <system.webServer>
    <handlers>
      <add name="iisnode" path="dist/server/prodServer.js" verb="*" modules="iisnode" />
    </handlers>
  </system.webServer>
</configuration>
""",
        },
        needs=(("web.config", "prodServer.js"),),
    ),
    Case(
        "App Engine runs the server",
        {**STARTER, "app.yaml": "runtime: nodejs22\nentrypoint: node dist/server/prodServer.js\n"},
        needs=(("app.yaml", "entrypoint"),),
    ),
    Case(
        "a systemd unit runs the server",
        {
            **STARTER,
            "deploy/tidewater.service": """\
[Unit]
Description=tidewater

[Service]
WorkingDirectory=/srv/tidewater
ExecStart=/usr/bin/node dist/server/prodServer.js
Restart=always
""",
        },
        needs=(("deploy/tidewater.service", "ExecStart"),),
    ),
    Case(
        "a Makefile runs the server",
        {**T3, "Makefile": "dev:\n\tnpm run dev:ws & npm run dev\n"},
        needs=(("Makefile", "npm run dev:ws"),),
    ),
    Case(
        "a git hook builds the server",
        {**STARTER, ".husky/pre-push": "npm run lint\nnpm run build:2-server\n"},
        needs=((".husky/pre-push", "build:2-server"),),
    ),
    Case(
        "a Kubernetes deployment runs the server's build",
        {
            **STARTER,
            "k8s/web.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: tidewater
spec:
  template:
    spec:
      containers:
        - name: web
          image: registry.example.com/tidewater
          command: ["node", "dist/server/prodServer.js"]
""",
        },
        needs=(("k8s/web.yaml", "command:"),),
    ),
    Case(
        "the start script runs the server many times",
        {
            **STARTER,
            "package.json": swap(
                STARTER["package.json"],
                (
                    "cross-env NODE_ENV=production node dist/server/prodServer.js",
                    "pm2-runtime start dist/server/prodServer.js -i max",
                ),
            ),
        },
        needs=(("package.json", "pm2-runtime"),),
    ),
)

NEEDED_ELSEWHERE = (*_SERVERS_THAT_DO_MORE, *_RUN_ELSEWHERE)
