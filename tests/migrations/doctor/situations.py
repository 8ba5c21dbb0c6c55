"""Situations for the checks: an app in memory, with what is configured for it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from cli.config import FILE_NAME, with_value
from migrations.catalogue import all_migrations
from migrations.doctor import Situation
from migrations.engine import AppView, FileChange, make_plan
from migrations.hints import AppHints
from tests.apps.variants import VARIANTS

if TYPE_CHECKING:
    from pathlib import Path

    from migrations.doctor import Finding

HINTS = AppHints()


@cache
def small_view(*, migrated: bool = False) -> AppView:
    """The small app of the first user's shape, as it comes or with every migration."""
    view = AppView.of_files(VARIANTS["npm"]())
    return make_plan(view, all_migrations(HINTS)).after if migrated else view


def situation(
    files: dict[str, str | None] | None = None, *, migrated: bool = False, planned: bool = False, **configured: Any
) -> Situation:
    """The small app with these files laid over it (None: gone). `planned` gives its migrations too."""
    changed = {path: None if text is None else text.encode() for path, text in (files or {}).items()}
    view = small_view(migrated=migrated).with_changes(changed)
    made = Situation(view=view, hints=HINTS, environment={}, set_config=set_config, **configured)
    return replace(made, plan=make_plan(view, all_migrations(HINTS))) if planned else made


def set_config(view: AppView, values: dict[str, str]) -> FileChange:
    data = view.read(FILE_NAME)
    for name, value in values.items():
        data = with_value(view.root / FILE_NAME, data, name, value)
    return FileChange(FILE_NAME, data)


def on_disk(root: Path, files: dict[str, str]) -> AppView:
    """An app in a folder, with nothing but a package.json and these files."""
    for path, text in {"package.json": "{}\n", **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return AppView.of_folder(root)


def installed(**versions: str) -> dict[str, str | None]:
    """package.json files in node_modules; `trpc__server="11.0.0"` is @trpc/server."""
    files: dict[str, str | None] = {}
    for name, version in versions.items():
        package = f"@{name.replace('__', '/')}" if "__" in name else name
        files[f"node_modules/{package.replace('_', '-')}/package.json"] = json.dumps({"version": version})
    return files


def mended(situation: Situation, finding: Finding) -> Situation:
    """The situation after the fix of a finding, which there must be."""
    assert finding.fix is not None
    changes = {change.path: change.after for change in finding.fix.changes(situation.view)}
    assert changes
    return replace(situation, view=situation.view.with_changes(changes))
