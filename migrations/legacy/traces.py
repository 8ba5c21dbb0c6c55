"""Whether an app has, or had, a tRPC WebSocket server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrations.engine.source import SourceFile
    from migrations.legacy.pieces import LegacyApp

_MARKS = ("applyWSSHandler", "createWSClient", "wsLink", "CreateWSSContextFnOptions")


def has_work(app: LegacyApp) -> bool:
    """Whether there is a server, or a stage before has taken anything of one away."""
    return bool(app.servers or app.gone or any(_differs(app, file.path) for file in _marked(app)))


def has_trace(app: LegacyApp) -> bool:
    """Whether anything in the app says that tRPC's WebSockets are or were used: a server, a client, or the relay kit,
    which an app gets in place of them.
    """
    kit = app.layout.kit_folder
    return (
        bool(app.servers or app.gone)
        or any(p.startswith(kit) for p in app.view.paths)
        or any(True for _ in _marked(app))
    )


def _marked(app: LegacyApp) -> Iterator[SourceFile]:
    return (file for mark in _MARKS for file in app.before.sources(mark))


def _differs(app: LegacyApp, path: str) -> bool:
    return app.view.read(path) != app.before.read(path)
