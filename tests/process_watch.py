"""What `ps` would have shown at any moment of a test: the argument lists of every process, sampled on a thread."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SAMPLE_S = 0.008
# A child has its parent's arguments until it runs its own program: a new process is looked at so many times.
_LOOKS = 5


@dataclass
class Watch:
    """`leaks` are argument lists with a secret in them; `own` those of the processes that carry `mark`, which is a
    value in their environment ("" is that of nobody).
    """

    secrets: tuple[str, ...]
    mark: str = ""
    leaks: list[str] = field(default_factory=list)
    own: set[str] = field(default_factory=set)

    def running(self) -> list[str]:
        """The argument lists of the processes with the mark that run now."""
        running = map(_process, _numbers())
        return [arguments for arguments, environment in running if self.mark and self.mark in environment]

    def wait_for_none(self, seconds: float = 20.0) -> list[str]:
        """What still runs when nothing does any more, or when that time is over."""
        deadline = time.monotonic() + seconds
        while (left := self.running()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left

    def look(self, looks: dict[str, int]) -> None:
        """Look at every process that is new: `looks` says how often each was looked at."""
        numbers = _numbers()
        for ended in looks.keys() - numbers:
            del looks[ended]
        for number in [number for number in numbers if looks.get(number, 0) < _LOOKS]:
            looks[number] = looks.get(number, 0) + 1
            arguments, environment = _process(number)
            self.leaks += [arguments for secret in self.secrets if secret in arguments]
            if self.mark and self.mark in environment:
                self.own.add(arguments)


@contextmanager
def watched(*secrets: str, mark: str = "") -> Iterator[Watch]:
    """Sample until the end of the block, in which no argument list may have shown one of the secrets."""
    watch = Watch(secrets, mark)
    done = threading.Event()

    def sample() -> None:
        looks: dict[str, int] = {}
        watch.look(looks)
        while not done.wait(_SAMPLE_S):
            watch.look(looks)

    sampling = threading.Thread(target=sample)
    sampling.start()
    try:
        yield watch
    finally:
        done.set()
        sampling.join()
    assert watch.leaks == [], "a secret stood in the arguments of a process"


def _numbers() -> set[str]:
    return {name for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208  # at every sample: the quickest


def _process(number: str) -> tuple[str, str]:
    """Arguments and environment of a process, as text; empty for one that has just ended or is somebody else's."""
    folder = Path("/proc") / number
    try:
        arguments = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return arguments, (folder / "environ").read_bytes().decode(errors="replace")
    except OSError:
        return "", ""
