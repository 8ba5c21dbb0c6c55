from __future__ import annotations

import pytest

from migrations.discovery.env_schema import find_env_schema, keys_of
from migrations.engine import AppView
from migrations.engine.syntax import find_all
from migrations.hints import AppHints
from relay_server.errors import UsageError
from tests.migrations.env_schemas import SCHEMAS, T3, TWO_OBJECTS


def found(files: dict[str, str], hint: str = "") -> tuple[str, int, list[str], list[str]] | None:
    """Path, line, the sides that are understood and what is not."""
    view = AppView.of_files({path: text.encode() for path, text in files.items()})
    schema = find_env_schema(view, AppHints(env_schema=hint))
    if schema is None:
        return None
    return schema.path, schema.line, [group.side for group in schema.groups], [part.what for part in schema.unclear]


BOTH = ["server", "client"]


@pytest.mark.parametrize("path", ["src/env.js", "src/env.mjs", "env.ts", "src/lib/settings/checked.mts", "app/e.cjs"])
def test_it_is_found_wherever_it_is(path: str) -> None:
    assert found({path: T3}) == (path, 4, BOTH, [])


@pytest.mark.parametrize(
    ("name", "line", "sides"),
    [
        ("experimental runtimeEnv, objects on one line", 4, BOTH),
        ("valibot, env-core, no trailing commas", 8, BOTH),
        ("zod/mini, the server's side alone", 4, ["server"]),
        ("two zod objects", 3, BOTH),
        ("two zod objects with typed values", 3, BOTH),
    ],
)
def test_every_form_is_read(name: str, line: int, sides: list[str]) -> None:
    assert found({"src/env.js": SCHEMAS[name][0]}) == ("src/env.js", line, sides, [])


@pytest.mark.parametrize(
    "decoy",
    [
        T3.replace("@t3-oss/env-nextjs", "./own-env"),
        T3.replace("import { createEnv }", "import type { createEnv }"),
        T3.replace("= createEnv(", "= makeEnv("),
        "// import { createEnv } from '@t3-oss/env-nextjs'; createEnv({ server: {} });\n",
        # A form of a client, and of a server, that has nothing to do with the environment.
        'import { z } from "zod";\nconst server = z.object({});\nconst client = z.object({});\nprocess.env.A;\n',
        TWO_OBJECTS.replace("process.env.NODE_ENV", "{}.NODE_ENV"),
        TWO_OBJECTS.replace("const processEnv", "let other").replace("const client", "const visitor"),
        TWO_OBJECTS.replace('from "zod"', 'from "./zod"'),
    ],
)
def test_what_only_looks_like_one_is_none(decoy: str) -> None:
    assert found({"src/env.js": decoy}) is None


def test_one_in_a_test_does_not_count() -> None:
    assert found({"src/env.test.ts": T3, "src/__tests__/env.ts": T3}) is None
    assert found({"src/env.test.ts": T3, "src/other.ts": T3}) == ("src/other.ts", 4, BOTH, [])


def test_of_several_that_in_the_usual_place_counts() -> None:
    files = {"src/billing/env-of-stripe.ts": T3, "src/env.mjs": T3, "packages/db/src/schema.ts": T3}
    assert found(files) == ("src/env.mjs", 4, BOTH, [])


def test_of_several_that_which_the_owner_names_counts() -> None:
    files = {"src/billing/other.ts": T3, "src/env.mjs": T3}
    assert found(files, "src/billing/other.ts") == ("src/billing/other.ts", 4, BOTH, [])


def test_several_in_odd_places_are_told() -> None:
    assert found({"a/b.ts": T3, "c/d.ts": T3}) == ("a/b.ts", 4, [], ["there is another env schema in c/d.ts:4"])


def test_a_named_file_that_is_not_there_is_told() -> None:
    with pytest.raises(UsageError, match=r"no file src/env\.ts, which partyconfig\.toml names") as caught:
        found({"src/env.js": T3}, "src/env.ts")
    assert "env_schema" in caught.value.next_step


def test_a_named_file_without_a_schema_is_unclear() -> None:
    path, line, sides, unclear = found({"src/env.js": "export {};\n"}, "src/env.js") or ("", 0, [], [])
    assert (path, line, sides) == ("src/env.js", 1, [])
    assert unclear[0].startswith("there is neither a createEnv")


def test_the_sides_of_two_files_are_one_schema() -> None:
    server = T3[: T3.index("  client:")] + "  experimental__runtimeEnv: process.env,\n});\n"
    client = T3[: T3.index("  /**")] + T3[T3.index("  client:") :]
    files = {"src/env/client.ts": client, "src/env/server.ts": server}
    assert found(files) == ("src/env/client.ts", 4, ["client", "server"], [])


def test_keys_are_the_plain_ones() -> None:
    view = AppView.of_files({"a.ts": b'f({ a: 1, "b": 2, c, [d]: 3, ...e, "f-g": 4 });\n'})
    file = view.file("a.ts")
    assert file is not None
    (literal,) = find_all(file.root, "object")
    assert keys_of(literal) == {"a", "b", "c", "f-g"}
