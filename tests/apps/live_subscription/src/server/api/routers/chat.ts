import { tracked } from "@trpc/server";
import type { ChatCompletionTool } from "openai/resources/chat/completions";
import { z } from "zod";
import { ai, MODEL } from "~/server/ai/client";
import { createTRPCRouter, publicProcedure } from "~/server/api/trpc";

const lampTool: ChatCompletionTool = {
  type: "function",
  function: {
    name: "set_lamp",
    description: "Switch a lamp of the lighthouse, or dim it",
    parameters: {
      type: "object",
      properties: {
        lamp: { type: "string", enum: ["beacon", "stairs", "kitchen"] },
        brightness: { type: "number", minimum: 0, maximum: 100 },
      },
      required: ["lamp", "brightness"],
    },
  },
};

export const chatRouter = createTRPCRouter({
  sendMessage: publicProcedure
    .input(z.object({ message: z.string() }))
    .mutation(async ({ input }) => {
      const completion = await ai.chat.completions.create({
        model: MODEL,
        messages: [
          {
            role: "system",
            content: `You are Ida Brandt, the last keeper of the lighthouse at Skarv Point.
            Answer in a few short sentences and use no markdown.`,
          },
          { role: "user", content: input.message },
        ],
      });

      return completion.choices[0]?.message.content ?? undefined;
    }),

  sendMessageStream: publicProcedure
    .input(
      z.object({
        trackId: z.string().uuid(),
        message: z.string(),
        history: z.array(
          z.object({
            role: z.enum(["user", "model"]),
            parts: z.array(z.object({ text: z.string() })),
          }),
        ),
      }),
    )
    .subscription(async function* ({ input, signal }) {
      const stream = await ai.chat.completions.create(
        {
          model: MODEL,
          stream: true,
          tools: [lampTool],
          messages: [
            {
              role: "system",
              content: `You are Ida Brandt, the last keeper of the lighthouse at Skarv Point. The harbour below has been empty for years, the mail boat comes once a month, and the lamp has to burn all the same.

  You know the weather, the birds and every wreck along this coast. You keep a log, you mend what the salt has eaten, and you talk to whoever calls on the radio as if they had come up the stairs for coffee.

  Ask your visitors about their day. When they want light, or darkness, use the lamps: the beacon, the one on the stairs, the one in the kitchen (its switch says \`on/off\`, ${MODEL} says "dim"). Answer in a few short sentences and use no markdown.`,
            },
            ...input.history.map((turn) => ({
              role: turn.role === "model" ? ("assistant" as const) : turn.role,
              content: turn.parts.map((part) => part.text).join("\n"),
            })),
            { role: "user", content: input.message },
          ],
        },
        { signal },
      );

      // Tool calls arrive in fragments, which belong together by index.
      const calls = new Map<number, { name: string; json: string }>();

      for await (const chunk of stream) {
        const delta = chunk.choices[0]?.delta;
        for (const part of delta?.tool_calls ?? []) {
          const call = calls.get(part.index) ?? { name: "", json: "" };
          call.name += part.function?.name ?? "";
          call.json += part.function?.arguments ?? "";
          calls.set(part.index, call);
        }
        if (delta?.content) {
          yield tracked(input.trackId, {
            type: "text" as const,
            text: delta.content,
          });
        }
      }

      for (const call of calls.values()) {
        yield tracked(input.trackId, {
          type: "function-call" as const,
          name: call.name,
          parameters: JSON.parse(call.json || "{}") as Record<string, unknown>,
        });
      }
    }),
});
