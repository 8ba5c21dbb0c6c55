"""What the links of a tRPC client do: read from the expressions that stand in its list."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from migrations.discovery.imports import find_import
from migrations.discovery.nodes import arguments_of, without_comments
from migrations.discovery.trpc_client import (
    FUNCTIONS,
    Place,
    UnknownLinks,
    arrays_of,
    branches_of,
    called_function,
    definition_of,
    property_of,
    returns_of,
    trpc_name,
    unwrapped,
)
from migrations.engine.outcome import Blocked
from migrations.engine.syntax import find_all, text_of, walk
from migrations.kit_files import kit_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine import AppView, SourceFile

HTTP_LINKS = ("httpLink", "httpBatchLink", "httpBatchStreamLink")
_TERMINATING = (*HTTP_LINKS, "wsLink", "httpSubscriptionLink")
_DEEPEST = 8

LinkKind: TypeAlias = Literal["http", "ws", "sse", "relay", "split", "choice", "passing", "unknown"]
Side: TypeAlias = Literal["server", "browser", ""]
Routing: TypeAlias = Literal["subscription", "rest", "other"]


BY_HAND = "send subscriptions through relayLink and all else through an HTTP link by hand, then run this again"


class Refusal(Exception):
    """A place that is not known well enough to change it."""

    def __init__(self, reason: str, place: Place, next_step: str = BY_HAND) -> None:
        super().__init__(reason)
        self.blocked = Blocked(reason, place.file.path, place.line, next_step)


@dataclass(frozen=True, eq=False)
class Link:
    """One link. `place` is the expression where it is used, `call` the call that makes it (elsewhere if named).

    `split`: `routing` says what its condition lets through to `yes`; `choice`: one of `branches`, each with the side
    that it is for.
    """

    kind: LinkKind
    place: Place
    call: Place
    condition: Node | None = None
    routing: Routing = "other"
    yes: Link | None = None
    no: Link | None = None
    branches: tuple[tuple[Link, Side], ...] = field(default=())

    @property
    def ends(self) -> bool:
        """Whether requests go out here."""
        if self.kind == "split":
            return any(side is not None and side.ends for side in (self.yes, self.no))
        if self.kind == "choice":
            return any(link.ends for link, _ in self.branches)
        return self.kind not in ("passing", "unknown")

    def leaves(self) -> Iterator[Link]:
        """Every link in here that is not made of others."""
        inner = [link for link in (self.yes, self.no) if link is not None] + [link for link, _ in self.branches]
        if not inner:
            yield self
        for link in inner:
            yield from link.leaves()

    @property
    def is_http(self) -> bool:
        """Whether whatever it lets out goes over HTTP, as queries and mutations can."""
        whole = self.kind != "split" or (self.yes is not None and self.no is not None)
        return whole and all(leaf.kind == "http" for leaf in self.leaves())

    def http_leaf(self) -> Link:
        """The HTTP link that takes what no condition picks out."""
        if self.kind == "split":
            side = self.no or self.yes
            return side.http_leaf() if side is not None else self
        return self.branches[-1][0].http_leaf() if self.kind == "choice" else self


@dataclass(frozen=True)
class LinkReader:
    """Reads links in the files of an app."""

    view: AppView
    layout: Layout

    def read(self, place: Place, depth: int = _DEEPEST) -> Link:
        """What an expression in a list of links is."""
        node = unwrapped(place.node)
        if not depth:
            return Link("unknown", place, place)
        if node.type == "call_expression":
            return self._called(place, Place(place.file, node), depth)
        if node.type == "identifier":
            known = definition_of(self.view, self.layout, Place(place.file, node))
            if known is None:
                return Link("passing" if self._is_harmless(place) else "unknown", place, place)
            return self._renamed(place, self.read(known, depth - 1))
        if node.type == "ternary_expression":
            condition = node.child_by_field_name("condition")
            sides = self.sides_of(Place(place.file, condition)) if condition is not None else ("", "")
            links = [self.read(Place(place.file, branch), depth - 1) for branch in branches_of(node)]
            return self._choice(place, tuple(zip(links, sides, strict=True)))
        if node.type == "array":
            return self.last_of(Place(place.file, node), depth) or Link("unknown", place, place)
        if node.type == "spread_element":
            try:
                inner = [
                    self.last_of(one, depth - 1)
                    for one in arrays_of(self.view, self.layout, Place(place.file, node.named_children[0]))
                ]
            except UnknownLinks:
                return Link("passing" if self._is_harmless(place) else "unknown", place, place)
            ends = [link for link in inner if link is not None and link.ends]
            return self._choice(place, tuple((link, "") for link in ends)) if ends else Link("passing", place, place)
        return Link("passing" if self._is_harmless(place) else "unknown", place, place)

    def last_of(self, array: Place, depth: int = _DEEPEST) -> Link | None:
        """The link in a list at which requests go out; the one that cannot be read, where none is known to do it."""
        unknown = None
        for element in array.node.named_children:
            if element.type == "comment":
                continue
            link = self.read(Place(array.file, element), depth - 1)
            if link.ends:
                return link
            unknown = link if link.kind == "unknown" or unknown is None else unknown
        return unknown

    def sides_of(self, condition: Place, depth: int = _DEEPEST) -> tuple[Side, Side]:
        """Where the code runs if a condition holds, and if it does not; "" where it does not tell."""
        node = unwrapped(condition.node)
        text = re.sub(r"\s+", " ", text_of(node))
        if re.fullmatch(r"""typeof (globalThis\.)?(window|document) ===? ["']undefined["']""", text):
            return "server", "browser"
        if re.fullmatch(r"""typeof (globalThis\.)?(window|document) !==? ["']undefined["']""", text):
            return "browser", "server"
        if text == "process.browser":
            return "browser", "server"
        if node.type == "unary_expression" and text.startswith("!"):
            argument = node.child_by_field_name("argument")
            if argument is not None:
                holds, fails = self.sides_of(Place(condition.file, argument), depth)
                return fails, holds
        if node.type == "binary_expression" and (operator := node.child_by_field_name("operator")) is not None:
            sides = [
                self.sides_of(Place(condition.file, part), depth)
                for part in (node.child_by_field_name("left"), node.child_by_field_name("right"))
                if part is not None
            ]
            if text_of(operator) == "&&":
                return sides[0][0] or sides[1][0], ""
            if text_of(operator) == "||":
                return "", sides[0][1] or sides[1][1]
        if node.type == "identifier" and depth:
            known = definition_of(self.view, self.layout, Place(condition.file, node))
            if known is not None and known.node.type not in FUNCTIONS:
                return self.sides_of(known, depth - 1)
        return "", ""

    # --- calls

    def _called(self, place: Place, call: Place, depth: int) -> Link:
        function = call.node.child_by_field_name("function")
        if function is None:
            return Link("unknown", place, call)
        name = trpc_name(call.file, function)
        if name in HTTP_LINKS:
            return Link("http", place, call)
        if name == "wsLink":
            return Link("ws", place, call)
        if name == "httpSubscriptionLink":
            return Link("sse", place, call)
        if name == "splitLink":
            return self._split(place, call, depth)
        if self._is_relay_link(call.file, function):
            return Link("relay", place, call)
        called = called_function(self.view, self.layout, call)
        if called is not None and any(True for _ in self._terminating_names(called)):
            guarded = tuple(
                (self.read(Place(called.file, value), depth - 1), self._side_of_return(called.file, value))
                for value in returns_of(called.node)
            )
            return self._choice(place, guarded)
        return Link("passing" if self._is_harmless(place) else "unknown", place, call)

    def _split(self, place: Place, call: Place, depth: int) -> Link:
        options = argument_of(call.node)
        condition = property_of(options, "condition") if options is not None else None
        if options is None or condition is None:
            return Link("unknown", place, call)
        sides = [
            self.read(Place(call.file, value), depth - 1) if value is not None else None
            for value in (property_of(options, "true"), property_of(options, "false"))
        ]
        routing = self.routing_of(Place(call.file, condition))
        return Link("split", place, call, condition, routing, sides[0], sides[1])

    def routing_of(self, condition: Place) -> Routing:
        """Which operations the condition of a splitLink lets through; "other" for anything but exactly these two."""
        function = condition.node
        if function.type == "identifier":
            known = definition_of(self.view, self.layout, condition)
            function = known.node if known is not None else function
        if function.type not in FUNCTIONS:
            return "other"
        values = returns_of(function)
        body = function.child_by_field_name("body")
        kinds = _operation_type_names(function)
        is_short = body is not None and (body.type != "statement_block" or len(without_comments(body)) == 1)
        if len(values) == 1 and is_short:
            return _routing(values[0], kinds)
        if (
            len(values) == 2
            and body is not None
            and [text_of(value) for value in values]
            in (
                ["true", "false"],
                ["false", "true"],
            )
        ):
            tests = list(find_all(body, "if_statement"))
            test = tests[0].child_by_field_name("condition") if len(tests) == 1 else None
            routing = _routing(unwrapped(test), kinds) if test is not None else "other"
            return routing if text_of(values[0]) == "true" else _opposite(routing)
        return "other"

    def _is_relay_link(self, file: SourceFile, function: Node) -> bool:
        found = find_import(file, text_of(function))
        if found is None or found[1].imported != "relayLink":
            return False
        target = self.layout.resolve(file.path, found[0].specifier)
        return target == kit_path(self.layout, "client/relay-link.ts") or (
            target is None and found[0].specifier.endswith("client/relay-link")
        )

    def _side_of_return(self, file: SourceFile, value: Node) -> Side:
        """The side on which a function comes to this return, by the conditions around and before it."""
        node: Node = value
        while node.parent is not None and node.parent.type not in FUNCTIONS:
            parent = node.parent
            if parent.type == "if_statement":
                condition = parent.child_by_field_name("condition")
                sides = self.sides_of(Place(file, condition)) if condition is not None else ("", "")
                side = sides[0] if parent.child_by_field_name("consequence") == node else sides[1]
                if side:
                    return side
            if parent.type == "statement_block":
                for before in parent.named_children:
                    if before == node:
                        break
                    condition = before.child_by_field_name("condition") if before.type == "if_statement" else None
                    consequence = before.child_by_field_name("consequence")
                    if condition is not None and consequence is not None and _leaves(consequence):
                        side = self.sides_of(Place(file, condition))[1]
                        if side:
                            return side
            node = parent
        return ""

    # --- small things

    def _choice(self, place: Place, branches: tuple[tuple[Link, Side], ...]) -> Link:
        if not branches:
            return Link("unknown", place, place)
        if all(link.kind == "passing" for link, _ in branches):
            return Link("passing", place, place)
        return Link("choice", place, place, branches=branches)

    @staticmethod
    def _renamed(place: Place, link: Link) -> Link:
        """The link as it is under the name by which it is used at `place`."""
        return Link(link.kind, place, link.call, link.condition, link.routing, link.yes, link.no, link.branches)

    def _is_harmless(self, place: Place) -> bool:
        """Whether nothing in an expression is a link at which requests go out, as far as it can be read."""
        node = unwrapped(place.node)
        if any(True for _ in self._terminating_names(place)):
            return False
        if node.type == "call_expression":
            function = node.child_by_field_name("function")
            return function is not None and (
                bool(trpc_name(place.file, function)) or called_function(self.view, self.layout, place) is not None
            )
        return True

    @staticmethod
    def _terminating_names(place: Place) -> Iterator[Node]:
        for node in walk(place.node):
            if node.type in ("identifier", "member_expression") and trpc_name(place.file, node) in _TERMINATING:
                yield node


def argument_of(call: Node) -> Node | None:
    """The first argument of a call."""
    given = arguments_of(call)
    return unwrapped(given[0]) if given else None


def _operation_type_names(function: Node) -> set[str]:
    """How a condition's function writes the type of its operation."""
    parameters = function.child_by_field_name("parameters") or function.child_by_field_name("parameter")
    if parameters is None:
        return set()
    if parameters.type == "identifier":
        return {f"{text_of(parameters)}.type"}
    given = parameters.named_children
    pattern = given[0].child_by_field_name("pattern") if given else None
    if pattern is None:
        return set()
    if pattern.type == "identifier":
        return {f"{text_of(pattern)}.type"}
    return {"type"} if any(text_of(part) == "type" for part in pattern.named_children) else set()


def _routing(node: Node, kinds: set[str]) -> Routing:
    node = unwrapped(node)
    if node.type != "binary_expression":
        return "other"
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    operator = node.child_by_field_name("operator")
    if left is None or right is None or operator is None:
        return "other"
    if text_of(operator) == "||":
        asked = {_compared(unwrapped(side), kinds) for side in (left, right)}
        return "rest" if asked == {("===", "query"), ("===", "mutation")} else "other"
    compared = _compared(node, kinds)
    if compared == ("===", "subscription"):
        return "subscription"
    return "rest" if compared == ("!==", "subscription") else "other"


def _compared(node: Node, kinds: set[str]) -> tuple[str, str]:
    """The operator and the type of operation that a comparison is about."""
    operator = node.child_by_field_name("operator")
    sides = [node.child_by_field_name(name) for name in ("left", "right")]
    texts = [text_of(unwrapped(side)) for side in sides if side is not None]
    if operator is None or len(texts) != 2:
        return "", ""
    if texts[1] in kinds:
        texts.reverse()
    sign = {"==": "===", "!=": "!=="}.get(text_of(operator), text_of(operator))
    return (sign, texts[1].strip("\"'`")) if texts[0] in kinds else ("", "")


def _opposite(routing: Routing) -> Routing:
    return {"subscription": "rest", "rest": "subscription"}.get(routing, "other")  # type: ignore[return-value]


def _leaves(consequence: Node) -> bool:
    """Whether a branch always leaves the function."""
    if consequence.type == "statement_block":
        statements = without_comments(consequence)
        return bool(statements) and _leaves(statements[-1])
    return consequence.type in ("return_statement", "throw_statement")
