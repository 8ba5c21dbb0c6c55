"""The app kit: its types, its lint and its own tests, on the newest and on the oldest versions that it supports."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.node import NodeTools, ensure_node_modules

if TYPE_CHECKING:
    import subprocess

KIT = Path(__file__).parent.parent.parent / "migrations" / "kit"
TAB = re.compile(r"^\t+", re.MULTILINE)


def test_nothing_that_the_browser_gets_knows_of_the_servers_side() -> None:
    """The secret's name and the server's files appear in none of the client's."""
    sources = [*(KIT / "src" / "client").iterdir(), KIT / "src" / "shared.ts"]
    assert len(sources) > 5
    for source in sources:
        assert not re.search(r"RELAY_SECRET|RELAY_URL|\./server", source.read_text()), source


def test_no_source_uses_any() -> None:
    """`any` and the ways around the type checker."""
    for source in (KIT / "src").rglob("*.ts"):
        assert not re.search(r"\bany\b\W*[;,)>\]|]|@ts-|eslint-disable|biome-ignore", source.read_text()), source


@pytest.fixture(scope="module")
def newest() -> NodeTools:
    return ensure_node_modules(KIT)


@pytest.fixture(scope="module")
def lowest(tmp_path_factory: pytest.TempPathFactory) -> NodeTools:
    """The kit beside tRPC 11.0.0, React 18 and TypeScript 5.8, each by its own name."""
    packages = ensure_node_modules(KIT / "lowest").folder / "node_modules"
    folder = tmp_path_factory.mktemp("lowest")
    for tree in ("src", "tests"):
        shutil.copytree(KIT / tree, folder / tree)
    for file in ("tsconfig.json", "vitest.config.ts", "lowest/package.json"):
        shutil.copy(KIT / file, folder)
    # By a name that `tsc` passes over: these types of typescript-eslint and ESLint do not fit each other.
    shutil.copy(KIT / "eslint.config.js", folder / "eslint.config.mjs")
    (folder / "node_modules").symlink_to(packages)
    return NodeTools(folder)


@pytest.mark.slow
def test_types_with_the_newest_versions(newest: NodeTools) -> None:
    """TypeScript 5.9 and 7, tRPC 11's newest, React 19."""
    _check(newest.run("tsc"))
    _check(newest.run("../newest-typescript/bin/tsc"))


@pytest.mark.slow
def test_types_for_the_oldest_target(newest: NodeTools) -> None:
    """ES2017, as create-next-app and older T3 apps have it."""
    _check(newest.run("tsc", "--target", "ES2017", "--lib", "dom,dom.iterable,ESNext"))


@pytest.mark.slow
def test_types_with_the_oldest_versions(lowest: NodeTools) -> None:
    _check(lowest.run("tsc"))


@pytest.mark.slow
def test_lint_as_create_t3_app_sets_it_up(newest: NodeTools) -> None:
    _check(newest.run("eslint", ".", "--max-warnings", "0"))


@pytest.mark.slow
def test_lint_with_the_oldest_versions(lowest: NodeTools) -> None:
    """ESLint 9 and typescript-eslint 8.29, on the types of these versions: an assertion may be needed with one only."""
    _check(lowest.run("eslint", "src", "tests", "--max-warnings", "0"))


@pytest.mark.slow
def test_biome_as_create_t3_app_sets_it_up(newest: NodeTools) -> None:
    """Biome as T3 pins it, nothing to say at any level, the format included."""
    _check(newest.run("biome", "check", "--error-on-warnings", "."))


@pytest.mark.slow
def test_with_spaces_for_tabs_prettier_is_content_too(newest: NodeTools, tmp_path: Path) -> None:
    """A file for an app that Prettier formats needs no more than its indentation changed."""
    for source in (KIT / "src").rglob("*.ts"):
        copy = tmp_path / source.relative_to(KIT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(TAB.sub(lambda tabs: "  " * len(tabs[0]), source.read_text()))
    _check(newest.run("prettier", "--check", str(tmp_path)))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("versions", ["newest", "lowest"])
def test_the_kits_own_tests_pass_and_none_is_skipped(
    versions: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """vitest: a real tRPC server, the bundled relay as a process, real sockets, React."""
    tools: NodeTools = request.getfixturevalue(versions)
    monkeypatch.setenv("CHATOPS_PYTHON", sys.executable)
    report = tmp_path / "report.json"
    _check(tools.run("vitest", "run", "--reporter=default", "--reporter=json", f"--outputFile={report}", timeout_s=880))
    counts = json.loads(report.read_text())
    assert counts["numTotalTests"] > 40
    assert counts["numPassedTests"] == counts["numTotalTests"]


def _check(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
