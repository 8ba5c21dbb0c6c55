"""Every write of the engine, one method each: tests put in one that dies or fails at the n-th."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relay_server.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class FileState:
    """A regular file: its bytes and the permission bits of its mode."""

    data: bytes
    mode: int


def read_state(path: Path) -> FileState | None:
    """What is at this place, None if nothing. Raises UsageError: not a regular file, or not to be read."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            return FileState(file.read(), stat.S_IMODE(found.st_mode))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", next_step="make it a readable file", code="unreadable"
        ) from None


class Disk:
    """Durable, whole writes. Methods raise OSError."""

    def create(self, path: Path, data: bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
        """A new file that is on the disk when this returns. `owner` is user and group, kept where that is allowed."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if owner is not None and owner != (os.getuid(), os.getgid()):
                with contextlib.suppress(PermissionError):
                    os.fchown(descriptor, *owner)
            os.fchmod(descriptor, mode)
            _sync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Put a file in the place of another, in one step."""
        source.replace(target)

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""
        path.unlink(missing_ok=True)

    def make_folder(self, path: Path, mode: int = 0o777) -> None:
        path.mkdir(mode, exist_ok=True)

    def remove_folder(self, path: Path) -> None:
        """Remove a folder if it is there and empty."""
        with contextlib.suppress(FileNotFoundError):
            try:
                path.rmdir()
            except OSError:
                if not any(path.iterdir()):
                    raise

    def sync_folder(self, path: Path) -> None:
        """Put on the disk which files a folder has."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _sync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock on a folder: it leaves nothing behind and ends with the process. Raises CheckFailed: it is held."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CheckFailed(
                f"another chatops is at work in {folder}", next_step="wait until it is done", code="app_busy"
            ) from None
        yield
    finally:
        os.close(descriptor)


def _sync(descriptor: int) -> None:
    full = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync does not reach past the drive's cache
    if full is not None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, full)
            return
    os.fsync(descriptor)
