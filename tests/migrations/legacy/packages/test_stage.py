"""Which packages go with the server; the apps in which none may come first."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from migrations.discovery.layout import find_layout
from migrations.engine import AppView
from migrations.legacy.packages.stage import clean_packages
from migrations.legacy.pieces import Found, LegacyApp
from migrations.legacy.scripts.stage import clean_scripts
from migrations.legacy.servers.stage import find_servers

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVER = b"""import { applyWSSHandler } from "@trpc/server/adapters/ws";
import { WebSocketServer } from "ws";
import "dotenv/config";
import cookie from "cookie";
const wss = new WebSocketServer({ port: 3001 });
applyWSSHandler({ wss, router: appRouter });
"""
PATH = "src/server/ws.ts"
SCRIPTS = {"dev": "run-p dev:*", "dev:next": "next dev", "dev:ws": "cross-env PORT=3001 tsx watch src/server/ws.ts"}
PACKAGES = ("@trpc/server", "next", "ws")
DEV = ("@types/ws", "cross-env", "npm-run-all", "tsx", "typescript")

Files = dict[str, bytes]


def app_with(
    files: Mapping[str, bytes] | None = None,
    *,
    packages: tuple[str, ...] = PACKAGES,
    dev: tuple[str, ...] = DEV,
    scripts: Mapping[str, str] | None = None,
    manifest: Mapping[str, object] | None = None,
    gone: tuple[str, ...] = (PATH,),
) -> LegacyApp:
    """An app whose server has gone already, and the scripts that ran it."""
    package = {
        "name": "web",
        "scripts": SCRIPTS if scripts is None else scripts,
        "dependencies": dict.fromkeys(packages, "^1.0.0"),
        "devDependencies": dict.fromkeys(dev, "^1.0.0"),
        **(manifest or {}),
    }
    own = {PATH: SERVER, "package.json": json.dumps(package, indent=2).encode(), **(files or {})}
    before = AppView.of_files(own)
    layout = find_layout(before)
    app = LegacyApp(before, before.with_changes(dict.fromkeys(gone)), layout, find_servers(before, layout))
    written = {change.path: change.after for change in clean_scripts(app).changes}
    return replace(app, view=before.with_changes({**dict.fromkeys(gone), **written}))


def removed(found: Found) -> set[str]:
    return {package.name for package in found.packages}


RAW = b'import { WebSocketServer } from "ws";\nnew WebSocketServer({ port: 1 });\n'
NOT_OURS: dict[str, tuple[Files, tuple[str, ...]]] = {
    "no trace of tRPC's WebSockets": ({PATH: b"export {};\n"}, ("next", "ws")),
    "a raw WebSocket server": ({PATH: RAW}, ("next", "ws", "bufferutil")),
    "tRPC over HTTP, and ws for something unseen": (
        {PATH: b'import { httpBatchLink } from "@trpc/client";\n'},
        ("@trpc/server", "next", "ws"),
    ),
    "nothing that a server is run with": ({PATH: b"export {};\n"}, ("next", "react")),
    "helpers that nothing uses": ({PATH: b"export {};\n"}, ("next", "tsx", "concurrently", "nodemon")),
}


@pytest.mark.parametrize("name", NOT_OURS)
def test_an_app_that_never_had_such_a_server_keeps_every_package(name: str) -> None:
    files, packages = NOT_OURS[name]
    assert clean_packages(app_with(files, packages=packages, gone=())) == Found()


def test_an_app_without_dependencies_is_left_alone() -> None:
    view = AppView.of_files({"package.json": b"{}"})
    assert clean_packages(LegacyApp(view, view, find_layout(view), ())) == Found()


def test_a_kit_beside_a_raw_server_is_no_reason_to_tell_of_ws() -> None:
    files = {PATH: RAW, "src/relay-kit/link.ts": b"export const a = 1;\n"}
    assert clean_packages(app_with(files, gone=())) == Found()


def test_helpers_that_nothing_that_went_used_stay() -> None:
    app = app_with(dev=(*DEV, "concurrently", "nodemon", "tsup"))
    assert removed(clean_packages(app)) == {"ws", "@types/ws", "cross-env", "npm-run-all", "tsx"}


def test_everything_that_the_server_alone_used_goes() -> None:
    found = clean_packages(app_with())
    assert removed(found) == {"ws", "@types/ws", "cross-env", "npm-run-all", "tsx"}
    assert {piece.action for piece in found.pieces} == {"remove"}
    assert {(piece.line, piece.what) for piece in found.pieces} == {
        (11, "package ws"),
        (14, "package @types/ws"),
        (15, "package cross-env"),
        (16, "package npm-run-all"),
        (17, "package tsx"),
    }


def test_a_second_run_finds_nothing() -> None:
    app = app_with()
    gone = removed(clean_packages(app))
    package = json.loads(app.view.read("package.json") or b"")
    for section in ("dependencies", "devDependencies"):
        package[section] = {name: v for name, v in package[section].items() if name not in gone}
    view = app.view.with_changes({"package.json": json.dumps(package).encode()})
    assert clean_packages(LegacyApp(view, view, app.layout, ())) == Found()


def test_after_an_earlier_migration_ws_goes_though_there_is_no_server_any_more() -> None:
    files = {PATH: b"export {};\n", "src/relay-kit/link.ts": b"export const a = 1;\n"}
    app = app_with(files, gone=(), scripts={"seed": "tsx prisma/seed.ts"})
    assert removed(clean_packages(app)) == {"ws", "@types/ws"}


def test_what_makes_ws_faster_goes_with_it_wherever_it_is_listed() -> None:
    manifest = {
        "optionalDependencies": {"bufferutil": "^4.0.0"},
        "peerDependencies": {"utf-8-validate": "^6.0.0", "ws": "*"},
    }
    assert {"bufferutil", "utf-8-validate", "ws"} <= removed(clean_packages(app_with(manifest=manifest)))


def test_types_go_with_their_package() -> None:
    app = app_with(scripts={"x": "wait-on tcp:3001 && concurrently 'tsx src/server/ws.ts'"},
                   dev=("concurrently", "wait-on", "@types/wait-on", "tsx", "@types/node"))  # fmt: skip
    assert {"wait-on", "@types/wait-on"} <= removed(clean_packages(app))
    assert "@types/node" not in removed(clean_packages(app))


# Files of the app, the packages that stay for them, and the file and line that the reason names.
KEPT: dict[str, tuple[Files, set[str], str]] = {
    "an import": ({"src/a.ts": b'\nimport WebSocket from "ws";\n'}, {"ws", "@types/ws"}, "src/a.ts:2"),
    "a type": ({"src/a.ts": b'import type { RawData } from "ws";\n'}, {"ws", "@types/ws"}, "src/a.ts:1"),
    "a type in place": ({"src/a.ts": b'type A = import("ws").RawData;\n'}, {"ws", "@types/ws"}, "src/a.ts:1"),
    "require": ({"src/a.js": b"const { Server } = require('ws');\n"}, {"ws", "@types/ws"}, "src/a.js:1"),
    "a later import": ({"src/a.ts": b'await import("ws");\n'}, {"ws", "@types/ws"}, "src/a.ts:1"),
    "an export": ({"src/a.ts": b'export { Server } from "ws";\n'}, {"ws", "@types/ws"}, "src/a.ts:1"),
    "a part of it": ({"src/a.mjs": b'import W from "ws/wrapper.mjs";\n'}, {"ws", "@types/ws"}, "src/a.mjs:1"),
    "a mock": ({"tests/a.test.ts": b'vi.mock("ws", () => ({}));\n'}, {"ws", "@types/ws"}, "tests/a.test.ts:1"),
    "a directive": ({"src/a.d.ts": b'/// <reference types="ws" />\n'}, {"ws", "@types/ws"}, "src/a.d.ts:1"),
    "types of a tsconfig": ({"tsconfig.json": b'{"compilerOptions": {\n"types": ["node", "ws"]}}'},
                            {"ws", "@types/ws"}, "tsconfig.json:2"),
    "settings of Next": ({"next.config.mjs": b'export default {\nserverExternalPackages: ["ws"] };\n'},
                         {"ws", "@types/ws"}, "next.config.mjs:2"),
    "webpack's externals": ({"next.config.mjs": b'c.externals.push({ x: "commonjs ws" });\n'},
                            {"ws", "@types/ws"}, "next.config.mjs:1"),
    "an adapter of another package": ({"src/a.ts": b'import { A } from "@trpc/server/adapters/ws";\n'},
                                      {"ws", "@types/ws"}, "src/a.ts:1"),
    "a script without a suffix": ({"bin/a": b'#!/usr/bin/env node\nrequire("ws");\n'}, {"ws", "@types/ws"}, "bin/a:2"),
    "a rebuild in Docker": ({"Dockerfile": b"RUN npm rebuild ws\n"}, {"ws"}, "Dockerfile:1"),
    "a seed script": ({"a.sh": b"npx tsx prisma/seed.ts\n"}, {"tsx"}, "a.sh:1"),
    "a workflow": ({".github/workflows/a.yml": b"on: push\n    - run: pnpm tsx a.ts\n"}, {"tsx"}, "a.yml:2"),
    "Docker": ({"Dockerfile": b'FROM node\nCMD ["npx", "tsx", "src/w.ts"]\n'}, {"tsx"}, "Dockerfile:2"),
    "compose": ({"docker-compose.yml": b"services:\n  w:\n    command: cross-env A=1 node w.js\n"}, {"cross-env"},
                "docker-compose.yml:3"),
    "a hook of git": ({".husky/pre-commit": b"npm-run-all lint test\n"}, {"npm-run-all"}, ".husky/pre-commit:1"),
    "a Makefile": ({"Makefile": b"w:\n\ttsx w.ts\n"}, {"tsx"}, "Makefile:2"),
    "a shebang": ({"scripts/a.ts": b"#!/usr/bin/env -S npx tsx\nconsole.log(1);\n"}, {"tsx"}, "scripts/a.ts:1"),
    "code that starts it": ({"scripts/a.mjs": b'spawn("tsx", ["x.ts"]);\n'}, {"tsx"}, "scripts/a.mjs:1"),
    "code that starts a line": ({"playwright.config.ts": b'const c = { command: "cross-env A=1 next dev" };\n'},
                                {"cross-env"}, "playwright.config.ts:1"),
    "a loader in settings": ({"vitest.config.ts": b'export default { execArgv: ["--import", "tsx/esm"] };\n'}, {"tsx"},
                             "vitest.config.ts:1"),
    "nodemon's settings": ({"nodemon.json": b'{"exec": "tsx src/w.ts"}\n'}, {"tsx"}, "nodemon.json:1"),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_a_package_that_something_uses_stays_and_the_user_is_named(name: str) -> None:
    files, packages, place = KEPT[name]
    found = clean_packages(app_with(files))
    assert removed(found) == {"ws", "@types/ws", "cross-env", "npm-run-all", "tsx"} - packages
    kept = {piece.what.removeprefix("package "): piece for piece in found.pieces if piece.action == "keep"}
    assert set(kept) == packages
    for piece in kept.values():
        assert piece.file == "package.json"
        assert piece.line > 0
        assert f"{place} uses it" in piece.why


UNUSED: dict[str, Files] = {
    "a comment": {"src/a.ts": b'// import WebSocket from "ws";\n/* require("ws") */\n'},
    "another name": {"src/a.ts": b'import a from "ws-utils";\nimport b from "./ws";\nimport c from "~/ws";\n'},
    "a protocol": {"src/a.ts": b'const p = location.protocol === "https:" ? "wss" : "ws";\n'},
    "a protocol in settings": {"vite.config.ts": b'export default { hmr: { protocol: "ws" } };\n'},
    "a name in settings": {"ecosystem.config.js": b'module.exports = { apps: [{ name: "ws" }] };\n'},
    "a service": {"docker-compose.yml": b"services:\n  ws:\n    image: x\n"},
    "documentation": {"README.md": b"```sh\nnpm install ws\nnpx tsx a.ts\n```\n", "docs/a.md": b"require('ws')\n"},
    "a kind of files": {"components.json": b'{"tsx": true}\n',
                        "jest.config.js": b'module.exports = { e: ["ts", "tsx"] };\n',
                        "src/a.tsx": b'const a = <Code lang="tsx" />;\n'},
    "a commented line of a workflow": {".github/workflows/a.yml": b"# run: npx tsx a.ts\n"},
    "a lock file": {"package-lock.json": b'{"packages": {"node_modules/tsx": {}, "node_modules/ws": {}}}\n'},
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSED)
def test_what_only_looks_like_a_use_keeps_nothing(name: str) -> None:
    found = clean_packages(app_with(UNUSED[name]))
    assert removed(found) == {"ws", "@types/ws", "cross-env", "npm-run-all", "tsx"}


@pytest.mark.parametrize(
    ("scripts", "package"),
    [
        ({"seed": "tsx prisma/seed.ts"}, "tsx"),
        ({"test": "node --import tsx --test"}, "tsx"),
        ({"a": "concurrently 'tsx a.ts' 'next dev'"}, "tsx"),
        ({"a": "./node_modules/.bin/tsx a.ts"}, "tsx"),
        ({"a": "npx tsx@4 a.ts"}, "tsx"),
        ({"a": "(tsx a.ts) & next dev"}, "tsx"),
        ({"build": "cross-env ANALYZE=1 next build"}, "cross-env"),
        ({"check": "run-s lint types"}, "npm-run-all"),
    ],
)
def test_a_package_that_another_script_runs_stays(scripts: dict[str, str], package: str) -> None:
    app = app_with(scripts={**SCRIPTS, **scripts})
    assert package not in removed(clean_packages(app))


@pytest.mark.parametrize(
    "script", ["eslint --ext .ts,.tsx src", "prettier --write '**/*.{ts,tsx}'", "eslint -x ts,tsx ."]
)
def test_the_suffix_of_files_is_not_the_program_of_that_name(script: str) -> None:
    assert "tsx" in removed(clean_packages(app_with(scripts={**SCRIPTS, "lint": script})))


def test_fields_of_package_json_use_packages_too() -> None:
    app = app_with(
        manifest={"prisma": {"seed": "tsx prisma/seed.ts"}, "lint-staged": {"*.ts": ["cross-env CI=1 eslint"]}}
    )
    found = clean_packages(app)
    assert removed(found) == {"ws", "@types/ws", "npm-run-all"}


def test_an_override_that_refers_to_a_package_needs_it() -> None:
    assert "ws" not in removed(clean_packages(app_with(manifest={"overrides": {"ws": "$ws"}})))


PEERS: dict[str, tuple[tuple[str, ...], Files, str]] = {
    "isomorphic-ws": (("isomorphic-ws",), {"src/a.ts": b'import W from "isomorphic-ws";\n'}, "isomorphic-ws"),
    "isows": (("isows",), {}, "isows"),
    "what is installed says so": (
        ("live-thing",), {"node_modules/live-thing/package.json": b'{"peerDependencies": {"ws": "^8"}}'}, "live-thing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PEERS)
def test_a_package_that_wants_ws_beside_it_keeps_it(name: str) -> None:
    packages, files, who = PEERS[name]
    found = clean_packages(app_with(files, packages=(*PACKAGES, *packages)))
    assert "ws" not in removed(found)
    (piece,) = [piece for piece in found.pieces if piece.what == "package ws"]
    assert piece.why == f"{who} needs it beside itself"


def test_an_optional_peer_keeps_nothing_until_it_is_used() -> None:
    manifest = b'{"peerDependencies": {"ws": "^8"}, "peerDependenciesMeta": {"ws": {"optional": true}}}'
    files = {"node_modules/openai/package.json": manifest, "src/a.ts": b'import OpenAI from "openai";\n'}
    packages = (*PACKAGES, "openai")
    assert "ws" in removed(clean_packages(app_with(files, packages=packages)))
    files["src/a.ts"] = b'import { OpenAIRealtimeWS } from "openai/realtime/ws";\n'
    assert "ws" not in removed(clean_packages(app_with(files, packages=packages)))


def test_what_makes_ws_faster_stays_with_ws_and_with_others_that_use_it_inside() -> None:
    packages = (*PACKAGES, "bufferutil")
    files = {"src/a.ts": b'import WebSocket from "ws";\n'}
    assert "bufferutil" not in removed(clean_packages(app_with(files, packages=packages)))
    assert "bufferutil" not in removed(clean_packages(app_with(packages=(*packages, "socket.io"))))


def test_dotenv_goes_only_where_a_file_that_went_imported_it() -> None:
    assert "dotenv" in removed(clean_packages(app_with(packages=(*PACKAGES, "dotenv"))))
    plain = SERVER.replace(b'import "dotenv/config";\n', b"")
    assert "dotenv" not in removed(clean_packages(app_with({PATH: plain}, packages=(*PACKAGES, "dotenv"))))
    used = {"drizzle.config.ts": b'import "dotenv/config";\n'}
    assert "dotenv" not in removed(clean_packages(app_with(used, packages=(*PACKAGES, "dotenv"))))


def test_another_package_that_only_the_server_imported_is_left_to_a_person() -> None:
    found = clean_packages(app_with(packages=(*PACKAGES, "cookie")))
    assert [(p.what, p.action) for p in found.pieces if p.action != "remove"] == [("package cookie", "by-hand")]
    used = {"src/a.ts": b'import cookie from "cookie";\n'}
    found = clean_packages(app_with(used, packages=(*PACKAGES, "cookie")))
    assert {p.action for p in found.pieces} == {"remove"}


def test_ts_node_stays_for_those_who_use_it_unseen() -> None:
    scripts = {"dev": "next dev", "ws": "ts-node src/server/ws.ts"}
    dev = ("ts-node", "typescript")
    assert "ts-node" in removed(clean_packages(app_with(scripts=scripts, dev=dev)))
    files = {"jest.config.ts": b"export default {};\n"}
    assert "ts-node" not in removed(clean_packages(app_with(files, scripts=scripts, dev=dev)))
    more = {**scripts, "worker": "nodemon src/worker.ts"}
    assert "ts-node" not in removed(clean_packages(app_with(scripts=more, dev=(*dev, "nodemon"))))


def test_settings_that_name_what_goes_are_told_of() -> None:
    manifest = {
        "pnpm": {"onlyBuiltDependencies": ["esbuild", "bufferutil"], "overrides": {"ws": "^8.18.0"}},
        "trustedDependencies": ["bufferutil"],
    }
    files = {"pnpm-workspace.yaml": b"packages:\n  - apps/*\nonlyBuiltDependencies:\n  - bufferutil\n  - esbuild\n"}
    found = clean_packages(app_with(files, packages=(*PACKAGES, "bufferutil"), manifest=manifest))
    told = {(p.file, p.what, p.line > 0) for p in found.pieces if p.action == "by-hand"}
    assert told == {
        ("package.json", "bufferutil in onlyBuiltDependencies", True),
        ("package.json", "bufferutil in trustedDependencies", True),
        ("package.json", "ws in overrides", True),
        ("pnpm-workspace.yaml", "bufferutil in onlyBuiltDependencies", True),
    }


def test_the_line_of_a_user_is_that_of_the_file_as_it_was() -> None:
    text = b'import { wsLink } from "@trpc/client";\nimport WebSocket from "ws";\n'
    app = app_with({"src/a.ts": text})
    view = app.view.with_changes({"src/a.ts": b'import WebSocket from "ws";\n'})
    found = clean_packages(replace(app, view=view))
    assert "src/a.ts:2 uses it" in next(p.why for p in found.pieces if p.what == "package ws")


def test_a_big_app_is_looked_through_quickly() -> None:
    files = {
        f"src/{n}.tsx": b'import { a } from "./b";\nexport const x = <Code lang="tsx">ws</Code>;\n' for n in range(500)
    }
    assert "tsx" in removed(clean_packages(app_with(files)))
