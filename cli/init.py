"""`chatops init`: find the app's parts, and write down what was found."""

from __future__ import annotations

from pathlib import Path

from cli.options import App, DryRun, Json


def init(app: App = Path(), dry_run: DryRun = False, json: Json = False) -> None:
    """Find the parts of the app and write partyconfig.toml with them.

    What the file says already stays. What cannot be found is told, with the key to set.
    """
    from cli.app import config_change, hints_of, open_app
    from cli.config import FILE_NAME, load_config
    from cli.console import escape_controls, print_json, progress, result
    from migrations.discovery.parts import find_parts
    from migrations.engine.diff import unified_diff

    config = load_config(app)
    engine = open_app(app, config)
    with progress("reading the app"):
        view = engine.view()
        parts = find_parts(view, hints_of(config))
    values = {part.key: part.value for part in parts if part.key and part.value}
    change = config_change(view.root, view.read(FILE_NAME), values)
    is_new = change.after != view.read(FILE_NAME)
    if not dry_run:
        engine.change("init", [change])
    missing = [part for part in parts if part.problem]
    if json:
        diff = unified_diff([(FILE_NAME, view.read(FILE_NAME), change.after)])
        found = {
            "app": str(view.root.resolve()),
            "parts": [part.as_json() for part in parts],
            "file": FILE_NAME,
            "written": is_new and not dry_run,
        }
        print_json({"ok": True, **found} | ({"diff": diff} if dry_run else {}))
        return
    for part in parts:
        style = "yellow" if part.problem else None if part.detail else "dim"
        told = part.problem or part.detail or "none"
        result(f"{part.name:<16} {escape_controls(told)}", style=style)
    result("")
    wrote = "would write" if dry_run else "wrote"
    result(f"{wrote} {FILE_NAME}" if is_new else f"{FILE_NAME} says so already", style="bold")
    if missing:
        result("set in it what could not be found, then: chatops plan")
    else:
        result("next: chatops plan")
