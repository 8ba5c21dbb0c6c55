"""Runs a command again and again, kills it at each of its writes in turn, and looks at what the next run makes of it.

A process of its own with one thread, so that every run can be a fork. Prints the number of writes and of kills;
whatever is not as it should be ends it with a traceback. Arguments: a folder to work in, `up` or `down`, and `recover`
to kill the recovery from each of the kills at each of its writes too (of two migrations then, not of all).
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from migrations.engine import Engine
from tests.migrations.engine.apps import ALL, snapshot, write_app
from tests.migrations.engine.disks import CountingDisk, KillingDisk, is_killed

if TYPE_CHECKING:
    from collections.abc import Callable

    from migrations.engine import Disk

    Snapshot = dict[str, tuple[int, bytes]]


MIGRATIONS = ALL[2:] if sys.argv[3:] == ["recover"] else ALL


def up(root: Path, disk: Disk) -> None:
    Engine(root, MIGRATIONS, disk=disk).up(type_check=False, allow_dirty=True)


def down(root: Path, disk: Disk) -> None:
    Engine(root, MIGRATIONS, disk=disk).down()


def recover(root: Path, disk: Disk) -> None:
    Engine(root, MIGRATIONS, disk=disk).recover()


class WatchedDisk(CountingDisk):
    """Knows when it is at work, for `no_other_writes`."""

    working = False

    def at(self, number: int, name: str) -> None:
        self.working = True


def no_other_writes(command: Callable[[Path, Disk], None], root: Path) -> None:
    """Run the command in a process of its own that ends at a write below `root` that is none of the disk's."""
    disk = WatchedDisk()

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        writes = event in (
            "os.rename",
            "os.remove",
            "os.rmdir",
            "os.mkdir",
            "os.truncate",
            "os.symlink",
            "os.link",
            "os.chmod",
        )
        if event == "open" and isinstance(arguments[2], int):
            writes = bool(arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))
        if writes and str(root) in str(arguments[0]):
            if not disk.working:
                os.write(2, f"{event} {arguments}\n".encode())
                os._exit(1)
            disk.working = False

    child = os.fork()
    if child == 0:
        sys.addaudithook(watch)
        command(root, disk)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def killed(command: Callable[[Path, Disk], None], root: Path, disk: Disk) -> bool:
    """Run the command in a process of its own; whether the disk killed it."""

    def run() -> int:
        command(root, disk)
        return 0

    return is_killed(run)


def every_kill(command: Callable[[Path, Disk], None], start: Path, work: Path) -> list[tuple[str, Path]]:
    """A copy of `start` for every write of the command, in which it was killed there."""
    crashed = []
    for halfway in (False, True):
        number = 0
        while True:
            copy = work / f"{command.__name__}-{number}{'-halfway' if halfway else ''}"
            shutil.copytree(start, copy, symlinks=True)
            if not killed(command, copy, KillingDisk(number, halfway=halfway)):
                shutil.rmtree(copy)
                break
            crashed.append((copy.name, copy))
            number += 1
    return crashed


def main(work: Path, name: str, also_recovery: bool) -> None:
    command = {"up": up, "down": down}[name]
    start = write_app(work / "start")
    if name == "down":
        up(start, CountingDisk())
    before = snapshot(start)
    watched = work / "watched"
    shutil.copytree(start, watched, symlinks=True)
    no_other_writes(command, watched)
    done = work / "done"
    shutil.copytree(start, done, symlinks=True)
    counting = CountingDisk()
    command(done, counting)
    after = snapshot(done)
    assert before != after
    crashes = every_kill(command, start, work)
    assert len(crashes) == 2 * counting.writes, "a write was not reached, or one was not counted"
    kills = len(crashes)
    ends = set()
    for label, root in crashes:
        if also_recovery:
            for inner, again in every_kill(recover, root, work / "recovery"):
                kills += 1
                check(f"{label}, then {inner}", again, command, before, after)
                shutil.rmtree(again)
        ends.add(check(label, root, command, before, after))
    assert ends == {"before", "after"}, ends
    print(f"{counting.writes} writes, {kills} kills")


def check(label: str, root: Path, command: Callable[[Path, Disk], None], before: Snapshot, after: Snapshot) -> str:
    """The next run leaves the whole before or the whole after, and nothing beside it; the command still works then."""
    recover(root, CountingDisk())
    found = snapshot(root)
    assert found in (before, after), f"{label}: neither before nor after: {sorted(found)}"
    left = {path.name for path in root.glob(".chatops/*")}
    assert left <= {".gitignore", "state.json"}, f"{label}: {left}"
    records = "state.json" in left
    applied = (found == after) == (command is up)
    assert records == applied, f"{label}: {left}"
    command(root, CountingDisk())
    assert snapshot(root) == after, label
    return "before" if found == before else "after"


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:] == ["recover"])
