"""Target `local`: the bundled relay as a background process of this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from migrations.deploy.target import Request, Tell, Uploaded
from relay_server import background
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from migrations.deploy.history import Deployment
    from relay_server.background import BackgroundRelay

NAME = "local"


@dataclass(frozen=True, slots=True)
class LocalTarget:
    """Where it listens and what it keeps its rooms in: `db` "" is a file in the state folder, None the memory."""

    host: str = "127.0.0.1"
    port: int = 1999
    db: str | None = ""

    @property
    def name(self) -> str:
        return NAME

    @property
    def remote(self) -> bool:
        return False

    def preflight(self, request: Request, tell: Tell) -> str:
        """See that the port is free, or has this app's own relay, which will make way."""
        _check_request(request)
        if not self.port:
            raise UsageError(
                "a relay in the background needs a port of its own",
                next_step="set serve.port in partyconfig.toml, or RELAY_PORT",
                code="usage",
            )
        tell(f"looking at port {self.port}")
        running = self._own(request)
        if running is None:
            background.check_port_free(self.host, self.port)
            return f"port {self.port} is free"
        return f"port {self.port} has this app's relay (build {running.build}), which will be replaced"

    def dry_run(self, request: Request, to: Deployment | None = None) -> list[str]:
        lines = [
            f"write the secret to {background.secret_file(self.port)} (mode 0600)",
            f"RELAY_BUILD={request.build} chatops relay serve --host {self.host} --port {self.port} "
            f"--db {self._db() or 'memory'} --secret-file {background.secret_file(self.port)}, in the background, "
            f"log in {background.log_file(self.port)}",
        ]
        running = background.find(self.port)
        return lines if running is None else [f"stop the relay that runs there (process {running.pid})", *lines]

    def store_secret(self, request: Request, tell: Tell) -> str:
        """Write it to the file that the relay reads when it starts."""
        self._own(request)
        tell("writing the secret")
        return f"in {background.store_secret(self.port, request.secret)}, which only you can read"

    def upload(self, request: Request, tell: Tell) -> Uploaded:
        """Start it, in place of this app's own that runs. Raises UsageError with what it says if it does not start."""
        running = self._own(request)
        if running is not None:
            tell(f"stopping the relay of before (process {running.pid})")
            background.stop(self.port)
        tell("starting the relay")
        options = background.BackgroundOptions(
            app=request.app.resolve(), build=request.build, port=self.port, host=self.host, db=self._db()
        )
        relay = background.start(options)
        return Uploaded(relay.url, f"process {relay.pid}, log in {relay.log}")

    def way_back(self, app: Path, name: str, preview: str) -> Deployment:
        """There is none: what runs is the installed chatops itself, and the one of before is not kept."""
        raise _no_way_back()

    def rollback(self, request: Request, to: Deployment, tell: Tell) -> Uploaded:
        raise _no_way_back()

    def abandon(self, request: Request) -> None:
        """Stop the relay that this deployment started."""
        running = background.find(self.port)
        if running is not None and running.build == request.build:
            background.stop(self.port)

    def _own(self, request: Request) -> BackgroundRelay | None:
        """This app's relay in the background, if it runs. Raises UsageError where the port has that of another app."""
        running = background.find(self.port)
        if running is None or running.app == str(request.app.resolve()):
            return running
        raise UsageError(
            f"port {self.port} has the relay of another app, {running.app}",
            next_step="set another port (serve.port in partyconfig.toml, or RELAY_PORT), or stop that relay with "
            f"`chatops relay stop --port {self.port}`",
            code="relay_running",
        )

    def _db(self) -> Path | None:
        return background.default_db(self.port) if self.db == "" else None if self.db is None else Path(self.db)


def _no_way_back() -> UsageError:
    return UsageError(
        "the local relay is the installed chatops itself; an earlier one is not kept",
        next_step="install the earlier chatops, and run `chatops deploy --target local`",
        code="no_rollback",
    )


def _check_request(request: Request) -> None:
    for flag, value in (("--preview", request.preview), ("--domain", request.domain)):
        if value:
            raise UsageError(
                f"the target local knows no {flag}", next_step=f"leave out {flag} {value}", code="usage"
            )  # fmt: skip
