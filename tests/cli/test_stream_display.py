"""The picture of a stream test, at any size, and the histogram."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cli.stream_display import _picture, histogram
from relay_server.checks.judge import Reading, Sent
from relay_server.checks.stream_test import Progress


def drawn(progress: Progress, *, width: int = 80, height: int = 24) -> list[str]:
    console = Console(file=StringIO(), width=width, height=height, highlight=False)
    console.print(_picture(progress, width, height))
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def progress_of(text: str, clients: int) -> Progress:
    sent = Sent()
    readings = [Reading() for _ in range(clients)]
    for seq in range(4):
        sent.add("data", 0, text)
        for reading in readings[: clients - seq]:
            reading.frame(seq, "data", text, 0, replayed=False)
    return Progress(stage="asking", text=text, greeted=clients, sent=sent, readings=readings, expected_frames=8)


def test_before_the_reply_the_stage_is_shown() -> None:
    progress = Progress(stage="connecting", greeted=2, readings=[Reading(), Reading(), Reading()])
    assert drawn(progress) == ["connecting, 2 of 3 connected …"]


def test_every_client_has_a_line_with_how_far_it_is() -> None:
    lines = drawn(progress_of("Hello", 3))
    assert lines[0] == "Hello"
    assert [line.split()[:2] for line in lines[2:]] == [["client", "1"], ["client", "2"], ["client", "3"]]
    assert [line.count("━") for line in lines[2:]] == [9, 6, 3]
    assert [line.rpartition("─")[2].split() for line in lines[2:]] == [
        ["3", "frames"],
        ["2", "frames"],
        ["1", "frames"],
    ]


def test_what_happened_to_a_client_stands_behind_its_bar() -> None:
    progress = progress_of("Hello", 3)
    first, second, third = progress.readings
    first.was_cut = second.was_cut = True
    second.reconnects = 2
    third.duplicated, third.out_of_order = 1, 3
    assert [line.partition("frames")[2].strip() for line in drawn(progress)[2:]] == [
        "cut",
        "came back 2x",
        "1 twice, 3 out of order",
    ]


@pytest.mark.parametrize("height", [8, 24, 50])
def test_it_fits_the_terminal_whatever_comes(height: int) -> None:
    """A long text shows its end; the clients that have no room are summed up."""
    lines = drawn(progress_of("word " * 2000 + "the end", 300), height=height)
    assert len(lines) < height
    assert "the end" in "\n".join(lines)
    assert lines[-1].startswith("and ")
    shown = sum(line.startswith("client ") for line in lines)
    assert lines[-1] == f"and {300 - shown} more clients: {300 - shown} reading"


def test_text_cannot_steer_the_terminal() -> None:
    assert drawn(progress_of("a\x1b[2Jb\rc\n[red]d", 1))[:2] == ["a\\x1b[2Jb\\rc", "[red]d"]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300))
def test_a_histogram_is_one_line_of_blocks(values: list[float]) -> None:
    line = histogram(sorted(values))
    assert "\n" not in line
    assert line.endswith(" ms")
    assert "█" in line or line.startswith("all at")


def test_a_histogram_shows_where_the_values_are() -> None:
    assert histogram([1.0] * 50) == "all at 1.0 ms"
    line = histogram(sorted([0.0] * 40 + [10.0] * 20))
    assert line == f"0.0 ms █{' ' * 30}▄ 10.0 ms"
