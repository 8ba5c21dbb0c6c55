"""What was acknowledged is there after a restart, and goes on as if there had been none (PROTOCOL.md, "Publish")."""

from __future__ import annotations

import threading
from http.client import HTTPException
from subprocess import Popen
from typing import TYPE_CHECKING

import pytest

from tests.conformance.harness import (
    DEADLINE_S,
    Publisher,
    Subscriber,
    ask,
    assert_answered,
    assert_refused,
    encode,
    frame,
    look,
    reply,
    room_path,
    stream_state,
    wait_until,
)
from tests.servers import ALL_SERVERS, SECRET, ServerName, kill_group, running_relay

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers import RunningRelay


@pytest.fixture(params=ALL_SERVERS)
def server(request: pytest.FixtureRequest) -> ServerName:
    name: ServerName = request.param
    return name


@pytest.mark.slow
@pytest.mark.parametrize("end", [Popen.terminate, kill_group], ids=["stop", "kill -9"])
def test_room_survives(server: ServerName, tmp_path: Path, room: str, end: Callable[[Popen[bytes]], None]) -> None:
    """Frames, ends and stops are kept over a clean stop and over a kill -9, and a subscriber resumes."""
    done = reply("done", 120)
    large = [frame("__proto__", seq, data="é🚀" * 8000) for seq in range(5)]  # more than one value of some storages
    live = [frame("live", seq, data={"text": f"piece {seq}"}) for seq in range(20)]
    with (
        running_relay(server, tmp_path) as relay,
        Publisher(relay, room) as publisher,
        Publisher(relay, f"{room}-other") as other,
        Subscriber(relay, room) as subscriber,
    ):
        subscriber.hello()
        publisher.publish(*live[:10])
        publisher.publish(*done, *large)
        publisher.publish(frame("error", 0, "error"))
        assert subscriber.until("error", 0) == [*live[:10], *done, *large, frame("error", 0, "error")]
        assert subscriber.ask({"kind": "stop", "stream": "live"}) == {"kind": "stopping", "stream": "live"}
        other.publish(frame("live", 0))
        before = look(relay, room)
        end(relay.process)
        assert subscriber.wait_closed() in (1001, 1006)
        relay.stop()
    with (
        running_relay(server, tmp_path) as relay,
        Publisher(relay, room) as publisher,
        Subscriber(relay, room, query="from=live:4&from=done:119&from=__proto__:5") as resumed,
    ):
        hello = resumed.hello()
        assert hello["build"] == relay.build
        assert hello["streams"] == [
            stream_state("live", 10, stop=True),
            stream_state("done", 120, finished=True),
            stream_state("__proto__", 5),
            stream_state("error", 1, finished=True),
        ]
        assert look(relay, room) == {**before, "subscribers": 1}
        assert publisher.publish(*live[8:12]) == {"next": {"live": 12}, "stop": ["live"]}
        assert_refused(publisher.post(frame("done", 120)), 409, "finished", stream="done")
        assert publisher.publish(frame("__proto__", 5, "end"))["next"] == {"__proto__": 6}
        missed = [*live[4:10], done[119], frame("error", 0, "error")]
        assert resumed.until("__proto__", 5) == [*missed, *live[10:12], frame("__proto__", 5, "end")]
        with Subscriber(relay, room) as late:
            late.hello()
            everything = [*live[:12], *done, *large, frame("__proto__", 5, "end"), frame("error", 0, "error")]
            assert late.take(len(everything)) == everything
        assert look(relay, f"{room}-other")["streams"] == [stream_state("live", 1)]


def test_killed_in_mid_stream(server: ServerName, tmp_path: Path, room: str) -> None:
    """A relay that is killed while it publishes has afterwards what it acknowledged and what anybody saw of it."""
    acknowledged = 0
    enough = threading.Event()

    def publish(relay: RunningRelay) -> None:
        nonlocal acknowledged
        with Publisher(relay, room) as publisher:
            while True:
                try:
                    answer = publisher.post(frame("s", acknowledged, data=acknowledged))
                except (OSError, HTTPException):
                    return  # killed
                acknowledged = assert_answered(answer)["next"]["s"]
                if acknowledged >= 50:
                    enough.set()

    with running_relay(server, tmp_path) as relay, Subscriber(relay, room) as subscriber:
        subscriber.hello()
        publishing = threading.Thread(target=publish, args=(relay,))
        publishing.start()
        assert enough.wait(DEADLINE_S)
        relay.kill()
        publishing.join()
        subscriber.wait_closed()
        seen = len(subscriber.messages)
    with running_relay(server, tmp_path) as relay, Publisher(relay, room) as publisher:
        kept = look(relay, room)["streams"][0]["next"]
        assert kept >= max(acknowledged, seen)
        assert kept <= acknowledged + 1, "there was one request under way"
        assert publisher.publish(frame("s", acknowledged, data=acknowledged))["next"]["s"] == acknowledged + 1
        with Subscriber(relay, room, query=f"from=s:{seen}") as resumed:
            resumed.hello()
            expected = [frame("s", seq, data=seq) for seq in range(acknowledged + 1)]
            assert subscriber.take(seen) + resumed.until_now(publisher) == expected


@pytest.mark.slow
def test_time_goes_on(server: ServerName, tmp_path: Path, room: str) -> None:
    """After a restart a stream whose publisher is gone is ended and a finished one forgotten, with nobody's help."""
    variables = {"RELAY_IDLE_SECONDS": "1", "RELAY_GRACE_SECONDS": "2"}
    with running_relay(server, tmp_path, variables=variables) as relay:
        with Publisher(relay, room) as publisher:
            publisher.publish(*reply("done", 3), frame("left", 0, "start"))
        relay.kill()
    with (
        running_relay(server, tmp_path, variables=variables) as relay,
        Subscriber(relay, room, query="from=done:3&from=left:1") as subscriber,
    ):
        ended = subscriber.until("left", 1)[-1]
        assert (ended["kind"], ended["data"]["code"]) == ("error", "publisher_gone")
        wait_until(lambda: not look(relay, room)["streams"], "the room forgets nothing")


@pytest.mark.slow
def test_no_secret(server: ServerName, tmp_path: Path, room: str) -> None:
    """A relay without a secret lets nobody publish rather than everybody; what it holds can be read."""
    frames = reply("s", 3)
    with running_relay(server, tmp_path) as relay, Publisher(relay, room) as publisher:
        publisher.publish(*frames)
    with running_relay(server, tmp_path, secret=None) as relay:
        body = encode({"frames": [frame("t", 0)]})
        for authorization in (f"Bearer {SECRET}", "Bearer ", "Bearer", "Bearer undefined", "Bearer null", ""):
            answer = ask(relay, "POST", room_path(room), body, {"Authorization": authorization})
            assert_refused(answer, 503, "no_secret")
        assert_refused(ask(relay, "POST", room_path(room), body), 503, "no_secret")
        assert_refused(ask(relay, "POST", room_path(room), b"not JSON"), 503, "no_secret")
        assert assert_answered(ask(relay, "GET", "/health"))["secret_configured"] is False
        assert [stream["stream"] for stream in look(relay, room)["streams"]] == ["s"]
        with Subscriber(relay, room, query="from=s:1") as subscriber:
            subscriber.hello()
            assert subscriber.take(2) == frames[1:]


@pytest.mark.slow
def test_white_space_around_a_secret(server: ServerName, tmp_path: Path, room: str) -> None:
    """White space around the configured secret does not count, so a blank one is none."""
    body = encode({"frames": [frame("s", 0)]})
    with running_relay(server, tmp_path, secret="  ") as relay:
        assert_refused(ask(relay, "POST", room_path(room), body, {"Authorization": "Bearer   "}), 503, "no_secret")
    with running_relay(server, tmp_path, secret=f"  {SECRET} ") as relay:
        answer = ask(relay, "POST", room_path(room), body, {"Authorization": f"Bearer {SECRET}"})
        assert assert_answered(answer)["next"] == {"s": 1}
