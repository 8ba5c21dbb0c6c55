"""What becomes of clients, type-checked against tRPC 11 and 10: nothing is missing, and nothing is left unused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.apps.toolchain import run, run_well
from tests.migrations.legacy.clients.apps import links as client_of
from tests.migrations.legacy.clients.test_sse import MOVED
from tests.migrations.legacy.clients.test_stage import ARRANGEMENTS

if TYPE_CHECKING:
    from pathlib import Path

_ROUTER = """\
import { initTRPC } from "@trpc/server";
import { observable } from "@trpc/server/observable";
import superjson from "superjson";

const t = initTRPC.create({ transformer: superjson });

export const appRouter = t.router({
  chat: t.router({
    send: t.procedure.mutation(() => "done"),
    onMessage: t.procedure.subscription(() => observable<string>((emit) => emit.next("hello"))),
  }),
});

export type AppRouter = typeof appRouter;
"""
_OPTIONS = {
    "target": "es2022",
    "lib": ["dom", "es2022"],
    "module": "esnext",
    "moduleResolution": "bundler",
    "strict": True,
    "noEmit": True,
    "noUnusedLocals": True,
    "skipLibCheck": True,
    "types": [],
    "paths": {"~/*": ["./src/*"]},
}
_VERSIONS = {"11": ("11.0.0", "5"), "10": ("10.45.2", "4")}
# tRPC 10 has no server-sent events, and its transformer stands beside the links.
_HEAD = "type Ctx = { req: { headers: { cookie: string } } };\ndeclare const ctx: Ctx;\n"


def _texts(version: str) -> dict[str, str]:
    texts = {}
    for name, (_, _, names, body) in ARRANGEMENTS.items():
        head = _HEAD if "(ctx)" in body else ""
        state = 'import { useState } from "react";\n' if "useState" in body else ""
        # A link without a transformer cannot be typed for a router that has one.
        body = body.replace('url: "/big" }', 'url: "/big", transformer: superjson }')
        body = body.replace('      url: "/api/trpc",\n', '      url: "/api/trpc",\n      transformer: superjson,\n')
        body = body.replace('    url: "/api/trpc",\n  });', '    url: "/api/trpc",\n    transformer: superjson,\n  });')
        texts[name] = state + client_of(names, head + body)
    if version == "10":
        return {
            name: text.replace(", transformer: superjson", "")
            .replace("      transformer: superjson,\n", "")
            .replace("    transformer: superjson,\n", "")
            .replace("createClient({ links", "createClient({ transformer: superjson, links")
            .replace("createClient({\n", "createClient({ transformer: superjson,\n")
            for name, text in texts.items()
        }
    return {**texts, "server-sent events": MOVED}


@pytest.mark.slow
@pytest.mark.parametrize("version", _VERSIONS)
def test_every_client_type_checks_with_nothing_left_unused(version: str, tmp_path: Path) -> None:
    trpc, query = _VERSIONS[version]
    packages = [f"@trpc/{name}@{trpc}" for name in ("client", "server", "react-query")]
    packages += [f"@tanstack/react-query@{query}", "react@18", "react-dom@18", "@types/react@18", "superjson@2"]
    (tmp_path / "package.json").write_text('{"private": true}')
    run_well("npm", "install", "--ignore-scripts", *packages, "typescript@5.8", cwd=tmp_path, timeout_s=300)
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": _OPTIONS, "include": ["src"]}))
    files = {"src/server/api/root.ts": _ROUTER}
    files |= {f"src/client-{number}.ts": text for number, text in enumerate(_texts(version).values())}
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    done = run("node", "node_modules/typescript/bin/tsc", cwd=tmp_path)
    assert (done.stdout, done.returncode) == ("", 0)
