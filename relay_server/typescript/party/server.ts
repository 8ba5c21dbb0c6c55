/**
 * The relay on PartyKit: `npx partykit dev`, `npx partykit deploy`. It only hands
 * the platform's events to relay.ts. Described in PROTOCOL.md of chatops.
 */
import type * as Party from "partykit/server";
import { answerAtTheDoor } from "./http";
import { Relay } from "./relay";

export default class Server implements Party.Server {
  /**
   * Not hibernating: a room that streams would hardly ever sleep, replay and
   * numbering would have to be loaded at each waking, and a hibernating socket
   * that is closed in onConnect stays open for ten seconds.
   */
  readonly options: Party.ServerOptions = { hibernate: false };
  private readonly room: Party.Room;
  private readonly relay: Relay;

  constructor(room: Party.Room) {
    this.room = room;
    this.relay = new Relay("partykit", room.env, room.storage);
  }

  /** Any address that is no room's. */
  static onFetch(
    request: Party.Request,
    { env }: Party.FetchLobby,
  ): Promise<Response | undefined> {
    return answerAtTheDoor(request, "partykit", env);
  }

  static async onBeforeRequest(
    request: Party.Request,
    { env }: Party.Lobby,
  ): Promise<Party.Request | Response> {
    return (await answerAtTheDoor(request, "partykit", env)) ?? request;
  }

  static async onBeforeConnect(
    request: Party.Request,
    { env }: Party.Lobby,
  ): Promise<Party.Request | Response> {
    return (await answerAtTheDoor(request, "partykit", env)) ?? request;
  }

  async onStart(): Promise<void> {
    await this.room.blockConcurrencyWhile(() => this.relay.start());
  }

  onRequest(request: Party.Request): Promise<Response> {
    return this.relay.answer(request);
  }

  async onConnect(
    connection: Party.Connection,
    { request }: Party.ConnectionContext,
  ): Promise<void> {
    await this.relay.subscribe(connection, request);
  }

  async onMessage(
    message: string | ArrayBuffer | ArrayBufferView,
    sender: Party.Connection,
  ): Promise<void> {
    await this.relay.receive(sender, message);
  }

  onClose(connection: Party.Connection): void {
    this.relay.leave(connection);
    try {
      // The platform leaves the closing handshake to us.
      connection.close(1000);
    } catch {
      // The connection was lost, or we closed it ourselves.
    }
  }

  onError(connection: Party.Connection): void {
    this.relay.leave(connection);
  }

  async onAlarm(): Promise<void> {
    await this.relay.tick();
  }
}

Server satisfies Party.Worker;
