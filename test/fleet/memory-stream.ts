/**
 * A FleetConnection to one stream in memory: what a test publishes, a reading is handed in order; a break is one word.
 *
 * It keeps the promises of connection.ts and no others. Read next: fleet-feed.test.ts, publisher.test.ts.
 */
import {
  type ConnectionState,
  type FleetConnection,
  FleetError,
  type ReadMessage,
  type StoredMessage,
} from "../../agent/fleet/io/connection.ts";

export type MemoryStream = {
  readonly connection: FleetConnection;
  /** All that is stored, oldest first. */
  messages(): readonly StoredMessage[];
  /** Puts a message in, as somebody else would. */
  put(
    subject: string,
    body: Uint8Array | string,
    headers?: Readonly<Record<string, string>>,
  ): number;
  /** Ends all readings and every request until mend(). */
  cut(): void;
  mend(): void;
  /** The stream is deleted and made again, empty. */
  recreate(): void;
  /** Removes everything up to this sequence. */
  purge(upTo: number): void;
  /** So many readings from now on are of a server that has nothing above this sequence. */
  lag(readings: number, upTo: number): void;
  /** Consumers' names and first sequences of all readings so far. */
  readonly readings: readonly string[];
};

export function memoryStream(maxPayload = 1024 * 1024): MemoryStream {
  let stored: StoredMessage[] = [];
  let last = 0;
  let created = 1;
  let wakes = new Set<() => void>();
  const readings: string[] = [];
  let state: ConnectionState = { connected: true, sinceMillis: 0, reason: "memory" };
  const listeners = new Set<(state: ConnectionState) => void>();
  let behind = 0;
  let behindUpTo = 0;
  /** Counts the breaks: a reading of another age is over. */
  let age = 0;

  const wake = (): void => {
    const all = wakes;
    wakes = new Set();
    for (const one of all) one();
  };
  const become = (connected: boolean, reason: string): void => {
    state = { connected, sinceMillis: 0, reason };
    for (const listener of listeners) listener(state);
  };
  const demand = (): void => {
    if (!state.connected) throw new FleetError("FLEET_NOT_CONNECTED", state.reason);
  };
  const put = (
    subject: string,
    body: Uint8Array | string,
    headers: Readonly<Record<string, string>> = {},
  ): number => {
    last += 1;
    const octets = typeof body === "string" ? new TextEncoder().encode(body) : body;
    stored.push({ subject, headers, body: octets, sequence: last });
    wake();
    return last;
  };
  const unused = (): never => {
    throw new Error("not a part of this stream");
  };

  const connection: FleetConnection = {
    state: () => state,
    onState: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    connected: (signal) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (signal?.aborted === true) reject(new FleetError("FLEET_NOT_CONNECTED", "stopped"));
          else if (state.connected) resolve();
          else wakes.add(look);
        };
        signal?.addEventListener("abort", look, { once: true });
        look();
      }),
    maxPayload: () => maxPayload,
    async publish({ subject, body, headers, expected }) {
      demand();
      if (expected !== undefined && expected !== last) {
        throw new FleetError("FLEET_SEQUENCE_MOVED", `wrong last sequence: ${last}`);
      }
      return { sequence: put(subject, body, headers) };
    },
    async read({ consumer, from, filter, onStart, onMessage }, signal) {
      demand();
      if (typeof from !== "number") unused();
      readings.push(`${consumer} ${from}`);
      const began = age;
      const upTo = behind > 0 ? behindUpTo : Number.POSITIVE_INFINITY;
      behind -= 1;
      let next = Number(from);
      const rest = (): ReadMessage[] =>
        stored
          .filter(({ sequence }) => sequence >= next && sequence <= upTo)
          .filter(({ subject }) => filter === undefined || filter === subject)
          .map((message, at, all) => ({
            ...message,
            pending: all.length - at - 1,
            storedAt: "2026-01-01T00:00:00Z",
          }));
      onStart?.(rest().length);
      while (!signal.aborted) {
        if (age !== began) throw new FleetError("FLEET_READING_ENDED", "the reading was broken");
        const [message] = rest();
        if (message === undefined) {
          await new Promise<void>((resolve) => {
            wakes.add(resolve);
            signal.addEventListener("abort", () => resolve(), { once: true });
          });
        } else {
          next = message.sequence + 1;
          await onMessage(message);
        }
      }
    },
    async lastOfSubject(_stream, subject) {
      demand();
      return stored.findLast((message) => message.subject === subject);
    },
    async at(_stream, sequence) {
      demand();
      return stored.find((message) => message.sequence === sequence);
    },
    async streamInfo() {
      demand();
      return {
        created: `2026-01-0${created}T00:00:00Z`,
        firstSequence: stored[0]?.sequence ?? 0,
        lastSequence: last,
        messages: stored.length,
        isLimited: false,
      };
    },
    async newestSequence() {
      demand();
      return stored.at(-1)?.sequence ?? 0;
    },
    ensureStream: async () => {},
    ensureBucket: async () => {},
    kvPut: unused,
    kvDelete: unused,
    close: async () => {},
  };
  return {
    connection,
    messages: () => stored,
    put,
    cut() {
      age += 1;
      become(false, "cut");
      wake();
    },
    mend() {
      become(true, "memory");
      wake();
    },
    recreate() {
      age += 1;
      created += 1;
      stored = [];
      last = 0;
      wake();
    },
    purge(upTo) {
      stored = stored.filter(({ sequence }) => sequence > upTo);
    },
    lag(count, upTo) {
      behind = count;
      behindUpTo = upTo;
    },
    readings,
  };
}
