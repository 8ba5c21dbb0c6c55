from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from migrations.discovery.layout import find_layout
from migrations.discovery.procedures import procedures_of
from migrations.engine import AppView, Blocked, SourceFile
from migrations.transforms.derive_subscription import Derived, derive_subscription
from tests.migrations.engine.apps import FORMATS

if TYPE_CHECKING:
    from collections.abc import Mapping

CHAT = "src/server/chat.ts"
OPTIONS = "{ transformer: superjson }"
IMPORTS = """\
import OpenAI from "openai";
import { z } from "zod";

const openai = new OpenAI();
const FALLBACK = "Sorry.";
"""
CALL = """\
const completion = await openai.chat.completions.create({
  model: "gpt-4o",
  messages,
});"""
STREAM = """\
const stream = await openai.chat.completions.create(
  {
    model: "gpt-4o",
    messages,
    stream: true,
  },
  { signal },
);"""
YIELDS = """\
for await (const chunk of stream) {
  const piece = chunk.choices[0]?.delta?.content;
  if (piece) yield piece;
}"""


def collects(name: str = "text") -> str:
    """The loop that keeps the text, too."""
    return f"""\
let {name}: string | null = null;
for await (const chunk of stream) {{
  const piece = chunk.choices[0]?.delta?.content;
  if (!piece) continue;
  {name} = ({name} ?? "") + piece;
  yield piece;
}}"""


BEGINS = """\
for await (const chunk of stream) {
  const piece = chunk.choices[0]?.delta?.content;
  if (!piece) continue;
  hasBegun = true;
  yield piece;
}"""


def begins_and_collects(name: str) -> str:
    return collects(name).replace("  yield", "  hasBegun = true;\n  yield")


def indented(text: str, by: int) -> str:
    return "\n".join(" " * by + line if line else "" for line in text.split("\n"))


def router(member: str, *, head: str = IMPORTS) -> str:
    return f"{head}\nexport const chatRouter = createTRPCRouter({{\n{member}\n}});\n"


def mutation(body: str, *, parameters: str = "({ input })", schema: str = "z.object({ message: z.string() })") -> str:
    """A member `ask` as Prettier has it; `body` is not indented."""
    return (
        f"  ask: publicProcedure\n    .input({schema})\n    .mutation(async {parameters} => {{\n"
        f"{indented(body, 6)}\n    }}),"
    )


def subscription(
    body: str,
    *,
    parameters: str = "({ input, signal })",
    schema: str = "z.object({ message: z.string(), trackId: z.string() })",
) -> str:
    return (
        f"  askStream: publicProcedure\n    .input({schema})\n    .subscription(\n"
        f"      throughRelay(async function* {parameters} {{\n{indented(body, 8)}\n      }}),\n    ),"
    )


def derive(source: str | bytes, *, options: str = "", path: str = CHAT, **files: str) -> Derived | Blocked:
    every: Mapping[str, str | bytes] = {
        "package.json": json.dumps({"dependencies": {"openai": "^6.0.0"}}),
        "tsconfig.json": "{}",
        path: source,
        **{f"src/server/{stem}.ts": text for stem, text in files.items()},
    }
    view = AppView.of_files({p: text.encode() if isinstance(text, str) else text for p, text in every.items()})
    layout = find_layout(view)
    file = view.file(path)
    assert file is not None
    found = next(iter(procedures_of(view, layout, file, "mutation")))
    return derive_subscription(view, layout, found, f"{found.name}Stream", options=options)


def derived(source: str | bytes, *, options: str = "", **files: str) -> Derived:
    made = derive(source, options=options, **files)
    assert isinstance(made, Derived), made
    return made


def blocked(source: str, *, path: str = CHAT, **files: str) -> Blocked:
    made = derive(source, path=path, **files)
    assert isinstance(made, Blocked), made.member
    return made


READ = "return completion.choices[0]?.message.content;"
# The member, the reason; the line that is to be named ends with `// here`.
REFUSED = {
    "catch of an error taken apart": (
        mutation(f"try {{\n{CALL}\n{READ}\n}} catch ({{ message }}) {{ // here\n  return `Sorry: ${{message}}`;\n}}"),
        "thrown on",
    ),
    "catch whose error's name means something else inside": (
        mutation(
            f"try {{\n{CALL}\n{READ}\n}} catch (error) {{ // here\n"
            "  if (input.again) {\n    const error = 1;\n    return FALLBACK;\n  }\n  return null;\n}"
        ),
        "thrown on",
    ),
    "try without a block around it": (
        mutation(f"if (input.message)\n  try {{ // here\n{CALL}\n{READ}\n}} catch {{\n  return FALLBACK;\n}}"),
        "`try`",
    ),
    "input of no object": (mutation(f"{CALL}\n{READ}", schema="z.string() // here\n"), "not a z.object"),
    "union": (
        mutation(f"{CALL}\n{READ}", schema="z.union([a, b]) // here\n"),
        "not a z.object",
    ),
    "optional input": (
        mutation(f"{CALL}\n{READ}", schema="z.object({ message: z.string() }).optional() // here\n"),
        "not a z.object",
    ),
    "transformed input": (
        mutation(f"{CALL}\n{READ}", schema="z.object({ m: z.string() }).transform(trim) // here\n"),
        "not a z.object",
    ),
    "input of another library": (
        mutation(f"{CALL}\n{READ}", schema="v.object({ message: v.string() }) // here\n"),
        "not a z.object",
    ),
    "input from nowhere": (mutation(f"{CALL}\n{READ}", schema="askSchema // here\n"), "not a z.object"),
    "typed parameter": (
        mutation(f"{CALL}\n{READ}", parameters="({ input }: Options)").replace("Options)", "Options) // here\n"),
        "typed or has a default",
    ),
    "rest of the options": (
        mutation(f"{CALL}\n{READ}", parameters="({ input, ...rest }) // here\n"),
        "takes the rest on",
    ),
    "options handed on": (
        mutation(f"await log(opts); // here\n{CALL}\n{READ}", parameters="(opts)"),
        "`opts` is handed on as a whole",
    ),
    "input of the options handed on": (
        mutation(f"await save(opts.input); // here\n{CALL}\n{READ}", parameters="(opts)"),
        "the trackId would go with it",
    ),
    "input taken of the options and handed on": (
        mutation(f"const {{ input }} = opts;\nawait save(input); // here\n{CALL}\n{READ}", parameters="(opts)"),
        "the trackId would go with it",
    ),
    "output of more than a string": (
        mutation(f"{CALL}\n{READ}").replace(".mutation", ".output(z.object({ a: z.string() })) // here\n    .mutation"),
        "`.output` says more",
    ),
    "transformed output": (
        mutation(f"{CALL}\n{READ}").replace(".mutation", ".output(z.string().trim()) // here\n    .mutation"),
        "`.output` says more",
    ),
    "function elsewhere": ("  ask: publicProcedure.mutation(askModel), // here", "does not stand in the procedure"),
    "wrapped function": (
        f"  ask: publicProcedure.mutation(logged(async () => {{ // here\n{CALL}\n{READ}\n}})),",
        "does not stand in the procedure",
    ),
    "typed procedure": (
        f"  ask: publicProcedure.mutation(async () => {{ // here\n{CALL}\n{READ}\n}}) as Ask,",
        "wrapped or typed",
    ),
    "return below a loop without a block": (
        mutation(f'for (const a of input.all) return "No."; // here\n{CALL}\n{READ}'),
        "no more than one statement",
    ),
    "something else returned": (
        mutation(f"{CALL}\nreturn await save(completion.choices[0]?.message.content); // here"),
        "something else than the model's text",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_derived_for_certain_is_blocked_with_its_line(name: str) -> None:
    member, reason = REFUSED[name]
    source = router(member)
    refusal = blocked(source)
    assert reason in refusal.reason
    assert refusal.file == CHAT
    assert source.split("\n")[refusal.line - 1].endswith("// here")
    assert refusal.next_step == "write the subscription askStream by hand beside ask, then run this again"


def test_a_procedure_outside_a_router_is_blocked() -> None:
    member = mutation(f"{CALL}\n{READ}").replace("  ask: ", "export const ask = ").rstrip(",") + ";\n"
    assert "stands by itself" in blocked(IMPORTS + member).reason


def test_a_file_of_javascript_is_blocked() -> None:
    assert "TypeScript" in blocked(router(mutation(f"{CALL}\n{READ}")), path="src/server/chat.js").reason


def test_an_input_without_zod_in_the_app_is_blocked() -> None:
    head = 'import OpenAI from "openai";\nconst openai = new OpenAI();\n'
    member = f"  ask: publicProcedure.mutation(async () => {{\n{CALL}\n{READ}\n  }}),"
    assert "does not import zod" in blocked(router(member, head=head)).reason


# The mutation's body, the generator's.
BODIES = {
    "the text": (f"{CALL}\n\n{READ}", f"{STREAM}\n{YIELDS}"),
    "nothing for none": (
        f"{CALL}\nreturn completion.choices[0]?.message.content ?? undefined;",
        f"{STREAM}\n{YIELDS}",
    ),
    "a fallback": (
        f'{CALL}\nreturn completion.choices[0]?.message.content ?? "Sorry.";',
        f'{STREAM}\n{collects()}\nif (!text) yield "Sorry.";',
    ),
    "an empty fallback": (
        f'{CALL}\nreturn completion.choices[0]?.message.content || "";',
        f"{STREAM}\n{YIELDS}",
    ),
    "asserted": (f"{CALL}\nreturn completion.choices[0]!.message.content!;", f"{STREAM}\n{YIELDS}"),
    "trimmed": (f"{CALL}\nreturn completion.choices[0]?.message.content?.trim();", f"{STREAM}\n{YIELDS}"),
    "one field": (f"{CALL}\nreturn {{ reply: completion.choices[0]?.message.content }};", f"{STREAM}\n{YIELDS}"),
    "a fallback in a field": (
        f"{CALL}\nreturn {{ ok: true, reply: completion.choices[0]?.message.content ?? FALLBACK }};",
        f"{STREAM}\n{collects()}\nif (!text) yield FALLBACK;",
    ),
    "a constant that only is returned": (
        f"{CALL}\nconst reply = completion.choices[0]?.message.content;\nreturn reply;",
        f"{STREAM}\n{YIELDS}",
    ),
    "a chain of constants that only are returned": (
        (
            f'{CALL}\nconst raw = completion.choices[0]?.message.content ?? "Hm.";\n'
            f"const reply = raw.trim();\n\nreturn {{ reply }};"
        ),
        f'{STREAM}\n{collects()}\n\nif (!text) yield "Hm.";',
    ),
    "a constant that is saved": (
        f"{CALL}\nconst reply = completion.choices[0]?.message.content;\nawait save(reply);\nreturn reply;",
        f"{STREAM}\n{collects('reply')}\nawait save(reply);",
    ),
    "a constant with a fallback that is saved": (
        f'{CALL}\nconst reply = completion.choices[0]?.message.content ?? "Hm.";\nawait save(reply);\nreturn reply;',
        f'{STREAM}\n{collects()}\nconst reply = text ?? "Hm.";\nawait save(reply);\nif (!text) yield reply;',
    ),
    "a constant that a function uses": (
        f"{CALL}\nconst reply = completion.choices[0]?.message.content;\nawait tx(() => save(reply));\nreturn reply;",
        f"{STREAM}\n{collects()}\nconst reply = text;\nawait tx(() => save(reply));",
    ),
    "a line that was broken": (
        (
            f"{CALL}\nconst reply =\n  completion.choices[0]?.message?.content ??\n"
            '  "Sorry, that I do not know.";\nawait save(reply);\nreturn reply;'
        ),
        (
            f'{STREAM}\n{collects()}\nconst reply = text ?? "Sorry, that I do not know.";\n'
            "await save(reply);\nif (!text) yield reply;"
        ),
    ),
    "read where it is used": (
        f'{CALL}\nawait save({{ text: completion.choices[0]?.message.content ?? "" }});\n{READ}',
        f'{STREAM}\n{collects()}\nawait save({{ text: text ?? "" }});',
    ),
    "a destructured answer": (
        f"{CALL.replace('completion', '{ choices }', 1)}\nreturn choices[0]?.message.content;",
        f"{STREAM}\n{YIELDS}",
    ),
    "a deeply destructured answer": (
        (
            f"{CALL}\nconst [first] = completion.choices;\nconst {{ content }} = first.message;\n"
            f"await save({{ content }});\nreturn content;"
        ),
        f"{STREAM}\n{collects('content')}\nawait save({{ content }});",
    ),
    "a destructured text in a function": (
        (
            f"{CALL}\nconst {{ content }} = completion.choices[0].message;\n"
            f"await tx(() => save({{ content }}));\nreturn content;"
        ),
        f"{STREAM}\n{collects()}\nawait tx(() => save({{ content: text }}));",
    ),
    "parts in constants": (
        (
            f"{CALL}\nconst choice = completion.choices[0];\nconst message = choice?.message;\n\n"
            "return message?.content;"
        ),
        f"{STREAM}\n{YIELDS}",
    ),
    "a check for an answer": (
        f'{CALL}\nif (!completion.choices[0]) throw new Error("none");\n{READ}',
        f'{STREAM}\n{collects()}\nif (!text) throw new Error("none");',
    ),
    "a check for a text": (
        (
            f"{CALL}\nconst reply = completion.choices[0]?.message.content;\nif (!reply) {{\n"
            f'  throw new Error("none");\n}}\nreturn reply;'
        ),
        f'{STREAM}\n{collects("reply")}\nif (!reply) {{\n  throw new Error("none");\n}}',
    ),
    "another text for none": (
        (
            f"{CALL}\nconst reply = completion.choices[0]?.message.content;\n"
            'if (!reply) return "Hm.";\nawait save(reply);\nreturn reply;'
        ),
        f'{STREAM}\n{collects("reply")}\nif (!reply) {{\n  yield "Hm.";\n  return;\n}}\nawait save(reply);',
    ),
    "the answer in the log": (
        f'{CALL}\nconsole.log("answer", completion);\n{READ}',
        f'{STREAM}\n{collects()}\nconsole.log("answer", text);',
    ),
    "chained": (
        "return (\n  await openai.chat.completions.create({ messages })\n).choices[0]?.message.content;",
        (
            f"const stream = await openai.chat.completions.create(\n  {{ messages, stream: true }},\n"
            f"  {{ signal }},\n);\n{YIELDS}"
        ),
    ),
    "chained and saved": (
        (
            "const reply = (\n  await openai.chat.completions.create({ messages })\n"
            ").choices[0]?.message.content;\nawait save(reply);\nreturn reply;"
        ),
        (
            f"const stream = await openai.chat.completions.create(\n  {{ messages, stream: true }},\n"
            f"  {{ signal }},\n);\n{collects('reply')}\nawait save(reply);"
        ),
    ),
    "chained with a fallback": (
        (
            "const reply =\n  (await openai.chat.completions.create({ messages }))\n"
            '    .choices[0]?.message.content ?? "Hm.";\nawait save(reply);\nreturn reply;'
        ),
        (
            f"const stream = await openai.chat.completions.create(\n  {{ messages, stream: true }},\n"
            f'  {{ signal }},\n);\n{collects()}\nconst reply = text ?? "Hm.";\nawait save(reply);\n'
            "if (!text) yield reply;"
        ),
    ),
    "rows before and after": (
        (
            f'await save("user", input.message);\nconst messages = await history();\n\n{CALL}\n\n'
            '// the answer\nconst text = completion.choices[0]?.message.content ?? "";\n'
            'await save("assistant", text);\n\nreturn text;'
        ),
        (
            f'await save("user", input.message);\nconst messages = await history();\n\n{STREAM}\n'
            f'{collects("replyText")}\n\n// the answer\nconst text = replyText ?? "";\n'
            'await save("assistant", text);'
        ),
    ),
    "a limit": (
        f'if (await isOver()) {{\n  throw new TRPCError({{ code: "FORBIDDEN" }});\n}}\n{CALL}\n{READ}',
        f'if (await isOver()) {{\n  throw new TRPCError({{ code: "FORBIDDEN" }});\n}}\n{STREAM}\n{YIELDS}',
    ),
    "an early text": (
        f'if (await isOver()) return "Enough.";\n{CALL}\n{READ}',
        f'if (await isOver()) {{\n  yield "Enough.";\n  return;\n}}\n{STREAM}\n{YIELDS}',
    ),
    "an early nothing": (
        f"if (!input.message) return null;\n{CALL}\n{READ}",
        f"if (!input.message) return;\n{STREAM}\n{YIELDS}",
    ),
    "an early text in a field": (
        (
            f'if (await isOver()) {{\n  return {{ reply: "Enough." }};\n}}\n{CALL}\n'
            f"return {{ reply: completion.choices[0].message.content }};"
        ),
        f'if (await isOver()) {{\n  yield "Enough.";\n  return;\n}}\n{STREAM}\n{YIELDS}',
    ),
    "an else": (
        f'if (input.ai) {{\n{indented(CALL, 2)}\n{indented(READ, 2)}\n}} else {{\n  return "Off.";\n}}',
        f'if (input.ai) {{\n{indented(STREAM, 2)}\n{indented(YIELDS, 2)}\n}} else {{\n  yield "Off.";\n}}',
    ),
    "a catch that throws": (
        (
            f"try {{\n{indented(CALL, 2)}\n{indented(READ, 2)}\n}} catch (error) {{\n"
            f'  console.error(error);\n  throw new TRPCError({{ code: "BAD_GATEWAY" }});\n}}'
        ),
        (
            f"try {{\n{indented(STREAM, 2)}\n{indented(YIELDS, 2)}\n}} catch (error) {{\n"
            f'  console.error(error);\n  throw new TRPCError({{ code: "BAD_GATEWAY" }});\n}}'
        ),
    ),
    "a catch with a text: only where none of the reply's came": (
        f"try {{\n{indented(CALL, 2)}\n{indented(READ, 2)}\n}} catch {{\n  return FALLBACK;\n}}",
        (
            f"let hasBegun = false;\ntry {{\n{indented(STREAM, 2)}\n{indented(BEGINS, 2)}\n}} catch (error) {{\n"
            "  if (hasBegun) throw error;\n  yield FALLBACK;\n}"
        ),
    ),
    "a catch that answers in different ways, one of them nothing": (
        (
            f"try {{\n{indented(CALL, 2)}\n{indented(READ, 2)}\n}} catch (cause: unknown) {{\n"
            "  await report(cause);\n  if (isLimit(cause)) return FALLBACK;\n"
            '  if (isOurs(cause)) throw new Error("ours");\n  return null;\n}'
        ),
        (
            f"let hasBegun = false;\ntry {{\n{indented(STREAM, 2)}\n{indented(BEGINS, 2)}\n"
            "} catch (cause: unknown) {\n  await report(cause);\n  if (isLimit(cause)) {\n"
            "    if (hasBegun) throw cause;\n    yield FALLBACK;\n"
            '    return;\n  }\n  if (isOurs(cause)) throw new Error("ours");\n'
            "  if (hasBegun) throw cause;\n  return;\n}"
        ),
    ),
    "a catch that only logs, and no more than a comment": (
        (
            f"try {{\n  try {{\n{indented(CALL, 4)}\n{indented(READ, 4)}\n  }} catch (error) {{\n"
            "    if (isRetried(error)) throw error;\n    console.error(error); // seen\n  }\n} catch {\n  // ignored\n}"
        ),
        (
            f"let hasBegun = false;\ntry {{\n  try {{\n{indented(STREAM, 4)}\n{indented(BEGINS, 4)}\n"
            "  } catch (error) {\n    if (isRetried(error)) throw error;\n    console.error(error); // seen\n"
            "    if (hasBegun) throw error;\n  }\n} catch (error) {\n  // ignored\n  if (hasBegun) throw error;\n}"
        ),
    ),
    "an empty catch around a reply that is kept": (
        (
            f"try {{\n{indented(CALL, 2)}\n  const reply = completion.choices[0]?.message.content;\n"
            "  await save(reply);\n  return reply;\n} catch {}"
        ),
        (
            f"let hasBegun = false;\ntry {{\n{indented(STREAM, 2)}\n{indented(begins_and_collects('reply'), 2)}\n"
            "  await save(reply);\n} catch (error) {\n  if (hasBegun) throw error;\n}"
        ),
    ),
    "a try around something else": (
        (f"try {{\n  await count();\n}} catch {{\n  return FALLBACK;\n}}\n{CALL}\n{READ}"),
        (f"try {{\n  await count();\n}} catch {{\n  yield FALLBACK;\n  return;\n}}\n{STREAM}\n{YIELDS}"),
    ),
    "a return that something follows": (
        f'if (input.ai) {{\n{indented(CALL, 2)}\n{indented(READ, 2)}\n}}\nthrow new Error("off");',
        f'if (input.ai) {{\n{indented(STREAM, 2)}\n{indented(YIELDS, 2)}\n  return;\n}}\nthrow new Error("off");',
    ),
    "a title by another call": (
        (
            f"{CALL}\nconst reply = completion.choices[0]?.message.content;\n"
            f"const title = await openai.chat.completions.create({{ messages: [] }});\n"
            "await save(reply, title.usage);\nreturn reply;"
        ),
        (
            f"{STREAM}\n{collects('reply')}\n"
            f"const title = await openai.chat.completions.create({{ messages: [] }});\n"
            "await save(reply, title.usage);"
        ),
    ),
    "names that are taken": (
        (
            "const stream = 1;\nconst chunk = 2;\nconst piece = 3;\nconst text = 4;\n"
            f"await use(stream, chunk, piece, text);\n{CALL}\n"
            "return completion.choices[0]?.message.content ?? FALLBACK;"
        ),
        (
            "const stream = 1;\nconst chunk = 2;\nconst piece = 3;\nconst text = 4;\n"
            "await use(stream, chunk, piece, text);\n"
        )
        + STREAM.replace("const stream", "const completionStream")
        + "\nlet replyText: string | null = null;\nfor await (const part of completionStream) {\n"
        "  const pieceText = part.choices[0]?.delta?.content;\n  if (!pieceText) continue;\n"
        '  replyText = (replyText ?? "") + pieceText;\n  yield pieceText;\n}\nif (!replyText) yield FALLBACK;',
    ),
    "stream: false": (
        f"{CALL.replace('messages,', 'messages,').replace('});', '  stream: false,' + chr(10) + '});')}\n{READ}",
        f"{STREAM}\n{YIELDS}",
    ),
    "named parameters": (
        (
            'const params = { model: "gpt-4o", messages };\n'
            "const completion = await openai.chat.completions.create(params);\n"
        )
        + READ,
        (
            'const params = { model: "gpt-4o", messages };\n'
            "const stream = await openai.chat.completions.create(\n  { ...params, stream: true },\n"
            "  { signal },\n);\n"
        )
        + YIELDS,
    ),
    "options of the request": (
        ("const completion = await openai.chat.completions.create(\n  { messages },\n  { timeout: 1000 },\n);\n")
        + READ,
        (
            "const stream = await openai.chat.completions.create(\n  { messages, stream: true },\n"
            "  { timeout: 1000, signal },\n);\n"
        )
        + YIELDS,
    ),
    "named options of the request": (
        "const completion = await openai.chat.completions.create({ messages }, options);\n" + READ,
        (
            "const stream = await openai.chat.completions.create(\n  { messages, stream: true },\n"
            "  { ...options, signal },\n);\n"
        )
        + YIELDS,
    ),
    "lines that become too long": (
        f'if (await isOver()) throw new TRPCError({{ code: "FORBIDDEN", message: "No" }});\n{CALL}\n{READ}',
        f'if (await isOver())\n  throw new TRPCError({{ code: "FORBIDDEN", message: "No" }});\n{STREAM}\n{YIELDS}',
    ),
    "objects that become too long": (
        f'await save({{ chat: input.chatId, role: "user", content: input.message }});\n{CALL}\n{READ}',
        f'await save({{\n  chat: input.chatId,\n  role: "user",\n  content: input.message,\n}});\n{STREAM}\n{YIELDS}',
    ),
    "texts that become too long": (
        f'const prompt = "You are the old keeper of the lighthouse at Skarv Point.";\n{CALL}\n{READ}',
        f'const prompt =\n  "You are the old keeper of the lighthouse at Skarv Point.";\n{STREAM}\n{YIELDS}',
    ),
    "comments": (
        f"// first\n{CALL} // the call\n/* then */\n{READ} // done",
        f"// first\n{STREAM}\n{YIELDS} // the call\n/* then */\n// done",
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_the_generator_does_what_the_mutation_does_and_yields_the_text(name: str) -> None:
    before, after = BODIES[name]
    made = derived(router(mutation(before)))
    assert "  " + made.member == subscription(after)
    assert made.imports == ()


def test_the_lines_of_a_template_literal_are_not_indented_anew() -> None:
    prompt = "const prompt = `You are Ida.\n\n  Answer\n${input.how}.`;"
    before = mutation("PROMPT\n" + CALL + "\n" + READ).replace("PROMPT", prompt)
    after = subscription("PROMPT\n" + STREAM + "\n" + YIELDS).replace("PROMPT", prompt)
    assert "  " + derived(router(before)).member == after


def test_an_early_template_literal_is_yielded_as_it_is() -> None:
    early = "`Enough,\n  ${input.name}.`;"
    before = mutation("if (over) return EARLY\n" + CALL + "\n" + READ).replace("EARLY", early)
    after = subscription("if (over) {\n  yield EARLY\n  return;\n}\n" + STREAM + "\n" + YIELDS).replace("EARLY", early)
    assert "  " + derived(router(before)).member == after


PLAIN = f"{CALL}\n{READ}"
STREAMED = f"{STREAM}\n{YIELDS}"
TRACKED = "({ trackId: z.string() })"
# The mutation's parameters, the generator's, and what stands behind `signal` in the call.
PARAMETERS = {
    "none": ("()", "({ signal })", "signal"),
    "ctx and input": ("({ ctx, input })", "({ ctx, input, signal })", "signal"),
    "the input taken apart": ("({ input: { message } })", "({ input: { message }, signal })", "signal"),
    "the signal already": ("({ input, signal })", "({ input, signal })", "signal"),
    "the signal by another name": ("({ signal: stop })", "({ signal: stop })", "signal: stop"),
    "all in one": ("(opts)", "(opts)", "signal: opts.signal"),
    "all in one without brackets": ("opts", "(opts)", "signal: opts.signal"),
    "the rest of the input": (
        "({ input: { chatId, ...rest } })",
        "({\n        input: { chatId, trackId: _trackId, ...rest },\n        signal,\n      })",
        "signal",
    ),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_generator_takes_the_signal_and_hands_it_to_the_model(name: str) -> None:
    before, after, signal = PARAMETERS[name]
    made = derived(router(mutation(PLAIN, parameters=before)))
    assert "  " + made.member == subscription(STREAMED.replace("{ signal }", f"{{ {signal} }}"), parameters=after)


def test_a_signal_of_the_apps_own_is_left() -> None:
    own = (
        "const completion = await openai.chat.completions.create(\n  { messages },\n"
        "  { signal: AbortSignal.timeout(9) },\n);"
    )
    new = own.replace("completion =", "stream =").replace("messages }", "messages, stream: true }")
    made = derived(router(mutation(f"{own}\n{READ}")))
    assert "  " + made.member == subscription(f"{new}\n{YIELDS}", parameters="({ input })")


def test_a_name_signal_that_the_body_has_is_not_shadowed() -> None:
    made = derived(router(mutation(f"const signal = 1;\nawait use(signal);\n{PLAIN}")))
    expected = STREAMED.replace("{ signal }", "{ signal: stopSignal }")
    assert "  " + made.member == subscription(
        f"const signal = 1;\nawait use(signal);\n{expected}", parameters="({ input, signal: stopSignal })"
    )


@pytest.mark.parametrize(
    "use", ["await save(input);", "await save({ ...input });", "const { message, ...rest } = input;"]
)
def test_an_input_that_is_handed_on_whole_goes_without_the_track_id(use: str) -> None:
    made = derived(router(mutation(f"{use}\n{PLAIN}")))
    assert "  " + made.member == subscription(
        f"{use}\n{STREAMED}",
        parameters="({\n        input: { trackId: _trackId, ...input },\n        signal,\n      })",
    )


@pytest.mark.parametrize("use", ["console.log(input);", "const { message } = input;", "await save(input.message);"])
def test_an_input_that_is_taken_apart_or_logged_stays(use: str) -> None:
    assert "  " + derived(router(mutation(f"{use}\n{PLAIN}"))).member == subscription(f"{use}\n{STREAMED}")


# The mutation's schema, the subscription's.
SCHEMAS = {
    "literal": ("z.object({ message: z.string() })", "z.object({ message: z.string(), trackId: z.string() })"),
    "empty": ("z.object({})", "z.object({ trackId: z.string() })"),
    "strict": ("z.object({ a: z.string() }).strict()", "z.object({ a: z.string(), trackId: z.string() }).strict()"),
    "refined": ("z.object({ a }).refine(isGood)", "z.object({ a, trackId: z.string() }).refine(isGood)"),
    "partial": ("z.object({ a }).partial()", "z.object({ a }).partial().extend({ trackId: z.string() })"),
    "of a shape": ("z.object(shape)", "z.object(shape).extend({ trackId: z.string() })"),
    "with one": ("z.object({ trackId: z.string() })", "z.object({ trackId: z.string() })"),
    "with a stricter one": ("z.object({ trackId: z.string().uuid() })", "z.object({ trackId: z.string() })"),
    "named": ("askSchema", "askSchema.extend({ trackId: z.string() })"),
    "picked of a named one": (
        "askSchema.pick({ a: true })",
        "askSchema.pick({ a: true }).extend({ trackId: z.string() })",
    ),
    "over lines": (
        "\n      z.object({\n        message: z.string(), // the question\n      }),\n    ",
        (
            "\n      z.object({\n        message: z.string(), // the question\n"
            "        trackId: z.string(),\n      }),\n    "
        ),
    ),
    "that becomes too long": (
        "z.object({ message: z.string().min(1).max(9), chatId: z.string() })",
        (
            "\n      z.object({\n        message: z.string().min(1).max(9),\n"
            "        chatId: z.string(),\n        trackId: z.string(),\n      }),\n    "
        ),
    ),
    "that becomes a little too long": (
        "z.object({ message: z.string().min(1), chatId: z.string() })",
        (
            "\n      z.object({\n        message: z.string().min(1),\n        chatId: z.string(),\n"
            "        trackId: z.string(),\n      }),\n    "
        ),
    ),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_input_is_the_mutations_and_a_track_id(name: str) -> None:
    before, after = SCHEMAS[name]
    head = IMPORTS + "const askSchema = z.object({ a: z.string() });\n"
    made = derived(router(mutation(PLAIN, schema=before), head=head))
    assert "  " + made.member == subscription(STREAMED, schema=after)


def test_a_schema_of_another_file_is_extended_and_zod_imported() -> None:
    head = 'import OpenAI from "openai";\nimport { askSchema } from "./schemas";\nconst openai = new OpenAI();\n'
    schemas = 'import { z } from "zod/v4";\nexport const askSchema = z.object({ a: z.string() });\n'
    made = derived(router(mutation(PLAIN, schema="askSchema"), head=head), schemas=schemas)
    assert "  " + made.member == subscription(STREAMED, schema="askSchema.extend({ trackId: z.string() })")
    assert made.imports == (("zod/v4", "z"),)


def test_a_refined_schema_that_is_named_is_blocked() -> None:
    head = IMPORTS + "const askSchema = z.object({ a: z.string() }).refine(isGood);\n"
    assert (
        "not a z.object that can be extended" in blocked(router(mutation(PLAIN, schema="askSchema"), head=head)).reason
    )


def test_a_procedure_without_an_input_gets_one() -> None:
    member = f"  ask: publicProcedure.mutation(async () => {{\n{indented(PLAIN, 4)}\n  }}),"
    made = derived(router(member))
    assert "  " + made.member == subscription(STREAMED, schema=f"z.object{TRACKED}", parameters="({ signal })")


def test_what_stands_before_the_input_is_copied_and_an_output_of_text_left_out() -> None:
    before = mutation(PLAIN).replace(
        "    .input", '    .use(limit)\n    // who may ask\n    .meta({ role: "user" })\n    .input'
    )
    after = subscription(STREAMED).replace(
        "    .input", '    .use(limit)\n    // who may ask\n    .meta({ role: "user" })\n    .input'
    )
    with_output = before.replace("    .mutation", "    .output(z.string().nullish())\n    .mutation")
    assert "  " + derived(router(with_output)).member == after


def test_a_chain_on_one_line_is_broken_where_it_becomes_too_long() -> None:
    member = f"  ask: publicProcedure.input(schema).mutation(async () => {{\n{indented(PLAIN, 4)}\n  }}),"
    made = derived(router(member, head=IMPORTS + "const schema = z.object({});\n"))
    after = subscription(STREAMED, schema="schema.extend({ trackId: z.string() })", parameters="({ signal })")
    assert "  " + made.member == after


def test_a_chain_that_fits_on_one_line_stays_or_is_taken_up_there() -> None:
    after = (
        "  askStream: t.input(a.extend({ trackId: z.string() })).subscription(\n"
        f"    throughRelay(async function* ({{ signal }}) {{\n{indented(STREAMED, 6)}\n    }}),\n  ),"
    )
    head = IMPORTS + "const a = z.object({});\n"
    stays = f"  ask: t.input(a).mutation(async () => {{\n{indented(PLAIN, 4)}\n  }}),"
    assert "  " + derived(router(stays, head=head)).member == after
    parameters = "({ ctx: { session, database, theUserWhoAsks } })"  # too long for one line with what is before
    broken = f"  ask: t\n    .input(a)\n    .mutation(async {parameters} => {{\n{indented(PLAIN, 6)}\n    }}),"
    assert derived(router(broken, head=head)).member.split("\n")[0] == after.split("\n")[0].strip()


def test_the_options_of_through_relay_stand_on_their_own_line() -> None:
    made = derived(router(mutation(PLAIN)), options=OPTIONS)
    assert "  " + made.member == (
        "  askStream: publicProcedure\n    .input(z.object({ message: z.string(), trackId: z.string() }))\n"
        "    .subscription(\n      throughRelay(\n        async function* ({ input, signal }) {\n"
        f"{indented(STREAMED, 10)}\n        }},\n        {OPTIONS},\n      ),\n    ),"
    )


def test_an_arrow_function_without_a_block_gets_one() -> None:
    member = (
        "  ask: publicProcedure\n    .input(z.object({ message: z.string() }))\n    .mutation(\n"
        "      async ({ input }) =>\n"
        "        (await openai.chat.completions.create({ messages: of(input.message) }))\n"
        "          .choices[0]?.message.content ?? FALLBACK,\n    ),"
    )
    made = derived(router(member))
    assert "  " + made.member == subscription(
        "const stream = await openai.chat.completions.create(\n  { messages: of(input.message), stream: true },\n"
        f"  {{ signal }},\n);\n{collects()}\nif (!text) yield FALLBACK;"
    )


def test_a_quoted_key_stays_quoted_and_a_function_expression_is_taken() -> None:
    member = mutation(PLAIN).replace("ask:", '"ask":').replace("async ({ input }) =>", "async function ({ input })")
    assert derived(router(member)).member == subscription(STREAMED).strip().replace("askStream", '"askStream"')


def test_no_comma_behind_the_last_argument_where_the_file_has_none() -> None:
    head = IMPORTS + "export const a = join(\n  first,\n  second\n);\n"
    made = derived(router(mutation(PLAIN), head=head))
    assert "  " + made.member == subscription(STREAMED.replace("{ signal },", "{ signal }")).replace(
        "      }),\n    ),", "      })\n    ),"
    )


@pytest.mark.parametrize("name", FORMATS)
def test_the_member_is_written_as_the_file_is(name: str) -> None:
    form = FORMATS[name]
    prompt = "const prompt = `You are Ida.\n  Answer.`;\n"
    body = f'await save("user");\n{CALL}\nreturn completion.choices[0]?.message.content ?? "None.";'
    done = f'await save("user");\n{STREAM}\n{collects()}\nif (!text) yield "None.";'
    before = router(mutation(f"PROMPT{body}")).replace("PROMPT", prompt + " " * 6)
    after = router(mutation(f"PROMPT{body}") + "\n" + subscription(f"PROMPT{done}"))
    after = after.replace(f"      PROMPT{body[:4]}", f"      {prompt}{' ' * 6}{body[:4]}", 1)
    after = after.replace("PROMPT", prompt + " " * 8)
    source = form.write(before)
    made = derived(source)
    comma = source.rindex(b"})") - len(form.style.newline)
    member = form.style.newline + form.style.indent + made.member
    assert source[:comma] + member.encode() + source[comma:] == form.write(after)


def test_the_body_is_not_doubled_elsewhere_and_parses() -> None:
    """A mutation with all that real ones do gives a member that is valid in the router."""
    body = (
        "const count = await db.message.count({ where: { chatId: input.message } });\n"
        f'if (count > 9) throw new TRPCError({{ code: "FORBIDDEN" }});\n{CALL}\n'
        'const reply = completion.choices[0]?.message.content ?? "";\n'
        "await db.message.create({ data: { content: reply } });\nreturn { reply };"
    )
    source = router(mutation(body))
    made = derived(source, options=OPTIONS)
    assert made.member.count("db.message.create(") == made.member.count("stream: true") == 1
    assert made.member.endswith(",")
    assert SourceFile("a.ts", source.replace("  ask:", f"  {made.member}\n  ask:").encode()).syntax_error_line is None


@pytest.mark.parametrize("name", FORMATS)
def test_a_line_that_becomes_too_long_is_broken_as_the_file_is_written(name: str) -> None:
    form = FORMATS[name]
    line = 'await save({ chat: input.chatId, role: "user", content: input.message });'
    room = 80 - len(form.style.indent.replace("\t", "  ")) * 4 - len(line) + (not form.style.semicolons)
    line = line.replace("chat:", f"chat{'_' * (room + 1)}:")  # too long by one column in the generator
    made = derived(form.write(router(mutation(f"{line}\n{CALL}\n{READ}"))))
    lines = made.member.split(form.style.newline)
    start = next(number for number, found in enumerate(lines) if found.strip() == "await save({")
    unit = form.style.indent
    assert lines[start + 1].startswith(unit * 5 + "chat")
    assert [lines[start], lines[start + 2], lines[start + 3]] == [
        unit * 4 + "await save({",
        unit * 5 + f"role: {form.style.quote}user{form.style.quote},",
        unit * 5 + "content: input.message,",
    ]
