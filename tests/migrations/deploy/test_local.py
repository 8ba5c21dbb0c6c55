"""Target local: the bundled relay in the background, its secret in a private file."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from migrations.deploy.history import Deployment
from migrations.deploy.live import Pace, probe, small_stream_test, wait_for_build
from migrations.deploy.local import LocalTarget
from migrations.deploy.pipeline import STEPS, DeploySettings, Pointed, deploy
from migrations.deploy.target import Request
from relay_server import background
from relay_server.background import BackgroundOptions
from relay_server.errors import UsageError
from tests.process_watch import watched
from tests.servers import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalTarget]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    yield LocalTarget(port=port)
    background.stop(port, terminate_s=0)


def request_for(app: Path, build: str = "build-1", **more: str) -> Request:
    return Request(app=app, name="chat", build=build, secret=SECRET, **more)  # type: ignore[arg-type]


def quiet(_line: str) -> None:
    pass


@pytest.mark.slow
def test_what_is_deployed_is_live_and_streams(tmp_path: Path, target: LocalTarget) -> None:
    request = request_for(tmp_path)
    assert target.preflight(request, quiet) == f"port {target.port} is free"
    target.store_secret(request, quiet)
    uploaded = target.upload(request, quiet)
    assert not target.remote
    wait_for_build(uploaded.url, "build-1", 5, quiet)
    assert probe(uploaded.url, SECRET, quiet).server == "bundled"
    assert small_stream_test(uploaded.url, SECRET, quiet).ok


@pytest.mark.slow
def test_the_whole_deployment_points_the_app_at_it_last(tmp_path: Path, target: LocalTarget) -> None:
    pointed: list[tuple[str, bool]] = []

    def point(url: str) -> Pointed:
        relay = background.find(target.port)
        pointed.append((url, relay is not None and background.answers(relay)))
        return Pointed("done")

    report = deploy(target, request_for(tmp_path), DeploySettings(pace=Pace(0.05, 0.2)), point=point)
    assert report.url == f"http://127.0.0.1:{target.port}"
    assert pointed == [(report.url, True)]


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_ctrl_c_in_any_step_leaves_no_relay_and_no_record_of_one(
    tmp_path: Path, target: LocalTarget, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal comes when the step begins; nothing of this deployment runs afterwards."""
    mark = f"mark-{uuid4().hex}"
    monkeypatch.setenv("MARK_OF_THE_TEST", mark)

    def tell(text: str) -> None:
        if text == STEPS[step]:
            os.kill(os.getpid(), signal.SIGINT)

    with watched(SECRET, mark=mark) as watch:
        with pytest.raises(KeyboardInterrupt):
            deploy(target, request_for(tmp_path), DeploySettings(), point=lambda _url: Pointed("pointed"), tell=tell)
        assert watch.wait_for_none() == []
    assert bool(watch.own) is (step not in ("preflight", "secret", "build", "upload"))
    assert background.find(target.port) is None
    left = [path.name for path in background.state_folder().glob("*")]
    assert not [name for name in left if name.startswith(".") or name.endswith(".json")]


@pytest.mark.slow
def test_ctrl_c_before_the_relay_is_replaced_leaves_the_one_of_before(tmp_path: Path, target: LocalTarget) -> None:
    before = background.start(BackgroundOptions(app=tmp_path.resolve(), build="before", port=target.port))

    def tell(text: str) -> None:
        if text == STEPS["upload"]:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        deploy(target, request_for(tmp_path), DeploySettings(), point="not at all", tell=tell)
    assert background.find(target.port) == before


def test_the_next_deployment_takes_the_place_of_the_one_before(tmp_path: Path, target: LocalTarget) -> None:
    first = request_for(tmp_path)
    target.store_secret(first, quiet)
    target.upload(first, quiet)
    before = background.find(target.port)
    second = request_for(tmp_path, "build-2")
    assert "build build-1), which will be replaced" in target.preflight(second, quiet)
    uploaded = target.upload(second, quiet)
    wait_for_build(uploaded.url, "build-2", 5, quiet)
    after = background.find(target.port)
    assert before is not None
    assert after is not None
    assert before.pid != after.pid


def test_the_relay_of_another_app_is_not_replaced(tmp_path: Path, target: LocalTarget) -> None:
    other = BackgroundOptions(app=tmp_path / "other", build="theirs", port=target.port)
    relay = background.start(other)
    for step in (target.preflight, target.upload):
        with pytest.raises(UsageError) as caught:
            step(request_for(tmp_path), quiet)
        assert caught.value.code == "relay_running"
    assert background.find(target.port) == relay


def test_the_secret_of_another_apps_relay_is_not_written_over(tmp_path: Path, target: LocalTarget) -> None:
    background.store_secret(target.port, "theirs")
    background.start(BackgroundOptions(app=tmp_path / "other", build="theirs", port=target.port))
    with pytest.raises(UsageError):
        target.store_secret(request_for(tmp_path), quiet)
    assert background.secret_file(target.port).read_text() == "theirs\n"


@pytest.mark.parametrize(("flag", "more"), [("--preview", {"preview": "x"}), ("--domain", {"domain": "x.org"})])
def test_what_it_does_not_know_is_refused_before_anything_is_done(
    tmp_path: Path, target: LocalTarget, flag: str, more: dict[str, str]
) -> None:
    with pytest.raises(UsageError, match=flag):
        target.preflight(request_for(tmp_path, **more), quiet)


def test_a_port_that_is_taken_is_found_before_anything_is_done(tmp_path: Path, target: LocalTarget) -> None:
    with socket.create_server(("127.0.0.1", target.port)), pytest.raises(UsageError, match="cannot listen"):
        target.preflight(request_for(tmp_path), quiet)


def test_a_dry_run_writes_nothing_and_shows_no_secret(tmp_path: Path, target: LocalTarget) -> None:
    lines = target.dry_run(request_for(tmp_path))
    assert not [line for line in lines if SECRET in line]
    assert not background.state_folder().exists()


def test_there_is_no_way_back(tmp_path: Path, target: LocalTarget) -> None:
    with pytest.raises(UsageError, match="not kept"):
        target.way_back(tmp_path, "chat", "")
    with pytest.raises(UsageError, match="not kept"):
        target.rollback(request_for(tmp_path), Deployment("b", "local", "chat", "", "good"), quiet)
