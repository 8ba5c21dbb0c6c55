"""Scripts: what runs or builds the server goes, and what was joined with it is run alone."""

from __future__ import annotations

from tests.migrations.legacy.app_starter import STARTER, STARTER_AFTER, STARTER_PACKAGE_AFTER
from tests.migrations.legacy.app_t3 import T3, T3_PACKAGE_AFTER
from tests.migrations.legacy.apps import drop, swap
from tests.migrations.legacy.cases import Case, Told, t3_case

_PACKAGE = "package.json"
_T3_PACKAGE = T3[_PACKAGE]
_DEV = '    "dev": "next dev --turbo",\n'
_DEV_WS = '    "dev:ws": "tsx watch src/server/ws-server.ts",\n'
_SHORTER: Told = ((_PACKAGE, "remove"),)
_TYPES = '    "@types/ws": "^8.18.0",\n'


def _scripts(name: str, before: str, after: str, *packages: str) -> Case:
    """The lines for dev and dev:ws before and after; `packages` are there for them alone."""
    added = "".join(f'    "{package}": "^1.0.0",\n' for package in packages)
    return t3_case(
        name,
        {_PACKAGE: swap(_T3_PACKAGE, (_DEV + _DEV_WS, before), (_TYPES, _TYPES + added))},
        {_PACKAGE: swap(T3_PACKAGE_AFTER, (_DEV, after))},
        _SHORTER,
    )


def _kept_scripts(name: str, before: str, after: str, package: str) -> Case:
    """The same, where the package still has work to do afterwards."""
    line = f'    "{package}": "^1.0.0",\n'
    types = '    "@types/react": "^19.0.0",\n'
    return t3_case(
        name,
        {_PACKAGE: swap(_T3_PACKAGE, (_DEV + _DEV_WS, before), (types, types + line))},
        {_PACKAGE: swap(T3_PACKAGE_AFTER, (_DEV, after), (types, types + line))},
        _SHORTER,
    )


_NEXT = '    "dev:next": "next dev --turbo",\n'
_DB = '    "dev:db": "prisma studio",\n'

_SCRIPTS = (
    _scripts(
        "run-p with a list", '    "dev": "run-p dev:next dev:ws",\n' + _NEXT + _DEV_WS, _DEV + _NEXT, "npm-run-all"
    ),
    _scripts("run-p with a glob", '    "dev": "run-p dev:*",\n' + _NEXT + _DEV_WS, _DEV + _NEXT, "npm-run-all2"),
    _scripts(
        "npm-run-all --parallel",
        '    "dev": "npm-run-all --parallel dev:next dev:ws",\n' + _NEXT + _DEV_WS,
        _DEV + _NEXT,
        "npm-run-all",
    ),
    _kept_scripts(
        "run-p with a list of which two are left",
        '    "dev": "run-p dev:next dev:ws dev:db",\n' + _NEXT + _DEV_WS + _DB,
        '    "dev": "run-p dev:next dev:db",\n' + _NEXT + _DB,
        "npm-run-all",
    ),
    _kept_scripts(
        "run-p with a glob of which two are left",
        '    "dev": "run-p dev:*",\n' + _NEXT + _DEV_WS + _DB,
        '    "dev": "run-p dev:*",\n' + _NEXT + _DB,
        "npm-run-all",
    ),
    _kept_scripts(
        "a list with a name that has no script",
        '    "dev": "run-p dev:next dev:ws dev:worker",\n' + _NEXT + _DEV_WS,
        '    "dev": "run-p dev:next dev:worker",\n' + _NEXT,
        "npm-run-all",
    ),
    _scripts(
        "concurrently with two commands in quotes",
        '    "dev": "concurrently --kill-others -n next,ws -c blue,green '
        '\\"next dev --turbo\\" \\"tsx watch src/server/ws-server.ts\\"",\n',
        _DEV,
        "concurrently",
    ),
    _scripts(
        "concurrently with two scripts in quotes",
        "    \"dev\": \"concurrently 'npm run dev:next' 'npm run dev:ws'\",\n" + _NEXT + _DEV_WS,
        _DEV + _NEXT,
        "concurrently",
    ),
    _kept_scripts(
        "concurrently with names and colours of which two are left",
        '    "dev": "concurrently -n next,ws,db -c blue,green,red '
        '\\"npm run dev:next\\" \\"npm run dev:ws\\" \\"npm run dev:db\\"",\n' + _NEXT + _DEV_WS + _DB,
        '    "dev": "concurrently -n next,db -c blue,red \\"npm run dev:next\\" \\"npm run dev:db\\"",\n' + _NEXT + _DB,
        "concurrently",
    ),
    _kept_scripts(
        "concurrently with a glob of which two are left",
        '    "dev": "concurrently \\"npm:dev:*\\"",\n' + _NEXT + _DEV_WS + _DB,
        '    "dev": "concurrently \\"npm:dev:*\\"",\n' + _NEXT + _DB,
        "concurrently",
    ),
    _scripts(
        "a command in the background", '    "dev": "tsx watch src/server/ws-server.ts & next dev --turbo",\n', _DEV
    ),
    _scripts(
        "a script in the background",
        '    "dev": "npm run dev:ws & npm run dev:next",\n' + _NEXT + _DEV_WS,
        '    "dev": "npm run dev:next",\n' + _NEXT,
    ),
    _scripts(
        "scripts of yarn",
        '    "dev": "concurrently \\"yarn:dev:*\\"",\n' + _NEXT + _DEV_WS,
        _DEV + _NEXT,
        "concurrently",
    ),
    # Of a pattern, one is left: nothing breaks, and nothing was there for the server alone.
    _scripts(
        "pnpm with a pattern of names",
        '    "dev": "pnpm run \\"/^dev:.*/\\"",\n' + _NEXT + _DEV_WS,
        '    "dev": "pnpm run \\"/^dev:.*/\\"",\n' + _NEXT,
    ),
    _scripts(
        "hooks of the server's script",
        _DEV + '    "predev:ws": "echo starting",\n' + _DEV_WS + '    "postdev:ws": "echo stopped",\n',
        _DEV,
    ),
    _scripts(
        "nodemon",
        _DEV + '    "dev:ws": "nodemon --watch src/server --exec tsx src/server/ws-server.ts",\n',
        _DEV,
        "nodemon",
    ),
    Case(
        "steps of a build joined with &&",
        {
            **STARTER,
            _PACKAGE: swap(
                drop(STARTER[_PACKAGE], '"build:1-next"', '"build:2-server"'),
                (
                    '"build": "run-s build:*"',
                    '"build": "cross-env NODE_ENV=production next build && tsc --project tsconfig.server.json'
                    ' && tsc-alias -p tsconfig.server.json"',
                ),
                ('    "tsx": ', '    "tsc-alias": "^1.8.0",\n    "tsx": '),
            ),
        },
        {**STARTER_AFTER, _PACKAGE: drop(STARTER_PACKAGE_AFTER, '"build:1-next"')},
        _SHORTER,
    ),
    Case(
        "a build whose server comes first",
        {
            **STARTER,
            _PACKAGE: swap(
                drop(STARTER[_PACKAGE], '"build:1-next"', '"build:2-server"'),
                ('"build": "run-s build:*"', '"build": "tsc -p tsconfig.server.json && next build"'),
            ),
        },
        {
            **STARTER_AFTER,
            _PACKAGE: swap(
                drop(STARTER_PACKAGE_AFTER, '"build:1-next"'),
                ('"build": "cross-env NODE_ENV=production next build"', '"build": "next build"'),
            ),
        },
        _SHORTER,
    ),
    Case(
        "a start script with a variable of its own",
        {
            **STARTER,
            _PACKAGE: swap(
                STARTER[_PACKAGE],
                ("cross-env NODE_ENV=production node dist", "PORT=4000 NODE_ENV=production node -r dotenv/config dist"),
                ('    "cross-env": ', '    "dotenv": "^16.4.0",\n    "cross-env": '),
            ),
        },
        # dotenv is no package that is there for servers alone: whether it stays is for its owner to say.
        {
            **STARTER_AFTER,
            _PACKAGE: swap(
                STARTER_PACKAGE_AFTER,
                ("cross-env NODE_ENV=production next start", "PORT=4000 NODE_ENV=production next start"),
                ('    "cross-env": ', '    "dotenv": "^16.4.0",\n    "cross-env": '),
            ),
        },
        _SHORTER,
    ),
)


def _start(name: str, before: str, after: str) -> Case:
    old = '"start": "cross-env NODE_ENV=production node dist/server/prodServer.js"'
    new = '"start": "cross-env NODE_ENV=production next start"'
    return Case(
        name,
        {**STARTER, _PACKAGE: swap(STARTER[_PACKAGE], (old, f'"start": "{before}"'))},
        {**STARTER_AFTER, _PACKAGE: swap(STARTER_PACKAGE_AFTER, (new, f'"start": "{after}"'))},
        _SHORTER,
    )


_STARTS = (
    _start(
        "a start script of Windows",
        "set NODE_ENV=production && node dist/server/prodServer.js",
        "set NODE_ENV=production && next start",
    ),
    _start(
        "a start script that migrates first",
        "prisma migrate deploy && NODE_ENV=production node dist/server/prodServer.js",
        "prisma migrate deploy && NODE_ENV=production next start",
    ),
    _start("a start script that names an env file", "node --env-file=.env dist/server/prodServer.js", "next start"),
    _start(
        "a start script with options for Node.js",
        "NODE_OPTIONS='--max-old-space-size=4096' node dist/server/prodServer.js",
        "NODE_OPTIONS='--max-old-space-size=4096' next start",
    ),
    _scripts(
        "concurrently after something else",
        '    "dev": "npm run db:up && concurrently \\"next dev --turbo\\" \\"npm run dev:ws\\"",\n'
        + _DEV_WS
        + '    "db:up": "docker compose up -d db",\n',
        '    "dev": "npm run db:up && next dev --turbo",\n    "db:up": "docker compose up -d db",\n',
        "concurrently",
    ),
    _scripts(
        "a build of the server after every install",
        _DEV
        + _DEV_WS
        + '    "build:ws": "esbuild src/server/ws-server.ts --bundle --platform=node --outfile=dist/ws.js",\n'
        '    "postinstall": "npm run build:ws",\n    "start:ws": "node dist/ws.js",\n',
        _DEV,
        "esbuild",
    ),
    _scripts(
        "a start of both",
        _DEV + _DEV_WS + '    "start:all": "run-p start start:ws",\n    "start:ws": "tsx src/server/ws-server.ts",\n',
        _DEV + '    "start:all": "next start",\n',
        "npm-run-all",
    ),
)

SCRIPTS = (*_SCRIPTS, *_STARTS)
