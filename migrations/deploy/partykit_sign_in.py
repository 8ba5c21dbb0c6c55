"""Who PartyKit's CLI would sign in as, found as it finds it (its source, `getUserConfig`), before it is run."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from relay_server.errors import Denied

if TYPE_CHECKING:
    from collections.abc import Mapping

_PAIRS = (("PARTYKIT_LOGIN", "PARTYKIT_TOKEN"), ("GITHUB_LOGIN", "GITHUB_TOKEN"))
_HOW = "set PARTYKIT_LOGIN and PARTYKIT_TOKEN (`npx partykit token generate` on your own machine makes them)"


@dataclass(frozen=True, slots=True)
class SignIn:
    """`source` says where it was found; `token` is shown nowhere."""

    login: str
    source: str
    token: str = field(repr=False)


def how_to_sign_in(environment: Mapping[str, str] = os.environ, again: str = "") -> str:
    """What to do; in CI nobody can log in by hand."""
    return _HOW if environment.get("CI") else f"run `npx partykit login`{again}, or {_HOW}"


def find_sign_in(environment: Mapping[str, str] = os.environ) -> SignIn:
    """The sign-in that the CLI will use. Raises Denied naming what is missing: left alone the CLI opens a browser."""
    for login, token in _PAIRS:
        if environment.get(login) and environment.get(token):
            return SignIn(environment[login], f"{login} and {token}", environment[token])
    saved = _saved(Path(environment.get("HOME") or Path.home()) / ".partykit" / "config.json")
    if saved is not None:
        return saved
    for there, missing in (_PAIRS[0], _PAIRS[0][::-1], _PAIRS[1]):
        if environment.get(there):
            raise Denied(
                f"{there} is set and {missing} is not: PartyKit's CLI needs both",
                next_step=f"set {missing} too",
                code="no_sign_in",
            )
    raise Denied(
        "there is no sign-in for PartyKit: neither PARTYKIT_LOGIN and PARTYKIT_TOKEN nor a saved one",
        next_step=how_to_sign_in(environment),
        code="no_sign_in",
    )


def _saved(path: Path) -> SignIn | None:
    try:
        saved = json.loads(path.read_bytes())
        return SignIn(str(saved["login"]), "the saved sign-in of `partykit login`", str(saved["access_token"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise Denied(
            f"PartyKit's saved sign-in {path} cannot be read",
            next_step=how_to_sign_in(again=" again"),
            code="no_sign_in",
        ) from None
