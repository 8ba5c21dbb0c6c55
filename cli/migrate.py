"""`chatops migrate`: carry the migrations out on the app, take them back, tell where they stand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import AllowDirty, App, DryRun, Json, Merge, NoTypeCheck, Yes

migrate_app = typer.Typer(help="Carry the migrations out on the app, all or nothing, or take them back.")


@migrate_app.command()
def up(
    target: Annotated[
        int | None, typer.Argument(min=1, metavar="NUMBER", help="Go up to this migration. Default: all.")
    ] = None,
    allow_dirty: AllowDirty = False,
    no_type_check: NoTypeCheck = False,
    merge: Merge = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    app: App = Path(),
    json: Json = False,
) -> None:
    """Apply what is pending, all or nothing.

    The app's package manager brings its lock file in step. New type errors take everything back.
    """
    from cli.app import confirm, may_ask, open_app
    from cli.config import load_config
    from cli.console import print_json, progress, result
    from cli.plan import show_plan
    from cli.plan_display import counted, show_report

    config = load_config(app)
    if dry_run:
        show_plan(open_app(app, config).plan(target), json=json)
        return
    if may_ask(yes=yes) and not json:
        plan = open_app(app, config).plan(target)
        if plan.pending and not plan.blocked:
            titles = [f"{step.number}  {step.title}" for step in plan.pending]
            confirm([*titles, f"Change {counted(len(plan.files), 'file')}?"])
    with progress("reading the app") as show:
        report = open_app(app, config, show).up(
            target, allow_dirty=allow_dirty, type_check=not no_type_check, merge=merge
        )
    if json:
        print_json({"ok": True, **report.as_json()})
        return
    show_report(report, "applied")
    if report.migrations:
        done = f"{counted(len(report.migrations), 'migration')} applied, {counted(len(report.files), 'file')} changed"
        result(f"{done}; chatops migrate down takes that back", style="bold")
    else:
        result("nothing is pending", style="bold")


@migrate_app.command()
def down(
    target: Annotated[
        int, typer.Argument(min=0, metavar="NUMBER", help="Keep the migrations up to this one. Default: none.")
    ] = 0,
    merge: Merge = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    app: App = Path(),
    json: Json = False,
) -> None:
    """Take back what was applied, to the exact bytes.

    Refused where somebody has edited one of the files since, unless --merge can keep the edit.
    """
    from cli.app import confirm, may_ask, open_app
    from cli.config import load_config
    from cli.console import print_json, progress, result
    from cli.plan_display import counted, show_diff, show_notes, show_report

    config = load_config(app)
    if may_ask(yes=yes) and not (json or dry_run):
        wanted = open_app(app, config).down(target, merge=merge, dry_run=True)
        if wanted.migrations:
            titles = [f"{number}  {title}" for number, title in wanted.migrations]
            confirm([*titles, f"Take that back ({counted(len(wanted.files), 'file')})?"])
    with progress("reading the app") as show:
        report = open_app(app, config, show).down(target, merge=merge, dry_run=dry_run)
    if json:
        print_json({"ok": True, "dry_run": dry_run, **report.as_json()} | ({"diff": report.diff} if dry_run else {}))
        return
    if dry_run:
        show_diff(report.diff)
        show_notes(report.notes)
        result(f"{counted(len(report.migrations), 'migration')} would be taken back", style="bold")
        return
    show_report(report, "taken back")
    if report.migrations:
        result(f"{counted(len(report.files), 'file')} as before", style="bold")
    else:
        result("nothing is applied", style="bold")


@migrate_app.command()
def status(app: App = Path(), json: Json = False) -> None:
    """Tell where each migration stands, and what is left to do by hand; by the code, not by a state file."""
    from cli.app import open_app
    from cli.config import load_config
    from cli.console import note, print_json, progress
    from cli.plan_display import show_leftovers, show_states

    with progress("reading the app"):
        plan = open_app(app, load_config(app)).status()
    if json:
        found = plan.as_json() | {"leftovers": [leftover.as_json() for leftover in plan.open_leftovers]}
        print_json({"ok": True, "interrupted": plan.interrupted} | {k: v for k, v in found.items() if k != "diff"})
        return
    show_states(plan)
    show_leftovers(plan.open_leftovers)
    if plan.interrupted:
        note("note: an earlier run was cut off; the next one takes back first what it had begun")
