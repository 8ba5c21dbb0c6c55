from __future__ import annotations

from pathlib import Path

import pytest

from migrations.engine.source import SourceFile
from migrations.transforms.long_lines import break_long_lines, commas_in_calls, width_of
from tests.node import ensure_node_modules

KIT = Path(__file__).parents[3] / "migrations" / "kit"
EMPTY = SourceFile("a.ts", b"")

STAY_LONG = [
    'import { aaaaaaaaaaaaaaaaaaaaaaaaaa, bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb } from "cccccccccccc";',
    "// a comment that a person wrote on a line that is quite a bit longer than eighty columns",
    "const short = 1; // with a comment behind it that makes the line longer than eighty columns",
    "const text = `a text of more than eighty columns in a literal that no formatter would break`;",
    "const text = `\na text of more than eighty columns in a literal that no formatter would break at all\n`;",
    "label: for (const aaaaaaaaaaaaaaaaaaaaaaaaaaa of bbbbbbbbbbbbbbbbbbbbbbbbbbb(ccccccccccccccccccc)) {}",
]


@pytest.mark.parametrize("line", STAY_LONG)
def test_what_there_is_no_rule_for_stays_as_it_is(line: str) -> None:
    assert break_long_lines(EMPTY, f"{line}\n".encode()).decode() == f"{line}\n"


def test_a_line_that_was_too_long_before_stays_whatever_its_indentation() -> None:
    line = "const found = await describe(input.trackId, input.message, input.text, input.role, input.more);"
    before = SourceFile("a.ts", f'"x";{" " * 4}\n{{\n  {line} // "\n}}\n'.encode())
    after = f'{{\n    {line} // "\n}}\n'.encode()
    assert break_long_lines(before, after) == after


@pytest.mark.parametrize("code", ["const a = (;\n", ""])
def test_what_cannot_be_read_or_is_empty_stays(code: str) -> None:
    long = f"{code}{'x' * 90}({{\n"
    assert break_long_lines(EMPTY, long.encode()).decode() == long


# As Prettier 3 writes it; the slow test below has it check that.
BROKEN = {
    "arguments": (
        "const found = await describe(input.trackId, input.message, input.text, input.role);",
        "const found = await describe(\n    input.trackId,\n    input.message,\n    input.text,\n    input.role,\n  );",
    ),
    "an object as the last argument": (
        'yield tracked(input.trackId, { type: "text" as const, text: chunk.delta.content });',
        'yield tracked(input.trackId, {\n    type: "text" as const,\n    text: chunk.delta.content,\n  });',
    ),
    "an object behind throw": (
        'throw new TRPCError({ code: "BAD_REQUEST", message: "it is far too much", cause });',
        'throw new TRPCError({\n    code: "BAD_REQUEST",\n    message: "it is far too much",\n    cause,\n  });',
    ),
    "an object in an object": (
        'const turn = { role: "user", parts: [{ text: input.message, kind: "a text" }] };',
        'const turn = {\n    role: "user",\n    parts: [{ text: input.message, kind: "a text" }],\n  };',
    ),
    "an array": (
        "const all = [input.messageOfTheUser, input.messageOfTheModel, input.somethingElse];",
        "const all = [\n    input.messageOfTheUser,\n    input.messageOfTheModel,\n    input.somethingElse,\n  ];",
    ),
    "operators behind an equals sign": (
        'const text = input.choices[0]?.delta.content ?? "nothing was said by the model";',
        'const text =\n    input.choices[0]?.delta.content ?? "nothing was said by the model";',
    ),
    "a ternary with a comparison": (
        'const role = input.kind === "the model" ? ("assistant" as const) : input.kindOf;',
        'const role =\n    input.kind === "the model" ? ("assistant" as const) : input.kindOf;',
    ),
    "a ternary without": (
        "const role = isTheModelSpeaking ? theRoleThatTheModelHas : theRoleThatUsersHave;",
        "const role = isTheModelSpeaking\n    ? theRoleThatTheModelHas\n    : theRoleThatUsersHave;",
    ),
    "a string": (
        'const message = "The model cannot be reached at the moment, so try again later";',
        'const message =\n    "The model cannot be reached at the moment, so try again later";',
    ),
    "a chain of members": (
        "const content = completionOfTheModel.choicesOfTheModel.firstOfThem.messageOfIt.text;",
        "const content =\n    completionOfTheModel.choicesOfTheModel.firstOfThem.messageOfIt.text;",
    ),
    "a call with one short argument": (
        "const functionsOfTheModel = theDescriptionOfEverything.functionsOfModelWith(name);",
        "const functionsOfTheModel =\n    theDescriptionOfEverything.functionsOfModelWith(name);",
    ),
    "three calls in a chain": (
        'const text = parts.filter((part) => part.text).map((part) => part.text).join(" ");',
        'const text = parts\n    .filter((part) => part.text)\n    .map((part) => part.text)\n    .join(" ");',
    ),
    "a cast to a type with arguments": (
        'const parameters = JSON.parse(call.json || "{}") as Record<string, unknown[][]>;',
        'const parameters = JSON.parse(call.json || "{}") as Record<\n    string,\n    unknown[][]\n  >;',
    ),
    "a cast to a plain type": (
        "const options = contextOfTheRequest.options as OptionsOfTheRequestOf<TypeOfAll>;",
        "const options =\n    contextOfTheRequest.options as OptionsOfTheRequestOf<TypeOfAll>;",
    ),
    "a long condition": (
        "if (text.length > 20 && input.message.length > input.most && !signal?.aborted) {\n    go();\n  }",
        "if (\n    text.length > 20 &&\n    input.message.length > input.most &&\n    !signal?.aborted\n"
        "  ) {\n    go();\n  }",
    ),
    "a condition that is a call": (
        "if (isKnownToTheModel(input.message.somewhere, input.message.elsewhere.idOf)) {\n    go();\n  }",
        "if (\n    isKnownToTheModel(input.message.somewhere, input.message.elsewhere.idOf)\n  ) {\n    go();\n  }",
    ),
    "a statement behind a condition": (
        "if (textOfTheModel) yield { part: textOfTheModel, more: more.length, all: true };",
        "if (textOfTheModel)\n    yield { part: textOfTheModel, more: more.length, all: true };",
    ),
    "what is returned": (
        "return input.messageOfTheUser.length > 100 || input.messageOfTheModel.length > 9;",
        "return (\n    input.messageOfTheUser.length > 100 || input.messageOfTheModel.length > 9\n  );",
    ),
    "an assignment": (
        "call.argumentsAsText += part.functionOfTheModel?.argumentsOfTheFunction ?? nothing;",
        "call.argumentsAsText +=\n    part.functionOfTheModel?.argumentsOfTheFunction ?? nothing;",
    ),
    "types of a constructor": (
        "const calls = new Map<NumberOfTheCallOfTheModel, NameAndArgumentsOfTheFunctions>();",
        "const calls = new Map<\n    NumberOfTheCallOfTheModel,\n    NameAndArgumentsOfTheFunctions\n  >();",
    ),
    "an arrow function that gives an object": (
        "const turns = input.history.map((turn) => ({ role: turn.role, content: turn.text }));",
        "const turns = input.history.map((turn) => ({\n    role: turn.role,\n    content: turn.text,\n  }));",
    ),
    "a call of what a call gives": (
        "expectationOf(functionsOfTheModel.first, functionsOfTheModel.second).toBe(413.5);",
        "expectationOf(functionsOfTheModel.first, functionsOfTheModel.second).toBe(\n    413.5,\n  );",
    ),
}


def function(body: str) -> str:
    return f"async function* reply() {{\n  {body}\n}}\n"


@pytest.mark.parametrize("name", BROKEN)
def test_a_long_line_is_broken_as_prettier_breaks_it(name: str) -> None:
    before, after = map(function, BROKEN[name])
    assert max(map(len, before.splitlines())) > 80
    assert break_long_lines(EMPTY, before.encode()).decode() == after
    assert break_long_lines(EMPTY, after.encode()).decode() == after


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_tabs_count_two_and_line_ends_stay(newline: str) -> None:
    before = function(BROKEN["arguments"][0]).replace("  ", "\t").replace("\n", newline).encode()
    after = function(BROKEN["arguments"][1]).replace("  ", "\t").replace("\n", newline).encode()
    assert break_long_lines(SourceFile("a.ts", b"{\n\ta;\n}\n"), before) == after


def test_the_width_is_what_the_file_shows() -> None:
    assert width_of(EMPTY) == 80
    assert width_of(SourceFile("a.ts", f'const a = "{"x" * 90}";\n'.encode())) == 80
    assert width_of(SourceFile("a.ts", f"const a = `\n{'x' * 90}\n`;\n".encode())) == 80
    assert width_of(SourceFile("a.ts", f"const a = {'x' * 80};\n".encode())) == 100
    assert width_of(SourceFile("a.ts", f"const a = {'x' * 130};\n".encode())) == 141


def test_whether_arguments_end_with_a_comma_is_what_the_file_shows() -> None:
    assert commas_in_calls(EMPTY)
    assert commas_in_calls(SourceFile("a.ts", b"f(\n  a,\n);\n"))
    assert not commas_in_calls(SourceFile("a.ts", b"f(\n  a\n);\ng();\nh({\n  a,\n});\n"))


@pytest.mark.slow
def test_prettier_agrees(tmp_path: Path) -> None:
    tools = ensure_node_modules(KIT)
    for number, (before, _) in enumerate(BROKEN.values()):
        (tmp_path / f"{number}.ts").write_text(function(before))
    result = tools.run("prettier", "--no-config", "--write", str(tmp_path))
    assert result.returncode == 0, result.stderr
    for number, (_, after) in enumerate(BROKEN.values()):
        assert (tmp_path / f"{number}.ts").read_text() == function(after)
