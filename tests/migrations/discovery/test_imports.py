"""What a file imports, and changes to that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from migrations.discovery.imports import ImportChanges, find_import, imports_of, local_name, uses_of
from migrations.engine import AppView, Edits

if TYPE_CHECKING:
    from collections.abc import Callable

    from migrations.engine import SourceFile

SOURCE = """\
"use client";

import { QueryClientProvider, type QueryClient } from "@tanstack/react-query";
import { loggerLink, wsLink } from "@trpc/client";
import React, { useState } from "react";
import * as path from "path";
import type { A, B as C } from "./types";
import "./style.css";

const x: QueryClient = wsLink({ useState });
"""


def file_of(text: str) -> SourceFile:
    file = AppView.of_files({"a.tsx": text.encode()}).file("a.tsx")
    assert file is not None
    return file


def changed(text: str, change: Callable[[ImportChanges], object]) -> str:
    view = AppView.of_files({"a.tsx": text.encode()})
    file = view.file("a.tsx")
    assert file is not None
    edits, changes = Edits(view), ImportChanges(file)
    change(changes)
    changes.apply(edits.source("a.tsx"))
    return next(((c.after or b"").decode() for c in edits.changes()), text)


def split_instead(changes: ImportChanges) -> None:
    changes.add("@trpc/client", "splitLink")
    changes.remove("wsLink", "loggerLink")


def test_every_form_of_import_is_read() -> None:
    found = {
        i.specifier: (i.type_only, [(n.local, n.imported, n.type_only) for n in i.names])
        for i in imports_of(file_of(SOURCE))
    }
    assert found == {
        "@tanstack/react-query": (
            False,
            [("QueryClientProvider", "QueryClientProvider", False), ("QueryClient", "QueryClient", True)],
        ),
        "@trpc/client": (False, [("loggerLink", "loggerLink", False), ("wsLink", "wsLink", False)]),
        "react": (False, [("React", "default", False), ("useState", "useState", False)]),
        "path": (False, [("path", "*", False)]),
        "./types": (True, [("A", "A", False), ("C", "B", False)]),
        "./style.css": (False, []),
    }


def test_where_a_name_comes_from() -> None:
    file = file_of(SOURCE)
    found = find_import(file, "C")
    assert found is not None
    assert (found[0].specifier, found[1].imported) == ("./types", "B")
    assert find_import(file, "x") is None
    assert local_name(file, "default", "react") == "React"
    assert local_name(file, "A", "./types") is None  # a type only


def test_uses_are_those_outside_imports() -> None:
    file = file_of(SOURCE)
    assert [len(uses_of(file, name)) for name in ("wsLink", "loggerLink", "QueryClient", "useState")] == [1, 0, 1, 1]


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.add("@trpc/client", "wsLink"),
        lambda c: c.add("react", default="React"),
        lambda c: c.add("@tanstack/react-query", "QueryClient", type_only=True),
        lambda c: c.remove("nothing"),
        lambda c: None,
    ],
)
def test_what_is_there_already_changes_nothing(change: Callable[[ImportChanges], object]) -> None:
    assert changed(SOURCE, change) == SOURCE


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda c: c.add("@trpc/client", "splitLink"), 'import { loggerLink, splitLink, wsLink } from "@trpc/client";'),
        (lambda c: c.remove("wsLink"), 'import { loggerLink } from "@trpc/client";'),
        (
            split_instead,
            'import { splitLink } from "@trpc/client";',
        ),
        (lambda c: c.remove("React"), 'import { useState } from "react";'),
        (lambda c: c.remove("useState"), 'import React from "react";'),
        (
            lambda c: c.add("@tanstack/react-query", "QueryClient"),
            'import { QueryClient, QueryClientProvider } from "@tanstack/react-query";',
        ),
        (lambda c: c.add("./types", "A0 as D", type_only=True), 'import type { A, A0 as D, B as C } from "./types";'),
    ],
)
def test_names_join_the_import_that_is_there(change: Callable[[ImportChanges], object], line: str) -> None:
    after = changed(SOURCE, change)
    new = [text for text in after.splitlines() if text not in SOURCE.splitlines()]
    assert new == [line]
    assert len(after.splitlines()) == len(SOURCE.splitlines())


def test_a_statement_without_names_left_goes() -> None:
    after = changed(SOURCE, lambda c: c.remove("A", "C"))
    assert after == SOURCE.replace('import type { A, B as C } from "./types";\n', "")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('a();\n\nimport { x } from "m";\n\nb();\n', "a();\n\nb();\n"),
        ('import { x } from "m";\n\nb();\n', "b();\n"),
        ('import { x } from "m";\nb();\n', "b();\n"),
        ('a();\n\nimport { x } from "m";\nb();\n', "a();\n\nb();\n"),
        ('a();\n\nimport { x } from "m";', "a();\n\n"),
        ('import { x } from "m";', ""),
    ],
)
def test_no_two_empty_lines_are_left(before: str, after: str) -> None:
    assert changed(before, lambda c: c.remove("x")) == after


def test_a_name_that_is_added_twice_comes_once() -> None:
    def twice(changes: ImportChanges) -> None:
        changes.add("m", "x")
        changes.add("m", "x", "y")

    assert changed("", twice) == 'import { x, y } from "m";\n'


def test_a_value_does_not_join_an_import_of_types() -> None:
    after = changed('import type { A } from "./types";\n', lambda c: c.add("./types", "make"))
    assert after == 'import type { A } from "./types";\nimport { make } from "./types";\n'


SORTED = """\
import { a } from "alpha";
import { z } from "zod";

import { root } from "~/server/root";
import { helper } from "./helper";
"""


@pytest.mark.parametrize(
    ("specifier", "after"),
    [
        ("beta", SORTED.replace("import { z }", 'import { x } from "beta";\nimport { z }')),
        ("aaa", 'import { x } from "aaa";\n' + SORTED),
        ("~/relay-kit/x", SORTED.replace("import { root }", 'import { x } from "~/relay-kit/x";\nimport { root }')),
        ("~/z", SORTED.replace("import { helper }", 'import { x } from "~/z";\nimport { helper }')),
        ("./z", SORTED + 'import { x } from "./z";\n'),
    ],
)
def test_a_new_import_goes_where_sorted_imports_want_it(specifier: str, after: str) -> None:
    assert changed(SORTED, lambda c: c.add(specifier, "x")) == after


def test_unsorted_imports_get_it_after_those_of_its_kind() -> None:
    source = 'import { z } from "zod";\nimport { b } from "./b";\nimport { a } from "alpha"; // why\n\nz();\n'
    after = changed(source, lambda c: c.add("beta", "x"))
    assert after == source.replace("// why\n", '// why\nimport { x } from "beta";\n')


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'import { x } from "m";\n'),
        ("const a = 1;\n", 'import { x } from "m";\nconst a = 1;\n'),
        ('"use client";\n\nconst a = 1;\n', '"use client";\n\nimport { x } from "m";\nconst a = 1;\n'),
        ('import "./a.css";\n', 'import { x } from "m";\nimport "./a.css";\n'),
        ('import { y } from "n"', 'import { x } from "m"\nimport { y } from "n"'),
        ('import { y } from "a"', 'import { y } from "a"\nimport { x } from "m"'),
    ],
)
def test_a_file_without_imports_of_its_kind(before: str, after: str) -> None:
    assert changed(before, lambda c: c.add("m", "x")) == after


def test_a_long_import_is_broken_over_lines() -> None:
    names = [f"someLongName{letter}" for letter in "abcdef"]
    after = changed("", lambda c: c.add("module", *names))
    assert after == "import {\n" + "".join(f"  {name},\n" for name in names) + '} from "module";\n'


def test_a_single_name_stays_on_its_line_however_long() -> None:
    name = "useSomethingWithAVeryLongName"
    after = changed("", lambda c: c.add("~/somewhere/in/a/deep/folder/of/the/app/there", name))
    assert after == f'import {{ {name} }} from "~/somewhere/in/a/deep/folder/of/the/app/there";\n'


def test_the_files_own_way_is_kept() -> None:
    source = "import { a } from 'alpha'\r\nimport { z } from 'zod'\r\n\r\nexport const b = a(z)\r\n"

    def both(changes: ImportChanges) -> None:
        changes.add("beta", "x")
        changes.add("zod", "y")

    after = changed(source, both)
    assert after == source.replace("import { z }", "import { x } from 'beta'\r\nimport { y, z }")
