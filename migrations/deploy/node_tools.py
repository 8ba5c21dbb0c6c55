"""Node.js, and the command lines that an app has among its packages."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relay_server.client.failures import one_line
from relay_server.errors import UsageError
from relay_server.process import NotRun, run

if TYPE_CHECKING:
    from pathlib import Path

_VERSION_S = 20.0


@dataclass(frozen=True, slots=True)
class Installed:
    """A command line of the app: the script that Node runs, and its version."""

    script: Path
    version: str


def node_version(app: Path, oldest: int, needed_by: str) -> str:
    """The version of the Node on PATH, such as "24.1.0". Raises UsageError: missing, or of a major before `oldest`."""
    install = f"install Node.js {oldest} or newer, and see that `node --version` says so"
    try:
        said = run(["node", "--version"], app, seconds=_VERSION_S).stdout.decode(errors="replace").strip()
    except NotRun as error:
        raise UsageError(f"Node.js is needed: {error}", next_step=install, code="no_node") from None
    number = re.match(r"v(\d+)\.", said)
    if number is None:
        shown = one_line(said, 30) or "nothing"
        raise UsageError(f"Node.js does not work: `node --version` says {shown}", next_step=install, code="no_node")
    if int(number[1]) < oldest:
        raise UsageError(f"Node.js is too old for {needed_by}: {said}", next_step=install, code="old_node")
    return said.removeprefix("v")


def find_installed(app: Path, package: str) -> Installed | None:
    """The command line of that name which the app, or the workspace around it, has installed; None if neither has.

    Raises UsageError for a package that is broken.
    """
    for folder in (app.resolve(), *app.resolve().parents):
        place = folder / "node_modules" / package
        if not (place / "package.json").is_file():
            continue
        try:
            manifest: Any = json.loads((place / "package.json").read_bytes())
            return Installed(place / manifest["bin"][package], str(manifest["version"]))
        except (OSError, ValueError, KeyError, TypeError):
            raise UsageError(
                f"the package in {place} is broken",
                next_step="install the app's packages again",
                code=f"no_{package}",
            ) from None
    return None
