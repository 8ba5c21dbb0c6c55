"""The cleanup on every case of the table: what it changes, tells and refuses, byte for byte."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from migrations.engine import AppView
from migrations.engine.syntax import SOURCE_SUFFIXES
from migrations.legacy.cleanup import plan_cleanup
from tests.migrations.legacy.cases_all import CASES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migrations.legacy.cleanup import CleanupPlan
    from tests.migrations.legacy.cases import Case

_BY_NAME = {case.name: case for case in CASES}
_ONE_LINE_END = [case.name for case in CASES if not any("\r" in text for text in case.files.values())]


def _plan(files: Mapping[str, str], case: Case) -> CleanupPlan:
    return plan_cleanup(AppView.of_files(_encoded(files)), to_sse=case.to_sse)


@cache
def _plan_of(name: str) -> CleanupPlan:
    return _plan(_BY_NAME[name].files, _BY_NAME[name])


def _encoded(files: Mapping[str, str]) -> dict[str, bytes]:
    return {path: text.encode() for path, text in files.items()}


def _changed(plan: CleanupPlan) -> dict[str, str | None]:
    return {change.path: None if change.after is None else change.after.decode() for change in plan.changes}


def _crlf(files: Mapping[str, str]) -> dict[str, str]:
    return {path: text.replace("\n", "\r\n") for path, text in files.items()}


def test_every_case_has_a_name_of_its_own_and_there_are_enough() -> None:
    assert len(_BY_NAME) == len(CASES) >= 100


@pytest.mark.parametrize("name", _BY_NAME)
def test_exactly_what_is_expected_changes(name: str) -> None:
    case = _BY_NAME[name]
    plan = _plan_of(name)
    assert {(need.file, need.line) for need in plan.needs} == case.lines_of_needs()
    assert (plan.refused is not None) == bool(case.needs)
    assert _changed(plan) == case.after
    assert {path: plan.after.read(path) for path in plan.after.paths} == {
        path: data for path, data in _encoded(case.result).items() if path in plan.after.paths
    }


@pytest.mark.parametrize("name", _BY_NAME)
def test_the_pieces_are_told(name: str) -> None:
    case = _BY_NAME[name]
    plan = _plan_of(name)
    told = {(piece.file, piece.action) for piece in plan.pieces}
    assert set(case.pieces) <= told
    if case.needs:
        assert {piece.action for piece in plan.pieces} <= {"keep", "by-hand"}
    elif case.after:
        # Each file that changes is told of, and no other is said to.
        removed = {path for path, text in case.after.items() if text is None}
        rewritten = set(case.after) - removed
        assert {file for file, action in told if action == "remove"} >= removed
        assert {file for file, action in told if action in ("remove", "rewrite")} == removed | rewritten
    else:
        assert plan.pieces == ()
    for piece in plan.pieces:
        lines = case.files[piece.file].splitlines()
        assert 0 <= piece.line <= len(lines), piece
        assert piece.what, piece
        assert piece.why, piece


@pytest.mark.parametrize("name", [case.name for case in CASES if case.after])
def test_what_was_written_can_be_read_and_a_second_run_finds_nothing(name: str) -> None:
    case = _BY_NAME[name]
    plan = _plan_of(name)
    for change in plan.changes:
        file = plan.after.file(change.path)
        if file is not None and change.path.endswith(SOURCE_SUFFIXES):
            assert file.syntax_error_line is None, change.path
    again = plan_cleanup(plan.after, to_sse=case.to_sse)
    assert _changed(again) == {}
    assert again.refused is None
    assert [piece for piece in again.pieces if piece.action in ("remove", "rewrite")] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", _ONE_LINE_END)
def test_line_ends_stay_those_of_the_app(name: str) -> None:
    case = _BY_NAME[name]
    plan = _plan(_crlf(case.files), case)
    assert {(need.file, need.line) for need in plan.needs} == case.lines_of_needs()
    expected = {path: None if text is None else text.replace("\n", "\r\n") for path, text in case.after.items()}
    assert _changed(plan) == expected
