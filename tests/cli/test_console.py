"""What is shown: JSON, text from outside, progress."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.console import escape_controls, is_interactive, note, print_json, progress, result

PROGRESS = """
from cli.console import progress, result
with progress("looking [at] it") as show:
    show("looking [again]")
result("done")
"""


def test_json_is_one_line_of_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"text": "é\n東京"})
    assert capsys.readouterr() == ('{"text": "é\\n東京"}\n', "")


def test_results_go_to_stdout_and_notes_to_stderr_without_markup(capsys: pytest.CaptureFixture[str]) -> None:
    result("a [bold]result[/bold] :smile: 12 " + "x" * 200, style="green")
    note("a [red]note[/red]")
    assert capsys.readouterr() == ("a [bold]result[/bold] :smile: 12 " + "x" * 200 + "\n", "a [red]note[/red]\n")


def test_text_that_steers_nothing_stays_as_it_is() -> None:
    assert escape_controls("Hé 東京 👩‍🚀 [b] \\n") == "Hé 東京 👩‍🚀 [b] \\n"


def test_what_steers_a_terminal_becomes_an_escape() -> None:
    assert escape_controls("a\x1b[31m\r\nb\x9b\u202e\u2028\ud83d") == "a\\x1b[31m\\r\\nb\\x9b\\u202e\\u2028\\ud83d"


@given(st.text(st.characters(codec=None, categories=None)))
def test_escaped_text_is_one_printable_line_whatever_it_was(text: str) -> None:
    escaped = escape_controls(text)
    assert len(escaped.splitlines()) <= 1
    assert not {unicodedata.category(character) for character in escaped} & {"Cc", "Cs"}


def test_progress_says_nothing_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("looking") as show:
        show("still looking")
    assert not is_interactive()
    assert capsys.readouterr() == ("", "")


def on_a_terminal(program: str, **environment: str) -> tuple[str, str]:
    """Run it with stderr on a terminal; stdout and what the terminal got."""
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", **environment},
        encoding="utf-8",
    ) as process:
        os.close(theirs)
        assert process.stdout is not None
        out = process.stdout.read()
        shown = b""
        while True:
            try:
                shown += os.read(ours, 65536)
            except OSError:  # how Linux tells that the other end is closed
                break
    os.close(ours)
    return out, shown.decode()


def test_progress_on_a_terminal_leaves_nothing_behind() -> None:
    out, shown = on_a_terminal(PROGRESS)
    assert out == "done\n"
    assert "looking [again]" in shown
    erase_line = "\x1b[2K"
    assert shown.rpartition("looking [again]")[2].count(erase_line) == 1


@pytest.mark.parametrize("variable", [{"CI": "true"}, {"TERM": "dumb"}])
def test_there_is_no_progress_in_ci_and_on_a_dumb_terminal(variable: dict[str, str]) -> None:
    assert on_a_terminal(PROGRESS, **variable) == ("done\n", "")


def test_no_color_is_heeded() -> None:
    program = "from cli.console import note; note('x', style='red')"
    assert "\x1b[31m" in on_a_terminal(program)[1]
    assert on_a_terminal(program, NO_COLOR="1")[1] == "x\r\n"


def test_json_round_trips(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"ok": True, "checks": [{"ms": 1.5, "detail": None}]}
    print_json(value)
    assert json.loads(capsys.readouterr().out) == value
