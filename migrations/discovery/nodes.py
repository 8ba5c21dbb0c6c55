"""What is asked of single nodes of a syntax tree, whatever they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.engine.syntax import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

FUNCTION_NODES = frozenset(
    {
        "arrow_function",
        "function_expression",
        "generator_function",
        "function_declaration",
        "generator_function_declaration",
        "method_definition",
    }
)
# What stands around an expression and leaves its value alone.
TRANSPARENT = frozenset({"parenthesized_expression", "non_null_expression", "as_expression", "satisfies_expression"})
NAMES = frozenset({"identifier", "shorthand_property_identifier"})
DECLARED_NAMES = NAMES | {"shorthand_property_identifier_pattern"}
_SHORT = 60


def field(node: Node, name: str) -> Node:
    """The child in a field that a node of this type always has."""
    found = node.child_by_field_name(name)
    assert found is not None, (node.type, name)
    return found


def without_comments(node: Node) -> list[Node]:
    """The named children of a node that are no comments."""
    return [child for child in node.named_children if child.type != "comment"]


def arguments_of(call: Node) -> list[Node]:
    """The arguments of a call, comments left out."""
    arguments = call.child_by_field_name("arguments")
    return without_comments(arguments) if arguments is not None else []


def method_of(call: Node) -> Node:
    """The name of the method that a call of a method calls."""
    return field(field(call, "function"), "property")


def key_name(member: Node) -> str:
    """The name of a member of an object or a pattern; "" for a spread, a method, a computed key."""
    if member.type.startswith("shorthand_property_identifier"):
        return text_of(member)
    key = member.child_by_field_name("key")
    return text_of(key).strip("\"'") if key is not None and key.type in ("property_identifier", "string") else ""


def own_nodes(node: Node, *types: str) -> Iterator[Node]:
    """The nodes of these types below a function's body that are not a nested function's, in the order of the text."""
    stack = [node]
    while stack:
        node = stack.pop()
        if node.is_named and node.type in types:
            yield node
        stack.extend(child for child in reversed(node.children) if child.type not in FUNCTION_NODES)


def is_within(node: Node, outer: Node) -> bool:
    """Whether `node` is `outer` or below it."""
    return outer.start_byte <= node.start_byte and node.end_byte <= outer.end_byte


def block_of(node: Node) -> Node | None:
    """The block that `node` is a statement of."""
    return node.parent if node.parent is not None and node.parent.type == "statement_block" else None


def short_text(node: Node, most: int = _SHORT) -> str:
    """A node's text on one line, cut where it is longer than `most`."""
    text = " ".join(text_of(node).split())
    return text if len(text) <= most else f"{text[: most - 3]}..."
