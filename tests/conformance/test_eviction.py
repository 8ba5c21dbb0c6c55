"""A room that nobody visits for long (PROTOCOL.md, "Streams that go quiet").

A file of its own, because most of it is waiting.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, get_args

import pytest

from tests.conformance.harness import Publisher, Subscriber, frame, reply, stream_state
from tests.servers import ServerName, running_relay

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_room_without_visitors(tmp_path: Path, room: str) -> None:
    """A room that nobody visits may leave a server's memory: it keeps its frames and its time all the same.

    A Durable Object without connections is evicted after ten seconds, so every server is left alone for longer than
    that, all of them at once.
    """
    idle_s = 11
    variables = {"RELAY_IDLE_SECONDS": str(idle_s)}
    with ExitStack() as stack:
        relays = [
            stack.enter_context(running_relay(name, tmp_path / name, variables=variables))
            for name in get_args(ServerName)
        ]
        for relay in relays:
            with Publisher(relay, room) as publisher:
                publisher.publish(*reply("done", 3), frame("left", 0, "start"))
        # Evicted, it is started again by its alarm, and the idle limit counts anew. A look would keep it in memory.
        time.sleep(2 * idle_s + 2)
        for relay in relays:
            with Subscriber(relay, room, query="from=done:1") as subscriber:
                states = [stream_state("done", 3, finished=True), stream_state("left", 2, finished=True)]
                assert subscriber.hello()["streams"] == states, relay.name
                assert subscriber.take(3) == [*reply("done", 3)[1:], frame("left", 0, "start")]
                assert subscriber.next()["data"]["code"] == "publisher_gone"
