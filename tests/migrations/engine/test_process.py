from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from migrations.engine.process import NotRun, cleaned, run

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
    with pytest.raises(NotRun, match=r"did not end within 0\.5 seconds"):
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


def test_no_credentials_and_no_escape_sequences_are_handed_on() -> None:
    text = "\x1b[31mGET https://me:hunter2@registry.example/x\x1b[0m\n//registry.example/:_authToken=abc password: abc"
    assert cleaned(text) == "GET https://***@registry.example/x\n//registry.example/:_authToken=*** password: ***"
