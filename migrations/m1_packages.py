"""The packages that the kit and the relay need, through the app's own package manager."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from migrations.engine.outcome import AddPackage, Applied, NotApplicable, Pending

if TYPE_CHECKING:
    from migrations.engine import AppView, Outcome

_MANIFEST = "package.json"
_SECTIONS = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
_WANTED = {"partysocket": False, "partykit": True}
# What an app must have to be one that the kit is for.
_NEEDED = ("next", "@trpc/server")


@dataclass(frozen=True, slots=True)
class Packages:
    """`partysocket`, which the kit's client imports, and `partykit`, which runs and deploys the relay."""

    number: int = 1
    title: str = "Add partykit and partysocket"

    def plan(self, view: AppView) -> Outcome:
        packages = packages_of(view)
        unsuitable = why_unsuitable(packages)
        if unsuitable:
            return NotApplicable(unsuitable)
        missing = tuple(
            AddPackage(name, range_of(name), dev=dev) for name, dev in _WANTED.items() if name not in packages
        )
        return Pending(packages=missing) if missing else Applied()


def packages_of(view: AppView) -> dict[str, Any]:
    """Name and range of every package in the app's own package.json, whatever the section."""
    manifest = view.json(_MANIFEST)
    sections = [manifest.get(section) for section in _SECTIONS] if isinstance(manifest, dict) else []
    return {name: wanted for section in sections if isinstance(section, dict) for name, wanted in section.items()}


def why_unsuitable(packages: dict[str, Any]) -> str:
    """Why an app with these packages is none for the kit; "" if it is one."""
    missing = [name for name in _NEEDED if name not in packages]
    return f"the app has no {' and no '.join(missing)} in its package.json" if missing else ""


@cache
def range_of(name: str) -> str:
    """The range, within one major version, from the version that this project's own tests run with."""
    manifest = json.loads((files("relay_server") / "typescript" / _MANIFEST).read_bytes())
    return f"^{manifest['devDependencies'][name]}"
