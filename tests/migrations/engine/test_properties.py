"""Any order of up, down and other changes, in any format: idempotent and reversible."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrations.engine import AppView, Engine, FileChange, make_plan
from migrations.engine.line_edits import set_env
from tests.migrations.engine.apps import ALL, FORMATS, app_files, refusal, snapshot, write_app

SHARED = Path("/dev/shm")
FOLDER = SHARED if SHARED.is_dir() else None
NAMES = st.sampled_from(sorted(FORMATS))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("up"), st.integers(0, 4)),
        st.tuples(st.just("down"), st.integers(0, 4)),
        st.tuples(st.just("mode"), st.sampled_from([1, 2])),
    ),
    max_size=7,
)


def numbers_applied(root: Path) -> list[int]:
    return [step.number for step in make_plan(AppView.of_folder(root), ALL).steps if step.state == "applied"]


@settings(max_examples=12, deadline=None)
@given(NAMES, STEPS)
def test_any_order_of_commands_can_be_taken_back(name: str, steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        root = write_app(Path(folder), app_files(FORMATS[name]))
        before = snapshot(root)
        engine = Engine(root, ALL)
        reached = 0
        for command, number in steps:
            if command == "up":
                engine.up(number)
                again = engine.up(number)
                reached = max(reached, number)
            elif command == "down":
                engine.down(number)
                again = engine.down(number)
                reached = min(reached, number)
            elif reached < 2:  # there is nothing yet whose mode it could be
                continue
            else:
                data = set_env((root / ".env.example").read_bytes(), "PARTY_HOST", f"host{number}")
                engine.change("mode", [FileChange(".env.example", data)])
                again = engine.change("mode", [FileChange(".env.example", data)])
            assert again.files == (), "a second run changes nothing"
            assert numbers_applied(root) == list(range(1, reached + 1))
        engine.down()
        assert snapshot(root) == before


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(NAMES, st.integers(0, 4), st.sampled_from(["undefined", "z.string()", "Grüße", "nothing"]))
def test_an_edit_in_between_is_never_lost(name: str, target: int, word: str) -> None:
    """Refused without merge; with it, the app is as it was but for the edit."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        root = write_app(Path(folder), app_files(FORMATS[name]))

        def edited(data: bytes) -> bytes:
            return data.replace(word.encode(), b"EDIT")

        before = {path: (mode, edited(data)) for path, (mode, data) in snapshot(root).items()}
        engine = Engine(root, ALL)
        engine.up()
        for path in ("src/chat.ts", "src/other.ts"):
            (root / path).write_bytes(edited((root / path).read_bytes()))
        now = snapshot(root)
        touched = word != "nothing" and target < 4
        error = refusal(lambda: engine.down(target))
        assert (error.code if error else None) == ("edited_since" if touched else None)
        assert not touched or snapshot(root) == now
        engine.down(merge=True)
        assert snapshot(root) == before
