"""The rooms of this process, who reads them, and the fan-out.

One thread, one event loop: between a room's decision and the bytes handed to the sockets nothing else runs, so what a
subscriber gets is in the room's order. A frame is encoded once and the same bytes go to every subscriber.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, NoReturn

from relay_server import protocol
from relay_server.bundled.store import StoreError
from relay_server.bundled.websocket import encode_text
from relay_server.protocol import Refusal
from relay_server.room import Room

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Mapping, Sequence

    from relay_server.bundled.store import Store
    from relay_server.bundled.subscriber import Subscriber
    from relay_server.limits import Limits
    from relay_server.protocol import Frame
    from relay_server.room import Changes

log = logging.getLogger("chatops.relay")

SERVER = "bundled"

# Frames that follow one another closer than this are gathered and written together: at a lower rate every frame goes
# out at once, at a higher one a subscriber costs one write for all that came meanwhile.
GATHER_S = 0.002

# What all rooms together may hold; past it no room takes more until something is forgotten.
MAX_HELD_BYTES = 1 << 30


# After the store refused a write, housekeeping lets it alone for so long.
STORE_RETRY_MS = 5000


def now_ms() -> int:
    """Wall clock: the rooms' times have to mean the same after a restart."""
    return time.time_ns() // 1_000_000


class HostedRoom:
    """A room and its subscribers."""

    __slots__ = ("_filtered", "_hub", "_last_sent", "_pending", "_subscribers", "_timer", "id", "is_stale", "room")

    def __init__(self, hub: Hub, room_id: str, room: Room) -> None:
        self._hub = hub
        self.id = room_id
        self.room = room
        self.is_stale = False  # the store refused a write, and what it has could not be read either
        self._subscribers: set[Subscriber] = set()
        self._filtered: set[Subscriber] = set()  # those with a cursor ahead of a stream
        self._pending: list[Frame] = []
        self._timer: asyncio.TimerHandle | None = None
        self._last_sent = 0.0

    @property
    def subscriber_count(self) -> int:
        return len(self._subscribers) + len(self._filtered)

    def subscribe(self, subscriber: Subscriber, cursors: Mapping[str, int]) -> None:
        """Greet, replay, and from then on send what is new."""
        self.flush()  # what is pending is in the replay already, and comes before it for the others
        welcome = self.room.subscribe(cursors)
        hub = self._hub
        messages = [
            protocol.encode_hello(server=SERVER, build=hub.build, room=self.id, streams=welcome.streams),
            *map(protocol.encode_lost, welcome.lost),
            *welcome.replay,
        ]
        hub.deliveries += len(welcome.replay)
        subscriber.ahead = welcome.ahead
        (self._filtered if welcome.ahead else self._subscribers).add(subscriber)
        subscriber.send_replay(b"".join(map(encode_text, messages)))

    def unsubscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.discard(subscriber)
        self._filtered.discard(subscriber)
        self._hub.drop_if_unused(self)

    def broadcast(self, frames: Sequence[Frame]) -> None:
        """Send appended frames: at once when the room was quiet, else together with what comes within GATHER_S."""
        self._pending.extend(frames)
        if self._timer is None:
            wait = self._last_sent + GATHER_S - time.monotonic()
            if wait <= 0:
                self.flush()
            else:
                self._timer = self._hub.loop.call_later(wait, self.flush)

    def flush(self) -> None:
        """Send what is pending now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        frames, self._pending = self._pending, []
        if not frames:
            return
        data = (
            encode_text(frames[0].encoded)
            if len(frames) == 1
            else b"".join([encode_text(frame.encoded) for frame in frames])
        )
        hub = self._hub
        hub.deliveries += len(frames) * len(self._subscribers)
        slow = [subscriber for subscriber in self._subscribers if not subscriber.send(data)]
        if self._filtered:
            self._send_filtered(frames, data, slow)
        for subscriber in slow:
            hub.slow_subscribers += 1
            subscriber.abort()
        self._last_sent = time.monotonic()

    def _send_filtered(self, frames: Sequence[Frame], data: bytes, slow: list[Subscriber]) -> None:
        for subscriber in list(self._filtered):
            ahead = subscriber.ahead
            wanted = [frame for frame in frames if frame.seq >= ahead.get(frame.stream, 0)]
            for frame in wanted:
                ahead.pop(frame.stream, None)
            if not ahead:
                self._filtered.discard(subscriber)
                self._subscribers.add(subscriber)
            self._hub.deliveries += len(wanted)
            own = data if len(wanted) == len(frames) else b"".join([encode_text(frame.encoded) for frame in wanted])
            if wanted and not subscriber.send(own):
                slow.append(subscriber)


class Hub:
    """All rooms of this relay; the one place where their state, the store and the subscribers meet."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, store: Store, limits: Limits, *, secret: bytes | None, build: str
    ) -> None:
        self.loop = loop
        self.limits = limits
        self.secret = secret
        self.build = build
        self.draining = False
        self.subscribers: set[Subscriber] = set()  # every open WebSocket
        self._tick_again_at = 0
        self._store = store
        self._rooms: dict[str, HostedRoom] = {}
        self._held_bytes = 0
        # Counters for metrics; plain integers, because the fan-out counts millions of times a second.
        self.posts: dict[int, int] = {}
        self.frames = 0
        self.deliveries = 0
        self.slow_subscribers = 0
        now = now_ms()
        for room_id, streams in store.load().items():
            self._host(room_id, Room(limits, streams, now))

    @property
    def durable(self) -> bool:
        return self._store.durable

    @property
    def held_bytes(self) -> int:
        return self._held_bytes

    @property
    def rooms(self) -> Iterable[HostedRoom]:
        return self._rooms.values()

    def _host(self, room_id: str, room: Room) -> HostedRoom:
        hosted = self._rooms[room_id] = HostedRoom(self, room_id, room)
        self._held_bytes += room.bytes
        return hosted

    def room(self, room_id: str) -> HostedRoom:
        """Raises Refusal for a room that the store cannot give back now."""
        hosted = self._rooms.get(room_id) or self._host(room_id, Room(self.limits))
        if hosted.is_stale:
            self._reload(hosted)
        return hosted

    def find_room(self, room_id: str) -> HostedRoom | None:
        return self._rooms.get(room_id)

    def drop_if_unused(self, hosted: HostedRoom) -> None:
        # By identity: a subscriber that leaves late must not take the room that came after its own.
        if hosted.room.is_empty and not hosted.subscriber_count and self._rooms.get(hosted.id) is hosted:
            del self._rooms[hosted.id]

    def publish(self, room_id: str, frames: Sequence[Frame]) -> bytes:
        """Append, store, broadcast; the answer's body. Raises Refusal."""
        if self.draining:
            raise Refusal("unavailable", "the relay is stopping", retry_after_ms=1000)
        if self._held_bytes > MAX_HELD_BYTES:
            raise Refusal("unavailable", "the relay is full", retry_after_ms=self.limits.idle_ms)
        hosted = self.room(room_id)
        now = now_ms()
        held = hosted.room.bytes
        try:
            published = hosted.room.publish(frames, now)
        except Refusal:
            self.drop_if_unused(hosted)
            raise
        self._held_bytes += hosted.room.bytes - held
        if published.appended or published.dropped:
            self._keep(hosted, published, now)
            self.frames += len(published.appended)
            hosted.broadcast(published.appended)
        return protocol.encode_published(published.next, published.stop)

    def stop(self, hosted: HostedRoom, stream: str) -> None:
        """A subscriber asks a stream to stop. Raises Refusal."""
        if hosted.room.stop(stream):
            try:
                self._store.stop(hosted.id, stream)
            except StoreError as error:
                self._undo(hosted, error)

    def tick(self) -> None:
        """End quiet streams, forget old ones, let go of rooms that nobody uses."""
        now = now_ms()
        if now < self._tick_again_at:
            return
        for hosted in list(self._rooms.values()):
            deadline = hosted.room.deadline()
            if deadline is None:
                self.drop_if_unused(hosted)
            elif deadline <= now and not hosted.is_stale:
                held = hosted.room.bytes
                changes = hosted.room.tick(now)
                self._held_bytes += hosted.room.bytes - held
                try:
                    self._keep(hosted, changes, now, by_relay=True)
                except Refusal:  # the room is as it was
                    self._tick_again_at = now + STORE_RETRY_MS
                    return
                hosted.broadcast(changes.appended)

    def flush(self) -> None:
        for hosted in self._rooms.values():
            hosted.flush()

    def checkpoint(self) -> None:
        self._store.checkpoint()

    def _keep(self, hosted: HostedRoom, changes: Changes, now: int, *, by_relay: bool = False) -> None:
        try:
            self._store.apply(hosted.id, changes, now, by_relay=by_relay)
        except StoreError as error:
            self._undo(hosted, error)

    def _undo(self, hosted: HostedRoom, error: StoreError) -> NoReturn:
        """The store did not take it: the room is again what the store has, and nobody was told otherwise."""
        log.error("the store does not take writes: %s", error)
        self._reload(hosted)
        raise _unavailable()

    def _reload(self, hosted: HostedRoom) -> None:
        """Make the room what the store has; idle limits count anew. Raises Refusal."""
        hosted.is_stale = True
        try:
            streams = self._store.load_room(hosted.id)
        except StoreError as error:
            log.error("the store cannot be read: %s", error)
            raise _unavailable() from None
        held = hosted.room.bytes
        hosted.room = Room(self.limits, streams, now_ms())
        hosted.is_stale = False
        self._held_bytes += hosted.room.bytes - held


def _unavailable() -> Refusal:
    return Refusal("unavailable", "the relay cannot keep frames now", retry_after_ms=STORE_RETRY_MS)
