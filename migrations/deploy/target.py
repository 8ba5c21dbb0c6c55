"""What a place to deploy to can do, and what the deployment and the place tell each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from relay_server.errors import ChatopsError

if TYPE_CHECKING:
    from pathlib import Path

    from migrations.deploy.history import Deployment

# Shows one short line of progress; it is never given a secret.
Tell: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What shall be deployed.

    `app` is the app's folder, `name` the project's name on the target, `build` the id that `/health` of the new relay
    shall give (its variable RELAY_BUILD), `preview` the name of a preview beside production ("" is production),
    `domain` a domain of the team's own ("" is the platform's), `secret` what publishers must know (RELAY_SECRET).
    `timeout_s` bounds each call of a tool or a platform.
    """

    app: Path
    name: str
    build: str
    preview: str = ""
    domain: str = ""
    secret: str = field(repr=False, default="")
    timeout_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Uploaded:
    """Where the relay is from now on ("": nothing runs yet), and what the platform said about it in one line.

    For a later `rollback` are kept: `version`, the platform's own handle of it, as `Deployment.version`; and the files
    `sent`, in `History.kept_upload`. `notes` are what is left to a person.
    """

    url: str
    detail: str = ""
    version: str = ""
    sent: Mapping[Path, bytes] = field(repr=False, default_factory=dict)
    notes: tuple[str, ...] = ()


class Passing(ChatopsError):
    """A fault of the platform that is known to pass: worth another try. It reaches a person after the last one."""

    exit_code = 3


class Target(Protocol):
    """A place to deploy to.

    Every method runs the tools that it needs as child processes, and ends them before it returns or raises, also when
    that is KeyboardInterrupt. The secret never stands in argv, in a message, or in a file that git sees.
    """

    @property
    def name(self) -> str:
        """As `--target` has it."""

    @property
    def remote(self) -> bool:
        """Whether an app that runs elsewhere, such as on Vercel, can reach it."""

    def preflight(self, request: Request, tell: Tell) -> str:
        """Look at everything that must be right before anything is sent; gives one line on what was found.

        Raises UsageError (a tool, the project's name or configuration), Denied (sign-in) or Unreachable (network).
        """

    def dry_run(self, request: Request, to: Deployment | None = None) -> list[str]:
        """The commands that would run and what would be sent, one a line, secrets masked. Reads, never writes.

        With `to` those of a rollback.
        """

    def store_secret(self, request: Request, tell: Tell) -> str:
        """Give the platform `request.secret` as RELAY_SECRET; gives one line on how. Idempotent.

        A target that can only take the secret with the code itself does so in `upload` and says so here.
        """

    def upload(self, request: Request, tell: Tell) -> Uploaded:
        """Send the relay with its build id. Raises Passing (worth another try) or another ChatopsError (not worth one).

        Called anew for each try.
        """

    def way_back(self, app: Path, name: str, preview: str) -> Deployment:
        """The last good deployment at that place before the one that runs there now, which `rollback` can bring back.

        Raises UsageError where there is none, or where the target cannot.
        """

    def rollback(self, request: Request, to: Deployment, tell: Tell) -> Uploaded:
        """Bring back the deployment `to`, which `way_back` gave; `/health` then gives its build. Raises as `upload`."""

    def abandon(self, request: Request) -> None:
        """The deployment was interrupted: end what `upload` left running on this machine."""
