from __future__ import annotations

import pytest

from migrations.discovery.chat import Chat, find_chat, is_called
from migrations.discovery.layout import find_layout
from migrations.discovery.model_calls import asks_model, is_model_sdk
from migrations.discovery.procedures import CommentedProcedure, Procedure, procedures_of
from migrations.engine import AppView, Blocked, NotApplicable
from migrations.hints import AppHints
from tests.migrations.procedure_app import (
    IMPORTS,
    MUTATION,
    PAGE,
    ROOT,
    ROUTER,
    STREAM,
    app,
    commented,
    router,
    view,
)

PAGE_PATH = "src/app/chat.tsx"
OTHER = "src/server/api/routers/other.ts"


def chat(app_view: AppView, **hints: str) -> Chat | Blocked | NotApplicable:
    return find_chat(app_view, find_layout(app_view), AppHints(**hints))


def paths(app_view: AppView, **hints: str) -> tuple[str, str | None]:
    found = chat(app_view, **hints)
    assert isinstance(found, Chat), found
    return found.mutation.path, found.subscription.path if found.subscription is not None else None


def two(other: str) -> dict[str, str | bytes | None]:
    """A second router, in a file of its own."""
    return {
        OTHER: other.replace("chatRouter", "otherRouter"),
        "src/server/api/root.ts": ROOT.replace(
            "  chat: chatRouter,\n", "  chat: chatRouter,\n  other: otherRouter,\n"
        ).replace(
            "\nexport const appRouter",
            'import { otherRouter } from "~/server/api/routers/other";\n\nexport const appRouter',
        ),
    }


PEOPLE = "  sendMessage: publicProcedure.mutation(({ input }) => db.message.create({ data: input })),\n"
EVENTS = "  onMessage: publicProcedure.subscription(async function* () {\n    yield* events();\n  }),\n"


# --- none, or not clear


@pytest.mark.parametrize("members", [(PEOPLE,), (PEOPLE, EVENTS), ('  hello: publicProcedure.query(() => "hi"),\n',)])
def test_an_app_without_a_model_has_no_chat(members: tuple[str, ...]) -> None:
    assert isinstance(chat(view(router(*members))), NotApplicable)


def test_two_that_ask_a_model_and_are_both_called_are_not_decided() -> None:
    others = two(router(MUTATION)) | {"src/app/other.tsx": PAGE.replace("api.chat", "api.other")}
    outcome = chat(view(router(MUTATION), others=others))
    assert isinstance(outcome, Blocked)
    assert outcome.reason == (
        f"chat.sendMessage ({ROUTER}:7) and other.sendMessage ({OTHER}:7) could each be the chat's mutation"
    )
    assert 'app.mutation = "chat.sendMessage"' in outcome.next_step


def test_two_streams_beside_it_are_not_decided() -> None:
    second = STREAM.replace("sendMessageStream", "sendMessageLive")
    outcome = chat(view(router(MUTATION, STREAM, second)))
    assert isinstance(outcome, Blocked)
    assert "could each be the stream of chat.sendMessage" in outcome.reason
    assert paths(view(router(MUTATION, STREAM, second)), subscription="chat.sendMessageLive") == (
        "chat.sendMessage",
        "chat.sendMessageLive",
    )


@pytest.mark.parametrize("key", ["mutation", "subscription"])
def test_a_hint_that_fits_nothing_is_refused(key: str) -> None:
    outcome = chat(view(), **{key: "chat.nothing"})
    assert isinstance(outcome, Blocked)
    assert outcome.file == "partyconfig.toml"
    assert "chat.nothing" in outcome.reason


# --- found


def test_the_first_users_arrangement() -> None:
    found = chat(view())
    assert isinstance(found, Chat)
    assert isinstance(found.subscription, CommentedProcedure)
    assert (found.mutation.path, found.stream_name) == ("chat.sendMessage", "sendMessageStream")


def test_a_live_twin_comes_before_one_that_is_commented_out() -> None:
    found = chat(view(router(MUTATION, STREAM, commented(STREAM))))
    assert isinstance(found, Chat)
    assert isinstance(found.subscription, Procedure)


def test_only_the_mutation() -> None:
    found = chat(view(router(MUTATION)))
    assert isinstance(found, Chat)
    assert (found.subscription, found.stream_name) == (None, "sendMessageStream")


def test_a_chat_between_people_is_not_the_models() -> None:
    assert paths(view(router(MUTATION), others=two(router(PEOPLE, EVENTS)))) == ("chat.sendMessage", None)


def test_a_stream_between_people_with_the_name_of_a_twin_is_not_the_models() -> None:
    twin = EVENTS.replace("onMessage", "sendMessageStream")
    assert paths(view(router(MUTATION), others=two(router(PEOPLE, twin)))) == ("chat.sendMessage", None)


def test_without_any_model_that_is_recognised_a_twin_is_enough() -> None:
    """The model may be behind a helper of another package."""
    mutation = MUTATION.replace("ai.chat.completions.create", "reply")
    stream = STREAM.replace("ai.chat.completions.create", "reply")
    assert paths(view(router(mutation, commented(stream)))) == ("chat.sendMessage", "chat.sendMessageStream")


def test_of_two_the_one_that_a_page_calls() -> None:
    others = two(router(MUTATION)) | {PAGE_PATH: PAGE.replace("api.chat", "api.other")}
    assert paths(view(router(MUTATION), others=others)) == ("other.sendMessage", None)


def test_a_stream_of_another_name_beside_it_counts_if_it_asks_the_model_too() -> None:
    talk = STREAM.replace("sendMessageStream", "talk")
    assert paths(view(router(MUTATION, talk))) == ("chat.sendMessage", "chat.talk")
    assert paths(view(router(MUTATION, EVENTS))) == ("chat.sendMessage", None)


def test_an_observable_that_asks_the_model_is_its_twin() -> None:
    """So that it can be refused, and no second one is made."""
    old = "  sendMessageStream: publicProcedure.subscription(() => observable((emit) => read(ai, emit))),\n"
    assert paths(view(router(MUTATION, old))) == ("chat.sendMessage", "chat.sendMessageStream")


def test_a_stream_in_another_router_of_the_file_is_none_of_it() -> None:
    body = router(MUTATION) + f"\nexport const otherRouter = createTRPCRouter({{\n{STREAM}}});\n"
    assert paths(view(body)) == ("chat.sendMessage", None)


@pytest.mark.parametrize("given", ["chat.sendMessage", f"{ROUTER}:sendMessage"])
def test_a_hint_decides(given: str) -> None:
    assert paths(view(router(MUTATION), others=two(router(MUTATION))), mutation=given) == ("chat.sendMessage", None)


def test_a_hint_names_a_procedure_that_asks_no_model() -> None:
    assert paths(view(router(PEOPLE)), mutation="chat.sendMessage") == ("chat.sendMessage", None)


def test_a_hint_names_a_subscription_that_is_commented_out() -> None:
    talk = commented(STREAM.replace("sendMessageStream", "talk"))
    assert paths(view(router(MUTATION, talk)), subscription="chat.talk") == ("chat.sendMessage", "chat.talk")


# --- calls, models


@pytest.mark.parametrize(
    ("call", "called"),
    [
        ("api.chat.sendMessage.useMutation()", True),
        ("useMutation(trpc.chat.sendMessage.mutationOptions())", True),
        ("client.chat\n  .sendMessage\n  .mutate({})", True),
        ("utils.client.chat.sendMessage.mutate({})", True),
        ("api.other.sendMessage.useMutation()", False),
        ("api.chat.sendMessageNow.useMutation()", False),
        ("api.chat.sendMessage.useQuery()", False),
        ("1; // api.chat.sendMessage.useMutation()", False),
        ("1; /* was: api.chat.sendMessage.useMutation() */", False),
        ("<p>{/* api.chat.sendMessage.useMutation() */}</p>", False),
        ('"api.chat.sendMessage.useMutation()"', False),
        ("`api.chat.sendMessage.useMutation()`", False),
        ("`${api.chat.sendMessage.useMutation().data}`", True),
        ("1; // api.chat.sendMessage.useMutation()\nexport const b = () => api.chat.sendMessage.useMutation()", True),
    ],
)
def test_whether_a_page_calls_it(call: str, called: bool) -> None:
    app_view = view(others={PAGE_PATH: f"export const a = () => {call};\n"})
    file = app_view.file(ROUTER)
    assert file is not None
    (mutation,) = procedures_of(app_view, find_layout(app_view), file, "mutation")
    assert is_called(app_view, mutation) is called


def test_a_call_in_a_test_is_none_of_a_page() -> None:
    app_view = view(others={PAGE_PATH: None, "src/app/chat.test.tsx": PAGE})
    file = app_view.file(ROUTER)
    assert file is not None
    (mutation,) = procedures_of(app_view, find_layout(app_view), file, "mutation")
    assert not is_called(app_view, mutation)


@pytest.mark.parametrize(
    ("specifier", "is_one"),
    [
        ("openai", True),
        ("openai/resources/chat", True),
        ("ai", True),
        ("@ai-sdk/google", True),
        ("@google/generative-ai", True),
        ("@google/genai", True),
        ("@anthropic-ai/sdk", True),
        ("@langchain/openai", True),
        ("openai-mock", False),
        ("air", False),
        ("~/ai", False),
        ("@acme/openai", False),
    ],
)
def test_which_modules_are_model_sdks(specifier: str, is_one: bool) -> None:
    assert is_model_sdk(specifier) is is_one


MODELS: dict[str, tuple[str, str, dict[str, str | bytes | None], bool]] = {
    "the SDK itself": ('import OpenAI from "openai";\n', "new OpenAI().chat()", {}, True),
    "a client of the app": ("", "ai.chat()", {}, True),
    "an address": ("", 'fetch("https://api.openai.com/v1/chat/completions")', {}, True),
    "a helper": (
        'import { ask } from "~/lib/ask";\n',
        "ask()",
        {"src/lib/ask.ts": 'import { ai } from "~/server/ai";\nexport const ask = () => ai.chat();\n'},
        True,
    ),
    "a helper that is exported by another file": (
        'import { ask } from "~/lib";\n',
        "ask()",
        {
            "src/lib/index.ts": 'export { ask } from "./ask";\n',
            "src/lib/ask.ts": 'import { ai } from "~/server/ai";\nexport const ask = () => ai.chat();\n',
        },
        True,
    ),
    "a helper that does something else": (
        'import { save } from "~/lib/ask";\n',
        "save()",
        {
            "src/lib/ask.ts": 'import { ai } from "~/server/ai";\n'
            "export const ask = () => ai.chat();\nexport const save = () => 1;\n"
        },
        False,
    ),
    "a helper that goes by another name": (
        'import { ask } from "~/lib";\n',
        "ask()",
        {"src/lib.ts": 'import { ai } from "~/server/ai";\nconst reply = () => ai.chat();\nexport { reply as ask };\n'},
        True,
    ),
    "a helper among all that another file exports": (
        'import { ask } from "~/lib";\n',
        "ask()",
        {
            "src/lib/index.ts": 'export * from "./ask";\n',
            "src/lib/ask.ts": 'import { ai } from "~/server/ai";\nexport default () => 1;\n'
            "export function ask() {\n  return ai.chat();\n}\n",
        },
        True,
    ),
    "an object with a method": (
        'import { service } from "~/lib/service";\n',
        "service.reply()",
        {
            "src/lib/service.ts": 'import { ai } from "~/server/ai";\n'
            "class Service {\n  reply() {\n    return ai.chat();\n  }\n}\nexport const service = new Service();\n"
        },
        True,
    ),
    "nothing of the kind": ("", "db.message.create()", {}, False),
    "its name in a text": ("", '"openai"', {}, False),
}


@pytest.mark.parametrize("name", MODELS)
def test_whether_code_asks_a_model(name: str) -> None:
    before, expression, others, expected = MODELS[name]
    app_view = view(f"{before}{IMPORTS}\nexport const run = () => {expression};\n", others=others)
    file = app_view.file(ROUTER)
    assert file is not None
    assert asks_model(app_view, find_layout(app_view), file, file.root.named_children[-1]) is expected


def test_helpers_that_call_each_other_come_to_an_end() -> None:
    loop = {
        "src/a.ts": 'import { b } from "./b";\nexport const a = () => b();\n',
        "src/b.ts": 'import { a } from "./a";\nexport const b = () => a();\n',
    }
    mutation = "  sendMessage: publicProcedure.mutation(() => a()),\n"
    body = router(mutation, imports=IMPORTS + 'import { a } from "~/a";\n')
    assert isinstance(chat(view(body, others=loop)), NotApplicable)


def test_files_that_have_nothing_to_do_with_it_are_not_parsed() -> None:
    files = app()
    for number in range(50):
        files[f"src/lib/file{number}.ts"] = b"export const value = [1].map((x) => x * 2);\n"
    app_view = AppView.of_files(files)
    assert isinstance(chat(app_view), Chat)
    parsed = [path for path in files if path.endswith(".ts") and "tree" in vars(app_view.file(path))]
    assert ROUTER in parsed
    assert not [path for path in parsed if path.startswith("src/lib/")]
