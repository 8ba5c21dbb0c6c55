"""Where a file hands a WebSocketServer to tRPC.

tRPC's adapter is `@trpc/server/adapters/ws` (tRPC 9: `@trpc/server/ws`), its functions `applyWSSHandler` and, since
10.32, `getWSConnectionHandler`; Fastify's plugin makes a server of its own with `useWSS: true` (tRPC's documentation,
"WebSockets" and "Fastify").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.discovery.nodes import arguments_of, key_name
from migrations.engine.syntax import find_all, text_of
from migrations.legacy.module_names import ModuleName, module_names, module_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from migrations.engine.source import SourceFile

NEEDLES = (b"applyWSSHandler", b"getWSConnectionHandler", b"useWSS")
_FUNCTIONS = frozenset({"applyWSSHandler", "getWSConnectionHandler"})
_ADAPTER = re.compile(r"@trpc/server/(.+/)?ws(/index)?(\.[cm]?js)?")
_FASTIFY = re.compile(r"@trpc/server/(.+/)?fastify(/index)?(\.[cm]?js)?")


def is_ws_adapter(specifier: str) -> bool:
    """Whether a module is tRPC's adapter for WebSockets."""
    return _ADAPTER.fullmatch(specifier) is not None


def is_adapter_function(value: ModuleName | None) -> bool:
    """Whether it is one of the functions that serve tRPC over a WebSocketServer."""
    return value is not None and value.imported in _FUNCTIONS and is_ws_adapter(value.specifier)


def adapter_calls(file: SourceFile) -> Iterator[Node]:
    """The calls that hand a WebSocketServer to tRPC, in the order of the text; of Fastify the pair `useWSS: true`."""
    if not any(needle in file.data for needle in NEEDLES):
        return
    for node in find_all(file.root, "call_expression", "pair"):
        if node.type == "pair":
            if _is_fastify_switch(file, node):
                yield node
        elif is_adapter_function(module_value(file, called) if (called := _called(node)) is not None else None):
            yield node


def servers_given(call: Node) -> tuple[Node, ...]:
    """What an adapter's call gets as `wss`."""
    return tuple(
        member.child_by_field_name("value") or member
        for options in arguments_of(call)[:1]
        if options.type == "object"
        for member in options.named_children
        if key_name(member) == "wss"
    )


def _called(call: Node) -> Node | None:
    return call.child_by_field_name("function")


def _is_fastify_switch(file: SourceFile, pair: Node) -> bool:
    value = pair.child_by_field_name("value")
    if key_name(pair) != "useWSS" or value is None or text_of(value) == "false":
        return False
    return any(_FASTIFY.fullmatch(name.specifier) for name in module_names(file).values())
