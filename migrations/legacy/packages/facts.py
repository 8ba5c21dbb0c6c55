"""What is known of the packages that a WebSocket server is run with: their programs, and who wants them unseen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from migrations.engine.packages import MANIFEST, SECTIONS
from migrations.legacy.scripts.command_line import words_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from migrations.engine.view import AppView

# The server itself, and what makes ws faster where it is there (ws, README, "Opt-in for performance").
SOCKET_PACKAGES = ("ws", "@types/ws", "bufferutil", "utf-8-validate")
SPEED_UPS = frozenset({"bufferutil", "utf-8-validate"})
# Packages that run, build or prepare a server, with the programs that each brings.
HELPERS: dict[str, frozenset[str]] = {
    "concurrently": words_of("concurrently conc"),
    "npm-run-all": words_of("npm-run-all run-p run-s"),
    "npm-run-all2": words_of("npm-run-all npm-run-all2 run-p run-s"),
    "tsx": words_of("tsx"),
    "ts-node": words_of("ts-node ts-node-esm ts-node-script ts-node-transpile-only ts-node-cwd ts-script"),
    "ts-node-dev": words_of("ts-node-dev tsnd"),
    "tsc-watch": words_of("tsc-watch"),
    "nodemon": words_of("nodemon"),
    "node-dev": words_of("node-dev"),
    "cross-env": words_of("cross-env cross-env-shell"),
    "env-cmd": words_of("env-cmd"),
    "dotenv-cli": words_of("dotenv"),
    "@dotenvx/dotenvx": words_of("dotenvx"),
    "wait-on": words_of("wait-on"),
    "wait-port": words_of("wait-port"),
    "kill-port": words_of("kill-port"),
    "start-server-and-test": words_of("start-server-and-test server-test start-test"),
    "tsup": words_of("tsup"),
    "tsdown": words_of("tsdown"),
    "tsc-alias": words_of("tsc-alias"),
    "resolve-tspaths": words_of("resolve-tspaths"),
    "tsconfig-paths": frozenset(),
    "esbuild": words_of("esbuild"),
    "esbuild-register": words_of("esr"),
    "esbuild-runner": words_of("esr esbuild-runner"),
    "@esbuild-kit/cjs-loader": frozenset(),
    "@esbuild-kit/esm-loader": frozenset(),
    "@swc/cli": words_of("swc spack"),
    "@swc-node/register": frozenset(),
    "@vercel/ncc": words_of("ncc"),
    "webpack": words_of("webpack"),
    "webpack-cli": words_of("webpack webpack-cli"),
    "webpack-node-externals": frozenset(),
    "rimraf": words_of("rimraf"),
    "shx": words_of("shx"),
    "copyfiles": words_of("copyfiles copyup"),
    "pm2": words_of("pm2 pm2-runtime pm2-dev pm2-docker"),
    "isomorphic-ws": frozenset(),
}
# Of use to a whole app at any time: they go only where a file that went imported them.
LIBRARIES: dict[str, frozenset[str]] = {"dotenv": frozenset(), "dotenv-expand": frozenset()}

# Who needs a package beside it, by the peerDependencies of each; what is installed says so better.
_PEERS: dict[str, frozenset[str]] = {
    "ws": words_of("isomorphic-ws isows"),
    "esbuild": words_of("esbuild-register esbuild-runner esbuild-loader esbuild-jest"),
    "webpack": words_of("webpack-cli webpack-dev-server html-webpack-plugin ts-loader babel-loader css-loader"),
    "tsx": words_of("@mikro-orm/cli"),
    "ts-node": words_of("@mikro-orm/cli ts-node-dev"),
}
# They use ws inside, which uses these where they are there.
_USING_WS = words_of("socket.io socket.io-client engine.io discord.js @discordjs/ws websocket rpc-websockets")


def listed_packages(view: AppView) -> tuple[str, ...]:
    """Every package that package.json lists, in whatever section."""
    value: Any = view.json(MANIFEST)
    sections = [value.get(section) for section in SECTIONS] if isinstance(value, dict) else []
    return tuple(dict.fromkeys(name for s in sections if isinstance(s, dict) for name in s))


def wanted_beside(view: AppView, package: str, listed: Collection[str]) -> str | None:
    """One of `listed` that needs `package` beside it, as a peer that is not optional; None if none does."""
    for other in listed:
        if other == package:
            continue
        if other in _PEERS.get(package, ()) or (package in SPEED_UPS and other in _USING_WS):
            return other
        installed: Any = view.json(f"node_modules/{other}/{MANIFEST}")
        peers = installed.get("peerDependencies") if isinstance(installed, dict) else None
        if isinstance(peers, dict) and package in peers:
            optional = installed.get("peerDependenciesMeta")
            entry = optional.get(package) if isinstance(optional, dict) else None
            if not (isinstance(entry, dict) and entry.get("optional")):
                return other
    return None


def package_of(specifier: str) -> str:
    """The package that an import is from."""
    match = re.match(r"(@[^/]+/[^/]+|[^/]+)", specifier)
    return match[1] if match else specifier


def types_of(package: str) -> str:
    """The package with the types of another; https://github.com/DefinitelyTyped/DefinitelyTyped."""
    return "@types/" + package.removeprefix("@").replace("/", "__")
