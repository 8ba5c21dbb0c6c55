"""The types of WebSocket connections in a server's context, once the server has gone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from migrations.discovery.layout import find_layout
from migrations.engine import AppView
from migrations.legacy.contexts.stage import clean_contexts
from migrations.legacy.pieces import LegacyApp
from migrations.legacy.servers.stage import find_servers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migrations.legacy.pieces import Found

PATH = "src/server/context.ts"
SERVER_PATH = "src/server/live.ts"
SERVER = """\
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import { WebSocketServer } from "ws";
import { createContext } from "./context";

applyWSSHandler({ wss: new WebSocketServer({ port: 3001 }), router, createContext });
"""
NEXT_TYPE = 'import type { CreateNextContextOptions } from "@trpc/server/adapters/next";\n'
WSS_TYPE = 'import type { CreateWSSContextFnOptions } from "@trpc/server/adapters/ws";\n'
NODE_TYPES = """\
import type { NodeHTTPCreateContextFnOptions } from "@trpc/server/adapters/node-http";
import type { IncomingMessage } from "http";
import type ws from "ws";
"""


def app_of(files: Mapping[str, str], *, gone: tuple[str, ...] = (SERVER_PATH,), to_sse: bool = False) -> LegacyApp:
    """An app whose server has just gone."""
    before = AppView.of_files({path: text.encode() for path, text in {SERVER_PATH: SERVER, **files}.items()})
    layout = find_layout(before)
    app = LegacyApp(before, before, layout, find_servers(before, layout), to_sse=to_sse)
    return replace(app, view=before.with_changes(dict.fromkeys(gone)))


def cleaned(text: str, others: Mapping[str, str] | None = None) -> Found:
    return clean_contexts(app_of({PATH: text, **(others or {})}))


def text_after(found: Found) -> str | None:
    assert {change.path for change in found.changes} <= {PATH}
    return next(((change.after or b"").decode() for change in found.changes), None)


# --- what stays

SAME = {
    "no context of tRPC": 'import type { WebSocket } from "ws";\nexport type T = { socket: WebSocket } | null;\n',
    "HTTP alone": f"{NEXT_TYPE}export const createContext = (opts: CreateNextContextOptions) => ({{ opts }});\n",
    "Node's HTTP server": (
        'import type { NodeHTTPCreateContextFnOptions } from "@trpc/server/adapters/node-http";\n'
        'import type { IncomingMessage, ServerResponse } from "http";\n'
        "export const createContext = (opts: "
        "NodeHTTPCreateContextFnOptions<IncomingMessage, ServerResponse>) => opts;\n"
    ),
    "a type of one's own with that name": (
        'import type { CreateWSSContextFnOptions } from "./types";\n'
        "export const createContext = (opts: CreateWSSContextFnOptions | null) => opts;\n"
    ),
    "only in a comment": f"{NEXT_TYPE}// opts: CreateNextContextOptions | CreateWSSContextFnOptions\nexport {{}};\n",
}


@pytest.mark.parametrize("name", SAME)
def test_what_has_nothing_to_do_with_the_server_stays(name: str) -> None:
    found = cleaned(SAME[name])
    assert (found.changes, found.pieces, found.needs) == ((), (), ())


UNION = (
    f"{NEXT_TYPE}{WSS_TYPE}export const createContext = (opts: "
    f"CreateNextContextOptions | CreateWSSContextFnOptions) => opts;\n"
)


def test_the_types_stay_as_long_as_a_server_does() -> None:
    found = clean_contexts(app_of({PATH: UNION}, gone=()))
    assert (found.changes, found.pieces, found.needs) == ((), (), ())


def test_the_types_stay_where_a_client_still_has_a_link_to_a_server_that_is_elsewhere() -> None:
    files = {
        PATH: UNION,
        SERVER_PATH: "export {};\n",
        "src/utils/trpc.ts": 'import { wsLink } from "@trpc/client";\nwsLink({});\n',
    }
    assert clean_contexts(app_of(files, gone=())).changes == ()


def test_the_types_go_where_the_server_has_gone_long_ago() -> None:
    assert clean_contexts(app_of({PATH: UNION, SERVER_PATH: "export {};\n"}, gone=())).changes


# --- what goes

# The file before, and after.
CHANGES = {
    "one of two": (UNION, f"{NEXT_TYPE}export const createContext = (opts: CreateNextContextOptions) => opts;\n"),
    "the first of two": (
        f"{NEXT_TYPE}{WSS_TYPE}export function make(opts: CreateWSSContextFnOptions | CreateNextContextOptions) {{}}\n",
        f"{NEXT_TYPE}export function make(opts: CreateNextContextOptions) {{}}\n",
    ),
    "on lines of their own": (
        f"{NEXT_TYPE}{NODE_TYPES}export const createContext = async (\n  opts:\n    | CreateNextContextOptions\n"
        "    | NodeHTTPCreateContextFnOptions<IncomingMessage, ws>,\n) => opts;\n",
        f"{NEXT_TYPE}export const createContext = async (opts: CreateNextContextOptions) => opts;\n",
    ),
    "too long for one line": (
        f"{NEXT_TYPE}{WSS_TYPE}export const createContextOfEveryRequestThatComes = async (\n"
        "  options: CreateNextContextOptions | CreateWSSContextFnOptions,\n) => options;\n",
        f"{NEXT_TYPE}export const createContextOfEveryRequestThatComes = async (\n"
        "  options: CreateNextContextOptions,\n) => options;\n",
    ),
    "a comment in the list": (
        f"{NEXT_TYPE}{WSS_TYPE}export const make = (\n  // of either kind\n"
        "  o: CreateNextContextOptions | CreateWSSContextFnOptions,\n) => o;\n",
        f"{NEXT_TYPE}export const make = (\n  // of either kind\n  o: CreateNextContextOptions,\n) => o;\n",
    ),
    "comments behind types on lines of their own": (
        f"{NEXT_TYPE}{WSS_TYPE}export const make = (\n  o:\n    | CreateNextContextOptions // pages\n"
        "    | { headers: Headers } // tests\n    | CreateWSSContextFnOptions,\n  more: string,\n) => [o, more];\n",
        f"{NEXT_TYPE}export const make = (\n  o:\n    // pages\n    | CreateNextContextOptions\n"
        "    // tests\n    | { headers: Headers },\n  more: string,\n) => [o, more];\n",
    ),
    "comments above types on lines of their own": (
        f"{NEXT_TYPE}{WSS_TYPE}export type Options =\n  | CreateNextContextOptions\n"
        "  | { headers: Headers }\n  // sockets\n  | CreateWSSContextFnOptions;\n",
        f"{NEXT_TYPE}export type Options =\n  | CreateNextContextOptions\n  | {{ headers: Headers }};\n",
    ),
    "a comment above the type that is left": (
        f"{NEXT_TYPE}{WSS_TYPE}export type Options =\n  | CreateWSSContextFnOptions\n  // pages\n"
        "  | CreateNextContextOptions;\n",
        f"{NEXT_TYPE}export type Options =\n  // pages\n  | CreateNextContextOptions;\n",
    ),
    "of several parameters": (
        f"{NEXT_TYPE}{WSS_TYPE}export const make = (\n  a: number,\n"
        "  o: CreateNextContextOptions | CreateWSSContextFnOptions,\n) => o;\n",
        f"{NEXT_TYPE}export const make = (\n  a: number,\n  o: CreateNextContextOptions,\n) => o;\n",
    ),
    "one of many that are too long for a line": (
        f"{NEXT_TYPE}{WSS_TYPE}export type Options =\n  | CreateNextContextOptions\n  | CreateWSSContextFnOptions\n"
        "  | { headers: Headers; session: string | null; request: Request };\n",
        f"{NEXT_TYPE}export type Options =\n  | CreateNextContextOptions\n"
        "  | { headers: Headers; session: string | null; request: Request };\n",
    ),
    "a parameter taken apart": (
        f"{NEXT_TYPE}{NODE_TYPES}export const createContext = ({{\n  req,\n}}:\n  | CreateNextContextOptions\n"
        "  | NodeHTTPCreateContextFnOptions<IncomingMessage, ws>) => ({ req });\n",
        f"{NEXT_TYPE}export const createContext = ({{\n  req,\n}}: CreateNextContextOptions) => ({{ req }});\n",
    ),
    "an optional parameter": (
        UNION.replace("(opts:", "(opts?:"),
        f"{NEXT_TYPE}export const createContext = (opts?: CreateNextContextOptions) => opts;\n",
    ),
    "imports as values": (
        (NEXT_TYPE + NODE_TYPES).replace("import type", "import")
        + (
            "export const make = (opts: CreateNextContextOptions | "
            "NodeHTTPCreateContextFnOptions<IncomingMessage, ws>) => 1;\n"
        ),
        NEXT_TYPE.replace("import type", "import") + "export const make = (opts: CreateNextContextOptions) => 1;\n",
    ),
    "the named WebSocket, in shared braces": (
        NEXT_TYPE
        + 'import { type NodeHTTPCreateContextFnOptions } from "@trpc/server/dist/adapters/node-http";\n'
        + 'import { type IncomingMessage, type ServerResponse } from "http";\nimport { type WebSocket } from "ws";\n'
        + "export const end = (res: ServerResponse) => res.end();\n"
        + (
            "export const make = (o: CreateNextContextOptions | "
            "NodeHTTPCreateContextFnOptions<IncomingMessage, WebSocket>) => o;\n"
        ),
        NEXT_TYPE
        + 'import { type ServerResponse } from "http";\n'
        + "export const end = (res: ServerResponse) => res.end();\n"
        + "export const make = (o: CreateNextContextOptions) => o;\n",
    ),
    "whole modules": (
        'import * as trpcNext from "@trpc/server/adapters/next";\nimport * as trpcWs from "@trpc/server/adapters/ws";\n'
        "export const make = (o: trpcNext.CreateNextContextOptions | trpcWs.CreateWSSContextFnOptions) => o;\n",
        'import * as trpcNext from "@trpc/server/adapters/next";\n'
        "export const make = (o: trpcNext.CreateNextContextOptions) => o;\n",
    ),
    "one of three, in the middle": (
        UNION.replace("Options |", "Options |").replace("| CreateWSS", "| CreateWSS").replace(
            "CreateWSSContextFnOptions) ", "CreateWSSContextFnOptions | null) "
        ),
        f"{NEXT_TYPE}export const createContext = (opts: CreateNextContextOptions | null) => opts;\n",
    ),
    "one of three, the first, on lines": (
        f"{NEXT_TYPE}{WSS_TYPE}export type Options =\n"
        f"  | CreateWSSContextFnOptions\n  | CreateNextContextOptions\n  | null;\n",
        f"{NEXT_TYPE}export type Options = CreateNextContextOptions | null;\n",
    ),
    "one of three, the last, on lines": (
        f"{NEXT_TYPE}{WSS_TYPE}export type Options =\n"
        f"  | CreateNextContextOptions\n  | null\n  | CreateWSSContextFnOptions;\n",
        f"{NEXT_TYPE}export type Options = CreateNextContextOptions | null;\n",
    ),
    "a type with more to it": (
        f"{NEXT_TYPE}{WSS_TYPE}export const make = (\n"
        '  o: (CreateNextContextOptions & { type: "api" }) | (CreateWSSContextFnOptions & { type: "api" }),\n'
        ') => o.type;\n',
        f'{NEXT_TYPE}export const make = (o: CreateNextContextOptions & {{ type: "api" }}) => o.type;\n',
    ),
    "an alias for it, which goes too": (
        f"{NEXT_TYPE}{NODE_TYPES}\ntype Socket = NodeHTTPCreateContextFnOptions<IncomingMessage, ws>;\n\n"
        "export const make = (o: CreateNextContextOptions | Socket) => o;\n",
        f"{NEXT_TYPE}\nexport const make = (o: CreateNextContextOptions) => o;\n",
    ),
    "types imported on the spot": (
        'import type { NodeHTTPCreateContextFnOptions } from "@trpc/server/adapters/node-http";\n'
        f'import type {{ IncomingMessage }} from "http";\n{NEXT_TYPE}'
        'type Both = CreateNextContextOptions | import("@trpc/server/adapters/ws").CreateWSSContextFnOptions;\n'
        'type Or = CreateNextContextOptions | '
        'NodeHTTPCreateContextFnOptions<IncomingMessage, import("ws").WebSocket>;\n'
        "export const make = (o: Both, p: Or) => [o, p];\n",
        f"{NEXT_TYPE}type Both = CreateNextContextOptions;\ntype Or = CreateNextContextOptions;\n"
        "export const make = (o: Both, p: Or) => [o, p];\n",
    ),
    "a response of either kind": (
        'import type { NodeHTTPCreateContextFnOptions } from "@trpc/server/adapters/node-http";\n'
        'import type { IncomingMessage, ServerResponse } from "http";\nimport type ws from "ws";\n'
        "export const make = (o: NodeHTTPCreateContextFnOptions<IncomingMessage, ServerResponse | ws>) => o;\n",
        'import type { NodeHTTPCreateContextFnOptions } from "@trpc/server/adapters/node-http";\n'
        'import type { IncomingMessage, ServerResponse } from "http";\n'
        "export const make = (o: NodeHTTPCreateContextFnOptions<IncomingMessage, ServerResponse>) => o;\n",
    ),
    "a context of sockets alone, with what only it used": (
        f'{WSS_TYPE}import {{ parse }} from "cookie";\n\nconst KEY = "session";\n\n'
        "// For the sockets.\nexport const createSocketContext = (opts: CreateWSSContextFnOptions) =>\n"
        '  parse(opts.req.headers.cookie ?? "")[KEY];\n\nexport const createContext = () => ({});\n',
        "export const createContext = () => ({});\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_what_the_server_alone_gave_goes(name: str) -> None:
    before, after = CHANGES[name]
    found = cleaned(before)
    assert text_after(found) == after
    assert found.needs == ()
    assert {piece.action for piece in found.pieces} == {"rewrite"}
    assert cleaned(after).changes == ()


@pytest.mark.parametrize("name", CHANGES)
def test_line_ends_and_marks_stay(name: str) -> None:
    before, after = CHANGES[name]
    found = cleaned("\ufeff" + before.replace("\n", "\r\n"))
    assert text_after(found) == "\ufeff" + after.replace("\n", "\r\n")


def test_a_value_of_ws_that_something_else_uses_stays_imported() -> None:
    before = (
        f'{NEXT_TYPE}import type {{ NodeHTTPCreateContextFnOptions }} from "@trpc/server/adapters/node-http";\n'
        'import type { IncomingMessage } from "http";\nimport ws from "ws";\n'
        "export const probe = () => new ws('wss://example.com');\n"
        "export const make = (o: CreateNextContextOptions | "
        "NodeHTTPCreateContextFnOptions<IncomingMessage, ws>) => o;\n"
    )
    after = text_after(cleaned(before))
    assert after is not None
    assert 'import ws from "ws";' in after
    assert "IncomingMessage" not in after


def test_a_context_of_sockets_that_something_else_uses_is_left_to_a_person() -> None:
    before = f"{WSS_TYPE}export const socketContext = (opts: CreateWSSContextFnOptions) => ({{ opts }});\n"
    for user in (
        'import { socketContext } from "./context";\nexport const x = socketContext;\n',
        'export * from "./context";\n',
        'export const load = () => import("./context");\n',
    ):
        found = cleaned(before, {"src/server/user.ts": user})
        assert (found.changes, found.needs) == ((), ())
        assert [(piece.line, piece.action) for piece in found.pieces] == [(2, "by-hand")]
    typed = f"{before}export type Context = ReturnType<typeof socketContext>;\n"
    assert [piece.action for piece in cleaned(typed).pieces] == ["by-hand"]


# --- code that asks for what is gone

BODIES = {
    "what the socket was opened with": ("{\n  return opts.info.connectionParams;\n}", "by-hand"),
    "whether there is a socket": ('{\n  if ("ws" in opts) return null;\n  return opts.req;\n}', "by-hand"),
    "the state of the socket": ("{\n  return opts.res.readyState;\n}", "keep"),
}


@pytest.mark.parametrize("name", BODIES)
def test_code_for_sockets_is_told_of_or_needs_them(name: str) -> None:
    body, action = BODIES[name]
    found = cleaned(UNION.replace("=> opts;", f"=> {body};"))
    told = [piece for piece in (*found.needs, *found.pieces) if piece.action != "rewrite"]
    assert [(piece.line, piece.action) for piece in told] == [(4, action)]
    assert bool(found.needs) == (action == "keep")


def test_a_comparison_with_what_only_the_gone_type_had_needs_it() -> None:
    before = (
        f"{NEXT_TYPE}{WSS_TYPE}export const make = (\n"
        '  o: (CreateNextContextOptions & { type: "api" }) | (CreateWSSContextFnOptions & { type: "ws" }),\n'
        ') => o.type === "ws";\n'
    )
    assert [(need.line, need.action) for need in cleaned(before).needs] == [(5, "keep")]


def test_a_type_guard_between_the_two_needs_both() -> None:
    before = (
        f"{NEXT_TYPE}{WSS_TYPE}"
        "function isHttp(\n  opts: CreateNextContextOptions | CreateWSSContextFnOptions,\n"
        '): opts is CreateNextContextOptions {\n  return "getHeaders" in opts.res;\n}\n'
    )
    assert [(need.line, need.action) for need in cleaned(before).needs] == [(5, "keep")]


def test_one_kind_inside_another_is_left_to_a_person() -> None:
    before = (
        f'{NODE_TYPES}import type {{ ServerResponse }} from "http";\n{WSS_TYPE}'
        "export const make = (\n"
        "  o: CreateWSSContextFnOptions | NodeHTTPCreateContextFnOptions<IncomingMessage, ServerResponse | ws>,\n"
        ") => o;\n"
    )
    assert [(need.line, need.action) for need in cleaned(before).needs] == [(7, "keep")]


def test_what_cannot_be_read_is_needed() -> None:
    assert [need.line for need in cleaned(UNION + "const = ;\n").needs] == [4]


def test_subscriptions_that_move_to_sse_cannot_take_what_the_socket_was_opened_with() -> None:
    server = SERVER.replace(
        "router, createContext }",
        "router,\n  createContext: ({ info, res }) => ({\n"
        "    token: info.connectionParams?.token,\n    socket: res,\n  }),\n}",
    )
    client = "src/utils/trpc.ts"
    app = app_of({SERVER_PATH: server, client: "wsLink({});\n"}, to_sse=True)
    moved = replace(app, view=app.view.with_changes({client: b"httpSubscriptionLink({});\n"}))
    assert clean_contexts(app).needs == ()
    assert [(need.file, need.line) for need in clean_contexts(moved).needs] == [(SERVER_PATH, 7), (SERVER_PATH, 8)]
