"""Where a room is: from a relay's base URL and a room id to the addresses that publisher and subscriber use."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from relay_server.errors import UsageError
from relay_server.protocol import PARTY, is_room_id

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECURE = {"http": False, "ws": False, "https": True, "wss": True}
_EXAMPLE = "https://relay.example.com"


@dataclass(frozen=True, slots=True)
class RelayAddress:
    """A relay: `authority` is host and port as a URL has them, lower case."""

    authority: str
    host: str
    secure: bool

    @property
    def url(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.authority}"

    @property
    def as_host(self) -> str:
        """As the app's NEXT_PUBLIC_RELAY_HOST has it: with a scheme only where the host alone would mean another."""
        return self.authority if self.secure != _is_near(self.authority) else self.url

    @property
    def health_url(self) -> str:
        return f"{self.url}/health"

    @property
    def is_loopback(self) -> bool:
        """On this machine: a proxy from the environment must not be asked for it."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def room(self, room: str) -> RoomAddress:
        """Raises UsageError if it is no room id."""
        if not is_room_id(room):
            raise UsageError(
                f"{room[:140]!r} is no room id",
                next_step="use 1 to 128 of A-Z a-z 0-9 . _ ~ - that begin with a letter, a digit or _",
                code="bad_room",
            )
        return RoomAddress(self, room)


@dataclass(frozen=True, slots=True)
class RoomAddress:
    """A room of a relay."""

    relay: RelayAddress
    room: str

    @property
    def publish_url(self) -> str:
        """For POST, and for GET to look at the room."""
        return f"{self.relay.url}{self._path}"

    def subscribe_url(self, cursors: Mapping[str, int] | None = None) -> str:
        """For the WebSocket. `cursors` maps a stream to the first frame wanted of it."""
        query = urlencode([("from", f"{stream}:{seq}") for stream, seq in (cursors or {}).items()], safe=":~")
        scheme = "wss" if self.relay.secure else "ws"
        return f"{scheme}://{self.relay.authority}{self._path}{'?' if query else ''}{query}"

    @property
    def _path(self) -> str:
        return f"/parties/{PARTY}/{self.room}"


def relay_address(base_url: str) -> RelayAddress:
    """Read a relay's base URL: http, https, ws or wss, with nothing after the host and port. Raises UsageError."""
    text = base_url.strip()
    if "://" not in text:
        raise _bad_url(f"the relay URL {_shown(text)} has no scheme", f"write it as {_guess(text)}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise _bad_url(f"the relay URL cannot be read: {error}") from None
    secure = _SECURE.get(parts.scheme)
    host = parts.hostname or ""
    if secure is None:
        raise _bad_url(f"the relay URL begins with {parts.scheme[:20]}://, which is not the web's")
    if not host or any(not (c.isalnum() or c in ".-_:%") for c in host):
        raise _bad_url("the relay URL has no host name that could be looked up")
    if parts.username is not None or parts.password is not None:
        raise _bad_url(
            f"the relay URL of {host} holds a user name or password", "take it out; the secret goes elsewhere"
        )
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise _bad_url(
            f"the relay URL of {host} goes on after the host: {_shown(parts.path or '?')}",
            f"give the base URL alone, like {_EXAMPLE}; the room is given by itself",
        )
    try:
        ascii_host = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        raise _bad_url("the relay URL has no host name that could be looked up") from None
    bracketed = f"[{ascii_host}]" if ":" in ascii_host else ascii_host
    default_port = 443 if secure else 80
    authority = bracketed if port in (None, default_port) else f"{bracketed}:{port}"
    return RelayAddress(authority, ascii_host, secure)


def relay_address_of_host(address: str) -> RelayAddress:
    """Read a relay's host as the app does (PartySocket's rule): without a scheme it is http on this machine and in
    private networks, https elsewhere. Raises UsageError.
    """
    text = address.strip()
    return relay_address(text if "://" in text else f"{'http' if _is_near(text) else 'https'}://{text}")


def room_address(base_url: str, room: str) -> RoomAddress:
    """The room's addresses at a relay. Raises UsageError for a bad URL or room id."""
    return relay_address(base_url).room(room)


def _is_near(host: str) -> bool:
    return re.match(r"localhost|127\.|192\.168\.|10\.|172\.(1[6-9]|2\d|3[01])\.|\[::1\]", host) is not None


def _bad_url(message: str, next_step: str = f"give a URL like {_EXAMPLE}") -> UsageError:
    return UsageError(message, next_step=next_step, code="bad_relay_url")


def _shown(text: str) -> str:
    """Short, and without what may be a password before an @ or after a ?."""
    return repr(text.rpartition("@")[2].partition("?")[0][:80])


def _guess(text: str) -> str:
    host = text.rpartition("@")[2].partition("/")[0].partition("?")[0][:80]
    local = host.partition(":")[0] in ("localhost", "127.0.0.1", "0.0.0.0")  # noqa: S104 - read, not bound
    return f"{'http' if local else 'https'}://{host}" if host else _EXAMPLE
