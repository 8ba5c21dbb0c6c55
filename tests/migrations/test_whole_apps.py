"""All migrations on whole small apps of the first user's shape: every variant, any order, a kill at every write."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrations.catalogue import all_migrations
from migrations.engine import AppView, Engine, make_plan
from migrations.engine.style import style_of
from migrations.hints import AppHints
from migrations.mode import current_mode, mode_changes
from tests.apps.variants import VARIANTS
from tests.migrations.engine.apps import snapshot, write_app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrations.engine import Migration, Plan
    from migrations.mode import Mode

# Those that bring streaming back; the ones after them are only for who asks for them.
ALL: Sequence[Migration] = all_migrations(AppHints())[:5]
TOP = Path(__file__).parents[2]
SHARED = Path("/dev/shm")
FOLDER = SHARED if SHARED.is_dir() else None
# No package manager runs then; that it keeps the lock file in step is tested beside the engine.
LOCKS = ("package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock")


def files_of(name: str) -> dict[str, bytes]:
    return {path: data for path, data in VARIANTS[name]().items() if path not in LOCKS}


@cache
def plan_of(name: str) -> Plan:
    return make_plan(AppView.of_files(VARIANTS[name]()), ALL)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_is_planned_whole_and_a_second_run_changes_nothing(name: str) -> None:
    plan = plan_of(name)
    assert [(step.state, step.reason) for step in plan.steps] == [("pending", "")] * 5
    again = make_plan(plan.after, ALL)
    assert [(step.state, step.reason) for step in again.steps] == [("applied", "")] * 5
    assert again.diff() == ""
    # Every place that is left to a person is still told afterwards.
    assert [(left.file, left.what) for left in again.leftovers] == [(left.file, left.what) for left in plan.leftovers]


@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_written_is_in_the_apps_own_format(name: str) -> None:
    plan = plan_of(name)
    view = plan.view
    for path in plan.files:
        before, after = view.file(path), plan.after.file(path)
        if after is None or not path.endswith((".ts", ".tsx")):
            continue
        wanted = before.style if before is not None else view.style
        found = style_of(after.data, after.root, wanted)
        assert (found.newline, found.indent, found.quote, found.semicolons) == (
            wanted.newline, wanted.indent, wanted.quote, wanted.semicolons,
        ), path  # fmt: skip
        assert after.syntax_error_line is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["npm", "crlf", "standard", "pages router"])
def test_each_step_alone_leaves_an_app_whose_next_step_is_known(name: str) -> None:
    view = AppView.of_files(files_of(name))
    for number in range(1, 6):
        view = make_plan(view, ALL, number).after
        states = [step.state for step in make_plan(view, ALL).steps]
        assert states == ["applied"] * number + ["pending"] * (5 - number)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("up"), st.integers(1, 5)),
        st.tuples(st.just("down"), st.integers(0, 4)),
        st.tuples(st.just("mode"), st.sampled_from([1, 2])),
    ),
    min_size=1,
    max_size=5,
)


@pytest.mark.slow
@pytest.mark.timeout(300)
@settings(max_examples=14, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(VARIANTS)), STEPS)
def test_any_order_of_up_down_and_mode_can_be_taken_back(name: str, steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        root = write_app(Path(folder), files_of(name))
        (root / ".env").write_text("OPENAI_API_KEY=none\n")
        before = snapshot(root)
        engine = Engine(root, ALL)
        reached = 0
        for command, number in steps:
            if command == "up":
                engine.up(number)
                assert engine.up(number).files == ()
                reached = max(reached, number)
            elif command == "down":
                engine.down(number)
                assert engine.down(number).files == ()
                reached = min(reached, number)
            else:
                mode: Mode = "streaming" if number == 1 else "send-message"
                engine.change("mode", mode_changes(engine.view(), mode, "127.0.0.1:1999"))
                assert mode_changes(engine.view(), mode, "127.0.0.1:1999") == ()
                assert current_mode(engine.view()) == mode
            states = [step.state for step in make_plan(AppView.of_folder(root), ALL).steps]
            assert states == ["applied"] * reached + ["pending"] * (5 - reached)
        engine.down()
        after = snapshot(root)
        assert {path: after[path] for path in before if path != ".env"} == {
            path: before[path] for path in before if path != ".env"
        }
        assert set(after) == set(before)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_kill_at_every_write_of_all_migrations(in_memory: Path) -> None:
    """`chatops migrate up`, killed before and in the middle of each write it makes, counted through; then run again."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.migrations.kill_migrate_up", str(in_memory)],
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=880,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    counted = re.fullmatch(r"(\d+) writes, (\d+) kills, (\d+) before, (\d+) after\n", ended.stdout)
    assert counted, ended.stdout
    writes, kills, left_before, left_after = map(int, counted.groups())
    assert writes > 80
    assert kills == 2 * writes
    assert left_before + left_after == kills
    assert left_before
    assert left_after
