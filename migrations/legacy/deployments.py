"""What runs the server elsewhere: Docker, Procfile, PM2, fly, CI; and what tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.legacy.pieces import Found

if TYPE_CHECKING:
    from migrations.legacy.pieces import LegacyApp


def clean_deployments(app: LegacyApp) -> Found:
    """..."""
    return Found()
