"""The server's own files."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from migrations.discovery.procedures import is_test
from migrations.discovery.trpc_client import Place
from migrations.engine.edits import Edits
from migrations.engine.packages import MANIFEST
from migrations.engine.syntax import find_all, text_of
from migrations.legacy.builds.bundlers import is_bundler_config
from migrations.legacy.pieces import Found, LegacyServer, Piece
from migrations.legacy.references import importers_of, named_in_code
from migrations.legacy.servers.adapter import NEEDLES, adapter_calls
from migrations.legacy.servers.commented import uncommented
from migrations.legacy.servers.http_side import asks_elsewhere, http_handlers, router_key, ws_links
from migrations.legacy.servers.only_used import is_taken_by_name, only_used_by
from migrations.legacy.servers.work import effect_of, work_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine.source import SourceFile
    from migrations.engine.view import AppView
    from migrations.legacy.pieces import LegacyApp, ServerKind
    from migrations.legacy.servers.walk import Work

_WHAT = {
    "sockets": "the WebSocket server for tRPC",
    "next": "the WebSocket server for tRPC, which is the Next.js server too",
    "shared": "the WebSocket server for tRPC, which does more",
}
_COMPILED = re.compile(
    rb"Object\.defineProperty\(exports, .__esModule|__webpack_require__|__toCommonJS\(|sourceMappingURL="
)
# Run the app elsewhere: their lines are seen to with what deploys it.
_RUN_BY_HOST = re.compile(r"(^|/)(ecosystem|pm2|process)[\w.-]*\.[cm]?[jt]s$")
# Naming a file that is not there does no harm to them.
_TOOL_CONFIG = re.compile(
    r"(^|/)\.?(eslint|prettier|jest|vitest|knip|lint-staged|commitlint|stylelint)[\w.-]*\.[cm]?[jt]s$"
)
_CLIENTS = re.compile(rb"[\"']@trpc/(client|next|react-query|tanstack-react-query|react)\b")
# A route that starts the server when it is asked; who asks names its path.
_API_ROUTE = re.compile(r"(^|/)pages/api/")
_OUT_FOLDERS = ("dist", "build", "out")
_SECTIONS = ("dependencies", "devDependencies", "peerDependencies")


def find_servers(view: AppView, layout: Layout) -> tuple[LegacyServer, ...]:
    """Every file that hands a WebSocketServer to tRPC, live or commented out whole."""
    found = []
    for file in view.sources():
        if (
            any(needle in file.data for needle in NEEDLES)
            and not is_test(file.path)
            and not _COMPILED.search(file.data)
        ):
            server = _live(view, layout, file) or _commented(view, layout, file)
            if server is not None:
                found.append(server)
    return tuple(found)


def clean_servers(app: LegacyApp) -> Found:
    """Remove the server's files, and those that only they used, where nothing else refers to them."""
    if not app.servers:
        return Found()
    view, layout = app.view, app.layout
    shared = [server for server in app.servers if server.kind == "shared"]
    going = [server for server in app.servers if server.kind != "shared"]
    paths = {server.file.path for server in going}
    needs = [_shared_need(server) for server in shared if not server.is_commented]
    for server in going:
        needs += _users(app, server.file.path, paths)
    live = [server for server in going if not server.is_commented]
    needs += _of_other_apps(app, live)
    needs += _unserved(app, live)
    needs += _other_routers(app, live)
    only_used = only_used_by(view, layout, [server.file.path for server in live])
    for path in only_used.files:
        needs += _lost_effect(app, path)
    pieces = [
        Piece(
            server.file.path,
            server.line,
            "a commented-out WebSocket server for tRPC with more in it",
            "by-hand",
            "delete the file if none of what is commented out in it is wanted any more",
        )
        for server in shared
        if server.is_commented
    ]
    edits = Edits(view)
    for server in going:
        edits.delete(server.file.path)
        pieces.append(_removal(server))
        pieces += _lost_redirect(app, server)
        pieces += _compiled(app, server.file.path)
    for path in only_used.files:
        edits.delete(path)
        pieces.append(Piece(path, 0, "used by the WebSocket server alone", "remove", "nothing else refers to it"))
    for path, named in only_used.unsure:
        why = f"nothing imports it once the server is gone, but {named.path}:{named.line} names it"
        pieces.append(Piece(path, 0, "imported by the WebSocket server alone", "keep", why))
    return Found(tuple(pieces), tuple(needs), edits.changes())


# --- what a server is


def _live(view: AppView, layout: Layout, file: SourceFile) -> LegacyServer | None:
    calls = list(adapter_calls(file))
    if not calls:
        return None
    line = file.line_of(calls[0].start_byte)
    if any(call.type == "pair" for call in calls):
        return LegacyServer(file, line, "shared", does="serves tRPC over HTTP too (Fastify)", does_line=line)
    if is_taken_by_name(file.path) and not _API_ROUTE.search(file.path):
        return LegacyServer(file, line, "shared", does="is run by Next.js, which takes it by its name", does_line=line)
    work = _work(view, layout, file)
    if work.node is not None:
        return LegacyServer(file, line, "shared", does=work.does, does_line=file.line_of(work.node.start_byte))
    if work.http is not None and _http_is_asked(view, file):
        http_line = file.line_of(work.http.start_byte)
        return LegacyServer(file, line, "shared", does="serves tRPC over HTTP too", does_line=http_line)
    return LegacyServer(file, line, "next" if work.is_next else "sockets")


def _commented(view: AppView, layout: Layout, file: SourceFile) -> LegacyServer | None:
    inside = uncommented(file)
    if inside is None:
        return None
    line = inside.line_of(next(adapter_calls(inside)).start_byte)
    work = work_of(view, layout, inside)
    kind: ServerKind = "next" if work.is_next else "sockets"
    if work.node is None:
        return LegacyServer(file, line, kind, is_commented=True)
    does_line = inside.line_of(work.node.start_byte)
    return LegacyServer(file, line, "shared", is_commented=True, does=work.does, does_line=does_line)


def _work(view: AppView, layout: Layout, file: SourceFile) -> Work:
    return view.once(("server_work", file.path), lambda: work_of(view, layout, file))


def _http_is_asked(view: AppView, file: SourceFile) -> bool:
    """Whether tRPC over HTTP may be asked of the server in `file`, and not of Next.js."""
    if not any(handler.path != file.path for handler in http_handlers(view)):
        return True
    return asks_elsewhere(view) is not None or b"basePath" in file.data


# --- who still needs one


def _shared_need(server: LegacyServer) -> Piece:
    return Piece(
        server.file.path,
        server.does_line or server.line,
        f"the file of the WebSocket server does more: {server.does}",
        "keep",
        "take tRPC's WebSocket out of this file by hand, or move what else it does elsewhere; then run this again",
    )


def _users(app: LegacyApp, path: str, going: set[str]) -> Iterator[Piece]:
    """Those who import a file that is to go, or run it by its path in code."""
    lines = {r.path: r.line for r in importers_of(app.before, app.layout, path)}
    for reference in importers_of(app.view, app.layout, path):
        if reference.path not in going:
            line = lines.get(reference.path, reference.line)
            yield _need(reference.path, line, f"imports the WebSocket server ({path})", "take this import out")
    named = {r.path: r.line for r in named_in_code(app.before, path)}
    for reference in named_in_code(app.view, path):
        file = app.view.file(reference.path)
        if reference.path in {*going, *lines} or file is None or _is_seen_to_elsewhere(file):
            continue
        line = named.get(reference.path, reference.line)
        yield _need(reference.path, line, f"names the file of the WebSocket server ({path})", "take it out here")


def _is_seen_to_elsewhere(file: SourceFile) -> bool:
    is_config = _RUN_BY_HOST.search(file.path) or _TOOL_CONFIG.search(file.path)
    return is_config is not None or is_bundler_config(file)


def _need(path: str, line: int, what: str, do: str) -> Piece:
    return Piece(path, line, what, "keep", f"{do}, then run this again")


def _of_other_apps(app: LegacyApp, live: Sequence[LegacyServer]) -> Iterator[Piece]:
    """The servers of a package that is no Next.js app, or has no tRPC client: they serve other apps."""
    is_next = "next" in _dependencies(app.view) or any("next.config." in path for path in app.view.paths)
    has_client = any(_CLIENTS.search(file.data) for file in app.before.sources("@trpc/") if not is_test(file.path))
    if is_next and has_client:
        return
    lacks = "a tRPC client" if is_next else "Next.js"
    for server in live:
        yield _need(
            server.file.path,
            server.line,
            f"the WebSocket server of an app without {lacks}: who uses it cannot be seen from here",
            "remove it by hand once nobody does",
        )


def _dependencies(view: AppView) -> set[str]:
    manifest = view.json(MANIFEST)
    sections = [manifest.get(key) for key in _SECTIONS] if isinstance(manifest, dict) else []
    return {name for section in sections if isinstance(section, dict) for name in section}


def _unserved(app: LegacyApp, live: Sequence[LegacyServer]) -> Iterator[Piece]:
    """The links to the server in an app that serves tRPC in no other way."""
    if not live or any(True for _ in http_handlers(app.view)):
        return
    for place in ws_links(app.before):
        yield Piece(
            place.file.path,
            place.line,
            "the WebSocket server is the only one that serves tRPC: the app has no HTTP handler for it",
            "keep",
            "add one (app/api/trpc/[trpc]/route.ts or pages/api/trpc/[trpc].ts), then run this again",
        )


def _other_routers(app: LegacyApp, live: Sequence[LegacyServer]) -> Iterator[Piece]:
    """Servers of a router that no HTTP handler serves and that a client is typed by."""
    keys = [
        router_key(app.view, app.layout, handler, place)
        for handler in http_handlers(app.view)
        for place in _options(handler)
    ]
    if not keys or None in keys:
        return
    for server in live:
        for place in _options(server.file):
            key = router_key(app.view, app.layout, server.file, place)
            name = next((text_of(r) for r in _router_names(place)), "")
            if key is None or key in keys or not name or not _types_clients(app.view, name):
                continue
            yield _need(
                server.file.path,
                server.line,
                f"the WebSocket server serves another router ({name}) than the HTTP handler",
                "serve it over HTTP too",
            )


def _options(file: SourceFile) -> Iterator[Place]:
    for node in find_all(file.root, "object"):
        if node.parent is not None and node.parent.type == "arguments" and any(_router_names(Place(file, node))):
            yield Place(file, node)


def _router_names(place: Place) -> Iterator[Node]:
    for member in place.node.named_children:
        key = member.child_by_field_name("key")
        if key is not None and text_of(key) == "router":
            value = member.child_by_field_name("value")
            if value is not None and value.type in ("identifier", "member_expression"):
                yield value
        elif member.type == "shorthand_property_identifier" and text_of(member) == "router":
            yield member


def _types_clients(view: AppView, name: str) -> bool:
    return any(True for _ in view.sources(f"typeof {name.rpartition('.')[2]}"))


def _lost_effect(app: LegacyApp, path: str) -> Iterator[Piece]:
    file = app.view.file(path)
    effect = effect_of(app.view, app.layout, file) if file is not None else None
    if file is not None and effect is not None:
        what, node = effect
        yield _need(
            path,
            file.line_of(node.start_byte),
            f"only the WebSocket server's process runs this: {what}",
            "move it to where it will run",
        )


# --- what goes


def _removal(server: LegacyServer) -> Piece:
    if server.is_commented:
        return Piece(
            server.file.path, server.line, "a commented-out WebSocket server for tRPC", "remove", "it is not used"
        )
    why = "nothing else refers to it"
    if server.kind == "next":
        why += "; `next dev` and `next start` serve the app"
    return Piece(server.file.path, server.line, _WHAT[server.kind], "remove", why)


def _lost_redirect(app: LegacyApp, server: LegacyServer) -> Iterator[Piece]:
    redirect = None if server.is_commented else _work(app.view, app.layout, server.file).redirect
    if redirect is not None:
        yield Piece(
            server.file.path,
            server.file.line_of(redirect.start_byte),
            "the redirect from http to https",
            "by-hand",
            "it goes with the server, and `next start` has none: most hosts (Vercel, Render, Railway) redirect by "
            "themselves; elsewhere let the proxy in front of the app do it",
        )


def _compiled(app: LegacyApp, path: str) -> Iterator[Piece]:
    """The compiled output of a file, where it is kept with the app."""
    stem = PurePosixPath(path).with_suffix("")
    tails = {str(stem), str(stem).removeprefix("src/"), stem.name}
    outputs = [f"{folder}/{tail}.js" for folder in _OUT_FOLDERS for tail in sorted(tails)]
    beside = f"{stem}.js"
    if beside != path and _COMPILED.search(app.view.read(beside) or b""):
        outputs.append(beside)
    for output in outputs:
        if output in app.view.paths or (app.view.exists(output) and not _is_ignored(app.view, output)):
            yield Piece(output, 0, f"compiled from {path}", "by-hand", "delete it: nothing builds it any more")


def _is_ignored(view: AppView, path: str) -> bool:
    from pathspec import GitIgnoreSpec

    rules = (view.read(".gitignore") or b"").decode(errors="replace")
    return GitIgnoreSpec.from_lines(rules.splitlines()).match_file(path)
