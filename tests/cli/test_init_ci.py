"""`chatops init --ci`: the workflow on disk, at the top of the repository."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from cli import __version__
from tests.apps.variants import VARIANTS
from tests.migrations.engine.apps import snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.command import Chatops

WHEEL = f".github/chatops/chatops_partykit-{__version__}-py3-none-any.whl"
WORKFLOW = ".github/workflows/relay.yml"


def write_app(root: Path) -> Path:
    for path, data in VARIANTS["npm"]().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    return write_app(tmp_path / "app")


def test_it_writes_the_workflow_with_its_chatops_and_names_the_secrets(app: Path, chatops: Chatops) -> None:
    ended = chatops("init", "--ci", "--app", "app")
    assert (ended.code, ended.stderr) == (0, "")
    assert (app / WORKFLOW).read_text().startswith("# Made by `chatops init --ci`")
    assert (app / WHEEL).read_bytes()[:2] == b"PK"
    assert f"wrote {WORKFLOW}" in ended.lines
    assert [line.split(":")[0].strip() for line in ended.lines if line.startswith("  ")] == [
        "RELAY_SECRET",
        "PARTYKIT_LOGIN",
        "PARTYKIT_TOKEN",
    ]


def test_a_second_time_it_writes_nothing(app: Path, chatops: Chatops) -> None:
    first = chatops("init", "--ci", "--app", "app", "--json")
    assert first.json["ci"] == {
        "files": [WHEEL, WORKFLOW],
        "kept": None,
        "secrets": ["RELAY_SECRET", "PARTYKIT_LOGIN", "PARTYKIT_TOKEN"],
    }
    before = snapshot(app)
    assert chatops("init", "--ci", "--app", "app", "--json").json["ci"]["files"] == []
    assert snapshot(app) == before


def test_a_workflow_that_somebody_wrote_stays(app: Path, chatops: Chatops) -> None:
    (app / WORKFLOW).parent.mkdir(parents=True)
    (app / WORKFLOW).write_text("name: mine\n")
    ended = chatops("init", "--ci", "--app", "app")
    assert ended.code == 0
    assert (app / WORKFLOW).read_text() == "name: mine\n"
    assert ended.stderr.startswith(f"{WORKFLOW} is there and says something else, so it stays")


def test_dry_run_shows_it_and_writes_nothing(app: Path, chatops: Chatops) -> None:
    before = snapshot(app)
    ended = chatops("init", "--ci", "--app", "app", "--dry-run", "--json")
    assert f"+++ b/{WORKFLOW}" in ended.json["diff"]
    assert f"b/{WHEEL}" in ended.json["diff"]
    assert snapshot(app) == before


def test_the_workflow_of_a_workspace_stands_at_the_top_of_the_repository(
    tmp_path: Path, chatops: Chatops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    write_app(tmp_path / "shop" / "apps" / "web")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path / "shop", check=True)
    ended = chatops("init", "--ci", "--app", "shop/apps/web", "--json")
    assert ended.json["ci"]["files"] == [f"../../{WHEEL}", f"../../{WORKFLOW}"]
    text = (tmp_path / "shop" / WORKFLOW).read_text()
    assert 'working-directory: "apps/web"' in text
    assert (tmp_path / "shop" / WHEEL).is_file()


def test_a_wheel_that_git_ignores_is_told(app: Path, chatops: Chatops) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=app, check=True)
    with (app / ".gitignore").open("a") as ignore:
        ignore.write("*.whl\n")
    ended = chatops("init", "--ci", "--app", "app")
    assert f"git ignores {WHEEL}, and the workflow needs it" in ended.stderr


def test_a_target_that_github_cannot_deploy_to_is_exit_code_2(app: Path, chatops: Chatops) -> None:
    ended = chatops("init", "--ci", "--app", "app", "--json", CHATOPS_TARGET="docker")
    assert ended.code == 2
    assert ended.json["error"]["code"] == "no_ci_for_target"
    assert not (app / ".github").exists()
    assert not (app / "partyconfig.toml").exists()
