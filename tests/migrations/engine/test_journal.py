"""The journal itself: what it keeps, what it refuses to read, and whom it lets write."""

from __future__ import annotations

import base64
import functools
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from migrations.engine import Disk, Engine, FileState
from migrations.engine.disk import locked
from migrations.engine.journal import Journal, may_change
from migrations.engine.records import Change, Record, Transaction, as_one, carried_along, live, taken_back
from relay_server.errors import CheckFailed, UsageError
from tests.migrations.engine.apps import ALL, app_files, refusal, snapshot, write_app
from tests.migrations.engine.disks import BrokenDisk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

A, B, C = (FileState(f"{name}\n2\n3\n4\n5\n".encode(), 0o644) for name in "abc")


@pytest.fixture
def app(in_memory: Path) -> Path:
    return write_app(in_memory / "app").resolve()


def cut_off(root: Path, number: int = 25) -> None:
    """Leave the app as a run does that was killed with some files written and some not."""

    class Killed(BaseException):
        pass

    class Dying(BrokenDisk):
        dead = False

        def at(self, number: int, name: str) -> None:
            self.dead = self.dead or number == self._number
            if self.dead:
                raise Killed

    with pytest.raises(Killed):
        Engine(root, ALL, disk=Dying(number)).up(type_check=False)
    assert (root / ".chatops/journal.json").exists()


def run_and_fail(
    journal: Journal, transaction: Transaction, inside: Callable[[], object], failure: BaseException
) -> None:
    with journal.run(transaction, []):
        assert inside()
        raise failure


def test_where_nothing_was_done_there_is_nothing(app: Path) -> None:
    journal = Journal(app, Disk())
    assert (journal.records(), journal.interrupted(), journal.recover()) == ((), None, None)
    assert not (app / ".chatops").exists()


def test_what_was_applied_is_remembered_with_bytes_and_modes(app: Path) -> None:
    journal = Journal(app, Disk())
    odd = FileState(b"\x00\xff\r\n", 0o755)
    change = Change("src/new/a.bin", None, odd)
    record = Record(3, "Add it", (change,), ("src/new",))
    with journal.run(Transaction("up", (change,), ("src/new",)), [record]):
        assert journal.interrupted() is not None
    assert (journal.records(), journal.interrupted()) == ((record,), None)
    assert journal.state_of("src/new/a.bin") == odd
    assert sorted(path.name for path in (app / ".chatops").iterdir()) == [".gitignore", "state.json"]
    assert (app / ".chatops/state.json").stat().st_mode & 0o077 == 0


def test_a_run_that_fails_inside_is_taken_back_and_the_failure_comes_through(app: Path) -> None:
    before = snapshot(app)
    journal = Journal(app, Disk())
    changes = (
        Change("src/new/a", None, A),
        Change("src/chat.ts", journal.state_of("src/chat.ts"), B),
        Change("src/legacy.ts", journal.state_of("src/legacy.ts"), None),
    )
    for failure in (ValueError("own"), KeyboardInterrupt()):
        with pytest.raises(type(failure)):
            run_and_fail(journal, Transaction("up", changes, ("src/new",)), lambda: snapshot(app) != before, failure)
        assert snapshot(app) == before
        assert not (app / ".chatops").exists()


def test_an_edit_during_a_run_is_kept_by_its_taking_back(app: Path) -> None:
    journal = Journal(app, Disk())
    change = Change("src/other.ts", journal.state_of("src/other.ts"), B)
    edit = functools.partial((app / "src/other.ts").write_bytes, B.data + b"edit\n")
    with pytest.raises(CheckFailed, match=r"own; and not everything could be put back: src/other\.ts has been edited"):
        run_and_fail(journal, Transaction("up", (change,)), edit, ValueError("own"))
    assert (app / "src/other.ts").read_bytes() == B.data + b"edit\n"
    with pytest.raises(CheckFailed, match="edited since"):
        journal.recover()
    assert journal.interrupted() is not None


def test_a_file_that_is_not_as_it_was_planned_on_stops_the_run(app: Path) -> None:
    before = snapshot(app)
    with (
        pytest.raises(CheckFailed, match=r"src/other\.ts was changed by something else just now"),
        Journal(app, Disk()).run(Transaction("up", (Change("src/other.ts", A, B),)), []),
    ):
        pass
    assert snapshot(app) == before


def test_an_edit_in_the_middle_of_the_writing_stops_the_run_and_is_kept(app: Path) -> None:
    before = snapshot(app)

    class Editing(BrokenDisk):
        def at(self, number: int, name: str) -> None:
            if name == "rename" and (app / ".chatops/journal.json").exists():
                (app / "src/legacy.ts").write_bytes(b"edit")

    with pytest.raises(CheckFailed, match=r"src/legacy\.ts was changed by something else just now"):
        Engine(app, ALL, disk=Editing(-1)).up(type_check=False)
    assert snapshot(app) == before | {"src/legacy.ts": (0o755, b"edit")}
    assert not (app / ".chatops").exists()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 1}', '{"version": 1, "records": [{"number": "x"}]}', "{}"]
)
@pytest.mark.parametrize("name", ["state.json", "journal.json"])
def test_a_file_that_chatops_did_not_write_is_refused(app: Path, name: str, text: str) -> None:
    (app / ".chatops").mkdir()
    (app / ".chatops" / name).write_text(text)
    before = snapshot(app)
    for command in (Engine(app, ALL).up, Engine(app, ALL).down):
        with pytest.raises(UsageError, match=f"{name} is not what chatops wrote") as caught:
            command()
        assert caught.value.code == "bad_journal"
    assert snapshot(app) == before


def test_another_version_s_file_is_refused(app: Path) -> None:
    (app / ".chatops").mkdir()
    (app / ".chatops/state.json").write_text('{"version": 2, "new": []}')
    with pytest.raises(UsageError, match="another version of chatops"):
        Engine(app, ALL).down()


def hostile(path: str) -> dict[str, Any]:
    state = {"data": base64.b64encode(b"mine").decode(), "mode": 0o644}
    change = {"path": path, "before": state, "after": None}
    return {"version": 1, "records": [], "transaction": {"title": "up", "changes": [change], "made": [], "gone": []}}


@pytest.mark.parametrize(
    "path", ["../outside", "/etc/x", ".git/hooks/pre-commit", "a/../../outside", ".chatops/x", "", "."]
)
def test_a_journal_that_came_with_an_app_writes_nowhere_else(app: Path, path: str) -> None:
    (app / ".chatops").mkdir()
    (app / ".chatops/journal.json").write_text(json.dumps(hostile(path)))
    with pytest.raises(UsageError, match="names a file that is none of the app's") as caught:
        Engine(app, ALL).recover()
    assert caught.value.code == "bad_journal"
    assert sorted(path.name for path in app.parent.iterdir()) == ["app"]


def test_such_a_journal_does_its_work_inside(app: Path) -> None:
    """The counterpart of the test above: it fails for the path alone."""
    (app / ".chatops").mkdir()
    (app / ".chatops/journal.json").write_text(json.dumps(hostile("src/x")))
    Engine(app, ALL).recover()
    assert (app / "src/x").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("src/a.ts", True), ("../../package-lock.json", True), ("../package-lock.json", True), ("../../a.ts", False),
        ("../other/package-lock.json", False), (".GIT/config", False), ("../../.git/config", False),
        ("src/.git/x", False),
    ],
)  # fmt: skip
def test_what_may_be_written(tmp_path: Path, path: str, allowed: bool) -> None:
    root = tmp_path / "apps/web"
    root.mkdir(parents=True)
    assert may_change(root, path) is allowed


def test_a_second_chatops_is_locked_out(app: Path) -> None:
    before = snapshot(app)
    engine = Engine(app, ALL)
    with locked(app):
        commands: list[Callable[[], object]] = [engine.up, engine.down, engine.recover, lambda: engine.change("m", [])]
        for command in commands:
            with pytest.raises(CheckFailed, match="another chatops is at work in") as caught:
                command()
            assert caught.value.code == "app_busy"
        assert len(engine.plan().pending) == 4
    assert snapshot(app) == before
    engine.up(type_check=False)


def test_after_a_crash_the_plan_is_that_of_the_app_before_it(app: Path) -> None:
    engine = Engine(app, ALL)
    planned = engine.plan()
    before = snapshot(app)
    cut_off(app)
    crashed = snapshot(app)
    assert before != crashed
    again = engine.plan()
    assert (again.interrupted, planned.interrupted) == (True, False)
    assert again.diff() == planned.diff()
    assert [step.state for step in engine.status().steps] == ["pending"] * 4
    assert snapshot(app) == crashed, "plan and status write nothing"


def test_the_next_run_says_that_it_took_back_an_earlier_one(app: Path) -> None:
    before = snapshot(app)
    cut_off(app)
    report = Engine(app, ALL).recover()
    assert report.notes == ("an earlier run (up) was cut off; what it had begun has been taken back",)
    assert snapshot(app) == before
    assert Engine(app, ALL).recover().notes == ()


@pytest.mark.parametrize("path", sorted(app_files()))
def test_an_edit_after_a_crash_is_not_lost_whichever_version_it_was_made_on(app: Path, path: str) -> None:
    """Refused first, kept with merge: files that were written already and files that were not."""
    before = snapshot(app)
    cut_off(app)
    edited = (app / path).read_bytes() + (b"\n" if path.endswith("json") else b"\n\n// my edit\n")
    (app / path).write_bytes(edited)
    changed = edited != before[path][1] and path != "src/other.ts"
    if not changed:
        Engine(app, ALL).recover()
        return
    with pytest.raises(CheckFailed) as caught:
        Engine(app, ALL).recover()
    assert (caught.value.code, (app / path).read_bytes()) == ("edited_since", edited)
    error = refusal(lambda: Engine(app, ALL).recover(merge=True))
    if error is not None:
        assert error.code == "merge_conflict"
        assert (app / path).read_bytes() == edited
        return
    assert {name: state for name, state in snapshot(app).items() if name != path} == {
        name: state for name, state in before.items() if name != path
    }
    kept = (app / path).read_bytes()
    assert kept.startswith(before[path][1].rstrip())
    assert path.endswith("json") or b"// my edit" in kept


def test_owner_and_mode_are_kept(app: Path) -> None:
    if os.getuid() == 0:
        os.chown(app / "src/chat.ts", 65534, 65534)
    before = (app / "src/chat.ts").stat()
    Engine(app, ALL).up(type_check=False)
    after = (app / "src/chat.ts").stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert after.st_ino != before.st_ino


def test_others_files_in_the_folder_are_left_there(app: Path) -> None:
    (app / ".chatops").mkdir()
    (app / ".chatops/notes.txt").write_text("mine")
    engine = Engine(app, ALL)
    engine.up(type_check=False)
    engine.down()
    assert sorted(path.name for path in (app / ".chatops").iterdir()) == [".gitignore", "notes.txt"]


def test_a_link_in_place_of_the_folder_is_refused(app: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (app / ".chatops").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="symbolic link"):
        Engine(app, ALL).up(type_check=False)
    assert list((tmp_path / "elsewhere").iterdir()) == []


class TestRecords:
    def test_taking_back_what_is_not_there_any_more_changes_nothing(self) -> None:
        assert taken_back(Change("a", A, B), A) == A
        assert taken_back(Change("a", None, B), None) is None

    def test_taking_back(self) -> None:
        assert taken_back(Change("a", A, B), B) == A
        assert taken_back(Change("a", None, B), B) is None
        assert taken_back(Change("a", A, None), None) == A

    @pytest.mark.parametrize(
        "current",
        [FileState(B.data + b"6\n", 0o644), FileState(B.data + b"6\n", 0o600), FileState(A.data + b"6\n", 0o644)],
    )
    def test_an_edit_is_refused_and_with_merge_kept(self, current: FileState) -> None:
        with pytest.raises(CheckFailed, match="has been edited since"):
            taken_back(Change("a", A, B), current)
        assert taken_back(Change("a", A, B), current, merge=True) == FileState(
            current.data.replace(b"b", b"a"), current.mode
        )

    def test_another_mode_is_no_edit_and_is_kept(self) -> None:
        """git knows only whether a file is executable: a checkout sets all the rest anew."""
        assert taken_back(Change("a", A, B), FileState(B.data, 0o600)) == FileState(A.data, 0o600)
        assert taken_back(Change("a", A, B), FileState(A.data, 0o600)) == FileState(A.data, 0o600)
        assert taken_back(Change("a", None, B), FileState(B.data, 0o600)) is None
        assert taken_back(Change("a", FileState(A.data, 0o755), B), B) == FileState(A.data, 0o755)

    @pytest.mark.parametrize(
        ("change", "current"),
        [
            (Change("a", A, B), C),
            (Change("a", None, B), C),
            (Change("a", A, None), C),
            (Change("a", FileState(b"\0", 1), B), C),
        ],
    )
    def test_an_edit_that_cannot_be_merged_is_refused(self, change: Change, current: FileState) -> None:
        with pytest.raises(CheckFailed, match="cannot be merged") as caught:
            taken_back(change, current, merge=True)
        assert caught.value.report == {"files": ["a"]}

    def test_a_file_that_somebody_removed_stays_removed(self) -> None:
        assert taken_back(Change("a", A, B), None, merge=True) is None

    def test_records_add_up(self) -> None:
        records = [
            Record(1, "", (Change("a", A, B), Change("b", None, A), Change("c", A, B)), ("x",)),
            Record(2, "", (Change("a", B, C), Change("b", A, None), Change("c", B, A)), ("y",)),
        ]
        assert as_one("up", records) == Transaction("up", (Change("a", A, C),), ("x", "y"))

    def test_a_later_change_is_carried_along_where_the_file_stands_as_it_was_left(self) -> None:
        records = [Record(1, "", (Change("a", A, B),)), Record(2, "", (Change("b", A, B),))]
        assert carried_along(records, [Change("a", B, C)])[0].changes == (Change("a", A, C),)
        assert carried_along(records, [Change("a", A, C), Change("c", None, A)]) == records

    def test_a_record_whose_files_are_all_back_is_dead_if_the_code_says_so_too(self) -> None:
        records = (Record(1, "", (Change("a", A, B),)), Record(2, "", (Change("a", B, C),)))
        for state, numbers in [(A, []), (B, [1]), (C, [1, 2])]:
            kept = live(records, {1, 2}, {"a": state}.get)
            assert [record.number for record in kept] == numbers
            assert live(records, set(), {"a": state}.get) == records
