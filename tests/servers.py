"""The three relay servers, started for tests the way a user starts them.

bundled       `python -m cli relay serve`
partykit      `partykit dev`, in a copy of relay_server/typescript
partyserver   `wrangler dev`, likewise

A relay lives in a folder of its own, which holds its storage and its log: started again there, it finds its rooms.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args
from uuid import uuid4

import pytest

from tests.node import NODE, ensure_node_modules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ServerName: TypeAlias = Literal["bundled", "partykit", "partyserver"]

# For `@pytest.fixture(params=ALL_SERVERS)`; the two that need npm and workerd are slow.
ALL_SERVERS = [pytest.param(name, marks=[] if name == "bundled" else pytest.mark.slow) for name in get_args(ServerName)]

SECRET = "the-secret-of-the-tests"

TYPESCRIPT = Path(__file__).parent.parent / "relay_server" / "typescript"

_START_S = 90.0
_STOP_S = 30.0
_POLL_S = 0.02
_PORT_ATTEMPTS = 3


@dataclass
class RunningRelay:
    """A relay that answers. `url` has no slash at its end; `build` is what its health says."""

    name: ServerName
    port: int
    build: str
    secret: str | None = field(repr=False)
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def host(self) -> str:
        return "127.0.0.1"

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def stop(self) -> None:
        """SIGTERM, as whoever runs a service ends it, and nothing stays behind."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_STOP_S)
        self.kill()

    def kill(self) -> None:
        """SIGKILL."""
        kill_group(self.process)
        _wait_until_port_is_free(self.host, self.port)


@contextlib.contextmanager
def running_relay(
    name: ServerName, folder: Path, *, secret: str | None = SECRET, variables: Mapping[str, str] | None = None
) -> Iterator[RunningRelay]:
    """Start a relay, and stop it in the end."""
    relay = start_relay(name, folder, secret=secret, variables=variables)
    try:
        yield relay
    finally:
        relay.stop()


def start_relay(
    name: ServerName,
    folder: Path,
    *,
    secret: str | None = SECRET,
    variables: Mapping[str, str] | None = None,
    port: int | None = None,
) -> RunningRelay:
    """Start a relay that keeps its rooms in `folder`, and wait until it answers.

    `variables` are PROTOCOL.md's limits (`{"RELAY_IDLE_SECONDS": "1"}`); `secret` None configures none. Without a
    `port` a free one is taken.
    Raises RuntimeError with the end of the server's log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    build = f"test-{uuid4().hex[:12]}"
    settings = {"RELAY_BUILD": build, **({} if secret is None else {"RELAY_SECRET": secret}), **(variables or {})}
    for _ in range(_PORT_ATTEMPTS):
        chosen = port or _free_port()
        process = _launch(name, folder, chosen, settings)
        try:
            if _answers(process, chosen, build):
                return RunningRelay(name, chosen, build, secret, folder, process)
        except BaseException:
            kill_group(process)
            raise
        kill_group(process)
    log = (folder / "log").read_text(errors="replace")[-2000:]
    raise RuntimeError(f"{name} does not answer; its log ends in:\n{log}")


def _launch(name: ServerName, folder: Path, port: int, settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RELAY_")}
    if name == "bundled":
        environment |= settings
        command = [sys.executable, "-m", "cli", "relay", "serve", "--port", str(port), "--db", "rooms.sqlite", "--json"]
    else:
        _lay_out_project(folder, settings)
        environment |= _quiet_node_tools(folder)
        command = [str(NODE), *(_PARTYKIT if name == "partykit" else _WRANGLER), "--port", str(port)]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # the tools start further processes: they all end with this group
        )


_PARTYKIT: Sequence[str] = (
    "node_modules/partykit/dist/bin.mjs", "dev", "--persist", "state", "--no-hotkeys", "--disable-request-cf-fetch",
)  # fmt: skip
_WRANGLER: Sequence[str] = (
    "node_modules/wrangler/bin/wrangler.js", "dev", "--config", "wrangler.jsonc", "--local", "--ip", "127.0.0.1",
    "--inspector-port", "0", "--persist-to", "state", "--env-file", ".env", "--show-interactive-dev-session=false",
)  # fmt: skip


def _lay_out_project(folder: Path, settings: Mapping[str, str]) -> None:
    """A copy of the sources with the settings beside them, so that the repository's own stay out and nothing is
    written there. The secret goes through a file: an argument is there for all to see."""
    ensure_node_modules(TYPESCRIPT)
    for source in ("party", "cloudflare"):
        shutil.copytree(TYPESCRIPT / source, folder / source, dirs_exist_ok=True)
    for source in ("partykit.json", "wrangler.jsonc", "package.json"):
        shutil.copy(TYPESCRIPT / source, folder)
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(TYPESCRIPT / "node_modules")
    (folder / ".env").write_text("".join(f'{name}="{value}"\n' for name, value in settings.items()))


def _quiet_node_tools(folder: Path) -> dict[str, str]:
    """No traffic to anywhere but here, no files but in `folder`."""
    temporary = folder / "tmp"
    # Wrangler asks for its newest version unless it has lately; no setting keeps it from that.
    asked = temporary / "update-check" / "wrangler-latest.json"
    asked.parent.mkdir(parents=True, exist_ok=True)
    asked.write_text(json.dumps({"latest": None, "lastUpdate": time.time_ns() // 1_000_000}))
    return {
        "NO_UPDATE_NOTIFIER": "1",
        "WRANGLER_SEND_METRICS": "false",
        "WRANGLER_SEND_ERROR_REPORTS": "false",
        "CLOUDFLARE_CF_FETCH_ENABLED": "false",
        "XDG_CONFIG_HOME": str(temporary),
        "TMPDIR": str(temporary),
    }


def _answers(process: subprocess.Popen[bytes], port: int, build: str) -> bool:
    """Wait for the health of this very build: on a taken port `partykit dev` lives on beside the one that answers."""
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        found = _build_of(port)
        if found is not None:
            return found == build
        time.sleep(_POLL_S)
    return False


def _build_of(port: int) -> str | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        health: dict[str, Any] = json.loads(connection.getresponse().read())
        return str(health.get("build"))
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to a server and to all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_until_port_is_free(host: str, port: int) -> None:
    deadline = time.monotonic() + _STOP_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            return
        time.sleep(_POLL_S)
    raise RuntimeError(f"something still listens on port {port}")
