"""The TypeScript twin is checked by its own tools: types, lint, format, and its tests, which replay the vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import relay_server
from tests.node import ensure_node_modules

if TYPE_CHECKING:
    from tests.node import NodeTools

pytestmark = pytest.mark.slow

RELAY_SERVER = Path(relay_server.__file__).parent
TYPESCRIPT = RELAY_SERVER / "typescript"

# The compiler options of an app made by create-t3-app, into which party/ is copied: DOM types, none of the platform's.
APP_OPTIONS = {
    "target": "es2022",
    "lib": ["dom", "dom.iterable", "es2022"],
    "types": [],
    "module": "esnext",
    "moduleResolution": "bundler",
    "moduleDetection": "force",
    "isolatedModules": True,
    "verbatimModuleSyntax": True,
    "strict": True,
    "noUncheckedIndexedAccess": True,
    "checkJs": True,
    "esModuleInterop": True,
    "skipLibCheck": True,
    "noEmit": True,
}


@pytest.fixture(scope="module")
def node() -> NodeTools:
    return ensure_node_modules(TYPESCRIPT)


@pytest.mark.parametrize(
    "command",
    [
        ("tsc", "--noEmit"),
        ("eslint", ".", "--max-warnings", "0"),
        ("prettier", "--check", "party", "cloudflare", "tests", "*.json", "*.js", "*.ts"),
    ],
    ids=lambda command: command[0],
)
def test_sources_are_clean(node: NodeTools, command: tuple[str, ...]) -> None:
    done = node.run(*command)
    assert done.returncode == 0, done.stdout + done.stderr


def test_party_type_checks_in_an_app(node: NodeTools, tmp_path: Path) -> None:
    """The files in party/ are copied into apps, whose types are the browser's and not the platform's."""
    (tmp_path / "node_modules").symlink_to(TYPESCRIPT / "node_modules")
    (tmp_path / "party").mkdir()
    for source in (TYPESCRIPT / "party").glob("*.ts"):
        (tmp_path / "party" / source.name).write_bytes(source.read_bytes())
    project = tmp_path / "tsconfig.json"
    project.write_text(json.dumps({"compilerOptions": APP_OPTIONS, "include": ["**/*.ts"]}))
    done = node.run("tsc", "--project", str(project))
    assert done.returncode == 0, done.stdout + done.stderr


def test_vitest_replays_every_vector(node: NodeTools, tmp_path: Path) -> None:
    report_file = tmp_path / "report.json"
    done = node.run("vitest", "run", "--reporter=json", f"--outputFile={report_file}")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(report_file.read_text())
    assert report["numPassedTests"] == report["numTotalTests"]
    assert (report["numFailedTests"], report["numPendingTests"], report["numTodoTests"]) == (0, 0, 0)
    passed = {(*result["ancestorTitles"], result["title"]) for result in results_in(report)}
    assert vector_titles() <= passed


def results_in(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [result for file in report["testResults"] for result in file["assertionResults"]]


def vector_titles() -> set[tuple[str, str]]:
    """What each recorded case is called in the report."""
    vectors = RELAY_SERVER / "vectors"
    rooms = json.loads((vectors / "room.json").read_text())
    wire = json.loads((vectors / "wire.json").read_text())
    return {
        *(("room", case["name"]) for case in rooms),
        *(("publish", row["name"]) for row in wire["publish"]),
        *(("path", row["path"]) for row in wire["paths"]),
        *(("cursors", row["query"]) for row in wire["cursors"]),
        *(("message", row["text"]) for row in wire["messages"]),
    }
