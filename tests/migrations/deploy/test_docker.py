"""Target docker: the files are right, run what they say, and never take the place of somebody else's."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from cli import __version__
from migrations.deploy.docker import DockerTarget
from migrations.deploy.docker_files import files, is_ours, marked, was_ours
from migrations.deploy.docker_wheel import is_wheel, make_wheel
from migrations.deploy.history import Deployment
from migrations.deploy.pipeline import DeploySettings
from migrations.deploy.pipeline import deploy as run_pipeline
from migrations.deploy.target import Request
from relay_server.errors import UsageError
from tests.servers import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable

WHEEL = f"chatops_partykit-{__version__}-py3-none-any.whl"
NAMES = {".dockerignore", ".gitignore", "Dockerfile", "chatops-relay.service", "compose.yaml", "relay.env.example"}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "package.json").write_text('{"name": "chat"}\n')
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder


def request_for(app: Path, build: str = "build-1", **more: str) -> Request:
    return Request(**{"app": app, "name": "chat", "build": build, "secret": SECRET, **more})  # type: ignore[arg-type]


def quiet(_line: str) -> None:
    pass


def deploy(app: Path, build: str = "build-1") -> str:
    target, request = DockerTarget(), request_for(app, build)
    target.preflight(request, quiet)
    target.store_secret(request, quiet)
    uploaded = target.upload(request, quiet)
    assert uploaded.url == ""  # nothing runs
    return uploaded.detail


def written(app: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (app / "relay").iterdir()}


def test_it_writes_its_files_and_says_how_to_start(app: Path) -> None:
    report = run_pipeline(DockerTarget(), request_for(app), DeploySettings(), point="nothing runs")
    assert report.notes[0].startswith("when it runs: give the app the RELAY_SECRET of relay/relay.env")
    detail = report.steps[3].detail
    assert set(written(app)) == NAMES | {WHEEL, "relay.env"}
    assert detail.endswith("docker compose --file relay/compose.yaml up --build --detach")


def test_the_compose_file_is_yaml_that_builds_checks_and_keeps(app: Path) -> None:
    deploy(app)
    compose: dict[str, Any] = yaml.safe_load((app / "relay" / "compose.yaml").read_text())
    relay = compose["services"]["relay"]
    assert (app / "relay" / relay["build"] / "Dockerfile").is_file()
    assert (app / "relay" / relay["env_file"]).is_file()
    (volume,) = relay["volumes"]
    name, place = volume.split(":")
    assert name in compose["volumes"]
    environment = dockerfile(app)["ENV"]
    assert environment["RELAY_DB"].startswith(f"{place}/")
    assert relay["ports"] == [f"127.0.0.1:{environment['RELAY_PORT']}:{environment['RELAY_PORT']}"]
    assert "environment" not in relay


def test_the_secret_is_in_one_private_file_that_git_ignores_and_the_image_does_not_get(app: Path) -> None:
    deploy(app)
    path = app / "relay" / "relay.env"
    assert path.read_text() == f"RELAY_BUILD=build-1\nRELAY_SECRET={SECRET}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    holders = [p for p in app.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]
    assert holders == [path]  # and not in chatops' journal either
    ignored = subprocess.run(["git", "check-ignore", "relay/relay.env"], cwd=app, capture_output=True, check=False)
    assert ignored.returncode == 0
    context = [line for line in (app / "relay" / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert context == ["*", "!chatops_partykit-*.whl"]


def test_the_next_deployment_changes_the_build_alone_and_keeps_what_was_added_to_the_env_file(app: Path) -> None:
    deploy(app)
    before = written(app)
    path = app / "relay" / "relay.env"
    path.write_text(path.read_text() + "RELAY_MAX_ROOM_FRAMES=9\n")
    assert DockerTarget().preflight(request_for(app, "build-2"), quiet) == "relay/ is up to date"
    deploy(app, "build-2")
    assert path.read_text() == f"RELAY_BUILD=build-2\nRELAY_SECRET={SECRET}\nRELAY_MAX_ROOM_FRAMES=9\n"
    assert {name: data for name, data in written(app).items() if name != "relay.env"} == {
        name: data for name, data in before.items() if name != "relay.env"
    }


def test_a_file_that_somebody_edited_is_left_and_told(app: Path) -> None:
    deploy(app)
    compose = app / "relay" / "compose.yaml"
    compose.write_text(compose.read_text().replace("unless-stopped", "always"))
    mine = compose.read_text()
    assert "relay/compose.yaml left as you edited it" in deploy(app, "build-2")
    assert compose.read_text() == mine


def test_a_file_of_an_older_chatops_is_replaced_and_its_wheel_removed(app: Path) -> None:
    (app / "relay").mkdir()
    (app / "relay" / "Dockerfile").write_bytes(marked("FROM python:3.11-slim\n"))
    (app / "relay" / "chatops_partykit-0.0.1-py3-none-any.whl").write_bytes(b"old")
    deploy(app)
    assert b"3.11-slim" not in written(app)["Dockerfile"]
    assert [name for name in written(app) if name.endswith(".whl")] == [WHEEL]


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_file_of_somebody_elses_is_never_written_over(app: Path, name: str) -> None:
    (app / "relay").mkdir()
    (app / "relay" / name).write_text("theirs\n")
    for step in (DockerTarget().preflight, DockerTarget().store_secret, DockerTarget().upload):
        with pytest.raises(UsageError) as caught:
            step(request_for(app), quiet)
        assert caught.value.code == "foreign_file"
    assert written(app) == {name: b"theirs\n"}


def test_an_env_file_that_git_has_is_refused_before_the_secret_is_in_it(app: Path) -> None:
    (app / "relay").mkdir()
    (app / "relay" / "relay.env").write_text("A=1\n")
    subprocess.run(["git", "add", "relay/relay.env"], cwd=app, check=True)
    for step in (DockerTarget().preflight, DockerTarget().store_secret):
        with pytest.raises(UsageError) as caught:
            step(request_for(app), quiet)
        assert caught.value.code == "secret_in_git"
    assert (app / "relay" / "relay.env").read_text() == "A=1\n"


def test_an_ignore_file_that_was_emptied_is_refused(app: Path) -> None:
    deploy(app)
    ignore = app / "relay" / ".gitignore"
    ignore.write_text(ignore.read_text().replace("relay.env\n", ""))
    with pytest.raises(UsageError) as caught:
        DockerTarget().store_secret(request_for(app), quiet)
    assert caught.value.code == "not_ignored"


@pytest.mark.parametrize("secret", ["a b", "a'b", 'a"b', "a$b", "a#b", "a\\b", "ä"])
def test_a_secret_that_is_not_read_alike_everywhere_is_refused(app: Path, secret: str) -> None:
    for step in (DockerTarget().preflight, DockerTarget().store_secret):
        with pytest.raises(UsageError) as caught:
            step(request_for(app, secret=secret), quiet)
        assert caught.value.code == "bad_secret"
        assert secret not in caught.value.message


def test_a_dry_run_writes_nothing_and_shows_no_secret(app: Path) -> None:
    lines = DockerTarget().dry_run(request_for(app))
    assert not (app / "relay").exists()
    assert not [line for line in lines if SECRET in line]
    assert f"write relay/{WHEEL}" in lines


@pytest.mark.parametrize(("flag", "more"), [("--preview", {"preview": "x"}), ("--domain", {"domain": "x.org"})])
def test_what_it_does_not_know_is_refused(app: Path, flag: str, more: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=flag):
        DockerTarget().preflight(request_for(app, **more), quiet)


def test_there_is_no_way_back(app: Path) -> None:
    with pytest.raises(UsageError, match="runs nothing"):
        DockerTarget().way_back(app, "chat", "")
    with pytest.raises(UsageError, match="runs nothing"):
        DockerTarget().rollback(request_for(app), Deployment("b", "docker", "chat", "", "good"), quiet)


@pytest.mark.parametrize("change", [lambda data: data, lambda data: data.replace(b"\n", b"\r\n")])
def test_a_file_is_known_by_its_checksum_whatever_git_did_to_its_line_ends(change: Callable[[bytes], bytes]) -> None:
    for data in files(__version__).values():
        assert is_ours(change(data))
        assert not was_ours(change(data))
        assert was_ours(change(data + b"x\n"))


def test_the_wheel_is_the_same_each_time_and_holds_what_runs() -> None:
    name, data = make_wheel()
    assert (name, data) == make_wheel()
    assert is_wheel(name)
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert {"cli/main.py", "relay_server/bundled/server.py", "migrations/catalogue.py"} <= set(names)
    assert not [name for name in names if "node_modules" in name or "/tests/" in name or name.endswith(".pyc")]


@pytest.mark.parametrize("step", ["secret", "upload"])
def test_ctrl_c_leaves_nothing_half_written(app: Path, step: str) -> None:
    """The signal comes when a file is about to be written; the next run makes all of them."""

    def tell(text: str) -> None:
        if text == {"secret": "writing relay/relay.env", "upload": "writing relay/"}[step]:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_pipeline(DockerTarget(), request_for(app), DeploySettings(), point="nothing runs", tell=tell)
    assert set(written(app)) <= {".gitignore", "relay.env"}
    assert not list((app / ".chatops").glob("staging/*"))
    deploy(app, "build-2")
    assert set(written(app)) == NAMES | {WHEEL, "relay.env"}


def dockerfile(app: Path) -> dict[str, Any]:
    """The instructions that say what runs: ENV as a mapping, CMD and HEALTHCHECK as lists."""
    text = (app / "relay" / "Dockerfile").read_text().replace("\\\n", "")
    environment = re.search(r"^ENV (.+)$", text, re.MULTILINE)
    command = re.search(r"^CMD (.+)$", text, re.MULTILINE)
    check = re.search(r"^HEALTHCHECK .*CMD (.+)$", text, re.MULTILINE)
    assert environment
    assert command
    assert check
    return {
        "ENV": dict(pair.split("=", 1) for pair in environment[1].split()),
        "CMD": json.loads(command[1]),
        "HEALTHCHECK": json.loads(check[1]),
    }


@pytest.mark.slow
def test_what_the_image_runs_serves_and_its_health_check_sees_it(app: Path, tmp_path: Path) -> None:
    """The wheel, installed as pip does, started by the image's own words with the env file; no Docker is needed."""
    deploy(app)
    site, data = tmp_path / "site", tmp_path / "data"
    data.mkdir()
    install = ("install", "--quiet", "--no-deps", "--no-index", "--no-compile", "--target", str(site))
    subprocess.run([sys.executable, "-m", "pip", *install, str(app / "relay" / WHEEL)], check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    image = dockerfile(app)
    env_file = dict(line.split("=", 1) for line in (app / "relay" / "relay.env").read_text().splitlines())
    environment = {
        **image["ENV"], **env_file, "RELAY_HOST": "127.0.0.1", "RELAY_PORT": str(port),
        "RELAY_DB": image["ENV"]["RELAY_DB"].replace("/data", str(data)), "PYTHONPATH": str(site),
        "PATH": f"{site / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip

    def healthy() -> bool:
        return subprocess.run(image["HEALTHCHECK"], env=environment, capture_output=True, check=False).returncode == 0

    assert not healthy()
    command = [str(site / "bin" / image["CMD"][0]), *image["CMD"][1:]]
    with subprocess.Popen(
        command, cwd=data, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as relay:
        try:
            deadline = time.monotonic() + 20
            while not healthy():
                assert relay.poll() is None, relay.stdout.read() if relay.stdout else ""
                assert time.monotonic() < deadline
            health = httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).json()
        finally:
            relay.terminate()
        assert relay.wait(10) == 0
    assert (health["build"], health["secret_configured"]) == ("build-1", True)
    assert (data / "relay.sqlite").is_file()


@pytest.mark.slow
def test_systemd_takes_the_unit(app: Path, tmp_path: Path) -> None:
    """By systemd's own reader where it is there; else by the rules of its files that matter here."""
    deploy(app)
    unit = app / "relay" / "chatops-relay.service"
    analyze = shutil.which("systemd-analyze")
    if analyze is not None:
        here = tmp_path / "chatops-relay.service"
        here.write_text(unit.read_text().replace("/opt/chatops/bin/chatops", sys.executable))
        said = subprocess.run([analyze, "verify", str(here)], capture_output=True, text=True, check=False)
        assert "chatops-relay.service:" not in said.stderr, said.stderr
    sections: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        if line.startswith("["):
            sections[line] = []
        elif line and not line.startswith("#"):
            list(sections.values())[-1].append(line)
    assert list(sections) == ["[Unit]", "[Service]", "[Install]"]
    assert all(re.match(r"[A-Z]\w+=", line) for lines in sections.values() for line in lines)
    assert "EnvironmentFile=/etc/chatops/relay.env" in sections["[Service]"]
    assert SECRET not in unit.read_text()
