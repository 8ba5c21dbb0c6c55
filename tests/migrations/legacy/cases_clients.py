"""Clients in every arrangement of links, none of which subscribes: the server goes, the HTTP link stays."""

from __future__ import annotations

from tests.migrations.legacy.app_starter import (
    STARTER,
    STARTER_AFTER,
    STARTER_CLIENT,
    STARTER_CLIENT_AFTER,
    STARTER_CLIENT_ALONE,
)
from tests.migrations.legacy.app_t3 import T3_CLIENT, T3_CLIENT_AFTER, T3_HTTP, T3_SPLIT
from tests.migrations.legacy.apps import drop, first_user, swap
from tests.migrations.legacy.cases import Case, t3_case

_CLIENT = "src/trpc/react.tsx"
_STARTER_CLIENT = "src/utils/trpc.ts"


def _starter_case(name: str, client: str, after: str) -> Case:
    return Case(name, {**STARTER, _STARTER_CLIENT: client}, {**STARTER_AFTER, _STARTER_CLIENT: after},
                ((_STARTER_CLIENT, "rewrite"),))  # fmt: skip


def _t3_client(name: str, client: str, after: str = T3_CLIENT_AFTER) -> Case:
    return t3_case(name, {_CLIENT: client}, {_CLIENT: after}, ((_CLIENT, "rewrite"),))


_FIRST_USER = first_user(migrated=False)
_FIRST_USER_CLIENT = _FIRST_USER[_CLIENT]

# The function up to where it decides, and the rest of the file behind it.
_HEAD, _, _BEHIND = STARTER_CLIENT.partition("  if (typeof window === 'undefined') {\n")
_TAIL = _BEHIND[_BEHIND.index("\nexport const trpc") :]
_HTTP_IN_IF = _BEHIND[: _BEHIND.index("  }\n  const client")]

_ALONE = STARTER_CLIENT_ALONE[STARTER_CLIENT_ALONE.index("  return httpBatchLink({") :]
_BROWSERS_LINK = "  return httpBatchLink({\n    transformer: superjson,\n    url: '/api/trpc',\n  });\n"
_IMPORTS = "import {\n  createWSClient,\n  httpBatchLink,\n  loggerLink,\n  wsLink,\n} from '@trpc/client';\n"
_IMPORTS_AFTER = "import { httpBatchLink, loggerLink } from '@trpc/client';\n"
_BASE_URL = (
    ("`${APP_URL}/api/trpc`", "`${getBaseUrl()}/api/trpc`"),
    (
        "function getEndingLink",
        "function getBaseUrl() {\n  return typeof window === 'undefined' ? APP_URL : '';\n}\n\nfunction getEndingLink",
    ),
)
_IMAGE = """\
FROM node:22-alpine
WORKDIR /app
COPY . .
ENV APP_URL="http://localhost:3000"
RUN npm ci && npm run build
CMD ["npm", "start"]
"""
_SERVER_CONFIG = (
    ("const { publicRuntimeConfig }", "const { publicRuntimeConfig, serverRuntimeConfig }"),
    (
        "const { APP_URL, WS_URL } = publicRuntimeConfig;",
        "const { WS_URL } = publicRuntimeConfig;\nconst { APP_URL } = serverRuntimeConfig;",
    ),
)
_SERVER_SETTING = (
    ("    APP_URL: process.env.APP_URL,\n", ""),
    (
        "  publicRuntimeConfig",
        "  serverRuntimeConfig: {\n    APP_URL: process.env.APP_URL,\n  },\n  publicRuntimeConfig",
    ),
)

_ANSWERS = """\
const endingLink = httpBatchStreamLink({
  transformer: SuperJSON,
  url: "/api/trpc",
});
"""

CLIENTS = (
    Case(
        "an ending link that sends everything over the WebSocket",
        STARTER,
        STARTER_AFTER,
        (
            (_STARTER_CLIENT, "rewrite"),
            ("src/server/wssDevServer.ts", "remove"),
            ("src/server/prodServer.ts", "remove"),
            ("src/server/context.ts", "rewrite"),
            ("tsconfig.server.json", "remove"),
            ("next.config.js", "rewrite"),
            (".env", "rewrite"),
            ("package.json", "remove"),
        ),
    ),
    t3_case(
        "a splitLink that sends only subscriptions over the WebSocket",
        pieces=(
            (_CLIENT, "rewrite"),
            ("src/server/ws-server.ts", "remove"),
            ("src/env.js", "rewrite"),
            (".env.example", "rewrite"),
            ("package.json", "remove"),
        ),
    ),
    _starter_case(
        "an ending link with else",
        _HEAD
        + "  if (typeof window === 'undefined') {\n"
        + _HTTP_IN_IF
        + "  } else {\n"
        + "    const client = createWSClient({ url: WS_URL });\n"
        + "    return wsLink({ client, transformer: superjson });\n"
        + "  }\n}\n"
        + _TAIL,
        swap(
            STARTER_CLIENT_AFTER,
            ("  }\n  return httpBatchLink({\n", "  } else {\n  return httpBatchLink({\n"),
            (_BROWSERS_LINK, _BROWSERS_LINK.replace("  ", "    ", 1).replace("\n  ", "\n    ") + "  }\n"),
        ),
    ),
    _starter_case(
        "an ending link whose address knows browsers",
        swap(STARTER_CLIENT, *_BASE_URL),
        swap(STARTER_CLIENT_ALONE, *_BASE_URL),
    ),
    # Only the server asked there until now, and from where it runs that is right.
    Case(
        "an HTTP link whose address is the machine's own in production",
        {**STARTER, "Dockerfile": _IMAGE},
        STARTER_AFTER,
        ((_STARTER_CLIENT, "rewrite"),),
    ),
    Case(
        "an HTTP link whose address is in the server's runtime config",
        {
            **STARTER,
            _STARTER_CLIENT: swap(STARTER_CLIENT, *_SERVER_CONFIG),
            "next.config.js": swap(STARTER["next.config.js"], *_SERVER_SETTING),
        },
        {
            **STARTER_AFTER,
            _STARTER_CLIENT: swap(
                STARTER_CLIENT_AFTER,
                ("const { publicRuntimeConfig }", "const { serverRuntimeConfig }"),
                ("const { APP_URL } = publicRuntimeConfig;", "const { APP_URL } = serverRuntimeConfig;"),
            ),
            "next.config.js": """\
/** @type {import("next").NextConfig} */
module.exports = {
  serverRuntimeConfig: {
    APP_URL: process.env.APP_URL,
  },
  reactStrictMode: true,
};
""",
        },
        ((_STARTER_CLIENT, "rewrite"),),
    ),
    _starter_case(
        "an ending link that asks for the browser first",
        _HEAD
        + "  if (typeof window !== 'undefined') {\n"
        + "    const client = createWSClient({ url: WS_URL });\n"
        + "    return wsLink({ client, transformer: superjson });\n"
        + "  }\n"
        + _ALONE,
        _HEAD.replace("const { APP_URL, WS_URL }", "const { APP_URL }").replace(_IMPORTS, _IMPORTS_AFTER)
        + "  if (typeof window !== 'undefined') {\n"
        + _BROWSERS_LINK.replace("  ", "    ", 1).replace("\n  ", "\n    ")
        + "  }\n"
        + _ALONE,
    ),
    _starter_case(
        "an ending link that splits in the browser",
        swap(
            STARTER_CLIENT,
            ("  loggerLink,\n", "  loggerLink,\n  splitLink,\n"),
            (
                "  return wsLink({\n    client,\n    transformer: superjson,\n  });\n}\n",
                """\
  return splitLink({
    condition: (op) => op.type === 'subscription',
    true: wsLink({ client, transformer: superjson }),
    false: httpBatchLink({
      transformer: superjson,
      url: `${APP_URL}/api/trpc`,
    }),
  });
}
""",
            ),
        ),
        # What the browser and the server send differs, so both links stay.
        swap(
            STARTER_CLIENT,
            (
                "import {\n  createWSClient,\n  httpBatchLink,\n  loggerLink,\n  wsLink,\n} from '@trpc/client';\n",
                "import { httpBatchLink, loggerLink } from '@trpc/client';\n",
            ),
            ("const { APP_URL, WS_URL }", "const { APP_URL }"),
            (
                """\
  const client = createWSClient({
    url: WS_URL,
  });
  return wsLink({
    client,
    transformer: superjson,
  });
""",
                """\
  return httpBatchLink({
    transformer: superjson,
    url: `${APP_URL}/api/trpc`,
  });
""",
            ),
        ),
    ),
    _t3_client(
        "a splitLink with the condition the other way round",
        swap(
            T3_CLIENT,
            ('op.type === "subscription"', 'op.type !== "subscription"'),
            ("          true: wsLink({", "          false: wsLink({"),
            ("          false: httpBatchStreamLink({", "          true: httpBatchStreamLink({"),
        ),
    ),
    # The first user's: subscriptions over HTTP, everything else over the WebSocket, the right link commented out.
    Case(
        "a splitLink that sends everything but subscriptions over the WebSocket",
        _FIRST_USER,
        {
            "src/server/ws-server.ts": None,
            "package.json": drop(_FIRST_USER["package.json"], '"ws"', '"@types/ws"'),
            _CLIENT: swap(
                _FIRST_USER_CLIENT,
                (
                    _FIRST_USER_CLIENT[
                        _FIRST_USER_CLIENT.index("import {\n  createWSClient") : _FIRST_USER_CLIENT.index(
                            "import { createTRPCReact }"
                        )
                    ],
                    "import {\n  httpBatchStreamLink,\n  httpSubscriptionLink,\n  loggerLink,\n  splitLink,\n"
                    '} from "@trpc/client";\n',
                ),
                ('const wsClient = createWSClient({\n  url: "ws://localhost:3001",\n});\n\n', ""),
                (
                    _FIRST_USER_CLIENT[
                        _FIRST_USER_CLIENT.index("          false: wsLink({") : _FIRST_USER_CLIENT.index(
                            "        }),\n      ],\n"
                        )
                    ],
                    """\
          false: httpBatchStreamLink({
            transformer: SuperJSON,
            url: `${getBaseUrl()}/api/trpc`,
            headers: () => {
              const headers = new Headers();
              headers.set("x-trpc-source", "nextjs-react");
              return headers;
            },
          }),
""",
                ),
            ),
        },
        ((_CLIENT, "rewrite"), ("src/server/ws-server.ts", "remove"), ("package.json", "remove")),
    ),
    _t3_client(
        "a ternary in the list of links",
        swap(
            T3_CLIENT,
            (
                T3_SPLIT,
                """\
        typeof window === "undefined"
          ? httpBatchStreamLink({
              transformer: SuperJSON,
              url: `${getBaseUrl()}/api/trpc`,
              headers: () => {
                const headers = new Headers();
                headers.set("x-trpc-source", "nextjs-react");
                return headers;
              },
            })
          : wsLink({ client: wsClient, transformer: SuperJSON }),
""",
            ),
            ("  splitLink,\n", ""),
        ),
    ),
    _t3_client(
        "a socket that is made in its link",
        swap(
            T3_CLIENT,
            ("const wsClient = createWSClient({\n  url: env.NEXT_PUBLIC_WS_URL,\n});\n\n", ""),
            (
                "            client: wsClient,\n",
                "            client: createWSClient({ url: env.NEXT_PUBLIC_WS_URL }),\n",
            ),
        ),
    ),
    _t3_client(
        "a socket that is made in the browser alone",
        swap(
            T3_CLIENT,
            (
                "const wsClient = createWSClient({\n  url: env.NEXT_PUBLIC_WS_URL,\n});\n",
                'const wsClient =\n  typeof window === "undefined"\n    ? null\n'
                "    : createWSClient({ url: env.NEXT_PUBLIC_WS_URL });\n",
            ),
            (
                T3_SPLIT,
                """\
        wsClient
          ? splitLink({
              condition: (op) => op.type === "subscription",
              true: wsLink({ client: wsClient, transformer: SuperJSON }),
              false: httpLink,
            })
          : httpLink,
""",
            ),
            (
                "export function TRPCReactProvider",
                _ANSWERS.replace("endingLink", "httpLink") + "\nexport function TRPCReactProvider",
            ),
        ),
        swap(
            T3_CLIENT_AFTER,
            (T3_HTTP, "        httpLink,\n"),
            (
                "export function TRPCReactProvider",
                _ANSWERS.replace("endingLink", "httpLink") + "\nexport function TRPCReactProvider",
            ),
        ),
    ),
    t3_case(
        "a socket in a file of its own",
        {
            "src/trpc/socket.ts": """\
import { createWSClient } from "@trpc/client";

import { env } from "~/env";

export const wsClient = createWSClient({
  url: env.NEXT_PUBLIC_WS_URL,
});
""",
            _CLIENT: swap(
                T3_CLIENT,
                ("  createWSClient,\n", ""),
                ('import { env } from "~/env";\n', ""),
                ("const wsClient = createWSClient({\n  url: env.NEXT_PUBLIC_WS_URL,\n});\n\n", ""),
                (
                    'import { createQueryClient } from "./query-client";\n',
                    'import { createQueryClient } from "./query-client";\nimport { wsClient } from "./socket";\n',
                ),
            ),
        },
        {"src/trpc/socket.ts": None},
        ((_CLIENT, "rewrite"), ("src/trpc/socket.ts", "remove")),
    ),
    _t3_client(
        "an address that a function of the file makes",
        swap(
            T3_CLIENT,
            ("  url: env.NEXT_PUBLIC_WS_URL,\n", "  url: getWsUrl(),\n"),
            (
                "function getBaseUrl() {\n",
                "function getWsUrl() {\n  return env.NEXT_PUBLIC_WS_URL;\n}\n\nfunction getBaseUrl() {\n",
            ),
        ),
    ),
    t3_case(
        "an address that a file of its own makes",
        {
            "src/lib/ws-url.ts": """\
import { env } from "~/env";

export const getWsUrl = () => env.NEXT_PUBLIC_WS_URL;
""",
            _CLIENT: swap(
                T3_CLIENT,
                ('import { env } from "~/env";\n', 'import { getWsUrl } from "~/lib/ws-url";\n'),
                ("  url: env.NEXT_PUBLIC_WS_URL,\n", "  url: getWsUrl(),\n"),
            ),
        },
        {"src/lib/ws-url.ts": None},
        ((_CLIENT, "rewrite"), ("src/lib/ws-url.ts", "remove")),
    ),
    _t3_client(
        "a socket that no link uses any more",
        swap(
            T3_CLIENT_AFTER,
            (
                'import { httpBatchStreamLink, loggerLink } from "@trpc/client";\n',
                'import { createWSClient, httpBatchStreamLink, loggerLink } from "@trpc/client";\n',
            ),
            ("import type { AppRouter }", 'import { env } from "~/env";\nimport type { AppRouter }'),
            (
                "export function TRPCReactProvider",
                "const wsClient = createWSClient({\n  url: env.NEXT_PUBLIC_WS_URL,\n});\n\n"
                "export function TRPCReactProvider",
            ),
        ),
    ),
    _t3_client(
        "a transformer beside the links, as tRPC 10 has it",
        swap(
            T3_CLIENT,
            ("            client: wsClient,\n            transformer: SuperJSON,\n", "            client: wsClient,\n"),
            ("            transformer: SuperJSON,\n            url", "            url"),
            ("      links: [\n", "      transformer: SuperJSON,\n      links: [\n"),
            ("httpBatchStreamLink,\n", "unstable_httpBatchStreamLink,\n"),
            ("false: httpBatchStreamLink({", "false: unstable_httpBatchStreamLink({"),
        ),
        swap(
            T3_CLIENT_AFTER,
            ("          transformer: SuperJSON,\n", ""),
            ("      links: [\n", "      transformer: SuperJSON,\n      links: [\n"),
            ("import { httpBatchStreamLink,", "import { unstable_httpBatchStreamLink,"),
            ("        httpBatchStreamLink({", "        unstable_httpBatchStreamLink({"),
        ),
    ),
)
