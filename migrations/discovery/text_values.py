"""Which expressions of an app are text, and what a streaming procedure yields: read from the code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.nodes import arguments_of, without_comments
from migrations.discovery.trpc_client import (
    FUNCTIONS,
    Place,
    called_function,
    declaration_of,
    definition_of,
    property_of,
    returns_of,
    trpc_name,
    unwrapped,
)
from migrations.engine.syntax import find_all, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.discovery.procedures import Procedure
    from migrations.engine import AppView

# What the SDKs of model makers call the text of an answer.
_TEXT_KEYS = frozenset({"content", "text", "output_text", "outputText", "generated_text"})
_TEXT_METHODS = frozenset(
    {"text", "trim", "trimStart", "trimEnd", "join", "toString", "replace", "replaceAll", "toUpperCase", "toLowerCase"}
)
# The annotation of a text, or of the promise of one.
STRING_TYPE = re.compile(r"(?:Promise<)?\s*string(?:\s*\|\s*(?:null|undefined|string))*\s*>?")
_DEEPEST = 8


@dataclass(frozen=True)
class TextReader:
    """Tells text from other values in the files of an app."""

    view: AppView
    layout: Layout

    def is_text(self, place: Place, depth: int = _DEEPEST) -> bool | None:
        """Whether an expression gives a string (or nothing in its place); None where that is not known."""
        node = place.node
        if node.type in ("as_expression", "satisfies_expression"):
            wanted = text_of(node.named_children[-1])
            if STRING_TYPE.fullmatch(wanted):
                return True
        inner = unwrapped(node)
        if not depth:
            return None
        if inner != node:
            return self.is_text(Place(place.file, inner), depth - 1)

        def of(part: Node | None) -> bool | None:
            return self.is_text(Place(place.file, part), depth - 1) if part is not None else None

        match node.type:
            case "string" | "template_string":
                return True
            case "object" | "array" | "number" | "true" | "false" | "new_expression":
                return False
            case "await_expression":
                return of(node.named_children[0])
            case "binary_expression":
                operator = node.child_by_field_name("operator")
                sides = [of(node.child_by_field_name("left")), of(node.child_by_field_name("right"))]
                if operator is None or operator.type not in ("??", "||", "+", "&&"):
                    return False
                return sides[1] if operator.type == "&&" else _any_text(sides)
            case "ternary_expression":
                return _any_text([of(node.child_by_field_name(part)) for part in ("consequence", "alternative")])
            case "member_expression":
                name = node.child_by_field_name("property")
                return True if name is not None and text_of(name) in _TEXT_KEYS else None
            case "subscript_expression":
                index = node.child_by_field_name("index")
                return True if index is not None and text_of(index).strip("\"'") in _TEXT_KEYS else None
            case "call_expression":
                return self._called(place, depth)
            case "identifier" | "shorthand_property_identifier":
                return self._named(place, depth)
        return None

    def _called(self, place: Place, depth: int) -> bool | None:
        function = place.node.child_by_field_name("function")
        if function is None:
            return None
        if text_of(function) in ("String", "JSON.stringify"):
            return True
        if function.type == "member_expression":
            name = function.child_by_field_name("property")
            method = text_of(name) if name is not None else ""
            if method == "then":
                arguments = place.node.child_by_field_name("arguments")
                first = arguments.named_children[:1] if arguments is not None else []
                return self.gives_text(Place(place.file, first[0]), depth - 1) if first else None
            return True if method in _TEXT_METHODS else None
        called = called_function(self.view, self.layout, place)
        return self.gives_text(called, depth - 1) if called is not None else None

    def gives_text(self, function: Place, depth: int = _DEEPEST) -> bool | None:
        """Whether a function returns text, by its type or by every value that it returns."""
        if function.node.type not in FUNCTIONS:
            return None
        annotation = function.node.child_by_field_name("return_type")
        if annotation is not None:
            return True if STRING_TYPE.fullmatch(text_of(annotation).lstrip(": \t\r\n")) else None
        values = [self.is_text(Place(function.file, value), depth) for value in returns_of(function.node)]
        return True if values and all(values) else None

    def _named(self, place: Place, depth: int) -> bool | None:
        name = text_of(place.node)
        if name in ("undefined", "null"):
            return True
        declared = declaration_of(place.node, name)
        if declared is None or declared.type != "variable_declarator":
            return None
        pattern, value = declared.child_by_field_name("name"), declared.child_by_field_name("value")
        annotation = declared.child_by_field_name("type")
        if annotation is not None and STRING_TYPE.fullmatch(text_of(annotation).lstrip(": \t\r\n")):
            return True
        if pattern is None or value is None:
            return None
        if pattern.type == "identifier":
            return self.is_text(Place(place.file, value), depth - 1)
        for pair in find_all(pattern, "shorthand_property_identifier_pattern", "pair_pattern"):
            key = pair.child_by_field_name("key") or pair
            local = pair.child_by_field_name("value") or pair
            if text_of(local) == name:
                return True if text_of(key) in _TEXT_KEYS else None
        return None

    # --- what a subscription yields

    def yields(self, subscription: Procedure) -> Yields:
        """The values that a streaming procedure yields, by what can be told of them."""
        texts, shapes, unknown = False, list[Shape](), list[Place]()
        for value in _yielded(Place(subscription.file, subscription.resolver or subscription.call)):
            node = unwrapped(value.node)
            if node.type == "identifier":
                known = definition_of(self.view, self.layout, Place(value.file, node))
                node = known.node if known is not None and known.node.type == "object" else node
            if node.type == "object":
                shape = _shape(node)
                if shape is None:
                    unknown.append(value)
                elif shape.is_text:
                    texts = True
                else:
                    shapes.append(shape)
            elif self.is_text(value):
                texts = True
            else:
                unknown.append(value)
        return Yields(texts, tuple(shapes), tuple(unknown))


@dataclass(frozen=True, eq=False)
class Shape:
    """An object literal that is yielded: its fields, each with its literal text or ""."""

    node: Node
    fields: dict[str, str]

    @property
    def is_text(self) -> bool:
        """As the kit's hook tells text: `{ text }`, unless it calls itself something else."""
        return "text" in self.fields and self.fields.get("type", "") in ("", "text")


@dataclass(frozen=True)
class Yields:
    """`has_text`: at least one value is text to the hook as it is. `unknown` are values that cannot be told."""

    has_text: bool
    shapes: tuple[Shape, ...]
    unknown: tuple[Place, ...]


def _any_text(sides: Sequence[bool | None]) -> bool | None:
    return False if False in sides else True if True in sides else None


def _yielded(function: Place) -> Iterator[Place]:
    """The values of the `yield`s of a generator, out of `tracked(...)`; of a `yield*` the whole expression."""
    stack = list(reversed(function.node.named_children))
    while stack:
        node = stack.pop()
        if node.type == "yield_expression":
            inner = without_comments(node)
            if inner:
                yield Place(function.file, _untracked(function, inner[0]) if "*" not in _marks(node) else node)
        if node.type not in (*FUNCTIONS, "generator_function"):
            stack.extend(reversed(node.named_children))


def _marks(node: Node) -> list[str]:
    return [child.type for child in node.children if not child.is_named]


def _untracked(function: Place, value: Node) -> Node:
    called = value.child_by_field_name("function") if value.type == "call_expression" else None
    if called is not None and trpc_name(function.file, called) == "tracked":
        given = arguments_of(value)
        return given[1] if len(given) == 2 else value
    return value


def _shape(node: Node) -> Shape | None:
    fields: dict[str, str] = {}
    for member in node.named_children:
        if member.type == "comment":
            continue
        key = member if member.type == "shorthand_property_identifier" else member.child_by_field_name("key")
        if key is None or member.type == "spread_element":
            return None
        name = text_of(key).strip("\"'")
        value = property_of(node, name)
        bare = unwrapped(value) if value is not None else None
        fields[name] = text_of(bare).strip("\"'`") if bare is not None and bare.type == "string" else ""
    return Shape(node, fields)
