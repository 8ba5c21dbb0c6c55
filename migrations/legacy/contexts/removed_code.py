"""What nothing in a file uses any more once some of its code has gone: declarations of its top, and imports."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.discovery.imports import ImportChanges, find_import, imports_of, uses_of
from migrations.engine.source import BYTE_ORDER_MARK
from migrations.engine.syntax import find_all, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine.edits import FileEdit
    from migrations.engine.source import SourceFile
    from migrations.engine.view import AppView

_NAMES = ("identifier", "type_identifier", "shorthand_property_identifier")
_DECLARATIONS = frozenset(
    {
        "function_declaration",
        "type_alias_declaration",
        "interface_declaration",
        "lexical_declaration",
        "variable_declaration",
    }
)


class Removal:
    """Code of one file that goes, and what goes with it because only that used it. `apply` writes it, once."""

    def __init__(self, view: AppView, layout: Layout, file: SourceFile) -> None:
        self._view = view
        self._layout = layout
        self._file = file
        self._spans: list[tuple[int, int]] = []
        self._statements: list[Node] = []

    def span(self, start: int, end: int) -> None:
        """These bytes go; the caller edits them."""
        self._spans.append((start, end))

    def statement(self, node: Node) -> None:
        """A whole statement of the file's top goes."""
        self._statements.append(node)
        self.span(node.start_byte, node.end_byte)

    def is_used(self, name: str, declaration: Node) -> bool:
        """Whether anything but what goes uses what a statement of the top declares, here or, exported, elsewhere."""
        for use in uses_of(self._file, name):
            within = declaration.start_byte <= use.start_byte < declaration.end_byte
            if not within and not self._is_gone(use):
                return True
        return declaration.type == "export_statement" and self._is_imported(name, declaration)

    def apply(self, edit: FileEdit) -> None:
        self._sweep()
        self._delete_statements(edit)
        unused = {name for name in self._names() if find_import(self._file, name) and not self._has_use(name)}
        imports = ImportChanges(self._file)
        imports.remove(*sorted(unused))
        imports.apply(edit)
        self._close_top(edit, unused)

    def _close_top(self, edit: FileEdit, unused: set[str]) -> None:
        """Take out the empty line below imports that stood at the very top and have all gone."""
        imports = imports_of(self._file)
        names = {name.local for statement in imports for name in statement.names}
        if not imports or not names <= unused or not all(statement.names for statement in imports):
            return
        end = self._file.line_end(imports[-1].statement.end_byte - 1)
        above = self._file.data[: imports[0].statement.start_byte].removeprefix(BYTE_ORDER_MARK)
        if not above.strip() and not self._file.data[end : self._file.line_end(end)].strip():
            edit.replace(end, self._file.line_end(end), "")

    def _sweep(self) -> None:
        """Local declarations that only the code that goes used go too, and what only they used."""
        while True:
            names = set(self._names())
            found = next((s for s in self._declaring(names) if not self.is_used(declared_name(s) or "", s)), None)
            if found is None:
                return
            self.statement(found)

    def _declaring(self, names: set[str]) -> Iterator[Node]:
        for statement in self._file.root.named_children:
            if (
                statement.type in _DECLARATIONS
                and declared_name(statement) in names
                and statement not in self._statements
            ):
                yield statement

    def _names(self) -> Iterator[str]:
        for node in find_all(self._file.root, *_NAMES):
            if self._is_gone(node):
                yield text_of(node)

    def _has_use(self, name: str) -> bool:
        return any(not self._is_gone(use) for use in uses_of(self._file, name))

    def _is_gone(self, node: Node) -> bool:
        return any(start <= node.start_byte < end for start, end in self._spans)

    def _is_imported(self, name: str, declaration: Node) -> bool:
        if any(child.type == "default" for child in declaration.children):
            name = "default"
        for other in self._view.sources():
            if other.path == self._file.path or not ({"*", name} & self._taken(other)):
                continue
            return True
        return False

    def _taken(self, other: SourceFile) -> set[str]:
        """What another file takes from this one; "*" is all of it."""
        stem = self._file.path.rpartition("/")[2].partition(".")[0]
        folder = self._file.path.rpartition("/")[0].rpartition("/")[2]
        if stem.encode() not in other.data and folder.encode() not in other.data:
            return set()
        taken: set[str] = set()
        for statement in imports_of(other):
            if self._layout.resolve(other.path, statement.specifier) == self._file.path:
                taken.update(imported.imported for imported in statement.names)
        for call in re.finditer(rb"(?:import|require)\(\s*[\"'`]([^\"'`\n]+)", other.data):
            if self._layout.resolve(other.path, call[1].decode(errors="replace")) == self._file.path:
                taken.add("*")
        for node in other.root.named_children:
            source = node.child_by_field_name("source") if node.type == "export_statement" else None
            if source is not None and self._layout.resolve(other.path, text_of(source)[1:-1]) == self._file.path:
                taken.update(text_of(item).split(" as ")[0] for item in find_all(node, "export_specifier"))
                taken.update({"*"} if any(child.type in ("*", "namespace_export") for child in node.children) else ())
        return taken

    def _delete_statements(self, edit: FileEdit) -> None:
        """Whole lines, with the comment right above, and one of the empty lines around."""
        file, data = self._file, self._file.data
        merged: list[list[int]] = []
        for statement in sorted(self._statements, key=lambda node: node.start_byte):
            start, end = self._first_line(statement), file.line_end(statement.end_byte - 1)
            if merged and not data[merged[-1][1] : start].strip():
                merged[-1][1] = end
            else:
                merged.append([start, end])
        for start, end in merged:
            below = file.line_end(end) if end < len(data) else end
            if end < len(data) and not data[end:below].strip():
                end = below
            elif end >= len(data) and start:
                start = len(data[:start].rstrip()) + (len(file.style.newline) if data.endswith(b"\n") else 0)
            edit.replace(start, end, "")

    def _first_line(self, statement: Node) -> int:
        first, before = statement, statement.prev_named_sibling
        while before is not None and before.type == "comment" and before.end_point.row == first.start_point.row - 1:
            line = self._file.data[self._file.line_start(before.start_byte) : before.start_byte]
            if line.strip() or re.search(r"[;{}=]\s*$", text_of(before)):
                break
            first, before = before, before.prev_named_sibling
        return self._file.line_start(first.start_byte)


def declared_name(statement: Node) -> str | None:
    """The one name that a statement of the top declares; None if it declares none, or several."""
    inner = statement.child_by_field_name("declaration") if statement.type == "export_statement" else statement
    if inner is None or inner.type not in _DECLARATIONS:
        return None
    if inner.type in ("lexical_declaration", "variable_declaration"):
        declarators = [child for child in inner.named_children if child.type == "variable_declarator"]
        inner = declarators[0] if len(declarators) == 1 else None
    name = inner.child_by_field_name("name") if inner is not None else None
    return text_of(name) if name is not None and name.type in ("identifier", "type_identifier") else None
