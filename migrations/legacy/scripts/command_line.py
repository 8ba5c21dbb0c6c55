"""Command lines of package.json scripts, as far as POSIX shells and cmd.exe read them alike; pure.

What this does not know (subshells, command substitution, here-documents, `if`, `for`) is not guessed at: `parse_line`
gives None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


def words_of(text: str) -> frozenset[str]:
    """The words of a text, to look others up in."""
    return frozenset(text.split())


_OPERATOR = re.compile(r"&&|\|\||[&|;]")
# Each changes what the commands around it mean.
_RESERVED = words_of(
    "if then else elif fi for while until do done case esac function select in { } ! [ [[ test eval trap source ."
)
_REDIRECTION = re.compile(r"\d*(?:[<>]|&>)")
_BARE = re.compile(r"[\w@%+=:,./~!?*^-]+")


@dataclass(frozen=True, slots=True)
class Word:
    """`text` is what the program gets, without quotes; `start` and `end` are where the word stands in the line.

    `quote` is the quote around all of it, "" if there is none or only around a part.
    """

    text: str
    start: int
    end: int
    quote: str = ""

    @property
    def is_redirection(self) -> bool:
        return not self.quote and _REDIRECTION.match(self.text) is not None


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command: assignments, program and arguments."""

    words: tuple[Word, ...]

    @property
    def start(self) -> int:
        return self.words[0].start

    @property
    def end(self) -> int:
        return self.words[-1].end


@dataclass(frozen=True, slots=True)
class CommandLine:
    """`operators[n]` stands behind `commands[n]`: `&&`, `||`, `&`, `|` or `;`; behind the last one mostly ""."""

    text: str
    commands: tuple[Command, ...]
    operators: tuple[str, ...]

    def raw(self, number: int) -> str:
        """A command as it is written."""
        command = self.commands[number]
        return self.text[command.start : command.end]

    def word(self, word: Word) -> str:
        """A word as it is written."""
        return self.text[word.start : word.end]

    def gap(self, number: int) -> str:
        """What is written between a command and the one behind it: the operator with its white space."""
        return self.text[self.commands[number].end : self.commands[number + 1].start]

    @property
    def tail(self) -> str:
        """What is written behind the last command."""
        return self.text[self.commands[-1].end :]


def parse_line(text: str) -> CommandLine | None:
    """The commands of a line, None where it is empty or has something that is not known here."""
    commands: list[Command] = []
    operators: list[str] = []
    words: list[Word] = []
    at = 0
    while at < len(text):
        if text[at] in " \t":
            at += 1
            continue
        operator = _OPERATOR.match(text, at)
        if operator is not None and not text.startswith("&>", at):
            if not words or not _is_plain(words):
                return None
            commands.append(Command(tuple(words)))
            operators.append(operator[0])
            words = []
            at = operator.end()
            continue
        word = _word(text, at)
        if word is None:
            return None
        words.append(word)
        at = word.end
    if words:
        if not _is_plain(words):
            return None
        commands.append(Command(tuple(words)))
        operators.append("")
    elif not commands or operators[-1] not in ("&", ";"):
        return None
    return CommandLine(text, tuple(commands), tuple(operators))


def quoted(text: str, quote: str = "") -> str:
    """`text` as one word, in these quotes if it can be (in double ones where it cannot); bare if need be of none.

    `$` stays what it is, as `parse_line` leaves it.
    """
    if not quote and _BARE.fullmatch(text):
        return text
    if quote == "'" and "'" not in text:
        return f"'{text}'"
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _is_plain(words: list[Word]) -> bool:
    first = words[0]
    return bool(first.quote) or first.text not in _RESERVED


def _word(text: str, start: int) -> Word | None:
    """The word that begins at `start`; None where it holds what is not known here."""
    parts: list[str] = []
    at, quotes, bare = start, [], False
    while at < len(text) and text[at] not in " \t":
        char = text[at]
        if char in "'\"":
            inner = _quoted_part(text, at)
            if inner is None:
                return None
            parts.append(inner[0])
            quotes.append(char)
            at = inner[1]
            continue
        if char == "&" and (text.startswith("&>", at) or (parts and parts[-1] in "<>")):
            pass
        elif char in "&|;":
            break
        elif char in "`()\n\r\\" or text.startswith(("$(", "<<", "<(", ">("), at) or (char == "#" and at == start):
            return None
        parts.append(char)
        bare = True
        at += 1
    return Word("".join(parts), start, at, quotes[0] if len(quotes) == 1 and not bare else "")


def _quoted_part(text: str, start: int) -> tuple[str, int] | None:
    """What the quotes that open at `start` hold, and where they end; None if they do not, or hold a substitution."""
    quote, at = text[start], start + 1
    inner: list[str] = []
    while at < len(text):
        char = text[at]
        if char == quote:
            return "".join(inner), at + 1
        if quote == '"' and (char == "`" or text.startswith("$(", at)):
            return None
        if quote == '"' and char == "\\" and text[at + 1 : at + 2] in ('"', "\\"):
            at += 1
            char = text[at]
        inner.append(char)
        at += 1
    return None
