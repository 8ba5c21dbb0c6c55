"""npm's versions and ranges, as far as `engines` use them."""

from __future__ import annotations

import pytest

from migrations.doctor.versions import installed_version, is_prerelease, read_version, satisfies
from migrations.engine import AppView


@pytest.mark.parametrize(
    ("version", "wanted", "answer"),
    [
        ("22.0.0", ">=22.0.0", True),
        ("20.20.2", ">=22.0.0", False),
        ("20.20.2", ">= 22", False),
        ("20.20.2", "^18.18.0 || ^19.8.0 || >= 20.0.0", True),
        ("18.17.9", "^18.18.0 || ^19.8.0 || >= 20.0.0", False),
        ("24.1.0", ">=18 <23", False),
        ("22.9.9", ">=18 <23", True),
        ("22.5.0", "<=22", True),
        ("22.5.0", ">22", False),
        ("23.0.0", ">22", True),
        ("22.5.0", "22", True),
        ("23.0.0", "22.x", False),
        ("20.11.5", "~20.11", True),
        ("20.12.0", "~20.11.1", False),
        ("0.3.9", "^0.3.1", True),
        ("0.4.0", "^0.3.1", False),
        ("20.0.0", "18 - 20", True),
        ("21.0.0", "18 - 20", False),
        ("1.0.0", "*", True),
        ("1.0.0", "", True),
        ("1.0.0", "lts/iron", None),
        ("20.0.0", "lts/iron || >=20", True),
    ],
)
def test_a_range_takes_a_version_or_not_or_cannot_be_read(version: str, wanted: str, answer: bool | None) -> None:
    read = read_version(version)
    assert read is not None
    assert satisfies(read, wanted) is answer


def test_a_version_is_found_in_what_a_program_says() -> None:
    assert read_version("git version 2.39.5") == (2, 39, 5)
    assert read_version("v24.19.0") == (24, 19, 0)
    assert read_version("unknown") is None
    assert is_prerelease("11.0.0-rc.700+e5c0c1a82")
    assert not is_prerelease("11.0.0")


def test_a_package_is_looked_for_in_the_app_and_in_the_workspace_around_it() -> None:
    view = AppView.of_files(
        {
            "node_modules/a/package.json": b'{"version": "1.0.0"}',
            "../../node_modules/b/package.json": b'{"version": "2.0.0"}',
            "node_modules/broken/package.json": b"{",
        }
    )
    assert installed_version(view, "a", "../..") == "1.0.0"
    assert installed_version(view, "b", "../..") == "2.0.0"
    assert installed_version(view, "b") is None
    assert installed_version(view, "broken") is None
