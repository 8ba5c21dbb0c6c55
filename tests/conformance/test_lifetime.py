"""Time: streams that go quiet, streams that are done, and the rate (PROTOCOL.md, "Streams that go quiet").

On a relay with short times. What takes its time is waited for, not slept away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.harness import (
    Publisher,
    Subscriber,
    assert_refused,
    frame,
    look,
    reply,
    wait_until,
)
from tests.servers import ALL_SERVERS, RunningRelay, running_relay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conformance.harness import Message

pytestmark = pytest.mark.slow

RATE = 100
SHORT = {"RELAY_IDLE_SECONDS": "2", "RELAY_GRACE_SECONDS": "4", "RELAY_MAX_FRAMES_PER_SECOND": str(RATE)}


@pytest.fixture(scope="module", params=ALL_SERVERS)
def relay(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRelay]:
    """A relay with short times."""
    with running_relay(request.param, tmp_path_factory.mktemp(request.param), variables=SHORT) as running:
        yield running


def wait_until_empty(relay: RunningRelay, room: str) -> None:
    """Until the room has forgotten all its streams."""
    wait_until(lambda: not look(relay, room)["streams"], "the room forgets nothing")


def gone(stream: str, seq: int) -> Message:
    """The frame with which the relay ends a stream that went quiet."""
    return frame(stream, seq, "error", data={"code": "publisher_gone", "message": "the publisher went quiet"})


def test_publisher_gone(relay: RunningRelay, room: str) -> None:
    """A stream that goes quiet is ended by the relay; its publisher comes too late, and in the end it is forgotten."""
    with Publisher(relay, room) as publisher, Subscriber(relay, room) as live:
        live.hello()
        publisher.publish(frame("s", 0, "start"), frame("s", 1))
        assert live.take(2) == [frame("s", 0, "start"), frame("s", 1)]
        assert live.next_text() == (
            b'{"stream":"s","seq":2,"kind":"error",'
            b'"data":{"code":"publisher_gone","message":"the publisher went quiet"}}'
        )
        assert_refused(publisher.post(frame("s", 2)), 409, "finished", stream="s")
        assert_refused(publisher.post(frame("s", 2, "end")), 409, "finished", stream="s")
        assert_refused(publisher.post(frame("s", 1), frame("s", 2)), 409, "finished", stream="s")
        assert_refused(publisher.post(frame("s", 3)), 409, "finished", stream="s")
        assert publisher.publish(frame("s", 0, "start"), frame("s", 1)) == {"next": {"s": 3}, "stop": []}
        with Subscriber(relay, room, query="from=s:1") as late:
            (state,) = late.hello()["streams"]
            assert state == {"stream": "s", "first": 0, "next": 3, "finished": True, "stop": False}
            assert late.take(2) == [frame("s", 1), gone("s", 2)]
        assert live.ask({"kind": "stop", "stream": "s"})["code"] == "finished"
        wait_until_empty(relay, room)
        with Publisher(relay, room) as again:  # some servers close a connection that was quiet for so long
            assert again.publish(frame("s", 0, "end"))["next"] == {"s": 1}, "a forgotten stream expects 0 again"
        assert live.next() == frame("s", 0, "end")


def test_finished_stream_is_forgotten(relay: RunningRelay, room: str) -> None:
    """After the grace time nothing is left of a stream, and who resumes it is told."""
    with Publisher(relay, room) as publisher:
        publisher.publish(*reply("s", 5))
    assert look(relay, room)["frames"] == 5
    wait_until_empty(relay, room)
    assert look(relay, room) == {
        "room": room,
        "protocol": 1,
        "subscribers": 0,
        "frames": 0,
        "bytes": 0,
        "streams": [],
    }
    with Subscriber(relay, room, query="from=s:5") as subscriber:
        assert subscriber.hello()["streams"] == []
        assert subscriber.next() == {"kind": "lost", "stream": "s", "from": 5, "next": None}


def test_repeated_frame_is_a_sign_of_life(relay: RunningRelay, room: str) -> None:
    """A publisher that repeats its last frame keeps its stream, while others in the room go quiet and are ended."""
    with Publisher(relay, room) as publisher, Subscriber(relay, room) as subscriber:
        subscriber.hello()
        publisher.publish(frame("slow", 0, "start"))
        assert subscriber.next() == frame("slow", 0, "start")
        for quiet in ("first", "second"):  # each of them takes an idle limit to end
            publisher.publish(frame(quiet, 0, "start"))
            assert subscriber.next() == frame(quiet, 0, "start")

            def is_ended_while_the_other_beats(stream: str = quiet) -> bool:
                assert publisher.publish(frame("slow", 0, "start"))["next"] == {"slow": 1}
                return any(state["stream"] == stream and state["finished"] for state in look(relay, room)["streams"])

            wait_until(is_ended_while_the_other_beats, f"{quiet} is not ended")
            assert subscriber.next() == gone(quiet, 1)
        publisher.publish(frame("slow", 1, "end"))
        assert subscriber.next() == frame("slow", 1, "end")


def test_too_fast(relay: RunningRelay, room: str) -> None:
    """A room over its rate takes no new frames for a while and says for how long; old ones and other rooms it takes."""
    burst = [frame("s", seq) for seq in range(RATE * 5)]  # one second's worth is in reserve: 4 s to wait
    with (
        Publisher(relay, room) as publisher,
        Publisher(relay, f"{room}-other") as other,
        Subscriber(relay, room) as subscriber,
    ):
        subscriber.hello()
        publisher.publish(*burst)
        refused = publisher.post(frame("t", 0))
        assert_refused(refused, 429, "too_fast", limit=RATE)
        assert int(refused.headers["Retry-After"]) in (2, 3, 4)  # less what has passed since
        assert publisher.publish(burst[-1])["next"] == {"s": len(burst)}
        assert other.publish(frame("t", 0))["next"] == {"t": 1}
        wait_until(lambda: publisher.post(frame("t", 0)).status != 429, "the room takes nothing any more")
        assert publisher.publish(frame("t", 0))["next"] == {"t": 1}
        assert [one for one in subscriber.until("t", 0) if one["kind"] != "error"] == [*burst, frame("t", 0)]
