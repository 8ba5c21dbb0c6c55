"""Publishing: numbering, repeats, gaps, ends, and what subscribers get of it (PROTOCOL.md, "Frames", "Publish")."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.conformance.harness import (
    DEADLINE_S,
    Publisher,
    Subscriber,
    assert_answered,
    assert_refused,
    encode,
    frame,
    look,
    read_answer,
    reply,
    room_path,
)

if TYPE_CHECKING:
    from tests.servers import RunningRelay


def test_answer_names_the_next_seq_of_each_stream(relay: RunningRelay, room: str) -> None:
    """A publish is answered with what is expected next, in the documented form."""
    with Publisher(relay, room) as publisher:
        assert publisher.publish(frame("a", 0, "start"), frame("b", 0), frame("a", 1)) == {
            "next": {"a": 2, "b": 1},
            "stop": [],
        }
        assert publisher.publish(frame("b", 1, "end")) == {"next": {"b": 2}, "stop": []}


def test_live_frames_are_passed_on_as_published(relay: RunningRelay, room: str) -> None:
    """A subscriber gets the documented keys in the documented order, whatever order the publisher wrote."""
    with Subscriber(relay, room) as subscriber, Publisher(relay, room) as publisher:
        subscriber.hello()
        publisher.publish(
            {"extra": 1, "data": {"b": 1, "a": [1, 2]}, "kind": "start", "seq": 0, "stream": "lobby:6f1c"},
            {"seq": 1, "stream": "lobby:6f1c", "kind": "data", "data": None},
            {"kind": "end", "stream": "lobby:6f1c", "seq": 2},
        )
        assert [subscriber.next_text() for _ in range(3)] == [
            b'{"stream":"lobby:6f1c","seq":0,"kind":"start","data":{"b":1,"a":[1,2]}}',
            b'{"stream":"lobby:6f1c","seq":1,"kind":"data","data":null}',
            b'{"stream":"lobby:6f1c","seq":2,"kind":"end"}',
        ]


@pytest.mark.parametrize(
    "data",
    [
        "",
        'a\n\t"\\/\u0000\u007f\u2028b',
        "é 東京 𐍈 👩‍🚀",
        0,
        -1.5,
        2**53 - 1,
        True,
        False,
        [],
        {},
        {"": [[{"a": None}]]},
    ],
    ids=ascii,
)
def test_data_of_any_json_type_arrives_unchanged(relay: RunningRelay, room: str, data: object) -> None:
    """What the application says comes out as it went in, live and replayed."""
    with Subscriber(relay, room) as live, Publisher(relay, room) as publisher:
        live.hello()
        publisher.publish(frame("s", 0, data=data))
        assert live.next() == frame("s", 0, data=data)
    with Subscriber(relay, room) as late:
        late.hello()
        assert late.next() == frame("s", 0, data=data)


def test_text_may_come_escaped(relay: RunningRelay, room: str) -> None:
    """Text written with JSON escapes, an emoji as a pair of them too, is the same text."""
    with Subscriber(relay, room) as subscriber, Publisher(relay, room) as publisher:
        subscriber.hello()
        publisher.post_body(rb'{"frames":[{"stream":"s","seq":0,"kind":"data","data":"\u00e9\ud83d\ude80\/"}]}')
        assert subscriber.next() == frame("s", 0, data="é🚀/")


def test_body_may_be_laid_out_over_lines(relay: RunningRelay, room: str) -> None:
    """White space in the body means nothing, and each frame arrives as one message."""
    with Subscriber(relay, room) as subscriber, Publisher(relay, room) as publisher:
        subscriber.hello()
        frames = [frame("s", 0, data={"a": [1, {"b": "x y"}]}), frame("s", 1)]
        publisher.post_body(json.dumps({"frames": frames}, indent=2).replace("\n", "\r\n").encode())
        assert subscriber.until_now(publisher) == frames


def test_every_subscriber_gets_every_frame(relay: RunningRelay, room: str) -> None:
    """Several subscribers of a room see the same frames in the same order."""
    frames = reply("s", 20)
    subscribers = [Subscriber(relay, room) for _ in range(5)]
    with Publisher(relay, room) as publisher:
        for subscriber in subscribers:
            subscriber.hello()
        for one in frames:
            publisher.publish(one)
        for subscriber in subscribers:
            with subscriber:
                assert subscriber.until_now(publisher)[: len(frames)] == frames


@pytest.mark.parametrize("kind", ["start", "data", "end", "error"])
def test_any_kind_opens_a_stream(relay: RunningRelay, room: str, kind: str) -> None:
    """The frame with seq 0 opens the stream, and only a terminal one finishes it."""
    with Publisher(relay, room) as publisher:
        publisher.publish(frame("s", 0, kind))
    with Subscriber(relay, room) as subscriber:
        subscriber.hello()
        assert subscriber.next() == frame("s", 0, kind)
    (stream,) = look(relay, room)["streams"]
    assert stream["finished"] is (kind in ("end", "error"))


def test_repeated_request_is_acknowledged_and_not_sent_again(relay: RunningRelay, room: str) -> None:
    """A publisher that lost the answer repeats the request, and nobody sees anything twice."""
    frames = reply("s", 4)
    with Subscriber(relay, room) as subscriber, Publisher(relay, room) as publisher:
        subscriber.hello()
        answers = [publisher.publish(*frames) for _ in range(3)]
        assert answers == [{"next": {"s": 4}, "stop": []}] * 3
        assert subscriber.until_now(publisher) == frames


def test_old_frame_says_how_far_the_stream_is(relay: RunningRelay, room: str) -> None:
    """A frame that the relay already has is answered with what it expects, not with what follows that frame."""
    with Publisher(relay, room) as publisher:
        publisher.publish(*reply("s", 5)[:4])
        assert publisher.publish(frame("s", 1)) == {"next": {"s": 4}, "stop": []}


def test_request_may_hold_old_and_new_frames(relay: RunningRelay, room: str) -> None:
    """Of a request that overlaps the one before only the new frames are sent."""
    first, second, third = (frame("s", seq, data=seq) for seq in range(3))
    with Subscriber(relay, room) as subscriber, Publisher(relay, room) as publisher:
        subscriber.hello()
        publisher.publish(first, second)
        assert publisher.publish(second, second, third, third) == {"next": {"s": 3}, "stop": []}
        assert subscriber.until_now(publisher) == [first, second, third]


def test_first_version_of_a_frame_stays(relay: RunningRelay, room: str) -> None:
    """A frame published again with other data is not changed, live or in the replay."""
    with Subscriber(relay, room) as live, Publisher(relay, room) as publisher:
        live.hello()
        publisher.publish(frame("s", 0, data="first"), frame("s", 0, data="second"))
        publisher.publish(frame("s", 0, "end", data="third"), frame("s", 1, data="fourth"))
        expected = [frame("s", 0, data="first"), frame("s", 1, data="fourth")]
        assert live.until_now(publisher) == expected
        with Subscriber(relay, room) as late:
            late.hello()
            assert late.take(2) == expected


def test_gap_is_refused(relay: RunningRelay, room: str) -> None:
    """A frame that is too far ahead is refused with the number that is expected, and the stream goes on from there."""
    with Publisher(relay, room) as publisher:
        assert_refused(publisher.post(frame("s", 1)), 409, "gap", stream="s", expected=0)
        publisher.publish(frame("s", 0, "start"), frame("s", 1))
        assert_refused(publisher.post(frame("s", 3)), 409, "gap", stream="s", expected=2)
        assert_refused(publisher.post(frame("s", 2), frame("s", 4)), 409, "gap", stream="s", expected=3)
        assert_refused(publisher.post(frame("s", 2**53 - 1)), 409, "gap", stream="s", expected=2)
        assert publisher.publish(frame("s", 2, "end"))["next"] == {"s": 3}


def test_refused_request_changes_nothing(relay: RunningRelay, room: str) -> None:
    """A request is taken whole or not at all: of a refused one no frame is kept or sent, and no stream is opened."""
    with Subscriber(relay, room) as subscriber, Publisher(relay, room) as publisher:
        subscriber.hello()
        publisher.publish(frame("a", 0))
        before = look(relay, room)
        refused = publisher.post(frame("a", 1), frame("new", 0), frame("new", 1, "end"), frame("a", 3))
        assert_refused(refused, 409, "gap", stream="a", expected=2)
        assert_refused(publisher.post(frame("new", 0, "end"), frame("new", 1)), 409, "finished", stream="new")
        assert_refused(publisher.post(frame("new", 0), frame("new", 1, "stop")), 400, "bad_request")
        assert look(relay, room) == before
        assert subscriber.until_now(publisher) == [frame("a", 0)]
        assert publisher.publish(frame("a", 1))["next"] == {"a": 2}


@pytest.mark.parametrize("kind", ["end", "error"])
def test_nothing_follows_a_terminal_frame(relay: RunningRelay, room: str, kind: str) -> None:
    """A finished stream takes no new frame, and still acknowledges those that it has."""
    with Publisher(relay, room) as publisher:
        publisher.publish(frame("s", 0, "start"), frame("s", 1, kind))
        assert_refused(publisher.post(frame("s", 2)), 409, "finished", stream="s")
        assert_refused(publisher.post(frame("s", 2, "end")), 409, "finished", stream="s")
        assert_refused(publisher.post(frame("s", 7)), 409, "finished", stream="s")
        assert publisher.publish(frame("s", 0, "start"), frame("s", 1, kind)) == {"next": {"s": 2}, "stop": []}


def test_streams_may_be_interleaved(relay: RunningRelay, room: str) -> None:
    """Frames of two streams in one request reach subscribers in the order in which they stand there."""
    frames = [one for pair in zip(reply("a", 10), reply("b", 10), strict=True) for one in pair]
    with Subscriber(relay, room) as subscriber, Publisher(relay, room) as publisher:
        subscriber.hello()
        assert publisher.publish(*frames)["next"] == {"a": 10, "b": 10}
        assert subscriber.until_now(publisher) == frames


def test_rooms_are_apart(relay: RunningRelay, room: str) -> None:
    """The same stream id in another room is another stream; a room's id is compared with its letter case."""
    with (
        Subscriber(relay, room) as subscriber,
        Publisher(relay, room) as publisher,
        Publisher(relay, room.upper()) as other,
        Subscriber(relay, room.upper()) as other_subscriber,
    ):
        subscriber.hello()
        other_subscriber.hello()
        other.publish(frame("s", 0, data="other"), frame("s", 1, "end"))
        publisher.publish(frame("s", 0, data="this"))
        assert subscriber.until_now(publisher) == [frame("s", 0, data="this")]
        assert other_subscriber.until_now(other) == [frame("s", 0, data="other"), frame("s", 1, "end")]


@pytest.mark.parametrize("stream", ["__proto__", "constructor", "7", "A._~:-z", "s" * 200])
def test_unusual_ids_are_as_good_as_any(relay: RunningRelay, stream: str) -> None:
    """Ids that mean something to a programming language, and the longest ones, are ids like others."""
    room = (stream * 128).replace(":", "")[:128]
    with Publisher(relay, room) as publisher:
        assert publisher.publish(frame("other", 0), frame(stream, 0)) == {"next": {"other": 1, stream: 1}, "stop": []}
    with Subscriber(relay, room) as subscriber:
        hello = subscriber.hello()
        assert hello["room"] == room
        assert [state["stream"] for state in hello["streams"]] == ["other", stream]
        assert subscriber.take(2) == [frame("other", 0), frame(stream, 0)]


def test_connection_stays_open_between_requests(relay: RunningRelay, room: str) -> None:
    """A publisher sends a whole reply over one connection, refusals in between included."""
    with Publisher(relay, room) as publisher:
        publisher.connection.connect()
        address = publisher.connection.sock.getsockname()
        for seq in range(10):
            publisher.publish(frame("s", seq))
            assert_refused(publisher.post(frame("s", 99)), 409, "gap", stream="s", expected=seq + 1)
            assert publisher.connection.sock.getsockname() == address


def test_pipelined_requests_are_answered_in_order(relay: RunningRelay, room: str) -> None:
    """Requests that come in one piece on one connection are taken and answered one after the other."""
    count = 20
    requests = b""
    for one in reply("s", count):
        body = encode({"frames": [one]})
        head = f"POST {room_path(room)} HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {relay.secret}\r\n"
        requests += head.encode() + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    with socket.create_connection((relay.host, relay.port), timeout=DEADLINE_S) as connection:
        connection.sendall(requests)
        with connection.makefile("rb") as file:
            answers = [assert_answered(read_answer(file)) for _ in range(count)]
    assert answers == [{"next": {"s": seq}, "stop": []} for seq in range(1, count + 1)]


def test_publishers_of_different_streams_do_not_disturb_each_other(relay: RunningRelay, room: str) -> None:
    """Four publishers at once, a stream each: every stream is whole and every subscriber sees the same order."""
    streams = ["a", "b", "c", "d"]
    count = 25

    def publish(stream: str) -> None:
        with Publisher(relay, room) as publisher:
            for one in reply(stream, count):
                publisher.publish(one)

    with Subscriber(relay, room) as one, Subscriber(relay, room) as other, Publisher(relay, room) as publisher:
        one.hello()
        other.hello()
        with ThreadPoolExecutor(len(streams)) as pool:
            list(pool.map(publish, streams))
        mark = publisher.mark()
        seen = one.until(mark, 0)[:-1]
        assert seen == other.until(mark, 0)[:-1]
    for stream in streams:
        assert [message for message in seen if message["stream"] == stream] == reply(stream, count)


def test_publishers_of_one_stream_agree_by_its_numbers(relay: RunningRelay, room: str) -> None:
    """Two publishers that send the same stream at once: subscribers get each frame once, in order."""
    frames = reply("s", 40)

    def publish(_: int) -> None:
        with Publisher(relay, room) as publisher:
            for one in frames:
                publisher.publish(one)

    with Subscriber(relay, room) as subscriber, Publisher(relay, room) as publisher:
        subscriber.hello()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(publish, range(2)))
        assert subscriber.until_now(publisher) == frames


def test_large_request_and_large_frames(relay: RunningRelay, room: str) -> None:
    """A request with as many frames as are taken, and a frame of as many bytes, reach every subscriber whole."""
    many = reply("many", 1000)
    bare = len(encode(frame("large", 0, data="")))
    large = frame("large", 0, data="é" * ((65536 - bare) // 2))
    with Subscriber(relay, room) as subscriber, Publisher(relay, room) as publisher:
        subscriber.hello()
        publisher.publish(*many)
        publisher.publish(large)
        assert subscriber.until_now(publisher) == [*many, large]
