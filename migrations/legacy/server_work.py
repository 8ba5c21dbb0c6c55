"""What a server file does besides serving tRPC over WebSocket, found by going through what runs when it starts.

Whatever is not known to do nothing else is something that the server does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from migrations.discovery.nodes import FUNCTION_NODES, arguments_of, short_text, without_comments
from migrations.discovery.trpc_client import Place, definition_of
from migrations.engine.syntax import SOURCE_SUFFIXES, find_all, text_of
from migrations.legacy.adapter import is_adapter_function, servers_given
from migrations.legacy.module_names import ModuleName, bare, loaded_module, module_names, pattern_names
from migrations.legacy.next_server import is_redirect_to_https, unusual_listening, unusual_option
from migrations.legacy.server_values import (
    CLOSES,
    EFFECT_MODULES,
    GLOBAL_CLASSES,
    GLOBAL_FUNCTIONS,
    GLOBALS,
    LOG_METHODS,
    LOGGER,
    PLAIN,
    POLYFILLS,
    PURE_MODULES,
    WORKING_CLASS,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine.source import SourceFile
    from migrations.engine.view import AppView

Scope = dict[str, Value]

_FILES_DEEP = 3
_HTTP = frozenset({"http", "https", "http2"})
_STANDALONE = re.compile(r"@trpc/server/(.+/)?standalone(/index)?(\.[cm]?js)?")
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


def work_of(view: AppView, layout: Layout, file: SourceFile) -> Work:
    """What the file does when it runs."""
    work = Work(any(_is_next(name) for name in module_names(file).values()))
    try:
        walker = _Walker(view, layout, file, work)
        walker.program()
        walker.check_sockets()
    except Does as found:
        work.does, work.node = found.what, found.node
    return work


def effect_of(view: AppView, layout: Layout, file: SourceFile) -> tuple[str, Node] | None:
    """What a module does when it is imported, besides making what it exports; None if nothing."""
    walker = _Walker(view, layout, file, Work())
    walker.hoist(file.root, walker.top)
    try:
        for statement in file.root.named_children:
            if statement.type == "expression_statement" and not text_of(statement).startswith(("'", '"')):
                walker.statement(statement, walker.top)
            for made in find_all(statement, "new_expression") if statement.type.endswith("declaration") else ():
                if WORKING_CLASS.search(text_of(made.child_by_field_name("constructor") or made)):
                    raise Does(f"{short_text(made)}", made)
    except Does as found:
        return found.what, found.node
    return None


def _is_next(name: ModuleName) -> bool:
    return name.specifier == "next" and name.imported in ("default", "*", "next") and not name.type_only


@dataclass
class _Walker:
    view: AppView
    layout: Layout
    file: SourceFile
    work: Work
    depth: int = _FILES_DEEP
    top: Scope = field(default_factory=dict)
    made: list[Node] = field(default_factory=list)
    given: list[Node | None] = field(default_factory=list)
    handling: set[int] = field(default_factory=set)
    running: list[int] = field(default_factory=list)
    returned: list[Value] = field(default_factory=list)
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
            if (
                value.kind == "function"
                and node is not None
                and re.search(rb"applyWSSHandler|getWSConn", node.text or b"")
            ):
                self.call(value, [], node, name)

    def check_sockets(self) -> None:
        """Raises Does where there is a WebSocketServer that is not tRPC's."""
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
                self.value(inner, scope)
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
        if file is None or not self._prepares(file):
            raise Does(f"imports {specifier} for what that does", node)

    def _prepares(self, file: SourceFile) -> bool:
        """Whether a file does nothing but to read settings or to fill in what Node.js lacks."""
        text = file.data.decode(errors="replace")
        if not re.search(r"dotenv|@next/env|createEnv\(|global(This)?\.\w+\s*(\?\?|\|\|)?=[^=]|polyfill", text):
            return False
        if "createEnv(" in text:
            return True
        walker = _Walker(self.view, self.layout, file, Work(), self.depth - 1)
        try:
            walker.program()
        except Does:
            return False
        return True

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
        path = text_of(left)
        root = path.partition(".")[0].partition("[")[0].strip("(")
        owner = self.named(root, scope)
        name = path.rpartition(".")[2]
        if owner.kind == "global" and name not in POLYFILLS:
            raise Does(f"puts {name} where other code may take it from", node)
        if owner.kind in ("package", "own") and not LOGGER.search(root):
            raise Does(f"sets {path}", node)
        if owner.kind == "process" and self.work.is_next:
            raise Does(f"sets {path} for Next.js", node)
        if owner.kind == "res" and self.work.is_next and not self.is_catching:
            raise Does("answers requests of its own", node)
        return value

    def constructed(self, node: Node, scope: Scope) -> Value:
        maker = node.child_by_field_name("constructor")
        assert maker is not None
        value, name = self.value(maker, scope), text_of(maker).rpartition(".")[2]
        given = arguments_of(node)
        module = value.module
        if (
            module is not None
            and module.specifier == "ws"
            and (name.endswith("Server") or module.imported.endswith("Server"))
        ):
            for argument in given:
                self.value(argument, scope)
            self.made.append(node)
            return Value("sockets", node=node)
        for argument in given:
            value_given = self.value(argument, scope)
            if value_given.kind == "function" and name == "Promise":
                self.call(value_given, [Value("console"), Value("console")], node, name)
        if value.kind == "plain" and name in GLOBAL_CLASSES:
            return PLAIN
        is_made_only = module is not None and value.kind == "package" and not WORKING_CLASS.search(name)
        if is_made_only and module is not None and module.specifier != "ws":
            return Value("package", ModuleName(module.specifier, f"new {name}"))
        raise Does(f"makes a {name}", node)

    # --- calls

    def called(self, node: Node, scope: Scope) -> Value:
        function = node.child_by_field_name("function")
        assert function is not None
        function = bare(function)
        specifier = loaded_module(node)
        if specifier is not None:
            return self.of_module(ModuleName(specifier, "*"))
        given = arguments_of(node)
        if function.type == "member_expression":
            owner, name = function.child_by_field_name("object"), function.child_by_field_name("property")
            assert owner is not None
            assert name is not None
            whole = self.value(owner, scope)
            if whole.module is not None:
                return self.call_module(whole.module.member(text_of(name)), whole, node, scope)
            return self.call_method(whole, text_of(owner), text_of(name), node, scope)
        value = self.value(function, scope)
        if value.module is not None:
            return self.call_module(value.module, value, node, scope)
        if value.kind == "handle":
            self.handled = True
        values = [self.value(argument, scope) for argument in given]
        if value.kind == "function":
            return self.call(value, values, node, short_text(function))
        called = text_of(function)
        if value.kind in ("handle", "upgrade", "connect", "console", "adapter"):
            return PLAIN
        if called in GLOBAL_FUNCTIONS:
            return self.call_global(called, values, node, scope)
        raise Does(f"calls {called}()", node)

    def call_global(self, name: str, values: Sequence[Value], node: Node, scope: Scope) -> Value:
        if name == "setInterval" and not self.is_about_sockets(arguments_of(node), scope):
            raise Does("does something again and again", node)
        self.call_back(values, node)
        return PLAIN

    def is_about_sockets(self, given: list[Node], scope: Scope) -> bool:
        kinds = {"sockets", "socket", "adapter"}
        return any(
            self.named(text_of(name), scope).kind in kinds for node in given for name in find_all(node, "identifier")
        )

    def call_back(self, values: Sequence[Value], node: Node, *parameters: Value) -> None:
        for value in values:
            if value.kind == "function":
                self.call(value, parameters, node, "")

    def call(self, function: Value, values: Sequence[Value], site: Node, name: str) -> Value:
        """Go through a function's body, once for each place that it is called from."""
        node = function.node
        if node is None or node.start_byte in self.running:
            return PLAIN
        scope = {**function.scope}
        parameters = node.child_by_field_name("parameters") or node.child_by_field_name("parameter")
        patterns = [parameters] if parameters is not None and parameters.type == "identifier" else []
        if parameters is not None and not patterns:
            patterns = [child.child_by_field_name("pattern") or child for child in without_comments(parameters)]
        for index, pattern in enumerate(patterns):
            self.bind(pattern, values[index] if index < len(values) else PLAIN, scope)
        body = node.child_by_field_name("body")
        if body is None:
            return PLAIN
        self.running.append(node.start_byte)
        before, self.returned = self.returned, []
        try:
            if body.type == "statement_block":
                self.block(body, scope)
            else:
                self.returned.append(self.value(body, scope))
            return next((value for value in self.returned if value.kind != "plain"), PLAIN)
        finally:
            self.returned = before
            self.running.pop()

    def call_module(self, module: ModuleName, value: Value, node: Node, scope: Scope) -> Value:
        if is_adapter_function(module):
            return self.adapter(module, node, scope)
        specifier, name = module.specifier.removeprefix("node:"), module.imported.rpartition(".")[2]
        given = arguments_of(node)
        if specifier == "next" and name in ("default", "*", "next"):
            option = unusual_option(node)
            if option is not None:
                raise Does(f"starts Next.js with {short_text(option)}", option)
            return Value("next")
        values = [self.value(argument, scope) for argument in given]
        if specifier in _HTTP and name in ("createServer", "createSecureServer", "Server"):
            return self.serve(values, node)
        if _STANDALONE.fullmatch(specifier):
            self.work.http = self.work.http or node
            return Value("standalone", node=node)
        if specifier == "express" and name in ("express", "default", "*"):
            return Value("express")
        text = text_of(node.child_by_field_name("function") or node)
        if specifier in PURE_MODULES or specifier == "express" or (name in LOG_METHODS and LOGGER.search(text)):
            return PLAIN
        if module.imported.startswith("new ") and name in CLOSES | {"on", "once"}:
            return PLAIN
        if value.kind == "own":
            return self.call_own(module, node, values)
        if name in CLOSES:
            return PLAIN
        raise Does(f"calls {short_text(node.child_by_field_name('function') or node)}()", node)

    def adapter(self, module: ModuleName, node: Node, scope: Scope) -> Value:
        if module.imported == "getWSConnectionHandler":
            return Value("connect")
        for given in servers_given(node):
            value = self.value(given, scope)
            self.given.append(value.node if value.kind == "sockets" else None)
        if not servers_given(node):
            self.given.append(None)
        return Value("adapter")

    def call_own(self, module: ModuleName, node: Node, values: Sequence[Value]) -> Value:
        """A function of another file of the app. Raises Does at this call, not there."""
        text = text_of(node.child_by_field_name("function") or node)
        name = module.imported.rpartition(".")[2]
        if (name in LOG_METHODS and LOGGER.search(text)) or name in CLOSES:
            return PLAIN
        called = Does(f"calls {text}()", node)
        function = bare(node.child_by_field_name("function") or node)
        known = (
            definition_of(self.view, self.layout, Place(self.file, function)) if function.type == "identifier" else None
        )
        if known is None or known.node.type not in FUNCTION_NODES or not self.depth:
            raise called
        walker = _Walker(self.view, self.layout, known.file, self.work, self.depth - 1)
        walker.hoist(known.file.root, walker.top)
        try:
            found = walker.call(Value("function", node=known.node, scope=walker.top), values, known.node, name)
        except Does:
            raise called from None
        self.made += walker.made
        self.given += walker.given
        return found

    def serve(self, values: Sequence[Value], node: Node) -> Value:
        """An HTTP server is made. Raises Does if it answers something of its own."""
        for value in values:
            self.listen_to(value, node)
        if self.handled:
            self.handling.add(node.start_byte)
        return Value("server", node=node)

    def listen_to(self, value: Value, node: Node) -> None:
        self.handled = value.kind == "handle" or self.handled
        if value.kind in ("own", "package"):
            raise Does("serves HTTP of its own", node)
        if value.kind == "function":
            was, self.is_listening = self.is_listening, True
            self.handled = False
            self.call(value, [Value("req"), Value("res")], node, "")
            self.is_listening = was

    def call_method(self, owner: Value, path: str, name: str, node: Node, scope: Scope) -> Value:
        given = arguments_of(node)
        values = [self.value(argument, scope) for argument in given]
        event = text_of(given[0]).strip("\"'`") if given and given[0].type == "string" else ""
        if owner.kind == "console" or (owner.kind == "plain" and name in LOG_METHODS and LOGGER.search(path)):
            return PLAIN
        if owner.kind == "process":
            self.call_back(values, node)
            return PLAIN
        if name in ("on", "once", "addListener", "addEventListener", "handleUpgrade", "off", "removeListener"):
            self.on_event(owner, "upgraded" if name == "handleUpgrade" else event, values, node)
            return owner
        if owner.kind == "socket" and name == "send":
            raise Does("sends messages of its own to the sockets", node)
        if owner.kind == "next":
            return self.call_next(name, node, values)
        if owner.kind in ("server", "express", "standalone") and name == "listen":
            return self.listen(owner, node, values, scope)
        if owner.kind == "express" and name not in ("set", "disable", "enable"):
            if not (name == "use" and all(value.kind == "plain" for value in values) and not event and given):
                raise Does(f"answers requests of its own ({short_text(given[0]) if given else name})", node)
            return PLAIN
        if owner.kind == "res" and self.work.is_next and not self.is_catching:
            raise Does("answers requests of its own", node)
        if owner.kind == "req":
            raise Does("reads requests of its own", node)
        if path.endswith(".clients"):
            self.call_back(values, node, Value("socket"))
        else:
            self.call_back(values, node)
        return owner if owner.kind in ("server", "res", "sockets") else PLAIN

    def call_next(self, name: str, node: Node, values: Sequence[Value]) -> Value:
        if name in ("getRequestHandler", "getUpgradeHandler"):
            return Value("handle" if name == "getRequestHandler" else "upgrade")
        if name not in ("prepare", "close"):
            raise Does("answers requests of its own", node)
        self.call_back(values, node)
        return PLAIN

    def listen(self, owner: Value, node: Node, values: Sequence[Value], scope: Scope) -> Value:
        if owner.node is not None and owner.node.start_byte in self.handling:
            wrong = unusual_listening(node, {**self.top, **scope})
            if wrong is not None:
                raise Does(f"listens elsewhere than `next start` does: {short_text(wrong)}", wrong)
        self.call_back(values, node)
        return Value("server", node=owner.node) if owner.kind != "standalone" else owner

    def on_event(self, owner: Value, event: str, values: Sequence[Value], node: Node) -> None:
        """A listener is set. Raises Does if it does something else."""
        if owner.kind in ("server", "standalone") and event == "request":
            for value in values[1:]:
                self.listen_to(value, node)
            if self.handled and owner.node is not None:
                self.handling.add(owner.node.start_byte)
            return
        if owner.kind == "sockets" and any(value.kind == "connect" for value in values):
            self.given.append(owner.node)
        if owner.kind == "socket" and event == "message":
            self.check_silent(values, node)
        parameters: tuple[Value, ...] = ()
        if event == "connection" and owner.kind == "sockets":
            parameters = (Value("socket"), PLAIN)
        elif event == "upgrade":
            parameters = (PLAIN, Value("stream"), PLAIN)
        elif event == "upgraded":
            parameters = (Value("socket"), PLAIN)
        self.call_back(values, node, *parameters)

    def check_silent(self, values: Sequence[Value], node: Node) -> None:
        for value in values:
            body = value.node.child_by_field_name("body") if value.node is not None else None
            for call in find_all(body, "call_expression") if body is not None else ():
                if not text_of(call).startswith(
                    ("console.", "clearTimeout", "JSON.", "String(")
                ) and ".toString(" not in text_of(call):
                    raise Does("reads messages of its own from the sockets", node)

    def unknown(self, node: Node) -> Does:
        return Does(f"does what is not understood: {short_text(node)}", node)
