"""The data transformer that the app's tRPC is made with, such as superjson."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.chains import chain_of
from migrations.discovery.imports import find_import, imports_of, local_name, uses_of
from migrations.discovery.model_calls import declarations_of
from migrations.discovery.procedures import is_test
from migrations.discovery.trpc_client import Place, definition_of, property_of, unwrapped
from migrations.engine import Blocked
from migrations.engine.syntax import find_all, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrations.discovery.layout import Layout
    from migrations.engine import AppView, SourceFile

_FILES_DEEP = 3
_BY_HAND = "export it under a name from a file of its own, and run this again"


@dataclass(frozen=True, slots=True)
class Transformer:
    """What a file calls the transformer, and the import that it needs for that ("" for both: it has it already).

    `imported` is the exporter's name or "default". Without a transformer `name` is "".
    """

    name: str
    specifier: str = ""
    imported: str = ""


def find_transformer(view: AppView, layout: Layout, user: SourceFile) -> Transformer | Blocked:
    """The transformer of `initTRPC.create({ transformer })`, as the file `user` gets at it. Blocked where there is no
    such call in the app, or its transformer cannot be imported from there.
    """
    made = list(_made(view))
    if len(made) > 1:
        near = _imported_from(view, layout, user, _FILES_DEEP)
        made = [options for options in made if options.file.path in near] or made
    if not made:
        return Blocked(
            "initTRPC...create() was not found in the app, so its transformer is not known",
            user.path,
            0,
            "wrap the subscription by hand: throughRelay(<generator>, { transformer })",
        )
    found = [_value(view, layout, options) for options in made]
    for value in found:
        if isinstance(value, Blocked):
            return value
    values = [value for value in found if not isinstance(value, Blocked)]
    if len({text_of(value.node) if value is not None else "" for value in values}) > 1:
        return Blocked(
            f"tRPC is made with different transformers here and in {made[1].file.path}:{made[1].line}",
            made[0].file.path,
            made[0].line,
            "wrap the subscription by hand: throughRelay(<generator>, { transformer })",
        )
    return _named(layout, user, values[0]) if values[0] is not None else Transformer("")


def _made(view: AppView) -> Iterator[Place]:
    """Every `initTRPC...create(...)`: its call."""
    for file in view.sources("initTRPC"):
        name = local_name(file, "initTRPC", "@trpc/server")
        if name is None or is_test(file.path):
            continue
        for call in find_all(file.root, "call_expression"):
            root, calls = chain_of(call)
            if calls and calls[-1].name == "create" and text_of(root) == name:
                yield Place(file, call)


def _value(view: AppView, layout: Layout, made: Place) -> Place | Blocked | None:
    """The expression that is the transformer; None if there is none."""
    given = chain_of(made.node)[1][-1].arguments
    if not given:
        return None
    place = Place(made.file, unwrapped(given[0]))
    if place.node.type == "identifier":
        place = definition_of(view, layout, place) or place
    value = property_of(place.node, "transformer")
    if value is not None:
        return Place(place.file, unwrapped(value))
    if place.node.type != "object" or any(member.type == "spread_element" for member in place.node.named_children):
        return Blocked(
            "the options of initTRPC...create() could not be read, so the transformer is not known",
            place.file.path,
            place.line,
            "write `transformer` down in the call itself, and run this again",
        )
    return None


def _named(layout: Layout, user: SourceFile, value: Place) -> Transformer | Blocked:
    """How `user` names the transformer."""
    file, name = value.file, text_of(value.node)
    if value.node.type not in ("identifier", "shorthand_property_identifier"):
        return Blocked("the transformer is written in place", file.path, value.line, _BY_HAND)
    if file.path == user.path:
        return Transformer(name)
    found = find_import(file, name)
    if found is None:
        if not _is_exported(file, name):
            return Blocked(f"the transformer {name} is not exported", file.path, value.line, "export it, and run again")
        specifier, imported = layout.specifier(user.path, file.path), name
    else:
        target = layout.resolve(file.path, found[0].specifier)
        specifier = layout.specifier(user.path, target) if target is not None else found[0].specifier
        imported = found[1].imported
    for statement in imports_of(user):
        target = layout.resolve(user.path, statement.specifier)
        same = layout.specifier(user.path, target) if target is not None else statement.specifier
        for other in statement.names:
            if same == specifier and other.imported == imported and not (other.type_only or statement.type_only):
                return Transformer(other.local)
    if imported == "*":
        return Blocked(f"the transformer {name} is a whole module", file.path, value.line, _BY_HAND)
    if find_import(user, name) is not None or uses_of(user, name):
        return Blocked(
            f"{name}, the transformer's name, means something else here",
            user.path,
            next(iter(Place(user, node).line for node in uses_of(user, name)), 0),
            "give it another name, and run this again",
        )
    return Transformer(name, specifier, imported)


def _is_exported(file: SourceFile, name: str) -> bool:
    for declared in declarations_of(file, name):
        statement = declared
        while statement.parent is not None and statement.parent.type != "program":
            statement = statement.parent
        if statement.type == "export_statement":
            return True
    specifiers = (item for item in find_all(file.root, "export_specifier") if item.child_by_field_name("alias") is None)
    return any(text_of(item) == name for item in specifiers)


def _imported_from(view: AppView, layout: Layout, file: SourceFile, depth: int) -> set[str]:
    """The files that a file imports, and those that these import, and itself."""
    reached = {file.path}
    if depth:
        for statement in imports_of(file):
            path = layout.resolve(file.path, statement.specifier)
            other = view.file(path) if path is not None and path.endswith((".ts", ".tsx", ".js", ".mjs")) else None
            if other is not None and other.path not in reached:
                reached |= _imported_from(view, layout, other, depth - 1)
    return reached
