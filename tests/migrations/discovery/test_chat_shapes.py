"""Which procedure is the chat, in shapes that other people's apps have."""

from __future__ import annotations

import pytest

from migrations.discovery.chat import Chat, find_chat
from migrations.discovery.layout import find_layout
from migrations.engine import AppView, Blocked, NotApplicable
from migrations.hints import AppHints

ROOT = {
    "tsconfig.json": b'{"compilerOptions": {"paths": {"~/*": ["./src/*"]}}}',
    "package.json": b'{"dependencies": {"@trpc/server": "^11.0.0", "openai": "^5.0.0"}}',
    "src/server/api/root.ts": b"""import { chatRouter } from "~/server/api/routers/chat";
import { createTRPCRouter } from "~/server/api/trpc";
export const appRouter = createTRPCRouter({ chat: chatRouter });
export type AppRouter = typeof appRouter;
""",
}
HEAD = """import OpenAI from "openai";
import { z } from "zod";
import { createTRPCRouter, publicProcedure } from "~/server/api/trpc";
const openai = new OpenAI();
export const chatRouter = createTRPCRouter({
"""
ASK = """publicProcedure
    .input(z.object({ message: z.string() }))
    .mutation(async ({ input }) => {
      const messages = [{ role: "user", content: input.message }];
      const done = await openai.chat.completions.create({ model: "m", messages });
      return done.choices[0]?.message.content ?? "";
    }),
"""
STREAM = """publicProcedure
    .input(z.object({ message: z.string(), trackId: z.string() }))
    .subscription(async function* ({ input }) {
      const stream = await openai.chat.completions.create({ model: "m", stream: true, messages: [] });
      for await (const part of stream) yield part.choices[0]?.delta.content ?? input.trackId;
    }),
"""


def chat_of(router: str, page: str = "", **more: str) -> Chat | Blocked | NotApplicable:
    files = ROOT | {"src/server/api/routers/chat.ts": router.encode(), "src/app/page.tsx": page.encode()}
    view = AppView.of_files(files | {path: text.encode() for path, text in more.items()})
    return find_chat(view, find_layout(view), AppHints())


def test_a_router_that_gives_out_its_own_type_is_not_the_apps_root() -> None:
    found = chat_of(f"{HEAD}  send: {ASK}}});\nexport type ChatRouter = typeof chatRouter;\n")
    assert isinstance(found, Chat)
    assert found.mutation.path == "chat.send"


def test_a_router_that_another_file_gives_out_is_followed() -> None:
    files = ROOT | {
        "src/server/api/root.ts": ROOT["src/server/api/root.ts"].replace(b"routers/chat", b"routers"),
        "src/server/api/routers/index.ts": b'export { chatRouter } from "./chat";\n',
        "src/server/api/routers/chat.ts": f"{HEAD}  send: {ASK}}});\n".encode(),
    }
    view = AppView.of_files(files)
    found = find_chat(view, find_layout(view), AppHints())
    assert isinstance(found, Chat)
    assert found.mutation.path == "chat.send"


def test_a_mutation_that_makes_a_title_is_no_twin_of_the_stream_that_a_page_reads() -> None:
    """It would have been asked for the whole answer, and every message answered twice."""
    router = f"{HEAD}  generateTitle: {ASK}  sendMessageStream: {STREAM}}});\n"
    page = "api.chat.sendMessageStream.useSubscription(ask, {});\napi.chat.generateTitle.useMutation({});\n"
    found = chat_of(router, page)
    assert isinstance(found, NotApplicable)
    assert found.reason.startswith("chat.sendMessageStream (src/server/api/routers/chat.ts:")
    assert found.reason.endswith("streams already, and a page reads it")


@pytest.mark.parametrize(
    "call",
    [
        "openai.models.list()",
        "openai.moderations.create({ input: input.message })",
        'openai.images.generate({ prompt: "a" })',
        'openai.embeddings.create({ model: "m", input: input.message })',
    ],
)
def test_other_work_of_a_models_maker_is_no_chat(call: str) -> None:
    body = f"publicProcedure.input(z.object({{ message: z.string() }})).mutation(async ({{ input }}) => {call}),\n"
    assert isinstance(chat_of(f"{HEAD}  sendMessage: {body}}});\n"), NotApplicable)


def test_a_procedure_without_input_is_no_chat() -> None:
    router = f"{HEAD}  sendMessage: {ASK}}});\n".replace(".input(z.object({ message: z.string() }))", "")
    assert isinstance(chat_of(router), NotApplicable)


def test_a_client_in_the_context_is_recognised_by_the_call() -> None:
    router = f"{HEAD}  sendMessage: {ASK}}});\n".replace("await openai.chat", "await ctx.openai.chat")
    found = chat_of(router.replace('import OpenAI from "openai";\n', "").replace("const openai = new OpenAI();\n", ""))
    assert isinstance(found, Chat)


def test_a_mutation_that_streams_over_http_is_told() -> None:
    router = f"{HEAD}  sendMessage: {STREAM}}});\n".replace(".subscription(", ".mutation(")
    found = chat_of(router)
    assert isinstance(found, NotApplicable)
    assert found.reason.endswith("streams the answer already, over HTTP")


def test_what_only_asks_a_model_is_not_taken_for_the_chat() -> None:
    found = chat_of(f"{HEAD}  summarize: {ASK}}});\n".replace("chatRouter", "docsRouter").replace("chat:", "docs:"))
    assert isinstance(found, NotApplicable)
    assert 'app.mutation = "' in found.reason


def test_of_several_that_ask_a_model_the_one_that_is_called_a_chat_is_it() -> None:
    images = ASK.replace("openai.chat.completions", "openai.chat.completions")
    files = {
        "src/server/api/routers/tags.ts": f"{HEAD}  suggest: {images}}});\n".replace("chatRouter", "tagsRouter"),
    }
    found = chat_of(f"{HEAD}  sendMessage: {ASK}}});\n", **files)
    assert isinstance(found, Chat)
    assert found.mutation.path == "chat.sendMessage"


@pytest.mark.parametrize(("page", "kind"), [('import "~/old";', Blocked), ("", NotApplicable)])
def test_a_file_that_cannot_be_read_counts_only_where_it_is_used(page: str, kind: type) -> None:
    found = chat_of("export {};\n", page, **{"src/old.ts": "export const a = p.mutation((((\n"})
    assert isinstance(found, kind)
