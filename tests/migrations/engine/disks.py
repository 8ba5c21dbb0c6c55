"""Disks that count the engine's writes, and end the process or fail at the n-th."""

from __future__ import annotations

import errno
import os
import signal
from typing import TYPE_CHECKING, NoReturn

from migrations.engine import Disk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def is_killed(run: Callable[[], int]) -> bool:
    """Run it in a fork of this process; whether a disk killed that. Any other end but success (0) is an error."""
    child = os.fork()
    if child == 0:
        os._exit(run())
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.waitstatus_to_exitcode(status) == 0
    return False


class CountingDisk(Disk):
    """`at` is called with the number (from 0) and the name of a write before each."""

    def __init__(self) -> None:
        self.writes = 0

    def at(self, number: int, name: str) -> None: ...

    def within(self, number: int, path: Path, data: bytes) -> None:
        """Called when a new file is about to be written."""

    def _count(self, name: str) -> int:
        number = self.writes
        self.writes += 1
        self.at(number, name)
        return number

    def create(self, path: Path, data: bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
        self.within(self._count("create"), path, data)
        super().create(path, data, mode, owner)

    def rename(self, source: Path, target: Path) -> None:
        self._count("rename")
        super().rename(source, target)

    def remove(self, path: Path) -> None:
        self._count("remove")
        super().remove(path)

    def make_folder(self, path: Path, mode: int = 0o777) -> None:
        self._count("make_folder")
        super().make_folder(path, mode)

    def remove_folder(self, path: Path) -> None:
        self._count("remove_folder")
        super().remove_folder(path)

    def sync_folder(self, path: Path) -> None:
        self._count("sync_folder")
        super().sync_folder(path)


class KillingDisk(CountingDisk):
    """Ends the process with SIGKILL before its n-th write, or with half of it done."""

    def __init__(self, number: int, *, halfway: bool = False) -> None:
        super().__init__()
        self._number = number
        self._halfway = halfway

    def at(self, number: int, name: str) -> None:
        if number == self._number and not (self._halfway and name == "create"):
            _die()

    def within(self, number: int, path: Path, data: bytes) -> None:
        if number == self._number:
            path.write_bytes(data[: len(data) // 2])
            _die()


class FullDisk(CountingDisk):
    """Has no room for what is written from the n-th write on; renaming and removing go on working."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def at(self, number: int, name: str) -> None:
        if number >= self._number and name == "make_folder":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def within(self, number: int, path: Path, data: bytes) -> None:
        if number >= self._number:
            path.write_bytes(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


class BrokenDisk(CountingDisk):
    """Fails at its n-th write and at no other."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def at(self, number: int, name: str) -> None:
        if number == self._number:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError
