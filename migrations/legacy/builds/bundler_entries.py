"""Entries of bundlers for files that went."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from migrations.discovery.nodes import without_comments
from migrations.engine.syntax import SOURCE_SUFFIXES, find_all, text_of
from migrations.legacy.builds.bundlers import is_bundler_config
from migrations.legacy.module_names import bare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from migrations.engine.source import SourceFile
    from migrations.engine.view import AppView

Fate: TypeAlias = Literal["shorten", "remove", "unknown"]

_QUIET = frozenset({"import_statement", "comment", "empty_statement", "lexical_declaration", "variable_declaration"})


@dataclass(frozen=True)
class Entry:
    """An entry for a file that went, at the text `node`. "shorten": `member` goes out of `container`, in which others
    are left; "remove": the whole configuration is for files that went; "unknown": neither.
    """

    file: SourceFile
    node: Node
    fate: Fate
    container: Node | None = None
    member: Node | None = None

    @property
    def line(self) -> int:
        return self.file.line_of(self.node.start_byte)


def entries_of_gone(view: AppView, gone: frozenset[str]) -> Iterator[Entry]:
    """Every entry in a bundler's configuration for one of these files."""
    stems = {posixpath.splitext(posixpath.basename(path))[0] for path in gone if path.endswith(SOURCE_SUFFIXES)}
    files = {file.path: file for stem in sorted(stems) for file in view.sources(stem)}
    for file in (files[path] for path in sorted(files)):
        if is_bundler_config(file):
            named = [node for node in find_all(file.root, "string") if _names(file, node, gone)]
            yield from (_entry(file, node, named) for node in named)


def _names(file: SourceFile, node: Node, gone: frozenset[str]) -> bool:
    text = text_of(node)[1:-1]
    paths = {posixpath.normpath(posixpath.join(folder, text)) for folder in ("", posixpath.dirname(file.path))}
    known = gone | {posixpath.splitext(path)[0] for path in gone}
    return bool(paths & known) and ("/" in text or "." in text)


def _entry(file: SourceFile, node: Node, named: list[Node]) -> Entry:
    value = _with_path_calls(node)
    member = value
    container = value.parent
    if container is not None and container.type == "pair":
        member, container = container, container.parent
        # `entry: "..."` is no list of entries: the object has it among its other settings.
        if container is None or not _is_entries(container):
            return Entry(file, node, _whole(file, value))
    if container is None or container.type not in ("array", "object"):
        return Entry(file, node, _whole(file, value))
    others = [child for child in without_comments(container) if not any(_holds(child, other) for other in named)]
    if others:
        return Entry(file, node, "shorten", container, member)
    return Entry(file, node, _whole(file, container))


def _with_path_calls(node: Node) -> Node:
    """The text with the `path.resolve(...)` around it."""
    arguments = node.parent
    call = arguments.parent if arguments is not None and arguments.type == "arguments" else None
    return _with_path_calls(call) if call is not None and _is_path_call(call) else node


def _is_path_call(call: Node) -> bool:
    function = call.child_by_field_name("function")
    return function is not None and text_of(function).rpartition(".")[2] in ("resolve", "join")


def _is_entries(container: Node) -> bool:
    """Whether an object is the value of `entry`, `entryPoints` or `input`."""
    outer = container.parent
    key = outer.child_by_field_name("key") if outer is not None and outer.type == "pair" else None
    return key is not None and text_of(key).strip("\"'") in ("entry", "entryPoints", "input")


def _holds(outer: Node, node: Node) -> bool:
    return outer.start_byte <= node.start_byte < outer.end_byte


def _whole(file: SourceFile, entries: Node) -> Fate:
    """What becomes of a file whose entries all went: it goes, if it is nothing but one configuration or one build."""
    pair = entries.parent
    options = pair.parent if pair is not None and pair.type == "pair" else None
    if options is None or options.type != "object":
        return "unknown"
    statement: Node | None = options
    while statement is not None and statement.parent is not None and statement.parent.type != "program":
        statement = statement.parent
        if statement.type in (
            "array",
            "arrow_function",
            "function_expression",
            "function_declaration",
            "spread_element",
        ):
            return "unknown"
    exported = [child for child in file.root.named_children if child.type == "export_statement"]
    assert statement is not None
    others = [child for child in file.root.named_children if child.type not in _QUIET and child != statement]
    if statement.type in ("lexical_declaration", "variable_declaration"):
        others = [child for child in others if child not in exported and not _is_exports(child)]
    return "unknown" if others or _is_vite(file) else "remove"


def _is_exports(statement: Node) -> bool:
    return statement.type == "expression_statement" and text_of(bare(statement.named_children[0])).startswith(
        "module.exports"
    )


def _is_vite(file: SourceFile) -> bool:
    """Vite's settings are those of Vitest too."""
    return "vite" in posixpath.basename(file.path)
