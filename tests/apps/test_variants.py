"""The small apps are what they say they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from migrations.engine import AppView, detect_package_manager
from tests.apps.variants import VARIANTS
from tests.migrations.test_kit import KIT
from tests.node import ensure_node_modules

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = (".ts", ".tsx", ".js")


@pytest.mark.parametrize("name", VARIANTS)
def test_every_source_of_a_variant_can_be_read(name: str) -> None:
    view = AppView.of_files(VARIANTS[name]())
    sources = list(view.sources())
    assert len(sources) > 10
    assert [source.path for source in sources if source.syntax_error_line is not None] == []


def test_each_variant_has_what_it_is_named_for() -> None:
    apps = {name: make() for name, make in VARIANTS.items()}
    for manager in ("npm", "pnpm", "yarn", "bun"):
        found = detect_package_manager(AppView.of_files(apps[manager]))
        assert found.name == manager
        assert found.lock is not None
    assert b'"@/' in apps["at alias"]["src/app/page.tsx"]
    assert "app/page.tsx" in apps["no src"]
    assert "src/pages/api/trpc/[trpc].ts" in apps["pages router"]
    assert "pages/api/trpc/[trpc].ts" in apps["pages router, no src"]
    chat = "src/server/api/routers/chat.ts"
    assert not re.search(rb"(?<!\r)\n", apps["crlf"][chat])
    assert b"\n\t// \t.input(\n" in apps["tabs"][chat]
    assert b"\n    sendMessage: publicProcedure\n        .input(" in apps["four spaces"][chat]
    assert b"from 'zod'\n" in apps["standard"][chat]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("npm", []),
        ("pages router", []),
        ("crlf", ["--end-of-line", "crlf"]),
        ("tabs", ["--use-tabs"]),
        ("standard", ["--single-quote", "--no-semi"]),
    ],
)
def test_prettier_would_change_nothing(name: str, options: list[str], tmp_path: Path) -> None:
    """So a migration that writes in the app's format leaves an app that is formatted. Four spaces need longer lines."""
    for path, data in VARIANTS[name]().items():
        if path.endswith(SOURCES):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(data)
    done = ensure_node_modules(KIT).run("prettier", "--check", *options, str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
