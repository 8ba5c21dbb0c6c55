"""What becomes of package.json's scripts when server files have gone; first those to which nothing may happen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations.discovery.layout import find_layout
from migrations.engine import AppView
from migrations.legacy.pieces import Found, LegacyApp
from migrations.legacy.scripts.command_line import parse_line
from migrations.legacy.scripts.stage import clean_scripts
from migrations.legacy.servers.stage import find_servers

if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKETS = b"""import { applyWSSHandler } from "@trpc/server/adapters/ws";
import { WebSocketServer } from "ws";
const wss = new WebSocketServer({ port: 3001 });
applyWSSHandler({ wss, router: appRouter });
"""
WHOLE = b"""import next from "next";
import { applyWSSHandler } from "@trpc/server/adapters/ws";
const port = parseInt(process.env.PORT || "3000", 10);
const app = next({ dev: process.env.NODE_ENV !== "production" });
const handle = app.getRequestHandler();
server.listen(port);
"""
SETTINGS = b'{"extends": "./tsconfig.json", "compilerOptions": {"outDir": "dist", "noEmit": false}}'
FILES: dict[str, bytes] = {
    "src/server/wssDevServer.ts": SOCKETS,
    "src/server/prodServer.ts": WHOLE,
    "ws.mjs": SOCKETS,
    "tsconfig.server.json": SETTINGS,
    "tsconfig.json": b'{"compilerOptions": {"noEmit": true}}',
    "src/server/index.ts": SOCKETS,
    "src/server/trpc.ts": b"export const x = 1;",
    "src/pages/index.tsx": b"export default () => null;",
    "src/worker.ts": b"console.log(1);",
    "scripts/seed.ts": b"console.log(2);",
}
GONE = (
    "src/server/wssDevServer.ts",
    "src/server/index.ts",
    "src/server/prodServer.ts",
    "ws.mjs",
    "tsconfig.server.json",
)

WSS = "cross-env PORT=3001 tsx watch src/server/wssDevServer.ts --tsconfig tsconfig.server.json"
PROD = "cross-env NODE_ENV=production node dist/server/prodServer.js"
Scripts = dict[str, str]


def legacy_app(
    scripts: Mapping[str, str],
    *,
    gone: tuple[str, ...] = GONE,
    files: Mapping[str, bytes] | None = None,
    manifest: Mapping[str, object] | None = None,
) -> LegacyApp:
    """An app whose server files a stage before has removed."""
    package = json.dumps({"name": "web", **(manifest or {}), "scripts": scripts}, indent=2).encode() + b"\n"
    before = AppView.of_files({**FILES, **(files or {}), "package.json": package})
    layout = find_layout(before)
    return LegacyApp(before, before.with_changes(dict.fromkeys(gone)), layout, find_servers(before, layout))


def after(app: LegacyApp, found: Found) -> Scripts:
    view = app.view.with_changes({change.path: change.after for change in found.changes})
    scripts = view.json("package.json")["scripts"]
    assert isinstance(scripts, dict)
    return scripts


UNTOUCHED: dict[str, Scripts] = {
    "Next's own": {"dev": "next dev", "build": "next build", "start": "next start -p 3001"},
    "lint and test": {"lint": "eslint --ext .ts,.tsx src", "test": "vitest run", "format": "prettier --write ."},
    "run-p with a glob": {"dev": "run-p dev:*", "dev:next": "next dev", "dev:db": "prisma studio"},
    "run-s with a list": {"build": "run-s  build:a build:b", "build:a": "next build", "build:b": "next-sitemap"},
    "concurrently": {"dev": 'concurrently -k -n a,b "next dev" "npm:worker"', "worker": "tsx src/worker.ts"},
    "another file of the runner": {"seed": "tsx scripts/seed.ts", "worker": "node dist/worker.js"},
    "a subshell": {"dev": "(cd docs && npm start) & next dev"},
    "a substitution": {"kill": "kill $(lsof -t -i:3001)", "who": "echo `whoami`"},
    "a compiler with settings that stay": {"check": "tsc --noEmit -p tsconfig.json"},
    "a name like the server's that is a script": {"dev": "run-p dev:next dev:ws", "dev:next": "next dev",
                                                  "dev:ws": "tsx src/worker.ts"},
    "a missing name that is not the server's": {"ci": "npm run lint && npm run tyepcheck", "lint": "eslint ."},
    "another folder's script": {"dev": "npm --prefix api run dev:wss", "ws": "pnpm --filter api dev:wss"},
    "pnpm with a program": {"dev": "pnpm next dev", "x": "yarn prisma generate", "y": "bun run vitest"},
    "a workspace's task": {"dev": "turbo run dev"},
    "another output": {"start": "node .next/standalone/server.js"},
    "waiting for another port": {"test": "wait-on http://localhost:3000 && playwright test"},
    "an empty script": {"prepare": ""},
    "odd spacing": {"dev": "next  dev  ", "x": " echo hi"},
    "a built file with a source that stays": {"start:worker": "node dist/worker.js"},
    "a folder that the server stood in": {"lint": "eslint src/server", "up": "docker compose up server"},
    "a URL": {"open": "open-cli http://localhost:3001"},
}  # fmt: skip


@pytest.mark.parametrize("name", UNTOUCHED)
def test_scripts_that_have_nothing_to_do_with_the_server_stay(name: str) -> None:
    assert clean_scripts(legacy_app(UNTOUCHED[name])) == Found()


def test_an_app_in_which_nothing_went_is_left_alone() -> None:
    scripts = {"dev": "run-p dev:*", "dev:wss": WSS, "dev:next": "next dev", "start": PROD}
    assert clean_scripts(legacy_app(scripts, gone=())) == Found()


def test_a_missing_script_is_not_ours_where_there_never_was_a_server() -> None:
    files = {"package.json": b'{"scripts": {"dev": "run-p dev:next dev:ws", "dev:next": "next dev"}}'}
    view = AppView.of_files(files)
    assert clean_scripts(LegacyApp(view, view, find_layout(view), ())) == Found()


def test_an_app_without_scripts_is_left_alone() -> None:
    view = AppView.of_files({"package.json": b"{}", "src/server/ws.ts": SOCKETS})
    gone = view.with_changes({"src/server/ws.ts": None})
    assert clean_scripts(LegacyApp(view, gone, find_layout(view), ())) == Found()


NEXT_DEV = {"dev:next": "next dev"}
# Scripts as they are, and as they shall be.
CASES: dict[str, tuple[Scripts, Scripts]] = {
    "a script for the server alone": ({"dev": "next dev", "dev:wss": WSS}, {"dev": "next dev"}),
    "run-p with a glob": ({"dev:wss": WSS, **NEXT_DEV, "dev": "run-p dev:*"}, {**NEXT_DEV, "dev": "next dev"}),
    "run-p with a list": (
        {"dev:wss": WSS, **NEXT_DEV, "dev": "run-p dev:next dev:wss"},
        {**NEXT_DEV, "dev": "next dev"},
    ),
    "run-p with options": (
        {"dev:wss": WSS, **NEXT_DEV, "dev": "run-p -lr --max-parallel 2 dev:*"},
        {**NEXT_DEV, "dev": "next dev"},
    ),
    "run-p with two left": (
        {"dev:wss": WSS, **NEXT_DEV, "dev:db": "prisma studio", "dev": "run-p --print-label dev:next dev:wss dev:db"},
        {**NEXT_DEV, "dev:db": "prisma studio", "dev": "run-p --print-label dev:next dev:db"},
    ),
    "run-p with a glob that two are left of": (
        {"dev:wss": WSS, **NEXT_DEV, "dev:db": "prisma studio", "dev": "run-p dev:*"},
        {**NEXT_DEV, "dev:db": "prisma studio", "dev": "run-p dev:*"},
    ),
    "run-p with braces": (
        {"dev:wss": WSS, **NEXT_DEV, "dev": "run-p 'dev:{next,wss}'"},
        {**NEXT_DEV, "dev": "next dev"},
    ),
    "a glob of all the levels": (
        {"dev:a:wss": WSS, "dev:a:next": "next dev", "dev": "run-p dev:**"},
        {"dev:a:next": "next dev", "dev": "next dev"},
    ),
    "a pattern as a regular expression": (
        {"dev:wss": WSS, **NEXT_DEV, "dev": 'run-p "/dev:(next|wss)/"'},
        {**NEXT_DEV, "dev": "next dev"},
    ),
    "behind another step": (
        {"dev:wss": WSS, **NEXT_DEV, "m": "prisma migrate dev", "dev": "pnpm m && run-p dev:*"},
        {**NEXT_DEV, "m": "prisma migrate dev", "dev": "pnpm m && next dev"},
    ),
    "numbered builds": (
        {"build:1-next": "next build", "build:2-server": "tsc --project tsconfig.server.json",
         "build": "run-s build:*"},
        {"build:1-next": "next build", "build": "next build"},
    ),
    "a list of numbered builds": (
        {"build:1-next": "next build", "build:2-server": "tsc -p tsconfig.server.json",
         "build": "run-s build:1-next build:2-server"},
        {"build:1-next": "next build", "build": "next build"},
    ),
    "npm-run-all in groups": (
        {"a": "prisma generate", "dev:wss": WSS, **NEXT_DEV, "dev": "npm-run-all a --parallel dev:next dev:wss"},
        {"a": "prisma generate", **NEXT_DEV, "dev": "npm-run-all a --parallel dev:next"},
    ),
    "npm-run-all with a group that is empty then": (
        {"a": "prisma generate", "dev:wss": WSS, "b": "next build", "dev": "npm-run-all -s a b -p dev:wss"},
        {"a": "prisma generate", "b": "next build", "dev": "npm-run-all -s a b"},
    ),
    "npm-run-all2 through npx": (
        {"dev:wss": WSS, **NEXT_DEV, "dev": "npx npm-run-all2 -p dev:*"},
        {**NEXT_DEV, "dev": "next dev"},
    ),
    "a list whose one script has hooks": (
        {"dev:wss": WSS, "predev:next": "prisma generate", **NEXT_DEV, "dev": "run-p dev:*"},
        {"predev:next": "prisma generate", **NEXT_DEV, "dev": "npm run dev:next"},
    ),
    "a list with variables before it": (
        {"dev:wss": WSS, **NEXT_DEV, "dev": "cross-env A=1 run-p dev:*"},
        {**NEXT_DEV, "dev": "cross-env A=1 next dev"},
    ),
    "arguments that are passed on": (
        {"dev:wss": WSS, **NEXT_DEV, "dev": 'run-p "dev:next -- {@}" dev:wss --'},
        {**NEXT_DEV, "dev": 'run-p "dev:next -- {@}" --'},
    ),
    "concurrently with commands": (
        {"dev": f'concurrently --kill-others -n next,ws -c blue,green "next dev" "{WSS}"'},
        {"dev": "next dev"},
    ),
    "concurrently with single quotes": (
        {"start": "cross-env NODE_ENV=production node dist/prodServer.js", "dev": f"concurrently '{WSS}' 'next dev'"},
        {"start": "cross-env NODE_ENV=production next start", "dev": "next dev"},
    ),
    "concurrently with shortened names": (
        {"dev:wss": WSS, **NEXT_DEV, "dev": 'concurrently "npm:dev:next" "npm:dev:wss" -n next,ws -k'},
        {**NEXT_DEV, "dev": "next dev"},
    ),
    "concurrently with calls": (
        {"dev:wss": WSS, **NEXT_DEV, "dev": 'concurrently "npm run dev:next" "pnpm dev:wss"'},
        {**NEXT_DEV, "dev": "next dev"},
    ),
    "concurrently with two left, names and colours in step": (
        {"dev:wss": WSS,
         "dev": 'concurrently -n "next,ws,db" -c red,green,blue "next dev" npm:dev:wss "prisma studio"'},
        {"dev": 'concurrently -n "next,db" -c red,blue "next dev" "prisma studio"'},
    ),
    "concurrently with names behind an equals sign and a separator": (
        {"dev:wss": WSS,
         "dev": "concurrently --names='next|ws|db' --name-separator '|' \"next dev\" npm:dev:wss \"prisma studio\""},
        {"dev": "concurrently --names='next|db' --name-separator '|' \"next dev\" \"prisma studio\""},
    ),
    "concurrently with a wildcard": (
        {"dev:wss": WSS, **NEXT_DEV, "dev": "concurrently npm:dev:*"},
        {**NEXT_DEV, "dev": "next dev"},
    ),
    "concurrently with a wildcard that two are left of": (
        {"dev:next": "next dev", "dev:wss": WSS, "dev:db": "prisma studio",
         "dev": 'concurrently -n next,ws,db "npm:dev:*"'},
        {"dev:next": "next dev", "dev:db": "prisma studio", "dev": 'concurrently -n next,db "npm:dev:*"'},
    ),
    "concurrently with variables before it": (
        {"start": 'NODE_ENV=production concurrently "next start" "npx tsx src/server/wssDevServer.ts"'},
        {"start": "NODE_ENV=production next start"},
    ),
    "concurrently with escaped quotes inside": (
        {"dev": r'concurrently "next dev" "sh -c \"tsx src/server/wssDevServer.ts\""'},
        {"dev": "next dev"},
    ),
    "concurrently with a chain of which a step goes": (
        {"dev": 'concurrently "next dev" "prisma generate && tsx src/server/wssDevServer.ts" "tsc -w"'},
        {"dev": 'concurrently "next dev" "prisma generate" "tsc -w"'},
    ),
    "the server in the background": ({"dev": "tsx watch src/server/wssDevServer.ts & next dev"}, {"dev": "next dev"}),
    "Next in the background": ({"dev": "next dev & tsx src/server/wssDevServer.ts"}, {"dev": "next dev"}),
    "both, and waiting": ({"dev": "next dev & tsx src/server/wssDevServer.ts & wait"}, {"dev": "next dev"}),
    "the server first, and a pause": (
        {"dev": "tsx src/server/wssDevServer.ts & sleep 2 && next dev"},
        {"dev": "next dev"},
    ),
    "three in the background": (
        {"dev": "tsx src/worker.ts & next dev & tsx src/server/wssDevServer.ts"},
        {"dev": "tsx src/worker.ts & next dev"},
    ),
    "its output through a pipe": (
        {"dev": "next dev & tsx src/server/wssDevServer.ts | pino-pretty"},
        {"dev": "next dev"},
    ),
    "its output into a file": ({"dev": "tsx src/server/wssDevServer.ts > ws.log 2>&1 & next dev"}, {"dev": "next dev"}),
    "whatever it ended with": ({"dev": "tsx src/server/wssDevServer.ts || true; next dev"}, {"dev": "next dev"}),
    "a build behind Next's": ({"build": "next build && tsc -p tsconfig.server.json"}, {"build": "next build"}),
    "a build before Next's": ({"build": "tsc -p tsconfig.server.json && next build"}, {"build": "next build"}),
    "a build in three steps": (
        {"build": "prisma generate && next build && tsc --project tsconfig.server.json --noEmit false"},
        {"build": "prisma generate && next build"},
    ),
    "a build in four": (
        {"build": "rimraf dist && tsc -p tsconfig.server.json && tsc-alias -p tsconfig.server.json && next build"},
        {"build": "rimraf dist && next build"},
    ),
    "a script that only clears and builds": (
        {"build:server": "rimraf dist && tsc -p tsconfig.server.json && cp -r views dist/views", "build": "next build"},
        {"build": "next build"},
    ),
    "a bundle": (
        {"build:ws": "esbuild ./ws.mjs --bundle --platform=node --outfile=./out/sockets.js", "build": "next build",
         "start:ws": "node out/sockets.js"},
        {"build": "next build"},
    ),
    "tsup without settings": (
        {"build:ws": "dotenv tsup ./src/server/wssDevServer.ts --clean", "start:ws": "node dist/wssDevServer.js",
         "dev": "next dev"},
        {"dev": "next dev"},
    ),
    "a compiler with two files": (
        {"build:node": "esbuild src/worker.ts src/server/wssDevServer.ts --bundle --outdir=out"},
        {"build:node": "esbuild src/worker.ts --bundle --outdir=out"},
    ),
    "start of the whole Next server": ({"start": PROD}, {"start": "cross-env NODE_ENV=production next start"}),
    "start with a port": (
        {"start": "PORT=4000 NODE_ENV=production node -r dotenv/config dist/server/prodServer.js"},
        {"start": "PORT=4000 NODE_ENV=production next start"},
    ),
    "start without a suffix": ({"start": "NODE_ENV=production node dist/server/prodServer"},
                               {"start": "NODE_ENV=production next start"}),
    "start in TypeScript": ({"start": "NODE_ENV=production tsx src/server/prodServer.ts"},
                            {"start": "NODE_ENV=production next start"}),
    "dev of the whole Next server": (
        {"dev": "nodemon --watch src/server --exec ts-node --project tsconfig.server.json src/server/prodServer.ts"},
        {"dev": "next dev"},
    ),
    "dev of the whole Next server in quotes": (
        {"dev": 'cross-env PORT=4000 nodemon -w src -e ts -x "ts-node src/server/prodServer.ts"'},
        {"dev": "cross-env PORT=4000 next dev"},
    ),
    "ts-node-dev": ({"dev": "ts-node-dev --respawn --transpile-only src/server/prodServer.ts"}, {"dev": "next dev"}),
    "bun": ({"dev": "bun --watch src/server/prodServer.ts", "ws": "bun run src/server/wssDevServer.ts"},
            {"dev": "next dev"}),
    "bun that runs a package": (
        {"ws": "bun ts-node --project tsconfig.server.json src/server/wssDevServer.ts", "dev": "next dev"},
        {"dev": "next dev"},
    ),
    "pnpm, yarn and npx": (
        {"a": "pnpm tsx src/server/wssDevServer.ts", "b": "yarn ts-node src/server/wssDevServer.ts",
         "c": "npx tsx src/server/wssDevServer", "dev": "next dev"},
        {"dev": "next dev"},
    ),
    "a folder with an index": ({"ws": "tsx watch src/server", "dev": "next dev"}, {"dev": "next dev"}),
    "another folder": ({"ws": "cd src/server && tsx wssDevServer.ts", "dev": "next dev"}, {"dev": "next dev"}),
    "node's own watch and run": (
        {"ws": "node --watch --env-file=.env ws.mjs", "dev": "node --run ws & next dev"},
        {"dev": "next dev"},
    ),
    "a script that prepares others": (
        {"with-env": "dotenv -e .env --", "dev:ws": "pnpm with-env tsx src/server/wssDevServer.ts",
         "start": "npm run with-env -- node dist/server/prodServer.js", "x": "pnpm with-env next dev"},
        {"with-env": "dotenv -e .env --", "start": "npm run with-env -- next start", "x": "pnpm with-env next dev"},
    ),
    "a list before Next's build": (
        {"g": "prisma generate", "build:4": "tsc -p tsconfig.server.json && tsc-alias --project tsconfig.server.json",
         "build-lite": "run-s g build:4 && next build", "dev-lite": "run-s g x && run-p dev:*", "x": "y", **NEXT_DEV,
         "dev:wss": WSS},
        {"g": "prisma generate", "build-lite": "prisma generate && next build", "dev-lite": "run-s g x && next dev",
         "x": "y", **NEXT_DEV},
    ),
    "its log made pretty": (
        {**NEXT_DEV, "dev:wss": "A=1 tsx watch src/server/wssDevServer.ts | pino-pretty", "dev": "run-p dev:*",
         "start": "NODE_ENV=production node --experimental-specifier-resolution=node dist/src/server/prodServer.js"},
        {**NEXT_DEV, "dev": "next dev", "start": "NODE_ENV=production next start"},
    ),
    "a folder that is entered in the background": (
        {"dev": "cd docs & tsx src/server/wssDevServer.ts & next dev"}, {"dev": "cd docs & next dev"},
    ),
    "a call from another folder of the app": (
        {"dev:wss": WSS, "dev": "next dev", "ws": "cd scripts && npm run dev:wss"}, {"dev": "next dev"},
    ),
    "windows": ({"ws": "SET NODE_ENV=development&&dotenv tsx watch ./src/server/wssDevServer.ts", "dev": "next dev"},
                {"dev": "next dev"}),
    "hooks": (
        {"predev:wss": "docker compose up -d", "dev:wss": WSS, "postdev:wss": "echo bye", "dev": "next dev"},
        {"dev": "next dev"},
    ),
    "a hook of a script that stays": (
        {"postbuild": "tsc -p tsconfig.server.json", "build": "next build", "prestart": "npm run postbuild",
         "start": "next start"},
        {"build": "next build", "start": "next start"},
    ),
    "waiting for the server's port": (
        {"dev": "wait-on tcp:3001 && next dev", "dev:wss": WSS},
        {"dev": "next dev"},
    ),
    "waiting for two ports": (
        {"e2e": "wait-on tcp:3001 http://localhost:3000 && playwright test"},
        {"e2e": "wait-on http://localhost:3000 && playwright test"},
    ),
    "calls of scripts that go": (
        {"dev:wss": WSS, "dev": "npm run dev:wss & npm run dev:next", **NEXT_DEV, "ws": "yarn dev:wss"},
        {"dev": "npm run dev:next", **NEXT_DEV},
    ),
    "a chain of calls": (
        {"server": "npm run server:build && npm run server:start", "server:build": "tsc -p tsconfig.server.json",
         "server:start": "node dist/server/wssDevServer.js", "dev": "next dev"},
        {"dev": "next dev"},
    ),
    "pnpm with a pattern": (
        {"dev:wss": WSS, **NEXT_DEV, "dev": 'pnpm run "/^dev:.*/"'},
        {**NEXT_DEV, "dev": 'pnpm run "/^dev:.*/"'},
    ),
    "pnpm with a pattern that names the server": (
        {"dev:wss": WSS, **NEXT_DEV, "dev:db": "prisma studio", "dev": 'pnpm "/^dev:(next|wss|db)$/"'},
        {**NEXT_DEV, "dev:db": "prisma studio", "dev": 'pnpm "/^dev:(next|db)$/"'},
    ),
    "a name that has no script": (
        {"dev": "run-p dev:next dev:wss", **NEXT_DEV},
        {"dev": "next dev", **NEXT_DEV},
    ),
    "a call of a name that has no script": (
        {"dev": "next dev", "start": "next start & pnpm dev:wss"},
        {"dev": "next dev", "start": "next start"},
    ),
    "a file that was missing before": (
        {"dev:ws": "tsx watch src/server/ws-server.ts", "dev": "next dev"},
        {"dev": "next dev"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_becomes_of_scripts(name: str) -> None:
    scripts, expected = CASES[name]
    app = legacy_app(scripts)
    found = clean_scripts(app)
    assert found.needs == ()
    assert after(app, found) == expected
    assert list(after(app, found)) == list(expected)
    told = {piece.what.removeprefix("script "): piece.action for piece in found.pieces}
    assert told == {n: "remove" if n not in expected else "rewrite" for n in scripts if expected.get(n) != scripts[n]}


@pytest.mark.parametrize("name", CASES)
def test_a_second_run_finds_nothing(name: str) -> None:
    app = legacy_app(CASES[name][0])
    view = app.view.with_changes({change.path: change.after for change in clean_scripts(app).changes})
    assert clean_scripts(LegacyApp(view, view, app.layout, ())) == Found()


# Scripts, the one that is a need, and a word that the reason has.
UNCLEAR: dict[str, tuple[Scripts, str, str]] = {
    "a subshell": ({"dev": "(tsx src/server/wssDevServer.ts &) && next dev"}, "dev", "wssDevServer"),
    "a substitution": ({"dev": "PORT=$(cat port) tsx src/server/wssDevServer.ts"}, "dev", "wssDevServer"),
    "a backslash": ({"start": "node dist\\server\\prodServer.js"}, "start", "prodServer"),
    "a script called in a subshell": ({"dev:wss": WSS, "dev": "(npm run dev:wss) & next dev"}, "dev", "dev:wss"),
    "the file given to another program": ({"ship": "scp src/server/wssDevServer.ts host:"}, "ship", "wssDevServer"),
    "the file preloaded": ({"start": "node --import ./ws.mjs node_modules/.bin/next start"}, "start", "ws.mjs"),
    "what runs when it fails": ({"dev": "tsx src/server/wssDevServer.ts || next dev"}, "dev", "fails"),
    "what goes into it": ({"dev": "cat in | tsx src/server/wssDevServer.ts"}, "dev", "output"),
    "memory for the whole Next server": (
        {"start": "NODE_ENV=production node --max-old-space-size=4096 dist/server/prodServer.js"}, "start",
        "--max-old-space-size=4096",
    ),
    "an argument of the whole Next server": (
        {"start": "NODE_ENV=production node dist/server/prodServer.js --cluster"}, "start", "--cluster",
    ),
    "PM2 with the whole Next server": ({"start": "pm2 start dist/server/prodServer.js"}, "start", "pm2"),
    "neither dev nor start": ({"serv": "node src/server/prodServer.ts"}, "serv", "production"),
    "the whole Next server beside Next": (
        {"dev": 'concurrently "next dev" "tsx watch src/server/prodServer.ts"'}, "dev", "twice",
    ),
    "start-server-and-test": (
        {"dev:wss": WSS, "e2e": "start-server-and-test dev:wss 3001 test"}, "e2e", "start-server-and-test",
    ),
    "commands told apart by number": (
        {"dev": 'concurrently -s command-0 "next dev" "tsx src/server/wssDevServer.ts" "tsc -w"'}, "dev", "place",
    ),
    "a pattern that is not known": (
        {"dev:wss": WSS, "dev:next": "next dev", "dev": "run-p 'dev:!(wss)'"}, "dev", "pattern",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNCLEAR)
def test_a_script_that_is_not_understood_is_a_need(name: str) -> None:
    scripts, script, word = UNCLEAR[name]
    found = clean_scripts(legacy_app(scripts))
    assert [need.what for need in found.needs] == [f"script {script}"]
    assert word in found.needs[0].why
    assert found.needs[0].line == 4 + list(scripts).index(script)


def test_nothing_else_in_package_json_moves() -> None:
    text = (
        '{\r\n\t"name":   "web",\r\n\t"scripts": {\r\n\t\t"dev:wss": "tsx src/server/wssDevServer.ts",\r\n'
        '\t\t"lint" : "eslint  .  \\u0026 echo \\u00e9",\r\n'
        '\t\t"start": "NODE_ENV=production node dist/prodServer.js"\r\n'
        '\t},\r\n\t"files": [ "a",\r\n\t"b" ]\r\n}'
    )
    expected = text.replace('"dev:wss": "tsx src/server/wssDevServer.ts",\r\n\t\t', "").replace(
        "node dist/prodServer.js", "next start"
    )
    before = AppView.of_files({**FILES, "package.json": text.encode()})
    app = LegacyApp(before, before.with_changes(dict.fromkeys(GONE)), find_layout(before), ())
    (change,) = clean_scripts(app).changes
    assert change.after == expected.encode()


def test_lines_are_those_of_the_file_as_it_was() -> None:
    found = clean_scripts(legacy_app({"lint": "eslint .", "dev:wss": WSS, "start": PROD}))
    assert [(piece.file, piece.line, piece.what) for piece in found.pieces] == [
        ("package.json", 5, "script dev:wss"),
        ("package.json", 6, "script start"),
    ]


def test_the_package_manager_of_the_app_is_the_one_that_is_called() -> None:
    scripts = {"dev:wss": WSS, "dev:next": "next dev & tsc -w", "dev": "prisma generate && run-p dev:*"}
    app = legacy_app(scripts, files={"pnpm-lock.yaml": b""})
    assert after(app, clean_scripts(app))["dev"] == "prisma generate && pnpm run dev:next"


def test_nodemon_with_settings_of_its_own_becomes_next_and_the_settings_go() -> None:
    settings = b'{"watch": ["src"], "exec": "ts-node --project tsconfig.server.json src/server/prodServer.ts"}'
    app = legacy_app({"dev": "nodemon"}, files={"nodemon.json": settings})
    found = clean_scripts(app)
    assert after(app, found) == {"dev": "next dev"}
    assert [change.path for change in found.changes if change.after is None] == ["nodemon.json"]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("cross-env APP_ENV=test WS_URL=ws://localhost:3001 playwright test", "cross-env APP_ENV=test playwright test"),
        ("cross-env WS_URL='ws://localhost:3001' playwright test", "playwright test"),
        ("WS_URL=ws://localhost:3001 APP_ENV=test next build && x", "APP_ENV=test next build && x"),
        ("cross-env WSS_KEY=1 playwright test", "cross-env WSS_KEY=1 playwright test"),
        ("cross-env WS_OTHER=1 playwright test", "cross-env WS_OTHER=1 playwright test"),
    ],
)
def test_variables_that_nothing_reads_any_more_are_no_longer_set(script: str, expected: str) -> None:
    files = {"src/server/index.ts": SOCKETS + b"process.env.WS_URL; process.env.APP_ENV;",
             "src/a.ts": b"process.env.WSS_KEY;"}  # fmt: skip
    app = legacy_app({"x": "y", "test": script}, files=files)
    assert after(app, clean_scripts(app)) == {"x": "y", "test": expected}


def test_compiler_settings_that_stay_no_longer_build_what_nothing_runs() -> None:
    kept = tuple(path for path in GONE if path != "tsconfig.server.json")
    scripts = {"build": "next build && tsc -p tsconfig.server.json", "start": PROD, "w": "tsx src/worker.ts"}
    app = legacy_app(scripts, gone=kept)
    assert after(app, clean_scripts(app))["build"] == "next build"


@pytest.mark.parametrize(
    ("files", "scripts"),
    [
        ({}, {"worker": "node dist/worker.js"}),
        ({"Dockerfile": b"COPY dist/ ./dist/\n"}, {}),
    ],
)
def test_compiler_settings_whose_output_is_still_used_go_on(files: dict[str, bytes], scripts: Scripts) -> None:
    kept = tuple(path for path in GONE if path != "tsconfig.server.json")
    build = "next build && tsc -p tsconfig.server.json"
    app = legacy_app({"build": build, "start": PROD, **scripts}, gone=kept, files=files)
    assert after(app, clean_scripts(app))["build"] == build


CALLS: dict[str, tuple[str, bytes, int]] = {
    "a program that starts a list": ("scripts/dev.mjs", b'for (const name of ["dev:wss", "x"]) run(name);', 1),
    "a program that starts it": ("scripts/tunnel.ts", b'const a = 1;\nstart("pnpm", ["dev:wss"], env);\n', 2),
    "Playwright's web server": (
        "playwright.config.ts",
        b'export default { webServer: { command: "npm run dev:wss" } };',
        1,
    ),
    "a shell script that runs the server": ("dev.sh", b"set -e\nnpx tsx src/server/wssDevServer.ts &\n", 2),
    "a script that runs what was built": (
        "run.sh",
        b"# node dist/server/prodServer.js\nnode dist/server/prodServer.js",
        2,
    ),
    "a hook of git": (".husky/pre-push", b"npm run dev:wss\n", 1),
    "a Makefile": ("Makefile", b"# pnpm dev:wss\ndev:\n\tpnpm dev:wss\n", 3),
    "a workspace": ("../package.json", b'{"scripts": {\n"dev": "pnpm --filter web dev:wss"}}', 2),
}


@pytest.mark.parametrize("name", CALLS)
def test_who_calls_a_script_that_goes_is_a_need(name: str) -> None:
    path, data, line = CALLS[name]
    found = clean_scripts(legacy_app({"dev:wss": WSS, "dev": "next dev"}, files={path: data}))
    assert [(need.file, need.line, need.action) for need in found.needs] == [(path, line, "keep")]


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("src/notes.ts", b"// start it with npm run dev:wss\nexport const x = 1;\n"),
        ("README.md", b"Run `npm run dev:wss`.\n"),
        ("../package.json", b'{"scripts": {"dev": "pnpm --filter api dev:wss"}}'),
        ("../package.json", b"not JSON"),
    ],
)
def test_who_only_tells_of_a_script_is_none(path: str, data: bytes) -> None:
    assert clean_scripts(legacy_app({"dev:wss": WSS, "dev": "next dev"}, files={path: data})).needs == ()


def test_a_task_of_the_workspace_is_told_of() -> None:
    files = {"../turbo.json": b'{"tasks": {\n"dev:wss": {"cache": false}}}', "../package.json": b"{}"}
    found = clean_scripts(legacy_app({"dev:wss": WSS, "dev": "next dev"}, files=files))
    assert found.needs == ()
    assert [(p.file, p.line) for p in found.pieces if p.action == "by-hand"] == [("../turbo.json", 2)]


PARTS = [
    "next dev", "next build", "tsx watch src/server/wssDevServer.ts", PROD, "npm run dev:wss", "npm run dev:next",
    "run-p dev:*", "run-s dev:next dev:wss", "sleep 2", "wait", "cd docs", "tsc -p tsconfig.server.json",
    "wait-on tcp:3001", "cross-env A=1 run-p dev:*", "true", "rimraf dist", "eslint . > out.txt 2>&1",
    'concurrently "next dev" "tsx src/server/wssDevServer.ts"',
    "concurrently -n a,b,c npm:dev:next npm:dev:wss 'npm run lint'",
]  # fmt: skip
OPERATORS = [" && ", " & ", " || ", "; ", " | ", "&", "&&"]


@given(st.lists(st.tuples(st.sampled_from(PARTS), st.sampled_from(OPERATORS)), min_size=1, max_size=5))
def test_any_line_is_a_need_or_ends_without_the_server_and_stays_so(parts: list[tuple[str, str]]) -> None:
    line = "".join(part + operator for part, operator in parts).removesuffix(parts[-1][1])
    scripts = {"dev:wss": WSS, "dev:next": "next dev", "lint": "eslint .", "line": line}
    app = legacy_app(scripts)
    found = clean_scripts(app)
    if found.needs:
        return
    left = after(app, found)
    text = left.get("line", "x")
    assert parse_line(text) is not None
    assert not any(word in text for word in ("wssDevServer", "prodServer", "tsconfig.server", "dev:wss", "3001"))
    assert clean_scripts(legacy_app(left)) == Found()
