"""A deployment to PartyKit as tests see it: the app, the stand-in control plane, and everything that ran meanwhile."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from tests.control_plane import LOGIN, TOKEN, ControlPlane, control_plane
from tests.node import NODE
from tests.relay_server.deploy.apps import make_app
from tests.servers import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

_SAMPLE_S = 0.008
# A child has its parent's arguments until it runs its own program: a new process is looked at so many times.
_LOOKS = 5


@dataclass
class Watch:
    """What `ps` would have shown: `leaks` are argument lists with a secret in them, `browsers` those of browsers."""

    forbidden: tuple[str, ...]
    leaks: list[str] = field(default_factory=list)
    browsers: list[str] = field(default_factory=list)
    cli_runs: set[str] = field(default_factory=set)


@dataclass
class Deploying:
    """`environment` is what the command runs in; all that it starts carries `mark`, and keeps its temporary files in
    `temporary`.
    """

    app: Path
    plane: ControlPlane
    environment: dict[str, str]
    mark: str
    temporary: Path
    watch: Watch

    def processes(self) -> list[str]:
        """The argument lists of everything that the command started and that still runs."""
        return [arguments for arguments, environment in _processes() if self.mark in environment]

    def wait_for_no_process(self, seconds: float = 5.0) -> list[str]:
        """What still runs when that time is over."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left


@contextmanager
def deploying(folder: Path) -> Iterator[Deploying]:
    """An app, its credentials in an environment of its own, and a watch on every process until the end of the block."""
    mark, home, temporary = f"mark-{uuid4().hex}", folder / "home", folder / "tmp"
    for path in (home, temporary, folder / "bin"):
        path.mkdir(parents=True)
    for name in ("xdg-open", "open"):
        (folder / "bin" / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {folder / "browser"}\n')
        (folder / "bin" / name).chmod(0o755)
    with control_plane(folder / "plane") as plane:
        environment = {
            "PATH": f"{folder / 'bin'}{os.pathsep}{NODE.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "TMPDIR": str(temporary),
            "PARTYKIT_API_BASE": plane.api,
            "GITHUB_LOGIN": LOGIN,
            "GITHUB_TOKEN": TOKEN,
            "RELAY_SECRET": SECRET,
            "CHATOPS_TEST_MARK": mark,
        }
        watch = Watch((SECRET, TOKEN))
        done = threading.Event()
        watching = threading.Thread(target=_watch, args=(watch, done, mark))
        watching.start()
        try:
            yield Deploying(make_app(folder / "app"), plane, environment, mark, temporary, watch)
        finally:
            done.set()
            watching.join()
    assert watch.leaks == []
    assert watch.browsers == []
    assert not (folder / "browser").exists()


def _watch(watch: Watch, done: threading.Event, mark: str) -> None:
    looks: Counter[str] = Counter()
    while not done.wait(_SAMPLE_S):
        for arguments, environment in _processes(looks):
            watch.leaks += [arguments for secret in watch.forbidden if secret in arguments]
            if mark in environment:
                watch.cli_runs.update({arguments} if "partykit/dist/bin.mjs" in arguments else ())
                watch.browsers += [arguments for name in ("xdg-open", "/bin/open ") if name in arguments]


def _processes(looks: Counter[str] | None = None) -> Iterator[tuple[str, str]]:
    """Arguments and environment of every process, as text; with `looks` only of those that are new."""
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        if looks is not None:
            looks[entry.name] += 1
            if looks[entry.name] > _LOOKS:
                continue
        folder = Path(entry.path)
        try:
            arguments = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (folder / "environ").read_bytes().decode(errors="replace")
        except OSError:  # it has just ended
            continue
        yield arguments, environment
