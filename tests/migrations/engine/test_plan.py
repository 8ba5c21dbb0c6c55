from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from migrations.engine import (
    AddPackage,
    Applied,
    AppView,
    Blocked,
    FileChange,
    Leftover,
    NotApplicable,
    Outcome,
    Pending,
    make_plan,
)
from relay_server.errors import CheckFailed
from tests.migrations.engine.apps import ALL, FORMATS, AddServer, RemoveLegacy, RenameCalls, Writes, app_files

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Says:
    """Says what it is given to say."""

    outcome: Callable[[AppView], Outcome]
    number: int = 1
    title: str = "Say it"

    def plan(self, view: AppView) -> Outcome:
        return self.outcome(view)


def states(view: AppView, *migrations: object) -> list[str]:
    return [step.state for step in make_plan(view, migrations).steps]  # type: ignore[arg-type]


def test_an_app_that_has_everything_is_left_alone() -> None:
    done = make_plan(AppView.of_files(app_files()), ALL).after
    plan = make_plan(done, ALL)
    assert [step.state for step in plan.steps] == ["applied"] * 4
    assert (plan.pending, plan.files, plan.diff()) == ((), (), "")


def test_without_migrations_there_is_nothing() -> None:
    plan = make_plan(AppView.of_files(app_files()), ())
    assert (plan.steps, plan.files, plan.diff()) == ((), (), "")


@pytest.mark.parametrize("name", FORMATS)
def test_a_second_plan_on_the_result_is_empty_in_every_format(name: str) -> None:
    plan = make_plan(AppView.of_files(app_files(FORMATS[name])), ALL)
    assert len(plan.pending) == 4
    assert make_plan(plan.after, ALL).pending == ()
    assert [file.syntax_error_line for file in plan.after.sources()] == [None] * 3


def test_each_is_planned_on_what_the_ones_before_it_led_to() -> None:
    """RemoveLegacy takes out an import that only RenameCalls made superfluous."""
    plan = make_plan(AppView.of_files(app_files()), ALL)
    after = plan.after.read("src/chat.ts") or b""
    assert (b"newCall" in after, b"oldCall" in after) == (True, False)


def test_a_target_leaves_out_what_comes_after_it_whatever_the_order_given() -> None:
    plan = make_plan(AppView.of_files(app_files()), ALL[::-1], 2)
    assert [step.number for step in plan.steps] == [1, 2]
    assert plan.after.read("src/legacy.ts") is not None


def test_not_applicable_and_blocked_say_why_and_change_nothing() -> None:
    files = app_files() | {"src/chat.ts": b"export const a = 1;\n"}
    plan = make_plan(AppView.of_files(files), [RenameCalls()])
    assert (plan.steps[0].state, plan.steps[0].reason, plan.files) == ("not_applicable", "nothing calls oldCall", ())
    broken = AppView.of_files(app_files() | {"src/chat.ts": b"oldCall(\n"})
    plan = make_plan(broken, [RenameCalls()])
    assert (plan.steps[0].state, plan.steps[0].reason) == ("blocked", "src/chat.ts:1: it cannot be read")


def test_a_file_that_cannot_be_read_blocks_the_migration_that_needs_it() -> None:
    files = app_files() | {"src/bad.ts": b"oldCall('\xe9')\n", "package.json": b"{"}
    plan = make_plan(AppView.of_files(files), ALL)
    assert [step.state for step in plan.steps] == ["blocked", "blocked", "blocked", "pending"]
    assert plan.steps[2].reason.startswith("src/bad.ts:1 is not UTF-8")
    assert plan.steps[0].reason.startswith("package.json:1: it is not JSON")


def test_an_unclear_package_manager_blocks() -> None:
    view = AppView.of_files(app_files() | {"yarn.lock": b"", "package-lock.json": b"{}"})
    plan = make_plan(view, ALL[:1])
    assert plan.steps[0].state == "blocked"
    assert "yarn.lock" in plan.steps[0].reason


def test_the_lock_file_is_one_of_the_files() -> None:
    plan = make_plan(AppView.of_files(app_files() | {"pnpm-lock.yaml": b""}), ALL[:1])
    assert plan.files == ("package.json", "pnpm-lock.yaml")
    assert "pnpm-lock" not in plan.diff()


def test_leftovers_come_in_order_and_once() -> None:
    one, two = Leftover("b.ts", 2, "that", "do it"), Leftover("a.ts", 9, "this", "do it")
    plan = make_plan(
        AppView.of_files(app_files()), [Says(lambda view: Applied((one,))), Says(lambda view: Applied((two, one)), 2)]
    )
    assert plan.leftovers == (two, one)


def test_leftovers_stay_until_the_code_has_none() -> None:
    files = app_files() | {"src/old.js": b"\noldCall(1);\n"}
    plan = make_plan(AppView.of_files(files), [RenameCalls()])
    assert [(left.file, left.line) for left in plan.leftovers] == [("src/old.js", 2)]
    assert make_plan(plan.after, [RenameCalls()]).leftovers == plan.leftovers
    assert make_plan(plan.after.with_changes({"src/old.js": b""}), [RenameCalls()]).leftovers == ()


def test_json_has_its_shape() -> None:
    files = app_files() | {"src/old.js": b"\noldCall(1);\n"}
    written = make_plan(
        AppView.of_files(files), [AddServer(), RenameCalls(), Says(lambda v: NotApplicable("no"), 9)]
    ).as_json()
    value = json.loads(json.dumps(written))
    assert value["app"] == "/app"
    assert value["migrations"][0] == {
        "id": 2,
        "title": "Add the server",
        "state": "pending",
        "reason": "",
        "files": [".env.example", ".gitignore", "package.json", "party/deep/server.ts", "party/run.sh"],
    }
    assert value["migrations"][2] == {
        "id": 9,
        "title": "Say it",
        "state": "not_applicable",
        "reason": "no",
        "files": [],
    }
    assert value["diff"].startswith("diff --git a/.env.example b/.env.example\n")
    assert value["leftovers"] == [{"file": "src/old.js", "line": 2, "what": "oldCall is called", "how": "call newCall"}]


@pytest.mark.parametrize(
    ("migration", "message"),
    [
        (Writes((FileChange("src/chat.ts", b"let = ;;("),)), "would leave src/chat.ts with a syntax error in line 1"),
        (Says(lambda view: Pending()), "is pending and yet changes nothing"),
        (Says(lambda view: Pending((FileChange("a", (view.read("a") or b"") + b"x"),))), "would not know its own work"),
        (Says(lambda view: Pending(packages=(AddPackage("zod", "^3.24.2"),))), "is pending and yet changes nothing"),
    ],
)
def test_a_mistake_in_a_migration_is_found_before_it_reaches_an_app(migration: Says, message: str) -> None:
    with pytest.raises(CheckFailed, match=message) as caught:
        make_plan(AppView.of_files(app_files()), [migration])
    assert caught.value.code == "migration_mistake"


def test_a_file_that_the_grammar_could_not_read_before_may_be_changed() -> None:
    """TypeScript knows more than the grammar does."""
    view = AppView.of_files(app_files() | {"src/v.ts": b"class A<in out T> {}\n"})
    change = FileChange("src/v.ts", b"class A<in out T> {}\nf();\n")
    assert states(view, Writes((change,))) == ["pending"]


def test_blocked_is_not_in_the_way_of_the_others() -> None:
    view = AppView.of_files(app_files())
    assert states(view, Says(lambda v: Blocked("why", "a.ts", 3)), RemoveLegacy()) == ["blocked", "pending"]
