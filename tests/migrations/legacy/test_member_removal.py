"""Members taken out of objects, lists and interfaces, in every way that they are written."""

from __future__ import annotations

import pytest

from migrations.engine.edits import FileEdit
from migrations.engine.source import SourceFile
from migrations.engine.syntax import find_all, text_of
from migrations.legacy.member_removal import remove_members

_CASES = {
    "on one line, the first": ("x = { gone: 1, a: 2 };", "x = { a: 2 };"),
    "on one line, the last": ("x = { a: 2, gone: 1 };", "x = { a: 2 };"),
    "on one line, the last, with a comma": ("x = { a: 2, gone: 1, };", "x = { a: 2, };"),
    "on one line, several": ("x = { gone: 1, a: 2, gone2: 1, gone3: 1 };", "x = { a: 2 };"),
    "the only one": ("x = { gone: 1 };", "x = {};"),
    "the only one, on lines": ("x = {\n  gone: 1,\n};", "x = {};"),
    "a comment that stays": ("x = {\n  // all\n\n  gone: 1,\n};", "x = {\n  // all\n};"),
    "without a last comma": ("x = {\n  a: 1,\n  gone: 2\n};", "x = {\n  a: 1\n};"),
    "two, without a last comma": ("x = {\n  a: 1, // one\n  gone: 2,\n  gone2: 3\n};", "x = {\n  a: 1 // one\n};"),
    "its comments": ("x = {\n  a,\n  /** What. */\n  gone, // why\n  b,\n};", "x = {\n  a,\n  b,\n};"),
    "a heading over others": ("x = {\n  // Addresses\n  gone,\n  b,\n};", "x = {\n  // Addresses\n  b,\n};"),
    "a comment on a socket": ("x = {\n  // WebSocket\n  gone,\n  b,\n};", "x = {\n  b,\n};"),
    "between empty lines": ("x = {\n  a,\n\n  gone,\n\n  b,\n};", "x = {\n  a,\n\n  b,\n};"),
    "after an empty line, the last": ("x = {\n  a,\n\n  gone,\n};", "x = {\n  a,\n};"),
    "two apart, after an empty line": ("x = {\n  gone,\n\n  gone2,\n  b,\n};", "x = {\n  b,\n};"),
    "several on a line": ("x = {\n  a, gone,\n  b,\n};", "x = {\n  a,\n  b,\n};"),
    "CRLF, tabs": ("x = {\r\n\ta,\r\n\tgone,\r\n};", "x = {\r\n\ta,\r\n};"),
    "a list": ("x = [\n  'a',\n  'gone',\n];", "x = [\n  'a',\n];"),
    "an interface": ("interface X {\n  a: string;\n  gone: string;\n}", "interface X {\n  a: string;\n}"),
    "an interface on one line": ("interface X { gone: string; a: string }", "interface X { a: string }"),
}


@pytest.mark.parametrize("name", _CASES)
def test_the_others_stay_as_they_are_written(name: str) -> None:
    """With their commas, comments and lines."""
    before, after = _CASES[name]
    file = SourceFile("a.ts", before.encode())
    container = next(find_all(file.root, "object", "array", "interface_body"))
    edit = FileEdit(file)
    remove_members(edit, container, [node for node in container.named_children if "gone" in text_of(node)])
    assert edit.result().decode() == after
