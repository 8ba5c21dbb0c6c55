"""How the browser's tRPC client reaches the WebSocket server, and who subscribes through it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.discovery.procedures import find_procedures, is_test
from migrations.discovery.requirements import trpc_major
from migrations.engine.diff import line_in
from migrations.engine.edits import Edits
from migrations.engine.outcome import FileChange
from migrations.engine.syntax import find_all, text_of
from migrations.legacy.clients import sse
from migrations.legacy.clients.other_contexts import other_contexts
from migrations.legacy.clients.subscribers import find_subscribers, goes_through
from migrations.legacy.clients.unused_code import is_left_empty, orphans, without_unused
from migrations.legacy.clients.unused_imports import take_unused_imports
from migrations.legacy.clients.users import needs_of_tests, needs_of_workspace, raw_sockets
from migrations.legacy.clients.ws_clients import (
    files_with_marks,
    known_clients,
    opened_with,
    socket_calls,
    socket_options,
    told_of_connection,
)
from migrations.legacy.pieces import Found, Piece
from migrations.legacy.references import importers_of
from migrations.legacy.servers.http_side import http_handlers
from migrations.transforms.http_only import HttpOnly
from migrations.transforms.links_model import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from migrations.discovery.trpc_client import TrpcClient
    from migrations.engine.view import AppView
    from migrations.legacy.clients.subscribers import Subscriber
    from migrations.legacy.clients.ws_clients import KnownClient, SocketCall
    from migrations.legacy.pieces import LegacyApp
    from migrations.transforms.links_model import Link

_COMMENTED = re.compile(r"\b(createWSClient|wsLink)\s*(<[^()]*>)?\(")
_MIGRATE = "chatops migrate up brings the chat's over the relay; --to-sse moves subscriptions to server-sent events"
_OLD = (
    "tRPC 10 has no server-sent events: bring the app to tRPC 11 first (npx @trpc/upgrade); then chatops migrate up "
    "brings the chat's over the relay, and --to-sse moves subscriptions to server-sent events"
)


def clean_clients(app: LegacyApp) -> Found:
    """Clients that sent operations over a WebSocket send them over HTTP; whoever still subscribes there is a need."""
    marked = any(True for _ in files_with_marks(app.view))
    if not marked and not app.servers:
        return Found()
    calls = socket_calls(app.view, app.layout)
    live = tuple(call for call in calls if not is_test(call.place.file.path))
    if not calls and not app.servers:
        return Found(tuple(_spoken_of(app, app.view)))
    known, unreadable = known_clients(app.view, app.layout)
    clients = tuple(one for one in known if not is_test(one.client.file.path))
    subscribers = find_subscribers(app.view, app.layout)
    needed = _over_sockets(subscribers, clients, live, has_server=any(not one.is_commented for one in app.servers))
    needs = [*needs_of_tests(calls, subscribers), *raw_sockets(app, live), *needs_of_workspace(app)]
    reason = sse.unfit(app) if app.to_sse and needed else None
    moves = app.to_sse and reason is None
    if needed and not moves:
        needs += [_subscription_need(one, reason or _what_to_do(app)) for one in needed]
    elif needed:
        needs += sse.context_needs(app)
    socket_files = {call.place.file.path for call in live}
    needs += [
        _need(
            place.file.path,
            place.line,
            "the links of this client cannot be read",
            "write them as an array: links: [...]",
        )
        for place in unreadable
        if place.file.path in socket_files
    ]
    kept = (*_unused_subscriptions(app, subscribers), *_uncarried(subscribers, clients))
    if not live:
        changes, imports = take_unused_imports(app, app.view)
        told = (*kept, *imports, *_spoken_of(app, app.view))
        return Found(told, tuple(needs), () if needs else changes)
    moving = [c.client for one in needed for c in goes_through(one, clients) if "ws" in c.carriers] if moves else []
    moving = list(dict.fromkeys(moving))
    staying = [] if moves else [known for one in needed for known in goes_through(one, clients)]
    rewriting = _Rewriting(app)
    if not (needed and not moves and not staying):
        rewriting.run(tuple(known for known in clients if known not in staying), moving, is_whole=not staying)
    after = rewriting.view
    needs += rewriting.refused
    changed = sorted({path for path in rewriting.touched if app.view.read(path) != after.read(path)})
    if not rewriting.refused and not staying:
        needs += [*_heard(live), *_left(app, after)]
    pieces = [*kept, *(_piece(app, after, path, live) for path in changed), *_spoken_of(app, after)]
    if needed and moves:
        pieces += sse.in_process_events(app)
    if needs:
        return Found(tuple(pieces), tuple(dict.fromkeys(needs)))
    return Found(tuple(pieces), (), tuple(FileChange(path, after.read(path)) for path in changed))


# --- who needs it


def _over_sockets(
    subscribers: Sequence[Subscriber], clients: tuple[KnownClient, ...], live: Sequence[SocketCall], *, has_server: bool
) -> list[Subscriber]:
    """The places, tests left out, whose subscriptions come over a WebSocket, or whose way is not known."""
    found = []
    for one in subscribers:
        if is_test(one.place.file.path):
            continue
        ways = {carrier for known in goes_through(one, clients) for carrier in known.carriers}
        if "ws" in ways or ((live or has_server) and (not ways or "unknown" in ways)):
            found.append(one)
    return found


def _uncarried(subscribers: Sequence[Subscriber], clients: tuple[KnownClient, ...]) -> Iterator[Piece]:
    """The places that subscribe through a client whose links carry no subscriptions: they fail with the server, too."""
    for one in subscribers:
        ways = {carrier for known in goes_through(one, clients) for carrier in known.carriers}
        if ways == {"http"} and not is_test(one.place.file.path):
            yield Piece(
                one.place.file.path,
                one.line,
                f"the subscription {one.path}",
                "by-hand",
                "no link of its client carries subscriptions, so it fails as it is: add one, or take this out",
            )


def _subscription_need(one: Subscriber, do: str) -> Piece:
    name = f"the subscription {one.path}" if one.path else "a subscription"
    return _need(one.place.file.path, one.line, f"{name} comes over the WebSocket", do)


def _what_to_do(app: LegacyApp) -> str:
    major = trpc_major(app.view)
    return _OLD if major is not None and major < 11 else _MIGRATE


def _unused_subscriptions(app: LegacyApp, subscribers: Sequence[Subscriber]) -> tuple[Piece, ...]:
    """The subscriptions of the routers that no client uses: they do not need the server, and stay."""
    used = {one.path.rpartition(".")[2] for one in subscribers}
    return tuple(
        Piece(
            procedure.file.path,
            procedure.line,
            f"the subscription {procedure.path}",
            "keep",
            "nobody subscribes to it; it stays in the router",
        )
        for procedure in find_procedures(app.view, app.layout, "subscription")
        if procedure.name not in used
    )


def _heard(live: Sequence[SocketCall]) -> Iterator[Piece]:
    """Where the app acts on the connection of a WebSocket that would go."""
    for call in live:
        place = told_of_connection(call)
        if place is not None:
            yield _need(
                place.file.path,
                place.line,
                "the app acts on this WebSocket's connection when it opens or closes",
                "take that out of the app by hand, then run this again",
            )


def _left(app: LegacyApp, after: AppView) -> Iterator[Piece]:
    """The WebSocket clients that are still there once all links have been put right."""
    for call in socket_calls(after, app.layout):
        file = call.place.file
        if not is_test(file.path):
            line = line_in(app.view.read(file.path) or b"", file.data, call.place.line)
            yield _need(
                file.path,
                line,
                f"{call.name} is used here in a way that is not known",
                "take the WebSocket out of this client by hand, then run this again",
            )


# --- what becomes of the clients


class _Rewriting:
    """The app as it becomes: `view`, with what was `touched`; `refused` says what could not be put right."""

    def __init__(self, app: LegacyApp) -> None:
        self.view = app.view
        self.touched: list[str] = []
        self.refused: list[Piece] = []
        self._app = app

    def run(self, clients: tuple[KnownClient, ...], to_sse: Collection[TrpcClient], *, is_whole: bool) -> None:
        """Put the links of these clients right, and (`is_whole`: no client stays as it is) take out what is unused."""
        if to_sse:
            self._move(to_sse)
            clients = _live_clients(self.view, self._app)
        if not self.refused:
            self._take_out(clients)
        if not self.refused and is_whole:
            self._clear()

    def _move(self, clients: Collection[TrpcClient]) -> None:
        edits = Edits(self.view)
        split = sse.SseSplit(self.view, self._app.layout, edits, carries_params=sse.reads_params(self._app))
        try:
            for client in clients:
                for array in client.lists:
                    split.settle_list(array)
            split.finish()
        except Refusal as refusal:
            self._refuse(refusal)
            return
        self._apply(edits)

    def _take_out(self, clients: tuple[KnownClient, ...]) -> None:
        edits = Edits(self.view)
        links = HttpOnly(self.view, self._app.layout, edits)
        for known in clients:
            try:
                for array in known.client.lists:
                    links.settle_list(array)
            except Refusal as refusal:
                self._refuse(refusal)
        if not self.refused:
            self.refused += _lost_with_socket(self._app, self.view, links.asked_http)
        if not self.refused:
            links.finish()
            self._apply(edits)

    def _clear(self) -> None:
        """Take out what is unused; first in the clients' files, then where only the sockets are made."""
        for path in list(dict.fromkeys([*self.touched, *_files_of_sockets(self._app)])):
            before = self._app.view.file(path)
            if before is None:
                continue
            try:
                self.view = without_unused(self.view, self._app.layout, before)
            except Refusal as refusal:
                self._refuse(refusal)
                return
            if self.view.read(path) != before.data:
                self.touched.append(path)
                if is_left_empty(self.view, path):
                    self._drop_empty(path)
        self._drop_orphans()

    def _drop_empty(self, path: str) -> None:
        """Take a file out of which nothing is left; whoever still imports it would find no module there."""
        for user in importers_of(self.view, self._app.layout, path):
            before, now = self._app.view.read(user.path) or b"", self.view.read(user.path) or b""
            line = line_in(before, now, user.line)
            what = f"imports {path}, which is for the WebSocket client alone"
            self.refused.append(_need(user.path, line, what, "take this import out, then run this again"))
        self.view = self.view.with_changes({path: None})

    def _drop_orphans(self) -> None:
        """Take out the files that only the code that is gone imported, and what only they imported."""
        todo = list(self.touched)
        while todo:
            before = self._app.view.file(todo.pop())
            for path in tuple(orphans(self.view, self._app.layout, before)) if before is not None else ():
                self.view = self.view.with_changes({path: None})
                self.touched.append(path)
                todo.append(path)

    def _apply(self, edits: Edits) -> None:
        changes = edits.changes()
        self.touched += [change.path for change in changes]
        self.view = self.view.with_changes({change.path: change.after for change in changes})

    def _refuse(self, refusal: Refusal) -> None:
        blocked = refusal.blocked
        before, now = self._app.view.read(blocked.file), self.view.read(blocked.file)
        same = before is None or now is None or before == now
        line = blocked.line if same else line_in(before or b"", now or b"", blocked.line)
        self.refused.append(_need(blocked.file, line, blocked.reason, blocked.next_step))


def _lost_with_socket(app: LegacyApp, view: AppView, links: Sequence[Link]) -> Iterator[Piece]:
    """What queries and mutations that went over these links would miss over HTTP."""
    has_handler = any(True for _ in http_handlers(view))
    if links:
        yield from other_contexts(app)
    for link in links:
        options = socket_options(view, app.layout, link)
        opened = opened_with(options) if options is not None else None
        if opened is not None:
            yield _need(
                opened.file.path,
                opened.line,
                "the WebSocket is opened with parameters, by which the server may know who asks",
                "send them as headers of the HTTP link and read them in its handler's context, then run this again",
            )
        if not has_handler:
            yield _need(
                link.place.file.path,
                link.place.line,
                "queries and mutations go over the WebSocket, and the app has no HTTP handler of tRPC",
                "add one (https://trpc.io/docs/server/adapters/nextjs), then run this again",
            )


def _files_of_sockets(app: LegacyApp) -> list[str]:
    """The files that make WebSocket clients, those that also make a client first: they import from the others."""
    marked = [call.place.file.path for call in socket_calls(app.view, app.layout)]
    clients = [one.client.file.path for one in known_clients(app.view, app.layout)[0]]
    paths = dict.fromkeys([*(path for path in clients if path in marked), *marked])
    return [path for path in paths if not is_test(path)]


def _live_clients(view: AppView, app: LegacyApp) -> tuple[KnownClient, ...]:
    return tuple(one for one in known_clients(view, app.layout)[0] if not is_test(one.client.file.path))


# --- what is told


def _piece(app: LegacyApp, after: AppView, path: str, live: Sequence[SocketCall]) -> Piece:
    line = next((call.place.line for call in live if call.place.file.path == path), 0)
    if after.read(path) is None:
        what = "the tRPC client's WebSocket" if line else "what only the tRPC client's WebSocket used"
        return Piece(path, line, what, "remove", "nothing uses it any more")
    to_sse = b"httpSubscriptionLink" in (after.read(path) or b"") and b"httpSubscriptionLink" not in (
        app.view.read(path) or b""
    )
    why = (
        "subscriptions come as server-sent events, everything else over HTTP"
        if to_sse
        else "nobody subscribes over it: everything goes over HTTP"
    )
    return Piece(path, line, "the tRPC client's WebSocket link", "rewrite", why)


def _spoken_of(app: LegacyApp, after: AppView) -> Iterator[Piece]:
    """What is left of WebSocket clients in comments."""
    for file in files_with_marks(after):
        before = app.before.read(file.path)
        if b"@trpc/" not in file.data or is_test(file.path) or before is None:
            continue
        for comment in find_all(file.root, "comment"):
            if _COMMENTED.search(text_of(comment)):
                line = line_in(before, file.data, file.line_of(comment.start_byte))
                yield Piece(file.path, line, "a WebSocket client that is commented out", "by-hand", "take it out")
                break


def _need(path: str, line: int, what: str, do: str) -> Piece:
    return Piece(path, line, what, "keep", do)
