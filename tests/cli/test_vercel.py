"""Vercel's command line as it is used: values by stdin, faults with their reason and without the value."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cli.vercel import EnvVariable, check_vercel, instructions, set_variables
from relay_server.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOST = EnvVariable("NEXT_PUBLIC_RELAY_HOST", "relay.example.com")
SECRET = EnvVariable("RELAY_SECRET", "the-secret-value", secret=True)


@pytest.fixture
def vercel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a script in the place of Vercel's command line."""

    def put(script: str) -> None:
        (tmp_path / "vercel").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "vercel").chmod(0o755)

    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return put


def test_values_go_in_by_stdin(tmp_path: Path, vercel: Callable[[str], None]) -> None:
    vercel('echo "$*" >> asked; cat >> given')
    set_variables(tmp_path, [HOST, SECRET])
    assert (tmp_path / "asked").read_text() == (
        "env add NEXT_PUBLIC_RELAY_HOST production --force\nenv add RELAY_SECRET production --force --sensitive\n"
    )
    assert (tmp_path / "given").read_text() == "relay.example.comthe-secret-value"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("cat; echo >&2; exit 1", "failed: ***"),
        ("echo 'not linked' >&2; exit 1", "failed: not linked"),
        ("exit 3", "failed: exit code 3"),
    ],
)
def test_a_refusal_is_told_without_the_value(
    tmp_path: Path, vercel: Callable[[str], None], script: str, said: str
) -> None:
    vercel(script.replace("cat;", 'v="$(cat)"; echo "$v" >&2;'))
    with pytest.raises(CheckFailed) as caught:
        set_variables(tmp_path, [SECRET])
    assert caught.value.message == f"vercel env add RELAY_SECRET {said}"


def test_what_was_set_before_the_refusal_is_named(tmp_path: Path, vercel: Callable[[str], None]) -> None:
    vercel('[ "$3" = RELAY_SECRET ] && { echo no >&2; exit 1; }; exit 0')
    with pytest.raises(CheckFailed, match=r"no \(NEXT_PUBLIC_RELAY_HOST was set already\)$"):
        set_variables(tmp_path, [HOST, SECRET])


def test_a_value_that_is_not_known_masks_nothing(tmp_path: Path, vercel: Callable[[str], None]) -> None:
    vercel("echo refused >&2; exit 1")
    with pytest.raises(CheckFailed, match=r"failed: refused$"):
        set_variables(tmp_path, [EnvVariable("KEY", "")])


def test_without_it_that_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="not on PATH"):
        check_vercel()


def test_what_a_person_is_to_type_shows_no_secret() -> None:
    lines = instructions([HOST, SECRET])
    assert "relay.example.com" in lines[0]
    assert not [line for line in lines if SECRET.value in line]
