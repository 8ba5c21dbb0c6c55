"""The stream test as a whole: real relays, the real SDK, models and networks that fail."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from relay_server.checks import stream_test as module
from relay_server.checks.ask import ModelAccess
from relay_server.checks.stream_test import Progress, StreamTestResult, StreamTestSettings, stream_test
from relay_server.client.subscriber import FrameReceived, Stopping, Subscriber
from relay_server.errors import ChatopsError, CheckFailed, Denied, Unreachable, UsageError
from relay_server.model import MODEL_NAME, expected_text
from tests.relay_server.checks.test_ask import events, failure, streamed
from tests.relay_server.client.scripted import Answer, HttpServer, html_answer, http_server, says, socket_server
from tests.servers import SECRET, start_relay
from tests.strangers import tampering

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from tests.servers import RunningRelay

REPLY = expected_text([{"role": "user", "content": module.DEFAULT_PROMPT}])
KEYS = ["ok", "room", "stream", "relay", "model", "frames", "posts", "ttft_ms", "latency_ms", "duration_s", "clients"]


def ignore(_progress: Progress) -> None:
    pass


def settings_for(relay: RunningRelay, room: str, **changes: Any) -> StreamTestSettings:
    return StreamTestSettings(**{"room": room, "relay_url": relay.url, "secret": SECRET, "rate": 0, **changes})


def run(settings: StreamTestSettings, on_progress: Callable[[Progress], None] = ignore) -> StreamTestResult:
    """The test, and that it leaves no task behind."""

    async def test() -> StreamTestResult:
        try:
            return await stream_test(settings, on_progress)
        finally:
            assert asyncio.all_tasks() == {asyncio.current_task()}

    return asyncio.run(test())


def failure_of(
    settings: StreamTestSettings, kind: type[ChatopsError], on_progress: Callable[[Progress], None] = ignore
) -> ChatopsError:
    with pytest.raises(kind) as caught:
        run(settings, on_progress)
    assert type(caught.value) is kind
    assert list(caught.value.report) == KEYS[1:]
    json.dumps(caught.value.report)
    return caught.value


async def frames_of(relay: RunningRelay, room: str) -> list[FrameReceived]:
    """The stream that a room holds, once it is finished."""
    found = []
    async with Subscriber(relay.url, room) as subscriber, aclosing(subscriber.events()) as arriving:
        async for event in arriving:
            if isinstance(event, FrameReceived):
                found.append(event)
                if event.is_terminal:
                    break
    return found


def asked_with(
    relay: RunningRelay,
    room: str,
    answer: Callable[[int, bytes], Answer | None],
    also: Callable[[HttpServer], Coroutine[None, None, None]] | None = None,
    **changes: Any,
) -> StreamTestResult:
    """The test with a model of the test's own, beside what else is to happen meanwhile."""

    async def test() -> StreamTestResult:
        async with http_server(answer) as server:
            model = ModelAccess("gpt-x", f"{server.url}/v1")
            beside = asyncio.create_task(also(server)) if also else None
            result = await stream_test(settings_for(relay, room, model=model, **changes), ignore)
            if beside is not None:
                await beside
            return result

    return asyncio.run(test())


def test_a_local_relay_passes_and_the_report_has_all() -> None:
    seen: list[str] = []
    texts: list[str] = []

    def watch(progress: Progress) -> None:
        seen.append(progress.stage)
        texts.append(progress.text)

    result = run(StreamTestSettings("lobby", rate=0), watch)
    report = json.loads(json.dumps(result.as_json()))
    assert list(report) == KEYS
    assert report["ok"]
    assert report["stream"].startswith("lobby:")
    assert report["relay"] == {
        "url": result.relay_url,
        "server": "bundled",
        "protocol": 1,
        "build": report["relay"]["build"],
    }
    assert report["model"] == MODEL_NAME
    assert (
        report["clients"]
        == [
            {
                "received": result.frames,
                "lost": 0,
                "duplicated": 0,
                "out_of_order": 0,
                "reconnects": 0,
                "complete": True,
            }
        ]
        * 5
    )
    assert 0 < report["posts"] < result.frames / 4
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p95"] <= report["latency_ms"]["max"]
    assert len(result.latencies_ms) == 5 * (result.frames - 2)
    assert report["ttft_ms"] > 0
    assert report["duration_s"] > 0
    assert texts[-1] == REPLY
    assert list(dict.fromkeys(seen)) == [
        "starting a local relay",
        f"connecting 5 clients to {result.relay_url}",
        f"asking {MODEL_NAME}",
    ]


def test_the_room_holds_start_the_pieces_and_the_end(bundled_relay: RunningRelay) -> None:
    run(settings_for(bundled_relay, "pieces", clients=1))
    start, *pieces, end = asyncio.run(frames_of(bundled_relay, "pieces"))
    assert (start.kind, start.data, end.kind) == ("start", {"model": MODEL_NAME}, "end")
    assert {piece.data["type"] for piece in pieces} == {"text"}
    assert "".join(piece.data["text"] for piece in pieces) == REPLY


@pytest.mark.parametrize("rate", [0, 400])
def test_clients_that_are_cut_come_back_complete(bundled_relay: RunningRelay, rate: float) -> None:
    result = run(settings_for(bundled_relay, f"cut{rate}", clients=20, cut=True, rate=rate))
    assert result.ok
    assert all(client.complete and client.reconnects >= 1 for client in result.clients)


@pytest.mark.slow
def test_earlier_streams_of_the_room_do_not_count(bundled_relay: RunningRelay) -> None:
    for prompt in ("Hello", "Something else altogether, and longer"):
        result = run(settings_for(bundled_relay, "again", clients=2, prompt=prompt))
        assert [client.received for client in result.clients] == [result.frames] * 2


def test_start_is_published_before_the_model_is_asked(bundled_relay: RunningRelay) -> None:
    """The model does not answer before a reader has seen `start`."""
    started = asyncio.Event()

    async def wait_for_start(server: HttpServer) -> None:
        await server.requests(1)
        async with Subscriber(bundled_relay.url, "early") as subscriber, aclosing(subscriber.events()) as arriving:
            async for event in arriving:
                if isinstance(event, FrameReceived):
                    assert (event.kind, event.data) == ("start", {"model": "gpt-x"})
                    break
        started.set()

    def answer(_number: int, _body: bytes) -> Answer:
        return Answer(200, events("Hello"), {"Content-Type": "text/event-stream"}, started)

    assert asked_with(bundled_relay, "early", answer, wait_for_start, clients=1).ok


def test_a_reply_of_unknown_length_is_cut_early(bundled_relay: RunningRelay) -> None:
    pieces = [f"piece {number}" for number in range(8)]
    result = asked_with(bundled_relay, "unknown", lambda *_: streamed(events(*pieces)), clients=6, cut=True)
    assert all(client.reconnects == 1 for client in result.clients)


def test_a_reply_that_is_too_short_to_be_cut_says_so(bundled_relay: RunningRelay) -> None:
    with pytest.raises(CheckFailed) as caught:
        asked_with(bundled_relay, "short", lambda *_: streamed(events("Hi")), clients=2, cut=True)
    assert caught.value.code == "incomplete"
    assert "too short" in caught.value.message


def test_a_model_that_stops_ends_the_stream_with_an_error(bundled_relay: RunningRelay) -> None:
    broken = streamed(events("Hel", "lo", finish=None, done=False), "cut")
    with pytest.raises(CheckFailed) as caught:
        asked_with(bundled_relay, "broken", lambda *_: broken, clients=2)
    assert caught.value.code == "model_stopped"
    assert caught.value.report["frames"] == 4
    assert (
        caught.value.report["clients"]
        == [{"received": 4, "lost": 0, "duplicated": 0, "out_of_order": 0, "reconnects": 0, "complete": False}] * 2
    )
    found = asyncio.run(frames_of(bundled_relay, "broken"))
    assert [frame.kind for frame in found] == ["start", "data", "data", "error"]
    assert found[-1].data["code"] == "model_stopped"


def test_a_model_that_refuses_ends_the_stream_with_an_error(bundled_relay: RunningRelay) -> None:
    with pytest.raises(Denied) as caught:
        asked_with(bundled_relay, "denied", lambda *_: failure(401, "no"), clients=1)
    assert caught.value.code == "model_denied"
    assert [frame.kind for frame in asyncio.run(frames_of(bundled_relay, "denied"))] == ["start", "error"]


def test_ctrl_c_leaves_no_open_stream_and_no_task(bundled_relay: RunningRelay) -> None:
    async def test() -> None:
        seen = asyncio.Event()

        def watch(progress: Progress) -> None:
            if len(progress.text) > 20:
                seen.set()

        testing = asyncio.create_task(stream_test(settings_for(bundled_relay, "interrupted", rate=50), watch))
        await seen.wait()
        testing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await testing
        assert asyncio.all_tasks() == {asyncio.current_task()}
        found = await frames_of(bundled_relay, "interrupted")
        assert (found[-1].kind, found[-1].data["code"]) == ("error", "interrupted")

    asyncio.run(test())


def test_a_reader_may_stop_the_reply(bundled_relay: RunningRelay) -> None:
    """What was said until then is the reply, and everybody has to have read it."""

    async def stop() -> None:
        async with Subscriber(bundled_relay.url, "stopped") as subscriber, aclosing(subscriber.events()) as arriving:
            async for event in arriving:
                if isinstance(event, FrameReceived) and event.seq == 0:
                    await subscriber.stop(event.stream)
                elif isinstance(event, Stopping):
                    return

    async def test() -> StreamTestResult:
        stopping = asyncio.create_task(stop())
        result = await stream_test(settings_for(bundled_relay, "stopped", rate=100), ignore)
        await stopping
        return result

    result = asyncio.run(test())
    assert result.ok
    assert result.frames < 100


# --- relays that fail


def test_the_wrong_secret(bundled_relay: RunningRelay) -> None:
    error = failure_of(settings_for(bundled_relay, "lobby", secret="hunter2"), Denied)
    assert error.code == "unauthorized"
    assert "hunter2" not in f"{error.message}{error.next_step}{error.report}"


def test_a_website_is_no_relay() -> None:
    async def test() -> None:
        async with http_server(lambda *_: html_answer(200)) as server:
            await stream_test(StreamTestSettings("lobby", server.url, "s", rate=0), ignore)

    with pytest.raises(Unreachable) as caught:
        asyncio.run(test())
    assert caught.value.code == "not_a_relay"
    assert "HTML" in caught.value.message


def test_no_relay_at_all() -> None:
    error = failure_of(StreamTestSettings("lobby", "http://127.0.0.1:1", "s", rate=0), Unreachable)
    assert error.code == "connection_refused"
    assert error.report["relay"] == {"url": "http://127.0.0.1:1", "server": None, "protocol": None, "build": None}


def test_a_relay_that_does_not_greet_is_named() -> None:
    async def test() -> None:
        async with socket_server(says()) as server:
            await stream_test(StreamTestSettings("lobby", server.url, "s", clients=3, timeout_s=0.2), ignore)

    with pytest.raises(CheckFailed) as caught:
        asyncio.run(test())
    assert caught.value.code == "stalled"
    assert "3 of 3 clients were not greeted" in caught.value.message


@pytest.mark.slow
def test_a_network_that_keeps_the_end_from_the_clients_is_named(bundled_relay: RunningRelay) -> None:
    with tampering(bundled_relay.port, b'"kind":"end"', b'"kind":"???"') as url:
        settings = settings_for(bundled_relay, "endless", relay_url=url, clients=2, timeout_s=3)
        error = failure_of(settings, CheckFailed)
    assert error.code == "stalled"
    assert "2 of 2 clients still miss 2 frames" in error.message


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("Kraków", "Krakuw!", "got another text than the model gave"),
        ('"seq":7,', '"seq":6,', "lost 1 of 128 frames, saw 1 twice"),
    ],
)
def test_a_network_that_changes_frames_is_found_out(
    bundled_relay: RunningRelay, old: str, new: str, fault: str
) -> None:
    with tampering(bundled_relay.port, old.encode(), new.encode()) as url:
        settings = settings_for(bundled_relay, f"changed{len(old)}", relay_url=url, clients=1)
        error = failure_of(settings, CheckFailed)
    assert error.code == "incomplete"
    assert fault in error.message


@pytest.mark.slow
def test_a_relay_that_is_killed_and_comes_back_is_no_loss(tmp_path: Path) -> None:
    """It keeps its rooms; publisher and clients try again until it is there."""
    relay = start_relay("bundled", tmp_path)
    killed = False

    def kill(progress: Progress) -> None:
        nonlocal relay, killed
        if not killed and len(progress.text) > 100:
            killed = True
            relay.kill()
            relay = start_relay("bundled", tmp_path, port=relay.port)

    try:
        result = run(settings_for(relay, "lobby", rate=200, clients=3), kill)
    finally:
        relay.stop()
    assert killed
    assert result.ok
    assert all(client.reconnects >= 1 for client in result.clients)


@pytest.mark.slow
def test_a_relay_that_is_killed_and_stays_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GIVE_UP_S", 0.3)
    relay = start_relay("bundled", tmp_path)

    def kill(progress: Progress) -> None:
        if len(progress.text) > 100 and relay.process.poll() is None:
            relay.kill()

    error = failure_of(settings_for(relay, "lobby", rate=200, clients=3), Unreachable, kill)
    assert error.code == "connection_refused"
    clients = error.report["clients"]
    assert isinstance(clients, list)
    assert all(client["received"] and not client["complete"] for client in clients)


# --- settings


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"clients": 0}, "bad_clients"),
        ({"room": "two words"}, "bad_room"),
        ({"relay_url": "relay.example.com"}, "bad_relay_url"),
        ({"prompt": "\udcff"}, "bad_prompt"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(UsageError) as caught:
        run(StreamTestSettings(**{"room": "lobby", **changes}))
    assert caught.value.code == code


def test_more_clients_than_the_system_has_files_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1024))
    with pytest.raises(UsageError) as caught:
        run(StreamTestSettings("lobby", clients=2000))
    assert caught.value.code == "too_many_clients"
    assert "--clients 960" in caught.value.next_step


def test_secrets_are_not_shown() -> None:
    settings = StreamTestSettings("lobby", secret="hunter2", model=ModelAccess("m", api_key="hunter2"))
    assert "hunter2" not in repr(settings)


@pytest.mark.slow
def test_five_hundred_clients_all_cut() -> None:
    result = run(StreamTestSettings("lobby", clients=500, cut=True))
    assert result.ok
    assert len(result.clients) == 500
