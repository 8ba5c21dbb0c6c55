"""`chatops cleanup-legacy`: what is left of the old WebSocket server goes, where nothing needs it any more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import escape_controls
from cli.options import AllowDirty, App, DryRun, Json, Merge, NoTypeCheck, Yes

if TYPE_CHECKING:
    from cli.config import Config
    from migrations.engine import AppView, Engine, Report
    from migrations.legacy.cleanup import CleanupPlan
    from migrations.legacy.pieces import Piece
    from relay_server.errors import ChatopsError


def cleanup_legacy(
    to_sse: Annotated[
        bool,
        typer.Option(
            "--to-sse",
            help="First move what still subscribes over the WebSocket to server-sent events (tRPC 11).",
        ),
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take the cleanup back, to the exact bytes.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Go on although no stream-test has passed against the app's relay.")
    ] = False,
    allow_dirty: AllowDirty = False,
    no_type_check: NoTypeCheck = False,
    merge: Merge = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    app: App = Path(),
    json: Json = False,
) -> None:
    """Remove what is left of a tRPC WebSocket server, where nothing needs it any more.

    Says of each piece what becomes of it: remove, rewrite, keep, by hand. Refused, with the list of who still needs
    the server, while a client subscribes through it, or while streaming through the app's relay is not verified by a
    stream-test. New type errors take everything back.
    """
    from cli.app import hints_of, open_app
    from cli.config import load_config
    from cli.console import progress
    from migrations.legacy.cleanup import LegacyCleanup
    from relay_server.errors import ChatopsError

    config = load_config(app)
    cleanup = LegacyCleanup(hints_of(config), to_sse)
    if undo:
        _undo(open_app(app, config, migrations=[cleanup]), merge=merge, dry_run=dry_run, yes=yes, json=json)
        return
    with progress("looking for the WebSocket server"):
        plan = cleanup.whole_plan(open_app(app, config, migrations=[cleanup]).view())
        refusal = _refusal(plan, config, force=force)
    if not json:
        _show_pieces(plan)
    if refusal is not None:
        raise _with_pieces(refusal, plan)
    if dry_run or not plan.changes:
        _show_plan(plan, json=json)
        return
    _ask(plan, yes=yes or json)
    try:
        with progress("reading the app") as show:
            report = open_app(app, config, show, [cleanup]).up(
                allow_dirty=allow_dirty, type_check=not no_type_check, merge=merge
            )
    except ChatopsError as error:
        raise _with_pieces(error, plan) from None
    _show_done(plan, report, json=json)


# --- who speaks against it


def _refusal(plan: CleanupPlan, config: Config, *, force: bool) -> ChatopsError | None:
    from relay_server.errors import CheckFailed

    if plan.refused is not None:
        return CheckFailed(plan.refused, next_step=plan.needs[0].why, code="still_needed")
    return None if force or not plan.changes else _unverified(plan.before, config)


def _unverified(view: AppView, config: Config) -> ChatopsError | None:
    """Why the app's relay does not count as verified; None if it does, or if the app was never moved to a relay.

    The last stream-test from this copy of the app decides; a deployment that was checked is one.
    """
    from migrations.deploy.history import History
    from migrations.discovery.layout import find_layout
    from migrations.kit_files import kit_path
    from migrations.mode import HOST_KEY, env_value
    from relay_server.checks.verdicts import last_verdict
    from relay_server.client.address import relay_address, relay_address_of_host

    if not view.exists(kit_path(find_layout(view), "client/relay-link.ts")):
        return None
    host = env_value(view, HOST_KEY)
    if not host and not config.relay.url:
        return _not_verified("the app streams through a relay, but none is configured", "run chatops deploy")
    relay = (relay_address_of_host(host) if host else relay_address(config.relay.url)).url
    verdict = last_verdict(view.root, relay)
    deployed = [
        d for d in History(view.root).all() if d.result == "good" and d.url and relay_address(d.url).url == relay
    ]
    if deployed and (verdict is None or _moment(verdict.at) < _moment(deployed[-1].at)):
        return None
    is_configured = bool(config.relay.url) and relay_address(config.relay.url).url == relay
    test = "run chatops stream-test lobby" + ("" if is_configured else f" --relay {relay}")
    if verdict is None:
        return _not_verified(f"no stream-test has run against {relay} from here", test)
    return None if verdict.ok else _not_verified(f"the last stream-test against {relay} failed: {verdict.reason}", test)


def _not_verified(why: str, do: str) -> ChatopsError:
    from relay_server.errors import CheckFailed

    return CheckFailed(
        f"streaming is not verified: {why}", next_step=f"{do}, or insist with --force", code="not_verified"
    )


def _moment(at: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(at).timestamp()


def _with_pieces(error: ChatopsError, plan: CleanupPlan) -> ChatopsError:
    """The error as `--json` has it: with every piece, and with why nothing was done."""
    error.report = {**error.report, **_as_json(plan, applied=False, refused=error.message)}
    return error


# --- what is shown


def _as_json(plan: CleanupPlan, *, applied: bool, refused: str | None = None) -> dict[str, object]:
    return {"applied": applied, "refused": refused, "pieces": [piece.as_json() for piece in plan.pieces]}


_STYLES = {"remove": "red", "rewrite": "yellow", "keep": "dim", "by-hand": "cyan"}


def _show_pieces(plan: CleanupPlan) -> None:
    """A piece a line, with what speaks for it below; of one that is refused, first who needs the server."""
    from cli.console import result

    for piece in plan.needs or plan.pieces:
        action = "needed" if plan.needs else piece.action.replace("-", " ")
        style = "bold red" if plan.needs else _STYLES[piece.action]
        result(f"{action:<8} {_line_of(piece)}", style=style)
        result(f"         {escape_controls(piece.why)}", style="dim")
    others = [piece for piece in plan.pieces if piece not in plan.needs] if plan.needs else []
    if others:
        result("")
        result(f"Stays until then ({len(others)}):", style="bold")
    for piece in others:
        result(f"  {_line_of(piece)}", style="dim")


def _line_of(piece: Piece) -> str:
    place = f"{piece.file}:{piece.line}" if piece.line else piece.file
    return f"{escape_controls(place)}  {escape_controls(piece.what)}"


def _show_plan(plan: CleanupPlan, *, json: bool) -> None:
    from cli.console import print_json, result
    from cli.plan_display import counted, show_diff

    if json:
        print_json({"ok": True, **_as_json(plan, applied=False), "diff": plan.diff()})
        return
    if not plan.changes:
        result("nothing of a tRPC WebSocket server is left that can go", style="bold")
        return
    result("")
    show_diff(plan.diff())
    result("")
    result(f"{counted(len(plan.changes), 'file')} would change: chatops cleanup-legacy", style="bold")


def _show_done(plan: CleanupPlan, report: Report, *, json: bool) -> None:
    from cli.console import print_json, result
    from cli.plan_display import counted, show_leftovers, show_notes

    if json:
        done = _as_json(plan, applied=True)
        print_json({"ok": True, **done, "files": list(report.files), "notes": list(report.notes)})
        return
    show_leftovers(plan.by_hand)
    show_notes(report.notes)
    done_line = f"the WebSocket server is gone, {counted(len(report.files), 'file')} changed"
    result(f"{done_line}; chatops cleanup-legacy --undo takes that back", style="bold")


def _ask(plan: CleanupPlan, *, yes: bool) -> None:
    from cli.app import confirm, may_ask
    from cli.plan_display import counted

    if may_ask(yes=yes):
        removed = [change.path for change in plan.changes if change.after is None]
        question = f"Change {counted(len(plan.changes) - len(removed), 'file')} and remove {len(removed)}?"
        confirm([question])


def _undo(engine: Engine, *, merge: bool, dry_run: bool, yes: bool, json: bool) -> None:
    from cli.app import confirm, may_ask
    from cli.console import print_json, progress, result
    from cli.plan_display import counted, show_diff, show_notes

    if may_ask(yes=yes) and not (json or dry_run):
        wanted = engine.down(merge=merge, dry_run=True)
        if wanted.migrations:
            confirm([f"Take the cleanup back ({counted(len(wanted.files), 'file')})?"])
    with progress("taking the cleanup back"):
        report = engine.down(merge=merge, dry_run=dry_run)
    if json:
        done = {"ok": True, "dry_run": dry_run, "files": list(report.files), "notes": list(report.notes)}
        print_json(done | ({"diff": report.diff} if dry_run else {}))
        return
    if dry_run:
        show_diff(report.diff)
    show_notes(report.notes)
    if not report.migrations:
        result("there is no cleanup to take back here", style="bold")
    else:
        files = counted(len(report.files), "file")
        result(f"{files} would be as before" if dry_run else f"{files} as before", style="bold")
