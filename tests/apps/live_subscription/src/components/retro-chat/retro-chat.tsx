"use client";

import { useEffect, useRef, useState } from "react";
import { dispatchLightEvent } from "~/lib/light-events";
import { api } from "~/trpc/react";

export const RetroChat = () => {
  const [message, setMessage] = useState("");
  const [isLoading, setIsLoading] = useState(false);
  const listRef = useRef<HTMLDivElement>(null);
  const typingRef = useRef<number | null>(null);

  const [messages, setMessages] = useState<string[]>([]);

  const [history, setHistory] = useState<
    {
      role: "user" | "model";
      parts: { text: string }[];
    }[]
  >([]);

  const [query, setQuery] = useState<{
    message: string;
    trackId: string | null;
  }>({
    message: "",
    trackId: null,
  });

  useEffect(() => {
    const list = listRef.current;
    if (list && history.length > 0) list.scrollTop = list.scrollHeight;
  }, [history]);

  useEffect(() => {
    return () => {
      if (typingRef.current !== null) window.clearInterval(typingRef.current);
    };
  }, []);

  const sendMessage = api.chat.sendMessage.useMutation({
    onMutate: () => {
      setIsLoading(true);
    },
    onSuccess: (response) => {
      const answer = response ?? "...";
      setHistory((prev) => [
        ...prev,
        { role: "user" as const, parts: [{ text: message }] },
        { role: "model" as const, parts: [{ text: "" }] },
      ]);

      // Type the answer out as if it were arriving just now
      let typed = 0;
      if (typingRef.current !== null) window.clearInterval(typingRef.current);
      typingRef.current = window.setInterval(() => {
        typed = Math.min(answer.length, typed + 3);
        setHistory((prev) => [
          ...prev.slice(0, -1),
          { role: "model" as const, parts: [{ text: answer.slice(0, typed) }] },
        ]);
        if (typed >= answer.length && typingRef.current !== null) {
          window.clearInterval(typingRef.current);
          typingRef.current = null;
        }
      }, 30);
    },
    onSettled: () => {
      setIsLoading(false);
      setMessage("");
    },
  });

  return (
    <div className="flex h-full w-full flex-col border-2 border-green-700 bg-green-950/70 font-mono text-green-500">
      <div
        className="flex-1 overflow-y-auto scroll-smooth p-4"
        ref={listRef}
        role="log"
      >
        {history.map((turn, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: turns are only ever appended
          <p className="mb-2 whitespace-pre-wrap" key={index}>
            {turn.role}: {turn.parts[0]?.text}
          </p>
        ))}
        <p className="whitespace-pre-wrap">
          {messages.length > 0 && "model: "}
          {messages}
        </p>
      </div>

      <form
        className="flex h-16 gap-2 border-t-2 border-green-700"
        onSubmit={(e) => {
          e.preventDefault();
          sendMessage.mutate({ message });
        }}
      >
        <input
          className="h-full w-full bg-transparent px-3 outline-none"
          disabled={isLoading}
          onChange={(e) => setMessage(e.target.value)}
          placeholder={isLoading ? "Please wait..." : "Message..."}
          type="text"
          value={message}
        />
        <button
          className="bg-green-700 px-4 text-white disabled:opacity-50"
          disabled={isLoading}
          type="submit"
        >
          Send
        </button>
      </form>
    </div>
  );
};
