"""Places that run the server, need it or are made of it, and cannot be rewritten: refused, and not a byte changes."""

from __future__ import annotations

from tests.migrations.legacy.app_starter import STARTER
from tests.migrations.legacy.app_t3 import T3
from tests.migrations.legacy.apps import swap, without
from tests.migrations.legacy.cases import Case

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


def _t3_script(pair: tuple[str, str]) -> dict[str, str]:
    return {"package.json": swap(T3["package.json"], pair)}


_DEV = '"dev": "next dev --turbo"'

NEEDED_ELSEWHERE = (
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
import superjson from "superjson";
import { expect, test } from "vitest";

import type { AppRouter } from "../src/server/api/root";

test("messages come", async () => {
  const socket = createWSClient({ url: "ws://localhost:3001" });
  const client = createTRPCClient<AppRouter>({ links: [wsLink({ client: socket, transformer: superjson })] });
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
