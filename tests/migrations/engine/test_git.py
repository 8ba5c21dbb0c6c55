from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from migrations.engine import git
from tests.migrations.engine.apps import write_app
from tests.migrations.engine.test_view import git as run_git

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app in a folder of a work tree, everything committed."""
    app = write_app(tmp_path / "apps/web")
    (tmp_path / "lock").write_text("")
    run_git(tmp_path, "init", "-q")
    run_git(tmp_path, "add", "-A")
    run_git(tmp_path, "commit", "-qm", "all")
    return app


def test_no_work_tree_and_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git.work_tree(tmp_path) is None
    assert git.tracked_and_new(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git.work_tree(tmp_path) is None
    assert git.tracked_and_new(tmp_path) is None
    with pytest.raises(git.GitFailed, match="git is not on the PATH"):
        git.merge(b"", b"", b"")


def test_a_clean_tree_has_no_changes(app: Path) -> None:
    assert git.work_tree(app) == app.parent.parent
    assert git.changes(app, ["package.json", "no/such.ts", "../../lock"]) == []


def test_tracked_changes_in_the_app_count_new_files_only_if_asked_for(app: Path) -> None:
    (app / "src/chat.ts").write_text("changed")
    (app / "src/legacy.ts").unlink()
    (app / "new.ts").write_text("")
    (app / "[id].ts").write_text("")
    (app.parent.parent / "lock").write_text("changed")
    assert git.changes(app, []) == ["src/chat.ts", "src/legacy.ts"]
    assert git.changes(app, ["new.ts", "src/chat.ts"]) == ["src/chat.ts", "src/legacy.ts", "new.ts"]
    assert git.changes(app, ["../../lock", "[id].ts"]) == ["src/chat.ts", "src/legacy.ts", "../../lock", "[id].ts"]


def test_staged_renamed_and_chmodded_files_are_changes(app: Path) -> None:
    run_git(app, "mv", "src/other.ts", "src/moved.ts")
    (app / "src/chat.ts").chmod(0o755)
    assert git.changes(app, []) == ["src/chat.ts", "src/moved.ts", "src/other.ts"]


def test_a_repository_of_another_user_s_shell_does_not_count(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a git hook these are set, and would make git look at another repository."""
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere")
    assert git.changes(app, []) == []


def test_a_broken_repository_is_said_to_be_one(app: Path) -> None:
    (app.parent.parent / ".git/config").write_text("[core\n")
    with pytest.raises(git.GitFailed, match="bad config"):
        git.work_tree(app)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_edits_in_other_lines_are_merged_and_in_the_same_ones_are_not(newline: bytes) -> None:
    base = newline.join([b"1", b"2", b"3", b"4", b"5"])
    assert git.merge(base.replace(b"1", b"one"), base, base.replace(b"5", b"five")) == newline.join(
        [b"one", b"2", b"3", b"4", b"five"]
    )
    assert git.merge(base.replace(b"5", b"V"), base, base.replace(b"5", b"five")) is None
    with pytest.raises(git.GitFailed, match="binary"):
        git.merge(b"\0a", b"\0b", b"\0c")
