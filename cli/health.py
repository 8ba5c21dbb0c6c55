"""`chatops health`: is the relay there, and does it do what it should?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import App, Json, SecretFile

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from relay_server.checks.health import HealthReport

_MARKS = {True: "ok  ", False: "fail", None: "-   "}
_STYLES = {True: "green", False: "red", None: "dim"}


def health(
    url: Annotated[
        str | None, typer.Argument(metavar="URL", help="The relay. Default: relay.url of partyconfig.toml.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until Ctrl-C, one line a round.")] = False,
    interval: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="Time between rounds of --watch.")] = 10.0,
    timeout: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="How long each step may take.")] = 10.0,
    secret_file: SecretFile = None,
    app: App = Path(),
    json: Json = False,
) -> int:
    """Check a relay from outside.

    In a random room: /health, a WebSocket, a published stream and its echo, and that publishing without the secret
    and with a wrong one is refused. Without a secret what needs it is not checked, and the rest decides. With --watch
    the exit code is that of the last round.
    """
    import asyncio

    from cli.config import load_config
    from cli.console import note, print_json, progress, result
    from cli.relay_access import relay_url, secret_for
    from relay_server.checks.health import STEPS, check_health
    from relay_server.client.address import relay_address

    config = load_config(app)
    relay = relay_address(relay_url(config, url))
    secret = secret_for(relay.url, config, app, secret_file)

    async def check() -> HealthReport:
        with progress(relay.url) as show:
            return await check_health(
                relay.url, secret, timeout_s=timeout, on_step=lambda name: show(f"{relay.url}: {STEPS[name]}")
            )

    if watch:
        return _watch(check, interval, json)
    report = asyncio.run(check())
    if report.error is not None:
        if not json:
            _print_checks(report)
        report.error.report = report.as_json()
        raise report.error
    if json:
        print_json({"ok": True, **report.as_json()})
    else:
        _print_checks(report)
        as_far = ", as far as it was checked" if report.unchecked else ""
        result(f"{report.url} is healthy{as_far} ({report.ms:.0f} ms)")
    if report.unchecked:
        note(f"not checked for want of a secret: {', '.join(report.unchecked)}; set RELAY_SECRET or --secret-file")
    return 0


def _watch(check: Callable[[], Coroutine[None, None, HealthReport]], interval_s: float, json: bool) -> int:
    """A line a round until Ctrl-C; gives the exit code of the last."""
    import asyncio
    from contextlib import suppress

    from cli.console import escape_controls, print_json, result

    exit_code = 0

    async def rounds() -> None:
        nonlocal exit_code
        while True:
            report = await check()
            error = report.error
            exit_code = error.exit_code if error else 0
            if json:
                failure = {"error": error.as_json()} if error else {}
                print_json({"ok": report.ok, **report.as_json(), **failure})
            else:
                said = error.message if error else f"{report.ms:.0f} ms  {report.checks[0].detail}"
                result(
                    f"{report.started:%H:%M:%S}  {_MARKS[report.ok]}  {escape_controls(said)}", style=_STYLES[report.ok]
                )
            await asyncio.sleep(interval_s)

    with suppress(KeyboardInterrupt):
        asyncio.run(rounds())
    return exit_code


def _print_checks(report: HealthReport) -> None:
    from cli.console import escape_controls, result

    for check in report.checks:
        ms = "" if check.ms is None else f"{check.ms:.0f} ms"
        line = f"{_MARKS[check.ok]}  {check.name:<20}  {ms:>7}  {escape_controls(check.detail)}"
        result(line, style=_STYLES[check.ok])
