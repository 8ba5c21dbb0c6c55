"""`--to-sse`: live subscriptions move from the WebSocket to server-sent events, after which the server can go."""

from __future__ import annotations

from tests.migrations.legacy.app_starter import STARTER, STARTER_AFTER, STARTER_CLIENT, STARTER_CLIENT_ALONE
from tests.migrations.legacy.app_t3 import T3, T3_AFTER, T3_CLIENT
from tests.migrations.legacy.apps import swap, without
from tests.migrations.legacy.cases import Case, t3_case
from tests.migrations.legacy.cases_needed import LIVE_STARTER, LIVE_T3

_CLIENT = "src/trpc/react.tsx"
_SERVER = "src/server/ws-server.ts"
_LATEST = "src/app/_components/latest.tsx"
_CHAT = "src/server/api/routers/chat.ts"

_WS_LINK = (
    "          true: wsLink({\n            client: wsClient,\n            transformer: SuperJSON,\n          }),\n"
)
_SSE_LINK = (
    "          true: httpSubscriptionLink({\n            transformer: SuperJSON,\n"
    "            url: `${getBaseUrl()}/api/trpc`,\n          }),\n"
)
_T3_SSE_CLIENT = swap(
    T3_CLIENT,
    ("  createWSClient,\n", ""),
    ("  httpBatchStreamLink,\n", "  httpBatchStreamLink,\n  httpSubscriptionLink,\n"),
    ("  splitLink,\n  wsLink,\n", "  splitLink,\n"),
    ('import { env } from "~/env";\n', ""),
    ("const wsClient = createWSClient({\n  url: env.NEXT_PUBLIC_WS_URL,\n});\n\n", ""),
    (_WS_LINK, _SSE_LINK),
)

_STARTER_SSE_CLIENT = swap(
    STARTER_CLIENT_ALONE,
    (
        "import { httpBatchLink, loggerLink } from '@trpc/client';\n",
        "import {\n  httpBatchLink,\n  httpSubscriptionLink,\n  loggerLink,\n  splitLink,\n} from '@trpc/client';\n",
    ),
    (
        STARTER_CLIENT_ALONE[
            STARTER_CLIENT_ALONE.index("  return httpBatchLink({") : STARTER_CLIENT_ALONE.index("\nexport const trpc")
        ],
        STARTER_CLIENT[
            STARTER_CLIENT.index("  if (typeof window") : STARTER_CLIENT.index("  const client = createWSClient")
        ]
        + """\
  return splitLink({
    condition: (op) => op.type === 'subscription',
    true: httpSubscriptionLink({
      transformer: superjson,
      url: '/api/trpc',
    }),
    false: httpBatchLink({
      transformer: superjson,
      url: '/api/trpc',
    }),
  });
}
""",
    ),
)

_OTHER_WAY_ROUND = swap(
    T3_CLIENT,
    ('op.type === "subscription"', 'op.type !== "subscription"'),
    ("          true: wsLink({", "          false: wsLink({"),
    ("          false: httpBatchStreamLink({", "          true: httpBatchStreamLink({"),
)

SSE = (
    Case(
        "to SSE: tRPC over HTTP alone",
        without({**T3, **{p: t for p, t in T3_AFTER.items() if t is not None}}, _SERVER),
        to_sse=True,
    ),
    t3_case("to SSE: nobody subscribes", to_sse=True),
    t3_case(
        "to SSE: a live subscription through splitLink",
        LIVE_T3,
        {_CLIENT: _T3_SSE_CLIENT},
        ((_CLIENT, "rewrite"), (_SERVER, "remove")),
        to_sse=True,
    ),
    t3_case(
        "to SSE: the other side of splitLink",
        {**LIVE_T3, _CLIENT: _OTHER_WAY_ROUND},
        {
            _CLIENT: swap(
                _T3_SSE_CLIENT,
                ('op.type === "subscription"', 'op.type !== "subscription"'),
                ("          true: httpSubscriptionLink({", "          false: httpSubscriptionLink({"),
                ("          false: httpBatchStreamLink({", "          true: httpBatchStreamLink({"),
            )
        },
        ((_CLIENT, "rewrite"), (_SERVER, "remove")),
        to_sse=True,
    ),
    Case(
        "to SSE: an ending link that sends everything over the WebSocket",
        {**STARTER, **LIVE_STARTER},
        {**STARTER_AFTER, "src/utils/trpc.ts": _STARTER_SSE_CLIENT},
        (("src/utils/trpc.ts", "rewrite"), ("src/server/prodServer.ts", "remove")),
        to_sse=True,
    ),
    Case(
        "to SSE: tRPC 10 has no httpSubscriptionLink",
        {
            **T3,
            **LIVE_T3,
            "package.json": T3["package.json"].replace('"^11.0.0"', '"^10.45.2"'),
        },
        needs=((_LATEST, "useSubscription"),),
        to_sse=True,
    ),
    # The server's context knows the user by what the socket was opened with; the route handler's does not.
    Case(
        "to SSE: a context that needs what the WebSocket was opened with",
        {
            **T3,
            **LIVE_T3,
            _SERVER: swap(
                T3[_SERVER],
                (
                    "  createContext: ({ req }) =>\n"
                    "    createTRPCContext({ headers: new Headers(req.headers as HeadersInit) }),\n",
                    "  createContext: ({ info }) =>\n"
                    "    createTRPCContext({\n"
                    '      headers: new Headers({ authorization: info.connectionParams?.token ?? "" }),\n'
                    "    }),\n",
                ),
            ),
            _CLIENT: swap(
                T3_CLIENT,
                (
                    "  url: env.NEXT_PUBLIC_WS_URL,\n",
                    "  url: env.NEXT_PUBLIC_WS_URL,\n"
                    '  connectionParams: () => ({ token: localStorage.getItem("token") ?? "" }),\n',
                ),
            ),
        },
        needs=((_SERVER, "info.connectionParams"),),
        to_sse=True,
    ),
    Case(
        "to SSE: a context that keeps the socket",
        {
            **T3,
            **LIVE_T3,
            "src/server/api/trpc.ts": swap(
                T3["src/server/api/trpc.ts"],
                ("(opts: { headers: Headers })", '(opts: { headers: Headers; socket?: import("ws").WebSocket })'),
            ),
            _SERVER: swap(
                T3[_SERVER],
                (
                    "  createContext: ({ req }) =>\n"
                    "    createTRPCContext({ headers: new Headers(req.headers as HeadersInit) }),\n",
                    "  createContext: ({ req, res }) =>\n"
                    "    createTRPCContext({\n"
                    "      headers: new Headers(req.headers as HeadersInit),\n"
                    "      socket: res,\n"
                    "    }),\n",
                ),
            ),
            _CHAT: swap(
                T3[_CHAT],
                (
                    ".subscription(async function* () {\n    yield",
                    ".subscription(async function* ({ ctx }) {\n    ctx.socket?.ping();\n    yield",
                ),
            ),
        },
        needs=((_SERVER, "socket: res"),),
        to_sse=True,
    ),
    Case(
        "to SSE: no route handler",
        without({**T3, **LIVE_T3}, "src/app/api/trpc/[trpc]/route.ts"),
        needs=((_LATEST, "useSubscription"),),
        to_sse=True,
    ),
    Case(
        "to SSE: links that cannot be read",
        {
            **T3,
            **LIVE_T3,
            _CLIENT: swap(T3_CLIENT, ('(op) => op.type === "subscription"', "(op) => op.context.live === true")),
        },
        needs=((_CLIENT, "op.context.live"),),
        to_sse=True,
    ),
    Case(
        "to SSE: another client that has no HTTP address",
        {
            **T3,
            "extension/background.ts": """\
import { createTRPCClient, createWSClient, wsLink } from "@trpc/client";
import superjson from "superjson";

import type { AppRouter } from "../src/server/api/root";

const socket = createWSClient({ url: "wss://live.example.com" });
const trpc = createTRPCClient<AppRouter>({ links: [wsLink({ client: socket, transformer: superjson })] });

trpc.chat.onMessage.subscribe(undefined, {
  onData: (text) => console.log(text),
});
""",
        },
        needs=(("extension/background.ts", "wsLink({ client"),),
        to_sse=True,
    ),
)
