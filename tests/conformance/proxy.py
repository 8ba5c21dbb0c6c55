"""A way to a relay that a test can cut."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import RunningRelay

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 seconds, so that a close is a reset


class Proxy:
    """Passes bytes on between clients and a relay, until it is told to cut them off."""

    host = "127.0.0.1"

    def __init__(self, relay: RunningRelay) -> None:
        self._relay = relay
        self._listener = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._allowance: int | None = None
        self.connections = 0
        self.is_down = False  # new connections are closed at once

    def cut_after(self, size: int) -> None:
        """Pass on `size` more bytes from the relay, then reset all connections; new ones are let through."""
        with self._lock:
            self._allowance = size

    def serve(self) -> None:
        """Accept connections until `close`."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                if self.is_down:
                    client.close()
                    continue
                relay = socket.create_connection((self._relay.host, self._relay.port))
                with self._lock:
                    self._open += [client, relay]
                for source, target in ((client, relay), (relay, client)):
                    threading.Thread(target=self._pass_on, args=(source, target, source is relay)).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            self._cut()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_from_relay: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                with self._lock:
                    if is_from_relay and self._allowance is not None:
                        data, self._allowance = data[: self._allowance], self._allowance - len(data)
                    target.sendall(data)
                    if is_from_relay and self._allowance is not None and self._allowance <= 0:
                        self._allowance = None
                        self._cut()
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def _cut(self) -> None:
        for end in self._open:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RD)  # wakes the thread that reads from it
            end.close()
        self._open.clear()


@contextmanager
def proxy_to(relay: RunningRelay) -> Iterator[Proxy]:
    proxy = Proxy(relay)
    accepting = threading.Thread(target=proxy.serve)
    accepting.start()
    try:
        yield proxy
    finally:
        proxy.close()
        accepting.join()
