"""A command line put together again from the commands that stay; pure."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from migrations.legacy.scripts.names import Unclear

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from migrations.legacy.scripts.command_line import CommandLine
    from migrations.legacy.scripts.invocations import Invocation

# They only prepare, tell or wait; alone they are no work.
_ASIDE = frozenset({"wait", "sleep", "echo", "export", "set", "cd", "true", "clear"})
_CLEANERS = frozenset(
    {"rm", "rimraf", "del-cli", "del", "shx", "mkdir", "mkdirp", "cp", "cpx", "cpy", "copyfiles", "ncp"}
)


def is_aside(invocation: Invocation, out_folders: Collection[str]) -> bool:
    """Whether a command does no work of its own beside the server's: it waits, tells, or sees to its output folder."""
    program = invocation.program
    if not program or program.lower() in _ASIDE:
        return True
    if program not in _CLEANERS:
        return False
    words = [word.text for word in invocation.arguments if not word.text.startswith("-")]
    if program == "shx":
        words = words[1:]
    paths = [posixpath.normpath(word.removesuffix("/*").removesuffix("/**")) for word in words]
    if program.startswith("c") or program == "ncp":  # what is copied comes from elsewhere
        paths = paths[-1:]
    return bool(paths) and all(any(p == o or p.startswith(f"{o}/") for o in out_folders) for p in paths)


def joined(line: CommandLine, left: Sequence[str | None], aside: Sequence[bool]) -> str | None:
    """The line with `left[n]` in place of each command, None for one that goes; None if no work is left.

    `aside[n]`: a command that is no work by itself. Raises Unclear where what stays would come to mean something else.
    """
    left = _without_pipes(line, left)
    work = [n for n, text in enumerate(left) if text is not None and not aside[n]]
    if not work:
        return None
    kept = [n for n, text in enumerate(left) if text is not None and not _is_idle(line, left, aside, n, len(work))]
    parts: list[str] = []
    for at, number in enumerate(kept):
        if at:
            parts.append(_gap(line, kept[at - 1], number))
        parts.append(left[number] or "")
    last = kept[-1]
    alone = len(kept) == 1 and last < len(left) - 1
    tail = "" if alone or (last < len(left) - 1 and not line.operators[-1]) else line.tail
    return "".join(parts) + (tail if line.operators[-1] or last == len(left) - 1 else "")


def _without_pipes(line: CommandLine, left: Sequence[str | None]) -> list[str | None]:
    """What reads the output of a command that goes, goes with it."""
    result = list(left)
    for number, operator in enumerate(line.operators[:-1]):
        if operator == "|":
            if result[number] is None:
                result[number + 1] = None
            elif result[number + 1] is None:
                raise Unclear("the output of another command goes into it")
        elif operator == "||" and left[number] is None:
            if _is_shrug(line.raw(number + 1)):
                result[number + 1] = None
            else:
                raise Unclear(f"{line.raw(number + 1)} runs when it fails")
    return result


def _is_shrug(command: str) -> bool:
    return command in ("true", ":", "exit 0") or command.startswith("echo ")


def _is_idle(line: CommandLine, left: Sequence[str | None], aside: Sequence[bool], number: int, work: int) -> bool:
    """Whether a command only waited for one that went."""
    if not aside[number]:
        return False
    program = line.raw(number).split()[0]
    lost_before = any(text is None for text in left[:number])
    return (program == "wait" and work == 1) or (program == "sleep" and lost_before)


def _gap(line: CommandLine, one: int, other: int) -> str:
    """What stands between two commands that stay: the operator between them that binds least, with its space."""
    between = range(one, other)
    weakest = next((n for n in between if line.operators[n] in ("&", ";")), None)
    if weakest is not None:
        return line.gap(weakest)
    return line.gap(one)
