"""How long to wait before trying again."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def retry_delays(first_s: float, longest_s: float) -> Iterator[float]:
    """Seconds before each further try, without end: doubling up to `longest_s`, each somewhere in its upper half.

    The jitter keeps the many who lost one relay at one moment from coming back at one moment.
    """
    delay = first_s
    while True:
        yield random.uniform(delay / 2, delay)  # noqa: S311 - spreads load, guards nothing
        delay = min(delay * 2, longest_s)
