"""An app of the shape of tRPC's own starter, as text, and what is left of it: pages router, a server for development,
one for production that is the whole Next.js server too, every operation of the browser over the WebSocket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.migrations.legacy.apps import swap

if TYPE_CHECKING:
    from tests.migrations.legacy.apps import Texts

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
# Where the address is right in browsers too, the HTTP link that stood for the server is left alone.
STARTER_CLIENT_ALONE = """\
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

# APP_URL was for the server alone: browsers ask the app's own handler by its path.
STARTER_CLIENT_AFTER = swap(
    STARTER_CLIENT,
    (
        "import {\n  createWSClient,\n  httpBatchLink,\n  loggerLink,\n  wsLink,\n} from '@trpc/client';\n",
        "import { httpBatchLink, loggerLink } from '@trpc/client';\n",
    ),
    ("const { APP_URL, WS_URL }", "const { APP_URL }"),
    (
        "  const client = createWSClient({\n    url: WS_URL,\n  });\n"
        "  return wsLink({\n    client,\n    transformer: superjson,\n  });\n",
        "  return httpBatchLink({\n    transformer: superjson,\n    url: '/api/trpc',\n  });\n",
    ),
)

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
