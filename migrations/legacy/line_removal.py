"""Whole lines taken out of `.env`, YAML, TOML and the like, with the comment that tells of them alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.engine.source import BYTE_ORDER_MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

SOCKET_WORDS = re.compile(rb"\bwss?\b|web ?-?sockets?|\bsockets?\b", re.IGNORECASE)
_KEY_WORD = re.compile(rb"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")


def split_lines(data: bytes) -> list[bytes]:
    """The lines with their line ends, without a byte order mark."""
    return re.findall(rb"[^\n]*\n|[^\n]+", data.removeprefix(BYTE_ORDER_MARK))


def with_lines(data: bytes, lines: Sequence[bytes]) -> bytes:
    """The file `data` with these lines in place of its own; a byte order mark stays."""
    return (BYTE_ORDER_MARK if data.startswith(BYTE_ORDER_MARK) else b"") + b"".join(lines)


def is_comment(line: bytes) -> bool:
    return line.lstrip().startswith(b"#")


def without_lines(
    data: bytes,
    gone: Collection[int],
    names: Collection[str] = (),
    *,
    is_prose: Callable[[int], bool] | None = None,
) -> bytes:
    """The file without the lines of these numbers (from 0), and without the comments right above them that tell of
    nothing but them: that name one of `names` or a socket, or that head nothing else. An empty line that would stand
    beside another goes too. Line ends, and whether the last line has one, stay.

    `is_prose` says of a line's number whether it is such a comment; by default each line that begins with `#` is.
    """
    if not gone:
        return data
    lines = split_lines(data)
    prose = is_prose or (lambda number: is_comment(lines[number]))
    going = set(gone)
    for start, end in list(_runs(going)):
        going.update(_comment_above(lines, start, end, names, prose))
    for start, end in list(_runs(going)):
        going.update(_double_blank(lines, start, end))
    kept = b"".join(line for number, line in enumerate(lines) if number not in going)
    if lines and not lines[-1].endswith(b"\n") and kept.endswith(b"\n"):
        kept = re.sub(rb"\r?\n\Z", b"", kept)
    return with_lines(data, [kept])


def _runs(numbers: Collection[int]) -> Iterator[tuple[int, int]]:
    """Each run of numbers that follow each other, as its first and its last."""
    for number in sorted(numbers):
        if number - 1 not in numbers:
            end = number
            while end + 1 in numbers:
                end += 1
            yield number, end


def _comment_above(
    lines: Sequence[bytes], start: int, end: int, names: Collection[str], prose: Callable[[int], bool]
) -> range:
    top = start
    while top > 0 and prose(top - 1) and _indent(lines[top - 1]) == _indent(lines[start]):
        top -= 1
    block = b"".join(lines[top:start])
    words = [word.decode() for word in _KEY_WORD.findall(block)]
    if any(word not in names for word in words):
        return range(0)
    tells_of_it = bool(words or SOCKET_WORDS.search(block))
    # A heading over lines that stay, or the head of the whole file, goes only where it names what goes.
    below = end + 1
    ends_here = below == len(lines) or not lines[below].strip() or prose(below)
    return range(top, start) if tells_of_it or (ends_here and top > 0) else range(0)


def _double_blank(lines: Sequence[bytes], start: int, end: int) -> range:
    """The empty line beside a run that goes which would stand beside another one, or at an end of the file."""
    above = start == 0 or not lines[start - 1].strip()
    is_last = end + 1 == len(lines)
    if above and not is_last and not lines[end + 1].strip():
        return range(end + 1, end + 2)
    if is_last and start > 0 and not lines[start - 1].strip():
        return range(start - 1, start)
    return range(0)


def _indent(line: bytes) -> int:
    return len(line) - len(line.lstrip(b" \t"))
