"""A relay of one's own for the length of a test: the bundled server with its built-in model, as a child process."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections import deque
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from relay_server.errors import Unreachable
from relay_server.model import DEFAULT_RATE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_START_S = 15.0
# The relay drains when its standard input closes; each further step is for one that does not.
_DRAIN_S = 5.0
_TERMINATE_S = 2.0
_KEPT_LINES = 5


@dataclass(frozen=True, slots=True)
class LocalRelay:
    """A running local relay. `pid` is its process."""

    url: str
    pid: int
    secret: str = field(repr=False)

    @property
    def model_url(self) -> str:
        """The base URL of its built-in model, for OpenAI's SDK."""
        return f"{self.url}/v1"


class _ErrorForm(msgspec.Struct):
    message: str = ""


class _FirstLine(msgspec.Struct):
    """What the child says first: where it listens, or why it does not."""

    url: str = ""
    error: _ErrorForm | None = None


@asynccontextmanager
async def local_relay(model_rate: float = DEFAULT_RATE) -> AsyncIterator[LocalRelay]:
    """Start a relay on a free port of 127.0.0.1, in memory, with a secret of its own, and end it with the block.

    `model_rate` is in pieces a second, 0 is flat out. The child ends by itself if this process dies. Raises
    Unreachable with the end of its standard error if it does not start.
    """
    secret = secrets.token_hex(16)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # a folder `cli` where one happens to stand is not this package
        *("-m", "cli", "relay", "serve"),
        *("--host", "127.0.0.1", "--port", "0", "--db", "memory", "--model", "--model-rate", str(model_rate)),
        *("--json", "--until-stdin-closes"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(sys.executable).anchor,  # no partyconfig.toml but the defaults
        env={**os.environ, "RELAY_SECRET": secret},
        start_new_session=True,  # Ctrl-C is for the parent, which ends its stream before it ends the relay
    )
    complaints: deque[bytes] = deque(maxlen=_KEPT_LINES)
    listening = asyncio.create_task(_keep_lines(process.stderr, complaints))
    try:
        url, why = await _first_line(process)
        if not url:
            await _end(process)
            await listening
            why = why or b" | ".join(complaints).decode(errors="replace") or "it ended without a word"
            raise Unreachable(
                f"the local relay did not start: {' '.join(why.split())}",
                next_step="run `chatops relay serve --port 0 --db memory --model` to see more",
                code="local_relay",
            )
        yield LocalRelay(url, process.pid, secret)
    finally:
        await _end(process)
        with suppress(asyncio.CancelledError):
            await listening


async def _first_line(process: asyncio.subprocess.Process) -> tuple[str, str]:
    """Where the child listens, or nothing and why not, as far as it said."""
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START_S):
            line = await process.stdout.readline()
        said = msgspec.json.decode(line, type=_FirstLine)
    except TimeoutError:
        return "", f"it said nothing in {_START_S:g} s"
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        return "", ""
    return said.url, said.error.message if said.error else ""


async def _keep_lines(stream: asyncio.StreamReader | None, lines: deque[bytes]) -> None:
    assert stream is not None
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # longer than the buffer; the reader has dropped it
            continue
        if not line:
            return
        lines.append(line.strip())


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    for wait_s, harder in ((_DRAIN_S, process.terminate), (_TERMINATE_S, process.kill)):
        try:
            async with asyncio.timeout(wait_s):
                await process.wait()
            return
        except TimeoutError:
            with suppress(ProcessLookupError):
                harder()
    await process.wait()
