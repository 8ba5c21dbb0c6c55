"""HTTP on one connection: requests in, answers out, and the way to the WebSocket.

`httptools` parses. Answers are given in the order of the requests, because every request but the built-in model's is
answered before the next one is looked at, and the model's ends its connection.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from typing import TYPE_CHECKING, cast

import httptools
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.server import ServerProtocol

from relay_server import protocol
from relay_server.bundled import http
from relay_server.bundled.hub import SERVER
from relay_server.bundled.metrics import CONTENT_TYPE as METRICS_CONTENT_TYPE
from relay_server.bundled.subscriber import Subscriber
from relay_server.model import ModelRefusal, complete, models
from relay_server.protocol import Refusal

if TYPE_CHECKING:
    from relay_server.bundled.hub import Hub
    from relay_server.bundled.metrics import Metrics
    from relay_server.model import Completion, ModelSettings

# A connection that sends nothing for so long is closed, in a request or between two.
IDLE_TIMEOUT_S = 75.0

# After a refusal that leaves the rest of the request unread: how long and how much of it is read and thrown away, so
# that the client can finish sending and read the answer before the connection goes.
LINGER_S = 2.0
LINGER_BYTES = 64 << 20

MAX_HEADER_BYTES = 32 << 10


class Server:
    """What the connections of one relay share."""

    def __init__(self, hub: Hub, metrics: Metrics, model: ModelSettings | None) -> None:
        self.hub = hub
        self.metrics = metrics
        self.model = model
        self.connections: set[Connection] = set()
        self.completions: set[asyncio.Task[None]] = set()

    def health(self) -> dict[str, object]:
        return {
            "ok": not self.hub.draining,
            "protocol": protocol.PROTOCOL_VERSION,
            "server": SERVER,
            "build": self.hub.build,
            "secret_configured": self.hub.secret is not None,
        }


class Connection(asyncio.Protocol):
    """One client's connection while it speaks HTTP."""

    transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        self._server = server
        self._hub = server.hub
        self._parser = httptools.HttpRequestParser(self)
        self._ending = False  # nothing more is read from this client as a request
        self._discarded = 0
        self.last_heard = time.monotonic()
        self._reset()

    def _reset(self) -> None:
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._header_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self.last_heard = time.monotonic()
        if self._ending:
            self._discarded += len(data)
            if self._discarded > LINGER_BYTES:
                self.transport.abort()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if not self._ending:
                self._upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            if not isinstance(error.__context__, _RefuseEarly):
                raise
            if not self._ending:
                if self._parser.get_method() == b"POST":
                    self._count_post(error.__context__.refusal.status)
                self._refuse_and_end(error.__context__.refusal)
        except httptools.HttpParserError:
            if not self._ending:
                self._refuse_and_end(Refusal("bad_request", "this is not HTTP/1.1"))

    def eof_received(self) -> bool:
        return False  # the transport closes itself

    def pause_writing(self) -> None:
        """The client does not read its answers: take no more requests from it."""
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()

    def close_if_idle(self, now: float) -> None:
        if now - self.last_heard > IDLE_TIMEOUT_S:
            self.transport.close()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._reset()

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count_header_bytes(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))
        self._count_header_bytes(len(name) + len(value))

    def _count_header_bytes(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_HEADER_BYTES:
            raise _RefuseEarly(Refusal("bad_request", f"the head of the request has over {MAX_HEADER_BYTES} bytes"))

    def on_headers_complete(self) -> None:
        length = self._header(b"content-length")
        if length is not None and length.isdigit() and int(length) > self._hub.limits.max_body_bytes:
            # Whoever is not let in learns that first, as with a body of the right size.
            self._check_room_and_secret()
            raise _RefuseEarly(protocol.body_too_large(self._hub.limits))
        if (self._header(b"expect") or b"").lower() == b"100-continue":
            self.transport.write(http.CONTINUE)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)
        self._body_bytes += len(body)
        if self._body_bytes > self._hub.limits.max_body_bytes:
            self._check_room_and_secret()
            raise _RefuseEarly(protocol.body_too_large(self._hub.limits))

    def on_message_complete(self) -> None:
        if self._ending or self._wants_websocket():
            return  # data_received goes on
        close = not self._parser.should_keep_alive() or self._parser.should_upgrade()
        try:
            self._answer(close=close)
        except Refusal as refusal:
            self._write_refusal(refusal, close=close)
        if close and not self._ending:
            self._end()

    # Requests.

    def _header(self, wanted: bytes) -> bytes | None:
        for name, value in self._headers:
            if name == wanted:
                return value
        return None

    def _target(self) -> tuple[str, str]:
        """Path and query as they stand in the request."""
        url = self._url
        if not url.startswith(b"/"):
            try:
                parsed = httptools.parse_url(url)
            except httptools.HttpParserInvalidURLError:
                raise Refusal("not_found", "the request has no path") from None
            return (parsed.path or b"/").decode("latin-1"), (parsed.query or b"").decode("latin-1")
        path, _, query = url.partition(b"?")
        return path.decode("latin-1"), query.decode("latin-1")

    def _answer(self, *, close: bool) -> None:
        """Answer the request that has just been read. Raises Refusal."""
        method = self._parser.get_method()
        path, _ = self._target()
        if path.startswith("/parties/"):
            self._answer_room(method, protocol.room_of_path(path), close=close)
            return
        if path == "/health":
            health = self._server.health()
            self._answer_get(method, protocol.encode_json(health), status=200 if health["ok"] else 503, close=close)
        elif path == "/metrics":
            self._answer_get(method, self._server.metrics.scrape(), METRICS_CONTENT_TYPE, close=close)
        elif self._server.model and path == "/v1/models":
            self._answer_get(method, models(), close=close)
        elif self._server.model and path == "/v1/chat/completions":
            self._answer_model(method, self._server.model, close=close)
        else:
            raise Refusal("not_found", "nothing is here; a room's address is /parties/main/<room>")

    def _answer_room(self, method: bytes, room: str, *, close: bool) -> None:
        if method == b"POST":
            try:
                self._check_secret()
                frames = protocol.decode_publish(b"".join(self._body), self._hub.limits)
                answer = self._hub.publish(room, frames)
            except Refusal as refusal:
                self._count_post(refusal.status)
                raise
            self._count_post(200)
            self.transport.write(http.encode_answer(200, answer, close=True) if close else http.encode_ok(answer))
            return
        hosted = self._hub.find_room(room)
        look = {
            "room": room,
            "protocol": protocol.PROTOCOL_VERSION,
            "subscribers": hosted.subscriber_count if hosted else 0,
            "frames": hosted.room.frames if hosted else 0,
            "bytes": hosted.room.bytes if hosted else 0,
            "streams": protocol.stream_states(hosted.room.states() if hosted else ()),
        }
        self._answer_get(method, protocol.encode_json(look), close=close)

    def _answer_get(
        self, method: bytes, body: bytes, content_type: str = http.JSON, *, status: int = 200, close: bool
    ) -> None:
        if method == b"GET":
            self.transport.write(http.encode_answer(status, body, content_type=content_type, close=close))
        elif method == b"HEAD":
            headers = [("Content-Type", content_type)]
            self.transport.write(http.encode_head(status, headers, length=len(body), close=close))
        elif method == b"OPTIONS":
            self.transport.write(http.encode_preflight())
        else:
            raise Refusal("method_not_allowed", f"{method.decode('latin-1')} is not for this address")

    def _count_post(self, status: int) -> None:
        self._hub.posts[status] = self._hub.posts.get(status, 0) + 1

    def _check_secret(self) -> None:
        secret = self._hub.secret
        if secret is None:
            raise Refusal("no_secret", "the relay has no secret configured, so nobody can publish")
        scheme, _, given = (self._header(b"authorization") or b"").partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(given.strip(), secret):
            raise Refusal("unauthorized", "publishing needs the relay's secret: Authorization: Bearer <secret>")

    def _check_room_and_secret(self) -> None:
        """The checks that come before the one of the body's size."""
        try:
            path, _ = self._target()
            if path.startswith("/parties/") or not self._server.model:
                protocol.room_of_path(path)
                if self._parser.get_method() == b"POST":
                    self._check_secret()
        except Refusal as refusal:
            raise _RefuseEarly(refusal) from None

    def _refuse_and_end(self, refusal: Refusal) -> None:
        self._write_refusal(refusal, close=True)
        self._end()

    def _write_refusal(self, refusal: Refusal, *, close: bool) -> None:
        answer = http.encode_refusal(refusal, close=close)
        if self._parser.get_method() == b"HEAD":
            answer = answer[: answer.index(b"\r\n\r\n") + 4]
        self.transport.write(answer)

    def _end(self) -> None:
        """Close for sending; throw away what still comes; then close."""
        self._ending = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._hub.loop.call_later(LINGER_S, self.transport.close)

    # The built-in model.

    def _answer_model(self, method: bytes, settings: ModelSettings, *, close: bool) -> None:
        if method == b"OPTIONS":
            self.transport.write(http.encode_preflight())
            return
        if method != b"POST":
            raise Refusal("method_not_allowed", "a completion is asked for with POST")
        try:
            completion = complete(b"".join(self._body), settings)
        except ModelRefusal as refusal:
            self.transport.write(http.encode_answer(refusal.status, refusal.body, close=close))
            return
        if not completion.stream:
            self.transport.write(http.encode_answer(200, completion.body(), close=close))
            return
        self._ending = True
        task = self._hub.loop.create_task(self._stream_completion(completion))
        self._server.completions.add(task)
        task.add_done_callback(self._server.completions.discard)

    async def _stream_completion(self, completion: Completion) -> None:
        headers = [
            ("Content-Type", "text/event-stream; charset=utf-8"),
            ("Cache-Control", "no-cache"),
            ("Transfer-Encoding", "chunked"),
        ]
        self.transport.write(http.encode_head(200, headers, close=True))
        loop = self._hub.loop
        due = loop.time()
        for event in completion.events():
            if self.transport.is_closing():
                return
            self.transport.write(b"%x\r\n%b\r\n" % (len(event), event))
            self.last_heard = time.monotonic()  # it is not idle while it is told something
            due += completion.interval_s
            await asyncio.sleep(due - loop.time())
        self.transport.write(b"0\r\n\r\n")
        self._end()

    # Upgrade.

    def _wants_websocket(self) -> bool:
        return (
            bool(self._parser.should_upgrade())
            and self._parser.get_method() == b"GET"
            and (self._header(b"upgrade") or b"").lower() == b"websocket"
        )

    def _upgrade(self, rest: bytes) -> None:
        """Hand the connection over to a subscriber, or refuse it with a status."""
        try:
            path, query = self._target()
            room = protocol.room_of_path(path)
            cursors = protocol.decode_cursors(query)
            if self._hub.draining:
                raise Refusal("unavailable", "the relay is stopping", retry_after_ms=1000)
            hosted = self._hub.room(room)
        except Refusal as refusal:
            self._refuse_and_end(refusal)
            return
        handshake = ServerProtocol()
        headers = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._headers])
        response = handshake.accept(Request(path, headers))
        if response.status_code != 101:
            self._refuse_and_end(Refusal("bad_request", "the WebSocket handshake is not valid"))
            return
        handshake.send_response(response)
        for data in handshake.data_to_send():
            self.transport.write(data)
        self._server.connections.discard(self)
        subscriber = Subscriber(self._hub, hosted, self.transport)
        self.transport.set_protocol(subscriber)
        subscriber.start(cursors, rest)


class _RefuseEarly(Exception):
    """A request that is refused before all of it has been read."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
