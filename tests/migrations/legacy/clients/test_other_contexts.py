"""Queries and mutations that leave the socket for HTTP: whether they get the same context there."""

from __future__ import annotations

import pytest

from tests.migrations.legacy.apps import swap
from tests.migrations.legacy.clients.apps import (
    CLIENT,
    ROUTE,
    SERVER,
    app_files,
    changed,
    line_of,
    links,
    needs,
    view_of,
)

EVERYTHING = links(
    "createWSClient, httpBatchLink, wsLink",
    'function getEndingLink() {\n  if (typeof window === "undefined") {\n'
    '    return httpBatchLink({ url: "/api/trpc" });\n  }\n'
    '  return wsLink({ client: createWSClient({ url: "ws://localhost:3001" }) });\n}\n\n'
    "export const client = api.createClient({ links: [getEndingLink()] });\n",
)
SUBSCRIPTIONS = links(
    "createWSClient, httpBatchLink, splitLink, wsLink",
    "export const client = api.createClient({\n  links: [\n    splitLink({\n"
    '      condition: (op) => op.type === "subscription",\n'
    '      true: wsLink({ client: createWSClient({ url: "ws://localhost:3001" }) }),\n'
    '      false: httpBatchLink({ url: "/api/trpc" }),\n    }),\n  ],\n});\n',
)
FILES = app_files(EVERYTHING)
_HTTP = "() => createTRPCContext({ headers: req.headers })"
_NOBODY = {ROUTE: swap(FILES[ROUTE], (_HTTP, "() => ({ session: null })"))}
_OWN = {
    SERVER: swap(FILES[SERVER], ("createTRPCContext({ headers", "makeSession({ headers"))
    .replace("{ createTRPCContext }", "{ makeSession }")
    .replace("~/server/api/trpc", "~/server/session"),
    "src/server/session.ts": "export const makeSession = (from: { headers: Headers }) => from;\n",
}

SAME = {
    "both call the same function": FILES,
    "subscriptions alone went over the socket": {**FILES, CLIENT: SUBSCRIPTIONS, **_NOBODY},
    "a context that is made of nothing": {
        **FILES,
        **_NOBODY,
        SERVER: swap(FILES[SERVER], ("({ req }) =>\n    createTRPCContext(", "() => JSON.stringify(")).replace(
            "new Headers(req.headers as HeadersInit)", "1"
        ),
    },
}


@pytest.mark.parametrize("name", SAME)
def test_the_socket_goes_where_nothing_is_lost(name: str) -> None:
    assert "wsLink" not in (changed(view_of(SAME[name]))[CLIENT] or "")


@pytest.mark.parametrize("files", [_NOBODY, _OWN], ids=["HTTP knows nobody", "the socket has a function of its own"])
def test_a_context_that_http_does_not_make_is_a_need(files: dict[str, str]) -> None:
    app = {**FILES, **files}
    assert needs(view_of(app)) == {(SERVER, line_of(app[SERVER], "createContext: ("))}
