"""Places that only tell of what went: documents, comments, proxies to a port that nobody listens on any more."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from migrations.engine.memo import Memo
from migrations.engine.syntax import SOURCE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrations.engine.source import SourceFile
    from migrations.legacy.deployments.commands import DeployedCommands

_LOCAL = r"(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\]|host\.docker\.internal)"
# Names of files that any folder may have.
_COMMON = frozenset({"index", "server", "main", "app", "context", "env", "trpc"})


@dataclass(frozen=True, slots=True)
class Mention:
    """A line (from 1) that names `what`."""

    line: int
    what: str


@dataclass(frozen=True, eq=False)
class Mentions(Memo):
    """Looks for what tells of the server, its files, scripts and port."""

    commands: DeployedCommands

    def of(self, file: SourceFile) -> Iterator[Mention]:
        """The lines of a file that tell of what went."""
        is_source = file.path.endswith(SOURCE_SUFFIXES)
        text = file.data.decode(errors="replace")
        for start, end in _lines_with(self._hint, text):
            line = text[start:end]
            found = self._port(line) or (None if is_source and not _is_text(line) else self._name(line))
            if found is not None:
                yield Mention(text.count("\n", 0, start) + 1, found)

    @cached_property
    def _hint(self) -> re.Pattern[str]:
        files = [self._files.pattern] if self._files is not None else []
        return re.compile("|".join([self.commands.may_name.pattern, *files]))

    def _name(self, text: str) -> str | None:
        found = self.commands.mentioned(text)
        if found is not None:
            return found
        match = self._files.search(text) if self._files is not None else None
        return match[0] if match is not None else None

    def _port(self, text: str) -> str | None:
        for port in self.commands.ports:
            if re.search(rf"{_LOCAL}:{port}(?!\d)|\bwss?://[^\s\"'`]*:{port}(?!\d)", text):
                return f"port {port}"
            if re.search(rf"\b(proxy_pass|server|reverse_proxy)\b[^#]*:{port}(?!\d)", text):
                return f"port {port}"
        return None

    @cached_property
    def _files(self) -> re.Pattern[str] | None:
        """The names of what went, where they are its own."""
        names = {posixpath.basename(path) for path in self.commands.app.gone}
        own = sorted(name for name in names if posixpath.splitext(name)[0] not in _COMMON)
        return re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, own))})(?![\w-])") if own else None


def _lines_with(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    """Where the lines that a pattern is found in begin and end."""
    at = 0
    while (found := pattern.search(text, at)) is not None:
        start, end = text.rfind("\n", 0, found.start()) + 1, text.find("\n", found.end())
        end = len(text) if end < 0 else end
        yield start, end
        at = end


def _is_text(line: str) -> bool:
    """Whether a line of code has a comment, or a text that is not what it imports from."""
    if re.search(r"//|/\*|^\s*\*", line):
        return True
    return bool(re.search(r"[\"'`]", line)) and not re.search(r"\b(from|import|require)\b", line)
