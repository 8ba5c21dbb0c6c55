"""`chatops stream-test`: what a person and a script get to see, where its settings come from, its exit codes."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import struct
import sys
import time
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ
from typing import TYPE_CHECKING

import pytest

from relay_server.checks.verdicts import last_verdict
from relay_server.model import MODEL_NAME, expected_text
from tests.cli.command import start
from tests.servers import SECRET
from tests.strangers import answering, http_answer

if TYPE_CHECKING:
    from tests.cli.command import Chatops
    from tests.servers import RunningRelay

PROMPT = "Say hello to everybody in this room."
VERDICT = "ok           every client read the whole reply, in order, once"


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except FileNotFoundError:
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} is still there")


def on_a_terminal(*arguments: str, **environment: str) -> tuple[int, str]:
    """Exit code and everything that was written to a terminal of 30 rows and 100 columns."""
    pid, terminal = pty.fork()
    if pid == 0:
        ioctl(0, TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        # COLUMNS and LINES come before what the terminal says, and a test runner may have inherited them.
        size = {"COLUMNS": "100", "LINES": "30"}
        variables = {**os.environ, **size, "TERM": "xterm-256color", **environment}
        os.execve(sys.executable, [sys.executable, "-P", "-m", "cli", *arguments], variables)
    written = b""
    try:
        while chunk := os.read(terminal, 65536):
            written += chunk
    except OSError:  # how a terminal says that nobody is there any more
        pass
    finally:
        os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), written.decode()


def test_without_anything_it_tests_a_local_relay(chatops: Chatops) -> None:
    """Nothing is configured: plain lines, no control codes, figures on stdout, stages on stderr."""
    ended = chatops("stream-test", "lobby", "--rate", "0")
    assert ended.code == 0
    names = [line[:12].strip() for line in ended.lines]
    assert names == ["relay", "model", "first piece", "latency", "", "stream", "clients", "ok"]
    assert ended.lines[-1] == VERDICT
    assert re.fullmatch(r"latency      p50 [\d.]+  p95 [\d.]+  p99 [\d.]+  max [\d.]+ ms", ended.lines[3])
    assert ended.lines[-2] == "clients      5 of 5 have the whole reply"
    assert ended.stderr.splitlines()[0] == "starting a local relay"
    assert "\x1b" not in ended.stdout + ended.stderr


def test_the_report_is_alone_on_stdout(bundled_relay: RunningRelay, chatops: Chatops) -> None:
    arguments = ("--relay", bundled_relay.url, "--rate", "0", "--clients", "2", "--cut", "--json")
    ended = chatops("stream-test", "cli-json", *arguments, RELAY_SECRET=SECRET)
    assert (ended.code, ended.stderr) == (0, "")
    report = ended.json
    assert report["ok"] is True
    assert report["room"] == "cli-json"
    assert report["relay"]["url"] == bundled_relay.url
    assert report["relay"]["build"] == bundled_relay.build
    assert report["model"] == MODEL_NAME
    assert [client["reconnects"] for client in report["clients"]] == [1, 1]
    assert SECRET not in ended.stdout


@pytest.mark.slow
def test_the_settings_come_from_the_apps_configuration(
    bundled_relay: RunningRelay, tmp_path: Path, chatops: Chatops
) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "partyconfig.toml").write_text(
        f'[relay]\nurl = "{bundled_relay.url}"\nsecret_file = ".secret"\n\n[stream_test]\nclients = 3\nrate = 0\n'
    )
    (app / ".secret").write_text(f"{SECRET}\n")
    ended = chatops("stream-test", "cli-config", "--app", "app", "--json")
    assert ended.code == 0
    assert ended.json["relay"]["url"] == bundled_relay.url
    assert len(ended.json["clients"]) == 3
    flag_wins = chatops("stream-test", "cli-config", "--app", "app", "--clients", "1", "--json", CHATOPS_CLIENTS="2")
    assert len(flag_wins.json["clients"]) == 1


def test_the_wrong_secret_is_denied(bundled_relay: RunningRelay, tmp_path: Path, chatops: Chatops) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    arguments = ("--relay", bundled_relay.url, "--rate", "0", "--secret-file", str(secret))
    ended = chatops("stream-test", "lobby", *arguments, "--json")
    assert ended.code == 4
    assert ended.json["ok"] is False
    assert ended.json["error"]["code"] == "unauthorized"
    assert ended.json["room"] == "lobby"
    assert "hunter2" not in ended.stdout + ended.stderr


def test_a_website_is_unreachable_as_a_relay(chatops: Chatops) -> None:
    with answering(http_answer("200 OK", "text/html", b"<!doctype html><title>A site</title>")) as url:
        ended = chatops("stream-test", "lobby", "--relay", url, "--rate", "0", RELAY_SECRET="x")
    assert ended.code == 3
    assert "answered with HTML: is this a relay?" in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("two words",), "'two words' is no room id"),
        (("lobby", "--relay", "relay.example.com"), "has no scheme"),
        (("lobby", "--model", "gpt-x"), "OPENAI_API_KEY"),
        (("lobby", "--base-url", "http://127.0.0.1:1/v1"), "--model NAME"),
        (("lobby", "--model", "m", "--base-url", "127.0.0.1:1"), "http://"),
        (("lobby", "--clients", "0"), "--clients"),
        (("lobby", "--secret-file", "missing", "--relay", "http://127.0.0.1:1"), "missing"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], says: str, chatops: Chatops) -> None:
    ended = chatops("stream-test", *arguments, **({} if "--secret-file" in arguments else {"RELAY_SECRET": "x"}))
    assert ended.code == 2
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_relay_without_a_secret_to_publish_with_is_wrong_usage(chatops: Chatops) -> None:
    ended = chatops("stream-test", "lobby", "--relay", "http://127.0.0.1:1")
    assert ended.code == 2
    assert "RELAY_SECRET" in ended.stderr


def test_a_model_that_is_not_there_is_unreachable_and_its_key_is_not_shown(chatops: Chatops) -> None:
    arguments = ("--model", "gpt-x", "--base-url", "http://127.0.0.1:1/v1", "--clients", "1")
    ended = chatops("stream-test", "lobby", *arguments, OPENAI_API_KEY="sk-hunter2")
    assert ended.code == 3
    assert "the model at http://127.0.0.1:1/v1 cannot be reached: nothing listens there" in ended.stderr
    assert "hunter2" not in ended.stdout + ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_no_relay_behind(number: signal.Signals, tmp_path: Path) -> None:
    assert_ends_without_a_trace(number, tmp_path)


@pytest.mark.slow
def test_sigterm_ends_it_where_ctrl_c_is_ignored(tmp_path: Path) -> None:
    """As it is behind `nohup`, and behind `&` in a script."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert_ends_without_a_trace(signal.SIGTERM, tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)


def assert_ends_without_a_trace(number: signal.Signals, cwd: Path) -> None:
    with start("stream-test", "lobby", "--rate", "5", cwd=cwd) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith("asking"):
            pass
        (relay,) = children_of(process.pid)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert stdout == ""
    wait_until_gone(relay)


@pytest.mark.slow
def test_on_a_terminal_the_text_and_the_clients_are_shown_as_it_goes() -> None:
    code, written = on_a_terminal("stream-test", "lobby", "--rate", "150", "--clients", "50")
    assert code == 0
    assert written.count("client 1 ") >= 4
    assert "\x1b[32m" in written
    picture = written[written.rindex("“Say hello") :].replace("\r\n", "\n")
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", picture)
    reply = expected_text([{"role": "user", "content": PROMPT}])
    assert " ".join(plain.split()).startswith(" ".join(reply.split()))
    assert re.search(r"client 2 +━+ +128 frames", plain)
    assert re.search(r"and \d+ more clients: \d+ done", plain)
    assert plain.rstrip().endswith(VERDICT)


@pytest.mark.slow
def test_on_a_terminal_without_colour() -> None:
    code, written = on_a_terminal("stream-test", "lobby", "--rate", "0", NO_COLOR="1")
    assert code == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", written)


@pytest.mark.slow
def test_on_a_terminal_json_is_all_there_is() -> None:
    code, written = on_a_terminal("stream-test", "lobby", "--rate", "0", "--json")
    assert code == 0
    assert json.loads(written)["ok"] is True


@pytest.mark.slow
def test_an_app_remembers_how_the_last_test_of_its_relay_ended(
    bundled_relay: RunningRelay, tmp_path: Path, chatops: Chatops
) -> None:
    """Wrong usage tells nothing of the relay; a folder that is no app is left alone."""
    (tmp_path / "app").mkdir()
    arguments = ("cli-kept", "--app", "app", "--relay", bundled_relay.url, "--rate", "0", "--clients", "1")
    chatops("stream-test", *arguments, RELAY_SECRET=SECRET)
    assert not (tmp_path / "app" / ".chatops").exists()
    (tmp_path / "app" / "package.json").write_text("{}\n")
    assert chatops("stream-test", *arguments, RELAY_SECRET=SECRET).code == 0
    verdict = last_verdict(tmp_path / "app", bundled_relay.url)
    assert verdict is not None
    assert verdict.ok
    assert chatops("stream-test", "two words", *arguments[1:], RELAY_SECRET=SECRET).code == 2
    assert last_verdict(tmp_path / "app", bundled_relay.url) == verdict
    assert chatops("stream-test", *arguments, RELAY_SECRET="wrong").code == 4
    verdict = last_verdict(tmp_path / "app", bundled_relay.url)
    assert verdict is not None
    assert not verdict.ok
