"""The stream test: a model's reply, published to a room and read by many clients at once, each judged on every frame.

What counts is in `judge`; here is who does what when. Nothing outlives the call: the stream gets its terminal frame,
the connections are closed and the local relay is gone, also after an error or Ctrl-C.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING
from uuid import uuid4

from relay_server.checks.ask import Model, ModelAccess, load_sdk
from relay_server.checks.judge import (
    ClientVerdict,
    Latency,
    Reading,
    Sent,
    cut_points,
    judge_client,
    latencies_ms,
    latency,
    ttft_ms,
)
from relay_server.client.address import room_address
from relay_server.errors import ChatopsError, CheckFailed, UsageError
from relay_server.local import local_relay
from relay_server.model import DEFAULT_RATE, MODEL_NAME, expected_text, split_pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from relay_server.client.publisher import Publisher
    from relay_server.client.subscriber import Hello

DEFAULT_PROMPT = "Say hello to everybody in this room."

_CONNECTING_AT_ONCE = 50
_GIVE_UP_S = 10.0  # on a relay that went away in mid-run
_GOODBYE_S = 2.0
_SPARE_FILES = 64


@dataclass(frozen=True, slots=True)
class StreamTestSettings:
    """`relay_url` None starts a local relay; `model` None asks the built-in model of a local one.

    `rate` is the built-in model's, pieces a second, 0 flat out. `timeout_s`: how long nothing new may come.
    """

    room: str
    relay_url: str | None = None
    secret: str | None = field(default=None, repr=False)
    model: ModelAccess | None = None
    prompt: str = DEFAULT_PROMPT
    clients: int = 5
    rate: float = DEFAULT_RATE
    cut: bool = False
    timeout_s: float = 30.0


@dataclass(slots=True)
class Progress:
    """The run as it is now, for a display.

    `text` is what the first client has read so far, `expected_frames` how many there will be if that is known,
    `result` what was found, once the run is over, however it went.
    """

    stage: str = ""
    text: str = ""
    greeted: int = 0
    sent: Sent = field(default_factory=Sent)
    readings: Sequence[Reading] = ()
    expected_frames: int | None = None
    result: StreamTestResult | None = None


@dataclass(frozen=True, slots=True)
class StreamTestResult:
    """What a stream test found; None where it did not get so far. Times in milliseconds, `duration_s` in seconds.

    `duration_s` runs from asking the model to the last client's last frame. `latencies_ms` are ascending.
    """

    ok: bool
    room: str
    stream: str
    relay_url: str | None
    relay: Hello | None
    model: str
    frames: int
    posts: int
    ttft_ms: float | None
    latency: Latency | None
    latencies_ms: Sequence[float]
    duration_s: float | None
    clients: Sequence[ClientVerdict]

    def as_json(self) -> dict[str, object]:
        hello = self.relay
        return {
            "ok": self.ok,
            "room": self.room,
            "stream": self.stream,
            "relay": {
                "url": self.relay_url,
                "server": hello.server if hello else None,
                "protocol": hello.protocol if hello else None,
                "build": hello.build if hello else None,
            },
            "model": self.model,
            "frames": self.frames,
            "posts": self.posts,
            "ttft_ms": None if self.ttft_ms is None else round(self.ttft_ms, 1),
            "latency_ms": self.latency.as_json() if self.latency else None,
            "duration_s": None if self.duration_s is None else round(self.duration_s, 3),
            "clients": [client.as_json() for client in self.clients],
        }


async def stream_test(settings: StreamTestSettings, on_progress: Callable[[Progress], None]) -> StreamTestResult:
    """Run the test; `on_progress` is called when something happened that a display would show.

    A test that did not pass raises CheckFailed; what cannot be run raises UsageError, Unreachable or Denied. The
    error's `report` is the JSON form of what was found until then.
    """
    _check(settings)
    run = _Run(settings, on_progress)
    try:
        await run.run()
        result = run.finish()
        if not result.ok:
            raise _verdict(result)
    except ChatopsError as error:
        report = run.finish(failed=True).as_json()
        error.report = {key: value for key, value in report.items() if key != "ok"}
        raise
    return result


class _Run:
    """One run, and everything it learns."""

    def __init__(self, settings: StreamTestSettings, on_progress: Callable[[Progress], None]) -> None:
        self.settings = settings
        self.stream = f"{settings.room}:{uuid4()}"
        self.messages = [{"role": "user", "content": settings.prompt}]
        built_in = settings.model is None
        pieces = len(split_pieces(expected_text(self.messages))) if built_in else None
        cuts = cut_points(settings.clients, pieces) if settings.cut else [None] * settings.clients
        self.readings = [Reading(cut_after) for cut_after in cuts]
        self.sent = Sent()
        self.progress = Progress(
            sent=self.sent, readings=self.readings, expected_frames=None if pieces is None else pieces + 2
        )
        self.on_progress = on_progress
        self.relay_url = settings.relay_url
        self.hello: Hello | None = None
        self.posts = 0
        self.all_greeted = asyncio.Event()
        self.news = perf_counter()

    async def run(self) -> None:
        settings = self.settings
        async with AsyncExitStack() as stack:
            loading = asyncio.create_task(load_sdk())
            secret, model = settings.secret or "", settings.model
            if settings.relay_url is None or model is None:
                self._stage("starting a local relay" if settings.relay_url is None else "starting the built-in model")
                local = await stack.enter_async_context(local_relay(settings.rate))
                if self.relay_url is None:
                    self.relay_url, secret = local.url, local.secret
                model = model or ModelAccess(MODEL_NAME, local.model_url)
            assert self.relay_url is not None
            self._stage(f"connecting {settings.clients} clients to {self.relay_url}")
            wave = asyncio.Semaphore(_CONNECTING_AT_ONCE)
            tasks = [asyncio.create_task(self._read(number, wave)) for number in range(settings.clients)]
            tasks.append(asyncio.create_task(self._publish(self.relay_url, secret, model, loading)))
            try:
                await self._watch(tasks)
            except ChatopsError:
                if self.sent.last == "error":
                    await asyncio.wait(tasks, timeout=_GOODBYE_S)  # the clients are about to read it
                raise
            finally:
                # The publisher first: it still has to tell the room that the stream is over.
                await _cancel(tasks[-1:])
                await _cancel(tasks[:-1])

    async def _watch(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Wait for all. Raises what the first that fails raises, and CheckFailed when nothing new comes."""
        pending = set(tasks)
        patience = self.settings.timeout_s
        while pending:
            done, pending = await asyncio.wait(
                pending, timeout=min(1.0, patience / 4), return_when=asyncio.FIRST_EXCEPTION
            )
            for task in done:
                task.result()
            if pending and perf_counter() - self.news > patience:
                raise self._stalled()

    async def _read(self, number: int, wave: asyncio.Semaphore) -> None:
        """One client, from its connection to the terminal frame."""
        from relay_server.client.subscriber import FrameReceived, Hello, Subscriber, SubscriberSettings

        assert self.relay_url is not None
        reading, stream = self.readings[number], self.stream
        subscriber = Subscriber(
            self.relay_url, self.settings.room, settings=SubscriberSettings(reconnect_for_s=_GIVE_UP_S)
        )
        async with subscriber, aclosing(subscriber.events()) as events:
            async with wave:
                hello = await anext(events)
            assert isinstance(hello, Hello)
            self._greeted(hello)
            async for event in events:
                if isinstance(event, FrameReceived):
                    if event.stream != stream:
                        continue
                    text = _text_of(event.data)
                    reading.frame(event.seq, event.kind, text, event.arrived, replayed=event.replayed)
                    self.news = event.arrived
                    if number == 0 and text:
                        self.progress.text += text
                        self.on_progress(self.progress)
                    if event.is_terminal:
                        return
                    if event.seq == reading.cut_after and not reading.was_cut:
                        reading.was_cut = subscriber.cut()
                elif isinstance(event, Hello):
                    reading.reconnects += 1

    def _greeted(self, hello: Hello) -> None:
        self.hello = self.hello or hello
        self.news = hello.arrived
        self.progress.greeted += 1
        if self.progress.greeted == self.settings.clients:
            self.all_greeted.set()
        self.on_progress(self.progress)

    async def _publish(self, relay_url: str, secret: str, access: ModelAccess, loading: asyncio.Task[None]) -> None:
        from relay_server.client.publisher import Publisher, PublisherSettings

        publisher = Publisher(
            relay_url, self.settings.room, self.stream, secret, PublisherSettings(retry_for_s=_GIVE_UP_S)
        )
        await loading
        try:
            async with Model(access, self.settings.timeout_s) as model, publisher:
                await self.all_greeted.wait()
                try:
                    await self._publish_reply(publisher, model, access.name)
                except asyncio.CancelledError:
                    await self._end_with_error(publisher, "interrupted", "the stream test was interrupted")
                    raise
                except ChatopsError as error:
                    await self._end_with_error(publisher, error.code, error.message)
                    raise
        finally:
            self.posts = publisher.posts

    async def _publish_reply(self, publisher: Publisher, model: Model, model_name: str) -> None:
        """`start` before the model is asked, each piece as it comes, then `end`."""
        sent = self.sent
        sent.add("start", perf_counter())
        await publisher.send("start", {"model": model_name})
        self._stage(f"asking {model_name}")
        self.news = sent.asked = perf_counter()
        async with aclosing(model.ask(self.messages)) as pieces:
            async for piece in pieces:
                self.news = now = perf_counter()
                sent.add("data", now, piece)
                await publisher.send("data", {"type": "text", "text": piece})
                if publisher.stop_requested.is_set():
                    self._stage("a reader asked to stop")
                    break
        sent.add("end", perf_counter())
        await publisher.send("end")
        await publisher.close()

    async def _end_with_error(self, publisher: Publisher, code: str, message: str) -> None:
        """Every stream ends with a terminal frame; if the relay takes no more, it writes one itself later."""
        with suppress(Exception):
            async with asyncio.timeout(_GOODBYE_S):
                await publisher.send("error", {"code": code, "message": message})
                await publisher.close()
            self.sent.add("error", perf_counter())

    def _stage(self, text: str) -> None:
        self.news = perf_counter()
        self.progress.stage = text
        self.on_progress(self.progress)

    def _stalled(self) -> CheckFailed:
        """Nothing new for too long: what is missing."""
        clients, timeout = self.settings.clients, f"{self.settings.timeout_s:g} s"
        next_step = "look at the relay's log and at chatops health; --timeout gives it more time"
        if not self.all_greeted.is_set():
            missing = clients - self.progress.greeted
            what = f"{missing} of {clients} clients were not greeted by the relay"
        elif not self.sent.pieces:
            what = "the model has not begun its reply"
        elif not self.sent.finished:
            what = f"the model has not gone on after {len(self.sent.pieces)} pieces"
        else:
            waiting = [reading for reading in self.readings if reading.terminal is None]
            missing = sum(reading.missing(self.sent.frames) for reading in waiting)
            what = f"{len(waiting)} of {clients} clients still miss {missing} frames"
            if not waiting:
                what = "the relay has not acknowledged every frame"
        return CheckFailed(f"nothing new for {timeout}: {what}", next_step=next_step, code="stalled")

    def finish(self, *, failed: bool = False) -> StreamTestResult:
        """Judge what there is, and show it."""
        if self.progress.result is None:
            self.progress.result = self._result(failed)
            self.on_progress(self.progress)
        return self.progress.result

    def _result(self, failed: bool) -> StreamTestResult:
        sent, readings = self.sent, self.readings
        verdicts = [judge_client(sent, reading) for reading in readings]
        latencies = latencies_ms(sent, readings)
        last = max((reading.last for reading in readings if reading.last is not None), default=None)
        return StreamTestResult(
            ok=not failed and not any(verdict.faults for verdict in verdicts),
            room=self.settings.room,
            stream=self.stream,
            relay_url=self.relay_url,
            relay=self.hello,
            model=self.settings.model.name if self.settings.model else MODEL_NAME,
            frames=sent.frames,
            posts=self.posts,
            ttft_ms=ttft_ms(sent, readings),
            latency=latency(latencies),
            latencies_ms=latencies,
            duration_s=last - sent.asked if last is not None and sent.pieces else None,
            clients=verdicts,
        )


def _verdict(result: StreamTestResult) -> CheckFailed:
    bad = [(number, client) for number, client in enumerate(result.clients, 1) if client.faults]
    number, first = bad[0]
    return CheckFailed(
        f"{len(bad)} of {len(result.clients)} clients did not read the reply as it was sent: "
        f"client {number} {', '.join(first.faults)}",
        next_step="look at the relay's log; --json has every client's figures",
        code="incomplete",
    )


def _check(settings: StreamTestSettings) -> None:
    if settings.clients < 1:
        raise UsageError("a stream test needs a client", next_step="--clients 1 or more", code="bad_clients")
    if settings.relay_url is not None:
        room_address(settings.relay_url, settings.room)
    else:
        room_address("http://127.0.0.1", settings.room)
    try:
        settings.prompt.encode()
    except UnicodeEncodeError:
        raise UsageError("the prompt is not valid Unicode", next_step="write it in UTF-8", code="bad_prompt") from None
    _allow_files(settings.clients)


def _text_of(data: object) -> str | None:
    """The text of a data frame as this test writes it."""
    text = data.get("text") if isinstance(data, dict) else None
    return text if isinstance(text, str) else None


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _allow_files(clients: int) -> None:
    """Raise this process's limit of open files to what the clients need. Raises UsageError if it cannot be."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    needed = clients + _SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise UsageError(
            f"{clients} clients need {needed} open files and this system allows {hard}",
            next_step=f"--clients {max(1, hard - _SPARE_FILES)}, or raise the limit (ulimit -Hn)",
            code="too_many_clients",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
