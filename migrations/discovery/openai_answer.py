"""The answer of a call of OpenAI's chat completions, followed through the procedure to what it returns.

Read from openai's own types (versions 4 to 6): `create` without `stream` resolves to a completion whose text is
`choices[0].message.content`; with `stream: true` to an async iterable of chunks, `choices[0].delta.content` each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.declarations import is_fixed
from migrations.discovery.nodes import (
    DECLARED_NAMES,
    FUNCTION_NODES,
    NAMES,
    TRANSPARENT,
    arguments_of,
    block_of,
    field,
    key_name,
    own_nodes,
    short_text,
)
from migrations.discovery.refused import Refused
from migrations.discovery.reply_shape import ReplyText, Return, ReturnReader, is_empty
from migrations.discovery.trpc_client import unwrapped
from migrations.engine.syntax import find_all, text_of, walk

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.engine import SourceFile

_LOOPS = frozenset({"for_statement", "for_in_statement", "while_statement", "do_statement"})
_CONTENT = ("choices", "0", "message", "content")


@dataclass(frozen=True, slots=True)
class TextName:
    """A constant that is made of the text: its statement, and where it is used. `is_text`: it is the text and nothing
    else, as it came; `is_pattern`: its statement takes the answer apart, and so its uses are reads.
    """

    name: str
    statement: Node
    uses: tuple[Node, ...]
    is_text: bool
    is_pattern: bool = False


@dataclass(frozen=True, slots=True)
class ModelCall:
    """The call whose text the mutation returns; `request` is the object with its parameters, or the name of one.

    `statement` holds it (the arrow function's body where that is an expression), `reads` are the expressions that are
    the text, `guards` those that ask whether there is an answer at all, `names` the constants that are made of
    it, `aliases` the statements that only take the answer apart.
    """

    call: Node
    request: Node
    statement: Node
    reads: tuple[Node, ...]
    guards: tuple[Node, ...]
    names: tuple[TextName, ...]
    aliases: tuple[Node, ...]
    returns: tuple[Return, ...]


class AnswerReader:
    """Follows the answer of one call through the procedure's body."""

    def __init__(self, file: SourceFile, body: Node, call: Node) -> None:
        """Raises Refused where the call does not stand where a loop could."""
        self.file = file
        self.body = body
        self.call = call
        self.awaited = self._awaited()
        self.statement = self._statement(self.awaited)
        self.reads: dict[int, Node] = {}
        self.guards: dict[int, Node] = {}
        self.names: list[TextName] = []
        self.aliases: list[Node] = []

    def read(self, request: Node) -> ModelCall:
        """Raises Refused."""
        self._follow(self.awaited, ())
        if not self.reads:
            raise self.refuse("the text of the answer is not read", self.call)
        texts = _Returns(self)
        self._name_constants(texts)
        aliases = [alias for alias in self.aliases if alias.start_byte != self.statement.start_byte]
        returned = texts.read()
        texts.check_reviews({name.name for name in self.names})
        return ModelCall(
            self.call,
            request,
            self.statement,
            tuple(self.reads.values()),
            tuple(self.guards.values()),
            tuple(self.names),
            tuple(aliases),
            returned.returns,
        )

    def refuse(self, reason: str, node: Node) -> Refused:
        return Refused(reason, node, self.file)

    def _awaited(self) -> Node:
        parent = self.call.parent
        while parent is not None and parent.type == "parenthesized_expression":
            parent = parent.parent
        if parent is None or parent.type != "await_expression":
            raise self.refuse("the model's call is not awaited where it stands", self.call)
        return parent

    def _statement(self, awaited: Node) -> Node:
        """The statement of the call. It has to be one before which a loop can be put without changing the order."""
        statement = awaited
        while statement.parent is not None and statement != self.body:
            if statement.parent.type == "statement_block":
                break
            statement = statement.parent
        node: Node | None = awaited
        while node is not None and node != self.body:
            if node.type in _LOOPS:
                raise self.refuse("the model is called in a loop", self.call)
            if node.type in ("switch_case", "switch_default"):
                raise self.refuse("the model is called in a switch", self.call)
            node = node.parent
        if statement == self.body and self.body.type != "statement_block":
            pass
        elif statement.type not in ("lexical_declaration", "variable_declaration", "return_statement") or (
            "declaration" in statement.type and len(statement.named_children) != 1
        ):
            is_assignment = (
                statement.type == "expression_statement"
                and statement.named_children[0].type == "assignment_expression"
                and field(statement.named_children[0], "left").type == "identifier"
            )
            if not is_assignment:
                raise self.refuse("the model's call is not a declaration or a return of its own", self.call)
        for other in own_nodes(statement, "call_expression", "await_expression", "new_expression"):
            if other.start_byte < awaited.start_byte and other.end_byte <= awaited.start_byte:
                raise self.refuse("something else is called before the model in the same statement", other)
        return statement

    # --- from the answer to its text

    def _follow(self, node: Node, path: tuple[str, ...]) -> None:
        """Follow an expression that is the part `path` of the answer to where its text is read."""
        while True:
            parent = node.parent
            assert parent is not None
            step = self._step(node, parent)
            if step is None:
                break
            node, taken = step
            path += taken
            if path != _CONTENT[: len(path)]:
                what = ".".join(part for part in path if part != "0")
                raise self.refuse(f"the answer's `{what}` is used, which a stream does not have in one piece", node)
            if path == _CONTENT:
                self.reads[node.start_byte] = node
                return
        if parent.type == "variable_declarator" and parent.child_by_field_name("value") == node:
            self._bind_declared(parent, path)
        elif _is_guard(node, parent) and path != ("choices",):
            self.guards[node.start_byte] = node
        elif is_logged(node, parent):
            self.reads[node.start_byte] = node
        else:
            raise self.refuse(f"`{short_text(node)}` is used as a whole, of which a stream has only the text", node)

    def _step(self, node: Node, parent: Node) -> tuple[Node, tuple[str, ...]] | None:
        """One step outwards: what is taken of `node`, or nothing of it."""
        if parent.type in TRANSPARENT:
            return parent, ()
        if parent.type == "member_expression" and parent.child_by_field_name("object") == node:
            name = text_of(field(parent, "property"))
            call = parent.parent
            if name == "at" and call is not None and call.type == "call_expression":
                arguments = arguments_of(call)
                return (call, ("0",)) if len(arguments) == 1 and text_of(arguments[0]) == "0" else (call, ("at",))
            return parent, (name,)
        if parent.type == "subscript_expression" and parent.child_by_field_name("object") == node:
            return parent, (text_of(field(parent, "index")).strip("\"'"),)
        return None

    def _bind_declared(self, declarator: Node, path: tuple[str, ...]) -> None:
        statement = declarator.parent
        assert statement is not None
        if not is_fixed(self.file, declarator) or len(statement.named_children) != 1:
            raise self.refuse("the answer is kept in a variable that changes", declarator)
        self.aliases.append(statement)
        self._bind(field(declarator, "name"), path, statement)

    def _bind(self, target: Node, path: tuple[str, ...], statement: Node) -> None:
        """The names in a pattern are parts of the answer."""
        if path != _CONTENT[: len(path)]:
            what = ".".join(part for part in path if part != "0")
            raise self.refuse(f"the answer's `{what}` is used, which a stream does not have in one piece", target)
        if target.type in ("identifier", "shorthand_property_identifier_pattern"):
            uses = self._uses(target, statement)
            if path == _CONTENT:
                self.names.append(TextName(text_of(target), statement, tuple(uses), is_text=True, is_pattern=True))
                self.reads.update((use.start_byte, use) for use in uses)
                return
            for use in uses:
                self._follow(use, path)
        elif target.type == "object_pattern":
            for item in target.named_children:
                if item.type == "shorthand_property_identifier_pattern":
                    self._bind(item, (*path, text_of(item)), statement)
                elif item.type == "pair_pattern":
                    self._bind(field(item, "value"), (*path, key_name(item)), statement)
                elif item.type != "comment":
                    raise self.refuse(f"`{short_text(item)}` takes more of the answer than its text", item)
        elif target.type == "array_pattern" and len(target.named_children) == 1:
            self._bind(target.named_children[0], (*path, "0"), statement)
        else:
            raise self.refuse(f"`{short_text(target)}` takes more of the answer than its text", target)

    def _uses(self, target: Node, statement: Node) -> list[Node]:
        """Where a name is used that is declared at `target`, the only declaration of it in its block."""
        name = text_of(target)
        uses = []
        stack = [block_of(statement) or self.body]
        while stack:
            node = stack.pop()
            if node.type in FUNCTION_NODES and _has_parameter(node, name):
                continue
            if node != target and node.is_named and node.type in DECLARED_NAMES and text_of(node) == name:
                if _is_declaration(node):
                    raise self.refuse(f"`{name}` is declared more than once", node)
                uses.append(node)
            stack.extend(reversed(node.children))
        return uses

    def _name_constants(self, texts: _Returns) -> None:
        """The constants that are made of the text."""
        for statement in own_nodes(self.body, "lexical_declaration", "variable_declaration"):
            declarator = statement.named_children[0]
            name, value = declarator.child_by_field_name("name"), declarator.child_by_field_name("value")
            if len(statement.named_children) > 1 or name is None or name.type != "identifier" or value is None:
                continue
            if is_fixed(self.file, declarator) and texts.value(value) is not None:
                is_text = self.is_read(value) and declarator.child_by_field_name("type") is None
                self.names.append(TextName(text_of(name), statement, tuple(self._uses(name, statement)), is_text))

    def is_read(self, node: Node) -> bool:
        return self.reads.get(node.start_byte) == node

    # --- from the text to what is returned


class _Returns(ReturnReader):
    """What the procedure returns, made of the text that was read of the answer."""

    def __init__(self, answer: AnswerReader) -> None:
        super().__init__(answer.file, answer.body)
        self.answer = answer

    def origin(self, node: Node) -> ReplyText | None:
        return ReplyText() if self.answer.is_read(node) else None

    def without_reply(self, values: list[tuple[Node, Node | None]]) -> str:
        at = next((node for node, value in reversed(values) if value is not None), None)
        if at is None:
            raise self.refuse("the procedure does not return the model's text", self.answer.call)
        raise self.refuse("the procedure returns something else than the model's text", at)

    def nothing(self, node: Node) -> Return:
        raise self.refuse("the procedure returns values of different shapes", node)

    def check_other(self, node: Node) -> None:
        if self._is_after(node) and not self._is_for_no_text(node):
            raise self.refuse("another value is returned after the model has answered", node)

    def _is_after(self, node: Node) -> bool:
        return _is_after(node, self.answer.statement, self.body)

    def check_reviews(self, made: set[str]) -> None:
        """That the text is not looked at before the page may see it: a stream shows it at once."""
        for call in own_nodes(self.body, "call_expression"):
            if self._is_after(call) and re.search(r"\.moderations\b", text_of(field(call, "function"))):
                raise self.refuse("the reply is moderated before it is returned, and a stream shows it at once", call)
        for thrown in own_nodes(self.body, "throw_statement"):
            outer = thrown.parent
            if outer is not None and outer.type == "statement_block":
                outer = outer.parent
            if outer is None or outer.type != "if_statement" or not self._is_after(thrown):
                continue
            condition = unwrapped(field(outer, "condition"))
            asks = any(
                self.answer.is_read(node) or (node.type in NAMES and text_of(node) in made) for node in walk(condition)
            )
            if asks and not self._is_emptiness(condition):
                raise self.refuse("the reply is checked before it is returned, and a stream shows it at once", thrown)

    def _is_for_no_text(self, node: Node) -> bool:
        """Whether a return stands directly below an `if` that asks whether the text is empty."""
        inner, outer = node, node.parent
        if outer is not None and outer.type == "statement_block":
            inner, outer = outer, outer.parent
        if outer is None or outer.type != "if_statement" or outer.child_by_field_name("consequence") != inner:
            return False
        return self._is_emptiness(unwrapped(field(outer, "condition")))

    def _is_emptiness(self, node: Node) -> bool:
        if node.type == "unary_expression" and text_of(field(node, "operator")) == "!":
            asked = unwrapped(field(node, "argument"))
            known = self.value(asked)
            return asked.start_byte in self.answer.guards or (known is not None and known.fallback is None)
        if node.type == "binary_expression":
            left, operator, right = (field(node, name) for name in ("left", "operator", "right"))
            if text_of(operator) == "||":
                return self._is_emptiness(unwrapped(left)) and self._is_emptiness(unwrapped(right))
            if text_of(operator) in ("===", "=="):
                known = self.value(left)
                return known is not None and known.fallback is None and is_empty(right)
        return False


# --- nodes


def _is_declaration(node: Node) -> bool:
    """Whether an identifier is declared where it stands, as a variable, in a pattern or as a parameter."""
    parent = node.parent
    if node.type == "shorthand_property_identifier_pattern":
        return True
    if parent is None:
        return False
    return (
        (parent.type in ("variable_declarator", "function_declaration") and parent.child_by_field_name("name") == node)
        or (parent.type == "pair_pattern" and parent.child_by_field_name("value") == node)
        or parent.type in ("array_pattern", "rest_pattern", "required_parameter", "optional_parameter")
        or (parent.type == "arrow_function" and parent.child_by_field_name("parameter") == node)
        or (parent.type == "catch_clause" and parent.child_by_field_name("parameter") == node)
        or (parent.type == "for_in_statement" and parent.child_by_field_name("left") == node)
    )


def _has_parameter(function: Node, name: str) -> bool:
    """Whether a nested function calls one of its parameters so."""
    parameters = function.child_by_field_name("parameters") or function.child_by_field_name("parameter")
    return parameters is not None and any(text_of(node) == name for node in find_all(parameters, *DECLARED_NAMES))


def _is_guard(node: Node, parent: Node) -> bool:
    """Whether it is only asked whether there is such a thing: `!x`, or `if (x)`."""
    if parent.type == "unary_expression":
        return text_of(field(parent, "operator")) == "!"
    return parent.type == "if_statement" and node.type == "parenthesized_expression"


def is_logged(node: Node, parent: Node) -> bool:
    """Whether it is an argument of console.log or its like."""
    call = parent.parent
    if parent.type != "arguments" or call is None or call.type != "call_expression":
        return False
    return re.match(r"console\s*\.", text_of(field(call, "function"))) is not None


def _is_after(node: Node, statement: Node, body: Node) -> bool:
    """Whether `node` is reached when `statement` is done, as far as the blocks tell; a catch clause is not."""
    above = {}
    inner, outer = statement, statement.parent
    while outer is not None:
        above[outer.id] = inner
        if outer == body:
            break
        inner, outer = outer, outer.parent
    inner, outer = node, node.parent
    while outer is not None and outer.id not in above:
        inner, outer = outer, outer.parent
    if outer is None:
        return False
    if outer.type == "try_statement":
        return inner.type == "finally_clause"
    return outer.type == "statement_block" and inner.start_byte > above[outer.id].start_byte
