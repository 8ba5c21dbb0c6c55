"""A publisher and a subscriber that speak PROTOCOL.md on the wire and share no code with the product's own client."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias
from uuid import uuid4

from websockets.client import ClientProtocol
from websockets.frames import Frame as WebSocketFrame
from websockets.frames import Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import WebSocketURI

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from tests.servers import RunningRelay

# How long a test waits for what must come. It only passes when something is wrong.
DEADLINE_S = 60.0

# How often a test looks again whether it has come.
BEAT_S = 0.05

CORS = "Access-Control-Allow-Origin"

Message: TypeAlias = dict[str, Any]


def frame(stream: str, seq: int, kind: str = "data", **data: Any) -> Message:
    """A frame; `data=...` gives it data."""
    return {"stream": stream, "seq": seq, "kind": kind, **data}


def reply(stream: str, count: int) -> list[Message]:
    """A whole stream of `count` frames: start, data, ..., end."""
    middle = [frame(stream, seq, data={"text": f"piece {seq} "}) for seq in range(1, count - 1)]
    return [frame(stream, 0, "start"), *middle, frame(stream, count - 1, "end")]


def encode(value: object) -> bytes:
    """JSON without white space, as the relay sends it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True)
class Answer:
    """An answer over HTTP."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def room_path(room: str) -> str:
    return f"/parties/main/{room}"


def ask(
    relay: RunningRelay,
    method: str,
    path: str,
    body: bytes | Iterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request on a connection of its own, its path as it stands. A body that is no bytes is sent chunked."""
    connection = http.client.HTTPConnection(relay.host, relay.port, timeout=DEADLINE_S)
    try:
        return ask_on(connection, method, path, body, headers)
    finally:
        connection.close()


def ask_on(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | Iterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    chunked = body is not None and not isinstance(body, bytes)
    all_headers = {**(headers or {}), **({"Transfer-Encoding": "chunked"} if chunked else {})}
    # A request may be refused before all of it was sent; the answer is there to be read.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.request(method, path, body, all_headers, encode_chunked=chunked)
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


def read_answer(file: BinaryIO) -> Answer:
    """The next answer on a connection that more may follow on."""
    status = int(file.readline().split()[1])
    headers = http.client.parse_headers(file)
    return Answer(status, headers, file.read(int(headers["Content-Length"])))


def assert_answered(answer: Answer, status: int = 200) -> Any:
    """What every answer with a body must be; gives its JSON."""
    assert answer.status == status, (answer.status, answer.body)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers[CORS] == "*"
    return answer.json


def look(relay: RunningRelay, room: str) -> Message:
    """The state of a room, as GET gives it."""
    state: Message = assert_answered(ask(relay, "GET", room_path(room)))
    return state


def stream_state(stream: str, next_seq: int, **changed: object) -> Message:
    """A stream as hello and GET list it: unfinished, held from its first frame on, unless said otherwise."""
    return {"stream": stream, "first": 0, "next": next_seq, "finished": False, "stop": False, **changed}


def wait_until(condition: Callable[[], bool], otherwise: str) -> None:
    """Try again and again, and fail with `otherwise` when the deadline has passed."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(BEAT_S)


def assert_refused(answer: Answer, status: int, code: str, **detail: object) -> None:
    """What every refusal must be; `detail` are the keys that go with the code."""
    error = assert_answered(answer, status)["error"]
    assert error["code"] == code, error
    assert isinstance(error.pop("message"), str)
    assert error == {"code": code, **detail}
    assert ("Retry-After" in answer.headers) == (code in ("too_fast", "too_many_streams", "unavailable"))
    if "Retry-After" in answer.headers:
        assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["WWW-Authenticate"] == ("Bearer" if code == "unauthorized" else None)
    assert answer.headers["Allow"] == ("GET, POST, OPTIONS" if code == "method_not_allowed" else None)


class Publisher:
    """Publishes to one room on one connection that stays open."""

    def __init__(self, relay: RunningRelay, room: str) -> None:
        self.path = room_path(room)
        self.headers = {"Authorization": f"Bearer {relay.secret}", "Content-Type": "application/json"}
        self.connection = http.client.HTTPConnection(relay.host, relay.port, timeout=DEADLINE_S)

    def __enter__(self) -> Publisher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()

    def post(self, *frames: Message) -> Answer:
        return self.post_body(encode({"frames": frames}))

    def post_body(self, body: bytes | Iterable[bytes]) -> Answer:
        return ask_on(self.connection, "POST", self.path, body, self.headers)

    def publish(self, *frames: Message) -> Message:
        """Publish what must be taken; gives the answer."""
        answer: Message = assert_answered(self.post(*frames))
        assert list(answer) == ["next", "stop"]
        return answer

    def mark(self) -> str:
        """Publish a stream of one frame, behind everything else, and give its id."""
        stream = f"mark-{uuid4().hex}"
        self.publish(frame(stream, 0, "end"))
        return stream


class Closed(Exception):
    """The relay ended the connection. `code` is 1006 if it came without a close."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class Refused(Exception):
    """The relay refused the upgrade."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"refused with {answer.status}: {answer.body!r}")
        self.answer = answer


class Subscriber:
    """A WebSocket on a socket of its own; it reads only when a test tells it to.

    Pings are answered and closes are echoed as the RFC says; everything else a test can send by hand.
    """

    def __init__(
        self, relay: RunningRelay, room: str = "", *, query: str = "", path: str = "", receive_buffer: int = 0
    ) -> None:
        """Connect. `path` takes the place of the room's; `receive_buffer` are bytes of SO_RCVBUF. Raises Refused."""
        self.socket = socket.socket()
        self.socket.settimeout(DEADLINE_S)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.messages: deque[bytes] = deque()
        self.pongs: list[bytes] = []
        self._parts: list[bytes] = []
        self._responses: list[Response] = []
        self._closing: int | None = None
        uri = WebSocketURI(False, relay.host, relay.port, path or room_path(room), query)
        self.protocol = ClientProtocol(uri, max_size=None)
        try:
            self.socket.connect((relay.host, relay.port))
            self.protocol.send_request(self.protocol.connect())
            self._flush()
            while not self._responses:
                self._read()
            if self._responses[0].status_code != 101:
                raise Refused(_answer_of(self._responses[0]))
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def next_text(self) -> bytes:
        """The next message as it came. Raises Closed, TimeoutError."""
        while not self.messages:
            self._read()
        return self.messages.popleft()

    def next(self) -> Message:
        """The next message. Raises Closed, TimeoutError."""
        message: Message = json.loads(self.next_text())
        return message

    def take(self, count: int) -> list[Message]:
        return [self.next() for _ in range(count)]

    def hello(self) -> Message:
        """The first message, which must be hello."""
        message = self.next()
        assert message["kind"] == "hello", message
        return message

    def until(self, stream: str, seq: int) -> list[Message]:
        """Every message up to this frame, with it."""
        messages = [self.next()]
        while (messages[-1].get("stream"), messages[-1].get("seq")) != (stream, seq):
            messages.append(self.next())
        return messages

    def until_now(self, publisher: Publisher) -> list[Message]:
        """All that was sent before now: a mark of the publisher says where that ends."""
        return self.until(publisher.mark(), 0)[:-1]

    def send(self, message: object) -> None:
        self.send_text(encode(message))

    def send_text(self, text: bytes, *, fin: bool = True) -> None:
        self.protocol.send_text(text, fin)
        self._flush()

    def send_binary(self, data: bytes) -> None:
        self.protocol.send_binary(data)
        self._flush()

    def send_more(self, text: bytes, *, fin: bool) -> None:
        """The next fragment of a message that `send_text` began."""
        self.protocol.send_continuation(text, fin)
        self._flush()

    def ask(self, message: object) -> Message:
        """Send a message and give the next one that comes."""
        self.send(message)
        return self.next()

    def ping(self, payload: bytes) -> bytes:
        """A ping of the WebSocket's own, and the payload of the pong that answers it."""
        self.protocol.send_ping(payload)
        self._flush()
        while not self.pongs:
            self._read()
        return self.pongs.pop()

    def leave(self) -> int:
        """Close as the RFC says; the code that the relay answers."""
        self.protocol.send_close(1000)
        self._flush()
        return self.wait_closed()

    def wait_closed(self) -> int:
        """Read to the end of the connection; the code it was closed with."""
        while True:
            try:
                self._read()
            except Closed as closed:
                return closed.code

    def send_raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def _flush(self) -> None:
        for data in self.protocol.data_to_send():
            if data:
                self.socket.sendall(data)

    def _read(self) -> None:
        """Read once. Raises Closed, TimeoutError."""
        if self.protocol.state is State.CLOSED:
            raise Closed(self.protocol.close_code or 1006)
        try:
            data = self.socket.recv(1 << 20)
        except ConnectionError:
            data = b""
        if data:
            self.protocol.receive_data(data)
        else:
            self.protocol.receive_eof()
        for event in self.protocol.events_received():
            if isinstance(event, Response):
                self._responses.append(event)
            elif isinstance(event, WebSocketFrame):
                self._take(event)
        try:
            self._flush()
        except ConnectionError:
            self.protocol.receive_eof()

    def _take(self, event: WebSocketFrame) -> None:
        if event.opcode is Opcode.PONG:
            self.pongs.append(bytes(event.data))
        elif event.opcode in (Opcode.TEXT, Opcode.CONT):
            self._parts.append(bytes(event.data))
            if event.fin:
                self.messages.append(b"".join(self._parts))
                self._parts.clear()


def refused_upgrade(relay: RunningRelay, path: str, query: str = "") -> Answer:
    """The answer to an upgrade that must be refused."""
    try:
        Subscriber(relay, path=path, query=query).socket.close()
    except Refused as refused:
        return refused.answer
    raise AssertionError(f"the upgrade of {path}?{query} was not refused")


def _answer_of(response: Response) -> Answer:
    headers = http.client.HTTPMessage()
    for name, value in response.headers.raw_items():
        headers[name] = value
    return Answer(response.status_code, headers, bytes(response.body or b""))
