"""Migrations carried out on an app: plan, up, down, status."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.engine import git
from migrations.engine.diff import unified_diff
from migrations.engine.disk import Disk, FileState, locked
from migrations.engine.journal import Journal, may_change
from migrations.engine.outcome import Applied, Blocked
from migrations.engine.package_manager import has_installed, install, resolved_lock
from migrations.engine.packages import MANIFEST, detect_package_manager, is_lock_file
from migrations.engine.plan import Plan, make_plan, outcome_of
from migrations.engine.records import Change, Record, Transaction, as_one, backwards, carried_along, live, taken_back
from migrations.engine.typecheck import Checked, check_types, find_compiler
from migrations.engine.view import AppView
from relay_server.errors import ChatopsError, CheckFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from migrations.engine.outcome import FileChange, Leftover, Migration
    from migrations.engine.packages import PackageManager
    from migrations.engine.plan import Step

_NEW_ERRORS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did. `migrations` are the numbers and titles that were applied or taken back, in that order; `files`
    what was written or removed; `notes` what a person should know (what was not checked, or is still to be done).
    `diff` is that of `down`, without lock files.
    """

    migrations: tuple[tuple[int, str], ...] = ()
    files: tuple[str, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    notes: tuple[str, ...] = ()
    diff: str = ""

    def as_json(self) -> dict[str, object]:
        return {
            "migrations": [{"id": number, "title": title} for number, title in self.migrations],
            "files": list(self.files),
            "leftovers": [leftover.as_json() for leftover in self.leftovers],
            "notes": list(self.notes),
        }


class Engine:
    """The app in the folder `root` and the migrations that are meant for it.

    `progress` gets a short line before anything that may take longer than a second. One process at a time may write;
    the methods that do raise CheckFailed while another one is at it.
    """

    def __init__(
        self,
        root: Path,
        migrations: Sequence[Migration],
        *,
        disk: Disk | None = None,
        progress: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Raises UsageError where there is no app."""
        AppView.of_folder(root)
        self.root = root.resolve()
        self.migrations = tuple(migrations)
        self._disk = disk or Disk()
        self._journal = Journal(self.root, self._disk)
        self._progress = progress

    def view(self) -> AppView:
        """The app as it stands, or as it will when a run that was cut off has been taken back."""
        view = AppView.of_folder(self.root)
        interrupted = self._journal.interrupted()
        if interrupted is None:
            return view
        states = {
            change.path: taken_back(change, self._journal.state_of(change.path), merge=True)
            for change in interrupted.changes
        }
        return view.with_changes({path: state.data if state else None for path, state in states.items()})

    def plan(self, target: int | None = None) -> Plan:
        """What `up` would do; writes nothing. Raises UsageError and CheckFailed, see `make_plan`."""
        plan = make_plan(self.view(), self.migrations, target)
        return Plan(plan.steps, plan.view, plan.after, plan.manager, self._journal.interrupted() is not None)

    def status(self) -> Plan:
        """Where every migration stands, by the code of the app: the plan, whose steps and leftovers say it."""
        return self.plan()

    def recover(self, *, merge: bool = False) -> Report:
        """Take back what a run that was cut off had begun; `up`, `down` and `change` do that by themselves first.

        Raises CheckFailed where somebody edited one of its files since and `merge` is not set or cannot do it.
        """
        with self._locked():
            return Report(notes=self._recovered(merge=merge))

    def up(
        self,
        target: int | None = None,
        *,
        allow_dirty: bool = False,
        type_check: bool = True,
        merge: bool = False,
    ) -> Report:
        """Apply what is pending up to the number `target` (None: everything), all or nothing.

        In this order: what a cut-off run left is taken back; refused if anything is blocked, or if git would show more
        than this run's changes; the package manager works out the lock file; type check; the files are written;
        node_modules brought in step if there is one; type check, whose new errors take it all back.

        Raises UsageError and CheckFailed; the app is then as it was.
        """
        with self._locked():
            notes = list(self._recovered(merge=merge))
            plan = make_plan(AppView.of_folder(self.root), self.migrations, target)
            if plan.blocked:
                raise blocked_error(plan.blocked[0])
            if not plan.pending:
                return Report(leftovers=plan.leftovers, notes=tuple(notes))
            records = self._live()
            if not allow_dirty:
                self._check_clean(plan, records, notes)
            new = self._records(plan)
            before = self._types() if type_check else Checked(unavailable="it was not asked for")
            transaction = as_one("up", new)
            installed = False
            try:
                with self._journal.run(transaction, (*records, *new)):
                    installed = self._install(plan.manager, notes)
                    self._compare_types(before, notes)
            except ChatopsError:
                if installed:
                    self._install_again(plan.manager)
                raise
            return Report(
                tuple((step.number, step.title) for step in plan.pending),
                tuple(change.path for change in transaction.changes),
                make_plan(plan.after, self.migrations, target).leftovers,  # by the lines of the files as they now are
                tuple(notes),
            )

    def down(self, target: int = 0, *, merge: bool = False, dry_run: bool = False) -> Report:
        """Take back what was applied here with a number above `target`, the newest first, to the exact bytes and modes.

        With `dry_run` nothing is written, and the report says what would be. Raises CheckFailed where a file has been
        edited since, unless `merge` can keep the edit; and where a migration is in the code but was not applied here,
        so that only git knows what was before. The app is then as it was.
        """
        with self._locked():
            if dry_run and (interrupted := self._journal.interrupted()) is not None:
                return Report(notes=(f"an earlier run ({interrupted.title}) was cut off; that is taken back first",))
            notes = list(self._recovered(merge=merge))
            records = self._live()
            numbers = {migration.number for migration in self.migrations if migration.number > target}
            undone = [record for record in reversed(records) if record.number in numbers]
            if not undone:
                self._check_nothing_applied(numbers)
                return Report(notes=tuple(notes))
            transaction = backwards(records, undone, self._journal.state_of, merge=merge, merged_lock=self._merged_lock)
            if not dry_run:
                with self._journal.run(transaction, [record for record in records if record not in undone]):
                    pass
                self._install_after_down(transaction, notes)
            return Report(
                tuple((record.number, record.title) for record in undone),
                tuple(change.path for change in transaction.changes),
                notes=tuple(notes),
                diff=unified_diff(
                    (
                        change.path,
                        change.before.data if change.before else None,
                        change.after.data if change.after else None,
                    )
                    for change in transaction.changes
                    if not is_lock_file(change.path)
                ),
            )

    def change(self, title: str, changes: Sequence[FileChange], *, merge: bool = False) -> Report:
        """Write files all or nothing without that being a migration (a switch of the mode, say).

        Where a file stands as a migration left it, that migration's record is carried along, so that `down` still
        gives back what was there before the migration. Raises UsageError and CheckFailed; nothing has changed then.
        """
        with self._locked():
            notes = self._recovered(merge=merge)
            view = AppView.of_folder(self.root)
            done = self._changes(view, [change for change in changes if view.read(change.path) != change.after])
            if not done:
                return Report(notes=notes)
            folders = self._journal.missing_folders([change.path for change in done if change.after is not None])
            records = carried_along(self._journal.records(), done)
            with self._journal.run(Transaction(title, done, folders), records):
                pass
            return Report(files=tuple(change.path for change in done), notes=notes)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the app, and the workspace around it whose lock file the run may write."""
        folders = {self.root}
        with suppress(UsageError):  # told where it matters
            folders.add((self.root / detect_package_manager(AppView.of_folder(self.root)).folder).resolve())
        with ExitStack() as stack:
            for folder in sorted(folders):
                stack.enter_context(locked(folder))
            yield

    def _recovered(self, *, merge: bool) -> tuple[str, ...]:
        transaction = self._journal.recover(merge=merge)
        if transaction is None:
            return ()
        return (f"an earlier run ({transaction.title}) was cut off; what it had begun has been taken back",)

    def _check_clean(self, plan: Plan, records: Sequence[Record], notes: list[str]) -> None:
        """Refuse where git would show this run's changes and somebody's own as one.

        That is: tracked files of the app's folder with changes that are not committed, and files that git does not know
        which this run would write over. What chatops itself wrote before does not count, nor do other new files.
        """
        try:
            if git.work_tree(self.root) is None:
                notes.append("the app is not in a git work tree: only `chatops migrate down` can take this back")
                return
            changed = git.changes(self.root, plan.files)
        except git.GitFailed as error:
            raise CheckFailed(
                f"git cannot tell whether there are changes that are not committed: {error}",
                next_step="see that `git status` works in the app, or run this with --allow-dirty",
                code="dirty_tree",
            ) from None
        ours = {change.path: change.after for record in records for change in record.changes}
        dirty = [path for path in changed if path not in ours or self._journal.state_of(path) != ours[path]]
        if dirty:
            more = f" and {len(dirty) - 1} more" if len(dirty) > 1 else ""
            raise CheckFailed(
                f"there are changes that are not committed: {dirty[0]}{more}",
                next_step="commit or stash them, or run this with --allow-dirty",
                code="dirty_tree",
                report={"files": dirty},
            )

    def _records(self, plan: Plan) -> tuple[Record, ...]:
        """What each pending migration changes, with the lock file that the package manager works out for it."""
        made: set[str] = set()
        modes: dict[str, int] = {}
        records = []
        lock: bytes | None = None
        sofar: dict[str, bytes | None] = {}
        for step in plan.pending:
            files = list(step.changes)
            sofar |= {change.path: change.after for change in files}
            changes = list(self._changes(step.view, files, modes))
            manager = plan.manager
            if step.packages and manager is not None and manager.lock is not None:
                self._progress(f"{manager.name} works out {manager.lock}")
                before = step.view.read(manager.lock) if lock is None else lock
                after = resolved_lock(self.root, manager, {**sofar, manager.lock: before})
                if after != before:
                    path = step.view.real_path(manager.lock)
                    mode = self._mode(path, executable=False)
                    old = None if before is None else FileState(before, mode)
                    changes.append(Change(path, old, FileState(after, mode)))
                lock = after
            folders = [
                folder
                for folder in self._journal.missing_folders([c.path for c in changes if c.after is not None])
                if folder not in made
            ]
            made.update(folders)
            records.append(Record(step.number, step.title, tuple(changes), tuple(folders)))
        return tuple(records)

    def _changes(
        self, view: AppView, changes: Sequence[FileChange], modes: dict[str, int] | None = None
    ) -> tuple[Change, ...]:
        """File changes with modes, on the files that symbolic links lead to. `modes` are those of files that the run
        itself has made so far, and is added to.
        """
        modes = {} if modes is None else modes
        done = []
        for change in changes:
            path = view.real_path(change.path)
            if not may_change(self.root, path):
                raise UsageError(
                    f"{change.path} is a symbolic link that leads out of the app, to {path}",
                    next_step="put the file itself there, and run this again",
                    code="not_writable",
                )
            if change.after is None and (self.root / change.path).is_symlink():
                raise UsageError(
                    f"{change.path} is a symbolic link", next_step="remove it yourself, and run this again",
                    code="not_writable",
                )  # fmt: skip
            before = view.read(change.path)
            mode = modes.setdefault(path, self._mode(path, executable=change.executable, private=change.private))
            done.append(
                Change(
                    path,
                    None if before is None else FileState(before, mode),
                    None if change.after is None else FileState(change.after, mode),
                )
            )
        paths = [change.path for change in done]
        for path in paths:
            if paths.count(path) > 1:
                raise UsageError(
                    f"{path} is reached by two paths, through a symbolic link", next_step="remove the link",
                    code="not_writable",
                )  # fmt: skip
        return tuple(done)

    def _mode(self, path: str, *, executable: bool, private: bool = False) -> int:
        try:
            return (self.root / path).stat().st_mode & 0o7777
        except OSError:
            if private:
                return 0o600
            umask = os.umask(0)
            os.umask(umask)
            return (0o777 if executable else 0o666) & ~umask

    def _live(self) -> tuple[Record, ...]:
        """What has been applied here and is still there."""
        records = self._journal.records()
        if not records:
            return ()
        return live(records, self._numbers() - self._numbers_applied(), self._journal.state_of)

    def _numbers(self) -> set[int]:
        return {migration.number for migration in self.migrations}

    def _numbers_applied(self) -> set[int]:
        """The migrations that are in the code as it stands."""
        view = AppView.of_folder(self.root)
        return {m.number for m in self.migrations if isinstance(outcome_of(m, view), Applied)}

    def _types(self) -> Checked:
        if isinstance(find_compiler(self.root), list):
            self._progress("checking types")
        return check_types(self.root)

    def _compare_types(self, before: Checked, notes: list[str]) -> None:
        if before.unavailable:
            notes.append(f"types were not checked: {before.unavailable}")
            return
        after = self._types()
        if after.unavailable:
            raise CheckFailed(
                f"types could be checked before but not after: {after.unavailable}",
                next_step="everything is as it was; see to the reason, or run this with --no-type-check",
                code="type_errors",
            )
        new = after.new_since(before)
        if new:
            more = f" and {len(new) - _NEW_ERRORS_SHOWN} more" if len(new) > _NEW_ERRORS_SHOWN else ""
            raise CheckFailed(
                f"the app would have new type errors: {'; '.join(map(str, new[:_NEW_ERRORS_SHOWN]))}{more}",
                next_step="everything is as it was; mend what they point to, or run this with --no-type-check",
                code="type_errors",
                report={"type_errors": [str(error) for error in new]},
            )

    def _install(self, manager: PackageManager | None, notes: list[str]) -> bool:
        if manager is None:
            return False
        if manager.lock is None:
            notes.append(f"the app has no lock file, so none was written ({manager.name} is its package manager)")
        if not has_installed(self.root, manager):
            notes.append(f"the packages are not installed: run `{manager.install_command}`")
            return False
        self._progress(f"{manager.install_command} brings node_modules in step")
        install(self.root, manager)
        return True

    def _install_after_down(self, transaction: Transaction, notes: list[str]) -> None:
        if any(change.path == MANIFEST or is_lock_file(change.path) for change in transaction.changes):
            with suppress(UsageError):  # no one package manager: there is none to run
                manager = detect_package_manager(AppView.of_folder(self.root))
                if has_installed(self.root, manager) and (reason := self._install_again(manager)):
                    notes.append(f"node_modules still has the packages that were taken out: {reason}")

    def _install_again(self, manager: PackageManager | None) -> str:
        """Bring node_modules in step after the files were taken back; the reason if that fails, else "".

        The files are as they should be then; what is installed is only a copy.
        """
        assert manager is not None
        self._progress(f"{manager.install_command} brings node_modules in step")
        try:
            install(self.root, manager)
        except ChatopsError as error:
            return error.message
        return ""

    def _check_nothing_applied(self, numbers: set[int]) -> None:
        applied = numbers & self._numbers_applied()
        if applied:
            last = max((m for m in self.migrations if m.number in applied), key=lambda m: m.number)
            raise CheckFailed(
                f"migration {last.number} ({last.title}) is in the code, but was not applied by chatops in this copy "
                "of the app: what was there before is not known here",
                next_step="take back the commit that brought it, with git revert",
                code="no_record",
            )

    def _merged_lock(self, path: str, now: dict[str, FileState | None]) -> FileState | None:
        """A lock file that has been rewritten since: it is not merged but worked out from the merged package.json."""
        manager = detect_package_manager(AppView.of_folder(self.root))
        current = self._journal.state_of(path)
        if manager.lock is None or current is None or not (self.root / manager.lock).samefile(self.root / path):
            return current
        self._progress(f"{manager.name} works out {path}")
        others = {name: state.data if state else None for name, state in now.items() if name != path}
        return FileState(resolved_lock(self.root, manager, others), current.mode)


def blocked_error(step: Step) -> CheckFailed:
    """A blocked migration as the error that a person gets."""
    next_step = step.outcome.next_step if isinstance(step.outcome, Blocked) else ""
    return CheckFailed(
        f"migration {step.number} ({step.title}) cannot be applied: {step.reason}",
        next_step=next_step or "change that place by hand, and run this again; nothing was changed",
        code="blocked",
    )
