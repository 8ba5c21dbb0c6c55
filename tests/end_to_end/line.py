"""A network between the browser and a server that can be cut."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOST = "127.0.0.1"
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 seconds, so that a close is a reset


class Line:
    """Passes on what comes for one port to another, unless it is cut."""

    def __init__(self, port: int, to_port: int) -> None:
        self._listener = socket.create_server((_HOST, port))
        self.port: int = self._listener.getsockname()[1]
        self._to = to_port
        self._lock = threading.Lock()
        self._ends: list[socket.socket] = []
        self._is_cut = False

    def cut(self) -> None:
        """Reset all connections; new ones are, too."""
        with self._lock:
            self._is_cut = True
            ends, self._ends = self._ends, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RD)  # wakes the thread that reads from it
            end.close()

    def mend(self) -> None:
        """New connections are let through again."""
        self._is_cut = False

    def serve(self) -> None:
        """Accept connections until `close`."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection((_HOST, self._to))
        except OSError:
            client.close()
            return
        with self._lock:
            self._ends += [client, server]
            is_cut = self._is_cut
        if is_cut:
            self.cut()
            return
        threading.Thread(target=_pass_on, args=(server, client), daemon=True).start()
        _pass_on(client, server)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def line(to_port: int, port: int = 0) -> Iterator[Line]:
    """A line to a port of this machine, from a given or a free one."""
    laid = Line(port, to_port)
    server = threading.Thread(target=laid.serve, daemon=True)
    server.start()
    try:
        yield laid
    finally:
        laid.close()
        server.join()
