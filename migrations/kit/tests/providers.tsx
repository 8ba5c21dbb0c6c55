// A page around the components of the tests, as an app's layout has it.

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { httpBatchLink, splitLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import { type ReactNode, useState } from "react";
import superjson from "superjson";

import { relayLink } from "../src/client/relay-link";
import type { ChatRouter } from "./servers";

export const api = createTRPCReact<ChatRouter>();

/** `url` is the tRPC app's. */
export function Providers({
	url,
	children,
}: {
	url: string;
	children: ReactNode;
}) {
	const [queryClient] = useState(() => new QueryClient());
	const [client] = useState(() => {
		const options = { transformer: superjson, url: `${url}/chat` };
		return api.createClient({
			links: [
				splitLink({
					condition: (op) => op.type === "subscription",
					true: relayLink(options),
					false: httpBatchLink(options),
				}),
			],
		});
	});
	return (
		<api.Provider client={client} queryClient={queryClient}>
			<QueryClientProvider client={queryClient}>{children}</QueryClientProvider>
		</api.Provider>
	);
}
