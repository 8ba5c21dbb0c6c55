"""Small whole apps with a tRPC WebSocket server, as text: what the cases of the cleanup are made from.

`STARTER` is of the shape of tRPC's own starter: pages router, a server for development and one for production that is
the whole Next.js server too, every operation over the WebSocket. `T3` is an app router app whose subscriptions alone
went that way. `first_user` is the app that chatops was first made for, as its migrations leave it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from migrations.catalogue import all_migrations
from migrations.engine import AppView, make_plan
from migrations.hints import AppHints
from tests.apps.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Mapping

Texts: TypeAlias = "dict[str, str]"

_LOCKS = ("package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock")


def swap(text: str, *pairs: tuple[str, str]) -> str:
    """`text` with each first text, which it has exactly once, replaced by the second."""
    for old, new in pairs:
        assert text.count(old) == 1, f"{text.count(old)} of {old!r} in:\n{text}"
        text = text.replace(old, new)
    return text


def drop(text: str, *marks: str) -> str:
    """`text` without the lines that hold these marks; exactly one line holds each."""
    lines = text.splitlines(keepends=True)
    for mark in marks:
        found = [line for line in lines if mark in line]
        assert len(found) == 1, f"{len(found)} lines with {mark!r} in:\n{text}"
        lines.remove(found[0])
    return "".join(lines)


def without(files: Mapping[str, str], *paths: str) -> Texts:
    """The app without these files, each of which it has."""
    assert set(paths) <= set(files), paths
    return {path: text for path, text in files.items() if path not in paths}


def first_user(variant: str = "npm", *, migrated: bool = True) -> Texts:
    """The first user's app, with the five migrations that bring streaming back or before them; without lock files."""
    view = AppView.of_files({path: data for path, data in VARIANTS[variant]().items() if path not in _LOCKS})
    if migrated:
        view = make_plan(view, all_migrations(AppHints())[:5]).after
    return {path: (view.read(path) or b"").decode() for path in view.paths}


# --- the starter's shape

STARTER: Texts = {
    "package.json": """\
{
  "name": "tidewater",
  "version": "1.0.0",
  "private": true,
  "scripts": {
    "build:1-next": "cross-env NODE_ENV=production next build",
    "build:2-server": "tsc --project tsconfig.server.json",
    "build": "run-s build:*",
    "dev:wss": "cross-env PORT=3001 tsx watch src/server/wssDevServer.ts --tsconfig tsconfig.server.json",
    "dev:next": "next dev",
    "dev": "run-p dev:*",
    "start": "cross-env NODE_ENV=production node dist/server/prodServer.js",
    "lint": "eslint src"
  },
  "dependencies": {
    "@tanstack/react-query": "^5.90.0",
    "@trpc/client": "^11.4.0",
    "@trpc/next": "^11.4.0",
    "@trpc/react-query": "^11.4.0",
    "@trpc/server": "^11.4.0",
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
    "cross-env": "^7.0.3",
    "eslint": "^9.26.0",
    "npm-run-all": "^4.1.5",
    "tsx": "^4.19.3",
    "typescript": "^5.8.2"
  }
}
""",
    "tsconfig.json": """\
{
  "compilerOptions": {
    "target": "es2022",
    "lib": ["dom", "dom.iterable", "ES2022"],
    "module": "ESNext",
    "moduleResolution": "Bundler",
    "jsx": "preserve",
    "strict": true,
    "noEmit": true,
    "skipLibCheck": true,
    "isolatedModules": true,
    "esModuleInterop": true,
    "baseUrl": ".",
    "paths": { "~/*": ["./src/*"] }
  },
  "include": ["next-env.d.ts", "**/*.ts", "**/*.tsx"],
  "exclude": ["node_modules"]
}
""",
    "tsconfig.server.json": """\
{
  "extends": "./tsconfig.json",
  "compilerOptions": {
    "module": "CommonJS",
    "moduleResolution": "node",
    "outDir": "dist",
    "noEmit": false,
    "isolatedModules": false
  },
  "include": ["src/server/**/*.ts"]
}
""",
    "next.config.js": """\
/** @type {import("next").NextConfig} */
module.exports = {
  publicRuntimeConfig: {
    APP_URL: process.env.APP_URL,
    WS_URL: process.env.WS_URL,
  },
  reactStrictMode: true,
};
""",
    ".env": """\
DATABASE_URL="postgresql://postgres:@localhost:5432/tidewater"
APP_URL="http://localhost:3000"
WS_URL="ws://localhost:3001"
""",
    ".gitignore": "node_modules\n.next\ndist\nnext-env.d.ts\n",
    "src/pages/_app.tsx": """\
import type { AppType } from 'next/app';
import { trpc } from '~/utils/trpc';

const App: AppType = ({ Component, pageProps }) => {
  return <Component {...pageProps} />;
};

export default trpc.withTRPC(App);
""",
    "src/pages/index.tsx": """\
import { useState } from 'react';
import { trpc } from '~/utils/trpc';

export default function IndexPage() {
  const utils = trpc.useUtils();
  const [text, setText] = useState('');
  const notes = trpc.note.list.useQuery();
  const add = trpc.note.add.useMutation({
    onSuccess: () => utils.note.list.invalidate(),
  });

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        add.mutate({ text });
        setText('');
      }}
    >
      {notes.data?.map((note) => <p key={note.id}>{note.text}</p>)}
      <input value={text} onChange={(event) => setText(event.target.value)} />
    </form>
  );
}
""",
    "src/pages/api/trpc/[trpc].ts": """\
import * as trpcNext from '@trpc/server/adapters/next';
import { createContext } from '~/server/context';
import { appRouter } from '~/server/routers/_app';

export default trpcNext.createNextApiHandler({
  router: appRouter,
  createContext,
});
""",
    "src/server/context.ts": """\
import type * as trpcNext from '@trpc/server/adapters/next';
import type { NodeHTTPCreateContextFnOptions } from '@trpc/server/adapters/node-http';
import type { IncomingMessage } from 'http';
import type ws from 'ws';
import { readSession } from './session';

/**
 * Creates the context of a request.
 */
export const createContext = async (
  opts:
    | NodeHTTPCreateContextFnOptions<IncomingMessage, ws>
    | trpcNext.CreateNextContextOptions,
) => {
  const session = readSession(opts.req.headers.cookie);

  return { session };
};

export type Context = Awaited<ReturnType<typeof createContext>>;
""",
    "src/server/session.ts": """\
export function readSession(cookie: string | undefined) {
  const user = /user=(\\w+)/.exec(cookie ?? '')?.[1];
  return user ? { user } : null;
}
""",
    "src/server/trpc.ts": """\
import { initTRPC } from '@trpc/server';
import superjson from 'superjson';
import type { Context } from './context';

const t = initTRPC.context<Context>().create({ transformer: superjson });

export const router = t.router;
export const publicProcedure = t.procedure;
""",
    "src/server/routers/_app.ts": """\
import { publicProcedure, router } from '../trpc';
import { noteRouter } from './note';

export const appRouter = router({
  healthcheck: publicProcedure.query(() => 'yay!'),
  note: noteRouter,
});

export type AppRouter = typeof appRouter;
""",
    "src/server/routers/note.ts": """\
import { z } from 'zod';
import { publicProcedure, router } from '../trpc';

const notes: { id: number; text: string }[] = [];

export const noteRouter = router({
  list: publicProcedure.query(() => notes),
  add: publicProcedure
    .input(z.object({ text: z.string().min(1) }))
    .mutation(({ input }) => {
      const note = { id: notes.length, text: input.text };
      notes.push(note);
      return note;
    }),
});
""",
    "src/server/wssDevServer.ts": """\
import { applyWSSHandler } from '@trpc/server/adapters/ws';
import { WebSocketServer } from 'ws';
import { createContext } from './context';
import { appRouter } from './routers/_app';

const wss = new WebSocketServer({ port: 3001 });
const handler = applyWSSHandler({ wss, router: appRouter, createContext });

wss.on('connection', (socket) => {
  console.log(`+ connection (${wss.clients.size})`);
  socket.once('close', () => {
    console.log(`- connection (${wss.clients.size})`);
  });
});
console.log('WebSocket server on ws://localhost:3001');

process.on('SIGTERM', () => {
  handler.broadcastReconnectNotification();
  wss.close();
});
""",
    "src/server/prodServer.ts": """\
import { applyWSSHandler } from '@trpc/server/adapters/ws';
import { createServer } from 'http';
import next from 'next';
import { parse } from 'url';
import { WebSocketServer } from 'ws';
import { createContext } from './context';
import { appRouter } from './routers/_app';

const port = parseInt(process.env.PORT || '3000', 10);
const dev = process.env.NODE_ENV !== 'production';
const app = next({ dev });
const handle = app.getRequestHandler();

void app.prepare().then(() => {
  const server = createServer(async (req, res) => {
    if (!req.url) return;
    const parsedUrl = parse(req.url, true);
    await handle(req, res, parsedUrl);
  });
  const wss = new WebSocketServer({ server });
  const handler = applyWSSHandler({ wss, router: appRouter, createContext });

  process.on('SIGTERM', () => {
    handler.broadcastReconnectNotification();
  });
  server.listen(port);

  console.log(`> Server listening at http://localhost:${port}`);
});
""",
    "src/utils/trpc.ts": """\
import type { TRPCLink } from '@trpc/client';
import {
  createWSClient,
  httpBatchLink,
  loggerLink,
  wsLink,
} from '@trpc/client';
import { createTRPCNext } from '@trpc/next';
import { ssrPrepass } from '@trpc/next/ssrPrepass';
import type { NextPageContext } from 'next';
import getConfig from 'next/config';
import superjson from 'superjson';
import type { AppRouter } from '~/server/routers/_app';

const { publicRuntimeConfig } = getConfig();

const { APP_URL, WS_URL } = publicRuntimeConfig;

function getEndingLink(ctx: NextPageContext | undefined): TRPCLink<AppRouter> {
  if (typeof window === 'undefined') {
    return httpBatchLink({
      transformer: superjson,
      url: `${APP_URL}/api/trpc`,
      headers() {
        if (!ctx?.req?.headers) {
          return {};
        }
        // on the server, the page's headers go along
        return {
          ...ctx.req.headers,
          'x-ssr': '1',
        };
      },
    });
  }
  const client = createWSClient({
    url: WS_URL,
  });
  return wsLink({
    client,
    transformer: superjson,
  });
}

export const trpc = createTRPCNext<AppRouter>({
  ssr: true,
  ssrPrepass,
  config({ ctx }) {
    return {
      links: [
        loggerLink({
          enabled: (opts) =>
            opts.direction === 'down' && opts.result instanceof Error,
        }),
        getEndingLink(ctx),
      ],
    };
  },
  transformer: superjson,
});
""",
}

STARTER_CLIENT = STARTER["src/utils/trpc.ts"]
STARTER_CLIENT_AFTER = """\
import type { TRPCLink } from '@trpc/client';
import { httpBatchLink, loggerLink } from '@trpc/client';
import { createTRPCNext } from '@trpc/next';
import { ssrPrepass } from '@trpc/next/ssrPrepass';
import type { NextPageContext } from 'next';
import getConfig from 'next/config';
import superjson from 'superjson';
import type { AppRouter } from '~/server/routers/_app';

const { publicRuntimeConfig } = getConfig();

const { APP_URL } = publicRuntimeConfig;

function getEndingLink(ctx: NextPageContext | undefined): TRPCLink<AppRouter> {
  return httpBatchLink({
    transformer: superjson,
    url: `${APP_URL}/api/trpc`,
    headers() {
      if (!ctx?.req?.headers) {
        return {};
      }
      // on the server, the page's headers go along
      return {
        ...ctx.req.headers,
        'x-ssr': '1',
      };
    },
  });
}
""" + STARTER_CLIENT[STARTER_CLIENT.index("\nexport const trpc") :]

STARTER_CONTEXT_AFTER = """\
import type * as trpcNext from '@trpc/server/adapters/next';
import { readSession } from './session';

/**
 * Creates the context of a request.
 */
export const createContext = async (
  opts: trpcNext.CreateNextContextOptions,
) => {
""" + STARTER["src/server/context.ts"].partition(") => {\n")[2]

STARTER_PACKAGE_AFTER = swap(
    STARTER["package.json"],
    ('    "build:2-server": "tsc --project tsconfig.server.json",\n', ""),
    ('"build": "run-s build:*"', '"build": "cross-env NODE_ENV=production next build"'),
    (
        '    "dev:wss": "cross-env PORT=3001 tsx watch src/server/wssDevServer.ts --tsconfig tsconfig.server.json",\n',
        "",
    ),
    ('"dev": "run-p dev:*"', '"dev": "next dev"'),
    ("node dist/server/prodServer.js", "next start"),
    ('    "ws": "^8.18.0",\n', ""),
    ('    "@types/ws": "^8.18.0",\n', ""),
    ('    "npm-run-all": "^4.1.5",\n', ""),
    ('    "tsx": "^4.19.3",\n', ""),
)

# What becomes of the whole of STARTER.
STARTER_AFTER: dict[str, str | None] = {
    "package.json": STARTER_PACKAGE_AFTER,
    "tsconfig.server.json": None,
    "next.config.js": swap(STARTER["next.config.js"], ("    WS_URL: process.env.WS_URL,\n", "")),
    ".env": swap(STARTER[".env"], ('WS_URL="ws://localhost:3001"\n', "")),
    "src/server/context.ts": STARTER_CONTEXT_AFTER,
    "src/server/wssDevServer.ts": None,
    "src/server/prodServer.ts": None,
    "src/utils/trpc.ts": STARTER_CLIENT_AFTER,
}

# --- an app of the T3 stack

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
    "tsconfig.json": STARTER["tsconfig.json"],
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
