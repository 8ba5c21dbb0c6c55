"""The command as a whole: help, version, errors, exit codes, and what it loads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from cli import __version__, main
from relay_server.errors import ChatopsError, CheckFailed, Denied, Unreachable, UsageError
from tests.cli.command import Ended, start

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.command import Chatops

COMMANDS = ["stream-test", "health", "tail", "relay"]
HEAVY = {
    "asyncio",
    "certifi",
    "httptools",
    "httpx",
    "msgspec",
    "openai",
    "prometheus_client",
    "pygments",
    "rich",
    "ssl",
}
HEAVY |= {"tomlkit", "tomllib", "uvloop", "websockets"}


@pytest.fixture
def command_that(monkeypatch: pytest.MonkeyPatch, chatops: Chatops) -> Callable[..., Ended]:
    """`command_that(action, *arguments)`: run a command whose body is `action`."""

    def run_command(action: Callable[[], object], *arguments: str) -> Ended:
        app = typer.Typer(rich_markup_mode=None)
        app.callback()(lambda: None)

        @app.command()
        def act(json: bool = False) -> object:
            return action()

        monkeypatch.setattr(main, "app", app)
        return chatops("act", *arguments)

    return run_command


def raising(error: BaseException) -> Callable[[], object]:
    def action() -> object:
        raise error

    return action


def test_version(chatops: Chatops) -> None:
    ended = chatops("--version")
    assert (ended.code, ended.stdout, ended.stderr) == (0, f"chatops {__version__}\n", "")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_command_and_every_exit_code(flag: str, chatops: Chatops) -> None:
    ended = chatops(flag)
    assert (ended.code, ended.stderr) == (0, "")
    for command in COMMANDS:
        assert f"\n  {command} " in ended.stdout
    for code, meaning in main.EXIT_CODES.items():
        assert f"\n    {code}  {meaning}\n" in ended.stdout


def test_exit_codes_are_those_of_the_error_tree() -> None:
    assert {kind.exit_code for kind in ChatopsError.__subclasses__()} == set(main.EXIT_CODES) - {0}


def test_without_a_command_the_help_goes_to_stderr(chatops: Chatops) -> None:
    ended = chatops()
    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("Usage: chatops [OPTIONS] COMMAND")


@pytest.mark.parametrize(
    ("arguments", "message", "next_step"),
    [
        (["helth"], "No such command 'helth'. Did you mean 'health'?", "see `chatops --help`"),
        (["--jsn"], "No such option: --jsn", "see `chatops --help`"),
        (["tail"], "Missing argument 'ROOM'", "see `chatops tail --help`"),
        (["health", "--interval", "x"], "Invalid value for '--interval'", "see `chatops health --help`"),
        (["relay"], "Missing command", "see `chatops relay --help`"),
    ],
)
def test_wrong_usage_is_one_line_and_a_next_step(
    arguments: list[str], message: str, next_step: str, chatops: Chatops
) -> None:
    ended = chatops(*arguments)
    assert (ended.code, ended.stdout) == (2, "")
    first, second = ended.stderr.splitlines()
    assert first.startswith("error: ")
    assert message in first
    assert second == f"  next: {next_step}"


def test_wrong_usage_with_json(chatops: Chatops) -> None:
    ended = chatops("tail", "--json")
    assert ended.code == 2
    assert ended.json == {
        "ok": False,
        "error": {"code": "usage", "message": "Missing argument 'ROOM'", "next_step": "see `chatops tail --help`"},
    }
    assert ended.stderr.startswith("error: Missing argument")


def test_a_json_after_a_double_dash_is_no_flag(chatops: Chatops) -> None:
    ended = chatops("nothing", "--", "--json")
    assert (ended.code, ended.stdout) == (2, "")


@pytest.mark.parametrize(("kind", "code"), [(CheckFailed, 1), (UsageError, 2), (Unreachable, 3), (Denied, 4)])
def test_an_error_is_two_lines_and_its_exit_code(
    kind: type[ChatopsError], code: int, command_that: Callable[..., Ended]
) -> None:
    ended = command_that(raising(kind("what and where", next_step="do this", code="a_code")))
    assert ended == Ended(code, "", "error: what and where\n  next: do this\n")


def test_an_error_with_json_is_one_object_with_what_was_found(command_that: Callable[..., Ended]) -> None:
    error = CheckFailed("what é", next_step="do this", code="a_code", report={"frames": 3})
    ended = command_that(raising(error), "--json")
    assert ended.code == 1
    assert "é" in ended.stdout
    assert ended.json == {
        "ok": False,
        "frames": 3,
        "error": {"code": "a_code", "message": "what é", "next_step": "do this"},
    }


def test_an_error_cannot_steer_the_terminal(command_that: Callable[..., Ended]) -> None:
    ended = command_that(raising(CheckFailed("a\x1b[2Jb\nc", next_step="d\re", code="x")))
    assert ended.stderr == "error: a\\x1b[2Jb\\nc\n  next: d\\re\n"


def test_a_bug_is_one_line_without_what_it_may_give_away(command_that: Callable[..., Ended]) -> None:
    ended = command_that(raising(ValueError("Bearer hunter2")), "--json")
    assert ended.code == 1
    assert ended.json["error"]["code"] == "bug"
    assert "ValueError in test_main.py:" in ended.stderr
    assert "CHATOPS_DEBUG=1" in ended.stderr
    assert len(ended.stderr.splitlines()) == 2
    assert "hunter2" not in ended.stdout + ended.stderr


def test_a_bug_shows_its_traceback_on_request(
    command_that: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATOPS_DEBUG", "1")
    ended = command_that(raising(ValueError("hunter2")))
    assert ended.code == 1
    assert ended.stderr.startswith("Traceback (most recent call last)")
    assert "ValueError: hunter2" in ended.stderr


def test_ctrl_c_is_quiet(command_that: Callable[..., Ended]) -> None:
    assert command_that(raising(KeyboardInterrupt())) == Ended(130, "", "")


def test_a_command_gives_its_own_exit_code(command_that: Callable[..., Ended]) -> None:
    assert command_that(lambda: 3).code == 3
    assert command_that(lambda: None).code == 0
    assert command_that(raising(typer.Exit(4))).code == 4


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    with start("--help", cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(30) == 141
        assert process.stderr.read() == ""


def test_a_closed_stdout_is_no_matter(tmp_path: Path) -> None:
    ended = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", sys.executable, "-P", "-m", "cli", "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [["--version"], ["helth", "--json"]])
def test_a_full_disk_is_one_error(arguments: list[str], tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "cli", *arguments],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ended.returncode == 1
    assert [line.partition(":")[0] for line in ended.stderr.splitlines()] == ["error", "  next"]


def test_an_argument_that_is_not_utf_8_is_refused_and_not_a_crash(chatops: Chatops) -> None:
    ended = chatops("tail", "caf\udce9", "--relay", "http://127.0.0.1:1", "--json")
    assert ended.code == 2
    assert ended.json["error"]["code"] == "bad_room"


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], *([command, "--help"] for command in COMMANDS)])
def test_nothing_heavy_is_loaded_to_say_what_there_is(arguments: list[str], tmp_path: Path) -> None:
    """Start-up is imports: what costs milliseconds is loaded by the command that uses it."""
    program = (
        "import json, sys\n"
        f"sys.argv = {['chatops', *arguments]!r}\n"
        "from cli.main import run\n"
        "code = run()\n"
        "print(json.dumps([code, sorted({name.partition('.')[0] for name in sys.modules})]), file=sys.stderr)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=True)
    code, modules = json.loads(ended.stderr)
    assert code == 0
    assert HEAVY.isdisjoint(modules)
    assert "typer" in modules
