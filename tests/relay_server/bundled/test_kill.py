"""`kill -9` of the relay in mid-stream: nothing that was acknowledged is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from relay_server.client.publisher import Publisher, PublisherSettings
from relay_server.client.subscriber import FrameReceived, Subscriber, SubscriberSettings
from relay_server.protocol import Lost
from tests.servers import SECRET, start_relay

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 25
SUBSCRIBERS = 4
STREAM = "lobby:one"


async def publish(url: str, enough: asyncio.Event) -> int:
    """Publish numbered pieces until it is enough; how many they were."""
    settings = PublisherSettings(first_retry_s=0.02, longest_retry_s=0.1)
    async with Publisher(url, "lobby", STREAM, SECRET, settings) as publisher:
        await publisher.send("start")
        number = 0
        while not enough.is_set():
            await publisher.send("data", number)
            await asyncio.sleep(0.008)
            number += 1
        await publisher.send("end")
        await publisher.close()
        return number


async def read(url: str) -> tuple[list[FrameReceived], int]:
    """Everything that one subscriber gets until the terminal frame, and how often it was greeted."""
    frames: list[FrameReceived] = []
    greeted = 0
    settings = SubscriberSettings(first_retry_s=0.02, longest_retry_s=0.1)
    async with Subscriber(url, "lobby", settings=settings) as subscriber:
        async for event in subscriber.events():
            assert not isinstance(event, Lost), event
            if not isinstance(event, FrameReceived):
                greeted += type(event).__name__ == "Hello"
                continue
            frames.append(event)
            if event.is_terminal:
                break
    return frames, greeted


async def run_rounds(folder: Path, seed: int) -> None:
    moments = random.Random(seed)
    relay = start_relay("bundled", folder)
    readers = [asyncio.create_task(read(relay.url)) for _ in range(SUBSCRIBERS)]
    await asyncio.sleep(0.1)
    enough = asyncio.Event()
    publishing = asyncio.create_task(publish(relay.url, enough))
    try:
        for _ in range(ROUNDS):
            await asyncio.sleep(moments.uniform(0.02, 0.3))
            assert not publishing.done(), publishing.result()
            relay.kill()
            relay = await asyncio.to_thread(start_relay, "bundled", folder, port=relay.port)
        enough.set()
        pieces = await publishing
        for frames, greeted in await asyncio.gather(*readers):
            assert [frame.seq for frame in frames] == list(range(pieces + 2))
            assert [frame.data for frame in frames[1:-1]] == list(range(pieces))
            assert greeted > 1
    finally:
        for task in (publishing, *readers):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        relay.stop()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_is_lost_or_doubled_over_many_kills(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    asyncio.run(run_rounds(tmp_path, seed))
