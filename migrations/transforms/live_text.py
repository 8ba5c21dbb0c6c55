"""How a reply may grow on the page: through `onSuccess` itself where that is provably right, else in a state that the
component has left over from an earlier stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.component_state import Component, State, hook_name
from migrations.discovery.imports import imports_of
from migrations.discovery.nodes import is_within, without_comments
from migrations.discovery.trpc_client import FUNCTIONS, declaration_of, property_of
from migrations.engine.syntax import find_all, text_of
from migrations.transforms.purity import Impure, Replay, check_expression, check_followers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tree_sitter import Node

    from migrations.discovery.calls import MutationCall
    from migrations.engine import SourceFile

_ELSEWHERE = "the options are not written where the hook is called"
_TYPED = "onSuccess types the finished text out by itself"
_TIMERS = frozenset({"setInterval", "setTimeout", "requestAnimationFrame"})
_DEPENDENT_HOOKS = ("useEffect", "useLayoutEffect", "useInsertionEffect", "useCallback", "useMemo")
_OTHER_CALLBACKS = ("onMutate", "onError", "onSettled")


@dataclass(frozen=True, eq=False)
class LiveText:
    """`states` become live. `statements` of `callback` run once a frame; all of them do if `is_whole`. `made` are the
    expressions in them that make an id or a time, which has to be the same each time.
    """

    states: tuple[State, ...]
    callback: Node
    statements: tuple[Node, ...]
    is_whole: bool
    made: tuple[Node, ...] = ()

    @property
    def parameters(self) -> list[Node]:
        """The reply and the variables, as the callback takes them."""
        return _parameters(self.callback)[:2]

    def names_of(self, parameter: Node) -> set[str]:
        return _bound([parameter])

    def mentions(self, name: str) -> bool:
        """Whether a statement uses a name."""
        return any(_mentions(statement, {name}) for statement in self.statements)


@dataclass(frozen=True, slots=True)
class NotLive:
    """Why the reply cannot be shown through `onSuccess`; `line` is 0 where there is no place to name."""

    reason: str
    line: int

    @property
    def is_typed(self) -> bool:
        """Whether onSuccess lets the finished text appear bit by bit."""
        return self.reason == _TYPED


def live_text(call: MutationCall, users: Iterable[SourceFile] = ()) -> LiveText | NotLive:
    """How the reply grows through the `onSuccess` of a call, or why that is not known to be right.

    `users` are the files that use the custom hook which the call may stand in: they get its states.
    """
    function = call.component
    if function is None:
        return NotLive("the hook is not called in a component", call.line)
    options = call.options
    callback = property_of(options, "onSuccess") if options is not None and options.type == "object" else None
    if callback is None:
        is_whole = options is None or (options.type == "object" and not _spreads(options))
        why = "there is no onSuccess that puts it into a state" if is_whole else _ELSEWHERE
        return NotLive(why, call.line)
    try:
        found = _through(Component.of(call.file, function), call, callback)
        for file in (call.file, *users) if call.hook_name else ():
            _check_user(file, call, callback)
        return found
    except Impure as impure:
        return NotLive(impure.reason, call.file.line_of(impure.node.start_byte))


@dataclass(frozen=True, eq=False)
class _Write:
    """A statement of onSuccess that calls setters."""

    statement: Node
    states: tuple[State, ...]
    uses_reply: bool


def _through(component: Component, call: MutationCall, callback: Node) -> LiveText:
    spread = _spreads(call.options) if call.options is not None else []
    if any(node.start_byte > callback.start_byte for node in spread):
        raise Impure("options that are spread behind it may replace onSuccess", spread[-1])
    if callback.type in ("identifier", "shorthand_property_identifier"):
        callback = _named_callback(component, callback)
        if callback.type not in FUNCTIONS:
            state = component.state_of(callback)
            assert state is not None
            _check_states(component, call, (state,), callback)
            return LiveText((state,), callback, (), is_whole=True)
    if callback.type not in FUNCTIONS:
        raise Impure("onSuccess is not written as a function", callback)
    statements = _statements(callback)
    writes, kept, others = _sorted(component, statements, _reply_names(callback, statements))
    states = tuple({state.declarator.id: state for w in writes if w.uses_reply for state in w.states}.values())
    if not states:
        raise Impure("onSuccess puts no part of it into a state of this component", callback)
    shown = [write for write in writes if set(write.states) & set(states)]
    for write in shown:
        if not set(write.states) <= set(states):
            raise Impure("one condition of onSuccess decides on this state and on others", write.statement)
    needed = _needed(kept, shown)
    run = sorted([*(write.statement for write in shown), *needed], key=lambda node: node.start_byte)
    replay = Replay(component, callback, states)
    for node in run:
        try:
            _check_write(replay, node)
        except Impure as impure:
            reason = f"onSuccess cannot be replayed once a frame, as {impure.reason}"
            raise Impure(reason, impure.node) from None
    _check_states(component, call, states, callback)
    is_whole = not others and len(run) == len(writes) + len(kept)
    if not is_whole:
        _check_parameters(callback, run)
    made = sorted(replay.made, key=lambda node: node.start_byte)
    return LiveText(states, callback, tuple(run), is_whole, tuple(made))


def _spreads(options: Node) -> list[Node]:
    return [node for node in options.named_children if node.type == "spread_element"]


def _named_callback(component: Component, name: Node) -> Node:
    """The function that a name stands for, or the name itself if it is a setter."""
    if component.is_setter(name):
        return name
    declared = declaration_of(name, text_of(name))
    if declared is not None and is_within(declared, component.function):
        value = declared.child_by_field_name("value")
        if value is not None and value.type in FUNCTIONS:
            return value
        if declared.type == "function_declaration":
            return declared
    raise Impure(f"`{text_of(name)}` is not a function of this component", name)


def _statements(callback: Node) -> list[Node]:
    body = callback.child_by_field_name("body")
    if body is None:
        return []
    if body.type != "statement_block":
        return [body]
    return without_comments(body)


def _reply_names(callback: Node, statements: list[Node]) -> set[str]:
    """The names that hold the reply: what the first parameter binds, and constants made of it."""
    names = _bound(_parameters(callback)[:1])
    for statement in statements:
        for declarator in find_all(statement, "variable_declarator"):
            value, name = declarator.child_by_field_name("value"), declarator.child_by_field_name("name")
            if value is not None and name is not None and _mentions(value, names):
                names |= _bound([name])
    return names


def _parameters(callback: Node) -> list[Node]:
    single = callback.child_by_field_name("parameter")
    parameters = callback.child_by_field_name("parameters")
    if single is not None:
        return [single]
    return without_comments(parameters) if parameters is not None else []


def _bound(patterns: list[Node]) -> set[str]:
    kinds = ("identifier", "shorthand_property_identifier_pattern")
    return {
        text_of(node)
        for pattern in patterns
        for node in find_all(pattern.child_by_field_name("pattern") or pattern, *kinds)
    }


def _mentions(node: Node, names: set[str]) -> bool:
    return any(text_of(found) in names for found in _names(node))


def _sorted(
    component: Component, statements: list[Node], reply: set[str]
) -> tuple[list[_Write], list[Node], list[Node]]:
    """The statements that write to states, the guards and constants around them, and the others.

    Raises Impure where one that writes the reply comes after an `await`, or is in a statement that does more.
    """
    writes: list[_Write] = []
    kept: list[Node] = []
    others: list[Node] = []
    waits = False
    for statement in statements:
        calls = _setters_in(component, statement)
        is_plain = _is_plain(component, statement)
        if calls and _has_timer(statement):
            raise Impure(_TYPED, statement)
        if calls and is_plain:
            uses = _mentions(statement, reply)
            if uses and waits:
                raise Impure("onSuccess waits for something else first", statement)
            writes.append(_Write(statement, tuple(dict.fromkeys(calls)), uses))
        elif is_plain and statement.type in ("if_statement", "lexical_declaration", "return_statement"):
            kept.append(statement)
        else:
            if calls and _mentions(statement, reply):
                raise Impure("onSuccess sets the state in a statement that does more", statement)
            if _leaves(statement):
                raise Impure("onSuccess may end in a statement that does more", statement)
            others.append(statement)
        waits = waits or any(True for _ in _own(statement, "await_expression"))
    return writes, kept, others


def _needed(kept: list[Node], shown: list[_Write]) -> list[Node]:
    """The guards, and the constants that they and what is shown use."""
    needed: list[Node] = []
    used = {text_of(node) for write in shown for node in _names(write.statement)}
    for node in reversed(kept):
        if node.type == "lexical_declaration":
            names = _bound([declared.child_by_field_name("name") or declared for declared in node.named_children])
            if not names & used:
                continue
        used |= {text_of(name) for name in _names(node)}
        needed.append(node)
    return needed[::-1]


def _names(node: Node) -> Iterator[Node]:
    return find_all(node, "identifier", "shorthand_property_identifier")


def _setters_in(component: Component, node: Node) -> list[State]:
    found = []
    for call in find_all(node, "call_expression"):
        function = call.child_by_field_name("function")
        if function is not None and function.type == "identifier" and component.is_setter(function):
            state = component.state_of(function)
            if state is not None:
                found.append(state)
    return found


def _is_plain(component: Component, node: Node) -> bool:
    """Whether a statement is made of calls of setters, conditions, constants and empty returns only."""
    if node.type in ("expression_statement", "statement_block", "else_clause"):
        return all(_is_plain(component, child) for child in node.named_children)
    if node.type == "call_expression":
        function = node.child_by_field_name("function")
        return function is not None and function.type == "identifier" and component.is_setter(function)
    if node.type == "if_statement":
        parts = [node.child_by_field_name(part) for part in ("consequence", "alternative")]
        return all(_is_plain(component, part) for part in parts if part is not None)
    if node.type == "lexical_declaration":
        return node.children[0].type == "const" and not any(True for _ in _own(node, "await_expression"))
    return node.type == "comment" or (node.type == "return_statement" and not node.named_children)


def _leaves(statement: Node) -> bool:
    """Whether it may end the callback before what comes after it."""
    return statement.type != "return_statement" and any(True for _ in _own(statement, "return_statement"))


def _own(node: Node, kind: str) -> Iterator[Node]:
    """The nodes of a kind that are not inside a function in here."""
    stack = [node]
    while stack:
        node = stack.pop()
        if node.type == kind:
            yield node
        if node.type not in FUNCTIONS:
            stack.extend(node.named_children)


def _check_write(replay: Replay, node: Node) -> None:
    if node.type == "call_expression":
        arguments = node.child_by_field_name("arguments")
        for child in arguments.named_children if arguments is not None else ():
            check_expression(replay, child)
    elif node.type == "if_statement":
        condition = node.child_by_field_name("condition")
        if condition is not None:
            check_expression(replay, condition)
        for part in ("consequence", "alternative"):
            inner = node.child_by_field_name(part)
            if inner is not None:
                _check_write(replay, inner)
    elif node.type == "lexical_declaration":
        for declarator in node.named_children:
            value = declarator.child_by_field_name("value")
            if value is not None:
                check_expression(replay, value)
    elif node.type in ("expression_statement", "statement_block", "else_clause"):
        for child in without_comments(node):
            _check_write(replay, child)


def _check_states(component: Component, call: MutationCall, states: tuple[State, ...], callback: Node) -> None:
    for state in states:
        check_followers(component, state, call.call)
    for name in _OTHER_CALLBACKS:
        other = property_of(call.options, name) if call.options is not None else None
        if other is not None and component.reads(other, states):
            raise Impure(f"{name} reads a state that would grow", other)


def _check_user(file: SourceFile, call: MutationCall, callback: Node) -> None:
    """Raises Impure where a component that calls the custom hook does more with what it gets than show it."""
    imported = [name for i in imports_of(file) for name in i.names]
    locals_ = {name.local for name in imported if name.imported in (call.hook_name, "default")} | {call.hook_name}
    for use in find_all(file.root, "call_expression"):
        name, declarator = use.child_by_field_name("function"), use.parent
        if name is None or name.type != "identifier" or text_of(name) not in locals_:
            continue
        function: Node | None = use
        while function is not None and function.type not in FUNCTIONS:
            function = function.parent
        if function is None or declarator is None or declarator.type != "variable_declarator":
            continue
        component = Component.of(file, function)
        for bound in _bound([declarator.child_by_field_name("name") or declarator]):
            try:
                check_followers(component, State(bound, "", declarator, use, name), use)
            except Impure as impure:
                place = f"{file.path}:{file.line_of(impure.node.start_byte)}"
                raise Impure(f"{impure.reason} ({place})", callback) from None


def _check_parameters(callback: Node, run: list[Node]) -> None:
    later = _bound(_parameters(callback)[2:])
    for node in run:
        if _mentions(node, later):
            raise Impure("onSuccess uses what onMutate returned", node)


# --- a state that is left over


@dataclass(frozen=True, eq=False)
class DeadState:
    """A state that is shown and never set."""

    state: State
    is_list: bool


def dead_state(call: MutationCall) -> DeadState | None:
    """The one state of the component, a string or a list of strings, that its JSX shows and nothing sets any more.

    None too where onSuccess types the finished text out by itself: it would then be seen twice.
    """
    function = call.component
    callback = property_of(call.options, "onSuccess") if call.options is not None else None
    if function is None or call.target is None or (callback is not None and _has_timer(callback)):
        return None
    if call.target.type == "object_pattern" and not _has_room(call.target):
        return None
    component = Component.of(call.file, function)
    found = []
    for state in component.states:
        kind = _text_kind(state)
        if not kind or not state.value or (state.setter and component.uses_of(state, state.setter)):
            continue
        if not _is_alone(call.file, state):
            continue
        uses = component.uses_of(state, state.value)
        if any(_is_shown(use) for use in uses) and all(use.start_byte > call.call.end_byte for use in uses):
            found.append(DeadState(state, kind == "list"))
    return found[0] if len(found) == 1 else None


def _has_room(pattern: Node) -> bool:
    """Whether `partial` can join a pattern."""
    members = pattern.named_children
    is_open = bool(members) and members[-1].type not in ("rest_pattern", "comment")
    return is_open and declaration_of(pattern, "partial") is None


def _is_alone(file: SourceFile, state: State) -> bool:
    """Whether a state's declaration is a statement by itself, on lines of its own."""
    statement = state.declarator.parent
    if statement is None or len(statement.named_children) != 1:
        return False
    start, end = file.line_start(statement.start_byte), file.line_end(statement.end_byte - 1)
    return file.data[start:end].strip() == file.data[statement.start_byte : statement.end_byte]


def _has_timer(node: Node) -> bool:
    return any(text_of(name) in _TIMERS for name in find_all(node, "identifier", "property_identifier"))


def _text_kind(state: State) -> str:
    """text, list, or "" for other states; only those that begin empty."""
    initial = text_of(state.initial) if state.initial is not None else ""
    annotation = text_of(state.type_argument) if state.type_argument is not None else ""
    if initial in ('""', "''", "``") and annotation in ("", "string"):
        return "text"
    return "list" if initial == "[]" and annotation in ("string[]", "Array<string>") else ""


def _is_shown(use: Node) -> bool:
    node: Node | None = use
    while node is not None and node.type not in ("statement_block", "jsx_attribute"):
        if node.type == "jsx_expression":
            return True
        node = node.parent
    return False


def missing_dependencies(component: Component, states: tuple[State, ...]) -> Iterator[tuple[Node, list[str]]]:
    """The dependency lists of hooks that use a setter without naming it, as lint allows for `useState` only."""
    for call in find_all(component.function, "call_expression"):
        arguments = call.child_by_field_name("arguments")
        if hook_name(call) not in _DEPENDENT_HOOKS or arguments is None:
            continue
        given = without_comments(arguments)
        if len(given) != 2 or given[1].type != "array":
            continue
        listed = {text_of(node) for node in given[1].named_children}
        missing = [
            state.setter
            for state in states
            if state.setter not in listed
            and any(is_within(use, given[0]) for use in component.uses_of(state, state.setter))
        ]
        if missing:
            yield given[1], missing
