"""Asking a model through OpenAI's SDK: the pieces, and everything that a model may do instead."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

import pytest

from relay_server.checks.ask import Model, ModelAccess, load_sdk
from relay_server.errors import ChatopsError, CheckFailed, Denied, Unreachable
from relay_server.local import local_relay
from relay_server.model import MODEL_NAME, expected_text, split_pieces
from tests.relay_server.client.scripted import Answer, html_answer, http_server, json_answer

KEY = "sk-hunter2"
HELLO = [{"role": "user", "content": "Hello"}]


def events(*contents: str | None, finish: str | None = "stop", done: bool = True, usage: bool = False) -> bytes:
    """A streamed reply with these contents; None is a chunk without any."""
    deltas: list[tuple[dict[str, str | None], str | None]] = [({"content": content}, None) for content in contents]
    if finish is not None:
        deltas.append(({"content": None}, finish))
    chunks: list[dict[str, object]] = [
        {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
        | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        for delta, reason in deltas
    ]
    if usage:
        chunks.append({**chunks[0], "choices": [], "usage": {}})
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return "".join([*lines, "data: [DONE]\n\n" if done else ""]).encode()


def streamed(body: bytes, rest: str | None = None) -> Answer:
    headers = {"Content-Type": "text/event-stream"}
    return Answer(200, body, headers, rest="cut" if rest == "cut" else "hangs" if rest else None)


def failure(status: int, message: str, code: str | None = None) -> Answer:
    return json_answer(status, {"error": {"message": message, "type": "x", "param": None, "code": code}})


async def reply_of(access: ModelAccess, timeout_s: float = 5) -> list[str]:
    await load_sdk()
    async with Model(access, timeout_s) as model, aclosing(model.ask(HELLO)) as pieces:
        return [piece async for piece in pieces]


def ask_scripted(*answers: Answer | None, timeout_s: float = 5) -> list[str]:
    """The reply of a server that gives these answers, the last one again and again."""

    async def test() -> list[str]:
        async with http_server(lambda number, _body: answers[min(number, len(answers) - 1)]) as server:
            return await reply_of(ModelAccess("gpt-x", f"{server.url}/v1", KEY), timeout_s)

    return asyncio.run(test())


def test_the_built_in_model_says_what_it_should() -> None:
    async def test() -> list[str]:
        async with local_relay(model_rate=0) as relay:
            return await reply_of(ModelAccess(MODEL_NAME, relay.model_url))

    assert asyncio.run(test()) == split_pieces(expected_text(HELLO))


def test_chunks_without_text_are_skipped() -> None:
    assert ask_scripted(streamed(events("", "Hel", None, "lo", usage=True))) == ["Hel", "lo"]


def test_the_request_names_the_model_and_carries_the_key_in_its_header_only() -> None:
    async def test() -> bytes:
        async with http_server(lambda _number, _body: streamed(events("x"))) as server:
            await reply_of(ModelAccess("gpt-x", f"{server.url}/v1", KEY))
            return server.bodies[0]

    body = asyncio.run(test())
    assert json.loads(body) == {"model": "gpt-x", "messages": HELLO, "stream": True}


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (failure(401, f"Incorrect API key provided: {KEY}"), Denied, "model_denied"),
        (failure(403, "Country not supported"), Denied, "model_denied"),
        (failure(404, "The model does not exist", "model_not_found"), CheckFailed, "model_not_found"),
        (html_answer(404), CheckFailed, "model_not_found"),
        (failure(400, f"Bad prompt of {KEY}"), CheckFailed, "model_refused"),
        (failure(422, "Unprocessable"), CheckFailed, "model_refused"),
        (failure(429, "You exceeded your current quota", "insufficient_quota"), Unreachable, "model_busy"),
        (failure(500, "The server had an error"), Unreachable, "model_error"),
        (html_answer(503), Unreachable, "model_error"),
        (html_answer(200), Unreachable, "not_a_model"),
        (json_answer(200, {"ok": True}), Unreachable, "not_a_model"),
        (streamed(b"data: nonsense\n\n"), Unreachable, "not_a_model"),
        (streamed(b""), Unreachable, "not_a_model"),
        (streamed(events()), CheckFailed, "empty_reply"),
        (streamed(b'data: {"error":{"message":"overloaded"}}\n\n'), CheckFailed, "model_error"),
        (streamed(events("Hel", finish=None)), CheckFailed, "model_stopped"),
        (streamed(events("Hel", finish=None, done=False)), CheckFailed, "model_stopped"),
        (streamed(events("Hel", finish=None, done=False), "cut"), CheckFailed, "model_stopped"),
        (
            streamed(events("Hel", finish=None, done=False) + b'data: {"error":{"message":"overloaded"}}\n\n'),
            CheckFailed,
            "model_stopped",
        ),
        (streamed(events("Hel", finish=None, done=False) + b"data: nonsense\n\n"), CheckFailed, "model_stopped"),
        (None, Unreachable, "model_connection_lost"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_goes_wrong_is_one_line_with_a_next_step(
    answer: Answer | None, kind: type[ChatopsError], code: str
) -> None:
    with pytest.raises(ChatopsError) as caught:
        ask_scripted(answer)
    error = caught.value
    assert (type(error), error.code) == (kind, code)
    assert "\n" not in error.message
    assert error.next_step
    assert KEY not in error.message


@pytest.mark.slow
def test_a_model_that_goes_silent_is_a_time_out() -> None:
    with pytest.raises(CheckFailed) as caught:
        ask_scripted(streamed(events("Hel", finish=None, done=False), "hangs"), timeout_s=1)
    assert caught.value.code == "model_stopped"
    assert "does not answer in time" in caught.value.message


def test_a_model_that_never_answers_is_a_time_out() -> None:
    with pytest.raises(Unreachable) as caught:
        ask_scripted(Answer(wait=asyncio.Event()), timeout_s=0.1)
    assert caught.value.code == "model_timeout"


def test_nothing_listening_is_unreachable() -> None:
    async def test() -> None:
        async with http_server(lambda _number, _body: None) as server:
            pass
        await reply_of(ModelAccess("gpt-x", f"{server.url}/v1", KEY))

    with pytest.raises(Unreachable) as caught:
        asyncio.run(test())
    assert caught.value.code == "model_connection_refused"


def test_a_passing_failure_is_tried_again() -> None:
    again = json_answer(503, {}, **{"Retry-After": "0"})
    assert ask_scripted(again, streamed(events("Hello"))) == ["Hello"]


def test_key_and_password_are_not_shown() -> None:
    access = ModelAccess("gpt-x", "https://me:hunter2@models.example.com/v1/", KEY)
    assert "hunter2" not in repr(access)
    assert access.where == "https://models.example.com/v1"
