"""What can go wrong between a client and a relay, put into one clear line each.

The libraries below wrap the cause several times over; what a person needs is the cause. Nothing that the other side
sent gets into a message unshortened.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from relay_server.errors import ChatopsError, CheckFailed, Denied, Unreachable, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relay_server.client.address import RelayAddress

_CHECK_URL = "check the relay's URL, and that it is deployed: chatops health"
_SET_SECRET = "set RELAY_SECRET here to the value that the relay has"  # noqa: S105 - advice, not a secret


@cache
def tls_context() -> ssl.SSLContext:
    """Trusts what the system trusts and, where Python cannot see that, Mozilla's list. Slow to load, so kept."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def one_line(text: str, length: int = 160) -> str:
    """Text from outside for use in a message: one line, printable, short."""
    cleaned = re.sub(r"\s+", " ", text).strip()
    cleaned = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in cleaned[: length + 1])
    return cleaned if len(cleaned) <= length else cleaned[: length - 1] + "…"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a connection failed: a stable word, and a text that completes "... cannot be reached: "."""

    code: str
    text: str


def connection_cause(error: BaseException) -> Cause:
    """The cause behind whatever a library made of it."""
    cause = _root(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Cause("tls_untrusted", f"its certificate is not trusted ({_telling(cause, 'verify_message')})")
    if isinstance(cause, ssl.SSLError):
        return Cause("tls_failed", f"it does not speak TLS as expected ({_telling(cause, 'reason')})")
    if isinstance(cause, socket.gaierror):
        return Cause("unknown_host", "its host name is not known")
    # asyncio puts several refusals (localhost is ::1 and 127.0.0.1) into the text of one plain OSError.
    if isinstance(cause, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(cause):
        return Cause("connection_refused", "nothing listens there")
    if isinstance(cause, TimeoutError) or "timeout" in type(cause).__name__.lower():
        return Cause("timeout", "it does not answer in time")
    return Cause("connection_lost", one_line(str(cause)) or type(cause).__name__)


def _telling(error: ssl.SSLError, attribute: str) -> str:
    """OpenSSL's own word for it, which an error that Python made itself does not have."""
    return one_line(str(getattr(error, attribute, None) or error))


_NEXT_STEPS = {
    "tls_untrusted": "mend the certificate, or name your own authority's file in SSL_CERT_FILE",
    "tls_failed": "check the scheme of the URL: https:// or http://",
}


def connection_failure(relay: RelayAddress, error: BaseException) -> Unreachable:
    """Why no connection to the relay came about, or was lost."""
    cause = connection_cause(error)
    next_step = _NEXT_STEPS.get(cause.code, _CHECK_URL)
    if cause.code == "connection_refused" and relay.is_loopback:
        next_step = "start the relay: chatops relay serve"
    return Unreachable(
        f"the relay at {relay.url} cannot be reached: {cause.text}", next_step=next_step, code=cause.code
    )


def not_a_relay(relay: RelayAddress, what: str) -> Unreachable:
    """Something answered that is not a relay; `what` completes "<url> answered with ..."."""
    return Unreachable(f"{relay.url} answered with {what}: is this a relay?", next_step=_CHECK_URL, code="not_a_relay")


class RefusalForm(msgspec.Struct):
    """The relay's `error` object as far as a client needs it."""

    code: str = ""
    message: str = ""
    stream: str = ""
    expected: int = 0
    limit: int = 0


class _ErrorForm(msgspec.Struct):
    error: RefusalForm


def read_refusal(body: bytes) -> RefusalForm | None:
    """The protocol's error object in an answer, or None if it is something else."""
    try:
        return msgspec.json.decode(body, type=_ErrorForm).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def http_failure(relay: RelayAddress, status: int, headers: Mapping[str, str], body: bytes) -> ChatopsError:
    """What an HTTP answer that is not a success means. `headers` must be case-insensitive."""
    refusal = read_refusal(body)
    where = f"the relay at {relay.url}"
    if refusal is None:
        return _foreign_answer(relay, status, headers, body)
    code, said = refusal.code, one_line(refusal.message)
    if code == "no_secret":
        return Denied(
            f"{where} has no secret, so it lets nobody publish",
            next_step="set RELAY_SECRET where the relay runs, and start or deploy it again",
            code="no_secret",
        )
    if status in (401, 403):
        return Denied(f"{where} refused the secret", next_step=_SET_SECRET, code="unauthorized")
    if code == "gap":
        return CheckFailed(
            f"{where} expects frame {refusal.expected} of {one_line(refusal.stream)}; it has lost what it acknowledged",
            next_step="give the relay a store that survives a restart, and publish from one place at a time",
            code="gap",
        )
    if code == "finished":
        return CheckFailed(
            f"{where} has already ended the stream {one_line(refusal.stream)}",
            next_step="begin a new stream; a publisher that is quiet for the relay's idle limit loses its stream",
            code="finished",
        )
    if status == 413:
        return CheckFailed(
            f"{where} takes no more than {refusal.limit} here: {said}",
            next_step="raise the relay's RELAY_MAX_ limit, or publish smaller pieces",
            code=code,
        )
    if code == "bad_room":
        return UsageError(f"{where} refused the room: {said}", next_step="use another room id", code=code)
    if status == 404:
        return Unreachable(f"{where} has no such address: {said}", next_step=_CHECK_URL, code="not_found")
    if status in (429, 502, 503, 504):
        return Unreachable(f"{where} does not take the request now: {said}", next_step="try again later", code=code)
    return CheckFailed(f"{where} refused the request ({status}): {said}", next_step=_CHECK_URL, code=code or "refused")


def _foreign_answer(relay: RelayAddress, status: int, headers: Mapping[str, str], body: bytes) -> ChatopsError:
    location = headers.get("location", "")
    if 300 <= status < 400 and location:
        return not_a_relay(relay, f"a redirect to {one_line(location.partition('?')[0], 80)}")
    if status in (401, 403):
        return Denied(
            f"{relay.url} asks for a sign-in ({status}) and is not the relay itself",
            next_step="turn off the access protection in front of the relay; it has its own secret",
            code="sign_in",
        )
    kind = describe_body(headers.get("content-type", ""), body)
    if status >= 500:
        return Unreachable(
            f"{relay.url} answered {status} with {kind}", next_step="look at the relay's log", code="relay_error"
        )
    return not_a_relay(relay, kind if status == 200 else f"{status} and {kind}")


def describe_body(content_type: str, body: bytes) -> str:
    """HTML, JSON, ...: what a person would call an answer."""
    start = body[:200].lstrip().lower()
    if "html" in content_type.lower() or start.startswith((b"<!doctype html", b"<html")):
        return "HTML"
    if not body.strip():
        return "an empty page"
    if "json" in content_type.lower() or start.startswith((b"{", b"[")):
        return "JSON that is not the protocol's"
    return "something that is not the protocol's"


def _root(error: BaseException) -> Any:
    """The innermost cause that says something: TLS, name lookup, refusal and time-out before all wrappers."""
    chain: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        link = todo.pop(0)
        if link is None or link in chain:
            continue
        chain.append(link)
        todo += [link.__cause__, link.__context__]
        if isinstance(link, BaseExceptionGroup):
            todo += link.exceptions
    telling = (ssl.SSLError, socket.gaierror, ConnectionRefusedError, TimeoutError)
    return next((link for kind in telling for link in chain if isinstance(link, kind)), chain[-1])
