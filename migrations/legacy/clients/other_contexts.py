"""Whether queries and mutations that went over a WebSocket get the same context from the HTTP handler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.discovery.trpc_client import Place, definition_of
from migrations.engine.syntax import find_all, text_of
from migrations.legacy.clients.sse import contexts_given, http_contexts
from migrations.legacy.module_names import module_names
from migrations.legacy.pieces import Piece
from migrations.legacy.servers.adapter import adapter_calls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrations.legacy.pieces import LegacyApp


def other_contexts(app: LegacyApp) -> Iterator[Piece]:
    """The contexts of WebSocket servers that have nothing in common with any of the HTTP handlers': who was logged in
    over the socket may not be over HTTP.
    """
    shared = {key for context in http_contexts(app) for key in _functions_of(app, context)}
    if not shared:
        return
    for server in app.servers:
        for context in () if server.is_commented else contexts_given(app, server.file, adapter_calls(server.file)):
            parameters = context.node.child_by_field_name("parameters")
            takes_nothing = parameters is not None and not parameters.named_children
            if takes_nothing or shared & _functions_of(app, context):
                continue
            yield Piece(
                context.file.path,
                context.line,
                "queries and mutations go over the WebSocket, whose context the HTTP handler does not make",
                "keep",
                "let both have it of the same function, then run this again",
            )


def _functions_of(app: LegacyApp, context: Place) -> set[tuple[str, object]]:
    """A context's function and those that it calls by name, by where they are made or which package's they are."""
    found: set[tuple[str, object]] = {(context.file.path, context.node.start_byte)}
    modules = module_names(context.file)
    for call in find_all(context.node, "call_expression"):
        function = call.child_by_field_name("function")
        if function is None or function.type != "identifier":
            continue
        known = definition_of(app.view, app.layout, Place(context.file, function))
        if known is not None:
            found.add((known.file.path, known.node.start_byte))
        elif text_of(function) in modules:
            module = modules[text_of(function)]
            found.add((module.specifier, module.imported))
    return found
