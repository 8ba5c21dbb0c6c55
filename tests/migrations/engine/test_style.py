from __future__ import annotations

import pytest

from migrations.engine.style import Style, common_style, style_of
from migrations.engine.syntax import parse
from tests.migrations.engine.apps import CHAT, FORMATS, SERVER, Format


def of(text: str) -> Style:
    return style_of(text.encode(), parse(text.encode()).root_node)


def test_a_file_that_shows_nothing_has_the_default_style() -> None:
    assert of("") == Style()
    assert of("x") == Style(final_newline=False, semicolons=False)
    assert style_of(b"", default=Style(indent="\t", quote="'")) == Style(indent="\t", quote="'")


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_every_format_is_recognised(form: Format) -> None:
    data = form.write(CHAT)
    assert style_of(data, parse(data).root_node) == form.style


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_a_snippet_comes_out_as_a_person_would_have_written_it_in_that_format(form: Format) -> None:
    expected = Format(form.style).write(SERVER)
    newline = form.style.newline.encode()
    assert form.style.whole_file(SERVER) == expected.removesuffix(newline) + newline


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_what_was_adapted_still_parses(form: Format) -> None:
    assert not parse(form.style.whole_file(CHAT)).root_node.has_error


def test_the_line_ends_of_the_majority_count() -> None:
    assert style_of(b"a\r\nb\r\nc\n").newline == "\r\n"
    assert style_of(b"a\r\nb\nc\n").newline == "\n"


def test_comment_stars_are_no_indentation() -> None:
    assert of("/**\n * a\n * b\n */\nif (a) {\n    b();\n}\n").indent == "    "


def test_quotes_in_jsx_are_told_apart() -> None:
    style = of('const a = \'x\';\nconst b = <p className="c" title="d" id="e">it</p>;\n')
    assert (style.quote, style.jsx_quote) == ("'", '"')


def test_the_keyword_string_is_no_literal() -> None:
    assert of("type A = { a: string; b: string };\nconst a = 'x';\n").quote == "'"


def test_a_snippet_in_its_own_style_stays_as_it_is() -> None:
    assert Style().adapt(SERVER) == SERVER.rstrip("\n")


def test_a_snippet_is_indented_to_its_place() -> None:
    assert Style(indent="\t").adapt("\n    a({\n      b,\n\n    });\n", "\t\t") == "\t\ta({\n\t\t\tb,\n\n\t\t});"


def test_lines_inside_a_template_literal_are_content() -> None:
    assert Style(indent="\t").adapt("  const a = `\n    b\n`;", "\t") == "\tconst a = `\n    b\n`;"


@pytest.mark.parametrize(
    ("snippet", "adapted"),
    [
        ('f("it\'s");', 'f("it\'s")'),
        ('f("a\\n");', "f('a\\n')"),
        ('f("say \\"b\\"");', 'f("say \\"b\\"")'),
        ('const a = <p title="t">{"x"}</p>;', "const a = <p title=\"t\">{'x'}</p>"),
        ("a();\n(b || c)();", "a();\n(b || c)()"),
        ("a();\n// why\n[b].map(c);", "a();\n// why\n[b].map(c)"),
        ("a();\n`b`.trim();", "a();\n`b`.trim()"),
        ("a(); b();", "a(); b()"),
        ("for (let i = 0; i < 2; i++) {\n  a();\n}", "for (let i = 0; i < 2; i++) {\n  a()\n}"),
        ("for (;;) ;", "for (;;) ;"),
        ("interface A {\n  a: string;\n  b(): void;\n}", "interface A {\n  a: string\n  b(): void\n}"),
        ("type A = { a: string; b: number };", "type A = { a: string; b: number }"),
        ("class A {\n  a = 1;\n  b: string;\n  [c] = 1;\n}", "class A {\n  a = 1\n  b: string;\n  [c] = 1\n}"),
        ("a(); // note\nb();", "a() // note\nb()"),
    ],
)
def test_without_semicolons_and_with_single_quotes(snippet: str, adapted: str) -> None:
    """A semicolon stays where the next line would be read as going on, a double quote around a single one."""
    assert Style(quote="'", semicolons=False).adapt(snippet) == adapted


def test_the_common_style_is_that_of_most_files_trait_by_trait() -> None:
    tabs, crlf = Style(indent="\t"), Style(newline="\r\n", indent="\t")
    assert common_style([tabs, crlf, Style()]) == tabs
    assert common_style([]) == Style()
