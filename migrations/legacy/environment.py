"""Environment keys that only the WebSocket server and its client read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.legacy.pieces import Found

if TYPE_CHECKING:
    from migrations.legacy.pieces import LegacyApp


def clean_environment(app: LegacyApp) -> Found:
    """..."""
    return Found()
