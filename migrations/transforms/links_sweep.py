"""What becomes of one file whose links are rearranged, and the removal of what nothing in it uses any more."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from migrations.discovery.imports import ImportChanges, find_import, uses_of
from migrations.discovery.trpc_client import Place, declaration_of, unwrapped
from migrations.engine.syntax import find_all, text_of
from migrations.transforms.links_model import Refusal, argument_of
from migrations.transforms.links_text import (
    Look,
    broken_base,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine import AppView, FileEdit, SourceFile


@dataclass
class FileWork:
    """What becomes of one file: `removed` are bytes whose code is gone, `written` is the code that came in."""

    file: SourceFile
    edit: FileEdit
    imports: ImportChanges
    look: Look
    removed: list[tuple[int, int]] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    broken: set[int] = field(default_factory=set)
    imported: set[str] = field(default_factory=set)

    def add_import(self, specifier: str, name: str) -> None:
        if name not in self.imported:
            self.imported.add(name)
            self.imports.add(specifier, name)

    def put(self, node: Node, text: str) -> None:
        self.written.append(text)
        self.edit.replace_node(node, text)

    def base_of(self, node: Node) -> str:
        return broken_base(self.edit, node, self.look, self.broken)


class Sweep:
    """Removes what nothing uses any more once some code of a file is gone: declarations, then imports."""

    def __init__(self, view: AppView, layout: Layout, work: FileWork, *, states: bool = False) -> None:
        """`states`: a socket that is the state of a component (`const [socket] = useState(...)`) goes too."""
        self._view = view
        self._layout = layout
        self._work = work
        self._file = work.file
        self._states = states
        self._lines: list[tuple[int, int]] = []

    def run(self, names: Iterable[Node] = ()) -> None:
        """Remove what the code that is gone was the last to use, and what nothing uses of `names`."""
        written = set(re.findall(r"[\w$]+", " ".join(self._work.written)))
        seeds = list(names)
        todo = [*self._names_within(self._work.removed), *seeds]
        unused_imports = set()
        done: set[tuple[int, str]] = set()
        while todo:
            node = todo.pop()
            name = text_of(node)
            if name in written:
                continue
            declared = declaration_of(node, name)
            if declared is not None:
                before = len(self._work.removed)
                if (declared.start_byte, name) not in done:
                    self._remove_declaration(name, declared)
                if len(self._work.removed) > before:
                    # What is gone now may have been the last to use something that was looked at before.
                    done.add((declared.start_byte, name))
                    todo = [*self._names_within(self._work.removed), *seeds]
            elif find_import(self._file, name) and all(self._is_removed(use) for use in self._uses(name, None)):
                unused_imports.add(name)
        self._work.imports.remove(*sorted(unused_imports))
        self._delete_lines()

    def _remove_declaration(self, name: str, declared: Node) -> None:
        if declared.type not in ("variable_declarator", "function_declaration") or self._is_removed(declared):
            return
        uses = [node for node in self._uses(name, declared) if not self._is_removed(node)]
        field = declared.child_by_field_name("name")
        statement = declared if declared.type == "function_declaration" else declared.parent
        assert field is not None
        assert statement is not None
        others = [node for node in uses if not declared.start_byte <= node.start_byte < declared.end_byte]
        makes_socket = self._makes_socket(declared)
        assignments = [self._assignment(node, name) for node in others]
        if others and not all(assignments):
            if makes_socket or any(assignments):
                line_node = next(node for node, known in zip(others, assignments, strict=True) if known is None)
                raise Refusal(
                    f"the WebSocket client {name} is used here too",
                    Place(self._file, line_node),
                    "take this use out, then run this again",
                )
            return
        if statement.parent is not None and statement.parent.type == "export_statement":
            importer = self._importer(name)
            if importer is not None:
                if makes_socket:
                    raise Refusal(
                        f"the WebSocket client {name} is used here too",
                        importer,
                        "take this use out, then run this again",
                    )
                return
            statement = statement.parent
        siblings = [node for node in statement.named_children if node.type == "variable_declarator"]
        if field.type == "object_pattern" and len(field.named_children) > 1:
            self._remove_from_pattern(field, name)
            return
        is_state = field.type == "array_pattern" and not (self._states and len(field.named_children) == 1)
        if is_state or len(siblings) > 1:
            if makes_socket:
                raise Refusal(
                    f"the WebSocket client {name} is not made by a declaration of its own", Place(self._file, declared)
                )
            return
        for gone in [statement, *(known for known in assignments if known is not None)]:
            if (gone.start_byte, gone.end_byte) not in self._work.removed:
                self._work.removed.append((gone.start_byte, gone.end_byte))
                self._lines.append((self._first_line(gone), self._file.line_end(gone.end_byte - 1)))

    def _makes_socket(self, declared: Node) -> bool:
        """Whether there is a WebSocket client in what is left of a declaration."""
        return any(
            text_of(node) == "createWSClient" and not self._is_removed(node)
            for node in find_all(declared, "identifier", "property_identifier")
        )

    def _assignment(self, use: Node, name: str) -> Node | None:
        """The whole statement that only fills a variable with a WebSocket client: `x ??= ...`, `if (!x) x = ...`."""
        node: Node = use
        while node.parent is not None and node.type not in ("expression_statement", "if_statement"):
            node = node.parent
        if node.type == "expression_statement":
            inner = node.named_children[0]
            left = inner.child_by_field_name("left")
            if inner.type not in ("assignment_expression", "augmented_assignment_expression") or left is None:
                return None
            if text_of(left) != name or "createWSClient" not in text_of(inner):
                return None
            block = node.parent
            outer = block.parent if block is not None and block.type == "statement_block" else block
            if outer is not None and outer.type == "try_statement":
                return None  # an empty `try` would be left
            if (
                outer is not None
                and outer.type == "if_statement"
                and (block == outer or len(block.named_children) == 1 if block else False)
            ):
                is_whole = outer.child_by_field_name("alternative") is None
                return self._guard(outer, name) or (outer if is_whole else node)
            return node
        return self._guard(node, name) if node.type == "if_statement" else None

    def _guard(self, statement: Node, name: str) -> Node | None:
        condition = statement.child_by_field_name("condition")
        body = statement.child_by_field_name("consequence")
        if condition is None or body is None or statement.child_by_field_name("alternative") is not None:
            return None
        statements = body.named_children if body.type == "statement_block" else [body]
        if text_of(unwrapped(condition)) not in (f"!{name}", f"{name} === null", f"{name} === undefined"):
            return None
        return (
            statement
            if len(statements) == 1 and re.match(rf"{re.escape(name)}\s*=\s*createWSClient\b", text_of(statements[0]))
            else None
        )

    def _remove_from_pattern(self, pattern: Node, name: str) -> None:
        kept = [text_of(child) for child in pattern.named_children if text_of(child) != name]
        if len(kept) == len(pattern.named_children) - 1 and "\n" not in text_of(pattern):
            self._work.edit.replace_node(pattern, f"{{ {', '.join(kept)} }}")
            self._work.removed.append((pattern.start_byte, pattern.start_byte))

    def _importer(self, name: str) -> Place | None:
        others = [other for other in self._view.sources(name) if other.path != self._file.path]
        for other in others:
            for node in find_all(other.root, "import_statement", "export_statement", "call_expression"):
                if not self._is_of_this_file(other, node):
                    continue
                if node.type == "call_expression" or re.search(rf"\b{re.escape(name)}\b|\*", text_of(node)):
                    return Place(other, node)
        if self._is_passed_on():
            for other in others:
                for node in find_all(other.root, "import_specifier", "property_identifier"):
                    if text_of(node.child_by_field_name("name") or node) == name:
                        return Place(other, node)
        return None

    def _is_passed_on(self) -> bool:
        """Whether another file gives out all that this one does: `export * from`, `export * as name from`."""
        return any(
            self._is_of_this_file(other, node)
            and any(child.type in ("*", "namespace_export") for child in node.children)
            for other in self._view.sources("export *")
            for node in find_all(other.root, "export_statement")
        )

    def _is_of_this_file(self, other: SourceFile, node: Node) -> bool:
        """Whether an import, of any kind, or an `export from` of another file is of this one."""
        source = node.child_by_field_name("source")
        if node.type == "call_expression":
            function, given = node.child_by_field_name("function"), argument_of(node)
            is_load = function is not None and text_of(function) in ("import", "require")
            source = given if is_load and given is not None and given.type == "string" else None
        return source is not None and self._layout.resolve(other.path, text_of(source)[1:-1]) == self._file.path

    def _uses(self, name: str, declared: Node | None) -> Iterator[Node]:
        """Where the file uses what is declared there; None: what it imports."""
        for node in uses_of(self._file, name):
            if declaration_of(node, name) == declared and not _is_declared_name(node):
                yield node

    def _names_within(self, spans: list[tuple[int, int]]) -> list[Node]:
        return [
            node
            for node in find_all(
                self._file.root,
                "identifier",
                "shorthand_property_identifier",
                "type_identifier",
            )
            if any(start <= node.start_byte < end for start, end in spans)
        ]

    def _is_removed(self, node: Node) -> bool:
        return any(start <= node.start_byte < end for start, end in self._work.removed)

    def _first_line(self, statement: Node) -> int:
        """Where a statement's lines begin, with the comment right above that tells of it; not commented-out code."""
        start = self._file.line_start(statement.start_byte)
        before = statement.prev_sibling
        lines = []
        row = statement.start_point.row
        while before is not None and before.type == "comment" and before.end_point.row == row - 1:
            if self._file.data[self._file.line_start(before.start_byte) : before.start_byte].strip():
                break
            lines.append(before)
            row, before = before.start_point.row, before.prev_sibling
        if lines and not any(re.search(r"[;{}=]|eslint|biome", text_of(line)) for line in lines):
            start = self._file.line_start(lines[-1].start_byte)
        return start

    def _delete_lines(self) -> None:
        data = self._file.data
        spans: list[tuple[int, int]] = []
        for start, end in _merged(self._lines):
            above = data[self._file.line_start(start - 1) : start].strip() if start else b""
            follower = data[end : self._file.line_end(end)] if end < len(data) else b"x"
            if (not above or above.endswith((b"{", b"("))) and not follower.strip():
                end += len(follower)
            elif end == len(data) and not above:
                start = self._file.line_start(start - 1) if start else start
            if end == len(data) and not data.endswith(b"\n"):
                start = len(data[:start].rstrip(b"\r\n"))
            spans.append((start, end))
        for start, end in _merged(spans):
            self._work.edit.replace(start, end, "")


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in their order, those that touch made one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _is_declared_name(node: Node) -> bool:
    """Whether an identifier is the name in its own declaration."""
    parent = node.parent
    return parent is not None and (
        parent.type in ("variable_declarator", "function_declaration") and parent.child_by_field_name("name") == node
    )
