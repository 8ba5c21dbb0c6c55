"""Apps in memory whose page calls a chat; the component, the mutation and the subscription are the test's."""

from __future__ import annotations

from pathlib import Path

import migrations
from migrations.engine import AppView, Outcome, Pending
from migrations.hints import AppHints
from migrations.m5_component import StreamingComponent

COMPONENT = "src/components/chat.tsx"
ROUTER = "src/server/api/routers/chat.ts"

PACKAGE_JSON = """\
{
  "name": "app",
  "dependencies": {
    "@trpc/client": "^11.0.0",
    "@trpc/react-query": "^11.0.0",
    "@trpc/server": "^11.0.0",
    "next": "^15.2.3",
    "react": "^19.0.0"
  }
}
"""
TSCONFIG = """\
{
  "compilerOptions": {
    "strict": true,
    "baseUrl": ".",
    "paths": { "~/*": ["./src/*"] }
  }
}
"""
CLIENT = """\
"use client";

import { createTRPCReact } from "@trpc/react-query";
import type { AppRouter } from "~/server/api/root";

export const api = createTRPCReact<AppRouter>();
"""
ROOT = """\
import { chatRouter } from "~/server/api/routers/chat";
import { createTRPCRouter } from "~/server/api/trpc";

export const appRouter = createTRPCRouter({
  chat: chatRouter,
});

export type AppRouter = typeof appRouter;
"""
TRPC = """\
import { initTRPC } from "@trpc/server";

const t = initTRPC.create();

export const createTRPCRouter = t.router;
export const publicProcedure = t.procedure;
"""
MUTATION_INPUT = "z.object({ message: z.string() })"
STREAM_INPUT = "z.object({ trackId: z.string(), message: z.string() })"
HISTORY_INPUT = """z.object({
        trackId: z.string(),
        message: z.string(),
        history: z.array(z.object({ role: z.enum(["user", "model"]), text: z.string() })),
      })"""
TEXT = "return completion.choices[0]?.message.content ?? undefined;"
YIELD_TEXT = 'yield tracked(input.trackId, { type: "text" as const, text: "a" });'
YIELD_ITEM = """yield tracked(input.trackId, {
        type: "function-call" as const,
        name: "light",
        parameters: {} as Record<string, unknown>,
      });"""


def router(
    *,
    returns: str = TEXT,
    yields: str = YIELD_TEXT,
    mutation_input: str = MUTATION_INPUT,
    stream_input: str = STREAM_INPUT,
    stream: str | None = None,
    name: str = "sendMessage",
    above: str = "",
) -> str:
    """The chat's router; `stream` in place of the whole subscription."""
    if stream is None:
        stream = f"""\
  {name}Stream: publicProcedure
    .input(
      {stream_input},
    )
    .subscription(async function* ({{ input }}) {{
      {yields}
    }}),
"""
    return f"""\
import {{ tracked }} from "@trpc/server";
import OpenAI from "openai";
import {{ z }} from "zod";
import {{ createTRPCRouter, publicProcedure }} from "~/server/api/trpc";

const ai = new OpenAI();
{above}
export const chatRouter = createTRPCRouter({{
  {name}: publicProcedure
    .input({mutation_input})
    .mutation(async ({{ input }}) => {{
      const completion = await ai.chat.completions.create({{
        model: "m",
        messages: [{{ role: "user", content: JSON.stringify(input) }}],
      }});
      {returns}
    }}),

{stream}}});
"""


def component(
    body: str, *, imports: str = 'import { useState } from "react";', jsx: str = "<p>{history.length}</p>"
) -> str:
    """A page with `body` in it, which is given without its indentation of two spaces."""
    inner = "\n".join(f"  {line}" if line else "" for line in body.strip("\n").split("\n"))
    head = f"{imports}\n" if imports else ""
    return f"""\
"use client";

{head}import {{ api }} from "~/trpc/react";

export function Chat() {{
{inner}

  return {jsx};
}}
"""


def app(
    files: dict[str, str] | None = None, *, page: str | bytes = "", chat: str = "", has_kit: bool = True
) -> dict[str, bytes]:
    """The files of an app with this component and router; `files` come on top. The kit's files are empty."""
    kit = sorted((Path(migrations.__file__).parent / "kit" / "src").rglob("*.ts")) if has_kit else []
    every: dict[str, str | bytes] = {
        **{f"src/relay-kit/{path.parent.name}/{path.name}".replace("/src/", "/"): "export {};\n" for path in kit},
        "package.json": PACKAGE_JSON,
        "tsconfig.json": TSCONFIG,
        "src/app/page.tsx": "export default function Home() {\n  return null;\n}\n",
        "src/trpc/react.tsx": CLIENT,
        "src/server/api/root.ts": ROOT,
        "src/server/api/trpc.ts": TRPC,
        ROUTER: chat or router(),
    }
    if page:
        every[COMPONENT] = page
    every |= files or {}
    return {path: data if isinstance(data, bytes) else data.encode() for path, data in every.items()}


def plan(files: dict[str, bytes], hints: AppHints | None = None) -> Outcome:
    """What migration 5 says of an app."""
    return StreamingComponent(hints or AppHints()).plan(AppView.of_files(files))


def migrated(files: dict[str, bytes], path: str = COMPONENT) -> str:
    """A file as the migration leaves it."""
    outcome = plan(files)
    assert isinstance(outcome, Pending), outcome
    after = {change.path: change.after for change in outcome.changes}
    return (after.get(path) or files[path]).decode()


def migrated_body(body: str, **kinds: str) -> str:
    """The component's own code after the migration, without its indentation, imports and JSX."""
    page = component(body, **{key: kinds.pop(key) for key in ("imports", "jsx") if key in kinds})
    return body_of(migrated(app(page=page, chat=router(**kinds))))


def body_of(page: str) -> str:
    """What stands between the component's first line and its JSX, two spaces less indented."""
    inner = page.split("export function Chat() {\n", 1)[1].rsplit("\n  return ", 1)[0]
    return "\n".join(line.removeprefix("  ") for line in inner.split("\n")).strip("\n")
