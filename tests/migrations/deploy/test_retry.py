"""Another try at what passes, and none at what does not."""

from __future__ import annotations

import pytest

from migrations.deploy.retry import Retry, retried
from migrations.deploy.target import Passing
from relay_server.errors import Denied, Unreachable


class Work:
    """Fails with each of `faults` in turn, then gives its result."""

    def __init__(self, *faults: Exception) -> None:
        self._faults = list(faults)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self._faults:
            raise self._faults.pop(0)
        return "done"


def passing() -> Passing:
    return Passing("the platform failed with 504", next_step="wait", code="platform_fault")


def test_what_passes_is_tried_again_after_growing_waits() -> None:
    """With jitter each wait is in the upper half of 1, 2, 4, ... s; progress says which try comes when."""
    waits: list[float] = []
    told: list[str] = []
    work = Work(passing(), passing(), passing())
    assert retried(work, Retry(tries=4, first_wait_s=1.0, longest_wait_s=3.0), told.append, waits.append) == ("done", 4)
    assert [low <= wait <= high for wait, (low, high) in zip(waits, ((0.5, 1), (1, 2), (1.5, 3)), strict=True)] == [
        True
    ] * 3
    assert told[0].startswith("the platform failed with 504; try 2 of 4 in ")


def test_the_last_try_ends_it_with_what_was_found() -> None:
    """Exit code 3, the fault's own line and how often it was tried."""
    work = Work(*(passing() for _ in range(9)))
    with pytest.raises(Unreachable, match="the platform failed with 504, in 3 tries") as caught:
        retried(work, Retry(tries=3), lambda _text: None, lambda _s: None)
    assert work.calls == 3
    assert (caught.value.next_step, caught.value.code, caught.value.exit_code) == ("wait", "platform_fault", 3)


def test_what_does_not_pass_is_not_tried_again() -> None:
    work = Work(Denied("no", next_step="sign in", code="sign_in"))
    with pytest.raises(Denied):
        retried(work, Retry(), lambda _text: None, lambda _s: pytest.fail("it waits"))
    assert work.calls == 1
