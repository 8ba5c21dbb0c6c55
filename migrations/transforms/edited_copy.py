"""A part of a file written anew elsewhere: its text with replacements inside, and the file's own ways."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from migrations.discovery.nodes import DECLARED_NAMES, without_comments
from migrations.discovery.refused import Refused
from migrations.engine.syntax import find_all, parse, text_of
from migrations.transforms.links_text import Look
from migrations.transforms.long_lines import commas_in_calls, width_of

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.engine import SourceFile

# Stands where a statement is no more, until the empty lines around it are seen to.
GONE = "\0"


class EditedCopy:
    """Text is worked on with `\\n`, whatever the file's line ends are."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.style = file.style
        self._edits: list[tuple[int, int, str]] = []

    def text(self, node: Node) -> str:
        """A node's text with the edits inside."""
        return self.written(node.start_byte, node.end_byte)

    def written(self, start: int, end: int) -> str:
        """The text of a span of bytes with the edits inside."""
        inside = [e for e in self._edits if start <= e[0] and e[1] <= end]
        outermost = [e for e in inside if not any(_covers(other, e) for other in inside)]
        parts = []
        at = start
        for edit_start, edit_end, text in sorted(outermost, key=lambda e: e[:2]):
            assert edit_start >= at, "two edits of the same place"
            parts += [self.raw(at, edit_start), text]
            at = edit_end
        return "".join([*parts, self.raw(at, end)])

    def raw(self, start: int, end: int) -> str:
        """The text of a span of bytes as the file has it."""
        return self.file.data[start:end].decode().replace("\r\n", "\n")

    def edit(self, node: Node, text: str) -> None:
        self.replace(node.start_byte, node.end_byte, text)

    def replace(self, start: int, end: int, text: str) -> None:
        """Put `text` in place of a span; a bigger replacement around it counts in its stead."""
        if (start, end, text) not in self._edits:
            self._edits.append((start, end, text))

    def refuse(self, reason: str, node: Node) -> Refused:
        return Refused(reason, node, self.file)

    # --- the file's ways

    def indentation(self, node: Node) -> str:
        return self.file.indentation_of(node.start_byte)

    def snippet(self, snippet: str, base: str) -> str:
        """A canonical snippet in the file's style, its first line without indentation."""
        return self.style.adapt(snippet, base).replace("\r\n", "\n")[len(base) :]

    def statement(self, text: str) -> str:
        return f"{text};" if self.style.semicolons else text

    @cached_property
    def width(self) -> int:
        """The columns that the file keeps to."""
        return width_of(self.file)

    @cached_property
    def argument_comma(self) -> str:
        """What stands behind the last of arguments on lines of their own."""
        return "," if commas_in_calls(self.file) else ""

    @cached_property
    def member_comma(self) -> str:
        """What stands behind the last member of an object on lines of their own."""
        return Look.of(self.file).last_comma

    def with_member(self, node: Node, member: str) -> str:
        """An object (or a pattern) with one more member at its end, before a rest."""
        items = without_comments(node)
        rest = next((item for item in items if item.type == "rest_pattern"), None)
        if not items:
            return f"{{ {member} }}"
        if rest is not None:
            at = rest.start_byte
            gap = f",\n{self.indentation(rest)}" if node.start_point.row < rest.start_point.row else ", "
            return self.written(node.start_byte, at) + member + gap + self.written(at, node.end_byte)
        last, brace = items[-1].end_byte, node.end_byte - 1
        line = self.file.line_start(brace)
        has_lines = items[0].start_point.row > node.start_point.row
        if has_lines and not self.file.data[line:brace].strip() and line >= last:
            has_comma = any(child.type == "," and child.start_byte >= last for child in node.children)
            return (
                self.written(node.start_byte, last)
                + ("" if has_comma else ",")
                + self.written(last, line)
                + self.indentation(items[-1])
                + f"{member}{',' if has_comma else self.member_comma}\n"
                + self.raw(line, node.end_byte)
            )
        tail = re.sub(r"^\s*,(?=\s*}$)", "", self.raw(last, node.end_byte))
        return f"{self.written(node.start_byte, last)}, {member}{tail}"


def _covers(outer: tuple[int, int, str], inner: tuple[int, int, str]) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1] and outer[:2] != inner[:2]


# --- text


def reindented(text: str, before: str, after: str, prefix: str = "(") -> str:
    """Text whose lines, but for the first, are indented by `after` where it was `before`; literals stay as they are.

    `prefix` makes code of it that can be parsed.
    """
    code = f"{prefix}{text}\n)" if prefix == "(" else prefix + text
    inside: set[int] = set()
    for node in find_all(parse(code.encode(), "a.ts").root_node, "template_string", "string"):
        inside.update(range(node.start_point.row + 1, node.end_point.row + 1))
    lines = text.split("\n")
    for row, line in enumerate(lines):
        if row and row not in inside and line.startswith(before) and line.strip():
            lines[row] = after + line[len(before) :]
    return "\n".join(lines)


def without_gone(text: str) -> str:
    """Without the marks of statements that are gone: no line stays empty where Prettier would not leave it so."""
    lines = text.split("\n")
    kept: list[str] = []
    row = 0
    while row < len(lines):
        end = row
        while end < len(lines) and lines[end].strip() in ("", GONE):
            end += 1
        run = lines[row:end]
        if not any(GONE in line for line in run):
            kept += lines[row : end + 1]
            row = end + 1
            continue
        opens = kept and kept[-1].rstrip().endswith("{")
        closes = end == len(lines) or lines[end].strip().startswith("}")
        if any(not line.strip() for line in run) and not opens and not closes:
            kept.append("")
        row = end
    text = re.sub(rf"^([ \t]*){GONE}[ \t]*", r"\1", "\n".join(kept), flags=re.MULTILINE)
    return re.sub(rf"[ \t]*{GONE}", "", text)


def fresh_name(body: Node, *names: str) -> str:
    """The first of these names that the body does not use."""
    used = {text_of(node) for node in find_all(body, *DECLARED_NAMES)}
    numbered = (f"{names[0]}{number}" for number in range(2, 1000))
    return next(name for name in (*names, *numbered) if name not in used)
