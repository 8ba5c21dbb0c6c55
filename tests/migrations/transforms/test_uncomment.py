from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from migrations.discovery.layout import find_layout
from migrations.discovery.procedures import CommentedProcedure, commented_procedures, procedures_of
from migrations.transforms.uncomment import missing_names, uncomment, uncomment_imports
from tests.migrations.engine.apps import BYTE_ORDER_MARK, FORMATS
from tests.migrations.procedure_app import MUTATION, ROUTER, STREAM, commented, router, view

if TYPE_CHECKING:
    from migrations.engine import AppView


def found(app_view: AppView) -> list[CommentedProcedure]:
    file = app_view.file(ROUTER)
    assert file is not None
    return list(commented_procedures(app_view, find_layout(app_view), file))


def undone(data: bytes) -> bytes:
    """The router file with the one procedure that is commented out live again."""
    app_view = view(data)
    file = app_view.file(ROUTER)
    (procedure,) = found(app_view)
    assert file is not None
    return uncomment(file, procedure)


NOT_CODE = {
    "prose": "  // The .subscription( is gone: Vercel.\n",
    "half of a member": commented(STREAM.removesuffix("    }),\n")),
    "another kind": commented(MUTATION),
    "inside a template literal": "  hello: publicProcedure.query(() => `\n" + commented(STREAM) + "`),\n",
    "a block with prose in it": "  /* Off for now.\n" + STREAM + "  */\n",
    "behind code on its line": "  hello: publicProcedure.query(() => 1), // a: publicProcedure.subscription(b),\n",
}


@pytest.mark.parametrize("name", NOT_CODE)
def test_what_is_no_procedure_is_not_taken_for_one(name: str) -> None:
    assert found(view(router(MUTATION, NOT_CODE[name]))) == []


def test_outside_an_object_nothing_is_found() -> None:
    assert found(view(router(MUTATION) + commented(STREAM))) == []


@pytest.mark.parametrize("way", ["vscode", "marks", "jetbrains", "formatted", "own"])
@pytest.mark.parametrize("name", FORMATS)
def test_to_the_byte_in_every_format_and_way(name: str, way: str) -> None:
    form = FORMATS[name]
    live = form.write(router(MUTATION, STREAM))
    lines = live.decode().splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if "sendMessageStream" in line)
    off = "".join([*lines[:first], commented("".join(lines[first:-1]), way), lines[-1]]).encode()
    assert off != live
    assert undone(off) == live


MEMBERS = {
    "a blank line without a mark": (
        "  // a: p\n  //   .subscription(async function* () {\n\n  //     yield 1;\n  //   }),\n",
        "  a: p\n    .subscription(async function* () {\n\n      yield 1;\n    }),\n",
    ),
    "a mark without a space": (
        "  //a: p.subscription(async function* () {\n  //  yield 1;\n  //}),\n",
        "  a: p.subscription(async function* () {\n    yield 1;\n  }),\n",
    ),
    "a comment inside": (
        "  // a: p.subscription(async function* () {\n  //   // one\n  //   yield 1; // two\n  // }),\n",
        "  a: p.subscription(async function* () {\n    // one\n    yield 1; // two\n  }),\n",
    ),
    "marks at the beginning of the lines": (
        "//   a: p.subscription(async function* () {\n//     yield `\n// x\n//\n// y`;\n//   }),\n",
        "  a: p.subscription(async function* () {\n    yield `\nx\n\ny`;\n  }),\n",
    ),
    "such marks, moved by a formatter": (
        "  //   a: p.subscription(async function* () {\n  //     yield `\n  // x\n  //\n  // y`;\n  //   }),\n",
        "  a: p.subscription(async function* () {\n    yield `\nx\n\ny`;\n  }),\n",
    ),
    "space alone in a template": (
        "  // a: p.subscription(async function* () {\n  //   yield `x\n  //    \n  // y`;\n  // }),\n",
        "  a: p.subscription(async function* () {\n    yield `x\n     \n  y`;\n  }),\n",
    ),
    "a quoted name, and a comment at the end": (
        '  // "a": p.subscription(async function* () {\n  //   yield 1;\n  // }), // end of a\n',
        '  "a": p.subscription(async function* () {\n    yield 1;\n  }), // end of a\n',
    ),
    "the name alone on its line": (
        "  // a:\n  //   p.subscription(async function* () {\n  //     yield 1;\n  //   }),\n",
        "  a:\n    p.subscription(async function* () {\n      yield 1;\n    }),\n",
    ),
    "a block": (
        "  /* a: p.subscription(async function* () {\n    yield 1;\n  }), */\n",
        "  a: p.subscription(async function* () {\n    yield 1;\n  }),\n",
    ),
    "a block around": (
        "  /*\n  a: p.subscription(async function* () {\n    yield 1;\n  }),\n  */\n",
        "  a: p.subscription(async function* () {\n    yield 1;\n  }),\n",
    ),
    "prose around": (
        "  // WHY: off\n  // a: p.subscription(async function* () {\n  //   yield 1;\n  // }),\n  // TODO: more\n",
        "  // WHY: off\n  a: p.subscription(async function* () {\n    yield 1;\n  }),\n  // TODO: more\n",
    ),
    "another member before it": (
        "  // q: p.query(() => 1),\n  // a: p.subscription(async function* () {\n  //   yield 1;\n  // }),\n",
        "  // q: p.query(() => 1),\n  a: p.subscription(async function* () {\n    yield 1;\n  }),\n",
    ),
}


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_to_the_byte(name: str, newline: str) -> None:
    before, after = (router(MUTATION, member).replace("\n", newline).encode() for member in MEMBERS[name])
    assert undone(before) == after


def test_in_a_router_with_nothing_else() -> None:
    live = router(STREAM)
    assert undone(router(commented(STREAM)).encode()) == live.encode()


WORDS = st.text(st.sampled_from("abc xyz/*,;:()[]{}<>'\"é🙂\t$#"), max_size=20)
PROSE = st.lists(st.one_of(st.just(""), st.just("   "), WORDS, st.just("// not a comment")), max_size=6)


@st.composite
def members(draw: st.DrawFn) -> str:
    """A well-formed streaming procedure: any text in its template literal, comments and empty lines in its body."""
    lines = ["  talk: publicProcedure"]
    lines += [f"    .input(z.object({{ {draw(st.sampled_from(['trackId', 'text', 'history']))}: z.string() }}))"]
    lines += ["    .subscription(async function* ({ input }) {"]
    prose = draw(PROSE)
    lines += ["      const prompt = `" + "\n".join(["begin", *prose]).replace("${", "$ {") + "`;"]
    for _ in range(draw(st.integers(0, 4))):
        lines += draw(
            st.sampled_from(
                [
                    ["      // said by a person"],
                    [""],
                    ["      if (prompt) {", "        yield prompt;", "      }"],
                    ["      /* a block", "         of two lines */", "      yield input;"],
                    ['      yield { a: "// no", b: `x ${input} y` };'],
                ]
            )
        )
    return "\n".join([*lines, "      yield prompt;", "    }),"]) + "\n"


@settings(max_examples=150, deadline=None)
@given(members(), st.sampled_from(sorted(FORMATS)), st.sampled_from(["vscode", "jetbrains", "formatted"]))
def test_any_member_that_is_commented_out_comes_back_to_the_byte(member: str, name: str, way: str) -> None:
    """As VS Code does it with its settings as they come, and as JetBrains' editors do."""
    style = FORMATS[name].style
    # Only what an editor keeps: the indentation of the code, not of the text, in the format's own unit.
    code = (
        re.sub(r"(?m)^(  )+(?=\S)", lambda m: style.indent * (len(m[0]) // 2), member)
        if "\t" in style.indent
        else member
    )
    text = code.replace("\n", style.newline)
    head, tail = router(MUTATION, "@\n").replace("\n", style.newline).split("@" + style.newline)
    if "\t" in style.indent:
        head = re.sub(r"(?m)^(  )+(?=\S)", lambda m: style.indent * (len(m[0]) // 2), head)
    mark = BYTE_ORDER_MARK if FORMATS[name].byte_order_mark else b""
    off = mark + (head + commented(text, way) + tail).encode()
    # A formatter cuts the space off a line that is nothing but a mark.
    assume(way == "vscode" or not re.search(r"(?m)^[ \t]+\r?$", text))
    assert undone(off) == mark + (head + text + tail).encode()


def test_names_that_are_missing_are_told_with_their_place() -> None:
    body = router(MUTATION, STREAM.replace("stream: true", "stream: true, tools, user: me()"))
    app_view = view(body)
    file = app_view.file(ROUTER)
    assert file is not None
    (procedure,) = procedures_of(app_view, find_layout(app_view), file, "subscription")
    missing = missing_names(app_view, file, procedure.node)
    assert {name: file.line_of(node.start_byte) for name, node in missing.items()} == {"tools": 28, "me": 28}


@pytest.mark.parametrize(
    "statement",
    ["const { tools, me } = load();", "function me() {}\nconst tools = [];", 'import me, { tools } from "./a";'],
)
def test_what_is_declared_or_imported_is_not_missing(statement: str) -> None:
    body = router(MUTATION, STREAM.replace("stream: true", "stream: true, tools, user: me()"))
    app_view = view(f"{statement}\n{body}")
    file = app_view.file(ROUTER)
    assert file is not None
    (procedure,) = procedures_of(app_view, find_layout(app_view), file, "subscription")
    assert missing_names(app_view, file, procedure.node) == {}


@pytest.mark.parametrize(
    ("before", "names", "after"),
    [
        ('// import { a } from "a";\n', {"a"}, 'import { a } from "a";\n'),
        ('// import { a, b } from "a";\n', {"a"}, '// import { a, b } from "a";\n'),
        ('// import a from "a";\n// import b from "b";\n', {"b"}, '// import a from "a";\nimport b from "b";\n'),
        ('// import {\n//   a,\n//   b,\n// } from "a";\n', {"a", "b", "c"}, 'import {\n  a,\n  b,\n} from "a";\n'),
        ("//import { a } from 'a'\r\n", {"a"}, "import { a } from 'a'\r\n"),
        ('// import "a";\n', {"a"}, '// import "a";\n'),
        ('// import { a } from "a";\n', set(), '// import { a } from "a";\n'),
    ],
)
def test_commented_imports_come_back_where_they_are_needed(before: str, names: set[str], after: str) -> None:
    exact = view((before + "export const x = 1;\n").encode()).file(ROUTER)
    assert exact is not None
    assert uncomment_imports(exact, names).decode() == after + "export const x = 1;\n"
