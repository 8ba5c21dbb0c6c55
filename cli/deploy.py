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
    from cli.deploy_secret import RelaySecret
    from cli.vercel import EnvVariable
    from migrations.deploy.pipeline import DeployReport, DeploySettings, Pointed, Step
    from migrations.deploy.target import Request, Target
    from migrations.engine import AppView, Engine


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
    import secrets
    from datetime import UTC, datetime

    from cli.app import may_ask, open_app
    from cli.config import load_config
    from cli.deploy_display import show_deployments, show_dry_run, show_report
    from cli.deploy_secret import secret_to_deploy
    from migrations.deploy.history import History
    from migrations.deploy.pipeline import DeploySettings
    from migrations.deploy.target import Request

    config = load_config(app)
    if list_:
        show_deployments(History(app.resolve()).all()[::-1], json=json)
        return
    engine = open_app(app, config)
    place = _target(target or config.deploy.target, config)
    name = _name(config, engine.view())
    back_to = place.way_back(engine.root, name, preview) if rollback else None
    secret = secret_to_deploy(engine.view(), config, place, preview, secret_file, new=new_secret)
    request = Request(
        app=engine.root,
        name=name,
        build=back_to.build if back_to else f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}",
        preview=preview,
        # The configured one is for the configured target.
        domain=domain if domain is not None else config.deploy.domain if place.name == config.deploy.target else "",
        secret=secret.value,
        timeout_s=timeout,
    )
    settings = DeploySettings(url=url.rstrip("/"), verify=verify, rollback=back_to, live_timeout_s=timeout)
    if dry_run:
        show_dry_run(place, request, _would(engine, place, request, settings, secret, vercel=vercel), json=json)
        return
    if vercel:
        _check_vercel(place)
    if may_ask(yes=yes):
        _confirm(request, place, going_back=rollback)
    show_report(_run(engine, place, request, settings, vercel=vercel, json=json), json=json)


def _run(
    engine: Engine, place: Target, request: Request, settings: DeploySettings, *, vercel: bool, json: bool
) -> DeployReport:
    from cli.console import note, progress
    from cli.deploy_display import show_step
    from migrations.deploy.pipeline import deploy as run

    def on_step(step: Step) -> None:
        if not json:
            show_step(step)

    def point(url: str) -> Pointed:
        return _point(engine, place, url, request.secret, vercel=vercel)

    whether = f"{request.preview} is a preview" if request.preview else point
    try:
        with _signals_interrupt(), progress(f"deploying to {place.name}") as show:
            return run(place, request, settings, point=whether, tell=show, on_step=on_step)
    except KeyboardInterrupt:
        note("interrupted: nothing of it runs on here; chatops deploy --list says how far it came")
        raise


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """SIGTERM, and the terminal that is closed, end it as Ctrl-C does: children are ended, files whole, and the
    history says so. What whoever started this has told it to ignore (`nohup`) stays ignored.
    """
    import signal

    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]

    def interrupt(*_: object) -> None:
        for number in numbers:  # one is enough: a second must not cut the clearing away short
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _target(name: str, config: Config) -> Target:
    from cli.config import TARGETS
    from relay_server.errors import UsageError

    if name == "partykit":
        from migrations.deploy.partykit import PartyKit

        return PartyKit()
    if name == "cloudflare":
        from migrations.deploy.cloudflare import CloudflareTarget

        return CloudflareTarget()
    if name == "local":
        from migrations.deploy.local import LocalTarget

        serve = config.serve
        return LocalTarget(serve.host, serve.port, None if serve.db == "memory" else serve.db)
    if name == "docker":
        from migrations.deploy.docker import DockerTarget

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


def _would(
    engine: Engine, place: Target, request: Request, settings: DeploySettings, secret: RelaySecret, *, vercel: bool
) -> list[str]:
    """What a run would do, a line each, secrets masked. Reads, never writes."""
    lines = ["make a secret: there is none yet"] if secret.made else []
    lines += place.dry_run(request, settings.rollback)
    if place.name == "docker":
        return lines
    lines.append(f"wait until /health answers with build {request.build}")
    if settings.verify:
        lines.append("run the probe of chatops health, and a small stream test, through it")
    return [*lines, *_would_point(engine, request, settings, vercel=vercel)]


def _would_point(engine: Engine, request: Request, settings: DeploySettings, *, vercel: bool) -> list[str]:
    from cli.pointing import pointing_changes

    if request.preview:
        return [f"leave the app as it is: {request.preview} is a preview"]
    address = settings.url or "https://not-known-yet.invalid"
    changes, notes = pointing_changes(engine.view(), address, request.secret)
    lines = [f"point the app at it: {', '.join(sorted(change.path for change in changes))}", *notes]
    if vercel:
        lines += [f"vercel {' '.join(variable.arguments)}" for variable in _variables(address, request.secret)]
    return lines


def _check_vercel(place: Target) -> None:
    from cli.vercel import check_vercel
    from relay_server.errors import UsageError

    if not place.remote:
        raise UsageError(
            f"a deployment on Vercel cannot reach the target {place.name}",
            next_step="deploy to partykit or cloudflare, or leave out --vercel",
            code="relay_is_local",
        )
    check_vercel()


def _confirm(request: Request, place: Target, *, going_back: bool) -> None:
    from cli.app import confirm

    what = f"go back to build {request.build} of" if going_back else "deploy"
    where = f"{request.name} ({place.name}{', preview ' + request.preview if request.preview else ''})"
    then = "" if request.preview else ", and point the app at it"
    confirm([f"{what} {where}{then}?"])


def _point(engine: Engine, place: Target, url: str, secret: str, *, vercel: bool) -> Pointed:
    """Vercel first: that is where a fault is likelier, and the app's files then still say what they said."""
    from cli.pointing import pointing_changes
    from cli.vercel import instructions, set_variables
    from migrations.deploy.pipeline import Pointed
    from migrations.mode import current_mode
    from relay_server.client.address import relay_address

    variables = _variables(url, secret)
    if vercel:
        set_variables(engine.root, variables)
    changes, notes = pointing_changes(engine.view(), url, secret)
    report = engine.change("deploy", changes)
    todo = []
    if vercel or (report.files and place.remote and not relay_address(url).is_loopback):
        lines = instructions(variables)
        todo = [f"Vercel has the variables; {lines[-1]}"] if vercel else [f"for Vercel: {line}" for line in lines]
    if current_mode(engine.view()) != "streaming":
        todo.append("the chat still answers in one piece: chatops mode streaming switches it over")
    detail = ", ".join(report.files) if report.files else "it was pointed there already"
    return Pointed(detail, (*report.notes, *notes, *todo))


def _variables(url: str, secret: str) -> list[EnvVariable]:
    """What a deployment on Vercel needs."""
    from cli.vercel import EnvVariable
    from migrations.mode import HOST_KEY, SECRET_KEY
    from relay_server.client.address import relay_address

    return [EnvVariable(HOST_KEY, relay_address(url).as_host), EnvVariable(SECRET_KEY, secret, secret=True)]
