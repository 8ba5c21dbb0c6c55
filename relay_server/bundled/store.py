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
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from relay_server.errors import UsageError
from relay_server.room import StoredStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relay_server.protocol import Frame
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
_CHECKPOINT_BYTES = 4 << 20


class StoreError(Exception):
    """The store did not take a write (a full disk, say); nothing of it was kept, and `load` has to be called anew."""


class Store(Protocol):
    """What the hub asks of a store. Methods that write raise StoreError and have then written nothing."""

    durable: bool

    def load(self) -> dict[str, list[StoredStream]]:
        """Every room's streams, in opening order."""

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

    def apply(self, room: str, changes: Changes, now: int, *, by_relay: bool = False) -> None: ...
    def stop(self, room: str, stream: str) -> None: ...
    def checkpoint(self) -> None: ...
    def close(self) -> None: ...


class _Kept:
    """Where a stream's frames are: its key, the ids of its rows, and the number of the first of them."""

    __slots__ = ("first", "ids", "key")

    def __init__(self, key: int, first: int = 0) -> None:
        self.key = key
        self.first = first
        self.ids: deque[int] = deque()


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
        self._streams.clear()
        rooms: dict[str, list[StoredStream]] = {}
        frames: dict[int, list[bytes]] = {}
        kept_by_key: dict[int, _Kept] = {}
        for row_id, key, seq, encoded in self._db.execute("SELECT id, stream_key, seq, encoded FROM frame ORDER BY id"):
            kept = kept_by_key.get(key)
            if kept is None:
                kept = kept_by_key[key] = _Kept(key, seq)
                frames[key] = []
            kept.ids.append(row_id)
            frames[key].append(encoded)
            self._next_id = row_id + 1
        for key, room, stream, finished_at, ended_by_relay, stop in self._db.execute(
            "SELECT key, room, stream, finished_at, ended_by_relay, stop FROM stream ORDER BY key"
        ):
            kept = self._streams[room, stream] = kept_by_key[key]
            rooms.setdefault(room, []).append(
                StoredStream(stream, kept.first, frames[key], finished_at, bool(ended_by_relay), bool(stop))
            )
            self._next_key = key + 1
        return rooms

    def apply(self, room: str, changes: Changes, now: int, *, by_relay: bool = False) -> None:
        with self._transaction():
            for frame in changes.appended:
                self._append(room, frame, now, by_relay=by_relay)
            for stream, first in changes.dropped.items():
                self._drop(room, stream, first)

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
        try:
            self._db.execute("BEGIN")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise StoreError(str(error)) from error

    def _append(self, room: str, frame: Frame, now: int, *, by_relay: bool) -> None:
        kept = self._streams.get((room, frame.stream))
        if kept is None:
            kept = self._streams[room, frame.stream] = _Kept(self._next_key)
            self._next_key += 1
            self._db.execute("INSERT INTO stream (key, room, stream) VALUES (?, ?, ?)", (kept.key, room, frame.stream))
        row = (self._next_id, kept.key, frame.seq, frame.encoded)
        self._db.execute("INSERT INTO frame (id, stream_key, seq, encoded) VALUES (?, ?, ?, ?)", row)
        kept.ids.append(self._next_id)
        self._next_id += 1
        if frame.is_terminal:
            self._db.execute(
                "UPDATE stream SET finished_at = ?, ended_by_relay = ? WHERE key = ?", (now, by_relay, kept.key)
            )

    def _drop(self, room: str, stream: str, first: int | None) -> None:
        kept = self._streams[room, stream]
        if first is None:
            del self._streams[room, stream]
            self._db.execute("DELETE FROM stream WHERE key = ?", (kept.key,))
        surplus = len(kept.ids) if first is None else first - kept.first
        self._db.executemany("DELETE FROM frame WHERE id = ?", [(kept.ids.popleft(),) for _ in range(surplus)])
        kept.first += surplus


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
