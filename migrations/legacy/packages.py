"""Packages that nothing uses any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.legacy.pieces import Found

if TYPE_CHECKING:
    from migrations.legacy.pieces import LegacyApp


def clean_packages(app: LegacyApp) -> Found:
    """..."""
    return Found()
