"""The bounds on requests, messages and rooms, on a relay with small ones (PROTOCOL.md, "What a room holds").

The sizes of a request are those that the recorded bodies of wire.json were made for, so all of them are replayed here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from relay_server import protocol
from tests.conformance.harness import (
    Publisher,
    Subscriber,
    assert_answered,
    assert_refused,
    encode,
    frame,
    look,
    reply,
)
from tests.servers import ALL_SERVERS, RunningRelay, running_relay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conformance.harness import Message

WIRE = json.loads((Path(protocol.__file__).parent / "vectors" / "wire.json").read_text())
BODY_BYTES: int = WIRE["limits"]["max_body_bytes"]
FRAME_BYTES: int = WIRE["limits"]["max_frame_bytes"]
BATCH_FRAMES: int = WIRE["limits"]["max_batch_frames"]
MESSAGE_BYTES = 100
ROOM_FRAMES = 12
ROOM_BYTES = 1000
ROOM_STREAMS = 4

SMALL = {
    "RELAY_MAX_BODY_BYTES": BODY_BYTES,
    "RELAY_MAX_FRAME_BYTES": FRAME_BYTES,
    "RELAY_MAX_BATCH_FRAMES": BATCH_FRAMES,
    "RELAY_MAX_MESSAGE_BYTES": MESSAGE_BYTES,
    "RELAY_MAX_ROOM_FRAMES": ROOM_FRAMES,
    "RELAY_MAX_ROOM_BYTES": ROOM_BYTES,
    "RELAY_MAX_ROOM_STREAMS": ROOM_STREAMS,
}


@pytest.fixture(scope="module", params=ALL_SERVERS)
def relay(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRelay]:
    """A relay with small bounds."""
    variables = {name: str(value) for name, value in SMALL.items()}
    with running_relay(request.param, tmp_path_factory.mktemp(request.param), variables=variables) as running:
        yield running


def publish_one_by_one(publisher: Publisher, *frames: Message) -> None:
    for one in frames:
        publisher.publish(one)


def sized(stream: str, seq: int, size: int) -> Message:
    """A frame of exactly `size` bytes."""
    bare = len(encode(frame(stream, seq, data="")))
    return frame(stream, seq, data="x" * (size - bare))


# Requests.


@pytest.mark.parametrize("row", WIRE["publish"], ids=lambda row: row["name"])
def test_recorded_body(relay: RunningRelay, room: str, row: dict[str, Any]) -> None:
    """Every body of wire.json is taken or refused over the wire as it is recorded."""
    body = bytes.fromhex(row["hex"]) if "hex" in row else row["body"].encode()
    with Publisher(relay, room) as publisher:
        answer = publisher.post_body(body)
        expected: list[Message] = row.get("expect", [])
        if row.get("refused") == "bad_request":
            assert_refused(answer, 400, "bad_request")
        elif row.get("refused") == "too_large":
            assert_refused(answer, 413, "too_large", limit=BODY_BYTES if len(body) > BODY_BYTES else FRAME_BYTES)
        elif row.get("refused") == "too_many_frames":
            assert_refused(answer, 413, "too_many_frames", limit=BATCH_FRAMES)
        elif expected[0]["seq"] > 0:  # a good frame, but not one that opens a stream
            assert_refused(answer, 409, "gap", stream=expected[0]["stream"], expected=0)
            expected = []
        else:
            assert assert_answered(answer) == {"next": {expected[0]["stream"]: 1}, "stop": []}
        with Subscriber(relay, room) as subscriber:
            subscriber.hello()
            assert subscriber.until_now(publisher) == expected[:1]


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "chunked"])
def test_body_at_its_bound(relay: RunningRelay, room: str, chunked: bool) -> None:
    """A body of as many bytes as are taken is taken; one byte more is refused, and so are very many."""
    body = encode({"frames": [frame("s", 0)]})
    with Publisher(relay, room) as publisher:
        for size in (BODY_BYTES, BODY_BYTES + 1, 300_000):
            padded = body + b" " * (size - len(body))
            pieces = [padded[at : at + 4096] for at in range(0, len(padded), 4096)] if chunked else padded
            answer = publisher.post_body(pieces)
            if size == BODY_BYTES:
                assert assert_answered(answer)["next"] == {"s": 1}
            else:
                assert_refused(answer, 413, "too_large", limit=BODY_BYTES)
                publisher.connection.close()
        assert publisher.publish(frame("s", 1))["next"] == {"s": 2}


def test_frame_at_its_bound(relay: RunningRelay, room: str) -> None:
    """A frame counts with the bytes that are sent of it, and a refused one leaves those beside it out too."""
    with Publisher(relay, room) as publisher:
        assert publisher.publish(sized("s", 0, FRAME_BYTES))["next"] == {"s": 1}
        refused = publisher.post(frame("s", 1), sized("s", 2, FRAME_BYTES + 1))
        assert_refused(refused, 413, "too_large", limit=FRAME_BYTES)
        assert look(relay, room)["frames"] == 1


def test_frames_in_one_request(relay: RunningRelay, room: str) -> None:
    """A request with more frames than are taken is refused whole, old ones counted too."""
    with Publisher(relay, room) as publisher:
        assert publisher.publish(*reply("s", BATCH_FRAMES))["next"] == {"s": BATCH_FRAMES}
        refused = publisher.post(*reply("s", BATCH_FRAMES), frame("s", 0))
        assert_refused(refused, 413, "too_many_frames", limit=BATCH_FRAMES)


# Messages of subscribers.


def test_message_at_its_bound(relay: RunningRelay, room: str) -> None:
    """A message of as many bytes as are taken is answered; one byte more ends the connection with 1009."""
    ping = encode({"kind": "ping"})
    with Subscriber(relay, room) as subscriber, Subscriber(relay, room) as other, Publisher(relay, room) as publisher:
        subscriber.hello()
        other.hello()
        subscriber.send_text(ping.ljust(MESSAGE_BYTES))
        assert subscriber.next() == {"kind": "pong"}
        subscriber.send_text(ping.ljust(MESSAGE_BYTES + 1))
        assert subscriber.wait_closed() == 1009
        assert other.until_now(publisher) == []


def test_message_counts_whole(relay: RunningRelay, room: str) -> None:
    """Fragments do not get around the bound, and letters count with their bytes."""
    with Subscriber(relay, room) as subscriber:
        subscriber.hello()
        subscriber.send_text(b'{"kind":"ping"}', fin=False)
        for _ in range(4):
            subscriber.send_more(b" " * 30, fin=False)
        subscriber.send_more(b" ", fin=True)
        assert subscriber.wait_closed() == 1009
    with Subscriber(relay, room) as subscriber:
        subscriber.hello()
        subscriber.send_text(encode({"kind": "ping", "more": "é" * (MESSAGE_BYTES // 2)}))
        assert subscriber.wait_closed() == 1009


# Rooms.


def test_oldest_frames_make_room(relay: RunningRelay, room: str) -> None:
    """A stream longer than its room goes on; who is there sees all of it, who comes late is told what is gone."""
    frames = [frame("s", seq, data=seq) for seq in range(20)]
    first = len(frames) - ROOM_FRAMES
    with Publisher(relay, room) as publisher, Subscriber(relay, room) as live:
        live.hello()
        publish_one_by_one(publisher, *frames)
        assert live.take(20) == frames
        with Subscriber(relay, room) as late:
            assert late.hello()["streams"] == [
                {"stream": "s", "first": first, "next": 20, "finished": False, "stop": False}
            ]
            lost = late.next()
            assert list(lost) == ["kind", "stream", "from", "next"]
            assert lost == {"kind": "lost", "stream": "s", "from": 0, "next": first}
            assert late.take(ROOM_FRAMES) == frames[first:]
        assert look(relay, room)["frames"] == ROOM_FRAMES
        assert publisher.publish(frames[0], frames[19])["next"] == {"s": 20}


@pytest.mark.parametrize("cursor", [0, 3, 7, 8, 9, 20, 25])
def test_resume_of_a_stream_cut_short(relay: RunningRelay, room: str, cursor: int) -> None:
    """A cursor below what is held is told from where to where frames are gone, one within it misses nothing."""
    frames = [frame("s", seq) for seq in range(20)]
    first = len(frames) - ROOM_FRAMES
    with Publisher(relay, room) as publisher:
        publish_one_by_one(publisher, *frames)
        with Subscriber(relay, room, query=f"from=s:{cursor}") as subscriber:
            subscriber.hello()
            if cursor < first:
                assert subscriber.next() == {"kind": "lost", "stream": "s", "from": cursor, "next": first}
            publisher.publish(frame("s", 20, "end"))
            assert subscriber.until_now(publisher) == [*frames, frame("s", 20, "end")][max(cursor, first) :]


def test_finished_streams_make_room_first(relay: RunningRelay, room: str) -> None:
    """Whole finished streams go before any frame of an unfinished one, the one that opened first going first."""
    with Publisher(relay, room) as publisher:
        publish_one_by_one(publisher, frame("live", 0), *reply("b", 4), *reply("a", 3))
        publish_one_by_one(publisher, *(frame("live", seq) for seq in range(1, 6)))
        assert [state["stream"] for state in look(relay, room)["streams"]] == ["live", "a"]
        with Subscriber(relay, room, query="from=b:2&from=live:1") as subscriber:
            assert [state["first"] for state in subscriber.hello()["streams"]] == [0, 0]
            assert subscriber.next() == {"kind": "lost", "stream": "b", "from": 2, "next": None}
            assert subscriber.take(5) == [frame("live", seq) for seq in range(1, 6)]
        assert publisher.publish(frame("b", 0))["next"] == {"b": 1}, "a forgotten stream expects 0 again"


def test_stream_that_opened_first_gives_way(relay: RunningRelay, room: str) -> None:
    """Among unfinished streams the one that opened first loses its oldest frames, down to one, then the next."""
    with Publisher(relay, room) as publisher:
        publish_one_by_one(publisher, *(frame("a", seq) for seq in range(3)), *(frame("b", seq) for seq in range(8)))
        publish_one_by_one(publisher, *(frame("c", seq) for seq in range(4)))
        held = [(state["stream"], state["first"], state["next"]) for state in look(relay, room)["streams"]]
    assert held == [("a", 2, 3), ("b", 1, 8), ("c", 0, 4)]


def test_bytes_of_a_room(relay: RunningRelay, room: str) -> None:
    """A room is bound in bytes as in frames."""
    frames = [sized("s", seq, FRAME_BYTES) for seq in range(10)]
    with Publisher(relay, room) as publisher, Subscriber(relay, room) as live:
        live.hello()
        publish_one_by_one(publisher, *frames)
        assert live.take(10) == frames
        kept = ROOM_BYTES // FRAME_BYTES
        seen = look(relay, room)
        assert (seen["frames"], seen["bytes"]) == (kept, kept * FRAME_BYTES)
        with Subscriber(relay, room, query="from=s:1") as late:
            late.hello()
            assert late.next() == {"kind": "lost", "stream": "s", "from": 1, "next": 10 - kept}
            assert late.take(kept) == frames[-kept:]


def test_unfinished_streams_fill_a_room(relay: RunningRelay, room: str) -> None:
    """A room full of unfinished streams opens no more until one of them has ended."""
    with Publisher(relay, room) as publisher:
        for number in range(ROOM_STREAMS):
            publisher.publish(frame(f"s{number}", 0))
        refused = publisher.post(frame("s0", 1), frame("new", 0))
        assert_refused(refused, 429, "too_many_streams", limit=ROOM_STREAMS)
        assert publisher.publish(frame("s0", 1), frame("s2", 1, "end"))["next"] == {"s0": 2, "s2": 2}
        assert publisher.publish(frame("new", 0))["next"] == {"new": 1}
        assert [state["stream"] for state in look(relay, room)["streams"]] == ["s0", "s1", "s3", "new"]


def test_finished_stream_that_opened_first_is_forgotten(relay: RunningRelay, room: str) -> None:
    """In a room at its bound of streams the oldest finished one makes way, and who resumes it is told."""
    with Publisher(relay, room) as publisher:
        for stream in ("a", "b", "c", "d"):
            publisher.publish(frame(stream, 0, "end" if stream in "bcd" else "start"))
        publisher.publish(frame("e", 0))
        assert [state["stream"] for state in look(relay, room)["streams"]] == ["a", "c", "d", "e"]
        with Subscriber(relay, room, query="from=b:1") as subscriber:
            subscriber.hello()
            assert subscriber.next() == {"kind": "lost", "stream": "b", "from": 1, "next": None}
