"""`chatops tail`: the frames of a room as they pass."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import App, Json, Relay

if TYPE_CHECKING:
    from relay_server.client.subscriber import Event, FrameReceived, Subscriber

_STDOUT = 1


def tail(
    room: Annotated[str, typer.Argument(metavar="ROOM", help="The room to read.")],
    relay: Relay = None,
    cursors: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="STREAM:SEQ", help="Skip the frames of a stream below this one. Repeatable."),
    ] = None,
    app: App = Path(),
    json: Json = False,
) -> None:
    """Show the frames of a room: those it holds, then live ones, until Ctrl-C.

    With --json each line is a frame exactly as the protocol has it. A lost connection is taken up again where it
    broke; what could not be had any more is told on stderr.
    """
    import asyncio
    from contextlib import suppress

    from cli.config import load_config
    from cli.relay_access import relay_url
    from relay_server.client.subscriber import Subscriber, SubscriberSettings

    subscriber = Subscriber(
        relay_url(load_config(app), relay),
        room,
        cursors=_read_cursors(cursors or []),
        settings=SubscriberSettings(reconnect_for_s=None),
    )

    async def read() -> None:
        async with subscriber:
            tasks = {asyncio.create_task(_show_all(subscriber, json)), asyncio.create_task(_reader_gone())}
            done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            for task in done:
                task.result()

    with suppress(KeyboardInterrupt):
        asyncio.run(read())


def _read_cursors(texts: list[str]) -> dict[str, int]:
    """`STREAM:SEQ` as the protocol's `from` has it. Raises UsageError."""
    from urllib.parse import urlencode

    from relay_server.errors import UsageError
    from relay_server.protocol import Refusal, decode_cursors

    try:
        return decode_cursors(urlencode([("from", text) for text in texts]))
    except Refusal:
        raise UsageError(
            "--from cannot be read",
            next_step="write it as STREAM:SEQ, such as --from lobby:6f1c:12",
            code="bad_cursor",
        ) from None


async def _show_all(subscriber: Subscriber, json: bool) -> None:
    """Show what comes until the reader of stdout is gone. Raises what ends the subscriber."""
    from cli.console import discard_stdout, note
    from relay_server.client.subscriber import FrameReceived

    try:
        async for event in subscriber.events():
            if isinstance(event, FrameReceived):
                _show_frame(event, json)
            else:
                about = _about(event)
                if about:
                    note(about, style="dim")
    except BrokenPipeError:
        discard_stdout()


def _show_frame(frame: FrameReceived, json: bool) -> None:
    from msgspec import UNSET

    from cli.console import escape_controls, result
    from relay_server.protocol import encode_json

    if json:
        form: dict[str, Any] = {"stream": frame.stream, "seq": frame.seq, "kind": frame.kind}
        if frame.data is not UNSET:
            form["data"] = frame.data
        print(encode_json(form).decode(), flush=True)
        return
    text = "" if frame.data is UNSET else escape_controls(_text_of(frame.data))
    style = {"error": "red", "data": None}.get(frame.kind, "dim")
    result(f"{escape_controls(frame.stream)}  {frame.seq:>5}  {frame.kind:<5}  {text}".rstrip(), style=style)


def _text_of(data: object) -> str:
    """Text as itself, also in the app kit's `{"type": "text", "text": ...}`; anything else as JSON."""
    from relay_server.protocol import encode_json

    match data:
        case str():
            return data
        case {"type": "text", "text": str() as text, **rest} if not rest:
            return text
    return encode_json(data).decode()


def _about(event: Event) -> str | None:
    """One line on an event that is no frame."""
    from cli.console import escape_controls
    from relay_server.client.subscriber import Disconnected, Hello
    from relay_server.protocol import Lost

    line: str | None = None
    match event:
        case Hello():
            line = (
                f"connected to {event.room} ({event.server}, build {event.build}), streams held: {len(event.streams)}"
            )
        case Lost(next_seq=None):
            line = f"lost: {event.stream} is no longer held, frames from {event.from_seq} on are gone"
        case Lost():
            line = f"lost: frames {event.from_seq} to {(event.next_seq or 0) - 1} of {event.stream} are gone"
        case Disconnected():
            line = f"{event.reason}; trying again in {event.retry_in_s:.1f} s"
    return line and escape_controls(line)


async def _reader_gone() -> None:
    """Done when stdout is a pipe whose reader has closed it, which a write would tell only at the next frame."""
    import asyncio
    import os
    import stat

    from cli.console import discard_stdout

    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    if not stat.S_ISFIFO(os.fstat(_STDOUT).st_mode):
        await gone.wait()
    # The writing end of a pipe is never readable; the selector tells its error in this way, as asyncio itself uses it.
    loop.add_reader(_STDOUT, gone.set)
    try:
        await gone.wait()
        discard_stdout()
    finally:
        loop.remove_reader(_STDOUT)
