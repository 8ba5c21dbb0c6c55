"""Going through what runs when a server file starts: its statements and values.

Whatever is not known to do nothing else is something that the server does, and raises `Does`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from migrations.discovery.nodes import FUNCTION_NODES, short_text, without_comments
from migrations.engine.syntax import SOURCE_SUFFIXES, find_all, text_of
from migrations.legacy.module_names import ModuleName, bare, loaded_module, module_names, pattern_names
from migrations.legacy.servers.adapter import NEEDLES, adapter_calls
from migrations.legacy.servers.next_server import is_redirect_to_https
from migrations.legacy.servers.values import EFFECT_MODULES, GLOBALS, LOGGER, PLAIN, POLYFILLS, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine.source import SourceFile
    from migrations.engine.view import AppView

Scope = dict[str, Value]

FILES_DEEP = 3
_SILENT = frozenset(
    {
        "comment",
        "empty_statement",
        "interface_declaration",
        "type_alias_declaration",
        "enum_declaration",
        "ambient_declaration",
        "function_signature",
        "function_declaration",
        "generator_function_declaration",
        "break_statement",
        "continue_statement",
        "debugger_statement",
        "hash_bang_line",
        "internal_module",
    }
)
_LITERALS = frozenset(
    {
        "string",
        "number",
        "regex",
        "true",
        "false",
        "null",
        "undefined",
        "this",
        "super",
        "meta_property",
        "property_identifier",
    }
)
_COMBINED = frozenset(
    {
        "binary_expression",
        "unary_expression",
        "update_expression",
        "ternary_expression",
        "sequence_expression",
        "subscript_expression",
        "array",
        "object",
        "pair",
        "spread_element",
        "template_string",
        "template_substitution",
        "computed_property_name",
        "yield_expression",
        "arguments",
    }
)


@dataclass
class Work:
    """What was found. `does` is "" where the file does nothing but to serve tRPC's WebSocket, and Next.js if `is_next`;
    `node` is where it does more. `redirect` sends plain HTTP to https; `http` serves tRPC over HTTP as well.
    """

    is_next: bool = False
    does: str = ""
    node: Node | None = None
    redirect: Node | None = None
    http: Node | None = None


class Does(Exception):
    """The file does something else, here."""

    def __init__(self, what: str, node: Node) -> None:
        super().__init__(what)
        self.what = what
        self.node = node


@dataclass
class Walker(ABC):
    """The walk through one file; `top` is what the names of its top stand for."""

    view: AppView
    layout: Layout
    file: SourceFile
    work: Work
    depth: int = FILES_DEEP
    top: Scope = field(default_factory=dict)
    made: list[Node] = field(default_factory=list)
    given: list[Node | None] = field(default_factory=list)
    handling: set[int] = field(default_factory=set)
    # What `next start` would not do as these servers do, by where they are made.
    unlike_next: dict[int, str] = field(default_factory=dict)
    running: list[int] = field(default_factory=list)
    returned: list[Value] = field(default_factory=list)
    doubts: list[Does] = field(default_factory=list)
    is_listening: bool = False
    is_catching: bool = False
    handled: bool = False

    def program(self) -> None:
        self.hoist(self.file.root, self.top)
        for statement in self.file.root.named_children:
            self.statement(statement, self.top)
        # What is only exported does nothing here, but for the function that makes the server.
        for name, value in list(self.top.items()):
            node = value.node
            if value.kind == "function" and node is not None and _makes_server(value):
                self.call(value, [], node, name)

    def check_sockets(self) -> None:
        """Raises Does where something was made that may work by itself, or a WebSocketServer that is not tRPC's."""
        if self.doubts:
            raise self.doubts[0]
        if None in self.given:
            return
        others = [node for node in self.made if node not in self.given]
        if others:
            raise Does("has another WebSocket server, which is not tRPC's", others[0])

    # --- statements

    def hoist(self, block: Node, scope: Scope) -> None:
        for child in block.named_children:
            inner = child.child_by_field_name("declaration") if child.type == "export_statement" else child
            name = inner.child_by_field_name("name") if inner is not None else None
            if inner is None or name is None:
                continue
            if inner.type in ("function_declaration", "generator_function_declaration"):
                scope[text_of(name)] = Value("function", node=inner, scope=scope)
            elif inner.type in ("class_declaration", "abstract_class_declaration"):
                scope[text_of(name)] = Value("class", node=inner)

    def block(self, block: Node, scope: Scope) -> None:
        self.hoist(block, scope)
        for child in block.named_children:
            self.statement(child, scope)

    def statement(self, node: Node, scope: Scope) -> None:
        if node.type in _SILENT or node.type in ("class_declaration", "abstract_class_declaration"):
            return
        if node.type == "import_statement":
            self.imported(node)
        elif node.type == "export_statement":
            inner = node.child_by_field_name("declaration") or node.child_by_field_name("value")
            if inner is not None and inner.type.endswith("declaration"):
                self.statement(inner, scope)
            elif inner is not None:
                value = self.value(inner, scope)
                if value.kind == "function" and _makes_server(value):
                    self.call(value, [], inner, "")
        elif node.type in ("lexical_declaration", "variable_declaration"):
            for declarator in node.named_children:
                if declarator.type == "variable_declarator":
                    self.declare(declarator, scope)
        elif node.type == "if_statement":
            self.branch(node, scope)
        elif node.type == "try_statement":
            self.attempt(node, scope)
        elif node.type == "for_in_statement":
            self.loop(node, scope)
        elif node.type == "return_statement":
            for child in without_comments(node):
                self.returned.append(self.value(child, scope))
        elif node.type == "expression_statement":
            module = loaded_module(node.named_children[0])
            if module is not None:
                self.effects(module, node)
            else:
                self.value(node.named_children[0], scope)
        elif node.type == "statement_block":
            self.block(node, scope)
        elif node.type.endswith(("statement", "clause")) or node.type in (
            "switch_body",
            "switch_case",
            "switch_default",
        ):
            for child in node.named_children:
                is_statement = child.type.endswith(("statement", "declaration", "clause", "block", "_body", "_case"))
                (self.statement if is_statement else self.value)(child, scope)
        else:
            raise self.unknown(node)

    def imported(self, node: Node) -> None:
        if not any(child.type in ("import_clause", "import_require_clause") for child in node.children):
            source = node.child_by_field_name("source")
            if source is not None:
                self.effects(text_of(source)[1:-1], node)

    def effects(self, specifier: str, node: Node) -> None:
        """A module is loaded for what it does. Raises Does if that is more than to prepare this process."""
        path = self.layout.resolve(self.file.path, specifier)
        if path is None and EFFECT_MODULES.fullmatch(specifier):
            return
        file = self.view.file(path) if path is not None and path.endswith(SOURCE_SUFFIXES) else None
        if file is not None and any(True for _ in adapter_calls(file)):
            return  # another server, which is looked at by itself
        if file is None or not self._prepares(file):
            raise Does(f"imports {specifier} for what that does", node)

    def _prepares(self, file: SourceFile) -> bool:
        """Whether a file does nothing but to read settings or to fill in what Node.js lacks."""
        text = file.data.decode(errors="replace")
        if not re.search(r"dotenv|@next/env|createEnv\(|global(This)?\.\w+\s*(\?\?|\|\|)?=[^=]|polyfill", text):
            return False
        if "createEnv(" in text:
            return True
        walker = type(self)(self.view, self.layout, file, Work(), self.depth - 1)
        try:
            walker.program()
        except Does:
            return False
        return not walker.doubts

    def declare(self, declarator: Node, scope: Scope) -> None:
        pattern, given = declarator.child_by_field_name("name"), declarator.child_by_field_name("value")
        assert pattern is not None
        value = self.value(given, scope) if given is not None else PLAIN
        if pattern.type == "identifier":
            plain = Value(node=given) if value.kind == "plain" and given is not None else value
            scope[text_of(pattern)] = plain
        else:
            self.bind(pattern, value, scope)

    def bind(self, pattern: Node, value: Value, scope: Scope) -> None:
        """The names of a pattern or a parameter, for what is in `value`."""
        if pattern.type == "identifier":
            scope[text_of(pattern)] = value
            return
        for node in find_all(pattern, "identifier", "shorthand_property_identifier_pattern"):
            scope[text_of(node)] = PLAIN
        for name, local in pattern_names(pattern):
            scope[local] = self.member(value, name)

    def branch(self, node: Node, scope: Scope) -> None:
        if self.is_listening and self.work.is_next and is_redirect_to_https(node):
            self.work.redirect = node
            return
        condition = node.child_by_field_name("condition")
        asks = condition is not None and self.asks_request(condition, scope)
        if asks and self.is_listening and self.work.is_next and self.leaves_out(node, scope):
            raise Does("does not give every request to Next.js", node)
        try:
            for child in without_comments(node):
                if child == condition:
                    self.value(child, scope)
                else:
                    self.statement(child, scope)
        except Does as found:
            if asks and self.is_listening:
                raise Does("answers requests of its own", node) from None
            raise found from None

    def leaves_out(self, branch: Node, scope: Scope) -> bool:
        """Whether a request is not answered in a branch; requests without an address, and upgrades, are none."""
        condition, body = branch.child_by_field_name("condition"), branch.child_by_field_name("consequence")
        if condition is None or body is None or re.search(r"^\(!\w+\??\.url\)$|\bupgrade\b", text_of(condition)):
            return False
        if any(scope.get(text_of(name), PLAIN).kind == "handle" for name in find_all(body, "identifier")):
            return False
        return re.search(r"\breturn;|\bthrow\b|\.destroy\(", text_of(body)) is not None

    def asks_request(self, condition: Node, scope: Scope) -> bool:
        names = {text_of(node) for node in find_all(condition, "identifier")}
        return any(scope.get(name, PLAIN).kind == "req" for name in names) or bool(
            names & {"pathname", "url", "parsedUrl"}
        )

    def attempt(self, node: Node, scope: Scope) -> None:
        for child in without_comments(node):
            was, self.is_catching = self.is_catching, self.is_catching or child.type == "catch_clause"
            body = child.child_by_field_name("body") if child.type.endswith("clause") else child
            if body is not None:
                self.block(body, dict(scope))
            self.is_catching = was

    def loop(self, node: Node, scope: Scope) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        body = node.child_by_field_name("body")
        inner = dict(scope)
        if left is not None and right is not None:
            self.value(right, scope)
            self.bind(left, Value("socket") if text_of(right).endswith(".clients") else PLAIN, inner)
        if body is not None:
            self.statement(body, inner)

    # --- expressions

    def value(self, node: Node, scope: Scope) -> Value:
        node = bare(node)
        if node.type in ("identifier", "shorthand_property_identifier"):
            return self.named(text_of(node), scope)
        if node.type in FUNCTION_NODES:
            return Value("function", node=node, scope=scope)
        if node.type == "member_expression":
            owner, name = node.child_by_field_name("object"), node.child_by_field_name("property")
            return (
                self.member(self.value(owner, scope), text_of(name))
                if owner is not None and name is not None
                else PLAIN
            )
        if node.type == "call_expression":
            return self.called(node, scope)
        if node.type == "new_expression":
            return self.constructed(node, scope)
        if node.type in ("assignment_expression", "augmented_assignment_expression"):
            return self.assigned(node, scope)
        if node.type in _LITERALS or node.type.endswith(("_type", "_fragment", "escape_sequence", "type_annotation")):
            return PLAIN
        if node.type in _COMBINED:
            values = [self.value(child, scope) for child in without_comments(node)]
            is_choice = node.type in ("binary_expression", "ternary_expression")
            return next((value for value in values if is_choice and value.kind != "plain"), PLAIN)
        raise self.unknown(node)

    def named(self, name: str, scope: Scope) -> Value:
        if name in scope:
            return scope[name]
        module = module_names(self.file).get(name)
        if module is not None:
            return self.of_module(module)
        return GLOBALS.get(name, PLAIN)

    def of_module(self, module: ModuleName) -> Value:
        if module.specifier in ("process", "node:process"):
            return GLOBALS["process"]
        is_own = (
            module.specifier.startswith((".", "/")) or self.layout.resolve(self.file.path, module.specifier) is not None
        )
        is_own = is_own or any(module.specifier.startswith(alias.prefix) for alias in self.layout.aliases)
        return Value("own" if is_own else "package", module)

    def member(self, owner: Value, name: str) -> Value:
        if owner.module is not None:
            return Value(owner.kind, owner.module.member(name))
        if owner.kind == "standalone" and name == "server":
            return Value("server", node=owner.node)
        if owner.kind == "standalone" and name == "listen":
            return Value("function")
        return PLAIN

    def assigned(self, node: Node, scope: Scope) -> Value:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        assert left is not None
        value = self.value(right, scope) if right is not None else PLAIN
        left = bare(left)
        if left.type == "identifier":
            scope[text_of(left)] = value if value.kind != "plain" or right is None else Value(node=right)
            if text_of(left) in self.top:
                self.top[text_of(left)] = scope[text_of(left)]
            return value
        path, root = text_of(left), text_of(_root(left))
        owner = self.named(root, scope)
        name = path.rpartition(".")[2]
        if owner.kind == "global" and name not in POLYFILLS:
            raise Does(f"puts {name} where other code may take it from", node)
        if owner.kind in ("package", "own") and not LOGGER.search(root):
            raise Does(f"sets {path}", node)
        if owner.kind == "process" and self.work.is_next:
            raise Does(f"sets {path} for Next.js", node)
        if (
            self.work.is_next
            and self.is_listening
            and not self.is_catching
            and (owner.kind in ("req", "res") or re.search(r"(?i)url$", root))
        ):
            raise Does(f"sets {path} before Next.js answers", node)
        if self.work.is_next and owner.kind == "server" and "timeout" in name.lower():
            raise Does(f"sets {path}, which `next start` has as an option", node)
        return value

    def unknown(self, node: Node) -> Does:
        return Does(f"does what is not understood: {short_text(node)}", node)

    @abstractmethod
    def called(self, node: Node, scope: Scope) -> Value:
        """What a call gives, after going through what it does."""

    @abstractmethod
    def call(self, function: Value, values: Sequence[Value], site: Node, name: str) -> Value:
        """What one of the file's own functions gives, after going through it."""

    @abstractmethod
    def constructed(self, node: Node, scope: Scope) -> Value:
        """What `new` gives, after going through what that does."""


def _root(node: Node) -> Node:
    """What the members of an expression are members of in the end."""
    while node.type in ("member_expression", "subscript_expression"):
        owner = node.child_by_field_name("object")
        if owner is None:
            break
        node = bare(owner)
    return node


def _makes_server(function: Value) -> bool:
    text = (function.node.text or b"") if function.node is not None else b""
    return any(needle in text for needle in NEEDLES)
