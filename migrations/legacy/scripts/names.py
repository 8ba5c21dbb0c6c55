"""Names and patterns by which scripts call scripts, as each runner reads them; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

PatternKind: TypeAlias = Literal["glob", "wildcard", "regex"]

# What a name says that was the server's: such a one that is not there any more is taken for part of it.
_SERVER_WORDS = frozenset({"ws", "wss", "websocket", "websockets", "socket", "sockets"})


class Unclear(Exception):
    """A script that has to do with the server, and in a way that is not understood. The text says why."""


@dataclass(frozen=True)
class ScriptNames:
    """The scripts as they stand, and the names of those that go."""

    scripts: Mapping[str, str]
    removed: frozenset[str] = frozenset()

    def is_gone(self, name: str) -> bool:
        """Whether a script goes, or is missing already and was the server's by its name."""
        if name in self.removed:
            return True
        return name not in self.scripts and is_server_name(name)

    def matching(self, pattern: str, kind: PatternKind) -> tuple[str, ...]:
        """The scripts as they stand that a pattern calls, in their order. Raises Unclear: a pattern not known here."""
        compiled = _compiled(pattern, kind)
        if compiled is None:
            if self._could_be(pattern):
                raise Unclear(f"the pattern {pattern} is not understood")
            return ()
        return tuple(name for name in self.scripts if compiled.search(name))

    def left(self, pattern: str, kind: PatternKind) -> tuple[str, ...]:
        """Those of them that stay."""
        return tuple(name for name in self.matching(pattern, kind) if name not in self.removed)

    def _could_be(self, pattern: str) -> bool:
        words = set(re.split(r"\W+", pattern)) - {""}
        return any(words & set(re.split(r"\W+", name)) for name in self.removed)


def is_server_name(name: str) -> bool:
    """Whether a word of a name says WebSocket."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return bool(_SERVER_WORDS & {word.lower() for word in words})


def is_pattern(word: str) -> bool:
    return bool(re.search(r"[*?{!\[(]", word))


def as_regex(word: str) -> str | None:
    """The pattern inside `/.../`, as pnpm takes it; None if it is none."""
    return word[1:-1] if len(word) > 2 and word.startswith("/") and word.endswith("/") else None


def tidy_regex(pattern: str, names: ScriptNames) -> str:
    """The pattern without the alternatives that only removed scripts have, if it calls the same scripts then."""
    wanted = names.left(pattern, "regex")
    for name in sorted(names.removed):
        for part in {name, *name.split(":")}:
            for old in (f"|{part}", f"{part}|"):
                shorter = re.sub(rf"(?<=[(|\w]){re.escape(old)}(?=[)|\w])", "", pattern)
                if shorter != pattern and names.left(shorter, "regex") == wanted and wanted:
                    pattern = shorter
    return pattern


def _compiled(pattern: str, kind: PatternKind) -> re.Pattern[str] | None:
    try:
        if kind == "regex":
            return re.compile(pattern)
        if kind == "wildcard":
            if re.search(r"[(){}!\[\]?]", pattern):
                return None
            return re.compile("^" + re.escape(pattern).replace(r"\*", ".*") + "$")
        return _compiled_glob(pattern)
    except re.error:
        return None


def _compiled_glob(pattern: str) -> re.Pattern[str] | None:
    """npm-run-all's patterns: `*` within one part between colons, `**` over several, `{a,b}`; its documentation."""
    if re.search(r"[!()\[\]]", pattern):
        return None
    text = re.escape(pattern)
    text = text.replace(r"\*\*", ".*").replace(r"\*", "[^:]*").replace(r"\?", "[^:]")
    text = re.sub(r"\\\{([^{}]*)\\\}", lambda m: "(?:" + m[1].replace(",", "|") + ")", text)
    return re.compile(f"^{text}$")
