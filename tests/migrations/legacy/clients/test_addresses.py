"""Addresses that only the server asked until now: left alone, told of, or a need where they are the machine's own."""

from __future__ import annotations

import pytest

from tests.migrations.legacy.clients.apps import CLIENT, PAGE, SUBSCRIBES, app_files, cleaned, line_of, links, view_of

_ALL = "createWSClient, httpBatchLink, wsLink"
_USED = "export const client = api.createClient({ links: [getEndingLink()] });\n"
_HELPER = (
    'const getBaseUrl = () => (typeof window === "undefined" ? `http://localhost:${process.env.MY_PORT}` : "");\n\n'
)
_SETTING = "const { APP_URL } = getConfig().publicRuntimeConfig;\n\n"


def _client(address: str, before: str = _SETTING) -> str:
    return links(
        _ALL,
        before + 'function getEndingLink() {\n  if (typeof window === "undefined") {\n'
        f"    return httpBatchLink({{ url: {address} }});\n  }}\n"
        '  return wsLink({ client: createWSClient({ url: "ws://x" }) });\n}\n\n' + _USED,
    )


_STARTER = _client("`${APP_URL}/api/trpc`")
_SPLIT = links(
    "createWSClient, httpBatchLink, splitLink, wsLink",
    _SETTING + "export const client = api.createClient({\n  links: [\n    splitLink({\n"
    '      condition: (op) => op.type === "subscription",\n'
    '      true: wsLink({ client: createWSClient({ url: "ws://x" }) }),\n'
    "      false: httpBatchLink({ url: `${APP_URL}/api/trpc` }),\n    }),\n  ],\n});\n",
)

_LEFT_ALONE = {
    "a helper that knows browsers": _client("`${getBaseUrl()}/api/trpc`", _HELPER),
    "a path": _client('"/api/trpc"'),
    "an address that browsers asked all along": _SPLIT,
}


@pytest.mark.parametrize("name", _LEFT_ALONE)
@pytest.mark.parametrize("to_sse", [False, True])
def test_nothing_is_said_of_an_address_that_is_right_for_browsers(name: str, to_sse: bool) -> None:
    files = app_files(
        _LEFT_ALONE[name], {"Dockerfile": "ENV APP_URL=http://localhost:3000\nENV MY_PORT=http://localhost\n"}
    )
    found = cleaned(view_of({**files, **({PAGE: SUBSCRIBES} if to_sse else {})}), to_sse=to_sse)
    assert found.needs == ()
    assert not [piece for piece in found.pieces if "browsers" in piece.what]


@pytest.mark.parametrize(
    "client",
    [_STARTER, _client("url", _SETTING + "const url = `${APP_URL}/api/trpc`;\n\n")],
    ids=["in the link", "in a constant"],
)
def test_a_setting_that_only_the_server_read_is_told_of_with_its_line(client: str) -> None:
    found = cleaned(view_of(app_files(client, {".env": "APP_URL=http://localhost:3000\n"})))
    told = [piece for piece in found.pieces if piece.what.startswith("browsers ask the address in APP_URL")]
    assert [(piece.file, piece.line, piece.action) for piece in told] == [
        (CLIENT, line_of(client, "return httpBatchLink("), "by-hand")
    ]


_SET = {
    "an image": ("Dockerfile", 'FROM node\nENV APP_URL="http://localhost:3000"\n'),
    "an image, the old way": ("docker/Dockerfile.web", "FROM node\nENV APP_URL http://0.0.0.0:3000\n"),
    "a service": (
        "docker-compose.prod.yml",
        "services:\n  web:\n    environment:\n      - APP_URL=http://127.0.0.1:3000\n",
    ),
    "fly": ("fly.toml", '[env]\n  APP_URL = "http://localhost:3000"\n'),
    "production": (".env.production", "A=1\nAPP_URL=http://localhost:3000\n"),
    "a process": ("ecosystem.config.js", 'module.exports = { env: { "APP_URL": "http://localhost:3000" } };\n'),
}


@pytest.mark.parametrize("name", _SET)
@pytest.mark.parametrize("to_sse", [False, True])
def test_a_deployment_that_gives_the_machines_own_address_is_a_need(name: str, to_sse: bool) -> None:
    path, text = _SET[name]
    files = app_files(_STARTER, {path: text, **({PAGE: SUBSCRIBES} if to_sse else {})})
    found = cleaned(view_of(files), to_sse=to_sse)
    assert [(need.file, need.line) for need in found.needs] == [(path, line_of(text, "APP_URL"))]
    assert found.changes == ()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("Dockerfile", "ENV APP_URL=https://chat.example\n"),
        ("Dockerfile", "# ENV APP_URL=http://localhost:3000\n"),
        ("Dockerfile", "ENV MY_APP_URL=http://localhost:3000\n"),
        ("Dockerfile", "ENV APP_URL=http://localhost.example\n"),
        (".env", "APP_URL=http://localhost:3000\n"),
    ],
)
def test_other_settings_are_no_need(path: str, text: str) -> None:
    assert cleaned(view_of(app_files(_STARTER, {path: text}))).needs == ()
