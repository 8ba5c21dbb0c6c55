"""What goes wrong becomes one clear line with a code, whatever the libraries wrapped it in."""

from __future__ import annotations

import errno
import socket
import ssl

import httpx
import pytest

from relay_server.client.address import relay_address
from relay_server.client.failures import connection_cause, connection_failure, describe_body, http_failure, one_line
from relay_server.errors import CheckFailed, Denied, Unreachable

RELAY = relay_address("https://relay.example.com")


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("cause", "code", "says"),
    [
        (untrusted(), "tls_untrusted", "not trusted (self-signed certificate)"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "tls_failed", "does not speak TLS"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "unknown_host", "host name is not known"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "connection_refused", "nothing listens"),
        (
            OSError(f"Multiple exceptions: [Errno {errno.ECONNREFUSED}] Connect call failed ('::1', 1), ..."),
            "connection_refused",
            "nothing listens",
        ),
        (TimeoutError(), "timeout", "does not answer in time"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "connection_lost", "reset by peer"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_the_cause_is_found_behind_the_wrappers(cause: Exception, code: str, says: str) -> None:
    try:
        try:
            try:
                raise cause
            except OSError:
                raise RuntimeError("a library's own")  # noqa: B904 - as libraries do
        except RuntimeError as inner:
            raise httpx.ConnectError("All connection attempts failed") from inner
    except httpx.ConnectError as wrapped:
        found = connection_cause(wrapped)
        failure = connection_failure(RELAY, wrapped)
    assert found.code == failure.code == code
    assert says in failure.message
    assert "https://relay.example.com" in failure.message


def test_a_timeout_of_httpx_is_one() -> None:
    assert connection_cause(httpx.ReadTimeout("")).code == "timeout"


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "code"),
    [
        (200, {"content-type": "text/html"}, b"<p>hi", Unreachable, "not_a_relay"),
        (404, {}, b"<!DOCTYPE html><title>x</title>", Unreachable, "not_a_relay"),
        (404, {"content-type": "application/json"}, b'{"detail":"Not Found"}', Unreachable, "not_a_relay"),
        (302, {"location": "https://login.example.com/?token=abc"}, b"", Unreachable, "not_a_relay"),
        (401, {}, b"", Denied, "sign_in"),
        (403, {"content-type": "text/html"}, b"<html>", Denied, "sign_in"),
        (500, {}, b"oops", Unreachable, "relay_error"),
        (502, {"content-type": "text/html"}, b"<html>", Unreachable, "relay_error"),
        (401, {}, b'{"error":{"code":"unauthorized","message":"m"}}', Denied, "unauthorized"),
        (503, {}, b'{"error":{"code":"no_secret","message":"m"}}', Denied, "no_secret"),
        (503, {}, b'{"error":{"code":"unavailable","message":"m"}}', Unreachable, "unavailable"),
        (429, {}, b'{"error":{"code":"too_fast","message":"m"}}', Unreachable, "too_fast"),
        (404, {}, b'{"error":{"code":"not_found","message":"m"}}', Unreachable, "not_found"),
        (409, {}, b'{"error":{"code":"gap","message":"m","stream":"s","expected":4}}', CheckFailed, "gap"),
        (409, {}, b'{"error":{"code":"finished","message":"m","stream":"s"}}', CheckFailed, "finished"),
        (413, {}, b'{"error":{"code":"too_large","message":"m","limit":9}}', CheckFailed, "too_large"),
        (400, {}, b'{"error":{"code":"bad_request","message":"m"}}', CheckFailed, "bad_request"),
    ],
)
def test_an_answer_is_told_apart(status: int, headers: dict[str, str], body: bytes, kind: type, code: str) -> None:
    failure = http_failure(RELAY, status, httpx.Headers(headers), body)
    assert (type(failure), failure.code) == (kind, code)
    assert "https://relay.example.com" in failure.message
    assert "\n" not in failure.message
    assert "token=abc" not in failure.message


def test_what_the_other_side_says_stays_one_short_printable_line() -> None:
    assert one_line("a\r\n\tb \x1b[31mred\x00") == "a b \N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}"
    assert one_line("x" * 1000, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("content_type", "body", "name"),
    [
        ("text/html; charset=utf-8", b"", "HTML"),
        ("", b"  <HTML>", "HTML"),
        ("text/plain", b" \n", "an empty page"),
        ("application/json", b"3", "JSON that is not the protocol's"),
        ("text/plain", b"OK", "something that is not the protocol's"),
    ],
)
def test_a_body_has_a_name(content_type: str, body: bytes, name: str) -> None:
    assert describe_body(content_type, body) == name
