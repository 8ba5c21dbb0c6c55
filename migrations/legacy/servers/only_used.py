"""Files that nothing refers to any more once others have gone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.engine.syntax import SOURCE_SUFFIXES
from migrations.legacy.references import Reference, importers_of, named_elsewhere, named_in_code, specifiers_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from migrations.discovery.layout import Layout
    from migrations.engine.view import AppView

# What Next.js and other tools take by its name alone.
_TAKEN_BY_NAME = re.compile(
    r"(^|/)(pages/.*|app/(.*/)?(page|layout|template|loading|error|not-found|default|route|global-error|sitemap|robots"
    r"|manifest|icon|opengraph-image|twitter-image)\.\w+|(middleware|proxy|instrumentation(-client)?)\.\w+"
    r"|[^/]*\.(config|d|test|spec|stories)\.\w+)$|(^|/)(__tests__|__mocks__|tests?|e2e)/"
)


@dataclass(frozen=True, slots=True)
class OnlyUsed:
    """`files` had no other users than those that go. `unsure` are imported by nobody else either, but named there."""

    files: tuple[str, ...]
    unsure: tuple[tuple[str, Reference], ...]


def is_taken_by_name(path: str) -> bool:
    """Whether Next.js or another tool finds the file by its name."""
    return _TAKEN_BY_NAME.search(path) is not None


def only_used_by(view: AppView, layout: Layout, going: Iterable[str]) -> OnlyUsed:
    """What the files that go import, directly or over each other, and nobody else does, tests included."""
    gone = set(going)
    asked: set[str] = set()
    found: list[str] = []
    unsure: dict[str, Reference] = {}
    changed = True
    while changed:
        changed = False
        for path in sorted(_imported(view, layout, gone) - gone - asked):
            if is_taken_by_name(path):
                asked.add(path)
                continue
            if any(reference.path not in gone for reference in importers_of(view, layout, path)):
                continue
            named = next((r for r in named_in_code(view, path) if r.path not in gone), None) or named_elsewhere(
                view, path
            )
            if named is not None:
                asked.add(path)
                unsure[path] = named
                continue
            gone.add(path)
            found.append(path)
            changed = True
    return OnlyUsed(tuple(found), tuple(unsure.items()))


def _imported(view: AppView, layout: Layout, paths: Iterable[str]) -> set[str]:
    files = [view.file(path) for path in paths]
    own = set(view.paths)
    return {
        path
        for file in files
        if file is not None
        for specifier, _ in specifiers_of(file)
        if (path := layout.resolve(file.path, specifier)) is not None and path.endswith(SOURCE_SUFFIXES) and path in own
    }
