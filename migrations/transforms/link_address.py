"""Addresses of HTTP links that are slips: nobody saw them where they stand, and everybody would elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.discovery.trpc_client import FUNCTIONS, Place, definition_of
from migrations.engine.syntax import find_all, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine import AppView

_NAMES = ("identifier", "shorthand_property_identifier")


def function_as_text(view: AppView, layout: Layout, address: Place, depth: int = 2) -> str | None:
    """The function that an address takes into its text without calling it (`${getBaseUrl}/api/trpc`); None if none.

    No type check sees that, and where the link is for rendering on a server that never renders, no person did.
    """
    for node in _put_into_text(address.node):
        known = definition_of(view, layout, Place(address.file, node))
        if known is not None and known.node.type in FUNCTIONS:
            return text_of(node)
    if address.node.type in _NAMES and depth:
        known = definition_of(view, layout, address)
        if known is not None and known.node != address.node and known.node.type not in FUNCTIONS:
            return function_as_text(view, layout, known, depth - 1)
    return None


def _put_into_text(address: Node) -> Iterator[Node]:
    for part in find_all(address, "template_substitution", "binary_expression"):
        yield from (node for node in part.named_children if node.type in _NAMES)
