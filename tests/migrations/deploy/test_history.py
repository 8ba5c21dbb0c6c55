"""The record of deployments, and what is kept of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from migrations.deploy.history import Deployment, History
from relay_server.errors import UsageError


def deployment(build: str, **values: Any) -> Deployment:
    made: dict[str, Any] = {
        "target": "partykit", "name": "chat", "at": "2026-11-01T10:00:00+00:00", "result": "good", "uploaded": True,
    }  # fmt: skip
    return Deployment(build=build, **{**made, **values})


def history(app: Path, *deployments: Deployment) -> History:
    made = History(app)
    for each in deployments:
        made.add(each)
    return made


def back(made: History) -> str:
    return made.to_go_back_to("partykit", "chat", "").build


def test_what_is_added_is_read_again_and_git_does_not_see_it(tmp_path: Path) -> None:
    """The folder is shared with the migrations and ignored by a file of its own; no other file is left in it."""
    made = history(tmp_path, deployment("b1"), deployment("b2", result="failed", reason="why", preview="pr-1"))
    assert made.all() == [deployment("b1"), deployment("b2", result="failed", reason="why", preview="pr-1")]
    assert (tmp_path / ".chatops" / ".gitignore").read_text() == "*\n"
    assert {path.name for path in (tmp_path / ".chatops").iterdir()} == {".gitignore", "deployments.json"}


@pytest.mark.parametrize("text", [b"{", b'{"build": "b1"}', b"\xff", b'[{"build": 1}]'])
def test_a_file_that_is_something_else_is_named_and_kept(tmp_path: Path, text: bytes) -> None:
    made = history(tmp_path, deployment("b1"))
    path = tmp_path / ".chatops" / "deployments.json"
    path.write_bytes(text)
    with pytest.raises(UsageError, match=r"deployments\.json cannot be read"):
        made.add(deployment("b2"))
    assert path.read_bytes() == text


def test_the_last_good_one_before_the_one_that_runs_is_gone_back_to(tmp_path: Path) -> None:
    """A bad one that the target took runs now; one that was never taken does not."""
    made = history(tmp_path, deployment("b1"), deployment("b2"))
    assert back(made) == "b1"
    made.add(deployment("b3", result="failed"))
    assert back(made) == "b2"
    made.add(deployment("b4", result="failed", uploaded=False))
    assert back(made) == "b2"
    made.add(deployment("b5", result="unverified"))
    made.add(deployment("b6", result="interrupted"))
    assert back(made) == "b2"


def test_going_back_twice_goes_back_further(tmp_path: Path) -> None:
    """After a rollback the older build runs: the next one leads before it, never forward to what was left."""
    made = history(tmp_path, deployment("b1"), deployment("b2"), deployment("b3"), deployment("b2", rollback=True))
    assert back(made) == "b1"
    made.add(deployment("b1", rollback=True))
    with pytest.raises(UsageError, match="no good deployment of chat on partykit"):
        back(made)


def test_only_the_same_place_counts(tmp_path: Path) -> None:
    """Another target, another name and a preview are other places."""
    made = history(
        tmp_path,
        deployment("b1", target="local"),
        deployment("b2", name="other"),
        deployment("b3", preview="pr-1"),
        deployment("b4"),
    )
    with pytest.raises(UsageError):
        back(made)
    made.add(deployment("b5", preview="pr-1"))
    assert made.to_go_back_to("partykit", "chat", "pr-1").build == "b3"


def test_kept_uploads_are_whole_and_the_oldest_go(tmp_path: Path) -> None:
    """Ten good ones stay however many there were."""
    made = History(tmp_path)
    for number in range(14):
        build = f"b{number:02}"
        made.keep_upload(build, {Path("party/server.ts"): build.encode(), Path("partykit.json"): b"{}"})
        os.utime(made.kept_upload(build), (number, number))
        made.add(deployment(build))
    made.keep_upload("b13", {Path("party/server.ts"): b"anew"})
    kept = sorted(path.name for path in made.kept_upload("b00").parent.iterdir())
    assert kept == [f"b{number:02}" for number in range(4, 14)]
    assert (made.kept_upload("b04") / "party" / "server.ts").read_bytes() == b"b04"
    assert [path.name for path in made.kept_upload("b13").rglob("*") if path.is_file()] == ["server.ts"]
