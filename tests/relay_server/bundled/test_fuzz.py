"""Whatever comes in, the relay answers with one of the protocol's refusals or closes that connection, and serves on.

What a run finds is kept: add it to FOUND_BODIES or FOUND_MESSAGES.
"""

from __future__ import annotations

import json
import socket
import struct
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from relay_server.protocol import STATUS
from tests.servers import SECRET, RunningRelay, running_relay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Test = TypeVar("Test", bound="Callable[..., None]")

FOUND_BODIES = [
    b'{"frames":[{"stream":"s","seq":0,"kind":"data","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}",
    b'{"frames":[{"stream":"s","seq":0,"kind":"data","data":"\\ud800"}]}',
    b'{"frames":[{"stream":"s","seq":0,"kind":"data","data":"\xed\xa0\x80"}]}',
    b'{"frames":[{"stream":"s","seq":1e400,"kind":"data"}]}',
    b'{"frames":[{"stream":"s","seq":123456789012345678901234567890,"kind":"data"}]}',
    b'{"frames":[{"stream":"__proto__","seq":0,"kind":"end"}]}',
    b"\x00",
    b"",
]
FOUND_MESSAGES = [
    b'{"kind":"stop","stream":"\\ud800"}',
    b'{"kind":"stop","stream":"' + b"s" * 3000 + b'"}',
    b"[" * 4000,
    b"\xff\xfe",
    b"\x00",
]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
frame_like = st.fixed_dictionaries(
    {},
    optional={
        "stream": st.text(max_size=12) | st.from_regex(r"\A[a-z]{1,3}\Z") | json_values,
        "seq": st.integers(-2, 4) | json_values,
        "kind": st.sampled_from(["start", "data", "end", "error", "stop"]) | json_values,
        "data": json_values,
    },
)
bodies = st.one_of(
    st.binary(max_size=200),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.lists(frame_like, max_size=4).map(lambda frames: json.dumps({"frames": frames}).encode()),
)
messages = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries({"kind": st.sampled_from(["stop", "ping", "x"])}, optional={"stream": json_values}).map(
        lambda value: json.dumps(value).encode()
    ),
)


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRelay]:
    folder = tmp_path_factory.mktemp("relay")
    with running_relay("bundled", folder, variables={"RELAY_MODEL": "true"}) as relay:
        yield relay
        assert relay.process.poll() is None, "the relay has ended"
    assert "Traceback" not in (folder / "log").read_text()


def connect(relay: RunningRelay) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", relay.port), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def read_answer(connection: socket.socket) -> tuple[int, dict[str, object]]:
    """Status and JSON body of one HTTP answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536)
    return int(head[9:12]), json.loads(body)


def assert_serves(relay: RunningRelay) -> None:
    with connect(relay) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: relay\r\n\r\n")
        assert read_answer(connection)[0] == 200


def with_examples(name: str, cases: list[bytes]) -> Callable[[Test], Test]:
    """Run the cases that were kept before new ones are made up."""

    def decorate(test: Test) -> Test:
        for case in cases:
            test = example(**{name: case})(test)
        return test

    return decorate


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@with_examples("body", FOUND_BODIES)
@given(body=bodies)
def test_any_publish_body(relay: RunningRelay, body: bytes) -> None:
    head = f"POST /parties/main/fuzz HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {SECRET}\r\n"
    with connect(relay) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        status, answer = read_answer(connection)
        if status == 200:
            assert answer.keys() == {"next", "stop"}
        else:
            error = answer["error"]
            assert isinstance(error, dict)
            assert STATUS[error["code"]] == status in (400, 409, 413)
        # The connection is still good for the next request.
        connection.sendall(b"GET /parties/main/fuzz HTTP/1.1\r\nHost: relay\r\n\r\n")
        assert read_answer(connection)[0] == 200


def masked(opcode: int, payload: bytes, *, fin: bool, reserved: int) -> bytes:
    """A frame as a client sends it (RFC 6455, section 5.2); a mask of zeros is a mask too."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
    return bytes([fin << 7 | reserved << 4 | opcode]) + length + bytes(4) + payload


frames_in = st.lists(
    st.builds(
        masked,
        st.sampled_from([0, 1, 1, 1, 1, 2, 3, 8, 9, 10, 15]),
        messages,
        fin=st.sampled_from([True, True, True, False]),
        reserved=st.sampled_from([0, 0, 0, 0, 4]),
    ),
    max_size=14,
)
HANDSHAKE = (
    b"GET /parties/main/fuzz HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def read_to_end(connection: socket.socket) -> bytes:
    data = b""
    while True:
        try:
            more = connection.recv(65536)
        except ConnectionResetError:
            return data
        if not more:
            return data
        data += more


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@with_examples("sent", [masked(1, message, fin=True, reserved=0) for message in FOUND_MESSAGES])
@given(sent=frames_in.map(b"".join) | st.binary(max_size=60))
def test_any_websocket_input(relay: RunningRelay, sent: bytes) -> None:
    """The relay closes when the client is done, at the latest, and never takes another connection with it."""
    with connect(relay) as connection:
        try:
            connection.sendall(HANDSHAKE + sent)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the relay has closed already
        assert read_to_end(connection).startswith(b"HTTP/1.1 101")
    assert_serves(relay)


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(sent=b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
@example(sent=b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
@example(sent=b"GET /health HTTP/1.1\r\nX: " + b"a" * 100_000)
@example(sent=b"POST /parties/main/a HTTP/1.1\r\nContent-Length: -1\r\n\r\n")
@example(sent=b"POST /parties/main/a HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n")
@example(sent=HANDSHAKE.replace(b"Version: 13", b"Version: 99"))
@example(sent=HANDSHAKE.replace(b"GET", b"POST"))
@example(sent=HANDSHAKE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"no"))
@given(
    sent=st.lists(
        st.sampled_from([b"GET ", b"POST ", b"/health", b"/parties/main/a", b" HTTP/1.1", b"\r\n", b"Host: a\r\n"])
        | st.sampled_from([b"Transfer-Encoding: chunked\r\n", b"Content-Length: 3\r\n", b"5\r\nabcde\r\n0\r\n\r\n"])
        | st.sampled_from([b"Connection: Upgrade\r\n", b"Upgrade: websocket\r\n", b"Expect: 100-continue\r\n"])
        | st.binary(max_size=12),
        max_size=12,
    ).map(b"".join)
)
def test_any_bytes_on_the_port(relay: RunningRelay, sent: bytes) -> None:
    with connect(relay) as connection:
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        answer = read_to_end(connection)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
        assert not answer.startswith(b"HTTP/1.1 5")
    assert_serves(relay)
