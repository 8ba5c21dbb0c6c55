"""Who else connects to the WebSocket server: tests, a WebSocket of the browser's own, the workspace around the app."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from migrations.discovery.nodes import arguments_of
from migrations.discovery.procedures import is_test
from migrations.discovery.trpc_client import Place
from migrations.engine.packages import workspaces_around
from migrations.engine.syntax import SOURCE_SUFFIXES, find_all, text_of
from migrations.legacy.clients.ws_clients import MARKS, addresses_of, names_of_address, socket_calls_of
from migrations.legacy.pieces import Piece

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrations.legacy.clients.subscribers import Subscriber
    from migrations.legacy.clients.ws_clients import SocketCall
    from migrations.legacy.pieces import LegacyApp

# `new WebSocket(...)`, `new ReconnectingWebSocket(...)`, `useWebSocket(...)`; not a server.
_SOCKET = re.compile(r"\w*[sS]ocket")
_PORT = re.compile(r"\bport:\s*(\d+)|\.listen\((\d+)")
_LONGEST_SOURCE = 1 << 20


def needs_of_tests(calls: Sequence[SocketCall], subscribers: Sequence[Subscriber]) -> Iterator[Piece]:
    """The tests and their helpers that connect to the server."""
    seen = set()
    for call in calls:
        path = call.place.file.path
        if not is_test(path) or path in seen:
            continue
        seen.add(path)
        lines = [one.line for one in subscribers if one.place.file.path == path] or [call.place.line]
        for line in lines:
            yield Piece(
                path,
                line,
                "a test connects to the WebSocket server",
                "keep",
                "let it call the procedure itself (createCaller), or take the test out, then run this again",
            )


def raw_sockets(app: LegacyApp, live: tuple[SocketCall, ...]) -> Iterator[Piece]:
    """Where a WebSocket is opened without tRPC's client, to the address of the server."""
    addresses = addresses_of(app.view, app.layout, live) if live else frozenset()
    addresses |= {f"localhost:{port}" for server in app.servers for port in _ports(server.file.text)}
    servers = {server.file.path for server in app.servers}
    needles = {one.rpartition(":")[2].encode() for one in addresses}
    for file in app.view.sources("ocket") if addresses else ():
        if file.path in servers or is_test(file.path) or not any(one in file.data for one in needles):
            continue
        for node in find_all(file.root, "new_expression", "call_expression"):
            made = node.child_by_field_name("constructor") or node.child_by_field_name("function")
            given = arguments_of(node)
            if made is None or not given or not _SOCKET.fullmatch(text_of(made)):
                continue
            if names_of_address(app.view, app.layout, Place(file, given[0])) & addresses:
                yield Piece(
                    file.path,
                    file.line_of(node.start_byte),
                    "a WebSocket of its own is opened to the same server",
                    "keep",
                    "take it out or let it connect elsewhere, then run this again",
                )


def _ports(text: str) -> set[str]:
    return {port for found in _PORT.findall(text) for port in found if port}


def needs_of_workspace(app: LegacyApp) -> Iterator[Piece]:
    """The clients in other packages of the workspace around the app that may be the server's."""
    for folder in workspaces_around(app.view):
        paths = app.view.paths_around(folder)
        marked = [call for path in paths if (call := _first_call(app, path)) is not None]
        with_server = {_package_of(path, paths) for path in paths if _has_server(app, path)} if marked else set()
        for call in marked:
            path = call.place.file.path
            if _package_of(path, paths) not in with_server:
                yield Piece(
                    path,
                    call.place.line,
                    "another package of the workspace has a WebSocket client of tRPC",
                    "keep",
                    "let it use HTTP, or make sure that it is for another server, then run this again",
                )


def _first_call(app: LegacyApp, path: str) -> SocketCall | None:
    file = app.view.file(path) if path.endswith(SOURCE_SUFFIXES) else None
    if file is None or len(file.data) > _LONGEST_SOURCE or not any(mark.encode() in file.data for mark in MARKS):
        return None
    return next(socket_calls_of(file), None)


def _has_server(app: LegacyApp, path: str) -> bool:
    return path.endswith(SOURCE_SUFFIXES) and b"applyWSSHandler" in (app.view.read(path) or b"")


def _package_of(path: str, paths: Sequence[str]) -> str:
    """The folder of the package that a file belongs to."""
    folder = posixpath.dirname(path)
    known = set(paths)
    while folder and f"{folder}/package.json" not in known and folder.strip("./"):
        folder = posixpath.dirname(folder)
    return folder
