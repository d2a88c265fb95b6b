/**
 * Gives memory back once the agent has come to rest: after its start, and after work that needed much of it.
 *
 * Looks by itself, rarely, and asks nobody: whoever used no processor for a while has nothing to do. A collection holds the
 * loop up, so none is made while there is work, nor of a heap so large that it would be felt.
 * Reads next: ../backends/os/memory.ts (what is given back, and how).
 */
import { getHeapStatistics } from "node:v8";
import type { Clock, Logger } from "../backends/clock.ts";
import { collectGarbage, ownOctets, returnFreed, unmapProgram } from "../backends/os/memory.ts";

export type Memory = {
  /** Octets of objects in use or not yet collected. */
  heapOctets(): number;
  /** Octets of this process alone. */
  ownOctets(): number;
  /** Milliseconds of processor time since the process began. */
  busyMillis(): number;
  /** V8's own; what it frees is the kernel's some 8 seconds later. */
  collect(): void;
  /** malloc's, and pages of the program. Throws where the kernel refuses. */
  giveBack(): void;
};

/** Until memory was given back for the first time; a start is long over, and its changes are on the wire. */
const FIRST_LOOK_MILLIS = 10_000;
/** From then on: a host at rest is woken rarely. */
const LOOK_MILLIS = 60_000;
/** V8 lets go of its pages 8 seconds after a collection. */
const AFTER_COLLECTION_MILLIS = 10_000;
/** Processor time within one look, of all threads, below which the agent rests: ten times what keepalives cost. */
const REST_SHARE = 0.02;
/** So much more than after the last time is worth a collection. */
const GROWN_OCTETS = 16 * 1024 * 1024;
/** A collection of more would hold the loop up for longer than a busy host does anyway; V8 then collects in its own time. */
const COLLECTED_OCTETS = 64 * 1024 * 1024;

const thisProcess: Memory = {
  heapOctets: () => getHeapStatistics().used_heap_size,
  ownOctets,
  busyMillis() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  collect: collectGarbage,
  giveBack() {
    returnFreed();
    unmapProgram();
  },
};

/** The returned function ends it. */
export function giveBackAtRest(
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  memory: Memory = thisProcess,
): () => void {
  let held: number | undefined;
  let [busy, since] = [memory.busyMillis(), clock.monotonicMillis()];
  let cancel = clock.after(FIRST_LOOK_MILLIS, look);

  function look(): void {
    const [wasBusy, before] = [busy, since];
    [busy, since] = [memory.busyMillis(), clock.monotonicMillis()];
    const isAtRest = busy - wasBusy < REST_SHARE * (since - before);
    const isWorthIt = held === undefined || memory.ownOctets() > held + GROWN_OCTETS;
    if (!isAtRest || !isWorthIt) {
      again();
      return;
    }
    if (memory.heapOctets() <= COLLECTED_OCTETS) memory.collect();
    cancel = clock.after(AFTER_COLLECTION_MILLIS, finish);
  }

  function finish(): void {
    try {
      memory.giveBack();
    } catch (error) {
      // A sandbox that forbids it: the agent is as it was, and larger than it need be.
      logger.warn({ error: String(error) }, "memory could not be given back");
    }
    held = memory.ownOctets();
    [busy, since] = [memory.busyMillis(), clock.monotonicMillis()];
    again();
  }

  const again = (): void => {
    cancel = clock.after(held === undefined ? FIRST_LOOK_MILLIS : LOOK_MILLIS, look);
  };
  return () => cancel();
}
