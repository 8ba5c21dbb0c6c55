"""The judge: a run without a fault first, then each fault by itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay_server.checks.judge import (
    ClientVerdict,
    Latency,
    Reading,
    Sent,
    cut_points,
    judge_client,
    latencies_ms,
    latency,
    ttft_ms,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

PIECES = ["Hel", "lo", " you", "!"]
FRAMES = len(PIECES) + 2


def sent_stream(last: str = "end") -> Sent:
    """`start` at 10 s, asked at 10.5 s, the pieces at 11, 12, 13 and 14 s, the end at 15 s."""
    sent = Sent(asked=10.5)
    sent.add("start", 10)
    for number, piece in enumerate(PIECES, 1):
        sent.add("data", 10 + number, piece)
    sent.add(last, 15)
    return sent


def reading_of(
    seqs: Iterable[int], *, delay: float = 0.1, cut_after: int | None = None, replayed: Iterable[int] = ()
) -> Reading:
    """A client that got these frames, each `delay` seconds after it came to be."""
    reading = Reading(cut_after)
    again = set(replayed)
    for seq in seqs:
        kind = "start" if seq == 0 else "end" if seq == FRAMES - 1 else "data"
        text = PIECES[seq - 1] if kind == "data" else None
        reading.frame(seq, kind, text, 10 + seq + delay, replayed=seq in again)
    return reading


def verdict(reading: Reading) -> ClientVerdict:
    return judge_client(sent_stream(), reading)


def test_no_fault() -> None:
    found = verdict(reading_of(range(FRAMES)))
    assert found == ClientVerdict(FRAMES, 0, 0, 0, 0, complete=True, faults=())
    assert found.as_json() == {
        "received": 6,
        "lost": 0,
        "duplicated": 0,
        "out_of_order": 0,
        "reconnects": 0,
        "complete": True,
    }


def test_a_lost_frame() -> None:
    found = verdict(reading_of([0, 1, 3, 4, 5]))
    assert (found.received, found.lost, found.out_of_order, found.complete) == (5, 1, 0, False)
    assert found.faults == ("lost 1 of 6 frames",)


def test_a_duplicated_frame() -> None:
    found = verdict(reading_of([0, 1, 2, 2, 3, 4, 5]))
    assert (found.received, found.lost, found.duplicated, found.complete) == (6, 0, 1, True)
    assert found.faults == ("saw 1 twice",)


def test_a_frame_out_of_order() -> None:
    found = verdict(reading_of([0, 1, 3, 2, 4, 5]))
    assert (found.lost, found.duplicated, found.out_of_order, found.complete) == (0, 0, 1, True)
    assert found.faults == ("saw 1 out of order",)


def test_an_older_frame_that_comes_twice_is_a_duplicate_and_not_out_of_order() -> None:
    found = verdict(reading_of([0, 1, 2, 3, 1, 4, 5]))
    assert (found.duplicated, found.out_of_order) == (1, 0)


def test_no_terminal_frame() -> None:
    found = verdict(reading_of(range(FRAMES - 1)))
    assert (found.lost, found.complete) == (1, False)
    assert "did not see the end" in found.faults


def test_nothing_at_all() -> None:
    found = verdict(Reading())
    assert (found.received, found.lost, found.complete) == (0, FRAMES, False)


def test_a_changed_text() -> None:
    reading = reading_of(range(2))
    reading.frame(2, "data", "LO", 12.1, replayed=False)
    for seq in range(3, FRAMES):
        reading.frame(
            seq, "end" if seq == FRAMES - 1 else "data", ["", "", "", " you", "!", None][seq], 20, replayed=False
        )
    found = verdict(reading)
    assert (found.lost, found.duplicated, found.out_of_order, found.complete) == (0, 0, 0, False)
    assert found.faults == ("got another text than the model gave",)


def test_a_frame_that_nobody_sent() -> None:
    reading = reading_of(range(FRAMES - 1))
    reading.frame(5, "data", "?", 20, replayed=False)
    reading.frame(6, "end", None, 20, replayed=False)
    found = verdict(reading)
    assert (found.received, found.lost, found.complete) == (7, 0, False)
    assert found.faults


def test_one_that_was_to_be_cut_and_came_back() -> None:
    reading = reading_of(range(FRAMES), cut_after=2)
    reading.was_cut, reading.reconnects = True, 1
    found = verdict(reading)
    assert found.complete
    assert found.reconnects == 1
    assert not found.faults


@pytest.mark.parametrize(("was_cut", "reconnects"), [(False, 0), (True, 0), (False, 1)])
def test_one_that_was_to_be_cut_and_was_not(was_cut: bool, reconnects: int) -> None:
    reading = reading_of(range(FRAMES), cut_after=2)
    reading.was_cut, reading.reconnects = was_cut, reconnects
    found = verdict(reading)
    assert found.complete
    assert found.faults == ("was not cut: the reply was too short",)


def test_a_reply_that_ended_in_an_error_is_not_complete_and_not_the_clients_fault() -> None:
    sent, reading = sent_stream(last="error"), reading_of(range(FRAMES - 1))
    reading.frame(FRAMES - 1, "error", None, 20, replayed=False)
    found = judge_client(sent, reading)
    assert not found.complete
    assert not found.faults


def test_before_the_end_nobody_is_complete() -> None:
    sent = Sent()
    sent.add("start", 10)
    reading = reading_of([0])
    assert not judge_client(sent, reading).complete


def test_latency_counts_live_pieces_alone() -> None:
    """From the moment at which each piece came to be; not `start`, not `end`, nothing from a replay."""
    readings = [reading_of(range(FRAMES), delay=0.25), reading_of(range(FRAMES), delay=0.5, replayed=[1, 2, 3])]
    assert latencies_ms(sent_stream(), readings) == pytest.approx([250, 250, 250, 250, 500])


def test_percentiles_are_by_nearest_rank() -> None:
    assert latency(list(range(1, 101))) == Latency(50, 95, 99, 100)
    assert latency([7.0]) == Latency(7, 7, 7, 7)
    assert latency([1.0, 2.0]) == Latency(1, 2, 2, 2)
    assert latency([]) is None


def test_the_first_piece_is_the_median_over_the_clients() -> None:
    readings = [reading_of(range(FRAMES), delay=delay) for delay in (0.1, 0.2, 0.9)]
    assert ttft_ms(sent_stream(), [*readings, Reading()]) == pytest.approx(700)
    assert ttft_ms(sent_stream(), [Reading()]) is None
    assert math.isnan(Sent().asked)
    assert ttft_ms(Sent(), readings) is None


@given(st.integers(1, 600), st.integers(2, 300))
def test_cuts_lie_between_the_first_and_the_last_data_frame_and_are_spread(clients: int, pieces: int) -> None:
    """Data frames are 1 to `pieces`: after the first at the earliest, before the last at the latest."""
    points = cut_points(clients, pieces)
    assert len(points) == clients
    assert all(1 <= point <= pieces - 1 for point in points)
    assert points == sorted(points)
    if clients >= 4 * pieces:
        assert set(points) >= set(range(1, pieces - 2))
    if clients * 4 <= pieces:
        assert len(set(points)) == clients


def test_with_an_unknown_length_cuts_come_early() -> None:
    assert cut_points(7, None) == [1, 2, 3, 4, 5, 1, 2]
