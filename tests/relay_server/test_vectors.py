"""The recorded vectors, replayed on the Python room and wire forms. The TypeScript twin replays the same files."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from relay_server import protocol
from relay_server.limits import Limits
from relay_server.protocol import Frame, Refusal, encode_json, make_frame
from relay_server.room import Changes, Published, Room, Welcome

if TYPE_CHECKING:
    from collections.abc import Callable

VECTORS = Path(protocol.__file__).parent / "vectors"
ROOM_CASES = json.loads((VECTORS / "room.json").read_text())
WIRE = json.loads((VECTORS / "wire.json").read_text())
WIRE_LIMITS = Limits(**WIRE["limits"])


def frame_of(form: dict[str, Any]) -> Frame:
    data = encode_json(form["data"]) if "data" in form else None
    return make_frame(form["stream"], form["seq"], form["kind"], data)


def changes_of(changes: Changes) -> dict[str, object]:
    return {"appended": [json.loads(frame.encoded) for frame in changes.appended], "dropped": changes.dropped}


def take_step(room: Room, step: dict[str, Any]) -> dict[str, object]:
    """What the room says to one step, in the form of the vectors."""
    if "publish" in step:
        published: Published = room.publish([frame_of(form) for form in step["publish"]], step["at"])
        return {"next": published.next, "stop": published.stop, **changes_of(published)}
    if "subscribe" in step:
        welcome: Welcome = room.subscribe(step["subscribe"])
        return {
            "streams": [asdict(state) for state in welcome.streams],
            "lost": [json.loads(protocol.encode_lost(lost)) for lost in welcome.lost],
            "replay": [json.loads(encoded) for encoded in welcome.replay],
            "ahead": welcome.ahead,
        }
    if "stop" in step:
        return {"newly": room.stop(step["stop"])}
    return changes_of(room.tick(step["at"]))


def refusal_of(refusal: Refusal) -> dict[str, object]:
    retry = {} if refusal.retry_after_ms is None else {"retry_after_ms": refusal.retry_after_ms}
    return {"code": refusal.code, **refusal.detail, **retry}


@pytest.mark.parametrize("case", ROOM_CASES, ids=lambda case: case["name"])
def test_room(case: dict[str, Any]) -> None:
    room = Room(Limits(**case["limits"]))
    for step in case["steps"]:
        before = room.states(), room.frames, room.bytes, room.deadline()
        try:
            said = {"expect": take_step(room, step) | {"deadline": room.deadline()}}
        except Refusal as refusal:
            said = {"refused": refusal_of(refusal)}
            assert (room.states(), room.frames, room.bytes, room.deadline()) == before, "a refusal changed the room"
        assert said == {key: step[key] for key in ("expect", "refused") if key in step}, step
    assert {"frames": room.frames, "bytes": room.bytes} == case["holds"]


def keeps_no_clock(case: dict[str, Any]) -> bool:
    """Idle limits and the rate count anew after a restart, so cases about them do not hold over one."""
    return "max_frames_per_second" not in case["limits"] and not any("tick" in step for step in case["steps"])


@pytest.mark.parametrize("case", [case for case in ROOM_CASES if keeps_no_clock(case)], ids=lambda case: case["name"])
def test_room_made_anew_before_every_step(case: dict[str, Any]) -> None:
    """A room restored from what `stored` gives says what the old one would have said."""
    room = Room(Limits(**case["limits"]))
    for step in case["steps"]:
        room = Room(Limits(**case["limits"]), [room.stored(state.stream) for state in room.states()], now=step["at"])
        try:
            said: dict[str, Any] = {"expect": take_step(room, step)}
        except Refusal as refusal:
            said = {"refused": refusal_of(refusal)}
        recorded = {key: step[key] for key in ("expect", "refused") if key in step}
        if "expect" in recorded:
            recorded["expect"] = {key: value for key, value in step["expect"].items() if key != "deadline"}
        assert said == recorded, step


def test_idle_limit_counts_anew_after_a_restart() -> None:
    limits = Limits(idle_ms=500)
    room = Room(limits)
    room.publish([make_frame("s", 0, "start")], 0)
    room = Room(limits, [room.stored("s")], now=10_000)
    assert room.tick(10_499).appended == []
    assert [frame.kind for frame in room.tick(10_500).appended] == ["error"]


def check(row: dict[str, Any], decode: Callable[[], object]) -> None:
    if "refused" in row:
        with pytest.raises(Refusal) as caught:
            decode()
        assert caught.value.code == row["refused"]
    else:
        assert decode() == row["expect"]


@pytest.mark.parametrize("row", WIRE["publish"], ids=lambda row: row["name"])
def test_publish_body(row: dict[str, Any]) -> None:
    body = bytes.fromhex(row["hex"]) if "hex" in row else row["body"].encode()
    check(row, lambda: [json.loads(frame.encoded) for frame in protocol.decode_publish(body, WIRE_LIMITS)])


@pytest.mark.parametrize("row", WIRE["paths"], ids=lambda row: row["path"])
def test_path(row: dict[str, Any]) -> None:
    check(row, lambda: protocol.room_of_path(row["path"]))


@pytest.mark.parametrize("row", WIRE["cursors"], ids=lambda row: row["query"])
def test_cursors(row: dict[str, Any]) -> None:
    check(row, lambda: protocol.decode_cursors(row["query"]))


@pytest.mark.parametrize("row", WIRE["messages"], ids=lambda row: row["text"])
def test_message(row: dict[str, Any]) -> None:
    def decode() -> object:
        stream = protocol.decode_message(row["text"].encode())
        return "ping" if stream is None else {"stop": stream}

    check(row, decode)
