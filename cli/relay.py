"""`chatops relay`: the bundled relay."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import App, Json, SecretFile

if TYPE_CHECKING:
    import asyncio

relay_app = typer.Typer(help="The bundled relay, for local runs, tests and self-hosting.", no_args_is_help=True)

BackgroundPort = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65535, help="Its port. Default: serve.port of partyconfig.toml."),
]

IN_MEMORY = ("memory", ":memory:")  # the second is SQLite's own word


@relay_app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; loopback by default.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = None,
    db: Annotated[
        str | None,
        typer.Option(
            help="SQLite file that keeps rooms over a restart, or 'memory'. Default: one a port in the state folder."
        ),
    ] = None,
    secret_file: SecretFile = None,
    model: Annotated[
        bool | None, typer.Option("--model/--no-model", help="Serve the built-in model too, at /v1.")
    ] = None,
    model_rate: Annotated[
        float | None, typer.Option(min=0, help="Pieces a second of the built-in model; 0 is flat out.")
    ] = None,
    app: App = Path(),
    json: Json = False,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Serve a relay until Ctrl-C or SIGTERM: POST, WebSocket and GET on one port."""
    from cli import __version__
    from cli.config import load_config
    from cli.console import note, print_json
    from cli.relay_access import find_relay_secret
    from relay_server.background import default_db
    from relay_server.bundled.server import ServeOptions, Serving, run
    from relay_server.limits import Limits
    from relay_server.model import ModelSettings

    config = load_config(app)
    defaults = config.serve
    port = defaults.port if port is None else port
    db = db or defaults.db
    with_model = defaults.model if model is None else model
    rate = defaults.model_rate if model_rate is None else model_rate
    path = None if db in IN_MEMORY else Path(db) if db else default_db(port)
    options = ServeOptions(
        host=host or defaults.host,
        port=port,
        db=path,
        secret=find_relay_secret(config, secret_file),
        build=os.environ.get("RELAY_BUILD") or __version__,
        limits=Limits.from_environment(os.environ),
        model=ModelSettings(rate=rate) if with_model else None,
    )

    def on_ready(serving: Serving) -> None:
        if json:
            print_json(
                {
                    "url": serving.url,
                    "server": serving.server,
                    "build": serving.build,
                    "db": str(path) if path else None,
                    "model_url": f"{serving.url}/v1" if with_model else None,
                    "secret_configured": options.secret is not None,
                }
            )
            return
        note(f"relay on {serving.url}, rooms kept in {path or 'memory'}")
        if with_model:
            note(f"built-in model on {serving.url}/v1")
        if options.secret is None:
            note("no secret: nobody can publish; set RELAY_SECRET or --secret-file")

    run(options, on_ready, _stdin_closes if until_stdin_closes else None)


@relay_app.command()
def status(port: BackgroundPort = None, app: App = Path(), json: Json = False) -> None:
    """Show the relay that `chatops deploy --target local` runs in the background; exit code 1 if there is none."""
    from cli.config import load_config
    from cli.console import print_json, result
    from relay_server.background import answers, find, log_file
    from relay_server.errors import CheckFailed, Unreachable

    port = load_config(app).serve.port if port is None else port
    relay = find(port)
    if relay is None:
        raise CheckFailed(
            f"no relay runs in the background on port {port}",
            next_step="start one with `chatops deploy --target local`, or give its --port",
            code="relay_not_running",
            report={"running": False, "port": port, "log": str(log_file(port))},
        )
    if not answers(relay):
        raise Unreachable(
            f"the relay in the background (process {relay.pid}) does not answer on {relay.url}",
            next_step=f"see {relay.log}; `chatops relay stop --port {port}` ends it",
            code="unreachable",
            report={"running": True, "port": port, **relay.as_json()},
        )
    if json:
        print_json({"ok": True, "running": True, "port": port, **relay.as_json()})
        return
    since = relay.since.astimezone().isoformat(sep=" ", timespec="seconds")
    result(f"relay on {relay.url}, process {relay.pid}, build {relay.build}, since {since}")
    result(f"for {relay.app}")
    result(f"log: {relay.log}")


@relay_app.command()
def stop(port: BackgroundPort = None, app: App = Path(), json: Json = False) -> None:
    """Stop the relay in the background: it drains, and is ended by force if it takes too long."""
    from cli.config import load_config
    from cli.console import print_json, progress, result
    from relay_server import background

    port = load_config(app).serve.port if port is None else port
    with progress(f"stopping the relay on port {port}"):
        relay = background.stop(port)
    if json:
        print_json({"ok": True, "stopped": relay is not None, "port": port, **(relay.as_json() if relay else {})})
    elif relay is None:
        result(f"no relay runs in the background on port {port}")
    else:
        result(f"stopped the relay on {relay.url} (process {relay.pid})")


def _stdin_closes() -> asyncio.Future[None]:
    """Done when standard input ends: the parent is gone, whatever became of it."""
    import asyncio
    import threading
    from contextlib import suppress

    loop = asyncio.get_running_loop()
    closed: asyncio.Future[None] = loop.create_future()

    def read() -> None:
        while os.read(0, 4096):
            pass
        with suppress(RuntimeError):  # the loop is closed: the relay has ended by itself
            loop.call_soon_threadsafe(closed.set_result, None)

    # Any kind of file can be waited for on a thread, and a daemon thread keeps nobody from leaving.
    threading.Thread(target=read, daemon=True).start()
    return closed
