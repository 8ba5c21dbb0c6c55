"""One whole small app, and what the cleanup of its WebSocket server has to make of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from tests.migrations.legacy.app_t3 import T3, T3_AFTER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migrations.legacy.pieces import Action

Place: TypeAlias = "tuple[str, str]"
Told: TypeAlias = "tuple[tuple[str, Action], ...]"


@dataclass(frozen=True)
class Case:
    """`after` names exactly the files that change, with their whole new text, None where the file goes.

    `pieces` are some of those that are told of, as (file, action); none at all means that nothing is told. `needs` are
    all who still need the server, as (file, a text that only their line has): with any of them nothing changes.
    """

    name: str
    files: Mapping[str, str]
    after: Mapping[str, str | None] = field(default_factory=dict)
    pieces: Told = ()
    needs: tuple[Place, ...] = ()
    to_sse: bool = False

    def __post_init__(self) -> None:
        assert not (self.needs and self.after), f"{self.name}: a refused app is left as it is"
        for path, text in self.after.items():
            assert text != self.files.get(path), f"{self.name}: {path} does not change"
            assert text is not None or path in self.files, f"{self.name}: there is no {path}"
        for path, text in self.needs:
            lines = [line for line in self.files[path].splitlines() if text in line]
            assert len(lines) == 1, f"{self.name}: {text!r} is on {len(lines)} lines of {path}"

    @property
    def result(self) -> dict[str, str]:
        """The whole app as it is afterwards."""
        merged = {**self.files, **self.after}
        return {path: text for path, text in merged.items() if text is not None}

    def lines_of_needs(self) -> set[tuple[str, int]]:
        """The needs as (file, line from 1)."""
        return {
            (path, 1 + next(row for row, line in enumerate(self.files[path].splitlines()) if text in line))
            for path, text in self.needs
        }


def t3_case(
    name: str,
    files: Mapping[str, str] | None = None,
    after: Mapping[str, str | None] | None = None,
    pieces: Told = (),
    *,
    gone: tuple[str, ...] = (),
    same: tuple[str, ...] = (),
    to_sse: bool = False,
) -> Case:
    """A case of T3 with these files besides or instead and without `gone`; what becomes of the rest is as in T3_AFTER,
    but for what `after` says and for `same`, which stay as they are.
    """
    before = {path: text for path, text in {**T3, **(files or {})}.items() if path not in gone}
    expected = {**T3_AFTER, **(after or {})}
    for path in same:
        del expected[path]
    for path in gone:
        expected.pop(path, None)
    return Case(name, before, expected, pieces, to_sse=to_sse)
