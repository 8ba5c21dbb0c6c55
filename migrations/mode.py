"""The mode of an app: which of the two ways its chat answers in, as the app's env files have it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from migrations.engine import Edits
from migrations.engine.line_edits import get_env
from relay_server.client.address import relay_address_of_host

if TYPE_CHECKING:
    from migrations.engine import AppView, FileChange

Mode: TypeAlias = Literal["send-message", "streaming"]

MODE_KEY = "NEXT_PUBLIC_CHAT_MODE"
HOST_KEY = "NEXT_PUBLIC_RELAY_HOST"
SECRET_KEY = "RELAY_SECRET"  # noqa: S105  # its name

# The one that wins first (Next.js' documentation, "Environment variables", load order); those of `test` are not the
# app's.
ENV_FILES = (
    ".env.development.local",
    ".env.production.local",
    ".env.local",
    ".env.development",
    ".env.production",
    ".env",
)


@dataclass(frozen=True, slots=True)
class EnvValue:
    """What an env file sets a key to."""

    file: str
    value: str


def env_values(view: AppView, key: str) -> tuple[EnvValue, ...]:
    """Every env file that sets `key`, the one that wins first."""
    found = ((file, get_env(view.read(file) or b"", key)) for file in ENV_FILES)
    return tuple(EnvValue(file, value) for file, value in found if value is not None)


def env_value(view: AppView, key: str) -> str:
    """The value that the app gets from its env files, "" if it is set nowhere."""
    return next((value.value for value in env_values(view, key) if value.value), "")


def current_mode(view: AppView) -> Mode:
    """The mode that the hook reads: streaming only where the key says just that."""
    values = env_values(view, MODE_KEY)
    return "streaming" if values and values[0].value == "streaming" else "send-message"


def mode_changes(view: AppView, mode: Mode, relay_host: str = "") -> tuple[FileChange, ...]:
    """The env files with the mode set, wherever it is set; in `.env.local` or `.env` where it is set nowhere.

    `relay_host` goes where `homes_of_host` says; "" leaves the key alone.
    """
    edits = Edits(view)
    for file in [there.file for there in env_values(view, MODE_KEY)] or [home_of_env(view)]:
        edits.set_env(file, MODE_KEY, mode)
    for file in homes_of_host(view, relay_host) if relay_host else ():
        edits.set_env(file, HOST_KEY, relay_host)
    return edits.changes()


def homes_of_host(view: AppView, relay_host: str) -> tuple[str, ...]:
    """The env files that get the relay's host: all that set it, but for production's where no production could reach
    it, as it is on this machine; the home of new keys if none is left.
    """
    is_near = relay_address_of_host(relay_host).is_loopback
    files = [there.file for there in env_values(view, HOST_KEY)]
    return tuple(f for f in files if not (is_near and f.startswith(".env.production"))) or (home_of_env(view),)


def home_of_env(view: AppView) -> str:
    """The env file for new keys: the app's own `.env`, unless it keeps what is local in `.env.local`."""
    return ".env.local" if view.exists(".env.local") or not view.exists(".env") else ".env"
