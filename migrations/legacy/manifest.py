"""Places in package.json and other JSON files of an app, by line."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from migrations.engine.packages import MANIFEST, SECTIONS

if TYPE_CHECKING:
    from migrations.engine.view import AppView


def scripts_of(view: AppView, manifest: str = MANIFEST) -> dict[str, str]:
    """The scripts of a package.json, by name, in their order."""
    value: Any = view.json(manifest)
    scripts = value.get("scripts") if isinstance(value, dict) else None
    return {
        name: text for name, text in (scripts if isinstance(scripts, dict) else {}).items() if isinstance(text, str)
    }


def sections_with(view: AppView, package: str) -> tuple[str, ...]:
    """The sections of package.json that list a package."""
    value: Any = view.json(MANIFEST)
    found = [section for section in SECTIONS if isinstance(value, dict) and isinstance(value.get(section), dict)]
    return tuple(section for section in found if package in value[section])


def line_of_key(view: AppView, path: str, section: str, key: str) -> int:
    """The line, from 1, of a key in a section at the top of a JSON file; 0 if it is not found."""
    text = (view.read(path) or b"").decode(errors="replace")
    head = re.search(rf"{re.escape(json.dumps(section))}\s*:\s*\{{", text)
    if head is None:
        return 0
    body = re.compile(rf"{re.escape(json.dumps(key, ensure_ascii=False))}\s*:").search(text, head.end())
    return text.count("\n", 0, body.start()) + 1 if body is not None else 0


def line_of_text(view: AppView, path: str, pattern: str) -> int:
    """The first line, from 1, of a file in which a pattern is found; 0 if there is none."""
    text = (view.read(path) or b"").decode(errors="replace")
    found = re.search(pattern, text)
    return text.count("\n", 0, found.start()) + 1 if found is not None else 0
