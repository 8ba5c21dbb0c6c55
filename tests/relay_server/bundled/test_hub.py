"""The hub by itself: rooms that come and go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from relay_server.bundled.hub import Hub
from relay_server.bundled.store import MemoryStore
from relay_server.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def hub() -> Iterator[Hub]:
    loop = asyncio.new_event_loop()
    yield Hub(loop, MemoryStore(), Limits(), secret=None, build="test")
    loop.close()


def test_a_room_in_use_stays(hub: Hub) -> None:
    assert hub.room("lobby") is hub.room("lobby")


def test_who_leaves_late_does_not_take_the_next_room_along(hub: Hub) -> None:
    """A subscriber leaves twice, with its close and with its connection; in between somebody else has come."""
    old = hub.room("lobby")
    hub.drop_if_unused(old)
    new = hub.room("lobby")
    assert new is not old
    hub.drop_if_unused(old)
    assert hub.find_room("lobby") is new
