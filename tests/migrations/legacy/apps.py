"""Apps as text, and what the cases of the cleanup make other apps of them with."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from migrations.catalogue import all_migrations
from migrations.engine import AppView, make_plan
from migrations.hints import AppHints
from tests.apps.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Mapping

Texts: TypeAlias = "dict[str, str]"

_LOCKS = ("package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock")


def swap(text: str, *pairs: tuple[str, str]) -> str:
    """`text` with each first text, which it has exactly once, replaced by the second."""
    for old, new in pairs:
        assert text.count(old) == 1, f"{text.count(old)} of {old!r} in:\n{text}"
        text = text.replace(old, new)
    return text


def drop(text: str, *marks: str) -> str:
    """`text` without the lines that hold these marks; exactly one line holds each."""
    lines = text.splitlines(keepends=True)
    for mark in marks:
        found = [line for line in lines if mark in line]
        assert len(found) == 1, f"{len(found)} lines with {mark!r} in:\n{text}"
        lines.remove(found[0])
    return "".join(lines)


def without(files: Mapping[str, str], *paths: str) -> Texts:
    """The app without these files, each of which it has."""
    assert set(paths) <= set(files), paths
    return {path: text for path, text in files.items() if path not in paths}


def first_user(variant: str = "npm", *, migrated: bool = True) -> Texts:
    """The first user's app, with the five migrations that bring streaming back or before them; without lock files."""
    view = AppView.of_files({path: data for path, data in VARIANTS[variant]().items() if path not in _LOCKS})
    if migrated:
        view = make_plan(view, all_migrations(AppHints())[:5]).after
    return {path: (view.read(path) or b"").decode() for path in view.paths}
