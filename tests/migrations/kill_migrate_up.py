"""Kills `chatops migrate up` at each of its writes in turn, and looks at what the next run makes of it.

A process of its own with one thread, so that every run can be a fork: a fork of the real command with a disk that ends
the process. Argument: a folder to work in. Prints the writes, the kills, and how many ended in the whole before and in
the whole after; whatever is not as it should be ends it with a traceback.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from pathlib import Path
from unittest import mock

from cli import main as command
from migrations.catalogue import all_migrations
from migrations.engine import AppView, Engine, make_plan
from migrations.hints import AppHints
from tests.apps.variants import VARIANTS
from tests.migrations.engine.apps import snapshot, write_app
from tests.migrations.engine.disks import CountingDisk, KillingDisk, is_killed

ALL = all_migrations(AppHints())


def migrate_up(root: Path, disk: CountingDisk) -> int:
    """The command itself, in this process, with the engine's disk replaced."""
    with mock.patch("migrations.engine.engine.Disk", return_value=disk):
        sys.argv = ["chatops", "migrate", "up", "--app", str(root), "--no-type-check", "--json"]
        return command.run()


def killed(root: Path, disk: CountingDisk) -> bool:
    """Run the command in a fork; whether the disk killed it."""

    def run() -> int:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return migrate_up(root, disk)

    return is_killed(run)


def main(work: Path) -> None:
    files = {path: data for path, data in VARIANTS["npm"]().items() if path != "package-lock.json"}
    start = write_app(work / "start", files)
    before = snapshot(start)
    planned = make_plan(AppView.of_folder(start), ALL).after  # for the forks: what is parsed once stays parsed
    done = work / "done"
    shutil.copytree(start, done)
    counting = CountingDisk()
    with mock.patch("sys.stdout"):
        assert migrate_up(done, counting) == 0
    after = snapshot(done)
    assert {path: planned.read(path) for path in after if (done / path).is_file()} == {
        path: data for path, (_, data) in after.items() if (done / path).is_file()
    }
    ends: Counter[str] = Counter()
    for halfway in (False, True):
        for number in range(counting.writes + 1):
            copy = work / "copy"
            shutil.copytree(start, copy)
            was_killed = killed(copy, KillingDisk(number, halfway=halfway))
            assert was_killed == (number < counting.writes), f"write {number} was not reached, or one was not counted"
            if was_killed:
                Engine(copy, ALL).recover()
                found = snapshot(copy)
                assert found in (before, after), f"write {number}: neither before nor after: {sorted(found)}"
                ends["before" if found == before else "after"] += 1
            shutil.rmtree(copy)
    print(f"{counting.writes} writes, {ends.total()} kills, {ends['before']} before, {ends['after']} after")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
