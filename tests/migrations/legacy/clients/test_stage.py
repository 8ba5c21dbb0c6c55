"""How tRPC clients leave the WebSocket: what is left alone, every arrangement of links, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrations.engine import AppView
from migrations.legacy.pieces import Found
from tests.migrations.engine.apps import FORMATS
from tests.migrations.legacy.clients.apps import (
    CLIENT,
    PAGE,
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

HTTP = 'httpBatchLink({ url: "/api/trpc", transformer: superjson })'
SOCKET = 'const wsClient = createWSClient({ url: "ws://localhost:3001" });\n\n'
SPLIT = f"""\
export const client = api.createClient({{
  links: [
    loggerLink(),
    splitLink({{
      condition: (op) => op.type === "subscription",
      true: wsLink({{ client: wsClient, transformer: superjson }}),
      false: {HTTP},
    }}),
  ],
}});
"""
WS_CLIENT = links("createWSClient, httpBatchLink, loggerLink, splitLink, wsLink", SOCKET + SPLIT)
HTTP_CLIENT = links(
    "httpBatchLink, loggerLink",
    f"export const client = api.createClient({{\n  links: [\n    loggerLink(),\n    {HTTP},\n  ],\n}});\n",
)

UNTOUCHED = {
    "no tRPC": {"package.json": "{}", "src/index.ts": "export const wsLink = () => 1;\n"},
    "HTTP alone": {"package.json": "{}", CLIENT: HTTP_CLIENT},
    "the relay": {
        "package.json": "{}",
        CLIENT: links(
            "httpBatchLink, splitLink",
            'import { relayLink } from "~/relay-kit/client/relay-link";\n\n'
            "export const client = api.createClient({\n  links: [\n    splitLink({\n"
            '      condition: (op) => op.type === "subscription",\n'
            '      true: relayLink({ url: "/api/trpc" }),\n      false: httpBatchLink({ url: "/api/trpc" }),\n    }),\n'
            "  ],\n});\n",
        ),
        PAGE: SUBSCRIBES,
    },
    "server-sent events": {
        "package.json": "{}",
        CLIENT: links(
            "httpBatchLink, httpSubscriptionLink, splitLink",
            "export const client = api.createClient({\n  links: [\n    splitLink({\n"
            '      condition: (op) => op.type === "subscription",\n'
            '      true: httpSubscriptionLink({ url: "/api/trpc" }),\n'
            '      false: httpBatchLink({ url: "/api/trpc" }),\n    }),\n  ],\n});\n',
        ),
        PAGE: SUBSCRIBES,
    },
    "a wsLink of another package": {
        "package.json": "{}",
        CLIENT: links("loggerLink", 'import { wsLink } from "@acme/links";\n\n'
            "export const client = api.createClient({ links: [loggerLink(), wsLink()] });\n"),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", UNTOUCHED)
@pytest.mark.parametrize("to_sse", [False, True])
def test_nothing_is_found_where_no_client_has_a_socket_of_trpc(name: str, to_sse: bool) -> None:
    assert cleaned(view_of(UNTOUCHED[name]), to_sse=to_sse) == Found()


def test_the_files_of_a_big_app_are_not_parsed_for_nothing() -> None:
    files = {f"src/lib/file-{number}.ts": f"export const n = {number};\n".encode() for number in range(2_000)}
    view = AppView.of_files({"package.json": b"{}", **files})
    assert cleaned(view) == Found()
    assert not [path for path in files if (file := view.file(path)) is not None and "tree" in file.__dict__]


# --- arrangements: (names, body, names after, body after); the names of @trpc/client that are imported

_ALL = "createWSClient, httpBatchLink, wsLink"
_FUNCTION_AFTER = f"""\
function getEndingLink() {{
  return {HTTP};
}}

export const client = api.createClient({{ links: [getEndingLink()] }});
"""
_USED = "export const client = api.createClient({ links: [getEndingLink()] });\n"
_PLAIN = f"export const client = api.createClient({{ links: [{HTTP}] }});\n"

ARRANGEMENTS = {
    "a splitLink, and the comment that tells of it": (
        "createWSClient, httpBatchLink, loggerLink, splitLink, wsLink",
        SOCKET + SPLIT.replace("    splitLink(", "    // subscriptions over WebSockets\n    splitLink("),
        "httpBatchLink, loggerLink",
        HTTP_CLIENT.partition("AppRouter>();\n\n")[2],
    ),
    "a comment that tells of something else": (
        "createWSClient, httpBatchLink, loggerLink, splitLink, wsLink",
        SOCKET + SPLIT.replace("    splitLink(", "    // keep this one last\n    splitLink("),
        "httpBatchLink, loggerLink",
        HTTP_CLIENT.partition("AppRouter>();\n\n")[2].replace("    httpB", "    // keep this one last\n    httpB"),
    ),
    "a comment that tells of the side that stays": (
        "createWSClient, httpBatchLink, loggerLink, splitLink, wsLink",
        SOCKET
        + SPLIT.replace(
            "      false:", "      // batches are small:\n      // the proxy cuts long paths\n      false:"
        ),
        "httpBatchLink, loggerLink",
        HTTP_CLIENT.partition("AppRouter>();\n\n")[2].replace(
            "    httpB", "    // batches are small:\n    // the proxy cuts long paths\n    httpB"
        ),
    ),
    "a comment that tells when the side that stays is taken": (
        "createWSClient, httpBatchLink, loggerLink, splitLink, wsLink",
        SOCKET + SPLIT.replace("      false:", "      // when the condition is false, batch\n      false:"),
        "httpBatchLink, loggerLink",
        HTTP_CLIENT.partition("AppRouter>();\n\n")[2],
    ),
    "a side that is a list": (
        "createWSClient, httpBatchLink, loggerLink, splitLink, wsLink",
        SOCKET
        + "export const client = api.createClient({\n  links: [\n    splitLink({\n"
        + '      condition(op) {\n        return op.type === "subscription";\n      },\n'
        + f"      true: wsLink({{ client: wsClient }}),\n      false: [loggerLink(), {HTTP}],\n    }}),\n  ],\n}});\n",
        "httpBatchLink, loggerLink",
        HTTP_CLIENT.partition("AppRouter>();\n\n")[2],
    ),
    "a side that is a list with comments": (
        "createWSClient, httpBatchLink, loggerLink, splitLink, wsLink",
        SOCKET
        + SPLIT.replace("    loggerLink(),\n", "").replace(
            f"false: {HTTP},",
            "false: [\n        // tells of errors\n        loggerLink(),\n"
            f"        // in batches\n        {HTTP},\n      ],",
        ),
        "httpBatchLink, loggerLink",
        HTTP_CLIENT.partition("AppRouter>();\n\n")[2]
        .replace("    loggerLink", "    // tells of errors\n    loggerLink")
        .replace("    httpB", "    // in batches\n    httpB"),
    ),
    "an HTTP side that splits further": (
        "createWSClient, httpBatchLink, splitLink, wsLink",
        SOCKET
        + "export const client = api.createClient({\n  links: [\n    splitLink({\n"
        + '      condition: (op) => op.type === "subscription",\n      true: wsLink({ client: wsClient }),\n'
        + '      false: splitLink({\n        condition: (op) => op.path === "big",\n'
        + f'        true: httpBatchLink({{ url: "/big" }}),\n        false: {HTTP},\n'
        + "      }),\n    }),\n  ],\n});\n",
        "httpBatchLink, splitLink",
        "export const client = api.createClient({\n  links: [\n    splitLink({\n"
        + '      condition: (op) => op.path === "big",\n      true: httpBatchLink({ url: "/big" }),\n'
        + f"      false: {HTTP},\n    }}),\n  ],\n}});\n",
    ),
    "everything over the socket, the HTTP link commented out": (
        _ALL,
        SOCKET
        + "export const client = api.createClient({\n  links: [\n"
        + "    wsLink({ client: wsClient, transformer: superjson }),\n"
        + f"    // {HTTP},\n  ],\n}});\n",
        "httpBatchLink",
        f"export const client = api.createClient({{\n  links: [\n    {HTTP},\n  ],\n}});\n",
    ),
    "everything over the socket, the address from the app's helper": (
        "createWSClient, wsLink",
        'function getBaseUrl() {\n  return typeof window === "undefined" ? "http://localhost:3000" : "";\n}\n\n'
        + SOCKET
        + "export const client = api.createClient({\n  links: [\n"
        + "    wsLink({ client: wsClient, transformer: superjson }),\n  ],\n});\n",
        "httpBatchLink",
        'function getBaseUrl() {\n  return typeof window === "undefined" ? "http://localhost:3000" : "";\n}\n\n'
        + "export const client = api.createClient({\n  links: [\n    httpBatchLink({\n      transformer: superjson,\n"
        + "      url: `${getBaseUrl()}/api/trpc`,\n    }),\n  ],\n});\n",
    ),
    "a function with a guard": (
        _ALL,
        f'function getEndingLink() {{\n  if (typeof window === "undefined") {{\n    return {HTTP};\n  }}\n'
        + '  const client = createWSClient({ url: "ws://localhost:3001" });\n  return wsLink({ client });\n}\n\n'
        + _USED,
        "httpBatchLink",
        _FUNCTION_AFTER,
    ),
    "a comment with the name of the socket in the branch that stays": (
        _ALL,
        'function getEndingLink() {\n  if (typeof window === "undefined") {\n    // for the client of pages\n'
        + f"    return {HTTP};\n  }}\n"
        + '  const client = createWSClient({ url: "ws://localhost:3001" });\n  return wsLink({ client });\n}\n\n'
        + _USED,
        "httpBatchLink",
        _FUNCTION_AFTER.replace("  return", "  // for the client of pages\n  return"),
    ),
    "a function with a guard and no braces": (
        _ALL,
        f'function getEndingLink() {{\n  if (typeof window === "undefined") return {HTTP};\n\n'
        + '  const client = createWSClient({ url: "ws://localhost:3001" });\n\n  return wsLink({ client });\n}\n\n'
        + _USED,
        "httpBatchLink",
        _FUNCTION_AFTER,
    ),
    "a function with a branch for the browser": (
        _ALL,
        'function getEndingLink() {\n  if (typeof window !== "undefined") {\n'
        + '    const client = createWSClient({ url: "ws://localhost:3001" });\n    return wsLink({ client });\n  }\n\n'
        + f"  return {HTTP};\n}}\n\n"
        + _USED,
        "httpBatchLink",
        _FUNCTION_AFTER,
    ),
    "a function with else": (
        _ALL,
        f'function getEndingLink() {{\n  if (typeof window === "undefined") {{\n    return {HTTP};\n  }} else {{\n'
        + '    return wsLink({ client: createWSClient({ url: "ws://localhost:3001" }) });\n  }\n}\n\n'
        + _USED,
        "httpBatchLink",
        _FUNCTION_AFTER,
    ),
    "a function that is one condition": (
        _ALL,
        'const getUrl = () => "ws://localhost:3001";\n\n'
        + f'const getEndingLink = () =>\n  typeof window === "undefined"\n    ? {HTTP}\n'
        + "    : wsLink({ client: createWSClient({ url: getUrl() }) });\n\n"
        + _USED,
        "httpBatchLink",
        f"const getEndingLink = () =>\n  {HTTP};\n\n" + _USED,
    ),
    "headers that need a request stay with the server": (
        _ALL,
        'function getEndingLink(ctx: Ctx) {\n  if (typeof window === "undefined") {\n    return httpBatchLink({\n'
        + '      url: "/api/trpc",\n      headers: () => ({ cookie: ctx.req.headers.cookie }),\n    });\n  }\n'
        + '  const client = createWSClient({ url: "ws://localhost:3001" });\n  return wsLink({ client });\n}\n\n'
        + _USED.replace("Link()]", "Link(ctx)]"),
        "httpBatchLink",
        'function getEndingLink(ctx: Ctx) {\n  if (typeof window === "undefined") {\n    return httpBatchLink({\n'
        + '      url: "/api/trpc",\n      headers: () => ({ cookie: ctx.req.headers.cookie }),\n    });\n  }\n'
        + '  return httpBatchLink({\n    url: "/api/trpc",\n  });\n}\n\n'
        + _USED.replace("Link()]", "Link(ctx)]"),
    ),
    "a socket made when it is asked for": (
        "createWSClient, httpBatchLink, loggerLink, splitLink, wsLink",
        "let socket: ReturnType<typeof createWSClient> | null = null;\n\n"
        + "function getSocket() {\n  if (!socket) {\n"
        + '    socket = createWSClient({ url: "ws://localhost:3001" });\n  }\n  return socket;\n}\n\n'
        + SPLIT.replace("wsClient", "getSocket()"),
        "httpBatchLink, loggerLink",
        HTTP_CLIENT.partition("AppRouter>();\n\n")[2],
    ),
    "a socket that the function of the links keeps": (
        _ALL,
        "let socket: ReturnType<typeof createWSClient> | undefined;\n\n"
        + f'function getEndingLink() {{\n  if (typeof window === "undefined") {{\n    return {HTTP};\n  }}\n'
        + '  socket ??= createWSClient({ url: "ws://localhost:3001" });\n  return wsLink({ client: socket });\n}\n\n'
        + _USED,
        "httpBatchLink",
        _FUNCTION_AFTER,
    ),
    "a socket that the function of the links keeps, with an address for the server alone": (
        _ALL,
        "let socket: ReturnType<typeof createWSClient> | undefined;\n\n"
        + 'function getEndingLink() {\n  if (typeof window === "undefined") {\n'
        + '    return httpBatchLink({ url: "http://localhost:3000/api/trpc" });\n  }\n'
        + '  if (!socket) socket = createWSClient({ url: "ws://x" });\n  return wsLink({ client: socket });\n}\n\n'
        + _USED,
        "httpBatchLink",
        'function getEndingLink() {\n  if (typeof window === "undefined") {\n'
        + '    return httpBatchLink({ url: "http://localhost:3000/api/trpc" });\n  }\n'
        + '  return httpBatchLink({\n    url: "/api/trpc",\n  });\n}\n\n'
        + _USED,
    ),
    "a socket made in the browser alone": (
        _ALL,
        'let ws;\nif (typeof window !== "undefined") {\n  ws = createWSClient({ url: "ws://localhost:3001" });\n}\n\n'
        + "export const client = api.createClient({\n  links: [\n    ws\n      ? wsLink({ client: ws })\n"
        + f"      : {HTTP},\n  ],\n}});\n",
        "httpBatchLink",
        f"export const client = api.createClient({{\n  links: [\n    {HTTP},\n  ],\n}});\n",
    ),
    "a socket that is a component's state": (
        "createWSClient, httpBatchLink, splitLink, wsLink",
        "export function Provider() {\n"
        + '  const [ws] = useState(() => createWSClient({ url: "ws://localhost:3001" }));\n'
        + "  const [client] = useState(() =>\n    api.createClient({\n      links: [\n        splitLink({\n"
        + '          condition: (op) => op.type === "subscription",\n          true: wsLink({ client: ws }),\n'
        + f"          false: {HTTP},\n        }}),\n      ],\n    }}),\n  );\n  return client;\n}}\n",
        "httpBatchLink",
        "export function Provider() {\n"
        + "  const [client] = useState(() =>\n    api.createClient({\n      links: [\n"
        + f"        {HTTP},\n      ],\n    }}),\n  );\n  return client;\n}}\n",
    ),
    "links that have names": (
        "createWSClient, httpBatchLink, splitLink, wsLink",
        SOCKET
        + f"const ws = wsLink({{ client: wsClient }});\nconst http = {HTTP};\n"
        + 'const links = [splitLink({ condition: (op) => op.type === "subscription", true: ws, false: http })];\n'
        + "export const client = api.createClient({ links });\n",
        "httpBatchLink",
        f"const http = {HTTP};\nconst links = [http];\nexport const client = api.createClient({{ links }});\n",
    ),
    "a name that is the socket's here and something else there": (
        _ALL,
        f'function getEndingLink() {{\n  if (typeof window === "undefined") return {HTTP};\n'
        + '  const client = createWSClient({ url: "ws://localhost:3001" });\n  return wsLink({ client });\n}\n\n'
        + "const client = api.createClient({ links: [getEndingLink()] });\nvoid client;\n",
        "httpBatchLink",
        _FUNCTION_AFTER.replace("export const client", "const client") + "void client;\n",
    ),
}


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_every_arrangement_becomes_its_http_link_alone(name: str) -> None:
    names, body, names_after, body_after = ARRANGEMENTS[name]
    assert changed(view_of(app_files(links(names, body)))) == {CLIENT: links(names_after, body_after)}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_the_format_of_the_file_is_kept(name: str, form: str) -> None:
    names, body, names_after, body_after = ARRANGEMENTS[name]
    write = FORMATS[form].write
    files = {path: text.encode() for path, text in app_files().items()}
    found = cleaned(AppView.of_files({**files, CLIENT: write(links(names, body))}))
    assert [(change.path, change.after) for change in found.changes] == [
        (CLIENT, write(links(names_after, body_after)))
    ]


@pytest.mark.parametrize("to_sse", [False, True])
@pytest.mark.parametrize(
    "address",
    [
        "`${APP_URL}/api/trpc`",
        '"http://localhost:3000/api/trpc"',
        "process.env.INTERNAL + '/api/trpc'",
        "`${getBaseUrl}/api/trpc`",
    ],
)
def test_an_address_that_only_the_server_asked_is_not_given_to_browsers(address: str, to_sse: bool) -> None:
    """The guard keeps its link; browsers ask the app's own handler by its path."""
    guard = (
        "const { APP_URL } = getConfig().publicRuntimeConfig;\n\nfunction getEndingLink() {\n"
        f'  if (typeof window === "undefined") {{\n    return httpBatchLink({{ url: {address} }});\n  }}\n'
    )
    client = links(_ALL, guard + '  return wsLink({ client: createWSClient({ url: "ws://x" }) });\n}\n\n' + _USED)
    after = changed(view_of(app_files(client, {PAGE: SUBSCRIBES} if to_sse else {})), to_sse=to_sse)[CLIENT] or ""
    assert guard in after
    assert after.count('url: "/api/trpc"') == (2 if to_sse else 1)


def test_a_socket_that_only_writes_logs_goes() -> None:
    client = WS_CLIENT.replace('3001" }', '3001", onOpen: () => console.log("open") }')
    assert changed(view_of(app_files(client))) == {CLIENT: HTTP_CLIENT}


def test_only_what_the_socket_alone_used_goes() -> None:
    """What was unused before, and what others use, stays."""
    client = WS_CLIENT.replace(
        "const wsClient", 'const unused = 1;\nconst host = "localhost";\nconst wsClient'
    ).replace('"ws://localhost:3001"', "`ws://${host}:${port}`")
    client = client.replace(
        "const host", "const port = 3001;\nexport const title = (n: string) => n + host;\nconst host"
    )
    after = changed(view_of(app_files(client)))[CLIENT]
    assert after is not None
    assert "const unused = 1;" in after
    assert 'const host = "localhost";' in after
    assert "const port" not in after


def test_a_file_that_held_the_socket_alone_goes() -> None:
    socket = (
        'import { createWSClient } from "@trpc/client";\n\nexport const wsClient = createWSClient({ url: "ws://x" });\n'
    )
    client = WS_CLIENT.replace("  createWSClient,\n", "").replace(SOCKET, "")
    client = client.replace("import superjson", 'import { wsClient } from "./socket";\nimport superjson')
    assert changed(view_of(app_files(client, {"src/trpc/socket.ts": socket}))) == {
        CLIENT: HTTP_CLIENT,
        "src/trpc/socket.ts": None,
    }


def test_a_file_that_passes_on_more_than_the_socket_is_left_alone() -> None:
    files = {**_SHARED, _INDEX: 'export * from "./client";\nexport * from "./socket";\n'}
    after = changed(view_of(app_files(files=files)))
    assert after.keys() == {CLIENT, "src/trpc/socket.ts"}
    assert (after["src/trpc/socket.ts"] or "").strip() == "export const EVERY = 3;"


def test_files_that_only_the_socket_used_go() -> None:
    address = (
        'import { port } from "./port";\n\nexport function address() {\n  const at = port;\n  return `ws://${at}`;\n}\n'
    )
    client = WS_CLIENT.replace("import superjson", 'import { address } from "~/lib/address";\nimport superjson')
    files = {"src/lib/address.ts": address, "src/lib/port.ts": "export const port = 3001;\n"}
    view = view_of(app_files(client.replace('"ws://localhost:3001"', "address()"), files))
    assert changed(view) == {CLIENT: HTTP_CLIENT, "src/lib/address.ts": None, "src/lib/port.ts": None}
    used = view.with_changes({"src/lib/other.ts": b'export { address } from "./address";\n'})
    assert changed(used) == {CLIENT: HTTP_CLIENT}


def test_a_file_that_holds_more_than_the_socket_stays() -> None:
    socket = (
        'import { createWSClient } from "@trpc/client";\n\nexport const wsClient = createWSClient({ url: "ws://x" });\n'
        "export const retries = 3;\n"
    )
    client = WS_CLIENT.replace("  createWSClient,\n", "").replace(SOCKET, "")
    client = client.replace("import superjson", 'import { wsClient } from "./socket";\nimport superjson')
    after = changed(view_of(app_files(client, {"src/trpc/socket.ts": socket})))
    assert after["src/trpc/socket.ts"] == "export const retries = 3;\n"


_COMMENTED = (
    "// const wsClient = createWSClient({ url: process.env.WS });\n\nexport const client = api.createClient({\n"
    f"  links: [\n    // wsLink({{ client: wsClient }}),\n    {HTTP},\n  ],\n}});\n"
)


def test_imports_whose_use_is_commented_out_go() -> None:
    files = app_files(links("createWSClient, httpBatchLink, wsLink", _COMMENTED))
    assert changed(view_of(files)) == {CLIENT: links("httpBatchLink", _COMMENTED)}
    page = 'import Link from "next/link";\n\nexport default Link;\n'
    other = 'import { wsLink, createWSClient } from "@trpc/client";\n' + page
    assert changed(view_of({**files, CLIENT: HTTP_CLIENT, PAGE: other})) == {PAGE: page}


@pytest.mark.parametrize(
    "code",
    [
        'export { wsLink } from "@trpc/client";\n',
        'import { wsLink } from "@trpc/client";\n\nexport { wsLink };\n',
        'import { wsLink } from "./links";\n',
        'import { wsLink as link } from "@trpc/client";\n\nexport const all = { link };\n',
        'import type { wsLink } from "@trpc/client";\n\nexport type Options = Parameters<typeof wsLink>[0];\n',
    ],
)
def test_imports_that_something_uses_stay(code: str) -> None:
    assert changed(view_of(app_files(HTTP_CLIENT, {"src/lib/links.ts": code}))) == {}


def test_imports_stay_where_there_is_no_server() -> None:
    files = app_files(links("createWSClient, httpBatchLink, wsLink", _COMMENTED))
    del files[SERVER]
    assert changed(view_of(files)) == {}


def test_a_commented_out_client_is_left_to_a_person() -> None:
    client = HTTP_CLIENT.replace("export const client", f"// {SOCKET.strip()}\nexport const client")
    found = cleaned(view_of(app_files(client)))
    assert found.changes == ()
    assert [(p.file, p.line) for p in found.pieces if p.action == "by-hand"] == [(CLIENT, line_of(client, "// const"))]


def test_a_subscription_that_nobody_uses_is_told_and_stays() -> None:
    found = cleaned(view_of(app_files(WS_CLIENT)))
    assert found.needs == ()
    assert [(p.file, p.action) for p in found.pieces] == [(ROUTER, "keep"), (CLIENT, "rewrite")]


# --- needs

# The socket in a file of its own, with something else in it or alone.
_SOCKET_FILE = (
    'import { createWSClient } from "@trpc/client";\n\nexport const wsClient = createWSClient({ url: "ws://x" });\n'
)
_OTHER_CLIENT = (
    WS_CLIENT.replace("  createWSClient,\n", "")
    .replace(SOCKET, "")
    .replace("import superjson", 'import { wsClient } from "./socket";\nimport superjson')
)
_ALONE = {CLIENT: _OTHER_CLIENT, "src/trpc/socket.ts": _SOCKET_FILE}
_SHARED = {CLIENT: _OTHER_CLIENT, "src/trpc/socket.ts": _SOCKET_FILE + "export const EVERY = 3;\n"}
_INDEX = "src/trpc/index.ts"

_NEEDED: dict[str, tuple[dict[str, str], str, str]] = {
    "a file that passes on one of which nothing would be left": (
        {**_ALONE, _INDEX: 'export * from "./client";\nexport * from "./socket";\n'},
        _INDEX,
        "./socket",
    ),
    "a file that is loaded when it is wanted": (
        {**_SHARED, PAGE: 'export const load = async () => (await import("~/trpc/socket")).wsClient;\n'},
        PAGE,
        "~/trpc/socket",
    ),
    "a file that is loaded by require": (
        {**_SHARED, PAGE: 'const { wsClient } = require("~/trpc/socket");\nwsClient.close();\n'},
        PAGE,
        "~/trpc/socket",
    ),
    "a socket that comes by way of another file": (
        {**_SHARED, _INDEX: 'export * from "./socket";\n',
            PAGE: 'import { wsClient } from "~/trpc";\n\nexport const stop = () => wsClient.close();\n'},
        PAGE,
        "import { wsClient }",
    ),
    "a socket that comes under a name of another file": (
        {**_SHARED, _INDEX: 'export * as sockets from "./socket";\n',
            PAGE: 'import { sockets } from "~/trpc";\n\nexport const stop = () => sockets.wsClient.close();\n'},
        PAGE,
        "sockets.wsClient",
    ),
    "a hook": ({CLIENT: WS_CLIENT, PAGE: SUBSCRIBES}, PAGE, "useSubscription"),
    "a procedure that is handed to a hook of the app's own": (
        {CLIENT: WS_CLIENT, PAGE: SUBSCRIBES.replace("api.chat.onMessage.useSubscription(", "on(api.chat.onMessage, ")},
        PAGE,
        "api.chat.onMessage,",
    ),
    "a hook over several lines": (
        {CLIENT: WS_CLIENT, PAGE: SUBSCRIBES.replace(".onMessage.use", "\n    .onMessage\n    .use")},
        PAGE,
        "useSubscription",
    ),
    "a hook that is taken out first": (
        {
            CLIENT: WS_CLIENT,
            PAGE: SUBSCRIBES.replace(
                "  api.chat.onMessage.use", "  const { useSubscription } = api.chat.onMessage;\n  use"
            ),
        },
        PAGE,
        "const { useSubscription }",
    ),
    "the plain client": (
        {CLIENT: WS_CLIENT, "src/lib/listen.ts": 'import { client } from "~/trpc/client";\n\n'
            "client.chat.onMessage.subscribe(undefined, {});\n"},
        "src/lib/listen.ts",
        ".subscribe(",
    ),
    "the client of the hooks' utilities": (
        {CLIENT: WS_CLIENT, PAGE: "export const f = (utils: any) => utils.client.chat.onMessage.subscribe();\n"},
        PAGE,
        ".subscribe(",
    ),
    "a procedure of the plain client that is taken out first": (
        {CLIENT: WS_CLIENT, PAGE: "export function f(utils: any) {\n  const { onMessage: on } = utils.client.chat;\n"
            "  return on.subscribe(undefined, {});\n}\n"},
        PAGE,
        "on.subscribe(",
    ),
    "a procedure of the plain client under a name of its own": (
        {CLIENT: WS_CLIENT, "src/lib/listen.ts": 'import { client } from "~/trpc/client";\n\n'
            "const messages = client.chat.onMessage;\nmessages.subscribe(undefined, {});\n"},
        "src/lib/listen.ts",
        "messages.subscribe(",
    ),
    "the client without types": (
        {CLIENT: WS_CLIENT, "src/lib/listen.ts": 'import { getUntypedClient } from "@trpc/client";\n'
            'import { client } from "~/trpc/client";\n\n'
            'getUntypedClient(client).subscription("chat.onMessage", undefined, {});\n'},
        "src/lib/listen.ts",
        ".subscription(",
    ),
    "a condition that is not about subscriptions": (
        {CLIENT: WS_CLIENT.replace('op.type === "subscription"', "op.context.live === true")},
        CLIENT,
        "op.context.live",
    ),
    "links that are spread": (
        {CLIENT: links(_ALL, "export const client = api.createClient({\n  links: [\n"
            '    ...(live ? [wsLink({ client: createWSClient({ url: "ws://x" }) })] : []),\n'
            f"    {HTTP},\n  ],\n}});\n")},
        CLIENT,
        "...(live",
    ),
    "a socket that a component keeps": (
        {
            CLIENT: WS_CLIENT.replace(SOCKET, "").replace(
                "export const client = ",
                "export function Provider() {\n  const ws = useRef();\n"
                '  ws.current ??= createWSClient({ url: "ws://x" });\n  return ',
            ).replace("client: wsClient", "client: ws.current") + "}\n",
            PAGE: 'import { Provider } from "~/trpc/client";\n\nexport default Provider;\n',
        },
        CLIENT,
        "ws.current ??=",
    ),
    "a socket whose making is tried": (
        {CLIENT: WS_CLIENT.replace(SOCKET, "let wsClient: any;\ntry {\n"
            '  wsClient = createWSClient({ url: "ws://x" });\n} catch (error) {\n  report(error);\n}\n\n')},
        CLIENT,
        "wsClient = createWSClient(",
    ),
    "a socket that is closed by hand": (
        {CLIENT: WS_CLIENT.replace(SOCKET, SOCKET + "export const stop = () => wsClient.close();\n\n")},
        CLIENT,
        "wsClient.close()",
    ),
    "no HTTP link anywhere": (
        {CLIENT: links("createWSClient, wsLink", "export const client = api.createClient({\n  links: [\n"
            '    wsLink({ client: createWSClient({ url: "ws://x" }) }),\n  ],\n});\n')},
        CLIENT,
        "wsLink({",
    ),
    "an address that only the server knows": (
        {CLIENT: links(_ALL, 'function getEndingLink() {\n  if (typeof window === "undefined") {\n'
            '    return httpBatchLink({ url: "http://localhost:3000/rpc" });\n  }\n'
            '  return wsLink({ client: createWSClient({ url: "ws://x" }) });\n}\n\n' + _USED)},
        CLIENT,
        "/rpc",
    ),
    "an HTTP link in a comment that needs what is not there any more": (
        {CLIENT: links("createWSClient, wsLink", SOCKET + "export const client = api.createClient({\n  links: [\n"
            "    // httpBatchLink({ url: `${getBaseUrl()}/api/trpc` }),\n"
            "    wsLink({ client: wsClient }),\n  ],\n});\n")},
        CLIENT,
        "wsLink({",
    ),
    "what the socket is opened with": (
        {CLIENT: links(_ALL, 'function getEndingLink() {\n  if (typeof window === "undefined") {\n'
            f"    return {HTTP};\n  }}\n  const client = createWSClient({{\n"
            '    url: "ws://x",\n    connectionParams: { token: "t" },\n  });\n'
            "  return wsLink({ client });\n}\n\n" + _USED)},
        CLIENT,
        "connectionParams",
    ),
    "a page that shows the connection": (
        {CLIENT: WS_CLIENT.replace('3001" }', '3001", onOpen: () => console.log("open"),\n  onClose: hide }')},
        CLIENT,
        "onClose: hide",
    ),
    "a test that connects": (
        {CLIENT: HTTP_CLIENT, "tests/socket.test.ts": 'import { createWSClient } from "@trpc/client";\n\n'
            'export const socket = createWSClient({ url: "ws://localhost:3001" });\n'},
        "tests/socket.test.ts",
        "= createWSClient(",
    ),
    "a script that makes a socket and nothing else": (
        {CLIENT: HTTP_CLIENT, "scripts/ping.ts": 'import { createWSClient } from "@trpc/client";\n\n'
            'createWSClient({ url: "ws://localhost:3001" });\n'},
        "scripts/ping.ts",
        'createWSClient({ url',
    ),
    "a WebSocket of another library": (
        {CLIENT: WS_CLIENT, "src/lib/pulse.ts": 'import RWS from "x";\n\nexport const p = new WebSocket("ws://127.0.0.1:3001");\n'},
        "src/lib/pulse.ts",
        "new WebSocket",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", _NEEDED)
def test_who_still_needs_the_server_is_told_with_the_line(name: str) -> None:
    files, path, mark = _NEEDED[name]
    assert needs(view_of(app_files(files=files))) == {(path, line_of(files[path], mark))}


def test_what_to_do_about_a_subscription_depends_on_the_version() -> None:
    files = app_files(WS_CLIENT, {PAGE: SUBSCRIBES})
    assert "--to-sse" in cleaned(view_of(files)).needs[0].why
    old = {**files, "package.json": files["package.json"].replace('"^11.0.0"', '"^10.45.2"')}
    assert cleaned(view_of(old)).needs[0].why.startswith("tRPC 10 has no server-sent events")


def test_a_subscription_through_another_client_needs_nothing() -> None:
    """The React client goes over server-sent events, a client that nobody subscribes through over the socket."""
    react = UNTOUCHED["server-sent events"][CLIENT]
    other = (
        'import { createTRPCClient, createWSClient, httpBatchLink, splitLink, wsLink } from "@trpc/client";\n\n'
        "export const plain = createTRPCClient({\n  links: [\n    splitLink({\n"
        '      condition: (op) => op.type === "subscription",\n'
        '      true: wsLink({ client: createWSClient({ url: "ws://x" }) }),\n'
        '      false: httpBatchLink({ url: "/api/trpc" }),\n    }),\n  ],\n});\n'
    )
    after = changed(view_of(app_files(react, {"src/lib/plain.ts": other, PAGE: SUBSCRIBES})))
    assert after == {
        "src/lib/plain.ts": 'import { createTRPCClient, httpBatchLink } from "@trpc/client";\n\n'
        'export const plain = createTRPCClient({\n  links: [\n    httpBatchLink({ url: "/api/trpc" }),\n  ],\n});\n'
    }


def test_a_subscription_that_no_link_carries_is_told_and_needs_nothing() -> None:
    """It fails with the server as it does without."""
    plain = (
        'import { createTRPCClient, createWSClient, wsLink } from "@trpc/client";\n\n'
        "export const plain = createTRPCClient({\n"
        '  links: [wsLink({ client: createWSClient({ url: "ws://x" }) })],\n});\n'
    )
    found = cleaned(view_of(app_files(HTTP_CLIENT, {"src/lib/plain.ts": plain, PAGE: SUBSCRIBES})))
    told = [(p.line, p.what) for p in found.pieces if (p.file, p.action) == (PAGE, "by-hand")]
    assert told == [(line_of(SUBSCRIBES, "useSubscription"), "the subscription chat.onMessage")]
    assert PAGE not in {need.file for need in found.needs}


def test_another_package_of_the_workspace_may_be_a_client() -> None:
    around = {
        "../../package.json": '{"workspaces": ["apps/*"]}',
        "../../apps/phone/package.json": "{}",
        "../../apps/phone/src/trpc.ts": WS_CLIENT,
    }
    view = AppView.of_files({path: text.encode() for path, text in {**app_files(WS_CLIENT), **around}.items()},
                            root=Path("/home/ida/shop/apps/web"))  # fmt: skip
    assert needs(view) == {("../../apps/phone/src/trpc.ts", line_of(WS_CLIENT, "= createWSClient("))}


def test_another_package_with_a_server_of_its_own_is_left_alone() -> None:
    around = {
        "../../package.json": '{"workspaces": ["apps/*"]}',
        "../../apps/phone/package.json": "{}",
        "../../apps/phone/src/trpc.ts": WS_CLIENT,
        "../../apps/phone/src/server.ts": app_files()[SERVER],
    }
    view = AppView.of_files({path: text.encode() for path, text in {**app_files(WS_CLIENT), **around}.items()},
                            root=Path("/home/ida/shop/apps/web"))  # fmt: skip
    assert needs(view) == set()
