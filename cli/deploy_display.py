"""What `chatops deploy` shows: each step as it ends, the result, what would be done, and what was deployed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from cli.console import escape_controls, note, print_json, result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrations.deploy.history import Deployment
    from migrations.deploy.pipeline import DeployReport, Step
    from migrations.deploy.target import Request, Target

_MARKS = {True: "ok  ", False: "fail", None: "-   "}
_STYLES = {True: "green", False: "red", None: "dim"}
_REASON_SHOWN = 100


def show_step(step: Step) -> None:
    """One line on stderr; why one failed is told by the error, which comes at once."""
    time = "" if step.ms is None else f"{step.ms / 1000:.1f} s"
    detail = "" if step.ok is False else f"  {escape_controls(step.detail)}"
    note(f"{_MARKS[step.ok]}  {step.name:<11}  {time:>7}{detail}", style=_STYLES[step.ok])


def show_report(report: DeployReport, *, json: bool) -> None:
    """One line of result with the address; what is left to do on stderr."""
    if json:
        print_json({"ok": True, **report.as_json()})
        return
    for line in report.notes:
        note(escape_controls(line))
    where = report.url or "written; nothing runs yet"
    result(f"{report.target}: {where} (build {report.build})", style="bold")


def show_dry_run(place: Target, request: Request, lines: Sequence[str], *, json: bool) -> None:
    """What would be run and sent, a line each."""
    if json:
        print_json(
            {"ok": True, "dry_run": True, "target": place.name, "name": request.name, "build": request.build,
             "would": list(lines)}
        )  # fmt: skip
        return
    for line in lines:
        result(escape_controls(line))


def show_deployments(deployments: Sequence[Deployment], *, json: bool) -> None:
    """What was deployed, a line each."""
    if json:
        print_json({"ok": True, "deployments": [deployment.as_json() for deployment in deployments]})
        return
    rows = [(_when(d.at), d.target, _where(d), d.build, _how(d)) for d in deployments]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    for row in rows:
        shown = [f"{text:<{width}}" for text, width in zip(row, widths, strict=False)]
        result(escape_controls("  ".join([*shown, row[-1]])))
    if not rows:
        note("nothing was deployed from here yet")


def _when(at: str) -> str:
    """In the time of whoever looks."""
    try:
        return datetime.fromisoformat(at).astimezone().isoformat(sep=" ", timespec="minutes")[:16]
    except ValueError:
        return at


def _where(deployment: Deployment) -> str:
    preview = f" (preview {deployment.preview})" if deployment.preview else ""
    return (deployment.url or deployment.name) + preview


def _how(deployment: Deployment) -> str:
    rollback = ", a rollback" if deployment.rollback else ""
    reason = deployment.reason
    if len(reason) > _REASON_SHOWN:
        reason = f"{reason[: _REASON_SHOWN - 1]}…"
    return f"{deployment.result}{rollback}{f': {reason}' if reason else ''}"
