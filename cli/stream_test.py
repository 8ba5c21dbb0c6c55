"""`chatops stream-test`: a reply streams through the relay, and every client is judged on every frame of it."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import App, Json, Relay, SecretFile

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from relay_server.checks.ask import ModelAccess
    from relay_server.checks.stream_test import StreamTestResult


def stream_test(
    room: Annotated[str, typer.Argument(metavar="ROOM", help="The room to stream in, such as lobby.")],
    relay: Relay = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="The model to ask. Default: the built-in one.")
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Its API; any server of OpenAI's chat completions. The key: OPENAI_API_KEY."),
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="What the model is asked.")] = None,
    clients: Annotated[int | None, typer.Option(min=1, help="How many read along.")] = None,
    rate: Annotated[
        float | None, typer.Option(min=0, help="Pieces a second of the built-in model; 0 is flat out.")
    ] = None,
    cut: Annotated[
        bool, typer.Option("--cut", help="Break each client's connection once in mid-stream; all must come back whole.")
    ] = False,
    timeout: Annotated[
        float | None, typer.Option(min=0.1, help="Give up when nothing new has come for so many seconds.")
    ] = None,
    secret_file: SecretFile = None,
    app: App = Path(),
    json: Json = False,
) -> None:
    """Stream a model's reply through the relay, and check that every client reads all of it, in order, once.

    Without a relay in the configuration it runs against a local one of its own, and without a model against the
    built-in one, which needs no key and no network.
    """
    from cli.config import load_config
    from cli.console import print_json
    from cli.relay_access import relay_secret
    from cli.stream_display import display
    from relay_server.checks import stream_test as check

    config = load_config(app)
    defaults = config.stream_test
    relay_url = relay or config.relay.url or None
    settings = check.StreamTestSettings(
        room=room,
        relay_url=relay_url,
        secret=relay_secret(relay_url, config, app, secret_file) if relay_url else None,
        model=_model(model or config.model.name, base_url, config.model.base_url),
        prompt=defaults.prompt if prompt is None else prompt,
        clients=defaults.clients if clients is None else clients,
        rate=defaults.rate if rate is None else rate,
        cut=cut,
        timeout_s=defaults.timeout if timeout is None else timeout,
    )
    with _remembered(app, relay_url), display(quiet=json) as show:
        result = _run(check.stream_test(settings, show))
    if json:
        print_json(result.as_json())


@contextmanager
def _remembered(app: Path, relay_url: str | None) -> Iterator[None]:
    """Keep beside the app how its relay fared, for `chatops cleanup-legacy`. Wrong usage says nothing of the relay."""
    from relay_server.checks.verdicts import keep_verdict
    from relay_server.errors import ChatopsError, UsageError

    def keep(*, ok: bool, reason: str = "") -> None:
        if relay_url is not None and (app / "package.json").is_file():
            with suppress(OSError):  # a test is a test, whether it can be noted down or not
                keep_verdict(app, relay_url, ok=ok, reason=reason)

    try:
        yield
    except UsageError:
        raise
    except ChatopsError as error:
        keep(ok=False, reason=error.message)
        raise
    keep(ok=True)


def _model(name: str, base_url: str | None, configured_base_url: str) -> ModelAccess | None:
    """None is the built-in model."""
    from relay_server.checks.ask import ModelAccess
    from relay_server.errors import UsageError
    from relay_server.model import MODEL_NAME

    url = base_url or configured_base_url
    if not name:
        if base_url:
            raise UsageError("--base-url says where, not which model", next_step="add --model NAME", code="no_model")
        return None
    if name == MODEL_NAME and not base_url:
        return None
    if url and not url.lower().startswith(("http://", "https://")):
        raise UsageError(
            "the model's base URL does not begin with http:// or https://",
            next_step="give a URL such as http://127.0.0.1:11434/v1",
            code="bad_base_url",
        )
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not url and not key:
        raise UsageError(
            f"there is no key to ask {name!r} with",
            next_step="set OPENAI_API_KEY, or say with --base-url where the model runs",
            code="no_model_key",
        )
    return ModelAccess(name, url or None, key or None)


def _run(test: Coroutine[None, None, StreamTestResult]) -> StreamTestResult:
    """Run it, on the faster event loop where there is one."""
    import asyncio

    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with suppress(ImportError):  # there is none for Windows
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        try:
            return runner.run(_ended_by_sigterm(test))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None


async def _ended_by_sigterm(test: Coroutine[None, None, StreamTestResult]) -> StreamTestResult:
    """SIGTERM cancels as Ctrl-C does, also where Ctrl-C is ignored, as it is behind `nohup` and `&` in a script."""
    import asyncio
    import signal

    task = asyncio.current_task()
    assert task is not None
    with suppress(NotImplementedError):  # Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await test
