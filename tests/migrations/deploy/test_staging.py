"""What PartyKit's CLI is given to bundle, and what never."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from migrations.deploy.staging import project_settings, restaged, sent_files, staged
from migrations.engine.view import AppView
from relay_server.errors import UsageError
from tests.migrations.deploy.apps import make_app
from tests.servers import TYPESCRIPT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """With packages of its own, so that nothing has to be installed."""
    made = make_app(tmp_path / "app")
    (made / "node_modules").unlink()
    (made / "node_modules").mkdir()
    return made


def stage_of(app: Path) -> set[str]:
    view = AppView.of_folder(app)
    with staged(view, project_settings(view)) as folder:
        assert (folder / ".env").read_bytes() == b""
        assert (folder / "node_modules").resolve() == (app / "node_modules").resolve()
        return {path.as_posix() for path in sent_files(folder)}


def test_the_relay_alone_is_staged_where_it_needs_nothing_else(app: Path) -> None:
    relay = {f"party/{path.name}" for path in (TYPESCRIPT / "party").iterdir()}
    assert stage_of(app) == {"partykit.json", *relay}


@pytest.mark.parametrize("line", ['import { page } from "../src/page";', 'import "~/page";', "await import('@/page');"])
def test_a_relay_that_imports_from_the_app_brings_its_sources(app: Path, line: str) -> None:
    (app / "party" / "extra.ts").write_text(line + "\n")
    staged_files = stage_of(app)
    assert "src/page.ts" in staged_files
    assert not [path for path in staged_files if ".env" in path or path.startswith("node_modules")]


def test_the_stage_is_gone_afterwards_and_outside_of_the_app(app: Path) -> None:
    view = AppView.of_folder(app)
    stages = []

    def interrupted() -> None:
        with staged(view, project_settings(view)) as folder:
            stages.append(folder)
            assert folder.exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    (stage,) = stages
    assert not stage.is_relative_to(app)
    assert not stage.exists()


def test_what_was_kept_is_staged_again_as_it_was(app: Path, tmp_path: Path) -> None:
    view = AppView.of_folder(app)
    with staged(view, project_settings(view)) as folder:
        sent = sent_files(folder)
    kept = tmp_path / "kept"
    for path, data in sent.items():
        (kept / path).parent.mkdir(parents=True, exist_ok=True)
        (kept / path).write_bytes(data)
    with restaged(app, kept) as folder:
        assert sent_files(folder) == sent


def test_the_settings_come_from_package_json_too(app: Path) -> None:
    settings = json.loads((app / "partykit.json").read_bytes())
    (app / "partykit.json").unlink()
    (app / "package.json").write_text(json.dumps({"name": "chat-app", "partykit": settings}))
    assert project_settings(AppView.of_folder(app)) == settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"name": "chat"}', "partykit.json names no main"),
        ('{"name": "chat", "main": "party/gone.ts"}', "party/gone.ts, which partykit.json names as main, is not there"),
        ("[]", "partykit.json is not an object"),
        ("null", "the app has no partykit.json"),
    ],
)
def test_a_project_that_cannot_be_deployed_is_named(app: Path, text: str, said: str) -> None:
    (app / "partykit.json").write_text(text)
    with pytest.raises(UsageError, match=said):
        project_settings(AppView.of_folder(app))
