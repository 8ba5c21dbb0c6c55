"""The stop button: a subscriber asks, the publisher learns of it in its next answer (PROTOCOL.md, "Subscribe")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conformance.harness import Publisher, Subscriber, frame, look, reply, stream_state

if TYPE_CHECKING:
    from tests.servers import RunningRelay

STOP = {"kind": "stop", "stream": "s"}
STOPPING = {"kind": "stopping", "stream": "s"}


def test_stop_reaches_the_publisher(relay: RunningRelay, room: str) -> None:
    """A stop is acknowledged to who asked, and every answer names it until the stream is finished."""
    with Publisher(relay, room) as publisher, Subscriber(relay, room) as subscriber:
        subscriber.hello()
        assert publisher.publish(frame("s", 0, "start"), frame("other", 0))["stop"] == []
        assert subscriber.take(2) == [frame("s", 0, "start"), frame("other", 0)]
        assert subscriber.ask(STOP) == STOPPING
        assert publisher.publish(frame("s", 1)) == {"next": {"s": 2}, "stop": ["s"]}
        assert publisher.publish(frame("s", 2)) == {"next": {"s": 3}, "stop": ["s"]}
        assert publisher.publish(frame("s", 3, "end")) == {"next": {"s": 4}, "stop": []}


def test_repeating_the_last_frame_learns_of_a_stop(relay: RunningRelay, room: str) -> None:
    """A publisher whose model is silent asks by repeating its last frame."""
    with Publisher(relay, room) as publisher, Subscriber(relay, room) as subscriber:
        publisher.publish(frame("s", 0, "start"))
        subscriber.hello()
        assert subscriber.next() == frame("s", 0, "start")
        assert subscriber.ask(STOP) == STOPPING
        assert publisher.publish(frame("s", 0, "start")) == {"next": {"s": 1}, "stop": ["s"]}


def test_stop_names_only_the_streams_of_the_request(relay: RunningRelay, room: str) -> None:
    """A publisher hears of stops of its own streams, not of others in the room."""
    with Publisher(relay, room) as publisher:
        publisher.publish(frame("s", 0), frame("t", 0), frame("other", 0))
        with Subscriber(relay, room, query="from=s:1&from=t:1&from=other:1") as subscriber:
            subscriber.hello()
            assert subscriber.ask({"kind": "stop", "stream": "t"}) == {"kind": "stopping", "stream": "t"}
            assert subscriber.ask(STOP) == STOPPING
            assert publisher.publish(frame("other", 1))["stop"] == []
            assert sorted(publisher.publish(frame("s", 1), frame("t", 1), frame("other", 2))["stop"]) == ["s", "t"]


def test_repeated_stop(relay: RunningRelay, room: str) -> None:
    """Asking again, or by somebody else, is acknowledged again."""
    with Publisher(relay, room) as publisher:
        publisher.publish(frame("s", 0))
        for _ in range(2):
            with Subscriber(relay, room, query="from=s:1") as subscriber:
                subscriber.hello()
                assert subscriber.ask(STOP) == STOPPING
                assert subscriber.ask(STOP) == STOPPING
        assert publisher.publish(frame("s", 1))["stop"] == ["s"]


def test_others_do_not_hear_of_a_stop(relay: RunningRelay, room: str) -> None:
    """Only who asked gets `stopping`; who comes later sees it in hello, who looks sees it too."""
    with Publisher(relay, room) as publisher, Subscriber(relay, room) as one, Subscriber(relay, room) as other:
        one.hello()
        other.hello()
        publisher.publish(frame("s", 0))
        assert one.next() == frame("s", 0)
        assert one.ask(STOP) == STOPPING
        stopped = stream_state("s", 1, stop=True)
        assert look(relay, room)["streams"] == [stopped]
        with Subscriber(relay, room) as late:
            assert late.hello()["streams"] == [stopped]
        assert other.until_now(publisher) == [frame("s", 0)]


def test_stop_of_an_unknown_stream(relay: RunningRelay, room: str) -> None:
    """There is nothing to stop, and the stream may open later without a stop."""
    with Publisher(relay, room) as publisher, Subscriber(relay, room) as subscriber:
        subscriber.hello()
        for stream in ("s", "", "no stream id"):
            refused = subscriber.ask({"kind": "stop", "stream": stream})
            assert (refused["kind"], refused["code"]) == ("refused", "unknown_stream")
            assert isinstance(refused["message"], str)
        assert publisher.publish(frame("s", 0))["stop"] == []


def test_stop_of_a_finished_stream(relay: RunningRelay, room: str) -> None:
    """What has ended cannot be stopped."""
    with Publisher(relay, room) as publisher, Subscriber(relay, room) as subscriber:
        subscriber.hello()
        publisher.publish(*reply("s", 3))
        assert subscriber.take(3) == reply("s", 3)
        refused = subscriber.ask(STOP)
        assert (refused["kind"], refused["code"]) == ("refused", "finished")


def test_refused_stops_are_no_bad_messages(relay: RunningRelay, room: str) -> None:
    """A client that stops what is gone, again and again, keeps its connection."""
    with Subscriber(relay, room) as subscriber:
        subscriber.hello()
        assert {subscriber.ask(STOP)["code"] for _ in range(15)} == {"unknown_stream"}
        assert subscriber.ask({"kind": "ping"}) == {"kind": "pong"}


def test_closing_is_not_a_stop(relay: RunningRelay, room: str) -> None:
    """A reader that leaves leaves the reply alone."""
    with Publisher(relay, room) as publisher, Subscriber(relay, room) as subscriber:
        subscriber.hello()
        publisher.publish(frame("s", 0))
        assert subscriber.next() == frame("s", 0)
        assert subscriber.leave() == 1000
        assert publisher.publish(frame("s", 1)) == {"next": {"s": 2}, "stop": []}
