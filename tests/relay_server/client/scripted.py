"""Servers that do what a test tells them, faults included, over real sockets."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence


@dataclass(frozen=True)
class Answer:
    """One HTTP answer. `wait` is waited for before it is sent.

    `rest` is what becomes of a part of the body that is announced and not there: the connection is cut, or nothing
    more comes.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    wait: asyncio.Event | None = None
    rest: Literal["cut", "hangs"] | None = None


def json_answer(status: int, value: object, **headers: str) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


def html_answer(status: int) -> Answer:
    return Answer(status, b"<!DOCTYPE html><html><body>Welcome</body></html>", {"Content-Type": "text/html"})


def refused(status: int, code: str, *, retry_after: str | None = None, **detail: object) -> Answer:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return json_answer(status, {"error": {"code": code, "message": f"it is {code}", **detail}}, **headers)


def acknowledge(body: bytes, *, stop: Sequence[str] = ()) -> Answer:
    """What a relay answers that takes everything."""
    following = {frame["stream"]: frame["seq"] + 1 for frame in json.loads(body)["frames"]}
    return json_answer(200, {"next": following, "stop": list(stop)})


@dataclass
class HttpServer:
    """`bodies` are those of the requests, in order; `at_once` the most that were open together."""

    port: int = 0
    bodies: list[bytes] = field(default_factory=list)
    at_once: int = 0
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def requests(self, count: int) -> None:
        """Wait until so many have come."""
        while len(self.bodies) < count:
            self.came.clear()
            await self.came.wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def frames(self) -> list[list[dict[str, Any]]]:
        """What each request published."""
        return [json.loads(body)["frames"] for body in self.bodies]


@asynccontextmanager
async def http_server(answer: Callable[[int, bytes], Answer | None]) -> AsyncIterator[HttpServer]:
    """Answers every request with `answer(number of the request from 0, body)`; None cuts the connection instead."""
    server = HttpServer()
    open_now = 0
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = next((line[15:] for line in head.splitlines() if line.startswith("content-length:")), "0")
                body = await reader.readexactly(int(length))
                server.bodies.append(body)
                server.came.set()
                open_now += 1
                server.at_once = max(server.at_once, open_now)
                said = answer(len(server.bodies) - 1, body)
                if said is not None and said.wait is not None:
                    await said.wait.wait()
                open_now -= 1
                if said is None:
                    writer.transport.abort()
                    return
                headers = {**said.headers, "Content-Length": str(len(said.body) + (said.rest is not None))}
                lines = [f"HTTP/1.1 {said.status} {HTTPStatus(said.status).phrase}"]
                lines += [f"{name}: {value}" for name, value in headers.items()]
                writer.write("\r\n".join([*lines, "", ""]).encode() + said.body)
                if said.rest == "cut":
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


HELLO = {"kind": "hello", "protocol": 1, "server": "scripted", "build": "b", "room": "lobby", "streams": []}


def hello(*streams: dict[str, Any]) -> dict[str, Any]:
    return {**HELLO, "streams": list(streams)}


def frame(seq: int, kind: str = "data", stream: str = "lobby:1", data: object = None) -> dict[str, Any]:
    return {"stream": stream, "seq": seq, "kind": kind, "data": data}


@dataclass
class SocketServer:
    """`paths` are those that were asked for, with their query, in order; `heard` what the clients sent."""

    port: int = 0
    paths: list[str] = field(default_factory=list)
    heard: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def socket_server(
    *scripts: Callable[[ServerConnection], Awaitable[None]] | Answer,
) -> AsyncIterator[SocketServer]:
    """The first connection gets the first script, and so on; the last one serves all that follow.

    A script that is an Answer refuses the upgrade with it.
    """
    server = SocketServer()

    def turn() -> Callable[[ServerConnection], Awaitable[None]] | Answer:
        return scripts[min(len(server.paths), len(scripts)) - 1]

    def on_request(_connection: ServerConnection, request: Request) -> Response | None:
        server.paths.append(request.path)
        script = turn()
        if isinstance(script, Answer):
            headers = Headers({**script.headers, "Content-Length": str(len(script.body))})
            return Response(script.status, HTTPStatus(script.status).phrase, headers, script.body)
        return None

    async def handle(connection: ServerConnection) -> None:
        script = turn()
        assert not isinstance(script, Answer)
        await script(connection)
        try:
            async for message in connection:
                server.heard.append(json.loads(message))
        except ConnectionClosed:
            pass

    async with serve(handle, "127.0.0.1", 0, process_request=on_request, ping_interval=None) as listener:
        server.port = next(iter(listener.sockets)).getsockname()[1]
        yield server


def says(
    *messages: object, close: int | None = None, cut: bool = False
) -> Callable[[ServerConnection], Awaitable[None]]:
    """A script: send these (text as it is, else as JSON), then close with a code, cut the connection, or stay."""

    async def script(connection: ServerConnection) -> None:
        for message in messages:
            await connection.send(message if isinstance(message, (str, bytes)) else json.dumps(message))
        if close is not None:
            await connection.close(close, "scripted")
        if cut:
            connection.transport.abort()

    return script
