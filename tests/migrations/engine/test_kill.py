"""`kill -9` at every write: the next run leaves the whole before or the whole after, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]


def kill_every_write(work: Path, *arguments: str) -> tuple[int, int]:
    """Writes of the command and kills, as the process of its own counted them; its complaint fails the test."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.migrations.engine.kill_every_write", str(work), *arguments],
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    counted = re.fullmatch(r"(\d+) writes, (\d+) kills\n", ended.stdout)
    assert counted, ended.stdout
    return int(counted[1]), int(counted[2])


@pytest.mark.slow
@pytest.mark.parametrize("command", ["up", "down"])
def test_a_kill_at_every_write(in_memory: Path, command: str) -> None:
    """Before each and in the middle of each; every write is the disk's, so none is left out."""
    writes, kills = kill_every_write(in_memory, command)
    assert writes > 30
    assert kills == 2 * writes


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("command", ["up", "down"])
def test_a_kill_at_every_write_of_the_recovery_from_every_kill(in_memory: Path, command: str) -> None:
    writes, kills = kill_every_write(in_memory, command, "recover")
    assert kills > 10 * writes
