"""A change of a JSON file taken out of a later version, key by key: two packages on neighbouring lines do not meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migrations.engine.json_edits import parse_json, remove_json, set_json
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ABSENT = object()


def take_out(current: bytes, before: bytes, after: bytes) -> bytes | None:
    """`current` with the keys that differ between `before` and `after` back as in `before`, everything else kept.

    None where `current` has neither value of such a key, or one of the three is no JSON object.
    """
    try:
        old, new, now = (parse_json(data) for data in (before, after, current))
        if not all(isinstance(value, dict) for value in (old, new, now)):
            return None
        result = current
        for keys, value in _changes(old, new, now, ()):
            result = remove_json(result, keys) if value is _ABSENT else set_json(result, keys, value, in_order=True)
    except (UsageError, _Meet):
        return None
    return result


class _Meet(Exception):
    """The file has a value that is of neither version."""


def _changes(old: Any, new: Any, now: Any, at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What to set (or to remove) in `now`, inner keys before their objects."""
    for key in dict.fromkeys([*old, *new]):
        was, became, is_now = (side.get(key, _ABSENT) for side in (old, new, now))
        if was == became or is_now == was:
            continue
        if is_now == became:
            yield (*at, key), was
        elif all(isinstance(side, dict) or side is _ABSENT for side in (was, became)) and isinstance(is_now, dict):
            yield from _changes(_or_empty(was), _or_empty(became), is_now, (*at, key))
        else:
            raise _Meet


def _or_empty(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
