"""`chatops doctor`: what could stop the way from here to a streaming app, each with how to mend it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import App, DryRun, Json, SecretFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrations.doctor import Finding, Situation
    from migrations.engine import AppView, Engine, FileChange

_MARKS = {True: "ok", False: "fail", None: "-"}
_STYLES = {True: "green", False: "red", None: "dim"}


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended without a question.")] = False,
    dry_run: DryRun = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="What a step on the network may take.")
    ] = 5.0,
    secret_file: SecretFile = None,
    app: App = Path(),
    json: Json = False,
) -> None:
    """Look for what could stop the way from here to a streaming app.

    Tools, sign-in, configuration, env files, migrations, tRPC, the route, the relay. Each line that fails says how to
    mend it; a line with - could not be checked, or is not due yet. The exit code is 1 if any fails.
    """
    from cli.console import print_json

    engine, situation = _look(app, secret_file, timeout)
    findings = _examine(situation)
    fixable = [finding for finding in findings if finding.fix is not None]
    if dry_run:
        _show_fixes(situation.view, fixable, json=json)
        return
    fixed: list[str] = []
    if fix and fixable:
        fixed = _mend(engine, fixable)
        findings = _examine(_look(app, secret_file, timeout)[1])
    failed = [finding for finding in findings if finding.ok is False]
    if not json:
        _show(findings, fixed)
    checks = {"checks": [finding.as_json() for finding in findings], **({"fixed": fixed} if fix else {})}
    if failed:
        raise _verdict(failed, len(findings), checks)
    if json:
        print_json({"ok": True, **checks})


def _look(app: Path, secret_file: Path | None, timeout_s: float) -> tuple[Engine, Situation]:
    """What there is to look at, as it is now."""
    import os

    from cli.app import config_change, hints_of, open_app
    from cli.config import FILE_NAME, Config, load_config
    from cli.console import progress
    from cli.relay_access import find_relay_secret
    from migrations.doctor import Situation
    from relay_server.errors import ChatopsError, UsageError

    config_error = None
    try:
        config = load_config(app)
    except UsageError as error:
        config, config_error = Config(), error
    engine = open_app(app, config)
    plan, plan_error, secret, secret_error = None, None, None, None
    with progress("reading the app"):
        try:
            plan = engine.plan()
        except ChatopsError as error:
            plan_error = error
    try:
        secret = find_relay_secret(config, secret_file)
    except ChatopsError as error:
        secret_error = error

    def set_config(view: AppView, values: dict[str, str]) -> FileChange:
        return config_change(view.root, view.read(FILE_NAME), values)

    return engine, Situation(
        view=engine.view(),
        hints=hints_of(config),
        environment=os.environ,
        set_config=set_config,
        plan=plan,
        plan_error=plan_error,
        config_error=config_error,
        relay_url=config.relay.url,
        mode=config.app.mode,
        target=config.deploy.target,
        domain=config.deploy.domain,
        secret=secret,
        secret_error=secret_error,
        secret_file=_inside(engine.root, config.relay.secret_file),
        timeout_s=timeout_s,
    )


def _inside(root: Path, file: str) -> str:
    """A file's path seen from the app's folder, "" if it is elsewhere or there is none."""
    path = Path(file).resolve()
    return path.relative_to(root).as_posix() if file and path.is_relative_to(root) else ""


def _examine(situation: Situation) -> list[Finding]:
    from cli.console import progress
    from migrations.doctor import examine

    with progress("looking") as show:
        return examine(situation, show)


def _mend(engine: Engine, findings: Sequence[Finding]) -> list[str]:
    """Carry out the fixes, one after the other, each on what the one before it left; gives the names of what is mended.

    What is written goes through the engine and its journal; a mode has no place there, and taking rights away from
    others loses nothing.
    """
    fixed = []
    for finding in findings:
        if finding.fix is None:
            continue
        engine.change(f"doctor: {finding.name}", finding.fix.changes(engine.view()))
        for file in finding.fix.owner_only:
            path = engine.root / file
            path.chmod(path.stat().st_mode & 0o700)
        fixed.append(finding.name)
    return fixed


def _show_fixes(view: AppView, findings: Sequence[Finding], *, json: bool) -> None:
    """What `--fix` would do."""
    from cli.console import print_json, result
    from cli.plan_display import show_diff
    from migrations.engine.diff import unified_diff

    after = view
    files: set[str] = set()
    private: list[str] = []
    for finding in findings:
        if finding.fix is not None:
            changes = finding.fix.changes(after)
            after = after.with_changes({change.path: change.after for change in changes})
            files |= {change.path for change in changes}
            private += finding.fix.owner_only
    diff = unified_diff((path, view.read(path), after.read(path)) for path in sorted(files))
    if json:
        print_json({"ok": True, "dry_run": True, "diff": diff, "owner_only": private})
        return
    show_diff(diff)
    for file in private:
        result(f"chmod 600 {file}")
    if not diff and not private:
        result("nothing would change")


def _show(findings: Sequence[Finding], fixed: Sequence[str]) -> None:
    from cli.console import escape_controls, note, result

    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        style = _STYLES[finding.ok]
        result(f"{_MARKS[finding.ok]:<4}  {finding.name:<{width}}  {escape_controls(finding.detail)}", style=style)
        if finding.mend and finding.ok is not True:
            by_itself = "  (--fix does it)" if finding.fix is not None else ""
            result(f"{'':<4}  {'':<{width}}  mend: {escape_controls(finding.mend)}{by_itself}", style="dim")
    for name in fixed:
        note(f"mended: {name}")
    if all(finding.ok is not False for finding in findings):
        result("nothing that was checked stands in the way", style="bold")


def _verdict(failed: Sequence[Finding], number: int, checks: dict[str, object]) -> Exception:
    from relay_server.errors import CheckFailed

    names = ", ".join(finding.name for finding in failed)
    if any(finding.fix is not None for finding in failed):
        next_step = "chatops doctor --fix mends what it can; for the rest see the mend of each"
    else:
        next_step = "see the mend of each"
    return CheckFailed(
        f"{len(failed)} of {number} checks fail: {names}", next_step=next_step, code="doctor", report=checks
    )
