/**
 * The one loop of the BFD process: ppoll() on its sockets and on libuv's own descriptor, until the next packet is due.
 *
 * Sockets are drained before anything is judged to be late, so a process that was held up takes what arrived meanwhile into
 * account (faults 42). Node's own work (control socket, signals, timers) gets a turn when libuv has some, and ten times a
 * second for its timers. Reads next: sockets.ts, ../engine.ts (what is due), ../process.ts (who runs it).
 */
import { calls, check, fixedMemory, nodeDescriptor, SystemError } from "../../os/libc.ts";
import type { MonotonicClock } from "./monotonic.ts";

/** struct pollfd. */
const POLL_OCTETS = 8;
const POLLIN = 1;
/** One receiver for each family and port, of the default VRF and of many others. */
const MOST_DESCRIPTORS = 256;
const NODE_TURN_MICROS = 100_000;

export type LoopWork = {
  readonly clock: MonotonicClock;
  /** What to wait for, besides Node; may change from turn to turn. */
  descriptors(): readonly number[];
  /** Takes what waits in these sockets; answers until when everything that arrived there has been taken. */
  drain(ready: ReadonlySet<number>): number;
  /** Does what is due. */
  act(nowMicros: number, heardUpToMicros: number): void;
  /** When something is due next; undefined: nothing is. */
  nextDue(): number | undefined;
  stopped(): boolean;
};

/** Runs until `stopped()`. */
export async function runLoop(work: LoopWork): Promise<void> {
  const { clock } = work;
  const polled = fixedMemory(MOST_DESCRIPTORS * POLL_OCTETS);
  const timeout = fixedMemory(16);
  const node = nodeDescriptor();
  const ready = new Set<number>();
  const isReady = (i: number): boolean => polled.view.getInt16(i * POLL_OCTETS + 6, true) !== 0;
  let nodeTurnAt = clock.nowMicros();
  while (!work.stopped()) {
    const sockets = work.descriptors();
    const all = [node, ...sockets];
    for (const [i, fd] of all.entries()) {
      polled.view.setInt32(i * POLL_OCTETS, fd, true);
      polled.view.setInt16(i * POLL_OCTETS + 4, POLLIN, true);
    }
    const until = Math.min(
      work.nextDue() ?? Number.POSITIVE_INFINITY,
      nodeTurnAt + NODE_TURN_MICROS,
    );
    const wait = Math.max(0, until - clock.nowMicros());
    timeout.view.setBigInt64(0, BigInt(Math.floor(wait / 1e6)), true);
    timeout.view.setBigInt64(8, BigInt(Math.floor(wait % 1e6) * 1000), true);
    const asked = clock.nowMicros();
    const count = calls.ppoll(polled.bytes, all.length, timeout.bytes, null) as number;
    if (count < 0) interrupted();
    ready.clear();
    for (const [i, fd] of sockets.entries()) if (isReady(i + 1)) ready.add(fd);
    // What comes to another socket from now on has not been heard.
    const heardUpTo =
      ready.size > 0 ? Math.min(asked, work.drain(ready)) : count === 0 ? asked + wait : asked;
    const now = clock.nowMicros();
    work.act(now, heardUpTo);
    if (isReady(0) || now - nodeTurnAt >= NODE_TURN_MICROS) {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      nodeTurnAt = clock.nowMicros();
    }
  }
}

/** A signal ends the wait early, and Node hears of it in its turn. */
function interrupted(): void {
  try {
    check(-1, "ppoll");
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== "EINTR") throw error;
  }
}
