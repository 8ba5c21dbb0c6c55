"""Chains of method calls, as routers and schemas are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.trpc_client import unwrapped
from migrations.engine.syntax import text_of

if TYPE_CHECKING:
    from tree_sitter import Node


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a chain: `z.string().uuid()` is those of `string` and `uuid`."""

    name: str
    node: Node
    arguments: tuple[Node, ...]


def chain_of(node: Node) -> tuple[Node, list[Call]]:
    """What a chain of method calls begins with, and its calls in their order."""
    calls: list[Call] = []
    while True:
        node = unwrapped(node)
        function = node.child_by_field_name("function") if node.type == "call_expression" else None
        owner = function.child_by_field_name("object") if function is not None else None
        method = function.child_by_field_name("property") if function is not None else None
        arguments = node.child_by_field_name("arguments")
        if function is None or owner is None or method is None or arguments is None:
            return node, calls[::-1]
        calls.append(Call(text_of(method), node, tuple(n for n in arguments.named_children if n.type != "comment")))
        node = owner
