"""The input of the streaming procedure takes the track id of a reply, `<room>:<uuid>`: any string, and it is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.discovery.chains import chain_of
from migrations.discovery.imports import imports_of
from migrations.discovery.trpc_client import Place, definition_of, property_of, unwrapped
from migrations.engine import Blocked
from migrations.engine.syntax import text_of
from migrations.transforms.object_members import add_member

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from migrations.discovery.chains import Call
    from migrations.discovery.layout import Layout
    from migrations.discovery.procedures import Procedure
    from migrations.engine import AppView, Edits, SourceFile

FIELD = "trackId"
_OBJECTS = frozenset({"object", "strictObject", "looseObject"})
# Methods of an object schema after which its fields are still there as they were.
_KEEP_FIELDS = frozenset(
    {"strict", "passthrough", "loose", "strip", "catchall", "describe", "meta", "readonly", "brand"}
)
_KEEP_FIELDS |= {"refine", "superRefine", "check", "register", "optional", "nullish", "nullable", "default"}
_ADD_FIELDS = frozenset({"extend", "safeExtend", "merge", "setKey"})
_NO_EXTEND = frozenset({"refine", "superRefine", "check", "optional", "nullish", "nullable", "default"})
# What a string may be asked for so that a track id still passes: the schema's kinds, and methods of `z.string()`.
_NARROW_KINDS = frozenset(
    {
        "uuid",
        "uuidv4",
        "uuidv6",
        "uuidv7",
        "guid",
        "cuid",
        "cuid2",
        "ulid",
        "nanoid",
        "ksuid",
        "xid",
        "base64url",
        "hex",
    }
)
_NARROW_METHODS = _NARROW_KINDS | {"length", "min", "max", "regex", "startsWith", "endsWith", "includes", "lowercase"}
_WIDE_METHODS = frozenset({"nonempty", "describe", "meta", "trim", "optional", "nullish", "nullable", "readonly"})
_SHORTEST = 36
_DEEPEST = 8
_BY_HAND = f"let the input have `{FIELD}: z.string()`, and run this again"


class _Unknown(Exception):
    def __init__(self, reason: str, place: Place) -> None:
        super().__init__(reason)
        self.blocked = Blocked(reason, place.file.path, place.line, _BY_HAND)


def fit_track_id(view: AppView, layout: Layout, procedure: Procedure, edits: Edits) -> Blocked | None:
    """Edit the schema so that it takes a track id: `z.string().uuid()` and the like become `z.string()`, and a field
    that is missing is added where the schema is written down in the procedure, else by `.extend`.
    """
    schemas = [Place(procedure.file, node) for node in inputs_of(procedure)]
    if not schemas:
        return Blocked(
            f"{procedure.path} takes no input, and a reply over the relay needs a {FIELD}",
            procedure.file.path,
            procedure.line,
            _BY_HAND,
        )
    try:
        for schema in reversed(schemas):
            field = _field(view, layout, schema, _DEEPEST)
            if field is not None:
                return _widen(view, layout, field, edits)
        return _add(view, layout, schemas[-1], edits)
    except _Unknown as unknown:
        return unknown.blocked


def inputs_of(procedure: Procedure) -> list[Node]:
    """The arguments of every `.input(...)` in the chain of a procedure, in their order."""
    return [call.arguments[0] for call in chain_of(procedure.call)[1] if call.name == "input" and call.arguments]


def _field(view: AppView, layout: Layout, schema: Place, depth: int) -> Place | None:
    """The value of `trackId` in an object schema, None if it has none. Raises _Unknown."""
    file = schema.file
    root, calls = chain_of(schema.node)
    if root.type != "identifier" or not depth:
        raise _Unknown(f"the input's schema is not written so that its {FIELD} can be found", schema)
    if _is_zod(file, root):
        if not calls or calls[0].name not in _OBJECTS or not calls[0].arguments:
            raise _Unknown("the input is no object", schema)
        found = _in_shape(view, layout, Place(file, calls[0].arguments[0]), depth)
        calls = calls[1:]
    else:
        known = definition_of(view, layout, Place(file, root))
        if known is None or known.node.type != "call_expression":
            raise _Unknown(f"the input's schema {text_of(root)} is not made in the app where it could be read", schema)
        found = _field(view, layout, known, depth - 1)
    for call in calls:
        if call.name in _ADD_FIELDS and call.arguments:
            added = Place(file, call.arguments[0])
            is_shape = unwrapped(added.node).type == "object"
            in_it = (_in_shape if is_shape else _field)(view, layout, added, depth - 1)
            found = in_it if in_it is not None else found
        elif call.name not in _KEEP_FIELDS:
            raise _Unknown(f".{call.name}() changes the input's schema", Place(file, call.node))
    return found


def _in_shape(view: AppView, layout: Layout, shape: Place, depth: int) -> Place | None:
    node = unwrapped(shape.node)
    if node.type in ("identifier", "member_expression"):
        known = definition_of(view, layout, Place(shape.file, node)) if node.type == "identifier" else None
        if known is None or known.node.type != "object" or not depth:
            raise _Unknown(f"the fields {text_of(node)} of the input's schema could not be read", shape)
        return _in_shape(view, layout, known, depth - 1)
    value = property_of(node, FIELD)
    if value is not None:
        return Place(shape.file, value)
    for member in node.named_children:
        if member.type == "spread_element":
            spread = member.named_children[0]
            if spread.type == "member_expression" and text_of(spread).endswith(".shape"):
                owner = spread.child_by_field_name("object")
                found = _field(view, layout, Place(shape.file, owner), depth - 1) if owner is not None else None
            else:
                found = _in_shape(view, layout, Place(shape.file, spread), depth - 1)
            if found is not None:
                return found
    return None


def _widen(view: AppView, layout: Layout, field: Place, edits: Edits) -> Blocked | None:
    """Make the field a string of any form, if it is not."""
    root, calls = chain_of(field.node)
    if not _is_zod(field.file, root):
        named = root.type in ("identifier", "shorthand_property_identifier")
        known = definition_of(view, layout, Place(field.file, root)) if named else None
        first, inner = chain_of(known.node) if known is not None else (root, [])
        if known is None or not _is_zod(known.file, first):
            raise _Unknown(f"the schema of {FIELD} could not be read", field)
        calls = [*inner, *calls]
    kept = _kept(calls, field)
    if len(kept) == len(calls):
        return None
    z = _zod_name(field.file)
    if not z:
        raise _Unknown(f"the schema of {FIELD} does not take every track id", field)
    text = f"{z}.string()" + "".join(_text(call) for call in kept if call.name != "string")
    if field.node.type == "shorthand_property_identifier":
        text = f"{FIELD}: {text}"
    edits.source(field.file.path).replace_node(field.node, text)
    return None


def _kept(calls: Sequence[Call], field: Place) -> list[Call]:
    """The calls of a string's schema that every track id passes. Raises _Unknown for another schema."""
    if not calls or (calls[0].name != "string" and calls[0].name not in _NARROW_KINDS):
        raise _Unknown(f"{FIELD} is no string", field)
    kept = [calls[0]] if calls[0].name == "string" else []
    for call in calls[1:]:
        if call.name in _WIDE_METHODS or (call.name == "min" and _is_low(call)):
            kept.append(call)
        elif call.name not in _NARROW_METHODS:
            raise _Unknown(f".{call.name}() on {FIELD} may not take every track id", field)
    return kept


def _is_low(call: Call) -> bool:
    least = text_of(call.arguments[0]) if call.arguments else ""
    return re.fullmatch(r"\d+", least) is not None and int(least) <= _SHORTEST


def _add(view: AppView, layout: Layout, schema: Place, edits: Edits) -> Blocked | None:
    """Add the field to a schema that has none."""
    file = schema.file
    edit = edits.source(file.path)
    root, calls = chain_of(schema.node)
    if _is_zod(file, root):
        shape = unwrapped(calls[0].arguments[0])
        if shape.type == "object":
            add_member(edit, shape, f"{FIELD}: {text_of(root)}.string()", may_break=False)
            return None
    z = _zod_name(file)
    names = {name.local for statement in imports_of(file) for name in statement.names}
    if not z and "z" in names:
        raise _Unknown(f"the input has no {FIELD}, and `z` is something else here", schema)
    known = definition_of(view, layout, Place(file, root))
    if _NO_EXTEND & {call.name for call in (*calls, *(chain_of(known.node)[1] if known is not None else ()))}:
        raise _Unknown(f"the input has no {FIELD}", schema)
    edit.insert(schema.node.end_byte, f".extend({{ {FIELD}: {z or 'z'}.string() }})")
    return None


def needs_zod(file: SourceFile) -> bool:
    """Whether a file uses `z` without having it from zod."""
    return not _zod_name(file) and re.search(r"\bz\.string\(\)", file.text) is not None


def _zod_name(file: SourceFile) -> str:
    for statement in imports_of(file):
        if re.match(r"zod(/|$)", statement.specifier) and not statement.type_only:
            for name in statement.names:
                if name.imported in ("z", "*", "default") and not name.type_only:
                    return name.local
    return ""


def _is_zod(file: SourceFile, root: Node) -> bool:
    return root.type == "identifier" and text_of(root) == _zod_name(file)


def _text(call: Call) -> str:
    arguments = call.node.child_by_field_name("arguments")
    return f".{call.name}{text_of(arguments) if arguments is not None else '()'}"
