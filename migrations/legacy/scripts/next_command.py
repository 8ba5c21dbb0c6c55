"""Next's own command, in place of one that ran a server around Next; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.legacy.scripts.names import Unclear
from migrations.legacy.scripts.runners import PLAIN_RUNNERS, is_watching, option_that_next_lacks

if TYPE_CHECKING:
    from migrations.legacy.scripts.command_line import CommandLine, Word
    from migrations.legacy.scripts.gone_files import GoneFiles
    from migrations.legacy.scripts.invocations import Invocation

_DEVELOPING = re.compile(r"(^|[:_-])dev(elop(ment)?)?([:_-]|$)")
_SERVING = re.compile(r"(^|[:_-])(start|prod(uction)?|serve|preview)([:_-]|$)")
# The options of next() that its command line has in another way or not at all.
_OPTIONS = re.compile(r"\bnext\s*\(\s*\{([^}]*)\}")
_NO_EQUAL = re.compile(r"\b(dir|conf|customServer|turbo|turbopack)\b")


def next_command(
    line: CommandLine, invocation: Invocation, file: Word, script: str, source: str, gone: GoneFiles
) -> str:
    """`next dev` or `next start` for a command that ran `file`, which is or was made from the server `source`.

    The variables before it stay: Next listens on PORT as the server did. Raises Unclear where the command does more
    than Next's own can.
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
    words = [line.word(word) for word in invocation.prefix if word not in invocation.fetchers]
    words += ["next", _mode(invocation, script, file.text, source)]
    redirection = line.text[_end(invocation) : _command_end(line, invocation)] if invocation.is_redirected else ""
    return " ".join(words) + redirection


def _mode(invocation: Invocation, script: str, file: str, source: str) -> str:
    environment = invocation.assignments.get("NODE_ENV")
    if environment == "production":
        return "start"
    if environment == "development" or _DEVELOPING.search(script) or is_watching(invocation):
        return "dev"
    if _SERVING.search(script) or (file.endswith((".js", ".mjs", ".cjs")) and not source.endswith(file)):
        return "start"
    raise Unclear("whether it is for development or production does not show")


def _end(invocation: Invocation) -> int:
    assert invocation.program_word is not None
    return (invocation.arguments[-1] if invocation.arguments else invocation.program_word).end


def _command_end(line: CommandLine, invocation: Invocation) -> int:
    return next(command.end for command in line.commands if command.end >= _end(invocation))
