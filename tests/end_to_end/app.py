"""The first user's app, carried over by the `chatops` command, built with Next.js and run."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tests.apps.t3 import commit_all, make_t3_app
from tests.apps.toolchain import developers_environment, run, run_well
from tests.migrations.engine.apps import snapshot
from tests.node import NODE
from tests.servers import kill_group

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Mode: TypeAlias = Literal["streaming", "send-message"]

SECRET = "the-secret-of-the-end-to-end-tests"
MODEL_RATE = 60.0  # pieces a second: a reply takes some three seconds

_CHATOPS = (sys.executable, "-P", "-m", "cli")
_PAGES = Path(__file__).parent / "pages"
_BUILT = (".next", "next-env.d.ts", "tsconfig.tsbuildinfo")
_BUILD_S = 240
_MIGRATE_S = 300
_START_S = 30.0
_STOP_S = 5.0
_POLL_S = 0.02
# Next.js fetches Google's fonts when it builds; this stands in for the answer.
_FONTS = """\
module.exports = new Proxy({}, {
  get: (_, url) => String(url).startsWith("https://fonts.googleapis.com/")
    ? "@font-face { font-family: 'Geist'; src: local('Geist'); }"
    : undefined,
});
"""


@dataclass(frozen=True)
class App:
    """The migrated app on disk, set up for a relay and a model on these ports of this machine."""

    folder: Path
    relay_port: int
    model_port: int

    def switch(self, mode: Mode) -> None:
        """`chatops mode`. What the browser gets of it is written into its bundle, so a build has to follow."""
        with self.bundled():  # the app is not made to stream over a relay that does not answer
            chatops(self.folder, "mode", mode)

    def build(self) -> None:
        run_well("npm", "run", "build", cwd=self.folder, timeout_s=_BUILD_S, environment=self._build_environment())

    def _build_environment(self) -> dict[str, str]:
        fonts = self.folder.parent / "fonts.cjs"
        fonts.write_text(_FONTS)
        return {"NEXT_FONT_GOOGLE_MOCKED_RESPONSES": str(fonts)}

    @property
    def sources(self) -> dict[str, tuple[int, bytes]]:
        """All that a build is made from, with file modes, but for the packages."""
        return {path: entry for path, entry in snapshot(self.folder).items() if path.split("/")[0] not in _BUILT}

    @property
    def bundle(self) -> dict[str, bytes]:
        """What every browser may fetch, by path."""
        static = self.folder / ".next" / "static"
        return {str(file.relative_to(static)): file.read_bytes() for file in static.rglob("*") if file.is_file()}

    @contextmanager
    def running(self, **environment: str) -> Iterator[int]:
        """`next start`; gives its port."""
        port = free_port()
        command: list[str | Path] = [
            NODE,
            "node_modules/next/dist/bin/next",
            "start",
            "--hostname",
            "127.0.0.1",
            "--port",
            str(port),
        ]
        with serving(command, self.folder, port, "/", log=self.folder.parent / "next.log", environment=environment):
            yield port

    @contextmanager
    def partykit(self) -> Iterator[subprocess.Popen[bytes]]:
        """`partykit dev` on the app's own party/server.ts, with the secret that the app's .env has."""
        state = self.folder.parent / "partykit-state"
        command: list[str | Path] = [
            NODE, "node_modules/partykit/dist/bin.mjs", "dev", "--port", str(self.relay_port), "--persist", state,
            "--no-hotkeys", "--disable-request-cf-fetch",
        ]  # fmt: skip
        log = self.folder.parent / "partykit.log"
        with serving(command, self.folder, self.relay_port, "/health", log=log) as process:
            assert json.loads(get(self.relay_port, "/health") or b"")["server"] == "partykit"
            yield process

    @contextmanager
    def bundled(self, port: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """`chatops relay serve` in the app's folder, on the port that the browser knows or on another."""
        port = port or self.relay_port
        command = [*_CHATOPS, "relay", "serve", "--port", str(port), "--db", "memory"]
        log = self.folder.parent / "relay.log"
        environment = {"RELAY_SECRET": SECRET}
        with serving(command, self.folder, port, "/health", log=log, environment=environment) as process:
            yield process

    @contextmanager
    def model(self) -> Iterator[None]:
        """The built-in model, which `chatops relay serve --model` has at /v1."""
        port, rate = str(self.model_port), str(MODEL_RATE)
        command = [*_CHATOPS, "relay", "serve", "--port", port, "--db", "memory", "--model", "--model-rate", rate]
        log = self.folder.parent / "model.log"
        with serving(command, self.folder.parent, self.model_port, "/v1/models", log=log):
            yield


def make_migrated_app(folder: Path) -> App:
    """The first user's app after `chatops migrate up`, with the lab page, and with what its owner keeps in .env."""
    app = App(make_t3_app(folder / "app"), free_port(), free_port())
    chatops(app.folder, "migrate", "up", timeout_s=_MIGRATE_S)
    settings = {
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{app.model_port}/v1",
        "NEXT_PUBLIC_RELAY_HOST": f"127.0.0.1:{app.relay_port}",
        "RELAY_SECRET": SECRET,
    }
    (app.folder / ".env").write_text("".join(f'{name}="{value}"\n' for name, value in settings.items()))
    commit_all(app.folder, "Stream over the relay")
    shutil.copytree(_PAGES, app.folder / "src" / "app", dirs_exist_ok=True)
    return app


def chatops(app: Path, *arguments: str, secret: str = "", timeout_s: float = 60) -> dict[str, Any]:
    """Run `chatops ... --app <app> --json` and give back what it said. AssertionError unless it went well."""
    command = (*_CHATOPS, *arguments, "--app", str(app), "--json")
    environment = {"RELAY_SECRET": secret} if secret else {}
    ended = run(*command, cwd=app.parent, timeout_s=timeout_s, environment=environment)
    assert ended.returncode == 0, f"{' '.join(arguments)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}"
    said: dict[str, Any] = json.loads(ended.stdout)
    return said


@contextmanager
def serving(
    command: Sequence[str | Path],
    folder: Path,
    port: int,
    path: str,
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server and wait until it answers; in the end stop it and all that it started.

    Raises RuntimeError with the end of its log if it does not answer.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env={**developers_environment(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + _START_S
        while get(port, path) is None:
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(f"{command} does not answer; its log ends in:\n{log.read_text()[-3000:]}")
            time.sleep(_POLL_S)
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
        kill_group(process)


def get(port: int, path: str) -> bytes | None:
    """The body of a good answer, None for any other and for none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return body if answer.status == 200 else None


def free_port() -> int:
    """A port that nothing listens on, and that the system gives to nobody who asks for any."""
    while True:
        port = random.randrange(20_000, 30_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            break
    return port
