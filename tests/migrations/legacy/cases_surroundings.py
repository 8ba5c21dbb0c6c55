"""Environment, next.config, and what runs the app elsewhere: only what was for the server goes."""

from __future__ import annotations

from tests.migrations.legacy.app_starter import STARTER, STARTER_AFTER, STARTER_CLIENT, STARTER_CLIENT_AFTER
from tests.migrations.legacy.app_t3 import T3, T3_CLIENT
from tests.migrations.legacy.apps import swap
from tests.migrations.legacy.cases import Case, t3_case
from tests.migrations.legacy.cases_needed_elsewhere import WS_IMAGE

_PACKAGE = "package.json"
_KEY_LINE = 'NEXT_PUBLIC_WS_URL="ws://localhost:3001"\n'

_ENVIRONMENT = (
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
                STARTER_CLIENT_AFTER,
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

_START_WS = '    "start:ws": "tsx src/server/ws-server.ts",\n'
_WITH_START_WS = swap(
    T3[_PACKAGE],
    ('    "start": "next start",\n', '    "start": "next start",\n' + _START_WS),
)
_CI = """\
name: CI
on: [push]
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: npm ci
      - run: npm run build:1-next
      - name: Build the WebSocket server
        run: npm run build:2-server
      - run: npm run lint
"""
_COMPOSE = """\
services:
  web:
    build: .
    command: npm start
    ports:
      - "3000:3000"
  ws:
    build: .
    command: npm run start:ws
    ports:
      - "3001:3001"
  db:
    image: postgres:17
"""

_PM2 = """\
module.exports = {
  apps: [
    {
      name: "tidewater",
      script: "dist/server/prodServer.js",
      instances: 2,
    },
  ],
};
"""
_BLUEPRINT = """\
services:
  - type: web
    name: tidewater
    buildCommand: npm ci && npm run build
    startCommand: node dist/server/prodServer.js
"""
_IMAGE = """\
FROM node:22-alpine AS build
WORKDIR /app
COPY . .
RUN npm ci && npm run build

FROM node:22-alpine
WORKDIR /app
COPY --from=build /app/.next ./.next
COPY --from=build /app/dist ./dist
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/next.config.js ./
ENTRYPOINT ["node", "dist/server/prodServer.js"]
"""
_BUILDING = """\
FROM node:22-alpine
WORKDIR /app
COPY package.json tsconfig.json tsconfig.server.json ./
COPY src src
RUN npm ci && npm run build:1-next && npm run build:2-server
CMD ["npm", "start"]
"""
_TOLD_IMAGE = """\
FROM node:22-alpine
WORKDIR /app
COPY . .
RUN npm ci && npm run build
EXPOSE 3000 3001
CMD ["npm", "start"]
"""

_DEPLOYMENTS = (
    Case(
        "a Docker image and a blueprint that run npm scripts",
        {
            **STARTER,
            "Dockerfile": """\
FROM node:22-alpine
WORKDIR /app
COPY . .
RUN npm ci && npm run build
EXPOSE 3000
CMD ["npm", "start"]
""",
            "render.yaml": "services:\n  - type: web\n    name: tidewater\n    buildCommand: npm ci && npm run build\n"
            "    startCommand: npm start\n",
        },
        STARTER_AFTER,
    ),
    t3_case(
        "a Procfile with a process for the server",
        {"Procfile": "web: npm start\nws: npm run start:ws\n", _PACKAGE: _WITH_START_WS},
        {"Procfile": "web: npm start\n"},
        (("Procfile", "rewrite"),),
    ),
    t3_case(
        "a compose file with a service for the server",
        {"docker-compose.yml": _COMPOSE, _PACKAGE: _WITH_START_WS},
        {
            "docker-compose.yml": swap(
                _COMPOSE, ('  ws:\n    build: .\n    command: npm run start:ws\n    ports:\n      - "3001:3001"\n', "")
            )
        },
        (("docker-compose.yml", "rewrite"),),
    ),
    Case(
        "a compose file whose other services wait for the server",
        {
            **T3,
            "docker-compose.yml": _COMPOSE.replace(
                "    command: npm start\n", "    command: npm start\n    depends_on: [ws]\n"
            ),
            _PACKAGE: _WITH_START_WS,
        },
        needs=(("docker-compose.yml", "depends_on"),),
    ),
    t3_case(
        "PM2 with an app for the server",
        {
            "ecosystem.config.cjs": """\
module.exports = {
  apps: [
    { name: "web", script: "npm", args: "start" },
    { name: "ws", script: "npm", args: "run start:ws" },
  ],
};
""",
            _PACKAGE: _WITH_START_WS,
        },
        {
            "ecosystem.config.cjs": """\
module.exports = {
  apps: [
    { name: "web", script: "npm", args: "start" },
  ],
};
""",
        },
        (("ecosystem.config.cjs", "rewrite"),),
    ),
    Case(
        "PM2 that runs the whole Next.js server",
        {**STARTER, "ecosystem.config.js": _PM2},
        {
            **STARTER_AFTER,
            # How PM2 runs Next.js, whose own file it needs for more than one instance.
            "ecosystem.config.js": swap(
                _PM2,
                (
                    'script: "dist/server/prodServer.js",\n',
                    'script: "node_modules/next/dist/bin/next",\n      args: "start",\n',
                ),
            ),
        },
        (("ecosystem.config.js", "rewrite"),),
    ),
    Case(
        "a blueprint that runs the whole Next.js server",
        {**STARTER, "render.yaml": _BLUEPRINT},
        {**STARTER_AFTER, "render.yaml": swap(_BLUEPRINT, ("node dist/server/prodServer.js", "npx next start"))},
        (("render.yaml", "rewrite"),),
    ),
    Case(
        "a Procfile that runs the whole Next.js server",
        {**STARTER, "Procfile": "web: node dist/server/prodServer.js\n"},
        {**STARTER_AFTER, "Procfile": "web: npx next start\n"},
        (("Procfile", "rewrite"),),
    ),
    # What it has is what the server had before: the build of Next.js, and the packages.
    Case(
        "a Docker image that runs the whole Next.js server",
        {**STARTER, "Dockerfile": _IMAGE},
        {
            **STARTER_AFTER,
            "Dockerfile": swap(
                _IMAGE,
                ("COPY --from=build /app/dist ./dist\n", ""),
                ('["node", "dist/server/prodServer.js"]', '["node_modules/.bin/next", "start"]'),
            ),
        },
        (("Dockerfile", "rewrite"),),
    ),
    Case(
        "a Docker image that is told how to build the server",
        {**STARTER, "Dockerfile": _BUILDING},
        {
            **STARTER_AFTER,
            "Dockerfile": swap(
                _BUILDING,
                ("tsconfig.json tsconfig.server.json", "tsconfig.json"),
                (" && npm run build:2-server", ""),
            ),
        },
        (("Dockerfile", "rewrite"),),
    ),
    t3_case(
        "a Docker image of the WebSocket server alone",
        {"docker/ws.Dockerfile": WS_IMAGE},
        {"docker/ws.Dockerfile": None},
        (("docker/ws.Dockerfile", "remove"),),
    ),
    t3_case(
        "fly.io with a process for the server",
        {
            "fly.toml": """\
app = "lantern"

[processes]
  app = "npm start"
  ws = "npm run start:ws"

[http_service]
  internal_port = 3000
  processes = ["app"]
""",
            _PACKAGE: _WITH_START_WS,
        },
        {
            "fly.toml": """\
app = "lantern"

[processes]
  app = "npm start"

[http_service]
  internal_port = 3000
  processes = ["app"]
""",
        },
        (("fly.toml", "rewrite"),),
    ),
    Case(
        "a step of a workflow that builds the server",
        {**STARTER, ".github/workflows/ci.yml": _CI},
        {
            **STARTER_AFTER,
            ".github/workflows/ci.yml": swap(
                _CI, ("      - name: Build the WebSocket server\n        run: npm run build:2-server\n", "")
            ),
        },
        ((".github/workflows/ci.yml", "rewrite"),),
    ),
    t3_case(
        "words about the server, and its port",
        {
            "README.md": "# Lantern\n\nRun `npm run dev`, and `npm run dev:ws` for the WebSocket server.\n",
            "Dockerfile": _TOLD_IMAGE,
        },
        {"Dockerfile": swap(_TOLD_IMAGE, ("EXPOSE 3000 3001", "EXPOSE 3000"))},
        (("README.md", "by-hand"), ("Dockerfile", "rewrite")),
    ),
)


def _tabs(text: str) -> str:
    return "".join(
        "\t" * ((len(line) - len(line.lstrip(" "))) // 2) + line.lstrip(" ") for line in text.splitlines(keepends=True)
    )


def _crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


def _formatted(name: str, change: object, *paths: str) -> Case:
    assert callable(change)
    base = t3_case(name)
    return Case(
        name,
        {path: change(text) if path in paths else text for path, text in base.files.items()},
        {path: change(text) if text is not None and path in paths else text for path, text in base.after.items()},
        tuple((path, "rewrite") for path in paths if base.after.get(path) is not None and path != _PACKAGE),
    )


def _standard(text: str) -> str:
    """Single quotes and no semicolons; the sources here have nothing in them that this would break."""
    return "".join(line.replace(";\n", "\n") for line in text.replace('"', "'").splitlines(keepends=True))


_CLIENT = "src/trpc/react.tsx"
_FORMATS = (
    _formatted("one file with CRLF among others without", _crlf, _CLIENT),
    _formatted("the server with CRLF", _crlf, "src/server/ws-server.ts"),
    _formatted("tabs", _tabs, _CLIENT, _PACKAGE, "src/env.js"),
    _formatted("four spaces", lambda text: _tabs(text).replace("\t", "    "), _CLIENT, _PACKAGE, "src/env.js"),
    _formatted("single quotes and no semicolons", _standard, _CLIENT, "src/env.js", "src/server/ws-server.ts"),
    _formatted(
        "no final newlines", lambda text: text.removesuffix("\n"), _CLIENT, _PACKAGE, "src/env.js", ".env.example"
    ),
    _formatted("a byte order mark", lambda text: "\ufeff" + text, _CLIENT, "src/env.js"),
    t3_case(
        "generated copies of the server",
        {
            "dist/server/ws-server.js": "const { applyWSSHandler } = require('@trpc/server/adapters/ws');\n",
            ".next/server/ws.js": "createWSClient({ url: 'ws://localhost:3001' });\n",
        },
    ),
)

SURROUNDINGS = (*_ENVIRONMENT, *_DEPLOYMENTS, *_FORMATS)
