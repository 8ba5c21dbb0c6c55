"""Whether an address that a server asks is right in a browser too, and which path is the app's own."""

from __future__ import annotations

import pytest

from migrations.discovery.layout import find_layout
from migrations.discovery.trpc_client import Place
from migrations.engine import AppView
from migrations.engine.syntax import find_all
from migrations.transforms.link_address import holds_in_browsers, own_path

_HELPER = 'export const getBaseUrl = () => (typeof window === "undefined" ? "http://localhost:3000" : "");\n'
_PORT = "export const getPort = () => `http://localhost:${process.env.PORT}`;\n"


def _address(code: str, files: dict[str, str] | None = None) -> tuple[AppView, Place]:
    """The argument of the call `ask(...)` in a file with these two helpers beside it."""
    text = 'import { getBaseUrl, getPort } from "./base";\n' + code
    everything = {"package.json": "{}", "src/base.ts": _HELPER + _PORT, "src/client.ts": text, **(files or {})}
    view = AppView.of_files({path: content.encode() for path, content in everything.items()})
    file = view.file("src/client.ts")
    assert file is not None
    call = next(node for node in find_all(file.root, "call_expression") if (node.text or b"").startswith(b"ask("))
    arguments = call.child_by_field_name("arguments")
    assert arguments is not None
    return view, Place(file, arguments.named_children[0])


@pytest.mark.parametrize(
    ("code", "holds"),
    [
        ('ask("/api/trpc");', True),
        ("ask(`/api/trpc`);", True),
        ("ask(`${getBaseUrl()}/api/trpc`);", True),
        ("const url = getBaseUrl() + '/api/trpc';\nask(url);", True),
        ("ask(`${window.location.origin}/api/trpc`);", True),
        ('ask("https://chat.example.com/api/trpc");', True),
        ('ask("//cdn.example.com/api/trpc");', False),
        ("ask(`${getBaseUrl}/api/trpc`);", False),
        ("ask(getBaseUrl + '/api/trpc');", False),
        ("const url = `${getBaseUrl}/api/trpc`;\nask(url);", False),
        ('ask("http://localhost:3000/api/trpc");', False),
        ('ask("http://web:3000/api/trpc");', False),
        ("ask(`${getPort()}/api/trpc`);", False),
        ("ask(`${process.env.APP_URL}/api/trpc`);", False),
        ("const { APP_URL } = config();\nask(`${APP_URL}/api/trpc`);", False),
    ],
)
def test_an_address_holds_in_browsers_where_it_is_seen_to(code: str, holds: bool) -> None:
    view, address = _address(code)
    assert holds_in_browsers(view, find_layout(view), address) is holds


_APP_ROUTE = {"src/app/(site)/api/trpc/[trpc]/route.ts": ""}
_PAGES_ROUTE = {"pages/api/trpc/[...trpc].js": ""}


@pytest.mark.parametrize(
    ("code", "files", "path"),
    [
        ("ask(`${process.env.APP_URL}/api/trpc`);", _APP_ROUTE, "/api/trpc"),
        ("ask(`${process.env.APP_URL}/api/trpc`);", _PAGES_ROUTE, "/api/trpc"),
        ('ask("http://localhost:3000/api/trpc");', _APP_ROUTE, "/api/trpc"),
        ("const url = `${process.env.APP_URL}/api/trpc`;\nask(url);", _APP_ROUTE, "/api/trpc"),
        ("ask(`${getBaseUrl}/api/trpc`);", _APP_ROUTE, "/api/trpc"),
        ("ask(`${process.env.APP_URL}/api/other`);", _APP_ROUTE, None),
        ("ask(`${process.env.APP_URL}/rpc`);", {}, None),
        ("ask(process.env.APP_URL);", _APP_ROUTE, None),
        (
            "ask(`${process.env.A}/api/trpc`);",
            {**_APP_ROUTE, "next.config.mjs": 'export default { basePath: "/b" };'},
            None,
        ),
    ],
)
def test_a_path_is_the_apps_own_where_its_handler_is(code: str, files: dict[str, str], path: str | None) -> None:
    view, address = _address(code, files)
    assert own_path(view, find_layout(view), address) == path
