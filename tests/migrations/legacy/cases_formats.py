"""Files in every format, of which only what has to go does."""

from __future__ import annotations

from tests.migrations.legacy.cases import Case, t3_case

_PACKAGE = "package.json"


def _tabs(text: str) -> str:
    return "".join(
        "\t" * ((len(line) - len(line.lstrip(" "))) // 2) + line.lstrip(" ") for line in text.splitlines(keepends=True)
    )


def _crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


def _formatted(name: str, change: object, *paths: str) -> Case:
    assert callable(change)
    base = t3_case(name)
    return Case(
        name,
        {path: change(text) if path in paths else text for path, text in base.files.items()},
        {path: change(text) if text is not None and path in paths else text for path, text in base.after.items()},
        tuple((path, "rewrite") for path in paths if base.after.get(path) is not None and path != _PACKAGE),
    )


def _standard(text: str) -> str:
    """Single quotes and no semicolons; the sources here have nothing in them that this would break."""
    return "".join(line.replace(";\n", "\n") for line in text.replace('"', "'").splitlines(keepends=True))


_CLIENT = "src/trpc/react.tsx"
FORMATS = (
    _formatted("one file with CRLF among others without", _crlf, _CLIENT),
    _formatted("the server with CRLF", _crlf, "src/server/ws-server.ts"),
    _formatted("tabs", _tabs, _CLIENT, _PACKAGE, "src/env.js"),
    _formatted("four spaces", lambda text: _tabs(text).replace("\t", "    "), _CLIENT, _PACKAGE, "src/env.js"),
    _formatted("single quotes and no semicolons", _standard, _CLIENT, "src/env.js", "src/server/ws-server.ts"),
    _formatted(
        "no final newlines", lambda text: text.removesuffix("\n"), _CLIENT, _PACKAGE, "src/env.js", ".env.example"
    ),
    _formatted("a byte order mark", lambda text: "\ufeff" + text, _CLIENT, "src/env.js"),
    t3_case(
        "generated copies of the server",
        {
            "dist/server/ws-server.js": "const { applyWSSHandler } = require('@trpc/server/adapters/ws');\n",
            ".next/server/ws.js": "createWSClient({ url: 'ws://localhost:3001' });\n",
        },
    ),
)
