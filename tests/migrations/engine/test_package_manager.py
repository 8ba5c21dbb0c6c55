from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from migrations.engine import AddPackage, Applied, AppView, Engine, Outcome, PackageManager, Pending
from migrations.engine.package_manager import failure, has_installed, resolved_lock
from relay_server.errors import CheckFailed
from relay_server.process import run
from tests.migrations.engine.apps import snapshot, write_app

if TYPE_CHECKING:
    from pathlib import Path

NPM = PackageManager("npm", "", "package-lock.json")


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("", "it ended with 7 and said nothing"),
        ("segmentation fault", "segmentation fault"),
        (
            "npm warn old\nnpm error code E404\nnpm error 404 Not Found - GET https://r.example/x\nnpm error 404\n",
            "Not Found - GET https://r.example/x",
        ),
        (
            "npm ERR! code ETARGET\nnpm ERR! notarget No matching version found for once@^99.0.0.\n",
            "No matching version found for once@^99.0.0.",
        ),
        (
            "npm error code ERESOLVE\nnpm error ERESOLVE unable to resolve dependency tree\nnpm error\n"
            "npm error Found: react@19.3.1\nnpm error Could not resolve dependency:\n"
            'npm error peer react@"17.0.2" from react-dom@17.0.2\n',
            'versions do not fit together (peer react@"17.0.2" from react-dom@17.0.2)',
        ),
        (
            "npm error code ECONNREFUSED\nnpm error errno ECONNREFUSED\n"
            "npm error FetchError: request to http://127.0.0.1:9/a failed, reason: connect ECONNREFUSED 127.0.0.1:9\n",
            "the registry cannot be reached (FetchError: request to http://127.0.0.1:9/a failed, "
            "reason: connect ECONNREFUSED 127.0.0.1:9)",
        ),
        ("npm error code ENOSPC\nnpm error nospc No space left on device, write", "No space left on device, write"),
        (
            " ERR_PNPM_NO_MATCHING_VERSION  No matching version found for once@^99.0.0\n\nThis error happened while",
            "No matching version found for once@^99.0.0",
        ),
        (
            "yarn install v1.22.22\n[1/4] Resolving packages...\nwarning package.json: No license field\n"
            'error Couldn\'t find any versions for "once" that matches "^99.0.0"\ninfo Visit https://y.example\n',
            'Couldn\'t find any versions for "once" that matches "^99.0.0"',
        ),
        (
            "➤ YN0000: · Yarn 4.18.1\n➤ YN0000: ┌ Resolution step\n➤ YN0082: │ once@npm:^99.0.0: No candidates found\n",
            "once@npm:^99.0.0: No candidates found",
        ),
        (
            "bun install v1.4.5\nResolving dependencies\nerror: ConnectionRefused downloading package manifest once\n",
            "the registry cannot be reached (ConnectionRefused downloading package manifest once)",
        ),
        ("error: " + "x" * 500, "x" * 199 + "…"),
    ],
)
def test_the_reason_of_a_failure_is_one_line(output: str, reason: str) -> None:
    """The outputs are those of npm 11, pnpm 9, yarn 1 and 4, and bun 1.4."""
    assert failure(output, 7) == reason


def fake_npm(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An `npm` in front of the real one: for what it is called with, and for failures that cannot be had at will."""
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_the_scratch_folder_has_what_decides_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_app(tmp_path / "app")
    for path, text in {
        "package-lock.json": "old",
        ".npmrc": "ignored-by-git=yes",
        ".gitignore": ".npmrc\n",
        "patches/a.patch": "",
        "packages/b/package.json": "{}",
        "vendor/c.tgz": "archive",
        "node_modules/d/package.json": "{}",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    fake_npm(tmp_path / "bin", 'find . -type f | sort > package-lock.json; echo "$@" >> package-lock.json', monkeypatch)
    manifest = json.dumps({"dependencies": {"c": "file:./vendor/c.tgz"}}).encode()
    lock = resolved_lock(root, NPM, {"package.json": manifest, "src/chat.ts": b""}).decode()
    assert lock.splitlines() == [
        "./.npmrc", "./package-lock.json", "./package.json", "./packages/b/package.json", "./patches/a.patch",
        "./vendor/c.tgz", "install --package-lock-only --ignore-scripts --no-audit --no-fund",
    ]  # fmt: skip
    assert (root / "package-lock.json").read_text() == "old"


@pytest.mark.parametrize(
    ("script", "message", "code"),
    [
        ("echo 'npm error code ERESOLVE' >&2; exit 1", "npm install failed: versions do not fit", "package_manager"),
        ("echo 'npm error code ENOTFOUND' >&2; exit 1", "the registry cannot be reached", "no_network"),
        (None, "the app's packages are npm's, and npm is not on the PATH", "package_manager"),
    ],
)
def test_a_failure_leaves_the_app_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, message: str, code: str
) -> None:
    root = write_app(tmp_path / "app")
    (root / "package-lock.json").write_text("{}")
    before = snapshot(root)
    if script is None:
        monkeypatch.setenv("PATH", str(tmp_path))
    else:
        fake_npm(tmp_path / "bin", script, monkeypatch)
    with pytest.raises(CheckFailed, match=message) as caught:
        Engine(root, [AddOnce()]).up()
    assert caught.value.code == code
    assert "\n" not in caught.value.message
    assert snapshot(root) == before
    assert not (root / ".chatops").exists()


@dataclass(frozen=True)
class AddOnce:
    """A real dependency, of a few hundred bytes."""

    number: int = 1
    title: str = "Add once"

    def plan(self, view: AppView) -> Outcome:
        if "once" in view.json("package.json").get("dependencies", {}):
            return Applied()
        return Pending(packages=(AddPackage("once", "^1.4.0"),))


@pytest.fixture
def real_app(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/package.json").write_text('{\n\t"name": "a",\n\t"dependencies": {\n\t\t"wrappy": "^1"\n\t}\n}\n')
    ended = run(["npm", "install", "--no-audit", "--no-fund"], tmp_path / "app", seconds=100)
    assert ended.code == 0, ended.output
    return tmp_path / "app"


@pytest.mark.slow
@pytest.mark.parametrize("installed", [True, False])
def test_npm_keeps_manifest_lock_file_and_what_is_installed_in_step(real_app: Path, installed: bool) -> None:
    """Up and down with the real npm; without node_modules none is made, and the lock file is still in step."""
    if not installed:
        run(["rm", "-r", "node_modules"], real_app, seconds=20)
    before = snapshot(real_app)
    engine = Engine(real_app, [AddOnce()])
    assert engine.plan().files == ("package-lock.json", "package.json")
    report = engine.up()
    assert report.files == ("package.json", "package-lock.json")
    assert json.loads((real_app / "package-lock.json").read_text())["packages"]["node_modules/once"]["version"]
    assert (real_app / "node_modules/once").exists() is installed
    assert has_installed(real_app, NPM) is installed
    assert run(["npm", "ci", "--no-audit", "--no-fund"], real_app, seconds=100).code == 0, (
        "the lock file is not in step"
    )
    assert engine.up().migrations == ()
    engine.down()
    assert snapshot(real_app) == before
    assert not (real_app / "node_modules/once").exists()


@pytest.mark.slow
def test_a_lock_file_indented_otherwise_than_the_manifest_stays_so(real_app: Path) -> None:
    """npm would indent it anew as package.json is."""
    lock = real_app / "package-lock.json"
    lock.write_text(json.dumps(json.loads(lock.read_text()), indent=2) + "\n")
    before = snapshot(real_app)
    engine = Engine(real_app, [AddOnce()])
    engine.up()
    engine.down()
    assert snapshot(real_app) == before


@pytest.mark.slow
def test_a_lock_file_that_was_rewritten_since_is_worked_out_anew(real_app: Path) -> None:
    """Somebody installs another package after `up`; `down --merge` takes out ours and keeps theirs, in step."""
    engine = Engine(real_app, [AddOnce()])
    engine.up()
    assert run(["npm", "install", "ms@2", "--no-audit", "--no-fund"], real_app, seconds=100).code == 0
    with pytest.raises(CheckFailed, match="has been edited since"):
        engine.down()
    engine.down(merge=True)
    dependencies = json.loads((real_app / "package.json").read_text())["dependencies"]
    assert set(dependencies) == {"ms", "wrappy"}
    assert set(json.loads((real_app / "package-lock.json").read_text())["packages"][""]["dependencies"]) == {
        "ms",
        "wrappy",
    }
    assert run(["npm", "ci", "--no-audit", "--no-fund"], real_app, seconds=100).code == 0


@pytest.mark.slow
def test_the_lock_file_of_a_workspace_around_the_app_is_kept_in_step(tmp_path: Path) -> None:
    top = tmp_path / "top"
    root = top / "apps/web"
    root.mkdir(parents=True)
    (top / "package.json").write_text('{"name": "top", "private": true, "workspaces": ["apps/*"]}')
    (root / "package.json").write_text('{"name": "web", "version": "1.0.0"}')
    assert run(["npm", "install", "--package-lock-only", "--no-audit", "--no-fund"], top, seconds=100).code == 0
    before = snapshot(top)
    engine = Engine(root, [AddOnce()])
    assert engine.plan().files == ("../../package-lock.json", "package.json")
    engine.up()
    assert "node_modules/once" in json.loads((top / "package-lock.json").read_text())["packages"]
    assert not (top / "node_modules").exists()
    engine.down()
    assert {path: state for path, state in snapshot(top).items() if ".chatops" not in path} == before
