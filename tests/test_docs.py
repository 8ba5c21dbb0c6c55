"""The documents say what the code does."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from cli import __version__
from relay_server import protocol
from relay_server.limits import Limits
from tests import documents

if TYPE_CHECKING:
    from pathlib import Path

PROTOCOL = (documents.ROOT / "relay_server" / "PROTOCOL.md").read_text()
PAGES = [
    documents.README,
    documents.ROOT / "CHANGELOG.md",
    documents.ROOT / "CONTRIBUTING.md",
    documents.ROOT / "relay_server" / "PROTOCOL.md",
]


def rows_after(line: str) -> list[list[str]]:
    """The cells of the table whose head is `line`, without head and rule."""
    _, _, rest = PROTOCOL.partition(f"{line}\n")
    rows = rest.splitlines()[1:]
    end = next(i for i, row in enumerate(rows) if not row.startswith("|"))
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows[:end]]


def test_the_readme_is_up_to_date() -> None:
    assert documents.readme() == documents.README.read_text(), "run scripts/docs"


@pytest.mark.parametrize("name", documents.GENERATED)
def test_every_generated_part_is_in_the_readme_once_and_not_empty(name: str) -> None:
    assert documents.README.read_text().count(f"<!-- generated: {name} -->") == 1
    assert documents.GENERATED[name]().count("\n") > 5


def test_the_limits_table_is_that_of_the_code() -> None:
    documented = {variable: int(default) for _, variable, default in rows_after("| limit | variable | default |")}
    declared = {limit.metadata["variable"]: limit.default // limit.metadata["scale"] for limit in fields(Limits)}
    assert documented == declared


def test_the_error_table_is_that_of_the_code() -> None:
    documented = {code: int(status) for status, code, _ in rows_after("| status | code | when |")}
    assert documented == protocol.STATUS


def test_the_headers_in_the_protocol_are_those_of_the_code() -> None:
    unwrapped = " ".join(PROTOCOL.split())
    for name, value in protocol.CORS_PREFLIGHT:
        assert f"`{name}: {value}`" in unwrapped
    assert f"carries `Allow: {protocol.ALLOWED_METHODS}`" in unwrapped


def test_the_protocol_version_is_that_of_the_code() -> None:
    assert PROTOCOL.startswith(f"# The relay protocol, version {protocol.PROTOCOL_VERSION}\n")
    assert f"Protocol version {protocol.PROTOCOL_VERSION}." in (documents.ROOT / "CHANGELOG.md").read_text()


def test_the_changelog_knows_this_version() -> None:
    assert re.search(rf"^(## \[|What will be ){re.escape(__version__)}\b", PAGES[1].read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            linked = page.parent / path
            assert linked.exists(), target
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE) if anchor else []
            assert not anchor or anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("script", ["test", "docs", "lock"])
def test_the_scripts_that_are_documented_exist(script: str) -> None:
    assert f"`scripts/{script}`" in (documents.ROOT / "CONTRIBUTING.md").read_text()
    assert (documents.ROOT / "scripts" / script).stat().st_mode & 0o100


def test_the_ci_runs_the_readmes_test_command() -> None:
    assert "```sh\nscripts/test\n```" in documents.README.read_text()
    assert (documents.ROOT / ".ci" / "run").read_text().splitlines()[-1] == "exec scripts/test"
