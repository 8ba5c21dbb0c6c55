"use client";

// The replies that others ask for in a shared room. Written by chatops.
//
//   useRoomReplies(api.chat.sendMessageStream, { room: "lobby", onReply: ({ trackId, text, status }) => ... });

import { type SkipToken, skipToken } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import { FOLLOW, isRecord, toFrame } from "../shared";
import { isOwnReply } from "./relay-link";
import { openRoomSocket } from "./room-socket";
import {
	isStreaming,
	type SubscriptionProcedure,
	textOf,
	type Untracked,
	untracked,
} from "./use-streaming-mutation";

export type RoomReply<TYield> = {
	trackId: string;
	/** What the server's `announce` has told of it. */
	about: unknown;
	/** The text so far. */
	text: string;
	/** The value that came last, text or not. */
	latest?: Untracked<TYield>;
	status: "running" | "complete" | "failed";
};

export type RoomRepliesOptions<TYield> = {
	room: string;
	/** Called whenever a reply of somebody else grows or ends; one reply at a time, each from its beginning. */
	onReply: (reply: RoomReply<TYield>) => void;
	/** The text in a yielded value; by default a string itself, and the `text` of an object. */
	text?: (value: Untracked<TYield>) => string | undefined;
};

type Found = { trackId: string; about: unknown };

export function useRoomReplies<TInput, TYield, TError>(
	subscription: SubscriptionProcedure<TInput, TYield, TError>,
	{ room, onReply, text = textOf }: RoomRepliesOptions<TYield>,
): void {
	const [waiting, setWaiting] = useState<Found[]>([]);
	const found = waiting[0];
	const reading = useRef<RoomReply<TYield> | undefined>(undefined);

	useEffect(() => {
		const address = process.env.NEXT_PUBLIC_RELAY_HOST?.trim();
		if (!address || !isStreaming()) return;
		const known = new Set<string>();
		let isFirstHello = true;
		const socket = openRoomSocket({
			address,
			room,
			onMessage: (message) => {
				if (isRecord(message) && message.kind === "hello") {
					// What was complete before this page came is not told again.
					if (isFirstHello) for (const id of finishedIn(message)) known.add(id);
					isFirstHello = false;
				}
				const frame = toFrame(message);
				if (!frame || known.has(frame.stream) || isOwnReply(frame.stream))
					return;
				known.add(frame.stream);
				const about = frame.kind === "start" ? frame.data : undefined;
				setWaiting((now) => [...now, { trackId: frame.stream, about }]);
			},
		});
		return () => {
			socket.close();
			setWaiting([]);
		};
	}, [room]);

	function tell(change: Partial<RoomReply<TYield>>): void {
		if (!found) return;
		const before =
			reading.current?.trackId === found.trackId
				? reading.current
				: { ...found, text: "", status: "running" as const };
		reading.current = { ...before, ...change };
		onReply(reading.current);
	}

	function next(status: "complete" | "failed"): void {
		tell({ status });
		setWaiting((now) => now.slice(1));
	}

	// The link asks for nothing here: it reads what is in the room.
	const input: TInput | SkipToken = found
		? ({ trackId: found.trackId + FOLLOW } as TInput)
		: skipToken;
	subscription.useSubscription(input, {
		onStarted: () => {
			tell({});
		},
		onData: (yielded) => {
			const latest = untracked(yielded);
			const before = reading.current?.trackId === found?.trackId;
			tell({
				latest,
				text:
					(before ? (reading.current?.text ?? "") : "") + (text(latest) ?? ""),
			});
		},
		onComplete: () => {
			next("complete");
		},
		onError: () => {
			next("failed");
		},
	});
}

function finishedIn({ streams }: Record<string, unknown>): string[] {
	return (Array.isArray(streams) ? streams : []).flatMap((held) =>
		isRecord(held) && held.finished === true && typeof held.stream === "string"
			? [held.stream]
			: [],
	);
}
