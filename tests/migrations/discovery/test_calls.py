from __future__ import annotations

import pytest

from migrations.discovery.calls import Calls, find_calls
from migrations.discovery.chat import Chat, find_chat
from migrations.discovery.layout import find_layout
from migrations.engine import AppView
from migrations.hints import AppHints
from tests.migrations.component_apps import COMPONENT, app, component, migrated


def calls_of(files: dict[str, bytes]) -> Calls:
    view = AppView.of_files(files)
    layout = find_layout(view)
    chat = find_chat(view, layout, AppHints())
    assert isinstance(chat, Chat)
    return find_calls(view, layout, chat.mutation)


WRITTEN: dict[str, tuple[str, str]] = {
    "plain": ("const send = api.chat.sendMessage.useMutation();", "send"),
    "broken": ("const send = api.chat\n  .sendMessage\n  .useMutation({ retry: 1 });", "send"),
    "destructured": ("const { mutate } = api.chat.sendMessage.useMutation();", ""),
    "asserted": ("const send = api.chat!.sendMessage.useMutation() as Send;", "send"),
    "handed on": ("useFirst(api.chat.sendMessage.useMutation());", ""),
}


@pytest.mark.parametrize(("body", "name"), WRITTEN.values(), ids=WRITTEN)
def test_a_call_is_found_however_it_is_written(body: str, name: str) -> None:
    (call,) = calls_of(app(page=component(body))).plain
    assert (call.path, call.result_name, call.hook_name) == ("api.chat.sendMessage", name, "")


def test_a_migrated_call_is_found_as_streaming() -> None:
    files = app(page=component("const send = api.chat.sendMessage.useMutation({ retry: 1 });"))
    files[COMPONENT] = migrated(files).encode()
    calls = calls_of(files)
    (call,) = calls.streaming
    assert (calls.plain, call.path, call.options is None) == ((), "api.chat.sendMessage", False)


def test_a_hook_of_the_same_name_from_elsewhere_is_not_the_kits() -> None:
    files = app(page=component("const send = api.chat.sendMessage.useMutation();"))
    files[COMPONENT] = migrated(files).encode().replace(b"~/relay-kit/client/use-streaming-mutation", b"streaming-kit")
    assert calls_of(files) == Calls((), (), ())


@pytest.mark.parametrize(
    "client",
    [
        'import { createTRPCNext } from "@trpc/next";\nexport const api = createTRPCNext<AppRouter>({});\n',
        'export { api } from "./inner";\n',
        'import { api } from "./inner";\nexport { api };\n',
    ],
)
def test_the_client_is_followed_to_where_it_is_made(client: str) -> None:
    inner = app()["src/trpc/react.tsx"].decode()
    body = "const send = api.chat.sendMessage.useMutation();"
    assert (
        len(calls_of(app({"src/trpc/react.tsx": client, "src/trpc/inner.tsx": inner}, page=component(body))).plain) == 1
    )


def test_a_client_of_a_package_is_taken_by_its_path() -> None:
    source = component("const send = api.chat.sendMessage.useMutation();").replace("~/trpc/react", "@acme/trpc")
    assert len(calls_of(app(page=source)).plain) == 1


def test_calls_of_other_procedures_are_none() -> None:
    body = "const send = api.chat.other.useMutation();\nconst more = api.chat.sendMessage.useQuery();"
    assert calls_of(app(page=component(body))) == Calls((), (), ())


def test_the_custom_hook_around_a_call_is_named() -> None:
    hook = 'import { api } from "~/trpc/react";\nexport const useSend = () => api.chat.sendMessage.useMutation();\n'
    (call,) = calls_of(app({"src/use-send.ts": hook})).plain
    assert call.hook_name == "useSend"
