"""Types that the server's context has for WebSocket connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.legacy.pieces import Found

if TYPE_CHECKING:
    from migrations.legacy.pieces import LegacyApp


def clean_contexts(app: LegacyApp) -> Found:
    """..."""
    return Found()
