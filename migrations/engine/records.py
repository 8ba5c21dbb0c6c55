"""What has been applied, as data, and the arithmetic on it: taking back, adding up, carrying along. Pure but for `git
merge-file`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from migrations.engine import git
from migrations.engine.disk import FileState
from migrations.engine.json_merge import take_out
from migrations.engine.packages import is_lock_file
from relay_server.errors import CheckFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class Change:
    """A file before and after, None for no file. `path` is seen from the app's folder and is no symbolic link."""

    path: str
    before: FileState | None
    after: FileState | None


@dataclass(frozen=True, slots=True)
class Record:
    """A migration that has been applied here. `folders` are those that it made, outermost first."""

    number: int
    title: str
    changes: tuple[Change, ...]
    folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Transaction:
    """What one run changes. `made` are folders that it makes, `gone` those that it removes if they are empty then."""

    title: str
    changes: tuple[Change, ...]
    made: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def taken_back(change: Change, current: FileState | None, *, merge: bool = False) -> FileState | None:
    """The file as it is without the change. An edit made since then is kept by a three-way merge if `merge`.

    A mode that is another since then is kept and is no edit: a checkout sets it anew by git's rules and the umask.
    Raises CheckFailed where it was edited since and is not to be merged, or where the edit and the change meet.
    """
    if _same_bytes(current, change.after):
        if current is None or change.after is None or change.before is None or current.mode == change.after.mode:
            return change.before
        return FileState(change.before.data, current.mode)
    if _same_bytes(current, change.before):
        return current
    if not merge:
        raise CheckFailed(
            f"{change.path} has been edited since",
            next_step="run it with --merge to keep the edit and take back the rest, or undo the edit first",
            code="edited_since",
            report={"files": [change.path]},
        )
    if current is None:
        return None
    merged: bytes | None = None
    reason = "the edit and the change are at the same place"
    if change.before is None or change.after is None:
        reason = "the file as a whole is new" if change.before is None else "the file as a whole was removed"
    else:
        try:
            merged = git.merge(current.data, change.after.data, change.before.data)
        except git.GitFailed as error:
            reason = f"git does not merge it: {error}"
        if merged is None and change.path.endswith(".json") and not is_lock_file(change.path):
            merged = take_out(current.data, change.before.data, change.after.data)
    if merged is None or change.after is None or change.before is None:
        raise CheckFailed(
            f"{change.path} has been edited since and cannot be merged: {reason}",
            next_step=f"move your edit of {change.path} somewhere else, undo it there, and run this again",
            code="merge_conflict",
            report={"files": [change.path]},
        )
    return FileState(merged, change.before.mode if current.mode == change.after.mode else current.mode)


def _same_bytes(one: FileState | None, other: FileState | None) -> bool:
    return (one and one.data) == (other and other.data)


def as_one(title: str, records: Sequence[Record]) -> Transaction:
    """The transaction that does what several records say, one after the other."""
    first: dict[str, FileState | None] = {}
    last: dict[str, FileState | None] = {}
    for record in records:
        for change in record.changes:
            first.setdefault(change.path, change.before)
            last[change.path] = change.after
    changes = tuple(Change(path, first[path], last[path]) for path in last if first[path] != last[path])
    return Transaction(title, changes, tuple(folder for record in records for folder in record.folders))


def carried_along(records: Sequence[Record], changes: Sequence[Change]) -> list[Record]:
    """The records with what these changes make of files that stand as a record left them."""
    carried = list(records)
    for change in changes:
        for at in reversed(range(len(carried))):
            there = {old.path: old for old in carried[at].changes}
            if change.path in there:
                if there[change.path].after == change.before:
                    there[change.path] = Change(change.path, there[change.path].before, change.after)
                    carried[at] = replace(carried[at], changes=tuple(there.values()))
                break
    return carried


def live(
    records: Sequence[Record], absent: set[int], state_of: Callable[[str], FileState | None]
) -> tuple[Record, ...]:
    """The records that still say something. Left out are those of migrations that are not in the code (`absent`) and
    whose files are all back at something from before them: git, or somebody, took them back.
    """
    kept = []
    for at, record in enumerate(records):
        history = {
            change.path: [c.before for r in records[: at + 1] for c in r.changes if c.path == change.path]
            for change in record.changes
        }
        if record.number not in absent or not all(
            any(_same_bytes(state_of(path), state) for state in states) for path, states in history.items()
        ):
            kept.append(record)
    return tuple(kept)


def backwards(
    records: Sequence[Record],
    undone: Sequence[Record],
    state_of: Callable[[str], FileState | None],
    *,
    merge: bool,
    merged_lock: Callable[[str, dict[str, FileState | None]], FileState | None],
) -> Transaction:
    """The transaction that takes back `undone`, the newest first, out of `records`, the oldest first.

    Lock files that cannot be merged as text are asked of `merged_lock`, with everything else as it will be. Raises
    CheckFailed, see `taken_back`; also where a record that stays has changed one of the files since.
    """
    first: dict[str, FileState | None] = {}
    now: dict[str, FileState | None] = {}
    locks: set[str] = set()
    for record in undone:
        for change in record.changes:
            path = change.path
            if path not in now:
                first[path] = now[path] = state_of(path)
            above = [r for r in records[records.index(record) + 1 :] if r not in undone]
            in_the_way = [r.title for r in above if path in {c.path for c in r.changes}]
            if in_the_way and now[path] not in (change.after, change.before):
                raise CheckFailed(
                    f"{path} has since been changed by another step ({in_the_way[-1]})",
                    next_step="take that back first",
                    code="edited_since",
                    report={"files": [path]},
                )
            try:
                now[path] = taken_back(change, now[path], merge=merge)
            except CheckFailed:
                if not (merge and is_lock_file(path)):
                    raise
                locks.add(path)
    for path in sorted(locks):
        now[path] = merged_lock(path, now)
    changes = tuple(Change(path, first[path], now[path]) for path in now if first[path] != now[path])
    gone = tuple(dict.fromkeys(folder for record in reversed(undone) for folder in record.folders))
    return Transaction("down", changes, (), gone)
