"""The relay that a case runs on, once for each server.

`relay` is one with PROTOCOL.md's own limits, started once and shared by all files: every case uses a room of its own.
A file that needs other limits has a `relay` of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.servers import ALL_SERVERS, RunningRelay, ServerName, start_relay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def shared_relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[ServerName], RunningRelay]]:
    """Gives the running relay of a server, and starts it the first time."""
    running: dict[ServerName, RunningRelay] = {}

    def find(name: ServerName) -> RunningRelay:
        if name not in running:
            running[name] = start_relay(name, tmp_path_factory.mktemp(name))
        return running[name]

    yield find
    for relay in running.values():
        relay.stop()


@pytest.fixture(params=ALL_SERVERS)
def relay(request: pytest.FixtureRequest, shared_relay: Callable[[ServerName], RunningRelay]) -> RunningRelay:
    return shared_relay(request.param)


@pytest.fixture
def room() -> str:
    """A room that nobody else uses."""
    return f"room-{uuid4().hex}"
