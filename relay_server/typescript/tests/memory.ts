/**
 * Durable Object storage in memory, with the platform's bounds. The real one is
 * what the servers run on in the conformance tests.
 */
import type { RelayStorage } from "../party/relay";

const MAX_KEYS = 128;
const MAX_VALUE_BYTES = 128 * 1024;

export class MemoryStorage implements RelayStorage {
  entries = new Map<string, unknown>();
  alarm: number | null = null;
  alarmsSet = 0;
  writes = 0;
  /** Set to make the writes that follow fail. */
  failure: Error | undefined;

  list(): Promise<Map<string, unknown>> {
    const byKey = [...this.entries].sort(([a], [b]) => (a < b ? -1 : 1));
    return Promise.resolve(new Map(structuredClone(byKey)));
  }

  put(entries: Record<string, unknown>): Promise<void> {
    return this.write(() => {
      const pairs = Object.entries(entries);
      if (pairs.length > MAX_KEYS) throw new Error("too many keys");
      for (const [key, value] of pairs) {
        if (value === undefined) throw new Error(`${key} is undefined`);
        const size =
          value instanceof Uint8Array
            ? value.buffer.byteLength
            : JSON.stringify(value).length;
        if (size > MAX_VALUE_BYTES) throw new Error(`${key} is too large`);
        this.entries.set(key, structuredClone(value));
      }
    });
  }

  delete(keys: string[]): Promise<number> {
    return this.write(() => {
      if (keys.length > MAX_KEYS) throw new Error("too many keys");
      return keys.filter((key) => this.entries.delete(key)).length;
    });
  }

  deleteAll(): Promise<void> {
    return this.write(() => {
      this.entries.clear();
    });
  }

  getAlarm(): Promise<number | null> {
    return Promise.resolve(this.alarm);
  }

  setAlarm(at: number): Promise<void> {
    return this.write(() => {
      this.alarm = at;
      this.alarmsSet += 1;
    });
  }

  deleteAlarm(): Promise<void> {
    return this.write(() => {
      this.alarm = null;
    });
  }

  private write<T>(change: () => T): Promise<T> {
    this.writes += 1;
    return this.failure === undefined
      ? new Promise((resolve) => {
          resolve(change());
        })
      : Promise.reject(this.failure);
  }
}
