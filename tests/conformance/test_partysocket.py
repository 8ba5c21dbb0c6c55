"""The partysocket package from npm, as a page uses it: it comes back by itself, misses nothing, sees nothing twice."""

from __future__ import annotations

import json
import queue
import secrets
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from tests.conformance.harness import DEADLINE_S, Publisher, encode, frame, wait_until
from tests.conformance.proxy import Proxy, proxy_to
from tests.node import NODE, ensure_node_modules
from tests.servers import TYPESCRIPT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conformance.harness import Message
    from tests.servers import RunningRelay

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parent / "partysocket.mjs"


class PartySocket:
    """The script's events, and a way to have it send."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin: IO[bytes] = process.stdin
        self._events: queue.Queue[Message] = queue.Queue()
        self._reading = threading.Thread(target=self._read, args=(process.stdout,))
        self._reading.start()

    def _read(self, stdout: IO[bytes]) -> None:
        for line in stdout:
            self._events.put(json.loads(line))
        self._events.put({"event": "end"})

    def next_event(self) -> Message:
        return self._events.get(timeout=DEADLINE_S)

    def next_message(self) -> Message:
        """The next message; connections that open and close on the way are passed over."""
        while True:
            event = self.next_event()
            assert event["event"] != "end", "the script has ended"
            if event["event"] == "message":
                message: Message = event["message"]
                return message

    def until(self, last: Message) -> list[Message]:
        """Every message up to this one, with it."""
        messages = [self.next_message()]
        while messages[-1] != last:
            messages.append(self.next_message())
        return messages

    def send(self, message: object) -> None:
        self._stdin.write(encode(message) + b"\n")
        self._stdin.flush()

    def close(self) -> None:
        self._stdin.close()
        self._reading.join(DEADLINE_S)


@contextmanager
def partysocket(proxy: Proxy, room: str) -> Iterator[PartySocket]:
    ensure_node_modules(TYPESCRIPT)
    settings = {"packages": str(TYPESCRIPT), "host": f"{proxy.host}:{proxy.port}", "room": room}
    with subprocess.Popen(
        [NODE, SCRIPT, json.dumps(settings)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        socket = PartySocket(process)
        try:
            yield socket
        finally:
            socket.close()


def noise() -> str:
    """Text that stays long when it is compressed, as Node and some servers agree to do."""
    return secrets.token_hex(500)


def test_reconnects_and_resumes(relay: RunningRelay, room: str) -> None:
    """PartySocket is cut twice in the middle of a message: it gets the whole reply all the same."""
    frames = [frame("room:reply", seq, data=noise()) for seq in range(60)]
    end = frame("room:reply", 60, "end")
    with (
        proxy_to(relay) as proxy,
        partysocket(proxy, room) as client,
        Publisher(relay, room) as publisher,
    ):
        assert client.next_event() == {"event": "open"}
        assert client.next_message()["kind"] == "hello"
        publisher.publish(*frames[:20])
        seen = client.until(frames[19])
        for start in (20, 40):
            proxy.cut_after(4200)
            publisher.publish(*frames[start : start + 20])
            seen += client.until(frames[start + 19])
        publisher.publish(end)
        seen += client.until(end)
        assert proxy.connections == 3
        hellos = [message for message in seen if message["kind"] == "hello"]
        assert [hello["streams"][0]["next"] for hello in hellos] == [40, 60]
        assert [message for message in seen if message not in hellos] == [*frames, end]


def test_resumes_several_streams(relay: RunningRelay, room: str) -> None:
    """Its query names every stream that it has, finished ones too, in one `from`."""
    pieces = [frame(stream, seq, data=noise()) for seq in range(20) for stream in ("a", "b")]
    finished = [frame("done", 0, "start"), frame("done", 1, "end")]
    ends = [frame("a", 20, "end"), frame("b", 20, "end")]
    with (
        proxy_to(relay) as proxy,
        partysocket(proxy, room) as client,
        Publisher(relay, room) as publisher,
    ):
        assert client.next_message()["kind"] == "hello"
        publisher.publish(*finished, *pieces[:10])
        seen = client.until(pieces[9])
        proxy.cut_after(3000)
        publisher.publish(*pieces[10:])
        publisher.publish(*ends)
        for stream_end in ends:
            if stream_end not in seen:
                seen += client.until(stream_end)
        assert proxy.connections == 2
        (hello,) = [message for message in seen if message["kind"] == "hello"]
        frames = [message for message in seen if message is not hello]
        assert len(frames) == len(finished) + len(pieces) + len(ends)
        for stream in ("done", "a", "b"):
            published = [one for one in (*finished, *pieces, *ends) if one["stream"] == stream]
            assert [one for one in frames if one["stream"] == stream] == published


def test_stop_and_ping(relay: RunningRelay, room: str) -> None:
    """What PartySocket sends is understood, after a reconnect too."""
    with (
        proxy_to(relay) as proxy,
        partysocket(proxy, room) as client,
        Publisher(relay, room) as publisher,
    ):
        assert client.next_message()["kind"] == "hello"
        client.send({"kind": "ping"})
        assert client.next_message() == {"kind": "pong"}
        proxy.cut_after(0)
        publisher.publish(frame("s", 0, "start"))
        assert client.next_message()["kind"] == "hello"
        assert client.next_message() == frame("s", 0, "start")
        client.send({"kind": "stop", "stream": "s"})
        assert client.next_message() == {"kind": "stopping", "stream": "s"}
        assert publisher.publish(frame("s", 1))["stop"] == ["s"]


def test_comes_back_after_an_outage(relay: RunningRelay, room: str) -> None:
    """While nothing answers it goes on trying; then it gets what was published meanwhile."""
    frames = [frame("s", seq) for seq in range(10)]
    with (
        proxy_to(relay) as proxy,
        partysocket(proxy, room) as client,
        Publisher(relay, room) as publisher,
    ):
        publisher.publish(*frames[:5])
        assert client.until(frames[4])[0]["kind"] == "hello"
        proxy.is_down = True
        proxy.cut_after(0)
        publisher.publish(*frames[5:])
        wait_until(lambda: proxy.connections >= 4, "PartySocket does not try again")
        proxy.is_down = False
        hello, *missed = client.until(frames[9])
        assert hello["kind"] == "hello"
        assert missed == frames[5:]
