"""`chatops deploy`: the relay goes live, is checked from outside, and the app is pointed at it."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import App, DryRun, Json, SecretFile, Yes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.config import Config
    from migrations.engine import AppView, Engine
    from relay_server.deploy.history import History
    from relay_server.deploy.pipeline import DeployReport, DeploySettings, Pointed, Step
    from relay_server.deploy.target import Request, Target

_MARKS = {True: "ok  ", False: "fail", None: "-   "}
_STYLES = {True: "green", False: "red", None: "dim"}


def deploy(
    target: Annotated[
        str | None,
        typer.Option(metavar="TARGET", help="partykit, cloudflare, local or docker. Default: deploy.target."),
    ] = None,
    preview: Annotated[
        str, typer.Option(metavar="NAME", help="A preview beside production. The app is not pointed at it.")
    ] = "",
    domain: Annotated[
        str | None, typer.Option(metavar="HOST", help="A domain of your own for it. Default: deploy.domain.")
    ] = None,
    url: Annotated[
        str,
        typer.Option(
            "--url",
            metavar="URL",
            help="Where clients reach it, if a proxy stands in front. Default: what the target says.",
        ),
    ] = "",
    timeout: Annotated[
        float,
        typer.Option(min=1, metavar="SECONDS", help="How long the upload, and then the new relay, may take to answer."),
    ] = 300.0,
    verify: Annotated[
        bool,
        typer.Option("--verify/--no-verify", help="Check the new relay, and stream through it, before it is used."),
    ] = True,
    vercel: Annotated[
        bool, typer.Option("--vercel", help="Set the variables of the Vercel deployment too, with Vercel's CLI.")
    ] = False,
    new_secret: Annotated[
        bool,
        typer.Option("--new-secret", help="Make a new secret although a relay is deployed whose secret is not known."),
    ] = False,
    rollback: Annotated[bool, typer.Option("--rollback", help="Go back to the last good deployment.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="Show what was deployed from here, the newest first.")] = False,
    secret_file: SecretFile = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    app: App = Path(),
    json: Json = False,
) -> None:
    """Deploy the relay, check it, and point the app at it.

    In order: a look at tools, sign-in and configuration before anything is sent; the secret, made if there is none;
    the upload, tried again on faults that pass; until /health answers with the new build; the probe of chatops health
    and a small stream test; and only then partyconfig.toml and the app's env files. A deployment that fails its checks
    leaves the app as it is.
    """
    from cli.app import may_ask, open_app
    from cli.config import load_config
    from relay_server.deploy.history import History
    from relay_server.deploy.pipeline import DeploySettings

    config = load_config(app)
    if list_:
        _list(History(app.resolve()), json=json)
        return
    engine = open_app(app, config)
    place = _target(target or config.deploy.target, config)
    name = _name(config, engine.view())
    back_to = History(engine.root).to_go_back_to(place.name, name, preview) if rollback else None
    request = _request(engine, config, place, name, preview, domain, timeout, secret_file, new_secret, dry_run)
    if back_to is not None:
        from dataclasses import replace

        request = replace(request, build=back_to.build)
    if dry_run:
        _show_dry_run(place, request, json=json)
        return
    if vercel:
        _check_vercel(engine.root, place)
    if may_ask(yes=yes):
        _confirm(request, place, going_back=rollback)
    settings = DeploySettings(url=url.rstrip("/"), verify=verify, rollback=back_to, live_timeout_s=timeout)
    report = _run(engine, place, request, settings, vercel=vercel, json=json)
    _show(report, json=json)


def _run(
    engine: Engine, place: Target, request: Request, settings: DeploySettings, *, vercel: bool, json: bool
) -> DeployReport:
    from cli.console import escape_controls, note, progress
    from relay_server.deploy.pipeline import deploy as run

    def on_step(step: Step) -> None:
        if not json:
            ms = "" if step.ms is None else f"{step.ms:.0f} ms"
            note(f"{_MARKS[step.ok]}  {step.name:<11}  {ms:>9}  {escape_controls(step.detail)}", style=_STYLES[step.ok])

    def point(url: str) -> Pointed:
        return _point(engine, place, url, request.secret, vercel=vercel)

    whether = f"{request.preview} is a preview" if request.preview else point
    with _ended_by_sigterm(), progress(f"deploying to {place.name}") as show:
        return run(place, request, settings, point=whether, tell=show, on_step=on_step)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does: children are ended, files whole, and the history says so."""
    import signal

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _target(name: str, config: Config) -> Target:
    from cli.config import TARGETS
    from relay_server.errors import UsageError

    if name == "partykit":
        from relay_server.deploy.partykit import PartyKit

        return PartyKit()
    if name == "cloudflare":
        from relay_server.deploy.cloudflare import CloudflareTarget

        return CloudflareTarget()
    if name == "local":
        from relay_server.deploy.local import LocalTarget

        serve = config.serve
        return LocalTarget(serve.host, serve.port, None if serve.db == "memory" else serve.db)
    if name == "docker":
        from relay_server.deploy.docker import DockerTarget

        return DockerTarget()
    raise UsageError(
        f"there is no target {name!r}", next_step=f"use one of {', '.join(TARGETS)}", code="unknown_target"
    )


def _name(config: Config, view: AppView) -> str:
    """deploy.name, else that of partykit.json or of the relay's wrangler.jsonc, else one made of the app's."""
    from migrations.m2_relay import CONFIG, project_name
    from migrations.m6_own_account import own_worker

    if config.deploy.name:
        return config.deploy.name
    manifest, project = view.json("package.json"), view.json(CONFIG)
    if project is None and isinstance(manifest, dict):
        project = manifest.get("partykit")
    worker = own_worker(view)
    settings = project if isinstance(project, dict) else worker[1] if worker is not None else {}
    named = settings.get("name")
    return str(named) if named else project_name(manifest.get("name") if isinstance(manifest, dict) else None)


def _request(
    engine: Engine,
    config: Config,
    place: Target,
    name: str,
    preview: str,
    domain: str | None,
    timeout_s: float,
    secret_file: Path | None,
    new_secret: bool,
    dry_run: bool,
) -> Request:
    import secrets
    from datetime import UTC, datetime

    from relay_server.deploy.target import Request

    return Request(
        app=engine.root,
        name=name,
        build=f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}",
        preview=preview,
        domain=config.deploy.domain if domain is None else domain,
        secret=_secret(engine, config, place, preview, secret_file, new=new_secret, dry_run=dry_run),
        timeout_s=timeout_s,
    )


def _secret(
    engine: Engine,
    config: Config,
    place: Target,
    preview: str,
    secret_file: Path | None,
    *,
    new: bool,
    dry_run: bool,
) -> str:
    """The relay's secret, made if there is none yet.

    Raises UsageError where a relay is deployed already with a secret that is not known here (a new one would lock out
    the app that uses it), and where one made now would be lost.
    """
    import os
    import secrets

    from cli.pointing import check_secret_can_be_kept
    from cli.relay_access import find_relay_secret
    from migrations.mode import SECRET_KEY, env_value
    from relay_server.client.address import relay_address
    from relay_server.errors import UsageError

    view = engine.view()
    known = find_relay_secret(config, secret_file) or env_value(view, SECRET_KEY) or _secret_for_docker(view, place)
    if known:
        return known
    deployed = config.relay.url
    if place.remote and deployed and not relay_address(deployed).is_loopback and not new:
        raise UsageError(
            f"the secret of the relay that is deployed at {deployed} is not known here",
            next_step="set RELAY_SECRET to it; or make a new one with --new-secret, which locks out who has the old",
            code="secret_missing",
        )
    in_ci = "this CI job" if os.environ.get("CI") else ""
    lost = f"the preview {preview}, which the app does not use" if preview else in_ci
    if lost and place.remote:
        raise UsageError(
            f"there is no relay secret yet, and one made now would be lost with {lost}",
            next_step="set RELAY_SECRET (`openssl rand -hex 32` makes one), for the app as well",
            code="secret_missing",
        )
    if not dry_run and place.name != "docker":
        check_secret_can_be_kept(view)
    return secrets.token_hex(32)


def _secret_for_docker(view: AppView, place: Target) -> str:
    """What an earlier run wrote beside the files for hosting it; the app is not pointed at what nobody runs yet."""
    if place.name != "docker":
        return ""
    from migrations.engine.line_edits import get_env
    from migrations.mode import SECRET_KEY
    from relay_server.deploy.docker_files import ENV_FILE, FOLDER

    return get_env(view.read(f"{FOLDER}/{ENV_FILE}") or b"", SECRET_KEY) or ""


def _check_vercel(app: Path, place: Target) -> None:
    from cli.vercel import set_variables
    from relay_server.errors import UsageError

    if not place.remote:
        raise UsageError(
            f"a deployment on Vercel cannot reach the target {place.name}",
            next_step="deploy to partykit or cloudflare, or leave out --vercel",
            code="relay_is_local",
        )
    set_variables(app, [])  # is Vercel's CLI there?


def _confirm(request: Request, place: Target, *, going_back: bool) -> None:
    from cli.app import confirm

    what = f"go back to build {request.build} of" if going_back else "deploy"
    where = f"{request.name} ({place.name}{', preview ' + request.preview if request.preview else ''})"
    then = "" if request.preview else ", and point the app at it"
    confirm([f"{what} {where}{then}?"])


def _point(engine: Engine, place: Target, url: str, secret: str, *, vercel: bool) -> Pointed:
    """Vercel first: that is where a fault is likelier, and the app's files then still say what they said."""
    from cli.pointing import pointing_changes
    from cli.vercel import EnvVariable, instructions, set_variables
    from migrations.mode import HOST_KEY, SECRET_KEY
    from relay_server.client.address import relay_address
    from relay_server.deploy.pipeline import Pointed

    variables = [EnvVariable(HOST_KEY, relay_address(url).as_host), EnvVariable(SECRET_KEY, secret, secret=True)]
    if vercel:
        set_variables(engine.root, variables)
    changes, notes = pointing_changes(engine.view(), url, secret)
    report = engine.change("deploy", changes)
    todo = []
    if vercel or (report.files and place.remote and not relay_address(url).is_loopback):
        lines = instructions(variables)
        todo = [f"Vercel has the variables; {lines[-1]}"] if vercel else [f"for Vercel: {line}" for line in lines]
    detail = ", ".join(report.files) if report.files else "it was pointed there already"
    return Pointed(detail, (*report.notes, *notes, *todo))


def _show_dry_run(place: Target, request: Request, *, json: bool) -> None:
    from cli.console import escape_controls, print_json, result

    lines = place.dry_run(request)
    if json:
        print_json(
            {"ok": True, "dry_run": True, "target": place.name, "name": request.name, "build": request.build,
             "would": lines}
        )  # fmt: skip
        return
    for line in lines:
        result(escape_controls(line))


def _show(report: DeployReport, *, json: bool) -> None:
    from cli.console import escape_controls, note, print_json, result

    if json:
        print_json({"ok": True, **report.as_json()})
        return
    for line in report.notes:
        note(escape_controls(line))
    where = report.url or "written; nothing runs yet"
    result(f"{report.target}: {where} (build {report.build})", style="bold")


def _list(history: History, *, json: bool) -> None:
    from cli.console import escape_controls, note, print_json, result

    deployments = history.all()[::-1]
    if json:
        print_json({"ok": True, "deployments": [deployment.as_json() for deployment in deployments]})
        return
    for each in deployments:
        where = each.url or f"{each.name}{f' (preview {each.preview})' if each.preview else ''}"
        how = f"{each.result}{', a rollback' if each.rollback else ''}{f': {each.reason}' if each.reason else ''}"
        result(escape_controls(f"{each.at}  {each.target:<10}  {where}  {each.build}  {how}"))
    if not deployments:
        note("nothing was deployed from here yet")
