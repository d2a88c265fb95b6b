/**
 * Prefixes that wait, first in first out, in one typed array; no object for any of them.
 *
 * Never looks whether one waits already: its user marks that (loc-rib.ts).
 */
import type { Family } from "../../../events/address.ts";

/** The one that was taken out last. */
export type TakenPrefix = { length: number; a: number; b: number; c: number; d: number };

export type PrefixQueue = {
  /** Numbers of one entry: the length and the words. */
  readonly width: 2 | 5;
  readonly taken: TakenPrefix;
  entries: Uint32Array;
  /** In numbers, not in entries. */
  from: number;
  to: number;
};

const FIRST_ENTRIES = 64;

export function createPrefixQueue(family: Family): PrefixQueue {
  const width = family === "ipv4" ? 2 : 5;
  const taken = { length: 0, a: 0, b: 0, c: 0, d: 0 };
  return { width, taken, entries: new Uint32Array(width * FIRST_ENTRIES), from: 0, to: 0 };
}

export const queued = (queue: PrefixQueue): number => (queue.to - queue.from) / queue.width;

export function enqueue(
  queue: PrefixQueue,
  length: number,
  a: number,
  b: number,
  c: number,
  d: number,
): void {
  if (queue.to === queue.entries.length) makeRoom(queue);
  const { entries, to, width } = queue;
  entries[to] = length;
  entries[to + 1] = a;
  if (width === 5) {
    entries[to + 2] = b;
    entries[to + 3] = c;
    entries[to + 4] = d;
  }
  queue.to += width;
}

/** Into `taken`; false where none waits. */
export function dequeue(queue: PrefixQueue): boolean {
  const { entries, from, to, width, taken } = queue;
  if (from === to) return false;
  taken.length = entries[from] ?? 0;
  taken.a = entries[from + 1] ?? 0;
  if (width === 5) {
    taken.b = entries[from + 2] ?? 0;
    taken.c = entries[from + 3] ?? 0;
    taken.d = entries[from + 4] ?? 0;
  }
  queue.from += width;
  if (queue.from === to) reset(queue);
  return true;
}

/** Room that a burst took is given back with its last prefix. */
function reset(queue: PrefixQueue): void {
  queue.from = 0;
  queue.to = 0;
  const first = queue.width * FIRST_ENTRIES;
  if (queue.entries.length > first) queue.entries = new Uint32Array(first);
}

function makeRoom(queue: PrefixQueue): void {
  const { entries, from, to } = queue;
  const waiting = entries.subarray(from, to);
  const half = entries.length >> 1;
  // Where half of it has left, the others move up; so each entry is copied a bounded number of times.
  if (waiting.length > half) {
    queue.entries = new Uint32Array(entries.length * 2);
    queue.entries.set(waiting);
  } else entries.copyWithin(0, from, to);
  queue.from = 0;
  queue.to = waiting.length;
}
