"""The schema that checks an app's environment variables: T3's `createEnv`, or the zod objects of older T3 apps."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from migrations.discovery.imports import imports_of, local_name
from migrations.discovery.layout import Layout, find_layout
from migrations.discovery.nodes import arguments_of, without_comments
from migrations.discovery.procedures import is_test
from migrations.discovery.trpc_client import Place, definition_of, property_of, unwrapped
from migrations.engine.syntax import find_all, text_of
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tree_sitter import Node

    from migrations.engine import AppView, SourceFile
    from migrations.hints import AppHints

Side: TypeAlias = Literal["server", "client"]

SIDES: tuple[Side, ...] = ("server", "client")
# Next.js writes the values of these, and no others, into what the browser gets.
CLIENT_PREFIX = "NEXT_PUBLIC_"

_NEXTJS, _CORE = "@t3-oss/env-nextjs", "@t3-oss/env-core"
_ZOD = ("zod", "zod/v3", "zod/v4")
_ZOD_MINI = ("zod/mini", "zod/v4/mini", "zod/v4-mini", "@zod/mini")
# Where T3 apps have it, and what env.t3.gg shows for a schema in two files.
_USUAL = re.compile(r"(src/)?(lib/|config/)?env(/\w+)?\.[cm]?[jt]s")
# The variables of T3's own templates before createEnv, the newest first: schemas, and the values they are put to.
_SCHEMAS: dict[Side, tuple[str, ...]] = {
    "server": ("server", "serverSchema"),
    "client": ("client", "clientSchema"),
}
_VALUES: dict[Side, tuple[str, ...]] = {
    "server": ("processEnv", "serverEnv"),
    "client": ("processEnv", "clientEnv"),
}


@dataclass(frozen=True, slots=True)
class Validator:
    """The library that the schema is written with. `name` is what the file calls it; a `functional` one wraps
    (`v.optional(v.string())`) where zod chains; `choice` is its word for one of several texts.
    """

    name: str
    functional: bool = False
    choice: str = "enum"


@dataclass(frozen=True, slots=True)
class EnvGroup:
    """The variables of one side: the object that declares them, and the one that puts each to its `process.env` value
    (None where that is read as a whole). `typed_values` says that the values must have the declared types already.
    """

    side: Side
    declared: Place
    values: Place | None
    validator: Validator
    typed_values: bool = False


@dataclass(frozen=True, slots=True)
class Unclear:
    """A place of the schema that cannot be added to, and why."""

    path: str
    line: int
    sides: tuple[Side, ...]
    what: str
    how: str = ""


@dataclass(frozen=True, slots=True)
class EnvSchema:
    """Where the schema is, by file and line, and what of it is understood. `names` are the variables that it has."""

    path: str
    line: int
    groups: tuple[EnvGroup, ...] = ()
    unclear: tuple[Unclear, ...] = ()
    names: frozenset[str] = frozenset()


def find_env_schema(view: AppView, hints: AppHints, layout: Layout | None = None) -> EnvSchema | None:
    """The app's schema, or None if it has none that T3's templates would lead to.

    Raises UsageError: there is no such file as the one that partyconfig.toml names.
    """
    layout = layout or find_layout(view)
    schemas = [schema for file in _candidates(view, hints) for schema in _read(view, layout, file)]
    if hints.env_schema and not schemas:
        what = "there is neither a createEnv of @t3-oss/env nor a pair of zod objects named server and client"
        return EnvSchema(hints.env_schema, 1, unclear=(Unclear(hints.env_schema, 1, SIDES, what),))
    return _one(schemas)


def keys_of(node: Node) -> frozenset[str]:
    """The plain keys of an object literal."""
    keys = set()
    for member in node.named_children:
        key = member if member.type == "shorthand_property_identifier" else member.child_by_field_name("key")
        if key is not None and key.type in ("property_identifier", "string", "shorthand_property_identifier"):
            keys.add(text_of(key).strip("\"'"))
    return frozenset(keys)


def _candidates(view: AppView, hints: AppHints) -> Iterator[SourceFile]:
    if hints.env_schema:
        file = view.file(hints.env_schema)
        if file is None:
            raise UsageError(
                f"there is no file {hints.env_schema}, which partyconfig.toml names as the env schema",
                next_step="correct env_schema under [app] in partyconfig.toml, or take it out",
                code="no_such_file",
            )
        yield file
        return
    files = {file.path: file for file in view.sources("createEnv", "@t3-oss/env")}
    for values in dict.fromkeys(name for names in _VALUES.values() for name in names):
        files |= {file.path: file for file in view.sources(values, "process.env", ".object(")}
    yield from (files[path] for path in sorted(files) if not is_test(path))


def _one(schemas: list[EnvSchema]) -> EnvSchema | None:
    """Of several schemas the app's own; one with the server's side and one with the client's are one."""
    for likely in (schemas, [schema for schema in schemas if _USUAL.fullmatch(schema.path)]):
        sides = [side for schema in likely for side in _sides(schema)]
        if likely and len(sides) == len(set(sides)):
            return EnvSchema(
                likely[0].path,
                likely[0].line,
                tuple(group for schema in likely for group in schema.groups),
                tuple(unclear for schema in likely for unclear in schema.unclear),
                frozenset[str]().union(*(schema.names for schema in likely)),
            )
    if not schemas:
        return None
    first, *others = schemas
    unclear = Unclear(
        first.path,
        first.line,
        SIDES,
        f"there is another env schema in {', '.join(f'{other.path}:{other.line}' for other in others)}",
        'set env_schema = "<file>" under [app] in partyconfig.toml',
    )
    return EnvSchema(first.path, first.line, unclear=(unclear,))


def _sides(schema: EnvSchema) -> set[Side]:
    return {group.side for group in schema.groups} | {side for unclear in schema.unclear for side in unclear.sides}


def _read(view: AppView, layout: Layout, file: SourceFile) -> Iterator[EnvSchema]:
    nextjs, core = local_name(file, "createEnv", _NEXTJS), local_name(file, "createEnv", _CORE)
    if nextjs is None and core is None:
        yield from _older(view, layout, file)
        return
    for call in find_all(file.root, "call_expression"):
        function = call.child_by_field_name("function")
        if function is not None and function.type == "identifier" and text_of(function) in (nextjs, core):
            yield _Reader(view, layout, file).create_env(call, is_core=text_of(function) == core)


@dataclass
class _Reader:
    """Reads one schema."""

    view: AppView
    layout: Layout
    file: SourceFile

    def create_env(self, call: Node, *, is_core: bool) -> EnvSchema:
        line = self.file.line_of(call.start_byte)
        given = arguments_of(call)
        options = self._object(Place(self.file, given[0])) if given else None
        if options is None or options.node.has_error:
            what = "the options of createEnv cannot be read here"
            return EnvSchema(self.file.path, line, unclear=(Unclear(self.file.path, line, SIDES, what),))
        groups: list[EnvGroup] = []
        unclear: list[Unclear] = []
        names: set[str] = set()
        for part in ("shared", *SIDES):
            value = property_of(options.node, part)
            declared = self._object(Place(options.file, value)) if value is not None else None
            if declared is not None:
                names |= keys_of(declared.node)
        for side in SIDES:
            value = property_of(options.node, side)
            if value is None or (side == "client" and is_core and not _is_for_next(options.node)):
                continue
            group = self._group(
                side, Place(options.file, value), self._values(Place(self.file, call), options, side, is_core=is_core)
            )
            (groups if isinstance(group, EnvGroup) else unclear).append(group)  # type: ignore[arg-type]
        return EnvSchema(self.file.path, line, tuple(groups), _merged(unclear), frozenset(names))

    def older(self, schemas: dict[Side, Place], values: dict[Side, Place]) -> EnvSchema:
        """The form before createEnv: objects for zod, and objects of values."""
        groups: list[EnvGroup] = []
        unclear: list[Unclear] = []
        for side, place in schemas.items():
            typed = text_of(_name_of(values[side].node)) != "processEnv" if side in values else False
            group = self._group(side, place, values.get(side), typed_values=typed)
            (groups if isinstance(group, EnvGroup) else unclear).append(group)  # type: ignore[arg-type]
        names = [keys_of(group.declared.node) for group in groups]
        first = min(schemas.values(), key=lambda place: place.node.start_byte)
        return EnvSchema(self.file.path, first.line, tuple(groups), _merged(unclear), frozenset[str]().union(*names))

    def _group(
        self, side: Side, value: Place, values: Place | Unclear | None, *, typed_values: bool = False
    ) -> EnvGroup | Unclear:
        declared = self._object(value)
        if declared is None or declared.node.has_error:
            return _unclear(value, side, f"the {side}'s variables are not an object literal here")
        if isinstance(values, Unclear):
            return values
        validator = _validator(declared.file)
        if validator is None:
            return _unclear(declared, side, f"the {side}'s variables are checked by neither zod nor valibot")
        return EnvGroup(side, declared, values, validator, typed_values)

    def _values(self, call: Place, options: Place, side: Side, *, is_core: bool) -> Place | Unclear | None:
        """Where the values of that side are put (env.t3.gg, createEnv)."""
        for name in ("experimental__runtimeEnv", "runtimeEnv", "runtimeEnvStrict"):
            value = property_of(options.node, name)
            if value is None:
                continue
            if name.startswith("experimental") and side == "server":
                return None
            place = self._object(Place(options.file, value))
            whole = text_of(unwrapped(value)) == "process.env" and not name.startswith("experimental")
            if place is not None or whole or (is_core and name == "runtimeEnv"):
                return place
            return _unclear(Place(options.file, value), side, f"{name} is not an object literal here")
        return _unclear(call, side, "the runtimeEnv of createEnv is not written here")

    def _object(self, place: Place) -> Place | None:
        node = unwrapped(place.node)
        if node.type in ("identifier", "shorthand_property_identifier"):
            known = definition_of(self.view, self.layout, Place(place.file, node))
            return known if known is not None and known.node.type == "object" else None
        return Place(place.file, node) if node.type == "object" else None


def _unclear(place: Place, side: Side, what: str) -> Unclear:
    return Unclear(place.file.path, place.line, (side,), what)


def _merged(places: Iterable[Unclear]) -> tuple[Unclear, ...]:
    """Each place once, with all the sides that it concerns."""
    merged: dict[tuple[str, int, str], Unclear] = {}
    for unclear in places:
        key = (unclear.path, unclear.line, unclear.what)
        before = merged[key].sides if key in merged else ()
        merged[key] = replace(unclear, sides=(*before, *unclear.sides))
    return tuple(merged.values())


def _is_for_next(options: Node) -> bool:
    """Whether what createEnv of env-core takes for the browser is what Next.js does."""
    prefix = property_of(options, "clientPrefix")
    return prefix is not None and text_of(unwrapped(prefix)).strip("\"'`") == CLIENT_PREFIX


def _older(view: AppView, layout: Layout, file: SourceFile) -> Iterator[EnvSchema]:
    constants = dict(constants_of(file))
    zod = _validator(file)
    schemas: dict[Side, Place] = {}
    values: dict[Side, Place] = {}
    for side in SIDES:
        for name in _SCHEMAS[side]:
            shape = _shape(constants[name], zod) if name in constants and zod is not None else None
            if shape is not None:
                schemas.setdefault(side, Place(file, shape))
        for name in _VALUES[side]:
            if name in constants and _is_environment(constants[name]):
                values.setdefault(side, Place(file, constants[name]))
    if len(schemas) == 2 and "client" in values:
        yield _Reader(view, layout, file).older(schemas, values)


def constants_of(file: SourceFile) -> Iterator[tuple[str, Node]]:
    """Names and values of the constants at the top of a file."""
    for statement in file.root.named_children:
        inner = statement.child_by_field_name("declaration") if statement.type == "export_statement" else statement
        for declared in inner.named_children if inner is not None and inner.type == "lexical_declaration" else ():
            name, value = declared.child_by_field_name("name"), declared.child_by_field_name("value")
            if name is not None and value is not None:
                yield text_of(name), unwrapped(value)


def _name_of(value: Node) -> Node:
    """The name of the constant that has this value."""
    node = value
    while node.parent is not None and node.type != "variable_declarator":
        node = node.parent
    return node.child_by_field_name("name") or node


def _shape(call: Node, zod: Validator) -> Node | None:
    """The object of `z.object({...})`."""
    function, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    if call.type != "call_expression" or function is None or text_of(function) != f"{zod.name}.object":
        return None
    given: Iterable[Node] = arguments.named_children if arguments is not None else ()
    return next((unwrapped(node) for node in given if node.type != "comment"), None)


def _is_environment(value: Node) -> bool:
    """An object of nothing but `NAME: process.env.NAME`."""
    if value.type != "object" or value.has_error:
        return False
    return all("process.env" in text_of(pair.child_by_field_name("value") or pair) for pair in without_comments(value))


def _validator(file: SourceFile) -> Validator | None:
    for statement in imports_of(file):
        for name in statement.names:
            if statement.type_only or name.type_only:
                continue
            if statement.specifier in (*_ZOD, *_ZOD_MINI) and name.imported in ("z", "default", "*"):
                return Validator(name.local, functional=statement.specifier in _ZOD_MINI)
            if statement.specifier == "valibot" and name.imported == "*":
                return Validator(name.local, functional=True, choice="picklist")
    return None
