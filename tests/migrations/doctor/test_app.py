"""The checks of the app's code."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrations.doctor.app import (
    check_app,
    check_config,
    check_leftovers,
    check_migrations,
    check_mode,
    check_parts,
    check_transformer,
    check_trpc,
    check_trpc_faults,
)
from migrations.engine import AppView
from migrations.hints import AppHints
from relay_server.errors import UsageError
from tests.migrations.doctor.situations import installed, mended, situation

STREAMING: dict[str, str | None] = {".env": "NEXT_PUBLIC_CHAT_MODE=streaming\n"}
TRPC_11 = installed(trpc__server="11.19.0", trpc__client="11.19.0", trpc__react_query="11.19.0")


def test_a_configuration_that_is_there_missing_or_wrong() -> None:
    assert check_config(situation({"partyconfig.toml": "[app]\n"})).ok is True
    assert check_config(situation()).ok is None
    error = UsageError('partyconfig.toml:2: unknown key "app.mod"', next_step="see the keys", code="bad_config")
    found = check_config(situation(config_error=error))
    assert (found.ok, found.mend) == (False, "see the keys")
    assert "partyconfig.toml:2" in found.detail


def test_the_parts_of_the_app_and_one_that_is_named_and_not_there() -> None:
    assert "chat.sendMessageStream (src/server/api/routers/chat.ts:" in check_parts(situation()).detail
    gone = replace(situation(), hints=AppHints(client="src/trpc/gone.tsx"))
    found = check_parts(gone)
    assert found.ok is False
    assert found.detail.startswith("tRPC client: ")
    assert found.mend == "set app.client in partyconfig.toml"


def test_migrations_that_are_pending_stop_only_a_chat_that_shall_stream() -> None:
    assert check_migrations(situation(migrated=True, planned=True)).ok is True
    waiting = check_migrations(situation(planned=True))
    assert (waiting.ok, waiting.mend) == (None, "chatops migrate up")
    early = check_migrations(situation(STREAMING, planned=True))
    assert early.ok is False
    assert early.detail.startswith("the mode is streaming, and 5 migrations are pending")


def test_a_blocked_migration_is_told_with_its_place() -> None:
    foreign = situation({"partykit.json": '{"main": "src/game.ts"}\n'}, planned=True)
    found = check_migrations(foreign)
    assert found.ok is False
    assert "migration 2 (Add the relay for PartyKit) is blocked: partykit.json:1" in found.detail
    assert found.mend


def test_a_run_that_was_cut_off_and_a_plan_that_could_not_be_made() -> None:
    planned = situation(planned=True)
    assert planned.plan is not None
    cut = replace(planned, plan=replace(planned.plan, interrupted=True))
    assert "cut off" in check_migrations(cut).detail
    error = UsageError("tsconfig.json is not JSON", next_step="mend it", code="bad_file")
    assert check_migrations(situation(plan_error=error)).detail == "tsconfig.json is not JSON"
    assert check_migrations(situation()).ok is None


def test_an_app_that_no_migration_is_for() -> None:
    from migrations.catalogue import all_migrations
    from migrations.engine import make_plan

    view = AppView.of_files({"package.json": b'{"dependencies": {"next": "15"}}', "tsconfig.json": b"{}"})
    found = check_migrations(replace(situation(), view=view, plan=make_plan(view, all_migrations(AppHints()))))
    assert found.ok is False
    assert found.detail.startswith("none is for this app: ")


def test_leftovers_are_counted_and_left_to_judge() -> None:
    found = check_leftovers(situation(migrated=True, planned=True))
    assert found.ok is None
    assert found.detail.startswith("left to you: src/server/api/routers/chat.ts:")
    assert check_leftovers(situation()).ok is None
    view = AppView.of_files({"package.json": b"{}"})
    from migrations.engine import make_plan

    assert check_leftovers(replace(situation(), view=view, plan=make_plan(view, []))).ok is True


def test_the_mode_that_is_configured_and_the_one_in_the_env() -> None:
    assert check_mode(situation(STREAMING, mode="streaming")).ok is True
    assert check_mode(situation(STREAMING)).ok is True
    config = '[app]\nmode = "send-message"  # for now\n'
    apart = situation({**STREAMING, "partyconfig.toml": config}, mode="send-message")
    found = check_mode(apart)
    assert found.ok is False
    after = mended(apart, found).view.read("partyconfig.toml")
    assert after == b'[app]\nmode = "streaming"  # for now\n'


def test_a_mode_that_the_env_does_not_have_is_not_guessed() -> None:
    found = check_mode(situation(mode="streaming"))
    assert (found.ok, found.fix, found.mend) == (False, None, "chatops mode streaming")


# --- tRPC


def test_trpc_that_is_well() -> None:
    found = check_trpc(situation(TRPC_11))
    assert (found.ok, found.detail) == (True, "11.19.0")


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ({"trpc__server": "11.4.0", "trpc__client": "11.19.0"}, "@trpc/server 11.4.0, @trpc/client 11.19.0"),
        ({"trpc__server": "11.0.0-rc.477", "trpc__client": "11.0.0-rc.477"}, "from before 11.0.0"),
    ],
)
def test_trpc_that_is_not(versions: dict[str, str], said: str) -> None:
    found = check_trpc(situation(installed(**versions)))
    assert found.ok is False
    assert said in found.detail


def test_trpc_10_and_trpc_that_is_not_installed() -> None:
    assert check_trpc(situation()).ok is None
    ten = AppView.of_files({"package.json": b'{"dependencies": {"@trpc/server": "^10.45.0"}}'})
    found = check_trpc(replace(situation(), view=ten))
    assert (found.ok, found.mend) == (False, "npx @trpc/upgrade")


@pytest.mark.parametrize(
    ("code", "version", "ok"),
    [
        ("applyWSSHandler({ wss });\n", "11.1.0", False),
        ("applyWSSHandler({ wss });\n", "11.1.1", True),
        ("// applyWSSHandler({ wss });\n", "11.1.0", True),
        ("t.procedure.experimental_caller(x);\n", "11.7.2", False),
        ("initTRPC.create({ sse: { maxDurationMs: 1 } });\n", "11.11.0", False),
        ("initTRPC.create({ sse: { maxDurationMs: 1 } });\n", "11.12.0", True),
    ],
)
def test_faults_of_trpc_that_an_app_meets(code: str, version: str, ok: bool) -> None:
    files = {"package.json": '{"dependencies": {"@trpc/server": "^11.0.0"}}', "src/a.ts": code}
    files["node_modules/@trpc/server/package.json"] = f'{{"version": "{version}"}}'
    view = AppView.of_files({path: text.encode() for path, text in files.items()})
    found = check_trpc_faults(replace(situation(), view=view))
    assert found.ok is ok
    assert ok or "newer" in found.mend


def test_several_faults_are_told_with_the_version_that_has_none_of_them() -> None:
    code = {"src/x.ts": "initTRPC.create({ sse: { maxDurationMs: 1 } });\napplyWSSHandler({ wss });\n"}
    old = check_trpc_faults(situation({**installed(trpc__server="11.1.0"), **code}))
    assert old.ok is False
    assert "WebSocket server" in old.detail
    assert "maxDurationMs" in old.detail
    assert old.mend == "bring all @trpc packages to 11.12.0 or newer"


def test_faults_where_the_version_is_new_or_not_known() -> None:
    assert check_trpc_faults(situation(TRPC_11)).ok is True
    assert check_trpc_faults(situation()).ok is None
    assert check_trpc_faults(situation(installed(trpc__server="10.45.2"))).ok is None


def test_a_transformer_that_package_json_does_not_list() -> None:
    assert check_transformer(situation()).detail == "listed in package.json"
    manifest = (situation().view.read("package.json") or b"").decode()
    found = check_transformer(situation({"package.json": manifest.replace('"superjson"', '"superb"')}))
    assert found.ok is False
    assert found.mend == "add superjson"
    none = AppView.of_files({"package.json": b"{}"})
    assert check_transformer(replace(situation(), view=none)).detail == "the app imports none"


def test_every_check_is_made_once() -> None:
    names = [finding.name for finding in check_app(situation())]
    assert len(names) == len(set(names)) == 8
