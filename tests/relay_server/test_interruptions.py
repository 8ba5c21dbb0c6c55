"""Signals come when nothing is left behind by them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading

import pytest

from relay_server.interruptions import interruptions_held_back, run_to_its_end


def test_what_was_held_back_comes_when_it_is_let_through() -> None:
    reached = []

    def interrupted() -> None:
        with interruptions_held_back() as held:
            signal.raise_signal(signal.SIGINT)
            reached.append("held back")
            held.let_through()
            reached.append("never")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert reached == ["held back"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_was_held_back_comes_at_the_end_of_the_block_at_the_latest() -> None:
    def interrupted() -> None:
        with interruptions_held_back():
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        interrupted()


def test_without_a_signal_the_coroutines_result_is_given() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    assert run_to_its_end(work()) == "done"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_of_the_coroutine_stays_what_it_is() -> None:
    async def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run_to_its_end(work())


def test_in_another_thread_it_runs_too() -> None:
    async def work() -> str:
        return "done"

    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(run_to_its_end(work())))
    thread.start()
    thread.join()
    assert said == ["done"]


def test_a_signal_ends_a_coroutine_that_waits_for_ever_and_lets_it_clear_up() -> None:
    cleared = []

    async def work() -> None:
        asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleared.append("cleared")

    with pytest.raises(KeyboardInterrupt):
        run_to_its_end(work())
    assert cleared == ["cleared"]


@pytest.mark.parametrize("moment", ["events.new_event_loop", "base_events.BaseEventLoop.close"])
def test_a_signal_while_the_loop_is_made_or_closed_leaves_no_open_loop(moment: str) -> None:
    """In a process of its own: an open loop shows when Python ends."""
    program = f"""
import asyncio, os, signal
from relay_server.interruptions import run_to_its_end
place, _, name = "asyncio.{moment}".rpartition(".")
holder = eval(place)
real = getattr(holder, name)
def interrupted(*arguments):
    os.kill(os.getpid(), signal.SIGTERM)
    return real(*arguments)
setattr(holder, name, interrupted)
def on_term(*_): raise KeyboardInterrupt
signal.signal(signal.SIGTERM, on_term)
async def work(): await asyncio.sleep(0)
try:
    run_to_its_end(work())
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("interrupted\n", "")
