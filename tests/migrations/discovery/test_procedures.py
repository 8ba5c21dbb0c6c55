from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from migrations.discovery.layout import find_layout
from migrations.discovery.procedures import Procedure, commented_procedures, find_procedures, is_test, procedures_of
from migrations.engine.syntax import text_of
from tests.migrations.procedure_app import IMPORTS, MUTATION, ROOT, ROUTER, STREAM, commented, router, view

if TYPE_CHECKING:
    from migrations.engine import AppView

ROOT_PATH = "src/server/api/root.ts"


def live(app_view: AppView, *kinds: str, path: str = ROUTER) -> list[Procedure]:
    file = app_view.file(path)
    assert file is not None
    return list(procedures_of(app_view, find_layout(app_view), file, *kinds))


DECOYS = [
    "export const useSend = () => api.chat.sendMessage.useMutation();\n",
    "const client = { mutation: (f: unknown) => f };\nclient.mutation(1, 2);\n",
    "cache.mutation(() => 1);\n",
    'const text = "sendMessage: publicProcedure.mutation(() => 1)";\n',
    "// sendMessage: publicProcedure.mutation(() => 1),\n",
]


@pytest.mark.parametrize("code", DECOYS)
def test_what_only_looks_like_a_procedure_is_none(code: str) -> None:
    assert live(view(code)) == []


@pytest.mark.parametrize(
    "path", ["src/__tests__/a.ts", "src/a.test.ts", "e2e/a.ts", "src/a.stories.tsx", "tests/a.ts", "test/a.ts"]
)
def test_what_is_there_for_tests_is_not_the_apps(path: str) -> None:
    assert is_test(path)
    app_view = view(others={path: router(MUTATION)})
    found = find_procedures(app_view, find_layout(app_view), "mutation")
    assert {procedure.file.path for procedure in found} == {ROUTER}


@pytest.mark.parametrize("path", ["src/latest.ts", "src/contest/a.ts", "src/server/testing.ts"])
def test_a_name_that_holds_test_is_no_test(path: str) -> None:
    assert not is_test(path)


def test_a_procedure_in_a_router() -> None:
    (mutation,) = live(view(), "mutation")
    assert (mutation.path, mutation.kind, mutation.line, mutation.is_generator) == (
        "chat.sendMessage",
        "mutation",
        7,
        False,
    )
    assert mutation.resolver is not None
    assert mutation.input is not None
    assert text_of(mutation.resolver).startswith("async ({ input }) => {")
    assert text_of(mutation.input) == "z.object({ message: z.string() })"
    assert mutation.output is None
    assert mutation.container is not None


def test_a_live_stream_is_a_generator() -> None:
    (stream,) = live(view(router(MUTATION, STREAM)), "subscription")
    assert (stream.path, stream.is_generator) == ("chat.sendMessageStream", True)


@pytest.mark.parametrize(
    ("code", "is_generator"),
    [
        ("const g = async function* () {};\nconst s = p.subscription(g);\n", True),
        ("async function* g() {}\nconst s = p.subscription(throughRelay(g, {}));\n", True),
        ("const g = () => 1;\nconst s = p.subscription(g);\n", False),
        ('import { g } from "./g";\nconst s = p.subscription(g);\n', False),
        ("const s = p.subscription(throughRelay(async function* () {}));\n", True),
        ("const s = p.subscription(async () => 1);\n", False),
    ],
)
def test_the_generator_may_have_a_name_or_a_wrapper(code: str, is_generator: bool) -> None:
    (stream,) = live(view(code), "subscription")
    assert stream.is_generator is is_generator


ROUTES: dict[str, tuple[str, dict[str, str | bytes | None], str]] = {
    "a router of its own file": (router(MUTATION), {}, "chat.sendMessage"),
    "another key": (
        router(MUTATION),
        {ROOT_PATH: ROOT.replace("chat: chatRouter", "ai: chatRouter")},
        "ai.sendMessage",
    ),
    "a default export": (
        router(MUTATION).replace("export const chatRouter =", "export default"),
        {ROOT_PATH: ROOT.replace("import { chatRouter }", "import chatRouter")},
        "chat.sendMessage",
    ),
    "a short key": (
        router(MUTATION),
        {ROOT_PATH: ROOT.replace("chat: chatRouter", "chatRouter")},
        "chatRouter.sendMessage",
    ),
    "a router in a router": (
        router("  talk: createTRPCRouter({\n", MUTATION, "  }),\n"),
        {},
        "chat.talk.sendMessage",
    ),
    "merged": (
        router(MUTATION),
        {ROOT_PATH: ROOT.replace("createTRPCRouter({\n  chat: chatRouter,\n})", "mergeRouters(chatRouter, other)")},
        "sendMessage",
    ),
    "a constant of its own": (
        f"{IMPORTS}\nexport const sendMessage = publicProcedure.mutation(() => 1);\n"
        "export const chatRouter = createTRPCRouter({ sendMessage });\n",
        {},
        "chat.sendMessage",
    ),
    "one that nobody uses": (router(MUTATION), {ROOT_PATH: "export {};\n"}, "sendMessage"),
}


@pytest.mark.parametrize("name", ROUTES)
def test_where_the_client_finds_it(name: str) -> None:
    chat, others, path = ROUTES[name]
    (mutation,) = live(view(chat, others=others), "mutation")
    assert mutation.path == path


def test_a_plain_object_that_a_router_spreads() -> None:
    body = f"{IMPORTS}\nconst parts = {{\n{MUTATION}}};\nexport const chatRouter = createTRPCRouter({{ ...parts }});\n"
    (mutation,) = live(view(body), "mutation")
    assert mutation.path == "chat.sendMessage"


def test_input_and_output_of_a_chain() -> None:
    code = "const a = p.input(one).use(limit).input(two).output(three).mutation(run);\n"
    (mutation,) = live(view(code))
    assert mutation.input is not None
    assert mutation.output is not None
    assert (text_of(mutation.input), text_of(mutation.output), mutation.resolver) == ("two", "three", None)


def test_what_is_commented_out_has_its_place_and_name() -> None:
    app_view = view()
    file = app_view.file(ROUTER)
    assert file is not None
    (found,) = commented_procedures(app_view, find_layout(app_view), file)
    assert (found.path, found.line, found.code) == ("chat.sendMessageStream", 17, STREAM)
    assert file.data[found.start : found.end].decode() == commented(STREAM)


def test_two_that_are_commented_out_are_told_apart() -> None:
    other = STREAM.replace("sendMessageStream", "otherStream")
    for between in ("", "\n", "  // between\n"):
        app_view = view(router(MUTATION, commented(STREAM) + between + commented(other)))
        file = app_view.file(ROUTER)
        assert file is not None
        found = list(commented_procedures(app_view, find_layout(app_view), file))
        assert [(one.name, one.code) for one in found] == [("sendMessageStream", STREAM), ("otherStream", other)]
