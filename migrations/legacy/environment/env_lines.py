"""Keys taken out of `.env` files: live lines and commented ones, everything else byte for byte."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from migrations.legacy.line_removal import is_comment, split_lines, without_lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from migrations.engine.view import AppView

# What Next.js, dotenv, Docker and people call them; looked for by name because git ignores most of them.
_STAGES = ("", ".development", ".production", ".test", ".staging", ".preview", ".docker")
_TEMPLATES = (".example", ".sample", ".template", ".dist", ".defaults")
_KNOWN = (
    *(f".env{stage}{local}" for stage in _STAGES for local in ("", ".local")),
    *(f".env{stage}{template}" for stage in (*_STAGES, ".local") for template in _TEMPLATES),
    ".envrc",
    "env.example",
)
_ENV_FILE = re.compile(r"\.env(rc|\..+)?|env\.(example|sample|template|dist)|.+\.env")
_ASSIGNMENT = re.compile(
    rb"[ \t]*(?:#[# \t]*)?(?:export[ \t]+)?(?P<key>[A-Za-z_][\w.]*)[ \t]*=[ \t]*(?P<value>.*)", re.DOTALL
)
# Of a commented line only what could stand there live: prose that has a `=` in it is none.
_PLAIN_VALUE = re.compile(rb"""("[^"]*"|'[^']*'|`[^`]*`|[^\s"'`#]*)([ \t]+#.*)?""", re.DOTALL)
_QUOTES = (b'"', b"'", b"`")


@dataclass(frozen=True, slots=True)
class EnvLine:
    """An assignment, or (`key` is "") a comment, an empty line, anything else. `line` is from 1; `end` is the last
    line of a value in quotes that goes over several.
    """

    line: int
    end: int
    key: str
    is_comment: bool
    text: bytes
    value: bytes = b""


def is_env_file(path: str) -> bool:
    """Whether a file is one of assignments, by its name."""
    return _ENV_FILE.fullmatch(PurePosixPath(path).name) is not None


def env_files(view: AppView) -> tuple[str, ...]:
    """The app's env files, in any folder; at the app's root those that git ignores too."""
    found = {path for path in view.paths if is_env_file(path) and view.exists(path)}
    return tuple(sorted(found | {path for path in _KNOWN if view.exists(path)}))


def env_lines(data: bytes) -> tuple[EnvLine, ...]:
    """What stands in an env file, in its order; the lines of one value are one."""
    return tuple(_entries(split_lines(data)))


def without_keys(data: bytes, keys: Collection[str]) -> bytes:
    """The file without these keys, and without the comments right above that tell of nothing else."""
    entries = env_lines(data)
    gone = {n for entry in entries if entry.key in keys for n in range(entry.line - 1, entry.end)}
    prose = {entry.line - 1 for entry in entries if entry.is_comment and not entry.key}
    return without_lines(data, gone, keys, is_prose=prose.__contains__)


def _entries(lines: list[bytes]) -> Iterator[EnvLine]:
    at = 0
    while at < len(lines):
        first = at
        found = _ASSIGNMENT.fullmatch(lines[at].rstrip(b"\r\n"))
        commented = is_comment(lines[at])
        key, value = "", b""
        if found is not None and (not commented or _PLAIN_VALUE.fullmatch(found["value"].rstrip())):
            key, value = found["key"].decode(), found["value"].strip()
        quote = value[:1]
        if key and not commented and quote in _QUOTES and quote not in value[1:]:
            closing = next((n for n in range(at + 1, len(lines)) if quote in lines[n]), None)
            at = at if closing is None else closing
        yield EnvLine(first + 1, at + 1, key, commented, b"".join(lines[first : at + 1]), value)
        at += 1
