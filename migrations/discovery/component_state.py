"""What a component holds: its states, and what the names in it stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.imports import find_import
from migrations.discovery.nodes import arguments_of, is_within
from migrations.discovery.trpc_client import declaration_of
from migrations.engine.syntax import find_all, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from migrations.engine import SourceFile

_NAMES = ("identifier", "shorthand_property_identifier")
_MAKERS = {"useState": "react", "useLiveState": ""}


@dataclass(frozen=True)
class State:
    """`const [value, setter] = useState(...)`: the two names ("" where left out), and the nodes. `maker` is what is
    called, `useState` or `React.useState`.
    """

    value: str
    setter: str
    declarator: Node
    call: Node
    maker: Node

    @property
    def type_argument(self) -> Node | None:
        """The T of `useState<T>(...)`."""
        given = self.call.child_by_field_name("type_arguments")
        return given.named_children[0] if given is not None and given.named_children else None

    @property
    def initial(self) -> Node | None:
        return next(iter(arguments_of(self.call)), None)


@dataclass(frozen=True, eq=False)
class Component:
    """A function that calls hooks."""

    file: SourceFile
    function: Node
    states: tuple[State, ...]

    @classmethod
    def of(cls, file: SourceFile, function: Node) -> Component:
        return cls(file, function, tuple(_states(file, function)))

    def state_of(self, name: Node) -> State | None:
        """The state whose value or setter an identifier is, in its scope."""
        declared = declaration_of(name, text_of(name))
        return next((state for state in self.states if declared is not None and state.declarator == declared), None)

    def is_setter(self, name: Node) -> bool:
        state = self.state_of(name)
        return state is not None and text_of(name) == state.setter

    def setter_calls(self, state: State) -> Iterator[Node]:
        """The calls of a state's setter in the component."""
        for call in find_all(self.function, "call_expression"):
            function = call.child_by_field_name("function")
            is_named = function is not None and function.type == "identifier" and text_of(function) == state.setter
            if is_named and function is not None and self.state_of(function) == state:
                yield call

    def uses_of(self, state: State, name: str) -> list[Node]:
        """The places where the state's value or setter is used, its declaration left out."""
        return [
            node
            for node in find_all(self.function, *_NAMES)
            if text_of(node) == name and not is_within(node, state.declarator) and self.state_of(node) == state
        ]

    def reads(self, node: Node, states: tuple[State, ...]) -> bool:
        """Whether an expression reads the value of one of these states, also through constants of the component."""
        return self._reads(node, states, set())

    def _reads(self, node: Node, states: tuple[State, ...], seen: set[int]) -> bool:
        for name in find_all(node, *_NAMES):
            declared = declaration_of(name, text_of(name))
            if declared is None or declared.id in seen or is_within(declared, node):
                continue
            state = next((state for state in states if state.declarator == declared), None)
            if state is not None:
                if text_of(name) == state.value:
                    return True
            elif is_within(declared, self.function) and declared.type in (
                "variable_declarator",
                "function_declaration",
            ):
                seen.add(declared.id)
                inner = declared.child_by_field_name("value") or declared.child_by_field_name("body")
                if inner is not None and self._reads(inner, states, seen):
                    return True
        return False


def hook_name(call: Node) -> str:
    """The hook that is called: `useEffect` in `useEffect(...)` and in `React.useEffect(...)`; "" if it is none."""
    function = call.child_by_field_name("function")
    name = text_of(function).replace("?", "").rpartition(".")[2] if function is not None else ""
    return name if name.startswith("use") and name[3:4].isupper() else ""


def _states(file: SourceFile, function: Node) -> Iterator[State]:
    body = function.child_by_field_name("body")
    for statement in body.named_children if body is not None and body.type == "statement_block" else ():
        if statement.type != "lexical_declaration":
            continue
        for declarator in statement.named_children:
            name, call = declarator.child_by_field_name("name"), declarator.child_by_field_name("value")
            if name is None or name.type != "array_pattern" or call is None or call.type != "call_expression":
                continue
            maker = call.child_by_field_name("function")
            if maker is not None and _is_maker(file, maker):
                value, setter = _pair(name)
                yield State(value, setter, declarator, call, maker)


def _is_maker(file: SourceFile, maker: Node) -> bool:
    local, _, member = text_of(maker).partition(".")
    found = find_import(file, local)
    if found is None:
        return False
    name = member if found[1].imported in ("*", "default") else "" if member else found[1].imported
    return name in _MAKERS and _MAKERS[name] in ("", found[0].specifier)


def _pair(pattern: Node) -> tuple[str, str]:
    """The two names of an array pattern; a hole gives ""."""
    names = ["", ""]
    at = 0
    for child in pattern.children:
        if child.type == ",":
            at += 1
        elif child.is_named and child.type == "identifier" and at < 2:
            names[at] = text_of(child)
    return names[0], names[1]
