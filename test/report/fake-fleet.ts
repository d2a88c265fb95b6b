/**
 * A NATS server for tests of the outbox: one stream, some keys, and whatever can go wrong with them, at a word.
 *
 * It drops doubles of one message id as the server does, and it stores in the order in which it is told. Nothing of it knows
 * a socket. Read next: outbox.test.ts.
 */
import { setImmediate as turn } from "node:timers/promises";
import {
  type ConnectionState,
  type FleetConnection,
  FleetError,
  type StoredMessage,
} from "../../agent/fleet/io/connection.ts";

export type FakeFleet = {
  readonly connection: FleetConnection;
  /** What the stream holds. */
  readonly stored: StoredMessage[];
  readonly keys: Map<string, Uint8Array>;
  /** Every publication that was asked for, the most that were on their way at a time, and the most octets. */
  readonly asked: { count: number; most: number; mostOctets: number };
  down(): void;
  up(): void;
  /** The stream is purged; as the server does, it goes on to take what was told before for doubles. */
  wipe(): void;
  /** What `which` is true of is taken out of the stream; doubles are taken for doubles as after wipe(). */
  remove(which: (message: StoredMessage) => boolean): void;
  /** The stream's own rules let messages go from now on. */
  limit(): void;
  /** Streams that were read (not keys), one entry a reading. */
  readonly readings: string[];
  /** The publication of this index (from 0, counted from now) is not stored and fails; the next ones are stored. */
  lose(index: number): void;
  /** The next publication to a subject with this end fails. */
  loseOneOf(end: string): void;
  /** Acknowledgements wait until release() is called. */
  hold(): void;
  release(): void;
};

const octetsOf = (value: Uint8Array | string): Uint8Array =>
  typeof value === "string" ? new TextEncoder().encode(value) : value;

export function fakeFleet(maxPayload = 1024 * 1024): FakeFleet {
  const stored: StoredMessage[] = [];
  const keys = new Map<string, Uint8Array>();
  const ids = new Map<string, number>();
  const asked = { count: 0, most: 0, mostOctets: 0 };
  const readings: string[] = [];
  const listeners = new Set<(state: ConnectionState) => void>();
  let connected = true;
  let isLimited = false;
  let sequence = 0;
  let lost = new Set<number>();
  let lostEnd: string | undefined;
  let flying = 0;
  let flyingOctets = 0;
  let gate: PromiseWithResolvers<void> | undefined;
  let upAgain = Promise.withResolvers<void>();

  const need = (): void => {
    if (!connected) throw new FleetError("FLEET_NOT_CONNECTED", "the server is gone");
  };
  const put = (message: Omit<StoredMessage, "sequence">): number => {
    const id = message.headers["Nats-Msg-Id"];
    const known = id === undefined ? undefined : ids.get(id);
    if (known !== undefined) return known;
    sequence += 1;
    if (id !== undefined) ids.set(id, sequence);
    stored.push({ ...message, sequence });
    return sequence;
  };
  const refuse = (): Promise<never> => Promise.reject(new Error("not in this fake"));

  const connection: FleetConnection = {
    state: () => ({ connected, sinceMillis: 0, reason: connected ? "fake" : "the server is gone" }),
    onState: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async connected(signal) {
      if (connected) return;
      const aborted = Promise.withResolvers<never>();
      const error = new FleetError("FLEET_NOT_CONNECTED", "given up");
      signal?.addEventListener("abort", () => aborted.reject(error), { once: true });
      await Promise.race([upAgain.promise, aborted.promise]);
    },
    maxPayload: () => maxPayload,
    async publish({ subject, body, headers = {} }) {
      need();
      const octets = octetsOf(body);
      const index = asked.count;
      asked.count += 1;
      flying += 1;
      flyingOctets += octets.length;
      asked.most = Math.max(asked.most, flying);
      asked.mostOctets = Math.max(asked.mostOctets, flyingOctets);
      try {
        // No server answers within the turn in which it was asked.
        await turn();
        const isLost = subject.endsWith(lostEnd ?? "\0");
        if (isLost) lostEnd = undefined;
        if (isLost || lost.has(index)) throw new FleetError("FLEET_NO_ANSWER", "no leader");
        const at = put({ subject, headers, body: octets });
        await (gate?.promise ?? Promise.resolve());
        need();
        return { sequence: at };
      } finally {
        flying -= 1;
        flyingOctets -= octets.length;
      }
    },
    async read({ stream, filter, onStart, onMessage }, signal) {
      need();
      const isKeys = stream.startsWith("KV_");
      if (!isKeys) readings.push(filter ?? "");
      const entries = isKeys
        ? [...keys].map(([subject, body]) => ({ subject, headers: {}, body, sequence: 1 }))
        : stored.filter(({ subject }) => subject === filter);
      onStart?.(entries.length);
      for (const [index, message] of entries.entries()) {
        if (signal.aborted) return;
        const pending = entries.length - index - 1;
        await onMessage({ ...message, pending, storedAt: "2026-11-21T12:00:00Z" });
      }
    },
    async lastOfSubject(_, subject) {
      need();
      return stored.findLast((message) => message.subject === subject);
    },
    at: refuse,
    newestSequence: refuse,
    async streamInfo() {
      need();
      return {
        created: "created",
        firstSequence: stored[0]?.sequence ?? 0,
        lastSequence: sequence,
        messages: stored.length,
        isLimited,
      };
    },
    ensureStream: refuse,
    ensureBucket: refuse,
    async kvPut(bucket, key, value) {
      need();
      keys.set(`${bucket}/${key}`, octetsOf(value));
    },
    kvDelete: refuse,
    close: () => Promise.resolve(),
  };
  return {
    connection,
    stored,
    keys,
    asked,
    down() {
      connected = false;
      gate?.resolve();
      gate = undefined;
    },
    up() {
      connected = true;
      for (const listener of listeners) listener(connection.state());
      upAgain.resolve();
      upAgain = Promise.withResolvers();
    },
    wipe() {
      stored.length = 0;
    },
    remove(which) {
      const stay = stored.filter((message) => !which(message));
      stored.splice(0, stored.length, ...stay);
    },
    limit() {
      isLimited = true;
    },
    readings,
    lose(index) {
      lost = new Set([...lost, asked.count + index]);
    },
    loseOneOf(end) {
      lostEnd = end;
    },
    hold() {
      gate = Promise.withResolvers();
    },
    release() {
      gate?.resolve();
      gate = undefined;
    },
  };
}
