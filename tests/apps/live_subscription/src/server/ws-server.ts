import { applyWSSHandler } from "@trpc/server/adapters/ws";
import { WebSocketServer } from "ws";
import { appRouter } from "~/server/api/root";
import { createTRPCContext } from "~/server/api/trpc";

const wss = new WebSocketServer({ port: 3001 });

const handler = applyWSSHandler({
  wss,
  router: appRouter,
  createContext: ({ req }) =>
    createTRPCContext({ headers: new Headers(req.headers as HeadersInit) }),
  keepAlive: {
    enabled: true,
    pingMs: 30000,
    pongWaitMs: 5000,
  },
});

wss.on("connection", (ws) => {
  console.log(`+ connection (${wss.clients.size})`);
  ws.once("close", () => {
    console.log(`- connection (${wss.clients.size})`);
  });
});

console.log("WebSocket server on ws://localhost:3001");

process.on("SIGTERM", () => {
  handler.broadcastReconnectNotification();
  wss.close();
});
