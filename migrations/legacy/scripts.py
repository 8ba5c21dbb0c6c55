"""Scripts of package.json that run or build the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.legacy.pieces import Found

if TYPE_CHECKING:
    from migrations.legacy.pieces import LegacyApp


def clean_scripts(app: LegacyApp) -> Found:
    """..."""
    return Found()
