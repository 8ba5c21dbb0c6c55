"""The publisher: appends the frames of one stream to a room, over HTTP.

One request is in flight at a time and takes everything that arrived while the one before it was on its way, so a fast
model costs tens of requests and not hundreds. A frame is kept until the relay has acknowledged it; PROTOCOL.md says
which answers are tried again.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Self

import httpx
import msgspec

from relay_server.client.address import room_address
from relay_server.client.backoff import retry_delays
from relay_server.client.failures import (
    connection_failure,
    describe_body,
    http_failure,
    not_a_relay,
    tls_context,
)
from relay_server.errors import ChatopsError, CheckFailed, UsageError
from relay_server.protocol import Frame, Kind, encode_json, is_stream_id, make_frame

if TYPE_CHECKING:
    from types import TracebackType

_RETRIED = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class PublisherSettings:
    """Bounds of a publisher. Times in seconds, sizes in bytes."""

    batch_frames: int = 100
    batch_bytes: int = 256 * 1024
    queue_frames: int = 2000
    queue_bytes: int = 4 * 1024 * 1024
    sign_of_life_s: float = 10.0
    retry_for_s: float = 20.0
    first_retry_s: float = 0.1
    longest_retry_s: float = 5.0
    connect_timeout_s: float = 5.0
    answer_timeout_s: float = 15.0


class _Answer(msgspec.Struct):
    next: dict[str, int]
    stop: list[str] = []


class Publisher:
    """Publishes one stream.

        async with Publisher(url, "lobby", "lobby:6f1c", secret) as publisher:
            await publisher.send("start", {"model": "gpt"})
            ...
            await publisher.send("end")

    Leaving the block waits until everything is acknowledged, or drops what is queued if an exception leaves it.
    What goes wrong is raised by the next `send`, `close` or at the end of the block: Unreachable, Denied, CheckFailed.
    `posts` counts the requests; `stop_requested` is set once a subscriber has asked for the stream to stop.
    """

    def __init__(
        self, base_url: str, room: str, stream: str, secret: str, settings: PublisherSettings | None = None
    ) -> None:
        """Raises UsageError for a URL, a room id, a stream id or a secret that cannot be."""
        self._address = room_address(base_url, room)
        if not is_stream_id(stream):
            raise UsageError(f"{stream[:220]!r} is no stream id", next_step="use <room>:<uuid>", code="bad_stream")
        self._stream = stream
        self._headers = {b"Authorization": _authorization(secret), b"Content-Type": b"application/json"}
        self._settings = settings or PublisherSettings()
        self._queue: deque[Frame] = deque()
        self._queued_bytes = 0
        self._next_seq = 0
        self._last: Frame | None = None
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()
        self._error: Exception | None = None
        self._http: httpx.AsyncClient | None = None
        self._sender: asyncio.Task[None] | None = None
        self.posts = 0
        self.stop_requested = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Publisher {self._stream} at {self._address.publish_url}>"

    async def __aenter__(self) -> Self:
        relay, settings = self._address.relay, self._settings
        self._http = httpx.AsyncClient(
            headers=self._headers,
            timeout=httpx.Timeout(settings.answer_timeout_s, connect=settings.connect_timeout_s),
            # Loading a context is slow and plain HTTP never uses it; the empty one trusts nobody.
            verify=tls_context() if relay.secure else _empty_tls_context(),
            trust_env=not relay.is_loopback,
        )
        self._sender = asyncio.create_task(self._run(self._http), name=f"publisher of {self._stream}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self.close()
        finally:
            await self._shut()

    async def send(self, kind: Kind, data: object = msgspec.UNSET) -> int:
        """Queue a frame and give back its number. `data` is any JSON value; leave it out for none.

        Waits while the queue is full. Raises what made the publisher give up, and CheckFailed for text that is not
        valid Unicode.
        """
        self._raise_error()
        if self._last is not None and self._last.is_terminal:
            raise RuntimeError(f"{self._stream} has its terminal frame")
        try:
            encoded = None if data is msgspec.UNSET else encode_json(data)
        except UnicodeEncodeError:
            raise CheckFailed(
                f"frame {self._next_seq} of {self._stream} holds half a character (a lone surrogate)",
                next_step="do not split text inside a character",
                code="bad_text",
            ) from None
        frame = self._last = make_frame(self._stream, self._next_seq, kind, encoded)
        self._next_seq += 1
        self._queue.append(frame)
        self._queued_bytes += len(frame.encoded)
        self._wake.set()
        settings = self._settings
        while len(self._queue) > settings.queue_frames or self._queued_bytes > settings.queue_bytes:
            await self._wait_for_move()
        return frame.seq

    async def close(self) -> None:
        """Wait until every frame is acknowledged. Raises what made the publisher give up."""
        while self._queue:
            await self._wait_for_move()
        self._raise_error()

    async def _wait_for_move(self) -> None:
        self._raise_error()
        self._moved.clear()
        await self._moved.wait()
        self._raise_error()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    async def _shut(self) -> None:
        if self._sender is not None:
            self._sender.cancel()
            with suppress(asyncio.CancelledError):
                await self._sender
        if self._http is not None:
            await self._http.aclose()

    async def _run(self, http: httpx.AsyncClient) -> None:
        try:
            while True:
                if not self._queue:
                    self._wake.clear()
                    try:
                        await asyncio.wait_for(self._wake.wait(), self._settings.sign_of_life_s)
                    except TimeoutError:
                        if not self._queue and self._last is not None and not self._last.is_terminal:
                            await self._deliver(http, [self._last])
                        continue
                frames = self._batch()
                await self._deliver(http, frames)
                for frame in frames:
                    self._queue.popleft()
                    self._queued_bytes -= len(frame.encoded)
                self._moved.set()
        except Exception as error:
            # Not only ChatopsError: whoever waits in `send` or `close` must hear of anything that ends this task.
            self._error = error
            self._moved.set()

    async def _deliver(self, http: httpx.AsyncClient, frames: list[Frame]) -> None:
        """Post until it is acknowledged. Raises what is not worth another try, or what lasted too long."""
        relay, settings = self._address.relay, self._settings
        body = b'{"frames":[%b]}' % b",".join(frame.encoded for frame in frames)
        delays = retry_delays(settings.first_retry_s, settings.longest_retry_s)
        clock = asyncio.get_running_loop().time
        give_up_at = clock() + settings.retry_for_s
        failure: ChatopsError
        while True:
            wait = next(delays)
            self.posts += 1
            try:
                response = await http.post(self._address.publish_url, content=body)
            except httpx.TransportError as error:
                failure = connection_failure(relay, error)
                if failure.code == "tls_untrusted":
                    raise failure from None
            except httpx.HTTPError as error:
                raise not_a_relay(relay, f"what is not HTTP ({type(error).__name__})") from None
            else:
                if response.status_code == 200:
                    self._acknowledge(response, frames[-1])
                    return
                failure = http_failure(relay, response.status_code, response.headers, response.content)
                if response.status_code not in _RETRIED or failure.code == "no_secret":
                    raise failure
                wait = max(wait, _retry_after_s(response))
            if clock() + wait > give_up_at:
                raise failure
            await asyncio.sleep(wait)

    def _acknowledge(self, response: httpx.Response, last: Frame) -> None:
        relay = self._address.relay
        try:
            answer = msgspec.json.decode(response.content, type=_Answer)
            acknowledged = answer.next[self._stream]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError):
            what = describe_body(response.headers.get("content-type", ""), response.content)
            raise not_a_relay(relay, what) from None
        if acknowledged != last.seq + 1:
            raise CheckFailed(
                f"the relay at {relay.url} has {acknowledged} frames of {self._stream} where {last.seq + 1} were sent",
                next_step="publish a stream from one place, and at least once in the relay's idle limit",
                code="wrong_acknowledgement",
            )
        if self._stream in answer.stop:
            self.stop_requested.set()

    def _batch(self) -> list[Frame]:
        """What the next request carries: at least one frame, else what fits the bounds."""
        size, count = 0, 0
        for frame in islice(self._queue, self._settings.batch_frames):
            size += len(frame.encoded) + 1
            if count and size > self._settings.batch_bytes:
                break
            count += 1
        return list(islice(self._queue, count))


def _authorization(secret: str) -> bytes:
    secret = secret.strip()
    if not secret:
        raise UsageError(
            "there is no secret to publish with",
            next_step="set RELAY_SECRET to the value that the relay has",
            code="missing_secret",
        )
    # The HTTP library would put a header that cannot be sent into its error, secret and all.
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in secret):
        raise UsageError(
            "the secret holds a line break or another control character",
            next_step="set RELAY_SECRET to the value that the relay has, one line",
            code="bad_secret",
        )
    return b"Bearer " + secret.encode(errors="replace")


def _retry_after_s(response: httpx.Response) -> float:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdecimal() and len(text) < 7 else 0.0


def _empty_tls_context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
