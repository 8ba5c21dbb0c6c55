"""The publisher, against the bundled relay and against servers that misbehave."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from relay_server.client.publisher import Publisher, PublisherSettings
from relay_server.errors import ChatopsError, CheckFailed, Denied, Unreachable, UsageError
from tests.relay_server.client.scripted import Answer, acknowledge, html_answer, http_server, json_answer, refused
from tests.servers import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.servers import RunningRelay

FAST = PublisherSettings(first_retry_s=0.001, longest_retry_s=0.01, retry_for_s=0.5)
STREAM = "lobby:1"


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


def numbers(requests: list[list[dict[str, Any]]]) -> list[list[int]]:
    return [[frame["seq"] for frame in frames] for frames in requests]


def test_a_real_relay_gets_every_frame_in_few_requests(bundled_relay: RunningRelay) -> None:
    async def test() -> None:
        async with Publisher(bundled_relay.url, "many", "many:1", SECRET) as publisher:
            await publisher.send("start", {"model": "m"})
            for number in range(1, 501):
                assert await publisher.send("data", {"text": f"é{number}"}) == number
            await publisher.send("end")
        assert publisher.posts <= 10
        async with httpx.AsyncClient() as http:
            room = (await http.get(f"{bundled_relay.url}/parties/main/many")).json()
        assert room["streams"] == [{"stream": "many:1", "first": 0, "next": 502, "finished": True, "stop": False}]

    run(test)


def test_what_arrives_meanwhile_goes_in_the_next_request_and_only_one_is_open() -> None:
    async def test() -> None:
        first = asyncio.Event()

        def answer(number: int, body: bytes) -> Answer:
            said = acknowledge(body)
            return Answer(said.status, said.body, said.headers, first if number == 0 else None)

        async with http_server(answer) as server:
            async with Publisher(server.url, "lobby", STREAM, "s") as publisher:
                await publisher.send("start")
                await server.requests(1)
                for number in range(5):
                    await publisher.send("data", number)
                    await asyncio.sleep(0.001)
                first.set()
                await publisher.send("end")
            assert numbers(server.frames) == [[0], [1, 2, 3, 4, 5, 6]]
            assert server.at_once == 1

    run(test)


def test_a_request_stays_within_its_bounds() -> None:
    """By frames, by bytes, and with one frame at least, however long."""

    async def test() -> None:
        async with http_server(lambda _, body: acknowledge(body)) as server:
            settings = PublisherSettings(batch_frames=3, batch_bytes=450)
            async with Publisher(server.url, "lobby", STREAM, "s", settings) as publisher:
                for text in ["a"] * 7 + ["b" * 150] * 3 + ["c" * 900, "d"]:
                    await publisher.send("data", text)
            assert numbers(server.frames) == [[0, 1, 2], [3, 4, 5], [6, 7], [8, 9], [10], [11]]

    run(test)


@pytest.mark.parametrize(
    "first",
    [
        refused(429, "too_fast", retry_after="0"),
        refused(429, "too_many_streams", retry_after="0"),
        refused(503, "unavailable", retry_after="0"),
        html_answer(502),
        html_answer(503),
        html_answer(504),
        None,
    ],
    ids=["too fast", "too many streams", "unavailable", "502", "503", "504", "connection cut"],
)
def test_a_passing_failure_is_tried_again_with_the_same_frames(first: Answer | None) -> None:
    async def test() -> None:
        async with http_server(lambda number, body: first if number < 3 else acknowledge(body)) as server:
            async with Publisher(server.url, "lobby", STREAM, "s", FAST) as publisher:
                await publisher.send("start")
                await publisher.send("end")
            assert publisher.posts == 4
            assert numbers(server.frames) == [[0, 1]] * 4

    run(test)


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        (refused(400, "bad_request"), CheckFailed, "bad_request"),
        (refused(401, "unauthorized"), Denied, "unauthorized"),
        (refused(404, "not_found"), Unreachable, "not_found"),
        (refused(409, "gap", stream=STREAM, expected=0), CheckFailed, "gap"),
        (refused(409, "finished", stream=STREAM), CheckFailed, "finished"),
        (refused(413, "too_large", limit=9), CheckFailed, "too_large"),
        (refused(503, "no_secret"), Denied, "no_secret"),
        (html_answer(200), Unreachable, "not_a_relay"),
        (html_answer(404), Unreachable, "not_a_relay"),
        (html_answer(500), Unreachable, "relay_error"),
        (Answer(302, b"", {"Location": "https://login.example.com/"}), Unreachable, "not_a_relay"),
        (json_answer(200, {"ok": True}), Unreachable, "not_a_relay"),
        (json_answer(200, {"next": {"other": 1}, "stop": []}), Unreachable, "not_a_relay"),
        (json_answer(200, {"next": {STREAM: 0}, "stop": []}), CheckFailed, "wrong_acknowledgement"),
        (json_answer(200, {"next": {STREAM: 9}, "stop": []}), CheckFailed, "wrong_acknowledgement"),
    ],
    ids=lambda value: f"{value.status}" if isinstance(value, Answer) else None,
)
def test_a_lasting_failure_is_told_at_once(said: Answer, kind: type[ChatopsError], code: str) -> None:
    async def test() -> None:
        async with http_server(lambda _number, _body: said) as server:
            with pytest.raises(kind) as caught:
                async with Publisher(server.url, "lobby", STREAM, "hunter2", FAST) as publisher:
                    await publisher.send("start")
            assert caught.value.code == code
            assert len(server.bodies) == 1
            assert "hunter2" not in f"{caught.value.message}{caught.value.next_step}{caught.value!r}{publisher!r}"

    run(test)


def test_it_gives_up_when_a_failure_lasts_and_says_the_last_one() -> None:
    async def test() -> None:
        settings = PublisherSettings(first_retry_s=0.001, longest_retry_s=0.01, retry_for_s=0.05)
        async with http_server(lambda _number, _body: refused(503, "unavailable")) as server:
            with pytest.raises(Unreachable) as caught:
                async with Publisher(server.url, "lobby", STREAM, "s", settings) as publisher:
                    await publisher.send("start")
            assert caught.value.code == "unavailable"
            assert len(server.bodies) > 2

    run(test)


def test_it_does_not_wait_for_a_retry_that_comes_too_late() -> None:
    async def test() -> None:
        async with http_server(lambda _number, _body: refused(429, "too_fast", retry_after="60")) as server:
            with pytest.raises(Unreachable):
                async with Publisher(server.url, "lobby", STREAM, "s", FAST) as publisher:
                    await publisher.send("start")
            assert len(server.bodies) == 1

    run(test)


def test_nothing_listening_is_unreachable() -> None:
    async def test() -> None:
        async with http_server(lambda _number, _body: None) as server:
            pass
        with pytest.raises(Unreachable) as caught:
            async with Publisher(server.url, "lobby", STREAM, "s", FAST) as publisher:
                await publisher.send("start")
        assert caught.value.code == "connection_refused"

    run(test)


def test_an_answer_that_does_not_come_is_a_time_out() -> None:
    async def test() -> None:
        never = asyncio.Event()
        settings = PublisherSettings(retry_for_s=0, answer_timeout_s=0.05)
        async with http_server(lambda _number, _body: Answer(wait=never)) as server:
            with pytest.raises(Unreachable) as caught:
                async with Publisher(server.url, "lobby", STREAM, "s", settings) as publisher:
                    await publisher.send("start")
            assert caught.value.code == "timeout"

    run(test)


def test_the_wrong_secret_is_denied_by_a_real_relay(bundled_relay: RunningRelay) -> None:
    async def test() -> None:
        with pytest.raises(Denied) as caught:
            async with Publisher(bundled_relay.url, "lobby", STREAM, "hunter2") as publisher:
                await publisher.send("start")
        assert caught.value.exit_code == 4
        assert "hunter2" not in caught.value.message

    run(test)


def test_a_stop_reaches_the_publisher_with_the_answer() -> None:
    async def test() -> None:
        async with (
            http_server(lambda number, body: acknowledge(body, stop=[STREAM] if number else [])) as server,
            Publisher(server.url, "lobby", STREAM, "s") as publisher,
        ):
            await publisher.send("start")
            await publisher.close()
            assert not publisher.stop_requested.is_set()
            await publisher.send("data", 1)
            await publisher.close()
            assert publisher.stop_requested.is_set()
            await publisher.send("end")

    run(test)


def test_a_quiet_publisher_repeats_its_last_frame_until_the_stream_is_finished() -> None:
    async def test() -> None:
        async with http_server(lambda _, body: acknowledge(body)) as server:
            async with Publisher(server.url, "lobby", STREAM, "s", PublisherSettings(sign_of_life_s=0.01)) as publisher:
                await asyncio.sleep(0.03)
                assert server.bodies == []
                await publisher.send("start")
                await publisher.send("data", "x")
                await server.requests(4)
                await publisher.send("end")
                await publisher.close()
                finished = len(server.bodies)
                await asyncio.sleep(0.05)
                assert len(server.bodies) == finished
            assert numbers(server.frames) == [[0, 1], *[[1]] * (finished - 2), [2]]

    run(test)


def test_send_waits_while_the_queue_is_full() -> None:
    async def test() -> None:
        gate = asyncio.Event()

        def answer(_number: int, body: bytes) -> Answer:
            said = acknowledge(body)
            return Answer(said.status, said.body, said.headers, gate)

        async with (
            http_server(answer) as server,
            Publisher(server.url, "lobby", STREAM, "s", PublisherSettings(queue_frames=3)) as publisher,
        ):
            for _ in range(3):
                await publisher.send("data", 0)
            waiting = asyncio.create_task(publisher.send("data", 0))
            await asyncio.sleep(0.03)
            assert not waiting.done()
            gate.set()
            assert await waiting == 3

    run(test)


def test_one_that_waits_hears_that_the_relay_refused() -> None:
    async def test() -> None:
        async with http_server(lambda _number, _body: refused(401, "unauthorized")) as server:

            async def publish() -> None:
                async with Publisher(server.url, "lobby", STREAM, "s", PublisherSettings(queue_frames=1)) as publisher:
                    for number in range(5):
                        await publisher.send("data", number)

            with pytest.raises(Denied):
                await publish()

    run(test)


def test_an_exception_in_the_block_does_not_wait_for_the_queue() -> None:
    async def test() -> None:
        never = asyncio.Event()
        async with http_server(lambda _number, _body: Answer(wait=never)) as server:

            async def fail() -> None:
                async with Publisher(server.url, "lobby", STREAM, "s") as publisher:
                    await publisher.send("start")
                    raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await fail()

    run(test)


def test_half_a_character_is_refused_before_it_is_sent() -> None:
    async def test() -> None:
        async with (
            http_server(lambda _, body: acknowledge(body)) as server,
            Publisher(server.url, "lobby", STREAM, "s") as publisher,
        ):
            with pytest.raises(CheckFailed) as caught:
                await publisher.send("data", {"text": json.loads('"\\ud83d"')})
            assert caught.value.code == "bad_text"
            assert await publisher.send("end") == 0

    run(test)


def test_nothing_follows_the_terminal_frame() -> None:
    async def test() -> None:
        async with (
            http_server(lambda _, body: acknowledge(body)) as server,
            Publisher(server.url, "lobby", STREAM, "s") as publisher,
        ):
            await publisher.send("error", {"code": "model_failed"})
            with pytest.raises(RuntimeError):
                await publisher.send("data", "late")

    run(test)


@pytest.mark.parametrize("secret", ["", "  \n", "hunter2\nX-Other: 1", "hunter2\x00"])
def test_a_secret_that_cannot_be_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(UsageError) as caught:
        Publisher("http://127.0.0.1:1", "lobby", STREAM, secret)
    assert "hunter2" not in f"{caught.value.message}{caught.value.next_step}"


def test_a_bad_stream_id_is_refused() -> None:
    with pytest.raises(UsageError):
        Publisher("http://127.0.0.1:1", "lobby", "not a stream", "s")
