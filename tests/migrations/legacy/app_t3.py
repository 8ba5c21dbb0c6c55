"""An app of the T3 stack, as text, and what is left of it: app router, a WebSocket server beside Next.js, to which the
browser sends subscriptions alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.migrations.legacy.app_starter import STARTER
from tests.migrations.legacy.apps import swap, without

if TYPE_CHECKING:
    from tests.migrations.legacy.apps import Texts

T3: Texts = {
    "package.json": """\
{
  "name": "lantern",
  "version": "0.1.0",
  "private": true,
  "type": "module",
  "scripts": {
    "build": "next build",
    "dev": "next dev --turbo",
    "dev:ws": "tsx watch src/server/ws-server.ts",
    "start": "next start",
    "typecheck": "tsc --noEmit"
  },
  "dependencies": {
    "@t3-oss/env-nextjs": "^0.12.0",
    "@tanstack/react-query": "^5.69.0",
    "@trpc/client": "^11.0.0",
    "@trpc/react-query": "^11.0.0",
    "@trpc/server": "^11.0.0",
    "next": "^15.2.3",
    "react": "^19.0.0",
    "react-dom": "^19.0.0",
    "superjson": "^2.2.1",
    "ws": "^8.18.0",
    "zod": "^3.24.2"
  },
  "devDependencies": {
    "@types/node": "^20.14.10",
    "@types/react": "^19.0.0",
    "@types/ws": "^8.18.0",
    "tsx": "^4.19.3",
    "typescript": "^5.8.2"
  }
}
""",
    "tsconfig.json": swap(STARTER["tsconfig.json"], ('"strict": true,', '"strict": true,\n    "allowJs": true,')),
    ".gitignore": "/node_modules\n/.next/\nnext-env.d.ts\n*.tsbuildinfo\n",
    ".env.example": """\
# Copy this file to ".env" and fill it in.

OPENAI_API_KEY=""
NEXT_PUBLIC_WS_URL="ws://localhost:3001"
""",
    "next.config.js": """\
import "./src/env.js";

/** @type {import("next").NextConfig} */
const config = {};

export default config;
""",
    "src/env.js": """\
import { createEnv } from "@t3-oss/env-nextjs";
import { z } from "zod";

export const env = createEnv({
  server: {
    NODE_ENV: z.enum(["development", "test", "production"]),
    OPENAI_API_KEY: z.string(),
  },
  client: {
    NEXT_PUBLIC_SITE_NAME: z.string().optional(),
    NEXT_PUBLIC_WS_URL: z.string().url(),
  },
  runtimeEnv: {
    NODE_ENV: process.env.NODE_ENV,
    OPENAI_API_KEY: process.env.OPENAI_API_KEY,
    NEXT_PUBLIC_SITE_NAME: process.env.NEXT_PUBLIC_SITE_NAME,
    NEXT_PUBLIC_WS_URL: process.env.NEXT_PUBLIC_WS_URL,
  },
  skipValidation: !!process.env.SKIP_ENV_VALIDATION,
  emptyStringAsUndefined: true,
});
""",
    "src/app/api/trpc/[trpc]/route.ts": """\
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import type { NextRequest } from "next/server";

import { appRouter } from "~/server/api/root";
import { createTRPCContext } from "~/server/api/trpc";

const handler = (req: NextRequest) =>
  fetchRequestHandler({
    endpoint: "/api/trpc",
    req,
    router: appRouter,
    createContext: () => createTRPCContext({ headers: req.headers }),
  });

export { handler as GET, handler as POST };
""",
    "src/app/layout.tsx": """\
import { TRPCReactProvider } from "~/trpc/react";

export default function RootLayout({
  children,
}: Readonly<{ children: React.ReactNode }>) {
  return (
    <html lang="en">
      <body>
        <TRPCReactProvider>{children}</TRPCReactProvider>
      </body>
    </html>
  );
}
""",
    "src/app/page.tsx": """\
import { Chat } from "./_components/chat";

export default function Home() {
  return <Chat />;
}
""",
    "src/app/_components/chat.tsx": """\
"use client";

import { useState } from "react";

import { api } from "~/trpc/react";

export function Chat() {
  const [reply, setReply] = useState("");
  const send = api.chat.sendMessage.useMutation({
    onSuccess: (text) => setReply(text),
  });

  return (
    <main>
      <button type="button" onClick={() => send.mutate({ message: "hello" })}>
        Send
      </button>
      <p>{reply}</p>
    </main>
  );
}
""",
    "src/server/api/trpc.ts": """\
import { initTRPC } from "@trpc/server";
import superjson from "superjson";

export const createTRPCContext = async (opts: { headers: Headers }) => {
  return { ...opts };
};

const t = initTRPC.context<typeof createTRPCContext>().create({
  transformer: superjson,
});

export const createTRPCRouter = t.router;
export const publicProcedure = t.procedure;
""",
    "src/server/api/root.ts": """\
import { chatRouter } from "~/server/api/routers/chat";
import { createTRPCRouter } from "~/server/api/trpc";

export const appRouter = createTRPCRouter({
  chat: chatRouter,
});

export type AppRouter = typeof appRouter;
""",
    "src/server/api/routers/chat.ts": """\
import { z } from "zod";

import { createTRPCRouter, publicProcedure } from "~/server/api/trpc";

export const chatRouter = createTRPCRouter({
  sendMessage: publicProcedure
    .input(z.object({ message: z.string() }))
    .mutation(({ input }) => `You said ${input.message}`),

  onMessage: publicProcedure.subscription(async function* () {
    yield "hello";
  }),
});
""",
    "src/server/ws-server.ts": """\
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import { WebSocketServer } from "ws";

import { appRouter } from "~/server/api/root";
import { createTRPCContext } from "~/server/api/trpc";

const wss = new WebSocketServer({ port: 3001 });

const handler = applyWSSHandler({
  wss,
  router: appRouter,
  createContext: ({ req }) =>
    createTRPCContext({ headers: new Headers(req.headers as HeadersInit) }),
});

process.on("SIGTERM", () => {
  handler.broadcastReconnectNotification();
  wss.close();
});
""",
    "src/trpc/query-client.ts": """\
import { QueryClient } from "@tanstack/react-query";

export const createQueryClient = () => new QueryClient();
""",
    "src/trpc/react.tsx": """\
"use client";

import { QueryClientProvider } from "@tanstack/react-query";
import {
  createWSClient,
  httpBatchStreamLink,
  loggerLink,
  splitLink,
  wsLink,
} from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import { useState } from "react";
import SuperJSON from "superjson";

import { env } from "~/env";
import type { AppRouter } from "~/server/api/root";
import { createQueryClient } from "./query-client";

export const api = createTRPCReact<AppRouter>();

const wsClient = createWSClient({
  url: env.NEXT_PUBLIC_WS_URL,
});

export function TRPCReactProvider(props: { children: React.ReactNode }) {
  const [queryClient] = useState(createQueryClient);
  const [trpcClient] = useState(() =>
    api.createClient({
      links: [
        loggerLink({
          enabled: (op) => op.direction === "down" && op.result instanceof Error,
        }),
        splitLink({
          condition: (op) => op.type === "subscription",
          true: wsLink({
            client: wsClient,
            transformer: SuperJSON,
          }),
          false: httpBatchStreamLink({
            transformer: SuperJSON,
            url: `${getBaseUrl()}/api/trpc`,
            headers: () => {
              const headers = new Headers();
              headers.set("x-trpc-source", "nextjs-react");
              return headers;
            },
          }),
        }),
      ],
    }),
  );

  return (
    <QueryClientProvider client={queryClient}>
      <api.Provider client={trpcClient} queryClient={queryClient}>
        {props.children}
      </api.Provider>
    </QueryClientProvider>
  );
}

function getBaseUrl() {
  if (typeof window !== "undefined") return window.location.origin;
  return `http://localhost:${process.env.PORT ?? 3000}`;
}
""",
}

T3_CLIENT = T3["src/trpc/react.tsx"]
T3_SPLIT = T3_CLIENT[T3_CLIENT.index("        splitLink({") : T3_CLIENT.index("      ],\n")]
T3_HTTP = """\
        httpBatchStreamLink({
          transformer: SuperJSON,
          url: `${getBaseUrl()}/api/trpc`,
          headers: () => {
            const headers = new Headers();
            headers.set("x-trpc-source", "nextjs-react");
            return headers;
          },
        }),
"""
_T3_IMPORTS = T3_CLIENT[T3_CLIENT.index("import {\n") : T3_CLIENT.index("import { createTRPCReact }")]
_T3_SOCKET = "const wsClient = createWSClient({\n  url: env.NEXT_PUBLIC_WS_URL,\n});\n\n"
_T3_ENV = 'import { env } from "~/env";\n'
T3_CLIENT_AFTER = swap(
    T3_CLIENT,
    (_T3_IMPORTS, 'import { httpBatchStreamLink, loggerLink } from "@trpc/client";\n'),
    (_T3_ENV, ""),
    (_T3_SOCKET, ""),
    (T3_SPLIT, T3_HTTP),
)
# The client that never knew a WebSocket, or no longer does.
T3_HTTP_CLIENT = T3_CLIENT_AFTER

T3_PACKAGE_AFTER = swap(
    T3["package.json"],
    ('    "dev:ws": "tsx watch src/server/ws-server.ts",\n', ""),
    ('    "ws": "^8.18.0",\n', ""),
    ('    "@types/ws": "^8.18.0",\n', ""),
    ('    "tsx": "^4.19.3",\n', ""),
)
T3_ENV_AFTER = swap(
    T3["src/env.js"],
    ("    NEXT_PUBLIC_WS_URL: z.string().url(),\n", ""),
    ("    NEXT_PUBLIC_WS_URL: process.env.NEXT_PUBLIC_WS_URL,\n", ""),
)

# What becomes of the whole of T3.
T3_AFTER: dict[str, str | None] = {
    "package.json": T3_PACKAGE_AFTER,
    ".env.example": swap(T3[".env.example"], ('NEXT_PUBLIC_WS_URL="ws://localhost:3001"\n', "")),
    "src/env.js": T3_ENV_AFTER,
    "src/server/ws-server.ts": None,
    "src/trpc/react.tsx": T3_CLIENT_AFTER,
}


def plain_t3() -> Texts:
    """The T3 app with nothing of a WebSocket server in it."""
    return without(
        {**T3, **{path: text for path, text in T3_AFTER.items() if text is not None}}, "src/server/ws-server.ts"
    )
