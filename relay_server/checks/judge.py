"""The judge of a stream test: what was sent, what each client saw of it, and the verdict. Pure: times come in.

All times are seconds of one clock, `perf_counter`, which is why the publisher and the clients are one process.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from relay_server.protocol import TERMINAL_KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(slots=True)
class Sent:
    """The stream as it was published. `born` has the moment at which each frame came to be, by its number.

    `last` is the kind of the newest frame; after `error` there is no whole reply to be had.
    """

    asked: float = math.nan
    born: list[float] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    last: str = ""

    @property
    def finished(self) -> bool:
        return self.last in TERMINAL_KINDS

    @property
    def frames(self) -> int:
        return len(self.born)

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def add(self, kind: str, now: float, piece: str | None = None) -> None:
        """The next frame. `piece` is the text that it carries, if it does."""
        self.born.append(now)
        if piece is not None:
            self.pieces.append(piece)
        self.last = kind


@dataclass(slots=True)
class Reading:
    """What one client saw of the stream.

    `cut_after` is the frame after which its connection is to be broken, None for never; `was_cut` that it was.
    """

    cut_after: int | None = None
    was_cut: bool = False
    reconnects: int = 0
    duplicated: int = 0
    out_of_order: int = 0
    first_data: float | None = None
    last: float | None = None
    terminal: int | None = None
    live: list[tuple[int, float]] = field(default_factory=list)
    _texts: dict[int, str] = field(default_factory=dict)
    _highest: int = -1

    def frame(self, seq: int, kind: str, text: str | None, arrived: float, *, replayed: bool) -> None:
        """A frame of the stream arrived."""
        self.last = arrived
        if seq in self._texts:
            self.duplicated += 1
            return
        self._texts[seq] = text or ""
        if seq < self._highest:
            self.out_of_order += 1
        else:
            self._highest = seq
        if kind in TERMINAL_KINDS:
            self.terminal = seq
        elif kind == "data":
            if self.first_data is None:
                self.first_data = arrived
            if not replayed:
                self.live.append((seq, arrived))

    @property
    def received(self) -> int:
        """How many different frames."""
        return len(self._texts)

    def missing(self, frames: int) -> int:
        """How many of the first `frames` did not arrive."""
        return sum(seq not in self._texts for seq in range(frames))

    @property
    def text(self) -> str:
        return "".join(self._texts[seq] for seq in sorted(self._texts))


@dataclass(frozen=True, slots=True)
class ClientVerdict:
    """A client's part of the report. Frames that it saw, missed, saw again, and saw after a later one."""

    received: int
    lost: int
    duplicated: int
    out_of_order: int
    reconnects: int
    complete: bool
    faults: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        return {
            "received": self.received,
            "lost": self.lost,
            "duplicated": self.duplicated,
            "out_of_order": self.out_of_order,
            "reconnects": self.reconnects,
            "complete": self.complete,
        }


@dataclass(frozen=True, slots=True)
class Latency:
    """From the moment a piece came out of the model to its arrival at a client, milliseconds, over live frames."""

    p50: float
    p95: float
    p99: float
    max: float

    def as_json(self) -> dict[str, float]:
        return {name: round(getattr(self, name), 2) for name in ("p50", "p95", "p99", "max")}


def judge_client(sent: Sent, reading: Reading) -> ClientVerdict:
    """Everything must have arrived once and in order, and a client that was to be cut must have been."""
    lost = reading.missing(sent.frames)
    complete = (
        sent.last == "end"
        and reading.terminal == sent.frames - 1
        and reading.received == sent.frames
        and reading.text == sent.text
    )
    faults = []
    if lost:
        faults.append(f"lost {lost} of {sent.frames} frames")
    if reading.duplicated:
        faults.append(f"saw {reading.duplicated} twice")
    if reading.out_of_order:
        faults.append(f"saw {reading.out_of_order} out of order")
    if reading.terminal is None:
        faults.append("did not see the end")
    if not complete and not faults and sent.last == "end":
        faults.append("got another text than the model gave")
    if reading.cut_after is not None and not (reading.was_cut and reading.reconnects):
        faults.append("was not cut: the reply was too short")
    return ClientVerdict(
        reading.received, lost, reading.duplicated, reading.out_of_order, reading.reconnects, complete, tuple(faults)
    )


def latencies_ms(sent: Sent, readings: Sequence[Reading]) -> list[float]:
    """Of every piece that a client received live, in ascending order."""
    born, frames = sent.born, sent.frames
    return sorted((arrived - born[seq]) * 1000 for r in readings for seq, arrived in r.live if seq < frames)


def latency(ascending_ms: Sequence[float]) -> Latency | None:
    """Percentiles by nearest rank; None if there is nothing to measure."""
    if not ascending_ms:
        return None

    def percentile(percent: int) -> float:
        return ascending_ms[max(0, math.ceil(len(ascending_ms) * percent / 100) - 1)]

    return Latency(percentile(50), percentile(95), percentile(99), ascending_ms[-1])


def ttft_ms(sent: Sent, readings: Sequence[Reading]) -> float | None:
    """From asking the model to the first piece at a client: the median over the clients that saw one."""
    firsts = [reading.first_data for reading in readings if reading.first_data is not None]
    return (median(firsts) - sent.asked) * 1000 if firsts and not math.isnan(sent.asked) else None


def cut_points(clients: int, pieces: int | None) -> list[int]:
    """After which frame to cut each client: spread over the stream, between its first and its last data frame.

    Data frames are numbered from 1. `pieces` is how many there will be, None if nobody knows: then early, so that
    a short reply is cut too. A reply of one piece cannot be cut, which the verdict then says.
    """
    if pieces is None:
        return [1 + client % 5 for client in range(clients)]
    last = max(1, pieces - 1)
    return [1 + (last - 1) * (client + 1) // (clients + 1) for client in range(clients)]
