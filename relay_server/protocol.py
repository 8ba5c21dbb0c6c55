"""The relay protocol's forms: what comes over the wire into types, and back. No input or output here.

PROTOCOL.md is the specification; `vectors/` holds its recorded cases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import parse_qsl

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from relay_server.limits import Limits

PROTOCOL_VERSION = 1
PARTY = "main"
MAX_SEQ = 2**53 - 1
MAX_BAD_MESSAGES = 10
TERMINAL_KINDS = frozenset({"end", "error"})

ALLOWED_METHODS = "GET, POST, OPTIONS"
CORS_ORIGIN = ("Access-Control-Allow-Origin", "*")
CORS_PREFLIGHT = (
    CORS_ORIGIN,
    ("Access-Control-Allow-Methods", ALLOWED_METHODS),
    ("Access-Control-Allow-Headers", "authorization, content-type"),
    ("Access-Control-Max-Age", "86400"),
)

_ROOM_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._~-]{0,127}", re.ASCII)
_STREAM_ID_PATTERN = r"[A-Za-z0-9_][A-Za-z0-9._~:-]{0,199}"
_STREAM_ID = re.compile(_STREAM_ID_PATTERN, re.ASCII)

Kind = Literal["start", "data", "end", "error"]

# Status of every refusal over HTTP, by its code. `unknown_stream` and `bad_message` exist on the WebSocket only.
STATUS: Mapping[str, int] = {
    "bad_request": 400,
    "bad_room": 400,
    "bad_cursor": 400,
    "unauthorized": 401,
    "not_found": 404,
    "method_not_allowed": 405,
    "gap": 409,
    "finished": 409,
    "too_large": 413,
    "too_many_frames": 413,
    "too_fast": 429,
    "too_many_streams": 429,
    "internal": 500,
    "no_secret": 503,
    "unavailable": 503,
}


class Refusal(Exception):
    """The relay refuses a request or a message; nothing was changed.

    `code` is one of the protocol's, `detail` holds the keys that go with it (`expected`, `limit`, ...),
    `retry_after_ms` is set where a later try may succeed.
    """

    def __init__(self, code: str, message: str, *, retry_after_ms: int | None = None, **detail: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = detail
        self.retry_after_ms = retry_after_ms

    @property
    def status(self) -> int:
        return STATUS[self.code]

    @property
    def retry_after_s(self) -> int | None:
        """Whole seconds for the Retry-After header, at least 1."""
        return None if self.retry_after_ms is None else max(1, -(-self.retry_after_ms // 1000))

    def body(self) -> bytes:
        return encode_json({"error": {"code": self.code, "message": self.message, **self.detail}})


@dataclass(frozen=True, slots=True)
class Frame:
    """One numbered piece of a stream. `encoded` is its JSON text as every subscriber gets it."""

    stream: str
    seq: int
    kind: Kind
    encoded: bytes

    @property
    def is_terminal(self) -> bool:
        return self.kind in TERMINAL_KINDS


def make_frame(stream: str, seq: int, kind: Kind, data: bytes | None = None) -> Frame:
    """Encode a frame; `data` is JSON text or None for no data. `stream` must be a valid stream id."""
    head = f'{{"stream":"{stream}","seq":{seq},"kind":"{kind}"'.encode()
    return Frame(stream, seq, kind, head + b"}" if data is None else b'%b,"data":%b}' % (head, data))


class _FrameForm(msgspec.Struct, gc=False):
    stream: Annotated[str, msgspec.Meta(pattern=rf"^{_STREAM_ID_PATTERN}\Z")]
    seq: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)]
    kind: Kind
    # Left as the publisher wrote it: the relay checks that it is JSON and does not look inside.
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _PublishForm(msgspec.Struct, gc=False):
    frames: list[_FrameForm]


_LINE_ENDS_TO_SPACES = bytes.maketrans(b"\r\n", b"  ")
_publish_decoder = msgspec.json.Decoder(_PublishForm)


def decode_publish(body: bytes, limits: Limits) -> list[Frame]:
    """The frames of a publish body. Raises Refusal: bad_request, too_large, too_many_frames."""
    if len(body) > limits.max_body_bytes:
        raise body_too_large(limits)
    try:
        if not body.isascii():
            body.decode()  # the decoder skips over `data` without looking at its UTF-8
        forms = _publish_decoder.decode(body).frames
    except UnicodeDecodeError as error:
        raise Refusal("bad_request", f"the body is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise Refusal("bad_request", "the body is nested too deeply") from None
    except msgspec.MsgspecError as error:
        raise Refusal("bad_request", f"the body is not a publish request: {error}") from None
    if not forms:
        raise Refusal("bad_request", "the body holds no frames")
    if len(forms) > limits.max_batch_frames:
        raise Refusal(
            "too_many_frames",
            f"{len(forms)} frames in one request, {limits.max_batch_frames} are taken",
            limit=limits.max_batch_frames,
        )
    if b"\n" in body or b"\r" in body:
        # White space between JSON's tokens, never inside a string: a frame is one line, whoever wrote it.
        forms = _publish_decoder.decode(body.translate(_LINE_ENDS_TO_SPACES)).frames
    frames = [
        make_frame(form.stream, form.seq, form.kind, bytes(form.data) if isinstance(form.data, msgspec.Raw) else None)
        for form in forms
    ]
    for frame in frames:
        if len(frame.encoded) > limits.max_frame_bytes:
            raise Refusal(
                "too_large",
                f"a frame has {len(frame.encoded)} bytes, {limits.max_frame_bytes} are taken",
                limit=limits.max_frame_bytes,
            )
    return frames


def body_too_large(limits: Limits) -> Refusal:
    return Refusal("too_large", f"the body has more than {limits.max_body_bytes} bytes", limit=limits.max_body_bytes)


def room_of_path(path: str) -> str:
    """The room id in a request's path, as it stands there. Raises Refusal: not_found, bad_room."""
    segments = path.split("/")
    if len(segments) != 4 or segments[:3] != ["", "parties", PARTY]:
        raise Refusal("not_found", f"nothing is here; a room's address is /parties/{PARTY}/<room>")
    room = segments[3]
    if not _ROOM_ID.fullmatch(room):
        raise Refusal("bad_room", "a room id is 1 to 128 of A-Z a-z 0-9 . _ ~ - and begins with a letter, a digit or _")
    return room


def is_room_id(text: str) -> bool:
    return _ROOM_ID.fullmatch(text) is not None


def is_stream_id(text: str) -> bool:
    return _STREAM_ID.fullmatch(text) is not None


def decode_cursors(query: str) -> dict[str, int]:
    """Cursors by stream from a query string. Raises Refusal: bad_cursor."""
    cursors: dict[str, int] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key != "from":
            continue
        for cursor in value.split(","):
            stream, colon, number = cursor.rpartition(":")
            if not (colon and is_stream_id(stream) and re.fullmatch(r"[0-9]{1,16}", number) and int(number) <= MAX_SEQ):
                raise Refusal("bad_cursor", "a cursor is from=<stream>:<seq>")
            cursors.pop(stream, None)
            cursors[stream] = int(number)
    return cursors


class _Stop(msgspec.Struct, tag_field="kind", tag="stop"):
    stream: str


class _Ping(msgspec.Struct, tag_field="kind", tag="ping"):
    pass


_message_decoder = msgspec.json.Decoder(_Stop | _Ping)


def decode_message(text: bytes) -> str | None:
    """What a subscriber sent: the stream that it asks to stop, or None for a ping. Raises Refusal: bad_message."""
    try:
        message = _message_decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise Refusal("bad_message", 'a subscriber sends {"kind": "stop", "stream": ...} or {"kind": "ping"}') from None
    return message.stream if isinstance(message, _Stop) else None


@dataclass(frozen=True, slots=True)
class StreamState:
    """How far a stream is: `first` is the oldest frame held, `next` the number after the newest."""

    stream: str
    first: int
    next: int
    finished: bool
    stop: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """Frames `from_seq` up to but not including `next_seq` are gone; `next_seq` None: the stream is not held."""

    stream: str
    from_seq: int
    next_seq: int | None


def encode_json(value: object) -> bytes:
    """Compact JSON. Everything that the relay itself says goes through here."""
    return msgspec.json.encode(value)


def stream_states(streams: Iterable[StreamState]) -> list[dict[str, object]]:
    return [
        {"stream": s.stream, "first": s.first, "next": s.next, "finished": s.finished, "stop": s.stop} for s in streams
    ]


def encode_hello(*, server: str, build: str, room: str, streams: Iterable[StreamState]) -> bytes:
    return encode_json(
        {
            "kind": "hello",
            "protocol": PROTOCOL_VERSION,
            "server": server,
            "build": build,
            "room": room,
            "streams": stream_states(streams),
        }
    )


def encode_lost(lost: Lost) -> bytes:
    return encode_json({"kind": "lost", "stream": lost.stream, "from": lost.from_seq, "next": lost.next_seq})


def encode_stopping(stream: str) -> bytes:
    return encode_json({"kind": "stopping", "stream": stream})


def encode_refused(refusal: Refusal) -> bytes:
    return encode_json({"kind": "refused", "code": refusal.code, "message": refusal.message, **refusal.detail})


PONG = encode_json({"kind": "pong"})


def encode_published(expected: Mapping[str, int], stop: Sequence[str]) -> bytes:
    return encode_json({"next": expected, "stop": stop})
