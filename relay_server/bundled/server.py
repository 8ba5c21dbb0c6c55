"""The bundled relay as a whole: listens on one port, keeps time, drains on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import signal
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import uvloop

from relay_server.bundled.connection import Connection, Server
from relay_server.bundled.hub import SERVER, Hub
from relay_server.bundled.metrics import Metrics
from relay_server.bundled.store import MemoryStore, SqliteStore, StoreError
from relay_server.errors import UsageError
from relay_server.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from relay_server.model import ModelSettings

log = logging.getLogger("chatops.relay")

TICK_S = 0.25
CHECKPOINT_S = 5.0
DRAIN_S = 3.0
_BACKLOG = 2048


@dataclass(frozen=True)
class ServeOptions:
    """`port` 0 takes a free one. `db` None keeps rooms in memory only. `secret` None: nobody can publish."""

    host: str = "127.0.0.1"
    port: int = 0
    db: Path | None = None
    secret: str | None = field(default=None, repr=False)
    build: str = "dev"
    limits: Limits = field(default_factory=Limits)
    model: ModelSettings | None = None


@dataclass(frozen=True, slots=True)
class Serving:
    """A relay that listens: its address and what it says of itself."""

    url: str
    server: str
    build: str
    durable: bool


def run(
    options: ServeOptions, on_ready: Callable[[Serving], None], until: Callable[[], Awaitable[object]] | None = None
) -> None:
    """Serve until SIGTERM, SIGINT, or what `until` gives is done; then drain.

    Raises UsageError for an address that cannot be listened on and a file that cannot be used.
    """
    uvloop.run(serve(options, on_ready, until))


async def serve(
    options: ServeOptions, on_ready: Callable[[Serving], None], until: Callable[[], Awaitable[object]] | None = None
) -> None:
    loop = asyncio.get_running_loop()
    _allow_many_connections()
    with contextlib.closing(_listen(options.host, options.port)) as listener:
        store = SqliteStore(options.db) if options.db else MemoryStore()
        secret = options.secret.encode() if options.secret else None
        try:
            hub = Hub(loop, store, options.limits, secret=secret, build=options.build)
            shared = Server(hub, Metrics(hub), options.model)
            listening = await loop.create_server(lambda: Connection(shared), sock=listener, backlog=_BACKLOG)
            keeper = loop.create_task(_keep_time(shared))
            on_ready(Serving(_url(options.host, listener), SERVER, options.build, store.durable))
            await _until_stopped(loop, until)
            await _drain(shared, listening)
            keeper.cancel()
        except StoreError as error:
            raise UsageError(
                f"{options.db} is damaged: {error}",
                next_step="put the file away and start again, or name another with --db",
                code="db_unusable",
            ) from error
        finally:
            store.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except socket.gaierror as error:
        raise UsageError(
            f"{host!r} is no address of this machine: {error.strerror}",
            next_step="--host 127.0.0.1 for this machine alone, 0.0.0.0 for all of its addresses",
            code="cannot_listen",
        ) from error
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"the relay cannot listen on {host}:{port}: {error}",
            next_step="free the port, or choose another with --port (0 takes any free one)",
            code="cannot_listen",
        ) from error


def _url(host: str, listener: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


def _allow_many_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _until_stopped(loop: asyncio.AbstractEventLoop, until: Callable[[], Awaitable[object]] | None) -> None:
    stopped = loop.create_future()

    def stop(*_: object) -> None:
        if not stopped.done():
            stopped.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if until is not None:
        asyncio.ensure_future(until()).add_done_callback(stop)
    await stopped


async def _keep_time(server: Server) -> None:
    """The rooms' clock, heartbeats, idle connections and the store's housekeeping."""
    hub = server.hub
    checkpointed = beaten = time.monotonic()
    while True:
        await asyncio.sleep(TICK_S)
        try:
            hub.tick()
            now = time.monotonic()
            if now - beaten >= 1:
                beaten = now
                for subscriber in list(hub.subscribers):
                    subscriber.heartbeat(now)
                for connection in list(server.connections):
                    connection.close_if_idle(now)
            if now - checkpointed >= CHECKPOINT_S:
                await asyncio.to_thread(hub.checkpoint)
                checkpointed = time.monotonic()
        except Exception:
            log.exception("housekeeping failed; the relay goes on")


async def _drain(server: Server, listening: asyncio.Server) -> None:
    """Take nothing new, let what was begun end, say goodbye, and leave within DRAIN_S."""
    hub = server.hub
    hub.draining = True
    listening.close()
    deadline = time.monotonic() + DRAIN_S
    if server.completions:
        await asyncio.wait(server.completions, timeout=DRAIN_S / 2)
    for task in list(server.completions):
        task.cancel()
    hub.flush()
    for subscriber in list(hub.subscribers):
        subscriber.close(1001, "the relay stops")
    for connection in list(server.connections):
        connection.transport.close()
    while time.monotonic() < deadline and (  # noqa: ASYNC110 - nobody tells when the last one has gone
        hub.subscribers or server.connections
    ):
        await asyncio.sleep(0.02)
