"""Where the relay's address and its secret come from, and what of them is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli.config import Config, load_config
from cli.relay_access import find_relay_secret, relay_secret, relay_url, secret_for
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

NOTHING: dict[str, str] = {}
RELAY = "https://relay.example.com"


def test_the_relay_is_the_one_given_else_the_one_configured(tmp_path: Path) -> None:
    configured = load_config(tmp_path, {"CHATOPS_RELAY_URL": "http://configured"})
    assert relay_url(configured, "http://given") == "http://given"
    assert relay_url(configured) == "http://configured"
    with pytest.raises(UsageError, match="no relay is configured"):
        relay_url(Config())


def test_the_secret_comes_from_the_flag_then_the_variable_then_the_file(tmp_path: Path) -> None:
    (tmp_path / "flag").write_text("of the flag\n")
    (tmp_path / "configured").write_text("  of the file \n")
    (tmp_path / "partyconfig.toml").write_text('[relay]\nsecret_file = "configured"\n')
    loaded, variable = load_config(tmp_path, NOTHING), {"RELAY_SECRET": " of the variable "}
    assert relay_secret(RELAY, loaded, tmp_path, tmp_path / "flag", variable) == "of the flag"
    assert relay_secret(RELAY, loaded, tmp_path, None, variable) == "of the variable"
    assert relay_secret(RELAY, loaded, tmp_path, None, NOTHING) == "of the file"
    assert find_relay_secret(Config(), None, {"RELAY_SECRET": " "}) is None


def test_the_apps_own_secret_is_for_the_apps_own_relay(tmp_path: Path) -> None:
    """By its env files' host, or by the configuration; no other relay gets to see it, and what is set goes before."""
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / ".env").write_text("RELAY_SECRET=of the app\nNEXT_PUBLIC_RELAY_HOST=relay.example.com\n")
    configured = load_config(tmp_path, {"CHATOPS_RELAY_URL": "http://127.0.0.1:1999"})
    assert secret_for(RELAY, Config(), tmp_path, None, NOTHING) == "of the app"
    assert secret_for("http://127.0.0.1:1999/", configured, tmp_path, None, NOTHING) == "of the app"
    assert secret_for("http://127.0.0.1:1999", Config(), tmp_path, None, NOTHING) is None
    assert secret_for("https://other.example.com", configured, tmp_path, None, NOTHING) is None
    assert secret_for(RELAY, Config(), tmp_path, None, {"RELAY_SECRET": "set"}) == "set"
    (tmp_path / "package.json").unlink()
    assert secret_for(RELAY, Config(), tmp_path, None, NOTHING) is None


def test_no_secret_is_told_where_one_is_needed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no relay secret") as caught:
        relay_secret(RELAY, Config(), tmp_path, None, NOTHING)
    assert "RELAY_SECRET" in caught.value.next_step


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b" \n", "is empty"),
        (b"hunter2\nhunter3", "holds a line break or another character that an HTTP header cannot carry"),
        (b"hunter\xff", "is not UTF-8"),
    ],
)
def test_a_secret_that_cannot_be_used_is_told_and_not_shown(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        relay_secret(RELAY, Config(), tmp_path, path, NOTHING)
    assert "hunter" not in caught.value.message + caught.value.next_step
