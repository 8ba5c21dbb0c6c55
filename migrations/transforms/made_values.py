"""Expressions that give another value each time that they run (ids, times, random numbers), and how a reply gets one
value of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.discovery.imports import find_import
from migrations.discovery.nodes import TRANSPARENT, arguments_of, field
from migrations.discovery.trpc_client import declaration_of
from migrations.engine.syntax import find_all, text_of
from migrations.transforms.streaming_hook import argument_comma, moved

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tree_sitter import Node

    from migrations.engine import FileEdit, SourceFile

ONCE = "oncePerReply"

_TIMES = frozenset({"Date.now", "performance.now"})
_GLOBALS = _TIMES | {"Math.random", "crypto.randomUUID"}
_GLOBAL_OBJECTS = ("globalThis.", "window.", "self.")
# By module, what it exports that makes an id.
_MAKERS: dict[str, tuple[str, ...]] = {
    "nanoid": ("nanoid",),
    "nanoid/non-secure": ("nanoid",),
    "uuid": ("v1", "v4", "v6", "v7"),
    "@paralleldrive/cuid2": ("createId",),
    "cuid": ("default",),
    "ulid": ("ulid",),
}
_CONVERSIONS = frozenset({"String", "Number", "Math.floor", "Math.round", "Math.ceil", "Math.trunc"})
_LITERALS = frozenset({"string", "number", "true", "false", "null", "undefined", "regex"})
_HOLDERS = {"pair": "key", "variable_declarator": "name"}


def is_made(file: SourceFile, node: Node) -> bool:
    """Whether an expression makes such a value out of nothing else than literals: `nanoid()`, `bot-${Date.now()}`."""
    return _makes(file, node) is True


def is_time(file: SourceFile, made: Node) -> bool:
    """Whether it is made of the time alone, which is the same for all that is made at once."""
    sources = [node for node in find_all(made, "call_expression", "new_expression") if _is_source(file, node)]
    return all(node.type == "new_expression" or _called(file, node) in _TIMES for node in sources)


def make_once(edit: FileEdit, made: Mapping[Node, Node]) -> None:
    """Put `oncePerReply("id", () => nanoid())` in place of expressions, of which each is given with its callback."""
    quote = edit.source.style.quote
    taken: dict[Node, set[str]] = {}
    for node, callback in made.items():
        names = taken.setdefault(callback, _names_in(callback))
        name = wanted = _holder(callback, node)
        number = 1
        while name in names:
            number += 1
            name = f"{wanted}{number}"
        names.add(name)
        head = f"{ONCE}({quote}{name}{quote}, () =>"
        is_wrapped = node.type == "parenthesized_expression" and len(node.named_children) == 1
        bare = node.named_children[0] if is_wrapped else node
        if node.start_point.row == node.end_point.row:
            edit.replace(node.start_byte, bare.start_byte, f"{head} ")
            edit.replace(bare.end_byte, node.end_byte, ")")
        else:
            line = edit.source.style.newline + edit.source.indentation_of(node.start_byte)
            deeper = line + edit.source.style.indent
            text = moved(edit.source, bare.start_byte, bare.end_byte, line.lstrip("\r\n"), deeper.lstrip("\r\n"))
            edit.replace_node(node, f"{head}{deeper}{text}{argument_comma(edit.source)}{line})")


def _names_in(callback: Node) -> set[str]:
    """The names that are there already."""
    calls = (call for call in find_all(callback, "call_expression") if text_of(field(call, "function")) == ONCE)
    return {text_of(given[0])[1:-1] for given in map(arguments_of, calls) if given}


def _holder(callback: Node, node: Node) -> str:
    """The property or the constant that an expression is the value of."""
    parent = node.parent
    while parent is not None and parent.start_byte > callback.start_byte:
        part = _HOLDERS.get(parent.type)
        name = parent.child_by_field_name(part) if part is not None else None
        if name is not None and name.type in ("property_identifier", "identifier"):
            return text_of(name)
        parent = parent.parent
    return "value"


def _makes(file: SourceFile, node: Node) -> bool | None:
    """True if it makes a value, False if it is fixed, None if it takes more than literals or does more."""
    if node.type in _LITERALS:
        return False
    if node.type in TRANSPARENT:
        return _makes(file, node.named_children[0])
    if node.type in ("template_string", "template_substitution", "unary_expression", "binary_expression"):
        if node.type == "unary_expression" and text_of(node)[:1] not in "+-!~":
            return None
        parts = (child for child in node.named_children if child.type not in ("string_fragment", "escape_sequence"))
        return _all(file, parts)
    if node.type in ("member_expression", "subscript_expression"):
        owner, index = node.child_by_field_name("object"), node.child_by_field_name("index")
        if owner is None or (index is not None and not _is_fixed(index)):
            return None
        return _makes(file, owner) or None
    if node.type in ("call_expression", "new_expression"):
        return _call(file, node)
    return None


def _call(file: SourceFile, node: Node) -> bool | None:
    if _is_source(file, node):
        return True
    given = [argument for argument in arguments_of(node) if not _is_fixed(argument)]
    if node.type == "new_expression":
        return _all(file, given) if _global(file, node, "constructor") == "Date" else None
    if _global(file, node, "function") in _CONVERSIONS:
        return _all(file, given)
    owner = field(node, "function").child_by_field_name("object")
    return _all(file, [owner, *given]) if owner is not None else None


def _all(file: SourceFile, nodes: Iterable[Node]) -> bool | None:
    found = [_makes(file, node) for node in nodes]
    return None if None in found else any(found)


def _is_fixed(node: Node) -> bool:
    """A literal, or an object or array of them, as the options of `toLocaleTimeString` are."""
    if node.type in ("object", "array"):
        return all(_is_fixed(child) for child in node.named_children)
    if node.type == "pair":
        value = node.child_by_field_name("value")
        return value is not None and _is_fixed(value)
    return node.type in _LITERALS


def _is_source(file: SourceFile, node: Node) -> bool:
    given = arguments_of(node)
    if node.type == "new_expression":
        return not given and _global(file, node, "constructor") == "Date"
    called = _called(file, node)
    return (called in _GLOBALS and not given) or (called == "" and all(_is_fixed(child) for child in given))


def _called(file: SourceFile, call: Node) -> str | None:
    """The global function that is called, "" for one that is imported and makes ids, None for any other."""
    name = _global(file, call, "function")
    if name is not None:
        return next((name.removeprefix(owner) for owner in _GLOBAL_OBJECTS if name.startswith(owner)), name)
    function = field(call, "function")
    local, _, member = text_of(function).partition(".")
    found = find_import(file, local)
    if found is None or declaration_of(function, local) is not None:
        return None
    statement, imported = found
    exported = member if imported.imported == "*" else "" if member else imported.imported
    is_type = statement.type_only or imported.type_only
    return "" if exported in _MAKERS.get(statement.specifier, ()) and not is_type else None


def _global(file: SourceFile, node: Node, part: str) -> str | None:
    """What a node calls or constructs, such as `Date.now`, if it is a global one."""
    named = field(node, part)
    root = text_of(named).partition(".")[0]
    is_own = find_import(file, root) is not None or declaration_of(named, root) is not None
    return None if is_own else text_of(named)
