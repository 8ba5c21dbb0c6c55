"""The whole cleanup as a plan: what is found, who still needs the server, what goes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from migrations.discovery.layout import find_layout
from migrations.engine.diff import line_in, unified_diff
from migrations.engine.outcome import Blocked, FileChange, Leftover, NotApplicable, Pending
from migrations.engine.packages import MANIFEST, with_packages
from migrations.hints import AppHints
from migrations.legacy.builds.stage import clean_builds
from migrations.legacy.clients.stage import clean_clients
from migrations.legacy.contexts.stage import clean_contexts
from migrations.legacy.deployments.stage import clean_deployments
from migrations.legacy.environment.stage import clean_environment
from migrations.legacy.packages.stage import clean_packages
from migrations.legacy.pieces import LegacyApp, Piece
from migrations.legacy.scripts.stage import clean_scripts
from migrations.legacy.servers.stage import clean_servers, find_servers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from migrations.engine.outcome import Outcome, RemovePackage
    from migrations.engine.view import AppView
    from migrations.legacy.pieces import Stage

# Each works on what the ones before it left: a package goes when the last file that used it has gone.
STAGES: tuple[Stage, ...] = (
    clean_clients,
    clean_servers,
    clean_contexts,
    clean_builds,
    clean_environment,
    clean_scripts,
    clean_deployments,
    clean_packages,
)
NUMBER = 1000  # beside the migrations' own in the journal; not one that `chatops migrate` counts up to
TITLE = "Remove the legacy WebSocket server (chatops cleanup-legacy)"
_NEEDED = "stays as long as the server is needed"


@dataclass(frozen=True, slots=True)
class CleanupPlan:
    """`needs` are those who still need the server; with any of them nothing is changed, and every piece stays.

    `after` is the app as it will be, but for the lock file.
    """

    pieces: tuple[Piece, ...]
    needs: tuple[Piece, ...]
    changes: tuple[FileChange, ...]
    packages: tuple[RemovePackage, ...]
    before: AppView
    after: AppView

    @property
    def refused(self) -> str | None:
        """Why nothing may be removed, in one line; None if it may."""
        if not self.needs:
            return None
        first = self.needs[0]
        place = f"{first.file}:{first.line}" if first.line else first.file
        more = f" (and {len(self.needs) - 1} more)" if len(self.needs) > 1 else ""
        return f"the WebSocket server is still needed: {place}: {first.what}{more}"

    @property
    def by_hand(self) -> tuple[Leftover, ...]:
        """What is left to a person, by the lines of the files as they will be."""
        return tuple(
            Leftover(
                piece.file,
                line_in(self.after.read(piece.file), self.before.read(piece.file), piece.line),
                piece.what,
                piece.why,
            )
            for piece in self.pieces
            if piece.action == "by-hand"
        )

    def diff(self) -> str:
        """The unified diff of the whole; the lock file is the package manager's to write and is not in it."""
        return unified_diff((c.path, self.before.read(c.path), c.after) for c in self.changes)


def plan_cleanup(view: AppView, hints: AppHints | None = None, *, to_sse: bool = False) -> CleanupPlan:
    """Find every piece and say what becomes of it; nothing is written. Raises UsageError: a file cannot be read."""
    layout = find_layout(view)
    app = LegacyApp(view, view, layout, find_servers(view, layout), hints or AppHints(), to_sse)
    pieces: list[Piece] = []
    needs: list[Piece] = []
    packages: list[RemovePackage] = []
    written: dict[str, bytes | None] = {}
    for stage in STAGES:
        found = stage(app)
        pieces += found.pieces
        needs += found.needs
        packages += found.packages
        written |= {change.path: change.after for change in found.changes}
        if found.packages:
            manifest = written.get(MANIFEST, view.read(MANIFEST))
            written[MANIFEST] = with_packages(manifest or b"{}\n", found.packages)
        app = replace(app, view=view.with_changes(written))
    if needs:
        kept = [p if p.action == "keep" else replace(p, action="keep", why=_NEEDED) for p in pieces]
        return CleanupPlan(_sorted((*needs, *kept)), _sorted(needs), (), (), view, view)
    changes = tuple(FileChange(path, data) for path, data in sorted(written.items()) if view.read(path) != data)
    return CleanupPlan(_sorted(pieces), (), changes, tuple(packages), view, app.view)


def _sorted(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    return tuple(sorted(dict.fromkeys(pieces), key=lambda piece: (piece.file, piece.line)))


@dataclass(frozen=True, slots=True)
class LegacyCleanup:
    """The cleanup as the engine takes it: applied, taken back and checked like a migration."""

    hints: AppHints = field(default_factory=AppHints)
    to_sse: bool = False
    number: int = NUMBER
    title: str = TITLE

    def whole_plan(self, view: AppView) -> CleanupPlan:
        """What `plan` decides by, with every piece."""
        return plan_cleanup(view, self.hints, to_sse=self.to_sse)

    def plan(self, view: AppView) -> Outcome:
        plan = self.whole_plan(view)
        if plan.refused is not None:
            first = plan.needs[0]
            return Blocked(f"the WebSocket server is still needed: {first.what}", first.file, first.line, first.why)
        if not plan.changes:
            return NotApplicable("nothing of a tRPC WebSocket server was found that can go")
        return Pending(plan.changes, plan.packages, plan.by_hand)
