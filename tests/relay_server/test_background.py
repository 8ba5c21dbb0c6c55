"""The relay in the background: started once, found again, stopped, and never mistaken for another process."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from relay_server import background
from relay_server.background import BackgroundOptions, BackgroundRelay
from relay_server.errors import ChatopsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "the-secret-in-the-background"


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A free port, and a state folder of its own; what runs there is stopped afterwards."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number: int = listener.getsockname()[1]
    yield number
    background.stop(number, terminate_s=0)


def options(port: int, **more: object) -> BackgroundOptions:
    return BackgroundOptions(app=Path("/app"), build="build-1", port=port, **more)  # type: ignore[arg-type]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def record(port: int) -> Path:
    return background.state_folder() / f"relay-{port}.json"


def test_it_answers_with_its_build_is_found_again_and_is_gone_after_stop(port: int) -> None:
    relay = background.start(options(port))
    health = httpx.get(f"{relay.url}/health", trust_env=False).json()
    assert (health["build"], health["secret_configured"]) == ("build-1", False)
    assert background.find(port) == relay
    assert background.answers(relay)
    assert os.getsid(relay.pid) == relay.pid  # no terminal's
    assert background.stop(port) == relay
    assert not lives(relay.pid)
    assert background.find(port) is None
    assert background.stop(port) is None


def test_the_secret_is_in_a_private_file_and_nowhere_in_the_process_list_or_the_log(port: int) -> None:
    path = background.store_secret(port, SECRET)
    relay = background.start(options(port))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(record(port).stat().st_mode) == 0o600
    process = Path(f"/proc/{relay.pid}")
    assert SECRET.encode() not in (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    assert SECRET.encode() not in relay.log.read_bytes() + record(port).read_bytes()
    room = f"{relay.url}/parties/main/a-room"
    body = {"frames": [{"stream": "s", "seq": 0, "kind": "end"}]}
    for secret, status in ((SECRET, 200), ("wrong", 401)):
        answer = httpx.post(room, json=body, headers={"Authorization": f"Bearer {secret}"}, trust_env=False)
        assert answer.status_code == status


def test_a_secret_is_replaced_in_a_file_that_was_never_readable_for_others(port: int) -> None:
    old = os.umask(0)
    try:
        background.store_secret(port, "first")
        path = background.store_secret(port, "second")
    finally:
        os.umask(old)
    assert path.read_text() == "second\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.slow
def test_rooms_are_kept_over_a_restart(port: int) -> None:
    db = background.default_db(port)
    background.store_secret(port, SECRET)
    body = {"frames": [{"stream": "s", "seq": 0, "kind": "end"}]}
    relay = background.start(options(port, db=db))
    room = f"{relay.url}/parties/main/a-room"
    httpx.post(room, json=body, headers={"Authorization": f"Bearer {SECRET}"}, trust_env=False).raise_for_status()
    background.stop(port)
    background.start(options(port, db=db))
    assert [s["stream"] for s in httpx.get(room, trust_env=False).json()["streams"]] == ["s"]


def test_it_outlives_the_process_that_started_it(port: int) -> None:
    program = (
        "from pathlib import Path\n"
        "from relay_server.background import BackgroundOptions, start\n"
        f"print(start(BackgroundOptions(Path('/app'), 'build-1', {port})).pid)\n"
    )
    started = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    relay = background.find(port)
    assert relay is not None
    assert relay.pid == int(started.stdout)
    assert background.answers(relay)


def test_a_second_one_on_the_port_is_refused_and_the_first_goes_on(port: int) -> None:
    relay = background.start(options(port))
    with pytest.raises(UsageError) as caught:
        background.start(options(port))
    assert caught.value.code == "relay_running"
    assert background.find(port) == relay


def test_a_port_that_something_else_has_is_refused(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)), pytest.raises(UsageError) as caught:
        background.start(options(port))
    assert caught.value.code == "cannot_listen"
    assert not record(port).exists()


def test_a_relay_that_does_not_start_says_why_and_leaves_nothing(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_MAX_ROOM_FRAMES", "many")
    with pytest.raises(UsageError) as caught:
        background.start(options(port))
    assert "RELAY_MAX_ROOM_FRAMES is 'many'" in caught.value.message
    assert not record(port).exists()


def test_an_interrupt_while_it_starts_leaves_no_process_and_no_record(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[BackgroundRelay] = []

    def interrupted(relay: BackgroundRelay, _offset: int) -> None:
        started.append(relay)
        raise KeyboardInterrupt

    monkeypatch.setattr(background, "_wait_until_it_listens", interrupted)
    with pytest.raises(KeyboardInterrupt):
        background.start(options(port))
    assert not lives(started[0].pid)
    assert not record(port).exists()


@pytest.mark.slow
def test_one_that_was_killed_is_not_found_and_a_new_one_takes_its_place(port: int) -> None:
    first = background.start(options(port))
    os.kill(first.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while background.find(port) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert record(port).exists()
    assert background.start(options(port)).pid != first.pid


def test_another_process_with_the_same_number_is_left_alone(port: int) -> None:
    """The number of a dead relay was given anew: the record has an earlier beginning than that process."""
    relay = background.start(options(port))
    background.stop(port)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        state = json.loads(json.dumps(relay.as_json())) | {"port": port, "began": relay.began, "pid": other.pid}
        record(port).write_text(json.dumps(state))
        assert background.find(port) is None
        assert background.stop(port) is None
        assert other.poll() is None
        assert not record(port).exists()
        other.communicate(b"\n")


def test_one_that_does_not_hear_is_ended_by_force(port: int) -> None:
    relay = background.start(options(port))
    os.kill(relay.pid, signal.SIGSTOP)
    assert background.stop(port, terminate_s=0.05) == relay
    assert not lives(relay.pid)


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b'{"pid": "x"}'])
def test_a_damaged_record_is_that_of_nobody(port: int, data: bytes) -> None:
    record(port).parent.mkdir(parents=True)
    record(port).write_bytes(data)
    assert background.find(port) is None
    background.start(options(port))
    assert background.find(port) is not None


def test_who_starts_while_another_starts_is_told(port: int) -> None:
    with background._locked(port), pytest.raises(ChatopsError) as caught:
        background.start(options(port))
    assert caught.value.code == "relay_busy"


def test_the_beginning_of_a_process_is_known_without_proc_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_PROCESSES", Path("/nowhere"))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        began = background._began_by_ps(process.pid)
        assert began
        assert background._began_by_ps(process.pid) == began
        process.communicate(b"\n")
    assert background._began_by_ps(process.pid) is None


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1999"),
        ("0.0.0.0", "http://127.0.0.1:1999"),
        ("::", "http://[::1]:1999"),
        ("::1", "http://[::1]:1999"),
        ("relay.test", "http://relay.test:1999"),
    ],
)
def test_the_url_is_one_that_this_machine_can_connect_to(host: str, url: str) -> None:
    assert background._url(host, 1999) == url
