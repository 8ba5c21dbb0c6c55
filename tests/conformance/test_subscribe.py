"""Subscribing: hello, replay, cursors, what is lost, live frames, pings (PROTOCOL.md, "Subscribe")."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.conformance.harness import DEADLINE_S, Publisher, Subscriber, frame, look, reply, stream_state

if TYPE_CHECKING:
    from tests.conformance.harness import Message
    from tests.servers import RunningRelay


def test_hello_of_an_empty_room(relay: RunningRelay, room: str) -> None:
    """The first message is hello, its keys as documented."""
    with Subscriber(relay, room) as subscriber:
        hello = subscriber.hello()
    assert list(hello) == ["kind", "protocol", "server", "build", "room", "streams"]
    assert hello == {
        "kind": "hello",
        "protocol": 1,
        "server": relay.name,
        "build": relay.build,
        "room": room,
        "streams": [],
    }


def test_hello_lists_the_streams_as_they_opened(relay: RunningRelay, room: str) -> None:
    """Hello says of every stream how far it is, in the order of opening, not of finishing."""
    with Publisher(relay, room) as publisher:
        publisher.publish(frame("z", 0, "start"), frame("a", 0, "start"), frame("m", 0, "start"))
        publisher.publish(frame("m", 1, "error"), frame("z", 1), frame("z", 2, "end"))
    with Subscriber(relay, room) as subscriber:
        streams = subscriber.hello()["streams"]
    assert [list(stream) for stream in streams] == [["stream", "first", "next", "finished", "stop"]] * 3
    assert streams == [stream_state("z", 3, finished=True), stream_state("a", 1), stream_state("m", 2, finished=True)]


def test_subscriber_before_the_first_frame(relay: RunningRelay, room: str) -> None:
    """Who waits in an empty room gets the stream from its start."""
    with Subscriber(relay, room) as subscriber, Publisher(relay, room) as publisher:
        assert subscriber.hello()["streams"] == []
        for one in reply("s", 5):
            publisher.publish(one)
            assert subscriber.next() == one


def test_late_joiner_gets_the_replay_then_live_frames(relay: RunningRelay, room: str) -> None:
    """Who comes in mid-stream gets what was, then what comes, nothing twice."""
    frames = reply("s", 10)
    with Publisher(relay, room) as publisher:
        publisher.publish(*frames[:6])
        with Subscriber(relay, room) as subscriber:
            assert subscriber.hello()["streams"] == [stream_state("s", 6)]
            publisher.publish(*frames[4:])
            assert subscriber.until_now(publisher) == frames


def test_replay_goes_stream_by_stream(relay: RunningRelay, room: str) -> None:
    """The replay holds finished streams too, one after the other in the order of opening."""
    a, b = reply("a", 4), reply("b", 5)
    with Publisher(relay, room) as publisher:
        publisher.publish(b[0], a[0], b[1], a[1], *a[2:], b[2])
        with Subscriber(relay, room) as subscriber:
            subscriber.hello()
            assert subscriber.until_now(publisher) == [*b[:3], *a]


def test_replay_is_the_text_that_was_live(relay: RunningRelay, room: str) -> None:
    """A replayed frame has the very text that it had live."""
    with Subscriber(relay, room) as live, Publisher(relay, room) as publisher:
        live.hello()
        publisher.publish(frame("s", 0, data={"z": "é\n", "a": 1.5, "7": []}))
        with Subscriber(relay, room) as late:
            late.hello()
            assert late.next_text() == live.next_text()


def test_resume(relay: RunningRelay, room: str) -> None:
    """A cursor for each stream: what is below stays out, and a stream that was not named comes whole."""
    a, b, c = reply("a", 5), reply("room:b", 5), reply("c", 3)
    with Publisher(relay, room) as publisher:
        publisher.publish(*a, *b[:3], *c)
        with Subscriber(relay, room, query="from=a:3&from=room:b:2&_pk=x") as subscriber:
            assert [stream["next"] for stream in subscriber.hello()["streams"]] == [5, 3, 3]
            assert subscriber.until_now(publisher) == [*a[3:], b[2], *c]
            publisher.publish(*b[3:])
            assert subscriber.take(2) == b[3:]


def test_resume_of_what_is_complete(relay: RunningRelay, room: str) -> None:
    """A cursor at the end of a finished stream gives nothing of it, and nothing is lost."""
    with Publisher(relay, room) as publisher:
        publisher.publish(*reply("s", 4))
        with Subscriber(relay, room, query="from=s:4") as subscriber:
            subscriber.hello()
            assert subscriber.until_now(publisher) == []


@pytest.mark.parametrize(
    "query", ["from=room%3As%3A2", "from=room%3as:2", "from=room:s:00002", "_pk=1&from=room:s:2&x"]
)
def test_cursor_may_be_encoded(relay: RunningRelay, room: str, query: str) -> None:
    """The query is percent-decoded, as browsers encode it, and other parameters mean nothing."""
    with Publisher(relay, room) as publisher:
        publisher.publish(*reply("room:s", 4))
        with Subscriber(relay, room, query=query) as subscriber:
            subscriber.hello()
            assert subscriber.until_now(publisher) == reply("room:s", 4)[2:]


def test_last_cursor_of_a_stream_counts(relay: RunningRelay, room: str) -> None:
    """A stream that is named twice resumes from the later one of the query."""
    with Publisher(relay, room) as publisher:
        publisher.publish(*reply("s", 5))
        with Subscriber(relay, room, query="from=s:4&from=s:1") as subscriber:
            subscriber.hello()
            assert subscriber.until_now(publisher) == reply("s", 5)[1:]


def test_cursor_ahead_of_a_stream_holds(relay: RunningRelay, room: str) -> None:
    """Frames below a cursor that is ahead are not sent, those from it on are; other streams and clients see all."""
    frames = reply("s", 8)
    with (
        Publisher(relay, room) as publisher,
        Subscriber(relay, room, query="from=s:5") as ahead,
        Subscriber(relay, room) as other,
    ):
        assert ahead.hello()["streams"] == []
        other.hello()
        publisher.publish(*frames[:2])
        with Subscriber(relay, room, query="from=s:5") as also_ahead:
            assert also_ahead.hello()["streams"] == [stream_state("s", 2)]
            publisher.publish(frame("other", 0))
            publisher.publish(*frames[2:])
            assert also_ahead.until_now(publisher) == [frame("other", 0), *frames[5:]]
        assert ahead.next() == {"kind": "lost", "stream": "s", "from": 5, "next": None}
        assert ahead.until("s", 7) == [frame("other", 0), *frames[5:]]
        assert other.until("s", 7) == [*frames[:2], frame("other", 0), *frames[2:]]


def test_unknown_stream_is_lost(relay: RunningRelay, room: str) -> None:
    """Who resumes a stream that the room does not hold is told, before anything else; a cursor of 0 misses nothing."""
    with Publisher(relay, room) as publisher:
        publisher.publish(*reply("s", 3))
        with Subscriber(relay, room, query="from=gone:7&from=s:1&from=never:0") as subscriber:
            assert subscriber.hello()["streams"] == [stream_state("s", 3, finished=True)]
            lost = subscriber.next()
            assert lost == {"kind": "lost", "stream": "gone", "from": 7, "next": None}
            assert list(lost) == ["kind", "stream", "from", "next"]
            assert subscriber.until_now(publisher) == reply("s", 3)[1:]


def test_streams_that_came_and_went_meanwhile(relay: RunningRelay, room: str) -> None:
    """A subscriber that was away gets the rest of its stream and every stream that opened since."""
    mine, meanwhile = reply("mine", 6), reply("meanwhile", 4)
    with Publisher(relay, room) as publisher:
        with Subscriber(relay, room) as subscriber:
            subscriber.hello()
            publisher.publish(*mine[:2])
            assert subscriber.take(2) == mine[:2]
        publisher.publish(mine[2], *meanwhile, *mine[3:])
        with Subscriber(relay, room, query="from=mine:2") as subscriber:
            subscriber.hello()
            assert subscriber.until_now(publisher) == [*mine[2:], *meanwhile]


def test_same_client_id_twice(relay: RunningRelay, room: str) -> None:
    """PartySocket keeps its `_pk` when it comes back, maybe before the old connection is gone: both get everything."""
    with Publisher(relay, room) as publisher, Subscriber(relay, room, query="_pk=same") as old:
        old.hello()
        publisher.publish(frame("s", 0))
        with Subscriber(relay, room, query="_pk=same&from=s:1") as new:
            new.hello()
            publisher.publish(frame("s", 1))
            assert new.next() == frame("s", 1)
            assert old.take(2) == [frame("s", 0), frame("s", 1)]
            assert old.leave() == 1000
            publisher.publish(frame("s", 2))
            assert new.next() == frame("s", 2)


@pytest.mark.parametrize(
    "client_id", ["", "a%20b%00", "%C3%A9%F0%9F%9A%80", "x" * 2000], ids=["empty", "odd", "not ASCII", "long"]
)
def test_client_id_may_be_anything(relay: RunningRelay, room: str, client_id: str) -> None:
    """`_pk` is the client's business."""
    with Publisher(relay, room) as publisher, Subscriber(relay, room, query=f"_pk={client_id}") as subscriber:
        subscriber.hello()
        publisher.publish(frame("s", 0))
        assert subscriber.next() == frame("s", 0)


def test_subscribers_that_connect_while_frames_flow(relay: RunningRelay, room: str) -> None:
    """Ten subscribers that connect one after the other in mid-stream: each sees every frame once and in order."""
    frames = reply("s", 300)
    connected = threading.Semaphore(0)

    def publish() -> None:
        with Publisher(relay, room) as publisher:
            for start in range(0, len(frames), 3):
                publisher.publish(*frames[start : start + 3])
                if start % 30 == 0:
                    connected.acquire(
                        timeout=DEADLINE_S
                    )  # so that some subscribers come early, some late, on a fast relay too

    def subscribe(_: int) -> list[Message]:
        with Subscriber(relay, room) as subscriber:
            subscriber.hello()
            connected.release()
            return subscriber.until("s", len(frames) - 1)

    with ThreadPoolExecutor(11) as pool:
        publishing = pool.submit(publish)
        assert list(pool.map(subscribe, range(10))) == [frames] * 10
        publishing.result()


def test_application_ping(relay: RunningRelay, room: str) -> None:
    """A browser cannot send pings of the WebSocket's own, so there is a message for it."""
    with Subscriber(relay, room) as subscriber:
        subscriber.hello()
        assert subscriber.ask({"kind": "ping"}) == {"kind": "pong"}
        assert subscriber.ask({"more": [1], "kind": "ping"}) == {"kind": "pong"}


def test_pings_stay_with_who_sent_them(relay: RunningRelay, room: str) -> None:
    """Nobody else hears of a ping."""
    with Subscriber(relay, room) as one, Subscriber(relay, room) as other, Publisher(relay, room) as publisher:
        one.hello()
        other.hello()
        assert one.ask({"kind": "ping"}) == {"kind": "pong"}
        assert other.until_now(publisher) == []


def test_websocket_ping(relay: RunningRelay, room: str) -> None:
    """A ping of the WebSocket's own is answered with its payload, as RFC 6455 has it."""
    with Subscriber(relay, room) as subscriber:
        subscriber.hello()
        assert subscriber.ping(b"") == b""
        assert subscriber.ping(b"payload" * 17) == b"payload" * 17


@pytest.mark.parametrize("query", ["", "from=s:9"], ids=["plain", "cursor ahead"])
def test_closing_is_answered(relay: RunningRelay, room: str, query: str) -> None:
    """A client that closes gets its code back, and the room no longer counts it."""
    with Subscriber(relay, room, query=query) as subscriber, Subscriber(relay, room) as other:
        subscriber.hello()
        other.hello()
        assert look(relay, room)["subscribers"] == 2
        assert subscriber.leave() == 1000
        assert look(relay, room)["subscribers"] == 1
