"""The WebSocket of one subscriber."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, cast

from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from relay_server import protocol
from relay_server.bundled.websocket import PING, encode_text
from relay_server.protocol import MAX_BAD_MESSAGES, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relay_server.bundled.hub import HostedRoom, Hub

# A subscriber is pinged after this much silence and dropped after twice as much.
HEARTBEAT_S = 20.0

# More than this waiting for one subscriber to read, and it is dropped; a replay may be larger.
MAX_QUEUED_BYTES = 1 << 20

# How long a client may take to answer a close.
CLOSE_TIMEOUT_S = 2.0

_DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


class Subscriber(asyncio.Protocol):
    """Takes the connection over after the handshake."""

    __slots__ = (
        "__weakref__",
        "_bad_messages",
        "_descriptor",
        "_hosted",
        "_hub",
        "_last_queued",
        "_max_queued",
        "_message",
        "_websocket",
        "ahead",
        "last_heard",
        "transport",
    )

    def __init__(self, hub: Hub, hosted: HostedRoom, transport: asyncio.Transport) -> None:
        self._hub = hub
        self._hosted = hosted
        self.transport = transport
        self._descriptor: int = transport.get_extra_info("socket").fileno()
        self.ahead: dict[str, int] = {}
        self.last_heard = time.monotonic()
        self._max_queued = MAX_QUEUED_BYTES
        self._last_queued = 0
        self._bad_messages = 0
        self._message = b""
        # Made when the client first says something: most never do, and it is the largest part of a connection.
        self._websocket: ServerProtocol | None = None
        hub.subscribers.add(self)

    def start(self, cursors: Mapping[str, int], rest: bytes) -> None:
        """Subscribe; `rest` is what the client sent behind its handshake."""
        self._hosted.subscribe(self, cursors)
        if rest:
            self.data_received(rest)

    def send(self, data: bytes) -> bool:
        """Hand over bytes of whole messages; False if too much is waiting already."""
        transport = self.transport
        queued = transport.get_write_buffer_size()
        if queued == 0:
            # Straight to the socket, which takes half the time of the event loop's own way. Only while nothing is
            # queued there, or a queued message would be cut in two; never once it closes, when the descriptor may
            # already be another connection's.
            if transport.is_closing():
                return True
            self._max_queued = MAX_QUEUED_BYTES
            try:
                sent = os.write(self._descriptor, data)
            except BlockingIOError:
                sent = 0
            except OSError:
                return True  # the event loop finds out as well and calls connection_lost
            if sent < len(data):
                transport.write(data[sent:])
            return True
        if queued > self._max_queued:
            return False
        transport.write(data)
        return True

    def send_replay(self, data: bytes) -> None:
        """Like `send`, but for what may be larger than what is allowed to queue up later."""
        self.send(data)
        self._max_queued = self.transport.get_write_buffer_size() + MAX_QUEUED_BYTES

    def close(self, code: int, reason: str) -> None:
        websocket = self._protocol()
        if websocket.state is State.OPEN:
            websocket.send_close(code, reason)
            self._write_out(websocket)
            self._hub.loop.call_later(CLOSE_TIMEOUT_S, self.abort)
        self._hosted.unsubscribe(self)

    def abort(self) -> None:
        """Cut the connection; the client comes back and resumes."""
        self.transport.abort()
        self._hosted.unsubscribe(self)

    def heartbeat(self, now: float) -> None:
        queued = self.transport.get_write_buffer_size()
        if queued < self._last_queued:
            self.last_heard = now  # it reads, and what it would answer to is behind what it reads
        self._last_queued = queued
        silence = now - self.last_heard
        if silence > 2 * HEARTBEAT_S:
            self.abort()
        elif silence > HEARTBEAT_S:
            self._say(PING)

    def data_received(self, data: bytes) -> None:
        self.last_heard = time.monotonic()
        websocket = self._protocol()
        websocket.receive_data(data)
        for event in websocket.events_received():
            frame = cast("Frame", event)
            # What came before a close counts, in the same packet too.
            if frame.opcode in _DATA and not self._take(websocket, frame):
                break
        self._write_out(websocket)
        if websocket.close_expected():
            self._hosted.unsubscribe(self)
            self.transport.close()

    def eof_received(self) -> bool:
        return False  # the transport closes itself

    def connection_lost(self, exc: Exception | None) -> None:
        self._hub.subscribers.discard(self)
        self._hosted.unsubscribe(self)

    def _protocol(self) -> ServerProtocol:
        if self._websocket is None:
            self._websocket = ServerProtocol(state=State.OPEN, max_size=self._hub.limits.max_message_bytes)
        return self._websocket

    def _take(self, websocket: ServerProtocol, frame: Frame) -> bool:
        """A frame of a message, whose order and size the library has checked; False if it ends the connection."""
        if frame.opcode is Opcode.BINARY:
            websocket.fail(1003, "messages are text")
            return False
        self._message += bytes(frame.data)
        if not frame.fin:
            return True
        message, self._message = self._message, b""
        try:
            message.decode()
        except UnicodeDecodeError:
            websocket.fail(1007, "a text message is UTF-8")
            return False
        try:
            self._answer(message)
        except Refusal as refusal:
            self._say(encode_text(protocol.encode_refused(refusal)))
            if refusal.code == "bad_message":
                self._bad_messages += 1
                if self._bad_messages >= MAX_BAD_MESSAGES:
                    websocket.fail(1008, "too many messages that are none of the protocol's")
                    return False
        return True

    def _answer(self, message: bytes) -> None:
        stream = protocol.decode_message(message)
        if stream is None:
            self._say(encode_text(protocol.PONG))
        else:
            self._hub.stop(self._hosted, stream)
            self._say(encode_text(protocol.encode_stopping(stream)))

    def _say(self, data: bytes) -> None:
        """Answer this subscriber alone; one that asks and does not read is cut."""
        if not self.send(data):
            self.abort()

    def _write_out(self, websocket: ServerProtocol) -> None:
        for data in websocket.data_to_send():
            if data:
                self._say(data)
            elif self.transport.can_write_eof():
                self.transport.write_eof()
