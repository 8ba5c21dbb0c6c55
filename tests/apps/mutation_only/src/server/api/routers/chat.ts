import { z } from "zod";
import { ai, MODEL } from "~/server/ai/client";
import { createTRPCRouter, publicProcedure } from "~/server/api/trpc";

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
});
