"""`chatops relay status` and `chatops relay stop`."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from relay_server import background
from relay_server.background import BackgroundOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.command import Chatops


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A free port that is the configured one, and a state folder of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number: int = listener.getsockname()[1]
    monkeypatch.setenv("RELAY_PORT", str(number))
    yield number
    background.stop(number, terminate_s=0)


def start(port: int) -> background.BackgroundRelay:
    return background.start(BackgroundOptions(app=Path("/app"), build="build-1", port=port))


def test_status_shows_one_that_runs(port: int, chatops: Chatops) -> None:
    relay = start(port)
    shown = chatops("relay", "status")
    assert shown.code == 0
    assert shown.lines[0].startswith(f"relay on {relay.url}, process {relay.pid}, build build-1, since ")
    assert shown.lines[1:] == ["for /app", f"log: {relay.log}"]
    assert chatops("relay", "status", "--json").json == {
        "ok": True,
        "running": True,
        "port": port,
        "pid": relay.pid,
        "url": relay.url,
        "build": "build-1",
        "app": "/app",
        "since": relay.since.isoformat(timespec="seconds"),
        "log": str(relay.log),
    }


def test_status_of_none_is_1_and_says_how_to_start_one(port: int, chatops: Chatops) -> None:
    shown = chatops("relay", "status", "--json")
    assert shown.code == 1
    assert shown.json["running"] is False
    assert shown.json["error"]["code"] == "relay_not_running"
    assert "chatops deploy --target local" in shown.json["error"]["next_step"]


def test_status_of_one_that_does_not_answer_is_3(port: int, chatops: Chatops, monkeypatch: pytest.MonkeyPatch) -> None:
    relay = start(port)
    real = background.answers
    monkeypatch.setattr(background, "answers", lambda relay: real(relay, 0.2))
    os.kill(relay.pid, signal.SIGSTOP)
    shown = chatops("relay", "status", "--json")
    assert (shown.code, shown.json["running"]) == (3, True)
    assert str(relay.pid) in shown.json["error"]["message"]


def test_stop_ends_it_and_a_second_stop_is_good_too(port: int, chatops: Chatops) -> None:
    relay = start(port)
    assert chatops("relay", "stop", "--port", str(port)).lines == [
        f"stopped the relay on {relay.url} (process {relay.pid})"
    ]
    assert background.find(port) is None
    again = chatops("relay", "stop", "--json")
    assert (again.code, again.json) == (0, {"ok": True, "stopped": False, "port": port})


def test_another_port_is_another_relay(port: int, chatops: Chatops) -> None:
    start(port)
    other = str(port - 1)
    assert chatops("relay", "status", "--port", other).code == 1
    assert chatops("relay", "stop", "--port", other).code == 0
    assert background.find(port) is not None
