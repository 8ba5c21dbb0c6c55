"""The room: numbering, replay, bounds and the life of streams, as a pure state machine.

Frames and the time go in, what to store and send comes out. No socket, no file, no clock of its own: a server calls
one method for each thing that happens, does what the answer says, and calls `tick` now and then. The TypeScript twin is
`typescript/party/room.ts`; `vectors/room.json` drives both. Times are milliseconds of any clock that the server
keeps over restarts.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from relay_server.protocol import Frame, Lost, Refusal, StreamState, make_frame

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from relay_server.limits import Limits

PUBLISHER_GONE = b'{"code":"publisher_gone","message":"the publisher went quiet"}'

# A burst of this much time's worth of frames is taken before `max_frames_per_second` bites.
_RATE_RESERVE_MS = 1000


@dataclass(slots=True)
class StoredStream:
    """A stream as a server keeps it over a restart. `frames` are encoded, the first has number `first`."""

    stream: str
    first: int
    frames: Iterable[bytes]
    finished_at: int | None = None
    ended_by_relay: bool = False
    stop: bool = False


@dataclass(slots=True)
class Changes:
    """What a call changed and a server has to store and send.

    `appended` goes to storage, then to every subscriber. `dropped` maps a stream to the oldest frame that it still
    holds, or to None if the room forgot it.
    """

    appended: list[Frame] = field(default_factory=list)
    dropped: dict[str, int | None] = field(default_factory=dict)


@dataclass(slots=True)
class Published(Changes):
    """The answer to a publish: `next` and `stop` as PROTOCOL.md has them, and what changed."""

    next: dict[str, int] = field(default_factory=dict)
    stop: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a new subscriber gets before anything live: hello's streams, what is lost, and the replay.

    `ahead` holds the cursors that lie beyond what the room has: frames below them are not for this subscriber.
    """

    streams: list[StreamState]
    lost: list[Lost]
    replay: list[bytes]
    ahead: dict[str, int]


@dataclass(slots=True)
class _Stream:
    id: str
    last_seen: int
    first: int = 0
    frames: deque[bytes] = field(default_factory=deque)
    finished_at: int | None = None
    ended_by_relay: bool = False
    stop: bool = False

    @property
    def next(self) -> int:
        return self.first + len(self.frames)

    @property
    def finished(self) -> bool:
        return self.finished_at is not None

    def state(self) -> StreamState:
        return StreamState(self.id, self.first, self.next, self.finished, self.stop)


class Room:
    """One room. A method returns what happened, or raises Refusal and has changed nothing."""

    def __init__(self, limits: Limits, stored: Iterable[StoredStream] = (), now: int = 0) -> None:
        """`stored` are the streams kept from before a restart, in opening order; their idle limit counts from `now`."""
        self._limits = limits
        self._streams: dict[str, _Stream] = {}  # in opening order
        self._rate_clock = 0.0
        self.frames = 0
        self.bytes = 0
        for kept in stored:
            stream = _Stream(
                kept.stream, now, kept.first, deque(kept.frames), kept.finished_at, kept.ended_by_relay, kept.stop
            )
            self._streams[stream.id] = stream
            self.frames += len(stream.frames)
            self.bytes += sum(map(len, stream.frames))

    @property
    def is_empty(self) -> bool:
        return not self._streams

    def states(self) -> list[StreamState]:
        """The streams that the room holds, in opening order."""
        return [stream.state() for stream in self._streams.values()]

    def publish(self, frames: Sequence[Frame], now: int) -> Published:
        """Append what is new. Raises Refusal: gap, finished, too_many_streams, too_fast."""
        expected, appended, opened = self._sort_out(frames)
        victims = self._victims_for(opened)
        self._spend_rate(len(appended), now)
        changes = Published(appended, next=expected)
        for stream in victims:
            self._forget(stream, changes.dropped)
        for frame in appended:
            self._append(frame, now)
        for stream_id in expected:
            held = self._streams.get(stream_id)
            if held is not None:
                held.last_seen = now
                if held.stop and not held.finished:
                    changes.stop.append(stream_id)
        self._evict(changes.dropped, busy=expected)
        return changes

    def subscribe(self, cursors: Mapping[str, int]) -> Welcome:
        """What a subscriber that has every frame below its cursors gets first."""
        lost: list[Lost] = []
        replay: list[bytes] = []
        ahead: dict[str, int] = {}
        for stream in self._streams.values():
            cursor = cursors.get(stream.id, 0)
            if cursor < stream.first:
                lost.append(Lost(stream.id, cursor, stream.first))
            elif cursor > stream.next:
                ahead[stream.id] = cursor
            skip = max(0, cursor - stream.first)
            replay.extend(islice(stream.frames, skip, None))
        for stream_id, cursor in cursors.items():
            if cursor > 0 and stream_id not in self._streams:
                lost.append(Lost(stream_id, cursor, None))
                ahead[stream_id] = cursor
        return Welcome(self.states(), lost, replay, ahead)

    def stop(self, stream_id: str) -> bool:
        """A subscriber asks a stream to stop; True if nobody had. Raises Refusal: unknown_stream, finished."""
        stream = self._streams.get(stream_id)
        if stream is None:
            raise Refusal("unknown_stream", "the room holds no such stream")
        if stream.finished:
            raise Refusal("finished", "the stream is finished", stream=stream_id)
        newly, stream.stop = not stream.stop, True
        return newly

    def tick(self, now: int) -> Changes:
        """End the streams whose publisher went quiet and forget those whose grace time is over."""
        changes = Changes()
        for stream in list(self._streams.values()):
            if stream.finished_at is None:
                if now - stream.last_seen >= self._limits.idle_ms:
                    frame = make_frame(stream.id, stream.next, "error", PUBLISHER_GONE)
                    self._append(frame, now)
                    stream.ended_by_relay = True
                    changes.appended.append(frame)
            elif now - stream.finished_at >= self._limits.grace_ms:
                self._forget(stream, changes.dropped)
        self._evict(changes.dropped, busy={frame.stream for frame in changes.appended})
        return changes

    def deadline(self) -> int | None:
        """When `tick` next has something to do; None if the room is empty."""
        return min(
            (
                stream.last_seen + self._limits.idle_ms
                if stream.finished_at is None
                else stream.finished_at + self._limits.grace_ms
                for stream in self._streams.values()
            ),
            default=None,
        )

    def stored(self, stream_id: str) -> StoredStream:
        """A stream as a server would keep it. The room must hold it."""
        stream = self._streams[stream_id]
        return StoredStream(
            stream.id, stream.first, stream.frames, stream.finished_at, stream.ended_by_relay, stream.stop
        )

    def _sort_out(self, frames: Sequence[Frame]) -> tuple[dict[str, int], list[Frame], int]:
        """The next seq of each stream named, the frames that are new, and how many streams they open."""
        expected: dict[str, int] = {}
        fresh: list[Frame] = []
        closed: set[str] = set()
        opened = 0
        for frame in frames:
            stream = self._streams.get(frame.stream)
            head = expected.get(frame.stream)
            if head is None:
                head = 0
                if stream is not None:
                    head = stream.next
                    if stream.finished:
                        closed.add(frame.stream)
            if frame.seq < head:
                if stream is not None and stream.ended_by_relay and frame.seq >= stream.next - 1:
                    raise _finished(frame)
            elif frame.stream in closed:
                raise _finished(frame)
            elif frame.seq > head:
                raise Refusal(
                    "gap",
                    f"frame {frame.seq} of {frame.stream} came, {head} is expected",
                    stream=frame.stream,
                    expected=head,
                )
            else:
                fresh.append(frame)
                opened += head == 0 and stream is None
                head += 1
                if frame.is_terminal:
                    closed.add(frame.stream)
            expected[frame.stream] = head
        return expected, fresh, opened

    def _victims_for(self, opened: int) -> list[_Stream]:
        """The finished streams to forget so that `opened` more fit."""
        surplus = len(self._streams) + opened - self._limits.max_room_streams
        if surplus <= 0:
            return []
        finished = [stream for stream in self._streams.values() if stream.finished]
        if len(finished) < surplus:
            raise Refusal(
                "too_many_streams",
                f"the room holds {len(self._streams)} streams and takes {self._limits.max_room_streams}",
                retry_after_ms=self._limits.idle_ms,
                limit=self._limits.max_room_streams,
            )
        return finished[:surplus]

    def _spend_rate(self, frames: int, now: int) -> None:
        rate = self._limits.max_frames_per_second
        if rate == 0 or frames == 0:
            return
        clock = max(self._rate_clock, float(now))
        if clock - now > _RATE_RESERVE_MS:
            raise Refusal(
                "too_fast",
                f"the room takes {rate} frames a second",
                retry_after_ms=math.ceil(clock - now - _RATE_RESERVE_MS),
                limit=rate,
            )
        self._rate_clock = clock + frames * 1000 / rate

    def _append(self, frame: Frame, now: int) -> None:
        stream = self._streams.get(frame.stream)
        if stream is None:
            stream = self._streams[frame.stream] = _Stream(frame.stream, now)
        stream.frames.append(frame.encoded)
        self.frames += 1
        self.bytes += len(frame.encoded)
        if frame.is_terminal:
            stream.finished_at = now

    def _forget(self, stream: _Stream, dropped: dict[str, int | None]) -> None:
        del self._streams[stream.id]
        self.frames -= len(stream.frames)
        self.bytes -= sum(map(len, stream.frames))
        dropped[stream.id] = None

    def _evict(self, dropped: dict[str, int | None], busy: Collection[str]) -> None:
        """Bring the room within its bounds, in the order of PROTOCOL.md, "What a room holds"."""
        if not self._is_over():
            return
        for stream in list(self._streams.values()):
            if stream.finished and stream.id not in busy:
                self._forget(stream, dropped)
                if not self._is_over():
                    return
        for stream in self._streams.values():
            while len(stream.frames) > 1 and self._is_over():
                self.frames -= 1
                self.bytes -= len(stream.frames.popleft())
                stream.first += 1
                dropped[stream.id] = stream.first

    def _is_over(self) -> bool:
        return self.frames > self._limits.max_room_frames or self.bytes > self._limits.max_room_bytes


def _finished(frame: Frame) -> Refusal:
    return Refusal("finished", f"{frame.stream} is finished, frame {frame.seq} is not taken", stream=frame.stream)
