"""Line files changed in place: `.env` files and ignore files. Line ends and a missing final newline stay."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.engine.source import BYTE_ORDER_MARK
from migrations.engine.style import style_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_ASSIGNMENT = rb"^(?:\xef\xbb\xbf)?(?P<line>[ \t]*(?:export[ \t]+)?KEY[ \t]*=[ \t]*(?P<value>[^\r\n]*))"
_QUOTED = re.compile(rb"""(?P<quote>["'`])(?P<inner>.*?)(?P=quote)""")


def get_env(data: bytes, key: str) -> str | None:
    """The value of a key, without quotes and trailing comment; None if the key is not set. The last one counts."""
    found = _assignments(data, key)
    if not found:
        return None
    _, start, end = _value_span(found[-1])
    return data[start:end].decode(errors="replace")


def set_env(data: bytes, key: str, value: str, *, comment: Sequence[str] = ()) -> bytes:
    """Set a key: its value is changed where it stands (quotes and a comment behind it stay), else it comes last, under
    `comment` (lines without `#`). A key that is only there as a comment counts as absent. `value` is one line without
    quotes or backslashes.
    """
    assert not re.search(r"[\r\n\"'`\\]", value), "such a value has no form that every reader of .env files agrees on"
    plain = re.fullmatch(r"[\w./:@%+,~-]*", value) is not None
    found = _assignments(data, key)
    if not found:
        line = f"{key}={value}" if plain else f'{key}="{value}"'
        return _appended(data, [*(f"# {line}" for line in comment), line], gap=bool(comment))
    quote, start, end = _value_span(found[-1])
    written = value if plain or quote else f'"{value}"'
    return data[:start] + written.encode() + data[end:]


def _value_span(match: re.Match[bytes]) -> tuple[str, int, int]:
    """The quote around a value ("" if there is none) and where the value inside begins and ends."""
    start = match.start("value")
    quoted = _QUOTED.match(match["value"])
    if quoted:
        return quoted["quote"].decode(), start + quoted.start("inner"), start + quoted.end("inner")
    bare = re.split(rb"(?:^|[ \t])#", match["value"], maxsplit=1)[0].rstrip()
    return "", start, start + len(bare)


def add_lines(data: bytes, lines: Sequence[str], *, comment: Sequence[str] = ()) -> bytes:
    """Append those of `lines` that the file does not have yet, under `comment` (lines without `#`)."""
    there = {line.strip() for line in data.decode(errors="replace").splitlines()}
    missing = [line for line in lines if line.strip() not in there]
    if not missing:
        return data
    return _appended(data, [*(f"# {line}" for line in comment), *missing], gap=bool(comment))


def _assignments(data: bytes, key: str) -> list[re.Match[bytes]]:
    return list(re.finditer(_ASSIGNMENT.replace(b"KEY", re.escape(key).encode()), data, re.MULTILINE))


def _appended(data: bytes, lines: Sequence[str], *, gap: bool) -> bytes:
    """The file with these lines after its last one, and an empty line between if `gap` and there is none yet."""
    style = style_of(data)
    body = data.removeprefix(BYTE_ORDER_MARK)
    new = list(lines)
    if gap and body.strip() and not re.search(rb"(\r?\n)[ \t]*\r?\n\Z", body):
        new.insert(0, "")
    text = style.newline.join(new).encode()
    newline = style.newline.encode()
    return data + text + newline if style.final_newline or not body else data + newline + text
