from __future__ import annotations

import pytest

from migrations.discovery.input_fields import InputField, input_fields
from migrations.discovery.layout import find_layout
from migrations.discovery.trpc_client import Place
from migrations.engine import AppView
from migrations.engine.syntax import find_all, text_of

SHARED = "export const turn = z.object({ text: z.string() });\nexport const tone = z.string().optional();\n"


def fields(schema: str, above: str = "") -> dict[str, InputField] | None:
    source = f'import {{ z }} from "zod";\nimport {{ turn, tone }} from "./shared";\n{above}\nconst input = {schema};\n'
    view = AppView.of_files({"src/a.ts": source.encode(), "src/shared.ts": SHARED.encode()})
    file = view.file("src/a.ts")
    assert file is not None
    declared = [node for node in find_all(file.root, "variable_declarator") if text_of(node).startswith("input")]
    value = declared[-1].child_by_field_name("value")
    assert value is not None
    return input_fields(view, find_layout(view), Place(file, value))


KNOWN: dict[str, tuple[str, dict[str, InputField]]] = {
    "kinds": (
        "z.object({ a: z.string().min(1), "
        "b: z.array(z.string()), c: z.number(), d: z.enum(['x']), e: z.string().array() })",
        {
            "a": InputField(False, "string"),
            "b": InputField(False, "array"),
            "c": InputField(False, "number"),
            "d": InputField(False, ""),
            "e": InputField(False, "array"),
        },
    ),
    "optional": (
        'z.object({ a: z.string().optional(), b: z.string().default("x"), "c": z.boolean().nullish() })',
        {"a": InputField(True, "string"), "b": InputField(True, "string"), "c": InputField(True, "boolean")},
    ),
    "strict": ("z.object({ a: z.string() }).strict()", {"a": InputField(False, "string")}),
    "by name": ("turn", {"text": InputField(False, "string")}),
    "extended": (
        "turn.extend({ tone })",
        {"text": InputField(False, "string"), "tone": InputField(True, "string")},
    ),
    "merged": (
        "turn.merge(z.object({ a: z.string() }))",
        {"text": InputField(False, "string"), "a": InputField(False, "string")},
    ),
    "empty": ("z.object({})", {}),
}


@pytest.mark.parametrize(("schema", "expected"), KNOWN.values(), ids=KNOWN)
def test_the_fields_of_an_object_schema_are_read(schema: str, expected: dict[str, InputField]) -> None:
    assert fields(schema) == expected


@pytest.mark.parametrize(
    "schema",
    ["z.string()", "z.union([turn, turn])", "unknown", "z.object(shape)", "turn.partial()", "z.object({ ...x })"],
)
def test_any_other_schema_is_not_known(schema: str) -> None:
    assert fields(schema) is None
