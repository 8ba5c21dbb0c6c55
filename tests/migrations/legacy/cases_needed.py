"""Apps that still need their WebSocket server, or that would break without it: refused, and not a byte changes."""

from __future__ import annotations

from tests.migrations.legacy.apps import (
    STARTER,
    STARTER_CLIENT,
    T3,
    T3_CLIENT,
    T3_SPLIT,
    swap,
    without,
)
from tests.migrations.legacy.cases import Case

_LATEST = """\
"use client";

import { useState } from "react";

import { api } from "~/trpc/react";

export function Latest() {
  const [text, setText] = useState("");
  api.chat.onMessage.useSubscription(undefined, { onData: setText });

  return <p>{text}</p>;
}
"""
LIVE_T3 = {"src/app/_components/latest.tsx": _LATEST}
_NEEDS_LATEST = (("src/app/_components/latest.tsx", "useSubscription"),)

_STARTER_PAGE = "src/pages/index.tsx"
LIVE_STARTER = {
    "src/server/routers/note.ts": STARTER["src/server/routers/note.ts"].replace(
        "export const noteRouter = router({\n",
        "export const noteRouter = router({\n"
        "  onAdd: publicProcedure.subscription(async function* () {\n"
        "    yield notes.length;\n"
        "  }),\n",
    ),
    _STARTER_PAGE: swap(
        STARTER[_STARTER_PAGE],
        (
            "\n  return (\n    <form",
            "  trpc.note.onAdd.useSubscription(undefined, {\n"
            "    onData: () => utils.note.list.invalidate(),\n"
            "  });\n\n  return (\n    <form",
        ),
    ),
}
_NEEDS_PAGE = ((_STARTER_PAGE, "useSubscription"),)

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
_JOBS = """\
export function startJobs() {
  setInterval(() => console.log('tidy up'), 60_000);
}
"""


def _t3_script(pair: tuple[str, str]) -> dict[str, str]:
    return {"package.json": swap(T3["package.json"], pair)}


_DEV = '"dev": "next dev --turbo"'

_LIVE_CLIENTS = (
    Case("a live subscription through splitLink", {**T3, **LIVE_T3}, needs=_NEEDS_LATEST),
    Case("a live subscription, everything over the WebSocket", {**STARTER, **LIVE_STARTER}, needs=_NEEDS_PAGE),
    Case(
        "a live subscription through the other side of splitLink",
        {
            **T3,
            **LIVE_T3,
            "src/trpc/react.tsx": swap(
                T3_CLIENT,
                ('op.type === "subscription"', 'op.type !== "subscription"'),
                ("          true: wsLink({", "          false: wsLink({"),
                ("          false: httpBatchStreamLink({", "          true: httpBatchStreamLink({"),
            ),
        },
        needs=_NEEDS_LATEST,
    ),
    Case(
        "a live subscription through a ternary",
        {
            **T3,
            **LIVE_T3,
            "src/trpc/react.tsx": swap(
                T3_CLIENT,
                (
                    T3_SPLIT,
                    """\
        typeof window === "undefined"
          ? httpBatchStreamLink({
              transformer: SuperJSON,
              url: `${getBaseUrl()}/api/trpc`,
            })
          : wsLink({ client: wsClient, transformer: SuperJSON }),
""",
                ),
                ("  splitLink,\n", ""),
            ),
        },
        needs=_NEEDS_LATEST,
    ),
    Case(
        "a live subscription through useSubscription of the options proxy",
        {
            **T3,
            "src/app/_components/latest.tsx": """\
"use client";

import { useSubscription } from "@trpc/tanstack-react-query";

import { useTRPC } from "~/trpc/react";

export function Latest() {
  const trpc = useTRPC();
  const { data } = useSubscription(trpc.chat.onMessage.subscriptionOptions());

  return <p>{data}</p>;
}
""",
            "src/trpc/react.tsx": swap(
                T3_CLIENT,
                ("  createWSClient,\n", "  createTRPCClient,\n  createWSClient,\n"),
                (
                    'import { createTRPCReact } from "@trpc/react-query";\n',
                    'import { createTRPCContext } from "@trpc/tanstack-react-query";\n',
                ),
                (
                    "export const api = createTRPCReact<AppRouter>();",
                    "export const { TRPCProvider, useTRPC } = createTRPCContext<AppRouter>();",
                ),
                ("api.createClient({", "createTRPCClient<AppRouter>({"),
                (
                    "<api.Provider client={trpcClient} queryClient={queryClient}>",
                    "<TRPCProvider trpcClient={trpcClient} queryClient={queryClient}>",
                ),
                ("</api.Provider>", "</TRPCProvider>"),
            ),
            "package.json": swap(T3["package.json"], ('"@trpc/react-query"', '"@trpc/tanstack-react-query"')),
            "src/app/_components/chat.tsx": T3["src/app/_components/chat.tsx"]
            .replace('import { api } from "~/trpc/react";', 'import { useTRPC } from "~/trpc/react";')
            .replace(
                "  const send = api.chat.sendMessage.useMutation({\n    onSuccess: (text) => setReply(text),\n  });\n",
                "  const trpc = useTRPC();\n"
                "  const send = useMutation(\n"
                "    trpc.chat.sendMessage.mutationOptions({ onSuccess: (text) => setReply(text) }),\n"
                "  );\n",
            )
            .replace(
                'import { useState } from "react";',
                'import { useMutation } from "@tanstack/react-query";\nimport { useState } from "react";',
            ),
        },
        needs=(("src/app/_components/latest.tsx", "subscriptionOptions"),),
    ),
    Case(
        "a client without React subscribes",
        {
            **T3,
            "src/lib/listen.ts": """\
import { createTRPCClient, createWSClient, wsLink } from "@trpc/client";
import SuperJSON from "superjson";

import type { AppRouter } from "~/server/api/root";

const client = createTRPCClient<AppRouter>({
  links: [
    wsLink({
      client: createWSClient({ url: "ws://localhost:3001" }),
      transformer: SuperJSON,
    }),
  ],
});

export const listen = (onData: (text: string) => void) =>
  client.chat.onMessage.subscribe(undefined, { onData });
""",
        },
        needs=(("src/lib/listen.ts", ".subscribe("),),
    ),
    Case(
        "a custom hook subscribes",
        {
            **T3,
            "src/hooks/use-latest.ts": """\
import { api } from "~/trpc/react";

export function useLatest(onData: (text: string) => void, enabled = true) {
  return api.chat.onMessage.useSubscription(undefined, {
    enabled,
    onData,
  });
}
""",
        },
        needs=(("src/hooks/use-latest.ts", "useSubscription"),),
    ),
    Case(
        "an extension beside the app subscribes",
        {
            **T3,
            "extension/background.ts": """\
import { createTRPCProxyClient, createWSClient, wsLink } from "@trpc/client";

import type { AppRouter } from "../src/server/api/root";

const socket = createWSClient({ url: "wss://live.example.com" });
const trpc = createTRPCProxyClient<AppRouter>({ links: [wsLink({ client: socket })] });

trpc.chat.onMessage.subscribe(undefined, {
  onData: (text) => console.log(text),
});
""",
        },
        needs=(("extension/background.ts", ".subscribe("),),
    ),
    # Written by hand against the same address: whatever it says there, it is to this server.
    Case(
        "a WebSocket of the browser's own to the same address",
        {
            **T3,
            "src/app/_components/pulse.tsx": """\
"use client";

import { useEffect } from "react";

import { env } from "~/env";

export function Pulse() {
  useEffect(() => {
    const socket = new WebSocket(env.NEXT_PUBLIC_WS_URL);
    return () => socket.close();
  }, []);

  return null;
}
""",
        },
        needs=(("src/app/_components/pulse.tsx", "new WebSocket("),),
    ),
    Case(
        "the socket is used beside the link",
        {
            **T3,
            "src/trpc/react.tsx": swap(T3_CLIENT, ("const wsClient =", "export const wsClient =")),
            "src/app/_components/online.tsx": """\
"use client";

import { wsClient } from "~/trpc/react";

export function Online() {
  return <button onClick={() => void wsClient.close()}>Go offline</button>;
}
""",
        },
        needs=(("src/app/_components/online.tsx", "import { wsClient }"),),
    ),
)

_UNREADABLE_CLIENTS = (
    Case(
        "links that come out of a function of another package",
        {
            **T3,
            "src/trpc/react.tsx": swap(
                T3_CLIENT,
                (
                    'import { useState } from "react";\n',
                    'import { makeLinks } from "@acme/links";\nimport { useState } from "react";\n',
                ),
                (
                    T3_CLIENT[T3_CLIENT.index("      links: [") : T3_CLIENT.index("    }),\n  );")],
                    "      links: makeLinks(wsClient),\n",
                ),
                ("  httpBatchStreamLink,\n  loggerLink,\n  splitLink,\n  wsLink,\n", ""),
            ),
        },
        needs=(("src/trpc/react.tsx", "links: makeLinks"),),
    ),
    Case(
        "a splitLink whose condition is not about subscriptions",
        {
            **T3,
            "src/trpc/react.tsx": swap(
                T3_CLIENT, ('(op) => op.type === "subscription"', "(op) => op.context.live === true")
            ),
        },
        needs=(("src/trpc/react.tsx", "op.context.live"),),
    ),
    # What stands there for the server cannot be asked for by a browser: APP_URL is not public.
    Case(
        "an HTTP link that only the server can use",
        {
            **STARTER,
            "src/utils/trpc.ts": swap(
                STARTER_CLIENT,
                ("url: `${APP_URL}/api/trpc`", "url: `${process.env.INTERNAL_URL}/api/trpc`"),
                ("const { APP_URL, WS_URL }", "const { WS_URL }"),
            ),
        },
        needs=(("src/utils/trpc.ts", "return wsLink("),),
    ),
    Case(
        "no HTTP link to put in its place",
        {
            **T3,
            "src/trpc/react.tsx": swap(
                T3_CLIENT,
                (T3_SPLIT, "        wsLink({ client: wsClient, transformer: SuperJSON }),\n"),
                ("  httpBatchStreamLink,\n", ""),
                ("  splitLink,\n", ""),
                (
                    """
function getBaseUrl() {
  if (typeof window !== "undefined") return window.location.origin;
  return `http://localhost:${process.env.PORT ?? 3000}`;
}
""",
                    "",
                ),
            ),
        },
        needs=(("src/trpc/react.tsx", "wsLink({"),),
    ),
    Case(
        "no route handler for queries and mutations",
        without(STARTER, "src/pages/api/trpc/[trpc].ts"),
        needs=(("src/utils/trpc.ts", "return wsLink("),),
    ),
)

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
    # `next start` would listen on 3000.
    Case(
        "a Next.js server on a port of its own",
        {**STARTER, _PROD: swap(_PROD_TEXT, ("process.env.PORT || '3000'", "process.env.PORT || '8080'"))},
        needs=((_PROD, "'8080'"),),
    ),
)

_RUN_ELSEWHERE = (
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
    # The image has no package.json and no Next.js of its own to start.
    Case(
        "a Docker image made of the server's build",
        {
            **STARTER,
            "Dockerfile": """\
FROM node:22-alpine AS build
WORKDIR /app
COPY . .
RUN npm ci && npm run build

FROM node:22-alpine
WORKDIR /app
COPY --from=build /app/.next ./.next
COPY --from=build /app/dist ./dist
COPY --from=build /app/node_modules ./node_modules
ENTRYPOINT ["node", "dist/server/prodServer.js"]
""",
        },
        needs=(("Dockerfile", "ENTRYPOINT"),),
    ),
    Case(
        "a Docker image of the WebSocket server alone",
        {
            **T3,
            "docker/ws.Dockerfile": """\
FROM node:22-alpine
WORKDIR /app
COPY . .
RUN npm ci
EXPOSE 3001
CMD ["npx", "tsx", "src/server/ws-server.ts"]
""",
        },
        needs=(("docker/ws.Dockerfile", "CMD"),),
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
)

NEEDED = (*_LIVE_CLIENTS, *_UNREADABLE_CLIENTS, *_SERVERS_THAT_DO_MORE, *_RUN_ELSEWHERE)
