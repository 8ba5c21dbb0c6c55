"""The bytes of HTTP answers."""

from __future__ import annotations

import http
from typing import TYPE_CHECKING

from relay_server.protocol import ALLOWED_METHODS, CORS_ORIGIN, CORS_PREFLIGHT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relay_server.protocol import Refusal

JSON = "application/json"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_CORS = f"{CORS_ORIGIN[0]}: {CORS_ORIGIN[1]}\r\n"

# The answer to almost every request, so its head is made once.
_OK_JSON = f"HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\n{_CORS}Content-Length: ".encode()


def encode_ok(body: bytes) -> bytes:
    """200 with a JSON body, on a connection that stays open."""
    return b"%b%d\r\n\r\n%b" % (_OK_JSON, len(body), body)


def encode_head(
    status: int, headers: Iterable[tuple[str, str]], *, length: int | None = None, close: bool = False
) -> bytes:
    """Status line and headers; the CORS origin is always among them. `length` None: no Content-Length."""
    lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}", f"{CORS_ORIGIN[0]}: {CORS_ORIGIN[1]}"]
    lines += [f"{name}: {value}" for name, value in headers if name != CORS_ORIGIN[0]]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode()


def encode_answer(
    status: int, body: bytes, *, content_type: str = JSON, headers: Iterable[tuple[str, str]] = (), close: bool = False
) -> bytes:
    return encode_head(status, [("Content-Type", content_type), *headers], length=len(body), close=close) + body


def encode_preflight() -> bytes:
    return encode_head(204, CORS_PREFLIGHT)


def encode_refusal(refusal: Refusal, *, close: bool = False) -> bytes:
    headers: list[tuple[str, str]] = []
    if refusal.code == "unauthorized":
        headers.append(("WWW-Authenticate", "Bearer"))
    if refusal.code == "method_not_allowed":
        headers.append(("Allow", ALLOWED_METHODS))
    if refusal.retry_after_s is not None:
        headers.append(("Retry-After", str(refusal.retry_after_s)))
    return encode_answer(refusal.status, refusal.body(), headers=headers, close=close)
