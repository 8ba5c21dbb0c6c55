"""Ctrl-C, a job that is cancelled, a terminal that is closed: held back where one would leave something behind."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_Result = TypeVar("_Result")


class HeldBack:
    """The signals of a block that are held back, in the order in which they came."""

    def __init__(self) -> None:
        self._came: list[int] = []
        self._handlers: dict[int, Any] = {}
        self._on_one: Callable[[], object] | None = None

    def hold(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # no other thread is interrupted
        for number in _SIGNALS:
            if callable(handler := signal.getsignal(number)):  # what is ignored stays so, and what kills too
                self._handlers[number] = handler
                signal.signal(number, self._hear)

    def let_through(self) -> None:
        """From now on signals interrupt as before; what came meanwhile comes now."""
        while self._handlers:
            signal.signal(*self._handlers.popitem())
        while self._came:
            signal.raise_signal(self._came.pop(0))

    def tell(self, on_one: Callable[[], object]) -> None:
        """Call `on_one` when a signal comes; at once if one has come."""
        self._on_one = on_one
        if self._came:
            on_one()

    def _hear(self, number: int, _frame: object) -> None:
        self._came.append(number)
        if self._on_one is not None:
            self._on_one()


@contextmanager
def interruptions_held_back() -> Iterator[HeldBack]:
    """In the block no signal interrupts, until it is let through or the block ends.

    For the moment in which a process runs that nobody would end yet, say.
    """
    held = HeldBack()
    held.hold()
    try:
        yield held
    finally:
        held.let_through()


def run_to_its_end(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """`asyncio.run`, for the main thread of a command that may be interrupted at any moment.

    A signal cancels the coroutine and interrupts when the loop is closed, and not in the middle of its making or its
    closing. `asyncio.run` does so for Ctrl-C alone, and only while the coroutine runs.
    """
    with interruptions_held_back() as held:

        async def until_interrupted() -> _Result:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            assert task is not None
            held.tell(lambda: loop.call_soon_threadsafe(task.cancel))
            try:
                return await coroutine
            finally:
                held.tell(lambda: None)

        try:
            return asyncio.run(until_interrupted())
        except asyncio.CancelledError:
            held.let_through()
            raise
