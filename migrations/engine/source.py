"""One file of an app: its exact bytes, and what is read from them on demand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from migrations.engine.memo import Memo
from migrations.engine.style import Style, style_of
from migrations.engine.syntax import SOURCE_SUFFIXES, first_error, parse
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, eq=False)
class SourceFile(Memo):
    """`path` is seen from the app's folder, with `/`. Offsets are in bytes of `data`, a byte order mark included."""

    path: str
    data: bytes

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.path).suffix

    @cached_property
    def text(self) -> str:
        """The text without a byte order mark, line ends as they are. Raises UsageError where it is not UTF-8."""
        try:
            return self.data.decode().removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            raise UsageError(
                f"{self.path}:{self.line_of(error.start)} is not UTF-8",
                next_step="save the file as UTF-8 and run this again",
                code="not_utf8",
            ) from None

    @cached_property
    def tree(self) -> Tree:
        """The syntax tree, on the exact bytes. Raises UsageError where the file is not UTF-8."""
        assert self.suffix in SOURCE_SUFFIXES, f"{self.path} is not TypeScript or JavaScript"
        _ = self.text
        return parse(self.data, self.path)

    @property
    def root(self) -> Node:
        """The root node of the tree."""
        return self.tree.root_node

    @cached_property
    def style(self) -> Style:
        """How the file is written."""
        return style_of(self.data, self.root if self.suffix in SOURCE_SUFFIXES else None)

    @property
    def syntax_error_line(self) -> int | None:
        """The line of the first place that cannot be read, None if there is none."""
        error = first_error(self.root)
        return None if error is None else self.line_of(error.start_byte)

    def line_of(self, at: int) -> int:
        """The number, from 1, of the line that this byte is on."""
        return self.data.count(b"\n", 0, at) + 1

    def line_start(self, at: int) -> int:
        """Where the line that this byte is on begins, after a byte order mark."""
        start = self.data.rfind(b"\n", 0, at) + 1
        return len(BYTE_ORDER_MARK) if start == 0 and self.data.startswith(BYTE_ORDER_MARK) else start

    def line_end(self, at: int) -> int:
        """Where the next line begins: after the line end of the line that this byte is on, or the end of the file."""
        end = self.data.find(b"\n", at)
        return len(self.data) if end < 0 else end + 1

    def indentation_of(self, at: int) -> str:
        """The white space at the beginning of the line that this byte is on."""
        line = self.data[self.line_start(at) : self.line_end(at)]
        return line[: len(line) - len(line.lstrip(b" \t"))].decode()
