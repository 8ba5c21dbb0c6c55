"""All or nothing: what the app is changed by is written down before the first byte changes.

In the app's folder `.chatops`, which git ignores by a .gitignore of its own:

    state.json      the migrations that have been applied here, with the bytes and modes before and after each
    journal.json    only while a run is at work: its changes, and state.json as it will be
    staging/        the new and the old files of the run, to be renamed into place

A run (1) writes every file that it may need into staging/, so that a full disk shows before anything has changed,
(2) writes journal.json, (3) renames files into place and removes others, one after the other, (4) renames journal.json
to state.json, which is the moment at which it holds. Cut off before (4), the next run takes back what journal.json
says; each file is found either as it was or as it was to be, because each is replaced in one step. Anything else is
somebody's edit, and stops it.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NoReturn, TypeVar

import msgspec

from migrations.engine import git
from migrations.engine.disk import Disk, FileState, read_state
from migrations.engine.packages import is_lock_file
from migrations.engine.records import Change, Record, Transaction, taken_back
from relay_server.app_folder import FOLDER
from relay_server.errors import ChatopsError, CheckFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_VERSION = 1
_OURS = {".gitignore", "state.json", "journal.json", "journal.json.new", "staging"}
_Kind = TypeVar("_Kind")


@dataclass(frozen=True, slots=True)
class _State:
    version: int
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class _Journal:
    version: int
    records: tuple[Record, ...]
    transaction: Transaction


class Journal:
    """The journal of the app in the folder `root`. One process at a time: see `disk.locked`."""

    def __init__(self, root: Path, disk: Disk) -> None:
        self.root = root.resolve()
        self.folder = self.root / FOLDER
        self._disk = disk
        self._staging = self.folder / "staging"
        self._journal = self.folder / "journal.json"
        self._state = self.folder / "state.json"

    def records(self) -> tuple[Record, ...]:
        """What has been applied, the oldest first. Raises UsageError: state.json cannot be read."""
        state = self._read(self._state, _State)
        return state.records if state is not None else ()

    def interrupted(self) -> Transaction | None:
        """What a run that was cut off had begun. Raises UsageError: journal.json cannot be read."""
        journal = self._read(self._journal, _Journal)
        return journal.transaction if journal is not None else None

    def state_of(self, path: str) -> FileState | None:
        """A file of the app. Raises UsageError: no regular file, or not to be read."""
        return read_state(self.root / path)

    def missing_folders(self, paths: Sequence[str]) -> tuple[str, ...]:
        """The folders that have to be made for these files, outermost first."""
        folders: dict[str, None] = {}
        for path in paths:
            for parent in reversed(PurePosixPath(path).parents[:-1]):
                if not (self.root / parent).is_dir():
                    folders[parent.as_posix()] = None
        return tuple(folders)

    @contextmanager
    def run(self, transaction: Transaction, records: Sequence[Record]) -> Iterator[None]:
        """Change the app, do what stands in the block, and make it hold, with `records` as what has been applied.

        Whatever goes wrong before that takes the change back. Raises CheckFailed with the reason where files cannot be
        written, UsageError where one may not be.
        """
        try:
            self._prepare(transaction, records)
        except BaseException as error:
            with suppress(OSError):  # nothing of the app has changed yet
                self._disk.remove(self._journal)
                self._clean()
            _raise_told(error)
        done: list[Change] = []
        try:
            self._carry_out(transaction, done)
            yield
            self._disk.rename(self._journal, self._state)
        except BaseException as error:
            try:  # what has not been reached may be somebody's edit by now: the very reason, perhaps
                self._take_back(replace(transaction, changes=tuple(done)), merge=False)
            except (OSError, ChatopsError) as second:
                raise CheckFailed(
                    f"{_told(error)}; and not everything could be put back: {_told(second)}",
                    next_step="see to the reason; the next run puts the rest back",
                    code="not_put_back",
                ) from error
            _raise_told(error)
        with suppress(OSError):  # it holds; what is left over is cleared away by the next run
            self._disk.sync_folder(self.folder)
            self._clean()

    def recover(self, *, merge: bool = False) -> Transaction | None:
        """Take back what a run that was cut off had begun, if there is any, and clear away what it left.

        Raises CheckFailed where somebody has edited one of the files since (see `taken_back`), or they cannot be
        written; UsageError where the journal cannot be read.
        """
        transaction = self.interrupted()
        try:
            if transaction is not None:
                self._take_back(transaction, merge=merge)
            elif self.folder.is_dir() and not self.folder.is_symlink():
                self._clean()
        except OSError as error:
            _raise_told(error)
        return transaction

    def _prepare(self, transaction: Transaction, records: Sequence[Record]) -> None:
        for change in transaction.changes:
            self._check_place(change)
        for folder in (self.folder, self._staging):
            if not folder.is_dir():
                self._disk.make_folder(folder, 0o700)
        if not (self.folder / ".gitignore").is_file():
            self._disk.create(self.folder / ".gitignore", b"*\n", 0o644)
        self._disk.sync_folder(self.root)
        for path in list(self._staging.iterdir()):
            self._disk.remove(path)
        for number, change in enumerate(transaction.changes):
            owner = self._owner(change.path)
            for name, state in (("before", change.before), ("after", change.after)):
                if state is not None:
                    self._disk.create(self._staging / f"{number}.{name}", state.data, state.mode, owner)
        self._disk.sync_folder(self._staging)
        new = self.folder / "journal.json.new"
        self._disk.remove(new)
        self._disk.create(new, msgspec.json.encode(_Journal(_VERSION, tuple(records), transaction)), 0o600)
        self._disk.rename(new, self._journal)
        self._disk.sync_folder(self.folder)

    def _carry_out(self, transaction: Transaction, done: list[Change]) -> None:
        for number, change in enumerate(transaction.changes):
            self._check_unchanged(change)
            done.append(change)
            self._put(change.path, change.after, self._staging / f"{number}.after")
        for folder in reversed(transaction.gone):
            self._disk.remove_folder(self.root / folder)
        self._sync(transaction)

    def _take_back(self, transaction: Transaction, *, merge: bool) -> None:
        wanted = [taken_back(change, self.state_of(change.path), merge=merge) for change in transaction.changes]
        for number, (change, state) in enumerate(zip(transaction.changes, wanted, strict=True)):
            current = self.state_of(change.path)
            if current == state:
                continue
            staged = self._staging / f"{number}.before"
            if state is not None and (state != change.before or read_state(staged) != state):
                staged = self._staging / f"{number}.back"
                self._disk.make_folder(self._staging, 0o700)
                self._disk.remove(staged)
                self._disk.create(staged, state.data, state.mode, self._owner(change.path))
            self._put(change.path, state, staged)
        for folder in reversed(transaction.made):
            self._disk.remove_folder(self.root / folder)
        self._sync(transaction)
        self._disk.remove(self._journal)
        self._disk.sync_folder(self.folder)
        with suppress(OSError):
            self._clean()

    def _put(self, path: str, state: FileState | None, staged: Path) -> None:
        target = self.root / path
        if state is None:
            self._disk.remove(target)
            return
        for folder in self.missing_folders([path]):
            self._disk.make_folder(self.root / folder)
        self._disk.rename(staged, target)

    def _sync(self, transaction: Transaction) -> None:
        folders = {(self.root / change.path).parent for change in transaction.changes}
        folders |= {(self.root / folder).parent for folder in (*transaction.made, *transaction.gone)}
        for folder in sorted(folders):
            if folder.is_dir():
                self._disk.sync_folder(folder)

    def _clean(self) -> None:
        """Remove what no run needs any more; the whole folder if nothing is applied."""
        if self._staging.is_dir():
            for path in list(self._staging.iterdir()):
                self._disk.remove(path)
            self._disk.remove_folder(self._staging)
        self._disk.remove(self.folder / "journal.json.new")
        if self.records() or self._journal.exists():
            return
        self._disk.remove(self._state)
        if {path.name for path in self.folder.iterdir()} <= _OURS:
            self._disk.remove(self.folder / ".gitignore")
            self._disk.remove_folder(self.folder)

    def _owner(self, path: str) -> tuple[int, int] | None:
        with suppress(OSError):
            found = (self.root / path).stat()
            return found.st_uid, found.st_gid
        return None

    def _check_place(self, change: Change) -> None:
        """Raise UsageError where the file may not be written, CheckFailed where it is not as it was."""
        target = self.root / change.path
        if target.is_symlink() or self.folder.is_symlink():
            raise _refused(f"{change.path} has become a symbolic link", "see what has put it there, and run this again")
        if change.before is not None and not change.before.mode & stat.S_IWUSR:
            raise _refused(f"{change.path} is read-only", f"chmod u+w {change.path}, and run this again")
        folder = target.parent
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir():
            raise _refused(f"{folder} is in the way: it is no folder", "rename it, and run this again")
        if not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            raise _refused(f"the folder {folder} cannot be written to", f"chmod u+wx {folder}, and run this again")
        if folder.stat().st_dev != self.root.stat().st_dev:
            raise _refused(
                f"{change.path} is on another file system than the app, where it cannot be replaced in one step",
                "move it to the app's file system",
            )
        self._check_unchanged(change)

    def _check_unchanged(self, change: Change) -> None:
        if self.state_of(change.path) != change.before:
            raise CheckFailed(
                f"{change.path} was changed by something else just now", next_step="run this again", code="changed"
            )

    def _read(self, path: Path, kind: type[_Kind]) -> _Kind | None:
        found = read_state(path)
        if found is None:
            return None
        try:
            version = msgspec.json.decode(found.data, type=dict[str, msgspec.Raw])["version"]
            if msgspec.json.decode(version) != _VERSION:
                raise UsageError(
                    f"{path} was written by another version of chatops",
                    next_step="use that version, or git, to take its work back",
                    code="bad_journal",
                )
            value = msgspec.json.decode(found.data, type=kind)
        except (msgspec.MsgspecError, KeyError):
            raise UsageError(
                f"{path} is not what chatops wrote",
                next_step=f"move {path} away; what was applied can then be taken back with git only",
                code="bad_journal",
            ) from None
        self._check_paths(path, value)
        return value

    def _check_paths(self, journal: Path, value: object) -> None:
        """Nobody's file is written because a journal that came with an app says so."""
        paths: list[str] = []
        if isinstance(value, _Journal):
            paths += [*(change.path for change in value.transaction.changes), *value.transaction.made]
            paths += value.transaction.gone
        for record in value.records if isinstance(value, (_State, _Journal)) else ():
            paths += [*(change.path for change in record.changes), *record.folders]
        for path in dict.fromkeys(paths):
            if not may_change(self.root, path):
                raise UsageError(
                    f"{journal} names a file that is none of the app's: {path}",
                    next_step=f"move {journal} away",
                    code="bad_journal",
                )


def may_change(root: Path, path: str) -> bool:
    """Whether a path, seen from the app's folder, is one that the engine may ever write: in the app, in the work tree
    that the app is a part of, or the lock file of a workspace around it; and no part of git's own folder.
    """
    target = Path(os.path.normpath(root / path))
    if (
        not path
        or path.startswith("/")
        or {".git", FOLDER} & {part.lower() for part in target.parts[len(root.parts) :]}
    ):
        return False
    if target.is_relative_to(root):
        return target != root
    if ".git" in target.parts:
        return False
    if is_lock_file(path) and root.is_relative_to(target.parent):
        return True
    try:
        top = git.work_tree(root)
    except git.GitFailed:
        return False
    return top is not None and target.is_relative_to(top.resolve())


def _refused(message: str, next_step: str) -> UsageError:
    return UsageError(message, next_step=next_step, code="not_writable")


def _raise_told(error: BaseException) -> NoReturn:
    told = _told(error)
    if told is error:
        raise error
    raise told from error


def _told(error: BaseException) -> BaseException:
    """An error of the disk as one line for a person; anything else as it is."""
    if not isinstance(error, OSError):
        return error
    name = error.filename2 or error.filename
    next_step = {
        errno.ENOSPC: "make room on the disk, and run this again",
        errno.EDQUOT: "make room in your quota, and run this again",
        errno.EFBIG: "lift the limit on the size of files, and run this again",
        errno.EROFS: "make the file system writable, and run this again",
    }.get(error.errno or 0, "see to the reason, and run this again")
    where = f" {name}" if name else ""
    return CheckFailed(
        f"the app's files cannot be written: {error.strerror or error}{where}", next_step=next_step, code="not_written"
    )
