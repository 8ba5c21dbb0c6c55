"""Apps in which there is nothing to remove: not a byte changes, and nothing is told."""

from __future__ import annotations

from tests.migrations.legacy.app_t3 import T3, T3_CLIENT, T3_ENV_AFTER, T3_HTTP_CLIENT, plain_t3
from tests.migrations.legacy.apps import swap, without
from tests.migrations.legacy.cases import Case

_RAW_SERVER = """\
import { WebSocketServer } from "ws";

const wss = new WebSocketServer({ port: 3001 });

wss.on("connection", (socket) => {
  socket.on("message", (data) => {
    for (const client of wss.clients) {
      client.send(data.toString());
    }
  });
});
"""
_RAW_CLIENT = """\
"use client";

import { useEffect, useState } from "react";

import { env } from "~/env";

export function Presence() {
  const [count, setCount] = useState(0);

  useEffect(() => {
    const socket = new WebSocket(env.NEXT_PUBLIC_WS_URL);
    socket.onmessage = () => setCount((before) => before + 1);
    return () => socket.close();
  }, []);

  return <p>{count}</p>;
}
"""
_SOCKET_IO_SERVER = """\
import { createServer } from "node:http";
import next from "next";
import { Server } from "socket.io";

const app = next({ dev: process.env.NODE_ENV !== "production" });

void app.prepare().then(() => {
  const server = createServer(app.getRequestHandler());
  const io = new Server(server);
  io.on("connection", (socket) => {
    socket.on("say", (text: string) => io.emit("said", text));
  });
  server.listen(3000);
});
"""
_NO_TRPC = {
    "package.json": """\
{
  "name": "plain",
  "private": true,
  "scripts": {
    "dev": "concurrently \\"next dev\\" \\"node ws-server.js\\"",
    "start": "next start"
  },
  "dependencies": {
    "next": "^15.2.3",
    "react": "^19.0.0",
    "react-dom": "^19.0.0",
    "ws": "^8.18.0"
  },
  "devDependencies": {
    "concurrently": "^9.1.2"
  }
}
""",
    "ws-server.js": """\
const { WebSocketServer } = require("ws");

const wss = new WebSocketServer({ port: process.env.WS_PORT });
wss.on("connection", (socket) => socket.send("hello"));
""",
    "pages/index.js": "export default function Home() {\n  return <p>hello</p>;\n}\n",
    ".env": "WS_PORT=3001\n# WS_URL=ws://localhost:3001\n",
}

# A raw server has the names, the scripts and the keys that a tRPC one would have.
_RAW = {
    **T3,
    "src/trpc/react.tsx": T3_HTTP_CLIENT,
    "src/server/ws-server.ts": _RAW_SERVER,
    "src/app/_components/presence.tsx": _RAW_CLIENT,
}

UNTOUCHED = (
    Case("no tRPC, a ws server of its own", _NO_TRPC),
    Case("tRPC over HTTP alone", plain_t3()),
    Case("a raw ws server called ws-server.ts", _RAW),
    Case(
        "a raw ws server that is commented out",
        {**_RAW, "src/server/ws-server.ts": "".join(f"// {line}\n" for line in _RAW_SERVER.splitlines())},
    ),
    Case(
        "socket.io on a Next.js server of the app's own",
        {
            **plain_t3(),
            "server.ts": _SOCKET_IO_SERVER,
            "package.json": swap(
                T3["package.json"],
                ('"dev": "next dev --turbo"', '"dev": "tsx watch server.ts"'),
                ('"start": "next start"', '"start": "NODE_ENV=production tsx server.ts"'),
                ('    "dev:ws": "tsx watch src/server/ws-server.ts",\n', ""),
                ('    "superjson": "^2.2.1",\n    "ws": "^8.18.0",\n', '    "socket.io": "^4.8.1",\n'),
                ('    "@types/ws": "^8.18.0",\n', ""),
            ),
        },
    ),
    Case(
        "ws as the client of another service",
        {
            **plain_t3(),
            "package.json": T3["package.json"].replace('    "dev:ws": "tsx watch src/server/ws-server.ts",\n', ""),
            "src/env.js": T3_ENV_AFTER,
            "src/server/quotes.ts": """\
import WebSocket from "ws";

export const quotes = () => new WebSocket("wss://quotes.example.com/stream");
""",
        },
    ),
    Case(
        "the adapter is only spoken of",
        {
            **plain_t3(),
            "docs/ideas.md": "We could stream with `applyWSSHandler` of `@trpc/server/adapters/ws` one day.\n",
            "src/server/api/root.ts": T3["src/server/api/root.ts"].replace(
                "export type", "// TODO: hand this to applyWSSHandler and a WebSocketServer?\nexport type"
            ),
        },
    ),
    Case(
        "subscriptions as server-sent events",
        {
            **plain_t3(),
            "src/trpc/react.tsx": swap(
                T3_CLIENT,
                ("  createWSClient,\n", ""),
                ("  httpBatchStreamLink,\n", "  httpBatchStreamLink,\n  httpSubscriptionLink,\n"),
                ("  splitLink,\n  wsLink,\n", "  splitLink,\n"),
                ('import { env } from "~/env";\n', ""),
                ("const wsClient = createWSClient({\n  url: env.NEXT_PUBLIC_WS_URL,\n});\n\n", ""),
                (
                    "wsLink({\n            client: wsClient,\n            transformer: SuperJSON,\n",
                    "httpSubscriptionLink({\n            transformer: SuperJSON,\n"
                    "            url: `${getBaseUrl()}/api/trpc`,\n",
                ),
            ),
            "src/app/_components/latest.tsx": """\
"use client";

import { useState } from "react";

import { api } from "~/trpc/react";

export function Latest() {
  const [text, setText] = useState("");
  api.chat.onMessage.useSubscription(undefined, { onData: setText });

  return <p>{text}</p>;
}
""",
        },
    ),
    Case(
        "another library's createWSClient",
        {
            **without(plain_t3(), "src/app/_components/chat.tsx"),
            "src/app/_components/chat.tsx": """\
"use client";

import { useEffect } from "react";

import { createWSClient } from "~/lib/socket";

export function Chat() {
  useEffect(() => createWSClient({ url: "wss://chat.example.com" }).close, []);
  return null;
}
""",
            "src/lib/socket.ts": """\
export function createWSClient({ url }: { url: string }) {
  const socket = new WebSocket(url);
  return { close: () => socket.close() };
}
""",
        },
    ),
)
