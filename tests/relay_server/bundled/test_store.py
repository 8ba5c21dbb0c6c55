"""The SQLite store: what was applied is there after a reopening, in order, and nothing else."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay_server.bundled.store import SqliteStore, StoreError
from relay_server.errors import UsageError
from relay_server.limits import Limits
from relay_server.protocol import Refusal, make_frame
from relay_server.room import Changes, Room

if TYPE_CHECKING:
    from pathlib import Path

    from relay_server.room import StoredStream

ROOM = "lobby"


def as_plain(streams: list[StoredStream]) -> list[tuple[object, ...]]:
    return [(s.stream, s.first, list(s.frames), s.finished_at, s.ended_by_relay, s.stop) for s in streams]


def reopened(store: SqliteStore, path: Path) -> SqliteStore:
    store.close()
    store = SqliteStore(path)
    store.load()
    return store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "relay.sqlite"


def test_a_new_file_holds_nothing(path: Path) -> None:
    store = SqliteStore(path)
    assert store.load() == {}
    store.close()


def test_streams_come_back_in_opening_order(path: Path) -> None:
    store = SqliteStore(path)
    store.load()
    store.apply(ROOM, Changes([make_frame("z", 0, "start"), make_frame("a", 0, "start")]), 1)
    store.apply("other", Changes([make_frame("a", 0, "start")]), 2)
    store.apply(ROOM, Changes([make_frame("z", 1, "data", b'"x"'), make_frame("a", 1, "end")]), 3)
    store.stop(ROOM, "z")
    store.close()
    store = SqliteStore(path)
    rooms = store.load()
    assert as_plain(rooms[ROOM]) == [
        ("z", 0, [make_frame("z", 0, "start").encoded, make_frame("z", 1, "data", b'"x"').encoded], None, False, True),
        ("a", 0, [make_frame("a", 0, "start").encoded, make_frame("a", 1, "end").encoded], 3, False, False),
    ]
    assert [s.stream for s in rooms["other"]] == ["a"]
    store.close()


operations = st.lists(
    st.one_of(
        st.tuples(
            st.just("publish"),
            st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 6), st.sampled_from(["start", "data", "end"]))),
        ),
        st.tuples(st.just("stop"), st.sampled_from("abcd")),
        st.tuples(st.just("tick"), st.integers(0, 900)),
        st.tuples(st.just("reopen"), st.none()),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(operations=operations)
def test_the_store_always_holds_what_the_room_holds(
    operations: list[tuple[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any order of publishing, stopping, forgetting and restarts, in a room that is often over its bounds."""
    path = tmp_path_factory.mktemp("store") / "relay.sqlite"
    limits = Limits(max_room_frames=8, max_room_streams=3, idle_ms=700, grace_ms=1500)
    store = SqliteStore(path)
    store.load()
    room, now = Room(limits), 0
    try:
        for name, argument in operations:
            if name == "publish":
                try:
                    changes = room.publish([make_frame(s, seq, kind) for s, seq, kind in argument], now)
                except Refusal:
                    continue
                store.apply(ROOM, changes, now)
            elif name == "stop":
                try:
                    newly = room.stop(argument)
                except Refusal:
                    continue
                if newly:
                    store.stop(ROOM, argument)
            elif name == "tick":
                now += argument
                store.apply(ROOM, room.tick(now), now, by_relay=True)
            else:
                store = reopened(store, path)
            held = [room.stored(state.stream) for state in room.states()]
            assert as_plain(store.load().get(ROOM, [])) == as_plain(held)
    finally:
        store.close()


def test_a_failed_write_keeps_nothing_of_it(path: Path) -> None:
    """A full disk in the middle of a batch: the store says so, and after `load` goes on as before."""
    store = SqliteStore(path)
    store.load()
    store.apply(ROOM, Changes([make_frame("s", 0, "start")]), 1)
    before = as_plain(store.load()[ROOM])
    store._db.execute("PRAGMA max_page_count = 1")  # the real "database or disk is full"
    big = json.dumps("x" * 60_000).encode()
    with pytest.raises(StoreError, match="full"):
        store.apply(ROOM, Changes([make_frame("s", seq, "data", big) for seq in range(1, 20)]), 2)
    assert as_plain(store.load()[ROOM]) == before
    store._db.execute("PRAGMA max_page_count = 100000")
    store.apply(ROOM, Changes([make_frame("s", 1, "data", big)]), 3)
    assert len(list(store.load()[ROOM][0].frames)) == 2
    store.close()


def test_a_file_serves_one_relay_at_a_time(path: Path) -> None:
    store = SqliteStore(path)
    with pytest.raises(UsageError, match="in use by another relay"):
        SqliteStore(path)
    store.close()
    SqliteStore(path).close()


def test_a_file_of_something_else_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE people (name TEXT)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(UsageError, match="not a file of this version"):
        SqliteStore(path)
    assert path.read_bytes() == before
    path.write_bytes(b"hello, this is no database at all" * 40)
    with pytest.raises(UsageError, match="not a database"):
        SqliteStore(path)


def test_the_file_is_for_its_owner_alone(path: Path) -> None:
    """What people said to a model stands in it."""
    store = SqliteStore(path)
    store.load()
    store.apply(ROOM, Changes([make_frame("s", 0, "start")]), 1)
    for file in path.parent.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file
    store.close()


def test_a_checkpoint_moves_the_log_into_the_database(path: Path) -> None:
    store = SqliteStore(path)
    store.load()
    data = json.dumps("x" * 50_000).encode()
    for seq in range(120):
        store.apply(ROOM, Changes([make_frame("s", seq, "data", data)]), 1)
    size = path.stat().st_size
    store.checkpoint()
    assert path.stat().st_size > size + 4_000_000
    assert len(list(store.load()[ROOM][0].frames)) == 120
    store.close()
