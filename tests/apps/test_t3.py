"""The real T3 apps are sound before anything is done to them, and a test's copy is its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.apps.t3 import SHAPES, copy_app, make_t3_app
from tests.apps.toolchain import run_well

if TYPE_CHECKING:
    from pathlib import Path

    from tests.apps.t3 import Shape

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize(("shape", "biome"), [*((shape, True) for shape in SHAPES), ("first_user", False)])
def test_types_and_lint_pass_before_the_migrations(shape: Shape, biome: bool, tmp_path: Path) -> None:
    app = make_t3_app(tmp_path / "app", shape, biome=biome)
    run_well("npm", "run", "typecheck", cwd=app)
    run_well("npm", "run", "check", cwd=app)
    assert run_well("git", "status", "--porcelain", cwd=app) == ""


def test_an_install_in_a_copy_leaves_the_original_alone(tmp_path: Path) -> None:
    """The packages are hard links; npm writes into no file that is there, but for the one that was really copied."""
    original = make_t3_app(tmp_path / "original", "mutation_only")
    before = {path: path.stat().st_mtime_ns for path in original.rglob("*") if path.is_file()}
    copy_app(original, tmp_path / "copy")
    run_well("npm", "install", "partysocket", cwd=tmp_path / "copy")
    assert (tmp_path / "copy" / "node_modules" / "partysocket").is_dir()
    assert {path: path.stat().st_mtime_ns for path in original.rglob("*") if path.is_file()} == before
