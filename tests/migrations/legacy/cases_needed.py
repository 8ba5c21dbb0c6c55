"""Clients that still need the WebSocket server, or whose links cannot be put right: refused, and not a byte changes."""

from __future__ import annotations

from tests.migrations.legacy.app_starter import STARTER, STARTER_CLIENT
from tests.migrations.legacy.app_t3 import T3, T3_CLIENT, T3_SPLIT
from tests.migrations.legacy.apps import swap, without
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
import superjson from "superjson";

import type { AppRouter } from "../src/server/api/root";

const socket = createWSClient({ url: "wss://live.example.com" });
const trpc = createTRPCProxyClient<AppRouter>({ links: [wsLink({ client: socket, transformer: superjson })] });

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
        "a WebSocket of the browser's own to the server's port",
        {
            **T3,
            "src/lib/pulse.ts": 'export const pulse = () => new WebSocket("ws://localhost:3001/?pulse");\n',
        },
        needs=(("src/lib/pulse.ts", "new WebSocket("),),
    ),
    Case(
        "a WebSocket of another library to the same address",
        {
            **T3,
            "src/lib/pulse.ts": """\
import ReconnectingWebSocket from "reconnecting-websocket";

import { env } from "~/env";

export const pulse = () => new ReconnectingWebSocket(env.NEXT_PUBLIC_WS_URL);
""",
        },
        needs=(("src/lib/pulse.ts", "new ReconnectingWebSocket("),),
    ),
    Case(
        "a subscription by the name of its procedure",
        {
            **T3,
            "src/lib/listen.ts": """\
import { createTRPCUntypedClient, createWSClient, wsLink } from "@trpc/client";
import SuperJSON from "superjson";

const client = createTRPCUntypedClient({
  links: [
    wsLink({
      client: createWSClient({ url: "ws://localhost:3001" }),
      transformer: SuperJSON,
    }),
  ],
});

export const listen = (onData: (text: unknown) => void) =>
  client.subscription("chat.onMessage", undefined, { onData });
""",
        },
        needs=(("src/lib/listen.ts", "client.subscription("),),
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

_CLIENTS_ELSEWHERE = (
    # A mobile app in another repository, or the web app in the next package: it cannot be seen from here.
    Case(
        "a server whose clients are elsewhere",
        without(
            T3,
            "src/trpc/react.tsx",
            "src/trpc/query-client.ts",
            "src/app/page.tsx",
            "src/app/layout.tsx",
            "src/app/_components/chat.tsx",
        ),
        needs=(("src/server/ws-server.ts", "= applyWSSHandler({"),),
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
    # Who the user is was said when the socket was opened; over HTTP nobody would say it.
    Case(
        "a socket that is opened with a token, and carries everything",
        {
            **STARTER,
            "src/utils/trpc.ts": swap(
                STARTER_CLIENT,
                (
                    "    url: WS_URL,\n",
                    "    url: WS_URL,\n    connectionParams: () => ({ token: localStorage.getItem('token') }),\n",
                ),
            ),
        },
        needs=(("src/utils/trpc.ts", "connectionParams"),),
    ),
    Case(
        "a socket whose address has a token, and which carries everything",
        {
            **STARTER,
            "src/utils/trpc.ts": swap(
                STARTER_CLIENT,
                ("    url: WS_URL,\n", "    url: () => `${WS_URL}?token=${localStorage.getItem('token')}`,\n"),
            ),
        },
        needs=(("src/utils/trpc.ts", "?token="),),
    ),
    # A browser cannot ask there, and nothing of the app's own answers at that path.
    Case(
        "an HTTP link that only the server can use",
        {
            **STARTER,
            "src/utils/trpc.ts": swap(
                STARTER_CLIENT,
                ("url: `${APP_URL}/api/trpc`", "url: `${process.env.INTERNAL_URL}/rpc`"),
                ("const { APP_URL, WS_URL }", "const { WS_URL }"),
            ),
        },
        needs=(("src/utils/trpc.ts", "INTERNAL_URL"),),
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

NEEDED = (*_LIVE_CLIENTS, *_CLIENTS_ELSEWHERE, *_UNREADABLE_CLIENTS)
