"""Which expressions are a client of OpenAI's: made by `new OpenAI()`, here or in another file, of a known version."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.discovery.declarations import declarators_in, declared_at_top
from migrations.discovery.imports import find_import
from migrations.discovery.nodes import FUNCTION_NODES, TRANSPARENT, field, own_nodes
from migrations.discovery.refused import Refused
from migrations.engine.syntax import find_all, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine import AppView, SourceFile

_PACKAGE = "openai"
_CLIENTS = frozenset({"default", "OpenAI", "AzureOpenAI"})
# From this one on `chat.completions.create` is what it is today.
_OLDEST_MAJOR = 4
_FILES_DEEP = 4


def check_client(view: AppView, layout: Layout, file: SourceFile, client: Node, scope: Node | None) -> None:
    """See that an expression in the function `scope` is a client whose ways are known. Raises Refused."""
    if not _is_client(view, layout, file, client, scope, _FILES_DEEP):
        raise Refused(
            f"it is not known that {text_of(client)} is made by `new OpenAI()` of the package openai", client, file
        )
    version = _version(view)
    if version is None:
        raise Refused("package.json does not list openai", client, file)
    major = re.search(r"\d+", version)
    if major is not None and int(major[0]) < _OLDEST_MAJOR:
        raise Refused(f"openai {version} in package.json is older than {_OLDEST_MAJOR}", client, file)


def _version(view: AppView) -> str | None:
    """The range of openai in package.json."""
    manifest = view.json("package.json")
    for section in ("dependencies", "devDependencies", "peerDependencies"):
        packages = manifest.get(section) if isinstance(manifest, dict) else None
        if isinstance(packages, dict) and isinstance(packages.get(_PACKAGE), str):
            return str(packages[_PACKAGE])
    return None


def _is_client(view: AppView, layout: Layout, file: SourceFile, node: Node, scope: Node | None, depth: int) -> bool:
    """Whether an expression is made by `new OpenAI()`, here or in a file of the app. `scope` is its function."""
    while node.type in TRANSPARENT:
        node = node.named_children[0]
    if node.type == "new_expression":
        return _is_class(file, node.child_by_field_name("constructor"))
    if node.type == "binary_expression" and text_of(field(node, "operator")) in ("??", "||"):
        return _is_client(view, layout, file, field(node, "right"), scope, depth)
    called = node.type == "call_expression"
    if called:
        node = field(node, "function")
    if node.type != "identifier" or not depth:
        return False
    name = text_of(node)
    inner = declarators_in(scope, name) if scope is not None else []
    places = [(file, found) for found in inner] or declared_at_top(view, layout, file, name, depth)
    return len(places) == 1 and _declares_client(view, layout, *places[0], depth - 1, called=called)


def _declares_client(
    view: AppView, layout: Layout, file: SourceFile, declared: Node, depth: int, *, called: bool
) -> bool:
    """Whether what is declared is a client, or, if `called`, a function that returns one."""
    value = declared.child_by_field_name("value") if declared.type == "variable_declarator" else declared
    if not called:
        annotation = declared.child_by_field_name("type") if declared.type == "variable_declarator" else None
        if annotation is not None and any(_is_class(file, found) for found in find_all(annotation, "type_identifier")):
            return True
        return value is not None and _is_client(view, layout, file, value, None, depth)
    if value is None or value.type not in FUNCTION_NODES:
        return False
    returned = value.child_by_field_name("return_type")
    if returned is not None and any(_is_class(file, found) for found in find_all(returned, "type_identifier")):
        return True
    body = field(value, "body")
    if body.type != "statement_block":
        return _is_client(view, layout, file, body, None, depth)
    returns = list(own_nodes(body, "return_statement"))
    return bool(returns) and all(
        bool(found.named_children) and _is_client(view, layout, file, found.named_children[0], value, depth)
        for found in returns
    )


def _is_class(file: SourceFile, node: Node | None) -> bool:
    """Whether a name is OpenAI's client class."""
    found = find_import(file, text_of(node)) if node is not None else None
    return found is not None and found[0].specifier == _PACKAGE and found[1].imported in _CLIENTS
