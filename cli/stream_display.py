"""What `chatops stream-test` shows: the run as it goes, in place on a terminal and else in lines, then the figures."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cli.console import escape_controls, is_interactive, note, result, stderr_console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Group
    from rich.text import Text

    from relay_server.checks.judge import Reading
    from relay_server.checks.stream_test import Progress, StreamTestResult

# The display and what is measured share one thread: few frames a second keep it out of the figures.
_REDRAW_S = 0.1
_BAR_WIDTH = 24
_BINS = 32
_BLOCKS = "▁▂▃▄▅▆▇█"
_SHOWN_FAULTS = 10
_SHOWN_CHARACTERS = 3000


@contextmanager
def display(*, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Yields what a stream test is to call with its progress. `quiet` shows nothing at all."""
    if quiet:
        yield lambda _progress: None
    elif is_interactive():
        with _live() as show:
            yield show
    else:
        yield _Lines().show


class _Lines:
    """A line a stage on stderr, then the figures."""

    def __init__(self) -> None:
        self._stage = ""

    def show(self, progress: Progress) -> None:
        if progress.result is not None:
            print_result(progress.result)
        elif progress.stage != self._stage:
            self._stage = progress.stage
            note(self._stage)


@contextmanager
def _live() -> Iterator[Callable[[Progress], None]]:
    """The text as it comes and a line a client, redrawn in place; what stays is the last picture and the figures."""
    from rich.live import Live

    console = stderr_console()
    drawn_at = 0.0
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:

        def show(progress: Progress) -> None:
            nonlocal drawn_at
            now = time.perf_counter()
            if progress.result is not None:
                live.update(_picture(progress, console.width, console.height), refresh=True)
                live.stop()
                print_result(progress.result)
            elif now - drawn_at >= _REDRAW_S:
                live.update(_picture(progress, console.width, console.height), refresh=True)
                drawn_at = time.perf_counter()

        yield show


def _picture(progress: Progress, width: int, height: int) -> Group:
    from rich.console import Group
    from rich.text import Text

    if not progress.text:
        clients = len(progress.readings)
        connected = f", {progress.greeted} of {clients} connected" if progress.greeted else ""
        return Group(Text(f"{progress.stage}{connected} …", style="dim"))
    lines = _last_lines(progress.text, width, max(4, height // 2))
    return Group(*lines, Text(), *_client_lines(progress, max(2, height - len(lines) - 3)))


def _last_lines(text: str, width: int, most: int) -> list[Text]:
    from rich.text import Text

    safe = "\n".join(escape_controls(line) for line in text[-_SHOWN_CHARACTERS:].rstrip("\n").split("\n"))
    return list(Text(safe).wrap(stderr_console(), width))[-most:]


def _client_lines(progress: Progress, room: int) -> list[Text]:
    """One line a client, as many as there is room for; the others together in the last."""
    from rich.text import Text

    readings = progress.readings
    total = progress.expected_frames or progress.sent.frames
    if progress.sent.finished:
        total = progress.sent.frames
    shown = readings if len(readings) <= room else readings[: room - 1]
    lines = []
    for number, reading in enumerate(shown, 1):
        filled = min(_BAR_WIDTH, _BAR_WIDTH * reading.received // max(1, total))
        lines.append(
            Text.assemble(
                f"client {number:<4}",
                ("━" * filled, "green" if reading.terminal is not None else "cyan"),
                ("─" * (_BAR_WIDTH - filled), "dim"),
                f" {reading.received:>5} frames",
                (_story(reading), "yellow"),
            )
        )
    rest = readings[len(shown) :]
    if rest:
        counts = Counter("done" if reading.terminal is not None else "reading" for reading in rest)
        states = ", ".join(f"{count} {state}" for state, count in counts.items())
        lines.append(Text(f"and {len(rest)} more clients: {states}", style="dim"))
    return lines


def _story(reading: Reading) -> str:
    """What happened to a client, behind its bar."""
    parts = []
    if reading.reconnects:
        parts.append(f"came back {reading.reconnects}x")
    elif reading.was_cut:
        parts.append("cut")
    if reading.duplicated:
        parts.append(f"{reading.duplicated} twice")
    if reading.out_of_order:
        parts.append(f"{reading.out_of_order} out of order")
    return f"  {', '.join(parts)}" if parts else ""


def print_result(found: StreamTestResult) -> None:
    """The figures and the verdict, on stdout; nothing if no client saw a frame."""
    if not any(client.received for client in found.clients):
        return
    rows = [("relay", _relay(found)), ("model", found.model)]
    if found.ttft_ms is not None:
        rows.append(("first piece", f"{found.ttft_ms:.0f} ms after asking the model (median over the clients)"))
    if found.latency is not None:
        figures = found.latency
        rows += [
            (
                "latency",
                f"p50 {figures.p50:.1f}  p95 {figures.p95:.1f}  p99 {figures.p99:.1f}  max {figures.max:.1f} ms",
            ),
            ("", histogram(found.latencies_ms)),
        ]
    took = "" if found.duration_s is None else f", {found.duration_s:.1f} s"
    rows.append(("stream", f"{found.frames} frames in {found.posts} requests{took}"))
    came_back = sum(client.reconnects > 0 for client in found.clients)
    whole = sum(client.complete for client in found.clients)
    again = f", {came_back} after a lost connection" if came_back else ""
    rows.append(("clients", f"{whole} of {len(found.clients)} have the whole reply{again}"))
    for name, value in rows:
        result(f"{name:<12} {value}")
    faulty = [(number, client) for number, client in enumerate(found.clients, 1) if client.faults]
    for number, client in faulty[:_SHOWN_FAULTS]:
        result(f"client {number:<5} {', '.join(client.faults)}", style="red")
    if len(faulty) > _SHOWN_FAULTS:
        result(f"             and {len(faulty) - _SHOWN_FAULTS} more", style="red")
    if found.ok:
        result("ok           every client read the whole reply, in order, once", style="green")
    else:
        result("failed", style="red")


def _relay(found: StreamTestResult) -> str:
    hello = found.relay
    about = f" ({escape_controls(hello.server)} {escape_controls(hello.build)})" if hello else ""
    return f"{found.relay_url or 'none'}{about}"


def histogram(ascending: Sequence[float]) -> str:
    """Milliseconds in ascending order as a line of blocks, from the least to the 99th percentile."""
    lowest, highest = ascending[0], ascending[(len(ascending) - 1) * 99 // 100]
    width = (highest - lowest) / _BINS
    if width <= 0:
        return f"all at {lowest:.1f} ms"
    counts = Counter(min(_BINS - 1, int((value - lowest) / width)) for value in ascending if value <= highest)
    most = max(counts.values())
    bars = "".join(_BLOCKS[(len(_BLOCKS) - 1) * counts[bin_] // most] if counts[bin_] else " " for bin_ in range(_BINS))
    return f"{lowest:.1f} ms {bars} {highest:.1f} ms"
