"""Packages that nothing uses any more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.engine.diff import line_in
from migrations.engine.outcome import RemovePackage
from migrations.engine.packages import MANIFEST
from migrations.engine.syntax import SOURCE_SUFFIXES
from migrations.legacy.manifest import line_of_key, sections_with
from migrations.legacy.packages.facts import (
    HELPERS,
    LIBRARIES,
    SOCKET_PACKAGES,
    SPEED_UPS,
    listed_packages,
    types_of,
    wanted_beside,
)
from migrations.legacy.packages.uses import PackageUses, Use, imported_packages
from migrations.legacy.pieces import Found, Piece
from migrations.legacy.traces import has_trace, has_work

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrations.legacy.pieces import Action, LegacyApp

# Settings that name packages, and may go on doing so when the package is not there.
_MENTIONS = ("onlyBuiltDependencies", "neverBuiltDependencies", "trustedDependencies", "overrides", "resolutions")
# What the app is made of, whoever imports it.
_FRAMEWORK = re.compile(r"(next|react|react-dom|typescript)$|@trpc/")
_WORKSPACE = "pnpm-workspace.yaml"


def clean_packages(app: LegacyApp) -> Found:
    """ws and what belongs to it goes where nothing uses it; a package that ran, built or prepared the server goes where
    something that went used it, and nothing does now.
    """
    listed = listed_packages(app.view)
    candidates = [name for name in listed if name in SOCKET_PACKAGES or name in HELPERS or name in LIBRARIES]
    if not candidates:
        return Found()
    works = has_work(app)
    if not works:
        candidates = [name for name in candidates if name in SOCKET_PACKAGES]
        if not candidates or not has_trace(app):
            return Found()
    return _Cleaning(app, listed, works).found(candidates)


class _Cleaning:
    """The work on one app. `works`: something of the server goes in this run, so that what stays is told of."""

    def __init__(self, app: LegacyApp, listed: Sequence[str], works: bool) -> None:
        self.app = app
        self.works = works
        self.listed = list(listed)
        programs = {**HELPERS, **LIBRARIES}
        self.now = PackageUses(app.view, programs, frozenset(listed))
        self.before = PackageUses(app.before, programs, frozenset(listed))
        self.changed = tuple(p for p in app.before.paths if app.view.read(p) != app.before.read(p)) if works else ()
        self.removed: list[str] = []
        self.pieces: list[Piece] = []

    def found(self, candidates: Sequence[str]) -> Found:
        mine = [name for name in candidates if self._is_mine(name)]
        # Those that others need beside them come after the others.
        for name in sorted(mine, key=lambda name: (name in SPEED_UPS, name in ("ws", "esbuild", "webpack", "ts-node"))):
            reason = self._needed(name)
            if reason is None:
                self._remove(name, "nothing uses it any more")
            elif self.works:
                self._tell(name, "keep", reason)
        for name in list(self.removed):
            types = types_of(name)
            if types in self.listed and types not in self.removed and types not in candidates:
                self._remove(types, f"it has the types of {name}")
        pieces = [*self.pieces, *self._mentions(), *self._others()]
        return Found(tuple(pieces), packages=tuple(RemovePackage(name) for name in self.removed))

    def _is_mine(self, name: str) -> bool:
        """Whether a package is there for the server: by what it is, or because something that went used it."""
        if name in SOCKET_PACKAGES:
            return True
        paths = tuple(p for p in self.changed if p in self.app.gone) if name in LIBRARIES else self.changed
        return next(self.before.all(name, paths), None) is not None

    def _needed(self, name: str) -> str | None:
        """Who still needs a package, in a few words; None if nobody does."""
        use = self.now.first(name)
        if use is not None:
            return f"{use.file}:{self._line_before(use)} uses it ({use.text})"
        left = [other for other in self.listed if other not in self.removed]
        if name in SPEED_UPS and "ws" in left:
            return "it makes ws faster, which stays"
        if name == "ts-node" and any(re.fullmatch(r"jest\.config\.[cm]?ts", path) for path in self.app.view.paths):
            return "jest reads its settings in TypeScript through it"
        if name == "ts-node" and "nodemon" in left:
            return "nodemon runs TypeScript files through it"
        other = wanted_beside(self.app.view, name, left)
        return f"{other} needs it beside itself" if other is not None else None

    def _line_before(self, use: Use) -> int:
        """The line of a use in the file as it stands before anything is changed."""
        if use.script:
            return line_of_key(self.app.before, MANIFEST, "scripts", use.script)
        return line_in(self.app.before.read(use.file), self.app.view.read(use.file), use.line)

    def _remove(self, name: str, why: str) -> None:
        self.removed.append(name)
        self._tell(name, "remove", why)

    def _tell(self, name: str, action: Action, why: str) -> None:
        section = next(iter(sections_with(self.app.before, name)), "dependencies")
        line = line_of_key(self.app.before, MANIFEST, section, name)
        self.pieces.append(Piece(MANIFEST, line, f"package {name}", action, why))

    def _mentions(self) -> Iterator[Piece]:
        """Settings of the package manager that name what goes; they break nothing."""
        for name in self.removed:
            quoted = re.escape(name)
            for path in (MANIFEST, _WORKSPACE):
                for setting in _MENTIONS if self.app.before.exists(path) else ():
                    pattern = rf"[\"']?{setting}[\"']?\s*:[^\]}}]*?(?<![\w@/-])[\"']?{quoted}[\"']?(?=[\s,:\]}}]|$)"
                    if path == _WORKSPACE:
                        pattern = (
                            rf"(?m)^{setting}:[^\n]*\n(?:[ \t]+[^\n]*\n)*?[ \t]+(?:- )?[\"']?{quoted}[\"']?(?=[\s:]|$)"
                        )
                    line = self._line_of_end(path, pattern)
                    if line:
                        why = f"the package goes; take it out of {setting} too, unless another package brings it along"
                        yield Piece(path, line, f"{name} in {setting}", "by-hand", why)

    def _line_of_end(self, path: str, pattern: str) -> int:
        text = (self.app.before.read(path) or b"").decode(errors="replace")
        match = re.search(pattern, text)
        return text.count("\n", 0, match.end()) + 1 if match is not None else 0

    def _others(self) -> Iterator[Piece]:
        """Other packages that only files that went imported: whether anything needs them unseen, a person knows."""
        imported: set[str] = set()
        for path in sorted(self.app.gone):
            file = self.app.before.file(path) if path.endswith(SOURCE_SUFFIXES) else None
            if file is not None:
                imported |= imported_packages(file)
        for name in sorted(imported & set(self.listed)):
            known = name in SOCKET_PACKAGES or name in HELPERS or name in LIBRARIES
            if (
                known
                or _FRAMEWORK.match(name)
                or self.now.first(name) is not None
                or wanted_beside(self.app.view, name, self.listed) is not None
            ):
                continue
            section = next(iter(sections_with(self.app.before, name)), "dependencies")
            line = line_of_key(self.app.before, MANIFEST, section, name)
            why = "only files that go import it: uninstall it, unless something uses it without an import"
            yield Piece(MANIFEST, line, f"package {name}", "by-hand", why)
