"""How the last stream test through each relay ended, kept beside the app: `<app>/.chatops/stream-tests.json`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from relay_server.app_folder import FOLDER, write_kept
from relay_server.client.address import relay_address

if TYPE_CHECKING:
    from pathlib import Path

_FILE = "stream-tests.json"


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """One stream test. `relay` is the relay's base URL, `at` local time with its offset, `reason` why it failed."""

    relay: str
    at: str
    ok: bool
    reason: str = ""


def last_verdict(app: Path, relay_url: str) -> Verdict | None:
    """The last test of this relay from this app; None where there was none, or the file does not tell.

    Raises UsageError for a URL that is none.
    """
    wanted = relay_address(relay_url).url
    return next((verdict for verdict in _kept(app) if verdict.relay == wanted), None)


def keep_verdict(app: Path, relay_url: str, *, ok: bool, reason: str = "") -> None:
    """Remember how a test of this relay ended, in place of the one before. Raises OSError, and UsageError: no URL."""
    relay = relay_address(relay_url).url
    verdict = Verdict(relay, datetime.now().astimezone().isoformat(timespec="seconds"), ok, reason)
    write_kept(app, _FILE, [verdict, *(other for other in _kept(app) if other.relay != relay)])


def _kept(app: Path) -> list[Verdict]:
    try:
        return msgspec.json.decode((app / FOLDER / _FILE).read_bytes(), type=list[Verdict])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return []  # a test that is not known has to be run again, that is all
