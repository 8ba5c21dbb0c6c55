from __future__ import annotations

import pytest

from migrations.discovery.layout import find_layout
from migrations.discovery.procedures import procedures_of
from migrations.engine import AppView, Blocked, Edits
from migrations.transforms.track_id import fit_track_id, needs_zod
from tests.migrations.procedure_app import ROUTER, view

ZOD = 'import { z } from "zod";\n'
SCHEMAS = "src/schemas.ts"
SHARED = """\
import { z } from "zod";

export const id = z.string().uuid();
export const text = z.string().min(1);
export const chatInput = z.object({ trackId: id, message: z.string() });
export const bare = z.object({ message: z.string() });
export const checked = bare.refine((input) => input.message !== "");
export const fields = { trackId: z.string().uuid() };
"""


def fitted(schema: str, imports: str = ZOD, shared: str = SHARED) -> tuple[AppView, Blocked | None]:
    body = f"{imports}\nexport const s = p.input({schema}).subscription(async function* () {{}});\n"
    app_view = view(body.encode(), others={SCHEMAS: shared.encode()})
    file = app_view.file(ROUTER)
    assert file is not None
    layout = find_layout(app_view)
    (procedure,) = procedures_of(app_view, layout, file, "subscription")
    edits = Edits(app_view)
    blocked = fit_track_id(app_view, layout, procedure, edits)
    return app_view.with_changes({change.path: change.after for change in edits.changes()}), blocked


def schema_after(schema: str, imports: str = ZOD) -> str:
    done, blocked = fitted(schema, imports)
    assert blocked is None
    text = (done.read(ROUTER) or b"").decode()
    return text[text.index("p.input(") + len("p.input(") : text.index(").subscription(")]


FITS = [
    "z.object({ trackId: z.string() })",
    "z.object({ trackId: z.string().min(1).describe('a: b') })",
    "z.object({ 'trackId': z.string().nonempty().trim().optional() }).strict()",
    "z.strictObject({ trackId: z.string() })",
    "z.object({ message: z.string() }).extend({ trackId: z.string() })",
    "z.object({ message: z.string() }).merge(z.object({ trackId: z.string() }))",
    "z.object({ ...base.shape, trackId: z.string() })",
]


@pytest.mark.parametrize("schema", FITS)
def test_a_schema_that_takes_every_track_id_is_left_alone(schema: str) -> None:
    assert schema_after(schema) == schema


REFUSED = {
    "z.string()": "the input is no object",
    "z.union([a, b])": "the input is no object",
    "type({ trackId: 'string' })": "could be found",
    "(input: unknown) => input": "could be found",
    "unknownInput": "could be read",
    "z.object({ trackId: z.number() })": "trackId is no string",
    "z.object({ trackId: z.string().transform((id) => id.length) })": "may not take every track id",
    "z.object({ trackId: z.string().refine(isKnown) })": "may not take every track id",
    "z.object({ trackId: unknownId })": "schema of trackId could not be read",
    "z.object({ trackId: z.string() }).omit({ trackId: true })": ".omit() changes the input's schema",
    "z.object({ trackId: z.string() }).transform(read)": ".transform() changes the input's schema",
    "z.object({ ...unknown })": "could not be read",
    "z.object(unknown)": "could not be read",
}


@pytest.mark.parametrize("schema", REFUSED)
def test_a_schema_that_is_not_understood_is_refused_and_nothing_is_edited(schema: str) -> None:
    done, blocked = fitted(schema)
    assert blocked is not None
    assert REFUSED[schema].replace("could be found", "so that its trackId can be found") in blocked.reason or (
        REFUSED[schema] in blocked.reason
    )
    assert (blocked.file, blocked.line) == (ROUTER, 3)
    assert f"p.input({schema})" in (done.read(ROUTER) or b"").decode()


def test_no_input_is_refused() -> None:
    body = b"\nexport const s = p.subscription(async function* () {});\n"
    app_view = view(body)
    file = app_view.file(ROUTER)
    assert file is not None
    (procedure,) = procedures_of(app_view, find_layout(app_view), file, "subscription")
    blocked = fit_track_id(app_view, find_layout(app_view), procedure, Edits(app_view))
    assert blocked is not None
    assert (blocked.reason, blocked.line) == ("s takes no input, and a reply over the relay needs a trackId", 2)


@pytest.mark.parametrize(
    ("field", "after"),
    [
        ("z.string().uuid()", "z.string()"),
        ('z.string().uuid({ message: "no id" })', "z.string()"),
        ("z.uuid()", "z.string()"),
        ("z.uuidv4()", "z.string()"),
        ("z.cuid2()", "z.string()"),
        ("z.string().cuid()", "z.string()"),
        ("z.string().length(36)", "z.string()"),
        ("z.string().min(1).max(64)", "z.string().min(1)"),
        ("z.string().min(64)", "z.string()"),
        ("z.string().regex(/^a/)", "z.string()"),
        ("z.string().uuid().describe('x').optional()", "z.string().describe('x').optional()"),
        ("z\n    .string()\n    .uuid()", "z.string()"),
    ],
)
def test_a_narrow_track_id_becomes_any_string(field: str, after: str) -> None:
    schema = f"z.object({{ trackId: {field}, message: z.string().uuid() }})"
    assert schema_after(schema) == f"z.object({{ trackId: {after}, message: z.string().uuid() }})"


@pytest.mark.parametrize(
    "imports", ['import * as zod from "zod";\n', 'import zod from "zod/v4";\n', 'import { z as zod } from "zod";\n']
)
def test_zod_is_called_what_the_file_calls_it(imports: str) -> None:
    assert schema_after("zod.object({ trackId: zod.uuid() })", imports) == "zod.object({ trackId: zod.string() })"


@pytest.mark.parametrize(
    ("schema", "after"),
    [
        ("z.object({ message: z.string() })", "z.object({ trackId: z.string(), message: z.string() })"),
        ("z.object({})", "z.object({ trackId: z.string() })"),
        (
            "z.object({\n    message: z.string(),\n  })",
            "z.object({\n    trackId: z.string(),\n    message: z.string(),\n  })",
        ),
        (
            "z.object({ // fields\n    message: z.string(),\n  })",
            "z.object({ // fields\n    trackId: z.string(),\n    message: z.string(),\n  })",
        ),
        (
            "z.object({ message: z.string() }).strict()",
            "z.object({ trackId: z.string(), message: z.string() }).strict()",
        ),
    ],
)
def test_a_field_that_is_missing_is_added(schema: str, after: str) -> None:
    assert schema_after(schema) == after


def test_a_schema_with_a_name_is_followed_and_widened_where_it_is_made() -> None:
    imports = ZOD + 'import { chatInput } from "~/schemas";\n'
    done, blocked = fitted("chatInput", imports)
    assert blocked is None
    assert (done.read(SCHEMAS) or b"").decode() == SHARED.replace("trackId: id", "trackId: z.string()")


def test_a_field_with_a_wide_schema_of_its_own_is_left_alone() -> None:
    imports = ZOD + 'import { text } from "~/schemas";\n'
    assert schema_after("z.object({ trackId: text })", imports) == "z.object({ trackId: text })"


def test_a_named_schema_without_the_field_is_extended_at_its_place() -> None:
    """The schema itself may be the mutation's too."""
    done, blocked = fitted("bare", 'import { bare } from "~/schemas";\n')
    assert blocked is None
    assert (done.read(SCHEMAS) or b"").decode() == SHARED
    file = done.file(ROUTER)
    assert file is not None
    assert "p.input(bare.extend({ trackId: z.string() }))" in file.text
    assert needs_zod(file)


def test_one_that_cannot_be_extended_is_refused() -> None:
    _, blocked = fitted("checked", ZOD + 'import { checked } from "~/schemas";\n')
    assert blocked is not None
    assert blocked.reason == "the input has no trackId"


def test_fields_in_an_object_that_is_spread_are_followed() -> None:
    done, blocked = fitted(
        "z.object({ ...fields, message: z.string() })", ZOD + 'import { fields } from "~/schemas";\n'
    )
    assert blocked is None
    assert "fields = { trackId: z.string() }" in (done.read(SCHEMAS) or b"").decode()


def test_the_last_of_several_inputs_counts() -> None:
    done, blocked = fitted("z.object({ message: z.string() })).input(z.object({ trackId: z.uuid() })")
    assert blocked is None
    assert ".input(z.object({ trackId: z.string() }))" in (done.read(ROUTER) or b"").decode()
