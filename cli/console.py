"""What goes to the terminal: one JSON object on stdout for `--json`, results on stdout, everything else on stderr.

rich is loaded when something is shown, never at start.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

# Invisible in a terminal or able to steer it: control characters, direction marks, lone surrogates, line separators.
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_DIRECTION_MARKS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def print_json(value: object) -> None:
    """One JSON value and a newline on stdout, at once, so that a reader of the pipe sees it now."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def discard_stdout() -> None:
    """The reader of stdout is gone: let what is left go nowhere, and the flush at exit be quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@cache
def stdout_console() -> Console:
    """For results. Plain text unless it is told otherwise; colour on a terminal without NO_COLOR."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


@cache
def stderr_console() -> Console:
    """For notes, progress and questions."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def result(line: str, *, style: str | None = None) -> None:
    """A line that the command was asked for, on stdout."""
    stdout_console().print(line, style=style)


def note(line: str, *, style: str | None = None) -> None:
    """A line about what is going on, on stderr."""
    stderr_console().print(line, style=style)


def is_interactive() -> bool:
    """A person looks at stderr and can be asked: a terminal, and no CI."""
    return sys.stderr.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"


@contextmanager
def progress(text: str) -> Iterator[Callable[[str], None]]:
    """Show on a terminal that something is going on, and what; nothing is left of it afterwards.

    Yields a function that changes the text. Elsewhere than on a terminal nothing is shown.
    """
    if not is_interactive():
        yield lambda _text: None
        return
    with stderr_console().status(_plain(text)) as spinner:
        yield lambda new_text: spinner.update(_plain(new_text))


def _plain(text: str) -> str:
    """The status line reads markup whatever the console says."""
    from rich.markup import escape

    return escape(text)


def escape_controls(text: str) -> str:
    """Text from outside, safe to show: line ends, control characters and direction marks become escapes."""
    return "".join(
        char.encode("unicode_escape", "surrogatepass").decode()
        if unicodedata.category(char) in _UNSAFE_CATEGORIES or char in _DIRECTION_MARKS
        else char
        for char in text
    )
