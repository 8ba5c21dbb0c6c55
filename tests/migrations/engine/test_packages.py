from __future__ import annotations

import json
from pathlib import Path

import pytest

from migrations.engine import AddPackage, AppView, PackageManager, RemovePackage, detect_package_manager
from migrations.engine.packages import with_packages
from relay_server.errors import UsageError

CLASSIC = b"# yarn lockfile v1\n"
BERRY = b"# generated\n\n__metadata:\n  version: 8\n"


def detect(files: dict[str, object], root: str = "/repo/apps/web") -> PackageManager:
    written = {path: value if isinstance(value, bytes) else json.dumps(value).encode() for path, value in files.items()}
    return detect_package_manager(AppView.of_files({"package.json": b"{}", **written}, Path(root)))


def test_with_no_hint_at_all_it_is_npm_without_a_lock_file() -> None:
    assert detect({}) == PackageManager("npm")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"package-lock.json": {}}, PackageManager("npm", "", "package-lock.json")),
        ({"npm-shrinkwrap.json": {}, "package-lock.json": {}}, PackageManager("npm", "", "npm-shrinkwrap.json")),
        ({"pnpm-lock.yaml": b""}, PackageManager("pnpm", "", "pnpm-lock.yaml")),
        ({"bun.lockb": b"\0", "bun.lock": {}}, PackageManager("bun", "", "bun.lock")),
        ({"bun.lockb": b"\0"}, PackageManager("bun", "", "bun.lockb")),
        ({"yarn.lock": CLASSIC}, PackageManager("yarn", "", "yarn.lock", classic=True)),
        ({"yarn.lock": BERRY}, PackageManager("yarn", "", "yarn.lock")),
        ({"yarn.lock": b"", "package.json": {"packageManager": "yarn@1.22.22"}},
         PackageManager("yarn", "", "yarn.lock", classic=True)),
        ({"package.json": {"packageManager": "pnpm@9.1.0+sha512.abc"}}, PackageManager("pnpm")),
        ({"package.json": {"packageManager": "yarn@4.1.0"}}, PackageManager("yarn")),
        ({"package.json": {"packageManager": "npm@11.0.0"}, "package-lock.json": {}},
         PackageManager("npm", "", "package-lock.json")),
        ({"package.json": {"packageManager": "pnpm@9"}, "package-lock.json": {}, "pnpm-lock.yaml": b""},
         PackageManager("pnpm", "", "pnpm-lock.yaml")),
        ({"package.json": {"packageManager": 7}, "bun.lock": {}}, PackageManager("bun", "", "bun.lock")),
    ],
)  # fmt: skip
def test_lock_file_and_package_manager_field_say_which(files: dict[str, object], expected: PackageManager) -> None:
    assert detect(files) == expected


@pytest.mark.parametrize(
    "around",
    [
        {"../../package.json": {"workspaces": ["apps/*"]}, "../../package-lock.json": {}},
        {"../../package.json": {"workspaces": {"packages": ["./apps/web/"]}}, "../../yarn.lock": CLASSIC},
        {"../../package.json": {"workspaces": ["**", "!docs/*"], "packageManager": "bun@1.2.0"}, "../../bun.lock": {}},
        {
            "../../pnpm-workspace.yaml": b"packages:\n  # ours\n  - \"apps/*\" # all\n  - 'docs'\n",
            "../../pnpm-lock.yaml": b"",
        },
        {"../../pnpm-workspace.yaml": b"packages:\n- apps/web\ncatalog:\n  a: 1\n", "../../pnpm-lock.yaml": b""},
    ],
)
def test_a_workspace_around_the_app_has_the_lock_file(around: dict[str, object]) -> None:
    manager = detect(around)
    assert manager.folder == "../.."
    assert manager.lock in around


@pytest.mark.parametrize(
    "around",
    [
        {"../../package.json": {"workspaces": ["packages/*"]}, "../../package-lock.json": {}},
        {"../../package.json": {"workspaces": ["apps/*", "!apps/web"]}, "../../package-lock.json": {}},
        {"../../package.json": {}, "../../package-lock.json": {}},
        {"../../package-lock.json": {}},
        {"../../pnpm-workspace.yaml": b"packages: []\n", "../../pnpm-lock.yaml": b""},
        {"../../pnpm-workspace.yaml": b"onlyBuiltDependencies:\n  - esbuild\n", "../../pnpm-lock.yaml": b""},
    ],
)
def test_a_lock_file_above_that_is_not_the_app_s_does_not_count(around: dict[str, object]) -> None:
    assert detect(around) == PackageManager("npm")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"package-lock.json": {}, "yarn.lock": CLASSIC}, "2 package managers: package-lock.json and yarn.lock"),
        ({"package-lock.json": {}, "package.json": {"packageManager": "pnpm@9"}}, "names pnpm .* is package-lock.json"),
        ({"package-lock.json": {}, "../../package-lock.json": {}, "../../package.json": {"workspaces": ["apps/*"]}},
         "workspace around it both"),
    ],
)  # fmt: skip
def test_two_that_could_be_meant_are_refused(files: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        detect(files)
    assert caught.value.code == "package_manager_unclear"


def test_packages_go_to_their_place_in_package_json() -> None:
    manifest = b'{\n\t"dependencies": {\n\t\t"a": "1",\n\t\t"c": "1"\n\t}\n}\n'
    assert with_packages(manifest, []) == manifest
    added = with_packages(manifest, [AddPackage("b", "^2"), AddPackage("d", "3", dev=True)])
    assert added == (
        b'{\n\t"dependencies": {\n\t\t"a": "1",\n\t\t"b": "^2",\n\t\t"c": "1"\n\t},\n'
        b'\t"devDependencies": {\n\t\t"d": "3"\n\t}\n}\n'
    )
    assert with_packages(added, [AddPackage("b", "^2"), AddPackage("d", "3")]) == added
    assert with_packages(added, [AddPackage("c", "2", dev=True)]) == added.replace(b'"c": "1"', b'"c": "2"')


def test_a_package_is_removed_from_every_section() -> None:
    manifest = b'{"dependencies": {"ws": "8"}, "devDependencies": {"@types/ws": "8", "ws": "8"}}'
    removed = with_packages(manifest, [RemovePackage("ws"), RemovePackage("none")])
    assert removed == b'{"dependencies": {}, "devDependencies": {"@types/ws": "8"}}'
