"""What the app kit needs of an app: tRPC 11 and TypeScript."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.engine import Blocked

if TYPE_CHECKING:
    from migrations.discovery.layout import Layout
    from migrations.engine import AppView

_PACKAGES = ("@trpc/server", "@trpc/client")
_MAJOR = 11


def refusal_of_kit(view: AppView, layout: Layout) -> Blocked | None:
    """Why the kit cannot be used in this app; None if it can, as far as package.json says."""
    major = trpc_major(view)
    if major is not None and major != _MAJOR:
        return Blocked(
            f"tRPC {major}: the kit needs tRPC {_MAJOR}",
            "package.json",
            next_step=f"bring the app to tRPC {_MAJOR} first (npx @trpc/upgrade)",
        )
    if not layout.has_typescript:
        return Blocked("the app has no tsconfig.json: the kit is TypeScript", next_step="set up TypeScript first")
    return None


def trpc_major(view: AppView) -> int | None:
    """The major version that package.json asks for; None where it does not say."""
    manifest = view.json("package.json")
    for section in ("dependencies", "devDependencies"):
        packages = manifest.get(section) if isinstance(manifest, dict) else None
        for name in _PACKAGES:
            wanted = packages.get(name) if isinstance(packages, dict) else None
            match = re.match(r"[\^~>=v\s]*(\d+)(?:\.|-|$|\s)", str(wanted))
            if match:
                return int(match[1])
    return None
