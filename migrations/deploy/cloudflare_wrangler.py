"""Wrangler, Cloudflare's own CLI, run as a child process of the app's folder.

Facts are from its source (wrangler 4.156): without a terminal as its input it asks nothing and opens no browser; it
writes what happened as JSON lines to the file in WRANGLER_OUTPUT_FILE_PATH; `--secrets-file` takes any file that can
be read, so a pipe too.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from migrations.deploy.node_tools import find_installed, node_version
from relay_server.errors import UsageError
from relay_server.process import NotRun, TookTooLong, cleaned, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# The oldest that this project is tested with, and what it needs (its package.json, "engines").
OLDEST_WRANGLER = (4, 156)
OLDEST_NODE = 22

_QUIET: Mapping[str, str | None] = {
    "CI": "true",
    "NO_COLOR": "1",
    "FORCE_COLOR": "0",
    "NO_UPDATE_NOTIFIER": "1",
    "WRANGLER_HIDE_BANNER": "true",
    "WRANGLER_LOG": None,
    "WRANGLER_LOG_SANITIZE": "true",  # its log leaves bodies and headers out
    "WRANGLER_OUTPUT_FILE_DIRECTORY": None,
    "WRANGLER_CI_OVERRIDE_NAME": None,
    "CLOUDFLARE_ENV": None,
    "CLOUDFLARE_INCLUDE_PROCESS_ENV": None,
    "RELAY_SECRET": None,  # it goes in on a pipe
    "NODE_DEBUG": None,
}


class Entry(msgspec.Struct, rename={"kind": "type"}):
    """One of the JSON lines: `deploy` says where a Worker is, `command-failed` why there is none."""

    kind: str = ""
    message: str = ""
    code: int | None = None
    version_id: str | None = None
    worker_name: str | None = None
    targets: list[str] | None = None


@dataclass(frozen=True, slots=True)
class WranglerRun:
    """How a run ended. `timed_out_s`: it was ended after so many seconds."""

    code: int
    stdout: str = ""
    output: str = ""
    entries: Sequence[Entry] = field(default=())
    timed_out_s: float | None = None

    @property
    def good(self) -> bool:
        return self.code == 0 and self.timed_out_s is None

    def entry(self, kind: str) -> Entry | None:
        """The last line of that type."""
        return next((entry for entry in reversed(self.entries) if entry.kind == kind), None)


@dataclass(frozen=True, slots=True)
class Wrangler:
    """The wrangler of an app: its script and version, and the Node that runs it."""

    app: Path
    script: Path
    version: str
    node: str

    @property
    def shown(self) -> str:
        return f"wrangler {self.version}, Node {self.node}"

    def run(self, *arguments: str, timeout_s: float, stdin: bytes | None = None) -> WranglerRun:
        """Run it in the app's folder; it ends with this call, whatever happens. Raises UsageError: not startable."""
        with tempfile.TemporaryDirectory(prefix="chatops-wrangler-") as folder:
            lines = Path(folder) / "output.ndjson"
            environment = {**_QUIET, "WRANGLER_OUTPUT_FILE_PATH": str(lines), "WRANGLER_LOG_PATH": folder}
            command = ["node", str(self.script), *arguments]
            try:
                with _clearing_up_after_an_end(self.app):
                    ended = run(command, self.app, seconds=timeout_s, environment=environment, stdin=stdin)
            except TookTooLong:
                return WranglerRun(1, entries=_read(lines), timed_out_s=timeout_s)
            except NotRun as error:
                raise _no_wrangler(f"wrangler cannot be run: {error}") from None
            stdout = cleaned(ended.stdout.decode(errors="replace"))
            return WranglerRun(ended.code, stdout, ended.output, _read(lines))


def find_wrangler(app: Path) -> Wrangler:
    """The one that the app, or the workspace around it, has installed. Raises UsageError: missing or too old."""
    node = node_version(app, OLDEST_NODE, "wrangler")
    installed = find_installed(app, "wrangler")
    if installed is None:
        raise _no_wrangler("the app has no wrangler in its node_modules")
    if tuple(int(part) for part in re.findall(r"\d+", installed.version)[:2]) < OLDEST_WRANGLER:
        oldest = ".".join(map(str, OLDEST_WRANGLER))
        raise UsageError(
            f"the app's wrangler is {installed.version}; {oldest} is the oldest that this is tested with",
            next_step=f"update it: npm install --save-dev wrangler@^{oldest}.0 (or your package manager's)",
            code="old_wrangler",
        )
    return Wrangler(app.resolve(), installed.script, installed.version, node)


@contextmanager
def _clearing_up_after_an_end(app: Path) -> Iterator[None]:
    """A wrangler that is ended in its work leaves a bundle in the app's `.wrangler/tmp`: that goes."""
    folder = app / ".wrangler" / "tmp"
    before = set(folder.glob("*"))
    try:
        yield
    except BaseException:
        for path in set(folder.glob("*")) - before:
            shutil.rmtree(path, ignore_errors=True)
        for empty in (folder, folder.parent):
            with suppress(OSError):  # it holds more, or was never there
                empty.rmdir()
        raise


def _no_wrangler(message: str) -> UsageError:
    return UsageError(
        message,
        next_step="run `chatops migrate up`, which adds it, and install the app's packages",
        code="no_wrangler",
    )


def _read(path: Path) -> list[Entry]:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    entries = []
    for line in lines:
        try:
            entries.append(msgspec.json.decode(line, type=Entry))
        except msgspec.MsgspecError:  # cut off, or of a form that nothing here reads
            continue
    return entries
