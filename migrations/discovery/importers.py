"""Whether a file of an app is part of it, or lies there unused."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from migrations.discovery.procedures import is_test

if TYPE_CHECKING:
    from migrations.discovery.layout import Layout
    from migrations.engine import AppView

# What Next.js takes by its name (its documentation, "File-system conventions"), and what tools do.
_ENTRY = re.compile(
    r"(^|/)(pages/.*|app/(.*/)?(page|layout|template|loading|error|not-found|default|route|global-error)\.\w+"
    r"|(middleware|proxy|instrumentation(-client)?|next\.config|server|.*\.config)\.\w+)$"
)
_SPECIFIER = re.compile(r"""(?:\bfrom|\bimport|\brequire)\s*\(?\s*["']([^"'\n]+)["']""")


def is_in_use(view: AppView, layout: Layout, path: str) -> bool:
    """Whether Next.js takes the file by its name, or another file that is no test imports it."""
    if _ENTRY.search(path):
        return True
    pure = PurePosixPath(path)
    stem = pure.parent.name if pure.stem == "index" else pure.stem
    return any(
        layout.resolve(other.path, specifier) == path
        for other in view.sources(stem)
        if other.path != path and not is_test(other.path)
        for specifier in _SPECIFIER.findall(other.data.decode(errors="replace"))
        if stem in specifier
    )
