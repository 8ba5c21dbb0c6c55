"""The subscriber: reads a room over a WebSocket as typed events and comes back where it was after a lost connection.

What the relay does wrong is not hidden: a frame that came before, or one that leaves a gap, is handed on and can be
told by `FrameReceived.expected`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

from relay_server.client.address import room_address
from relay_server.client.backoff import retry_delays
from relay_server.client.failures import connection_failure, http_failure, not_a_relay, one_line, tls_context
from relay_server.errors import ChatopsError, Unreachable
from relay_server.protocol import PROTOCOL_VERSION, TERMINAL_KINDS, Lost, StreamState, encode_json

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from types import TracebackType

# What tells that a new connection would end in the same way. 1000 and 1005 are not here: platforms close with them too.
_FINAL_CLOSE_CODES = frozenset({1002, 1003, 1007, 1008, 1009, 1010})
_RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})

_FRAME_KINDS = frozenset({"start", "data", "end", "error"})
_DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

# Servers take 8 KiB of request line; names and numbers share it with the path.
_MAX_CURSOR_CHARACTERS = 6000

_PING = '{"kind":"ping"}'


@dataclass(frozen=True, slots=True)
class SubscriberSettings:
    """Times in seconds.

    `reconnect_for_s` bounds how long a lost connection is tried again before `events` gives up; None is for ever. The
    first connection is tried once. After `quiet_s` without a message a ping is sent, after twice that the
    connection counts as lost.
    """

    open_timeout_s: float = 10.0
    hello_timeout_s: float = 5.0
    reconnect_for_s: float | None = 30.0
    first_retry_s: float = 0.1
    longest_retry_s: float = 5.0
    quiet_s: float = 15.0
    close_timeout_s: float = 2.0
    max_message_bytes: int = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Hello:
    """First on every connection. `arrived` is `perf_counter()` seconds, here and below."""

    protocol: int
    server: str
    build: str
    room: str
    streams: tuple[StreamState, ...]
    arrived: float


@dataclass(frozen=True, slots=True)
class FrameReceived:
    """A frame. `data` is msgspec.UNSET if the frame has none.

    `expected` is the number that was due: a `seq` below it came before, one above it leaves a gap.
    `replayed`: the frame was already in the room when this connection was greeted.
    """

    stream: str
    seq: int
    kind: str
    data: Any
    expected: int
    replayed: bool
    arrived: float

    @property
    def is_terminal(self) -> bool:
        return self.kind in TERMINAL_KINDS


@dataclass(frozen=True, slots=True)
class Stopping:
    """The relay has taken this subscriber's wish to stop a stream."""

    stream: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The relay refused a message of this subscriber."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is lost and will be tried again in `retry_in_s`. `reason` is one line for a person."""

    reason: str
    retry_in_s: float


Event = Hello | FrameReceived | Lost | Stopping | Refused | Disconnected


class _StreamForm(msgspec.Struct):
    stream: str
    first: int = 0
    next: int = 0
    finished: bool = False
    stop: bool = False


class _Message(msgspec.Struct, rename={"from_": "from"}):
    """Every message of the relay; `kind` tells which keys count."""

    kind: str
    stream: str = ""
    seq: int = -1
    data: Any = msgspec.UNSET
    protocol: int = 0
    server: str = ""
    build: str = ""
    room: str = ""
    streams: list[_StreamForm] = []
    from_: int = 0
    next: int | None = None
    code: str = ""
    message: str = ""


_decoder = msgspec.json.Decoder(_Message)


class Subscriber:
    """One reader of a room.

        async with Subscriber(url, "lobby") as subscriber:
            async for event in subscriber.events():
                ...

    `events` ends with Unreachable, Denied or CheckFailed, never by itself. `cursors` maps each stream that was seen
    to the number of the next frame; given to another Subscriber it reads on from there.
    """

    def __init__(
        self,
        base_url: str,
        room: str,
        *,
        cursors: Mapping[str, int] | None = None,
        settings: SubscriberSettings | None = None,
    ) -> None:
        """Raises UsageError for a URL or a room id that cannot be."""
        self._address = room_address(base_url, room)
        self._settings = settings or SubscriberSettings()
        self.cursors = dict(cursors or {})
        self._finished: set[str] = set()
        self._live_from: dict[str, int] = {}
        self._unnamed: frozenset[str] = frozenset()
        self._connection: ClientConnection | None = None
        self._heard = 0.0
        self._watcher: asyncio.TimerHandle | None = None
        self._pinging: asyncio.Task[None] | None = None
        self._cut = False
        self._closing = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def events(self) -> AsyncGenerator[Event, None]:
        """Connects, and hands on what comes until `close`. Raises Unreachable, Denied, CheckFailed.

        After the first hello a lost connection is `Disconnected` and then, unless it stays lost, another `Hello`.
        """
        settings, clock = self._settings, asyncio.get_running_loop().time
        greeted = False
        delays = retry_delays(settings.first_retry_s, settings.longest_retry_s)
        lost_since: float | None = None
        while not self._closing.is_set():
            failure: ChatopsError = self._lost("it was cut")
            try:
                connection, hello = await self._open()
                greeted = True
                yield hello
                while not self._cut:
                    text = await connection.recv(decode=False)
                    event = self._take(text, perf_counter())
                    if event is not None:
                        # Not at the hello: a relay that greets and drops at once must not be asked without pause.
                        lost_since = None
                        yield event
            except ConnectionClosed as closed:
                failure = self._closing_failure(closed)
            except _TryAgain as again:
                failure = again.failure
            if self._closing.is_set():
                return
            if not greeted:
                raise failure
            if lost_since is None:
                lost_since = clock()
                delays = retry_delays(settings.first_retry_s, settings.longest_retry_s)
            wait = next(delays)
            if settings.reconnect_for_s is not None and clock() + wait > lost_since + settings.reconnect_for_s:
                raise failure
            yield Disconnected(failure.message, wait)
            await asyncio.sleep(wait)

    async def stop(self, stream: str) -> None:
        """Ask for a stream to stop; the answer is an event, Stopping or Refused. Raises Unreachable."""
        try:
            if self._connection is None:
                raise self._lost("there is no connection")
            await self._connection.send(encode_json({"kind": "stop", "stream": stream}).decode())
        except ConnectionClosed as closed:
            raise self._closing_failure(closed) from None

    def cut(self) -> bool:
        """Break the connection by force, with no closing handshake, as a lost network does. False if there is none.

        What has arrived and was not handed on yet is lost with it, and comes again when `events` reconnects.
        """
        if self._connection is None or self._connection.transport.is_closing():
            return False
        self._connection.transport.abort()
        self._cut = True
        return True

    async def close(self) -> None:
        """Close the connection; `events` ends."""
        self._closing.set()
        connection, self._connection = self._connection, None
        if self._watcher is not None:
            self._watcher.cancel()
        if connection is not None:
            await connection.close()

    async def _open(self) -> tuple[ClientConnection, Hello]:
        relay, settings = self._address.relay, self._settings
        named = self._named_cursors()
        self._unnamed = frozenset(self.cursors.keys() - named.keys())
        try:
            connection = await connect(
                self._address.subscribe_url(named),
                compression=None,
                ssl=tls_context() if relay.secure else None,
                proxy=None if relay.is_loopback else True,
                open_timeout=settings.open_timeout_s,
                close_timeout=settings.close_timeout_s,
                ping_interval=None,
                max_size=settings.max_message_bytes,
                max_queue=64,
            )
        except InvalidStatus as error:
            response = error.response
            refusal = http_failure(relay, response.status_code, response.headers, bytes(response.body or b""))
            if response.status_code in _RETRIED_STATUSES:
                raise _TryAgain(refusal) from None
            raise refusal from None
        except (OSError, InvalidMessage) as error:
            if isinstance(error, InvalidMessage) and not isinstance(error.__cause__, EOFError):
                raise not_a_relay(relay, "what is not HTTP/1.1") from None
            failure = connection_failure(relay, error)
            if failure.code == "tls_untrusted":
                raise failure from None
            raise _TryAgain(failure) from None
        except InvalidHandshake:
            raise not_a_relay(relay, "a broken WebSocket handshake") from None
        self._connection, self._cut = connection, False
        hello = await self._greet(connection)
        self._heard = hello.arrived
        self._watch(connection)
        return connection, hello

    async def _greet(self, connection: ClientConnection) -> Hello:
        relay = self._address.relay
        try:
            async with asyncio.timeout(self._settings.hello_timeout_s):
                text = await connection.recv(decode=False)
        except TimeoutError:
            connection.transport.abort()
            raise _TryAgain(not_a_relay(relay, "a WebSocket that says nothing")) from None
        arrived = perf_counter()
        try:
            message = _decoder.decode(text)
        except _DECODE_ERRORS:
            raise not_a_relay(relay, "a WebSocket that does not speak the protocol") from None
        if message.kind != "hello":
            raise not_a_relay(relay, "a WebSocket that does not say hello")
        if message.protocol != PROTOCOL_VERSION:
            raise Unreachable(
                f"the relay at {relay.url} speaks protocol {message.protocol}, this client {PROTOCOL_VERSION}",
                next_step="bring chatops and the relay to the same version",
                code="protocol_mismatch",
            )
        streams = tuple(StreamState(s.stream, s.first, s.next, s.finished, s.stop) for s in message.streams)
        self._live_from = {state.stream: state.next for state in streams}
        for stream in self._unnamed - self._live_from.keys():
            self._forget(stream)
        return Hello(message.protocol, message.server, message.build, message.room, streams, arrived)

    def _take(self, text: bytes, arrived: float) -> Event | None:
        """The event that a message is, or None for one that nobody needs to see."""
        self._heard = arrived
        try:
            message = _decoder.decode(text)
        except _DECODE_ERRORS:
            raise not_a_relay(self._address.relay, "a message that is not the protocol's") from None
        kind, stream = message.kind, message.stream
        if kind in _FRAME_KINDS:
            seq, expected = message.seq, self.cursors.get(stream, 0)
            if seq < expected and stream in self._unnamed:
                return None
            if seq >= expected:
                self.cursors[stream] = seq + 1
            if kind in TERMINAL_KINDS:
                self._finished.add(stream)
            return FrameReceived(
                stream, seq, kind, message.data, expected, seq < self._live_from.get(stream, 0), arrived
            )
        if kind == "lost":
            return self._take_lost(Lost(stream, message.from_, message.next))
        if kind == "stopping":
            return Stopping(stream)
        if kind == "refused":
            return Refused(message.code, one_line(message.message))
        return None

    def _take_lost(self, lost: Lost) -> Lost | None:
        """None if what is gone had been seen: a stream forgotten after its end, or one not named to the relay."""
        if lost.next_seq is None:
            was_finished = lost.stream in self._finished
            self._forget(lost.stream)
            return None if was_finished else lost
        if lost.next_seq <= self.cursors.get(lost.stream, 0):
            return None
        self.cursors[lost.stream] = lost.next_seq
        return lost

    def _named_cursors(self) -> dict[str, int]:
        """The cursors that fit into a URL, unfinished and young streams first.

        The relay sends the others again, and they are dropped here.
        """
        order = list(self.cursors)
        order.reverse()
        order.sort(key=self._finished.__contains__)
        named: dict[str, int] = {}
        size = 0
        for stream in order:
            size += len(stream) + 24
            if size > _MAX_CURSOR_CHARACTERS:
                break
            named[stream] = self.cursors[stream]
        return named

    def _forget(self, stream: str) -> None:
        self.cursors.pop(stream, None)
        self._finished.discard(stream)

    def _watch(self, connection: ClientConnection) -> None:
        """Ping when nothing was heard for some time; break the connection when that does not help."""
        if connection is not self._connection:
            return
        quiet, limit = perf_counter() - self._heard, self._settings.quiet_s
        if quiet >= 2 * limit:
            connection.transport.abort()
            return
        loop = asyncio.get_running_loop()
        if quiet >= limit:
            self._pinging = loop.create_task(_ping(connection))
        self._watcher = loop.call_later(limit - quiet if quiet < limit else 2 * limit - quiet, self._watch, connection)

    def _closing_failure(self, closed: ConnectionClosed) -> ChatopsError:
        """What a close means. Raises it if another connection would end in the same way."""
        if closed.rcvd is None:
            return self._lost("it broke off")
        code, reason = closed.rcvd.code, one_line(closed.rcvd.reason)
        failure = self._lost(f"closed with {code}{': ' if reason else ''}{reason}")
        if code in _FINAL_CLOSE_CODES:
            raise failure
        return failure

    def _lost(self, why: str) -> Unreachable:
        return Unreachable(
            f"the connection to the relay at {self._address.relay.url} is lost: {why}",
            next_step="look at the relay's log, and at chatops health",
            code="connection_lost",
        )


class _TryAgain(Exception):
    """A connection that did not come about and may at another try; `failure` is what to say if not."""

    def __init__(self, failure: ChatopsError) -> None:
        super().__init__(failure.message)
        self.failure = failure


async def _ping(connection: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        await connection.send(_PING)
