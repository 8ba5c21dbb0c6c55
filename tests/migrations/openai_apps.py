"""Apps in memory with one mutation that calls OpenAI; its body and the client are the test's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from migrations.discovery.layout import find_layout
from migrations.discovery.openai_call import find_model_call
from migrations.discovery.procedures import procedures_of
from migrations.discovery.refused import Refused
from migrations.engine import AppView

if TYPE_CHECKING:
    from migrations.discovery.openai_answer import ModelCall
    from migrations.discovery.procedures import Procedure

CHAT = "src/server/chat.ts"
CALL = 'const c = await openai.chat.completions.create({ model: "m", messages });'
READ = "return c.choices[0]?.message.content;"


def app(
    body: str,
    *,
    client: str = 'import OpenAI from "openai";\nconst openai = new OpenAI();',
    version: str | None = "^6.0.0",
    **files: str,
) -> AppView:
    """An app whose mutation has this body; `files` are further files of src/server, by their stem."""
    source = (
        f"{client}\nexport const chatRouter = createTRPCRouter({{\n"
        f"ask: publicProcedure.mutation(async ({{ input }}) => {{\n{body}\n}}),\n}});\n"
    )
    manifest = {"dependencies": {} if version is None else {"openai": version}}
    tsconfig = {"compilerOptions": {"baseUrl": ".", "paths": {"~/*": ["./src/*"]}}}
    every = {
        "package.json": json.dumps(manifest),
        "tsconfig.json": json.dumps(tsconfig),
        CHAT: source,
        **{f"src/server/{stem}.ts": text for stem, text in files.items()},
    }
    return AppView.of_files({path: text.encode() for path, text in every.items()})


def mutation_of(view: AppView) -> Procedure:
    file = view.file(CHAT)
    assert file is not None
    return next(iter(procedures_of(view, find_layout(view), file, "mutation")))


def found(view: AppView) -> ModelCall:
    return find_model_call(view, find_layout(view), mutation_of(view))


def refused(view: AppView) -> Refused:
    with pytest.raises(Refused) as caught:
        found(view)
    return caught.value


def assert_refused(reason: str, body: str) -> None:
    """That the body is refused for that reason; the line that is to be named, if any, ends with `// here`."""
    view = app(body)
    refusal = refused(view)
    assert reason in refusal.reason
    text = view.read(CHAT) or b""
    lines = text.decode().split("\n")
    here = next((n for n, line in enumerate(lines, 1) if line.endswith("// here")), None)
    blocked = refusal.as_blocked("do it")
    assert (blocked.file, blocked.next_step) == (CHAT, "do it")
    if here is not None:
        assert blocked.line == here
