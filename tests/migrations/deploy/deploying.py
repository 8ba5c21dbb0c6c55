"""A deployment to PartyKit as tests see it: the app, the stand-in control plane, and everything that ran meanwhile."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from tests.control_plane import LOGIN, TOKEN, ControlPlane, control_plane
from tests.migrations.deploy.apps import make_app
from tests.node import NODE
from tests.process_watch import Watch, watched
from tests.servers import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Deploying:
    """`environment` is what the command runs in; all that it starts carries the mark of `watch`, and keeps its
    temporary files in `temporary`.
    """

    app: Path
    plane: ControlPlane
    environment: dict[str, str]
    temporary: Path
    watch: Watch

    @property
    def cli_runs(self) -> set[str]:
        """The argument lists of PartyKit's CLI that were seen."""
        return {arguments for arguments in self.watch.own if "partykit/dist/bin.mjs" in arguments}


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
        with watched(SECRET, TOKEN, mark=mark) as watch:
            yield Deploying(make_app(folder / "app"), plane, environment, temporary, watch)
    assert not [arguments for arguments in watch.own if "xdg-open" in arguments or "/bin/open " in arguments]
    assert not (folder / "browser").exists()
