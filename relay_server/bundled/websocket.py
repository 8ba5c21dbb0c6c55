"""WebSocket bytes that the relay writes itself, because every subscriber of a room gets the same ones.

What clients send (handshake, masking, fragments, pings, closes, limits) is parsed by the `websockets` library.
"""

from __future__ import annotations

# An unmasked, unfragmented ping without a payload (RFC 6455, section 5.2).
PING = b"\x89\x00"


def encode_text(payload: bytes) -> bytes:
    """A text message from a server: unmasked, one frame (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        return b"\x81%c%b" % (size, payload)
    if size < 65536:
        return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), payload)
    return b"\x81\x7f%b%b" % (size.to_bytes(8, "big"), payload)
