"""Subscriptions that come over the WebSocket move to server-sent events: whether they can, and how.

tRPC 11 has `httpSubscriptionLink` under this name since 11.0.0, takes `connectionParams` there as `createWSClient`
does, and serves subscriptions that return an observable over it as well (its documentation, "HTTP Subscription
Link", and `resolveResponse` of @trpc/server 11.0.0).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.discovery.procedures import find_procedures
from migrations.discovery.trpc_client import FUNCTIONS, Place, definition_of, property_of, unwrapped
from migrations.engine.syntax import find_all, text_of
from migrations.legacy.clients.ws_clients import address_with_parameters, socket_options
from migrations.legacy.pieces import Piece
from migrations.legacy.servers.adapter import adapter_calls
from migrations.legacy.servers.http_side import http_handlers
from migrations.transforms.links_model import Link, Refusal, argument_of
from migrations.transforms.links_text import options_of
from migrations.transforms.links_work import Shared
from migrations.transforms.relay_split import SSE, SubscriptionSplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine import AppView, Edits
    from migrations.engine.source import SourceFile
    from migrations.legacy.pieces import LegacyApp

BY_HAND = "put httpSubscriptionLink there for subscriptions by hand, then run this again"
_SECRETS = re.compile(r"authori[sz]ation|bearer|token|session|api[-_]?key|cookie|credential", re.IGNORECASE)
_CONTEXT_SOCKET = re.compile(r"\bctx\??\.(res|ws|wss|socket)\b")
_IN_PROCESS = re.compile(
    r"\b(EventEmitter|on\(\s*\w+|\w*(?:ee|[eE]mitter|[eE]vents?|pubsub)\.(?:on|once|addListener|toIterable)\()"
)


def unfit(app: LegacyApp) -> str | None:
    """Why this app cannot take subscriptions as server-sent events at all; None if it can."""
    manifest = app.view.json("package.json")
    for section in ("dependencies", "devDependencies"):
        packages = manifest.get(section) if isinstance(manifest, dict) else None
        wanted = packages.get("@trpc/client") if isinstance(packages, dict) else None
        if wanted is not None:
            break
    else:
        return "package.json does not name @trpc/client: its version is not known"
    version = re.match(r"[\^~>=v\s]*(\d+)(?:\.\d+)*(-\w)?", str(wanted))
    if version is None:
        return f'@trpc/client is "{wanted}" in package.json: name a version from 11.0.0 on'
    if int(version[1]) < 11 or (int(version[1]) == 11 and version[2]):
        return f"tRPC {wanted} has no httpSubscriptionLink: bring the app to 11.0.0 or later first (npx @trpc/upgrade)"
    handlers = list(http_handlers(app.view))
    if not handlers:
        return "there is no HTTP handler of tRPC in the app that could send them"
    routes = [file for file in handlers if re.search(r"(^|/)app/.*/?route\.\w+$", file.path)]
    if routes and not any(_exports_get(file) for file in routes):
        return f"{routes[0].path} does not export GET, which server-sent events are asked for with"
    for file in app.view.sources("initTRPC"):
        if re.search(r"\b(sse|sseSubscriptions)\s*:\s*\{\s*enabled:\s*false", file.text):
            return f"{file.path} turns server-sent events off"
    return None


def context_needs(app: LegacyApp) -> tuple[Piece, ...]:
    """The places that make the context of a subscription out of what only a WebSocket has."""
    shared = {(place.file.path, place.node.start_byte) for place in http_contexts(app)}
    needs = []
    for server in app.servers:
        for context in () if server.is_commented else contexts_given(app, server.file, adapter_calls(server.file)):
            if (context.file.path, context.node.start_byte) in shared:
                continue
            node = _socket_data(context.node)
            if node is not None:
                needs.append(_need(context.file, node, "the context of the WebSocket server needs what only it has"))
    for procedure in () if needs else find_procedures(app.view, app.layout, "subscription"):
        for node in find_all(procedure.call, "member_expression"):
            if _CONTEXT_SOCKET.fullmatch(text_of(node)):
                needs.append(
                    _need(procedure.file, node, f"the subscription {procedure.path} uses the WebSocket itself")
                )
                break
    return tuple(needs)


def in_process_events(app: LegacyApp) -> Iterator[Piece]:
    """The subscriptions that wait for what happens in the same server process."""
    for procedure in find_procedures(app.view, app.layout, "subscription"):
        if _IN_PROCESS.search(text_of(procedure.call)):
            yield Piece(
                procedure.file.path,
                procedure.line,
                f"the subscription {procedure.path} waits for events of its own server process",
                "by-hand",
                "where several processes serve the app, as on serverless platforms, events of another one do not "
                "arrive: send them over a database or a broker",
            )


class SseSplit(SubscriptionSplit):
    """Subscriptions by httpSubscriptionLink, which takes over what the socket was opened with."""

    destination = SSE
    sweeps_states = True
    built_function = "httpBatchLink"

    def __init__(self, view: AppView, layout: Layout, edits: Edits, *, carries_params: bool) -> None:
        """`carries_params`: the HTTP handler reads `connectionParams` too."""
        super().__init__(view, layout, edits)
        self._carries_params = carries_params

    def _settle_split(self, link: Link, server_http: Link | None) -> None:
        is_straight = link.routing == "subscription"
        sub, rest = (link.yes, link.no) if is_straight else (link.no, link.yes)
        if (
            sub is not None
            and rest is not None
            and all(leaf.kind == "sse" for leaf in sub.leaves())
            and rest.kind == "ws"
        ):
            http = self._http_for(link, sub, server_http)
            work = self._work(rest.call.file)
            base = work.base_of(rest.call.node)
            work.put(rest.call.node, work.look.rebased(http.text, base))
            self._go(rest)
            return
        super()._settle_split(link, server_http)

    def _shared(
        self,
        at: Place,
        call: Place,
        replaced: Link | Iterable[Link] | None,
        left_out: Iterable[str] = (),
        swapped: dict[str, str] | None = None,
    ) -> Shared:
        subs = list(replaced.leaves() if isinstance(replaced, Link) else replaced or ())
        shared = super()._shared(at, call, subs, left_out, swapped)
        options = options_of(call)
        more: list[str] = []
        for key in ("headers", "fetch"):
            option = options[key] if options is not None and key not in set(left_out) else None
            if option is not None and _SECRETS.search(re.sub(r"credentials:\s*[\"']\S+[\"']", "", option.text)):
                raise Refusal(
                    f"the HTTP link's {key} tell who asks, which server-sent events cannot carry", call, BY_HAND
                )
            if option is not None and re.search(r"credentials:\s*[\"']include", option.text):
                more.append("eventSourceOptions: { withCredentials: true }")
        more += self._params(at, subs)
        if not more:
            return shared
        return Shared((*(shared.members or (f"...{shared.name}",)), *more))

    def _params(self, at: Place, subs: list[Link]) -> Iterator[str]:
        """`connectionParams` as the socket was given them, where the HTTP handler reads them."""
        for leaf in subs:
            given = socket_options(self._view, self._layout, leaf)
            if given is None:
                continue
            address = address_with_parameters(given)
            if address is not None:
                raise Refusal("the WebSocket's address carries parameters of its own", address, BY_HAND)
            if not self._carries_params:
                continue
            for member in given.node.named_children:
                if text_of(member).startswith("connectionParams"):
                    self._check_names(at, Place(given.file, member))
                    yield text_of(member)


def reads_params(app: LegacyApp) -> bool:
    """Whether the context of the HTTP handler reads `info.connectionParams`."""
    return any("connectionParams" in text_of(place.node) for place in http_contexts(app))


def http_contexts(app: LegacyApp) -> Iterator[Place]:
    for file in http_handlers(app.view):
        yield from contexts_given(app, file, (call for call in find_all(file.root, "call_expression")))


def contexts_given(app: LegacyApp, file: SourceFile, calls: Iterable[Node]) -> Iterator[Place]:
    """The functions that are given as `createContext`."""
    for call in calls:
        given = argument_of(call) if call.type == "call_expression" else None
        value = property_of(given, "createContext") if given is not None else None
        if value is None:
            continue
        place = Place(file, unwrapped(value))
        if place.node.type in FUNCTIONS:
            yield place
            continue
        known = definition_of(app.view, app.layout, place)
        if known is not None and known.node.type in FUNCTIONS:
            yield known


def _socket_data(function: Node) -> Node | None:
    """Where a context's function uses the socket, what it was opened with besides headers, or its parameters."""
    body = function.child_by_field_name("body")
    for node in find_all(body, "member_expression", "identifier", "shorthand_property_identifier") if body else ():
        text = text_of(node).replace("?", "").replace("!", "")
        if node.type == "member_expression":
            if re.search(r"(^|\.)(connectionParams|req\.url|opts\.res)$", text):
                return node
        elif text in ("res", "connectionParams"):
            return node
    return None


def _exports_get(file: SourceFile) -> bool:
    return (
        re.search(
            r"\bas GET\b|export (async )?(function|const) GET\b|export const \{[^}]*\bGET\b|export \{[^}]*\bGET\b",
            file.text,
        )
        is not None
    )


def _need(file: SourceFile, node: Node, what: str) -> Piece:
    return Piece(
        file.path,
        file.line_of(node.start_byte),
        what,
        "keep",
        "server-sent events come by plain HTTP requests: take it from their headers or cookies, in the context of the "
        "HTTP handler too, then run this again",
    )
