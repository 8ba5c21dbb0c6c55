"""The checks of the app's env files."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from migrations.doctor.env import (
    check_env,
    check_example,
    check_git_sees,
    check_host,
    check_ignored,
    check_mode_key,
    check_permissions,
    check_public,
    check_quoting,
    check_secret,
    check_values,
    oddity,
)
from relay_server.errors import UsageError
from tests.migrations.doctor.situations import mended, on_disk, situation

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "5f0c-the-secret-of-this-test"
STREAMING = "NEXT_PUBLIC_CHAT_MODE=streaming\n"
HOST = "NEXT_PUBLIC_RELAY_HOST=relay.example.com\n"


def env(text: str, **others: str) -> dict[str, str | None]:
    """`.env` with this text; `local` is .env.local, `production_local` .env.production.local."""
    return {".env": text, **{f".env.{name.replace('_', '.')}": other for name, other in others.items()}}


# --- mode, host, secret


def test_the_mode_is_one_of_two() -> None:
    found = check_mode_key(situation(env(STREAMING)))
    assert (found.ok, found.detail) == (True, "streaming (.env)")
    assert check_mode_key(situation()).ok is None
    wrong = check_mode_key(situation(env("NEXT_PUBLIC_CHAT_MODE=Streaming\n")))
    assert wrong.ok is False
    assert wrong.detail == '.env sets NEXT_PUBLIC_CHAT_MODE to "Streaming", which counts as send-message'


def test_a_relay_host_that_is_not_set_stops_a_chat_that_streams_and_no_other() -> None:
    assert check_host(situation()).ok is None
    assert check_host(situation(env(STREAMING))).ok is False
    found = check_host(situation(env(STREAMING + HOST)))
    assert (found.ok, found.detail) == (True, "relay.example.com (.env)")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (env("NEXT_PUBLIC_RELAY_HOST=relay.example.com/party\n"), "goes on after the host"),
        (env("NEXT_PUBLIC_RELAY_HOST=http://relay.example.com\n"), "a page on https may not connect"),
        (env("", production="NEXT_PUBLIC_RELAY_HOST=127.0.0.1:1999\n"), "a relay on its own machine"),
        (env("", production_local="RELAY_URL=http://localhost:1999\n"), "a relay on its own machine"),
    ],
)
def test_a_relay_host_that_cannot_work(files: dict[str, str | None], said: str) -> None:
    found = check_host(situation(files))
    assert found.ok is False
    assert said in found.detail
    assert found.mend


@pytest.mark.parametrize(
    "host", ["127.0.0.1:1999", "http://127.0.0.1:1999", "http://192.168.1.7:1999", "https://relay.example.com:8443"]
)
def test_a_relay_host_for_the_machine_that_one_works_on(host: str) -> None:
    assert check_host(situation(env("", local=f"NEXT_PUBLIC_RELAY_HOST={host}\n"))).ok is True


def test_the_apps_secret_is_there_and_is_the_one_that_chatops_has() -> None:
    assert check_secret(situation()).ok is None
    assert check_secret(situation(env(STREAMING))).ok is False
    own = env(f"RELAY_SECRET={SECRET}\n")
    assert check_secret(situation(own)).ok is True
    assert check_secret(situation(own, secret=SECRET)).ok is True
    other = check_secret(situation(own, secret="another"))
    assert other.ok is False
    assert SECRET not in repr(other)
    assert "another" not in other.detail.replace("another RELAY_SECRET", "")


def test_a_secret_file_that_cannot_be_read_is_told() -> None:
    error = UsageError("the secret file x cannot be read", next_step="name another", code="bad_secret")
    found = check_secret(situation(secret_error=error))
    assert (found.ok, found.detail, found.mend) == (False, "the secret file x cannot be read", "name another")


# --- quoting, values


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        ("value", ""),
        ("  value  # a comment", ""),
        ('"value"', ""),
        ("'value' # a comment", ""),
        ("", ""),
        ('""', ""),
        ("# nothing but a comment", ""),
        (r"a\$b", ""),
        ('"value', "is not closed"),
        ('value"', "ends with a quote"),
        ("\"'value'\"", "quoted twice"),
        ('""value""', "quoted twice"),
        ('"value"x', "behind its closing quote"),
        ('" value"', "white space"),
        ("\u201cvalue\u201d", "typographic quotes"),
        ("abc#def", "cut off"),
        ("pa$word", "another variable"),
        ('"${HOST}"', "another variable"),
    ],
)
def test_what_is_odd_about_a_value(raw: str, what: str) -> None:
    found = oddity(raw)
    assert what in found
    assert bool(found) is bool(what)


def test_odd_quotes_are_told_with_key_and_file_and_without_the_value() -> None:
    found = check_quoting(situation(env(f"# first\nRELAY_SECRET = '{SECRET}\n")))
    assert (found.ok, found.detail) == (False, "RELAY_SECRET in .env has a quote that is not closed")
    assert SECRET not in repr(found)
    assert check_quoting(situation(env(f'export RELAY_SECRET="{SECRET}"\n'))).ok is True
    assert check_quoting(situation(env("OTHER='open\n"))).ok is None


@pytest.mark.parametrize(
    ("files", "ok"),
    [
        (env(STREAMING, local="NEXT_PUBLIC_CHAT_MODE=send-message\n"), False),
        (env(STREAMING, local=STREAMING), True),
        (env(STREAMING, production="NEXT_PUBLIC_CHAT_MODE=send-message\n"), False),
        (env("", development=STREAMING, production="NEXT_PUBLIC_CHAT_MODE=send-message\n"), True),
        (env(HOST, local="NEXT_PUBLIC_RELAY_HOST=127.0.0.1:1999\n"), False),
        (env("NEXT_PUBLIC_RELAY_HOST=127.0.0.1:1999\n", production=HOST), True),
        (env(HOST + "NEXT_PUBLIC_RELAY_HOST=127.0.0.1:1999\n"), False),
        (env(HOST + HOST.replace("=", "='").replace("\n", "'\n")), True),
        (env(f"RELAY_SECRET={SECRET}\n", local="RELAY_SECRET=other\n"), False),
    ],
)
def test_one_variable_with_two_values(files: dict[str, str | None], ok: bool) -> None:
    found = check_values(situation(files))
    assert found.ok is ok
    assert SECRET not in repr(found)


# --- secrets that others can see


@pytest.mark.parametrize(
    "line",
    [
        "NEXT_PUBLIC_RELAY_SECRET=x",
        "NEXT_PUBLIC_OPENAI_API_KEY=x",
        f"NEXT_PUBLIC_THING={SECRET}",
        "NEXT_PUBLIC_KEY=sk-0123456789abcdef0123",
    ],
)
def test_a_secret_that_every_browser_gets(line: str) -> None:
    found = check_public(situation(env(f"RELAY_SECRET={SECRET}\n{line}\n")))
    assert found.ok is False
    key, _, value = line.partition("=")
    assert key in found.detail
    assert value == "x" or value not in repr(found)


def test_public_values_that_are_meant_to_be() -> None:
    fine = "NEXT_PUBLIC_FIREBASE_API_KEY=AIza\nNEXT_PUBLIC_SUPABASE_ANON_KEY=ey\nNEXT_PUBLIC_RELAY_SECRET=\n"
    assert check_public(situation(env(f"RELAY_SECRET={SECRET}\n{fine}{HOST}"))).ok is True


def repository(root: Path, files: dict[str, str]) -> Path:
    on_disk(root, files)
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    return root


def test_a_file_with_the_secret_that_git_takes_is_ignored_by_the_fix(tmp_path: Path) -> None:
    secret_line = f"RELAY_SECRET={SECRET}\n"
    root = repository(tmp_path / "app", {".env": secret_line, ".gitignore": "node_modules\n"})
    there = replace(situation(), view=on_disk(root, {}))
    found = check_git_sees(there)
    assert found.ok is False
    assert ".env holds the relay's secret" in found.detail
    (change,) = found.fix.changes(there.view) if found.fix else ()
    assert change.after == b"node_modules\n\n# secrets\n/.env\n"
    (root / ".gitignore").write_bytes(change.after)
    assert check_git_sees(there).ok is True


def test_a_file_with_the_secret_that_git_has_is_no_better_for_being_ignored(tmp_path: Path) -> None:
    root = repository(tmp_path / "app", {".env": f"RELAY_SECRET={SECRET}\n"})
    subprocess.run(["git", "add", ".env"], cwd=root, check=True)
    (root / ".gitignore").write_text(".env\n")
    found = check_git_sees(replace(situation(), view=on_disk(root, {})))
    assert found.ok is False
    assert "git rm --cached .env" in found.mend


def test_the_secret_file_of_the_configuration_counts(tmp_path: Path) -> None:
    root = repository(tmp_path / "app", {".relay-secret": f"{SECRET}\n"})
    there = replace(situation(secret_file=".relay-secret"), view=on_disk(root, {}))
    assert check_git_sees(there).ok is False


def test_where_no_file_has_the_secret_or_there_is_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert check_git_sees(situation()).ok is None
    view = on_disk(tmp_path / "app", {".env": f"RELAY_SECRET={SECRET}\n"})
    assert check_git_sees(replace(situation(), view=view)).ok is None


def test_a_file_with_the_secret_that_every_user_can_read(tmp_path: Path) -> None:
    view = on_disk(tmp_path, {".env": f"RELAY_SECRET={SECRET}\n", ".env.local": HOST})
    there = replace(situation(), view=view)
    (tmp_path / ".env").chmod(0o644)
    found = check_permissions(there)
    assert (found.ok, found.mend) == (False, "chmod 600 .env")
    assert found.fix is not None
    assert found.fix.owner_only == (".env",)
    (tmp_path / ".env").chmod(0o640)
    assert check_permissions(there).ok is True
    assert check_permissions(situation()).ok is None
    assert check_permissions(situation(env(f"RELAY_SECRET={SECRET}\n"))).ok is None  # in memory: no such file


# --- what the migrations write


def test_a_key_that_the_example_lost_comes_back() -> None:
    assert check_example(situation()).ok is None
    assert check_example(situation(migrated=True)).ok is True
    assert check_example(situation({".env.example": None}, migrated=True)).ok is None
    lost = situation({".env.example": 'OPENAI_API_KEY=""\nRELAY_SECRET=""\n'}, migrated=True)
    found = check_example(lost)
    assert (found.ok, found.detail) == (
        False, ".env.example does not show NEXT_PUBLIC_RELAY_HOST, NEXT_PUBLIC_CHAT_MODE",
    )  # fmt: skip
    assert check_example(mended(lost, found)).ok is True


def test_an_ignore_entry_that_got_lost_comes_back() -> None:
    assert check_ignored(situation()).ok is None
    assert check_ignored(situation(migrated=True)).ok is True
    lost = situation({".gitignore": "node_modules\n", ".vercelignore": "docs\n"}, migrated=True)
    found = check_ignored(lost)
    assert found.ok is False
    assert ".gitignore, .vercelignore" in found.detail
    assert check_ignored(mended(lost, found)).ok is True


def test_every_check_is_made_once() -> None:
    names = [finding.name for finding in check_env(situation())]
    assert len(names) == len(set(names)) == 10
