"""The mode in an app's env files."""

from __future__ import annotations

import pytest

from migrations.engine import AppView
from migrations.mode import current_mode, env_value, mode_changes


def view_of(**files: str) -> AppView:
    named = {path.replace("__", ".").replace("_", "."): text.encode() for path, text in files.items()}
    return AppView.of_files({"package.json": b"{}"} | named)


def after(view: AppView, mode: str, host: str = "") -> dict[str, str | None]:
    assert mode in ("streaming", "send-message")
    changes = mode_changes(view, "streaming" if mode == "streaming" else "send-message", host)
    return {change.path: change.after.decode() if change.after is not None else None for change in changes}


@pytest.mark.parametrize(
    ("files", "mode"),
    [
        ({}, "send-message"),
        ({"_env": "NEXT_PUBLIC_CHAT_MODE=streaming\n"}, "streaming"),
        ({"_env": "NEXT_PUBLIC_CHAT_MODE='streaming' # now\n"}, "streaming"),
        ({"_env": "# NEXT_PUBLIC_CHAT_MODE=streaming\n"}, "send-message"),
        ({"_env": "NEXT_PUBLIC_CHAT_MODE=Streaming\n"}, "send-message"),
        ({"_env": "NEXT_PUBLIC_CHAT_MODE=streaming\n", "_env_local": "NEXT_PUBLIC_CHAT_MODE=\n"}, "send-message"),
        ({"_env_local": "NEXT_PUBLIC_CHAT_MODE=streaming\n", "_env": "A=1\n"}, "streaming"),
    ],
)
def test_the_mode_is_the_one_that_the_hook_reads(files: dict[str, str], mode: str) -> None:
    assert current_mode(view_of(**files)) == mode


def test_a_mode_that_is_set_already_changes_nothing() -> None:
    assert after(view_of(_env="NEXT_PUBLIC_CHAT_MODE=streaming\n"), "streaming") == {}


@pytest.mark.parametrize(
    ("files", "changed"),
    [
        ({}, {".env.local": "NEXT_PUBLIC_CHAT_MODE=streaming\n"}),
        ({"_env": "A=1\n"}, {".env": "A=1\nNEXT_PUBLIC_CHAT_MODE=streaming\n"}),
        ({"_env": "A=1\n", "_env_local": "B=1\r\n"}, {".env.local": "B=1\r\nNEXT_PUBLIC_CHAT_MODE=streaming\r\n"}),
        (
            {"_env": 'NEXT_PUBLIC_CHAT_MODE="send-message" # for now\nA=1'},
            {".env": 'NEXT_PUBLIC_CHAT_MODE="streaming" # for now\nA=1'},
        ),
        (
            {"_env": "NEXT_PUBLIC_CHAT_MODE=send-message\n", "_env_production": "NEXT_PUBLIC_CHAT_MODE=x\n"},
            {
                ".env": "NEXT_PUBLIC_CHAT_MODE=streaming\n",
                ".env.production": "NEXT_PUBLIC_CHAT_MODE=streaming\n",
            },
        ),
    ],
)
def test_the_mode_is_written_where_it_counts(files: dict[str, str], changed: dict[str, str]) -> None:
    view = view_of(**files)
    assert after(view, "streaming") == changed
    now = view.with_changes({path: text.encode() for path, text in changed.items()})
    assert current_mode(now) == "streaming"
    assert after(now, "streaming") == {}
    assert current_mode(now.with_changes({p: t.encode() for p, t in after(now, "send-message").items() if t})) == (
        "send-message"
    )


def test_the_relays_host_is_written_beside_it() -> None:
    changed = after(view_of(_env="NEXT_PUBLIC_RELAY_HOST=\n"), "streaming", "relay.example.com")
    assert changed == {".env": "NEXT_PUBLIC_RELAY_HOST=relay.example.com\nNEXT_PUBLIC_CHAT_MODE=streaming\n"}


@pytest.mark.parametrize(
    ("host", "files"),
    [
        ("relay.example.com", {".env.local", ".env.production"}),
        ("127.0.0.1:1999", {".env.local"}),
        ("localhost:1999", {".env.local"}),
    ],
)
def test_production_is_not_sent_to_a_relay_on_this_machine(host: str, files: set[str]) -> None:
    set_in = "NEXT_PUBLIC_RELAY_HOST=old.example.com\nNEXT_PUBLIC_CHAT_MODE=streaming\n"
    assert set(after(view_of(_env_local=set_in, _env_production=set_in), "streaming", host)) == files


def test_a_relay_on_this_machine_gets_a_home_where_only_production_has_one() -> None:
    changed = after(view_of(_env_production="NEXT_PUBLIC_RELAY_HOST=a.example.com\n"), "streaming", "127.0.0.1:1999")
    assert changed == {".env.local": "NEXT_PUBLIC_CHAT_MODE=streaming\nNEXT_PUBLIC_RELAY_HOST=127.0.0.1:1999\n"}


def test_an_empty_value_is_no_value() -> None:
    view = view_of(_env="RELAY_SECRET=abc\n", _env_local="RELAY_SECRET=\n")
    assert env_value(view, "RELAY_SECRET") == "abc"
    assert env_value(view, "NOTHING") == ""
