from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from migrations.engine import AppView, make_plan
from migrations.engine.diff import line_in, unified_diff
from tests.migrations.engine.apps import ALL, FORMATS, app_files, snapshot, write_app

if TYPE_CHECKING:
    from pathlib import Path


def test_no_change_is_no_diff() -> None:
    assert unified_diff([("a", b"x", b"x"), ("b", None, None)]) == ""


@pytest.mark.parametrize("name", FORMATS)
def test_git_applies_it_to_the_very_bytes(tmp_path: Path, name: str) -> None:
    """What `plan` shows is what `up` does: the diff, applied by git, gives the planned bytes, in every format."""
    write_app(tmp_path, app_files(FORMATS[name]))
    plan = make_plan(AppView.of_folder(tmp_path), ALL)
    subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "-"], cwd=tmp_path, input=plan.diff().encode(), check=True,
        env={"GIT_CEILING_DIRECTORIES": str(tmp_path.parent), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    written = {path: data for path, (_, data) in snapshot(tmp_path).items() if (tmp_path / path).is_file()}
    assert written == {path: plan.after.read(path) for path in plan.after.paths}


def test_values_in_env_files_are_masked() -> None:
    before = (
        b"# the model, see https://example.com/a=b\nOPENAI_API_KEY=sk-secret1\nexport TOKEN='secret2'\n#OLD=secret3\n"
        b'KEY="-----BEGIN\nsecret4\n-----END"\nNEXT_PUBLIC_MODE=send\nEMPTY=\nsecret5\nHOST: secret6\n'
    )
    diff = unified_diff([(".env.local", before, before.replace(b"=send", b"=streaming") + b"NEW=secret7")])
    assert "secret" not in diff
    assert "-NEXT_PUBLIC_MODE=send\n+NEXT_PUBLIC_MODE=streaming\n" in diff
    assert "+NEW=***\n" in diff


def test_a_change_of_a_secret_is_seen_without_its_value() -> None:
    diff = unified_diff([(".env", b"A=secret1\n", b"A=secret2\n")])
    assert "secret" not in diff
    assert "only masked values differ" in diff


@pytest.mark.parametrize(("path", "shown"), [(".env.example", True), ("src/env.js", True), (".env.production", False)])
def test_templates_of_env_files_are_shown(path: str, shown: bool) -> None:
    assert ("value" in unified_diff([(path, b"", b"A=value\n")])) is shown


def test_a_binary_file_is_named_only() -> None:
    assert unified_diff([("bun.lockb", b"\0a", b"\0b")]) == "diff --git a/bun.lockb b/bun.lockb\nBinary files differ\n"


@pytest.mark.parametrize(
    ("other", "data", "line", "there"),
    [
        (b"a\nb\n", b"a\nb\n", 2, 2),
        (b"a\nb\n", b"a\nb\n", 0, 0),
        (None, b"a\nb\n", 2, 2),
        (b"a\nx\ny\nb\n", b"a\nb\n", 2, 4),
        (b"b\n", b"a\nb\n", 2, 1),
        (b"b\n", b"a\nb\n", 1, 0),
        (b"", b"a\n", 1, 0),
        (b"}\na\n}\n", b"a\n}\n", 2, 3),
    ],
)
def test_a_line_is_found_in_another_version(other: bytes | None, data: bytes, line: int, there: int) -> None:
    assert line_in(other, data, line) == there
