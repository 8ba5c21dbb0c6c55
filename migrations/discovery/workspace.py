"""A workspace's root in place of an app."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migrations.engine import AppView

_MANIFEST = "package.json"


def apps_below(view: AppView) -> tuple[str, ...]:
    """The folders below that hold an app with Next.js and tRPC, where the folder itself does not."""
    if _is_app(view, _MANIFEST):
        return ()
    return tuple(
        path.removesuffix(f"/{_MANIFEST}")
        for path in view.paths
        if path.endswith(f"/{_MANIFEST}") and _is_app(view, path)
    )


def _is_app(view: AppView, manifest: str) -> bool:
    data = view.read(manifest) or b""
    return b'"next"' in data and b'"@trpc/' in data
