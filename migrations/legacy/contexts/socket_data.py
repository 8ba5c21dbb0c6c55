"""What a server's context takes from the WebSocket itself, which no request over HTTP has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.discovery.nodes import FUNCTION_NODES, arguments_of
from migrations.discovery.trpc_client import property_of
from migrations.engine.syntax import find_all, text_of
from migrations.legacy.pieces import Piece
from migrations.legacy.servers.adapter import adapter_calls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from migrations.legacy.pieces import LegacyApp

# Of the options that a context is made from (tRPC's `CreateWSSContextFnOptions`): `res` is the WebSocket itself.
_OF_A_SOCKET = frozenset({"res", "client", "ws"})
_PARAMS = "connectionParams"


def moves_to_sse(app: LegacyApp) -> bool:
    """Whether subscriptions leave the WebSocket for server-sent events in this run, so that they stay in use."""
    if not app.to_sse:
        return False
    needle = b"httpSubscriptionLink"
    return any(needle not in (app.before.read(file.path) or b"") for file in app.view.sources(needle.decode()))


def socket_data(app: LegacyApp) -> Iterator[Piece]:
    """The places at which the context of a server that goes needs the WebSocket, while what is subscribed to stays."""
    if not moves_to_sse(app):
        return
    for server in app.servers:
        for call in () if server.is_commented else adapter_calls(server.file):
            for node in _uses(call):
                yield Piece(
                    server.file.path,
                    server.file.line_of(node.start_byte),
                    f"the context of a subscription needs the WebSocket ({text_of(node)})",
                    "keep",
                    "have the context made from what an HTTP request has (a cookie, a header), then run this again",
                )


def _uses(call: Node) -> Iterator[Node]:
    options = arguments_of(call)[:1]
    context = property_of(options[0], "createContext") if options else None
    if context is None or context.type not in FUNCTION_NODES:
        return
    body = context.child_by_field_name("body")
    parameters = context.child_by_field_name("parameters") or context.child_by_field_name("parameter")
    taken = {text_of(n) for n in find_all(parameters, "shorthand_property_identifier_pattern")} if parameters else set()
    seen: set[int] = set()
    for node in find_all(body, "member_expression", "identifier", "shorthand_property_identifier") if body else ():
        if any(start == node.start_byte for start in seen):
            continue
        name = text_of(node)
        is_param = node.type == "member_expression" and text_of(node.child_by_field_name("property") or node) in (
            _PARAMS,
            *_OF_A_SOCKET,
        )
        if is_param or (node.type != "member_expression" and name in taken & (_OF_A_SOCKET | {_PARAMS})):
            seen.add(node.start_byte)
            yield node
