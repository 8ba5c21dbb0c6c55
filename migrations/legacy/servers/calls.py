"""What the calls of a server file do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.discovery.nodes import FUNCTION_NODES, arguments_of, short_text, without_comments
from migrations.discovery.trpc_client import Place, definition_of, property_of
from migrations.engine.syntax import find_all, text_of
from migrations.legacy.module_names import ModuleName, bare, loaded_module
from migrations.legacy.servers.adapter import is_adapter_function, servers_given
from migrations.legacy.servers.next_server import is_own_address, unusual_listening, unusual_option
from migrations.legacy.servers.values import (
    CLOSES,
    GLOBAL_CLASSES,
    GLOBAL_FUNCTIONS,
    IDLE_CLASS,
    LOG_METHODS,
    LOGGER,
    PLAIN,
    PURE_MODULES,
    Value,
)
from migrations.legacy.servers.walk import Does, Walker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from migrations.legacy.servers.walk import Scope

# Functions and methods that call what they are given.
_CALLING = frozenset(
    {"setTimeout", "setInterval", "setImmediate", "queueMicrotask", "then", "catch", "finally", "forEach"}
)
_READS = frozenset({"readFileSync", "existsSync"})
_HTTP = frozenset({"http", "https", "http2"})
_STANDALONE = re.compile(r"@trpc/server/(.+/)?standalone(/index)?(\.[cm]?js)?")


class ServerWalker(Walker):
    """The walk through a server file, with what is known of Node.js's, Next.js's and tRPC's servers."""

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
        if module is not None and value.kind == "package" and module.specifier.removeprefix("node:") in _HTTP:
            return self.serve([self.value(argument, scope) for argument in given], node, module.specifier)
        if module is not None and value.kind == "package":
            if not IDLE_CLASS.fullmatch(name):
                self.doubts.append(Does(f"makes a {name}", node))
            return Value("package", ModuleName(module.specifier, f"new {name}"))
        raise Does(f"makes a {name}", node)

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
            if len(given) > 2 and not is_own_address(given[2], {**self.top, **scope}):
                raise Does("gives Next.js another address than the request's", node)
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
        if any(value.kind == "global" for value in values):
            raise Does("changes global objects", node)
        self.call_back([*values[:1], *[PLAIN for _ in values[1:]]], node, hands_over=name in _CALLING)
        return PLAIN

    def is_about_sockets(self, given: list[Node], scope: Scope) -> bool:
        kinds = {"sockets", "socket", "adapter"}
        return any(
            self.named(text_of(name), scope).kind in kinds for node in given for name in find_all(node, "identifier")
        )

    def call_back(self, values: Sequence[Value], node: Node, *parameters: Value, hands_over: bool = False) -> None:
        """Go through the functions among the arguments of a call; `hands_over`: it calls all that it is given."""
        for argument, value in zip(arguments_of(node), values, strict=True):
            if value.kind == "function":
                self.call(value, parameters, node, "")
            elif hands_over and value.module is not None:
                self.call_elsewhere(argument, value, node, parameters)

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
            return self.serve(values, node, specifier)
        if _STANDALONE.fullmatch(specifier):
            self.work.http = self.work.http or node
            return Value("standalone", node=node)
        if specifier == "express" and name in ("express", "default", "*"):
            return Value("express")
        text = text_of(node.child_by_field_name("function") or node)
        if specifier in PURE_MODULES or specifier == "express" or (name in LOG_METHODS and LOGGER.search(text)):
            return PLAIN
        if specifier == "fs" and name in _READS and not self.work.is_next:
            return PLAIN
        if module.imported.startswith("new ") and name in ("on", "once"):
            self.call_back(values, node, hands_over=True)
            return value
        if value.kind == "own":
            return self.call_own(module, node, values)
        if name in CLOSES or name == "$connect":
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
        if (name in LOG_METHODS and LOGGER.search(text)) or name in CLOSES or name == "$connect":
            return PLAIN
        return self.call_elsewhere(
            bare(node.child_by_field_name("function") or node), Value("own", module), node, values
        )

    def call_elsewhere(self, function: Node, value: Value, site: Node, values: Sequence[Value]) -> Value:
        """A function of another file is called. Raises Does at the call, not there."""
        text = text_of(function)
        assert value.module is not None
        if value.module.imported.rpartition(".")[2] in LOG_METHODS and LOGGER.search(text):
            return PLAIN
        called = Does(f"calls {text}()", site)
        is_name = value.kind == "own" and function.type == "identifier"
        known = definition_of(self.view, self.layout, Place(self.file, function)) if is_name else None
        if known is None or known.node.type not in FUNCTION_NODES or not self.depth:
            raise called
        walker = ServerWalker(self.view, self.layout, known.file, self.work, self.depth - 1)
        walker.hoist(known.file.root, walker.top)
        try:
            found = walker.call(Value("function", node=known.node, scope=walker.top), values, known.node, text)
        except Does:
            raise called from None
        if walker.doubts:
            raise called
        self.made += walker.made
        self.given += walker.given
        return found

    def serve(self, values: Sequence[Value], node: Node, specifier: str) -> Value:
        """An HTTP server is made by a module of Node.js. Raises Does if it answers something of its own."""
        if specifier.removeprefix("node:") != "http":
            self.unlike_next[node.start_byte] = "serves https or HTTP/2, where `next start` serves plain HTTP"
        elif any(bare(given).type == "object" and given.named_children for given in arguments_of(node)):
            self.unlike_next[node.start_byte] = "gives the HTTP server options that `next start` does not"
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
        if any(value.kind == "global" for value in values):
            raise Does("changes global objects", node)
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
        own = _method(owner, name)
        if own is not None:
            return self.call(Value("function", node=own, scope=scope), values, node, name)
        parameters = (Value("socket"),) if path.endswith(".clients") else ()
        self.call_back(values, node, *parameters, hands_over=name in _CALLING)
        return owner if owner.kind in ("server", "res", "sockets") else PLAIN

    def call_next(self, name: str, node: Node, values: Sequence[Value]) -> Value:
        if name in ("getRequestHandler", "getUpgradeHandler"):
            return Value("handle" if name == "getRequestHandler" else "upgrade")
        if name not in ("prepare", "close"):
            raise Does("answers requests of its own", node)
        return PLAIN

    def listen(self, owner: Value, node: Node, values: Sequence[Value], scope: Scope) -> Value:
        if owner.node is not None and owner.node.start_byte in self.handling:
            if owner.node.start_byte in self.unlike_next:
                raise Does(self.unlike_next[owner.node.start_byte], owner.node)
            wrong = unusual_listening(node, {**self.top, **scope})
            if wrong is not None:
                raise Does(f"listens elsewhere than `next start` does: {short_text(wrong)}", wrong)
        self.call_back([PLAIN, *values[1:]] if values else [], node, hands_over=True)
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
        self.call_back(values, node, *parameters, hands_over=owner.kind != "plain")

    def check_silent(self, values: Sequence[Value], node: Node) -> None:
        for value in values:
            body = value.node.child_by_field_name("body") if value.node is not None else None
            for call in find_all(body, "call_expression") if body is not None else ():
                if not text_of(call).startswith(
                    ("console.", "clearTimeout", "JSON.", "String(")
                ) and ".toString(" not in text_of(call):
                    raise Does("reads messages of its own from the sockets", node)


def _method(owner: Value, name: str) -> Node | None:
    """The function that a plain object has under a name."""
    value = bare(owner.node) if owner.kind == "plain" and owner.node is not None else None
    found = property_of(value, name) if value is not None else None
    return found if found is not None and found.type in FUNCTION_NODES else None
