"""Next's own command, in place of one that ran a server around Next; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.legacy.runners import PLAIN_RUNNERS, is_watching, option_that_next_lacks
from migrations.legacy.script_names import Unclear

if TYPE_CHECKING:
    from migrations.legacy.command_line import CommandLine, Word
    from migrations.legacy.gone_files import GoneFiles
    from migrations.legacy.invocations import Invocation

_DEVELOPING = re.compile(r"(^|[:_-])dev(elop(ment)?)?([:_-]|$)")
_SERVING = re.compile(r"(^|[:_-])(start|prod(uction)?|serve|preview)([:_-]|$)")
_NEXT_PORT = 3000
# The options of next() that its command line has in another way or not at all.
_OPTIONS = re.compile(r"\bnext\s*\(\s*\{([^}]*)\}")
_NO_EQUAL = re.compile(r"\b(dir|conf|customServer|turbo|turbopack)\b")


@dataclass(frozen=True, slots=True)
class NextCommand:
    """`notes`: where it is not quite the same, for a person to see to."""

    text: str
    notes: tuple[str, ...] = ()


def next_command(
    line: CommandLine, invocation: Invocation, file: Word, script: str, source: str, gone: GoneFiles
) -> NextCommand:
    """`next dev` or `next start` for a command that ran `file`, which is or was made from the server `source`.

    NODE_ENV is left out, which Next sets itself; PORT becomes `-p`; other variables stay. Raises Unclear where the
    command does more than Next's own can.
    """
    if invocation.program not in PLAIN_RUNNERS:
        raise Unclear(f"{invocation.program} runs it, and is to run Next in place of it")
    lacking = option_that_next_lacks(invocation, file)
    if lacking is not None:
        raise Unclear(f"Next's own command has no {lacking}")
    behind = [word for word in invocation.arguments if word.start > file.start]
    if any(
        word.text != "--" and not word.text.startswith("--tsconfig") and not word.text.endswith(".json")
        for word in behind
    ):
        raise Unclear(f"it gives {behind[0].text} to the server")
    text = (gone.before.read(source) or b"").decode(errors="replace")
    options = _OPTIONS.search(text)
    lost = _NO_EQUAL.search(options[1]) if options is not None else None
    if lost is not None and lost[1] in ("dir", "conf"):
        raise Unclear(f"the server gives Next its {lost[1]}")
    words = _kept_prefix(line, invocation)
    words += ["next", _mode(invocation, script, file.text, source)]
    port, notes = _port(invocation, source, gone)
    redirection = line.text[_end(invocation) : _command_end(line, invocation)] if invocation.is_redirected else ""
    return NextCommand(" ".join([*words, *port]) + redirection, notes)


def _kept_prefix(line: CommandLine, invocation: Invocation) -> list[str]:
    kept = [
        line.word(word)
        for word in invocation.prefix
        if word not in invocation.fetchers and not re.match(r"(NODE_ENV|PORT)=", word.text)
    ]
    if kept and kept[-1] in ("cross-env", "env", "cross-env-shell"):
        kept.pop()
    return kept


def _mode(invocation: Invocation, script: str, file: str, source: str) -> str:
    environment = invocation.assignments.get("NODE_ENV")
    if environment == "production":
        return "start"
    if environment == "development" or _DEVELOPING.search(script) or is_watching(invocation):
        return "dev"
    if _SERVING.search(script) or (file.endswith((".js", ".mjs", ".cjs")) and not source.endswith(file)):
        return "start"
    raise Unclear("whether it is for development or production does not show")


def _port(invocation: Invocation, source: str, gone: GoneFiles) -> tuple[list[str], tuple[str, ...]]:
    """The option for the port, and what cannot be kept of it."""
    asked = invocation.assignments.get("PORT")
    if asked is not None:
        return ([] if "$" in asked or "%" in asked else ["-p", asked]), ()
    listens = gone.port_of(source)
    if listens is None or listens.number == _NEXT_PORT:
        return [], ()
    if not listens.from_environment:
        return ["-p", str(listens.number)], ()
    return [], (
        f"where PORT is not set, the server listened on {listens.number} and Next listens on {_NEXT_PORT}: set PORT "
        f"there, or add -p {listens.number}",
    )


def _end(invocation: Invocation) -> int:
    assert invocation.program_word is not None
    return (invocation.arguments[-1] if invocation.arguments else invocation.program_word).end


def _command_end(line: CommandLine, invocation: Invocation) -> int:
    return next(command.end for command in line.commands if command.end >= _end(invocation))
