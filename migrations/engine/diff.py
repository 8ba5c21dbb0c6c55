"""Unified diffs of what is planned, in the form that `git apply` takes. Values in `.env` files are masked."""

from __future__ import annotations

import difflib
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MASK = "***"
_TEMPLATES = (".example", ".sample", ".template", ".dist", ".defaults")
# These are compiled into what every browser gets.
_PUBLIC = re.compile(r"NEXT_PUBLIC_|VITE_|NODE_ENV$")
_ASSIGNMENT = re.compile(r"(?P<head>\s*(?:#+\s*)?(?:export\s+)?(?P<key>[\w.-]+)\s*[=:]\s*)(?P<value>.*)", re.DOTALL)


def holds_secrets(path: str) -> bool:
    """Whether a file is one of those that hold an app's secrets, by its name; templates of them hold none."""
    name = PurePosixPath(path).name
    return name.startswith((".env", ".dev.vars", ".npmrc", ".yarnrc")) and not name.endswith(_TEMPLATES)


def unified_diff(changes: Iterable[tuple[str, bytes | None, bytes | None]], *, mask: bool = True) -> str:
    """The diff of (path, before, after) with None for no file; "" if nothing differs.

    With `mask`, values in files that hold secrets read `***` but for those that the browser gets anyway; such a part
    cannot be applied. Binary files are only named.
    """
    return "".join(_of_file(path, before, after, mask=mask) for path, before, after in changes if before != after)


def line_in(other: bytes | None, data: bytes | None, line: int) -> int:
    """Where line `line` of `data`, from 1, stands in another version of the file; 0 if that does not have it.

    A line 0 stays one, and where one of the two is no file the line is the other's own.
    """
    if other is None or data is None or other == data or not line:
        return line
    matcher = difflib.SequenceMatcher(None, other.splitlines(), data.splitlines(), autojunk=False)
    for block in matcher.get_matching_blocks():
        if block.b <= line - 1 < block.b + block.size:
            return block.a + line - block.b
    return 0


def _of_file(path: str, before: bytes | None, after: bytes | None, *, mask: bool) -> str:
    head = f"diff --git a/{path} b/{path}\n"
    if before is None:
        head += "new file mode 100644\n"
    elif after is None:
        head += "deleted file mode 100644\n"
    old, new = _text(before), _text(after)
    if old is None or new is None:
        return f"{head}Binary files differ\n"
    old_lines, new_lines = _lines(old), _lines(new)
    if mask and holds_secrets(path):
        old_lines, new_lines = _masked(old_lines), _masked(new_lines)
    names = ("/dev/null" if before is None else f"a/{path}", "/dev/null" if after is None else f"b/{path}")
    lines = [
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(old_lines, new_lines, *names)
    ]
    if not lines and mask and old != new:
        lines = [f"--- {names[0]}\n", f"+++ {names[1]}\n", f"(only masked values differ: {_MASK})\n"]
    return head + "".join(lines)


def _text(data: bytes | None) -> str | None:
    if data is None:
        return ""
    if b"\0" in data[:8000]:
        return None
    return data.decode(errors="replace")


def _lines(text: str) -> list[str]:
    """Lines with their line feeds; a carriage return is a part of its line."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _masked(lines: list[str]) -> list[str]:
    """Env lines with their values hidden: whatever is not known to be harmless is masked, whole if need be."""
    masked = []
    open_quote = ""
    for line in lines:
        body = line.rstrip("\r\n")
        end = line[len(body) :]
        if open_quote:
            open_quote = "" if open_quote in body else open_quote
            masked.append(_MASK + end)
            continue
        found = _ASSIGNMENT.fullmatch(body)
        if found is None:
            masked.append(line if not body.strip() or body.lstrip().startswith("#") else _MASK + end)
            continue
        value = found["value"].strip()
        if value[:1] in ("'", '"', "`") and value.count(value[0]) == 1:
            open_quote = value[0]
        public = _PUBLIC.match(found["key"]) and not open_quote
        masked.append(line if public or not value else found["head"] + _MASK + end)
    return masked
