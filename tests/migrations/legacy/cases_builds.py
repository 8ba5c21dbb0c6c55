"""Build settings and packages: what was there for the server goes, what something else uses stays."""

from __future__ import annotations

from tests.migrations.legacy.app_starter import STARTER, STARTER_AFTER, STARTER_PACKAGE_AFTER
from tests.migrations.legacy.app_t3 import T3, T3_PACKAGE_AFTER
from tests.migrations.legacy.apps import drop, swap
from tests.migrations.legacy.cases import Case, Told, t3_case

_PACKAGE = "package.json"
_T3_PACKAGE = T3[_PACKAGE]
_SHORTER: Told = ((_PACKAGE, "remove"),)
_ESLINT = '    "lint": "eslint src"\n'


_ESLINTRC = """\
{
  "parserOptions": {
    "project": ["./tsconfig.json", "./tsconfig.server.json"]
  }
}
"""
_MAIN = ('  "private": true,\n', '  "private": true,\n  "main": "dist/server/prodServer.js",\n')
_WORKER = "setInterval(() => console.log('working'), 1000);\n"
_TSUP = """\
import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/server/ws-server.ts", "src/worker.ts"],
  format: ["esm"],
});
"""
_TSUP_SCRIPTS = (
    ('    "build": "next build",\n', '    "build": "next build",\n    "build:node": "tsup",\n'),
    ('    "typescript": ', '    "tsup": "^8.4.0",\n    "typescript": '),
)

BUILDS = (
    Case(
        "a server tsconfig that a worker is built with too",
        {
            **STARTER,
            "src/worker.ts": _WORKER,
            _PACKAGE: swap(
                STARTER[_PACKAGE],
                (_ESLINT, '    "worker": "tsx --tsconfig tsconfig.server.json src/worker.ts",\n' + _ESLINT),
            ),
        },
        {
            **{path: text for path, text in STARTER_AFTER.items() if path != "tsconfig.server.json"},
            _PACKAGE: swap(
                STARTER_PACKAGE_AFTER,
                (_ESLINT, '    "worker": "tsx --tsconfig tsconfig.server.json src/worker.ts",\n' + _ESLINT),
                ('    "typescript": ', '    "tsx": "^4.19.3",\n    "typescript": '),
            ),
        },
        (*_SHORTER, ("tsconfig.server.json", "keep")),
    ),
    Case(
        "a server tsconfig that the linter reads too",
        {**STARTER, ".eslintrc.json": _ESLINTRC},
        {**STARTER_AFTER, ".eslintrc.json": swap(_ESLINTRC, (', "./tsconfig.server.json"', ""))},
        (("tsconfig.server.json", "remove"), (".eslintrc.json", "rewrite")),
    ),
    Case(
        "a server tsconfig under another name",
        {
            **{
                path.replace("tsconfig.server.json", "server.tsconfig.json"): text.replace(
                    "tsconfig.server.json", "server.tsconfig.json"
                )
                for path, text in STARTER.items()
            },
        },
        {path.replace("tsconfig.server.json", "server.tsconfig.json"): text for path, text in STARTER_AFTER.items()},
        (("server.tsconfig.json", "remove"),),
    ),
    # Some hosts run what `main` names, and nothing but its owner knows what else could stand there.
    Case(
        "the package's main file",
        {**STARTER, _PACKAGE: swap(STARTER[_PACKAGE], _MAIN)},
        {**STARTER_AFTER, _PACKAGE: swap(STARTER_PACKAGE_AFTER, _MAIN)},
        (*_SHORTER, (_PACKAGE, "by-hand")),
    ),
    t3_case(
        "a tsconfig that leaves the server out",
        {
            "tsconfig.json": swap(
                T3["tsconfig.json"],
                ('"exclude": ["node_modules"]', '"exclude": ["node_modules", "src/server/ws-server.ts"]'),
            )
        },
        {"tsconfig.json": T3["tsconfig.json"]},
        (("tsconfig.json", "rewrite"),),
    ),
    t3_case(
        "a bundler with an entry for the server and one for something else",
        {
            "tsup.config.ts": _TSUP,
            "src/worker.ts": _WORKER,
            _PACKAGE: swap(_T3_PACKAGE, *_TSUP_SCRIPTS),
        },
        {
            "tsup.config.ts": swap(_TSUP, ('["src/server/ws-server.ts", "src/worker.ts"]', '["src/worker.ts"]')),
            _PACKAGE: swap(T3_PACKAGE_AFTER, *_TSUP_SCRIPTS),
        },
        (("tsup.config.ts", "rewrite"),),
    ),
    t3_case(
        "a bundler for the server alone",
        {
            "tsup.config.ts": swap(
                _TSUP, ('["src/server/ws-server.ts", "src/worker.ts"]', '["src/server/ws-server.ts"]')
            ),
            _PACKAGE: swap(_T3_PACKAGE, *_TSUP_SCRIPTS),
        },
        {"tsup.config.ts": None},
        (("tsup.config.ts", "remove"),),
    ),
    t3_case(
        "webpack for the server alone",
        {
            "webpack.server.js": """\
const path = require("path");
const nodeExternals = require("webpack-node-externals");

module.exports = {
  target: "node",
  mode: "production",
  entry: "./src/server/ws-server.ts",
  externals: [nodeExternals()],
  output: { path: path.resolve(__dirname, "dist"), filename: "ws-server.js" },
};
""",
            _PACKAGE: swap(
                _T3_PACKAGE,
                (
                    '    "build": "next build",\n',
                    '    "build": "next build && webpack --config webpack.server.js",\n',
                ),
                (
                    '    "typescript": "^5.8.2"\n',
                    '    "typescript": "^5.8.2",\n    "webpack": "^5.99.0",\n    "webpack-cli": "^6.0.0",\n'
                    '    "webpack-node-externals": "^3.0.0"\n',
                ),
            ),
        },
        {"webpack.server.js": None},
        (("webpack.server.js", "remove"),),
    ),
    # How Next.js is told to build a further file is code; nobody rewrites that unseen.
    Case(
        "a webpack entry in the settings of Next.js",
        {
            **T3,
            "next.config.js": """\
import "./src/env.js";

/** @type {import("next").NextConfig} */
const config = {
  webpack: (options, { isServer }) => {
    if (!isServer) return options;
    const entry = options.entry;
    options.entry = async () => ({
      ...(await entry()),
      "ws-server": "./src/server/ws-server.ts",
    });
    return options;
  },
};

export default config;
""",
        },
        needs=(("next.config.js", "./src/server/ws-server.ts"),),
    ),
)


def _kept_package(name: str, files: dict[str, str], *, tsx: bool = False, ws: bool = True) -> Case:
    after = drop(T3[_PACKAGE], '"dev:ws"')
    if not tsx:
        after = drop(after, '"tsx"')
    if not ws:
        after = drop(after, '"ws"', '"@types/ws"')
    return t3_case(name, files, {_PACKAGE: after}, ((_PACKAGE, "remove"), (_PACKAGE, "keep")))


_SEED = '    "typecheck": "tsc --noEmit"\n  },\n  "prisma": {\n    "seed": "tsx prisma/seed.ts"\n  },\n'

PACKAGES = (
    _kept_package(
        "ws as the socket of a database driver",
        {
            "src/server/db.ts": """\
import { neonConfig, Pool } from "@neondatabase/serverless";
import ws from "ws";

neonConfig.webSocketConstructor = ws;

export const pool = new Pool({ connectionString: process.env.DATABASE_URL });
""",
        },
    ),
    _kept_package(
        "a type of ws elsewhere",
        {
            "src/lib/size.ts": """\
import type { RawData } from "ws";

export const sizeOf = (data: RawData) => (Array.isArray(data) ? data.length : data.byteLength);
""",
        },
    ),
    _kept_package("ws in a test", {"tests/setup.ts": 'import { vi } from "vitest";\n\nvi.mock("ws");\n'}),
    _kept_package(
        "ws in a settings file",
        {
            "next.config.js": swap(
                T3["next.config.js"], ("const config = {};", 'const config = { serverExternalPackages: ["ws"] };')
            )
        },
    ),
    _kept_package(
        "ws in a script without a suffix",
        {"bin/ping": '#!/usr/bin/env node\nconst WebSocket = require("ws");\nnew WebSocket(process.argv[2]);\n'},
    ),
    t3_case(
        "tsx that seeds the database",
        {
            "prisma/seed.ts": 'console.log("seeded");\n',
            _PACKAGE: swap(_T3_PACKAGE, ('    "typecheck": "tsc --noEmit"\n  },\n', _SEED)),
        },
        {
            _PACKAGE: swap(
                T3_PACKAGE_AFTER,
                ('    "typecheck": "tsc --noEmit"\n  },\n', _SEED),
                ('    "typescript": ', '    "tsx": "^4.19.3",\n    "typescript": '),
            )
        },
        ((_PACKAGE, "remove"), (_PACKAGE, "keep")),
    ),
    t3_case(
        "tsx in a workflow",
        {
            ".github/workflows/nightly.yml": "on:\n  schedule:\n    - cron: '0 3 * * *'\njobs:\n  tidy:\n"
            "    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n"
            "      - run: npx tsx scripts/tidy.ts\n",
            "scripts/tidy.ts": 'console.log("tidy");\n',
        },
        {_PACKAGE: swap(T3_PACKAGE_AFTER, ('    "typescript": ', '    "tsx": "^4.19.3",\n    "typescript": '))},
        ((_PACKAGE, "keep"),),
    ),
    t3_case(
        "what makes ws faster",
        {
            _PACKAGE: swap(
                _T3_PACKAGE,
                ('    "next": ', '    "bufferutil": "^4.0.9",\n    "next": '),
                (
                    '    "typescript": "^5.8.2"\n  }\n',
                    '    "typescript": "^5.8.2"\n  },\n  "optionalDependencies": {\n    "fsevents": "^2.3.3",\n'
                    '    "utf-8-validate": "^6.0.5"\n  }\n',
                ),
            )
        },
        {
            _PACKAGE: swap(
                T3_PACKAGE_AFTER,
                (
                    '    "typescript": "^5.8.2"\n  }\n',
                    '    "typescript": "^5.8.2"\n  },\n  "optionalDependencies": {\n    "fsevents": "^2.3.3"\n  }\n',
                ),
            )
        },
        _SHORTER,
    ),
    # npm refuses to install where `$ws` names no dependency.
    t3_case(
        "ws that an override refers to",
        {
            _PACKAGE: swap(
                drop(_T3_PACKAGE, '"@types/ws"'),
                (
                    '    "typescript": "^5.8.2"\n  }\n',
                    '    "typescript": "^5.8.2"\n  },\n  "overrides": {\n    "ws": "$ws"\n  }\n',
                ),
            )
        },
        {
            _PACKAGE: swap(
                T3_PACKAGE_AFTER,
                (
                    '    "typescript": "^5.8.2"\n  }\n',
                    '    "typescript": "^5.8.2"\n  },\n  "overrides": {\n    "ws": "$ws"\n  }\n',
                ),
                ('    "zod": ', '    "ws": "^8.18.0",\n    "zod": '),
            )
        },
        ((_PACKAGE, "keep"),),
    ),
)
