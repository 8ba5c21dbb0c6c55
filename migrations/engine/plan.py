"""All migrations planned one after the other, each on what the ones before it led to; nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.engine.diff import unified_diff
from migrations.engine.outcome import Applied, Blocked, FileChange, Leftover, NotApplicable, Outcome, Pending
from migrations.engine.packages import MANIFEST, PackageManager, detect_package_manager, with_packages
from migrations.engine.syntax import SOURCE_SUFFIXES
from relay_server.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from migrations.engine.outcome import Migration, PackageChange
    from migrations.engine.view import AppView

_STATES: dict[type, str] = {
    Applied: "applied",
    Pending: "pending",
    NotApplicable: "not_applicable",
    Blocked: "blocked",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One migration and what it says. `changes` are the files that it changes, package.json for its packages included.

    `view` is the app before it.
    """

    number: int
    title: str
    outcome: Outcome
    changes: tuple[FileChange, ...]
    view: AppView

    @property
    def state(self) -> str:
        """applied, pending, not_applicable or blocked."""
        return _STATES[type(self.outcome)]

    @property
    def reason(self) -> str:
        """Why it is blocked or not applicable, with the place; else ""."""
        if isinstance(self.outcome, Blocked) and self.outcome.file:
            line = f":{self.outcome.line}" if self.outcome.line else ""
            return f"{self.outcome.file}{line}: {self.outcome.reason}"
        return self.outcome.reason if isinstance(self.outcome, (Blocked, NotApplicable)) else ""

    @property
    def packages(self) -> tuple[PackageChange, ...]:
        return self.outcome.packages if isinstance(self.outcome, Pending) else ()

    @property
    def leftovers(self) -> tuple[Leftover, ...]:
        return self.outcome.leftovers if isinstance(self.outcome, (Applied, Pending)) else ()


@dataclass(frozen=True, slots=True)
class Plan:
    """`view` is the app before, `after` as it will be but for the lock file. `manager` is there if packages change.

    `interrupted` says that an earlier run was cut off; the plan is for the app as taking that back will leave it.
    """

    steps: tuple[Step, ...]
    view: AppView
    after: AppView
    manager: PackageManager | None = None
    interrupted: bool = False

    @property
    def pending(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.state == "pending")

    @property
    def blocked(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.state == "blocked")

    @property
    def leftovers(self) -> tuple[Leftover, ...]:
        """What is left to a person, by file and line; the same place of two migrations counts once."""
        return _sorted(leftover for step in self.steps for leftover in step.leftovers)

    @property
    def open_leftovers(self) -> tuple[Leftover, ...]:
        """Those of what is applied: what is left to a person now, not what will be."""
        return _sorted(leftover for step in self.steps if step.state == "applied" for leftover in step.leftovers)

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that changes, the lock file included."""
        paths = {change.path for step in self.pending for change in step.changes}
        if self.manager is not None and self.manager.lock:
            paths.add(self.manager.lock)
        return tuple(sorted(paths))

    def diff(self) -> str:
        """The unified diff of the whole; the lock file is the package manager's to write and is not in it."""
        paths = sorted({change.path for step in self.pending for change in step.changes})
        return unified_diff((path, self.view.read(path), self.after.read(path)) for path in paths)

    def as_json(self) -> dict[str, object]:
        """The output of `plan --json`."""
        return {
            "app": str(self.view.root.resolve()),
            "migrations": [
                {
                    "id": step.number,
                    "title": step.title,
                    "state": step.state,
                    "reason": step.reason,
                    "files": [change.path for change in step.changes],
                }
                for step in self.steps
            ],
            "diff": self.diff(),
            "leftovers": [leftover.as_json() for leftover in self.leftovers],
        }


def _sorted(leftovers: Iterable[Leftover]) -> tuple[Leftover, ...]:
    return tuple(sorted(dict.fromkeys(leftovers), key=lambda leftover: (leftover.file, leftover.line)))


def make_plan(view: AppView, migrations: Sequence[Migration], target: int | None = None) -> Plan:
    """Plan every migration up to the number `target` (None: all of them).

    Raises CheckFailed where a result would not hold: a file that could be read by the parser and then no more, or a
    migration that would not know its own work. Both are mistakes in a migration; better found here than in an app.
    """
    chosen = sorted((m for m in migrations if target is None or m.number <= target), key=lambda m: m.number)
    current = view
    steps: list[Step] = []
    manager: PackageManager | None = None
    for migration in chosen:
        outcome = outcome_of(migration, current)
        changes: tuple[FileChange, ...] = ()
        if isinstance(outcome, Pending):
            try:
                if outcome.packages:
                    manager = manager or detect_package_manager(current)
                changes = _with_manifest(current, outcome)
            except UsageError as error:
                outcome = _blocked(error)
        steps.append(Step(migration.number, migration.title, outcome, changes, current))
        current = current.with_changes({change.path: change.after for change in changes})
    plan = Plan(tuple(steps), view, current, manager)
    _verify(plan, chosen)
    return plan


def outcome_of(migration: Migration, view: AppView) -> Outcome:
    """What a migration says about the app in `view`; blocked where a file that it needs cannot be read."""
    try:
        return migration.plan(view)
    except UsageError as error:
        return _blocked(error)


def _blocked(error: UsageError) -> Blocked:
    return Blocked(error.message, next_step=error.next_step)


def _with_manifest(view: AppView, outcome: Pending) -> tuple[FileChange, ...]:
    """The file changes with the packages in package.json, without those that change nothing."""
    changes = {change.path: change for change in outcome.changes}
    assert len(changes) == len(outcome.changes), "two changes of one file"
    if outcome.packages:
        before = changes[MANIFEST].after if MANIFEST in changes else view.read(MANIFEST)
        changes[MANIFEST] = FileChange(MANIFEST, with_packages(before or b"{}\n", outcome.packages))
    return tuple(changes[path] for path in sorted(changes) if view.read(path) != changes[path].after)


def _verify(plan: Plan, migrations: Sequence[Migration]) -> None:
    for step in plan.pending:
        if not step.changes:
            raise _mistake(step, "is pending and yet changes nothing")
    for path in dict.fromkeys(change.path for step in plan.pending for change in step.changes):
        before, after = plan.view.file(path), plan.after.file(path)
        if after is None or not path.endswith(SOURCE_SUFFIXES) or after.syntax_error_line is None:
            continue
        if before is None or before.syntax_error_line is None:
            step = next(s for s in plan.pending if path in {change.path for change in s.changes})
            raise _mistake(step, f"would leave {path} with a syntax error in line {after.syntax_error_line}")
    if plan.pending:
        pending = {step.number: step for step in plan.pending}
        for migration in migrations:
            if migration.number in pending and isinstance(outcome_of(migration, plan.after), Pending):
                raise _mistake(pending[migration.number], "would not know its own work")


def _mistake(step: Step, what: str) -> CheckFailed:
    return CheckFailed(
        f"migration {step.number} ({step.title}) {what}",
        next_step="nothing was changed; this is a mistake in chatops: please report it with the file",
        code="migration_mistake",
    )
