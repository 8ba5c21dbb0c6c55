"""Keep a folder with TypeScript settings of its own out of what the app's tsconfig.json covers."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

from migrations.engine.outcome import Blocked

if TYPE_CHECKING:
    from migrations.engine import AppView, Edits

_TSCONFIG = "tsconfig.json"
# What TypeScript excludes where nothing is said (typescriptlang.org, "TSConfig Reference", exclude).
_BY_DEFAULT = "node_modules"
_DEEPEST = 8


def exclude_folder(edits: Edits, folder: str, probe: str) -> Blocked | None:
    """Add `folder` to "exclude", if tsconfig.json covers the file `probe` in it.

    Blocked where "exclude" comes from another file, which one of the app's own would put out of force.
    """
    settings = edits.view.json(_TSCONFIG)
    if not isinstance(settings, dict) or not _covers(settings, probe):
        return None
    excluded = settings.get("exclude")
    if isinstance(excluded, list):
        if not any(isinstance(pattern, str) and _matches(pattern, probe) for pattern in excluded):
            edits.append_json(_TSCONFIG, ("exclude",), folder)
        return None
    if _inherits_exclude(edits.view, settings):
        return Blocked(
            'its "exclude" comes from the file that it extends',
            _TSCONFIG,
            1,
            f'give {_TSCONFIG} an "exclude" of its own that lists those and "{folder}"',
        )
    options = settings.get("compilerOptions")
    output = options.get("outDir") if isinstance(options, dict) else None
    edits.set_json(
        _TSCONFIG, ("exclude",), [_BY_DEFAULT, *([output] if isinstance(output, str) else []), folder]
    )  # fmt: skip
    return None


def _covers(settings: dict[str, Any], path: str) -> bool:
    included = settings.get("include")
    if isinstance(included, list):
        return any(isinstance(pattern, str) and _matches(pattern, path) for pattern in included)
    return "files" not in settings


def _matches(pattern: str, path: str) -> bool:
    """Whether a pattern of "include" or "exclude" names `path` or a folder around it."""
    normal = posixpath.normpath(pattern)
    if normal == ".":
        return True
    text = re.escape(normal).replace(r"\*\*/", "(?:.*/)?").replace(r"\*\*", ".*")
    text = text.replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    return re.fullmatch(rf"{text}(?:/.*)?", path) is not None


def _inherits_exclude(view: AppView, settings: dict[str, Any]) -> bool:
    folder = ""
    for _ in range(_DEEPEST):
        base = settings.get("extends")
        bases = [base] if isinstance(base, str) else base if isinstance(base, list) else []
        local = [name for name in bases if isinstance(name, str) and name.startswith(".")]
        if not local:
            return False
        path = posixpath.normpath(posixpath.join(folder, local[-1]))
        path = path if path.endswith(".json") else f"{path}.json"
        found = view.json(path)
        if not isinstance(found, dict):
            return False
        if "exclude" in found:
            return True
        settings, folder = found, posixpath.dirname(path)
    return False
