"""The bundled relay as a background process: started, found again, and stopped; one for each port.

What it leaves in the user's state folder, PORT being its port:

    relay-PORT.json     who it is: process id, when that process began, address, build, log (mode 0600)
    relay-PORT.log      what it says
    relay-PORT.secret   its secret (mode 0600); a process list shows the path alone
    relay-PORT.sqlite   its rooms, unless it was given another place
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from relay_server.errors import ChatopsError, UsageError
from relay_server.interruptions import interruptions_held_back
from relay_server.private_file import write_private

if TYPE_CHECKING:
    from collections.abc import Iterator

START_S = 20.0
# The relay itself drains for at most 3 s.
TERMINATE_S = 8.0
_KILL_S = 5.0
_POLL_S = 0.02
_SHOWN_LOG_BYTES = 2000
_PROCESSES = Path("/proc")
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  # what to connect to, not what to listen on


@dataclass(frozen=True, slots=True)
class BackgroundOptions:
    """How to run it. `app` says whose it is; `db` None keeps rooms in memory; `build` is what /health gives.

    The secret is the one in `secret_file(port)`; without such a file nobody can publish.
    """

    app: Path
    build: str
    port: int
    host: str = "127.0.0.1"
    db: Path | None = None


class BackgroundRelay(msgspec.Struct, frozen=True):
    """A relay that was started in the background. `began` tells its process from a later one with the same number."""

    pid: int
    began: str
    port: int
    url: str
    build: str
    app: str
    since: datetime

    @property
    def log(self) -> Path:
        return log_file(self.port)

    def as_json(self) -> dict[str, object]:
        return {
            "pid": self.pid,
            "url": self.url,
            "build": self.build,
            "app": self.app,
            "since": self.since.isoformat(timespec="seconds"),
            "log": str(self.log),
        }


class _FirstLine(msgspec.Struct):
    """What `relay serve --json` says once it listens, or why it does not."""

    url: str = ""
    error: _ErrorForm | None = None


class _ErrorForm(msgspec.Struct):
    message: str = ""


def state_folder() -> Path:
    """Where the user's programs keep what is to last over restarts (XDG Base Directory), ours in it."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "chatops"


def default_db(port: int) -> Path:
    return state_folder() / f"relay-{port}.sqlite"


def secret_file(port: int) -> Path:
    """The file with the secret of the relay in the background on that port."""
    return state_folder() / f"relay-{port}.secret"


def log_file(port: int) -> Path:
    return state_folder() / f"relay-{port}.log"


def store_secret(port: int, secret: str) -> Path:
    """Write the secret to its file, which only the user can read. A relay reads it when it starts."""
    path = secret_file(port)
    write_private(path, secret.encode() + b"\n")
    return path


def find(port: int) -> BackgroundRelay | None:
    """The relay in the background on that port; None if there is none, or if it has died."""
    relay = _recorded(port)
    return relay if relay is not None and _began(relay.pid) == relay.began else None


def start(options: BackgroundOptions) -> BackgroundRelay:
    """Start it, and give it back once it listens. It goes on when this process, or the terminal, is gone.

    Raises UsageError where the port is taken, by a relay of ours or by something else, and with what the relay says
    where it does not start. Nothing is left running then.
    """
    if not options.port:
        raise UsageError(
            "a relay in the background needs a port of its own",
            next_step="set serve.port in partyconfig.toml, or RELAY_PORT",
            code="usage",
        )
    with _locked(options.port):
        running = find(options.port)
        if running is not None:
            raise UsageError(
                f"a relay runs in the background on port {options.port} already (process {running.pid}, of "
                f"{running.app})",
                next_step=f"stop it with `chatops relay stop --port {options.port}`, or choose another port",
                code="relay_running",
            )
        check_port_free(options.host, options.port)
        return _start(options)


def stop(port: int, *, terminate_s: float = TERMINATE_S) -> BackgroundRelay | None:
    """Ask the relay on that port to end, wait, and end it by force where it has not after `terminate_s` seconds.

    Gives the one that was stopped; None if none was running. What is left of a dead one is cleared away.
    """
    with _locked(port):
        relay = find(port)
        if relay is not None:
            _end(relay, terminate_s)
        _record_path(port).unlink(missing_ok=True)
        return relay


def answers(relay: BackgroundRelay, timeout_s: float = 3.0) -> bool:
    """Whether `/health` at its address is answered by that very build."""
    import httpx

    try:
        health = httpx.get(f"{relay.url}/health", timeout=timeout_s, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return False
    return isinstance(health, dict) and health.get("build") == relay.build


def check_port_free(host: str, port: int) -> None:
    """Raises UsageError where something listens there already."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise UsageError(
            f"the relay cannot listen on {host}:{port}: {error.strerror or error}",
            next_step="free the port, or set another: serve.port in partyconfig.toml, or RELAY_PORT",
            code="cannot_listen",
        ) from None


def _start(options: BackgroundOptions) -> BackgroundRelay:
    log_path = log_file(options.port)
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with interruptions_held_back() as held:
        process, offset = _launch(options, log_path)
        relay = BackgroundRelay(
            pid=process.pid,
            began=_began(process.pid) or "",
            port=options.port,
            url=_url(options.host, options.port),
            build=options.build,
            app=str(options.app),
            since=datetime.now(UTC),
        )
        try:
            held.let_through()
            write_private(_record_path(options.port), msgspec.json.encode(relay) + b"\n")
            _wait_until_it_listens(relay, offset)
        except BaseException:
            _end(relay, 0)
            _record_path(options.port).unlink(missing_ok=True)
            raise
    return relay


def _launch(options: BackgroundOptions, log_path: Path) -> tuple[subprocess.Popen[bytes], int]:
    """The process, and where in the log its words begin."""
    descriptor = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        offset = os.fstat(descriptor).st_size
        process = subprocess.Popen(
            _command(options),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            cwd=Path(sys.executable).anchor,  # no partyconfig.toml but the defaults, and no folder held
            env=_environment(options),
            start_new_session=True,  # neither Ctrl-C nor the terminal's end reaches it
        )
    finally:
        os.close(descriptor)
    # It outlives this process; whether it still runs is asked of the system.
    process.returncode = 0
    return process, offset


def _command(options: BackgroundOptions) -> list[str]:
    secret = secret_file(options.port)
    return [
        sys.executable,
        "-P",  # a folder `cli` where one happens to stand is not this package
        *("-m", "cli", "relay", "serve", "--json", "--no-model"),
        *("--host", options.host, "--port", str(options.port)),
        *("--db", str(options.db) if options.db else "memory"),
        *(("--secret-file", str(secret)) if secret.exists() else ()),
    ]


def _environment(options: BackgroundOptions) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("RELAY_SECRET", "OPENAI_API_KEY")}
    return {**environment, "RELAY_BUILD": options.build}


def _wait_until_it_listens(relay: BackgroundRelay, offset: int) -> None:
    deadline = time.monotonic() + START_S
    while True:
        ended = _began(relay.pid) != relay.began
        lines = _log_since(relay.log, offset)
        for line in lines:
            with suppress(msgspec.MsgspecError):
                first = msgspec.json.decode(line, type=_FirstLine)
                if first.url:
                    return
                if first.error is not None:
                    raise _not_started(relay, first.error.message)
        if ended:
            raise _not_started(relay, " | ".join(lines[-3:]) or "it ended without a word")
        if time.monotonic() > deadline:
            raise _not_started(relay, f"it does not listen after {START_S:g} s")
        time.sleep(_POLL_S)


def _log_since(path: Path, offset: int) -> list[str]:
    """The whole lines that came after `offset`."""
    with path.open("rb") as log:
        log.seek(offset)
        text = log.read()[-_SHOWN_LOG_BYTES:].decode(errors="replace")
    return [line.strip() for line in text[: text.rfind("\n") + 1].splitlines() if line.strip()]


def _not_started(relay: BackgroundRelay, why: str) -> UsageError:
    return UsageError(
        f"the relay in the background did not start: {why}",
        next_step=f"see {relay.log}, or run `chatops relay serve --port {relay.port}` to see it here",
        code="relay_not_started",
    )


def _end(relay: BackgroundRelay, terminate_s: float) -> None:
    for number, wait_s in ((signal.SIGTERM, terminate_s), (signal.SIGKILL, _KILL_S)):
        if wait_s and _began(relay.pid) == relay.began:
            with suppress(ProcessLookupError):
                os.kill(relay.pid, number)
        deadline = time.monotonic() + wait_s
        while _began(relay.pid) == relay.began:
            if time.monotonic() > deadline:
                break
            time.sleep(_POLL_S)
        else:
            return
    raise ChatopsError(
        f"the relay's process {relay.pid} does not end",
        next_step=f"see what it waits for: ps -p {relay.pid}",
        code="relay_not_stopped",
    )


def _began(pid: int) -> str | None:
    """When that process began, in the system's own words; None if there is no such process, or a dead one.

    Numbers of processes are used again, and a machine that was started anew gives the low ones to others.
    """
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # one of our own stays listed until it is waited for
    if _PROCESSES.is_dir():
        try:
            fields = (_PROCESSES / str(pid) / "stat").read_text().rpartition(")")[2].split()
            boot = (_PROCESSES / "sys" / "kernel" / "random" / "boot_id").read_text().strip()
        except OSError:
            return None
        return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"  # proc(5): fields 3 and 22
    return _began_by_ps(pid)


def _began_by_ps(pid: int) -> str | None:
    """The same where there is no /proc, as on macOS."""
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    listed = subprocess.run(
        command, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return listed[1].strip() if len(listed) == 2 and not listed[0].startswith("Z") else None


def _recorded(port: int) -> BackgroundRelay | None:
    try:
        return msgspec.json.decode(_record_path(port).read_bytes(), type=BackgroundRelay)
    except (FileNotFoundError, msgspec.MsgspecError):  # a damaged record is that of nobody
        return None


def _record_path(port: int) -> Path:
    return state_folder() / f"relay-{port}.json"


@contextmanager
def _locked(port: int) -> Iterator[None]:
    """Nobody else starts or stops the relay of that port meanwhile."""
    path = state_folder() / f"relay-{port}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ChatopsError(
                f"another chatops is starting or stopping the relay on port {port}",
                next_step="wait until it is done, and run this again",
                code="relay_busy",
            ) from None
        yield


def _url(host: str, port: int) -> str:
    shown = _EVERYWHERE.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"
