"""Where the relay is and what its secret is: flags over environment over `partyconfig.toml`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.config import Config


def relay_url(config: Config, given: str | None = None) -> str:
    """The relay's base URL: `given` (the flag), else relay.url. Raises UsageError when there is none."""
    url = given or config.relay.url
    if not url:
        raise UsageError(
            "no relay is configured",
            next_step="give its URL, or set CHATOPS_RELAY_URL or relay.url in partyconfig.toml",
            code="no_relay",
        )
    return url


def find_relay_secret(
    config: Config, secret_file: Path | None = None, environment: Mapping[str, str] = os.environ
) -> str | None:
    """The relay's secret: from `secret_file` (the flag), else RELAY_SECRET, else relay.secret_file, else None.

    Raises UsageError for a file that cannot be read and for a secret that is empty or cannot be sent in a header.
    """
    if secret_file is None:
        given = environment.get("RELAY_SECRET", "")
        if given.strip():
            return _checked_secret(given, "RELAY_SECRET in the environment")
        if not config.relay.secret_file:
            return None
        secret_file = Path(config.relay.secret_file)
    try:
        text = secret_file.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        why = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else "is not UTF-8"
        raise UsageError(
            f"the secret file {secret_file} {why}",
            next_step="name a file that holds the relay's secret, or set RELAY_SECRET",
            code="bad_secret",
        ) from None
    return _checked_secret(text, f"the secret file {secret_file}")


def secret_for(
    relay: str, config: Config, app: Path, secret_file: Path | None = None, environment: Mapping[str, str] = os.environ
) -> str | None:
    """The secret of the relay at this URL: `find_relay_secret`, else what the app's env files have, if the app uses
    that relay. No other relay gets to see the app's secret. Raises UsageError.
    """
    return find_relay_secret(config, secret_file, environment) or _secret_of_app(relay, config, app)


def relay_secret(
    relay: str, config: Config, app: Path, secret_file: Path | None = None, environment: Mapping[str, str] = os.environ
) -> str:
    """`secret_for`, for a command that cannot do without. Raises UsageError when there is none."""
    secret = secret_for(relay, config, app, secret_file, environment)
    if secret is None:
        raise UsageError(
            "there is no relay secret",
            next_step="set RELAY_SECRET to the secret of the relay, or give --secret-file PATH",
            code="secret_missing",
        )
    return secret


def _secret_of_app(relay: str, config: Config, app: Path) -> str | None:
    from migrations.engine import AppView
    from migrations.mode import HOST_KEY, SECRET_KEY, env_value
    from relay_server.client.address import relay_address, relay_address_of_host

    if not (app / "package.json").is_file():
        return None
    view = AppView.of_folder(app)
    host = env_value(view, HOST_KEY)
    used = {relay_address_of_host(host).url} if host else set()
    if config.relay.url:
        used.add(relay_address(config.relay.url).url)
    secret = env_value(view, SECRET_KEY) if relay_address(relay).url in used else ""
    return _checked_secret(secret, f"{SECRET_KEY} in the app's env files") if secret else None


def _checked_secret(text: str, where: str) -> str:
    secret = text.strip()
    if not secret:
        raise UsageError(f"{where} is empty", next_step="put the relay's secret there", code="bad_secret")
    if any(ord(char) < 0x20 or ord(char) == 0x7F or "\ud800" <= char <= "\udfff" for char in secret):
        raise UsageError(
            f"{where} holds a line break or another character that an HTTP header cannot carry",
            next_step="use a secret of one line, such as `openssl rand -hex 32` makes",
            code="bad_secret",
        )
    return secret
