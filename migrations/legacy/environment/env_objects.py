"""Where code declares environment variables: env schemas with their runtime pair, Next's runtime config, types."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal, TypeAlias

from migrations.discovery.env_schema import constants_of
from migrations.discovery.imports import find_import
from migrations.discovery.nodes import arguments_of, field, key_name, without_comments
from migrations.discovery.trpc_client import Place, definition_of, property_of, unwrapped
from migrations.engine.syntax import TYPESCRIPT_SUFFIXES, find_all, text_of
from migrations.legacy.member_removal import remove_members

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine.edits import Edits
    from migrations.engine.source import SourceFile
    from migrations.engine.view import AppView

Kind: TypeAlias = Literal["env schema", "runtime config", "type"]

# What createEnv takes (env.t3.gg), and the constants of T3's templates before it.
_PARTS = ("shared", "server", "client", "runtimeEnv", "runtimeEnvStrict", "experimental__runtimeEnv")
_VALUES = frozenset({"processEnv", "serverEnv", "clientEnv", "runtimeEnv"})
_SCHEMAS = frozenset({"server", "client", "serverSchema", "clientSchema"})
_PARSED = re.compile(rb"\b(?:safeP|p)arse(?:Async)?\(\s*\w*\.?\w*[eE]nv\b")
_SCHEMA_NAMED = re.compile(rb"\b(?:server|client|serverSchema|clientSchema)\s*=\s*\w+\.object\(")
_RUNTIME_CONFIGS = frozenset({"publicRuntimeConfig", "serverRuntimeConfig"})
_NEXT_CONFIG = re.compile(r"next\.config\.[cm]?[jt]s")
_INTERFACES = ("ProcessEnv", "ImportMetaEnv")


@dataclass(frozen=True, eq=False)
class DeclaredMember:
    """A member of an object (or interface) that declares a variable; `holder` is the pair that the object is under in
    next.config, None elsewhere.
    """

    file: SourceFile
    name: str
    member: Node
    container: Node
    kind: Kind
    holder: Node | None = None

    @property
    def line(self) -> int:
        return self.file.line_of(self.member.start_byte)

    def covers(self, at: int) -> bool:
        """Whether a byte of the file is within the member."""
        return self.member.start_byte <= at < self.member.end_byte


def declared_members(view: AppView, layout: Layout) -> tuple[DeclaredMember, ...]:
    """Every declaration, by file and place."""
    found: dict[tuple[str, int], DeclaredMember] = {}
    for place, kind, holder in _containers(view, layout):
        if place.node.has_error:
            continue
        for member in without_comments(place.node):
            name = _name(member)
            if name:
                declared = DeclaredMember(place.file, name, member, place.node, kind, holder)
                found.setdefault((place.file.path, member.start_byte), declared)
    return tuple(found[key] for key in sorted(found))


def remove_declared(edits: Edits, members: Sequence[DeclaredMember], elsewhere: Collection[str]) -> None:
    """Take the members out. An object of next.config that has none left goes too, unless its name is among those that
    are read `elsewhere`.
    """
    by_container: dict[tuple[str, int], list[DeclaredMember]] = {}
    for declared in members:
        by_container.setdefault((declared.file.path, declared.container.start_byte), []).append(declared)
    wanted: dict[tuple[str, int], tuple[Node, list[Node]]] = {}
    for group in by_container.values():
        first = group[0]
        container, nodes = first.container, [declared.member for declared in group]
        holder = first.holder
        if holder is not None and holder.parent is not None and key_name(holder) not in elsewhere:
            is_literal = holder.parent.type == "object" and unwrapped(field(holder, "value")) == container
            if is_literal and len(nodes) == len(container.named_children):
                container, nodes = holder.parent, [holder]
        key = (first.file.path, container.start_byte)
        wanted.setdefault(key, (container, []))[1].extend(nodes)
    for (path, _), (container, nodes) in wanted.items():
        remove_members(edits.source(path), container, nodes)


def _name(member: Node) -> str:
    if member.type == "property_signature":
        name = member.child_by_field_name("name")
        return text_of(name).strip("\"'") if name is not None else ""
    return key_name(member)


def _containers(view: AppView, layout: Layout) -> Iterator[tuple[Place, Kind, Node | None]]:
    for file in view.sources("createEnv", "@t3-oss/env"):
        for place in _create_env(view, layout, file):
            yield place, "env schema", None
    for file in view.sources(".object("):
        if _PARSED.search(file.data) or _SCHEMA_NAMED.search(file.data):
            for place in _zod_objects(file):
                yield place, "env schema", None
    for file in view.sources("process.env"):
        if not any(name.encode() in file.data for name in _VALUES):
            continue
        for name, value in constants_of(file):
            if name in _VALUES and value.type == "object" and _is_environment(value):
                yield Place(file, value), "env schema", None
    for file in view.sources():
        if _NEXT_CONFIG.fullmatch(PurePosixPath(file.path).name):
            yield from _runtime_configs(view, layout, file)
    for interface in _INTERFACES:
        for file in view.sources("interface", interface, suffixes=TYPESCRIPT_SUFFIXES):
            for declared in find_all(file.root, "interface_declaration"):
                if text_of(field(declared, "name")) == interface:
                    yield Place(file, field(declared, "body")), "type", None


def _create_env(view: AppView, layout: Layout, file: SourceFile) -> Iterator[Place]:
    for call in find_all(file.root, "call_expression"):
        function = field(call, "function")
        imported = find_import(file, text_of(function)) if function.type == "identifier" else None
        given = arguments_of(call)
        if imported is None or imported[1].imported != "createEnv" or not given:
            continue
        options = _object(view, layout, Place(file, given[0]))
        for part in _PARTS if options is not None else ():
            value = property_of(options.node, part) if options is not None else None
            found = _object(view, layout, Place(options.file, value)) if options is not None and value else None
            if found is not None:
                yield found


def _object(view: AppView, layout: Layout, place: Place) -> Place | None:
    node = unwrapped(place.node)
    if node.type in ("identifier", "shorthand_property_identifier"):
        known = definition_of(view, layout, Place(place.file, node))
        return known if known is not None and known.node.type == "object" else None
    return Place(place.file, node) if node.type == "object" else None


def _zod_objects(file: SourceFile) -> Iterator[Place]:
    """The objects of `z.object({...})` that the environment is checked by."""
    is_parsed = _PARSED.search(file.data) is not None
    for name, value in constants_of(file):
        if not (is_parsed or name in _SCHEMAS):
            continue
        for call in find_all(value, "call_expression"):
            function, given = field(call, "function"), arguments_of(call)
            if text_of(function).endswith(".object") and given and unwrapped(given[0]).type == "object":
                yield Place(file, unwrapped(given[0]))
                break  # an object within it is a value's


def _is_environment(value: Node) -> bool:
    members = without_comments(value)
    return bool(members) and all("process.env" in text_of(member) for member in members)


def _runtime_configs(view: AppView, layout: Layout, file: SourceFile) -> Iterator[tuple[Place, Kind, Node]]:
    for pair in find_all(file.root, "pair"):
        name = key_name(pair)
        parent = pair.parent.parent if pair.parent is not None else None
        is_own = parent is None or parent.type != "pair"
        if name in _RUNTIME_CONFIGS or (name == "env" and is_own):
            found = _object(view, layout, Place(file, field(pair, "value")))
            if found is not None:
                yield found, "runtime config", pair
