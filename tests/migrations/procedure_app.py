"""A small app with a chat router, in every format, and the ways in which people comment a procedure out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from migrations.engine import AppView
from tests.migrations.engine.apps import DEFAULT, Format

if TYPE_CHECKING:
    from collections.abc import Mapping

ROUTER = "src/server/api/routers/chat.ts"
ROUTE = "src/app/api/trpc/[trpc]/route.ts"
INDENT = "  "

PACKAGE = {
    "name": "app",
    "dependencies": {"@trpc/server": "^11.0.0", "@trpc/client": "^11.0.0", "openai": "^6.0.0", "zod": "^3.24.2"},
}
TSCONFIG = {"compilerOptions": {"strict": True, "baseUrl": ".", "paths": {"~/*": ["./src/*"]}}}
TRPC = """\
import { initTRPC } from "@trpc/server";
import superjson from "superjson";

const t = initTRPC.context<{ headers: Headers }>().create({
  transformer: superjson,
});

export const createTRPCRouter = t.router;
export const publicProcedure = t.procedure;
"""
ROOT = """\
import { chatRouter } from "~/server/api/routers/chat";
import { createTRPCRouter } from "~/server/api/trpc";

export const appRouter = createTRPCRouter({
  chat: chatRouter,
});

export type AppRouter = typeof appRouter;
"""
ROUTE_TEXT = """\
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { appRouter } from "~/server/api/root";

const handler = (req: Request) =>
  fetchRequestHandler({
    endpoint: "/api/trpc",
    req,
    router: appRouter,
    createContext: () => ({ headers: req.headers }),
  });

export { handler as GET, handler as POST };
"""
PAGE = """\
"use client";

import { api } from "~/trpc/react";

export const Chat = () => {
  const send = api.chat.sendMessage.useMutation();
  return <button onClick={() => send.mutate({ message: "hi" })}>Send</button>;
};
"""
AI = """\
import OpenAI from "openai";

export const ai = new OpenAI();
"""
IMPORTS = """\
import { tracked } from "@trpc/server";
import { z } from "zod";
import { ai } from "~/server/ai";
import { createTRPCRouter, publicProcedure } from "~/server/api/trpc";
"""
MUTATION = """\
  sendMessage: publicProcedure
    .input(z.object({ message: z.string() }))
    .mutation(async ({ input }) => {
      const answer = await ai.chat.completions.create({
        model: "gpt-5-mini",
        messages: [{ role: "user", content: input.message }],
      });
      return answer.choices[0]?.message.content ?? undefined;
    }),
"""
STREAM = """\
  sendMessageStream: publicProcedure
    .input(
      z.object({
        trackId: z.string().uuid(),
        message: z.string(),
      }),
    )
    .subscription(async function* ({ input, signal }) {
      const stream = await ai.chat.completions.create(
        {
          model: "gpt-5-mini",
          stream: true,
          messages: [
            {
              role: "system",
              content: `You are the keeper.

              You know the // birds.

              Be short.`,
            },
            { role: "user", content: input.message },
          ],
        },
        { signal },
      );

      // One piece after the other.
      for await (const chunk of stream) {
        const text = chunk.choices[0]?.delta.content;
        if (text) yield tracked(input.trackId, text);
      }
    }),
"""
WRAPPED = """\
  sendMessageStream: publicProcedure
    .input(
      z.object({
        trackId: z.string(),
        message: z.string(),
      }),
    )
    .subscription(
      throughRelay(
        async function* ({ input, signal }) {
          const stream = await ai.chat.completions.create(
            {
              model: "gpt-5-mini",
              stream: true,
              messages: [
                {
                  role: "system",
                  content: `You are the keeper.

              You know the // birds.

              Be short.`,
                },
                { role: "user", content: input.message },
              ],
            },
            { signal },
          );

          // One piece after the other.
          for await (const chunk of stream) {
            const text = chunk.choices[0]?.delta.content;
            if (text) yield tracked(input.trackId, text);
          }
        },
        { transformer: superjson },
      ),
    ),
"""
WRAPPED_IMPORTS = """\
import { tracked } from "@trpc/server";
import superjson from "superjson";
import { z } from "zod";
import { throughRelay } from "~/relay-kit/server/through-relay";
import { ai } from "~/server/ai";
import { createTRPCRouter, publicProcedure } from "~/server/api/trpc";
"""


def router(*members: str, imports: str = IMPORTS) -> str:
    """The chat's router file."""
    body = "\n".join(members)
    return f"{imports}\nexport const chatRouter = createTRPCRouter({{\n{body}}});\n"


def app(
    chat: str | bytes = "", form: Format = DEFAULT, others: Mapping[str, str | bytes | None] | None = None
) -> dict[str, bytes]:
    """The app's files. `chat` is the router file, canonical as text or exact as bytes; None leaves a file out."""
    files: dict[str, str | bytes | None] = {
        "package.json": json.dumps(PACKAGE).encode(),
        "tsconfig.json": json.dumps(TSCONFIG).encode(),
        "src/server/api/trpc.ts": TRPC,
        "src/server/api/root.ts": ROOT,
        "src/server/ai.ts": AI,
        ROUTE: ROUTE_TEXT,
        "src/app/chat.tsx": PAGE,
        ROUTER: chat or router(MUTATION, commented(STREAM)),
        **(others or {}),
    }
    return {
        path: data if isinstance(data, bytes) else form.write(data) for path, data in files.items() if data is not None
    }


def view(
    chat: str | bytes = "", form: Format = DEFAULT, others: Mapping[str, str | bytes | None] | None = None
) -> AppView:
    return AppView.of_files(app(chat, form, others))


def commented_router(form: Format, way: str = "vscode") -> bytes:
    """The router file in a format, with its last member commented out."""
    lines = form.write(router(MUTATION, STREAM)).decode().splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if "sendMessageStream" in line)
    return "".join([*lines[:first], commented("".join(lines[first:-1]), way), lines[-1]]).encode()


def commented(text: str, way: str = "vscode") -> str:
    """Whole lines commented out.

    vscode: marks with a space at the leftmost column of the code, empty lines left alone. marks: empty lines get a
    mark too. jetbrains: marks at the beginning of the lines, no space. formatted: as jetbrains, then moved by a
    formatter to where the code stands. own: each mark at its line's own indentation.
    """
    lines = text.splitlines(keepends=True)
    full = [line for line in lines if line.strip()]
    left = min(len(line) - len(line.lstrip(" \t")) for line in full)
    first = lines[0][: len(lines[0]) - len(lines[0].lstrip(" \t"))]

    def mark(line: str) -> str:
        if not line.strip():
            end = line[len(line.rstrip("\r\n")) :]
            return line if way == "vscode" else (first if way in ("marks", "formatted") else "") + "//" + end
        if way == "jetbrains":
            return "//" + line
        if way == "formatted":
            return first + "//" + line
        at = len(line) - len(line.lstrip(" \t")) if way == "own" else left
        return f"{line[:at]}// {line[at:]}"

    return "".join(map(mark, lines))
