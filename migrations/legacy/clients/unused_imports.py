"""Imports of tRPC's WebSocket client that nothing uses: what stands there still where its use was commented out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from migrations.discovery.imports import ImportChanges, imports_of
from migrations.discovery.procedures import is_test
from migrations.engine.edits import Edits
from migrations.engine.syntax import find_all, text_of
from migrations.legacy.clients.ws_clients import MARKS, files_with_marks
from migrations.legacy.pieces import Piece

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrations.engine.outcome import FileChange
    from migrations.engine.source import SourceFile
    from migrations.engine.view import AppView
    from migrations.legacy.pieces import LegacyApp

_NAMES = ("identifier", "shorthand_property_identifier", "type_identifier")


def take_unused_imports(app: LegacyApp, view: AppView) -> tuple[tuple[FileChange, ...], tuple[Piece, ...]]:
    """What takes them out of the app as `view` has it, and where they stand; nothing without a WebSocket server."""
    edits, pieces = Edits(view), []
    for file in files_with_marks(view) if app.servers else ():
        unused = dict(_unused(file))
        if not unused or is_test(file.path) or file.path.startswith(app.layout.kit_folder):
            continue
        imports = ImportChanges(file)
        imports.remove(*unused)
        imports.apply(edits.source(file.path))
        what = f"the import of {' and '.join(unused)}"
        pieces.append(Piece(file.path, min(unused.values()), what, "rewrite", "nothing uses it"))
    return edits.changes(), tuple(pieces)


def _unused(file: SourceFile) -> Iterator[tuple[str, int]]:
    """The local names of the WebSocket client that stand in a file's imports and nowhere else, with their lines."""
    count = Counter(text_of(node) for node in find_all(file.root, *_NAMES))
    for statement in imports_of(file):
        for name in statement.names if statement.specifier.startswith("@trpc/") else ():
            if name.imported in MARKS and count[name.local] == 1:
                yield name.local, file.line_of(statement.statement.start_byte)
