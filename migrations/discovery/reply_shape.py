"""What a mutation returns, and how that is made of the text of the model's reply.

`ReturnReader` reads the returns of one function. What the text is that they are made of, its subclasses say: the parts
of one known answer (openai_answer), or whatever an app's code calls the text of an answer (mutation_result).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.declarations import declarators_in, fixed_value
from migrations.discovery.model_calls import declarations_of
from migrations.discovery.nodes import NAMES, arguments_of, field, key_name, own_nodes, short_text, without_comments
from migrations.discovery.refused import Refused
from migrations.discovery.trpc_client import branches_of, unwrapped
from migrations.engine.syntax import text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node

    from migrations.engine import SourceFile

# What `??` and `||` may not have on their right where a text is on their left.
_NO_TEXT = frozenset({"object", "array", "number", "true", "false", "arrow_function", "new_expression"})
_CONSTANTS = frozenset({"number", "true", "false", "null", "undefined"})


@dataclass(frozen=True, slots=True)
class ReplyText:
    """The reply's text as it came, or with a `fallback` where there is none, or trimmed."""

    fallback: Node | None = None
    is_trimmed: bool = False


@dataclass(frozen=True, slots=True)
class Return:
    """A return of the mutation, or the whole body of an arrow function without a block.

    `role` is "reply": `value` is the model's text, or `fallback` (None: nothing) where none came; "text": `value` is
    another one; or "nothing".
    """

    node: Node
    role: str
    value: Node | None = None
    fallback: Node | None = None


@dataclass(frozen=True, slots=True)
class Returned:
    """Every return of a mutation, and what makes their value of the whole text: a canonical snippet for the hook's
    option `result`, "" where the value is the text itself and no option is needed.
    """

    returns: tuple[Return, ...]
    result: str


class ReturnReader(ABC):
    """Reads how the values that a function's body returns are made of the text of a reply."""

    def __init__(self, file: SourceFile, body: Node) -> None:
        self.file = file
        self.body = body
        self._open: set[str] = set()

    # --- what a subclass knows

    @abstractmethod
    def origin(self, node: Node) -> ReplyText | None:
        """The reply's text where it comes from; None for any other expression."""

    @abstractmethod
    def without_reply(self, values: list[tuple[Node, Node | None]]) -> str:
        """The result where no return (its statement and value) has the reply's text. May raise Refused."""

    @abstractmethod
    def nothing(self, node: Node) -> Return:
        """A return of nothing where the others return an object. May raise Refused."""

    @abstractmethod
    def check_other(self, node: Node) -> None:
        """That a return of another text than the reply, or of nothing, may be. May raise Refused."""

    def literal(self, node: Node) -> Node:
        """The object literal that an expression is, if it is one."""
        return unwrapped(node)

    # --- the returns

    def read(self) -> Returned:
        """Raises Refused where the returns differ, or are made of more than the text and constants."""
        values = self.values()
        replies = [value for _, value in values if value is not None and self._slot(value) is not None]
        if not replies:
            return Returned((), self.without_reply(values))
        slot = self._slot(replies[0])
        assert slot is not None
        first = self.literal(replies[0]) if slot else replies[0]
        known = self.value(_at(first, slot))
        assert known is not None
        text = "text.trim()" if known.is_trimmed else "text"
        template = self.template(first, slot, text)
        returns = tuple(self._return(node, value, slot, template, known) for node, value in values)
        if slot:
            return Returned(returns, f"(text) => ({template})")
        return Returned(returns, f"(text) => {text}" if known.is_trimmed else "")

    def values(self) -> list[tuple[Node, Node | None]]:
        """The statements that return, and what they return."""
        if self.body.type != "statement_block":
            return [(self.body, self.body)]
        return [(node, next(iter(without_comments(node)), None)) for node in own_nodes(self.body, "return_statement")]

    def _return(self, node: Node, value: Node | None, slot: tuple[str, ...], template: str, known: ReplyText) -> Return:
        part: Node | None = None
        if value is not None and not is_empty(value):
            value = self.literal(value) if slot else value
            text = "text.trim()" if known.is_trimmed else "text"
            if slot and (
                value.type != "object" or not _has(value, slot) or self.template(value, slot, text) != template
            ):
                raise self.refuse("the procedure returns values of different shapes", node)
            part = _at(value, slot)
            reply = self.value(part)
            if reply is not None:
                if reply.is_trimmed != known.is_trimmed:
                    raise self.refuse("the model's text is trimmed in one return and not in another", node)
                return Return(node, "reply", unwrapped(part), reply.fallback)
        elif slot:
            return self.nothing(node)
        if part is not None and not is_empty(part) and not self.is_text(part):
            raise self.refuse(f"it is not known that `{short_text(part)}` is a text", node)
        self.check_other(node)
        return Return(node, "nothing") if part is None or is_empty(part) else Return(node, "text", unwrapped(part))

    # --- expressions

    def value(self, node: Node) -> ReplyText | None:
        """How an expression is made of the text; None if it is not known to be."""
        return self._made(node) or self.origin(node)

    def _made(self, node: Node) -> ReplyText | None:
        inner = unwrapped(node)
        if inner != node:
            return self.value(inner)
        if node.type in NAMES:
            name = text_of(node)
            value = fixed_value(self.file, declarators_in(self.body, name))
            return None if value is None else self.followed(name, lambda: self.value(value))
        if node.type == "binary_expression" and text_of(field(node, "operator")) in ("??", "||"):
            left, right = self.value(field(node, "left")), field(node, "right")
            if left is None or unwrapped(right).type in _NO_TEXT:
                return None
            return ReplyText(left.fallback or (None if is_empty(right) else right), left.is_trimmed)
        if node.type == "call_expression" and not arguments_of(node):
            function = field(node, "function")
            if function.type == "member_expression" and text_of(field(function, "property")) == "trim":
                reply = self.value(field(function, "object"))
                return ReplyText(reply.fallback, is_trimmed=True) if reply is not None else None
        return None

    def followed(self, name: str, read: Callable[[], ReplyText | None]) -> ReplyText | None:
        """What is read of the value of a name; nothing of a value that leads to the name itself."""
        if name in self._open:
            return None
        self._open.add(name)
        try:
            return read()
        finally:
            self._open.discard(name)

    def is_text(self, node: Node) -> bool:
        """Whether an expression is a string for certain."""
        node = unwrapped(node)
        if node.type in ("string", "template_string"):
            return True
        if node.type == "binary_expression" and text_of(field(node, "operator")) == "+":
            return self.is_text(field(node, "left")) or self.is_text(field(node, "right"))
        if node.type == "ternary_expression":
            return all(self.is_text(branch) for branch in branches_of(node))
        if node.type in NAMES:
            name = text_of(node)
            value = fixed_value(self.file, declarators_in(self.body, name) or list(declarations_of(self.file, name)))
            return value is not None and self.is_text(value)
        return False

    def _slot(self, node: Node) -> tuple[str, ...] | None:
        """Where in an object the text is: the keys that lead there, none where it is the text itself; None: nowhere."""
        if self.value(node) is not None:
            return ()
        node = self.literal(node)
        found = []
        for item in node.named_children if node.type == "object" else ():
            name, value = _member(item)
            inner = self._slot(value) if value is not None else None
            if inner is not None:
                found.append((name, *inner))
        return found[0] if len(found) == 1 else None

    def template(self, node: Node, slot: tuple[str, ...] | None, text: str = "") -> str:
        """An object as a canonical snippet with `text` in the slot; all else in there has to be constant."""
        node = unwrapped(node)
        if slot == ():
            return text
        parts = []
        for item in without_comments(node):
            name, value = _member(item)
            inner = None
            if value is not None:
                inner = self.template(value, slot[1:], text) if slot and name == slot[0] else _constant(value)
            if inner is None:
                raise self.refuse(f"`{short_text(item)}` is returned with the model's text", item)
            key = _key_text(name)
            parts.append(key if key == inner else f"{key}: {inner}")
        return f"{{ {', '.join(parts)} }}"

    def refuse(self, reason: str, node: Node) -> Refused:
        return Refused(reason, node, self.file)


# --- nodes


def is_empty(node: Node) -> bool:
    """Whether an expression is no text: null, undefined or an empty string."""
    return text_of(unwrapped(node)) in ("null", "undefined", '""', "''", "``", "void 0")


def _member(item: Node) -> tuple[str, Node | None]:
    """The name and the value of an object's member; no value for a spread, a method or a computed key."""
    name = key_name(item)
    if item.type == "shorthand_property_identifier":
        return name, item
    return name, item.child_by_field_name("value") if name and item.type == "pair" else None


def _has(node: Node, slot: tuple[str, ...]) -> bool:
    node = unwrapped(node)
    if not slot:
        return True
    found = [value for name, value in map(_member, node.named_children) if name == slot[0] and value is not None]
    return node.type == "object" and len(found) == 1 and _has(found[0], slot[1:])


def _at(node: Node, slot: tuple[str, ...]) -> Node:
    """The value in the slot of an object."""
    for key in slot:
        node = next(v for name, v in map(_member, unwrapped(node).named_children) if name == key and v is not None)
    return node


def _constant(node: Node) -> str | None:
    """A constant as a canonical snippet; None for anything else."""
    if node.type == "as_expression" and text_of(node).endswith("const"):
        inner = _constant(node.named_children[0])
        return None if inner is None else f"{inner} as const"
    node = unwrapped(node)
    text = text_of(node)
    if node.type == "string":
        return f'"{text[1:-1]}"' if not set("\"'\\") & set(text[1:-1]) else text
    return text if node.type in _CONSTANTS else None


def _key_text(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_$][\w$]*", name) else f'"{name}"'
