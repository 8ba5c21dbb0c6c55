"""Code that is commented out: the runs of comments that may hold some, and what stood there before, to the byte."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.engine.syntax import text_of, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from migrations.engine import SourceFile

_LINE = re.compile(r"(?P<indent>[ \t]*)//(?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True, eq=False)
class CommentRun:
    """Comments that stand on lines of their own, with nothing but empty lines between: `//` lines, or one `/* */`.

    `start` and `end` are the bytes of their whole lines, the last line end included.
    """

    file: SourceFile
    nodes: tuple[Node, ...]
    start: int
    end: int

    @property
    def parent(self) -> Node | None:
        return self.nodes[0].parent

    @property
    def is_block(self) -> bool:
        return text_of(self.nodes[0]).startswith("/*")

    @property
    def lines(self) -> list[str]:
        """The run's lines as they stand, with their line ends."""
        return re.findall(r"[^\n]*\n|[^\n]+", self.file.data[self.start : self.end].decode())

    @property
    def code(self) -> list[str]:
        """What stands in each line behind the mark, without line ends: to be parsed, not to be written."""
        if self.is_block:
            return _inside_block(self.lines)
        return [_behind_mark(line).rstrip() for line in self.lines]

    def offset(self, line: int) -> int:
        """Where the run's line of this number (from 0) begins."""
        return self.start + sum(len(text.encode()) for text in self.lines[:line])


def comment_runs(file: SourceFile) -> Iterator[CommentRun]:
    """Every run of comments of a file."""
    run: list[Node] = []
    for node in walk(file.root):
        if node.type != "comment" or not _is_alone(file, node):
            continue
        is_line = text_of(node).startswith("//")
        if run and not (is_line and _continues(file, run[-1], node)):
            yield _run(file, run)
            run = []
        run.append(node)
        if not is_line:
            yield _run(file, run)
            run = []
    if run:
        yield _run(file, run)


def without_marks(lines: list[str], indent: str) -> str:
    """Lines as they were before `//` was put before each; `indent` is what the first one will then be indented by.

    Editors put the marks at one column, the leftmost of the code, with a space behind, or at the beginning of the
    line without one; a formatter then moves the whole run to where the code stands. Which it was, the indentation of
    the first line tells. Lines without a mark are empty ones that an editor left alone.
    """
    marked = [match for line in lines if (match := _LINE.match(line))]
    spaced = all(match["rest"].startswith(" ") for match in marked if match["rest"].strip())
    first = marked[0]
    ways = [(keep, skip) for keep in (True, False) for skip in ((1, 0) if spaced else (0,))]
    keep, skip = next(
        ((keep, skip) for keep, skip in ways if _indent_of(_line_without(first, keep, skip)) == indent), ways[0]
    )
    return "".join(_line_without(match, keep, skip) if (match := _LINE.match(line)) else line for line in lines)


def without_block_marks(lines: list[str]) -> str:
    """Lines as they were before `/*` and `*/` were put around them, beside the code or on lines of their own."""
    text = "".join(lines)
    opening = re.match(r"([ \t]*)/\*+(?:[ \t]*\r?\n| ?)", text)
    closing = re.search(r"(?:\r?\n[ \t]*| ?)\*+/[ \t]*(\r?\n)?\Z", text)
    assert opening is not None
    assert closing is not None
    indent = "" if opening[0].endswith("\n") else opening[1]
    return indent + text[opening.end() : closing.start()] + (closing[1] or "")


def _run(file: SourceFile, nodes: list[Node]) -> CommentRun:
    start, end = nodes[0].start_byte, nodes[-1].end_byte
    return CommentRun(file, tuple(nodes), file.line_start(start), file.line_end(max(start, end - 1)))


def _is_alone(file: SourceFile, node: Node) -> bool:
    before = file.data[file.line_start(node.start_byte) : node.start_byte]
    after = file.data[node.end_byte : file.line_end(node.end_byte - 1)]
    return not before.strip() and not after.strip()


def _continues(file: SourceFile, before: Node, node: Node) -> bool:
    between = file.data[before.end_byte : node.start_byte]
    return before.parent == node.parent and not between.strip()


def _behind_mark(line: str) -> str:
    match = _LINE.match(line)
    return match["rest"].removeprefix(" ") if match else ""


def _inside_block(lines: list[str]) -> list[str]:
    codes = [line.rstrip() for line in lines]
    codes[0] = re.sub(r"/\*+", "", codes[0], count=1)
    codes[-1] = re.sub(r"\*+/$", "", codes[-1])
    return codes


def _line_without(match: re.Match[str], keep: bool, skip: int) -> str:
    """One line without its mark and `skip` spaces behind it, with what stands before the mark if `keep`."""
    rest = match["rest"]
    body = rest.rstrip("\r\n")
    line_end = rest[len(body) :]
    if len(body) <= 1 and not body.strip():
        return line_end
    return (match["indent"] if keep else "") + body[skip:] + line_end


def _indent_of(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]
