"""What a server file works with: the values that its names stand for, and what is known to do nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tree_sitter import Node

    from migrations.legacy.module_names import ModuleName

ValueKind: TypeAlias = Literal[
    "plain",  # numbers, texts, objects: working with them does nothing elsewhere
    "package",  # something that a package exports
    "own",  # something that another file of the app exports
    "function",
    "class",
    "sockets",  # a WebSocketServer
    "socket",  # one WebSocket of it
    "adapter",  # what tRPC's adapter gives back
    "connect",  # a listener for connections, made by tRPC's adapter
    "server",  # an HTTP server
    "express",
    "standalone",  # tRPC's own HTTP server
    "next",
    "handle",  # Next.js's request handler
    "upgrade",  # its handler for upgrades
    "req",
    "res",
    "stream",  # the network connection of an upgrade
    "process",
    "console",
    "global",
]


@dataclass(frozen=True, eq=False)
class Value:
    """`node` made it; `scope` is what the names inside a function stand for."""

    kind: ValueKind = "plain"
    module: ModuleName | None = None
    node: Node | None = None
    scope: Mapping[str, Value] = field(default_factory=dict)


PLAIN = Value()
GLOBALS: Mapping[str, Value] = {
    "console": Value("console"),
    "process": Value("process"),
    "global": Value("global"),
    "globalThis": Value("global"),
}
# Global functions that do nothing else than to call back what they are given.
GLOBAL_FUNCTIONS = frozenset(
    {
        "parseInt",
        "parseFloat",
        "Number",
        "String",
        "Boolean",
        "BigInt",
        "Symbol",
        "Array",
        "Object",
        "Date",
        "RegExp",
        "Error",
        "isNaN",
        "isFinite",
        "structuredClone",
        "encodeURIComponent",
        "decodeURIComponent",
        "encodeURI",
        "decodeURI",
        "setTimeout",
        "setImmediate",
        "queueMicrotask",
        "clearTimeout",
        "clearInterval",
        "clearImmediate",
        "setInterval",
    }
)
GLOBAL_CLASSES = frozenset(
    {
        "Date",
        "Map",
        "Set",
        "WeakMap",
        "WeakSet",
        "Error",
        "TypeError",
        "URL",
        "URLSearchParams",
        "Promise",
        "AbortController",
        "Array",
        "Object",
        "Headers",
        "RegExp",
        "Intl",
        "TextEncoder",
        "TextDecoder",
    }
)
# Modules of Node.js and packages that change nothing outside when they are called.
PURE_MODULES = frozenset(
    {
        "path",
        "url",
        "os",
        "util",
        "process",
        "dotenv",
        "dotenv-expand",
        "@next/env",
        "chalk",
        "picocolors",
        "kleur",
        "colors",
        "cors",
        "helmet",
        "compression",
        "cookie-parser",
        "body-parser",
        "morgan",
        "cookie",
        "superjson",
        "zod",
        "dotenv-flow",
        "@dotenvx/dotenvx",
    }
)
# Imported for their effects: settings for this process, or what older versions of Node.js lack.
EFFECT_MODULES = re.compile(
    r"dotenv/config|dotenv-flow/config|dotenv-expand/config|@dotenvx/dotenvx/config|@next/env|(isomorphic|cross|whatwg|node)-(un)?fetch(/.*)?"
    r"|isomorphic-fetch|source-map-support/register|tsconfig-paths/register|module-alias/register|reflect-metadata"
    r"|core-js(/.*)?|abort-controller/polyfill|regenerator-runtime(/runtime)?|tsx|ts-node/register|server-only"
)
POLYFILLS = frozenset(
    {
        "fetch",
        "Headers",
        "Request",
        "Response",
        "FormData",
        "Blob",
        "WebSocket",
        "AbortController",
        "AbortSignal",
        "crypto",
        "ReadableStream",
        "TextEncoder",
        "TextDecoder",
        "structuredClone",
        "EventSource",
        "__filename",
        "__dirname",
        "require",
    }
)
CLOSES = frozenset({"$disconnect", "disconnect", "quit", "close", "destroy", "end", "shutdown"})
LOG_METHODS = frozenset(
    {
        "log",
        "info",
        "debug",
        "warn",
        "warning",
        "error",
        "trace",
        "verbose",
        "fatal",
        "success",
        "http",
        "child",
        "notice",
        "silly",
    }
)
LOGGER = re.compile(r"(?i)log(ger)?|pino|winston|consola|signale")
# A call of these names goes on working after it, or changes what outlives the process.
WORKING_CALL = re.compile(
    r"(schedule|start|run|launch|boot(strap)?|listen|serve|watch|poll|consume|setInterval|setTimeout|migrate|seed)"
    r"([A-Z]\w*)?"
)
# What a class of these names does, it does by itself once it is made.
WORKING_CLASS = re.compile(r"(Worker|CronJob|Cron|Queue(Events|Scheduler)?|Scheduler|Consumer|Agenda|Listener)$")
# What does nothing by itself once it is made: clients of databases, buses, logs, stores.
IDLE_CLASS = re.compile(
    r"(\w*Client|EventEmitter\w*|Redis|IORedis|\w*Pool|Kysely|Logger|LRUCache|LRU|Agent|AsyncLocalStorage)"
)
