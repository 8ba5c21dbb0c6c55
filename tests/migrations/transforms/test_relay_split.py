"""The arrangements of links in apps, each before and after; what is written is as Prettier writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from migrations.discovery.layout import find_layout
from migrations.discovery.trpc_client import find_trpc_clients
from migrations.engine import AppView, Edits
from migrations.hints import AppHints
from migrations.transforms.links_model import Refusal
from migrations.transforms.relay_split import split_clients
from tests.migrations.engine.apps import FORMATS

if TYPE_CHECKING:
    from migrations.transforms.links_model import Link

PATH = "src/trpc/react.tsx"
TSCONFIG = b'{"compilerOptions": {"paths": {"~/*": ["./src/*"]}}}'
PAGE = """\
export default function Page() {
  const names = ["one", "two", "three"];
  if (names.length > 3) {
    return undefined;
  }
  return names.map((name) => {
    const shown = name.toUpperCase();
    return shown.length > 3 ? shown : undefined;
  });
}
"""
PACKAGES = {
    "react": 'import { createTRPCReact } from "@trpc/react-query";\n',
    "next": 'import { createTRPCNext } from "@trpc/next";\nimport type { NextPageContext } from "next";\n',
    "vanilla": "",
}
RELAY = 'import { relayLink } from "~/relay-kit/client/relay-link";\n'
ROUTER = 'import type { AppRouter } from "~/server/api/root";\n\n'
REACT = "export const api = createTRPCReact<AppRouter>();\n\n"
BASE_URL = """
function getBaseUrl() {
  if (typeof window !== "undefined") return window.location.origin;
  return `http://localhost:${process.env.PORT ?? 3000}`;
}
"""


@dataclass(frozen=True)
class Case:
    """What is imported from @trpc/client and what comes below the imports, before and after."""

    names: str
    body: str
    names_after: str
    body_after: str
    kind: str = "react"
    base_url: bool = False

    @property
    def before(self) -> str:
        return self._file(self.names, self.body, "")

    @property
    def after(self) -> str:
        return self._file(self.names_after, self.body_after, RELAY)

    def _file(self, names: str, body: str, relay: str) -> str:
        if self.kind == "whole":
            return body
        line = f'import {{ {names} }} from "@trpc/client";\n'
        if len(line) > 81:
            inner = "".join(f"  {name},\n" for name in names.split(", "))
            line = f'import {{\n{inner}}} from "@trpc/client";\n'
        head = line + PACKAGES[self.kind] + 'import superjson from "superjson";\n\n' + relay + ROUTER
        return head + (REACT if self.kind == "react" else "") + body + (BASE_URL if self.base_url else "")


CASES = {
    "an http link alone": Case(
        "httpBatchLink",
        """\
export const client = api.createClient({
  links: [httpBatchLink({ transformer: superjson, url: "/api/trpc" })],
});
""",
        "httpBatchLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
      false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
    }),
  ],
});
""",
    ),
    "after a logger, on one line": Case(
        "httpLink, loggerLink",
        """\
export const client = api.createClient({
  links: [loggerLink(), httpLink({ transformer: superjson, url: "/api/trpc" })],
});
""",
        "httpLink, loggerLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    loggerLink(),
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
      false: httpLink({ transformer: superjson, url: "/api/trpc" }),
    }),
  ],
});
""",
    ),
    "all on one line": Case(
        "httpLink",
        """\
export const client = api.createClient({
  links: [httpLink({ url: "/a", transformer: superjson })],
});
""",
        "httpLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        url: "/a",
        transformer: superjson,
      }),
      false: httpLink({ url: "/a", transformer: superjson }),
    }),
  ],
});
""",
    ),
    "an array on lines of its own, with a comment": Case(
        "httpBatchStreamLink, loggerLink",
        """\
export const client = api.createClient({
  links: [
    loggerLink(),
    // the last one
    httpBatchStreamLink({
      transformer: superjson,
      url: getBaseUrl() + "/api/trpc",
      maxURLLength: 2000,
    }),
  ],
});
""",
        "httpBatchStreamLink, loggerLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    loggerLink(),
    // the last one
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: getBaseUrl() + "/api/trpc",
      }),
      false: httpBatchStreamLink({
        transformer: superjson,
        url: getBaseUrl() + "/api/trpc",
        maxURLLength: 2000,
      }),
    }),
  ],
});
""",
        base_url=True,
    ),
    "headers and fetch that are short are repeated": Case(
        "httpBatchLink",
        """\
const auth = { authorization: "x" };

export const client = api.createClient({
  links: [
    httpBatchLink({
      transformer: superjson,
      url: `${getBaseUrl()}/api/trpc`,
      headers: () => auth,
      fetch(url, options) {
        return fetch(url, { ...options, credentials: "include" });
      },
    }),
  ],
});
""",
        "httpBatchLink, splitLink",
        """\
const auth = { authorization: "x" };

export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: `${getBaseUrl()}/api/trpc`,
        headers: () => auth,
        fetch(url, options) {
          return fetch(url, { ...options, credentials: "include" });
        },
      }),
      false: httpBatchLink({
        transformer: superjson,
        url: `${getBaseUrl()}/api/trpc`,
        headers: () => auth,
        fetch(url, options) {
          return fetch(url, { ...options, credentials: "include" });
        },
      }),
    }),
  ],
});
""",
        base_url=True,
    ),
    "a long method becomes a function of its own": Case(
        "httpBatchLink",
        """\
export const client = api.createClient({
  links: [
    httpBatchLink({
      transformer: superjson,
      url: "/api/trpc",
      async headers() {
        const token = await Promise.resolve("t");
        return { authorization: token };
      },
    }),
  ],
});
""",
        "httpBatchLink, splitLink",
        """\
const getHeaders = async () => {
  const token = await Promise.resolve("t");
  return { authorization: token };
};

export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: "/api/trpc",
        headers: getHeaders,
      }),
      false: httpBatchLink({
        transformer: superjson,
        url: "/api/trpc",
        headers: getHeaders,
      }),
    }),
  ],
});
""",
    ),
    "headers that depend on the component stay in it": Case(
        "httpBatchLink",
        """\
export function makeClient(token: string) {
  const prefix = "Bearer";

  return api.createClient({
    links: [
      httpBatchLink({
        transformer: superjson,
        url: "/api/trpc",
        headers: () => {
          const value = `${prefix} ${token}`;
          return { authorization: value };
        },
      }),
    ],
  });
}
""",
        "httpBatchLink, splitLink",
        """\
export function makeClient(token: string) {
  const prefix = "Bearer";

  const getHeaders = () => {
    const value = `${prefix} ${token}`;
    return { authorization: value };
  };

  return api.createClient({
    links: [
      splitLink({
        condition: (op) => op.type === "subscription",
        true: relayLink({
          transformer: superjson,
          url: "/api/trpc",
          headers: getHeaders,
        }),
        false: httpBatchLink({
          transformer: superjson,
          url: "/api/trpc",
          headers: getHeaders,
        }),
      }),
    ],
  });
}
""",
    ),
    "headers with a parameter are repeated": Case(
        "httpBatchLink",
        """\
export const client = api.createClient({
  links: [
    httpBatchLink({
      transformer: superjson,
      url: "/api/trpc",
      headers: ({ opList }) => {
        const count = String(opList.length);
        return { "x-count": count };
      },
    }),
  ],
});
""",
        "httpBatchLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: "/api/trpc",
        headers: ({ opList }) => {
          const count = String(opList.length);
          return { "x-count": count };
        },
      }),
      false: httpBatchLink({
        transformer: superjson,
        url: "/api/trpc",
        headers: ({ opList }) => {
          const count = String(opList.length);
          return { "x-count": count };
        },
      }),
    }),
  ],
});
""",
    ),
    "options by name": Case(
        "httpBatchLink, loggerLink",
        """\
const options = { transformer: superjson, url: "/api/trpc" };

export const client = api.createClient({
  links: [loggerLink(), httpBatchLink(options)],
});
""",
        "httpBatchLink, loggerLink, splitLink",
        """\
const options = { transformer: superjson, url: "/api/trpc" };

export const client = api.createClient({
  links: [
    loggerLink(),
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink(options),
      false: httpBatchLink(options),
    }),
  ],
});
""",
    ),
    "options spread": Case(
        "httpBatchLink",
        """\
const options = { transformer: superjson, url: "/api/trpc" };

export const client = api.createClient({
  links: [httpBatchLink({ ...options, maxItems: 4 })],
});
""",
        "httpBatchLink, splitLink",
        """\
const options = { transformer: superjson, url: "/api/trpc" };

export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink(options),
      false: httpBatchLink({ ...options, maxItems: 4 }),
    }),
  ],
});
""",
    ),
    "links in a constant": Case(
        "httpBatchLink",
        """\
const url = "/api/trpc";
const links = [httpBatchLink({ transformer: superjson, url })];

export const client = api.createClient({ links });
""",
        "httpBatchLink, splitLink",
        """\
const url = "/api/trpc";
const links = [
  splitLink({
    condition: (op) => op.type === "subscription",
    true: relayLink({
      transformer: superjson,
      url,
    }),
    false: httpBatchLink({ transformer: superjson, url }),
  }),
];

export const client = api.createClient({ links });
""",
    ),
    "an http link by name": Case(
        "httpBatchLink, loggerLink",
        """\
const http = httpBatchLink({ transformer: superjson, url: "/api/trpc" });

export const client = api.createClient({ links: [loggerLink(), http] });
""",
        "httpBatchLink, loggerLink, splitLink",
        """\
const http = httpBatchLink({ transformer: superjson, url: "/api/trpc" });

export const client = api.createClient({
  links: [
    loggerLink(),
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
      false: http,
    }),
  ],
});
""",
    ),
    "two lists by a condition": Case(
        "httpBatchLink, httpLink, loggerLink",
        """\
export const client = api.createClient({
  links:
    process.env.NODE_ENV === "test"
      ? [httpLink({ transformer: superjson, url: "/api/trpc" })]
      : [
          loggerLink(),
          httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
        ],
});
""",
        "httpBatchLink, httpLink, loggerLink, splitLink",
        """\
export const client = api.createClient({
  links:
    process.env.NODE_ENV === "test"
      ? [
          splitLink({
            condition: (op) => op.type === "subscription",
            true: relayLink({
              transformer: superjson,
              url: "/api/trpc",
            }),
            false: httpLink({ transformer: superjson, url: "/api/trpc" }),
          }),
        ]
      : [
          loggerLink(),
          splitLink({
            condition: (op) => op.type === "subscription",
            true: relayLink({
              transformer: superjson,
              url: "/api/trpc",
            }),
            false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
          }),
        ],
});
""",
    ),
    "a split over http links is kept whole": Case(
        "httpBatchLink, httpLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.context.skipBatch === true,
      true: httpLink({ transformer: superjson, url: "/api/trpc" }),
      false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
    }),
  ],
});
""",
        "httpBatchLink, httpLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
      false: splitLink({
        condition: (op) => op.context.skipBatch === true,
        true: httpLink({ transformer: superjson, url: "/api/trpc" }),
        false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
      }),
    }),
  ],
});
""",
    ),
    "a splitLink for subscriptions over ws": Case(
        "createWSClient, httpBatchLink, splitLink, wsLink",
        """\
const WS_URL = process.env.NEXT_PUBLIC_WS_URL ?? "ws://localhost:3001";

// the socket that the chat streams over
const wsClient = createWSClient({ url: WS_URL });

export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: wsLink({ client: wsClient, transformer: superjson }),
      false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
    }),
  ],
});
""",
        "httpBatchLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
      false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
    }),
  ],
});
""",
    ),
    "the ws client made in place": Case(
        "createWSClient, httpBatchLink, splitLink, wsLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition(op) {
        return op.type === "subscription";
      },
      true: wsLink<AppRouter>({
        client: createWSClient({ url: getWsUrl() }),
        transformer: superjson,
      }),
      false: httpBatchLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
    }),
  ],
});

function getWsUrl() {
  return "ws://localhost:3001";
}
""",
        "httpBatchLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition(op) {
        return op.type === "subscription";
      },
      true: relayLink<AppRouter>({
        transformer: superjson,
        url: "/api/trpc",
      }),
      false: httpBatchLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
    }),
  ],
});
""",
    ),
    "the other way round, and right": Case(
        "createWSClient, httpBatchLink, splitLink, wsLink",
        """\
const wsClient = createWSClient({ url: "ws://localhost:3001" });
export const client = api.createClient({
  links: [
    splitLink({
      condition: ({ type }) => type !== "subscription",
      true: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
      false: wsLink({ client: wsClient, transformer: superjson }),
    }),
  ],
});
""",
        "httpBatchLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition: ({ type }) => type !== "subscription",
      true: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
      false: relayLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
    }),
  ],
});
""",
    ),
    "the wrong way round, http commented out beside it": Case(
        "createWSClient, loggerLink, splitLink, wsLink",
        """\
const wsClient = createWSClient({
  url: "ws://localhost:3001",
});

export const client = api.createClient({
  links: [
    loggerLink(),
    splitLink({
      condition: (op) => op.type !== "subscription",
      true: wsLink({
        client: wsClient,
        transformer: superjson,
      }),
      false: wsLink({
        client: wsClient,
        transformer: superjson,
      }),
    }),
    // httpBatchStreamLink({
    //   transformer: superjson,
    //   url: getBaseUrl() + "/api/trpc",
    //   headers: () => {
    //     const headers = new Headers();
    //     headers.set("x-trpc-source", "nextjs-react");
    //     return headers;
    //   },
    // }),
  ],
});
""",
        "httpBatchStreamLink, loggerLink, splitLink",
        """\
const getHeaders = () => {
  const headers = new Headers();
  headers.set("x-trpc-source", "nextjs-react");
  return headers;
};

export const client = api.createClient({
  links: [
    loggerLink(),
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: getBaseUrl() + "/api/trpc",
        headers: getHeaders,
      }),
      false: httpBatchStreamLink({
        transformer: superjson,
        url: getBaseUrl() + "/api/trpc",
        headers: getHeaders,
      }),
    }),
  ],
});
""",
        base_url=True,
    ),
    "the wrong way round, http commented out in it": Case(
        "createWSClient, loggerLink, splitLink, wsLink",
        """\
const wsClient = createWSClient({ url: "ws://localhost:3001" });

export const client = api.createClient({
  links: [
    loggerLink(),
    // the socket
    splitLink({
      condition: (op) => op.type === "subscription",
      // true: httpSubscriptionLink({ url: "/api/trpc" }),
      true: wsLink({ client: wsClient, transformer: superjson }),
      // for queries
      // false: httpBatchStreamLink({
      //   transformer: superjson,
      //   url: getBaseUrl() + "/api/trpc",
      // }),
      false: wsLink({ client: wsClient, transformer: superjson }),
    }),
  ],
});
""",
        "httpBatchStreamLink, loggerLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    loggerLink(),
    // the socket
    splitLink({
      condition: (op) => op.type === "subscription",
      // true: httpSubscriptionLink({ url: "/api/trpc" }),
      true: relayLink({
        transformer: superjson,
        url: getBaseUrl() + "/api/trpc",
      }),
      // for queries
      false: httpBatchStreamLink({
        transformer: superjson,
        url: getBaseUrl() + "/api/trpc",
      }),
    }),
  ],
});
""",
        base_url=True,
    ),
    "the wrong way round, with the http link for subscriptions": Case(
        "createWSClient, httpBatchStreamLink, splitLink, wsLink",
        """\
const wsClient = createWSClient({ url: "ws://localhost:3001" });

export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type !== "subscription",
      true: wsLink({ client: wsClient, transformer: superjson }),
      false: httpBatchStreamLink({
        transformer: superjson,
        url: getBaseUrl() + "/api/trpc",
      }),
    }),
  ],
});
""",
        "httpBatchStreamLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: getBaseUrl() + "/api/trpc",
      }),
      false: httpBatchStreamLink({
        transformer: superjson,
        url: getBaseUrl() + "/api/trpc",
      }),
    }),
  ],
});
""",
        base_url=True,
    ),
    "the wrong way round by its sides": Case(
        "createWSClient, httpBatchStreamLink, splitLink, wsLink",
        """\
const wsClient = createWSClient({ url: "ws://localhost:3001" });

export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: httpBatchStreamLink({
        transformer: superjson,
        url: getBaseUrl() + "/api/trpc",
      }),
      false: wsLink({ client: wsClient, transformer: superjson }),
    }),
  ],
});
""",
        "httpBatchStreamLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: getBaseUrl() + "/api/trpc",
      }),
      false: httpBatchStreamLink({
        transformer: superjson,
        url: getBaseUrl() + "/api/trpc",
      }),
    }),
  ],
});
""",
        base_url=True,
    ),
    "the wrong way round, with server-sent events for subscriptions": Case(
        "createWSClient, httpSubscriptionLink, splitLink, wsLink",
        """\
const wsClient = createWSClient({ url: "ws://localhost:3001" });

export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: httpSubscriptionLink({ transformer: superjson, url: "/api/trpc" }),
      false: wsLink({ client: wsClient, transformer: superjson }),
    }),
  ],
});
""",
        "httpBatchStreamLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
      false: httpBatchStreamLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
    }),
  ],
});
""",
    ),
    "everything over ws, no http link anywhere": Case(
        "createWSClient, wsLink",
        """\
const wsClient = createWSClient({ url: "ws://localhost:3001" });

export const client = api.createClient({
  links: [wsLink({ client: wsClient, transformer: superjson })],
});
""",
        "httpBatchStreamLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: `${getBaseUrl()}/api/trpc`,
      }),
      false: httpBatchStreamLink({
        transformer: superjson,
        url: `${getBaseUrl()}/api/trpc`,
      }),
    }),
  ],
});
""",
        base_url=True,
    ),
    "everything over ws, http commented out in a block": Case(
        "createWSClient, wsLink",
        """\
const wsClient = createWSClient({ url: "ws://localhost:3001" });

export const client = api.createClient({
  links: [
    /* httpBatchLink({ transformer: superjson, url: "/api/trpc" }), */
    wsLink({ client: wsClient, transformer: superjson }),
  ],
});
""",
        "httpBatchLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
      false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
    }),
  ],
});
""",
    ),
    "server-sent events": Case(
        "httpBatchLink, httpSubscriptionLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: httpSubscriptionLink({ transformer: superjson, url: "/api/sse" }),
      false: httpBatchLink({
        transformer: superjson,
        url: "/api/trpc",
        headers: { "x-source": "app" },
      }),
    }),
  ],
});
""",
        "httpBatchLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: "/api/sse",
        headers: { "x-source": "app" },
      }),
      false: httpBatchLink({
        transformer: superjson,
        url: "/api/trpc",
        headers: { "x-source": "app" },
      }),
    }),
  ],
});
""",
    ),
    "a ternary": Case(
        "createWSClient, httpBatchLink, wsLink",
        """\
const ending =
  typeof window === "undefined"
    ? httpBatchLink({ transformer: superjson, url: `${getBaseUrl()}/api/trpc` })
    : wsLink({
        client: createWSClient({ url: "ws://localhost:3001" }),
        transformer: superjson,
      });

export const client = api.createClient({ links: [ending] });
""",
        "httpBatchLink, splitLink",
        """\
const ending =
  typeof window === "undefined"
    ? httpBatchLink({ transformer: superjson, url: `${getBaseUrl()}/api/trpc` })
    : splitLink({
        condition: (op) => op.type === "subscription",
        true: relayLink({
          transformer: superjson,
          url: `${getBaseUrl()}/api/trpc`,
        }),
        false: httpBatchLink({
          transformer: superjson,
          url: `${getBaseUrl()}/api/trpc`,
        }),
      });

export const client = api.createClient({ links: [ending] });
""",
        base_url=True,
    ),
    "getEndingLink": Case(
        "",
        """\
import {
  createWSClient,
  httpBatchLink,
  loggerLink,
  wsLink,
} from "@trpc/client";
import { createTRPCNext } from "@trpc/next";
import { ssrPrepass } from "@trpc/next/ssrPrepass";
import type { NextPageContext } from "next";
import superjson from "superjson";

import type { AppRouter } from "~/server/api/root";

const getBaseUrl = () => {
  if (typeof window !== "undefined") return "";
  return `http://localhost:${process.env.PORT ?? 3000}`;
};

function getEndingLink(ctx: NextPageContext | undefined) {
  if (typeof window === "undefined") {
    return httpBatchLink({
      transformer: superjson,
      url: `${getBaseUrl()}/api/trpc`,
      headers() {
        if (!ctx?.req?.headers) {
          return {};
        }
        // on ssr, forward client's headers to the server
        return {
          ...ctx.req.headers,
          "x-ssr": "1",
        };
      },
    });
  }
  const client = createWSClient({
    url: process.env.NEXT_PUBLIC_WS_URL ?? "ws://localhost:3001",
  });
  return wsLink({ client, transformer: superjson });
}

export const api = createTRPCNext<AppRouter>({
  config({ ctx }) {
    return {
      links: [loggerLink(), getEndingLink(ctx)],
    };
  },
  ssr: true,
  ssrPrepass,
  transformer: superjson,
});
""",
        "",
        """\
import { httpBatchLink, loggerLink, splitLink } from "@trpc/client";
import { createTRPCNext } from "@trpc/next";
import { ssrPrepass } from "@trpc/next/ssrPrepass";
import type { NextPageContext } from "next";
import superjson from "superjson";

import { relayLink } from "~/relay-kit/client/relay-link";
import type { AppRouter } from "~/server/api/root";

const getBaseUrl = () => {
  if (typeof window !== "undefined") return "";
  return `http://localhost:${process.env.PORT ?? 3000}`;
};

function getEndingLink(ctx: NextPageContext | undefined) {
  if (typeof window === "undefined") {
    return httpBatchLink({
      transformer: superjson,
      url: `${getBaseUrl()}/api/trpc`,
      headers() {
        if (!ctx?.req?.headers) {
          return {};
        }
        // on ssr, forward client's headers to the server
        return {
          ...ctx.req.headers,
          "x-ssr": "1",
        };
      },
    });
  }
  return splitLink({
    condition: (op) => op.type === "subscription",
    true: relayLink({
      transformer: superjson,
      url: `${getBaseUrl()}/api/trpc`,
    }),
    false: httpBatchLink({
      transformer: superjson,
      url: `${getBaseUrl()}/api/trpc`,
    }),
  });
}

export const api = createTRPCNext<AppRouter>({
  config({ ctx }) {
    return {
      links: [loggerLink(), getEndingLink(ctx)],
    };
  },
  ssr: true,
  ssrPrepass,
  transformer: superjson,
});
""",
        kind="whole",
    ),
    "getEndingLink with an address of the server": Case(
        "createWSClient, httpBatchLink, wsLink",
        """\
function getEndingLink(ctx: NextPageContext | undefined) {
  if (typeof window === "undefined") {
    return httpBatchLink({
      transformer: superjson,
      url: `http://localhost:${process.env.PORT ?? 3000}/api/trpc`,
      headers: () => (ctx?.req ? { "x-ssr": "1" } : {}),
    });
  }
  return wsLink<AppRouter>({
    client: createWSClient({ url: "ws://localhost:3001" }),
    transformer: superjson,
  });
}

export const api = createTRPCNext<AppRouter>({
  config: ({ ctx }) => ({ links: [getEndingLink(ctx)] }),
  ssr: false,
  transformer: superjson,
});
""",
        "httpBatchLink, splitLink",
        """\
function getEndingLink(ctx: NextPageContext | undefined) {
  if (typeof window === "undefined") {
    return httpBatchLink({
      transformer: superjson,
      url: `http://localhost:${process.env.PORT ?? 3000}/api/trpc`,
      headers: () => (ctx?.req ? { "x-ssr": "1" } : {}),
    });
  }
  return splitLink<AppRouter>({
    condition: (op) => op.type === "subscription",
    true: relayLink<AppRouter>({
      transformer: superjson,
      url: "/api/trpc",
      headers: () => (ctx?.req ? { "x-ssr": "1" } : {}),
    }),
    false: httpBatchLink({
      transformer: superjson,
      url: "/api/trpc",
      headers: () => (ctx?.req ? { "x-ssr": "1" } : {}),
    }),
  });
}

export const api = createTRPCNext<AppRouter>({
  config: ({ ctx }) => ({ links: [getEndingLink(ctx)] }),
  ssr: false,
  transformer: superjson,
});
""",
        kind="next",
    ),
    "getEndingLink with a split inside": Case(
        "createWSClient, httpBatchLink, splitLink, wsLink",
        """\
function getEndingLink(ctx: NextPageContext | undefined) {
  const http = httpBatchLink({
    transformer: superjson,
    url: "/api/trpc",
    maxItems: ctx ? 10 : 20,
  });
  if (typeof window === "undefined") {
    return http;
  }

  const client = createWSClient({ url: "ws://localhost:3001" });
  const ws = wsLink<AppRouter>({ client, transformer: superjson });

  return splitLink({
    condition(op) {
      if (op.type === "subscription") {
        return true;
      }
      return false;
    },
    true: ws,
    false: http,
  });
}

export const api = createTRPCNext<AppRouter>({
  config({ ctx }) {
    return { links: [getEndingLink(ctx)] };
  },
  transformer: superjson,
});
""",
        "httpBatchLink, splitLink",
        """\
function getEndingLink(ctx: NextPageContext | undefined) {
  const http = httpBatchLink({
    transformer: superjson,
    url: "/api/trpc",
    maxItems: ctx ? 10 : 20,
  });
  if (typeof window === "undefined") {
    return http;
  }

  return splitLink({
    condition(op) {
      if (op.type === "subscription") {
        return true;
      }
      return false;
    },
    true: relayLink<AppRouter>({
      transformer: superjson,
      url: "/api/trpc",
    }),
    false: http,
  });
}

export const api = createTRPCNext<AppRouter>({
  config({ ctx }) {
    return { links: [getEndingLink(ctx)] };
  },
  transformer: superjson,
});
""",
        kind="next",
    ),
    "pages router": Case(
        "",
        """\
import { httpBatchLink, loggerLink } from "@trpc/client";
import { createTRPCNext } from "@trpc/next";
import superjson from "superjson";

import type { AppRouter } from "~/server/api/root";

export const api = createTRPCNext<AppRouter>({
  config() {
    return {
      links: [
        loggerLink({
          enabled: (opts) =>
            process.env.NODE_ENV === "development" ||
            (opts.direction === "down" && opts.result instanceof Error),
        }),
        httpBatchLink({
          /**
           * Transformer used for data de-serialization from the server.
           */
          transformer: superjson,
          url: `${getBaseUrl()}/api/trpc`,
        }),
      ],
    };
  },
  /**
   * Whether tRPC should await queries when server rendering pages.
   */
  ssr: false,
  transformer: superjson,
});

function getBaseUrl() {
  if (typeof window !== "undefined") return window.location.origin;
  return `http://localhost:${process.env.PORT ?? 3000}`;
}
""",
        "",
        """\
import { httpBatchLink, loggerLink, splitLink } from "@trpc/client";
import { createTRPCNext } from "@trpc/next";
import superjson from "superjson";

import { relayLink } from "~/relay-kit/client/relay-link";
import type { AppRouter } from "~/server/api/root";

export const api = createTRPCNext<AppRouter>({
  config() {
    return {
      links: [
        loggerLink({
          enabled: (opts) =>
            process.env.NODE_ENV === "development" ||
            (opts.direction === "down" && opts.result instanceof Error),
        }),
        splitLink({
          condition: (op) => op.type === "subscription",
          true: relayLink({
            transformer: superjson,
            url: `${getBaseUrl()}/api/trpc`,
          }),
          false: httpBatchLink({
            /**
             * Transformer used for data de-serialization from the server.
             */
            transformer: superjson,
            url: `${getBaseUrl()}/api/trpc`,
          }),
        }),
      ],
    };
  },
  /**
   * Whether tRPC should await queries when server rendering pages.
   */
  ssr: false,
  transformer: superjson,
});

function getBaseUrl() {
  if (typeof window !== "undefined") return window.location.origin;
  return `http://localhost:${process.env.PORT ?? 3000}`;
}
""",
        kind="whole",
    ),
    "a vanilla client": Case(
        "createTRPCClient, httpBatchLink",
        """\
export const client = createTRPCClient<AppRouter>({
  links: [httpBatchLink({ transformer: superjson, url: "/api/trpc" })],
});
""",
        "createTRPCClient, httpBatchLink, splitLink",
        """\
export const client = createTRPCClient<AppRouter>({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
      false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
    }),
  ],
});
""",
        kind="vanilla",
    ),
    "satisfies": Case(
        "type CreateTRPCClientOptions, createTRPCClient, httpBatchLink",
        """\
const options = {
  links: [httpBatchLink({ transformer: superjson, url: "/api/trpc" })],
} satisfies CreateTRPCClientOptions<AppRouter>;

export const client = createTRPCClient<AppRouter>(options);
""",
        "type CreateTRPCClientOptions, createTRPCClient, httpBatchLink, splitLink",
        """\
const options = {
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
      false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
    }),
  ],
} satisfies CreateTRPCClientOptions<AppRouter>;

export const client = createTRPCClient<AppRouter>(options);
""",
        kind="vanilla",
    ),
    "a socket that is made when it is needed": Case(
        "createWSClient, httpBatchLink, splitLink, wsLink",
        """\
let socket: ReturnType<typeof createWSClient> | undefined;

function getSocketLink() {
  socket ??= createWSClient({ url: "ws://localhost:3001" });
  return wsLink<AppRouter>({ client: socket, transformer: superjson });
}

export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: getSocketLink(),
      false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
    }),
  ],
});
""",
        "httpBatchLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink<AppRouter>({
        transformer: superjson,
        url: "/api/trpc",
      }),
      false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
    }),
  ],
});
""",
    ),
    "a socket only in the browser": Case(
        "createWSClient, httpBatchLink, splitLink, wsLink",
        """\
const socket =
  typeof window !== "undefined"
    ? createWSClient({ url: "ws://localhost:3001" })
    : null;

export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: socket
        ? wsLink({ client: socket, transformer: superjson })
        : httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
      false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
    }),
  ],
});
""",
        "httpBatchLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
      false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
    }),
  ],
});
""",
    ),
    "retry before the socket": Case(
        "createWSClient, httpBatchLink, retryLink, splitLink, wsLink",
        """\
const wsClient = createWSClient({ url: "ws://localhost:3001" });

export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: [
        retryLink({ retry: () => true }),
        wsLink({ client: wsClient, transformer: superjson }),
      ],
      false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
    }),
  ],
});
""",
        "httpBatchLink, retryLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: [
        retryLink({ retry: () => true }),
        relayLink({
          transformer: superjson,
          url: "/api/trpc",
        }),
      ],
      false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
    }),
  ],
});
""",
    ),
    "ws commented out": Case(
        "httpBatchLink",
        """\
// const wsClient = createWSClient({ url: "ws://localhost:3001" });

export const client = api.createClient({
  links: [
    // wsLink({ client: wsClient, transformer: superjson }),
    httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
  ],
});
""",
        "httpBatchLink, splitLink",
        """\
// const wsClient = createWSClient({ url: "ws://localhost:3001" });

export const client = api.createClient({
  links: [
    // wsLink({ client: wsClient, transformer: superjson }),
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
      false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
    }),
  ],
});
""",
    ),
    "a name taken from the configuration": Case(
        "",
        """\
import { createWSClient, httpBatchLink, splitLink, wsLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import getConfig from "next/config";
import superjson from "superjson";

import type { AppRouter } from "~/server/api/root";

const { APP_URL, WS_URL } = (
  getConfig() as { publicRuntimeConfig: { APP_URL: string; WS_URL: string } }
).publicRuntimeConfig;

export const api = createTRPCReact<AppRouter>();

export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: wsLink({
        client: createWSClient({ url: WS_URL }),
        transformer: superjson,
      }),
      false: httpBatchLink({
        transformer: superjson,
        url: `${APP_URL}/api/trpc`,
      }),
    }),
  ],
});
""",
        "",
        """\
import { httpBatchLink, splitLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import getConfig from "next/config";
import superjson from "superjson";

import { relayLink } from "~/relay-kit/client/relay-link";
import type { AppRouter } from "~/server/api/root";

const { APP_URL } = (
  getConfig() as { publicRuntimeConfig: { APP_URL: string; WS_URL: string } }
).publicRuntimeConfig;

export const api = createTRPCReact<AppRouter>();

export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: `${APP_URL}/api/trpc`,
      }),
      false: httpBatchLink({
        transformer: superjson,
        url: `${APP_URL}/api/trpc`,
      }),
    }),
  ],
});
""",
        kind="whole",
    ),
    "unstable names": Case(
        "unstable_httpBatchStreamLink, unstable_httpSubscriptionLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: unstable_httpSubscriptionLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
      false: unstable_httpBatchStreamLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
    }),
  ],
});
""",
        "unstable_httpBatchStreamLink, splitLink",
        """\
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
      false: unstable_httpBatchStreamLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
    }),
  ],
});
""",
    ),
    "a chain of clients in one file": Case(
        "httpBatchLink",
        """\
export const client =
  typeof window === "undefined"
    ? api.createClient({
        links: [httpBatchLink({ transformer: superjson, url: "/api/trpc" })],
      })
    : api.createClient({
        links: [httpBatchLink({ transformer: superjson, url: "/api/trpc" })],
      });
""",
        "httpBatchLink, splitLink",
        """\
export const client =
  typeof window === "undefined"
    ? api.createClient({
        links: [
          splitLink({
            condition: (op) => op.type === "subscription",
            true: relayLink({
              transformer: superjson,
              url: "/api/trpc",
            }),
            false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
          }),
        ],
      })
    : api.createClient({
        links: [
          splitLink({
            condition: (op) => op.type === "subscription",
            true: relayLink({
              transformer: superjson,
              url: "/api/trpc",
            }),
            false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
          }),
        ],
      });
""",
    ),
    "a helper that gives http on the server, in a split": Case(
        "createWSClient, httpBatchLink, splitLink, wsLink",
        """\
const batchLink = httpBatchLink({
  transformer: superjson,
  url: "/api/trpc",
  headers() {
    const cookie = document.cookie;
    return { authorization: cookie };
  },
});

const getLinks = () => {
  if (typeof window === "undefined") {
    return batchLink;
  }

  const wsClient = createWSClient({ url: "ws://localhost:3001" });
  return wsLink<AppRouter>({ client: wsClient, transformer: superjson });
};

export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: getLinks(),
      false: batchLink,
    }),
  ],
});
""",
        "httpBatchLink, splitLink",
        """\
const getHeaders = () => {
  const cookie = document.cookie;
  return { authorization: cookie };
};

const batchLink = httpBatchLink({
  transformer: superjson,
  url: "/api/trpc",
  headers: getHeaders,
});

export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: "/api/trpc",
        headers: getHeaders,
      }),
      false: batchLink,
    }),
  ],
});
""",
    ),
    "one http link by a condition, for all that is left": Case(
        "createWSClient, httpLink, splitLink, wsLink",
        """\
const WS_ENABLED = Boolean(process.env.NEXT_PUBLIC_WS);

function getEndingLink() {
  const http =
    typeof window === "undefined"
      ? httpLink({ transformer: superjson, url: "http://localhost/api/trpc" })
      : httpLink({ transformer: superjson, url: "/api/trpc" });

  if (typeof window === "undefined" || !WS_ENABLED) {
    return http;
  }

  const client = createWSClient({ url: "ws://localhost:5000" });

  return splitLink({
    condition: (op) => op.type === "subscription",
    true: wsLink<AppRouter>({ client, transformer: superjson }),
    false: http,
  });
}

export const client = api.createClient({ links: [getEndingLink()] });
""",
        "httpLink, splitLink",
        """\
const WS_ENABLED = Boolean(process.env.NEXT_PUBLIC_WS);

function getEndingLink() {
  const http =
    typeof window === "undefined"
      ? httpLink({ transformer: superjson, url: "http://localhost/api/trpc" })
      : httpLink({ transformer: superjson, url: "/api/trpc" });

  if (typeof window === "undefined" || !WS_ENABLED) {
    return splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
      false: http,
    });
  }

  return splitLink({
    condition: (op) => op.type === "subscription",
    true: relayLink<AppRouter>({
      transformer: superjson,
      url: "/api/trpc",
    }),
    false: http,
  });
}

export const client = api.createClient({ links: [getEndingLink()] });
""",
    ),
    "a helper that gives http links only": Case(
        "httpLink, loggerLink",
        """\
function getEndingLink() {
  if (typeof window === "undefined") {
    return httpLink({
      transformer: superjson,
      url: "http://localhost/api/trpc",
    });
  }
  return httpLink({ transformer: superjson, url: "/api/trpc" });
}

export const client = api.createClient({
  links: [loggerLink(), getEndingLink()],
});
""",
        "httpLink, loggerLink, splitLink",
        """\
function getEndingLink() {
  if (typeof window === "undefined") {
    return httpLink({
      transformer: superjson,
      url: "http://localhost/api/trpc",
    });
  }
  return httpLink({ transformer: superjson, url: "/api/trpc" });
}

export const client = api.createClient({
  links: [
    loggerLink(),
    splitLink({
      condition: (op) => op.type === "subscription",
      true: relayLink({
        transformer: superjson,
        url: "/api/trpc",
      }),
      false: getEndingLink(),
    }),
  ],
});
""",
    ),
}
# Formatters indent by two columns after `? `, whatever the unit is, and break lines that four spaces make too long.
NOT_BY_UNITS = (
    "two lists by a condition",
    "a split over http links is kept whole",
    "a ternary",
    "a chain of clients in one file",
)

REFUSED = {
    "a nested split that is not understood": (
        """\
import { createWSClient, httpBatchLink, splitLink, wsLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import superjson from "superjson";

import type { AppRouter } from "~/server/api/root";

export const api = createTRPCReact<AppRouter>();

const wsClient = createWSClient({ url: "ws://localhost:3001" });
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.path === "robot.joystick",
      true: wsLink({ client: wsClient, transformer: superjson }),
      false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
    }),
  ],
});
""",
        13,
        "is not only about subscriptions",
    ),
    "ws in the rest of a split": (
        """\
import { createWSClient, httpBatchLink, splitLink, wsLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import superjson from "superjson";

import type { AppRouter } from "~/server/api/root";

export const api = createTRPCReact<AppRouter>();

const wsClient = createWSClient({ url: "ws://localhost:3001" });
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: wsLink({ client: wsClient, transformer: superjson }),
      false: splitLink({
        condition: (op) => op.context.fast === true,
        true: wsLink({ client: wsClient, transformer: superjson }),
        false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
      }),
    }),
  ],
});
""",
        15,
        "carries queries and mutations",
    ),
    "a condition about more than the type": (
        """\
import { createWSClient, httpBatchLink, splitLink, wsLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import superjson from "superjson";

import type { AppRouter } from "~/server/api/root";

export const api = createTRPCReact<AppRouter>();

const wsClient = createWSClient({ url: "ws://localhost:3001" });
export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription" || op.path === "a",
      true: wsLink({ client: wsClient, transformer: superjson }),
      false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
    }),
  ],
});
""",
        13,
        "is not only about subscriptions",
    ),
    "the socket is closed elsewhere": (
        """\
import { createWSClient, httpBatchLink, splitLink, wsLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import superjson from "superjson";

import type { AppRouter } from "~/server/api/root";

export const api = createTRPCReact<AppRouter>();

const wsClient = createWSClient({ url: "ws://localhost:3001" });

export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: wsLink({ client: wsClient, transformer: superjson }),
      false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
    }),
  ],
});

export function leave() {
  void wsClient.close();
}
""",
        22,
        "wsClient is used here too",
    ),
    "the socket is a state": (
        """\
import { createWSClient, httpBatchLink, splitLink, wsLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import superjson from "superjson";

import type { AppRouter } from "~/server/api/root";

export const api = createTRPCReact<AppRouter>();

export function useClient() {
  const [wsClient] = useState(() => createWSClient({ url: "ws://localhost:3001" }));
  return api.createClient({
    links: [
      splitLink({
        condition: (op) => op.type === "subscription",
        true: wsLink({ client: wsClient, transformer: superjson }),
        false: httpBatchLink({ transformer: superjson, url: "/api/trpc" }),
      }),
    ],
  });
}
""",
        10,
        "wsClient is not made by a declaration of its own",
    ),
    "everything over ws and no address": (
        """\
import { createWSClient, wsLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import superjson from "superjson";

import type { AppRouter } from "~/server/api/root";

export const api = createTRPCReact<AppRouter>();

const wsClient = createWSClient({ url: "ws://localhost:3001" });

export const client = api.createClient({
  links: [wsLink({ client: wsClient, transformer: superjson })],
});

function other() {
  if (typeof window !== "undefined") return window.location.origin;
  return `http://localhost:${process.env.PORT ?? 3000}`;
}
""",
        12,
        "no HTTP link for queries and mutations",
    ),
    "two http links commented out": (
        """\
import { createWSClient, wsLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import superjson from "superjson";

import type { AppRouter } from "~/server/api/root";

export const api = createTRPCReact<AppRouter>();

const wsClient = createWSClient({ url: "ws://localhost:3001" });

export const client = api.createClient({
  links: [
    /* httpBatchLink({ transformer: superjson, url: "/api/trpc" }), */
    // httpLink({ transformer: superjson, url: "/api/trpc" }),
    wsLink({ client: wsClient, transformer: superjson }),
  ],
});
""",
        15,
        "several HTTP links are commented out (lines 13, 14)",
    ),
    "a commented http link needs something": (
        """\
import { createWSClient, wsLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import superjson from "superjson";

import type { AppRouter } from "~/server/api/root";

export const api = createTRPCReact<AppRouter>();

const wsClient = createWSClient({ url: "ws://localhost:3001" });

export const client = api.createClient({
  links: [
    /* httpBatchLink({ transformer: superjson, url: API_URL }), */
    wsLink({ client: wsClient, transformer: superjson }),
  ],
});
""",
        14,
        "needs API_URL, which is not there",
    ),
    "sse options": (
        """\
import { httpBatchLink, httpSubscriptionLink, splitLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import superjson from "superjson";

import type { AppRouter } from "~/server/api/root";

export const api = createTRPCReact<AppRouter>();

export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: httpSubscriptionLink({ transformer: superjson, url: "/api/sse", connectionParams: () => ({ a: "b" }) }),
      false: httpBatchLink({
        transformer: superjson,
        url: "/api/trpc",
        headers: { "x-source": "app" },
      }),
    }),
  ],
});
""",
        13,
        "httpSubscriptionLink is given connectionParams",
    ),
    "sse alone": (
        """\
import { httpSubscriptionLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import superjson from "superjson";

import type { AppRouter } from "~/server/api/root";

export const api = createTRPCReact<AppRouter>();

export const client = api.createClient({
  links: [httpSubscriptionLink({ transformer: superjson, url: "/api" })],
});
""",
        10,
        "every operation goes through httpSubscriptionLink",
    ),
    "a link of another kind": (
        """\
import { loggerLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import superjson from "superjson";

import type { AppRouter } from "~/server/api/root";

export const api = createTRPCReact<AppRouter>();

export const client = api.createClient({ links: [loggerLink(), customLink] });
""",
        9,
        "no link here is known to send anything",
    ),
    "relay for everything": (
        """\
import { createTRPCClient } from "@trpc/client";
import { relayLink } from "~/relay-kit/client/relay-link";
export const client = createTRPCClient({ links: [relayLink({ url: "/api/trpc" })] });
""",
        3,
        "every operation goes through relayLink",
    ),
    "options of an http link in a call": (
        """\
import { httpLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import superjson from "superjson";

import type { AppRouter } from "~/server/api/root";

export const api = createTRPCReact<AppRouter>();

export const client = api.createClient({ links: [httpLink(makeOptions())] });
""",
        9,
        "the options of this link cannot be read",
    ),
    "names": (
        """\
import { createWSClient, httpBatchLink, splitLink, wsLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import superjson from "superjson";

import type { AppRouter } from "~/server/api/root";

export const api = createTRPCReact<AppRouter>();

const url = "/api/a";
const http = httpBatchLink({ transformer: superjson, url });
export function make(url: string) {
  return api.createClient({
    links: [
      splitLink({
        condition: (op) => op.type === "subscription",
        true: wsLink({ client: createWSClient({ url }), transformer: superjson }),
        false: http,
      }),
    ],
  });
}
""",
        10,
        "url is not the same at the links that need it",
    ),
}


def app(data: bytes, **more: str) -> AppView:
    return AppView.of_files(
        {
            "package.json": b"{}",
            "tsconfig.json": TSCONFIG,
            PATH: data,
            "src/app/page.tsx": PAGE.encode(),
            **{path: text.encode() for path, text in more.items()},
        }
    )


def split(view: AppView) -> tuple[dict[str, bytes], tuple[Link, ...]]:
    """The files that change, and the links that are gone."""
    edits = Edits(view)
    clients = find_trpc_clients(view, AppHints())
    assert isinstance(clients, tuple)
    gone = split_clients(view, find_layout(view), clients, edits)
    return {change.path: change.after or b"" for change in edits.changes()}, gone


@pytest.mark.parametrize("name", CASES)
def test_an_arrangement_becomes_relay_and_http(name: str) -> None:
    changed, _ = split(app(CASES[name].before.encode()))
    assert list(changed) == [PATH]
    assert changed[PATH].decode() == CASES[name].after


@pytest.mark.parametrize("name", CASES)
def test_a_second_run_changes_nothing(name: str) -> None:
    assert split(app(CASES[name].after.encode())) == ({}, ())


@pytest.mark.parametrize(
    ("name", "form"),
    [(name, form) for name in CASES for form in FORMATS if form != "four spaces" or name not in NOT_BY_UNITS],
)
def test_the_format_of_the_file_is_kept(name: str, form: str) -> None:
    write = FORMATS[form].write
    view = app(write(CASES[name].before)).with_changes({"src/app/page.tsx": write(PAGE)})
    assert split(view)[0] == {PATH: write(CASES[name].after)}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_understood_is_refused_with_its_line(name: str) -> None:
    text, line, reason = REFUSED[name]
    with pytest.raises(Refusal) as refusal:
        split(app(text.encode()))
    blocked = refusal.value.blocked
    assert (blocked.file, blocked.line) == (PATH, line)
    assert reason in blocked.reason
    assert blocked.next_step


def test_links_in_files_of_their_own_are_changed_there() -> None:
    client = 'import { createTRPCReact } from "@trpc/react-query";\nimport { links } from "./links";\n'
    client += "export const api = createTRPCReact();\nexport const client = api.createClient({ links });\n"
    links = """\
import { httpBatchLink, loggerLink } from "@trpc/client";

import { getEnd } from "./end";

export const links = [loggerLink(), getEnd()];
"""
    end = """\
import { httpBatchLink, wsLink } from "@trpc/client";
import { socket } from "./socket";

export function getEnd() {
  if (typeof window === "undefined") return httpBatchLink({ url: "/api/trpc" });
  return wsLink({ client: socket });
}
"""
    socket = 'import { createWSClient } from "@trpc/client";\n'
    socket += 'export const socket = createWSClient({ url: "ws://localhost" });\n'
    files = {"src/trpc/links.ts": links, "src/trpc/end.ts": end, "src/trpc/socket.ts": socket}
    changed, gone = split(app(client.encode(), **files))
    assert list(changed) == ["src/trpc/end.ts"]
    text = changed["src/trpc/end.ts"].decode()
    assert (
        text
        == """\
import { httpBatchLink, splitLink } from "@trpc/client";
import { relayLink } from "~/relay-kit/client/relay-link";

export function getEnd() {
  if (typeof window === "undefined") return httpBatchLink({ url: "/api/trpc" });
  return splitLink({
    condition: (op) => op.type === "subscription",
    true: relayLink({
      url: "/api/trpc",
    }),
    false: httpBatchLink({
      url: "/api/trpc",
    }),
  });
}
"""
    )
    assert [link.kind for link in gone] == ["ws"]


def test_a_socket_that_another_file_closes_is_refused_there() -> None:
    text = CASES["a splitLink for subscriptions over ws"].before.replace("const wsClient", "export const wsClient")
    other = 'import { wsClient } from "./react";\n\nexport const leave = () => wsClient.close();\n'
    with pytest.raises(Refusal) as refusal:
        split(app(text.encode(), **{"src/trpc/leave.ts": other}))
    assert (refusal.value.blocked.file, refusal.value.blocked.line) == ("src/trpc/leave.ts", 1)


def test_a_socket_that_is_exported_and_not_used_goes() -> None:
    case = CASES["a splitLink for subscriptions over ws"]
    text = case.before.replace("const wsClient", "export const wsClient")
    assert split(app(text.encode()))[0] == {PATH: case.after.encode()}


def test_names_that_something_else_uses_stay() -> None:
    case = CASES["a splitLink for subscriptions over ws"]
    use = "\nexport const address = WS_URL;\nexport type Socket = ReturnType<typeof createWSClient>;\n"
    text = split(app((case.before + use).encode()))[0][PATH].decode()
    assert "const WS_URL = process.env" in text
    assert 'import { createWSClient, httpBatchLink, splitLink } from "@trpc/client";' in text
    assert "const wsClient" not in text


def test_a_name_that_is_taken_is_not_given_again() -> None:
    case = CASES["a long method becomes a function of its own"]
    before = case.before + "\nexport const getHeaders = 1;\n"
    after = case.after.replace("getHeaders", "getLinkHeaders") + "\nexport const getHeaders = 1;\n"
    assert split(app(before.encode()))[0] == {PATH: after.encode()}


def test_trpc_under_other_names_is_known() -> None:
    case = CASES["an http link alone"]
    before = case.before.replace("httpBatchLink }", "httpBatchLink as batch }").replace("[httpBatchLink(", "[batch(")
    after = split(app(before.encode()))[0][PATH].decode()
    assert "false: batch({ transformer: superjson" in after
    named = case.before.replace("{ httpBatchLink }", "* as t").replace("[httpBatchLink(", "[t.httpBatchLink(")
    after = split(app(named.encode()))[0][PATH].decode()
    assert "false: t.httpBatchLink({ transformer: superjson" in after
    assert 'import { splitLink } from "@trpc/client";' in after


def test_a_file_without_arrows_takes_them_from_the_app() -> None:
    view = app(CASES["an http link alone"].before.encode(), **{"src/app/page.tsx": "export const f = x => x;\n"})
    assert "condition: op => op.type ===" in split(view)[0][PATH].decode()


def test_a_file_that_writes_no_last_commas_gets_none() -> None:
    before = CASES["an array on lines of its own, with a comment"].before.replace("2000,\n", "2000\n")
    before += "\nexport const options = {\n  first: 1,\n  second: 2\n};\n"
    after = split(app(before.encode()))[0][PATH].decode()
    assert 'url: getBaseUrl() + "/api/trpc"\n      }),\n      false:' in after
    assert "maxURLLength: 2000\n      })\n    })" in after


def test_another_thing_of_the_same_name_stays() -> None:
    case = CASES["getEndingLink with a split inside"]
    other = """
export function open() {
  const client = createWSClient({ url: "ws://localhost:3002" });
  return client;
}
"""
    text = split(app((case.before + other).encode()))[0][PATH].decode()
    assert text.endswith(other)
    assert text.count("createWSClient(") == 1
    assert "ws://localhost:3001" not in text


def test_a_socket_that_is_logged_is_refused_there() -> None:
    text = CASES["getEndingLink with a split inside"].before.replace(
        "  const ws =", "  console.log({ client });\n  const ws ="
    )
    with pytest.raises(Refusal) as refusal:
        split(app(text.encode()))
    assert refusal.value.blocked.line == text[: text.index("console.log")].count("\n") + 1
