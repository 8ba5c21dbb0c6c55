"""The secret of a relay that is to be deployed: the one that is known, or a new one where nothing is lost by it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from relay_server.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from cli.config import Config
    from migrations.deploy.target import Target
    from migrations.engine import AppView


@dataclass(frozen=True, slots=True)
class RelaySecret:
    """`made`: there was none, and this is a new one."""

    value: str = field(repr=False)
    made: bool = False


def secret_to_deploy(
    view: AppView, config: Config, place: Target, preview: str, secret_file: Path | None, *, new: bool
) -> RelaySecret:
    """The relay's secret: the configured one, else the app's, else a new one.

    `new`: make one although a relay is deployed whose secret is not known. Raises UsageError where that was not asked
    for (a new one would lock out the app that uses the relay), and where one made now would be lost.
    """
    import secrets

    from cli.pointing import check_secret_can_be_kept
    from cli.relay_access import find_relay_secret
    from migrations.mode import SECRET_KEY, env_value

    known = find_relay_secret(config, secret_file) or env_value(view, SECRET_KEY) or _beside_docker(view, place)
    if known:
        return RelaySecret(known)
    _check_not_in_use(config, place, new=new)
    _check_not_lost(place, preview)
    if place.name != "docker":  # which keeps it in a file of its own
        check_secret_can_be_kept(view)
    return RelaySecret(secrets.token_hex(32), made=True)


def _check_not_in_use(config: Config, place: Target, *, new: bool) -> None:
    from relay_server.client.address import relay_address

    deployed = config.relay.url
    if place.remote and deployed and not relay_address(deployed).is_loopback and not new:
        raise UsageError(
            f"the secret of the relay that is deployed at {deployed} is not known here",
            next_step="set RELAY_SECRET to it; or make a new one with --new-secret, which locks out who has the old",
            code="secret_missing",
        )


def _check_not_lost(place: Target, preview: str) -> None:
    import os

    in_ci = "this CI job" if os.environ.get("CI") else ""
    lost = f"the preview {preview}, which the app does not use" if preview else in_ci
    if lost and place.remote:
        raise UsageError(
            f"there is no relay secret yet, and one made now would be lost with {lost}",
            next_step="set RELAY_SECRET (`openssl rand -hex 32` makes one), for the app as well",
            code="secret_missing",
        )


def _beside_docker(view: AppView, place: Target) -> str:
    """What an earlier run wrote beside the files for hosting it; the app is not pointed at what nobody runs yet."""
    if place.name != "docker":
        return ""
    from migrations.deploy.docker_files import ENV_FILE, FOLDER
    from migrations.engine.line_edits import get_env
    from migrations.mode import SECRET_KEY

    return get_env(view.read(f"{FOLDER}/{ENV_FILE}") or b"", SECRET_KEY) or ""
