"""`chatops migrate up` and `down` on every real T3 app: sound after the one, the same to the byte after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.apps.t3 import SHAPES, copy_app, make_t3_app
from tests.apps.toolchain import run_well
from tests.end_to_end.app import chatops
from tests.migrations.engine.apps import snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.apps.t3 import Shape

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize(("shape", "biome"), [*((shape, True) for shape in SHAPES), ("first_user", False)])
def test_up_is_sound_and_down_gives_everything_back(shape: Shape, biome: bool, tmp_path: Path) -> None:
    """Types, the app's own lint and format after `up`; bytes and file modes after `down`."""
    app = make_t3_app(tmp_path / "app", shape, biome=biome)
    before = snapshot(app)
    done = chatops(app, "migrate", "up", timeout_s=300)
    assert [migration["id"] for migration in done["migrations"]] == [1, 2, 3, 4, 5]
    assert_sound(app, tmp_path / "checked", biome=biome)
    again = chatops(app, "migrate", "up", timeout_s=300)
    assert again["migrations"] == []
    chatops(app, "migrate", "down", timeout_s=300)
    assert snapshot(app) == before


def assert_sound(app: Path, copy: Path, *, biome: bool) -> None:
    """In a copy: checks leave caches behind."""
    copy_app(app, copy)
    run_well("npm", "run", "typecheck", cwd=copy)
    run_well("npm", "run", "check", cwd=copy)
    if not biome:
        run_well("npm", "run", "format:check", cwd=copy)
