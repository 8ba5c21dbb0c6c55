"""All migrations on an app that has a mutation and nothing else: the stream is derived, the page takes the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from migrations.catalogue import all_migrations
from migrations.engine import AppView, Blocked, make_plan
from migrations.hints import AppHints
from tests.apps.t3 import overlay_files
from tests.apps.variants import small_app

if TYPE_CHECKING:
    from migrations.engine.plan import Plan

CHAT = "src/server/api/routers/chat.ts"
PAGE = "src/components/retro-chat/retro-chat.tsx"
RETURN = "return completion.choices[0]?.message.content ?? undefined;"
CONTENT = "completion.choices[0]?.message.content"
# What the mutation returns, and the page's option; the stream yields the text as it comes in each of them.
RESULTS = {
    "the text": (RETURN, ""),
    "the text or another": (f'return {CONTENT} ?? "The radio is silent.";', ""),
    "trimmed": (f'return {CONTENT}?.trim() ?? "";', "(text) => text.trim()"),
    "trimmed in a constant": (f'const reply = ({CONTENT} ?? "").trim();\n      return reply;', "(text) => text.trim()"),
    "a field": (f"return {{ reply: {CONTENT} }};", "(text) => ({ reply: text })"),
    "a trimmed field": (f'return {{ reply: {CONTENT}?.trim() ?? "" }};', "(text) => ({ reply: text.trim() })"),
    "a field of its own name": (f"const text = {CONTENT};\n      return {{ text }};", "(text) => ({ text })"),
    "beside constants": (
        f'return {{ ok: true, role: "assistant" as const, text: {CONTENT} }};',
        '(text) => ({ ok: true, role: "assistant" as const, text })',
    ),
    "deeper, and long": (
        f'return {{ message: {{ role: "assistant" as const, kind: "answer" as const, content: {CONTENT} }} }};',
        "(text) => ({\n"
        "        message: {\n"
        '          role: "assistant" as const,\n'
        '          kind: "answer" as const,\n'
        "          content: text,\n"
        "        },\n"
        "      })",
    ),
    "another one where none came": (
        f'if (!completion.choices[0]) return {{ reply: "Silence." }};\n      return {{ reply: {CONTENT} }};',
        "(text) => ({ reply: text })",
    ),
}
UNKNOWN = {
    "cut": f"return {CONTENT}?.slice(0, 100);",
    "with a time": f"return {{ reply: {CONTENT}, at: Date.now() }};",
    "a row": f"return await save({CONTENT});",
}


def planned(returned: str) -> Plan:
    files = {path: data for path, data in small_app().items() if path not in overlay_files("first_user")}
    files |= overlay_files("mutation_only")
    chat = files[CHAT].decode()
    assert RETURN in chat
    files[CHAT] = chat.replace(RETURN, returned).encode()
    return make_plan(AppView.of_files(files), all_migrations(AppHints()))


def text_of(plan: Plan, path: str) -> str:
    return (plan.after.read(path) or b"").decode()


@pytest.mark.parametrize(("returned", "option"), RESULTS.values(), ids=RESULTS)
def test_the_stream_is_derived_and_the_page_makes_of_it_what_the_mutation_returned(returned: str, option: str) -> None:
    plan = planned(returned)
    assert [(step.state, step.reason) for step in plan.steps[:5]] == [("pending", "")] * 5
    chat, page = text_of(plan, CHAT), text_of(plan, PAGE)
    assert returned in chat
    assert "sendMessageStream: publicProcedure" in chat
    assert "yield piece;" in chat
    assert "useStreamingMutation(" in page
    assert (f"    result: {option},\n" in page) if option else ("result:" not in page)
    again = make_plan(plan.after, all_migrations(AppHints()))
    assert [(step.state, step.reason) for step in again.steps[:5]] == [("applied", "")] * 5


@pytest.mark.parametrize("returned", UNKNOWN.values(), ids=UNKNOWN)
def test_a_value_that_is_not_known_to_be_the_text_stops_at_its_line(returned: str) -> None:
    plan = planned(returned)
    outcomes = {step.number: step.outcome for step in plan.steps}
    line = text_of(plan, CHAT)[: text_of(plan, CHAT).index(returned)].count("\n") + 1
    refusal = outcomes[3]
    assert isinstance(refusal, Blocked)
    assert (refusal.file, refusal.line) == (CHAT, line)
    assert isinstance(outcomes[5], Blocked)
    assert "useStreamingMutation" not in text_of(plan, PAGE)
