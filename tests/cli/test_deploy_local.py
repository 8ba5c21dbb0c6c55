"""`chatops deploy --target local`, from the first one to `chatops relay stop`, and where its secret is kept."""

from __future__ import annotations

import re
import socket
import stat
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from relay_server import background
from tests.migrations.deploy.apps import files_of, make_app
from tests.process_watch import watched
from tests.servers import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.command import Chatops
    from tests.process_watch import Watch

pytestmark = pytest.mark.slow

ONE_PIECE = "the chat still answers in one piece: chatops mode streaming switches it over"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return make_app(tmp_path / "app")


@pytest.fixture(autouse=True)
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """No argument list shows the secret."""
    mark = f"mark-{uuid4().hex}"
    monkeypatch.setenv("MARK_OF_THE_TEST", mark)
    with watched(SECRET, mark=mark) as watch:
        yield watch


@pytest.fixture(autouse=True)
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watch: Watch) -> Iterator[int]:
    """A free port that is the configured one; what runs there is stopped."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number: int = listener.getsockname()[1]
    monkeypatch.setenv("RELAY_PORT", str(number))
    yield number
    background.stop(number, terminate_s=0)
    assert watch.wait_for_none() == []


def test_from_the_first_deployment_to_the_stop(app: Path, port: int, chatops: Chatops, watch: Watch) -> None:
    """The relay runs and is found, the app has it and its secret, and the next deployment takes its place."""
    first = chatops("deploy", "--app", str(app), "--target", "local")
    assert first.code == 0, first.stderr
    assert re.fullmatch(rf"local: http://127\.0\.0\.1:{port} \(build [\w-]+\)", first.stdout.strip())
    files = files_of(app)
    assert f"NEXT_PUBLIC_RELAY_HOST=127.0.0.1:{port}\n".encode() in files[".env"]
    secret = re.search(rb"^RELAY_SECRET=([0-9a-f]{64})$", files[".env"], re.MULTILINE)
    assert secret is not None
    assert secret[1].decode() not in first.stdout + first.stderr
    assert any("relay serve" in arguments for arguments in watch.own)
    assert not [arguments for arguments in watch.own if secret[1].decode() in arguments]
    assert f'url = "http://127.0.0.1:{port}"'.encode() in files["partyconfig.toml"]
    running = chatops("relay", "status", "--json").json
    assert running["app"] == str(app.resolve())
    second = chatops("deploy", "--app", str(app), "--target", "local", "--json").json
    assert second["steps"][0]["detail"].endswith(f"(build {running['build']}), which will be replaced")
    assert secret[0] in files_of(app)[".env"]
    listed = chatops("deploy", "--app", str(app), "--list", "--json").json["deployments"]
    assert [(each["build"], each["result"]) for each in listed] == [
        (second["build"], "good"),
        (running["build"], "good"),
    ]
    assert chatops("relay", "stop").code == 0
    assert chatops("relay", "status").code == 1


def test_a_file_that_is_made_for_the_secret_is_its_owners_alone(app: Path, chatops: Chatops) -> None:
    (app / ".env").unlink()
    ended = chatops("deploy", "--app", str(app), "--target", "local", "--json", RELAY_SECRET=SECRET)
    assert f"RELAY_SECRET={SECRET}\n" in (app / ".env.local").read_text()
    assert stat.S_IMODE((app / ".env.local").stat().st_mode) == 0o600
    assert ended.json["notes"] == [ONE_PIECE]


@pytest.mark.parametrize(
    ("mode", "notes"),
    [(0o644, ["every user of this machine can read the secret in .env: chmod 600 .env"]), (0o640, []), (0o600, [])],
)
def test_a_file_that_is_there_keeps_its_mode_and_who_can_read_it_is_told(
    app: Path, chatops: Chatops, mode: int, notes: list[str]
) -> None:
    (app / ".env").chmod(mode)
    ended = chatops("deploy", "--app", str(app), "--target", "local", "--json", RELAY_SECRET=SECRET)
    assert stat.S_IMODE((app / ".env").stat().st_mode) == mode
    assert ended.json["notes"] == [*notes, ONE_PIECE]


def test_an_app_that_streams_is_not_told_how_to(app: Path, chatops: Chatops) -> None:
    with (app / ".env").open("a") as env:
        env.write("NEXT_PUBLIC_CHAT_MODE=streaming\n")
    (app / ".env").chmod(0o600)
    ended = chatops("deploy", "--app", str(app), "--target", "local", "--json", RELAY_SECRET=SECRET)
    assert ended.json["notes"] == []


def test_production_is_not_sent_to_a_relay_on_this_machine(app: Path, port: int, chatops: Chatops) -> None:
    production = "NEXT_PUBLIC_RELAY_HOST=chat.team.partykit.dev\n"
    (app / ".env.production").write_text(production)
    ended = chatops("deploy", "--app", str(app), "--target", "local", "--json", RELAY_SECRET=SECRET)
    assert (app / ".env.production").read_text() == production
    assert f"NEXT_PUBLIC_RELAY_HOST=127.0.0.1:{port}\n" in (app / ".env").read_text()
    assert ".env.production keeps its relay: in production nobody can reach one on this machine" in ended.json["notes"]


def test_a_local_relay_is_nothing_for_vercel(app: Path, chatops: Chatops) -> None:
    ended = chatops("deploy", "--app", str(app), "--target", "local", "--vercel", RELAY_SECRET=SECRET)
    assert ended.code == 2
    assert "a deployment on Vercel cannot reach the target local" in ended.stderr
