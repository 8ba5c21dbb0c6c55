"""The hook's `result`: what makes a mutation's value of the whole text of the reply, whichever model it asks.

result_of(view, layout, mutation)   # "" (no option), "(text) => ({ reply: text })"; None where it is not known
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.discovery.declarations import declarators_in
from migrations.discovery.model_calls import asks_model
from migrations.discovery.nodes import arguments_of, field
from migrations.discovery.refused import Refused
from migrations.discovery.reply_shape import ReplyText, Return, ReturnReader, is_empty
from migrations.discovery.text_values import STRING_TYPE, TextReader
from migrations.discovery.trpc_client import FUNCTIONS, Place, branches_of, called_function, definition_of, unwrapped
from migrations.engine.syntax import find_all, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.discovery.procedures import Procedure
    from migrations.engine import AppView, SourceFile

# Methods of what an SDK or fetch answers with that give its text.
_GIVES_TEXT = frozenset({"text", "join", "toString"})
_FUNCTIONS_DEEP = 4


def result_of(view: AppView, layout: Layout, mutation: Procedure) -> str | None:
    """The hook's `result`, as a canonical snippet: "" where the mutation returns the text itself, None where it is not
    known how what it returns is made of the text.
    """
    says_text = mutation.output is not None and re.match(r"\w+\s*\.\s*string\s*\(", text_of(mutation.output))
    body = mutation.resolver.child_by_field_name("body") if mutation.resolver is not None else None
    if body is None:
        return "" if says_text else None
    reader = _NamedText(view, layout, mutation.file, body)
    try:
        return reader.read().result
    except Refused:
        is_by_type = says_text and all(value is not None and reader.is_unread(value) for _, value in reader.values())
        return "" if is_by_type else None


class _NamedText(ReturnReader):
    """The reply's text is what goes by the names that SDKs have for it, or by its type."""

    def __init__(
        self, view: AppView, layout: Layout, file: SourceFile, body: Node, depth: int = _FUNCTIONS_DEEP
    ) -> None:
        super().__init__(file, body)
        self.view = view
        self.layout = layout
        self.depth = depth
        self.texts = TextReader(view, layout)

    def is_text(self, node: Node) -> bool:
        return self.texts.is_text(Place(self.file, node)) is True

    def is_unread(self, node: Node) -> bool:
        """Whether nothing is known of an expression, so that a type that says string may be taken to say the reply."""
        return self.texts.is_text(Place(self.file, node)) is None and not self._is_changed(node)

    def _is_changed(self, node: Node) -> bool:
        """Whether it is what a method makes of the reply."""
        node = unwrapped(node)
        if node.type == "await_expression":
            return self._is_changed(node.named_children[0])
        function = node.child_by_field_name("function") if node.type == "call_expression" else None
        owner = function.child_by_field_name("object") if function is not None else None
        return owner is not None and (self.value(owner) is not None or self._is_changed(owner))

    def nothing(self, node: Node) -> Return:
        return Return(node, "nothing")

    def check_other(self, node: Node) -> None:
        """What is returned in its place is the stream's own matter."""

    def literal(self, node: Node) -> Node:
        node = unwrapped(node)
        known = definition_of(self.view, self.layout, Place(self.file, node)) if node.type == "identifier" else None
        is_object = known is not None and known.file == self.file and known.node.type == "object"
        return known.node if known is not None and is_object else node

    def without_reply(self, values: list[tuple[Node, Node | None]]) -> str:
        given = [self.literal(value) for _, value in values if value is not None and not is_empty(value)]
        if not given:
            return "() => undefined"
        is_known = all(node.type == "object" and node.named_children for node in given)
        templates = {self.template(node, None) for node in given} if is_known else {""}
        template = templates.pop()
        if templates or not template:
            raise self.refuse("it is not known what the procedure returns", self.body)
        return f"() => ({template})"

    def origin(self, node: Node) -> ReplyText | None:
        match node.type:
            case "await_expression":
                return self.value(node.named_children[0])
            case "ternary_expression":
                return self._agreed([branch for branch in branches_of(node) if not is_empty(branch)])
            case "binary_expression" if text_of(field(node, "operator")) == "&&":
                return self.value(field(node, "right"))
            case "call_expression":
                return self._called(node)
            case "member_expression" | "subscript_expression":
                return ReplyText() if self.is_text(node) else None
            case "template_string":
                inner = node.named_children
                is_one = len(inner) == 1 and inner[0].type == "template_substitution"
                return self.value(inner[0].named_children[0]) if is_one else None
            case "as_expression" | "satisfies_expression":
                is_by_type = self.is_text(node) and self.is_unread(node.named_children[0])
                return ReplyText() if is_by_type else None
            case "identifier" | "shorthand_property_identifier":
                return self._named(node)
        return None

    def _agreed(self, nodes: list[Node]) -> ReplyText | None:
        """What several expressions, of which one is chosen, are: the reply, all in the same way, or other texts."""
        found = [(node, self.value(node)) for node in nodes]
        replies = [reply for _, reply in found if reply is not None]
        if len({reply.is_trimmed for reply in replies}) != 1:
            return None
        others = [node for node, reply in found if reply is None]
        return ReplyText(None, replies[0].is_trimmed) if all(map(self.is_text, others)) else None

    def _called(self, call: Node) -> ReplyText | None:
        function, arguments = field(call, "function"), arguments_of(call)
        if text_of(function) == "String" and len(arguments) == 1:
            return self.value(arguments[0])
        if function.type == "member_expression":
            method = text_of(field(function, "property"))
            if method == "then" and len(arguments) == 1:
                return self._given_by(Place(self.file, arguments[0]))
            return ReplyText() if method in _GIVES_TEXT else None
        called = called_function(self.view, self.layout, Place(self.file, call))
        if called is None:
            return None
        takes_text = any(self.value(argument) is not None for argument in arguments)
        if takes_text and not asks_model(self.view, self.layout, called.file, called.node):
            return None
        return self._given_by(called)

    def _given_by(self, function: Place) -> ReplyText | None:
        """What a function of the app returns, if that is the reply's text."""
        body = function.node.child_by_field_name("body") if function.node.type in FUNCTIONS else None
        if body is None or not self.depth:
            return None
        inner = _NamedText(self.view, self.layout, function.file, body, self.depth - 1)
        values = [value for _, value in inner.values() if value is not None and not is_empty(value)]
        reply = inner._agreed(values)
        if reply is not None:
            return reply
        annotation = function.node.child_by_field_name("return_type")
        is_string = annotation is not None and STRING_TYPE.fullmatch(text_of(annotation).lstrip(": \t\r\n"))
        return ReplyText() if is_string and all(map(inner.is_unread, values)) else None

    def _named(self, name: Node) -> ReplyText | None:
        """A name that is not one known value: taken out of an object, typed, or collected piece by piece."""
        text = text_of(name)
        declared = declarators_in(self.body, text)
        if not declared:
            return ReplyText() if self.is_text(name) and self._is_taken_out(text) else None
        if len(declared) != 1:
            return None
        value = declared[0].child_by_field_name("value")
        given, added = self._assigned(text)
        if not given and not added:
            is_typed = declared[0].child_by_field_name("type") is not None and self.is_text(name)
            return ReplyText() if is_typed and (value is None or self.is_unread(value)) else None
        whole = [node for node in (value, *given) if node is not None and not is_empty(node)]
        if added and whole:
            return None
        return self.followed(text, lambda: self._collected(added) if added else self._agreed(whole))

    def _collected(self, pieces: list[Node]) -> ReplyText | None:
        replies = list(map(self.value, pieces))
        return ReplyText() if all(reply is not None and not reply.is_trimmed for reply in replies) else None

    def _assigned(self, name: str) -> tuple[list[Node], list[Node]]:
        """What is assigned to a variable, and what is added to it, by `+=` or as `name = name + ...`."""
        given, added = [], []
        for node in find_all(self.body, "assignment_expression", "augmented_assignment_expression"):
            if text_of(field(node, "left")) != name:
                continue
            right = field(node, "right")
            is_sum = right.type == "binary_expression" and text_of(field(right, "operator")) == "+"
            if node.type == "augmented_assignment_expression":
                added.append(right)
            elif is_sum and text_of(field(right, "left")) == name:
                added.append(field(right, "right"))
            else:
                given.append(right)
        return given, added

    def _is_taken_out(self, name: str) -> bool:
        patterns = find_all(self.body, "object_pattern")
        kinds = ("shorthand_property_identifier_pattern", "identifier")
        return any(text_of(found) == name for pattern in patterns for found in find_all(pattern, *kinds))
