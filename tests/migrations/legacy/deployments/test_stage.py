"""Files that run or build the WebSocket server elsewhere, after the server's files and scripts are gone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from migrations.discovery.layout import find_layout
from migrations.engine.view import AppView
from migrations.legacy.deployments.stage import clean_deployments
from migrations.legacy.pieces import Found, LegacyApp
from tests.migrations.legacy.app_starter import STARTER

if TYPE_CHECKING:
    from collections.abc import Mapping

_WS = "src/server/wssDevServer.ts"
_PROD = "src/server/prodServer.ts"
_SCRIPTS = {
    "build:1-next": "next build",
    "build:2-server": "tsc --project tsconfig.server.json",
    "build": "run-s build:*",
    "dev:wss": "tsx watch src/server/wssDevServer.ts",
    "start:wss": "node dist/server/wssDevServer.js",
    "dev": "run-p dev:*",
    "start": "node dist/server/prodServer.js",
}
_SCRIPTS_AFTER = {"build:1-next": "next build", "build": "next build", "dev": "next dev", "start": "next start"}


def _manifest(scripts: Mapping[str, str]) -> str:
    dependencies = {"next": "^15.0.0", "@trpc/server": "^11.0.0"}
    return json.dumps({"name": "a", "scripts": scripts, "dependencies": dependencies}, indent=2) + "\n"


_BEFORE = {
    "package.json": _manifest(_SCRIPTS),
    "package-lock.json": "{}",
    "next.config.js": "module.exports = {};\n",
    "tsconfig.server.json": STARTER["tsconfig.server.json"],
    "src/pages/index.tsx": "export default () => null;\n",
    _WS: STARTER[_WS],
    _PROD: STARTER[_PROD],
}
_AFTER: dict[str, str | None] = {
    "package.json": _manifest(_SCRIPTS_AFTER),
    "tsconfig.server.json": None,
    _WS: None,
    _PROD: None,
}


def clean(files: Mapping[str, str]) -> tuple[dict[str, str | None], Found]:
    """The files that change in an app of the starter's shape that has these files too."""
    before = AppView.of_files({path: text.encode() for path, text in {**_BEFORE, **files}.items()})
    view = before.with_changes({path: None if text is None else text.encode() for path, text in _AFTER.items()})
    found = clean_deployments(LegacyApp(before, view, find_layout(before), ()))
    changes = {change.path: None if change.after is None else change.after.decode() for change in found.changes}
    return changes, found


_NEXT_IMAGE = """\
FROM node:20-alpine
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build
EXPOSE 3000
CMD ["npm", "start"]
"""

UNTOUCHED = {
    "ws/Dockerfile": "FROM node\nENV PORT=3001\nEXPOSE 3001\nCMD npm start\n",
    "Dockerfile": _NEXT_IMAGE,
    "docker-compose.yml": "services:\n  web:\n    build: .\n    command: npm start\n    ports:\n      - '3000:3000'\n",
    "Procfile": "web: npm start\n",
    "ecosystem.config.js": "module.exports = { apps: [{ name: 'a', script: 'npm', args: 'start' }] };\n",
    "fly.toml": "app = 'a'\n[http_service]\n  internal_port = 3000\n",
    "render.yaml": "services:\n  - type: web\n    startCommand: npm start\n    buildCommand: npm ci && npm run build\n",
    ".github/workflows/ci.yml": "jobs:\n  a:\n    steps:\n      - run: npm run build\n      - run: npm run dev &\n",
    "Makefile": "run:\n\tnpm start\n",
    "playwright.config.ts": "export default { webServer: { command: 'npm run dev', port: 3000 } };\n",
    ".vscode/launch.json": '{ "configurations": [{ "name": "a", "command": "npm run dev" }] }\n',
    "other/Dockerfile": "FROM node\nCOPY server.js ./\nCMD node server.js\n",
    "docker/ws/Dockerfile": "FROM python\nEXPOSE 8000\nCMD python ws_server.py\n",
}


def test_nothing_changes_where_no_earlier_stage_took_anything_away() -> None:
    """Whatever runs a server that stays is left alone."""
    before = AppView.of_files(
        {path: text.encode() for path, text in {**_BEFORE, "Procfile": "ws: node dist/ws.js"}.items()}
    )
    assert clean_deployments(LegacyApp(before, before, find_layout(before), ())) == Found()


@pytest.mark.parametrize("path", UNTOUCHED)
def test_a_place_that_goes_on_working_is_no_piece(path: str) -> None:
    """What calls a script that was rewritten, and what has nothing to do with the server."""
    assert clean({path: UNTOUCHED[path]}) == ({}, Found())


_START = (
    'FROM node:20\nWORKDIR /app\nCOPY . .\nRUN npm ci && npm run build\nCMD ["node", "dist/server/prodServer.js"]\n'
)

_START_NEXT = _START.replace('"node", "dist/server/prodServer.js"', '"node_modules/.bin/next", "start"')

NEEDS: dict[str, tuple[str, str, int]] = {
    "standalone output": ("Dockerfile", _START.replace("CMD", "COPY --from=b /app/.next/standalone ./\nCMD"), 6),
    "no packages in the image": (
        "Dockerfile",
        "FROM node:20 AS builder\nWORKDIR /app\nCOPY . .\nRUN npm ci\nRUN npm run build\nFROM node:20\nWORKDIR /app\n"
        'COPY --from=builder /app/.next ./.next\nCMD ["node", "dist/server/prodServer.js"]\n',
        9,
    ),
    "an image of the server alone": ("Dockerfile", "FROM node\nCOPY . .\nCMD node dist/server/wssDevServer.js\n", 3),
    "entrypoint and command": ("Dockerfile", 'FROM node\nENTRYPOINT ["node"]\nCMD ["dist/server/prodServer.js"]\n', 3),
    "a shell with both": (
        "Dockerfile",
        'FROM node\nCMD ["sh", "-c", "if true; then node dist/server/wssDevServer.js; fi; npm start"]\n',
        2,
    ),
    "a health check": (
        "Dockerfile",
        _NEXT_IMAGE.replace("CMD", "HEALTHCHECK CMD wget localhost:3001\nCMD"),
        8,
    ),
    "a script in a here-document": ("Dockerfile", "FROM node\nRUN <<EOF\nnpm run build:2-server\nEOF\n", 3),
    "compose, the whole app": (
        "compose.yaml",
        "services:\n  web:\n    image: a\n    command: node dist/server/prodServer.js\n  db:\n    image: postgres\n",
        4,
    ),
    "compose, a service that others share a network with": (
        "docker-compose.yml",
        "services:\n  ws:\n    build: .\n    command: npm run start:wss\n  web:\n    build: .\n"
        "    network_mode: service:ws\n",
        7,
    ),
    "compose, an anchor that others use": (
        "docker-compose.yml",
        "services:\n  ws: &base\n    build: .\n    command: npm run start:wss\n"
        "  web:\n    <<: *base\n    command: npm start\n",
        2,
    ),
    "systemd": ("deploy/app.service", "[Service]\nExecStart=/usr/bin/node /srv/app/dist/server/prodServer.js\n", 2),
    "fly, nothing else": ("fly.toml", "[processes]\n  app = 'node dist/server/wssDevServer.js'\n", 2),
    "fly, its only service": ("fly.toml", "app = 'a'\n[[services]]\n  internal_port = 3001\n", 2),
    "a workflow's only step": (
        ".github/workflows/a.yml",
        "jobs:\n  a:\n    steps:\n      - run: npm run start:wss\n",
        4,
    ),
    "a workflow, in a condition": (
        ".github/workflows/a.yml",
        "jobs:\n  a:\n    steps:\n      - run: |\n          if true; then\n"
        "            npm run start:wss\n          fi\n",
        6,
    ),
    "Kubernetes": ("k8s/app.yaml", 'spec:\n  containers:\n    - command: ["node", "dist/server/prodServer.js"]\n', 3),
    "PM2 with arguments": (
        "ecosystem.config.js",
        "module.exports = {\n  apps: [\n    { script: 'dist/server/prodServer.js', node_args: '-r x' },\n  ],\n};\n",
        3,
    ),
    "supervisord": ("supervisord.conf", "[program:ws]\ncommand=node dist/server/wssDevServer.js\n", 2),
    "IIS": ("web.config", '<add name="iisnode" path="dist/server/prodServer.js" />\n', 1),
    "App Engine": ("app.yaml", "runtime: nodejs22\nentrypoint: node dist/server/prodServer.js\n", 2),
    "an image that a workflow builds": (
        "ws.Dockerfile",
        "FROM node\nCOPY . .\nCMD npm run start:wss\n",
        3,
    ),
    "a compose file of nothing else": ("compose.yml", "services:\n  ws:\n    command: npm run start:wss\n", 2),
    "a shell script": ("run.sh", "node dist/server/wssDevServer.js &\nnpm start\n", 1),
    "make": ("Makefile", "dev:\n\tnpm run dev:wss & npm run dev\n", 2),
    "a workflow that takes the output along": (
        ".github/workflows/a.yml",
        "jobs:\n  a:\n    steps:\n      - run: npm run build\n      - run: rsync -a .next dist host:/a\n",
        5,
    ),
    "Render's build": ("render.yaml", "services:\n  - type: web\n    buildCommand: npm run build:2-server\n", 3),
}


@pytest.mark.parametrize("name", NEEDS)
def test_what_would_break_is_a_need_with_its_line(name: str) -> None:
    """Nothing that runs in production may break: the need refuses the whole run, and the file is not changed."""
    path, text, line = NEEDS[name]
    builds = {".github/workflows/b.yml": "run: docker build -f ws.Dockerfile .\n"} if path == "ws.Dockerfile" else {}
    changes, found = clean({path: text, **builds})
    assert path not in changes
    assert (path, line) in {(need.file, need.line) for need in found.needs}
    assert all(need.action == "keep" and need.why for need in found.needs)


@dataclass(frozen=True)
class Case:
    """What becomes of one file; None where it goes."""

    name: str
    path: str
    before: str
    after: str | None
    others: dict[str, str] = field(default_factory=dict)


CASES = [
    Case("an image of the whole app", "Dockerfile", _START, _START_NEXT),
    Case(
        "behind an init, in an absolute path, CRLF",
        "Dockerfile",
        _START.replace('["node", "dist', '["dumb-init", "node", "/app/dist').replace("\n", "\r\n"),
        _START_NEXT.replace('["node_', '["dumb-init", "node_').replace("\n", "\r\n"),
    ),
    Case(
        "stages",
        "Dockerfile",
        """\
FROM node:20 AS builder
WORKDIR /app
COPY package.json tsconfig.json tsconfig.server.json ./
RUN npm ci
COPY . .
RUN npm run build:1-next && npm run build:2-server

FROM node:20
WORKDIR /app
COPY --from=builder /app/node_modules ./node_modules
COPY --from=builder /app/.next ./.next
COPY --from=builder /app/dist ./dist
COPY dist/ ./dist/
EXPOSE 3000 3001
EXPOSE 3001
CMD node dist/server/prodServer.js
""",
        """\
FROM node:20 AS builder
WORKDIR /app
COPY package.json tsconfig.json ./
RUN npm ci
COPY . .
RUN npm run build:1-next

FROM node:20
WORKDIR /app
COPY --from=builder /app/node_modules ./node_modules
COPY --from=builder /app/.next ./.next
EXPOSE 3000
CMD node_modules/.bin/next start
""",
    ),
    Case(
        "a RUN over several lines",
        "Dockerfile",
        "FROM node\nRUN npm ci && \\\n    npm run build:1-next && \\\n    npm run build:2-server\nCMD npm start\n",
        "FROM node\nRUN npm ci && \\\n    npm run build:1-next\nCMD npm start\n",
    ),
    Case("an image of the server, by its name", "ws.Dockerfile", "FROM node\nCOPY . .\nCMD npm run start:wss\n", None),
    Case(
        "a compose service",
        "docker-compose.yml",
        """\
services:
  # the app itself
  web:
    build: .
    ports:
      - "3000:3000"
      - "3001:3001"
    depends_on:
      - db
      - ws

  # tRPC's sockets
  ws:
    build: .
    command: ["npm", "run", "start:wss"]
    ports:
      - "3001:3001"

  db:
    image: postgres
    depends_on: {}
""",
        """\
services:
  # the app itself
  web:
    build: .
    ports:
      - "3000:3000"
    depends_on:
      - db

  db:
    image: postgres
    depends_on: {}
""",
    ),
    Case(
        "a compose service by its image",
        "docker-compose.yml",
        "services:\n  web:\n    build: .\n    depends_on:\n      - ws\n  ws:\n    build:\n      context: .\n"
        "      dockerfile: Dockerfile.ws\n",
        "services:\n  web:\n    build: .\n",
        {"Dockerfile.ws": "FROM node\nCMD node dist/server/wssDevServer.js\n"},
    ),
    Case(
        "a Procfile",
        "Procfile",
        "web: node dist/server/prodServer.js\n\n# sockets\nws: npm run start:wss\n",
        "web: npx next start\n",
    ),
    Case(
        "PM2",
        "ecosystem.config.cjs",
        """\
module.exports = {
  apps: [
    {
      name: "web",
      script: "./dist/server/prodServer.js",
      instances: 2,
    },
    {
      name: "ws",
      script: "npm",
      args: "run start:wss",
    },
  ],
};
""",
        """\
module.exports = {
  apps: [
    {
      name: "web",
      script: "node_modules/next/dist/bin/next",
      args: "start",
      instances: 2,
    },
  ],
};
""",
    ),
    Case(
        "PM2 in JSON",
        "ecosystem.config.json",
        '{\n  "apps": [\n    { "name": "web", "script": "npm", "args": "start" },\n'
        '    { "name": "ws", "script": "dist/server/wssDevServer.js" }\n  ]\n}\n',
        '{\n  "apps": [\n    { "name": "web", "script": "npm", "args": "start" }\n  ]\n}\n',
    ),
    Case(
        "fly",
        "fly.toml",
        """\
app = "a"

[processes]
  web = "npm start"
  ws = "node dist/server/wssDevServer.js"

[[services]]
  internal_port = 3000
  processes = ["web"]

[[services]]
  internal_port = 3001
  processes = ["ws"]

  [[services.ports]]
    port = 3001

[[vm]]
  memory = "1gb"
  processes = ["web", "ws"]
""",
        """\
app = "a"

[processes]
  web = "npm start"

[[services]]
  internal_port = 3000
  processes = ["web"]

[[vm]]
  memory = "1gb"
  processes = ["web"]
""",
    ),
    Case(
        "Railway",
        "railway.json",
        '{\n  "deploy": { "startCommand": "node dist/server/prodServer.js" }\n}\n',
        '{\n  "deploy": { "startCommand": "npx next start" }\n}\n',
    ),
    Case(
        "Nixpacks",
        "nixpacks.toml",
        '[start]\ncmd = "node dist/server/wssDevServer.js & npm start" # all\n',
        '[start]\ncmd = "npm start" # all\n',
    ),
    Case(
        "Render",
        "render.yaml",
        """\
services:
  - type: web
    name: app
    buildCommand: npm ci && npm run build:1-next && npm run build:2-server
    startCommand: node dist/server/prodServer.js
  - type: web
    name: live-sockets
    startCommand: npm run start:wss
""",
        """\
services:
  - type: web
    name: app
    buildCommand: npm ci && npm run build:1-next
    startCommand: npx next start
""",
    ),
    Case(
        "a workflow",
        ".github/workflows/ci.yml",
        """\
jobs:
  test:
    steps:
      - uses: actions/checkout@v4
      - name: Build the server
        run: npm run build:2-server
      - run: |
          npm run build:1-next
          npm run start:wss &
          npm test
      - run: npm run build:1-next && npm run build:2-server
""",
        """\
jobs:
  test:
    steps:
      - uses: actions/checkout@v4
      - run: |
          npm run build:1-next
          npm test
      - run: npm run build:1-next
""",
    ),
    Case(
        "GitLab",
        ".gitlab-ci.yml",
        "build:\n  script:\n    - npm run build:1-next\n    - npm run build:2-server\n",
        "build:\n  script:\n    - npm run build:1-next\n",
    ),
    Case(
        "VS Code",
        ".vscode/launch.json",
        """\
{
  // all
  "configurations": [
    { "name": "app", "command": "npm run dev" },
    { "name": "sockets", "program": "${workspaceFolder}/src/server/wssDevServer.ts" }
  ]
}
""",
        """\
{
  // all
  "configurations": [
    { "name": "app", "command": "npm run dev" }
  ]
}
""",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_for_the_server_alone_goes(case: Case) -> None:
    """By lines, blocks and words; every other byte of the file stays."""
    changes, found = clean({case.path: case.before, **case.others})
    assert found.needs == ()
    assert changes[case.path] == case.after
    assert all(piece.action in ("remove", "rewrite") for piece in found.pieces)
    lines = case.before.count("\n") + 1
    assert all(0 < piece.line <= lines for piece in found.pieces if piece.file == case.path)


@pytest.mark.parametrize("case", [case for case in CASES if case.after is not None], ids=lambda case: case.name)
def test_what_is_left_has_nothing_more_of_the_server(case: Case) -> None:
    """Cleaned again, nothing is found."""
    assert clean({case.path: case.after or ""}) == ({}, Found())


def test_the_dynos_of_a_process_that_goes_are_no_longer_counted() -> None:
    """Heroku's app.json names the processes of its Procfile."""
    app_json = '{\n  "formation": { "web": { "quantity": 1 }, "ws": { "quantity": 1 } }\n}\n'
    changes, _ = clean({"Procfile": "web: npm start\nws: npm run start:wss\n", "app.json": app_json})
    assert changes["app.json"] == '{\n  "formation": { "web": { "quantity": 1 } }\n}\n'


def test_an_image_goes_with_the_compose_service_that_was_built_from_it() -> None:
    """It starts the server alone, and nothing else names it."""
    compose = "services:\n  web:\n    build: .\n  ws:\n    build:\n      dockerfile: ws.Dockerfile\n"
    image = "FROM node\nCOPY . .\nCMD npm run start:wss\n"
    changes, found = clean({"docker-compose.yml": compose, "ws.Dockerfile": image})
    assert found.needs == ()
    assert changes == {"docker-compose.yml": "services:\n  web:\n    build: .\n", "ws.Dockerfile": None}


def test_what_else_package_json_names_is_left_to_a_person() -> None:
    """A host may run its main file."""
    manifest = _manifest(_SCRIPTS_AFTER).replace('"name"', '"main": "dist/server/prodServer.js",\n  "name"')
    before = AppView.of_files({path: text.encode() for path, text in {**_BEFORE, "package.json": manifest}.items()})
    gone = {path: None for path, text in _AFTER.items() if text is None}
    found = clean_deployments(LegacyApp(before, before.with_changes(gone), find_layout(before), ()))
    assert [(piece.file, piece.line, piece.action) for piece in found.pieces] == [("package.json", 2, "by-hand")]


def test_values_that_a_command_sets_are_not_told() -> None:
    """They may be secrets."""
    changes, found = clean({"Procfile": "web: API_TOKEN=precious node dist/server/prodServer.js\n"})
    assert changes["Procfile"] == "web: API_TOKEN=precious npx next start\n"
    assert "precious" not in str(found.pieces)


def test_a_file_that_adds_to_a_service_that_goes_is_a_need() -> None:
    """A service of compose has to have an image somewhere."""
    compose = "services:\n  web:\n    build: .\n  ws:\n    build: .\n    command: npm run start:wss\n"
    _, found = clean({"compose.yml": compose, "compose.override.yml": "services:\n  ws:\n    restart: always\n"})
    assert [(need.file, need.line) for need in found.needs] == [("compose.override.yml", 2)]


def test_a_proxy_that_names_a_service_that_goes_is_a_need() -> None:
    """nginx does not start with a host that it cannot find."""
    compose = "services:\n  web:\n    build: .\n  ws:\n    build: .\n    command: npm run start:wss\n"
    _, found = clean({"docker-compose.yml": compose, "nginx/app.conf": "upstream live {\n  server ws:3001;\n}\n"})
    assert [(need.file, need.line) for need in found.needs] == [("nginx/app.conf", 2)]


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("README.md", "# App\n\n`npm run dev:wss` starts the WebSocket server, see src/server/wssDevServer.ts.\n", 3),
        ("docs/run.mdx", "\nIt is at ws://localhost:3001.\n", 2),
        ("nginx.conf", "location /ws {\n  proxy_pass http://127.0.0.1:3001;\n}\n", 2),
        ("next.config.mjs", "export default {\n  // see wssDevServer.ts\n};\n", 2),
        ("src/headers.ts", 'export const csp =\n  "connect-src ws://localhost:3001";\n', 2),
        (".gitignore", "dist\nsrc/server/prodServer.js\n", 2),
    ],
)
def test_what_only_tells_of_the_server_is_left_to_a_person(path: str, text: str, line: int) -> None:
    """Listed by its first line, and not edited."""
    changes, found = clean({path: text})
    assert changes == {}
    assert found.needs == ()
    assert [(piece.file, piece.line, piece.action) for piece in found.pieces] == [(path, line, "by-hand")]
