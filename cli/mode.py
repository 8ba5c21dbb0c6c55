"""`chatops mode`: which way the chat answers in, and the switch between the two."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import App, DryRun, Json, SecretFile

if TYPE_CHECKING:
    from cli.config import Config
    from cli.vercel import EnvVariable
    from migrations.engine import AppView, Engine, FileChange
    from relay_server.client.address import RelayAddress


class ModeChoice(StrEnum):
    """What the command may be told."""

    SHOW = "show"
    STREAMING = "streaming"
    SEND_MESSAGE = "send-message"


def mode(
    mode: Annotated[
        ModeChoice, typer.Argument(metavar="MODE", help="show, streaming or send-message.")
    ] = ModeChoice.SHOW,
    relay: Annotated[
        str | None,
        typer.Option("--relay", metavar="URL", help="The relay. Default: what the app's env has, then relay.url."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Stream although a migration is pending or the relay does not answer.")
    ] = False,
    vercel: Annotated[
        bool, typer.Option("--vercel", help="Set the variables of the Vercel deployment too, with Vercel's CLI.")
    ] = False,
    secret_file: SecretFile = None,
    dry_run: DryRun = False,
    app: App = Path(),
    json: Json = False,
) -> None:
    """Show or switch how the chat answers: streaming, or in one piece (send-message).

    Writes the key that the app reads into its env file, and app.mode into partyconfig.toml. Streaming is refused while
    a migration is pending or the relay does not answer as it should.
    """
    from cli.app import open_app
    from cli.config import load_config

    config = load_config(app)
    engine = open_app(app, config)
    if mode == ModeChoice.SHOW:
        _show(engine, config, json=json)
        return
    # A deployment uses the relay of the configuration, whatever the env files say for this machine.
    checked = relay or (config.relay.url if vercel else "") or None
    notes = _check(engine, config, checked, secret_file, force=force) if mode == ModeChoice.STREAMING else []
    view = engine.view()
    changes = _changes(view, mode, relay)
    variables = _deployment(view, config, mode, relay, secret_file)
    if vercel:
        _check_deployable(variables)
    if dry_run:
        _show_dry_run(view, changes, json=json)
        return
    if vercel:  # first: where it fails, nothing has changed here
        from cli.console import progress
        from cli.vercel import set_variables

        with progress("setting the deployment's variables"):
            set_variables(app, variables)
    report = engine.change(f"mode {mode}", changes)
    _show_switch(mode, report.files, [*report.notes, *notes], variables, on_vercel=vercel, json=json)


def _show(engine: Engine, config: Config, *, json: bool) -> None:
    from cli.console import note, print_json, result
    from migrations.mode import HOST_KEY, MODE_KEY, current_mode, env_values

    view = engine.view()
    now = current_mode(view)
    modes, hosts = env_values(view, MODE_KEY), env_values(view, HOST_KEY)
    host = hosts[0].value if hosts else ""
    pending = [step.number for step in engine.status().steps if step.state in ("pending", "blocked")]
    if json:
        print_json(
            {
                "ok": True,
                "mode": now,
                "file": modes[0].file if modes else None,
                "configured": config.app.mode or None,
                "relay": host or None,
                "pending": pending,
            }
        )
        return
    result(f"{now} ({modes[0].file})" if modes else f"{now} ({MODE_KEY} is set nowhere)")
    if host:
        result(f"relay {host} ({hosts[0].file})")
    if config.app.mode and config.app.mode != now:
        note(f"note: app.mode in partyconfig.toml says {config.app.mode}, the app's env {now}")
    if pending and now == "streaming":
        note(f"note: migrations {', '.join(map(str, pending))} are not applied: see chatops migrate status")


def _check(engine: Engine, config: Config, relay: str | None, secret_file: Path | None, *, force: bool) -> list[str]:
    """Whether the app can stream; notes on what was not checked, or with `force` on what is wrong."""
    from relay_server.errors import ChatopsError, CheckFailed

    notes = []
    try:
        open_steps = [step for step in engine.status().steps if step.state in ("pending", "blocked")]
        if open_steps:
            first = open_steps[0]
            what = "is pending" if first.state == "pending" else "is blocked"
            raise CheckFailed(
                f"migration {first.number} ({first.title}) {what}: the app cannot stream yet",
                next_step="run chatops migrate up, or insist with --force",
                code="pending",
            )
    except ChatopsError as error:
        if not force:
            raise
        notes.append(error.message)
    try:
        notes += _check_relay(engine.view(), config, relay, secret_file)
    except ChatopsError as error:
        if not force:
            raise
        notes.append(error.message)
    return notes


def _check_relay(view: AppView, config: Config, relay: str | None, secret_file: Path | None) -> list[str]:
    import asyncio

    from cli.console import progress
    from relay_server.checks.health import check_health

    address = _relay(view, config, relay)
    secret = _secret(view, config, secret_file)
    with progress(f"{address.url}: is it healthy?"):
        report = asyncio.run(check_health(address.url, secret))
    if report.error is not None:
        report.error.next_step += "; or insist with --force"
        raise report.error
    if report.unchecked:
        return ["without the relay's secret it was not checked whether the app can publish: set RELAY_SECRET"]
    return []


def _relay(view: AppView, config: Config, given: str | None) -> RelayAddress:
    """The relay that the app will use. Raises UsageError where none is known."""
    from cli.relay_access import relay_url
    from migrations.mode import HOST_KEY, env_value
    from relay_server.client.address import relay_address_of_host

    host = "" if given else env_value(view, HOST_KEY)
    return relay_address_of_host(host or relay_url(config, given))


def _secret(view: AppView, config: Config, secret_file: Path | None) -> str | None:
    from cli.relay_access import find_relay_secret
    from migrations.mode import SECRET_KEY, env_value

    return find_relay_secret(config, secret_file) or env_value(view, SECRET_KEY) or None


def _changes(view: AppView, mode: ModeChoice, relay: str | None) -> tuple[FileChange, ...]:
    from cli.app import config_change
    from cli.config import FILE_NAME
    from migrations.mode import HOST_KEY, env_value, mode_changes

    host = ""
    if mode == ModeChoice.STREAMING and (relay or not env_value(view, HOST_KEY)):
        host = _host(view, relay)
    env = mode_changes(view, "streaming" if mode == ModeChoice.STREAMING else "send-message", host)
    return (*env, config_change(view.root, view.read(FILE_NAME), {"app.mode": mode.value}))


def _host(view: AppView, relay: str | None) -> str:
    """What the app's env shall have; "" where no relay is known, which `--force` allows."""
    from cli.config import load_config
    from relay_server.errors import UsageError

    try:
        return _relay(view, load_config(view.root), relay).as_host
    except UsageError:
        return ""


def _deployment(
    view: AppView, config: Config, mode: ModeChoice, relay: str | None, secret_file: Path | None
) -> list[EnvVariable]:
    """What the deployment needs; the address of a relay on this machine is none for it."""
    from cli.vercel import EnvVariable
    from migrations.mode import HOST_KEY, MODE_KEY, SECRET_KEY
    from relay_server.client.address import relay_address_of_host

    variables = [EnvVariable(MODE_KEY, mode.value)]
    if mode == ModeChoice.STREAMING:
        known = relay or config.relay.url or _host(view, None)
        address = relay_address_of_host(known) if known else None
        host = address.as_host if address is not None and not address.is_loopback else ""
        variables.append(EnvVariable(HOST_KEY, host))
        variables.append(EnvVariable(SECRET_KEY, _secret(view, config, secret_file) or "", secret=True))
    return variables


def _check_deployable(variables: list[EnvVariable]) -> None:
    from migrations.mode import HOST_KEY
    from relay_server.errors import UsageError

    if any(variable.key == HOST_KEY and not variable.value for variable in variables):
        raise UsageError(
            "a deployment cannot reach a relay on this machine",
            next_step="give the deployed relay: --relay URL, or relay.url in partyconfig.toml",
            code="relay_is_local",
        )
    if any(variable.secret and not variable.value for variable in variables):
        raise UsageError(
            "there is no relay secret for the deployment",
            next_step="set RELAY_SECRET to the secret of the relay, or give --secret-file PATH",
            code="secret_missing",
        )


def _show_dry_run(view: AppView, changes: tuple[FileChange, ...], *, json: bool) -> None:
    from cli.console import print_json, result
    from cli.plan_display import show_diff
    from migrations.engine.diff import unified_diff

    diff = unified_diff((change.path, view.read(change.path), change.after) for change in changes)
    if json:
        print_json({"ok": True, "dry_run": True, "diff": diff})
        return
    show_diff(diff)
    if not diff:
        result("nothing would change")


def _show_switch(
    mode: ModeChoice,
    files: tuple[str, ...],
    notes: list[str],
    variables: list[EnvVariable],
    *,
    on_vercel: bool,
    json: bool,
) -> None:
    from cli.console import note, print_json, result
    from cli.plan_display import show_notes
    from cli.vercel import instructions

    lines = instructions(variables)
    if json:
        todo = lines[-1:] if on_vercel else lines
        print_json({"ok": True, "mode": mode.value, "files": list(files), "notes": notes, "vercel": todo})
        return
    show_notes(notes)
    result(f"{mode.value}: {', '.join(files)}" if files else f"{mode.value}: it was so already", style="bold")
    if files:
        note("Next.js reads these when it starts and builds: restart next dev, build anew for next start")
    if on_vercel:
        result(f"Vercel has the variables; {lines[-1]}")
    else:
        note("for a deployment on Vercel (or run this with --vercel):")
        for line in lines:
            note(f"  {line}")
