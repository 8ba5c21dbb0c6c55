"""How folders and imports of an app are read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from migrations.discovery.layout import find_layout
from migrations.engine import AppView

T3 = {"compilerOptions": {"baseUrl": ".", "paths": {"~/*": ["./src/*"]}}}


def view_of(*paths: str, tsconfig: Any = T3, **more: Any) -> AppView:
    files = dict.fromkeys(paths, b"export {};\n")
    files |= {"package.json": b"{}", "tsconfig.json": json.dumps(tsconfig).encode()}
    return AppView.of_files(files | {path: json.dumps(value).encode() for path, value in more.items()})


@pytest.mark.parametrize(
    ("paths", "source_root", "router"),
    [
        (["src/app/page.tsx"], "src/", "app"),
        (["src/pages/index.tsx"], "src/", "pages"),
        (["app/page.tsx", "src/lib.ts"], "", "app"),
        (["pages/index.tsx"], "", "pages"),
        (["src/app/page.tsx", "src/pages/api/trpc/[trpc].ts"], "src/", "both"),
        (["src/index.ts"], "src/", "none"),
        (["index.ts"], "", "none"),
    ],
)
def test_where_the_source_stands(paths: list[str], source_root: str, router: str) -> None:
    layout = find_layout(view_of(*paths))
    assert (layout.source_root, layout.router) == (source_root, router)
    assert layout.kit_folder == f"{source_root}relay-kit/"


@pytest.mark.parametrize(
    ("specifier", "path"),
    [
        ("~/lib/one", "src/lib/one.ts"),
        ("~/lib", "src/lib/index.tsx"),
        ("./two", "src/app/two.tsx"),
        ("../lib/one", "src/lib/one.ts"),
        ("../lib/one.js", "src/lib/one.ts"),
        ("src/lib/one", "src/lib/one.ts"),
        ("~/lib/three", None),
        ("react", None),
        ("./two.css", None),
    ],
)
def test_the_file_that_an_import_names(specifier: str, path: str | None) -> None:
    layout = find_layout(view_of("src/app/page.tsx", "src/app/two.tsx", "src/lib/one.ts", "src/lib/index.tsx"))
    assert layout.resolve("src/app/page.tsx", specifier) == path


@pytest.mark.parametrize(
    ("tsconfig", "specifier"),
    [
        (T3, "~/lib/one"),
        ({"compilerOptions": {"paths": {"@/*": ["./src/*"]}}}, "@/lib/one"),
        ({"compilerOptions": {"baseUrl": "src", "paths": {"~/*": ["./*"]}}}, "~/lib/one"),
        ({"compilerOptions": {"paths": {"@/lib/*": ["./src/lib/*"], "@/*": ["./src/*"]}}}, "@/lib/one"),
        ({"compilerOptions": {"paths": {"@ui/*": ["../ui/*"]}}}, "../lib/one"),
        ({"compilerOptions": {"paths": {"*": ["./src/*"]}}}, "../lib/one"),
        ({}, "../lib/one"),
    ],
)
def test_how_a_file_is_imported(tsconfig: Any, specifier: str) -> None:
    layout = find_layout(view_of("src/app/page.tsx", "src/lib/one.ts", tsconfig=tsconfig))
    assert layout.specifier("src/app/page.tsx", "src/lib/one.ts") == specifier


def test_a_relative_import_of_a_neighbour_and_of_a_folder() -> None:
    layout = find_layout(view_of("src/app/page.tsx", tsconfig={}))
    assert layout.specifier("src/app/page.tsx", "src/app/two.tsx") == "./two"
    assert layout.specifier("src/app/page.tsx", "src/app/deep/index.ts") == "./deep"
    assert layout.specifier("page.tsx", "lib/one.ts") == "./lib/one"


def test_paths_come_from_what_tsconfig_extends() -> None:
    view = AppView.of_files(
        {
            "package.json": b"{}",
            "tsconfig.json": b'{ "extends": "./config/base" /* ours */ }',
            "config/base.json": json.dumps({"compilerOptions": {"paths": {"~/*": ["../src/*"]}}}).encode(),
            "src/lib/one.ts": b"",
        }
    )
    layout = find_layout(view)
    assert layout.resolve("src/x.ts", "~/lib/one") == "src/lib/one.ts"
    assert layout.alias == "~/"


def test_without_tsconfig_there_is_no_typescript() -> None:
    assert not find_layout(AppView.of_files({"package.json": b"{}", "pages/index.js": b""})).has_typescript
