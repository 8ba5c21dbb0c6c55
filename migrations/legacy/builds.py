"""What builds the server: its own tsconfig, bundler entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.legacy.pieces import Found

if TYPE_CHECKING:
    from migrations.legacy.pieces import LegacyApp


def clean_builds(app: LegacyApp) -> Found:
    """..."""
    return Found()
