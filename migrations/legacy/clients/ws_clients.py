"""The tRPC clients of an app that hold a WebSocket, and everything of them that is written down."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from migrations.discovery.nodes import arguments_of
from migrations.discovery.trpc_client import (
    Place,
    TrpcClient,
    UnknownLinks,
    called_function,
    clients_of,
    definition_of,
    property_of,
    unwrapped,
)
from migrations.engine.syntax import find_all, text_of
from migrations.legacy.module_names import module_value
from migrations.transforms.links_model import LinkReader, argument_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrations.discovery.layout import Layout
    from migrations.engine.source import SourceFile
    from migrations.engine.view import AppView
    from migrations.transforms.links_model import Link

MARKS = ("createWSClient", "wsLink")
_PARAMETERS = re.compile(r"[?&]\w+=|searchParams")
_TRPC = re.compile(r"@trpc/")

Carrier: TypeAlias = Literal["ws", "sse", "relay", "http", "unknown"]


@dataclass(frozen=True, eq=False)
class SocketCall:
    """A live call of tRPC's `createWSClient` or `wsLink`."""

    name: str
    place: Place


@dataclass(frozen=True, eq=False)
class KnownClient:
    """A client and what carries its subscriptions, by each of its lists of links."""

    client: TrpcClient
    carriers: frozenset[Carrier]


def socket_calls(view: AppView, layout: Layout) -> tuple[SocketCall, ...]:
    """Every live call that makes a tRPC WebSocket client or a link to one, tests included."""
    return tuple(
        call
        for file in files_with_marks(view)
        if not file.path.startswith(layout.kit_folder)
        for call in socket_calls_of(file)
    )


def files_with_marks(view: AppView) -> Iterator[SourceFile]:
    """The source files in which the names of tRPC's WebSocket client stand, as code or in comments; each once."""
    first, second = MARKS
    for file in view.sources():
        if first.encode() in file.data or second.encode() in file.data:
            yield file


def socket_calls_of(file: SourceFile) -> Iterator[SocketCall]:
    """Those of one file. What cannot be told from tRPC's, because it comes out of `require`, counts too."""
    for call in find_all(file.root, "call_expression"):
        function = call.child_by_field_name("function")
        value = module_value(file, function) if function is not None else None
        if value is not None and _TRPC.match(value.specifier) and value.imported in MARKS:
            yield SocketCall(value.imported, Place(file, call))


def known_clients(view: AppView, layout: Layout) -> tuple[tuple[KnownClient, ...], tuple[Place, ...]]:
    """Every client that the app makes, and the places of links that cannot be followed. Tests are included."""
    reader = LinkReader(view, layout)
    known: list[KnownClient] = []
    unknown: list[Place] = []
    for file in view.sources("links"):
        if b"@trpc/" not in file.data and b"createClient" not in file.data:
            continue
        if file.path.startswith(layout.kit_folder):
            continue
        try:
            clients = tuple(clients_of(view, layout, file))
        except UnknownLinks as error:
            unknown.append(error.place)
            continue
        for client in clients:
            links = [reader.last_of(array) for array in client.lists]
            known.append(KnownClient(client, frozenset(c for link in links for c in carriers_of(link))))
    return tuple(known), tuple(unknown)


def carriers_of(link: Link | None) -> Iterator[Carrier]:
    """What may carry the subscriptions that come to a link."""
    if link is None:
        yield "unknown"
    elif link.kind == "split":
        sides = {"subscription": (link.yes,), "rest": (link.no,)}.get(link.routing, (link.yes, link.no))
        for side in sides:
            yield from carriers_of(side)
    elif link.kind == "choice":
        for branch, _ in link.branches:
            yield from carriers_of(branch)
    elif link.kind == "ws":
        yield "ws"
    elif link.kind == "sse":
        yield "sse"
    elif link.kind == "relay":
        yield "relay"
    elif link.kind == "http":
        yield "http"
    else:
        yield "unknown"


def socket_options(view: AppView, layout: Layout, link: Link) -> Place | None:
    """What the WebSocket client of a wsLink is made with: an object literal; None where it cannot be followed."""
    options = argument_of(link.call.node) if link.kind == "ws" else None
    client = property_of(options, "client") if options is not None else None
    place = Place(link.call.file, unwrapped(client)) if client is not None else None
    if place is not None and place.node.type in ("identifier", "shorthand_property_identifier"):
        place = definition_of(view, layout, place)
    elif place is not None and place.node.type == "call_expression":
        place = called_function(view, layout, place) or place
    for call in find_all(place.node, "call_expression") if place is not None else ():
        given = argument_of(call)
        if place is not None and given is not None and property_of(given, "url") is not None:
            return Place(place.file, given)
    return None


def address_with_parameters(options: Place) -> Place | None:
    """The `url` that a WebSocket client is made with, where it carries parameters."""
    url = property_of(options.node, "url")
    return Place(options.file, url) if url is not None and _PARAMETERS.search(text_of(url)) else None


def opened_with(options: Place) -> Place | None:
    """What a WebSocket client tells the server when it opens: `connectionParams`, or parameters of its address."""
    params = next((one for one in options.node.named_children if text_of(one).startswith("connectionParams")), None)
    return Place(options.file, params) if params is not None else address_with_parameters(options)


def told_of_connection(call: SocketCall) -> Place | None:
    """Where a WebSocket client tells the app that its connection opens or closes; writing a log does not count."""
    options = argument_of(call.place.node) if call.name == "createWSClient" else None
    for member in options.named_children if options is not None and options.type == "object" else ():
        name = member.child_by_field_name("key") or member.child_by_field_name("name") or member
        if text_of(name) not in ("onOpen", "onClose", "onError"):
            continue
        calls = [one.child_by_field_name("function") for one in find_all(member, "call_expression")]
        is_log = bool(calls) and all(one is not None and text_of(one).startswith("console.") for one in calls)
        is_empty = not calls and not any(True for _ in find_all(member, "assignment_expression", "identifier"))
        if not is_log and not is_empty:
            return Place(call.place.file, member)
    return None


def addresses_of(view: AppView, layout: Layout, calls: tuple[SocketCall, ...]) -> frozenset[str]:
    """What names the server in the addresses that sockets are made with: env keys and hosts."""
    found: set[str] = set()
    for call in calls:
        given = arguments_of(call.place.node) if call.name == "createWSClient" else []
        url = property_of(unwrapped(given[0]), "url") if given else None
        if url is not None:
            found |= names_of_address(view, layout, Place(call.place.file, url))
    return frozenset(found)


def names_of_address(view: AppView, layout: Layout, address: Place, depth: int = 3) -> set[str]:
    """The env keys and the hosts of `ws://` addresses that an expression is made of, followed through names."""
    text = text_of(address.node)
    found = {key for pair in re.findall(r"\benv\.(\w+)|\benv\[[\"'](\w+)[\"']\]", text) for key in pair if key}
    found |= {host.replace("127.0.0.1", "localhost") for host in re.findall(r"wss?://([\w.:\[\]-]+)", text)}
    for node in find_all(address.node, "identifier", "shorthand_property_identifier"):
        known = definition_of(view, layout, Place(address.file, node)) if depth else None
        if known is not None and known.node != address.node:
            found |= names_of_address(view, layout, known, depth - 1)
    return found
