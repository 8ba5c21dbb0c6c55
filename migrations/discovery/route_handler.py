"""The handlers that serve tRPC over HTTP: in an app router's `route.ts`, or in `pages/api/trpc/[trpc].ts`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.imports import imports_of
from migrations.discovery.procedures import is_test
from migrations.discovery.trpc_client import Place, definition_of, property_of, trpc_name, unwrapped
from migrations.engine import Blocked
from migrations.engine.syntax import find_all, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine import AppView, SourceFile
    from migrations.hints import AppHints

# Both take what every handler of tRPC 11 takes (`HTTPBaseHandlerOptions`), `allowMethodOverride` too.
ADAPTERS = ("fetchRequestHandler", "createNextApiHandler")
_FILES_DEEP = 6
_SET_HANDLER = 'say which one: app.route_handler = "<file>" in partyconfig.toml'


@dataclass(frozen=True, eq=False)
class RouteHandler:
    """`call` is the adapter's call; `options` the object literal that it gets, here or elsewhere (None: not known)."""

    file: SourceFile
    call: Node
    options: Place | None

    @property
    def line(self) -> int:
        return self.file.line_of(self.call.start_byte)

    @property
    def method_override(self) -> Node | None:
        """The value of `allowMethodOverride`, if it is there."""
        return property_of(self.options.node, "allowMethodOverride") if self.options is not None else None


def find_route_handlers(
    view: AppView, layout: Layout, hints: AppHints, router_file: str
) -> tuple[RouteHandler, ...] | Blocked:
    """The handlers that serve the procedures of `router_file`. Blocked where there is none, or that is not clear."""
    wanted = hints.route_handler
    found = [
        handler
        for adapter in ADAPTERS
        for file in view.sources(adapter)
        if not is_test(file.path) and wanted in ("", file.path)
        for handler in _handlers_of(view, layout, file, adapter)
    ]
    if not found and wanted:
        return Blocked(
            f"there is no {' or '.join(ADAPTERS)} in the file that app.route_handler names",
            wanted,
            0,
            "set app.route_handler in partyconfig.toml to the file that serves tRPC",
        )
    if not found:
        return Blocked(
            f"the route handler that serves tRPC was not found (no {' or '.join(ADAPTERS)} of @trpc/server/adapters)",
            next_step="if it is there, name its file: app.route_handler in partyconfig.toml",
        )
    if wanted or len(found) == 1:
        return tuple(found)
    serving = [handler for handler in found if _serves(view, layout, handler, router_file)]
    if not serving:
        return Blocked(
            f"{_listed(found)} each serve tRPC, and which of them serves {router_file} cannot be told",
            found[0].file.path,
            found[0].line,
            _SET_HANDLER,
        )
    return tuple(serving)


def _handlers_of(view: AppView, layout: Layout, file: SourceFile, adapter: str) -> Iterator[RouteHandler]:
    for call in find_all(file.root, "call_expression"):
        function, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
        if function is None or arguments is None or trpc_name(file, function) != adapter:
            continue
        given = [node for node in arguments.named_children if node.type != "comment"]
        yield RouteHandler(file, call, _literal(view, layout, Place(file, given[0])) if given else None)


def _literal(view: AppView, layout: Layout, place: Place) -> Place | None:
    node = unwrapped(place.node)
    if node.type == "identifier":
        known = definition_of(view, layout, Place(place.file, node))
        if known is None:
            return None
        place, node = known, unwrapped(known.node)
    return Place(place.file, node) if node.type == "object" else None


def _serves(view: AppView, layout: Layout, handler: RouteHandler, router_file: str) -> bool:
    """Whether the handler's router is made in `router_file`, or from what is imported from there."""
    router = property_of(handler.options.node, "router") if handler.options is not None else None
    if handler.options is None or router is None:
        return False
    made = definition_of(view, layout, Place(handler.options.file, unwrapped(router)))
    return made is not None and _reaches(view, layout, made.file, made.node, router_file, _FILES_DEEP, set())


def _reaches(
    view: AppView,
    layout: Layout,
    file: SourceFile,
    node: Node,
    router_file: str,
    depth: int,
    seen: set[tuple[str, str]],
) -> bool:
    if file.path == router_file:
        return True
    imported = {name.local: statement.specifier for statement in imports_of(file) for name in statement.names}
    for used in find_all(node, "identifier", "shorthand_property_identifier"):
        name = text_of(used)
        if (file.path, name) in seen or not depth:
            continue
        seen.add((file.path, name))
        if name in imported and layout.resolve(file.path, imported[name]) == router_file:
            return True
        known = definition_of(view, layout, Place(file, used))
        if known is not None and _reaches(view, layout, known.file, known.node, router_file, depth - 1, seen):
            return True
    return False


def _listed(handlers: Sequence[RouteHandler]) -> str:
    places = [f"{handler.file.path}:{handler.line}" for handler in handlers]
    return f"{', '.join(places[:-1])} and {places[-1]}"
