"""Keeping rooms over a restart: SQLite, or nothing.

A frame is durable once `append` has returned: the write-ahead log has it, so it survives the end of the process
however that comes (`kill -9` included). With synchronous=NORMAL a power cut may take the last moments; what is there is
always whole (https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from relay_server.errors import UsageError
from relay_server.room import StoredStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relay_server.room import Changes

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE stream (
    key INTEGER PRIMARY KEY,               -- in opening order
    room TEXT NOT NULL,
    stream TEXT NOT NULL,
    finished_at INTEGER,                   -- milliseconds since 1970
    ended_by_relay INTEGER NOT NULL DEFAULT 0,
    stop INTEGER NOT NULL DEFAULT 0,
    UNIQUE (room, stream)
) STRICT;
-- A log in the order of arrival: appending touches one page, whatever the number of streams.
CREATE TABLE frame (
    id INTEGER PRIMARY KEY,
    stream_key INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    encoded BLOB NOT NULL
) STRICT;
"""
_SELECT_STREAMS = "SELECT key, room, stream, finished_at, ended_by_relay, stop FROM stream"
_CHECKPOINT_BYTES = 4 << 20


class StoreError(Exception):
    """The store did not take a write (a full disk, say); nothing of it was kept."""


class Store(Protocol):
    """What the hub asks of a store. Its methods raise StoreError; one that writes has then written nothing."""

    durable: bool

    def load(self) -> dict[str, list[StoredStream]]:
        """Every room's streams, in opening order. Called once, first."""

    def load_room(self, room: str) -> list[StoredStream]:
        """One room's streams as they are stored now."""

    def apply(self, room: str, changes: Changes, now: int, *, by_relay: bool = False) -> None:
        """Append and drop what `changes` says, whole or not at all. `by_relay`: its terminal frames are the relay's."""

    def stop(self, room: str, stream: str) -> None:
        """Remember that a subscriber asked a stream to stop."""

    def checkpoint(self) -> None:
        """Housekeeping that may take its time; safe to call on another thread."""

    def close(self) -> None: ...


class MemoryStore:
    """Keeps nothing: the rooms live as long as the process."""

    durable = False

    def load(self) -> dict[str, list[StoredStream]]:
        return {}

    def load_room(self, room: str) -> list[StoredStream]:
        return []

    def apply(self, room: str, changes: Changes, now: int, *, by_relay: bool = False) -> None: ...
    def stop(self, room: str, stream: str) -> None: ...
    def checkpoint(self) -> None: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class _Kept:
    """Where a stream's frames are: its key, the number of the first of them, and the ids of their rows."""

    key: int
    first: int
    ids: deque[int]


class SqliteStore:
    """One SQLite file, written by one relay at a time."""

    durable = True

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises UsageError: not a relay's file, in use, not writable."""
        self._path = path
        self._streams: dict[tuple[str, str], _Kept] = {}
        self._next_key = self._next_id = 1
        with contextlib.ExitStack() as undo:
            try:
                if path.is_dir():
                    raise IsADirectoryError("it is a folder")
                path.parent.mkdir(parents=True, exist_ok=True)
                self._lock = _lock(path)
                undo.callback(os.close, self._lock)
                path.touch(mode=0o600)
                self._db = sqlite3.connect(path, isolation_level=None)
                undo.callback(self._db.close)
                self._open_schema()
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=NORMAL")
                # Checkpoints sync to disk; they are made on another thread so that no subscriber waits for one.
                self._db.execute("PRAGMA wal_autocheckpoint=0")
            except (OSError, sqlite3.Error) as error:
                raise UsageError(
                    f"{path} cannot keep the relay's rooms: {error}",
                    next_step="name a file that can be written with --db, or keep nothing with --db memory",
                    code="db_unusable",
                ) from error
            undo.pop_all()

    def _open_schema(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0 and not self._db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():
            self._db.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version={_SCHEMA_VERSION};COMMIT;")
        elif version != _SCHEMA_VERSION:
            raise sqlite3.DatabaseError("it is not a file of this version of the relay")

    def load(self) -> dict[str, list[StoredStream]]:
        rooms: dict[str, list[StoredStream]] = {}
        with _store_errors():
            ids: dict[int, deque[int]] = {}
            firsts: dict[int, int] = {}
            frames: dict[int, list[bytes]] = {}
            for row_id, key, seq, encoded in self._db.execute(
                "SELECT id, stream_key, seq, encoded FROM frame ORDER BY id"
            ):
                firsts.setdefault(key, seq)
                ids.setdefault(key, deque()).append(row_id)
                frames.setdefault(key, []).append(encoded)
                self._next_id = row_id + 1
            for key, room, stream, *state in self._db.execute(f"{_SELECT_STREAMS} ORDER BY key"):
                self._next_key = key + 1
                if key in frames:
                    self._streams[room, stream] = _Kept(key, firsts[key], ids[key])
                    rooms.setdefault(room, []).append(_stored(stream, firsts[key], frames[key], *state))
        return rooms

    def load_room(self, room: str) -> list[StoredStream]:
        with _store_errors():
            streams: list[StoredStream] = []
            rows = self._db.execute(f"{_SELECT_STREAMS} WHERE room = ? ORDER BY key", (room,)).fetchall()
            for _, _, stream, *state in rows:
                kept = self._streams[room, stream]
                frames = [
                    self._db.execute("SELECT encoded FROM frame WHERE id = ?", (row_id,)).fetchone()[0]
                    for row_id in kept.ids
                ]
                streams.append(_stored(stream, kept.first, frames, *state))
        return streams

    def apply(self, room: str, changes: Changes, now: int, *, by_relay: bool = False) -> None:
        # What is known of the streams changes only once the transaction is through.
        opened: dict[str, _Kept] = {}
        added: list[tuple[_Kept, int]] = []
        row_id, key = self._next_id, self._next_key
        with self._transaction():
            for frame in changes.appended:
                kept = self._streams.get((room, frame.stream)) or opened.get(frame.stream)
                if kept is None:
                    kept = opened[frame.stream] = _Kept(key, frame.seq, deque())
                    self._db.execute(
                        "INSERT INTO stream (key, room, stream) VALUES (?, ?, ?)", (key, room, frame.stream)
                    )
                    key += 1
                row = (row_id, kept.key, frame.seq, frame.encoded)
                self._db.execute("INSERT INTO frame (id, stream_key, seq, encoded) VALUES (?, ?, ?, ?)", row)
                added.append((kept, row_id))
                row_id += 1
                if frame.is_terminal:
                    self._db.execute(
                        "UPDATE stream SET finished_at = ?, ended_by_relay = ? WHERE key = ?", (now, by_relay, kept.key)
                    )
            for stream, first in changes.dropped.items():
                kept = self._streams.get((room, stream)) or opened[stream]
                if first is None:
                    self._db.execute("DELETE FROM stream WHERE key = ?", (kept.key,))
                ids = [*kept.ids, *(row_id for of, row_id in added if of is kept)]
                gone = ids if first is None else ids[: first - kept.first]
                self._db.executemany("DELETE FROM frame WHERE id = ?", [(row_id,) for row_id in gone])
        self._next_id, self._next_key = row_id, key
        for stream, kept in opened.items():
            self._streams[room, stream] = kept
        for kept, added_id in added:
            kept.ids.append(added_id)
        for stream, first in changes.dropped.items():
            kept = self._streams[room, stream]
            if first is None:
                del self._streams[room, stream]
                continue
            while kept.first < first:
                kept.ids.popleft()
                kept.first += 1

    def stop(self, room: str, stream: str) -> None:
        with self._transaction():
            self._db.execute("UPDATE stream SET stop = 1 WHERE key = ?", (self._streams[room, stream].key,))

    def checkpoint(self) -> None:
        """Move the write-ahead log into the database when it has grown."""
        # A failure only lets the log grow until the next round.
        with contextlib.suppress(OSError, sqlite3.Error):
            if Path(f"{self._path}-wal").stat().st_size >= _CHECKPOINT_BYTES:
                with contextlib.closing(sqlite3.connect(self._path, isolation_level=None)) as db:
                    db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()
        os.close(self._lock)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with _store_errors():
            try:
                self._db.execute("BEGIN")
                yield
                self._db.execute("COMMIT")
            except sqlite3.Error:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise


@contextlib.contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, LookupError, TypeError) as error:  # the latter two: a file that does not hold together
        raise StoreError(str(error)) from error


def _stored(
    stream: str, first: int, frames: list[bytes], finished_at: int | None, ended_by_relay: int, stop: int
) -> StoredStream:
    return StoredStream(stream, first, frames, finished_at, bool(ended_by_relay), bool(stop))


def _lock(path: Path) -> int:
    """Hold the file for this process alone, until it ends."""
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise UsageError(
            f"{path} is in use by another relay",
            next_step="stop that relay, or give this one a file of its own with --db",
            code="db_in_use",
        ) from error
    return descriptor
