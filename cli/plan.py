"""`chatops plan`: what the migrations would change, to the line; nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cli.options import App, Json

if TYPE_CHECKING:
    from migrations.engine import Plan


def plan(app: App = Path(), json: Json = False) -> None:
    """Show the pending migrations and the exact diff; write nothing.

    The lock file's part is worked out by the package manager when the plan is carried out, and is not in the diff. The
    exit code is 1 where a migration is blocked.
    """
    from cli.app import open_app
    from cli.config import load_config
    from cli.console import progress

    with progress("reading the app"):
        planned = open_app(app, load_config(app)).plan()
    show_plan(planned, json=json)


def show_plan(planned: Plan, *, json: bool) -> None:
    """The output of `plan` and of `migrate up --dry-run`. Raises CheckFailed where a migration is blocked."""
    from cli.console import note, print_json, result
    from cli.plan_display import counted, show_diff, show_leftovers, show_states
    from migrations.engine.engine import blocked_error

    error = blocked_error(planned.blocked[0]) if planned.blocked else None
    if error is not None:
        error.report = planned.as_json()
    if json:
        if error is None:
            print_json({"ok": True, **planned.as_json()})
    else:
        show_states(planned)
        if planned.pending:
            result("")
            show_diff(planned.diff())
        show_leftovers(planned.leftovers)
        if planned.interrupted:
            note("note: an earlier run was cut off; the next one takes back first what it had begun")
    if error is not None:
        raise error
    if not json:
        result("")
        if planned.pending:
            files = counted(len(planned.files), "file")
            result(f"{counted(len(planned.pending), 'migration')} pending, {files}: chatops migrate up", style="bold")
        else:
            result("nothing is pending", style="bold")
