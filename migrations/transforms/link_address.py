"""Addresses of HTTP links: whether one that a server asked is right in a browser too, and what is in its place if not.

A link that is only for rendering on the server has an address that its settings make right for that alone
(`ENV APP_URL=http://localhost:3000` in a Dockerfile). No type check tells, and a browser that is given it asks its own
machine. A browser is always right with the path of the app's own handler.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from migrations.discovery.trpc_client import FUNCTIONS, Place, definition_of
from migrations.engine.syntax import find_all, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrations.discovery.layout import Layout
    from migrations.engine import AppView

_NAMES = ("identifier", "shorthand_property_identifier")
_BROWSERS = re.compile(r"\bwindow\b|\blocation\b")
_ROUTE = re.compile(r"(?:^|/)(?:pages|app)(/(?:.*/)?api/(?:.*/)?)\[(?:\.\.\.)?\w+\](?:/route)?\.[cm]?[jt]sx?$")
_PUBLIC_SITE = re.compile(r"[\"'`]https://(?!localhost)([\w-]+\.)+[a-z]{2,}[/:\"'`]")
_DEEPEST = 2


def holds_in_browsers(view: AppView, layout: Layout, address: Place, depth: int = _DEEPEST) -> bool:
    """Whether an address is seen to be right in a browser: a path, a site on the net, or one made by code that knows
    browsers (`typeof window`), as the helper of T3 does.
    """
    if _is_slip(view, layout, address):
        return False
    text = text_of(address.node)
    if _BROWSERS.search(text) or re.match(r"[\"'`]/(?!/)", text) or _PUBLIC_SITE.match(text):
        return True
    constant = _constant(view, layout, address)
    if constant is not None:
        return depth > 0 and holds_in_browsers(view, layout, constant, depth - 1)
    for node in find_all(address.node, *_NAMES) if depth else ():
        known = definition_of(view, layout, Place(address.file, node))
        if known is not None and known.node != address.node and holds_in_browsers(view, layout, known, depth - 1):
            return True
    return False


def own_path(view: AppView, layout: Layout, address: Place, depth: int = _DEEPEST) -> str | None:
    """The path (`/api/trpc`) of the app's own handler at an address; None if it is not seen to be one's."""
    known = _constant(view, layout, address)
    if known is not None and depth:
        return own_path(view, layout, known, depth - 1)
    text = re.sub(r"https?://[\w.-]+(:\d+)?", "", text_of(address.node))
    path = re.search(r"(?:^|[}\w\"'`+ ])(/(?!/)[\w./-]*)[\"'`]$", text)
    if path is None or any(b"basePath" in (view.read(name) or b"") for name in view.paths if _is_config(name)):
        return None
    handlers = set(_handlers(view))
    is_own = path[1].rstrip("/") in handlers if handlers else path[1].startswith("/api/")
    return path[1] if is_own else None


def _is_config(path: str) -> bool:
    return re.fullmatch(r"next\.config\.[cm]?[jt]s", posixpath.basename(path)) is not None


def _handlers(view: AppView) -> Iterator[str]:
    for path in view.paths:
        route = _ROUTE.search(path)
        if route is not None:
            yield re.sub(r"/\([^/()]*\)(?=/)", "", route[1]).rstrip("/")


def _constant(view: AppView, layout: Layout, address: Place) -> Place | None:
    """What an address that is only a name stands for."""
    known = definition_of(view, layout, address) if address.node.type in _NAMES else None
    return known if known is not None and known.node != address.node and known.node.type not in FUNCTIONS else None


def _is_slip(view: AppView, layout: Layout, address: Place) -> bool:
    """Whether an address takes a function itself into its text, which is not called: `${getBaseUrl}/api/trpc`.

    No type check sees that, and where the link is for a server that never renders a page, no person did.
    """
    parts = find_all(address.node, "template_substitution", "binary_expression")
    names = (node for part in parts for node in part.named_children if node.type in _NAMES)
    values = (definition_of(view, layout, Place(address.file, node)) for node in names)
    return any(value is not None and value.node.type in FUNCTIONS for value in values)
