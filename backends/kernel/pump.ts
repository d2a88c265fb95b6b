/**
 * Drives orders to the kernel: one batch at it, the next in the making, and whatever must not meet a batch in between.
 *
 * Owns no knowledge of routes and no timer; fib.ts says what is to be done. It ends a turn with every batch, so the loop never
 * waits for the kernel. Reads next: fib.ts, io/socket.ts.
 */
import { type Fib, fill, hasWork, newPrepared, type Prepared, settle } from "./fib.ts";
import type { Forwardings } from "./forwarding.ts";
import {
  type Batch,
  BATCH_OCTETS,
  type Failure,
  NetlinkError,
  newBatch,
  type Orders,
} from "./io/socket.ts";

export type Pump = {
  /** There may be work. */
  kick(): void;
  /** Runs `act` while no batch is out; its result is handed on. What it needs of the kernel it may ask directly. */
  alone<T>(act: () => Promise<T>): Promise<T>;
  /** Resolves once nothing is left to do. */
  idle(): Promise<void>;
  /** A batch is with the kernel, and its outcome is not entered yet. */
  isOut(): boolean;
  /** No batch after the one that is out. */
  stop(): void;
};

export type PumpOptions = {
  readonly orders: Orders;
  readonly forwardings: Forwardings;
  fibs(): Iterable<Fib>;
  /** After each batch; `doubt`: the kernel must be read anew. `failures`: of the batch, for words. */
  settled(doubt: boolean, failures: readonly Failure[]): void;
};

type Room = { readonly batch: Batch; readonly prepared: Prepared };

export function createPump({ orders, forwardings, fibs, settled }: PumpOptions): Pump {
  const room = (): Room => ({ batch: newBatch(), prepared: newPrepared() });
  let rooms: readonly [Room, Room] = [room(), room()];
  const tasks: (() => Promise<void>)[] = [];
  const idlers: (() => void)[] = [];
  const state = { running: false, stopped: false, out: false };

  /** `under`: a batch is out, so only what was dirty before it may be prepared: nothing twice at once. */
  const prepare = ({ batch, prepared }: Room, under: boolean): boolean => {
    for (const fib of fibs()) {
      if (under && fib.working === undefined) continue;
      if (!fill(fib, forwardings, batch, prepared)) break;
    }
    return prepared.count > 0;
  };

  const send = async ({ batch, prepared }: Room): Promise<readonly Failure[]> => {
    try {
      return await orders.send(batch, prepared.octets, prepared.count);
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      // Nobody knows what was carried out: each is taken for refused, and the kernel is read anew.
      return Array.from({ length: prepared.count }, (_, index) => ({
        index,
        errno: UNKNOWN,
        words: error.message,
      }));
    }
  };

  const burst = async (): Promise<void> => {
    let more = prepare(rooms[0], false);
    while (more && !state.stopped) {
      const [now, next] = rooms;
      state.out = true;
      const sending = send(now);
      more = tasks.length === 0 && prepare(next, true);
      const failures = await sending;
      const doubt = settle(now.prepared, forwardings, failures);
      state.out = false;
      settled(doubt, failures);
      rooms = [next, now];
    }
  };

  const work = async (): Promise<void> => {
    while (!state.stopped) {
      const task = tasks.shift();
      if (task !== undefined) await task();
      else if ([...fibs()].some(hasWork)) await burst();
      else {
        const leftover = forwardings.sweep();
        if (leftover.length === 0) return;
        settled(false, await sendAll(orders, rooms[0].batch, leftover));
      }
    }
  };

  const run = async (): Promise<void> => {
    if (state.running || state.stopped) return;
    state.running = true;
    try {
      // What came between the last look and its end would wait for the next kick.
      do await work();
      while (!state.stopped && (tasks.length > 0 || [...fibs()].some(hasWork)));
    } catch (error) {
      // The kernel's fault leads to a reading; our own ends the process.
      if (!(error instanceof NetlinkError)) throw error;
      if (!state.stopped) settled(true, []);
    } finally {
      state.running = false;
    }
    for (const idler of idlers.splice(0)) idler();
  };

  return {
    kick: () => void run(),
    alone: <T>(act: () => Promise<T>) =>
      new Promise<T>((resolve, reject) => {
        tasks.push(() => act().then(resolve, reject));
        void run();
      }),
    idle: () =>
      new Promise((resolve) => {
        idlers.push(resolve);
        void run();
      }),
    isOut: () => state.out,
    stop() {
      state.stopped = true;
      for (const idler of idlers.splice(0)) idler();
    },
  };
}

/** Stands for an order whose outcome nobody knows; no errno is so large. */
const UNKNOWN = 9999;

/** Sends any messages, a batch at a time; the indices of failures are those of `messages`. */
export async function sendAll(
  orders: Orders,
  batch: Batch,
  messages: readonly Uint8Array[],
): Promise<readonly Failure[]> {
  const failures: Failure[] = [];
  for (let from = 0; from < messages.length;) {
    let octets = 0;
    let count = 0;
    for (; from + count < messages.length; count += 1) {
      const message = messages[from + count];
      if (message === undefined || octets + message.length > BATCH_OCTETS) break;
      batch.bytes.set(message, octets);
      octets += message.length;
    }
    if (count === 0) throw new Error("a message is larger than a batch");
    const start = from;
    for (const failure of await orders.send(batch, octets, count)) {
      failures.push({ ...failure, index: start + failure.index });
    }
    from += count;
  }
  return failures;
}
