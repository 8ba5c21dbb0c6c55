"""The server's own files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.legacy.pieces import Found

if TYPE_CHECKING:
    from migrations.discovery.layout import Layout
    from migrations.engine.view import AppView
    from migrations.legacy.pieces import LegacyApp, LegacyServer


def find_servers(view: AppView, layout: Layout) -> tuple[LegacyServer, ...]:
    """Every file that hands a WebSocketServer to tRPC, live or commented out whole."""
    return ()


def clean_servers(app: LegacyApp) -> Found:
    """..."""
    return Found()
