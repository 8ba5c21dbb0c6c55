"""Addresses that browsers ask for the first time once their WebSocket is gone.

A client whose WebSocket carried everything had its HTTP link for rendering on the server alone. Its address comes from
a setting of which one deployment gives the right value for that, and the wrong one for a browser
(`ENV APP_URL=http://localhost:3000` in a Dockerfile); no type check can tell.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.discovery.trpc_client import Place, definition_of, trpc_name
from migrations.engine.syntax import find_all, text_of
from migrations.legacy.pieces import Piece
from migrations.legacy.servers.http_side import ws_links
from migrations.transforms.links_text import options_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from migrations.engine.source import SourceFile
    from migrations.engine.view import AppView
    from migrations.legacy.pieces import LegacyApp

_KEY = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_HTTP_LINK = re.compile(r"(unstable_)?http(Batch|BatchStream|Subscription)?Link")
_DEPLOYED = re.compile(
    r"(^|/)([\w.-]*Dockerfile[\w.-]*|(docker-)?compose([.-][\w.-]+)?\.ya?ml|(fly|railway)([.-][\w.-]+)?\.toml"
    r"|render\.ya?ml|app\.ya?ml|ecosystem\.config\.\w+|\.env\.prod(uction)?(\.\w+)?)$"
)
_HERE = r"https?://(localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\])(?![\w.-])"


def first_asked(app: LegacyApp, after: AppView, changed: Iterable[str]) -> Iterator[Piece]:
    """The settings that these clients' browsers are given an address by: one that a deployment sets to its own machine
    is a need (action "keep"), any other that is not public by its name is for a person to look at.
    """
    carried = {place.file.path: place.line for place in reversed(list(ws_links(app.view)))}
    for path in changed:
        before, file = app.view.file(path), after.file(path)
        if path not in carried or before is None or file is None:
            continue
        lines = _keys(app, app.view, before)
        for key in _keys(app, after, file):
            local = list(_set_to_here(app.view, key))
            yield from local
            if not local and not key.startswith("NEXT_PUBLIC_"):
                yield Piece(
                    path,
                    lines.get(key, carried[path]),
                    f"browsers ask the address in {key} from now on, which only the server did",
                    "by-hand",
                    "see that it is the one that browsers reach wherever the app is deployed, or give the link "
                    'url: "/api/trpc"',
                )


def _keys(app: LegacyApp, view: AppView, file: SourceFile) -> dict[str, int]:
    """The settings in the addresses of a file's HTTP links, with the line of the first."""
    keys: dict[str, int] = {}
    for call in find_all(file.root, "call_expression"):
        function = call.child_by_field_name("function")
        if function is None or not _HTTP_LINK.fullmatch(trpc_name(file, function)):
            continue
        options = options_of(Place(file, call))
        url = options["url"] if options is not None else None
        if url is None or url.value is None:
            continue
        text = text_of(url.value)
        if re.fullmatch(r"[\w$]+", text) and not _KEY.fullmatch(text):
            known = definition_of(view, app.layout, Place(file, url.value))
            text = text_of(known.node) if known is not None else text
        if not re.search(r"\bwindow\b|\blocation\b", text):
            for key in _KEY.findall(text):
                keys.setdefault(key, file.line_of(call.start_byte))
    return keys


def _set_to_here(view: AppView, key: str) -> Iterator[Piece]:
    setting = re.compile(rf"(?<![\w$]){key}\b[\"']?\s*[:=]?\s*[\"']?{_HERE}")
    for path in view.paths:
        if not _DEPLOYED.search(path):
            continue
        for number, line in enumerate((view.read(path) or b"").decode(errors="replace").splitlines(), 1):
            if setting.search(line) and not re.match(r"\s*(#|//)", line):
                yield Piece(
                    path,
                    number,
                    f"{key} is an address of the machine itself, and browsers would ask it once the WebSocket is gone",
                    "keep",
                    "set it to the address that browsers reach, or give the client's HTTP link "
                    'url: "/api/trpc" there, then run this again',
                )
