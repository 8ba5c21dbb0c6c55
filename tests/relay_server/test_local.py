"""A local relay lives as long as its block, and not longer than its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from relay_server.errors import Unreachable
from relay_server.local import local_relay


def lives(pid: int) -> bool:
    """Not gone, and not merely waiting for its new parent to notice that it is."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def ends_soon(pid: int) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not lives(pid):
            return True
        time.sleep(0.02)
    return False


def test_it_serves_relay_and_model_and_is_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends by itself when it is asked to, and Ctrl-C on the terminal does not reach it."""
    forced: list[object] = []
    monkeypatch.setattr(asyncio.subprocess.Process, "terminate", forced.append)

    async def test() -> None:
        async with local_relay() as relay, httpx.AsyncClient(trust_env=False) as http:
            health = (await http.get(f"{relay.url}/health")).json()
            assert health["ok"]
            assert health["secret_configured"]
            assert (await http.get(f"{relay.model_url}/models")).status_code == 200
            assert relay.secret not in repr(relay)
            assert relay.secret not in command_line(relay.pid)
            assert os.getsid(relay.pid) == relay.pid
        assert not lives(relay.pid)
        assert not forced

    asyncio.run(test())


def test_it_is_gone_after_an_error() -> None:
    async def test() -> int:
        async with local_relay() as relay:
            os.kill(relay.pid, signal.SIGKILL)
        return relay.pid

    assert not lives(asyncio.run(test()))


def test_one_that_does_not_end_by_itself_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process neither drains nor hears SIGTERM."""
    monkeypatch.setattr("relay_server.local._DRAIN_S", 0.05)
    monkeypatch.setattr("relay_server.local._TERMINATE_S", 0.05)

    async def test() -> int:
        async with local_relay() as relay:
            os.kill(relay.pid, signal.SIGSTOP)
        return relay.pid

    assert not lives(asyncio.run(test()))


def test_one_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_MAX_ROOM_FRAMES", "many")

    async def test() -> None:
        async with local_relay():
            pass

    with pytest.raises(Unreachable) as caught:
        asyncio.run(test())
    assert caught.value.code == "local_relay"
    assert "RELAY_MAX_ROOM_FRAMES is 'many'" in caught.value.message


def test_one_that_dies_without_a_word_of_json_shows_its_standard_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho 'no such module' >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))

    async def test() -> None:
        async with local_relay():
            pass

    with pytest.raises(Unreachable) as caught:
        asyncio.run(test())
    assert "no such module" in caught.value.message


def test_it_ends_when_its_parent_is_killed() -> None:
    program = (
        "import asyncio\n"
        "from relay_server.local import local_relay\n"
        "async def main():\n"
        "    async with local_relay() as relay:\n"
        "        print(relay.pid, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, encoding="utf-8") as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert lives(pid)
        parent.kill()
    assert ends_soon(pid)
