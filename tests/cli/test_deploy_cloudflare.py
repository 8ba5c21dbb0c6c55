"""`chatops deploy` to one's own Cloudflare account as it is typed: in CI, and interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.migrations.deploy.apps import files_of
from tests.migrations.deploy.cloudflare_api import TOKEN, CloudflareApi, Fault
from tests.migrations.deploy.cloudflare_world import make_cloudflare_app, signed_in
from tests.process_watch import watched
from tests.servers import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.process_watch import Watch

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parent.parent.parent
PATIENCE_S = 60.0


@dataclass
class World:
    """`environment` is all that the command gets; `opened` is there when a browser was opened."""

    app: Path
    api: CloudflareApi
    environment: dict[str, str]
    temporary: Path
    opened: Path
    watch: Watch


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The app, the stand-in, and a watch: no argument list shows a secret, and nothing is left behind."""
    opened, mark = tmp_path / "opened", f"mark-{uuid4().hex}"
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("xdg-open", "open", "sensible-browser", "x-www-browser"):
        (programs / name).write_text(f"#!/bin/sh\necho {name} >> {opened}\n")
        (programs / name).chmod(0o755)
    with signed_in(tmp_path) as (api, environment), watched(SECRET, TOKEN, mark=mark) as watch:
        environment |= {
            "PATH": f"{programs}{os.pathsep}{environment['PATH']}",
            "RELAY_SECRET": SECRET,
            "MARK_OF_THE_TEST": mark,
            "CI": "true",
        }
        yield World(make_cloudflare_app(tmp_path / "app"), api, environment, tmp_path / "tmp", opened, watch)
        assert watch.wait_for_none() == [], "a process was left behind"
        assert list((tmp_path / "tmp").glob("chatops-*")) == [], "a temporary folder was left behind"
    assert not opened.exists(), "a browser was opened"


def start(world: World, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "cli", "deploy", "--app", str(world.app), *arguments],
        cwd=REPOSITORY,
        env=world.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )


def deploy(world: World, *arguments: str) -> tuple[int, str]:
    with start(world, *arguments) as process:
        stdout, stderr = process.communicate(timeout=100)
    said = stdout + stderr
    assert SECRET not in said
    assert TOKEN not in said
    assert "Traceback" not in said
    return process.returncode, said


@pytest.mark.parametrize(
    ("missing", "code", "message", "next_step"),
    [
        ("CLOUDFLARE_API_TOKEN", 4, "there is no sign-in for Cloudflare", "set CLOUDFLARE_API_TOKEN to a token"),
        ("RELAY_SECRET", 2, "one made now would be lost with this CI job", "set RELAY_SECRET"),
    ],
)
def test_in_ci_a_missing_credential_is_named_and_nothing_is_asked_or_opened(
    world: World, missing: str, code: int, message: str, next_step: str
) -> None:
    """No terminal, CI=true: it ends by itself, with the name of what is missing, and nothing was sent."""
    del world.environment[missing]
    before = files_of(world.app)
    ended, said = deploy(world)
    assert ended == code
    assert message in said
    assert f"next: {next_step}" in said
    assert "wrangler login" not in said
    assert not [line for line in world.api.requests if not line.startswith("GET")]
    assert files_of(world.app) == before


def test_in_ci_an_account_that_is_not_clear_is_named(world: World) -> None:
    world.api.accounts.append({"id": "f" * 32, "name": "Another"})
    del world.environment["CLOUDFLARE_ACCOUNT_ID"]
    ended, said = deploy(world)
    assert ended == 2
    assert "it is not clear which account of Cloudflare is meant" in said
    assert "next: set CLOUDFLARE_ACCOUNT_ID" in said


def _hangs(world: World, _: subprocess.Popen[str]) -> None:
    assert world.api.hanging.wait(PATIENCE_S)


def _builds(world: World, _: subprocess.Popen[str]) -> None:
    """Wrangler bundles, before anything is sent."""
    deadline = time.monotonic() + PATIENCE_S
    while not any("--dry-run" in arguments for arguments in list(world.watch.own)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _is_uploaded(_: World, process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    assert any(line.startswith("ok    upload") for line in process.stderr)


@pytest.mark.parametrize(
    ("fault", "wait", "recorded"),
    [
        (None, _builds, []),
        (Fault("GET", 0, hang=True), _hangs, []),
        (Fault("PUT", 0, hang=True), _hangs, ["interrupted"]),
        (None, _is_uploaded, ["interrupted"]),
    ],
    ids=["the build before", "the look at the sign-in", "upload", "live"],
)
def test_ctrl_c_leaves_no_process_and_nothing_half_written(
    world: World,
    fault: Fault | None,
    wait: Callable[[World, subprocess.Popen[str]], None],
    recorded: list[str],
) -> None:
    """The steps after those are the same for every target."""
    world.api.faults += [fault] if fault is not None else []
    before = files_of(world.app)
    with start(world, "--url", "http://127.0.0.1:9") as process:
        wait(world, process)
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert world.watch.wait_for_none() == []
    assert files_of(world.app) == before
    assert not list(world.app.glob(".wrangler/tmp/*"))
    history = world.app / ".chatops" / "deployments.json"
    assert [each["result"] for each in json.loads(history.read_bytes() if history.exists() else b"[]")] == recorded
