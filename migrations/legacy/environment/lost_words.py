"""What the stages before took out of an app's code: words, reads of the environment, ports of sockets."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from migrations.engine.syntax import SOURCE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from migrations.legacy.pieces import LegacyApp

_WORD = re.compile(rb"[A-Za-z_$][\w$]*")
_READ = re.compile(
    rb"""(?:\benv|Config|\bconfig)(?:\?)?(?:\.([A-Z][A-Z0-9_]+)\b|\[\s*["']([A-Z][A-Z0-9_]+)["']\s*\])"""
)
_TAKEN_OUT = re.compile(rb"\{([^{}]*)\}\s*=\s*[^;\n]*(?:\benv\b|Config\b|\bconfig\b)")
_SOCKET_PORT = re.compile(rb"\bwss?://[^\s\"'`/]*:(\d{2,5})\b")


def changed_sources(app: LegacyApp) -> tuple[str, ...]:
    """The source files that the stages before have changed or removed."""
    found = []
    for path in app.before.paths:
        if path.endswith(SOURCE_SUFFIXES):
            before, after = app.before.file(path), app.view.file(path)
            if before is not after and before is not None and (after is None or before.data != after.data):
                found.append(path)
    return tuple(found)


def lost_words(app: LegacyApp, paths: tuple[str, ...]) -> frozenset[str]:
    """The words that one of these files has fewer of than before."""
    return frozenset(word.decode() for path in paths for word in _fewer(app, path, _WORD.findall))


def lost_reads(app: LegacyApp, paths: tuple[str, ...]) -> frozenset[str]:
    """The environment variables that one of these files reads at fewer places than before."""
    return frozenset(word.decode() for path in paths for word in _fewer(app, path, _reads))


def lost_socket_ports(app: LegacyApp, paths: tuple[str, ...]) -> frozenset[int]:
    """The ports of `ws://` addresses that are not in these files any more."""
    return frozenset(int(port) for path in paths for port in _fewer(app, path, _SOCKET_PORT.findall))


def _fewer(app: LegacyApp, path: str, find: Callable[[bytes], Sequence[bytes]]) -> Iterator[bytes]:
    before = Counter(find(app.before.read(path) or b""))
    yield from before - Counter(find(app.view.read(path) or b""))


def _reads(data: bytes) -> list[bytes]:
    found = [dotted or bracketed for dotted, bracketed in _READ.findall(data)]
    for names in _TAKEN_OUT.findall(data):
        found += re.findall(rb"\b[A-Z][A-Z0-9_]+\b", names)
    return found
