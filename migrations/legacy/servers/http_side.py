"""Whether tRPC is served over HTTP, by whom, and whether anything asks the WebSocket server for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.discovery.procedures import is_test
from migrations.discovery.trpc_client import Place, definition_of, property_of, trpc_name, unwrapped
from migrations.engine.syntax import find_all, text_of
from migrations.legacy.module_names import module_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine.source import SourceFile
    from migrations.engine.view import AppView

# Every function of @trpc/server and @trpc/next that answers HTTP requests, all versions.
_HANDLERS = re.compile(
    rb"fetchRequestHandler|createNextApiHandler|createNextRouteHandler|nodeHTTPRequestHandler|resolveHTTPResponse|resolveResponse"
    rb"|createNextAppDirHandler"
)
_ROUTE = re.compile(r"(^|/)(pages/api|app/(.*/)?api)/(.*/)?trpc/.*\.[cm]?[jt]sx?$|(^|/)(pages/api|app/api)/trpc\.\w+$")
_HTTP_LINKS = re.compile(r"http(Batch|BatchStream|Subscription)?Link")


def http_handlers(view: AppView) -> Iterator[SourceFile]:
    """The files in which the app itself serves tRPC over HTTP."""
    for file in view.sources("trpc"):
        if is_test(file.path):
            continue
        if _ROUTE.search(file.path) or (_HANDLERS.search(file.data) and _calls_handler(file)):
            yield file


def _calls_handler(file: SourceFile) -> bool:
    functions = [call.child_by_field_name("function") for call in find_all(file.root, "call_expression")]
    return any(function is not None and _HANDLERS.search(function.text or b"") for function in functions)


def ws_links(view: AppView) -> Iterator[Place]:
    """Where clients have a link to a WebSocket server that more goes through than subscriptions."""
    for file in view.sources("wsLink"):
        if is_test(file.path):
            continue
        for call in find_all(file.root, "call_expression"):
            function = call.child_by_field_name("function")
            is_link = function is not None and trpc_name(file, function) == "wsLink"
            if is_link and not _is_for_subscriptions(file, call):
                yield Place(file, call)


def _is_for_subscriptions(file: SourceFile, link: Node) -> bool:
    """Whether a link is the side of a splitLink that subscriptions alone go through."""
    node: Node | None = link
    while node is not None and node.type != "program":
        outer = node.parent
        call = outer.parent.parent if outer is not None and outer.parent is not None else None
        function = call.child_by_field_name("function") if call is not None and call.type == "call_expression" else None
        if outer is not None and function is not None and trpc_name(file, function) == "splitLink":
            condition = property_of(outer, "condition")
            key = node.child_by_field_name("key")
            test = text_of(condition) if condition is not None else ""
            return (
                key is not None and text_of(key) == "true" and re.search(r"===?\s*[\"']subscription", test) is not None
            )
        node = outer
    return False


def asks_elsewhere(view: AppView) -> Place | None:
    """An HTTP link whose address is not seen to be that of the app's own handler (`/api/trpc`)."""
    for file in view.sources("Link"):
        if is_test(file.path):
            continue
        for call in find_all(file.root, "call_expression"):
            function = call.child_by_field_name("function")
            if function is None or not _HTTP_LINKS.fullmatch(trpc_name(file, function)):
                continue
            options = call.child_by_field_name("arguments")
            given = options.named_children if options is not None else []
            url = property_of(unwrapped(given[0]), "url") if given else None
            if url is None or "/api/" not in text_of(url):
                return Place(file, call)
    return None


def router_key(view: AppView, layout: Layout, file: SourceFile, options: Place) -> tuple[str, object] | None:
    """What tells one router from another: where the one in these options of a handler is made; None if not known."""
    router = property_of(options.node, "router")
    if router is None:
        return None
    router = unwrapped(router)
    made = definition_of(view, layout, Place(file, router)) if router.type != "call_expression" else None
    if made is not None:
        return made.file.path, made.node.start_byte
    module = module_names(file).get(text_of(router))
    is_package = module is not None and re.match(r"[a-z]|@[\w-]", module.specifier) is not None
    is_package = is_package and module is not None and layout.resolve(file.path, module.specifier) is None
    return (module.specifier, module.imported) if module is not None and is_package else None
