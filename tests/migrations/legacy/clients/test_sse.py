"""`--to-sse`: subscriptions move to server-sent events, or what is in the way is told with its line."""

from __future__ import annotations

import pytest

from tests.migrations.legacy.clients.apps import (
    CLIENT,
    PAGE,
    ROUTE,
    ROUTER,
    SERVER,
    SUBSCRIBES,
    app_files,
    changed,
    cleaned,
    line_of,
    links,
    needs,
    view_of,
)
from tests.migrations.legacy.clients.test_stage import HTTP, SOCKET, SPLIT, WS_CLIENT

LIVE = app_files(WS_CLIENT, {PAGE: SUBSCRIBES})


def _sse(indent: str, more: str = "") -> str:
    """The link for server-sent events, as it is written at this indentation."""
    inner = "".join(
        f"{indent}  {line},\n" for line in ('url: "/api/trpc"', "transformer: superjson", *filter(None, [more]))
    )
    return f"httpSubscriptionLink({{\n{inner}{indent}}})"


MOVED = links(
    "httpBatchLink, httpSubscriptionLink, loggerLink, splitLink",
    SPLIT.replace("wsLink({ client: wsClient, transformer: superjson })", _sse("      ")),
)


def test_an_app_that_sends_subscriptions_as_server_sent_events_already_is_left_alone() -> None:
    files = app_files(MOVED, {PAGE: SUBSCRIBES})
    found = cleaned(view_of(files), to_sse=True)
    assert (found.needs, found.changes) == ((), ())


def test_without_a_subscriber_the_socket_goes_as_it_does_without_the_option() -> None:
    view = view_of(app_files(WS_CLIENT))
    assert changed(view, to_sse=True) == changed(view)


def test_a_splitlink_sends_subscriptions_to_the_http_address() -> None:
    assert changed(view_of(LIVE), to_sse=True) == {CLIENT: MOVED}


def test_an_observable_comes_over_server_sent_events_too() -> None:
    """tRPC 11 serves both (`resolveResponse` of @trpc/server 11.0.0)."""
    router = LIVE[ROUTER].replace(
        'async function* () {\n    yield "hello";\n  }', "() => observable<string>((emit) => emit.next('hello'))"
    )
    assert router != LIVE[ROUTER]
    assert changed(view_of({**LIVE, ROUTER: router}), to_sse=True) == {CLIENT: MOVED}


def test_a_function_with_a_guard_gets_a_splitlink_for_the_browser() -> None:
    body = f"""\
function getEndingLink() {{
  if (typeof window === "undefined") {{
    return {HTTP};
  }}
  const client = createWSClient({{ url: "ws://localhost:3001" }});
  return wsLink({{ client, transformer: superjson }});
}}

export const client = api.createClient({{ links: [getEndingLink()] }});
"""
    split = f"""\
  return splitLink({{
    condition: (op) => op.type === "subscription",
    true: {_sse("    ")},
    false: httpBatchLink({{
      url: "/api/trpc",
      transformer: superjson,
    }}),
  }});
"""
    socket = body[body.index("  const client = createWSClient") : body.index("}\n\nexport const client")]
    files = app_files(links("createWSClient, httpBatchLink, wsLink", body), {PAGE: SUBSCRIBES})
    assert changed(view_of(files), to_sse=True) == {
        CLIENT: links("httpBatchLink, httpSubscriptionLink, splitLink", body.replace(socket, split))
    }


def test_the_inverted_splitlink_keeps_its_events_and_gets_its_http_link() -> None:
    body = f"""\
export const client = api.createClient({{
  links: [
    splitLink({{
      condition: (op) => op.type === "subscription",
      true: httpSubscriptionLink({{ url: "/api/trpc", transformer: superjson }}),
      false: wsLink({{ client: wsClient, transformer: superjson }}),
      // false: {HTTP},
    }}),
  ],
}});
"""
    after = body.replace("wsLink({ client: wsClient, transformer: superjson })", HTTP).replace(
        f"      // false: {HTTP},\n", ""
    )
    names = "createWSClient, httpSubscriptionLink, splitLink, wsLink"
    files = app_files(links(names, SOCKET + body), {PAGE: SUBSCRIBES})
    assert changed(view_of(files), to_sse=True) == {
        CLIENT: links("httpBatchLink, httpSubscriptionLink, splitLink", after)
    }


def test_what_the_socket_was_opened_with_comes_along_where_the_http_handler_reads_it() -> None:
    context = "export const createContext = ({ info }) => ({ token: info.connectionParams?.token });\n"
    route = (
        LIVE[ROUTE]
        .replace("() => createTRPCContext({ headers: req.headers })", "createContext")
        .replace("import { createTRPCContext }", "import { createContext }")
    )
    server = LIVE[SERVER].replace("import { createTRPCContext }", "import { createContext }")
    start = server.index("  createContext: (")
    server = server[:start] + "  createContext,\n" + server[server.index("});\n", start) :]
    params = 'connectionParams: { token: "t" }'
    client = WS_CLIENT.replace('{ url: "ws://localhost:3001" }', f'{{ url: "ws://localhost:3001", {params} }}')
    files = {**LIVE, ROUTE: route, SERVER: server, "src/server/api/trpc.ts": LIVE["src/server/api/trpc.ts"] + context}
    assert changed(view_of({**files, CLIENT: client}), to_sse=True) == {
        CLIENT: MOVED.replace(_sse("      "), _sse("      ", params))
    }


def test_cookies_for_another_host_come_along() -> None:
    fetch = "fetch: (url, options) => fetch(url, { ...options, credentials: 'include' })"
    client = WS_CLIENT.replace(HTTP, HTTP.replace(" }", f", {fetch} }}"))
    after = changed(view_of({**LIVE, CLIENT: client}), to_sse=True)[CLIENT]
    assert after is not None
    assert _sse("      ", "eventSourceOptions: { withCredentials: true }") in after


def test_events_of_the_own_process_are_left_to_a_person() -> None:
    router = LIVE[ROUTER].replace(
        '    yield "hello";\n', "    for await (const [text] of on(events, 'add')) yield text;\n"
    )
    found = cleaned(view_of({**LIVE, ROUTER: router}), to_sse=True)
    assert found.needs == ()
    assert [(p.file, p.line) for p in found.pieces if p.action == "by-hand"] == [
        (ROUTER, line_of(router, "onMessage:"))
    ]


_OPTIONS_OF_SERVER = (
    "  createContext: ({ req }) =>\n    createTRPCContext({ headers: new Headers(req.headers as HeadersInit) }),\n"
)

_IN_THE_WAY: dict[str, tuple[dict[str, str], str, str]] = {
    "tRPC 10": (
        {"package.json": LIVE["package.json"].replace('"^11.0.0"', '"^10.45.2"')},
        PAGE,
        "useSubscription",
    ),
    "a release candidate": (
        {"package.json": LIVE["package.json"].replace('"^11.0.0"', '"11.0.0-rc.446"')},
        PAGE,
        "useSubscription",
    ),
    "a version that is not said": (
        {"package.json": LIVE["package.json"].replace('"^11.0.0"', '"catalog:"')},
        PAGE,
        "useSubscription",
    ),
    "a handler that answers POST alone": (
        {ROUTE: LIVE[ROUTE].replace("handler as GET, ", "")},
        PAGE,
        "useSubscription",
    ),
    "server-sent events that are turned off": (
        {"src/server/api/trpc.ts": LIVE["src/server/api/trpc.ts"].replace(
            "transformer: superjson,", "transformer: superjson,\n  sse: { enabled: false },")},
        PAGE,
        "useSubscription",
    ),
    "headers that tell who asks": (
        {CLIENT: WS_CLIENT.replace(HTTP, HTTP.replace(" }", ", headers: () => ({ authorization: token() }) }"))},
        CLIENT,
        "authorization",
    ),
    "an address with a token": (
        {CLIENT: WS_CLIENT.replace('"ws://localhost:3001"', "`ws://localhost:3001?token=${token()}`")},
        CLIENT,
        "?token=",
    ),
    "a context of the address": (
        {SERVER: LIVE[SERVER].replace(
            _OPTIONS_OF_SERVER, "  createContext: ({ req }) => ({\n    room: req.url,\n  }),\n")},
        SERVER,
        "req.url",
    ),
    "a context of the socket": (
        {SERVER: LIVE[SERVER].replace(
            _OPTIONS_OF_SERVER, "  createContext: (opts) => ({\n    socket: opts.res,\n  }),\n")},
        SERVER,
        "opts.res",
    ),
    "a procedure that uses the socket": (
        {ROUTER: LIVE[ROUTER].replace("function* () {\n", "function* ({ ctx }) {\n    ctx.ws.send('x');\n")},
        ROUTER,
        "ctx.ws.send",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", _IN_THE_WAY)
def test_what_is_in_the_way_is_told_with_the_line(name: str) -> None:
    files, path, mark = _IN_THE_WAY[name]
    whole = {**LIVE, **files}
    assert needs(view_of(whole), to_sse=True) == {(path, line_of(whole[path], mark))}
