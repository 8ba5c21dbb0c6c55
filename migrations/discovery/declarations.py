"""What a name is declared as: at the top of a file, in another file that it is imported from, or in a function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.discovery.imports import find_import
from migrations.discovery.model_calls import declarations_of
from migrations.discovery.nodes import DECLARED_NAMES, field
from migrations.engine.syntax import find_all, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine import AppView, SourceFile


def declared_at_top(
    view: AppView, layout: Layout, file: SourceFile, name: str, depth: int
) -> list[tuple[SourceFile, Node]]:
    """What a file calls `name` at its top: its own, or another file's that it imports, up to `depth` files away."""
    own = [(file, found) for found in declarations_of(file, name)]
    if own or not depth:
        return own
    found = find_import(file, name)
    if found is None or found[0].type_only:
        return []
    other = _module(view, layout, file, found[0].specifier)
    return _exported(view, layout, other, found[1].imported, depth - 1) if other is not None else []


def _exported(
    view: AppView, layout: Layout, file: SourceFile, exported: str, depth: int
) -> list[tuple[SourceFile, Node]]:
    for statement in file.root.children:
        if statement.type != "export_statement":
            continue
        source = statement.child_by_field_name("source")
        clause = next((child for child in statement.children if child.type == "export_clause"), None)
        for item in clause.named_children if clause is not None else ():
            name, alias = item.child_by_field_name("name"), item.child_by_field_name("alias")
            if name is None or text_of(alias or name) != exported:
                continue
            if source is None:
                return declared_at_top(view, layout, file, text_of(name), depth)
            other = _module(view, layout, file, text_of(source)[1:-1])
            return _exported(view, layout, other, text_of(name), depth - 1) if other is not None and depth else []
        if exported == "default" and any(child.type == "default" for child in statement.children):
            value = statement.child_by_field_name("value") or statement.child_by_field_name("declaration")
            if value is not None and value.type == "identifier":
                return declared_at_top(view, layout, file, text_of(value), depth)
            return [(file, value)] if value is not None else []
    return [(file, found) for found in declarations_of(file, exported)]


def _module(view: AppView, layout: Layout, file: SourceFile, specifier: str) -> SourceFile | None:
    path = layout.resolve(file.path, specifier)
    return view.file(path) if path is not None and path.endswith((".ts", ".tsx", ".js", ".jsx", ".mjs")) else None


# --- variables


def declarators_in(scope: Node, name: str) -> list[Node]:
    """The declarations of a variable anywhere below `scope`, nested functions included."""
    return [found for found in find_all(scope, "variable_declarator") if text_of(field(found, "name")) == name]


def fixed_value(file: SourceFile, declared: list[Node]) -> Node | None:
    """The value that a variable of one declaration has from there on to the end; None where that is not known."""
    value = declared[0].child_by_field_name("value") if len(declared) == 1 else None
    return value if value is not None and is_fixed(file, declared[0]) else None


def is_fixed(file: SourceFile, declarator: Node) -> bool:
    """Whether a variable keeps the value that it is declared with, as a whole."""
    assert declarator.parent is not None
    if any(child.type == "const" for child in declarator.parent.children):
        return True
    name = text_of(field(declarator, "name"))
    targets = [
        node.child_by_field_name("left") or node.child_by_field_name("argument")
        for node in find_all(file.root, "assignment_expression", "augmented_assignment_expression", "update_expression")
    ]
    return not any(target is not None and name in _bound(target) for target in targets)


def _bound(target: Node) -> set[str]:
    """The names that a target of an assignment gives a value to, and a few more: those in its keys and indices."""
    if target.type in ("member_expression", "subscript_expression"):
        return set()
    return {text_of(node) for node in find_all(target, *DECLARED_NAMES)}
