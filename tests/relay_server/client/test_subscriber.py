"""The subscriber, against the bundled relay and against servers that misbehave."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import aclosing
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from relay_server.client.publisher import Publisher
from relay_server.client.subscriber import (
    Disconnected,
    Event,
    FrameReceived,
    Hello,
    Refused,
    Stopping,
    Subscriber,
    SubscriberSettings,
)
from relay_server.errors import ChatopsError, Denied, Unreachable
from relay_server.protocol import Lost
from tests.relay_server.client.scripted import (
    HELLO,
    Answer,
    frame,
    hello,
    html_answer,
    http_server,
    json_answer,
    refused,
    says,
    socket_server,
)
from tests.servers import SECRET

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from tests.servers import RunningRelay

FAST = SubscriberSettings(first_retry_s=0.001, longest_retry_s=0.01, reconnect_for_s=30, hello_timeout_s=30)
STREAM = "lobby:1"
STATE = {"stream": STREAM, "first": 0, "next": 2, "finished": False, "stop": False}

room_numbers = itertools.count()


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


@pytest.fixture
def room() -> str:
    return f"room{next(room_numbers)}"


async def take(url: str, count: int, room: str = "lobby", cursors: Mapping[str, int] | None = None) -> list[Event]:
    """The first events of a new subscriber."""
    subscriber = Subscriber(url, room, cursors=cursors, settings=FAST)
    async with subscriber, aclosing(subscriber.events()) as events:
        return [await anext(events) for _ in range(count)]


async def failure_of(url: str, settings: SubscriberSettings = FAST) -> tuple[list[Event], ChatopsError]:
    """What a subscriber saw until it gave up, and why it did."""
    seen: list[Event] = []
    async with Subscriber(url, "lobby", settings=settings) as subscriber:
        try:
            async for event in subscriber.events():
                seen.append(event)  # noqa: PERF401 - what was seen before it failed counts
        except ChatopsError as error:
            return seen, error
    raise AssertionError("events ended by themselves")


def frames(events: list[Event]) -> list[FrameReceived]:
    return [event for event in events if isinstance(event, FrameReceived)]


def cursors_of(path: str) -> dict[str, int]:
    values = [value for key, value in parse_qsl(urlsplit(path).query) if key == "from"]
    return {stream: int(seq) for stream, _, seq in (value.rpartition(":") for value in values)}


# --- against the bundled relay


def test_replay_and_live_frames_come_in_order_and_are_told_apart(bundled_relay: RunningRelay, room: str) -> None:
    async def test() -> None:
        stream = f"{room}:1"
        async with Publisher(bundled_relay.url, room, stream, SECRET) as publisher:
            await publisher.send("start")
            await publisher.send("data", {"text": "é"})
            await publisher.close()
            async with Subscriber(bundled_relay.url, room) as subscriber, aclosing(subscriber.events()) as events:
                greeting = await anext(events)
                assert isinstance(greeting, Hello)
                assert (greeting.protocol, greeting.server, greeting.build) == (1, "bundled", bundled_relay.build)
                assert [(state.stream, state.next, state.finished) for state in greeting.streams] == [
                    (stream, 2, False)
                ]
                replay = [await anext(events), await anext(events)]
                await publisher.send("end")
                found = frames([*replay, await anext(events)])
                assert [(f.seq, f.kind, f.data, f.replayed, f.expected, f.is_terminal) for f in found] == [
                    (0, "start", msgspec.UNSET, True, 0, False),
                    (1, "data", {"text": "é"}, True, 1, False),
                    (2, "end", msgspec.UNSET, False, 2, True),
                ]
                assert subscriber.cursors == {stream: 3}
                assert greeting.arrived < found[0].arrived < found[2].arrived

    run(test)


def test_one_that_is_cut_again_and_again_reads_everything_once(bundled_relay: RunningRelay, room: str) -> None:
    async def publish() -> None:
        async with Publisher(bundled_relay.url, room, f"{room}:1", SECRET) as publisher:
            for number in range(60):
                await publisher.send("data", number)
                await asyncio.sleep(0.001)
            await publisher.send("end")

    async def test() -> None:
        seen: list[Any] = []
        greeted = 0
        publishing: asyncio.Task[None] | None = None
        async with Subscriber(bundled_relay.url, room, settings=FAST) as subscriber:
            async for event in subscriber.events():
                if isinstance(event, Hello):
                    greeted += 1
                    publishing = publishing or asyncio.create_task(publish())
                elif isinstance(event, FrameReceived):
                    if event.is_terminal:
                        break
                    seen.append(event.data)
                    if event.seq % 10 == 5:
                        assert subscriber.cut()
        assert seen == list(range(60))
        assert greeted == 7
        assert publishing is not None
        await publishing

    run(test)


def test_a_stop_is_answered_and_so_is_one_that_is_refused(bundled_relay: RunningRelay, room: str) -> None:
    async def test() -> None:
        stream = f"{room}:1"
        async with Publisher(bundled_relay.url, room, stream, SECRET) as publisher:
            await publisher.send("start")
            await publisher.close()
            async with Subscriber(bundled_relay.url, room) as subscriber, aclosing(subscriber.events()) as events:
                await anext(events)
                await anext(events)
                await subscriber.stop(stream)
                assert await anext(events) == Stopping(stream)
                await subscriber.stop("other")
                answer = await anext(events)
                assert isinstance(answer, Refused)
                assert answer.code == "unknown_stream"
                await publisher.send("data", "the one that is under way")
                await publisher.close()
                assert publisher.stop_requested.is_set()
                await publisher.send("end")

    run(test)


def test_a_stop_without_a_connection_is_an_error() -> None:
    async def test() -> None:
        with pytest.raises(Unreachable):
            await Subscriber("http://127.0.0.1:1", "lobby").stop(STREAM)

    run(test)


def test_nothing_is_cut_where_there_is_no_connection() -> None:
    async def test() -> None:
        assert not Subscriber("http://127.0.0.1:1", "lobby").cut()

    run(test)


def test_close_ends_the_events_for_whoever_waits_for_them(bundled_relay: RunningRelay, room: str) -> None:
    async def test() -> None:
        greeted = asyncio.Event()

        async def read(subscriber: Subscriber) -> None:
            async for _event in subscriber.events():
                greeted.set()

        async with Subscriber(bundled_relay.url, room) as subscriber:
            reading = asyncio.create_task(read(subscriber))
            await greeted.wait()
            await subscriber.close()
            await asyncio.wait_for(reading, 5)

    run(test)


# --- what the relay does wrong is not hidden


def test_a_frame_that_came_before_and_a_gap_can_be_told() -> None:
    async def test() -> None:
        async with socket_server(says(HELLO, frame(0), frame(1), frame(1), frame(4), frame(2), frame(5))) as server:
            found = frames(await take(server.url, 7))
            assert [(f.seq, f.expected) for f in found] == [(0, 0), (1, 1), (1, 2), (4, 2), (2, 5), (5, 5)]

    run(test)


def test_an_unknown_kind_is_ignored() -> None:
    async def test() -> None:
        async with socket_server(says(HELLO, {"kind": "news", "seq": 1}, {"kind": "pong"}, frame(0))) as server:
            assert [f.seq for f in frames(await take(server.url, 2))] == [0]

    run(test)


@pytest.mark.parametrize("message", ["Welcome!", "[]", '{"seq":1}', b"\x00\xff", '{"kind":"data","seq":"1"}'])
def test_what_is_not_the_protocols_ends_it(message: str | bytes) -> None:
    async def test() -> None:
        async with socket_server(says(HELLO, message)) as server:
            _, error = await failure_of(server.url)
            assert isinstance(error, Unreachable)
            assert error.code == "not_a_relay"

    run(test)


# --- reconnecting


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 1013, None])
def test_it_comes_back_where_it_was(code: int | None) -> None:
    async def test() -> None:
        first = says(HELLO, frame(0, "start"), frame(1), frame(0, stream="other"), close=code, cut=code is None)
        again = says(hello({**STATE, "next": 3}), frame(2), frame(3, "end"))
        async with socket_server(first, again) as server:
            events = await take(server.url, 8)
            assert [type(event) for event in events[4:6]] == [Disconnected, Hello]
            assert [(f.stream, f.seq, f.expected, f.replayed) for f in frames(events)] == [
                (STREAM, 0, 0, False),
                (STREAM, 1, 1, False),
                ("other", 0, 0, False),
                (STREAM, 2, 2, True),
                (STREAM, 3, 3, False),
            ]
            assert [cursors_of(path) for path in server.paths] == [{}, {STREAM: 2, "other": 1}]

    run(test)


@pytest.mark.parametrize("code", [1003, 1008, 1009])
def test_a_close_that_would_come_again_is_an_error(code: int) -> None:
    async def test() -> None:
        async with socket_server(says(HELLO, close=code)) as server:
            seen, error = await failure_of(server.url)
            assert isinstance(error, Unreachable)
            assert str(code) in error.message
            assert len(seen) == len(server.paths) == 1

    run(test)


def test_a_relay_that_is_away_for_a_while_is_tried_again() -> None:
    async def test() -> None:
        scripts: list[Callable[[Any], Awaitable[None]] | Answer] = [
            says(HELLO, frame(0), cut=True),
            refused(503, "unavailable"),
            html_answer(502),
            says(HELLO, frame(1)),
        ]
        async with socket_server(*scripts) as server:
            events = await take(server.url, 7)
            kinds = [type(event) for event in events]
            assert kinds == [Hello, FrameReceived, Disconnected, Disconnected, Disconnected, Hello, FrameReceived]
            assert cursors_of(server.paths[-1]) == {STREAM: 1}

    run(test)


def test_a_relay_that_stays_away_is_an_error_in_the_end() -> None:
    async def test() -> None:
        settings = SubscriberSettings(first_retry_s=0.001, longest_retry_s=0.01, reconnect_for_s=0.5)
        async with socket_server(says(HELLO, frame(0), cut=True), refused(503, "unavailable")) as server:
            seen, error = await failure_of(server.url, settings)
            assert error.code == "unavailable"
            assert len(seen) > 3

    run(test)


def test_a_relay_that_greets_and_drops_at_once_is_not_asked_for_ever() -> None:
    async def test() -> None:
        settings = SubscriberSettings(first_retry_s=0.001, longest_retry_s=0.05, reconnect_for_s=0.5)
        async with socket_server(says(HELLO, cut=True)) as server:
            _, error = await failure_of(server.url, settings)
            assert error.code == "connection_lost"
            assert 2 < len(server.paths) < 30

    run(test)


def test_a_refusal_while_reconnecting_ends_it() -> None:
    async def test() -> None:
        async with socket_server(says(HELLO, cut=True), refused(404, "not_found")) as server:
            _, error = await failure_of(server.url)
            assert (error.code, len(server.paths)) == ("not_found", 2)

    run(test)


def test_a_quiet_connection_is_pinged_and_then_given_up() -> None:
    async def test() -> None:
        settings = SubscriberSettings(quiet_s=0.2, first_retry_s=0.001)
        async with socket_server(says(HELLO), says(HELLO, frame(0))) as server:
            subscriber = Subscriber(server.url, "lobby", settings=settings)
            async with subscriber, aclosing(subscriber.events()) as events:
                kinds = [type(await anext(events)) for _ in range(4)]
            assert kinds == [Hello, Disconnected, Hello, FrameReceived]
            assert server.heard == [{"kind": "ping"}]

    run(test)


def test_an_answered_ping_keeps_the_connection() -> None:
    async def answer_pings(connection: Any) -> None:
        await connection.send(msgspec.json.encode(HELLO).decode())
        for _ in range(3):
            assert msgspec.json.decode(await connection.recv()) == {"kind": "ping"}
            await connection.send('{"kind":"pong"}')
        await connection.send(msgspec.json.encode(frame(0)).decode())

    async def test() -> None:
        settings = SubscriberSettings(quiet_s=0.3)
        async with socket_server(answer_pings) as server:
            subscriber = Subscriber(server.url, "lobby", settings=settings)
            async with subscriber, aclosing(subscriber.events()) as events:
                assert [type(await anext(events)) for _ in range(2)] == [Hello, FrameReceived]
            assert len(server.paths) == 1

    run(test)


# --- what is lost


def test_lost_frames_are_told_and_the_cursor_moves_on() -> None:
    async def test() -> None:
        lost = {"kind": "lost", "stream": STREAM, "from": 1, "next": 5}
        async with socket_server(says(hello({**STATE, "first": 5, "next": 6}), lost, frame(5))) as server:
            events = await take(server.url, 3, cursors={STREAM: 1})
            assert events[1] == Lost(STREAM, 1, 5)
            assert [(f.seq, f.expected) for f in frames(events)] == [(5, 5)]

    run(test)


def test_a_stream_that_is_gone_is_lost_unless_its_end_was_seen() -> None:
    async def test() -> None:
        gone = [{"kind": "lost", "stream": stream, "from": 1, "next": None} for stream in (STREAM, "done")]
        first = says(HELLO, frame(0), frame(0, "end", "done"), cut=True)
        async with socket_server(first, says(HELLO, *gone, frame(0, stream="new"), cut=True), says(HELLO)) as server:
            events = await take(server.url, 9)
            assert [event for event in events if isinstance(event, Lost)] == [Lost(STREAM, 1, None)]
            assert [cursors_of(path) for path in server.paths] == [{}, {STREAM: 1, "done": 1}, {"new": 1}]

    run(test)


def test_a_thousand_streams_still_fit_into_a_url_and_none_comes_twice() -> None:
    """The unfinished stream is named whatever its age; what the others bring again, or have lost, is dropped."""

    async def test() -> None:
        done = [f"stream-with-a-long-name-{number:04}" for number in range(1000)]
        states = [{"stream": name, "next": 1, "finished": True} for name in done]
        ends = [frame(0, "end", name) for name in done]
        gone = {"kind": "lost", "stream": done[0], "from": 0, "next": 1}
        first = says(hello(), frame(0, "start"), *ends, close=1012)
        again = says(hello({"stream": STREAM, "next": 1}, *states), gone, *ends[1:800], frame(1))
        async with socket_server(first, again) as server:
            events = await take(server.url, 1 + 1 + 1000 + 2 + 1)
            assert [(f.stream, f.seq) for f in frames(events[-1:])] == [(STREAM, 1)]
            assert len(server.paths[1]) < 7000
            named = cursors_of(server.paths[1])
            assert named[STREAM] == 1
            assert done[-1] in named
            assert len(named) < 200

    run(test)


# --- what is not a relay


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        (html_answer(200), Unreachable, "not_a_relay"),
        (html_answer(404), Unreachable, "not_a_relay"),
        (json_answer(404, {"detail": "Not Found"}), Unreachable, "not_a_relay"),
        (refused(404, "not_found"), Unreachable, "not_found"),
        (html_answer(401), Denied, "sign_in"),
        (html_answer(503), Unreachable, "relay_error"),
        (refused(503, "unavailable"), Unreachable, "unavailable"),
        (html_answer(500), Unreachable, "relay_error"),
        (Answer(426), Unreachable, "not_a_relay"),
    ],
)
def test_an_upgrade_that_is_refused_is_told_at_once(said: Answer, kind: type[ChatopsError], code: str) -> None:
    async def test() -> None:
        async with socket_server(said) as server:
            seen, error = await failure_of(server.url)
            assert (type(error), error.code, seen) == (kind, code, [])
            assert len(server.paths) == 1

    run(test)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (says("Welcome to our chat"), "not_a_relay"),
        (says({"kind": "welcome"}), "not_a_relay"),
        (says({"id": 1, "result": {"type": "started"}}), "not_a_relay"),
        (says({**HELLO, "protocol": 2}), "protocol_mismatch"),
        (says(close=1008), "connection_lost"),
        (says(close=1000), "connection_lost"),
        (says(cut=True), "connection_lost"),
    ],
    ids=["text", "another kind", "trpc", "protocol 2", "1008", "1000", "cut"],
)
def test_a_socket_without_a_hello_is_no_relay(script: Any, code: str) -> None:
    async def test() -> None:
        async with socket_server(script) as server:
            _, error = await failure_of(server.url)
            assert isinstance(error, Unreachable)
            assert error.code == code
            assert len(server.paths) == 1

    run(test)


def test_a_socket_that_says_nothing_is_no_relay() -> None:
    async def test() -> None:
        async with socket_server(says()) as server:
            _, error = await failure_of(server.url, SubscriberSettings(hello_timeout_s=0.1))
            assert (error.code, len(server.paths)) == ("not_a_relay", 1)

    run(test)


def test_nothing_listening_is_unreachable() -> None:
    async def test() -> None:
        async with http_server(lambda _number, _body: None) as server:
            pass
        _, error = await failure_of(server.url)
        assert error.code == "connection_refused"

    run(test)


def test_a_server_that_hangs_up_is_unreachable() -> None:
    async def test() -> None:
        async with http_server(lambda _number, _body: None) as server:
            _, error = await failure_of(server.url)
            assert error.code == "connection_lost"

    run(test)


def test_tls_where_there_is_none_is_told(bundled_relay: RunningRelay) -> None:
    async def test() -> None:
        _, error = await failure_of(bundled_relay.url.replace("http:", "https:"))
        assert error.code == "tls_failed"

    run(test)
