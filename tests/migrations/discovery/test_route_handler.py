from __future__ import annotations

import pytest

from migrations.discovery.layout import find_layout
from migrations.discovery.route_handler import RouteHandler, find_route_handlers
from migrations.engine import AppView, Blocked
from migrations.hints import AppHints
from tests.migrations.procedure_app import ROOT, ROUTE, ROUTE_TEXT, ROUTER, router, view

PAGES = "src/pages/api/trpc/[trpc].ts"
PAGES_TEXT = """\
import { createNextApiHandler } from "@trpc/server/adapters/next";
import { appRouter } from "~/server/api/root";

export default createNextApiHandler({ router: appRouter });
"""
ADMIN = "src/app/api/admin/[trpc]/route.ts"
ADMIN_ROOT = ROOT.replace("chatRouter", "adminRouter").replace("routers/chat", "routers/admin")
ADMIN_FILES = {
    ADMIN: ROUTE_TEXT.replace("~/server/api/root", "~/server/admin"),
    "src/server/admin.ts": ADMIN_ROOT,
    "src/server/api/routers/admin.ts": router("  hello: publicProcedure.query(() => 1),\n").replace(
        "chatRouter", "adminRouter"
    ),
}


def found(app_view: AppView, hint: str = "") -> tuple[RouteHandler, ...] | Blocked:
    return find_route_handlers(app_view, find_layout(app_view), AppHints(route_handler=hint), ROUTER)


def places(app_view: AppView, hint: str = "") -> list[tuple[str, int]]:
    handlers = found(app_view, hint)
    assert not isinstance(handlers, Blocked), handlers
    return [(handler.file.path, handler.line) for handler in handlers]


@pytest.mark.parametrize(
    "decoy",
    [
        'import { fetchRequestHandler } from "./mine";\nfetchRequestHandler({});\n',
        "// fetchRequestHandler({ router: appRouter })\n",
        "const fetchRequestHandler = () => 1;\nfetchRequestHandler();\n",
    ],
)
def test_what_only_looks_like_a_handler_is_none(decoy: str) -> None:
    outcome = found(view(others={ROUTE: decoy}))
    assert isinstance(outcome, Blocked)
    assert "was not found" in outcome.reason


def test_a_handler_in_a_test_is_none() -> None:
    assert places(view(others={"src/app/api/route.test.ts": ROUTE_TEXT})) == [(ROUTE, 5)]


def test_the_app_routers_handler() -> None:
    (handler,) = found(view())  # type: ignore[misc]
    assert isinstance(handler, RouteHandler)
    assert (handler.file.path, handler.line, handler.method_override) == (ROUTE, 5, None)
    assert handler.options is not None


def test_the_pages_routers_handler() -> None:
    assert places(view(others={ROUTE: None, PAGES: PAGES_TEXT})) == [(PAGES, 4)]


def test_both_where_both_serve_the_chat() -> None:
    assert places(view(others={PAGES: PAGES_TEXT})) == [(ROUTE, 5), (PAGES, 4)]


def test_of_two_the_one_that_serves_the_chat() -> None:
    assert places(view(others=ADMIN_FILES)) == [(ROUTE, 5)]


def test_where_that_cannot_be_told_it_is_asked_for() -> None:
    others = {
        ROUTE: ROUTE_TEXT.replace("~/server/api/root", "@acme/api"),
        ADMIN: ROUTE_TEXT.replace("~/server/api/root", "@acme/admin"),
    }
    outcome = found(view(others=others))
    assert isinstance(outcome, Blocked)
    assert (outcome.file, outcome.line) == (ADMIN, 5)
    assert "app.route_handler" in outcome.next_step
    assert places(view(others=others), ROUTE) == [(ROUTE, 5)]


def test_a_hint_that_fits_nothing_is_refused() -> None:
    outcome = found(view(), "src/app/page.tsx")
    assert isinstance(outcome, Blocked)
    assert outcome.file == "src/app/page.tsx"


@pytest.mark.parametrize(
    ("before", "options"),
    [
        ("const options = { router: appRouter };\n", "options"),
        ("const options = { router: appRouter } satisfies Options;\n", "options"),
    ],
)
def test_options_with_a_name_are_followed(before: str, options: str) -> None:
    text = PAGES_TEXT.replace("export default", f"{before}\nexport default").replace(
        "{ router: appRouter });", f"{options});"
    )
    (handler,) = found(view(others={ROUTE: None, PAGES: text}))  # type: ignore[misc]
    assert isinstance(handler, RouteHandler)
    assert handler.options is not None
    assert handler.options.line == 4


@pytest.mark.parametrize("options", ["makeOptions()", "unknown", "...all"])
def test_options_that_cannot_be_followed_are_none(options: str) -> None:
    text = PAGES_TEXT.replace("{ router: appRouter }", options)
    (handler,) = found(view(others={ROUTE: None, PAGES: text}))  # type: ignore[misc]
    assert isinstance(handler, RouteHandler)
    assert handler.options is None
