from __future__ import annotations

import pytest

from migrations.discovery.layout import find_layout
from migrations.discovery.mutation_result import result_of
from migrations.discovery.procedures import procedures_of
from migrations.engine import AppView
from tests.migrations.openai_apps import CALL, READ, app, found, mutation_of

TRIMMED = "(text) => text.trim()"
SHAPES = {
    "the text": (READ, ""),
    "asserted": ("return c.choices[0]!.message.content!;", ""),
    "cast": ("return c.choices[0].message.content as string;", ""),
    "by at": ("return c.choices.at(0)?.message.content;", ""),
    "with a fallback": ('return c.choices[0]?.message?.content ?? "Sorry";', ""),
    "by a constant": ("const text = c.choices[0]?.message.content || null;\nreturn text;", ""),
    "by patterns": ("const [first] = c.choices;\nconst { content } = first.message;\nreturn content;", ""),
    "trimmed": ('return c.choices[0]?.message.content?.trim() ?? "";', TRIMMED),
    "one field": ("return { reply: c.choices[0]?.message.content };", "(text) => ({ reply: text })"),
    "one field, trimmed": (
        "const reply = c.choices[0].message.content.trim();\nreturn { reply };",
        "(text) => ({ reply: text.trim() })",
    ),
    "a field called text": ("const text = c.choices[0].message.content;\nreturn { text };", "(text) => ({ text })"),
    "with constants": (
        "return { ok: true, role: 'assistant' as const, n: 1, text: c.choices[0].message.content };",
        '(text) => ({ ok: true, role: "assistant" as const, n: 1, text })',
    ),
    "deeper": (
        'return { message: { role: "assistant", content: c.choices[0].message.content ?? "" } };',
        '(text) => ({ message: { role: "assistant", content: text } })',
    ),
    "a key in quotes": (
        'return { "the-reply": c.choices[0].message.content };',
        '(text) => ({ "the-reply": text })',
    ),
}


def result(view: AppView) -> str | None:
    return result_of(view, find_layout(view), mutation_of(view))


@pytest.mark.parametrize(("returned", "expected"), SHAPES.values(), ids=SHAPES)
def test_a_reply_that_can_be_derived_has_its_result(returned: str, expected: str) -> None:
    view = app(f"{CALL}\n{returned}")
    assert found(view).returns
    assert result(view) == expected


def test_another_text_in_the_same_place_has_the_same_result() -> None:
    view = app(
        f'if (input.stop) return {{ reply: "Stop." }};\n{CALL}\nreturn {{ reply: c.choices[0].message.content }};'
    )
    assert len(found(view).returns) == 2
    assert result(view) == "(text) => ({ reply: text })"


UNKNOWN = {
    "a row": "return await save(c.choices[0].message.content);",
    "a text of its own": 'return "pong";',
    "cut": "return c.choices[0].message.content.slice(0, 100);",
    "in capitals": "return c.choices[0].message.content?.toUpperCase();",
    "trimmed at its end alone": "return c.choices[0].message.content.trimEnd();",
    "with more before it": 'return "Ida: " + c.choices[0].message.content;',
    "in a template with more": "return `Ida: ${c.choices[0].message.content}`;",
    "a template of something else": "return `${c.id}`;",
    "cut in a constant": "const text = c.choices[0].message.content.slice(1);\nreturn text;",
    "cut and cast": "return c.choices[0].message.content.slice(1) as string;",
    "cut and typed": "const text: string = c.choices[0].message.content.slice(1);\nreturn text;",
    "as JSON": "return JSON.stringify(c);",
    "with an ending": 'let text = "";\ntext += c.choices[0].message.content;\ntext += "!";\nreturn text;',
    "with more behind it": 'let text = c.choices[0].message.content;\ntext += "!";\nreturn text;',
    "by itself": "const text = text.trim();\nreturn text;",
    "with a beginning": 'let text = "Ida: ";\ntext += c.choices[0].message.content;\nreturn text;',
    "trimmed in one place only": (
        "if (input.raw) return c.choices[0].message.content;\nreturn c.choices[0].message.content.trim();"
    ),
    "a field that is not fixed": "return { reply: c.choices[0].message.content, at: new Date() };",
    "an id": "return { reply: c.choices[0].message.content, id: row.id };",
    "two texts": "return { reply: c.choices[0].message.content, title: t.choices[0].message.content };",
    "a list": "return [c.choices[0].message.content];",
    "of two shapes": "if (!c) return { error: true };\nreturn { reply: c.choices[0].message.content };",
    "constants that differ": "if (!c) return { ok: false };\nreturn { ok: true };",
    "an empty object": "return {};",
    "changed by a function of the app": (
        "const shout = (text: string): string => text + HEY;\nreturn shout(c.choices[0].message.content);"
    ),
}


@pytest.mark.parametrize("returned", UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_more_than_the_text_or_less_is_not_known(returned: str) -> None:
    assert result(app(f"{CALL}\n{returned}")) is None


# Other models and other ways of writing it, which no subscription is derived of.
OTHERS = {
    "Anthropic": ('const m = await anthropic.messages.create({});\nreturn m.content.map(textOf).join("");', ""),
    "Gemini": ("const r = await model.generateContent(input.message);\nreturn r.response.text();", ""),
    "the AI SDK": ("const { text } = await generateText({ model });\nreturn { text };", "(text) => ({ text })"),
    "the Responses API": ("const r = await ai.responses.create({});\nreturn r.output_text.trim();", TRIMMED),
    "by index": ('return r["choices"][0]["message"]["content"];', ""),
    "by its type": ("return (await service.ask(input)) as string;", ""),
    "a chosen one": ('return c ? c.choices[0].message.content : "None.";', ""),
    "where there is one": ("return c && c.choices[0].message.content;", ""),
    "awaited and then read": ("return await ask(input).then((r) => r.choices[0].message.content.trim());", TRIMMED),
    "as a string": ("return String(r.text);", ""),
    "a template of it alone": ("return `${r.text}`;", ""),
    "collected": (
        'let text = "";\nfor await (const part of parts) text += part.delta.content ?? "";\nreturn text;',
        "",
    ),
    "collected in full": ("let text = '';\nfor (const p of all) {\ntext = text + p.text;\n}\nreturn text;", ""),
    "set in one of two places": (
        'let text: string;\ntry {\ntext = r.text;\n} catch {\ntext = "Sorry.";\n}\nreturn text;',
        "",
    ),
    "an object by name": ("const answer = { reply: r.text };\nreturn answer;", "(text) => ({ reply: text })"),
    "nothing in some cases": ("if (!r) return null;\nreturn { reply: r.text };", "(text) => ({ reply: text })"),
    "nothing at all": ("await save(r.text);", "() => undefined"),
    "constants": ("if (!r) return;\nreturn { ok: true, by: 'ai' };", '() => ({ ok: true, by: "ai" })'),
    "a helper that asks": ("return await ask(input.text);", TRIMMED),
    "a helper that is typed": ("return await typed(input.message);", ""),
}
HELPERS = """\
async function ask(text: string) {
  const c = await openai.chat.completions.create({ messages: [{ role: "user", content: text }] });
  return c.choices[0]?.message.content?.trim() ?? "";
}
async function typed(question: string): Promise<string> {
  return fetch(question);
}
"""


@pytest.mark.parametrize(("body", "expected"), OTHERS.values(), ids=OTHERS)
def test_any_models_reply_has_its_result(body: str, expected: str) -> None:
    assert result(app(body, client=HELPERS)) == expected


def with_output(body: str) -> AppView:
    view = app(body)
    source = (view.read("src/server/chat.ts") or b"").replace(b".mutation(", b".output(z.string()).mutation(")
    return view.with_changes({"src/server/chat.ts": source})


def test_an_output_that_is_a_string_says_what_a_value_that_cannot_be_read_is() -> None:
    assert result(with_output("return await service.ask(input);")) == ""
    assert result(with_output("return r.text.trim();")) == TRIMMED
    assert result(with_output("return r.text.slice(0, 9);")) is None


def test_a_function_that_stands_elsewhere_is_not_known_but_by_its_output() -> None:
    source = "export const r = createTRPCRouter({\n  ask: publicProcedure.mutation(askModel),\n});\n"
    for text, expected in ((source, None), (source.replace(".mutation", ".output(z.string()).mutation"), "")):
        view = AppView.of_files({"tsconfig.json": b"{}", "src/chat.ts": text.encode()})
        file = view.file("src/chat.ts")
        assert file is not None
        layout = find_layout(view)
        assert result_of(view, layout, next(iter(procedures_of(view, layout, file, "mutation")))) == expected
