"""The cleanup of every case as the engine carries it out in a folder, and the way back to the last byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from migrations.engine import Engine
from migrations.legacy.cleanup import LegacyCleanup
from tests.migrations.engine.apps import refusal, snapshot, write_app
from tests.migrations.legacy.cases_all import CASES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.migrations.legacy.cases import Case

pytestmark = pytest.mark.slow

_BY_NAME = {case.name: case for case in CASES}


def _write(root: Path, case: Case) -> Path:
    write_app(root, {path: text.encode() for path, text in case.files.items()})
    # A mode that is nobody's default, on a file that goes and on one that is rewritten.
    for path in case.after:
        (root / path).chmod(0o750)
    return root


def _files(root: Path) -> dict[str, bytes]:
    return {path: data for path, (_, data) in snapshot(root).items() if (root / path).is_file()}


@pytest.mark.parametrize("name", [case.name for case in CASES if case.after])
def test_it_is_carried_out_and_taken_back_to_the_last_byte(tmp_path: Path, name: str) -> None:
    case = _BY_NAME[name]
    root = _write(tmp_path, case)
    before = snapshot(root)
    engine = Engine(root, [LegacyCleanup(to_sse=case.to_sse)])
    done = engine.up()
    assert set(done.files) == set(case.after)
    expected = {path: text.encode() for path, text in case.result.items()}
    assert {path: data for path, data in _files(root).items() if path in expected} == expected
    assert [path for path, text in case.after.items() if text is None and (root / path).exists()] == []
    assert engine.up().files == ()
    engine.down()
    assert snapshot(root) == before


@pytest.mark.parametrize("name", [case.name for case in CASES if not case.after])
def test_an_app_that_keeps_its_server_keeps_every_byte(tmp_path: Path, name: str) -> None:
    case = _BY_NAME[name]
    root = _write(tmp_path, case)
    before = snapshot(root)
    engine = Engine(root, [LegacyCleanup(to_sse=case.to_sse)])
    refused = refusal(engine.up)
    assert (refused is not None) == bool(case.needs)
    assert refused is None or "still needed" in refused.message
    assert snapshot(root) == before
