"""The built-in model: its text, its wire forms, and that OpenAI's own SDK takes them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay_server.local import local_relay
from relay_server.model import MODEL_NAME, ModelRefusal, ModelSettings, complete, expected_text, models, split_pieces

if TYPE_CHECKING:
    from collections.abc import Iterable

FLAT_OUT = ModelSettings(rate=0)
HELLO = [{"role": "user", "content": "Hello there"}]


def body(**keys: Any) -> bytes:
    return json.dumps({"model": "any", "messages": HELLO, **keys}).encode()


def chunks(events: Iterable[bytes]) -> list[dict[str, Any]]:
    """The JSON of the events; the last must be OpenAI's mark that all is said."""
    *data, done = events
    assert done == b"data: [DONE]\n\n"
    assert all(event.startswith(b"data: {") and event.endswith(b"}\n\n") and event.count(b"\n") == 2 for event in data)
    return [json.loads(event.removeprefix(b"data: ")) for event in data]


@given(st.text())
def test_the_pieces_are_the_text(text: str) -> None:
    assert "".join(split_pieces(text)) == text


def test_the_reply_is_about_the_prompt_and_shows_what_breaks_on_the_way() -> None:
    text = expected_text(HELLO)
    assert text.startswith("“Hello there” ")
    assert not text.isascii()
    assert max(text) > "\uffff"
    assert "\u200d" in text
    assert "\n\n" in text
    assert "\n  " in text
    assert 100 <= len(split_pieces(text)) <= 140
    assert any(piece.startswith(" ") for piece in split_pieces(text))


def test_the_last_thing_that_the_user_said_counts_and_only_its_text() -> None:
    parts: list[dict[str, Any]] = [
        {"type": "text", "text": "Hello "},
        {"type": "image_url"},
        {"type": "text", "text": "there"},
    ]
    history: list[dict[str, Any]] = [{"role": "user", "content": "Before"}, {"role": "assistant", "content": "Yes"}]
    asked: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief"},
        *history,
        {"role": "user", "content": parts},
    ]
    assert expected_text([*asked, {"role": "assistant", "content": None}]) == expected_text(HELLO)
    assert expected_text([{"role": "user", "content": "x " * 500}]).count("x") < 60
    assert expected_text([{"role": "user", "content": ""}])


def test_a_stream_has_the_role_the_pieces_the_finish_and_the_usage_that_was_asked_for() -> None:
    completion = complete(body(stream=True, stream_options={"include_usage": True}), FLAT_OUT)
    assert completion.stream
    role, *pieces, finish, usage = chunks(completion.events())
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert "".join(piece["choices"][0]["delta"]["content"] for piece in pieces) == expected_text(HELLO)
    assert finish["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == len(pieces)
    assert usage["usage"]["total_tokens"] == usage["usage"]["prompt_tokens"] + len(pieces)
    assert {chunk["id"] for chunk in (role, *pieces, finish, usage)} == {completion.id}
    assert {chunk["model"] for chunk in (role, *pieces, finish, usage)} == {"any"}


def test_without_the_option_no_chunk_speaks_of_usage() -> None:
    found = chunks(complete(body(stream=True), FLAT_OUT).events())
    assert all("usage" not in chunk and chunk["choices"] for chunk in found)


def test_the_answer_in_one_piece_has_the_same_text() -> None:
    completion = complete(body(), FLAT_OUT)
    assert not completion.stream
    answer = json.loads(completion.body())
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"] == expected_text(HELLO)


@pytest.mark.parametrize("key", ["max_tokens", "max_completion_tokens"])
def test_a_limit_cuts_the_reply_short_and_says_so(key: str) -> None:
    completion = complete(body(**{key: 3}), FLAT_OUT)
    assert completion.text == "".join(split_pieces(expected_text(HELLO))[:3])
    assert json.loads(completion.body())["choices"][0]["finish_reason"] == "length"


def test_the_same_messages_give_the_same_bytes() -> None:
    assert list(complete(body(stream=True), FLAT_OUT).events()) == list(complete(body(stream=True), FLAT_OUT).events())


def test_the_rate_is_the_pace() -> None:
    assert complete(body(), ModelSettings(rate=50)).interval_s == 0.02
    assert complete(body(), FLAT_OUT).interval_s == 0


@pytest.mark.parametrize(
    "refused",
    [
        b"",
        b"not JSON",
        b"[]",
        b"{}",
        b"\xff",
        b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}',
        b'{"model":"m","messages":[{"role":"user","content":"\\ud83d"}]}',
        b'{"model":"m","messages":[{"role":"user","content":7}]}',
        b'{"model":"m","x":' + b"[" * 100_000,
        body(messages=[]),
        body(messages="Hello"),
        body(model=""),
        body(n=2),
        body(max_tokens=0),
        body(stream="yes"),
    ],
    ids=range(15),
)
def test_what_is_no_request_is_refused_in_the_form_of_openai(refused: bytes) -> None:
    with pytest.raises(ModelRefusal) as caught:
        complete(refused, FLAT_OUT)
    assert caught.value.status == 400
    error = json.loads(caught.value.body)["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert error["message"]


def test_openais_sdk_reads_it_streamed_and_whole() -> None:
    """Over HTTP, from the bundled server."""
    import openai

    async def test() -> None:
        http = openai.DefaultAsyncHttpxClient(trust_env=False)
        async with (
            local_relay(model_rate=0) as relay,
            openai.AsyncOpenAI(api_key="none", base_url=relay.model_url, http_client=http) as client,
        ):
            messages: Any = HELLO
            stream = await client.chat.completions.create(
                model=MODEL_NAME, messages=messages, stream=True, stream_options={"include_usage": True}
            )
            found = [chunk async for chunk in stream]
            text = "".join(chunk.choices[0].delta.content or "" for chunk in found if chunk.choices)
            assert text == expected_text(HELLO)
            assert found[-1].usage is not None
            assert found[-1].usage.completion_tokens == len(found) - 3
            assert found[-2].choices[0].finish_reason == "stop"

            whole = await client.chat.completions.create(model=MODEL_NAME, messages=messages)
            assert whole.choices[0].message.content == expected_text(HELLO)

            listed = await client.models.list()
            assert [model.id for model in listed.data] == [MODEL_NAME]

            with pytest.raises(openai.BadRequestError) as caught:
                await client.chat.completions.create(model=MODEL_NAME, messages=[])
            assert "messages" in caught.value.message

    asyncio.run(test())


def test_the_list_of_models_names_it() -> None:
    assert [model["id"] for model in json.loads(models())["data"]] == [MODEL_NAME]
