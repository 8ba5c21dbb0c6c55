"""Who PartyKit's CLI would sign in as, and what is missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from migrations.deploy.partykit_sign_in import find_sign_in
from relay_server.errors import Denied

if TYPE_CHECKING:
    from pathlib import Path

PARTYKIT = {"PARTYKIT_LOGIN": "team", "PARTYKIT_TOKEN": "pk-token"}
GITHUB = {"GITHUB_LOGIN": "octo", "GITHUB_TOKEN": "gh-token"}


def saved(home: Path, text: str) -> dict[str, str]:
    (home / ".partykit").mkdir()
    (home / ".partykit" / "config.json").write_text(text)
    return {"HOME": str(home)}


def test_the_environment_comes_before_what_was_saved_and_partykit_before_github(tmp_path: Path) -> None:
    """The order of the CLI's own source."""
    home = saved(tmp_path, json.dumps({"login": "me", "access_token": "saved-token", "type": "clerk"}))
    found = [find_sign_in({**home, **more}) for more in (PARTYKIT | GITHUB, GITHUB, {})]
    assert [(each.login, each.token) for each in found] == [
        ("team", "pk-token"), ("octo", "gh-token"), ("me", "saved-token"),
    ]  # fmt: skip
    assert not [each for each in found if each.token in repr(each)]


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "neither PARTYKIT_LOGIN and PARTYKIT_TOKEN nor a saved one"),
        ({"PARTYKIT_TOKEN": "x"}, "PARTYKIT_TOKEN is set and PARTYKIT_LOGIN is not"),
        ({"PARTYKIT_LOGIN": "x"}, "PARTYKIT_LOGIN is set and PARTYKIT_TOKEN is not"),
        ({"GITHUB_LOGIN": "x"}, "GITHUB_LOGIN is set and GITHUB_TOKEN is not"),
        ({"GITHUB_TOKEN": "x"}, "neither PARTYKIT_LOGIN and PARTYKIT_TOKEN nor a saved one"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, environment: dict[str, str], said: str) -> None:
    """GITHUB_TOKEN alone is there in every GitHub workflow and says nothing about PartyKit."""
    with pytest.raises(Denied, match=said):
        find_sign_in({"HOME": str(tmp_path), **environment})


@pytest.mark.parametrize(
    ("ci", "said"), [({}, "run `npx partykit login`, or set"), ({"CI": "true"}, "set PARTYKIT_LOGIN")]
)
def test_in_ci_nobody_is_told_to_log_in_by_hand(tmp_path: Path, ci: dict[str, str], said: str) -> None:
    with pytest.raises(Denied) as caught:
        find_sign_in({"HOME": str(tmp_path), **ci})
    assert caught.value.next_step.startswith(said)


@pytest.mark.parametrize("text", ["{", "[]", '{"login": "me"}', '"x"'])
def test_a_saved_sign_in_that_is_broken_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(Denied, match=r"config\.json cannot be read"):
        find_sign_in(saved(tmp_path, text))
