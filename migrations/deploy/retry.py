"""Another try at what is known to pass: PartyKit's and Cloudflare's 504, and their `workers.api.error.unknown`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from migrations.deploy.target import Passing
from relay_server.client.backoff import retry_delays
from relay_server.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from migrations.deploy.target import Tell

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Retry:
    """`tries` in all; the wait between them doubles from `first_wait_s` up to `longest_wait_s`, with jitter."""

    tries: int = 5
    first_wait_s: float = 3.0
    longest_wait_s: float = 30.0


def retried(
    work: Callable[[], _Result], retry: Retry, tell: Tell, sleep: Callable[[float], None] = time.sleep
) -> tuple[_Result, int]:
    """What `work` gives, and how many tries that took. Raises Unreachable when the last try failed as well."""
    failed = 0
    waits = retry_delays(retry.first_wait_s, retry.longest_wait_s)
    while True:
        try:
            return work(), failed + 1
        except Passing as error:
            failed += 1
            if failed >= retry.tries:
                tries = "1 try" if failed == 1 else f"{failed} tries"
                raise Unreachable(f"{error.message}, in {tries}", next_step=error.next_step, code=error.code) from None
            wait_s = next(waits)
            tell(f"{error.message}; try {failed + 1} of {retry.tries} in {wait_s:.0f} s")
            sleep(wait_s)
