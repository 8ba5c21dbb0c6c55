"""Running other people's programs: an argv list, no input, everything captured, an end to the waiting."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relay_server.interruptions import interruptions_held_back

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_AFTER_KILL_S = 2.0


class NotRun(Exception):
    """The program is not there, cannot be started, or did not end in time; the text says which, without a full stop."""


class TookTooLong(NotRun):
    """It did not end in time, and was ended."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended. `stdout` and `stderr` are bytes as they came."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def output(self) -> str:
        """Both, as text for a person: no escape sequences, no credentials in addresses."""
        return cleaned((self.stdout + b"\n" + self.stderr).decode(errors="replace"))


def run(
    argv: Sequence[str | Path],
    cwd: Path,
    *,
    seconds: float,
    environment: Mapping[str, str | None] | None = None,
    stdin: bytes | None = None,
) -> Finished:
    """Run a program in the folder `cwd`. `environment` is laid over this process's own (None removes a name).

    Raises NotRun. Whatever the program started is ended with it when it takes longer than `seconds` or this process
    is interrupted.
    """
    name = str(argv[0]).rsplit("/", 1)[-1]
    env = {**os.environ, **(environment or {})}
    with interruptions_held_back() as held:
        try:
            process = subprocess.Popen(
                [str(argument) for argument in argv],
                cwd=cwd,
                env={key: value for key, value in env.items() if value is not None},
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise NotRun(f"{name} is not on the PATH") from None
        except OSError as error:
            raise NotRun(f"{name} cannot be started: {error.strerror}") from None
        try:
            held.let_through()
            stdout, stderr = process.communicate(stdin, timeout=seconds)
        except BaseException as error:
            _end(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise TookTooLong(f"{name} did not end within {seconds:g} seconds") from None
            raise
    return Finished(process.returncode, stdout, stderr)


def cleaned(text: str) -> str:
    """Text of another program without escape sequences, and without credentials in addresses or settings."""
    text = re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)", "", text)
    text = re.sub(r"(?<=://)[^/\s@]+@", "***@", text)
    return re.sub(r"(?i)((?:_auth\w*|token|password)\s*[=:]\s*)\S+", r"\1***", text)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and its process group. What has left that group may hold its pipes open, and is not waited for."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=_AFTER_KILL_S)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):  # what was not taken from it yet
                pipe.close()
