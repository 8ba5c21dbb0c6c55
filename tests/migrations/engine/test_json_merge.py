from __future__ import annotations

import json

import pytest

from migrations.engine.json_merge import take_out


def taken_out(current: object, before: object, after: object) -> object:
    result = take_out(*(json.dumps(value, indent=2).encode() for value in (current, before, after)))
    return None if result is None else json.loads(result)


def test_what_has_no_change_of_ours_stays_to_the_byte() -> None:
    current = b'{\n\t"a": 1, // theirs\n}\n'
    assert take_out(current, b'{"b": 1}', b'{"b": 1}') == current
    assert take_out(current, b'{"a": 1}', b'{"a": 2}') == current


@pytest.mark.parametrize(
    ("current", "before", "after", "expected"),
    [
        (
            {"d": {"a": 1, "ours": 1, "theirs": 1}},
            {"d": {"a": 1}},
            {"d": {"a": 1, "ours": 1}},
            {"d": {"a": 1, "theirs": 1}},
        ),
        ({"d": {"theirs": 1}}, {"d": {"ours": 1}}, {"d": {}}, {"d": {"ours": 1, "theirs": 1}}),
        ({"s": "new", "x": 1}, {"s": "old"}, {"s": "new"}, {"s": "old", "x": 1}),
        ({"x": 1, "d": {"ours": 1}}, {}, {"d": {"ours": 1}}, {"x": 1}),
        ({"d": {"ours": 1, "theirs": 1}}, {}, {"d": {"ours": 1}}, {"d": {"theirs": 1}}),
        ({"s": "theirs"}, {"s": "old"}, {"s": "new"}, None),
        ({}, {"s": "old"}, {"s": "new"}, None),
        ({"d": 1}, {"d": {"a": 1}}, {"d": {"a": 2}}, None),
        ([1], {"a": 1}, {"a": 2}, None),
    ],
)
def test_our_keys_go_and_theirs_stay(current: object, before: object, after: object, expected: object) -> None:
    assert taken_out(current, before, after) == expected


def test_what_is_no_json_is_not_merged() -> None:
    assert take_out(b"{", b"{}", b'{"a": 1}') is None
