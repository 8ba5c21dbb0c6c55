import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { type Connection, Relay } from "../party/relay";
import { MemoryStorage } from "./memory";

const ENVIRONMENT = {
  RELAY_SECRET: "secret",
  RELAY_IDLE_SECONDS: "60",
  RELAY_GRACE_SECONDS: 300,
};
const ROOM = "http://relay.test/parties/main/lobby";

class FakeConnection implements Connection {
  readonly sent: unknown[] = [];
  closed: number | undefined;
  broken = false;

  send(text: string): void {
    if (this.broken) throw new Error("gone");
    this.sent.push(JSON.parse(text));
  }

  close(code: number): void {
    this.closed = code;
  }
}

function relayOn(storage: MemoryStorage): Relay {
  return new Relay("partykit", ENVIRONMENT, storage);
}

function publish(relay: Relay, ...frames: object[]): Promise<Response> {
  const request = new Request(ROOM, {
    method: "POST",
    headers: { Authorization: "Bearer secret" },
    body: JSON.stringify({ frames }),
  });
  return relay.answer(request);
}

function frame(seq: number, kind = "data", stream = "s"): object {
  return { stream, seq, kind };
}

async function subscribed(relay: Relay, query = ""): Promise<FakeConnection> {
  const connection = new FakeConnection();
  await relay.subscribe(connection, { url: ROOM + query });
  return connection;
}

/** The alarm goes off when it is due, in this instance or, after an eviction, in a new one. */
async function alarm(relay: Relay, storage: MemoryStorage): Promise<void> {
  vi.setSystemTime(storage.alarm ?? NaN);
  storage.alarm = null;
  await relay.tick();
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000, toFake: ["Date"] });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("alarm", () => {
  test("is set once while a stream runs, and again after it went off", async () => {
    const storage = new MemoryStorage();
    const relay = relayOn(storage);
    for (let seq = 0; seq < 30; seq++) {
      vi.setSystemTime(1_000_000 + seq * 1000);
      await publish(relay, frame(seq));
    }
    expect(storage.alarmsSet).toBe(1);
    await alarm(relay, storage);
    expect(storage.alarm).toBe(1_000_000 + 29_000 + 60_000);
  });

  test("is brought forward by an earlier deadline", async () => {
    const storage = new MemoryStorage();
    const relay = relayOn(storage);
    await publish(relay, frame(0, "end"));
    expect(storage.alarm).toBe(1_300_000);
    await publish(relay, frame(0, "start", "t"));
    expect(storage.alarm).toBe(1_060_000);
  });

  test("ends a dead stream although every alarm meets a new instance", async () => {
    const storage = new MemoryStorage();
    await publish(relayOn(storage), frame(0));
    await alarm(relayOn(storage), storage);
    expect(storage.alarm).toBe(1_120_000);
    await alarm(relayOn(storage), storage);
    const connection = await subscribed(relayOn(storage));
    expect(connection.sent.at(-1)).toMatchObject({ seq: 1, kind: "error" });
    await alarm(relayOn(storage), storage);
    expect(storage.entries.size).toBe(0);
    expect(storage.alarm).toBeNull();
  });

  test("does not end a stream for the time that the relay was down", async () => {
    const storage = new MemoryStorage();
    await publish(relayOn(storage), frame(0));
    await relayOn(storage).start();
    vi.setSystemTime(1_500_000);
    const relay = relayOn(storage);
    await relay.tick();
    const connection = await subscribed(relay);
    expect(connection.sent).toHaveLength(2);
    await publish(relay, frame(1));
    expect(connection.sent).toHaveLength(3);
  });

  test("counts anew once a publisher was heard", async () => {
    const storage = new MemoryStorage();
    await publish(relayOn(storage), frame(0));
    await relayOn(storage).start();
    vi.setSystemTime(1_050_000);
    await publish(relayOn(storage), frame(0));
    vi.setSystemTime(1_061_000);
    const relay = relayOn(storage);
    await relay.tick();
    expect((await subscribed(relay)).sent).toHaveLength(2);
  });
});

test("a look leaves nothing behind, not even what the platform wrote", async () => {
  const storage = new MemoryStorage();
  storage.entries.set("__ps_name", "lobby");
  const response = await relayOn(storage).answer(new Request(ROOM));
  expect(response.status).toBe(200);
  expect(storage.entries.size).toBe(0);
  expect(storage.alarm).toBeNull();
});

describe("when the storage fails", () => {
  beforeEach(() => {
    vi.spyOn(console, "error").mockReturnValue();
  });

  test("a publish is not acknowledged, and everybody starts from what is stored", async () => {
    const storage = new MemoryStorage();
    const relay = relayOn(storage);
    await publish(relay, frame(0));
    const connection = await subscribed(relay);
    storage.failure = new Error("disk full: /secret/path");
    const refused = await publish(relay, frame(1));
    expect(refused.status).toBe(503);
    expect(refused.headers.get("Retry-After")).toBe("1");
    expect(await refused.text()).not.toContain("disk");
    expect(connection.closed).toBe(1001);
    storage.failure = undefined;
    const taken = await publish(relay, frame(1));
    expect(await taken.json()).toStrictEqual({ next: { s: 2 }, stop: [] });
    const again = await subscribed(relay);
    expect(again.sent).toHaveLength(3);
  });

  test("a stop is not acknowledged", async () => {
    const storage = new MemoryStorage();
    const relay = relayOn(storage);
    await publish(relay, frame(0));
    const connection = await subscribed(relay);
    storage.failure = new Error("disk full");
    await relay.receive(connection, '{"kind":"stop","stream":"s"}');
    expect(connection.sent).not.toContainEqual({
      kind: "stopping",
      stream: "s",
    });
    expect(connection.closed).toBe(1001);
    storage.failure = undefined;
    const answer = await publish(relay, frame(0));
    expect(await answer.json()).toStrictEqual({ next: { s: 1 }, stop: [] });
  });

  test("a room that cannot be loaded is answered for, and loaded when it can be", async () => {
    const storage = new MemoryStorage();
    const relay = relayOn(storage);
    const list = vi.spyOn(storage, "list");
    list.mockRejectedValue(new Error("no disk: /secret/path"));
    await relay.start();
    const response = await relay.answer(new Request(ROOM));
    expect(response.status).toBe(503);
    expect(await response.json()).toStrictEqual({
      error: { code: "unavailable", message: "the room cannot be loaded" },
    });
    expect((await subscribed(relay)).closed).toBe(1011);
    list.mockRestore();
    expect((await publish(relay, frame(0))).status).toBe(200);
  });
});

test("a cursor ahead of a stream holds, and only on its connection", async () => {
  const relay = relayOn(new MemoryStorage());
  const ahead = await subscribed(relay, "?from=s:2");
  const other = await subscribed(relay);
  await publish(relay, frame(0), frame(1), frame(0, "data", "t"), frame(2));
  expect(ahead.sent.slice(2)).toStrictEqual([frame(0, "data", "t"), frame(2)]);
  expect(other.sent).toHaveLength(5);
});

test("a connection that breaks does not keep the others from a frame", async () => {
  const relay = relayOn(new MemoryStorage());
  const broken = await subscribed(relay);
  const whole = await subscribed(relay);
  broken.broken = true;
  await publish(relay, frame(0), frame(1));
  expect(whole.sent).toHaveLength(3);
  const look = await relay.answer(new Request(ROOM));
  expect(await look.json()).toMatchObject({ subscribers: 1 });
});

test("settings out of range count as unset", async () => {
  const environment = {
    RELAY_SECRET: "  secret\n",
    RELAY_MAX_BATCH_FRAMES: "2",
    RELAY_MAX_FRAME_BYTES: "many",
    RELAY_MAX_BODY_BYTES: "-1",
    RELAY_IDLE_SECONDS: "0.5",
  };
  const storage = new MemoryStorage();
  const relay = new Relay("partykit", environment, storage);
  expect((await publish(relay, frame(0), frame(1))).status).toBe(200);
  expect((await publish(relay, frame(2), frame(3), frame(4))).status).toBe(413);
  expect(storage.alarm).toBe(1_000_500);
});
