/**
 * One room of the relay around its socket, storage and clock: what the PartyKit
 * and the Cloudflare server share. It knows neither platform, only the few of
 * their methods that are declared here. Described in PROTOCOL.md of chatops.
 */
import {
  forMethod,
  type RelayRequest,
  readBody,
  respond,
  respondError,
  Secret,
  type ServerName,
  type Settings,
  settingsFrom,
} from "./http";
import {
  bodyTooLarge,
  byteLength,
  decodeCursors,
  decodeMessage,
  decodePublish,
  encodeHello,
  encodeLost,
  encodePublished,
  encodeRefused,
  encodeStopping,
  type Frame,
  MAX_BAD_MESSAGES,
  PONG,
  PROTOCOL_VERSION,
  Refusal,
  roomOfPath,
} from "./protocol";
import { type Changes, Room } from "./room";
import { type Storage, Store } from "./store";

/** Durable Object storage with its alarm. */
export interface RelayStorage extends Storage {
  getAlarm(): Promise<number | null>;
  setAlarm(at: number): Promise<void>;
  deleteAlarm(): Promise<void>;
}

/** A WebSocket that was accepted. */
export interface Connection {
  send(text: string): void;
  close(code: number, reason: string): void;
}

interface Subscriber {
  badMessages: number;
  /** Cursors beyond what the room had; almost always empty. */
  readonly ahead: Map<string, number>;
}

/** A room with what is kept of it. */
interface Loaded {
  readonly room: Room;
  readonly store: Store;
}

export class Relay {
  private readonly storage: RelayStorage;
  private readonly settings: Settings;
  private readonly secret: Secret;
  /**
   * The platforms keep such a map too, but by the client's own id: when a client
   * is back before its old connection is gone, theirs loses the new one.
   */
  private readonly subscribers = new Map<Connection, Subscriber>();
  private loading: Promise<Loaded> | undefined;
  private alarmAt: number | null = null;

  constructor(server: ServerName, environment: object, storage: RelayStorage) {
    this.settings = settingsFrom(server, environment);
    this.secret = new Secret(this.settings.secret);
    this.storage = storage;
  }

  /** Load the room before anything else comes. A failure is met again, and answered, by what comes. */
  async start(): Promise<void> {
    await this.loaded().catch(() => undefined);
  }

  /** Publish (POST) and look (GET, HEAD). */
  async answer(request: RelayRequest): Promise<Response> {
    try {
      const id = roomOfPath(new URL(request.url).pathname);
      const body =
        request.method === "POST"
          ? await this.publish(request)
          : await this.look(id);
      return forMethod(request, respond(200, body));
    } catch (error) {
      return forMethod(request, respondError(error));
    }
  }

  /** Hello, what is lost, the replay; from then on everything live. */
  async subscribe(
    connection: Connection,
    request: { readonly url: string },
  ): Promise<void> {
    try {
      const { pathname, searchParams } = new URL(request.url);
      const id = roomOfPath(pathname);
      const cursors = decodeCursors(searchParams);
      const { room } = await this.loaded();
      const { streams, lost, replay, ahead } = room.subscribe(cursors);
      const { server, build } = this.settings;
      // No await from here on: nothing live comes between.
      connection.send(encodeHello({ server, build, room: id, streams }));
      for (const loss of lost) connection.send(encodeLost(loss));
      for (const frame of replay) connection.send(frame.text);
      this.subscribers.set(connection, { badMessages: 0, ahead });
    } catch (error) {
      if (error instanceof Refusal && error.code !== "unavailable") {
        this.drop(connection, 1008, error.code);
      } else {
        console.error("relay:", error);
        this.drop(connection, 1011, "the relay failed");
      }
    }
  }

  /** What a subscriber sent: stop or ping. */
  async receive(connection: Connection, message: unknown): Promise<void> {
    const subscriber = this.subscribers.get(connection);
    if (subscriber === undefined) return;
    if (typeof message !== "string") {
      this.drop(connection, 1003, "binary messages are not taken");
      return;
    }
    if (byteLength(message) > this.settings.limits.maxMessageBytes) {
      this.drop(connection, 1009, "the message is too large");
      return;
    }
    try {
      const asked = decodeMessage(message);
      if (asked.kind === "stop") await this.stop(asked.stream);
      const answer =
        asked.kind === "stop" ? encodeStopping(asked.stream) : PONG;
      this.send(connection, answer);
    } catch (error) {
      if (!(error instanceof Refusal)) {
        console.error("relay:", error);
        this.drop(connection, 1011, "the relay failed");
        return;
      }
      this.send(connection, encodeRefused(error));
      if (error.code === "bad_message") subscriber.badMessages += 1;
      if (subscriber.badMessages >= MAX_BAD_MESSAGES) {
        this.drop(connection, 1008, "too many bad messages");
      }
    }
  }

  /** A connection is gone. */
  leave(connection: Connection): void {
    this.subscribers.delete(connection);
  }

  /** The alarm went off. What is thrown makes the platform try again. */
  async tick(): Promise<void> {
    const loaded = await this.loaded();
    this.alarmAt = null;
    await this.keep(loaded, loaded.room.tick(Date.now()));
    // Loading set one, if the alarm met a new instance.
    if (loaded.room.isEmpty) await this.storage.deleteAlarm();
  }

  private async publish(request: RelayRequest): Promise<string> {
    const { limits } = this.settings;
    const body = await readBody(request, limits.maxBodyBytes);
    await this.secret.check(request);
    if (body === undefined) throw bodyTooLarge(limits);
    const frames = decodePublish(body, limits);
    const loaded = await this.loaded();
    const published = loaded.room.publish(frames, Date.now());
    await Promise.all([
      this.orStartOver(loaded.store.heard()),
      this.keep(loaded, published),
    ]);
    return encodePublished(published.next, published.stop);
  }

  private async look(id: string): Promise<string> {
    const { room } = await this.loaded();
    return JSON.stringify({
      room: id,
      protocol: PROTOCOL_VERSION,
      subscribers: this.subscribers.size,
      frames: room.frames,
      bytes: room.bytes,
      streams: room.states(),
    });
  }

  private async stop(stream: string): Promise<void> {
    const { room, store } = await this.loaded();
    if (!room.stop(stream)) return;
    await this.orStartOver(store.writeStop(room, stream));
  }

  /**
   * Store, then send. The sends do not wait for the disk, but the platform holds
   * back all that a Durable Object says, these frames and the answer to the
   * publisher alike, until what was written before is safe (its output gate).
   */
  private async keep({ room, store }: Loaded, changes: Changes): Promise<void> {
    const written = store.write(room, changes);
    this.broadcast(changes.appended);
    await this.orStartOver(Promise.all([written, this.schedule(room)]));
  }

  private broadcast(frames: readonly Frame[]): void {
    if (frames.length === 0) return;
    for (const [connection, { ahead }] of this.subscribers) {
      for (const frame of frames) {
        if (ahead.size > 0 && isBelow(frame, ahead)) continue;
        if (!this.send(connection, frame.text)) break;
      }
    }
  }

  /** Set the alarm for the room's deadline, unless one is set that comes no later. */
  private async schedule(room: Room): Promise<void> {
    const deadline = room.deadline();
    if (deadline === null) return;
    if (this.alarmAt !== null && this.alarmAt <= deadline) return;
    this.alarmAt = deadline;
    await this.storage.setAlarm(deadline);
  }

  private loaded(): Promise<Loaded> {
    this.loading ??= this.load().catch((error: unknown) => {
      this.loading = undefined;
      console.error("relay: the room cannot be loaded:", error);
      throw new Refusal("unavailable", "the room cannot be loaded", {}, 1000);
    });
    return this.loading;
  }

  private async load(): Promise<Loaded> {
    const { limits } = this.settings;
    const store = new Store(this.storage);
    const { streams, seen } = await store.load(Date.now(), limits.idleMs);
    const room = new Room(limits, streams, seen);
    this.alarmAt = await this.storage.getAlarm();
    await this.schedule(room);
    return { room, store };
  }

  /**
   * When a write fails, memory holds what storage does not. Go back to what is
   * stored: everybody comes again and resumes, the publisher repeats.
   */
  private async orStartOver(written: Promise<unknown>): Promise<void> {
    try {
      await written;
    } catch (error) {
      console.error("relay: storage failed:", error);
      this.loading = undefined;
      for (const connection of [...this.subscribers.keys()]) {
        this.drop(connection, 1001, "the relay starts over");
      }
      throw new Refusal("unavailable", "the relay starts over", {}, 1000);
    }
  }

  /** False: the connection is gone. */
  private send(connection: Connection, text: string): boolean {
    try {
      connection.send(text);
      return true;
    } catch {
      this.drop(connection, 1011, "the connection failed");
      return false;
    }
  }

  private drop(connection: Connection, code: number, reason: string): void {
    this.subscribers.delete(connection);
    try {
      connection.close(code, reason);
    } catch {
      // It was closed already.
    }
  }
}

/** Whether a frame lies below a cursor; one that has been reached is done with. */
function isBelow(frame: Frame, ahead: Map<string, number>): boolean {
  const cursor = ahead.get(frame.stream);
  if (cursor === undefined) return false;
  if (frame.seq < cursor) return true;
  ahead.delete(frame.stream);
  return false;
}
