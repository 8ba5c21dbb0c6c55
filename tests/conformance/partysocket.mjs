// A client made of the partysocket package alone, on the WebSocket that Node brings: what a page of the app uses.
//
//   node partysocket.mjs '{"packages": <folder with node_modules>, "host": "127.0.0.1:1999", "room": "lobby"}'
//
// Every event becomes a line of JSON on stdout; every line on stdin is sent as a message. It ends when stdin does.
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { packages, host, room } = JSON.parse(process.argv[2]);
const entry = join(packages, "node_modules", "partysocket", "dist", "index.js");
const { PartySocket } = await import(pathToFileURL(entry).href);

// The number of the next frame of each stream: what a reconnecting client asks for.
const next = new Map();
const cursors = () => Array.from(next, ([stream, seq]) => `${stream}:${seq}`).join(",");

const socket = new PartySocket({
  host,
  room,
  party: "main",
  query: () => (next.size > 0 ? { from: cursors() } : {}),
  minReconnectionDelay: 20,
  maxReconnectionDelay: 200,
});

const report = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

socket.addEventListener("open", () => report({ event: "open" }));
socket.addEventListener("close", ({ code }) => report({ event: "close", code }));
socket.addEventListener("message", ({ data }) => {
  const message = JSON.parse(data);
  if (Number.isInteger(message.seq)) next.set(message.stream, message.seq + 1);
  report({ event: "message", message });
});

createInterface({ input: process.stdin })
  .on("line", (line) => socket.send(line))
  .on("close", () => {
    socket.close();
    process.exit();
  });
