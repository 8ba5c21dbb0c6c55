"""Wrangler, Cloudflare's own CLI, run as a child process of the app's folder.

Facts are from its source (wrangler 4.156): without a terminal as its input it asks nothing and opens no browser; it
writes what happened as JSON lines to the file in WRANGLER_OUTPUT_FILE_PATH; `--secrets-file` takes any file that can
be read, so a pipe too.
"""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from relay_server.client.failures import one_line
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The oldest that this project is tested with, and what it needs (its package.json, "engines").
OLDEST_WRANGLER = (4, 156)
OLDEST_NODE = 22

_VERSION_S = 20.0
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
        from migrations.engine.process import NotRun, cleaned, run

        with tempfile.TemporaryDirectory(prefix="chatops-wrangler-") as folder:
            lines = Path(folder) / "output.ndjson"
            environment = {**_QUIET, "WRANGLER_OUTPUT_FILE_PATH": str(lines), "WRANGLER_LOG_PATH": folder}
            try:
                ended = run(
                    ["node", self.script, *arguments],
                    self.app,
                    seconds=timeout_s,
                    environment=environment,
                    stdin=stdin,
                )
            except NotRun as error:
                if "did not end" not in str(error):
                    raise _no_wrangler(f"wrangler cannot be run: {error}") from None
                return WranglerRun(1, entries=_read(lines), timed_out_s=timeout_s)
            stdout = cleaned(ended.stdout.decode(errors="replace"))
            return WranglerRun(ended.code, stdout, ended.output, _read(lines))


def find_wrangler(app: Path) -> Wrangler:
    """The one that the app, or the workspace around it, has installed. Raises UsageError: missing or too old."""
    node = _node_version(app)
    for folder in (app.resolve(), *app.resolve().parents):
        package = folder / "node_modules" / "wrangler"
        if not (package / "package.json").is_file():
            continue
        try:
            manifest: Any = json.loads((package / "package.json").read_bytes())
            version = str(manifest["version"])
            major, minor, *_ = (int(part) for part in re.findall(r"\d+", version))
            script = package / manifest["bin"]["wrangler"]
        except (OSError, ValueError, KeyError, TypeError):
            raise _no_wrangler(f"the package in {package} is broken") from None
        if (major, minor) < OLDEST_WRANGLER:
            oldest = ".".join(map(str, OLDEST_WRANGLER))
            raise UsageError(
                f"the app's wrangler is {version}; {oldest} is the oldest that this is tested with",
                next_step=f"update it: npm install --save-dev wrangler@^{oldest}.0 (or your package manager's)",
                code="old_wrangler",
            )
        return Wrangler(app.resolve(), script, version, node)
    raise _no_wrangler("the app has no wrangler in its node_modules")


def _node_version(app: Path) -> str:
    from migrations.engine.process import NotRun, run

    install = f"install Node.js {OLDEST_NODE} or newer, and see that `node --version` says so"
    try:
        said = run(["node", "--version"], app, seconds=_VERSION_S).stdout.decode(errors="replace").strip()
    except NotRun as error:
        raise UsageError(f"Node.js is needed: {error}", next_step=install, code="no_node") from None
    number = re.match(r"v(\d+)\.", said)
    if number is None or int(number[1]) < OLDEST_NODE:
        shown = one_line(said, 30) or "it does not say its version"
        raise UsageError(f"Node.js is too old for wrangler: {shown}", next_step=install, code="old_node")
    return said.removeprefix("v")


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
