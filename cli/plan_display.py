"""Plans and what a run did, for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.console import escape_controls, note, result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrations.engine import Leftover, Plan, Report

_STATE_STYLES = {"applied": "green", "pending": "yellow", "blocked": "red", "not_applicable": "dim"}
_DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def show_states(plan: Plan) -> None:
    """A line a migration, with the reason where there is one."""
    for step in plan.steps:
        state = step.state.replace("_", " ")
        result(f"{step.number}  {state:<15} {step.title}", style=_STATE_STYLES[step.state])
        if step.reason:
            result(f"   {'':<15} {escape_controls(step.reason)}", style="dim")


def show_diff(diff: str) -> None:
    """A unified diff; `diff --git` and the two lines below it stand out."""
    for line in diff.splitlines():
        is_head = line.startswith(("diff --git ", "--- ", "+++ "))
        result(escape_tabs_kept(line), style="bold" if is_head else _DIFF_STYLES.get(line[:1]))


def escape_tabs_kept(line: str) -> str:
    """A line of somebody's file, safe to show; its tabs stay."""
    return "\t".join(escape_controls(part) for part in line.split("\t"))


def show_leftovers(leftovers: Sequence[Leftover]) -> None:
    """What is left to a person."""
    if leftovers:
        result("")
        result(f"Left to you ({len(leftovers)}):", style="bold")
    for leftover in leftovers:
        place = f"{leftover.file}:{leftover.line}" if leftover.line else leftover.file
        result(f"  {escape_controls(place)}  {escape_controls(leftover.what)}")
        result(f"    {escape_controls(leftover.how)}", style="dim")


def show_report(report: Report, did: str) -> None:
    """What a run did: `did` is "applied" or "taken back"."""
    for number, title in report.migrations:
        result(f"{number}  {did:<11} {title}", style="green")
    show_leftovers(report.leftovers)
    show_notes(report.notes)


def show_notes(notes: Sequence[str]) -> None:
    for line in notes:
        note(f"note: {escape_controls(line)}")


def counted(number: int, what: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
