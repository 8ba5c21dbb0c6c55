from __future__ import annotations

import pytest

from migrations.discovery.layout import find_layout
from migrations.discovery.text_values import TextReader
from migrations.discovery.trpc_client import Place
from migrations.engine import AppView
from migrations.engine.syntax import find_all, text_of

HELPERS = """\
export async function ask(question: string): Promise<string> {
  return fetch(question);
}
export const tidy = (text: string) => text.trim();
export const count = () => 1;
"""


def is_text(expression: str) -> bool | None:
    source = f"""\
import {{ ask, count, tidy }} from "./helpers";
const run = async () => {{
  const answer = result.text;
  const typed: string = anything();
  const {{ content, other }} = await model();
  const {{ text: renamed }} = await model();
  const value = {expression};
}};
"""
    view = AppView.of_files({"src/a.ts": source.encode(), "src/helpers.ts": HELPERS.encode()})
    file = view.file("src/a.ts")
    assert file is not None
    declared = [node for node in find_all(file.root, "variable_declarator") if text_of(node).startswith("value =")]
    node = declared[0].child_by_field_name("value")
    assert node is not None
    return TextReader(view, find_layout(view)).is_text(Place(file, node))


@pytest.mark.parametrize(
    "expression",
    [
        '"a"',
        "`a ${b}`",
        "r.choices[0]?.message.content",
        "r.output_text",
        "result.response.text()",
        "x.trim()",
        'parts.map(String).join("")',
        "String(x)",
        'a.content ?? "none"',
        'a.content || "none"',
        '"a" + b',
        "a ? b.text : undefined",
        "(await go()) as string",
        "answer",
        "typed",
        "content",
        "renamed",
        "await ask(x)",
        "tidy(x)",
        "fetch(x).then((r) => r.text())",
        "a && b.content",
    ],
)
def test_text_is_known(expression: str) -> None:
    assert is_text(expression) is True


@pytest.mark.parametrize(
    "expression", ["1", "{ a: 1 }", "[a]", "true", "new Date()", "a > b", 'a ? { b: 1 } : "c"', "a.content ?? {}"]
)
def test_other_values_are_known(expression: str) -> None:
    assert is_text(expression) is False


@pytest.mark.parametrize(
    "expression",
    ["x", "other", "await db.save()", "r.choices", "service.ask(x)", "count()", "r[0]", "(await go()) as Row"],
)
def test_what_is_not_known_is_not_guessed(expression: str) -> None:
    assert is_text(expression) is None
