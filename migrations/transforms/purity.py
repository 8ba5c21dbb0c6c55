"""Whether code may run again and again: what a component's callback tells its states, and what its effects do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from migrations.discovery.component_state import hook_name
from migrations.discovery.imports import find_import
from migrations.discovery.nodes import is_within, short_text, without_comments
from migrations.discovery.trpc_client import FUNCTIONS, declaration_of
from migrations.engine.syntax import find_all, text_of
from migrations.transforms.made_values import ONCE, is_made, is_time

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.discovery.component_state import Component, State


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Methods that change nothing and cannot fail on a text that has only begun.
_PURE_METHODS = _words(
    "map filter slice concat trim trimStart trimEnd at find findLast findIndex findLastIndex indexOf lastIndexOf "
    "includes some every flat flatMap reduce join split replace replaceAll toUpperCase toLowerCase startsWith "
    "endsWith toString padStart padEnd substring toSorted toReversed toSpliced with keys values entries"
)
_MAY_GIVE_NOTHING = frozenset({"at", "find", "findLast"})
_PURE_FUNCTIONS = _words(
    "String Number Boolean Array.isArray Array.from Object.keys Object.values Object.entries Object.fromEntries "
    "JSON.stringify Math.min Math.max Math.floor Math.ceil Math.round Math.abs structuredClone"
)
_PURE_CLASSES = frozenset({"Map", "Set"})
_PURE_NODES = _words(
    "string string_fragment escape_sequence number true false null undefined regex regex_pattern regex_flags "
    "template_string template_substitution array object pair spread_element ternary_expression binary_expression "
    "parenthesized_expression as_expression satisfies_expression non_null_expression member_expression "
    "subscript_expression property_identifier computed_property_name arguments comment optional_chain"
)
_TYPES = ("as_expression", "satisfies_expression")
_CONSTANT_GLOBALS = frozenset({"undefined", "NaN", "Infinity"})
# What an effect may do each time that a state changes: the page's own looks, its storage, what it logs.
# (`replace` and `join` may be a router's and a room's.)
_EFFECT_METHODS = (_PURE_METHODS - {"replace", "replaceAll", "join", "with"}) | _words(
    "scrollIntoView scrollTo scroll scrollBy focus blur setSelectionRange querySelector querySelectorAll "
    "getElementById getBoundingClientRect closest setItem removeItem getItem log debug info stringify parse "
    "addEventListener removeEventListener setProperty forEach min max abs round floor ceil"
)
_EFFECT_FUNCTIONS = _words(
    "requestAnimationFrame cancelAnimationFrame setTimeout clearTimeout queueMicrotask String Number Boolean"
)
_EFFECTS = ("useEffect", "useLayoutEffect", "useInsertionEffect")
# Hooks of React that only keep what they are given.
_KEEPING_HOOKS = frozenset(
    {"useMemo", "useCallback", "useDeferredValue", "useState", "useLiveState", "useRef", "useReducer", "useDebugValue"}
)
_DEEPEST = 6
_MOST_SHOWN = 40


class Impure(Exception):
    """`reason` says what it is that may not run again and again, `node` where."""

    def __init__(self, reason: str, node: Node) -> None:
        super().__init__(reason)
        self.reason = reason
        self.node = node


@dataclass(frozen=True, eq=False)
class Replay:
    """`callback`, run again and again while the states `live` show what it tells them. `made` are the expressions in it
    that have to give the same each time: ids, times.
    """

    component: Component
    callback: Node
    live: tuple[State, ...]
    made: list[Node] = field(default_factory=list)


def check_expression(replay: Replay, node: Node) -> None:
    """Raises Impure unless the expression gives the same for the same reply however often it runs, without reading the
    live states; what it makes anew each time is added to `made`.
    """

    def check(part: Node) -> None:
        check_expression(replay, part)

    if is_made(replay.component.file, node):
        _check_made(replay, node)
        replay.made.append(node)
    elif node.type in _TYPES:
        check(node.named_children[0])
    elif node.type in ("identifier", "shorthand_property_identifier"):
        _check_name(replay, node)
    elif node.type == "unary_expression":
        if text_of(node).startswith("delete"):
            raise Impure("it deletes a property", node)
        for child in node.named_children:
            check(child)
    elif node.type == "arrow_function":
        check_function(replay, node)
    elif node.type == "call_expression":
        _check_call(replay, node)
    elif node.type == "new_expression":
        made = node.child_by_field_name("constructor")
        if made is None or text_of(made) not in _PURE_CLASSES:
            raise Impure(f"it makes a `new {text_of(made) if made is not None else ''}` each time", node)
        arguments = node.child_by_field_name("arguments")
        for child in arguments.named_children if arguments is not None else ():
            check(child)
    elif node.type in _PURE_NODES:
        if node.type in ("member_expression", "subscript_expression"):
            _check_member(node)
        for child in node.named_children:
            check(child)
    else:
        raise Impure(f"`{short_text(node, _MOST_SHOWN)}` may do more than give a value", node)


def check_function(replay: Replay, function: Node) -> None:
    """The same for a function: one expression, or constants, conditions and returns."""
    body = function.child_by_field_name("body")
    if body is None or any(child.type == "async" for child in function.children):
        raise Impure("it is async", function)
    if body.type != "statement_block":
        check_expression(replay, body)
        return
    stack = list(body.named_children)
    while stack:
        node = stack.pop()
        if node.type == "lexical_declaration" and node.children[0].type == "const":
            for declarator in node.named_children:
                value = declarator.child_by_field_name("value")
                if value is not None:
                    check_expression(replay, value)
        elif node.type in ("return_statement", "parenthesized_expression"):
            for child in node.named_children:
                check_expression(replay, child)
        elif node.type in ("if_statement", "else_clause", "statement_block"):
            stack.extend(node.named_children)
        elif node.type != "comment":
            raise Impure(f"`{short_text(node, _MOST_SHOWN)}` may do more than give a value", node)


def _check_made(replay: Replay, made: Node) -> None:
    """Of one expression one value a reply is kept, and only until the callback first waits."""
    function = _function_around(made)
    told = function.parent.parent if function is not None and function.parent is not None else None
    setter = told.child_by_field_name("function") if told is not None and told.type == "call_expression" else None
    is_updater = setter is not None and setter.type == "identifier" and replay.component.is_setter(setter)
    if not (function == replay.callback or is_updater or is_time(replay.component.file, made)):
        raise Impure(f"it makes `{short_text(made, _MOST_SHOWN)}` more than once", made)
    for wait in find_all(replay.callback, "await_expression"):
        if wait.start_byte < made.start_byte and _function_around(wait) == replay.callback:
            raise Impure(f"it makes `{short_text(made, _MOST_SHOWN)}` after it has waited", made)


def _function_around(node: Node) -> Node | None:
    found = node.parent
    while found is not None and found.type not in FUNCTIONS:
        found = found.parent
    return found


def _check_name(replay: Replay, name: Node) -> None:
    component, callback, live = replay.component, replay.callback, replay.live
    text = text_of(name)
    if text in _CONSTANT_GLOBALS:
        return
    declared = declaration_of(name, text)
    if declared is None:
        if find_import(component.file, text) is None:
            raise Impure(f"it reads the global `{text}`", name)
        return
    if is_within(declared, callback):
        return
    state = component.state_of(name)
    if state is not None:
        if text == state.setter:
            raise Impure(f"it hands `{text}` on", name)
        if state in live:
            raise Impure(f"it reads `{text}` itself instead of an updater's `(previous) => ...`", name)
        return
    if declared.type == "variable_declarator":
        if declared.parent is None or declared.parent.children[0].type != "const":
            raise Impure(f"`{text}` is a variable that may change", name)
        value = declared.child_by_field_name("value")
        if value is not None and value.type == "call_expression" and hook_name(value) == "useRef":
            raise Impure(f"it reads the ref `{text}`", name)
        if is_within(declared, component.function) and component.reads(name, live):
            raise Impure(f"`{text}` is made from what it sets", name)


def _check_call(replay: Replay, call: Node) -> None:
    component = replay.component
    function, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    text = text_of(function) if function is not None else ""
    is_global = function is not None and declaration_of(function, text.partition(".")[0]) is None
    if text == ONCE and is_global:
        return
    if not (text in _PURE_FUNCTIONS and is_global):
        name = function.child_by_field_name("property") if function is not None else None
        owner = function.child_by_field_name("object") if function is not None else None
        if name is None or owner is None or text_of(name) not in _PURE_METHODS or function is None:
            raise Impure(f"it calls `{_short_call(call)}`", call)
        if owner.type == "identifier" and find_import(component.file, text_of(owner)) is not None:
            raise Impure(f"it calls `{_short_call(call)}`", call)
        _check_member(function)
        check_expression(replay, owner)
    for child in arguments.named_children if arguments is not None else ():
        check_expression(replay, child)


def _check_member(node: Node) -> None:
    """No property of what a text that has only begun may not have yet."""
    owner = node.child_by_field_name("object")
    if owner is None or any(child.type == "optional_chain" for child in node.children):
        return
    called = owner.child_by_field_name("function") if owner.type == "call_expression" else None
    name = called.child_by_field_name("property") if called is not None else None
    if owner.type == "subscript_expression" or (name is not None and text_of(name) in _MAY_GIVE_NOTHING):
        raise Impure(f"`{short_text(owner, _MOST_SHOWN)}` may be missing while the text is short", node)


def _short_call(call: Node) -> str:
    """`toast(...)`, or `refresh()` where nothing is given."""
    function, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    given = "..." if arguments is not None and arguments.named_children else ""
    return f"{short_text(function or call, _MOST_SHOWN)}({given})"


# --- what happens when a state changes


def check_followers(component: Component, state: State, hook_call: Node) -> None:
    """Raises Impure where something happens on each change of a state that is more than showing it."""
    one = (state,)
    for call in component.setter_calls(state):
        if component.reads(call.child_by_field_name("arguments") or call, one):
            raise Impure(f"`{state.setter}` is told a value made from `{state.value}`, not an updater", call)
    for call in find_all(component.function, "call_expression"):
        name, arguments = hook_name(call), call.child_by_field_name("arguments")
        if not name or arguments is None or call == hook_call or name in _KEEPING_HOOKS:
            continue
        if name in _EFFECTS:
            given = without_comments(arguments)
            if given and (len(given) == 1 or component.reads(arguments, one)):
                _check_effect(component, given[0], state, _DEEPEST)
        elif component.reads(arguments, one):
            raise Impure(f"`{name}` is given `{state.value}`", call)


def _check_effect(component: Component, code: Node, state: State, depth: int) -> None:
    for node in find_all(code, "call_expression", "new_expression", "await_expression"):
        function = node.child_by_field_name("function")
        text = text_of(function) if function is not None else ""
        name = function.child_by_field_name("property") if function is not None else None
        if node.type == "call_expression" and function is not None:
            if name is not None and text_of(name) in _EFFECT_METHODS:
                continue
            if function.type == "identifier":
                declared = declaration_of(function, text)
                if declared is None and text in _EFFECT_FUNCTIONS:
                    continue
                other = component.state_of(function)
                arguments = node.child_by_field_name("arguments")
                if other is not None and other != state and arguments is not None and text == other.setter:
                    is_updater = any(child.type in FUNCTIONS for child in arguments.named_children)
                    if not is_updater and not component.reads(arguments, (other,)):
                        continue
                body = _body_of(declared)
                if body is not None and depth:
                    _check_effect(component, body, state, depth - 1)
                    continue
        raise Impure(f"an effect that follows `{state.value}` does `{short_text(node, _MOST_SHOWN)}`", node)


def _body_of(declared: Node | None) -> Node | None:
    """The body of a function that is declared in the file."""
    if declared is None:
        return None
    value = declared if declared.type == "function_declaration" else declared.child_by_field_name("value")
    return value.child_by_field_name("body") if value is not None and value.type in FUNCTIONS else None
