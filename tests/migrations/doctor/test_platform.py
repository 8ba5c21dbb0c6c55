"""The checks of where relay and app are deployed to."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from migrations.doctor.platform import (
    check_compatibility_date,
    check_max_duration,
    check_platform,
    check_runtime,
    check_sign_in,
)
from migrations.hints import AppHints
from tests.apps.variants import VARIANTS
from tests.migrations.doctor.situations import mended, situation, small_view

if TYPE_CHECKING:
    from pathlib import Path

    from migrations.doctor import Finding, Situation

ROUTE = "src/app/api/trpc/[trpc]/route.ts"
TOKEN = "a-token-that-nobody-shall-see"
TOMORROW = f"{datetime.now(UTC).date() + timedelta(days=2)}"


def signed_in(home: Path, target: str = "partykit", domain: str = "", **environment: str) -> Finding:
    return check_sign_in(
        replace(situation(target=target, domain=domain), environment={"HOME": str(home), **environment})
    )


# --- sign-in


def test_partykits_sign_in_from_the_environment_and_saved(tmp_path: Path) -> None:
    found = signed_in(tmp_path, PARTYKIT_LOGIN="me", PARTYKIT_TOKEN=TOKEN)
    assert (found.ok, found.detail) == (True, "PartyKit: PARTYKIT_LOGIN and PARTYKIT_TOKEN")
    saved = tmp_path / ".partykit" / "config.json"
    saved.parent.mkdir()
    saved.write_text(json.dumps({"login": "me", "access_token": TOKEN, "type": "github"}))
    found = signed_in(tmp_path)
    assert found.ok is True
    assert TOKEN not in repr(found)


def test_partykits_sign_in_that_is_missing_or_half_there(tmp_path: Path) -> None:
    assert signed_in(tmp_path).ok is False
    half = signed_in(tmp_path, PARTYKIT_TOKEN=TOKEN)
    assert (half.ok, half.mend) == (False, "set PARTYKIT_LOGIN too")
    assert "npx partykit login" not in signed_in(tmp_path, CI="1").mend


def test_a_domain_of_ones_own_needs_cloudflares_sign_in_too(tmp_path: Path) -> None:
    pair = {"PARTYKIT_LOGIN": "me", "PARTYKIT_TOKEN": TOKEN, "CLOUDFLARE_ACCOUNT_ID": "1"}
    found = signed_in(tmp_path, domain="relay.example.com", **pair)
    assert (found.ok, found.mend) == (False, "set CLOUDFLARE_API_TOKEN")
    assert signed_in(tmp_path, domain="relay.example.com", CLOUDFLARE_API_TOKEN=TOKEN, **pair).ok is True


@pytest.mark.parametrize(
    ("environment", "ok"),
    [
        ({"CLOUDFLARE_API_TOKEN": TOKEN}, True),
        ({"CLOUDFLARE_API_KEY": TOKEN, "CLOUDFLARE_EMAIL": "me@example.com"}, True),
        ({"CLOUDFLARE_API_KEY": TOKEN}, False),
        ({}, False),
    ],
)
def test_cloudflares_sign_in_from_the_environment(tmp_path: Path, environment: dict[str, str], ok: bool) -> None:
    found = signed_in(tmp_path, "cloudflare", **environment)
    assert found.ok is ok
    assert TOKEN not in repr(found)


def test_cloudflares_sign_in_that_wrangler_saved(tmp_path: Path) -> None:
    saved = tmp_path / "settings" / ".wrangler" / "config" / "default.toml"
    saved.parent.mkdir(parents=True)
    saved.write_text(f'oauth_token = "{TOKEN}"\n')
    elsewhere = {"XDG_CONFIG_HOME": str(tmp_path / "settings")}
    assert signed_in(tmp_path, "cloudflare", **elsewhere).ok is True
    saved.write_text("no toml")
    assert "cannot be read" in signed_in(tmp_path, "cloudflare", **elsewhere).detail
    saved.write_text("")
    assert signed_in(tmp_path, "cloudflare", **elsewhere).ok is False


def test_targets_without_a_sign_in(tmp_path: Path) -> None:
    assert signed_in(tmp_path, "local").ok is True
    assert signed_in(tmp_path, "docker").ok is True


# --- compatibility date


MAIN = '"main": "cloudflare/server.ts"'


def partykit(**settings: str) -> Situation:
    return situation({"partykit.json": json.dumps({"name": "x", "main": "party/server.ts", **settings}) + "\n"})


def test_a_date_that_is_pinned() -> None:
    found = check_compatibility_date(situation(migrated=True))
    assert (found.ok, found.detail) == (True, "2024-07-18 (partykit.json)")
    assert check_compatibility_date(situation()).ok is None
    assert check_compatibility_date(situation(target="docker")).ok is True


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "pins none"),
        ({"compatibilityDate": "2024-02-30"}, "no date"),
        ({"compatibilityDate": "today"}, "no date"),
        ({"compatibilityDate": TOMORROW}, "(UTC)"),
    ],
)
def test_a_date_that_is_missing_wrong_or_to_come_is_pinned_by_the_fix(settings: dict[str, str], said: str) -> None:
    there = partykit(**settings)
    found = check_compatibility_date(there)
    assert found.ok is False
    assert said in found.detail
    assert check_compatibility_date(mended(there, found)).ok is True


@pytest.mark.parametrize(
    ("files", "ok"),
    [
        ({"wrangler.jsonc": f'{{\n  // pinned\n  {MAIN}, "compatibility_date": "2026-10-01",\n}}\n'}, True),
        ({"wrangler.toml": 'main = "cloudflare/server.ts"\ncompatibility_date = "2026-10-01"\n'}, True),
        ({"wrangler.toml": 'main = "cloudflare/server.ts"\ncompatibility_date = 2026-10-01\n'}, True),
        ({"wrangler.json": f"{{{MAIN}}}"}, False),
        ({"wrangler.json": "{"}, False),
        ({"wrangler.json": '{"main": "src/another-worker.ts"}'}, None),
        ({}, None),
    ],
)
def test_wranglers_date(files: dict[str, str | None], ok: bool | None) -> None:
    assert check_compatibility_date(situation(files, target="cloudflare")).ok is ok


# --- the route


def route(extra: str, more: dict[str, str | None] | None = None) -> Situation:
    return situation({ROUTE: (small_view().read(ROUTE) or b"").decode() + extra, **(more or {})})


@pytest.mark.parametrize(
    ("extra", "ok", "said"),
    [
        ("export const maxDuration = 300;\n", True, "300 s (src/app/api/trpc/[trpc]/route.ts:"),
        ("export const maxDuration = 10;\n", False, "longer than 10 s is cut off"),
        ("export const maxDuration = LIMIT;\n", None, "does not give it as a number"),
        ("// export const maxDuration = 10;\n", None, "cut off after 300 s (10 or 15 s in a project"),
        ("const maxDuration = 10;\n", None, "nothing is set"),
    ],
)
def test_how_long_the_route_may_run(extra: str, ok: bool | None, said: str) -> None:
    found = check_max_duration(route(extra))
    assert found.ok is ok
    assert said in found.detail


@pytest.mark.parametrize(
    ("settings", "ok"),
    [
        ({"functions": {"src/app/api/**/*": {"maxDuration": 120}}}, True),
        ({"functions": {"src/app/api/*/*/route.ts": {"maxDuration": 30}}}, False),
        ({"functions": {"src/pages/**": {"maxDuration": 30}}}, None),
        ({"fluid": False}, False),
        ({"fluid": True}, None),
    ],
)
def test_how_long_vercel_json_lets_it_run(settings: dict[str, object], ok: bool | None) -> None:
    assert check_max_duration(route("", {"vercel.json": json.dumps(settings)})).ok is ok


def test_a_vercel_json_that_cannot_be_read() -> None:
    assert check_max_duration(route("", {"vercel.json": "{"})).ok is False


def test_the_pages_router_has_it_in_config() -> None:
    from migrations.engine import AppView

    files = VARIANTS["pages router"]()
    path = next(path for path in files if path.endswith("[trpc].ts"))
    files[path] += b"export const config = { maxDuration: 20, runtime: 'edge' };\n"
    there = replace(situation(), view=AppView.of_files(files))
    assert check_max_duration(there).ok is False
    assert "'edge'" in check_runtime(there).detail


def test_the_runtime_of_the_route() -> None:
    assert check_runtime(route("")).ok is True
    assert check_runtime(route('export const runtime = "nodejs";\n')).ok is True
    found = check_runtime(route('export const runtime = "edge";\n'))
    assert found.ok is None
    assert "asks for 'edge'" in found.detail


def test_a_route_that_is_not_found() -> None:
    lost = replace(situation(), hints=AppHints(route_handler="src/gone.ts"))
    assert check_max_duration(lost).ok is None
    assert check_runtime(lost).ok is None


def test_every_check_is_made_once(tmp_path: Path) -> None:
    names = [finding.name for finding in check_platform(replace(situation(), environment={"HOME": str(tmp_path)}))]
    assert names == ["sign-in", "compatibility date", "max duration", "runtime"]
