"""Which package may import which: cli, then migrations, then relay_server; Typer in the first alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ABOVE = {"relay_server": {"migrations", "cli", "typer"}, "migrations": {"cli", "typer"}}


def imported_by(path: Path) -> set[str]:
    """The first names of everything that a module imports, at its top or in a function."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("package", ABOVE)
def test_nothing_is_imported_from_above(package: str) -> None:
    modules = [path for path in (ROOT / package).rglob("*.py") if "node_modules" not in path.parts]
    assert modules
    wrong = {str(path.relative_to(ROOT)): imported_by(path) & ABOVE[package] for path in modules}
    assert {path: names for path, names in wrong.items() if names} == {}
