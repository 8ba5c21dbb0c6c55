"""What a client may meet in place of a relay: another kind of server, and a network that changes what passes."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that gives the same bytes to every request and hangs up; with none it never answers. Yields its URL."""

    def serve(client: socket.socket) -> None:
        received = b""
        while b"\r\n\r\n" not in received and (chunk := client.recv(65536)):
            received += chunk
        if not answer:
            client.recv(1)  # until the client gives up
        client.sendall(answer)

    with _serving(serve) as url:
        yield url


def http_answer(status: str, content_type: str, body: bytes, *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*head, "Connection: close", "", ""]).encode() + body


@contextmanager
def tampering(port: int, old: bytes, new: bytes) -> Iterator[str]:
    """A way to a relay on `port` that replaces `old` by `new`, of the same length, in what the relay sends."""
    assert len(old) == len(new)

    def serve(client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as relay:
            there = threading.Thread(target=_pipe, args=(client, relay))
            there.start()
            _pipe(relay, client, lambda chunk: chunk.replace(old, new))
            there.join()

    with _serving(serve) as url:
        yield url


def _pipe(source: socket.socket, target: socket.socket, change: Callable[[bytes], bytes] = lambda chunk: chunk) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(change(chunk))
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def _serving(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                serve(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
