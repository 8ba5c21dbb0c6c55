from __future__ import annotations

import pytest

from migrations.engine import SourceFile
from migrations.transforms.wrapping import wrapped


def wrap(text: str, before: str = "") -> str:
    return wrapped(SourceFile("src/a.tsx", before.encode()), text.encode()).decode()


SHORT = "const a = call(one, two);\n"
LONG = "a" * 30
CASES: dict[str, tuple[str, str]] = {
    "arguments": (f"call({LONG}, {LONG}, {LONG});\n", f"call(\n  {LONG},\n  {LONG},\n  {LONG},\n);\n"),
    "an object": (
        f"call({{ x: {LONG}, y: {LONG}, z: {LONG} }});\n",
        f"call({{\n  x: {LONG},\n  y: {LONG},\n  z: {LONG},\n}});\n",
    ),
    "an updater": (
        f"set((p) => [...p, {{ x: {LONG} }}, {{ y: {LONG} }}]);\n",
        f"set((p) => [\n  ...p,\n  {{ x: {LONG} }},\n  {{ y: {LONG} }},\n]);\n",
    ),
    "an object that an updater gives": (
        f"set((p) => ({{ ...p, x: {LONG}, y: {LONG} }}));\n",
        f"set((p) => ({{\n  ...p,\n  x: {LONG},\n  y: {LONG},\n}}));\n",
    ),
    "a call that an updater makes": (
        f"set((p) => change(p, {LONG}, {LONG}, 1));\n",
        f"set((p) =>\n  change(p, {LONG}, {LONG}, 1),\n);\n",
    ),
    "a sum that a function gives": (
        f"call(one, () => {LONG} + {LONG} + bb);\n",
        f"call(\n  one,\n  () => {LONG} + {LONG} + bb,\n);\n",
    ),
    "a type": (
        f"const [a, b] = use<{{ x: {LONG}; y: {LONG} }}[]>([]);\n",
        f"const [a, b] = use<\n  {{ x: {LONG}; y: {LONG} }}[]\n>([]);\n",
    ),
    "a value behind a short type": (
        f"const [a, b] = use<Turn[]>({LONG}{LONG});\n",
        f"const [a, b] = use<Turn[]>(\n  {LONG}{LONG},\n);\n",
    ),
    "a condition": (f"if ({LONG}) call({LONG}, {LONG[:17]});\n", f"if ({LONG})\n  call({LONG}, {LONG[:17]});\n"),
    "the head of a function behind a call": (
        f"call(async function* ({{ x: {{ {LONG} }}, y: {{ {LONG} }} }}) {{\n  go();\n}});\n",
        f"call(async function* ({{\n  x: {{ {LONG} }},\n  y: {{ {LONG} }},\n}}) {{\n  go();\n}});\n",
    ),
    "a link of a chain": (
        (
            f"const a = b\n  .meta(d)\n  .input(c.object({{ {LONG}, z: c.{LONG}() }}))\n"
            "  .then((x) => {\n    go(x);\n  });\n"
        ),
        (
            f"const a = b\n  .meta(d)\n  .input(\n    c.object({{\n      {LONG},\n      z: c.{LONG}(),\n    }}),\n  )\n"
            "  .then((x) => {\n    go(x);\n  });\n"
        ),
    ),
    "a value of a choice": (
        f"a = b\n  ? {{ x: {LONG}, y: {LONG}, zzzz: 1 }}\n  : [];\n",
        f"a = b\n  ? {{\n      x: {LONG},\n      y: {LONG},\n      zzzz: 1,\n    }}\n  : [];\n",
    ),
    "a text that cannot be broken": (f'return "{LONG}{LONG}{LONG}";\n', f'return "{LONG}{LONG}{LONG}";\n'),
}


def test_short_lines_stay() -> None:
    assert wrap(SHORT) == SHORT


def test_a_line_that_was_long_before_stays() -> None:
    line = CASES["arguments"][0]
    assert wrap(f"if (x) {{\n  {line}}}\n", line) == f"if (x) {{\n  {line}}}\n"


def test_what_cannot_be_read_stays() -> None:
    line = CASES["arguments"][0].replace(");", ";")
    assert wrap(line) == line


@pytest.mark.parametrize(("before", "after"), CASES.values(), ids=CASES)
def test_a_long_line_is_broken_where_formatters_break_it(before: str, after: str) -> None:
    assert len(before) > 81
    assert wrap(before) == after


def test_line_ends_and_indentation_are_the_files() -> None:
    text = f"if (x) {{\r\n\ty();\r\n\tcall({LONG}, {LONG}, {LONG});\r\n}}\r\n"
    assert (
        wrap(text) == f"if (x) {{\r\n\ty();\r\n\tcall(\r\n\t\t{LONG},\r\n\t\t{LONG},\r\n\t\t{LONG},\r\n\t);\r\n}}\r\n"
    )


def test_what_a_file_ends_without_a_comma_gets_none() -> None:
    before = "const a = {\n  b,\n  c\n};\ncall(\n  one,\n  two\n);\nconst d = {\n  e,\n};\n"
    after = before + f"call({LONG}, {LONG}, {LONG});\ncall({{ x: {LONG}, y: {LONG}, z: {LONG} }});\n"
    assert wrap(after, before.replace("  e,", "  e")) == before + (
        f"call(\n  {LONG},\n  {LONG},\n  {LONG}\n);\ncall({{\n  x: {LONG},\n  y: {LONG},\n  z: {LONG}\n}});\n"
    )


def test_the_code_in_a_template_literal_stays_on_its_line() -> None:
    text = f"const a = `{LONG} ${{call({LONG}, {LONG})}}`;\n"
    assert wrap(text) == text


def test_code_that_is_new_is_broken_although_the_file_has_such_lines() -> None:
    line, broken = CASES["arguments"]
    before = SourceFile("src/a.tsx", line.encode())
    assert wrapped(before, line.encode()).decode() == line
    assert wrapped(before, line.encode(), 80, is_new=True).decode() == broken
