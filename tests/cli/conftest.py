"""The command in this process: the console script without the start of an interpreter."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from cli import main
from tests.cli.command import Ended

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.command import Chatops


@pytest.fixture
def chatops(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Chatops:
    """`chatops(*arguments, **environment)`, run in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **environment: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["chatops", *arguments])
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        code = main.run()
        return Ended(code, *capsys.readouterr())

    return run
