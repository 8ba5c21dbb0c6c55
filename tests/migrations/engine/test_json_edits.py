from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations.engine.json_edits import append_json, parse_json, remove_item_json, remove_json, set_json
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

JSONC = b"""\
// settings
{
  /* what is compiled */
  "include": ["a", "b"], // both
  "options": {
    "strict": true, // on
    "paths": { "~/*": ["./src/*"], },
  },
}
"""


@pytest.mark.parametrize("data", [JSONC, b'{"a":1}', b"\xef\xbb\xbf{ }", b'{"a": {"b": [1, 2]}}\r\n'])
def test_what_is_so_already_changes_nothing(data: bytes) -> None:
    value = parse_json(data)
    for key in value:
        assert set_json(data, (key,), value[key]) == data
    assert remove_json(data, ("no", "such")) == data
    assert remove_item_json(data, ("include",), "no such") == data
    assert append_json(JSONC, ("include",), "a") == JSONC


def test_comments_and_trailing_commas_are_read_over() -> None:
    assert parse_json(JSONC) == {
        "include": ["a", "b"],
        "options": {"strict": True, "paths": {"~/*": ["./src/*"]}},
    }


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        (b'{"a":1}', lambda d: set_json(d, ("a",), 2), b'{"a":2}'),
        (b'{"a":1}', lambda d: set_json(d, ("b",), 2), b'{"a":1, "b": 2}'),
        (b'{"a": 1, "b": 2}', lambda d: set_json(d, ("c",), 3), b'{"a": 1, "b": 2, "c": 3}'),
        (b"{}", lambda d: set_json(d, ("a",), 1), b'{\n  "a": 1\n}'),
        (b"{}\n", lambda d: set_json(d, ("a", "b"), 1), b'{\n  "a": {\n    "b": 1\n  }\n}\n'),
        (b'{\n\t"a": 1\n}', lambda d: set_json(d, ("b", "c"), 2), b'{\n\t"a": 1,\n\t"b": {\n\t\t"c": 2\n\t}\n}'),
        (
            b'{\r\n  "a": {}\r\n}\r\n',
            lambda d: set_json(d, ("a", "b"), 1),
            b'{\r\n  "a": {\r\n    "b": 1\r\n  }\r\n}\r\n',
        ),
        (
            b'\xef\xbb\xbf{\n  "a": 1\n}',
            lambda d: set_json(d, ("a",), "\u00e9"),
            b'\xef\xbb\xbf{\n  "a": "\xc3\xa9"\n}',
        ),
        (b'{\n  "a": 1,\n}', lambda d: set_json(d, ("b",), 2), b'{\n  "a": 1,\n  "b": 2,\n}'),
        (b'{\n  "a": 1 // one\n}', lambda d: set_json(d, ("b",), 2), b'{\n  "a": 1,\n  "b": 2 // one\n}'),
        (b"{\n  // empty\n}", lambda d: set_json(d, ("a",), 1), b'{\n  // empty\n  "a": 1\n}'),
        (b'{"a": 1, "c": 3}', lambda d: set_json(d, ("b",), 2, in_order=True), b'{"a": 1, "b": 2, "c": 3}'),
        (b'{\n  "b": 1\n}', lambda d: set_json(d, ("a",), 2, in_order=True), b'{\n  "a": 2,\n  "b": 1\n}'),
        (b'{"c": 1, "b": 3}', lambda d: set_json(d, ("a",), 2, in_order=True), b'{"c": 1, "b": 3, "a": 2}'),
        (b'{"a": 1, "b": 2}', lambda d: remove_json(d, ("a",)), b'{"b": 2}'),
        (b'{"a": 1, "b": 2}', lambda d: remove_json(d, ("b",)), b'{"a": 1}'),
        (b'{ "a": 1 }', lambda d: remove_json(d, ("a",)), b"{}"),
        (b'{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}', lambda d: remove_json(d, ("b",)), b'{\n  "a": 1,\n  "c": 3\n}'),
        (b'{\n  "a": 1,\n  "b": 2\n}\n', lambda d: remove_json(d, ("b",)), b'{\n  "a": 1\n}\n'),
        (b'{\n  "a": 1, // one\n  "b": 2\n}', lambda d: remove_json(d, ("a",)), b'{\n  "b": 2\n}'),
        (b'{\n  "a": 1,\n  // two\n  "b": 2\n}', lambda d: remove_json(d, ("b",)), b'{\n  "a": 1\n  // two\n}'),
        (b'{"a": [1]}', lambda d: append_json(d, ("a",), 2), b'{"a": [1, 2]}'),
        (b'{"a": []}', lambda d: append_json(d, ("a",), "x"), b'{"a": ["x"]}'),
        (b'{"a": [\n  1\n]}', lambda d: append_json(d, ("a",), 2), b'{"a": [\n  1,\n  2\n]}'),
        (b'{"b": 1}', lambda d: append_json(d, ("a",), 2), b'{"b": 1, "a": [2]}'),
        (b'{"a": [1, 2, 3]}', lambda d: remove_item_json(d, ("a",), 2), b'{"a": [1, 3]}'),
        (b'{"a": [true, 1]}', lambda d: remove_item_json(d, ("a",), 1), b'{"a": [true]}'),
    ],
)
def test_a_change_leaves_everything_else(before: bytes, change: Callable[[bytes], bytes], after: bytes) -> None:
    assert change(before) == after
    assert change(after) == after


def test_comments_outlive_a_change() -> None:
    changed = set_json(JSONC, ("options", "paths", "@/*"), ["./app/*"])
    assert changed == JSONC.replace(b'["./src/*"], }', b'["./src/*"], "@/*": ["./app/*"], }')


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", 1),
        (b"{", 1),
        (b'{\n  "a": 1\n  "b": 2\n}', 2),
        (b"{\n  a: 1\n}", 2),
        (b"{\n\n  'a': 1\n}", 3),
        (b'{"a": f()}', 1),
        (b'{"a": 1} {"b": 2}', 1),
        (b'{"a": 1}); process.exit(', 1),
        (b'{"a": "\xff"}', 1),
        (b'{"a": `b`}', 1),
        (b'{\n"a": 0x10}', 2),
    ],
)
def test_what_is_not_json_is_refused_with_its_line(data: bytes, line: int) -> None:
    with pytest.raises(UsageError, match=rf"^package\.json:{line}: ") as caught:
        parse_json(data, "package.json")
    assert caught.value.code == "bad_file"


def test_a_path_through_something_that_is_no_object_is_refused() -> None:
    with pytest.raises(UsageError, match="scripts is not an object"):
        set_json(b'{"scripts": 1}', ("scripts", "dev"), "next dev")
    with pytest.raises(UsageError, match="a is not an array"):
        append_json(b'{"a": {}}', ("a",), 1)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=4)


def written(value: object, form: tuple[Any, str, bool]) -> bytes:
    indent, newline, mark = form
    text = json.dumps(value, indent=indent, ensure_ascii=False).replace("\n", newline)
    return (b"\xef\xbb\xbf" if mark else b"") + text.encode(errors="replace")


FORMS = st.tuples(st.sampled_from([None, 2, 4, "\t"]), st.sampled_from(["\n", "\r\n"]), st.booleans())


@given(OBJECTS, st.text(max_size=3), VALUES, FORMS)
def test_any_change_gives_the_value_that_python_would_give(
    value: dict[str, Any], key: str, new: object, form: tuple[Any, str, bool]
) -> None:
    """Setting and removing, in every format, against json; and twice is once."""
    data = written(value, form)
    assert parse_json(data) == json.loads(json.dumps(value))
    changed = set_json(data, (key,), new)
    assert parse_json(changed) == {**value, key: new}
    assert set_json(changed, (key,), new) == changed
    removed = remove_json(changed, (key,))
    assert parse_json(removed) == {k: v for k, v in value.items() if k != key}
    if value and key not in value:
        assert removed == data
