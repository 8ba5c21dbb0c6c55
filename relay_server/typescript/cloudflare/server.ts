/**
 * The relay on the team's own Cloudflare account: `npx wrangler dev`,
 * `npx wrangler deploy`. It only hands the platform's events to ../party/relay.ts.
 * Described in PROTOCOL.md of chatops.
 */
import {
  type Connection,
  type ConnectionContext,
  Server,
  type WSMessage,
} from "partyserver";
import { answerAtTheDoor, forMethod, respondError } from "../party/http";
import { Refusal, roomOfPath } from "../party/protocol";
import { Relay } from "../party/relay";

interface Environment {
  /** The rooms; a room's id is the object's name. */
  readonly Main: DurableObjectNamespace<Main>;
}

/** One room. */
export class Main extends Server<Environment> {
  /** Not hibernating, for the reasons given in ../party/server.ts. */
  static override options = { hibernate: false };
  private readonly relay = new Relay("partyserver", this.env, this.ctx.storage);

  override async onStart(): Promise<void> {
    await this.relay.start();
  }

  override onRequest(request: Request): Promise<Response> {
    return this.relay.answer(request);
  }

  override async onConnect(
    connection: Connection,
    { request }: ConnectionContext,
  ): Promise<void> {
    await this.relay.subscribe(connection, request);
  }

  override async onMessage(
    connection: Connection,
    message: WSMessage,
  ): Promise<void> {
    await this.relay.receive(connection, message);
  }

  override onClose(connection: Connection): void {
    this.relay.leave(connection);
  }

  override onError(connection: Connection): void {
    this.relay.leave(connection);
  }

  override async onAlarm(): Promise<void> {
    await this.relay.tick();
  }
}

export default {
  async fetch(request: Request, { Main: rooms, ...variables }: Environment) {
    const refused = await answerAtTheDoor(request, "partyserver", variables);
    if (refused !== undefined) return refused;
    try {
      const url = new URL(request.url);
      const room = rooms.get(rooms.idFromName(roomOfPath(url.pathname)));
      // A client's `_pk` would become the connection's id, which has rules of its own.
      url.searchParams.delete("_pk");
      return await room.fetch(new Request(url, request));
    } catch (error) {
      // The object is being moved, updated or restarted.
      console.error("relay:", error);
      const refusal = new Refusal("unavailable", "the room restarts", {}, 1000);
      return forMethod(request, respondError(refusal));
    }
  },
};
