"""`chatops tail`: what it shows, where it starts, and how it ends."""

from __future__ import annotations

import json
import signal
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest

from tests.cli.command import start
from tests.servers import SECRET, start_relay

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.cli.command import Chatops
    from tests.servers import RunningRelay


def publish(relay: RunningRelay, room: str, *frames: dict[str, Any]) -> None:
    answer = httpx.post(
        f"{relay.url}/parties/main/{room}",
        json={"frames": list(frames)},
        headers={"Authorization": f"Bearer {SECRET}"},
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text


def frame(stream: str, seq: int, kind: str, *data: Any) -> dict[str, Any]:
    return {"stream": stream, "seq": seq, "kind": kind, **({"data": data[0]} if data else {})}


@pytest.fixture
def room() -> str:
    return f"room-{uuid4().hex}"


def stdout_of(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def stderr_of(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stderr is not None
    return process.stderr


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Ctrl-C; the exit code and what it said since."""
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    return process.returncode, stdout, stderr


def test_json_is_each_frame_as_the_protocol_has_it(bundled_relay: RunningRelay, room: str, tmp_path: Path) -> None:
    frames = [
        frame("a:1", 0, "start", {"model": "x"}),
        frame("a:1", 1, "data", "é\n"),
        frame("a:1", 2, "data"),
        frame("a:1", 3, "end", None),
    ]
    publish(bundled_relay, room, *frames)
    with start("tail", room, "--relay", bundled_relay.url, "--json", cwd=tmp_path) as process:
        lines = [stdout_of(process).readline() for _ in frames]
        code, rest, _ = end(process)
    assert [json.loads(line) for line in lines] == frames
    assert lines[2] == '{"stream":"a:1","seq":2,"kind":"data"}\n'
    assert (code, rest) == (0, "")


def test_live_frames_come_as_they_are_published(bundled_relay: RunningRelay, room: str, tmp_path: Path) -> None:
    with start("tail", room, "--relay", bundled_relay.url, "--json", cwd=tmp_path) as process:
        assert stderr_of(process).readline().startswith(f"connected to {room} (bundled, build ")
        for seq, kind in enumerate(["start", "data", "end"]):
            publish(bundled_relay, room, frame("a:1", seq, kind))
            assert json.loads(stdout_of(process).readline()) == frame("a:1", seq, kind)
        assert end(process)[0] == 0


def test_text_is_shown_as_text_and_cannot_steer_the_terminal(
    bundled_relay: RunningRelay, room: str, tmp_path: Path
) -> None:
    publish(
        bundled_relay,
        room,
        frame("a:1", 0, "start", {"model": "x"}),
        frame("a:1", 1, "data", "plain [b]é[/b]\n\x1b[31m"),
        frame("a:1", 2, "data", {"type": "text", "text": " of the app kit"}),
        frame("a:1", 3, "data", {"type": "function-call", "name": "light"}),
        frame("a:1", 4, "end"),
    )
    with start("tail", room, "--relay", bundled_relay.url, cwd=tmp_path) as process:
        lines = [stdout_of(process).readline().rstrip("\n") for _ in range(5)]
        end(process)
    assert lines == [
        'a:1      0  start  {"model":"x"}',
        "a:1      1  data   plain [b]é[/b]\\n\\x1b[31m",
        "a:1      2  data    of the app kit",
        'a:1      3  data   {"type":"function-call","name":"light"}',
        "a:1      4  end",
    ]


def test_from_skips_what_one_has(bundled_relay: RunningRelay, room: str, tmp_path: Path) -> None:
    publish(bundled_relay, room, *(frame(stream, seq, "data") for stream in ("a:1", "b:2", "c") for seq in range(3)))
    with start(
        *("tail", room, "--relay", bundled_relay.url, "--json"), *("--from", "a:1:2", "--from", "b:2:3"), cwd=tmp_path
    ) as process:
        lines = [json.loads(stdout_of(process).readline()) for _ in range(4)]
        assert end(process)[:2] == (0, "")
    assert [(line["stream"], line["seq"]) for line in lines] == [("a:1", 2), ("c", 0), ("c", 1), ("c", 2)]


def test_what_is_gone_is_told(bundled_relay: RunningRelay, room: str, tmp_path: Path) -> None:
    with start("tail", room, "--relay", bundled_relay.url, "--from", "old:3", cwd=tmp_path) as process:
        stderr_of(process).readline()
        assert stderr_of(process).readline() == "lost: old is no longer held, frames from 3 on are gone\n"
        end(process)


def test_a_closed_pipe_ends_it_at_once_and_quietly(bundled_relay: RunningRelay, room: str, tmp_path: Path) -> None:
    publish(bundled_relay, room, frame("a:1", 0, "start"))
    with start("tail", room, "--relay", bundled_relay.url, "--json", cwd=tmp_path) as process:
        stdout_of(process).readline()
        stdout_of(process).close()
        assert process.wait(30) == 0
        assert stderr_of(process).read().splitlines()[1:] == []


@pytest.mark.slow
def test_it_comes_back_after_the_relay_was_gone(room: str, tmp_path: Path) -> None:
    """The relay is killed and started again on its port; every frame comes once."""
    relay = start_relay("bundled", tmp_path / "relay")
    try:
        publish(relay, room, frame("a:1", 0, "start"))
        with start("tail", room, "--relay", relay.url, "--json", cwd=tmp_path) as process:
            stdout_of(process).readline()
            relay.kill()
            relay = start_relay("bundled", tmp_path / "relay", port=relay.port)
            publish(relay, room, frame("a:1", 1, "end"))
            assert json.loads(stdout_of(process).readline()) == frame("a:1", 1, "end")
            code, rest, stderr = end(process)
        assert (code, rest) == (0, "")
        connected, lost, *again = stderr.splitlines()
        assert connected.startswith("connected to ")
        assert "trying again in" in lost
        assert again[-1].startswith("connected to ")
    finally:
        relay.stop()


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["lobby"], 2, "no_relay"),
        (["lobby", "--relay", "http://127.0.0.1:1"], 3, "connection_refused"),
        (["not a room", "--relay", "http://127.0.0.1:1"], 2, "bad_room"),
        (["lobby", "--relay", "http://127.0.0.1:1", "--from", "a"], 2, "bad_cursor"),
    ],
)
def test_what_cannot_be_is_told(arguments: list[str], code: int, word: str, chatops: Chatops) -> None:
    ended = chatops("tail", *arguments, "--json")
    assert (ended.code, ended.json["error"]["code"]) == (code, word)
