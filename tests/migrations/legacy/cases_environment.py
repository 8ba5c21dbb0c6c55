"""Environment keys, in env files, schemas and settings: only those of the server go."""

from __future__ import annotations

from tests.migrations.legacy.app_starter import STARTER, STARTER_AFTER, STARTER_CLIENT, STARTER_CLIENT_ALONE
from tests.migrations.legacy.app_t3 import T3, T3_CLIENT
from tests.migrations.legacy.apps import swap
from tests.migrations.legacy.cases import Case, t3_case

_KEY_LINE = 'NEXT_PUBLIC_WS_URL="ws://localhost:3001"\n'

ENVIRONMENT = (
    t3_case(
        "keys in several files, live and commented out",
        {
            ".env": 'OPENAI_API_KEY="sk-none"\nNEXT_PUBLIC_WS_URL=ws://localhost:3001 # for development\n',
            ".env.production": "# NEXT_PUBLIC_WS_URL=wss://ws.example.com\nNEXT_PUBLIC_SITE_NAME=Lantern\n",
            ".env.test": "export NEXT_PUBLIC_WS_URL='ws://localhost:4001'\nexport OPENAI_API_KEY=none\n",
            ".env.example": T3[".env.example"] + "#NEXT_PUBLIC_WS_URL=wss://ws.example.com\n",
        },
        {
            ".env": 'OPENAI_API_KEY="sk-none"\n',
            ".env.production": "NEXT_PUBLIC_SITE_NAME=Lantern\n",
            ".env.test": "export OPENAI_API_KEY=none\n",
        },
        ((".env", "rewrite"), (".env.production", "rewrite"), (".env.test", "rewrite")),
    ),
    t3_case(
        "a key with a comment of its own",
        {".env.example": swap(T3[".env.example"], (_KEY_LINE, "# Where the WebSocket server listens\n" + _KEY_LINE))},
        pieces=((".env.example", "rewrite"),),
    ),
    t3_case(
        "keys under a heading of their own",
        {
            "src/server/ws-server.ts": swap(
                T3["src/server/ws-server.ts"], ("{ port: 3001 }", "{ port: Number(process.env.WS_PORT) }")
            ),
            ".env.example": "# --- WebSocket ---\nWS_PORT=3001\n" + _KEY_LINE + "\n# --- model ---\nOPENAI_API_KEY=\n",
        },
        {".env.example": "# --- model ---\nOPENAI_API_KEY=\n"},
        ((".env.example", "rewrite"),),
    ),
    t3_case(
        "a key that the server alone reads",
        {
            "src/server/ws-server.ts": swap(
                T3["src/server/ws-server.ts"], ("{ port: 3001 }", "{ port: Number(process.env.WS_PORT ?? 3001) }")
            ),
            ".env.example": "PORT=3000\nWS_PORT=3001\n" + T3[".env.example"],
        },
        {".env.example": "PORT=3000\n" + T3[".env.example"].replace(_KEY_LINE, "")},
        ((".env.example", "rewrite"),),
    ),
    t3_case(
        "a key that something else reads",
        {
            "src/app/status/page.tsx": """\
import { env } from "~/env";

export default function Status() {
  return <p>{env.NEXT_PUBLIC_WS_URL}</p>;
}
""",
        },
        same=("src/env.js", ".env.example"),
    ),
    t3_case(
        "a key that nothing checks",
        {
            "src/trpc/react.tsx": swap(
                T3_CLIENT,
                ('import { env } from "~/env";\n', ""),
                (
                    "  url: env.NEXT_PUBLIC_WS_URL,\n",
                    '  url: process.env.NEXT_PUBLIC_WS_URL ?? "ws://localhost:3001",\n',
                ),
            ),
            "src/env.js": swap(
                T3["src/env.js"],
                ("    NEXT_PUBLIC_WS_URL: z.string().url(),\n", ""),
                ("    NEXT_PUBLIC_WS_URL: process.env.NEXT_PUBLIC_WS_URL,\n", ""),
            ),
        },
        same=("src/env.js",),
    ),
    Case(
        "runtime config for the WebSocket's address alone",
        {
            **STARTER,
            "next.config.js": swap(STARTER["next.config.js"], ("    APP_URL: process.env.APP_URL,\n", "")),
            "src/utils/trpc.ts": swap(
                STARTER_CLIENT,
                ("const { APP_URL, WS_URL } =", "const { WS_URL } ="),
                ("`${APP_URL}/api/trpc`", "`${getBaseUrl()}/api/trpc`"),
                (
                    "function getEndingLink",
                    "function getBaseUrl() {\n"
                    "  if (typeof window !== 'undefined') return '';\n"
                    "  return `http://localhost:${process.env.PORT ?? 3000}`;\n"
                    "}\n\n"
                    "function getEndingLink",
                ),
            ),
            ".env": 'DATABASE_URL="postgresql://postgres:@localhost:5432/tidewater"\nWS_URL="ws://localhost:3001"\n',
        },
        {
            **STARTER_AFTER,
            "next.config.js": """\
/** @type {import("next").NextConfig} */
module.exports = {
  reactStrictMode: true,
};
""",
            "src/utils/trpc.ts": swap(
                STARTER_CLIENT_ALONE,
                ("import getConfig from 'next/config';\n", ""),
                ("const { publicRuntimeConfig } = getConfig();\n\nconst { APP_URL } = publicRuntimeConfig;\n\n", ""),
                ("`${APP_URL}/api/trpc`", "`${getBaseUrl()}/api/trpc`"),
                (
                    "function getEndingLink",
                    "function getBaseUrl() {\n"
                    "  if (typeof window !== 'undefined') return '';\n"
                    "  return `http://localhost:${process.env.PORT ?? 3000}`;\n"
                    "}\n\n"
                    "function getEndingLink",
                ),
            ),
            ".env": 'DATABASE_URL="postgresql://postgres:@localhost:5432/tidewater"\n',
        },
        (("next.config.js", "rewrite"),),
    ),
    t3_case(
        "an address in the env of next.config",
        {
            "next.config.mjs": """\
/** @type {import("next").NextConfig} */
const config = {
  env: {
    SITE: "lantern",
    WS_URL: process.env.WS_URL ?? "ws://localhost:3001",
  },
};

export default config;
""",
            "src/trpc/react.tsx": swap(
                T3_CLIENT,
                ('import { env } from "~/env";\n', ""),
                ("  url: env.NEXT_PUBLIC_WS_URL,\n", "  url: process.env.WS_URL!,\n"),
            ),
            ".env.example": "OPENAI_API_KEY=\nWS_URL=ws://localhost:3001\n",
        },
        {
            "next.config.mjs": """\
/** @type {import("next").NextConfig} */
const config = {
  env: {
    SITE: "lantern",
  },
};

export default config;
""",
            ".env.example": "OPENAI_API_KEY=\n",
        },
        (("next.config.mjs", "rewrite"),),
        gone=("next.config.js", "src/env.js"),
    ),
)
