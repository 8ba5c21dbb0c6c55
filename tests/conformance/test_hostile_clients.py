"""Clients that do what they must not: they get the documented end, and the others in the room notice nothing."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from relay_server import protocol
from tests.conformance.harness import (
    DEADLINE_S,
    Closed,
    Publisher,
    Subscriber,
    encode,
    frame,
    look,
    room_path,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conformance.harness import Message
    from tests.servers import RunningRelay

WIRE = json.loads((Path(protocol.__file__).parent / "vectors" / "wire.json").read_text())

PING = {"kind": "ping"}
PONG = {"kind": "pong"}


@pytest.fixture
def bystander(relay: RunningRelay, room: str) -> Iterator[Subscriber]:
    """Another subscriber of the room. In the end it must have got what was published meanwhile, and only that."""
    with Subscriber(relay, room) as subscriber, Publisher(relay, room) as publisher:
        subscriber.hello()
        yield subscriber
        publisher.publish(frame("after", 0, "start"), frame("after", 1, "end"))
        assert subscriber.until_now(publisher) == [frame("after", 0, "start"), frame("after", 1, "end")]


@pytest.fixture
def intruder(relay: RunningRelay, room: str, bystander: Subscriber) -> Iterator[Subscriber]:
    """The client that misbehaves, in the bystander's room."""
    with Subscriber(relay, room) as subscriber:
        subscriber.hello()
        yield subscriber


def cut(connection: socket.socket) -> None:
    """End a connection with a reset, as a crash does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# Messages.


@pytest.mark.parametrize("row", [row for row in WIRE["messages"] if "refused" in row], ids=lambda row: row["text"])
def test_bad_message(intruder: Subscriber, row: dict[str, str]) -> None:
    """Text that is none of the protocol's messages is refused, and the connection goes on."""
    intruder.send_text(row["text"].encode())
    refused = intruder.next()
    assert list(refused) == ["kind", "code", "message"]
    assert (refused["kind"], refused["code"]) == ("refused", "bad_message")
    assert intruder.ask(PING) == PONG


def test_tenth_bad_message_closes(intruder: Subscriber) -> None:
    """Nine bad messages are forgiven, good ones in between or not; the tenth is refused and ends the connection."""
    for _ in range(9):
        assert intruder.ask("garbage")["code"] == "bad_message"
        assert intruder.ask(PING) == PONG
    assert intruder.ask("garbage")["code"] == "bad_message"
    assert intruder.wait_closed() == 1008


def test_bad_messages_count_for_each_connection(relay: RunningRelay, room: str, intruder: Subscriber) -> None:
    """One client's bad messages are not held against another."""
    for _ in range(9):
        assert intruder.ask("garbage")["code"] == "bad_message"
    with Subscriber(relay, room) as other:
        other.hello()
        for _ in range(9):
            assert other.ask("garbage")["code"] == "bad_message"
        assert other.ask(PING) == PONG
    assert intruder.ask(PING) == PONG


def test_flood_of_bad_messages(intruder: Subscriber) -> None:
    """Who sends on and on without reading is closed after ten answers."""
    with contextlib.suppress(ConnectionError):
        for _ in range(200):
            intruder.send_text(b"garbage")
    assert intruder.wait_closed() in (1008, 1006)  # a reset may overtake the close
    assert len(intruder.messages) <= 10


def test_binary_message(intruder: Subscriber) -> None:
    """Messages are text: a binary one ends the connection."""
    intruder.send_binary(encode(PING))
    assert intruder.wait_closed() == 1003


@pytest.mark.parametrize("size", [4097, 60_000, 3_000_000])
def test_huge_message(intruder: Subscriber, size: int) -> None:
    """A message over the limit ends the connection, one beyond the platform's own limit too."""
    with contextlib.suppress(ConnectionError):  # it may be closed before all of it was sent
        intruder.send_text(encode(PING).ljust(size))
    assert intruder.wait_closed() == 1009


def test_fragmented_message(intruder: Subscriber) -> None:
    """A message may come in many pieces, cut within a letter, a ping of the WebSocket's own among them."""
    text = encode({"kind": "ping", "more": "é東𐍈"})
    intruder.send_text(text[:1], fin=False)
    for at in range(1, len(text) - 1):
        intruder.send_more(text[at : at + 1], fin=False)
        if at == 5:
            assert intruder.ping(b"between") == b"between"
    intruder.send_more(text[-1:], fin=True)
    assert intruder.next() == PONG


def test_many_messages_at_once(intruder: Subscriber) -> None:
    """A thousand messages sent without reading are all answered, in order."""
    for number in range(1000):
        intruder.send(PING if number % 2 else {"kind": "stop", "stream": "unknown"})
    answers = intruder.take(1000)
    assert answers[1::2] == [PONG] * 500
    assert {answer["code"] for answer in answers[::2]} == {"unknown_stream"}


# Bytes that are no WebSocket.


@pytest.mark.parametrize(
    "data",
    [
        b"\xf1\x80\x00\x00\x00\x00",  # reserved bits
        b"\x83\x80\x00\x00\x00\x00",  # a reserved opcode
        b"\x80\x80\x00\x00\x00\x00",  # a continuation of nothing
        b"\x09\x80\x00\x00\x00\x00",  # a fragmented ping
        b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00",  # a length that there is not
    ],
    ids=["reserved bits", "reserved opcode", "continuation", "fragmented ping", "length"],
)
def test_broken_framing(intruder: Subscriber, data: bytes) -> None:
    """What is no WebSocket frame ends that connection."""
    intruder.send_raw(data)
    assert intruder.wait_closed() in (1002, 1006, 1009)


@pytest.mark.parametrize(
    "data",
    [b"\x81\x02hi", b"\x81\x82\x00\x00\x00\x00\xff\xfe", b"GET / HTTP/1.1\r\n\r\n"],
    ids=["not masked", "not UTF-8", "HTTP"],
)
def test_bytes_that_a_relay_may_read_on(intruder: Subscriber, data: bytes) -> None:
    """What some take for a message, or for the beginning of one, is refused or ends the connection; no more."""
    intruder.send_raw(data)
    intruder.socket.shutdown(socket.SHUT_WR)
    intruder.wait_closed()
    assert [json.loads(message)["code"] for message in intruder.messages] in ([], ["bad_message"])


def test_cut_in_the_middle_of_a_message(intruder: Subscriber) -> None:
    """A connection that breaks off within a message takes nothing with it."""
    intruder.send_raw(b"\x81\xfe\x10\x00\x00\x00\x00\x00" + b"x" * 100)
    cut(intruder.socket)


def test_cut_in_the_middle_of_a_handshake(relay: RunningRelay, room: str, bystander: Subscriber) -> None:
    """So does one that breaks off before it is a WebSocket."""
    for request in (b"GET", f"GET {room_path(room)} HTTP/1.1\r\nUpgrade: websocket\r\nConn".encode()):
        connection = socket.create_connection((relay.host, relay.port), timeout=DEADLINE_S)
        connection.sendall(request)
        cut(connection)


def test_many_clients_that_come_and_go(relay: RunningRelay, room: str, bystander: Subscriber) -> None:
    """Clients that connect and vanish, politely or not, are counted out again."""
    for number in range(30):
        with Subscriber(relay, room) as client:
            if number % 3 == 0:
                cut(client.socket)
            elif number % 3 == 1:
                client.hello()
                assert client.leave() == 1000
    wait_until(lambda: look(relay, room)["subscribers"] == 1, "clients that are gone are still counted")


# Requests.


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50,  # TLS
        b"nonsense\r\n\r\n",
        b"GET /health HTTP/1.1\r\nBad Header: x\r\n\r\n",
        b"POST /parties/main/lobby HTTP/1.1\r\nHost: relay\r\nContent-Length: -1\r\n\r\n",
        b"POST /parties/main/lobby HTTP/1.1\r\nHost: relay\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["TLS", "nonsense", "bad header", "negative length", "bad chunk"],
)
def test_broken_request(relay: RunningRelay, bystander: Subscriber, request_bytes: bytes) -> None:
    """What is no HTTP is refused or cut off, not left hanging and not taken."""
    with socket.create_connection((relay.host, relay.port), timeout=DEADLINE_S) as connection:
        answered = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(request_bytes)
            connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(65536):
                answered += data
    assert answered == b"" or answered.split()[1][:1] in (b"4", b"5"), answered


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "chunked"])
def test_publish_that_breaks_off(relay: RunningRelay, room: str, bystander: Subscriber, chunked: bool) -> None:
    """A request that breaks off in its body is not taken, even if what came is a whole request."""
    body = encode({"frames": [frame("cut", 0)]})
    head = f"POST {room_path(room)} HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {relay.secret}\r\n".encode()
    if chunked:
        part = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(body), body)
    else:
        part = b"Content-Length: %d\r\n\r\n%b" % (len(body) + 1, body)
    connection = socket.create_connection((relay.host, relay.port), timeout=DEADLINE_S)
    connection.sendall(head + part)
    cut(connection)
    assert look(relay, room)["streams"] == []


# A client that stops reading.


def until_closed(subscriber: Subscriber, last: int) -> list[Message]:
    """The frames up to number `last`, or as many as come before the relay ends the connection."""
    seen: list[Message] = []
    with contextlib.suppress(Closed):
        while not seen or seen[-1]["seq"] != last:
            seen.append(subscriber.next())
    return seen


def test_stalled_subscriber(relay: RunningRelay, room: str) -> None:
    """A client that stops reading delays nobody; it gets everything later or, cut off, when it resumes."""
    total, batch = 120, 15  # 7 MB, within what a room holds and beyond what a relay queues for one client
    frames = [frame("s", seq, data=f"{seq}:".ljust(60_000, "x")) for seq in range(total)]
    with (
        Publisher(relay, room) as publisher,
        Subscriber(relay, room, receive_buffer=4096) as stalled,
        Subscriber(relay, room) as other,
    ):
        other.hello()
        for start in range(0, total, batch):
            publisher.publish(*frames[start : start + batch])
            assert other.take(batch) == frames[start : start + batch]
        publisher.publish(frame("s", total, "end"))
        assert other.next() == frame("s", total, "end")

        stalled.hello()
        seen = until_closed(stalled, total)
        if len(seen) <= total:
            with Subscriber(relay, room, query=f"from=s:{len(seen)}") as resumed:
                resumed.hello()
                seen += resumed.until("s", total)
        assert seen == [*frames, frame("s", total, "end")]
