"""Environment keys of the WebSocket server: which go, from where, and what stays to the byte."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from migrations.discovery.layout import find_layout
from migrations.engine.view import AppView
from migrations.legacy.environment.stage import clean_environment
from migrations.legacy.pieces import Found, LegacyApp
from tests.migrations.env_schemas import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Mapping

_SERVER = "import { WebSocketServer } from 'ws';\nnew WebSocketServer({ port: Number(process.env.WS_PORT ?? 3001) });\n"
_CLIENT = "import { createWSClient } from '@trpc/client';\nexport const url = 'x';\nconst ws = { url: %s };\n"
_CLIENT_AFTER = "export const url = 'x';\n"


def legacy_app(files: Mapping[str, str], after: Mapping[str, str | None]) -> LegacyApp:
    """An app, and what the stages before made of it."""
    before = AppView.of_files({path: text.encode() for path, text in files.items()})
    view = before.with_changes({path: None if text is None else text.encode() for path, text in after.items()})
    return LegacyApp(before, view, find_layout(before), ())


def clean(files: Mapping[str, str], reads: str = "process.env.NEXT_PUBLIC_WS_URL") -> tuple[dict[str, str], Found]:
    """The files that change when a client that reads the address so, and a server that reads WS_PORT, are gone."""
    whole = {"package.json": "{}", "client.ts": _CLIENT % reads, "server.ts": _SERVER, **files}
    found = clean_environment(legacy_app(whole, {"client.ts": _CLIENT_AFTER, "server.ts": None}))
    return {change.path: (change.after or b"").decode() for change in found.changes}, found


_ENV = "NEXT_PUBLIC_WS_URL=ws://localhost:3001\n"


def test_nothing_changes_where_no_earlier_stage_changed_anything() -> None:
    """A key is the server's because its readers went, not because of its name."""
    assert clean_environment(legacy_app({"package.json": "{}", ".env": _ENV}, {})) == Found()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/live.ts", "new WebSocket(process.env.NEXT_PUBLIC_WS_URL);\n"),
        ("src/live.ts", "const { NEXT_PUBLIC_WS_URL } = process.env;\n"),
        ("tests/live.test.ts", "vi.stubEnv('NEXT_PUBLIC_WS_URL', 'ws://x');\n"),
        ("next.config.js", "module.exports = { headers: () => [process.env.NEXT_PUBLIC_WS_URL] };\n"),
        ("docker-compose.yml", "services:\n  web:\n    command: run --url ${NEXT_PUBLIC_WS_URL}\n"),
        ("scripts/start.sh", 'exec app --url "$NEXT_PUBLIC_WS_URL"\n'),
        (".github/workflows/ci.yml", "jobs:\n  a:\n    steps:\n      - run: echo $NEXT_PUBLIC_WS_URL\n"),
        ("package.json", '{\n  "scripts": { "show": "echo $NEXT_PUBLIC_WS_URL" }\n}\n'),
        ("lib/config.ts", "export const config = { url: process.env.NEXT_PUBLIC_WS_URL };\n"),
        (".env.local", "API_URL=$NEXT_PUBLIC_WS_URL\n"),
    ],
)
def test_a_key_that_something_else_reads_stays(path: str, text: str) -> None:
    """Code, tests, configuration, scripts, CI and other keys count."""
    changes, _ = clean({".env": _ENV, path: text})
    assert changes == {}


@pytest.mark.parametrize(
    "key", ["PORT", "NODE_ENV", "DATABASE_URL", "RELAY_SECRET", "NEXT_PUBLIC_RELAY_HOST", "NEXT_PUBLIC_CHAT_MODE"]
)
def test_keys_that_others_read_without_being_told_of_stay(key: str) -> None:
    """Node, Next.js, databases and the relay have theirs."""
    changes, found = clean({".env": f"{key}=1\n"}, f"process.env.{key}")
    assert (changes, found.pieces) == ({}, ())


@pytest.mark.parametrize("key", ["SOKETI_WS_URL", "DB_SOCKET", "WS_PROVIDER"])
def test_a_key_that_no_removed_code_read_stays(key: str) -> None:
    """It may be another service's, whose library reads it."""
    schema = f"const schema = z.object({{ {key}: z.string() }});\nschema.parse(process.env);\n"
    assert clean({".env": f"{key}=ws://x\n", "src/env.ts": schema}) == ({}, Found())


@pytest.mark.parametrize("key", ["REDIS_URL", "WS_SECRET", "LOG_LEVEL"])
def test_a_key_that_libraries_may_read_or_that_is_a_secret_is_left_to_a_person(key: str) -> None:
    """Its value is never told."""
    changes, found = clean({".env": f"A=1\n{key}=precious\n"}, f"process.env.{key}")
    assert changes == {}
    (piece,) = found.pieces
    assert (piece.file, piece.line, piece.action) == (".env", 2, "by-hand")
    assert "precious" not in str(found)


@dataclass(frozen=True)
class Case:
    """What becomes of one file; `reads` is how the client that went read the address."""

    name: str
    path: str
    before: str
    after: str
    reads: str = "process.env.NEXT_PUBLIC_WS_URL"
    others: dict[str, str] = field(default_factory=dict)


_CASES = [
    Case("the last line", ".env", "A=1\nNEXT_PUBLIC_WS_URL=ws://x\n", "A=1\n"),
    Case("no final newline", ".env", "A=1\nNEXT_PUBLIC_WS_URL=ws://x", "A=1"),
    Case("CRLF", ".env", 'A="1"\r\nNEXT_PUBLIC_WS_URL="ws://x"\r\nB=2\r\n', 'A="1"\r\nB=2\r\n'),
    Case("byte order mark", ".env", "\ufeffNEXT_PUBLIC_WS_URL=ws://x\nB=2\n", "\ufeffB=2\n"),
    Case("export, twice", ".envrc", "export NEXT_PUBLIC_WS_URL='ws://x'\nB=2\nNEXT_PUBLIC_WS_URL = ws://y\n", "B=2\n"),
    Case("ignored by git", ".env.production.local", "NEXT_PUBLIC_WS_URL=\nB=2\n", "B=2\n"),
    Case("commented", ".env.example", "A=1\n# NEXT_PUBLIC_WS_URL=ws://x # local\n#export WS_PORT=3001\n", "A=1\n"),
    Case(
        "its comment",
        ".env",
        "A=1\n\n# Where sockets\n# are served\nNEXT_PUBLIC_WS_URL=ws://x\n\nB=2\n",
        "A=1\n\nB=2\n",
    ),
    Case(
        "a heading over other keys stays",
        ".env",
        "A=1\n\n# Addresses\nNEXT_PUBLIC_WS_URL=ws://x\nAPP_URL=http://x\n",
        "A=1\n\n# Addresses\nAPP_URL=http://x\n",
    ),
    Case("the head of the file stays", ".env", "# Copy me.\nNEXT_PUBLIC_WS_URL=ws://x\n\nB=2\n", "# Copy me.\n\nB=2\n"),
    Case(
        "a comment that names another key stays",
        ".env",
        "A=1\n# WS_PORT goes with APP_URL\nWS_PORT=3001\n\nB=2\n",
        "A=1\n# WS_PORT goes with APP_URL\n\nB=2\n",
    ),
    Case(
        "a line within another's value",
        ".env",
        'A="\nNEXT_PUBLIC_WS_URL=x\n"\nWS_PORT=1\n',
        'A="\nNEXT_PUBLIC_WS_URL=x\n"\n',
    ),
    Case(
        "a schema with its pair",
        "src/env.js",
        """\
import { createEnv } from "@t3-oss/env-nextjs";
import { z } from "zod";

export const env = createEnv({
  server: { A: z.string(), WS_PORT: z.coerce.number() },
  client: {
    NEXT_PUBLIC_A: z.string(), // a

    /** The WebSocket server's address. */
    NEXT_PUBLIC_WS_URL: z
      .string()
      .url(),
  },
  experimental__runtimeEnv: {
    NEXT_PUBLIC_WS_URL: process.env.NEXT_PUBLIC_WS_URL,
    NEXT_PUBLIC_A: process.env.NEXT_PUBLIC_A
  },
});
""",
        """\
import { createEnv } from "@t3-oss/env-nextjs";
import { z } from "zod";

export const env = createEnv({
  server: { A: z.string() },
  client: {
    NEXT_PUBLIC_A: z.string(), // a
  },
  experimental__runtimeEnv: {
    NEXT_PUBLIC_A: process.env.NEXT_PUBLIC_A
  },
});
""",
        "env.NEXT_PUBLIC_WS_URL",
    ),
    Case(
        "a schema that has nothing else",
        "src/env.js",
        """\
import { createEnv } from "@t3-oss/env-nextjs";
export const env = createEnv({
  client: {
    NEXT_PUBLIC_WS_URL: z.string(),
  },
  runtimeEnv: { NEXT_PUBLIC_WS_URL: process.env.NEXT_PUBLIC_WS_URL },
});
""",
        """\
import { createEnv } from "@t3-oss/env-nextjs";
export const env = createEnv({
  client: {},
  runtimeEnv: {},
});
""",
        "env.NEXT_PUBLIC_WS_URL",
    ),
    Case(
        "a schema that is parsed from process.env",
        "src/server/env.js",
        "const { z } = require('zod');\nconst schema = z.object({\n  A: z.string(),\n  WS_URL: z.string().url(),\n});\n"
        "const env = schema.safeParse(process.env);\nmodule.exports = { env };\n",
        "const { z } = require('zod');\nconst schema = z.object({\n  A: z.string(),\n});\n"
        "const env = schema.safeParse(process.env);\nmodule.exports = { env };\n",
        "env.WS_URL",
    ),
    Case(
        "runtime config",
        "next.config.js",
        "module.exports = {\n  publicRuntimeConfig: {\n    APP_URL: process.env.APP_URL,\n"
        "    WS_URL: process.env.WS_URL,\n  },\n};\n",
        "module.exports = {\n  publicRuntimeConfig: {\n    APP_URL: process.env.APP_URL,\n  },\n};\n",
        "getConfig().publicRuntimeConfig.WS_URL",
    ),
    Case(
        "runtime config that nothing reads",
        "next.config.mjs",
        "/** @type {import('next').NextConfig} */\nexport default {\n"
        "  publicRuntimeConfig: { wsUrl: process.env.WS_URL },\n"
        "  serverRuntimeConfig: { wsUrl: env.WS_URL },\n  reactStrictMode: true,\n};\n",
        "/** @type {import('next').NextConfig} */\nexport default {\n  reactStrictMode: true,\n};\n",
        "publicRuntimeConfig.wsUrl",
        {".env": "WS_URL=ws://x\n"},
    ),
    Case(
        "runtime config that something reads as a whole",
        "next.config.js",
        "module.exports = {\n  publicRuntimeConfig: {\n    WS_URL: process.env.WS_URL,\n  },\n};\n",
        "module.exports = {\n  publicRuntimeConfig: {},\n};\n",
        "config.WS_URL",
        {"src/config.ts": "import get from 'next/config';\nexport const config = get().publicRuntimeConfig;\n"},
    ),
    Case(
        "env of next.config",
        "next.config.js",
        "module.exports = { env: { WS_URL: process.env.WS_URL }, images: { domains: [] } };\n",
        "module.exports = { images: { domains: [] } };\n",
        "process.env.WS_URL",
    ),
    Case(
        "the type of process.env",
        "src/environment.d.ts",
        "declare namespace NodeJS {\n  interface ProcessEnv {\n    A: string;\n    WS_URL: string;\n  }\n}\n",
        "declare namespace NodeJS {\n  interface ProcessEnv {\n    A: string;\n  }\n}\n",
        "process.env.WS_URL",
    ),
    Case(
        "compose",
        "docker-compose.yml",
        "services:\n  web:\n    environment:\n      - A=1\n      - WS_URL=ws://ws:3001\n    build:\n      args:\n"
        "        WS_URL: ${WS_URL}\n    ports: ['3000:3000']\n",
        "services:\n  web:\n    environment:\n      - A=1\n    build:\n    ports: ['3000:3000']\n",
        "process.env.WS_URL",
    ),
    Case(
        "a workflow",
        ".github/workflows/ci.yml",
        "jobs:\n  build:\n    env:\n      WS_URL: ws://localhost:3001\n    steps:\n"
        "      - run: npm test\n        env:\n          A: b\n          NEXT_PUBLIC_WS_URL: ${{ vars.WS }}\n",
        "jobs:\n  build:\n    steps:\n      - run: npm test\n        env:\n          A: b\n",
        "process.env.NEXT_PUBLIC_WS_URL + process.env.WS_URL",
    ),
    Case(
        "Render",
        "render.yaml",
        "services:\n  - type: web\n    envVars:\n      - key: A\n        value: 1\n"
        "      - key: WS_URL\n        sync: false\n",
        "services:\n  - type: web\n    envVars:\n      - key: A\n        value: 1\n",
        "process.env.WS_URL",
    ),
    Case(
        "fly", "fly.toml", '[env]\n  A = "1"\n  WS_URL = "wss://x" # here\n', '[env]\n  A = "1"\n', "process.env.WS_URL"
    ),
    Case(
        "Dockerfile",
        "Dockerfile",
        'FROM node\nARG WS_URL\nENV WS_URL="ws://0.0.0.0:3000"\nENV A=1\n',
        "FROM node\nENV A=1\n",
        "env.WS_URL",
    ),
    Case(
        "Vercel",
        "vercel.json",
        '{\n  "env": { "A": "1", "WS_URL": "@ws" }\n}\n',
        '{\n  "env": { "A": "1" }\n}\n',
        "env.WS_URL",
    ),
    Case(
        "Turborepo",
        "turbo.json",
        '{\n  "globalEnv": ["A", "WS_URL"]\n}\n',
        '{\n  "globalEnv": ["A"]\n}\n',
        "env.WS_URL",
    ),
]


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.name)
def test_a_key_that_only_removed_code_read_goes(case: Case) -> None:
    """Only its own lines; every other byte of the file stays."""
    changes, found = clean({case.path: case.before, **case.others}, case.reads)
    assert changes[case.path] == case.after
    assert {piece.file for piece in found.pieces if piece.action == "rewrite"} == set(changes)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_form_of_schema_is_read(name: str) -> None:
    """Declaring a key in it and taking it out again gives back the schema."""
    schema = SCHEMAS[name][1].replace("RELAY_URL", "WS_PORT")
    changes, _ = clean({"src/env.mjs": schema}, "env.WS_PORT")
    assert "WS_PORT" not in changes["src/env.mjs"]
    kept = [line.rstrip(",") for line in schema.splitlines() if "WS_PORT" not in line]
    assert [line.rstrip(",") for line in changes["src/env.mjs"].splitlines()] == kept


def test_a_key_that_is_only_a_comment_of_a_removed_file_goes() -> None:
    """The first user's server is commented out whole, and so may its key be."""
    app = legacy_app(
        {"package.json": "{}", "ws.ts": "// const port = process.env.WS_PORT;\n", ".env": "A=1\n#WS_PORT=3001\n"},
        {"ws.ts": None},
    )
    (change,) = clean_environment(app).changes
    assert (change.path, change.after) == (".env", b"A=1\n")


def test_what_tells_of_a_key_is_left_to_a_person() -> None:
    """Documents, comments, arguments of a build: listed, and not edited."""
    others = {
        "README.md": "# App\n\nSet NEXT_PUBLIC_WS_URL first.\n",
        "src/a.ts": "// NEXT_PUBLIC_WS_URL was here\nexport const a = 1;\n",
        "deploy.yml": "run: docker build --build-arg NEXT_PUBLIC_WS_URL=ws://x .\n",
    }
    changes, found = clean({".env": _ENV, **others})
    assert set(changes) == {".env"}
    places = {(piece.file, piece.line) for piece in found.pieces if piece.action == "by-hand"}
    assert places == {("README.md", 3), ("src/a.ts", 1), ("deploy.yml", 1)}


def test_a_script_that_sets_a_key_does_not_read_it() -> None:
    """The scripts are seen to when the key is gone."""
    scripts = '{\n  "scripts": {\n    "dev": "cross-env NEXT_PUBLIC_WS_URL=ws://x next dev"\n  }\n}\n'
    changes, _ = clean({".env": _ENV, "package.json": scripts})
    assert changes == {".env": ""}


def test_a_key_that_anothers_value_is_put_together_of_is_told_of_with_the_place() -> None:
    changes, found = clean({".env": _ENV + "SOCKET=${NEXT_PUBLIC_WS_URL}/x\n", "src/a.ts": "process.env.SOCKET;\n"})
    assert changes == {}
    (piece,) = found.pieces
    assert (piece.file, piece.line, piece.action) == (".env", 1 + _ENV.count("\n"), "keep")


def test_a_key_for_a_socket_that_is_still_read_is_told_of_with_the_place() -> None:
    """So that its owner sees why it stays."""
    _, found = clean({".env": _ENV, "src/live.ts": "\nnew WebSocket(process.env.NEXT_PUBLIC_WS_URL);\n"})
    (piece,) = found.pieces
    assert (piece.file, piece.line, piece.action) == ("src/live.ts", 2, "keep")


def test_a_second_run_finds_nothing() -> None:
    """The app as it is left has no piece."""
    changes, _ = clean({".env": _ENV + "A=1\n"})
    app = legacy_app({"package.json": "{}", "client.ts": _CLIENT_AFTER, **changes}, {})
    assert clean_environment(app).pieces == ()
