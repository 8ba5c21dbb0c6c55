"""Programs that run or compile a file of the app, and which of their arguments is that file; pure.

Facts by the help texts of Node, tsx, ts-node, ts-node-dev, nodemon, pm2, bun, deno, tsc, tsup, esbuild, swc and ncc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.legacy.scripts.command_line import words_of
from migrations.legacy.scripts.invocations import option_value, positionals

if TYPE_CHECKING:
    from migrations.legacy.scripts.command_line import Word
    from migrations.legacy.scripts.invocations import Invocation

# They run the file alone, so that Next's own command can stand in place of it.
PLAIN_RUNNERS = words_of(
    "node tsx ts-node ts-node-esm ts-node-dev tsnd nodemon bun esno esr esrun babel-node swc-node vite-node jiti "
    "sucrase-node esbuild-runner node-dev"
)
RUNNERS = PLAIN_RUNNERS | {"pm2", "pm2-runtime", "forever", "deno", "tsc-watch"}
WATCHERS = frozenset({"ts-node-dev", "tsnd", "nodemon", "node-dev"})
COMPILERS = words_of(
    "tsc tsup esbuild swc rollup webpack ncc vite tsc-alias tsconfig-replace-paths resolve-tspaths babel rspack "
    "pkgroll unbuild tsdown tspc vue-tsc"
)
# They wait for a port to be served.
WAITERS = frozenset({"wait-on", "wait-port", "kill-port"})
# They take names of scripts, or commands, as arguments, in ways of their own.
SCRIPT_TAKERS = words_of(
    "start-server-and-test server-test start-test turbo nx lerna wsrun onchange npm-watch chokidar"
)

_SUBCOMMANDS = frozenset({"watch", "run", "start", "build", "node"})
_NODE_VALUES = words_of(
    "-r --require --import --loader --experimental-loader -P --project --tsconfig --env-file --env-file-if-exists "
    "--watch-path -C --conditions -O --compiler-options --cwd --input-type"
)
_NODEMON_VALUES = _NODE_VALUES | words_of(
    "-w --watch -e --ext -i --ignore -x --exec -d --delay -s --signal --config -I"
)
_PM2_VALUES = words_of("-n --name -i --instances --interpreter --log -o -e --env --cwd --node-args --only")
_COMPILER_VALUES = words_of(
    "-p --project --outDir --outdir --out-dir --outfile -d -o -c --config --format --target --platform --tsconfig "
    "--dist-dir --rootDir --module --moduleResolution --mode --env --onSuccess --jsx"
)
_PROJECT_OPTIONS = ("-p", "--project", "-b", "--build", "-c", "--config", "--tsconfig", "--config-file")
_OUT_FOLDER_OPTIONS = ("--outDir", "--outdir", "--out-dir", "-d", "--dist-dir", "--out")
_OUT_FILE_OPTIONS = ("--outfile", "-o", "--outFile")
# What a Next command does without: .env files and TypeScript it reads by itself.
_NEEDLESS_NODE_OPTIONS = words_of(
    "--watch --enable-source-maps --trace-warnings --no-warnings --inspect --transpile-only --respawn --files -T "
    "--clear-screen=false --esm --clear --exit-child --rs --cls --quiet -q"
)
_NEEDLESS_MODULES = (
    "dotenv",
    "ts-node",
    "tsconfig-paths",
    "tsx",
    "esbuild-register",
    "@swc-node",
    "source-map-support",
)
_NEEDLESS_VALUE_OPTIONS = words_of(
    "-P --project --tsconfig -w --watch -e --ext -i --ignore -d --delay -x --exec -O --compiler-options -s --signal "
    "--watch-path"
)
_ENV_FILES = frozenset({".env", ".env.local", ".env.development", ".env.production"})


def run_file(invocation: Invocation) -> Word | None:
    """The argument that is the file to run, None if there is none."""
    values = {"nodemon": _NODEMON_VALUES, "pm2": _PM2_VALUES, "pm2-runtime": _PM2_VALUES}
    found = positionals(invocation.arguments, values.get(invocation.program, _NODE_VALUES))
    if found and found[0].text in _SUBCOMMANDS and len(found) > 1:
        found = found[1:]
    return found[0] if found else None


def runs_by_option(invocation: Invocation) -> str | None:
    """The command that an option holds: nodemon's and tsc-watch's; None if there is none."""
    return option_value(invocation.arguments, "-x", "--exec", "--onSuccess", "--onFirstSuccess")


def project_of(invocation: Invocation) -> str | None:
    """The settings that a compiler is told to go by."""
    return option_value(invocation.arguments, *_PROJECT_OPTIONS)


def entries_of(invocation: Invocation) -> tuple[Word, ...]:
    """The files that a compiler is told to compile."""
    found = positionals(invocation.arguments, _COMPILER_VALUES)
    return found[1:] if found and found[0].text in _SUBCOMMANDS else found


def out_folder_of(invocation: Invocation) -> str | None:
    return option_value(invocation.arguments, *_OUT_FOLDER_OPTIONS)


def out_file_of(invocation: Invocation) -> str | None:
    return option_value(invocation.arguments, *_OUT_FILE_OPTIONS)


def option_that_next_lacks(invocation: Invocation, file: Word) -> str | None:
    """An option before the file that Next's own command has no equal of; None if there is none."""
    arguments = [word.text for word in invocation.arguments if word.start < file.start]
    skip = False
    for number, text in enumerate(arguments):
        name, equals, value = text.partition("=")
        if skip or not text.startswith("-"):
            skip = False
            continue
        following = value if equals else (arguments[number + 1] if number + 1 < len(arguments) else "")
        if name in ("-r", "--require", "--import", "--loader", "--experimental-loader"):
            skip = not equals
            if not following.startswith(_NEEDLESS_MODULES):
                return text
        elif name in ("--env-file", "--env-file-if-exists"):
            skip = not equals
            if following.removeprefix("./") not in _ENV_FILES:
                return f"{name} {following}"
        elif name in _NEEDLESS_VALUE_OPTIONS:
            skip = not equals and (name != "--watch" or invocation.program == "nodemon")
        elif text not in _NEEDLESS_NODE_OPTIONS and name not in ("--inspect", "--experimental-specifier-resolution"):
            return text
    return None


def is_watching(invocation: Invocation) -> bool:
    """Whether the file is run anew when it changes, as is done while developing."""
    words = [word.text for word in invocation.arguments[:2]]
    return invocation.program in WATCHERS or "watch" in words or "--watch" in words or "--hot" in words
