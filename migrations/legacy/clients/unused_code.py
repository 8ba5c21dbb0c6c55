"""What nothing in a file uses any more once its links have been rearranged, and files that nothing is left of."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from migrations.discovery.imports import ImportChanges, imports_of
from migrations.discovery.nodes import key_name
from migrations.discovery.trpc_client import declaration_of
from migrations.engine.edits import Edits
from migrations.engine.syntax import SOURCE_SUFFIXES, find_all, text_of
from migrations.legacy.clients.ws_clients import socket_calls_of
from migrations.legacy.references import importers_of, named_elsewhere, named_in_code, specifiers_of
from migrations.legacy.servers.only_used import is_taken_by_name
from migrations.transforms.links_sweep import FileWork, Sweep
from migrations.transforms.links_text import Look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine.source import SourceFile
    from migrations.engine.view import AppView

_NAMES = ("identifier", "shorthand_property_identifier", "type_identifier")
_MOST_ROUNDS = 5


def without_unused(view: AppView, layout: Layout, before: SourceFile) -> AppView:
    """The app without what the file that was `before` declares and imports for nothing any more: only what it used
    more often before, and WebSocket clients. Raises Refusal where a WebSocket client is still used.
    """
    for _ in range(_MOST_ROUNDS):
        file = view.file(before.path)
        if file is None:
            return view
        edits = Edits(view)
        work = FileWork(file, edits.source(file.path), ImportChanges(file), Look.of(file, view))
        Sweep(view, layout, work, states=True).run([*_sockets(file), *_lost(file, before)])
        if not work.removed:  # imports go in a round of their own, once all that could use them has gone
            work.imports.apply(work.edit)
        changes = edits.changes()
        if not changes:
            return view
        view = view.with_changes({change.path: change.after for change in changes})
    return view


def is_left_empty(view: AppView, path: str) -> bool:
    """Whether a file has no code any more."""
    file = view.file(path)
    return file is not None and all(_says_nothing(node) for node in file.root.named_children)


def orphans(view: AppView, layout: Layout, before: SourceFile) -> Iterator[str]:
    """The files that the file that was `before` imported, does not import any more, and nobody else does or names."""
    file = view.file(before.path)
    kept = {specifier for specifier, _ in specifiers_of(file)} if file is not None else set()
    for specifier, _ in specifiers_of(before):
        path = layout.resolve(before.path, specifier) if specifier not in kept else None
        if path is None or path not in view.paths or not path.endswith(SOURCE_SUFFIXES) or is_taken_by_name(path):
            continue
        if _exported_names(view, path) - _imported_names(before, specifier):
            continue
        users = (*importers_of(view, layout, path), *named_in_code(view, path))
        if not users and named_elsewhere(view, path) is None:
            yield path


def _exported_names(view: AppView, path: str) -> set[str]:
    """The names that a file gives out; a default export is "default"."""
    file = view.file(path)
    found = set()
    for statement in file.root.named_children if file is not None else ():
        if statement.type != "export_statement":
            continue
        inner = statement.child_by_field_name("declaration")
        declared = (
            [] if inner is None else inner.named_children if inner.child_by_field_name("name") is None else [inner]
        )
        names = {text_of(name) for node in declared if (name := node.child_by_field_name("name")) is not None}
        names |= {text_of(node.named_children[-1]) for node in find_all(statement, "export_specifier")}
        is_default = any(child.type == "default" for child in statement.children)
        found |= {"default"} if is_default else names or {"*"}
    return found


def _imported_names(file: SourceFile, specifier: str) -> set[str]:
    return {name.imported for one in imports_of(file) if one.specifier == specifier for name in one.names}


def _lost(file: SourceFile, before: SourceFile) -> Iterator[Node]:
    """The names, where they are declared or imported, that the file uses less often than it did."""
    lost = set(_uses(before) - _uses(file))
    for node in find_all(file.root, "variable_declarator", "function_declaration", "import_statement"):
        declared = "" if node.type == "import_statement" else text_of(node)
        field = node if node.type == "import_statement" else node.child_by_field_name("name")
        for name in find_all(field, *_NAMES, "shorthand_property_identifier_pattern") if field is not None else ():
            if (text_of(name), declared) in lost:
                yield name


def _uses(file: SourceFile) -> Counter[tuple[str, str]]:
    """How often each name stands in a file; names that are declared anew inside functions are told apart."""
    found: Counter[tuple[str, str]] = Counter()
    for node in find_all(file.root, *_NAMES):
        declared = declaration_of(node, text_of(node))
        found[text_of(node), text_of(declared) if declared is not None else ""] += 1
    return found


def _sockets(file: SourceFile) -> Iterator[Node]:
    """The names of what holds a WebSocket client, or makes one."""
    for call in socket_calls_of(file):
        if call.name != "createWSClient":
            continue
        node: Node | None = call.place.node
        while node is not None and node.type not in ("variable_declarator", "function_declaration"):
            if node.type in ("assignment_expression", "augmented_assignment_expression"):
                left = node.child_by_field_name("left")
                if left is None or left.type != "identifier":
                    node = None  # kept in an object: what is around it is no socket
                    break
                yield left
            # What is made inside of links is the links' own.
            node = node.parent if node.type != "pair" or key_name(node) not in ("client", "links") else None
        name = node.child_by_field_name("name") if node is not None else None
        if name is not None:
            yield from find_all(name, "identifier", "shorthand_property_identifier_pattern")


def _says_nothing(node: Node) -> bool:
    """Whether a statement is a comment, a directive such as "use client", or `export {}`."""
    if node.type == "expression_statement":
        return node.named_children[0].type == "string"
    return node.type in ("comment", "hash_bang_line", "empty_statement")
