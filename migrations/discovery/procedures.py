"""The procedures of an app's tRPC routers, live and commented out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from migrations.discovery.commented import comment_runs, without_block_marks, without_marks
from migrations.discovery.imports import imports_of
from migrations.discovery.model_calls import declarations_of
from migrations.engine.syntax import find_all, parse, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine import AppView, SourceFile

KINDS = ("mutation", "subscription", "query")

_FUNCTIONS = frozenset({"arrow_function", "function_expression", "generator_function"})
_GENERATORS = frozenset({"generator_function", "generator_function_declaration"})
_WRAPPERS = frozenset({"satisfies_expression", "as_expression", "parenthesized_expression"})
_KEY = re.compile(r"""\s*["']?(?P<name>[A-Za-z_$][\w$]*)["']?\s*:\s*([A-Za-z_$]|$)""")
_MEMBER_END = re.compile(r"\)\s*,?\s*(//.*)?$")
_DEEPEST_ROUTER = 6


@dataclass(frozen=True, eq=False)
class Procedure:
    """A procedure that is live.

    `node` is the whole `key: value`, or the declaration of one that stands by itself; `call` the `.mutation(...)` at
    its end, `resolver` the function in there (None: a name), `input` and `output` the schemas.
    """

    view: AppView
    layout: Layout
    file: SourceFile
    name: str
    kind: str
    node: Node
    call: Node
    resolver: Node | None
    input: Node | None
    output: Node | None

    @property
    def line(self) -> int:
        return self.file.line_of(self.node.start_byte)

    @cached_property
    def router(self) -> str:
        """Where the client finds it: "chat"; "" if at the top, or if that could not be followed."""
        if self.node.type == "pair":
            return router_path(self.view, self.layout, self.file, self.node)
        return _router_of_name(self.view, self.layout, self.file, self.name)

    @property
    def path(self) -> str:
        """As the client calls it: `chat.sendMessage`."""
        return f"{self.router}.{self.name}" if self.router else self.name

    @property
    def arguments(self) -> Node:
        """What the `.mutation(...)` is given, parentheses included: where the procedure's own work begins."""
        arguments = self.call.child_by_field_name("arguments")
        assert arguments is not None
        return arguments

    @property
    def generator(self) -> Node | None:
        """The generator function that streams: written in place, or the file's own that is named there."""
        if self.resolver is not None:
            return self.resolver if self.resolver.type in _GENERATORS else None
        named = _arguments(self.arguments)[0]
        if named.type == "call_expression":
            inner = named.child_by_field_name("arguments")
            named = next(iter(_arguments(inner)), named) if inner is not None else named
        for declared in declarations_of(self.file, text_of(named)) if named.type == "identifier" else ():
            value = declared.child_by_field_name("value") if declared.type == "variable_declarator" else declared
            if value is not None and value.type in _GENERATORS:
                return value
        return None

    @property
    def is_generator(self) -> bool:
        return self.generator is not None

    @property
    def container(self) -> Node | None:
        """The object of the router that it stands in."""
        return self.node.parent if self.node.type in ("pair", "method_definition") else None


@dataclass(frozen=True, eq=False)
class CommentedProcedure:
    """A procedure that is commented out, line by line or as a block, inside the object of a router.

    `start` and `end` are the bytes of its whole lines, the last line end included; `code` is what stood there before
    it was commented out, to the byte; `container` the object.
    """

    view: AppView
    layout: Layout
    file: SourceFile
    name: str
    start: int
    end: int
    code: str
    container: Node

    @property
    def line(self) -> int:
        return self.file.line_of(self.start)

    @cached_property
    def router(self) -> str:
        """Where the client would find it."""
        return ".".join(_path_of_object(self.view, self.layout, self.file, self.container, _DEEPEST_ROUTER) or ())

    @property
    def path(self) -> str:
        return f"{self.router}.{self.name}" if self.router else self.name


def find_procedures(view: AppView, layout: Layout, kind: str, *needles: str) -> Iterator[Procedure]:
    """The live procedures of one kind, in files that also hold `needles`."""
    for file in view.sources(f".{kind}", *needles):
        if not is_test(file.path):
            yield from procedures_of(view, layout, file, kind)


def is_test(path: str) -> bool:
    """Whether a file is there for tests or stories only."""
    return re.search(r"(^|/)(__tests__|__mocks__|tests?|e2e)/|\.(test|spec|stories)\.\w+$", path) is not None


def procedures_of(view: AppView, layout: Layout, file: SourceFile, *kinds: str) -> tuple[Procedure, ...]:
    """The live procedures of one file, of these kinds only."""
    found = view.once(
        ("procedures", file.path),
        lambda: tuple(
            Procedure(view, layout, file, *parts) for parts in file.once("procedures", lambda: tuple(_parts(file)))
        ),
    )
    return tuple(procedure for procedure in found if not kinds or procedure.kind in kinds)


_Parts: TypeAlias = "tuple[str, str, Node, Node, Node | None, Node | None, Node | None]"


def _parts(file: SourceFile) -> Iterator[_Parts]:
    """Name, kind, node, call, resolver, input and output of each procedure."""
    for call in find_all(file.root, "call_expression"):
        kind = _method(call)
        if kind not in KINDS:
            continue
        arguments = call.child_by_field_name("arguments")
        parent = _outside_wrappers(call)
        if arguments is None or parent is None or len(_arguments(arguments)) != 1:
            continue
        if parent.type not in ("pair", "variable_declarator"):
            continue
        key = parent.child_by_field_name("key" if parent.type == "pair" else "name")
        name = text_of(key).strip("\"'") if key is not None else ""
        first = _arguments(arguments)[0]
        resolver = first if first.type in _FUNCTIONS else _wrapped_function(first)
        yield name, kind, parent, call, resolver, _schema(call, "input"), _schema(call, "output")


def commented_procedures(view: AppView, layout: Layout, file: SourceFile) -> tuple[CommentedProcedure, ...]:
    """The subscriptions of one file that are commented out inside an object."""
    if b".subscription(" not in file.data:
        return ()
    return view.once(("commented", file.path), lambda: tuple(_commented_procedures(view, layout, file)))


def _commented_procedures(view: AppView, layout: Layout, file: SourceFile) -> Iterator[CommentedProcedure]:
    for run in comment_runs(file):
        container = run.parent
        if container is None or container.type != "object":
            continue
        codes = run.code
        for first, last, name in _commented_members(codes):
            if not run.is_block:
                start, end = run.offset(first), run.offset(last + 1)
                code = without_marks(run.lines[first : last + 1], member_indent(file, container))
            elif not "".join((*codes[:first], *codes[last + 1 :])).strip():
                start, end, code = run.start, run.end, without_block_marks(run.lines)
            else:
                continue
            yield CommentedProcedure(view, layout, file, name, start, end, code, container)


def member_indent(file: SourceFile, container: Node) -> str:
    """What the members of an object are indented by."""
    for member in container.named_children:
        indent = file.indentation_of(member.start_byte)
        if member.type != "comment" and file.line_start(member.start_byte) + len(indent) == member.start_byte:
            return indent
    return file.indentation_of(container.start_byte) + file.style.indent


def router_path(view: AppView, layout: Layout, file: SourceFile, member: Node) -> str:
    """Where the client finds the router object that `member` stands in; "" where that cannot be followed."""
    return ".".join(_path_of_object(view, layout, file, member.parent, _DEEPEST_ROUTER) or ())


def _path_of_object(
    view: AppView, layout: Layout, file: SourceFile, node: Node | None, depth: int
) -> tuple[str, ...] | None:
    """The keys from the app's router to this object, or None."""
    while node is not None and depth:
        if node.type == "pair":
            key = node.child_by_field_name("key")
            above = _path_of_object(view, layout, file, node.parent, depth - 1)
            return None if above is None or key is None else (*above, text_of(key).strip("\"'"))
        if node.type == "variable_declarator":
            name = node.child_by_field_name("name")
            return _path_of_name(view, layout, file, text_of(name) if name is not None else "", depth - 1)
        if node.type == "export_statement":
            return _path_of_import(view, layout, file, "default", depth - 1)
        if node.type in ("statement_block", "program"):
            return None
        node = node.parent
    return None


def _router_of_name(view: AppView, layout: Layout, file: SourceFile, name: str) -> str:
    return ".".join((_path_of_name(view, layout, file, name, _DEEPEST_ROUTER) or ("",))[:-1])


def _path_of_name(view: AppView, layout: Layout, file: SourceFile, name: str, depth: int) -> tuple[str, ...] | None:
    """Where the client finds what is called `name` at the top of a file."""
    if not name or not depth:
        return None

    def follow() -> tuple[str, ...] | None:
        for found in (
            _path_of_use(view, layout, file, name, depth),
            _path_of_import(view, layout, file, name, depth),
            _path_of_type(file, name),
        ):
            if found is not None:
                return found
        return None

    return view.once(("router", file.path, name, depth), follow)


def _path_of_import(
    view: AppView, layout: Layout, file: SourceFile, exported: str, depth: int
) -> tuple[str, ...] | None:
    stem = file.path.rsplit("/", 1)[-1].split(".")[0]
    needle = file.path.rsplit("/", 2)[-2] if stem == "index" and "/" in file.path else stem
    for other in view.sources(needle, "import"):
        if other.path == file.path or is_test(other.path):
            continue
        for statement in imports_of(other):
            for name in statement.names:
                if name.imported == exported and layout.resolve(other.path, statement.specifier) == file.path:
                    found = _path_of_use(view, layout, other, name.local, depth - 1)
                    found = found if found is not None else _path_of_type(other, name.local)
                    if found is not None:
                        return found
    return None if depth == 0 else _path_of_reexport(view, layout, file, exported, needle, depth - 1)


def _path_of_reexport(
    view: AppView, layout: Layout, file: SourceFile, exported: str, needle: str, depth: int
) -> tuple[str, ...] | None:
    """Where an export leads that another file gives out as its own: `export { chatRouter } from "./chat"`."""
    for other in view.sources(needle, "export", "from"):
        for statement in other.root.children:
            source = statement.child_by_field_name("source") if statement.type == "export_statement" else None
            if source is None or layout.resolve(other.path, text_of(source)[1:-1]) != file.path:
                continue
            for name in given_out(statement, exported):
                found = _path_of_import(view, layout, other, name, depth)
                if found is not None:
                    return found
    return None


def given_out(statement: Node, name: str) -> Iterator[str]:
    """The names under which `export { name as other } from` or `export * from` gives out what is called `name`."""
    for specifier in find_all(statement, "export_specifier"):
        own, alias = specifier.child_by_field_name("name"), specifier.child_by_field_name("alias")
        if own is not None and text_of(own) == name:
            yield text_of(alias or own)
    if any(child.type == "*" for child in statement.children):
        yield name


def _path_of_use(view: AppView, layout: Layout, file: SourceFile, name: str, depth: int) -> tuple[str, ...] | None:
    """Where a router's name leads from the places that use it in one file."""
    for node in file.once("names", lambda: _names(file)).get(name, ()):
        parent = node.parent
        if parent is None:
            continue
        if parent.type == "pair" and parent.child_by_field_name("value") == node:
            key = parent.child_by_field_name("key")
            above = _path_of_object(view, layout, file, parent.parent, depth)
            if above is not None and key is not None:
                return (*above, text_of(key).strip("\"'"))
        elif node.type == "shorthand_property_identifier":
            above = _path_of_object(view, layout, file, parent, depth)
            if above is not None:
                return (*above, name)
        elif parent.type == "spread_element" or (parent.type == "arguments" and _merges(parent)):
            above = _path_of_object(view, layout, file, parent, depth)
            if above is not None:
                return above
    return None


def _names(file: SourceFile) -> dict[str, list[Node]]:
    """Every identifier of a file, by its name."""
    found: dict[str, list[Node]] = {}
    for node in find_all(file.root, "identifier", "shorthand_property_identifier"):
        found.setdefault(text_of(node), []).append(node)
    return found


def _path_of_type(file: SourceFile, name: str) -> tuple[str, ...] | None:
    """The router whose type is given out and that is in no other one is the app's: nothing stands before its keys."""
    queries = file.once("type queries", lambda: tuple(find_all(file.root, "type_query")))
    return () if any(text_of(query.named_children[-1]) == name for query in queries if query.named_children) else None


def _merges(arguments: Node) -> bool:
    function = arguments.parent.child_by_field_name("function") if arguments.parent is not None else None
    return function is not None and text_of(function).split(".")[-1] in ("mergeRouters", "mergeTRPCRouters", "merge")


def _method(call: Node) -> str:
    """The name of the method that is called on what another call or a builder gives; "" for anything else."""
    function = call.child_by_field_name("function")
    name = function.child_by_field_name("property") if function is not None else None
    return text_of(name) if name is not None and function is not None and function.type == "member_expression" else ""


def _arguments(arguments: Node) -> list[Node]:
    return [node for node in arguments.named_children if node.type != "comment"]


def _schema(call: Node, method: str) -> Node | None:
    """The argument of `.input(...)` or `.output(...)` in the chain that ends in `call`, the last one."""
    node: Node | None = call
    while node is not None and node.type in ("call_expression", "member_expression"):
        if node.type == "call_expression":
            arguments = node.child_by_field_name("arguments")
            if _method(node) == method and arguments is not None and _arguments(arguments):
                return _arguments(arguments)[0]
            node = node.child_by_field_name("function")
        else:
            node = node.child_by_field_name("object")
    return None


def _wrapped_function(node: Node) -> Node | None:
    """The function that is the first argument of a call, as in `throughRelay(async function* () {...})`."""
    arguments = node.child_by_field_name("arguments") if node.type == "call_expression" else None
    first = _arguments(arguments)[:1] if arguments is not None else []
    return first[0] if first and first[0].type in _FUNCTIONS else None


def _outside_wrappers(node: Node) -> Node | None:
    parent = node.parent
    while parent is not None and parent.type in _WRAPPERS:
        parent = parent.parent
    return parent


# --- what is commented out


def _commented_members(codes: list[str]) -> Iterator[tuple[int, int, str]]:
    """The subscriptions among lines of code: first and last line, name."""
    done = 0
    for at, code in enumerate(codes):
        if at >= done and ".subscription(" in code:
            found = _member_around(codes, done, at)
            if found is not None:
                yield found
                done = found[1] + 1


def _member_around(codes: list[str], earliest: int, at: int) -> tuple[int, int, str] | None:
    """The object member whose `.subscription(` is in line `at`: the shortest run of lines that reads as one."""
    lasts = [last for last in range(at, len(codes)) if _MEMBER_END.search(codes[last])]
    for first in range(at, earliest - 1, -1):
        match = _KEY.match(codes[first])
        for last in lasts if match is not None else ():
            source = "({\n" + "\n".join(codes[first : last + 1]) + "\n})"
            root = parse(source.encode()).root_node
            if root.has_error or match is None:
                continue
            pair = next(find_all(root, "pair"), None)
            value = pair.child_by_field_name("value") if pair is not None else None
            if value is not None and value.type == "call_expression" and _method(value) == "subscription":
                return first, last, match["name"]
    return None
