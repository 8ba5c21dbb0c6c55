from __future__ import annotations

import pytest

from migrations.engine.syntax import text_of
from tests.migrations.openai_apps import CALL, CHAT, READ, app, assert_refused, found, refused

REFUSED_BODIES = {
    "in a nested function": (
        "in a function inside",
        f"const ask = async () => {{\n{CALL} // here\n{READ}\n}};\nreturn await ask();",
    ),
    "in a transaction": (
        "in a function inside",
        f"return await db.$transaction(async (tx) => {{\n{CALL} // here\n{READ}\n}});",
    ),
    "streams already": (
        "streams already",
        "const c = await openai.chat.completions.create({\nmessages,\nstream: true, // here\n});\n" + READ,
    ),
    "streams perhaps": (
        "streams already",
        "const c = await openai.chat.completions.create({\nmessages,\nstream, // here\n});\n" + READ,
    ),
    "several replies": (
        "more than one reply",
        "const c = await openai.chat.completions.create({\nmessages,\nn: 3, // here\n});\n" + READ,
    ),
    "tools": (
        "may call tools",
        "const c = await openai.chat.completions.create({\nmessages,\ntools, // here\n});\n" + READ,
    ),
    "functions": (
        "may call functions",
        "const c = await openai.chat.completions.create({\nmessages,\nfunctions: [search], // here\n});\n" + READ,
    ),
    "json": (
        "not plain text",
        (
            "const c = await openai.chat.completions.create({\nmessages,\n"
            'response_format: { type: "json_object" }, // here\n});\n'
        )
        + READ,
    ),
    "parameters from a function": (
        "cannot be read from `build(input)`",
        "const c = await openai.chat.completions.create(build(input)); // here\n" + READ,
    ),
    "parameters that change": (
        "cannot be read from `params`",
        (
            "let params = { messages };\nparams = other;\n"
            "const c = await openai.chat.completions.create(params); // here\n"
        )
        + READ,
    ),
    "tools in named parameters": (
        "may call tools",
        "const params = {\nmessages,\ntools, // here\n};\nconst c = await openai.chat.completions.create(params);\n"
        + READ,
    ),
    "tools in what is spread": (
        "may call tools",
        "const extra = { tools }; // here\nconst c = await openai.chat.completions.create({ messages, ...extra });\n"
        + READ,
    ),
    "unknown things are spread": (
        "cannot be read from `options(input)`",
        "const c = await openai.chat.completions.create({ messages, ...options(input) }); // here\n" + READ,
    ),
    "version 3": ("before version 4", "const c = await openai.createChatCompletion({ messages });\nreturn c.data;"),
    "the Responses API": (
        "Responses API",
        "const r = await openai.responses.create({ input: input.message });\nreturn r.output_text;",
    ),
    "the SDK's own parsing": (
        "does not call create",
        "const c = await openai.beta.chat.completions.parse({ messages });\nreturn c.choices[0].message.parsed;",
    ),
    "no model at all": ("does not call OpenAI's chat completions", 'return "pong";'),
}


@pytest.mark.parametrize(("reason", "body"), REFUSED_BODIES.values(), ids=REFUSED_BODIES)
def test_what_is_not_known_for_certain_is_refused_with_its_line(reason: str, body: str) -> None:
    assert_refused(reason, body)


def test_a_model_called_in_a_helper_is_named_by_the_helpers_file_and_line() -> None:
    helper = (
        'import OpenAI from "openai";\nconst openai = new OpenAI();\n'
        "export async function askModel(messages) {\n"
        "  const c = await openai.chat.completions.create({ messages });\n"
        "  return c.choices[0].message.content;\n}\n"
    )
    blocked = refused(
        app("return await askModel(input.messages);", client='import { askModel } from "./ai";', ai=helper)
    ).as_blocked("")
    assert (blocked.file, blocked.line) == ("src/server/ai.ts", 4)
    assert "helper function" in blocked.reason


def test_a_helper_in_the_same_file_is_found_behind_another() -> None:
    client = (
        'import OpenAI from "openai";\nconst openai = new OpenAI();\n'
        "const outer = (m) => inner(m);\n"
        "const inner = (m) => openai.chat.completions.create({ messages: m });"
    )
    blocked = refused(app("return await outer(input.messages);", client=client)).as_blocked("")
    assert (blocked.file, blocked.line) == (CHAT, 4)


def test_a_procedure_with_a_syntax_error_is_refused() -> None:
    refusal = refused(app(f"{CALL}\nconst = ;\n{READ}"))
    assert "syntax error" in refusal.reason


def test_of_several_calls_the_one_whose_text_is_returned_counts() -> None:
    title = (
        "const t = await openai.chat.completions.create({ messages: [] });\n"
        "const title = t.choices[0]?.message.content;\nawait save(title, t.usage);"
    )
    model = found(app(f"{CALL}\n{title}\n{READ}"))
    assert text_of(model.statement) == CALL
