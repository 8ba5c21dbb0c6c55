"""Disks that are full, read-only or broken, and files that may not be written: one line, and the app as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from migrations.engine import Disk, Engine
from relay_server.errors import ChatopsError, UsageError
from tests.migrations.engine.apps import ALL, refusal, snapshot, write_app
from tests.migrations.engine.disks import BrokenDisk, CountingDisk, FullDisk

TOP = Path(__file__).parents[3]


def writes_of(root: Path, command: str) -> int:
    disk = CountingDisk()
    run(root, command, disk)
    return disk.writes


def run(root: Path, command: str, disk: Disk) -> None:
    engine = Engine(root, ALL, disk=disk)
    if command == "up":
        engine.up(type_check=False, allow_dirty=True)
    else:
        engine.down()


def prepared(root: Path, command: str) -> dict[str, tuple[int, bytes]]:
    """An app at which the command is due; what it looks like."""
    write_app(root)
    if command == "down":
        run(root, "up", Disk())
    return snapshot(root)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["up", "down"])
@pytest.mark.parametrize("kind", [FullDisk, BrokenDisk])
def test_a_disk_that_fails_at_any_write(in_memory: Path, command: str, kind: type[FullDisk | BrokenDisk]) -> None:
    """Every write in turn: either it comes out whole, or one line says why not and the app is as it was."""
    prepared(in_memory / "count", command)
    failures = 0
    for number in range(writes_of(in_memory / "count", command)):
        root = in_memory / str(number)
        before = prepared(root, command)
        error = refusal(lambda: run(root, command, kind(number)))  # noqa: B023 (called at once)
        if error is not None:
            failures += 1
            assert "\n" not in error.message
            assert error.code in ("not_written", "not_put_back")
            if error.code == "not_put_back":  # the one failure was in the taking back: left to the next run
                Engine(root, ALL).recover()
            assert snapshot(root) == before, number
        run(root, command, Disk())
        assert snapshot(root) == snapshot(in_memory / "count"), number
        assert {path.name for path in root.glob(".chatops/*")} <= {".gitignore", "state.json"}
    assert failures > 10


@pytest.mark.parametrize("limit", [0, 1, 30, 200, 300, 600, 2000, 6000, 20000])
def test_a_limit_on_the_size_of_files_leaves_all_or_nothing(in_memory: Path, limit: int) -> None:
    """A limit of the system itself, which it puts on a process of its own."""
    before = prepared(in_memory, "up")
    code = (
        "import resource, sys; from pathlib import Path; from relay_server.errors import CheckFailed\n"
        "from tests.migrations.engine.test_disk import run; from migrations.engine import Disk\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)\n"
        "try: run(Path(sys.argv[1]), 'up', Disk())\n"
        "except CheckFailed as error: print(error.code, error.message); sys.exit(error.exit_code)"
    )
    ended = subprocess.run(
        [sys.executable, "-B", "-c", code, str(in_memory), str(limit)],
        cwd=TOP,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == (0 if limit == 20000 else 1), ended.stderr
    if ended.returncode:
        assert ended.stdout.startswith("not_written the app's files cannot be written: File too large")
        assert ended.stdout.count("\n") == 1
        assert snapshot(in_memory) == before
        assert not (in_memory / ".chatops").exists()


def test_a_read_only_file_is_refused_before_anything_is_written(in_memory: Path) -> None:
    before = prepared(in_memory, "up")
    (in_memory / "src/chat.ts").chmod(0o444)
    with pytest.raises(UsageError, match=r"^src/chat\.ts is read-only$") as caught:
        run(in_memory, "up", Disk())
    assert caught.value.next_step.startswith("chmod u+w src/chat.ts")
    (in_memory / "src/chat.ts").chmod(0o640)
    assert snapshot(in_memory) == before
    assert not (in_memory / ".chatops").exists()


def test_a_folder_that_may_not_be_written_to_is_refused(in_memory: Path) -> None:
    """As a user without privileges: root may write everywhere."""
    before = prepared(in_memory / "app", "up")
    user, nobody = os.geteuid(), 65534
    if user == 0:
        for path in [in_memory, *in_memory.rglob("*")]:
            os.chown(path, nobody, nobody)
        os.seteuid(nobody)
    try:
        (in_memory / "app/src").chmod(0o555)
        with pytest.raises(UsageError, match=r"^the folder \S+/app/src cannot be written to$"):
            run(in_memory / "app", "up", Disk())
        (in_memory / "app/src").chmod(0o755)
    finally:
        os.seteuid(user)
    assert snapshot(in_memory / "app") == before


def test_a_file_that_may_not_be_read_is_refused(in_memory: Path) -> None:
    prepared(in_memory / "app", "up")
    user, nobody = os.geteuid(), 65534
    (in_memory / "app/package.json").chmod(0)
    if user == 0:
        in_memory.chmod(0o755)
        os.seteuid(nobody)
    try:
        with pytest.raises(ChatopsError, match=r"/app/package\.json cannot be read: Permission denied"):
            run(in_memory / "app", "up", Disk())
    finally:
        os.seteuid(user)
