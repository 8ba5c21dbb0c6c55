"""What one command of a script runs, behind everything that only prepares it: variables, cross-env, npx, dotenv."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migrations.legacy.scripts.command_line import Command, Word

PACKAGE_MANAGERS = frozenset({"npm", "pnpm", "yarn", "bun"})
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_SETTERS = frozenset({"cross-env", "cross-env-shell", "env"})
_FETCHERS = frozenset({"npx", "bunx", "pnpx"})
_ENV_LOADERS = frozenset({"dotenv", "dotenvx", "dotenv-flow", "env-cmd"})
_LOADER_VALUES = frozenset({"-e", "-f", "-p", "-v", "-r", "--file", "--env-file", "--environments", "--rc-file"})
# What bun runs of node_modules by its name alone, where it would take another word for a file or a script.
_BEHIND_BUN = frozenset({"tsx", "ts-node", "ts-node-dev", "ts-node-esm", "tsnd", "nodemon"})
_FETCHER_VALUES = frozenset({"-p", "--package", "-c", "--call"})
# They run the command that stands behind `--`.
_WRAPPERS = frozenset({"infisical", "doppler", "op", "aws-vault", "chamber", "with-env", "varlock"})
_PLAIN_WRAPPERS = frozenset({"time", "nice", "exec", "command", "nohup"})


@dataclass(frozen=True, slots=True)
class Invocation:
    """`program` without folder, version and `.cmd`, "" if there is none; `prefix` the words in front of it, of which
    `fetchers` only find the program; `arguments` those behind it, up to the first redirection.
    """

    prefix: tuple[Word, ...]
    fetchers: tuple[Word, ...]
    program: str
    program_word: Word | None
    arguments: tuple[Word, ...]
    assignments: dict[str, str]
    is_redirected: bool


def invocation_of(command: Command) -> Invocation:
    """What a command runs."""
    words = command.words
    assignments: dict[str, str] = {}
    fetchers: list[Word] = []
    at = 0
    while at < len(words):
        text = words[at].text
        assigned = _ASSIGNMENT.fullmatch(text)
        if assigned is not None:
            assignments[assigned[1]] = assigned[2]
            at += 1
            continue
        behind = _behind_wrapper(words, at)
        if behind == at:
            break
        if _is_fetcher(words, at):
            fetchers += words[at:behind]
        at = behind
    arguments = words[at + 1 :]
    stop = next((n for n, word in enumerate(arguments) if word.is_redirection), len(arguments))
    program_word = words[at] if at < len(words) else None
    return Invocation(
        words[:at],
        tuple(fetchers),
        program_name(program_word.text) if program_word is not None else "",
        program_word,
        arguments[:stop],
        assignments,
        stop < len(arguments),
    )


def program_name(text: str) -> str:
    """The name of a program that is called by `text`: `./node_modules/.bin/tsx`, `tsx@4`, `tsx.cmd`."""
    if " " in text:
        return text
    name = posixpath.basename(text)
    name = re.sub(r"(?<=.)@[\w.^~-]+$", "", name)
    return re.sub(r"\.(cmd|exe)$", "", name)


def positionals(arguments: tuple[Word, ...], options_with_value: frozenset[str]) -> tuple[Word, ...]:
    """The arguments that are no options and no values of these options."""
    found = []
    skip = False
    for word in arguments:
        if skip:
            skip = False
        elif word.text == "--":
            continue
        elif word.text.startswith("-"):
            skip = word.text in options_with_value
        else:
            found.append(word)
    return tuple(found)


def option_value(arguments: tuple[Word, ...], *names: str) -> str | None:
    """The value of an option, written as `--name value` or `--name=value`; the last one counts."""
    found = None
    for number, word in enumerate(arguments):
        name, equals, value = word.text.partition("=")
        if word.text in names and number + 1 < len(arguments):
            found = arguments[number + 1].text
        elif equals and name in names:
            found = value
    return found


def _is_fetcher(words: tuple[Word, ...], at: int) -> bool:
    name = program_name(words[at].text)
    return name in _FETCHERS or name in PACKAGE_MANAGERS


def _behind_wrapper(words: tuple[Word, ...], at: int) -> int:
    """The number of the word behind the program at `at`, if that only runs another; else `at`."""
    name = program_name(words[at].text)
    following = words[at + 1].text if at + 1 < len(words) else ""
    if name in _SETTERS or name in _PLAIN_WRAPPERS:
        return at + 1
    if name in _FETCHERS:
        return _behind_options(words, at + 1, _FETCHER_VALUES)
    if name in PACKAGE_MANAGERS and following in ("exec", "dlx", "x"):
        return _behind_options(words, at + 2, _FETCHER_VALUES)
    if name == "bun" and following in _BEHIND_BUN:
        return at + 1
    if name in _ENV_LOADERS:
        return _behind_options(words, at + 1 + (following == "run"), _LOADER_VALUES)
    if name in _WRAPPERS:
        dashes = next((n for n, word in enumerate(words) if n > at and word.text == "--"), None)
        return at if dashes is None else dashes + 1
    return at


def _behind_options(words: tuple[Word, ...], at: int, options_with_value: frozenset[str]) -> int:
    while at < len(words) and words[at].text.startswith("-"):
        if words[at].text == "--":
            return at + 1
        at += 2 if words[at].text in options_with_value else 1
    return at
