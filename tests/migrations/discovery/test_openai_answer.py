from __future__ import annotations

import pytest

from migrations.engine.syntax import text_of
from tests.migrations.openai_apps import CALL, READ, app, assert_refused, found

REFUSED_BODIES = {
    "not awaited": (
        "not awaited where it stands",
        (
            'const p = openai.chat.completions.create({ model: "m", messages }); // here\n'
            "return (await p).choices[0].message.content;"
        ),
    ),
    "among other promises": (
        "not awaited where it stands",
        ("const [c] = await Promise.all([\nopenai.chat.completions.create({ messages }), // here\nsave(),\n]);\n")
        + READ,
    ),
    "then": (
        "not awaited where it stands",
        ("const text = await openai.chat.completions.create({ messages }).then(textOf); // here\nreturn text;"),
    ),
    "in a loop": ("in a loop", f"for (const messages of all) {{\n{CALL} // here\n{READ}\n}}"),
    "in a switch": ("in a switch", f"switch (input.kind) {{\ncase 1:\n{CALL} // here\n{READ}\n}}"),
    "several declarations": (
        "not a declaration or a return of its own",
        "const a = 1, c = await openai.chat.completions.create({ messages }); // here\n" + READ,
    ),
    "in a condition": (
        "not a declaration or a return of its own",
        (
            "if ((await openai.chat.completions.create(all)).choices[0].message.content) return null; // here\n"
            "return null;"
        ),
    ),
    "as an argument behind another call": (
        "something else is called before the model",
        "return join(now(), (await openai.chat.completions.create({ messages })).choices[0].message.content); // here",
    ),
    "usage": ("`usage` is used", f"{CALL}\nawait charge(c.usage?.total_tokens); // here\n{READ}"),
    "id": ("`id` is used", f"{CALL}\nawait keep(c.id); // here\n{READ}"),
    "usage in a pattern": (
        "`usage` is used",
        (
            "const {\nchoices,\nusage, // here\n"
            "} = await openai.chat.completions.create({ messages });\n"
            "return choices[0].message.content;"
        ),
    ),
    "rest of a pattern": (
        "takes more of the answer",
        (
            "const { choices, ...rest } = await openai.chat.completions.create({ messages }); // here\n"
            "return choices[0].message.content;"
        ),
    ),
    "default in a pattern": (
        "takes more of the answer",
        f'{CALL}\nconst {{ content = "none" }} = c.choices[0].message; // here\nreturn content;',
    ),
    "finish reason": (
        "`choices.finish_reason` is used",
        f'{CALL}\nif (c.choices[0]?.finish_reason === "length") await warn(); // here\n{READ}',
    ),
    "second choice": ("`choices.1` is used", f"{CALL}\nreturn c.choices[1]?.message.content; // here"),
    "tool calls": (
        "`choices.message.tool_calls` is used",
        f"{CALL}\nawait run(c.choices[0].message.tool_calls); // here\n{READ}",
    ),
    "the message": ("`c.choices[0].message` is used as a whole", f"{CALL}\nreturn c.choices[0].message; // here"),
    "the message into an array": (
        "used as a whole",
        f"{CALL}\nmessages.push(c.choices[0].message); // here\n{READ}",
    ),
    "the whole answer": ("`c` is used as a whole", f"{CALL}\nawait audit(c); // here\n{READ}"),
    "an answer that changes": (
        "in a variable that changes",
        f"let c = await openai.chat.completions.create({{ messages }}); // here\nc = await repair();\n{READ}",
    ),
    "a name declared twice": (
        "`c` is declared more than once",
        f"{CALL}\nif (input.more) {{\nconst c = 1; // here\n}}\n{READ}",
    ),
    "text never read": ("the text of the answer is not read", f"{CALL} // here\nreturn null;"),
    "nothing returned": (
        "does not return the model's text",
        f"{CALL} // here\nawait save(c.choices[0]?.message.content);",
    ),
    "a row": (
        "returns something else than the model's text",
        f"{CALL}\nconst row = await save(c.choices[0]?.message.content);\nreturn row; // here",
    ),
    "a row and the text": (
        "`row` is returned with the model's text",
        (
            f"{CALL}\nconst text = c.choices[0]?.message.content;\nconst row = await save(text);\n"
            f"return {{ text,\nrow, // here\n}};"
        ),
    ),
    "the id of the chat": (
        "`chatId: input.chatId` is returned with the model's text",
        f"{CALL}\nreturn {{\ntext: c.choices[0]?.message.content,\nchatId: input.chatId, // here\n}};",
    ),
    "parsed": (
        "returns something else than the model's text",
        f"{CALL}\nreturn JSON.parse(c.choices[0]?.message.content); // here",
    ),
    "cut": (
        "returns something else than the model's text",
        f"{CALL}\nreturn c.choices[0]?.message.content?.slice(0, 100); // here",
    ),
    "a variable that changes": (
        "returns something else than the model's text",
        f'{CALL}\nlet text = c.choices[0]?.message.content;\ntext = text + "!";\nreturn text; // here',
    ),
    "trimmed in one place only": (
        "trimmed in one return and not in another",
        f"{CALL}\nif (input.raw) return c.choices[0]?.message.content?.trim();\n{READ} // here",
    ),
    "another text after the model": (
        "another value is returned after the model has answered",
        (
            f"{CALL}\nconst text = c.choices[0]?.message.content;\n"
            'if (text?.includes("bad")) return "No."; // here\nreturn text;'
        ),
    ),
    "nothing after the model": (
        "another value is returned after the model has answered",
        f"{CALL}\nif (input.quiet) return null; // here\n{READ}",
    ),
    "an early value that may be anything": (
        "not known that `cached` is a text",
        f"const cached = await lookup(input);\nif (cached) return cached; // here\n{CALL}\n{READ}",
    ),
    "different shapes": (
        "different shapes",
        f'if (input.stop) return "Stop."; // here\n{CALL}\nreturn {{ reply: c.choices[0]?.message.content }};',
    ),
    "different constants": (
        "different shapes",
        (
            f'if (input.stop) return {{ ok: false, reply: "Stop." }}; // here\n{CALL}\n'
            f"return {{ ok: true, reply: c.choices[0]?.message.content }};"
        ),
    ),
    "moderated afterwards": (
        "is moderated before it is returned",
        (
            f"{CALL}\nconst text = c.choices[0]?.message.content;\n"
            f"const m = await openai.moderations.create({{ input: text }}); // here\nreturn text;"
        ),
    ),
    "checked afterwards": (
        "is checked before it is returned",
        (
            f"{CALL}\nconst text = c.choices[0]?.message.content;\n"
            'if (isRude(text)) throw new Error("rude"); // here\nreturn text;'
        ),
    ),
    "two replies": (
        "not known that `a.choices[0]?.message.content` is a text",
        (
            f"if (input.short) {{\nconst a = await openai.chat.completions.create({{ messages }});\n"
            f"return a.choices[0]?.message.content; // here\n}}\n{CALL}\n{READ}"
        ),
    ),
}


@pytest.mark.parametrize(("reason", "body"), REFUSED_BODIES.values(), ids=REFUSED_BODIES)
def test_what_is_not_known_for_certain_is_refused_with_its_line(reason: str, body: str) -> None:
    assert_refused(reason, body)


def test_a_parameter_of_the_same_name_in_a_nested_function_is_another() -> None:
    model = found(app(f"{CALL}\nconst all = input.all.map((c) => c.text);\n{READ}"))
    assert [text_of(read) for read in model.reads] == ["c.choices[0]?.message.content"]
