"""The tRPC client sends subscriptions through the relay link and everything else over HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from migrations.discovery.layout import find_layout
from migrations.discovery.procedures import find_procedures, is_test
from migrations.discovery.requirements import refusal_of_kit
from migrations.discovery.trpc_client import Place, definition_of, find_trpc_clients, property_of, unwrapped
from migrations.engine.edits import Edits
from migrations.engine.line_edits import get_env
from migrations.engine.outcome import Applied, Blocked, Leftover, NotApplicable, Pending
from migrations.engine.syntax import find_all, text_of
from migrations.hints import AppHints
from migrations.kit_files import kit_changes
from migrations.transforms.links_model import Link, Refusal, argument_of
from migrations.transforms.relay_split import split_clients

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine.outcome import Outcome
    from migrations.engine.view import AppView

_ENV_FILES = (".env", ".env.local", ".env.development", ".env.example", ".env.production")
_THIS_MACHINE = re.compile(r"localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\]|location\.(?:host|origin)")
_CLIENT_NAME = re.compile(r"\w*(?:trpc|api|client)\w*", re.IGNORECASE)
_ELSEWHERE = re.compile(r"(?:wss?|https?)://(?!localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])\w")


@dataclass(frozen=True, slots=True)
class ClientMigration:
    """`relayLink` for subscriptions, the app's own HTTP link for queries and mutations, no WebSocket client."""

    hints: AppHints = field(default_factory=AppHints)
    number: int = 4
    title: str = "Send the tRPC client's subscriptions through the relay"

    def plan(self, view: AppView) -> Outcome:
        layout = find_layout(view)
        clients = find_trpc_clients(view, self.hints, layout)
        if isinstance(clients, NotApplicable):
            return clients
        unfit = refusal_of_kit(view, layout)
        if unfit is not None:
            return unfit
        if isinstance(clients, Blocked):
            return clients
        edits = Edits(view)
        try:
            gone = split_clients(view, layout, clients, edits)
        except Refusal as refusal:
            return refusal.blocked
        others = list(_other_subscriptions(view, layout)) if gone else []
        for link in gone:
            address = _socket_address(view, layout, link)
            if others and address is not None and not _is_this_machine(view, layout, address):
                return Blocked(
                    f"this WebSocket client may be for another server, and {others[0].file.path}:{others[0].line} "
                    "subscribes through it too",
                    address.file.path,
                    address.line,
                    "keep it, and send only the chat's subscription through relayLink by hand",
                )
        for path, data in kit_changes(view, layout, "link").items():
            edits.write(path, data)
        changes = edits.changes()
        if not changes:
            return Applied()
        sockets = [link for link in gone if link.kind == "ws"]
        return Pending(changes, leftovers=_told(others) if sockets else ())


def _other_subscriptions(view: AppView, layout: Layout) -> Iterator[Place]:
    """Where the app subscribes to something that is no reply of the chat: to a procedure without a trackId."""
    procedures: dict[str, bool] | None = None
    for needle in ("useSubscription", ".subscribe(", "subscriptionOptions"):
        for file in view.sources(needle):
            if file.path.startswith(layout.kit_folder) or is_test(file.path):
                continue
            for call in find_all(file.root, "call_expression"):
                path = _subscribed_path(call)
                if not path:
                    continue
                if procedures is None:
                    procedures = _with_track_id(view, layout)
                if not procedures.get(path, b"trackId" in file.data):
                    yield Place(file, call)


def _subscribed_path(call: Node) -> str:
    """The procedure that a call subscribes to, as the client names it; "" for any other call."""
    function = call.child_by_field_name("function")
    parts = text_of(function).replace("?", "").split(".") if function is not None else []
    is_hook = len(parts) >= 3 and parts[-1] in ("useSubscription", "subscriptionOptions")
    is_vanilla = len(parts) >= 4 and parts[-1] == "subscribe" and _CLIENT_NAME.fullmatch(parts[0])
    return ".".join(parts[1:-1]) if is_hook or is_vanilla else ""


def _with_track_id(view: AppView, layout: Layout) -> dict[str, bool]:
    """Whether the input of each live subscription has a trackId, as far as it is written down."""
    found = {}
    for procedure in find_procedures(view, layout, "subscription"):
        schema = procedure.input
        if schema is not None and schema.type == "identifier":
            known = definition_of(view, layout, Place(procedure.file, schema))
            schema = known.node if known is not None else schema
        found[procedure.path] = schema is not None and "trackId" in text_of(schema)
    return found


def _told(others: list[Place]) -> tuple[Leftover, ...]:
    if not others:
        return ()
    places = ", ".join(f"{place.file.path}:{place.line}" for place in others)
    what = (
        "a subscription that came over the WebSocket server"
        if len(others) == 1
        else (f"{len(others)} subscriptions that came over the WebSocket server ({places})")
    )
    return (
        Leftover(
            others[0].file.path,
            others[0].line,
            what,
            "it now comes as server-sent events from the route handler: see that it does, what it waits for has to "
            "happen in the same server process",
        ),
    )


def _socket_address(view: AppView, layout: Layout, link: Link) -> Place | None:
    """The url that a wsLink's client is made with; None if it cannot be followed or the link is none."""
    options = argument_of(link.call.node) if link.kind == "ws" else None
    client = property_of(options, "client") if options is not None else None
    if client is None:
        return None
    place = Place(link.call.file, unwrapped(client))
    if place.node.type in ("identifier", "shorthand_property_identifier"):
        known = definition_of(view, layout, place)
        if known is None:
            return place
        place = known
    for call in find_all(place.node, "call_expression"):
        given = argument_of(call)
        url = property_of(given, "url") if given is not None else None
        if url is not None:
            return Place(place.file, url)
    return place


def _is_this_machine(view: AppView, layout: Layout, address: Place, depth: int = 3) -> bool:
    """Whether a url is the app's own machine or host: as written, by its default, or by the app's env files."""
    text = text_of(address.node)
    if _ELSEWHERE.search(text):
        return False
    if _THIS_MACHINE.search(text):
        return True
    for key in re.findall(r"\benv\.(\w+)|\benv\[[\"'](\w+)[\"']\]", text):
        values = [get_env(view.read(path) or b"", key[0] or key[1]) for path in _ENV_FILES]
        given = [value for value in values if value]
        if given and all(_THIS_MACHINE.search(value) for value in given):
            return True
    for node in find_all(address.node, "identifier", "shorthand_property_identifier"):
        known = definition_of(view, layout, Place(address.file, node)) if depth else None
        if known is not None and known.node != address.node and _is_this_machine(view, layout, known, depth - 1):
            return True
    return False
