"""The Node that is there, and the command lines that an app has installed."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from migrations.deploy.node_tools import Installed, find_installed, node_version
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def install(folder: Path, manifest: object) -> Path:
    package = folder / "node_modules" / "tool"
    package.mkdir(parents=True)
    (package / "package.json").write_text(manifest if isinstance(manifest, str) else json.dumps(manifest))
    return package


@pytest.mark.parametrize(
    ("said", "code", "message"),
    [
        ("v16.20.2", "old_node", "too old for the tool: v16.20.2"),
        ("", "no_node", "says nothing"),
        ("command not found", "no_node", "says command not found"),
    ],
)
def test_a_node_that_will_not_do_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, code: str, message: str
) -> None:
    (tmp_path / "node").write_text(f"#!/bin/sh\necho {said}\n")
    (tmp_path / "node").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(UsageError, match=message) as caught:
        node_version(tmp_path, 18, "the tool")
    assert caught.value.code == code
    assert "install Node.js 18 or newer" in caught.value.next_step


def test_no_node_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="node is not on the PATH"):
        node_version(tmp_path, 18, "the tool")


def test_the_apps_own_comes_before_that_of_the_workspace(tmp_path: Path) -> None:
    app = tmp_path / "apps" / "web"
    app.mkdir(parents=True)
    assert find_installed(app, "tool") is None
    above = install(tmp_path, {"version": "1.0.0", "bin": {"tool": "bin.js"}})
    assert find_installed(app, "tool") == Installed(above.resolve() / "bin.js", "1.0.0")
    own = install(app, {"version": "2.0.0", "bin": {"tool": "bin.js"}})
    assert find_installed(app, "tool") == Installed(own.resolve() / "bin.js", "2.0.0")


@pytest.mark.parametrize("manifest", ["{", "[]", {"version": "1.0.0"}, {"bin": {"tool": "x"}}])
def test_a_broken_package_is_named(tmp_path: Path, manifest: object) -> None:
    install(tmp_path, manifest)
    with pytest.raises(UsageError, match="is broken") as caught:
        find_installed(tmp_path, "tool")
    assert caught.value.code == "no_tool"
