from __future__ import annotations

import pytest

from migrations.legacy.scripts.command_line import parse_line, quoted
from migrations.legacy.scripts.invocations import invocation_of, program_name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "&& next dev",
        "next build &&",
        "a && && b",
        "a ;; b",
        "(tsx server.ts)",
        "(cd ws && npm start) & next dev",
        "kill $(lsof -t -i:3001)",
        "kill `lsof -t -i:3001`",
        'echo "$(date)"',
        'echo "`date`"',
        "if [ -f x ]; then tsx server.ts; fi",
        "for f in a b; do tsx $f; done",
        "{ tsx server.ts; }",
        "! tsx server.ts",
        "[ -f dist/server.js ] && node dist/server.js",
        "cat <<EOF",
        "diff <(a) <(b)",
        "node .\\dist\\server.js",
        "# tsx server.ts",
        'concurrently "next dev',
        "tsx 'server.ts",
        "next dev\ntsx server.ts",
    ],
)
def test_what_is_not_known_is_not_guessed_at(text: str) -> None:
    assert parse_line(text) is None


@pytest.mark.parametrize(
    ("text", "words", "operators"),
    [
        ("next dev", [["next", "dev"]], [""]),
        ("  next   dev ", [["next", "dev"]], [""]),
        ("a && b || c", [["a"], ["b"], ["c"]], ["&&", "||", ""]),
        ("a&b", [["a"], ["b"]], ["&", ""]),
        ("a & b &", [["a"], ["b"]], ["&", "&"]),
        ("a; b;", [["a"], ["b"]], [";", ";"]),
        ("a | b", [["a"], ["b"]], ["|", ""]),
        ("concurrently \"next dev\" 'tsx a.ts'", [["concurrently", "next dev", "tsx a.ts"]], [""]),
        (r'x "a \"b\" c"', [["x", 'a "b" c']], [""]),
        ('--names="a,b" x', [["--names=a,b", "x"]], [""]),
        ("tsx a.ts > log.txt 2>&1 & next dev", [["tsx", "a.ts", ">", "log.txt", "2>&1"], ["next", "dev"]], ["&", ""]),
        ("tsx a.ts &>log && b", [["tsx", "a.ts", "&>log"], ["b"]], ["&&", ""]),
        ("next start -p ${PORT:-3000}", [["next", "start", "-p", "${PORT:-3000}"]], [""]),
        ('eslint --ext ".js,.ts" src', [["eslint", "--ext", ".js,.ts", "src"]], [""]),
        ("run-p dev:*", [["run-p", "dev:*"]], [""]),
        ("rm -rf prisma/*.db**", [["rm", "-rf", "prisma/*.db**"]], [""]),
        ("tsx src/app/[id]/x.ts", [["tsx", "src/app/[id]/x.ts"]], [""]),
    ],
)
def test_a_line_is_split_as_a_shell_does(text: str, words: list[list[str]], operators: list[str]) -> None:
    line = parse_line(text)
    assert line is not None
    assert [[word.text for word in command.words] for command in line.commands] == words
    assert list(line.operators) == operators


def test_the_pieces_of_a_line_put_together_are_the_line() -> None:
    text = "A=1 tsx  'a b.ts' >x  &&next dev&  wait ;"
    line = parse_line(text)
    assert line is not None
    parts = [line.raw(number) for number in range(3)]
    assert parts[0] + line.gap(0) + parts[1] + line.gap(1) + parts[2] + line.tail == text


@pytest.mark.parametrize(
    ("text", "program", "arguments", "assignments"),
    [
        ("next dev", "next", ["dev"], {}),
        ("NODE_ENV=production PORT=4000 node x.js", "node", ["x.js"], {"NODE_ENV": "production", "PORT": "4000"}),
        ("cross-env A=1 B=2 tsx watch a.ts", "tsx", ["watch", "a.ts"], {"A": "1", "B": "2"}),
        ("npx -y tsx@4 a.ts", "tsx", ["a.ts"], {}),
        ("npx cross-env A=1 npx tsx a.ts", "tsx", ["a.ts"], {"A": "1"}),
        ("pnpm exec tsx a.ts", "tsx", ["a.ts"], {}),
        ("pnpm run dev:ws", "pnpm", ["run", "dev:ws"], {}),
        ("./node_modules/.bin/tsx a.ts", "tsx", ["a.ts"], {}),
        ("dotenv -e .env.local -- tsx a.ts", "tsx", ["a.ts"], {}),
        ("dotenv tsx a.ts", "tsx", ["a.ts"], {}),
        ("dotenvx run -f .env -- node a.js", "node", ["a.js"], {}),
        ("env-cmd -f .env.dev tsx a.ts", "tsx", ["a.ts"], {}),
        ("doppler run -- tsx a.ts", "tsx", ["a.ts"], {}),
        ("A=1", "", [], {"A": "1"}),
        ("node a.js > log", "node", ["a.js"], {}),
    ],
)
def test_what_a_command_runs(text: str, program: str, arguments: list[str], assignments: dict[str, str]) -> None:
    line = parse_line(text)
    assert line is not None
    found = invocation_of(line.commands[0])
    assert (found.program, [word.text for word in found.arguments], found.assignments) == (
        program,
        arguments,
        assignments,
    )


def test_the_name_of_a_scoped_package_is_kept() -> None:
    assert program_name("node_modules/.bin/next.cmd") == "next"
    assert program_name("tsx@latest") == "tsx"


@pytest.mark.parametrize(
    ("text", "quote", "word"),
    [
        ("a,b", "", "a,b"),
        ("next dev", "", '"next dev"'),
        ("next dev", "'", "'next dev'"),
        ("it's", "'", '"it\'s"'),
        ('say "x" $Y', '"', '"say \\"x\\" $Y"'),
    ],
)
def test_a_text_becomes_one_word(text: str, quote: str, word: str) -> None:
    assert quoted(text, quote) == word
    line = parse_line(word)
    assert line is not None
    assert [found.text for found in line.commands[0].words] == [text]
