from __future__ import annotations

import json
from pathlib import Path

import pytest

from migrations.engine import AddPackage, Applied, AppView, NotApplicable, Pending, make_plan
from migrations.m1_packages import Packages, range_of
from tests.migrations.test_kit import KIT

T3 = {"next": "^15.2.3", "@trpc/server": "^11.0.0"}
PARTYSOCKET = AddPackage("partysocket", "^1.3.0")
PARTYKIT = AddPackage("partykit", "^0.0.115", dev=True)


def view(dependencies: object, **sections: object) -> AppView:
    manifest = {"name": "app", "dependencies": dependencies, **sections}
    return AppView.of_files({"package.json": (json.dumps(manifest, indent=2) + "\n").encode()})


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        ({}, (PARTYSOCKET, PARTYKIT)),
        ({"dependencies": {**T3, "partykit": "0.0.1"}}, (PARTYSOCKET,)),
        ({"devDependencies": {"partykit": "latest"}}, (PARTYSOCKET,)),
        ({"optionalDependencies": {"partysocket": "workspace:*"}}, (PARTYKIT,)),
        ({"peerDependencies": {"partysocket": ">=1", "partykit": "*"}}, ()),
        ({"devDependencies": {"partykit": "^0.0.100", "partysocket": "^0.0.1"}}, ()),
    ],
)
def test_what_is_missing_is_added_and_any_range_in_any_section_counts(
    there: dict[str, object], missing: tuple[AddPackage, ...]
) -> None:
    app = view(**{"dependencies": T3, **there})
    outcome = Packages().plan(app)
    assert outcome == (Pending(packages=missing) if missing else Applied())
    assert make_plan(make_plan(app, [Packages()]).after, [Packages()]).steps[0].state == "applied"


@pytest.mark.parametrize(
    ("dependencies", "reason"),
    [
        ({"next": "15"}, "the app has no @trpc/server in its package.json"),
        ({"@trpc/server": "11"}, "the app has no next in its package.json"),
        ({}, "the app has no next and no @trpc/server in its package.json"),
        (None, "the app has no next and no @trpc/server in its package.json"),
    ],
)
def test_an_app_of_another_kind_is_told_so(dependencies: object, reason: str) -> None:
    assert Packages().plan(view(dependencies)) == NotApplicable(reason)


def test_a_member_of_a_workspace_gets_them_in_its_own_package_json() -> None:
    """Though the packages of the workspace around it may have them."""
    app = AppView.of_files(
        {
            "package.json": json.dumps({"dependencies": T3}).encode(),
            "../../package.json": b'{"workspaces": ["apps/*"], "dependencies": {"partysocket": "1", "partykit": "0"}}',
            "../../package-lock.json": b"{}",
        },
        Path("/acme/apps/web"),
    )
    plan = make_plan(app, [Packages()])
    assert [step.packages for step in plan.steps] == [(PARTYSOCKET, PARTYKIT)]
    assert plan.files == ("../../package-lock.json", "package.json")
    manifest = plan.after.json("package.json")
    assert manifest == {"dependencies": {**T3, "partysocket": "^1.3.0"}, "devDependencies": {"partykit": "^0.0.115"}}


def test_the_ranges_begin_at_the_versions_that_the_kit_and_the_relay_are_tested_with() -> None:
    kit = json.loads((KIT / "package.json").read_text())["devDependencies"]
    relay = json.loads((KIT.parent.parent / "relay_server/typescript/package.json").read_text())["devDependencies"]
    assert range_of("partysocket") == f"^{kit['partysocket']}" == f"^{relay['partysocket']}"
    assert range_of("partykit") == f"^{relay['partykit']}"


def test_a_package_json_that_is_no_object_is_told_so() -> None:
    outcome = Packages().plan(AppView.of_files({"package.json": b"[]"}))
    assert isinstance(outcome, NotApplicable)
