"""Small apps around one tRPC client, for the tests of what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.discovery.layout import find_layout
from migrations.engine import AppView
from migrations.engine.syntax import SOURCE_SUFFIXES
from migrations.legacy.clients.stage import clean_clients
from migrations.legacy.pieces import LegacyApp
from migrations.legacy.servers.stage import find_servers
from tests.migrations.legacy.app_t3 import T3

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migrations.legacy.pieces import Found

CLIENT = "src/trpc/client.ts"
ROUTER = "src/server/api/routers/chat.ts"
SERVER = "src/server/ws-server.ts"
ROUTE = "src/app/api/trpc/[trpc]/route.ts"
PAGE = "src/app/page.tsx"

SUBSCRIBES = """\
import { api } from "~/trpc/client";

export default function Page() {
  api.chat.onMessage.useSubscription(undefined, { onData: console.log });
  return null;
}
"""


def links(names: str, body: str) -> str:
    """A React client whose file imports these names of @trpc/client; `body` comes below the imports."""
    line = f'import {{ {names} }} from "@trpc/client";\n'
    if len(line) > 81:
        inner = "".join(f"  {name},\n" for name in names.split(", "))
        line = f'import {{\n{inner}}} from "@trpc/client";\n'
    return (
        line + 'import { createTRPCReact } from "@trpc/react-query";\n'
        'import superjson from "superjson";\n'
        'import type { AppRouter } from "~/server/api/root";\n\n'
        "export const api = createTRPCReact<AppRouter>();\n\n" + body
    )


def app_files(client: str = "", files: Mapping[str, str] | None = None) -> dict[str, str]:
    """An app with a WebSocket server, an HTTP handler and this client."""
    kept = (SERVER, ROUTE, ROUTER, "src/server/api/root.ts", "src/server/api/trpc.ts", "package.json", "tsconfig.json")
    return {**{path: T3[path] for path in kept}, **({CLIENT: client} if client else {}), **(files or {})}


def view_of(files: Mapping[str, str]) -> AppView:
    return AppView.of_files({path: text.encode() for path, text in files.items()})


def cleaned(view: AppView, *, to_sse: bool = False) -> Found:
    layout = find_layout(view)
    return clean_clients(LegacyApp(view, view, layout, find_servers(view, layout), to_sse=to_sse))


def changed(view: AppView, *, to_sse: bool = False) -> dict[str, str | None]:
    """The files that the stage changes, of an app in which nobody needs the server. What it writes can be read, and a
    second run finds nothing.
    """
    found = cleaned(view, to_sse=to_sse)
    assert found.needs == ()
    after = view.with_changes({change.path: change.after for change in found.changes})
    for change in found.changes:
        file = after.file(change.path)
        if file is not None and change.path.endswith(SOURCE_SUFFIXES):
            assert file.syntax_error_line is None, change.path
    again = cleaned(after, to_sse=to_sse)
    assert (again.needs, again.changes) == ((), ())
    assert [piece for piece in again.pieces if piece.action in ("remove", "rewrite")] == []
    return {change.path: None if change.after is None else change.after.decode() for change in found.changes}


def needs(view: AppView, *, to_sse: bool = False) -> set[tuple[str, int]]:
    """Where the app needs the server; nothing is changed then."""
    found = cleaned(view, to_sse=to_sse)
    assert not (found.needs and found.changes)
    return {(need.file, need.line) for need in found.needs}


def line_of(text: str, mark: str) -> int:
    """The line, from 1, of the only one that holds `mark`."""
    lines = [number for number, line in enumerate(text.splitlines(), 1) if mark in line]
    assert len(lines) == 1, (mark, lines)
    return lines[0]
