from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from relay_server.process import NotRun, TookTooLong, cleaned, run

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = sys.executable


def test_output_code_and_input(tmp_path: Path) -> None:
    code = "import sys, os; print(os.getcwd(), sys.stdin.read(), os.environ['A'], 'B' in os.environ); sys.exit(3)"
    ended = run([PYTHON, "-c", code], tmp_path, seconds=20, stdin=b"in", environment={"A": "1", "B": None})
    assert (ended.code, ended.stdout) == (3, f"{tmp_path} in 1 False\n".encode())


def test_without_input_nothing_is_waited_for(tmp_path: Path) -> None:
    assert run([PYTHON, "-c", "print(input())"], tmp_path, seconds=20).code == 1


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotRun, match=r"^no-such-program is not on the PATH$"):
        run(["no-such-program"], tmp_path, seconds=1)
    (tmp_path / "text").write_text("no program")
    with pytest.raises(NotRun, match=r"^text cannot be started: Permission denied$"):
        run([tmp_path / "text"], tmp_path, seconds=1)


def test_whatever_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    script = "sleep 60 & echo $! > pid.new; mv pid.new pid; sleep 60"
    with pytest.raises(TookTooLong, match=r"did not end within 0\.5 seconds"):
        run(["sh", "-c", script], tmp_path, seconds=0.5)
    child = int((tmp_path / "pid").read_text())
    for _ in range(200):
        try:
            with open(f"/proc/{child}/stat") as file:  # noqa: PTH123
                if file.read().split()[2] == "Z":
                    return
            os.kill(child, 0)
        except (ProcessLookupError, FileNotFoundError):
            return
        time.sleep(0.01)
    pytest.fail("the child of the program lives on")


def test_an_interruption_in_the_moment_of_the_start_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C when the program runs and nobody has it in hand yet."""
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def interrupted(*arguments: object, **more: object) -> subprocess.Popen[bytes]:
        started.append(real(*arguments, **more))  # type: ignore[call-overload]
        os.kill(os.getpid(), signal.SIGINT)
        return started[0]

    monkeypatch.setattr("relay_server.process.subprocess.Popen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(["sleep", "60"], tmp_path, seconds=60)
    assert started[0].returncode == -signal.SIGKILL


@pytest.mark.slow
def test_what_left_the_group_and_holds_the_pipes_is_not_waited_for(tmp_path: Path) -> None:
    script = "setsid sh -c 'echo $$ > left.new; mv left.new left; exec sleep 60' & sleep 60"
    began = time.monotonic()
    with pytest.raises(TookTooLong):
        run(["sh", "-c", script], tmp_path, seconds=1)
    assert time.monotonic() - began < 30
    os.kill(int((tmp_path / "left").read_text()), signal.SIGKILL)


def test_what_is_ignored_stays_ignored_for_the_program(tmp_path: Path) -> None:
    """A program that `nohup` started goes on, and so does what it starts."""
    code = "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run([PYTHON, "-c", code], tmp_path, seconds=20).stdout == b"True\n"
    finally:
        signal.signal(signal.SIGHUP, before)


def test_it_runs_in_another_thread_too(tmp_path: Path) -> None:
    """Only the main thread may change what a signal does."""
    ended: list[int] = []
    thread = threading.Thread(target=lambda: ended.append(run(["true"], tmp_path, seconds=20).code))
    thread.start()
    thread.join()
    assert ended == [0]


def test_no_credentials_and_no_escape_sequences_are_handed_on() -> None:
    text = "\x1b[31mGET https://me:hunter2@registry.example/x\x1b[0m\n//registry.example/:_authToken=abc password: abc"
    assert cleaned(text) == "GET https://***@registry.example/x\n//registry.example/:_authToken=*** password: ***"
