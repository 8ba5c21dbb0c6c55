from __future__ import annotations

import pytest

from migrations.discovery.trpc_client import TrpcClient, find_trpc_clients
from migrations.engine import AppView, Blocked, NotApplicable
from migrations.engine.syntax import text_of
from migrations.hints import AppHints

REACT = """\
import { httpLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";

export const api = createTRPCReact();
"""
NEXT = """\
import { httpLink } from "@trpc/client";
import { createTRPCNext } from "@trpc/next";

"""
VANILLA = """\
import { createTRPCClient, createTRPCProxyClient, httpLink } from "@trpc/client";

"""
TSCONFIG = '{"compilerOptions": {"paths": {"@/*": ["./src/*"]}}}'


def find(files: dict[str, str], client: str = "") -> tuple[TrpcClient, ...] | NotApplicable | Blocked:
    everything = {"package.json": "{}", "tsconfig.json": TSCONFIG, "src/app/page.tsx": ""} | files
    view = AppView.of_files({path: text.encode() for path, text in everything.items()})
    return find_trpc_clients(view, AppHints(client=client))


def lists(found: tuple[TrpcClient, ...] | NotApplicable | Blocked) -> list[tuple[str, str]]:
    assert isinstance(found, tuple), found
    return [(one.file.path, text_of(one.node)) for client in found for one in client.lists]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        (REACT + "const c = api.createClient({ links: [httpLink()] });", "react", ["[httpLink()]"]),
        (REACT + "const c = useState(() => api.createClient({ links: [] }));", "react", ["[]"]),
        (REACT + "const links = [httpLink()] as const;\napi.createClient({ links });", "react", ["[httpLink()]"]),
        (REACT + "const o = { links: [1] } satisfies X;\napi.createClient(o);", "react", ["[1]"]),
        (REACT + "api.createClient({ links: dev ? [1] : [2] });", "react", ["[1]", "[2]"]),
        (REACT + "function all() { if (a) return [1]; return [2]; }\napi.createClient({ links: all() });", "react",
         ["[1]", "[2]"]),
        (REACT + "const all = () => [1];\napi.createClient({ links: all() });", "react", ["[1]"]),
        (NEXT + "export const t = createTRPCNext<A>({ config() { return { links: [1] }; }, ssr: true });", "next",
         ["[1]"]),
        (NEXT + "export const t = createTRPCNext({ config: () => ({ links: [1] }) });", "next", ["[1]"]),
        (NEXT + "const config = ({ ctx }) => { return { links: [ctx] }; };\ncreateTRPCNext({ config });", "next",
         ["[ctx]"]),
        (VANILLA + "createTRPCClient<A>({ links: [1] });", "vanilla", ["[1]"]),
        (VANILLA + "createTRPCProxyClient<A>({ links: [1] });", "vanilla", ["[1]"]),
        ('import * as t from "@trpc/client";\nt.createTRPCClient({ links: [1] });', "vanilla", ["[1]"]),
        ('import { createTRPCClient as make } from "@trpc/client";\nmake({ links: [1] });', "vanilla", ["[1]"]),
    ],
)  # fmt: skip
def test_the_lists_of_links_that_a_client_may_be_given(text: str, kind: str, expected: list[str]) -> None:
    found = find({"src/trpc.ts": text + "\n"})
    assert lists(found) == [("src/trpc.ts", one) for one in expected]
    assert isinstance(found, tuple)
    assert {client.kind for client in found} == {kind}


def test_the_lists_and_the_hooks_may_stand_in_other_files() -> None:
    found = find(
        {
            "src/api.ts": REACT,
            "src/provider.tsx": 'import { links } from "@/links";\nimport { api } from "./api";\n'
            "const c = api.createClient({ links });\n",
            "src/links/index.ts": 'export { all as links } from "./all";\n',
            "src/links/all.ts": "const all = [httpLink({})];\nexport { all };\n",
        }
    )
    assert lists(found) == [("src/links/all.ts", "[httpLink({})]")]


def test_hooks_of_a_workspace_package_count_where_the_links_are_trpcs() -> None:
    text = 'import { httpLink } from "@trpc/client";\nimport { api } from "@acme/api";\n'
    assert len(lists(find({"src/p.tsx": text + "api.createClient({ links: [httpLink()] });\n"}))) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/other.ts", 'import { api } from "./redis";\napi.createClient({ links: [1] });\n'),
        ("src/server.ts", 'import "server-only";\n' + VANILLA + "createTRPCClient({ links: [1] });\n"),
        (
            "src/rsc.ts",
            'import { headers } from "next/headers";\n' + VANILLA + "createTRPCClient({ links: [headers] });\n",
        ),
        ("src/trpc.test.ts", VANILLA + "createTRPCClient({ links: [1] });\n"),
        ("src/script.ts", VANILLA + "createTRPCClient({ links: [1] });\n"),
        ("src/relay-kit/x.ts", REACT + "api.createClient({ links: [1] });\n"),
        ("src/nav.tsx", "export const links = [{ href: 1 }];\n"),
    ],
)
def test_what_else_looks_like_a_client_is_none(path: str, text: str) -> None:
    react = REACT + "api.createClient({ links: [2] });\n"
    assert lists(find({"src/react.ts": react, path: text})) == [("src/react.ts", "[2]")]


def test_several_clients_in_several_files_need_to_be_told_apart() -> None:
    files = dict.fromkeys(("src/a.ts", "src/b.ts"), REACT + "api.createClient({ links: [1] });\n")
    found = find(files)
    assert isinstance(found, Blocked)
    assert (found.file, found.line) == ("src/a.ts", 5)
    assert "src/b.ts:5" in found.reason
    assert "partyconfig.toml" in found.next_step
    assert lists(find(files, "src/b.ts")) == [("src/b.ts", "[1]")]


def test_several_clients_in_one_file_are_all_found() -> None:
    text = (
        REACT
        + "export const a = api.createClient({ links: [1] });\nexport const b = api.createClient({ links: [2] });\n"
    )
    assert [one for _, one in lists(find({"src/a.ts": text}))] == ["[1]", "[2]"]


@pytest.mark.parametrize(
    ("text", "client", "line", "reason"),
    [
        (REACT + "api.createClient({ links: more.concat() });", "", 5, "not written as a list"),
        (REACT + "let links = [1];\napi.createClient({ links });", "", 6, "not written as a list"),
        (REACT + "const links = links2;\nconst links2 = links;\napi.createClient({ links });", "", 6, "not written"),
        (REACT + "api.createClient({ links: [1 });", "", 5, "syntax error"),
        (REACT, "", 0, "was not found"),
        (REACT, "src/other.ts", 0, "no tRPC client in this file"),
    ],
)
def test_what_cannot_be_followed_is_blocked(text: str, client: str, line: int, reason: str) -> None:
    found = find({"src/a.ts": text + "\n"}, client)
    assert isinstance(found, Blocked)
    assert found.line == line
    assert reason in found.reason


def test_an_app_without_trpc_has_nothing_for_it() -> None:
    assert isinstance(find({"src/a.ts": "export const links = [1];\n"}), NotApplicable)
