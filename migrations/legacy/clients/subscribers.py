"""Who subscribes to the app's procedures, through which client."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.nodes import arguments_of
from migrations.discovery.procedures import find_procedures
from migrations.discovery.trpc_client import Place, declaration_of, definition_of, unwrapped
from migrations.engine.syntax import text_of
from migrations.legacy.module_names import pattern_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine.source import SourceFile
    from migrations.engine.view import AppView
    from migrations.legacy.clients.ws_clients import KnownClient

_HOOKS = frozenset({"useSubscription", "subscriptionOptions"})
_NEEDLES = (b"useSubscription", b".subscribe", b".subscription", b"subscriptionOptions")
_NAMES = ("useSubscription", "subscriptionOptions", "subscribe", "subscription")
# A member of these begins at a client, whatever the client itself is called.
_CLIENT_WORDS = ("trpc", "api", "client")


@dataclass(frozen=True, eq=False)
class Subscriber:
    """A place that subscribes. `path` is the procedure as the client names it; `client` the call that makes the client,
    where it is known; `is_hook`: through React.
    """

    place: Place
    path: str
    is_hook: bool
    client: Node | None = None

    @property
    def line(self) -> int:
        """Of the name that is called: a chain may begin lines before it."""
        function = self.place.node
        name = function.child_by_field_name("property")
        return self.place.file.line_of((name or function).start_byte)


def find_subscribers(view: AppView, layout: Layout) -> tuple[Subscriber, ...]:
    """Every live place that subscribes, tests included; not the app kit's own."""
    names = frozenset(procedure.name for procedure in find_procedures(view, layout, "subscription"))
    needles = (*_NEEDLES, *(f".{name}".encode() for name in names))
    files = [
        file
        for file in view.sources()
        if any(needle in file.data for needle in needles) and not file.path.startswith(layout.kit_folder)
    ]
    return tuple(found for file in files for found in _subscribers_of(view, layout, file, names))


def goes_through(subscriber: Subscriber, clients: tuple[KnownClient, ...]) -> tuple[KnownClient, ...]:
    """The clients through which it may subscribe: its own where that is known, else all of its kind."""
    own = tuple(known for known in clients if known.client.call == subscriber.client)
    if own:
        return own
    if subscriber.is_hook:
        react = tuple(known for known in clients if known.client.kind != "vanilla")
        return react or clients
    return clients


def _subscribers_of(
    view: AppView, layout: Layout, file: SourceFile, procedures: frozenset[str]
) -> Iterator[Subscriber]:
    for node in _members(file, procedures):
        parts = _parts(node)
        if parts[-1] in _HOOKS and len(parts) >= 2:
            path = ".".join(parts[1:-1]) or _old_path(node)
            yield Subscriber(Place(file, node), path, is_hook=True)
        elif parts[-1] == "subscribe" and len(parts) >= 3 and _is_called(node):
            client = _client_of(view, layout, file, node)
            named = len(parts) >= 4 and any(word in parts[0].lower() for word in _CLIENT_WORDS)
            if client is not None or parts[-2] in procedures or (named and not procedures):
                yield Subscriber(Place(file, node), ".".join(parts[1:-1]), is_hook=False, client=client)
        elif parts[-1] == "subscribe" and len(parts) == 2 and _is_called(node):
            taken = _taken_out(node)
            if taken is not None and taken[0] in procedures:
                name, value = taken
                yield Subscriber(Place(file, node), name, is_hook=False, client=_client_of(view, layout, file, value))
        elif parts[-1] in procedures and len(parts) >= 3 and _is_handed_on(node):
            yield Subscriber(Place(file, node), ".".join(parts[1:]), is_hook=True)
        elif parts[-1] == "subscription" and len(parts) == 2 and _is_called(node) and (path := _old_path(node)):
            client = _client_of(view, layout, file, node)
            if client is not None or path.rpartition(".")[2] in procedures:
                yield Subscriber(Place(file, node), path, is_hook=False, client=client)
    for pattern in _nodes(file, "shorthand_property_identifier_pattern", ()):
        if text_of(pattern) in _HOOKS:
            yield Subscriber(Place(file, pattern), text_of(pattern), is_hook=True)


def _members(file: SourceFile, procedures: frozenset[str]) -> Iterator[Node]:
    """The `a.b.useSubscription` and the like of a file, and its `a.b.onMessage` for the procedures."""
    for name in _nodes(file, "property_identifier", procedures):
        if name.parent is not None and name.parent.type == "member_expression":
            yield name.parent


def _nodes(file: SourceFile, kind: str, names: Iterable[str]) -> Iterator[Node]:
    """The names of one kind that may subscribe, and `names`, by their text: walking a whole tree takes long."""
    wanted = re.compile(rf"\b(?:{'|'.join(map(re.escape, [*_NAMES, *sorted(names)]))})\b".encode())
    for match in wanted.finditer(file.data):
        node = file.root.descendant_for_byte_range(match.start(), match.end())
        if node is not None and node.type == kind:
            yield node


def _parts(member: Node) -> list[str]:
    """`a.b().c` as its names, from the left."""
    names: list[str] = []
    node: Node | None = member
    while node is not None:
        node = unwrapped(node)
        if node.type == "member_expression":
            name = node.child_by_field_name("property")
            names.append(text_of(name) if name is not None else "")
            node = node.child_by_field_name("object")
        elif node.type == "call_expression":
            node = node.child_by_field_name("function")
        else:
            names.append(text_of(node))
            break
    return names[::-1]


def _old_path(member: Node) -> str:
    """The procedure that is named by a text: `trpc.useSubscription(["chat.onMessage"])` of tRPC 9, and clients without
    types.
    """
    call = member.parent
    given = arguments_of(call) if call is not None and call.type == "call_expression" else []
    first = unwrapped(given[0]) if given else None
    if first is not None and first.type == "array":
        first = first.named_children[0] if first.named_children else None
    return text_of(first)[1:-1] if first is not None and first.type == "string" else ""


def _taken_out(member: Node) -> tuple[str, Node] | None:
    """The procedure that `messages` in `messages.subscribe` was taken out of a client as, and where of."""
    owner = unwrapped(member.child_by_field_name("object") or member)
    declared = declaration_of(owner, text_of(owner)) if owner.type == "identifier" else None
    value = declared.child_by_field_name("value") if declared is not None else None
    pattern = declared.child_by_field_name("name") if declared is not None else None
    if value is None or pattern is None:
        return None
    value = unwrapped(value)
    if pattern.type == "object_pattern":
        names = {local: name for name, local in pattern_names(pattern)}
        return (names[text_of(owner)], value) if text_of(owner) in names else None
    name = value.child_by_field_name("property") if value.type == "member_expression" else None
    return (text_of(name), value) if name is not None else None


def _is_called(member: Node) -> bool:
    call = member.parent
    return call is not None and call.type == "call_expression" and call.child_by_field_name("function") == member


def _is_handed_on(member: Node) -> bool:
    """Whether a procedure is given to a function, such as the app kit's hook, to subscribe to."""
    return member.parent is not None and member.parent.type == "arguments"


def _client_of(view: AppView, layout: Layout, file: SourceFile, member: Node) -> Node | None:
    """The call that makes the client at which a chain begins."""
    node: Node | None = member
    while node is not None and node.type in ("member_expression", "call_expression", "non_null_expression"):
        node = node.child_by_field_name("object") or node.child_by_field_name("function") or unwrapped(node)
    if node is None or node.type != "identifier":
        return None
    known = definition_of(view, layout, Place(file, node))
    return known.node if known is not None and known.node.type == "call_expression" else None
