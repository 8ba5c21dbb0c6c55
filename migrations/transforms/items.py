"""Where the values of a stream go that are not text: to the handler that the component imports and no longer calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.imports import find_import, imports_of, uses_of
from migrations.discovery.trpc_client import FUNCTIONS, Place, definition_of
from migrations.engine.syntax import find_all, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.discovery.text_values import Shape
    from migrations.engine import AppView, SourceFile

# What a field may be called in which the text of a reply comes, if it is not `text`.
_TEXT_FIELDS = ("content", "delta", "chunk", "token", "message", "reply", "response", "answer", "value", "data")


@dataclass(frozen=True, slots=True)
class Handler:
    """An imported function that takes an item: `call` is the call as it is written, `dispatch(item)`."""

    name: str
    call: str


def text_option(shapes: tuple[Shape, ...]) -> str | None:
    """The hook's `text` where no yielded object has its text in `text`, as a canonical snippet; None if not known."""
    common = [name for name in _TEXT_FIELDS if shapes and all(name in shape.fields for shape in shapes)]
    return f"(value) => value.{common[0]}" if len(common) == 1 else None


def find_handlers(view: AppView, layout: Layout, file: SourceFile, shapes: tuple[Shape, ...]) -> tuple[Handler, ...]:
    """The functions of the app that `file` imports, uses nowhere, and that take every one of these items."""
    found = []
    for statement in imports_of(file):
        path = None if statement.type_only else layout.resolve(file.path, statement.specifier)
        for name in statement.names if path is not None else ():
            if name.type_only or name.imported == "*" or uses_of(file, name.local):
                continue
            place = _declared(view, layout, file, statement.statement, name.local)
            arguments = {_arguments(view, layout, place, shape) for shape in shapes} if place is not None else {""}
            call = arguments.pop()
            if call and not arguments:
                is_async = place is not None and any(child.type == "async" for child in place.node.children)
                found.append(Handler(name.local, f"{'void ' if is_async else ''}{name.local}({call})"))
    return tuple(found)


def _declared(view: AppView, layout: Layout, file: SourceFile, statement: Node, local: str) -> Place | None:
    identifier = next((n for n in find_all(statement, "identifier") if text_of(n) == local), None)
    place = definition_of(view, layout, Place(file, identifier)) if identifier is not None else None
    return place if place is not None and place.node.type in FUNCTIONS else None


def _arguments(view: AppView, layout: Layout, function: Place | None, shape: Shape) -> str:
    """What a function is called with for an item of this shape; "" if it does not fit."""
    parameters = function.node.child_by_field_name("parameters") if function is not None else None
    if function is None or parameters is None:
        return ""
    required = [node for node in parameters.named_children if node.type == "required_parameter"]
    required = [node for node in required if node.child_by_field_name("value") is None]
    if not required or any(node.named_children and node.named_children[0].type == "rest_pattern" for node in required):
        return ""
    fields = {name for name in shape.fields if name != "type"}
    if len(required) == 1:
        keys = _keys_of_type(view, layout, function.file, required[0].child_by_field_name("type"))
        if keys is not None:
            return "item" if keys and keys <= set(shape.fields) and keys & fields else ""
    names = [text_of(node.child_by_field_name("pattern") or node) for node in required]
    return ", ".join(f"item.{name}" for name in names) if set(names) <= fields else ""


def _keys_of_type(view: AppView, layout: Layout, file: SourceFile, annotation: Node | None) -> set[str] | None:
    """The keys that an object type demands; None for a type that is no object type, set() for one that is not known."""
    node = annotation.named_children[0] if annotation is not None and annotation.named_children else None
    if node is None:
        return set()
    if node.type == "predefined_type" or node.type == "array_type":
        return None
    if node.type == "type_identifier":
        node = _type_named(view, layout, file, text_of(node))
    if node is None or node.type not in ("object_type", "interface_body"):
        return set()
    keys = set()
    for member in node.named_children:
        name = member.child_by_field_name("name")
        is_optional = any(child.type == "?" for child in member.children)
        if member.type in ("property_signature", "method_signature") and name is not None and not is_optional:
            keys.add(text_of(name).strip("\"'"))
    return keys


def _type_named(view: AppView, layout: Layout, file: SourceFile, name: str) -> Node | None:
    """The body of a type that is declared in a file, or in the one that it imports it from."""
    found = find_import(file, name)
    path = layout.resolve(file.path, found[0].specifier) if found is not None else None
    other = view.file(path) if path is not None else None
    if found is not None and other is not None:
        file, name = other, found[1].imported
    for node in find_all(file.root, "type_alias_declaration", "interface_declaration"):
        declared = node.child_by_field_name("name")
        if declared is not None and text_of(declared) == name:
            return node.child_by_field_name("value" if node.type == "type_alias_declaration" else "body")
    return None
