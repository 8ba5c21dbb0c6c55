from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from migrations.engine import Applied, AppView, Engine, FileChange, Outcome, Pending
from migrations.engine.line_edits import get_env, set_env
from relay_server.errors import CheckFailed, UsageError
from tests.migrations.engine.apps import (
    ALL,
    FORMATS,
    AddPackages,
    AddServer,
    RemoveLegacy,
    RenameCalls,
    Writes,
    app_files,
    snapshot,
    write_app,
)
from tests.migrations.engine.test_view import git

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def app(in_memory: Path) -> Path:
    return write_app(in_memory / "app")


@pytest.fixture
def repository(app: Path) -> Path:
    """The app as a git work tree, everything committed."""
    git(app, "init", "-q")
    git(app, "add", "-A")
    git(app, "commit", "-qm", "all")
    return app


def test_where_nothing_is_pending_nothing_is_written(app: Path) -> None:
    before = snapshot(app)
    engine = Engine(app, [])
    assert (engine.up().files, engine.down().files, engine.change("mode", ()).files) == ((), (), ())
    engine = Engine(app, ALL[:1])
    assert (engine.down().files, engine.up(0).files) == ((), ())
    assert snapshot(app) == before
    assert not (app / ".chatops").exists()


def test_a_plan_writes_nothing(app: Path) -> None:
    before = snapshot(app)
    assert "newCall" in Engine(app, ALL).plan().diff()
    assert [step.state for step in Engine(app, ALL).status().steps] == ["pending"] * 4
    assert snapshot(app) == before
    assert not (app / ".chatops").exists()


@pytest.mark.parametrize("name", FORMATS)
def test_up_does_what_was_planned_and_down_gives_back_bytes_and_modes(in_memory: Path, name: str) -> None:
    write_app(in_memory, app_files(FORMATS[name]))
    before = snapshot(in_memory)
    engine = Engine(in_memory, ALL)
    plan = engine.plan()
    report = engine.up()
    done = snapshot(in_memory)
    assert sorted(report.files) == list(plan.files)
    assert {path: state[1] for path, state in done.items() if (in_memory / path).is_file()} == {
        path: plan.after.read(path) for path in plan.after.paths
    }
    assert [number for number, _ in report.migrations] == [1, 2, 3, 4]
    assert done["party/run.sh"][0] & 0o111
    assert done["src/chat.ts"][0] == before["src/chat.ts"][0]

    assert engine.up().migrations == ()
    assert [step.state for step in engine.status().steps] == ["applied"] * 4
    assert snapshot(in_memory) == done

    assert [number for number, _ in engine.down().migrations] == [4, 3, 2, 1]
    assert snapshot(in_memory) == before
    assert not (in_memory / ".chatops").exists()


def test_up_and_down_to_a_number(app: Path) -> None:
    engine = Engine(app, ALL)
    stages = [snapshot(app)]
    for number in (1, 2, 3, 4):
        assert [n for n, _ in engine.up(number).migrations] == [number]
        stages.append(snapshot(app))
    for number in (3, 1):
        engine.down(number)
        assert snapshot(app) == stages[number]
    engine.up()
    assert snapshot(app) == stages[4]
    engine.down()
    assert snapshot(app) == stages[0]


def test_one_that_is_blocked_stops_all_of_them(app: Path) -> None:
    (app / "src/chat.ts").write_text("oldCall(\n")
    before = snapshot(app)
    with pytest.raises(
        CheckFailed, match=r"migration 3 \(Rename the calls\) cannot be applied: src/chat\.ts:1: "
    ) as caught:
        Engine(app, ALL).up()
    assert caught.value.code == "blocked"
    assert snapshot(app) == before
    assert [number for number, _ in Engine(app, ALL).up(2).migrations] == [1, 2]


def test_leftovers_are_reported(app: Path) -> None:
    (app / "src/old.js").write_text("oldCall(1);\n")
    assert [leftover.file for leftover in Engine(app, ALL).up().leftovers] == ["src/old.js"]
    assert [leftover.file for leftover in Engine(app, ALL).up().leftovers] == ["src/old.js"]


def test_what_could_not_be_checked_is_said(app: Path) -> None:
    notes = " / ".join(Engine(app, ALL).up().notes)
    assert "not in a git work tree" in notes
    assert "types were not checked: the app has no tsconfig.json" in notes
    assert "no lock file" in notes


class TestDirtyTree:
    def test_a_clean_one_is_no_reason(self, repository: Path) -> None:
        notes = Engine(repository, ALL).up().notes
        assert not any("git" in note for note in notes)
        git(repository, "add", "-A")
        status = subprocess.run(
            ["git", "status", "--porcelain"], cwd=repository, check=True, capture_output=True
        ).stdout
        assert b"party/deep/server.ts" in status
        assert b".chatops" not in status

    def test_new_files_that_are_not_in_the_way_are_no_reason(self, repository: Path) -> None:
        (repository / "notes.md").write_text("mine")
        Engine(repository, ALL).up()

    @pytest.mark.parametrize("path", ["src/chat.ts", "src/other.ts"])
    def test_changes_in_tracked_files_are_whether_in_the_way_or_not(self, repository: Path, path: str) -> None:
        with (repository / path).open("a") as file:
            file.write("// mine\n")
        before = snapshot(repository)
        with pytest.raises(CheckFailed, match=f"not committed: {path}$") as caught:
            Engine(repository, ALL).up()
        assert (caught.value.code, caught.value.report) == ("dirty_tree", {"files": [path]})
        assert snapshot(repository) == before
        Engine(repository, ALL).up(allow_dirty=True)
        Engine(repository, ALL).down()
        assert snapshot(repository) == before

    def test_a_new_file_that_would_be_written_over_is(self, repository: Path) -> None:
        (repository / "new.ts").write_text("mine")
        with pytest.raises(CheckFailed, match=r"not committed: new\.ts$"):
            Engine(repository, [Writes((FileChange("new.ts", b"ours"),))]).up()

    def test_what_chatops_did_itself_is_no_reason(self, repository: Path) -> None:
        engine = Engine(repository, ALL)
        engine.up(2)
        engine.up(3)
        (repository / ".gitignore").write_text("mine\n")
        with pytest.raises(CheckFailed, match=r"not committed: \.gitignore$"):
            engine.up()

    def test_a_broken_repository_is(self, repository: Path) -> None:
        (repository / ".git/config").write_text("[core\n")
        with pytest.raises(CheckFailed, match="git cannot tell") as caught:
            Engine(repository, ALL).up()
        assert caught.value.code == "dirty_tree"


class TestLaterEdits:
    def edit(self, app: Path, path: str = "src/chat.ts", old: str = "undefined", new: str = "null") -> bytes:
        text = (app / path).read_text()
        assert old in text
        (app / path).write_text(text.replace(old, new))
        return (app / path).read_bytes()

    def test_elsewhere_is_nobody_s_business(self, app: Path) -> None:
        before = snapshot(app)
        engine = Engine(app, ALL)
        engine.up()
        edited = self.edit(app, "src/other.ts", "nothing", "something")
        (app / "new.ts").write_text("")
        engine.down()
        assert snapshot(app) == before | {"src/other.ts": (0o644, edited), "new.ts": (0o644, b"")}

    def test_in_a_changed_file_is_refused_and_everything_stays(self, app: Path) -> None:
        engine = Engine(app, ALL)
        engine.up()
        self.edit(app)
        edited = snapshot(app)
        with pytest.raises(CheckFailed, match=r"^src/chat\.ts has been edited since") as caught:
            engine.down()
        assert (caught.value.code, caught.value.report) == ("edited_since", {"files": ["src/chat.ts"]})
        assert "--merge" in caught.value.next_step
        assert snapshot(app) == edited

    def test_a_merge_keeps_it_and_takes_back_the_rest(self, app: Path) -> None:
        before = snapshot(app)
        engine = Engine(app, ALL)
        engine.up()
        self.edit(app)
        engine.down(merge=True)
        expected = before["src/chat.ts"][1].replace(b"undefined", b"null")
        assert snapshot(app) == before | {"src/chat.ts": (0o640, expected)}

    def test_at_the_same_place_it_cannot_be_merged(self, app: Path) -> None:
        engine = Engine(app, ALL)
        engine.up()
        self.edit(app, old="return newCall(text)", new="return newCall(text, 1)")
        edited = snapshot(app)
        with pytest.raises(CheckFailed, match="cannot be merged: the edit and the change are at the same place"):
            engine.down(merge=True)
        assert snapshot(app) == edited

    @pytest.mark.parametrize("merge", [True, False])
    def test_in_a_file_that_was_made_it_is_refused(self, app: Path, merge: bool) -> None:
        engine = Engine(app, ALL)
        engine.up()
        self.edit(app, "party/deep/server.ts", "hello", "hi")
        edited = snapshot(app)
        with pytest.raises(CheckFailed, match=r"party/deep/server\.ts has been edited since"):
            engine.down(merge=merge)
        assert snapshot(app) == edited

    def test_a_file_in_a_folder_that_was_made_keeps_the_folder(self, app: Path) -> None:
        before = snapshot(app)
        engine = Engine(app, ALL)
        engine.up()
        (app / "party/deep/mine.ts").write_text("")
        engine.down()
        assert set(snapshot(app)) == {*before, "party", "party/deep", "party/deep/mine.ts"}

    def test_a_file_that_was_removed_since(self, app: Path) -> None:
        before = snapshot(app)
        engine = Engine(app, ALL)
        engine.up()
        (app / "party/run.sh").unlink()
        (app / "src/chat.ts").unlink()
        with pytest.raises(CheckFailed, match=r"src/chat\.ts has been edited since"):
            engine.down()
        engine.down(merge=True)
        assert snapshot(app) == {path: state for path, state in before.items() if path != "src/chat.ts"}

    def test_packages_on_neighbouring_lines_do_not_meet(self, app: Path) -> None:
        engine = Engine(app, ALL)
        engine.up()
        self.edit(app, "package.json", '    "tiny"', '    "theirs": "1",\n    "tiny"')
        engine.down(merge=True)
        assert '"next": "^15.2.3",\n    "theirs": "1",\n    "zod"' in (app / "package.json").read_text()
        assert '"party"' not in (app / "package.json").read_text()

    def test_between_two_migrations_it_is_found_when_the_first_is_taken_back(self, app: Path) -> None:
        engine = Engine(app, ALL)
        engine.up(2)
        self.edit(app)
        engine.up(allow_dirty=True)
        engine.down(2)
        assert b"return null" in (app / "src/chat.ts").read_bytes()
        assert b"oldCall" in (app / "src/chat.ts").read_bytes()


class TestRecords:
    def test_without_a_record_only_git_can_take_it_back(self, app: Path) -> None:
        Engine(app, ALL).up()
        shutil.rmtree(app / ".chatops")
        before = snapshot(app)
        with pytest.raises(CheckFailed, match=r"migration 4 \(Remove what is old\) is in the code, but") as caught:
            Engine(app, ALL).down()
        assert caught.value.code == "no_record"
        assert snapshot(app) == before

    def test_what_git_took_back_may_be_applied_and_taken_back_anew(self, repository: Path) -> None:
        (repository / "src/chat.ts").chmod(0o644)  # git gives it back so
        before = snapshot(repository)
        engine = Engine(repository, ALL)
        for target in (4, 2, 3):
            engine.up(target)
            git(repository, "checkout", "-q", ".")
            git(repository, "clean", "-qfd", "-e", ".chatops")
            assert snapshot(repository) == before
        assert engine.down().migrations == ()
        engine.up(3)
        engine.down()
        assert snapshot(repository) == before
        assert not (repository / ".chatops").exists()

    def test_a_second_place_of_the_same_migration_is_a_second_record(self, app: Path) -> None:
        before = snapshot(app)
        engine = Engine(app, [RenameCalls()])
        engine.up()
        (app / "src/more.ts").write_text('import { oldCall } from "./legacy";\n\noldCall("x");\n')
        assert [step.state for step in engine.status().steps] == ["pending"]
        engine.up()
        engine.down()
        assert set(snapshot(app)) == {*before, "src/more.ts"}
        assert {path: state for path, state in snapshot(app).items() if path != "src/more.ts"} == before

    def test_other_steps_on_the_same_folder_keep_apart(self, app: Path) -> None:
        """As with the migrations and the clean-up of the legacy server, which are told apart by their numbers."""
        before = snapshot(app)
        first, second = Engine(app, [AddPackages(), AddServer()]), Engine(app, [RenameCalls(), RemoveLegacy()])
        first.up()
        second.up()
        first.down()
        assert (app / "party").exists() is False
        assert b"newCall" in (app / "src/chat.ts").read_bytes()
        second.down()
        assert snapshot(app) == before

    def test_a_later_step_on_the_same_file_has_to_go_first(self, app: Path) -> None:
        first, second = Engine(app, [RenameCalls()]), Engine(app, [RemoveLegacy()])
        first.up()
        second.up()
        with pytest.raises(
            CheckFailed, match=r"src/chat\.ts has since been changed by another step \(Remove what is old\)"
        ):
            first.down()


class TestChange:
    def test_it_is_carried_along_by_the_record_of_a_migration(self, app: Path) -> None:
        before = snapshot(app)
        engine = Engine(app, ALL)
        engine.up()
        data = set_env((app / ".env.example").read_bytes(), "PARTY_HOST", "elsewhere:1")
        assert engine.change("mode", [FileChange(".env.example", data)]).files == (".env.example",)
        assert get_env((app / ".env.example").read_bytes(), "PARTY_HOST") == "elsewhere:1"
        assert engine.change("mode", [FileChange(".env.example", data)]).files == ()
        engine.down()
        assert snapshot(app) == before

    def test_a_file_of_no_migration_stays_as_it_was_made(self, app: Path) -> None:
        before = snapshot(app)
        engine = Engine(app, ALL)
        engine.change("init", [FileChange("conf/party.toml", b"a = 1\n")])
        assert not (app / ".chatops").exists()
        engine.up()
        engine.down()
        assert snapshot(app) == before | {"conf": (0o755, b""), "conf/party.toml": (0o644, b"a = 1\n")}


class TestLinks:
    def test_a_link_stays_one_and_its_file_is_changed(self, app: Path) -> None:
        (app / "real").mkdir()
        (app / "src/chat.ts").rename(app / "real/chat.ts")
        (app / "src/chat.ts").symlink_to("../real/chat.ts")
        before = snapshot(app)
        engine = Engine(app, ALL)
        engine.up(3)
        assert (app / "src/chat.ts").is_symlink()
        assert b"newCall" in (app / "real/chat.ts").read_bytes()
        engine.down()
        assert snapshot(app) == before

    def test_one_that_leads_out_of_the_app_is_refused(self, app: Path) -> None:
        outside = app.parent / "chat.ts"
        (app / "src/chat.ts").rename(outside)
        (app / "src/chat.ts").symlink_to(outside)
        before = snapshot(app), outside.read_bytes()
        with pytest.raises(UsageError, match=r"src/chat\.ts is a symbolic link that leads out of the app"):
            Engine(app, ALL).up()
        assert (snapshot(app), outside.read_bytes()) == before

    def test_one_that_would_be_removed_is_refused(self, app: Path) -> None:
        (app / "src/legacy.ts").rename(app / "src/real.ts")
        (app / "src/legacy.ts").symlink_to("real.ts")
        with pytest.raises(UsageError, match=r"src/legacy\.ts is a symbolic link$"):
            Engine(app, ALL).up()

    def test_two_paths_to_one_file_are_refused(self, app: Path) -> None:
        (app / "src/twin.ts").symlink_to("chat.ts")
        before = snapshot(app)
        with pytest.raises(UsageError, match=r"src/chat\.ts is reached by two paths"):
            Engine(app, [Writes((FileChange("src/chat.ts", b"1"), FileChange("src/twin.ts", b"2")))]).up()
        assert snapshot(app) == before

    def test_a_file_and_a_link_to_it_are_one_source(self, app: Path) -> None:
        (app / "src/twin.ts").symlink_to("chat.ts")
        assert Engine(app, ALL).plan(3).steps[2].changes[0].path == "src/chat.ts"
        assert len(Engine(app, ALL).plan(3).steps[2].changes) == 1


def test_a_file_where_a_folder_is_needed_is_refused(app: Path) -> None:
    (app / "party").write_text("in the way")
    before = snapshot(app)
    with pytest.raises(UsageError, match="party is in the way: it is no folder"):
        Engine(app, [Writes((FileChange("party/server.ts", b"x"),))]).up()
    assert snapshot(app) == before


def test_the_umask_decides_the_mode_of_new_files(app: Path) -> None:
    old = os.umask(0o077)
    try:
        Engine(app, ALL).up()
    finally:
        os.umask(old)
    assert (app / "party/run.sh").stat().st_mode & 0o777 == 0o700
    assert (app / "party/deep/server.ts").stat().st_mode & 0o777 == 0o600


def test_a_file_that_one_migration_makes_and_the_next_changes_keeps_its_mode(app: Path) -> None:
    before = snapshot(app)
    made = Writes((FileChange("run.sh", b"#!/bin/sh\n", executable=True),))

    class Changes:
        number = 2
        title = "Change it"

        def plan(self, view: AppView) -> Outcome:
            data = view.read("run.sh") or b""
            return Applied() if b"exec" in data else Pending((FileChange("run.sh", data + b"exec true\n"),))

    class MadeOrChanged(Writes):
        def plan(self, view: AppView) -> Outcome:
            return Applied() if view.exists("run.sh") else super().plan(view)

    engine = Engine(app, [MadeOrChanged(made.changes), Changes()])
    engine.up()
    assert snapshot(app)["run.sh"] == (0o755, b"#!/bin/sh\nexec true\n")
    engine.down(1)
    assert snapshot(app)["run.sh"] == (0o755, b"#!/bin/sh\n")
    engine.down()
    assert snapshot(app) == before


def test_no_app_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no package\.json"):
        Engine(tmp_path, ALL)


def test_the_view_of_an_engine_is_the_app(app: Path) -> None:
    assert Engine(app, ALL).view().paths == AppView.of_folder(app).paths
