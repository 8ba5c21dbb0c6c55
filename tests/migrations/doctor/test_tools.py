"""The checks of programs and packages, with programs that say what a test wants on a PATH of their own."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from migrations.doctor.tools import (
    check_git,
    check_installed,
    check_lock,
    check_node,
    check_package_manager,
    check_relay_tool,
    check_tools,
    check_vercel,
)
from migrations.engine import AppView
from tests.migrations.doctor.situations import installed, on_disk, situation

if TYPE_CHECKING:
    from migrations.doctor import Situation


def at(
    root: Path, programs: dict[str, str], files: dict[str, str] | None = None, target: str = "partykit"
) -> Situation:
    """An app on disk, and a PATH with nothing but these programs: each prints its text."""
    bin_folder = root / "bin"
    bin_folder.mkdir()
    for name, said in programs.items():
        program = bin_folder / name
        program.write_text(f"#!/bin/sh\n{said}\n")
        program.chmod(0o755)
    view = on_disk(root / "app", files or {})
    return replace(situation(target=target), view=view, environment={"PATH": str(bin_folder)})


# --- node


def test_node_that_fits_everybody(tmp_path: Path) -> None:
    files = {"node_modules/next/package.json": '{"engines": {"node": ">=20.9.0"}}'}
    found = check_node(at(tmp_path, {"node": "echo v24.19.0"}, files))
    assert (found.ok, found.detail) == (True, "v24.19.0, as next asks")


def test_node_that_is_too_old_for_the_targets_tool(tmp_path: Path) -> None:
    files = {"node_modules/wrangler/package.json": '{"engines": {"node": ">=22.0.0"}}'}
    found = check_node(at(tmp_path, {"node": "echo v20.20.2"}, files, target="cloudflare"))
    assert found.ok is False
    assert found.detail == "v20.20.2, and wrangler needs >=22.0.0"
    assert "24" in found.mend


def test_node_against_a_wrangler_that_is_not_installed_yet(tmp_path: Path) -> None:
    assert check_node(at(tmp_path, {"node": "echo v20.20.2"}, target="cloudflare")).ok is False


def test_node_against_the_apps_own_engines(tmp_path: Path) -> None:
    files = {"package.json": '{"engines": {"node": "^18"}}'}
    found = check_node(at(tmp_path, {"node": "echo v20.0.0"}, files))
    assert (found.ok, found.detail) == (False, "v20.0.0, and the app needs ^18")


def test_no_node(tmp_path: Path) -> None:
    found = check_node(at(tmp_path, {}))
    assert (found.ok, found.detail) == (False, "node is not on the PATH")


def test_a_node_that_does_not_say_its_version(tmp_path: Path) -> None:
    assert check_node(at(tmp_path, {"node": "echo nothing"})).ok is None


def test_a_node_that_fails(tmp_path: Path) -> None:
    found = check_node(at(tmp_path, {"node": "echo no license; exit 3"}))
    assert (found.ok, found.detail) == (False, "`node --version` fails: no license")


# --- package manager, git, Vercel


def test_the_apps_own_package_manager(tmp_path: Path) -> None:
    files = {"pnpm-lock.yaml": "lockfileVersion: '9.0'\n"}
    found = check_package_manager(at(tmp_path, {"pnpm": "echo 10.1.0"}, files))
    assert (found.ok, found.detail) == (True, "pnpm 10.1.0")


def test_a_package_manager_that_is_not_there(tmp_path: Path) -> None:
    files = {"pnpm-lock.yaml": "lockfileVersion: '9.0'\n"}
    found = check_package_manager(at(tmp_path, {"npm": "echo 11.0.0"}, files))
    assert (found.ok, found.mend) == (False, "npm install --global pnpm")
    assert found.detail == "the app uses pnpm, and pnpm is not on the PATH"


def test_two_package_managers_are_told_apart_by_a_person(tmp_path: Path) -> None:
    found = check_package_manager(at(tmp_path, {}, {"pnpm-lock.yaml": "", "yarn.lock": ""}))
    assert found.ok is False
    assert "lock files of 2 package managers" in found.detail


def test_git_in_a_repository_without_one_and_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = at(tmp_path, {})
    assert check_git(made).ok is False
    here = replace(made, environment={"PATH": "/usr/bin:/bin"})
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    outside = check_git(here)
    assert outside.ok is None
    assert outside.mend == "git init"
    subprocess.run(["git", "init", "--quiet"], cwd=made.view.root, check=True)
    inside = check_git(here)
    assert inside.ok is True
    assert inside.detail[0].isdigit()


def test_vercel_is_asked_for_only_where_the_app_is_linked(tmp_path: Path) -> None:
    linked = {".vercel/project.json": "{}"}
    assert check_vercel(at(tmp_path, {})).ok is None
    for number, (programs, ok) in enumerate([({}, False), ({"vercel": "echo 44.0.0"}, True)]):
        root = tmp_path / str(number)
        root.mkdir()
        assert check_vercel(at(root, programs, linked)).ok is ok


# --- the relay's tool, packages


def test_the_targets_tool_is_installed() -> None:
    found = check_relay_tool(situation(installed(partykit="0.0.115")))
    assert (found.ok, found.detail) == (True, "partykit 0.0.115")
    assert check_relay_tool(situation(target="docker")).ok is True


def test_the_targets_tool_comes_with_the_migrations_is_listed_or_is_missing() -> None:
    assert check_relay_tool(situation(planned=True)).ok is None
    listed = check_relay_tool(situation(migrated=True))
    assert (listed.ok, listed.mend) == (False, "npm install")
    missing = check_relay_tool(situation(target="cloudflare"))
    assert (missing.ok, missing.mend) == (False, "npm install --save-dev wrangler")


def test_packages_that_are_listed_and_not_installed() -> None:
    view = AppView.of_files(
        {
            "package.json": b'{"dependencies": {"a": "1", "b": "1", "c": "1"}}',
            "node_modules/a/package.json": b'{"version": "1.0.0"}',
        }
    )
    one = replace(situation(), view=view)
    found = check_installed(one)
    assert (found.ok, found.detail, found.mend) == (False, "2 of 3 are not: b, c", "npm install")
    rest = {f"node_modules/{name}/package.json": b"{}" for name in ("b", "c")}
    assert check_installed(replace(one, view=view.with_changes(rest))).ok is True
    none = view.with_changes({"node_modules/a/package.json": None})
    assert check_installed(replace(one, view=none)).detail == "none of the app's packages is installed"
    archive = none.with_changes({".pnp.cjs": b""})
    assert check_installed(replace(one, view=archive)).ok is None


LOCKS = {
    "package-lock.json": (
        '{"packages": {"": {"dependencies": {"a": "^1.0.0", "@x/b": "^2.0.0"}}}}',
        '{"packages": {"": {"dependencies": {"a": "^0.9.0", "@x/b": "^2.0.0"}}}}',
    ),
    "npm-shrinkwrap.json": ('{"dependencies": {"a": {}, "@x/b": {}}}', '{"dependencies": {"@x/b": {}}}'),
    "pnpm-lock.yaml": (
        "importers:\n  .:\n    dependencies:\n      '@x/b':\n        specifier: ^2.0.0\n        version: 2.1.0\n"
        "      a:\n        specifier: ^1.0.0\n        version: 1.0.0\n",
        "importers:\n  .:\n    dependencies:\n      '@x/b':\n        specifier: ^2.0.0\n        version: 2.1.0\n"
        "      aa:\n        specifier: ^1.0.0\n        version: 1.0.0\n",
    ),
    "yarn.lock": (
        '"@x/b@^2.0.0":\n  version "2.1.0"\n\na@^0.5.0, a@^1.0.0:\n  version "1.0.0"\n',
        '"@x/b@^2.0.0":\n  version "2.1.0"\n\na@^0.5.0:\n  version "0.5.0"\n',
    ),
    "bun.lock": (
        '{"workspaces": {"": {"dependencies": {\n"@x/b": "^2.0.0",\n"a": "^1.0.0",\n}}}}',
        '{"workspaces": {"": {"dependencies": {\n"@x/b": "^2.0.0",\n}}}}',
    ),
}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_in_step_and_one_that_is_behind(lock: str) -> None:
    packages = json.dumps({"dependencies": {"a": "^1.0.0", "@x/b": "^2.0.0"}}).encode()
    good, behind = (
        check_lock(replace(situation(), view=AppView.of_files({"package.json": packages, lock: text.encode()})))
        for text in LOCKS[lock]
    )
    assert good.ok is True
    assert behind.ok is False
    assert f"{lock} does not have a as package.json does" in behind.detail
    assert lock in behind.mend


def test_a_lock_file_of_yarn_2_and_of_a_workspace() -> None:
    packages = b'{"dependencies": {"a": "^1.0.0"}}'
    berry = AppView.of_files(
        {"package.json": packages, "yarn.lock": b'__metadata:\n  version: 8\n\n"a@npm:^1.0.0":\n  version: 1.0.0\n'}
    )
    assert check_lock(replace(situation(), view=berry)).ok is True
    member = AppView.of_files(
        {
            "package.json": packages,
            "../../package.json": b'{"workspaces": ["apps/*"]}',
            "../../package-lock.json": b'{"packages": {"": {}, "apps/app": {"dependencies": {"a": "^1.0.0"}}}}',
        },
        root=Path("/w/apps/app"),
    )
    assert check_lock(replace(situation(), view=member)).ok is True


def test_a_lock_file_that_is_not_there_or_cannot_be_looked_into() -> None:
    packages = {"package.json": b'{"dependencies": {"a": "1"}}'}
    assert check_lock(replace(situation(), view=AppView.of_files(packages))).ok is None
    assert check_lock(replace(situation(), view=AppView.of_files({**packages, "bun.lockb": b"\0"}))).ok is None
    broken = AppView.of_files({**packages, "package-lock.json": b"{"})
    assert check_lock(replace(situation(), view=broken)).ok is False


def test_every_check_is_made(tmp_path: Path) -> None:
    findings = check_tools(at(tmp_path, {}))
    assert [finding.name for finding in findings] == [
        "node", "package manager", "git", "vercel", "relay tool", "lock file", "packages installed",
    ]  # fmt: skip
