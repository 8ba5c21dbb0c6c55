"use client";

// What the app's own chat has no use for, on a page that the tests add to it: a room by name (`?room=`) that several
// windows share, a reply that a reload takes up again, and a stop button.

import { useState } from "react";
import { useLiveState } from "~/relay-kit/client/live-state";
import {
  type RoomReply,
  useRoomReplies,
} from "~/relay-kit/client/use-room-replies";
import { useStreamingMutation } from "~/relay-kit/client/use-streaming-mutation";
import { api } from "~/trpc/react";

type Turn = { role: "user" | "model"; parts: { text: string }[] };

export default function Lab() {
  const [room] = useState(() =>
    typeof window === "undefined"
      ? "lab"
      : (new URLSearchParams(window.location.search).get("room") ?? "lab"),
  );
  const [history, setHistory] = useLiveState<Turn[]>([]);
  const [others, setOthers] = useState<RoomReply<unknown>[]>([]);

  const sendMessage = useStreamingMutation(
    api.chat.sendMessage,
    api.chat.sendMessageStream,
    {
      input: ({ message }, trackId) => ({ message, trackId, history }),
      result: (text) => text,
      live: true,
      resume: true,
      room,
      onSuccess: (response, { message }) => {
        setHistory((turns) => [
          ...turns,
          { role: "user", parts: [{ text: message }] },
          { role: "model", parts: [{ text: response ?? "" }] },
        ]);
      },
    },
  );

  useRoomReplies(api.chat.sendMessageStream, {
    room,
    onReply: (reply) => {
      setOthers((known) => [
        ...known.filter(({ trackId }) => trackId !== reply.trackId),
        reply,
      ]);
    },
  });

  return (
    <main className="p-8 font-mono">
      <div role="log">
        {history.map((turn, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: turns are only ever appended
          <p className="whitespace-pre-wrap" key={index}>
            {turn.role}: {turn.parts[0]?.text}
          </p>
        ))}
      </div>
      <div aria-label="others" role="feed">
        {others.map(({ trackId, text, status }) => (
          <p className="whitespace-pre-wrap" data-status={status} key={trackId}>
            model: {text}
          </p>
        ))}
      </div>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const message = new FormData(event.currentTarget).get("message");
          if (typeof message === "string") sendMessage.mutate({ message });
        }}
      >
        <input name="message" placeholder="Message..." />
        <button disabled={sendMessage.isPending} type="submit">
          Send
        </button>
      </form>
      <button onClick={sendMessage.stop} type="button">
        Stop
      </button>
      <output>{sendMessage.error?.message ?? sendMessage.status}</output>
    </main>
  );
}
