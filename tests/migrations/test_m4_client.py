from __future__ import annotations

import pytest

from migrations.engine import Applied, AppView, Blocked, NotApplicable, Pending, make_plan
from migrations.engine.plan import outcome_of
from migrations.hints import AppHints
from migrations.m4_client import ClientMigration
from tests.migrations.engine.apps import FORMATS
from tests.migrations.transforms.test_relay_split import CASES, PAGE, PATH

HTTP = CASES["an http link alone"]
SOCKET = CASES["the ws client made in place"]
TRPC_11 = '{"dependencies": {"@trpc/client": "^11.4.0", "@trpc/server": "^11.4.0"}}'
LINK_FILES = [
    "src/relay-kit/client/event-stream.ts",
    "src/relay-kit/client/relay-link.ts",
    "src/relay-kit/client/reply.ts",
    "src/relay-kit/client/room-socket.ts",
    "src/relay-kit/shared.ts",
]
BOARD = """\
import { api } from "~/trpc/react";

export function Board() {
  api.board.changes.useSubscription(undefined, { onData: console.log });
  return null;
}
"""
CHAT = """\
import { api } from "~/trpc/react";

export function Chat({ trackId }: { trackId: string }) {
  api.chat.sendMessageStream.useSubscription({ trackId }, { onData: console.log });
  return null;
}
"""


def app(client: str | bytes = HTTP.before, manifest: str = TRPC_11, **more: str) -> AppView:
    files = {
        "package.json": manifest,
        "tsconfig.json": '{"compilerOptions": {"paths": {"~/*": ["./src/*"]}}}',
        "src/app/page.tsx": PAGE,
        **more,
    }
    data = {path: text.encode() for path, text in files.items()}
    return AppView.of_files(data | {PATH: client.encode() if isinstance(client, str) else client})


def plan(view: AppView, client: str = "") -> Applied | Pending | NotApplicable | Blocked:
    return outcome_of(ClientMigration(AppHints(client=client)), view)


def with_address(address: str) -> str:
    return SOCKET.before.replace("getWsUrl() }", f"{address} }}")


def test_the_client_changes_and_the_kits_files_for_the_link_come() -> None:
    result = make_plan(app(), [ClientMigration()])
    assert result.files == (*LINK_FILES, PATH)
    assert (result.after.read(PATH) or b"").decode() == HTTP.after
    assert make_plan(result.after, [ClientMigration()]).steps[0].state == "applied"


@pytest.mark.parametrize("form", FORMATS)
def test_it_knows_its_own_work_in_every_format(form: str) -> None:
    view = app(FORMATS[form].write(SOCKET.before))
    after = make_plan(view, [ClientMigration()]).after
    assert after.read(PATH) == FORMATS[form].write(SOCKET.after)
    assert plan(after) == Applied()


def test_only_what_is_missing_of_the_kit_comes_again() -> None:
    after = make_plan(app(), [ClientMigration()]).after.with_changes({LINK_FILES[2]: None})
    outcome = plan(after)
    assert isinstance(outcome, Pending)
    assert [change.path for change in outcome.changes] == [LINK_FILES[2]]


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ('{"dependencies": {"@trpc/client": "^10.45.2"}}', "tRPC 10: the kit needs tRPC 11"),
        ('{"devDependencies": {"@trpc/server": "10"}}', "tRPC 10: the kit needs tRPC 11"),
    ],
)
def test_another_major_version_of_trpc_is_blocked(manifest: str, reason: str) -> None:
    outcome = plan(app(manifest=manifest))
    assert isinstance(outcome, Blocked)
    assert (outcome.reason, outcome.file) == (reason, "package.json")


@pytest.mark.parametrize("version", ["^11.0.0", "next", "catalog:", "11", "workspace:*", ">=11.1 <12"])
def test_a_version_that_is_eleven_or_not_said_is_fine(version: str) -> None:
    assert isinstance(plan(app(manifest=f'{{"dependencies": {{"@trpc/client": "{version}"}}}}')), Pending)


def test_an_app_in_javascript_is_blocked() -> None:
    view = app().with_changes({"tsconfig.json": None})
    outcome = plan(view)
    assert isinstance(outcome, Blocked)
    assert "tsconfig.json" in outcome.reason


def test_an_app_without_trpc_has_nothing_for_it() -> None:
    view = AppView.of_files({"package.json": b"{}", "src/app/page.tsx": b""})
    assert isinstance(plan(view), NotApplicable)


def test_what_the_transform_refuses_is_blocked_with_its_line() -> None:
    outcome = plan(app(HTTP.before.replace('{ transformer: superjson, url: "/api/trpc" }', "options()")))
    assert isinstance(outcome, Blocked)
    assert (outcome.file, outcome.line) == (PATH, 10)


def test_the_hint_names_the_client() -> None:
    view = app(**{"src/two.ts": HTTP.before})
    assert isinstance(plan(view), Blocked)
    outcome = plan(view, PATH)
    assert isinstance(outcome, Pending)
    assert [change.path for change in outcome.changes] == [*LINK_FILES, PATH]


def test_other_subscriptions_over_the_socket_are_told_of() -> None:
    outcome = plan(app(SOCKET.before, **{"src/board.tsx": BOARD, "src/chat.tsx": CHAT}))
    assert isinstance(outcome, Pending)
    (told,) = outcome.leftovers
    assert (told.file, told.line) == ("src/board.tsx", 4)
    assert "server-sent events" in told.how


def test_what_a_subscription_is_goes_by_its_procedure() -> None:
    """The chat's own has a trackId in its input, wherever the component gets it from."""
    router = """\
import { board } from "./board";
export const chat = createTRPCRouter({
  sendMessageStream: publicProcedure
    .input(z.object({ trackId: z.string() }))
    .subscription(async function* () {}),
});
export const appRouter = createTRPCRouter({ chat, board });
export type AppRouter = typeof appRouter;
"""
    board = """\
export const board = createTRPCRouter({
  changes: publicProcedure.input(z.string()).subscription(async function* () {}),
});
"""
    chat = CHAT.replace("{ trackId }, {", "query ?? skipToken, {").replace(
        "{ trackId }: { trackId: string }", "query: Q"
    )
    both = BOARD.replace("undefined", "trackId")
    files = {"src/server/root.ts": router, "src/server/board.ts": board, "src/chat.tsx": chat, "src/board.tsx": both}
    outcome = plan(app(SOCKET.before, **files))
    assert isinstance(outcome, Pending)
    assert [told.file for told in outcome.leftovers] == ["src/board.tsx"]


def test_without_other_subscriptions_nothing_is_told() -> None:
    for client, more in ((SOCKET.before, {"src/chat.tsx": CHAT}), (HTTP.before, {"src/board.tsx": BOARD})):
        outcome = plan(app(client, **more))
        assert isinstance(outcome, Pending)
        assert outcome.leftovers == ()


@pytest.mark.parametrize(
    ("address", "env"),
    [
        ("process.env.NEXT_PUBLIC_WS_URL", "NEXT_PUBLIC_WS_URL=wss://socket.example.com"),
        ('"wss://socket.example.com"', ""),
        ('process.env.NEXT_PUBLIC_WS_URL ?? "wss://socket.example.com"', ""),
        ("process.env.NEXT_PUBLIC_WS_URL", ""),
        ("env.NEXT_PUBLIC_WS_URL", "NEXT_PUBLIC_WS_URL="),
    ],
)
def test_a_socket_to_another_server_that_others_use_is_kept(address: str, env: str) -> None:
    view = app(with_address(address), **{"src/board.tsx": BOARD, ".env.production": env})
    outcome = plan(view)
    assert isinstance(outcome, Blocked)
    assert (outcome.file, outcome.line) == (PATH, 16)
    assert "src/board.tsx:4" in outcome.reason
    assert isinstance(plan(view.with_changes({"src/board.tsx": None})), Pending)


@pytest.mark.parametrize(
    ("address", "env"),
    [
        ('"ws://127.0.0.1:3001"', ""),
        ("process.env.NEXT_PUBLIC_WS_URL", 'NEXT_PUBLIC_WS_URL="ws://localhost:3001"'),
        ("env.NEXT_PUBLIC_WS_URL", "NEXT_PUBLIC_WS_URL=ws://localhost:3001"),
        ("`wss://${window.location.host}/trpc`", ""),
        ("getWsUrl()", ""),
    ],
)
def test_a_socket_to_the_apps_own_machine_goes(address: str, env: str) -> None:
    view = app(with_address(address), **{"src/board.tsx": BOARD, ".env": env})
    outcome = plan(view)
    assert isinstance(outcome, Pending)
    assert len(outcome.leftovers) == 1
