"""The built-in model: OpenAI's chat completions with a text that never changes. No socket and no clock here.

It lets a relay be tried where there is no key and no network, and a test know every character beforehand. The wire
forms are those of https://platform.openai.com/docs/api-reference/chat. Any model name is taken and given back, so
an app needs nothing but its base URL changed.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from relay_server.protocol import encode_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MODEL_NAME = "chatops-built-in"
DEFAULT_RATE = 60.0

_CREATED = 1_767_225_600  # OpenAI's forms want a time; a fixed one keeps every byte the same
_QUOTE_WIDTH = 60

# Letters of more than one byte, a letter beyond the BMP, emoji of several code points, leading spaces, empty lines:
# what a careless split, a wrong encoding or a trim on the way would break.
_TEXT = """“{prompt}” is a fine thing to ask a relay. 🛰️

Picture a small café in Kraków on a rainy morning. Somebody asks a question, and everybody at the counter hears the \
answer word by word, as it is found. Naïve? Perhaps. But that is why a reply that streams feels alive.

While this text arrives, look for:

  1. words that come one by one, not all at once;
  2. letters that stay whole: é, ß, ñ, 東京, 𐍈;
  3. spaces and empty lines that stay put;
  4. one emoji that stays one: 👩‍🚀.

If you can read up to this tick, nothing was lost. ✅
"""

_PIECE = re.compile(r"\n+| ?\S{1,8}|\s")


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """`rate` is the pieces a second of a streamed reply; 0 sends them as fast as they are read."""

    rate: float = DEFAULT_RATE


class ModelRefusal(Exception):
    """A request that is not answered. `status` and `body` make OpenAI's error answer."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = encode_json(
            {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}
        )


class _Part(msgspec.Struct):
    type: str
    text: str = ""


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content if part.type == "text")
        return self.content or ""


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Request(msgspec.Struct):
    model: Annotated[str, msgspec.Meta(min_length=1)]
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    n: int | None = None


_decoder = msgspec.json.Decoder(_Request)


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer. Send `events()` one by one, `interval_s` seconds apart, if `stream`, else `body()`.

    `pieces` are what the text is streamed in; `finish_reason` is OpenAI's, `stop` or `length`.
    """

    id: str
    model: str
    pieces: tuple[str, ...]
    finish_reason: str
    prompt_tokens: int
    stream: bool
    include_usage: bool
    interval_s: float

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def events(self) -> Iterator[bytes]:
        """Complete server-sent events: the role, each piece, the finish, the usage if it was asked for, `[DONE]`."""
        yield self._chunk({"role": "assistant", "content": ""}, None)
        for piece in self.pieces:
            yield self._chunk({"content": piece}, None)
        yield self._chunk({}, self.finish_reason)
        if self.include_usage:
            yield _event({**self._head("chat.completion.chunk"), "choices": [], "usage": self._usage()})
        yield b"data: [DONE]\n\n"

    def body(self) -> bytes:
        """The answer in one piece."""
        message = {"role": "assistant", "content": self.text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish_reason}
        return encode_json({**self._head("chat.completion"), "choices": [choice], "usage": self._usage()})

    def _head(self, kind: str) -> dict[str, object]:
        return {"id": self.id, "object": kind, "created": _CREATED, "model": self.model}

    def _chunk(self, delta: Mapping[str, str], finish_reason: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        usage = {"usage": None} if self.include_usage else {}
        return _event({**self._head("chat.completion.chunk"), "choices": [choice], **usage})

    def _usage(self) -> dict[str, int]:
        completion_tokens = len(self.pieces)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": self.prompt_tokens + completion_tokens,
        }


def complete(body: bytes, settings: ModelSettings) -> Completion:
    """Answer the body of a `POST /v1/chat/completions`. Raises ModelRefusal (400)."""
    try:
        request = _decoder.decode(body)
    except UnicodeDecodeError:
        raise ModelRefusal(400, "The body is not UTF-8.") from None
    except RecursionError:
        raise ModelRefusal(400, "The body is nested too deeply.") from None
    except msgspec.MsgspecError as error:
        raise ModelRefusal(400, f"The body is not a chat completion request: {error}.") from None
    if request.n not in (None, 1):
        raise ModelRefusal(400, "The built-in model gives one choice: leave n out.", param="n")

    pieces = split_pieces(_reply(request.messages))
    allowed = request.max_completion_tokens or request.max_tokens or len(pieces)
    texts = [message.text for message in request.messages]
    return Completion(
        id=f"chatcmpl-{sha256(encode_json(texts)).hexdigest()[:24]}",
        model=request.model,
        pieces=tuple(pieces[:allowed]),
        finish_reason="length" if allowed < len(pieces) else "stop",
        prompt_tokens=sum(len(split_pieces(text)) for text in texts),
        stream=bool(request.stream),
        include_usage=request.stream_options is not None and bool(request.stream_options.include_usage),
        interval_s=1 / settings.rate if settings.rate > 0 else 0.0,
    )


def expected_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """What the model says to these messages (OpenAI's form: `{"role": ..., "content": ...}`), all of it."""
    return _reply(msgspec.convert(messages, list[_Message]))


def models() -> bytes:
    """The answer to `GET /v1/models`."""
    model = {"id": MODEL_NAME, "object": "model", "created": _CREATED, "owned_by": "chatops"}
    return encode_json({"object": "list", "data": [model]})


def split_pieces(text: str) -> list[str]:
    """The text in pieces like a tokenizer's: part of a word with the space before it, or line ends."""
    return _PIECE.findall(text)


def _reply(messages: Sequence[_Message]) -> str:
    prompt = next((message.text for message in reversed(messages) if message.role == "user"), "")
    return _TEXT.replace("{prompt}", textwrap.shorten(prompt, _QUOTE_WIDTH, placeholder="…") or "…")


def _event(value: object) -> bytes:
    return b"data: %b\n\n" % encode_json(value)
