"""Server files that are commented out whole: what stands in the comments, as the file that it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.discovery.commented import CommentRun, comment_runs
from migrations.engine.source import SourceFile
from migrations.legacy.servers.adapter import adapter_calls

if TYPE_CHECKING:
    from collections.abc import Iterable


def uncommented(file: SourceFile) -> SourceFile | None:
    """The server that a file would be without its comment marks, each line where it stands; None if some of the file
    is live, or if it never handed a WebSocketServer to tRPC.
    """
    nodes = file.root.named_children
    if not nodes or any(node.type not in ("comment", "hash_bang_line") for node in nodes):
        return None
    runs = list(comment_runs(file))
    for chosen in (runs, [run for run in runs if not run.is_block], [run for run in runs if run.is_block]):
        inside = _without_marks(file, chosen)
        if any(True for _ in adapter_calls(inside)):
            return inside
    return None


def _without_marks(file: SourceFile, runs: Iterable[CommentRun]) -> SourceFile:
    lines = [""] * (file.data.count(b"\n") + 2)
    for run in runs:
        first = file.line_of(run.start) - 1
        for number, code in enumerate(run.code):
            lines[first + number] = code
    return SourceFile(file.path, "\n".join(lines).encode())
