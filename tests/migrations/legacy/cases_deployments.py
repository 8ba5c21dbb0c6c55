"""What runs the app elsewhere: only what was for the server goes, and Next.js is started in its place."""

from __future__ import annotations

from tests.migrations.legacy.app_starter import STARTER, STARTER_AFTER
from tests.migrations.legacy.app_t3 import T3
from tests.migrations.legacy.apps import swap
from tests.migrations.legacy.cases import Case, t3_case
from tests.migrations.legacy.cases_needed_elsewhere import WS_IMAGE

_PACKAGE = "package.json"

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

DEPLOYMENTS = (
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
