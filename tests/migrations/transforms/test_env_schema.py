from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from migrations.discovery.env_schema import find_env_schema
from migrations.engine import AppView, Edits, Leftover
from migrations.hints import AppHints
from migrations.transforms.env_schema import KIT_VARIABLES, declare_variables
from tests.migrations.engine.apps import FORMATS
from tests.migrations.env_schemas import SCHEMAS, T3, T3_AFTER, TWO_OBJECTS
from tests.migrations.test_kit import KIT
from tests.node import ensure_node_modules

if TYPE_CHECKING:
    from pathlib import Path

PATH = "src/env.js"
EVERY = "RELAY_SECRET, RELAY_URL, NEXT_PUBLIC_RELAY_HOST, NEXT_PUBLIC_CHAT_MODE"


def declared(files: dict[str, bytes] | bytes | str) -> tuple[dict[str, bytes | None], tuple[Leftover, ...]]:
    """The files that change, as they are then, and the leftovers; doing it again changes nothing."""
    if isinstance(files, str):
        files = files.encode()
    view = AppView.of_files({PATH: files} if isinstance(files, bytes) else files)
    schema = find_env_schema(view, AppHints())
    assert schema is not None
    edits = Edits(view)
    leftovers = declare_variables(edits, schema)
    changes = {change.path: change.after for change in edits.changes()}
    after = view.with_changes(changes)
    again = Edits(after)
    schema = find_env_schema(after, AppHints())
    assert schema is not None
    assert [left.what for left in declare_variables(again, schema)] == [left.what for left in leftovers]
    assert again.changes() == ()
    return changes, leftovers


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_variables_are_declared_in_every_form(name: str) -> None:
    before, after = SCHEMAS[name]
    changes, leftovers = declared(before)
    assert (changes[PATH] or b"").decode() == after
    assert leftovers == ()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("schema", ["t3", "two zod objects", "two zod objects with typed values"])
def test_in_every_format(schema: str, name: str) -> None:
    before, after = SCHEMAS[schema]
    assert declared(FORMATS[name].write(before))[0][PATH] == FORMATS[name].write(after)


def test_with_no_comma_at_the_end_the_last_variable_gets_none_either() -> None:
    before = re.sub(r"(NODE_ENV(?:.*))(?=,\n)", r"\1", T3).replace("NODE_ENV,\n", "NODE_ENV\n")
    text = (declared(before)[0][PATH] or b"").decode()
    assert "    NODE_ENV: process.env.NODE_ENV,\n    // NEXT" in text
    assert "    NEXT_PUBLIC_CHAT_MODE: process.env.NEXT_PUBLIC_CHAT_MODE\n  },\n" in text


@pytest.mark.parametrize(
    ("imports", "declared_as"),
    [
        ('import z from "zod";', "z.string().optional()"),
        ('import * as z from "zod";', "z.string().optional()"),
        ('import { z as zod } from "zod";', "zod.string().optional()"),
        ('import { z } from "zod/v3";', "z.string().optional()"),
        ('import { z } from "zod/v4-mini";', "z.optional(z.string())"),
    ],
)
def test_under_the_name_that_the_file_gives_the_library(imports: str, declared_as: str) -> None:
    before = T3.replace('import { z } from "zod";', imports)
    text = (declared(before)[0][PATH] or b"").decode()
    assert f"    RELAY_SECRET: {declared_as},\n" in text


@pytest.mark.parametrize(
    ("indent", "written"),
    [
        (
            "    ",
            '        NEXT_PUBLIC_CHAT_MODE: z.enum(["send-message", "streaming"]).optional(),\n',
        ),
        (
            "     ",
            '          NEXT_PUBLIC_CHAT_MODE: z\n               .enum(["send-message", "streaming"])\n'
            "               .optional(),\n",
        ),
    ],
)
def test_a_line_of_more_than_80_columns_is_broken(indent: str, written: str) -> None:
    before = re.sub(r"^( +)(?! ?\*)", lambda m: indent * (len(m[1]) // 2), T3, flags=re.MULTILINE)
    assert written in (declared(before)[0][PATH] or b"").decode()


def test_variables_that_are_there_stay_as_they_are() -> None:
    """However the app declares them, on whichever side, and with the values that it gives them."""
    before = T3.replace(
        "    // NEXT_PUBLIC_CLIENTVAR: z.string(),\n", '    "NEXT_PUBLIC_RELAY_HOST": z.string().min(3),\n'
    ).replace("  server: {\n", "  shared: {\n    RELAY_SECRET: z.string(),\n  },\n  server: {\n    RELAY_URL: url,\n")
    text = (declared(before)[0][PATH] or b"").decode()
    added = [line.strip() for line in text.splitlines() if line not in before.splitlines()]
    assert added == [
        'NEXT_PUBLIC_CHAT_MODE: z.enum(["send-message", "streaming"]).optional(),',
        "NEXT_PUBLIC_CHAT_MODE: process.env.NEXT_PUBLIC_CHAT_MODE,",
    ]


def test_what_is_there_already_changes_nothing() -> None:
    assert declared(T3_AFTER) == ({}, ())


def test_a_schema_in_two_files_gets_each_side_where_it_is() -> None:
    server = (
        'import { createEnv } from "@t3-oss/env-core";\nimport { z } from "zod";\n\nexport const env = createEnv({\n'
        "  server: {\n    KEY: z.string(),\n  },\n  runtimeEnv: process.env,\n});\n"
    )
    client = (
        'import { createEnv } from "@t3-oss/env-nextjs";\nimport { clientSchema } from "./shape";\n\n'
        "export const env = createEnv({\n  client: clientSchema,\n  runtimeEnv: {\n    A: process.env.A,\n  },\n});\n"
    )
    shape = 'import { z } from "zod";\n\nexport const clientSchema = {\n  A: z.string(),\n};\n'
    changes, leftovers = declared(
        {"src/env/server.ts": server.encode(), "src/env/client.ts": client.encode(), "src/env/shape.ts": shape.encode()}
    )
    assert leftovers == ()
    assert {
        path: [v.name for v in KIT_VARIABLES if v.name.encode() in (data or b"")] for path, data in changes.items()
    } == {
        "src/env/client.ts": ["NEXT_PUBLIC_RELAY_HOST", "NEXT_PUBLIC_CHAT_MODE"],
        "src/env/server.ts": ["RELAY_SECRET", "RELAY_URL"],
        "src/env/shape.ts": ["NEXT_PUBLIC_RELAY_HOST", "NEXT_PUBLIC_CHAT_MODE"],
    }


def test_what_the_browser_gets_under_another_prefix_is_not_for_next() -> None:
    before = SCHEMAS["valibot, env-core, no trailing commas"][0].replace('"NEXT_PUBLIC_"', '"PUBLIC_"')
    text = (declared(before)[0][PATH] or b"").decode()
    assert ("RELAY_SECRET" in text, "NEXT_PUBLIC_RELAY" in text) == (True, False)


@pytest.mark.parametrize(
    ("old", "new", "line", "what", "names"),
    [
        ("createEnv({\n", "createEnv(options);\n({\n", 4, "the options of createEnv cannot be read here", EVERY),
        ("  runtimeEnv: {", "  runtimeEnv: values() ?? {", 14, "runtimeEnv is not an object literal here", EVERY),
        ("  runtimeEnv: {", "  notThis: {", 4, "the runtimeEnv of createEnv is not written here", EVERY),
        ('from "zod"', 'from "./checks"', 6, "by neither zod nor valibot", EVERY),
        ("  server: {", "  server: make({", 6, "the server's variables are not an object", "RELAY_SECRET, RELAY_URL"),
        (
            "  client: {\n    // NEXT_PUBLIC_CLIENTVAR: z.string(),\n  },",
            "  client: wherever.client,",
            10,
            "the client's variables are not an object literal here",
            "NEXT_PUBLIC_RELAY_HOST, NEXT_PUBLIC_CHAT_MODE",
        ),
        (
            "  runtimeEnv: {",
            "  experimental__runtimeEnv: process.env, notThis: {",
            14,
            "experimental__runtimeEnv is not an object literal",
            "NEXT_PUBLIC_RELAY_HOST, NEXT_PUBLIC_CHAT_MODE",
        ),
    ],
)
def test_what_is_not_understood_is_left_to_a_person(old: str, new: str, line: int, what: str, names: str) -> None:
    assert old in T3
    before = T3.replace(old, new)
    if new.endswith("make({"):
        before = before.replace('"production"]),\n  },', '"production"]),\n  }),')
    changes, leftovers = declared(before)
    assert (leftovers[0].file, leftovers[0].line) == (PATH, line)
    assert what in leftovers[0].what
    told = ", ".join(re.findall(r"[A-Z]+_[A-Z_]+", " ".join(left.how for left in leftovers)))
    assert told == names
    written = (changes.get(PATH) or b"").decode()
    assert all((variable.name in written) != (variable.name in told) for variable in KIT_VARIABLES)


def test_a_leftover_is_gone_when_a_person_has_seen_to_it() -> None:
    before = T3.replace("createEnv({\n", f"createEnv(options);\n// {EVERY}\n({{\n")
    assert declared(before) == ({}, ())


def test_a_syntax_error_inside_it_is_left_alone() -> None:
    changes, leftovers = declared(T3.replace("NODE_ENV: z.enum([", "NODE_ENV: = z.enum(["))
    assert changes == {}
    assert [left.line for left in leftovers] == [4]


def test_two_schemas_are_not_chosen_between() -> None:
    changes, leftovers = declared({"a/one.ts": T3.encode(), "b/two.ts": TWO_OBJECTS.encode()})
    assert changes == {}
    assert leftovers == (
        Leftover(
            "a/one.ts",
            4,
            "there is another env schema in b/two.ts:3",
            'set env_schema = "<file>" under [app] in partyconfig.toml',
        ),
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("form", [name for name in FORMATS if name not in ("no final newline", "everything odd")])
def test_prettier_is_content_with_what_is_written(name: str, form: str, tmp_path: Path) -> None:
    """With the settings that each format stands for."""
    style = FORMATS[form].style
    # In JavaScript the brackets of a type in a comment stay.
    file = tmp_path / ("env.js" if "@satisfies" in SCHEMAS[name][0] else "env.ts")
    file.write_bytes(declared(FORMATS[form].write(SCHEMAS[name][0]))[0][PATH] or b"")
    options = [f"--tab-width={len(style.indent) if style.indent != chr(9) else 2}", "--no-config"]
    options += ["--use-tabs"] * (style.indent == "\t") + ["--no-semi"] * (not style.semicolons)
    options += ["--single-quote"] * (style.quote == "'") + ["--end-of-line=crlf"] * (style.newline == "\r\n")
    options += ["--trailing-comma=none"] * ("no trailing" in name)
    done = ensure_node_modules(KIT).run("prettier", "--check", *options, str(file))
    assert done.returncode == 0, f"{file.read_text()}\n{done.stdout}{done.stderr}"
