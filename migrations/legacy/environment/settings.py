"""Environment variables that a platform's file sets: compose, CI, Dockerfile, fly, Render, Vercel, Turborepo.

Lines that plainly set one variable can be taken out; whatever else names a variable reads it, as far as is known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from migrations.engine import json_edits
from migrations.legacy.line_removal import split_lines, without_lines
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_YAML_PARENT = re.compile(
    rb"\s*(?:-\s+)?(environment|env|args|build-args|build_args|envVars|envs|variables|vars)\s*:\s*$"
)
_DOCKERFILE = re.compile(r"(.+\.)?(Dockerfile|Containerfile)(\..+)?|.+\.dockerfile", re.IGNORECASE)
_TOML_TABLE = re.compile(rb"\s*\[\[?\s*([^\]]*?)\s*\]")
_ENV_TABLE = re.compile(rb"(^|\.)(env|environment|variables|vars|args)$")
_JSON_PARENTS = frozenset({"env", "environment", "globalEnv", "passThroughEnv", "globalPassThroughEnv", "vars"})


@dataclass(frozen=True, slots=True)
class Setting:
    """A line (from 1) that sets `name`, and the numbers (from 0) of all the lines that go with it."""

    name: str
    line: int
    lines: frozenset[int]


def is_dockerfile(path: str) -> bool:
    """Whether a file is a Dockerfile, by its name."""
    return _DOCKERFILE.fullmatch(PurePosixPath(path).name) is not None


def settings_of(path: str, data: bytes, names: Collection[str]) -> tuple[Setting, ...]:
    """The lines of a file that set one of these variables and nothing else, in a form that can go."""
    lines = split_lines(data)
    if is_dockerfile(path):
        return tuple(_docker(lines, names))
    if path.endswith((".yml", ".yaml")):
        return tuple(_yaml(lines, names))
    if path.endswith(".toml"):
        return tuple(_toml(lines, names))
    if path.endswith(".json"):
        return tuple(_json(lines, data, names))
    return ()


def without_settings(path: str, data: bytes, names: Collection[str]) -> bytes:
    """The file without these variables; a table, mapping or list that would be empty goes too."""
    if path.endswith(".json"):
        for keys, item in list(_json_places(data, names)):
            data = json_edits.remove_item_json(data, keys, item) if item else json_edits.remove_json(data, keys)
        return data
    gone = {number for setting in settings_of(path, data, names) for number in setting.lines}
    lines = split_lines(data)
    if path.endswith((".yml", ".yaml")):
        gone |= {
            n for n in (holder_of(lines, number) for number in gone) if n is not None and _is_empty(lines, n, gone)
        }
    return without_lines(data, gone, names)


def indent_of(line: bytes) -> int:
    """How far a line is indented, in columns of spaces."""
    return len(line) - len(line.lstrip(b" "))


def is_filled(line: bytes) -> bool:
    """Whether a line of YAML, TOML or a Dockerfile is neither empty nor a comment."""
    return bool(line.strip()) and not line.lstrip().startswith(b"#")


def block_end(lines: Sequence[bytes], start: int) -> int:
    """The number behind the last line that is indented deeper than the one at `start`: the end of a YAML block."""
    end = start + 1
    for number in range(start + 1, len(lines)):
        if is_filled(lines[number]):
            if indent_of(lines[number]) <= indent_of(lines[start]):
                break
            end = number + 1
    return end


def lost_anchor(lines: Sequence[bytes], gone: Collection[int]) -> str | None:
    """An anchor of YAML in lines that go which one that stays refers to; None if there is none."""
    anchors = {name for number in gone for name in re.findall(rb"(?:^|\s)&([\w-]+)", lines[number])}
    kept = b"\n".join(line for number, line in enumerate(lines) if number not in gone)
    return next((a.decode() for a in sorted(anchors) if re.search(rb"\*" + re.escape(a) + rb"(?![\w-])", kept)), None)


def _any(names: Collection[str]) -> bytes:
    return b"(?P<name>" + b"|".join(re.escape(name).encode() for name in sorted(names)) + b")"


def _yaml(lines: Sequence[bytes], names: Collection[str]) -> Iterator[Setting]:
    mapping = re.compile(rb"\s*[\"']?" + _any(names) + rb"[\"']?\s*:(?P<value>\s.*|\s*)$", re.DOTALL)
    item = re.compile(rb"\s*-\s+[\"']?" + _any(names) + rb"(=.*)?$", re.DOTALL)
    keyed = re.compile(rb"\s*-\s+(?:key|name)\s*:\s*[\"']?" + _any(names) + rb"[\"']?\s*(#.*)?$", re.DOTALL)
    for number, line in enumerate(lines):
        if not is_filled(line):
            continue
        found = mapping.match(line) or item.match(line) or keyed.match(line)
        parent = holder_of(lines, number) if found is not None else None
        if found is None or parent is None or not _YAML_PARENT.match(lines[parent]):
            continue
        value = (found.groupdict().get("value") or b"").strip()
        if value[:1] in (b"|", b">", b"{", b"[", b"&"):
            continue
        yield Setting(found["name"].decode(), number + 1, frozenset(range(number, block_end(lines, number))))


def holder_of(lines: Sequence[bytes], number: int) -> int | None:
    """The line that a line of YAML is directly under; the items of a list may stand as far left as their key."""
    indent = indent_of(lines[number])
    is_item = lines[number].lstrip().startswith(b"-")
    for above in range(number - 1, -1, -1):
        line = lines[above]
        if not is_filled(line):
            continue
        if indent_of(line) < indent or (is_item and indent_of(line) == indent and not line.lstrip().startswith(b"-")):
            return above
    return None


def _is_empty(lines: Sequence[bytes], parent: int, gone: Collection[int]) -> bool:
    """Whether nothing is left under a key; one that is the first of a list's item stays."""
    if lines[parent].lstrip().startswith(b"-"):
        return False
    inside = [n for n in range(parent + 1, len(lines)) if is_filled(lines[n]) and holder_of(lines, n) == parent]
    return all(number in gone for number in inside)


def _toml(lines: Sequence[bytes], names: Collection[str]) -> Iterator[Setting]:
    assigned = re.compile(rb"\s*[\"']?" + _any(names) + rb"[\"']?\s*=\s*(?P<value>.*)$", re.DOTALL)
    table = b""
    for number, line in enumerate(lines):
        head = _TOML_TABLE.match(line)
        table = head[1].replace(b'"', b"") if head is not None else table
        found = assigned.match(line)
        if (
            found is not None
            and _ENV_TABLE.search(table)
            and re.match(rb"""["'](?!["']{2})|[\d.a-z]+\s*$""", found["value"])
        ):
            yield Setting(found["name"].decode(), number + 1, frozenset({number}))


def _docker(lines: Sequence[bytes], names: Collection[str]) -> Iterator[Setting]:
    value = rb"""(?:"[^"]*"|'[^']*'|[^\s"'\\]*)"""
    either = b"(?:" + b"|".join(re.escape(name).encode() for name in sorted(names)) + b")"
    argument = rb"(?:ARG|arg)\s+(?P<argument>" + either + rb")(?:=" + value + rb")?"
    variable = rb"(?:ENV|env)\s+(?P<variable>" + either + rb")(?:=" + value + rb"|[ \t]+[^\\\n]*)"
    alone = re.compile(rb"\s*(?:" + argument + b"|" + variable + rb")\s*$")
    for number, line in enumerate(lines):
        found = alone.match(line)
        goes_on = number > 0 and lines[number - 1].rstrip().endswith(b"\\")
        if found is not None and not goes_on:
            yield Setting((found["argument"] or found["variable"]).decode(), number + 1, frozenset({number}))


def _json(lines: Sequence[bytes], data: bytes, names: Collection[str]) -> Iterator[Setting]:
    places = list(_json_places(data, names))
    for name in sorted({item or keys[-1] for keys, item in places}):
        wanted = sum((item or keys[-1]) == name for keys, item in places)
        there = [n for n, line in enumerate(lines) if f'"{name}"'.encode() in line]
        if len(there) == wanted:
            yield from (Setting(name, number + 1, frozenset({number})) for number in there)


def _json_places(data: bytes, names: Collection[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where a JSON file has one of these: as the last key of a path, or (the second is not "") in a list."""
    try:
        value: Any = json_edits.parse_json(data)
    except UsageError:
        return
    stack: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while stack:
        keys, inner = stack.pop()
        is_env = bool(keys) and keys[-1] in _JSON_PARENTS
        if isinstance(inner, dict):
            yield from (((*keys, name), "") for name in inner if is_env and name in names)
            stack += [((*keys, key), below) for key, below in inner.items()]
        elif isinstance(inner, list) and is_env:
            yield from ((keys, item) for item in inner if item in names)
