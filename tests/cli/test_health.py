"""`chatops health`: what it prints, and its exit codes."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

from relay_server.checks.health import STEPS
from tests.cli.command import start
from tests.servers import SECRET
from tests.strangers import answering, http_answer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.command import Chatops
    from tests.servers import RunningRelay


def test_a_relay_that_is_well_for_a_person(bundled_relay: RunningRelay, chatops: Chatops) -> None:
    ended = chatops("health", bundled_relay.url, RELAY_SECRET=SECRET)
    assert (ended.code, ended.stderr) == (0, "")
    *steps, verdict = ended.lines
    assert [line.split()[:2] for line in steps] == [["ok", name] for name in STEPS]
    assert verdict.startswith(f"{bundled_relay.url} is healthy (")


def test_a_relay_that_is_well_for_a_script(bundled_relay: RunningRelay, chatops: Chatops) -> None:
    ended = chatops("health", bundled_relay.url, "--json", RELAY_SECRET=SECRET)
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.json["ok"] is True
    assert [check["ok"] for check in ended.json["checks"]] == [True] * len(STEPS)
    assert SECRET not in ended.stdout


def test_the_relay_and_the_secret_come_from_the_apps_configuration(
    bundled_relay: RunningRelay, tmp_path: Path, chatops: Chatops
) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "partyconfig.toml").write_text(f'[relay]\nurl = "{bundled_relay.url}"\nsecret_file = ".secret"\n')
    (app / ".secret").write_text(f"{SECRET}\n")
    ended = chatops("health", "--app", "app", "--json")
    assert ended.code == 0
    assert [check["ok"] for check in ended.json["checks"]] == [True] * len(STEPS)


def test_without_a_secret_it_says_what_it_did_not_check(bundled_relay: RunningRelay, chatops: Chatops) -> None:
    ended = chatops("health", bundled_relay.url)
    assert ended.code == 0
    assert ended.lines[-1].startswith(f"{bundled_relay.url} is healthy, as far as it was checked (")
    assert ended.stderr.startswith("not checked for want of a secret: publish, echo;")


def test_a_wrong_secret_is_exit_code_4_with_what_was_found(bundled_relay: RunningRelay, chatops: Chatops) -> None:
    ended = chatops("health", bundled_relay.url, "--json", RELAY_SECRET="wrong")
    assert ended.code == 4
    assert ended.json["ok"] is False
    assert ended.json["error"]["code"] == "unauthorized"
    assert [check["ok"] for check in ended.json["checks"]] == [True, True, False, None, True, True]
    assert ended.stderr.splitlines()[0] == f"error: {ended.json['error']['message']}"


def test_no_relay_there_is_exit_code_3(chatops: Chatops) -> None:
    ended = chatops("health", "http://127.0.0.1:1")
    assert ended.code == 3
    assert ended.lines[0].startswith("fail  health")
    assert len(ended.stderr.splitlines()) == 2


def test_a_web_page_in_its_place_is_exit_code_3(chatops: Chatops) -> None:
    with answering(http_answer("200 OK", "text/html", b"<!doctype html><h1>Hello")) as url:
        ended = chatops("health", url, "--json")
    assert ended.code == 3
    assert ended.json["error"]["code"] == "not_a_relay"
    assert "HTML" in ended.json["error"]["message"]


def test_no_relay_configured_is_exit_code_2(chatops: Chatops) -> None:
    ended = chatops("health", "--json")
    assert ended.code == 2
    assert ended.json["error"]["code"] == "no_relay"


def test_watch_goes_on_until_ctrl_c(bundled_relay: RunningRelay, tmp_path: Path) -> None:
    with start("health", bundled_relay.url, "--watch", "--interval", "0.1", "--json", cwd=tmp_path) as process:
        assert process.stdout is not None
        rounds = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert [report["ok"] for report in rounds] == [True] * 3
    assert len({report["time"] for report in rounds}) == 3
    assert (process.returncode, stderr) == (0, "")


def test_watch_goes_on_when_the_relay_is_gone_and_ends_with_the_last_exit_code(tmp_path: Path) -> None:
    with start("health", "http://127.0.0.1:1", "--watch", "--interval", "0.1", cwd=tmp_path) as process:
        assert process.stdout is not None
        rounds = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert all("  fail  " in line and "nothing listens" in line for line in rounds)
    assert (process.returncode, stderr) == (3, "")
