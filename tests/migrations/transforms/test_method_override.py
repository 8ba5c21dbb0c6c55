from __future__ import annotations

import pytest

from migrations.discovery.layout import find_layout
from migrations.discovery.route_handler import find_route_handlers
from migrations.engine import AppView, Blocked, Edits, Leftover
from migrations.hints import AppHints
from migrations.transforms.method_override import allow_method_override
from tests.migrations.procedure_app import ROUTE, ROUTER, view

HEAD = 'import { fetchRequestHandler as handle } from "@trpc/server/adapters/fetch";\n\n'


def allowed(call: str) -> tuple[AppView, Blocked | Leftover | None]:
    app_view = view(others={ROUTE: (HEAD + call).encode()})
    handlers = find_route_handlers(app_view, find_layout(app_view), AppHints(), ROUTER)
    assert not isinstance(handlers, Blocked)
    edits = Edits(app_view)
    (left,) = [allow_method_override(handler, edits) for handler in handlers]
    return app_view.with_changes({change.path: change.after for change in edits.changes()}), left


@pytest.mark.parametrize(
    "call",
    [
        "handle({ router, allowMethodOverride: true });\n",
        "handle({ router, 'allowMethodOverride': isAllowed });\n",
        "const allowMethodOverride = true;\nhandle({ router, allowMethodOverride });\n",
        "const options = { router, allowMethodOverride: true };\nhandle(options);\n",
        "handle(withOptions({ router, allowMethodOverride: true }));\n",
    ],
)
def test_where_it_is_there_nothing_changes(call: str) -> None:
    done, left = allowed(call)
    assert left is None
    assert (done.read(ROUTE) or b"").decode() == HEAD + call


def test_a_false_one_is_refused() -> None:
    done, left = allowed("handle({\n  router,\n  allowMethodOverride: false,\n});\n")
    assert isinstance(left, Blocked)
    assert (left.file, left.line) == (ROUTE, 5)
    assert b"allowMethodOverride: true" not in (done.read(ROUTE) or b"")


def test_options_from_elsewhere_are_left_to_a_person() -> None:
    _, left = allowed("handle(withOptions({ router }));\n")
    assert isinstance(left, Leftover)
    assert (left.file, left.line) == (ROUTE, 3)


ADDED = [
    ("handle({ router });\n", "handle({ router, allowMethodOverride: true });\n"),
    ("handle({ router: a, req });\n", "handle({ router: a, allowMethodOverride: true, req });\n"),
    ("handle({ ...common });\n", "handle({ allowMethodOverride: true, ...common });\n"),
    ("handle({});\n", "handle({ allowMethodOverride: true });\n"),
    ("handle({\n  router,\n  req,\n});\n", "handle({\n  router,\n  allowMethodOverride: true,\n  req,\n});\n"),
    ("handle({\n  req,\n  router\n});\n", "handle({\n  req,\n  router,\n  allowMethodOverride: true\n});\n"),
    (
        "handle({\n  router: a, // all of it\n  req,\n});\n",
        "handle({\n  router: a, // all of it\n  allowMethodOverride: true,\n  req,\n});\n",
    ),
    (
        "handle({\r\n\trouter: a,\r\n\treq\r\n})\r\n",
        "handle({\r\n\trouter: a,\r\n\tallowMethodOverride: true,\r\n\treq\r\n})\r\n",
    ),
    ("handle({\n  router: a, req,\n});\n", "handle({\n  router: a, allowMethodOverride: true, req,\n});\n"),
    (
        'handle({ router: appRouter, req, endpoint: "/api/trpc", createContext: make });\n',
        'handle({\n  router: appRouter,\n  allowMethodOverride: true,\n  req,\n  endpoint: "/api/trpc",\n'
        "  createContext: make,\n});\n",
    ),
    (
        "const options = {\n  router: a,\n};\nhandle(options);\n",
        "const options = {\n  router: a,\n  allowMethodOverride: true,\n};\nhandle(options);\n",
    ),
]


@pytest.mark.parametrize(("before", "after"), ADDED)
def test_it_is_added_behind_the_router(before: str, after: str) -> None:
    done, left = allowed(before)
    assert left is None
    assert (done.read(ROUTE) or b"").decode() == HEAD + after
    again, left = allowed(after)
    assert (left, again.read(ROUTE)) == (None, done.read(ROUTE))
