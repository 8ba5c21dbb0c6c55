"""The settings that built the server: they go with it, unless something else is built with them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from migrations.discovery.layout import find_layout
from migrations.engine import AppView
from migrations.legacy.builds.stage import clean_builds
from migrations.legacy.pieces import LegacyApp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migrations.legacy.pieces import Found

SERVER = "src/server/live.ts"
CONFIG = "tsconfig.server.json"
MAIN = '{\n  "compilerOptions": { "noEmit": true },\n  "include": ["**/*.ts"]\n}\n'
OWN = """\
{
  "extends": "./tsconfig.json",
  "compilerOptions": { "noEmit": false, "outDir": "dist" },
  "include": ["src/server/**/*.ts"]
}
"""


def package(**scripts: str) -> str:
    return json.dumps({"name": "web", "scripts": scripts}, indent=2) + "\n"


APP = {
    "package.json": package(build="next build && tsc -p tsconfig.server.json", live="tsx src/server/live.ts"),
    "tsconfig.json": MAIN,
    SERVER: "export {};\n",
    "src/server/root.ts": "export const root = 1;\n",
    "src/worker.ts": "export const worker = 1;\n",
}


def cleaned(files: Mapping[str, str], *, gone: tuple[str, ...] = (SERVER,)) -> Found:
    before = AppView.of_files({path: text.encode() for path, text in {**APP, **files}.items()})
    return clean_builds(LegacyApp(before, before.with_changes(dict.fromkeys(gone)), find_layout(before), ()))


def changed(found: Found) -> dict[str, str | None]:
    return {change.path: None if change.after is None else change.after.decode() for change in found.changes}


def actions(found: Found) -> set[tuple[str, int, str]]:
    return {(piece.file, piece.line, piece.action) for piece in (*found.pieces, *found.needs)}


# --- what stays


def test_nothing_is_looked_for_where_nothing_has_gone() -> None:
    found = cleaned({CONFIG: OWN}, gone=())
    assert (found.changes, found.pieces, found.needs) == ((), (), ())


STAYS = {
    "the main settings, which cover everything": {},
    "settings for something else": {"tsconfig.worker.json": OWN.replace("src/server/**/*.ts", "src/worker.ts")},
    "settings that only check": {"tsconfig.lint.json": '{"compilerOptions": {"noEmit": true}, "include": ["src"]}\n'},
    "settings of a folder, found by their name": {
        "src/server/tsconfig.json": '{"compilerOptions": {"outDir": "out"}, "include": ["./*.ts"]}\n'
    },
    "what cannot be read": {"tsconfig.server.json": "{ nothing"},
    "a bundler for something else": {"tsup.config.ts": 'export default { entry: ["src/worker.ts"] };\n'},
    "the server in a text that is no entry": {"src/notes.ts": (
        'export const about = { entry: '
        '["./server/live.ts"] };\n'
    )},
    "nodemon for something else": {"nodemon.json": '{ "exec": "tsx src/worker.ts" }\n'},
}  # fmt: skip


@pytest.mark.parametrize("name", STAYS)
def test_what_is_for_something_else_stays(name: str) -> None:
    found = cleaned(STAYS[name])
    assert (found.changes, found.pieces, found.needs) == ((), (), ())


USERS = {
    "a script that runs something else with them": (
        {"package.json": package(seed="tsx --tsconfig tsconfig.server.json prisma/seed.ts")},
        "package.json",
    ),
    "a script that runs "
    "something else of their output": ({"package.json": package(w="node dist/worker.js")}, "package.json"),
    "settings on top of them": (
        {"tsconfig.worker.json": '{\n  "extends": "./tsconfig.server.json",\n  "include": ["src/worker.ts"]\n}\n'},
        "tsconfig.worker.json",
    ),
    "a test runner": ({"jest.config.js": (
        'module.exports = {\n'
        '  tsconfig: "tsconfig.server.json",\n};\n'
    )}, "jest.config.js"),
}  # fmt: skip


@pytest.mark.parametrize("name", USERS)
def test_settings_that_something_else_uses_stay(name: str) -> None:
    files, user = USERS[name]
    found = cleaned({CONFIG: OWN, **files})
    assert (found.changes, found.needs) == ((), ())
    [piece] = found.pieces
    assert (piece.file, piece.action) == (CONFIG, "keep")
    assert user in piece.why


# --- tsconfig

GOES = {
    "by a pattern": OWN,
    "by a folder": OWN.replace("src/server/**/*.ts", "src/server"),
    "by its name": OWN.replace("src/server/**/*.ts", "./src/server/live.ts"),
    "by a list of files": OWN.replace('"include": ["src/server/**/*.ts"]', '"files": ["src/server/live.ts"]'),
    "by the settings that it extends": OWN.replace(
        '{ "noEmit": false, "outDir": "dist" },\n  "include": ["src/server/**/*.ts"]', '{ "noEmit": false }'
    ),
    "with comments": OWN.replace("{\n", "{\n  // for the server\n", 1).replace("*.ts\"]", '*.ts"],'),
}  # fmt: skip


@pytest.mark.parametrize("name", GOES)
def test_the_servers_own_settings_go(name: str) -> None:
    found = cleaned({CONFIG: GOES[name]})
    assert changed(found) == {CONFIG: None}
    assert actions(found) == {(CONFIG, 0, "remove")}


def test_settings_of_a_folder_that_is_empty_then_go() -> None:
    config = "live/tsconfig.json"
    files = {config: '{"compilerOptions": {"outDir": "out"}, "include": ["*.ts"]}\n', "live/index.ts": "export {};\n"}
    assert changed(cleaned(files, gone=("live/index.ts",))) == {config: None}


def test_a_list_that_names_the_server_loses_it() -> None:
    main = '{\n  "include": ["next-env.d.ts", "src/**/*.ts", "src/server/live.ts"],\n  "exclude": ["node_modules"]\n}\n'
    found = cleaned({"tsconfig.json": main})
    assert changed(found) == {"tsconfig.json": main.replace(', "src/server/live.ts"', "")}
    assert actions(found) == {("tsconfig.json", 2, "rewrite")}
    excluded = main.replace('["node_modules"]', '["node_modules", "./src/server/live.ts"]')
    assert changed(cleaned({"tsconfig.json": excluded}))["tsconfig.json"] == main.replace(', "src/server/live.ts"', "")


def test_settings_without_a_file_left_are_needed() -> None:
    main = '{\n  "files": ["src/server/live.ts"],\n  "include": []\n}\n'
    found = cleaned({"tsconfig.json": main})
    assert found.changes == ()
    assert actions(found) == {("tsconfig.json", 2, "keep")}


def test_a_reference_to_settings_that_go_goes() -> None:
    main = (
        '{\n  "include": ["src/**/*.ts"],\n  "references": [\n'
        '    { "path": "./tsconfig.server.json" },\n    { "path": "./lib" }\n  ]\n}\n'
    )
    after = main.replace('    { "path": "./tsconfig.server.json" },\n', "")
    found = cleaned({"tsconfig.json": main, CONFIG: OWN})
    assert changed(found) == {CONFIG: None, "tsconfig.json": after}


# --- linters

LINTERS = {
    ".eslintrc.json": (
        '{ "parserOptions": { "project": ["./tsconfig.json", "./tsconfig.server.json"] } }\n',
        '{ "parserOptions": { "project": ["./tsconfig.json"] } }\n',
    ),
    ".eslintrc.cjs": (
        "module.exports = {\n  parserOptions: {\n"
        "    project: ['./tsconfig.json', './tsconfig.server.json'],\n  },\n};\n",
        "module.exports = {\n  parserOptions: {\n    project: ['./tsconfig.json'],\n  },\n};\n",
    ),
    "eslint.config.mjs": (
        'export default [{ project: [\n  path.join(here, "tsconfig.server.json"),\n'
        '  path.join(here, "tsconfig.json"),\n] }];\n',
        'export default [{ project: [\n  path.join(here, "tsconfig.json"),\n] }];\n',
    ),
}  # fmt: skip


@pytest.mark.parametrize("path", LINTERS)
def test_a_linters_list_of_projects_is_shortened(path: str) -> None:
    before, after = LINTERS[path]
    found = cleaned({CONFIG: OWN, path: before})
    assert changed(found) == {CONFIG: None, path: after}
    assert found.needs == ()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".eslintrc.json", '{ "parserOptions": { "project": "./tsconfig.server.json" } }\n'),
        (".eslintrc.json", '{ "overrides": [{ "parserOptions": { "project": ["./tsconfig.server.json", "x"] } }] }\n'),
        (".eslintrc.cjs", 'module.exports = { parserOptions: { project: "tsconfig.server.json" } };\n'),
        ("eslint.config.mjs", 'export default [{ project: ["tsconfig.server.json"] }];\n'),
    ],
)
def test_a_linter_that_has_no_other_project_needs_it(path: str, text: str) -> None:
    found = cleaned({CONFIG: OWN, path: text})
    assert [(need.file, need.line) for need in found.needs] == [(path, 1)]
    assert path not in changed(found)


# --- bundlers

BUNDLERS = {
    "tsup.config.ts": (
        'import { defineConfig } from "tsup";\n\nexport default defineConfig({\n'
        '  entry: ["src/server/live.ts", "src/worker.ts"],\n});\n',
        'import { defineConfig } from "tsup";\n\nexport default defineConfig({\n  entry: ["src/worker.ts"],\n});\n',
    ),
    "webpack.config.js": (
        "module.exports = {\n  entry: {\n    live: './src/server/live.ts',\n    worker: './src/worker.ts',\n  },\n};\n",
        "module.exports = {\n  entry: {\n    worker: './src/worker.ts',\n  },\n};\n",
    ),
    "scripts/build.mjs": (
        'import { build } from "esbuild";\nawait build({\n  entryPoints: [\n'
        '    path.resolve("src/server/live.ts"),\n    "src/worker.ts",\n  ],\n});\n',
        'import { build } from "esbuild";\nawait build({\n  entryPoints: [\n    "src/worker.ts",\n  ],\n});\n',
    ),
    "rollup.config.mjs": ('export default { input: "src/server/live.ts", output: {} };\n', None),
    "webpack.server.js": (
        "const path = require('path');\nmodule.exports = {\n"
        "  entry: { live: path.resolve(__dirname, 'src/server/live.ts') },\n};\n",
        None,
    ),
    "webpack.live.js": ("const config = {\n  entry: './src/server/live.ts',\n};\nmodule.exports = config;\n", None),
    "esbuild.mjs": (
        'import { build } from "esbuild";\n'
        'await build({ entryPoints: ["src/server/live.ts"], outfile: "dist/live.js" });\n',
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("path", BUNDLERS)
def test_an_entry_for_the_server_goes_or_the_settings_do(path: str) -> None:
    before, after = BUNDLERS[path]
    found = cleaned({path: before})
    assert changed(found) == {path: after}
    line = next(number for number, text in enumerate(before.splitlines(), 1) if "src/server/live.ts" in text)
    assert actions(found) == {(path, line, "remove" if after is None else "rewrite")}
    crlf = {path: None if after is None else after.replace("\n", "\r\n")}
    assert changed(cleaned({path: before.replace("\n", "\r\n")})) == crlf


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("vite.config.ts", 'export default {\n  build: { lib: { entry: "src/server/live.ts" } },\n};\n'),
        (
            "tsup.config.ts",
            ('export default [\n  { entry: ["src/server/live.ts"] },\n  { entry: ["src/worker.ts"] },\n];\n'),
        ),
        (
            "build.mjs",
            (
                'import { build } from "esbuild";\n'
                'await build({ entryPoints: ["src/server/live.ts"] });\nawait copy();\n'
            ),
        ),
        ("webpack.config.js", "const files = list('src/server/live.ts');\nmodule.exports = { entry: files };\n"),
    ],
)
def test_a_build_that_is_more_than_the_servers_needs_a_person(path: str, text: str) -> None:
    found = cleaned({path: text})
    assert found.changes == ()
    line = next(number for number, part in enumerate(text.splitlines(), 1) if "src/server/live.ts" in part)
    assert actions(found) == {(path, line, "keep")}
    assert found.needs


# --- the rest


def test_nodemon_that_runs_the_server_goes() -> None:
    text = '{\n  "watch": ["src"],\n  "exec": "tsx src/server/live.ts"\n}\n'
    found = cleaned({"nodemon.json": text})
    assert changed(found) == {"nodemon.json": None}
    assert actions(found) == {("nodemon.json", 3, "remove")}


def test_nodemon_that_another_script_uses_is_left_to_a_person() -> None:
    files = {
        "nodemon.json": ('{ "exec": "tsx src/server/live.ts" }\n'),
        "package.json": package(w="nodemon src/worker.ts"),
    }
    assert actions(cleaned(files)) == {("nodemon.json", 1, "by-hand")}


def test_settings_of_swc_are_told_of_where_the_server_was_compiled_with_it() -> None:
    rc = {".swcrc": "{}\n"}
    assert cleaned(rc).pieces == ()
    built = {**rc, "package.json": package(build="swc src/server -d dist")}
    assert actions(cleaned(built)) == {(".swcrc", 0, "by-hand")}
