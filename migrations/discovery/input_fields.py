"""The fields of a procedure's input, read from its zod schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.nodes import arguments_of
from migrations.discovery.trpc_client import Place, definition_of, unwrapped
from migrations.engine.syntax import text_of

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine import AppView

_KEEP_FIELDS = frozenset({"strict", "passthrough", "strip", "describe", "refine", "superRefine", "readonly", "brand"})
_MAY_BE_LEFT_OUT = frozenset({"optional", "nullish", "default", "prefault", "catch"})
_KINDS = {"string": "string", "number": "number", "boolean": "boolean", "array": "array", "object": "object"}
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class InputField:
    """`kind` is string, number, boolean, array, object, or "" where the schema does not say."""

    is_optional: bool
    kind: str


def input_fields(view: AppView, layout: Layout, schema: Place, depth: int = _DEEPEST) -> dict[str, InputField] | None:
    """The fields of an object schema by name, in their order; None for any other schema."""
    node = unwrapped(schema.node)
    if node.type == "identifier" and depth:
        known = definition_of(view, layout, Place(schema.file, node))
        return input_fields(view, layout, known, depth - 1) if known is not None else None
    if node.type != "call_expression":
        return None
    function = node.child_by_field_name("function")
    owner = function.child_by_field_name("object") if function is not None else None
    method = function.child_by_field_name("property") if function is not None else None
    if owner is None or method is None:
        return None
    name, given = text_of(method), _first_argument(schema, node)
    if name in ("object", "strictObject", "looseObject") and owner.type == "identifier":
        return _shape(view, layout, given, depth) if given is not None else None
    before = input_fields(view, layout, Place(schema.file, owner), depth - 1) if depth else None
    if before is None:
        return None
    if name in ("extend", "safeExtend", "merge") and given is not None:
        added = (_shape if name != "merge" else input_fields)(view, layout, given, depth - 1)
        return {**before, **added} if added is not None else None
    return before if name in _KEEP_FIELDS else None


def _shape(view: AppView, layout: Layout, given: Place, depth: int) -> dict[str, InputField] | None:
    if given.node.type != "object":
        return None
    fields: dict[str, InputField] = {}
    for member in given.node.named_children:
        if member.type == "comment":
            continue
        key = member.child_by_field_name("key")
        value = member.child_by_field_name("value")
        if member.type == "shorthand_property_identifier":
            key = value = member
        if key is None or value is None:
            return None
        fields[text_of(key).strip("\"'")] = _field(view, layout, Place(given.file, value), depth)
    return fields


def _field(view: AppView, layout: Layout, value: Place, depth: int) -> InputField:
    node, methods = unwrapped(value.node), []
    while node.type == "call_expression":
        function = node.child_by_field_name("function")
        owner = function.child_by_field_name("object") if function is not None else None
        method = function.child_by_field_name("property") if function is not None else None
        if owner is None or method is None:
            break
        methods.append(text_of(method))
        node = owner
    if node.type in ("identifier", "shorthand_property_identifier") and depth:
        known = definition_of(view, layout, Place(value.file, node))
        if known is not None and known.node.type == "call_expression":
            inner = _field(view, layout, known, depth - 1)
            return InputField(inner.is_optional or bool(_MAY_BE_LEFT_OUT & set(methods)), inner.kind)
    kind = _KINDS.get(methods[-1], "") if methods else ""
    if "array" in methods[:-1]:
        kind = "array"
    return InputField(bool(_MAY_BE_LEFT_OUT & set(methods)), kind)


def _first_argument(schema: Place, call: Node) -> Place | None:
    given = arguments_of(call)
    return Place(schema.file, given[0]) if given else None
