"""Changes to the text of files: spans of the original bytes replaced, everything else kept."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from migrations.engine import json_edits, line_edits
from migrations.engine.outcome import FileChange

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tree_sitter import Node

    from migrations.engine.source import SourceFile
    from migrations.engine.view import AppView


class EditConflict(Exception):
    """Two edits want the same bytes: a mistake in the migration that made them."""


class FileEdit:
    """Edits of one file. Offsets are bytes of the file as it was; text is written as given, see `SourceFile.style`."""

    def __init__(self, source: SourceFile) -> None:
        self.source = source
        self._edits: list[tuple[int, int, bytes]] = []

    def replace(self, start: int, end: int, text: str) -> None:
        """Put `text` in place of a span. The same replacement twice counts once."""
        assert 0 <= start <= end <= len(self.source.data), (start, end)
        edit = (start, end, text.encode())
        if start == end or edit not in self._edits:
            self._edits.append(edit)

    def insert(self, at: int, text: str) -> None:
        """Insert `text`; what is inserted at one place stands in the order of the calls."""
        self.replace(at, at, text)

    def replace_node(self, node: Node, text: str) -> None:
        self.replace(node.start_byte, node.end_byte, text)

    def delete_lines(self, start: int, end: int) -> None:
        """Delete the whole lines that this span touches."""
        self.replace(self.source.line_start(start), self.source.line_end(max(start, end - 1)), "")

    def insert_line(self, at: int, snippet: str) -> None:
        """Insert a canonical snippet on lines of its own before the line that the byte `at` is on, indented like it.

        `at` may be the end of the file.
        """
        style, data = self.source.style, self.source.data
        start = self.source.line_start(at)
        text = style.adapt(snippet, self.source.indentation_of(at) if at < len(data) else "")
        if at == len(data) and data and not data.endswith(b"\n"):
            self.insert(at, style.newline + text)
        else:
            self.insert(start, text + style.newline)

    def result(self) -> bytes:
        """The file's new bytes. Raises EditConflict."""
        parts: list[bytes] = []
        at = 0
        data = self.source.data
        # Insertions come before a replacement that begins at their place; otherwise the order of the calls counts.
        ordered = sorted(enumerate(self._edits), key=lambda item: (item[1][0], item[1][0] != item[1][1], item[0]))
        for _, (start, end, text) in ordered:
            if start < at:
                raise EditConflict(f"{self.source.path}:{self.source.line_of(start)}: two edits of the same place")
            parts += [data[at:start], text]
            at = end
        return b"".join([*parts, data[at:]])


class Edits:
    """What a migration changes, file by file, on top of a view; `changes()` is what `Pending` wants.

    A file is changed in one way: as source (`source`), whole (`write`, `delete`), or through the functions for JSON and
    line files, which may be called again and again.
    """

    def __init__(self, view: AppView) -> None:
        self.view = view
        self._sources: dict[str, FileEdit] = {}
        self._whole: dict[str, FileChange] = {}

    def source(self, path: str) -> FileEdit:
        """The edits of a file that is there, to add to."""
        if path not in self._sources:
            file = self.view.file(path)
            assert file is not None, f"{path} is not there"
            self._own(path, self._whole)
            self._sources[path] = FileEdit(file)
        return self._sources[path]

    def write(self, path: str, data: bytes, *, executable: bool = False) -> None:
        """A file's whole new bytes, whether it is there or not."""
        self._own(path, self._sources)
        self._whole[path] = FileChange(path, data, executable)

    def delete(self, path: str) -> None:
        """Remove a file, if it is there."""
        self._own(path, self._sources)
        self._whole[path] = FileChange(path, None)

    def change(self, path: str, change: Callable[[bytes], bytes]) -> None:
        """Send the bytes of a file (of none: b"") through a function."""
        done = self._whole.get(path)
        before = done.after if done is not None else self.view.read(path)
        after = change(before or b"")
        if before is not None or after:
            self.write(path, after)

    def set_json(self, path: str, keys: Sequence[str], value: object, *, in_order: bool = False) -> None:
        """`json_edits.set_json`; a file that is not there is made, indented as the app's source files are."""
        if self.view.read(path) is None and path not in self._whole:
            style = self.view.style
            self.write(path, f"{{{style.newline}}}{style.newline}".encode())
        self.change(path, lambda data: json_edits.set_json(data, keys, value, path, in_order=in_order))

    def remove_json(self, path: str, keys: Sequence[str]) -> None:
        """`json_edits.remove_json`."""
        self.change(path, lambda data: json_edits.remove_json(data, keys, path))

    def append_json(self, path: str, keys: Sequence[str], value: object) -> None:
        """`json_edits.append_json`."""
        self.change(path, lambda data: json_edits.append_json(data, keys, value, path))

    def set_env(self, path: str, key: str, value: str, *, comment: Sequence[str] = ()) -> None:
        """`line_edits.set_env`; a file that is not there is made."""
        self.change(path, lambda data: line_edits.set_env(data, key, value, comment=comment))

    def add_lines(self, path: str, lines: Sequence[str], *, comment: Sequence[str] = ()) -> None:
        """`line_edits.add_lines`; a file that is not there is made."""
        self.change(path, lambda data: line_edits.add_lines(data, lines, comment=comment))

    def changes(self) -> tuple[FileChange, ...]:
        """Every file that ends up different, by path. Raises EditConflict."""
        wanted = [*self._whole.values(), *(FileChange(path, edit.result()) for path, edit in self._sources.items())]
        return tuple(sorted((c for c in wanted if self.view.read(c.path) != c.after), key=lambda change: change.path))

    def _own(self, path: str, others: dict[str, FileEdit] | dict[str, FileChange]) -> None:
        parts = PurePosixPath(path).parts
        assert not path.startswith("/"), path
        assert not {"..", ".git", ".chatops"} & set(parts), path
        if path in others:
            raise EditConflict(f"{path} is changed in two ways")
