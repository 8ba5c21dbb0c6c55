"""The tRPC client of the browser: the calls that make it, and the lists of links that it is made with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from migrations.discovery.importers import is_in_use
from migrations.discovery.imports import find_import, imports_of
from migrations.discovery.layout import Layout, find_layout
from migrations.discovery.procedures import is_test
from migrations.engine.outcome import Blocked, NotApplicable
from migrations.engine.syntax import find_all, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from migrations.engine.source import SourceFile
    from migrations.engine.view import AppView
    from migrations.hints import AppHints

ClientKind: TypeAlias = Literal["react", "next", "vanilla"]

FUNCTIONS = frozenset({"arrow_function", "function_expression", "function_declaration", "method_definition"})
_WRAPPERS = frozenset({"satisfies_expression", "as_expression", "parenthesized_expression", "non_null_expression"})
_MAKERS: dict[str, ClientKind] = {
    "createTRPCNext": "next",
    "createTRPCClient": "vanilla",
    "createTRPCProxyClient": "vanilla",
    "createTRPCUntypedClient": "vanilla",
}
_NEEDLES = (b"createClient", *(name.encode() for name in _MAKERS))
# What only runs on the server says so by one of these imports.
_SERVER_MODULES = frozenset({"server-only", "next/headers"})
_DEEPEST = 8
_SET_CLIENT = 'set client = "<file>" under [app] in partyconfig.toml'


@dataclass(frozen=True, eq=False)
class Place:
    """A node and the file that it stands in."""

    file: SourceFile
    node: Node

    @property
    def line(self) -> int:
        return self.file.line_of(self.node.start_byte)


@dataclass(frozen=True, eq=False)
class TrpcClient:
    """One call that makes a client. `lists` are the arrays of links that it may be given, wherever they stand."""

    file: SourceFile
    call: Node
    kind: ClientKind
    lists: tuple[Place, ...]

    @property
    def line(self) -> int:
        return self.file.line_of(self.call.start_byte)


class UnknownLinks(Exception):
    """Links that are not written down as a list that can be followed."""

    def __init__(self, place: Place) -> None:
        super().__init__(f"{place.file.path}:{place.line}")
        self.place = place


def find_trpc_clients(
    view: AppView, hints: AppHints, layout: Layout | None = None
) -> tuple[TrpcClient, ...] | NotApplicable | Blocked:
    """The clients through which the app's pages call its procedures, all in one file; or why there are none to work on.

    Those of React go before vanilla ones, and what only runs on the server (or in tests) does not count.
    """
    layout = layout or find_layout(view)
    wanted = hints.client.partition(":")[0]
    found: list[TrpcClient] = []
    broken: Place | None = None
    for file in view.sources("links"):
        if not any(needle in file.data for needle in _NEEDLES) or file.path.startswith(layout.kit_folder):
            continue
        if file.path != wanted if wanted else is_test(file.path):
            continue
        if file.syntax_error_line is not None and b"@trpc/" in file.data:
            return Blocked("the file has a syntax error", file.path, file.syntax_error_line, "mend it")
        if not wanted and any(statement.specifier in _SERVER_MODULES for statement in imports_of(file)):
            continue
        try:
            found += clients_of(view, layout, file)
        except UnknownLinks as error:
            broken = broken or error.place
    if broken is not None:
        return Blocked(
            "the links of the tRPC client are not written as a list that can be followed",
            broken.file.path,
            broken.line,
            "write them as an array: links: [...]",
        )
    if any(client.kind != "vanilla" for client in found):
        found = [client for client in found if client.kind != "vanilla"]
    paths = list(dict.fromkeys(client.file.path for client in found))
    if len(paths) > 1:
        used = [path for path in paths if is_in_use(view, layout, path)]
        paths = used or paths
        found = [client for client in found if client.file.path in paths]
    if len(paths) > 1:
        others = ", ".join(f"{path}:{next(c.line for c in found if c.file.path == path)}" for path in paths[1:])
        return Blocked(f"there is another tRPC client in {others}", paths[0], found[0].line, _SET_CLIENT)
    if not found:
        if wanted:
            return Blocked("there is no tRPC client in this file", wanted, 0, _SET_CLIENT)
        if any(True for _ in view.sources("@trpc/")):
            return Blocked("the call that creates the tRPC client was not found", next_step=_SET_CLIENT)
        return NotApplicable("the app does not use tRPC")
    return tuple(found)


def clients_of(view: AppView, layout: Layout, file: SourceFile) -> Iterator[TrpcClient]:
    """Every client that a file makes. Raises UnknownLinks."""
    for call in find_all(file.root, "call_expression"):
        kind = _kind_of(view, layout, file, call)
        options = _argument(call) if kind is not None else None
        if kind is None or options is None:
            continue
        lists: list[Place] = []
        for one in _objects(view, layout, Place(file, options)):
            if kind == "next":
                config = property_of(one.node, "config")
                if config is not None:
                    for given in _objects(view, layout, Place(one.file, config)):
                        lists += _links(view, layout, given)
            else:
                lists += _links(view, layout, one)
        if lists:
            yield TrpcClient(file, call, kind, tuple(lists))


def _kind_of(view: AppView, layout: Layout, file: SourceFile, call: Node) -> ClientKind | None:
    function = call.child_by_field_name("function")
    if function is None:
        return None
    name = trpc_name(file, function)
    if name in _MAKERS:
        return _MAKERS[name]
    if function.type != "member_expression" or text_of(function).rpartition(".")[2] != "createClient":
        return None
    owner = function.child_by_field_name("object")
    if owner is None or owner.type != "identifier":
        return None
    maker = definition_of(view, layout, Place(file, owner))
    if maker is None:  # from a package of the workspace: the links tell
        options = _argument(call)
        is_trpc = any(statement.specifier.startswith("@trpc/") for statement in imports_of(file))
        has_links = options is not None and property_of(unwrapped(options), "links") is not None
        return "react" if is_trpc and has_links and find_import(file, text_of(owner)) is not None else None
    made_by = unwrapped(maker.node).child_by_field_name("function")
    is_react = made_by is not None and trpc_name(maker.file, made_by) in ("createTRPCReact", "createTRPCNext")
    return "react" if is_react else None


def _links(view: AppView, layout: Layout, options: Place) -> list[Place]:
    value = property_of(options.node, "links")
    return [] if value is None else list(arrays_of(view, layout, Place(options.file, value)))


def arrays_of(view: AppView, layout: Layout, place: Place, depth: int = _DEEPEST) -> Iterator[Place]:
    """The array literals that an expression may stand for. Raises UnknownLinks where that cannot be followed."""
    yield from _literals(view, layout, place, "array", depth)


def _objects(view: AppView, layout: Layout, place: Place) -> Iterator[Place]:
    yield from _literals(view, layout, place, "object", _DEEPEST)


def _literals(view: AppView, layout: Layout, place: Place, kind: str, depth: int) -> Iterator[Place]:
    node = unwrapped(place.node)
    if not depth:
        raise UnknownLinks(place)
    inner: list[Place] = []
    if node.type == kind:
        yield Place(place.file, node)
        return
    if node.type == "ternary_expression":
        inner = [Place(place.file, branch) for branch in branches_of(node)]
    elif node.type in ("identifier", "shorthand_property_identifier"):
        known = definition_of(view, layout, Place(place.file, node))
        inner = [known] if known is not None else []
    elif node.type in FUNCTIONS:
        inner = [Place(place.file, value) for value in returns_of(node)]
    elif node.type == "call_expression":
        called = called_function(view, layout, Place(place.file, node))
        inner = [called] if called is not None else []
    if not inner:
        raise UnknownLinks(place)
    for one in inner:
        yield from _literals(view, layout, one, kind, depth - 1)


# --- what a name, a call, a function stand for


def trpc_name(file: SourceFile, function: Node) -> str:
    """What tRPC calls the function that is called here (`unstable_` left out); "" if it is not one of tRPC's."""
    local, _, member = text_of(function).partition(".")
    found = find_import(file, local)
    if found is None or not found[0].specifier.startswith("@trpc/"):
        return ""
    name = member if found[1].imported == "*" else "" if member else found[1].imported
    return name.removeprefix("unstable_").removeprefix("experimental_")


def unwrapped(node: Node) -> Node:
    """The expression inside parentheses, `as`, `satisfies` and `!`."""
    while node.type in _WRAPPERS and node.named_children:
        inner = [child for child in node.named_children if child.type != "comment"]
        if not inner:
            break
        node = inner[0]
    return node


def property_of(node: Node, name: str) -> Node | None:
    """The value of a property of an object literal: an expression, a method, or the name itself if it is short for
    `name: name`.
    """
    for member in node.named_children if node.type == "object" else ():
        if member.type == "shorthand_property_identifier" and text_of(member) == name:
            return member
        key = member.child_by_field_name("key" if member.type == "pair" else "name")
        if member.type in ("pair", "method_definition") and key is not None and text_of(key).strip("\"'") == name:
            return member.child_by_field_name("value") if member.type == "pair" else member
    return None


def branches_of(ternary: Node) -> tuple[Node, ...]:
    """What a ternary gives where its condition holds, and where it does not."""
    fields = (ternary.child_by_field_name("consequence"), ternary.child_by_field_name("alternative"))
    return tuple(field for field in fields if field is not None)


def returns_of(function: Node) -> tuple[Node, ...]:
    """The expressions that a function returns, without those of the functions inside it."""
    body = function.child_by_field_name("body")
    if body is None:
        return ()
    if body.type != "statement_block":
        return (body,)
    found: list[Node] = []
    stack = [body]
    while stack:
        node = stack.pop()
        if node.type == "return_statement":
            found += [child for child in node.named_children if child.type != "comment"][:1]
        elif node == body or node.type not in FUNCTIONS:
            stack.extend(reversed(node.named_children))
    return tuple(found)


def called_function(view: AppView, layout: Layout, call: Place) -> Place | None:
    """The app's function that is called here."""
    function = call.node.child_by_field_name("function")
    if function is None or function.type != "identifier":
        return None
    found = definition_of(view, layout, Place(call.file, function))
    return found if found is not None and found.node.type in FUNCTIONS else None


def definition_of(view: AppView, layout: Layout, name: Place, depth: int = _DEEPEST) -> Place | None:
    """What a name stands for: the value of a constant, or a function; here or in the file that it is imported from."""
    text = text_of(name.node)
    declared = declaration_of(name.node, text)
    if declared is not None:
        return _value(name.file, declared)
    found = find_import(name.file, text)
    path = layout.resolve(name.file.path, found[0].specifier) if found is not None else None
    file = view.file(path) if path is not None and re.search(r"\.[cm]?[jt]sx?$", path) else None
    if found is None or file is None or not depth:
        return None
    return _exported(view, layout, file, found[1].imported, depth - 1)


def declaration_of(node: Node, name: str) -> Node | None:
    """The declarator, function or parameter that `name` means at `node`; None if none in the file, imports left out."""
    scope = node.parent
    while scope is not None:
        if scope.type in ("statement_block", "program", "switch_case"):
            for statement in scope.named_children:
                for declared in _declared(statement):
                    field = declared.child_by_field_name("name")
                    if field is not None and name in _bound_names(field):
                        return declared
        elif scope.type in FUNCTIONS or scope.type == "generator_function":
            for part in ("parameters", "parameter"):
                parameters = scope.child_by_field_name(part)
                if parameters is not None and name in _bound_names(parameters):
                    return parameters
        scope = scope.parent
    return None


def _declared(statement: Node) -> Iterator[Node]:
    if statement.type == "export_statement":
        inner = statement.child_by_field_name("declaration")
        if inner is not None:
            yield from _declared(inner)
    elif statement.type in ("lexical_declaration", "variable_declaration"):
        yield from (child for child in statement.named_children if child.type == "variable_declarator")
    elif statement.type in ("function_declaration", "class_declaration", "enum_declaration"):
        yield statement


def _bound_names(pattern: Node) -> set[str]:
    """The names that a pattern or a list of parameters binds (and a few that it only mentions as defaults)."""
    kinds = ("identifier", "shorthand_property_identifier_pattern", "type_identifier")
    return {text_of(node) for node in find_all(pattern, *kinds)}


def _value(file: SourceFile, declared: Node) -> Place | None:
    if declared.type == "function_declaration":
        return Place(file, declared)
    name, value = declared.child_by_field_name("name"), declared.child_by_field_name("value")
    if declared.type != "variable_declarator" or name is None or name.type != "identifier" or value is None:
        return None
    is_constant = declared.parent is not None and text_of(declared.parent).startswith("const")
    return Place(file, unwrapped(value)) if is_constant else None


def _exported(view: AppView, layout: Layout, file: SourceFile, name: str, depth: int) -> Place | None:
    for statement in file.root.named_children:
        if statement.type != "export_statement":
            continue
        if name == "default" and any(child.type == "default" for child in statement.children):
            value = statement.child_by_field_name("value") or statement.child_by_field_name("declaration")
            if value is not None and value.type == "identifier":
                return definition_of(view, layout, Place(file, value), depth)
            return Place(file, unwrapped(value)) if value is not None else None
        for declared in _declared(statement):
            field = declared.child_by_field_name("name")
            if field is not None and text_of(field) == name:
                return _value(file, declared)
        source = statement.child_by_field_name("source")
        for item in find_all(statement, "export_specifier"):
            local, alias = item.child_by_field_name("name"), item.child_by_field_name("alias")
            if local is None or text_of(alias or local) != name:
                continue
            if source is None:
                return definition_of(view, layout, Place(file, local), depth)
            path = layout.resolve(file.path, text_of(source)[1:-1])
            other = view.file(path) if path is not None else None
            return None if other is None or not depth else _exported(view, layout, other, text_of(local), depth - 1)
    return None


def _argument(call: Node) -> Node | None:
    arguments = call.child_by_field_name("arguments")
    given = [child for child in arguments.named_children if child.type != "comment"] if arguments is not None else []
    return given[0] if given else None
