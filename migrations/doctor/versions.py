"""Versions and ranges as npm writes them (github.com/npm/node-semver), as far as `engines` use them."""

from __future__ import annotations

import json
import operator
import re
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from migrations.engine import AppView

Version: TypeAlias = tuple[int, int, int]

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?(?:\+\S*)?")
_COMPARATOR = re.compile(r"(\^|~|>=|<=|>|<|=)?\s*v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:-[\w.-]+)?")
_COMPARE: dict[str, Callable[[Version, Version], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<": operator.lt,
    "<=": operator.le,
}


def read_version(text: str) -> Version | None:
    """The first whole version in a text, without what comes after a hyphen; None if there is none."""
    found = _VERSION.search(text)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def is_prerelease(text: str) -> bool:
    found = _VERSION.search(text)
    return found is not None and found[4] is not None


def satisfies(version: Version, wanted: str) -> bool | None:
    """Whether a version is in a range; None where the range cannot be read."""
    answers = [_all_of(version, part.strip()) for part in wanted.split("||")]
    return True if True in answers else None if None in answers else False


def installed_version(view: AppView, name: str, folder: str = "") -> str | None:
    """The version of a package in node_modules of the app, or of the workspace around it; None if it is not there."""
    for place in dict.fromkeys(("", folder)):
        prefix = f"{place}/" if place else ""
        manifest = _json(view.read(f"{prefix}node_modules/{name}/package.json"))
        if manifest is not None:
            return str(manifest.get("version", ""))
    return None


def engines_of(view: AppView, path: str) -> str:
    """The Node versions that a package.json asks for, "" if it does not say."""
    manifest = _json(view.read(path)) or {}
    engines = manifest.get("engines")
    return str(engines.get("node", "")) if isinstance(engines, dict) else ""


def _json(data: bytes | None) -> dict[str, object] | None:
    try:
        value = json.loads(data) if data is not None else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _all_of(version: Version, part: str) -> bool | None:
    if " - " in part:
        low, _, high = part.partition(" - ")
        part = f">={low.strip()} <={high.strip()}"
    rest = re.sub(r"([\^~<>=])\s+", r"\1", part).split()
    answers = [_one(version, word) for word in rest]
    return None if None in answers else all(answers)


def _one(version: Version, word: str) -> bool | None:
    found = _COMPARATOR.fullmatch(word)
    if found is None:
        return None
    numbers = [int(part) for part in (found[2], found[3], found[4]) if part is not None and part.isdigit()]
    if not numbers:
        return True
    low = (*numbers, 0, 0)[:3]
    lowest: Version = (low[0], low[1], low[2])
    sign = found[1] or "="
    if sign in (">=", "<"):
        return _COMPARE[sign](version, lowest)
    if sign in (">", "<="):  # `<=22` takes 22.5 in, `>22` leaves it out
        return _COMPARE[sign](version, lowest) if len(numbers) == 3 else (version < _next(numbers)) == (sign == "<=")
    if sign == "^":
        fixed = next((at + 1 for at, number in enumerate(numbers) if number), len(numbers))
        return lowest <= version < _next(numbers[:fixed])
    return lowest <= version < _next(numbers[:2] if sign == "~" else numbers)


def _next(numbers: list[int]) -> Version:
    """The first version after all that begin with these numbers."""
    bumped = (*numbers[:-1], numbers[-1] + 1, 0, 0)
    return (bumped[0], bumped[1], bumped[2])
