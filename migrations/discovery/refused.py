"""Why code is not changed, while it is still being read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.engine import Blocked

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.engine import SourceFile


class Refused(Exception):
    """What stands at `node` is not known well enough."""

    def __init__(self, reason: str, node: Node, file: SourceFile) -> None:
        super().__init__(reason)
        self.reason = reason
        self.file = file
        self.node = node

    def as_blocked(self, next_step: str) -> Blocked:
        return Blocked(self.reason, self.file.path, self.file.line_of(self.node.start_byte), next_step)
