"""Types of a context's options that only a WebSocket connection gives."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.discovery.nodes import without_comments
from migrations.engine.syntax import find_all, text_of
from migrations.legacy.module_names import ModuleName, module_names, module_value
from migrations.legacy.servers.adapter import is_ws_adapter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from migrations.engine.source import SourceFile

NEEDLES = (b"CreateWSSContextFn", b"NodeHTTPCreateContextFnOptions", b"CreateContextFnOptions")
_NODE_HTTP = re.compile(r"@trpc/server/(.+/)?node-http(/.*)?")
_WS_PACKAGES = frozenset({"ws", "isomorphic-ws"})
_NAMES = ("identifier", "type_identifier")


class SocketTypes:
    """The types of one file that are those of a WebSocket connection, with the aliases that stand for them."""

    def __init__(self, file: SourceFile) -> None:
        self._file = file
        self._modules = module_names(file)
        self._aliases: set[str] = set()
        while True:
            found = {name for name, value in _alias_values(file) if self.is_socket(value)}
            if found == self._aliases:
                break
            self._aliases = found

    def is_socket(self, node: Node) -> bool:
        """Whether a type is one for WebSocket connections and nothing else."""
        if node.type == "parenthesized_type":
            return any(self.is_socket(child) for child in without_comments(node))
        if node.type == "union_type":
            return all(self.is_socket(member) for member in union_members(node))
        if node.type == "intersection_type":
            return any(self.is_socket(child) for child in without_comments(node))
        if node.type in ("type_identifier", "nested_type_identifier", "member_expression"):
            return text_of(node) in self._aliases or self._is_adapter_type(node)
        if node.type == "generic_type":
            return self._is_node_http_of_socket(node) or self._is_wrapped(node)
        return False

    def is_ws_name(self, node: Node) -> bool:
        """Whether a type is a WebSocket of the package `ws`."""
        module = self._module(node)
        return module is not None and module.specifier in _WS_PACKAGES

    def _module(self, node: Node) -> ModuleName | None:
        """What of another module a type is: by an imported name, or `import("x").Y`."""
        if node.type in ("member_expression", "call_expression"):
            return module_value(self._file, node)
        root, _, member = text_of(node).partition(".")
        module = self._modules.get(root)
        return module.member(member) if module is not None and member else module

    def _is_adapter_type(self, node: Node) -> bool:
        module = self._module(node)
        return module is not None and is_ws_adapter(module.specifier) and "ContextFnOptions" in module.imported

    def _is_node_http_of_socket(self, node: Node) -> bool:
        name, arguments = node.child_by_field_name("name"), _type_arguments(node)
        module = self._module(name) if name is not None else None
        if module is None or len(arguments) < 2 or not _NODE_HTTP.fullmatch(module.specifier):
            return False
        return "CreateContextFnOptions" in module.imported and self.is_ws_name(arguments[1])

    def _is_wrapped(self, node: Node) -> bool:
        name, arguments = node.child_by_field_name("name"), _type_arguments(node)
        is_wrapper = name is not None and text_of(name) in ("Partial", "Readonly", "Required", "Omit", "Pick")
        return is_wrapper and bool(arguments) and self.is_socket(arguments[0])


def outer_unions(file: SourceFile) -> Iterator[Node]:
    """The union types of a file that are no part of another union, in the order of the text."""
    for node in find_all(file.root, "union_type"):
        if node.parent is None or node.parent.type != "union_type":
            yield node


def union_members(union: Node) -> list[Node]:
    """The members of a union type, in their order."""
    members: list[Node] = []
    for child in without_comments(union):
        members += union_members(child) if child.type == "union_type" else [child]
    return members


def _alias_values(file: SourceFile) -> Iterator[tuple[str, Node]]:
    for alias in find_all(file.root, "type_alias_declaration"):
        name, value = alias.child_by_field_name("name"), alias.child_by_field_name("value")
        if name is not None and value is not None and alias.child_by_field_name("type_parameters") is None:
            yield text_of(name), value


def _type_arguments(node: Node) -> list[Node]:
    arguments = node.child_by_field_name("type_arguments")
    return without_comments(arguments) if arguments is not None else []
