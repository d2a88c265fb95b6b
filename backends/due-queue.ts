/**
 * What is due when: a binary heap, so that one timer serves any number of checks.
 *
 * Pure and small; it knows no clock. Taking an entry back costs nothing: it stays in the heap, and its owner passes it over
 * when it comes up. Reads next: ../agent/health/runner.ts, bfd/engine.ts.
 */

export type DueQueue<T> = {
  readonly size: number;
  add(at: number, item: T): void;
  /** The earliest time of all entries; undefined where there is none. */
  next(): number | undefined;
  /** Takes out one entry that is due at `now`; the earliest first. */
  take(now: number): T | undefined;
};

export function dueQueue<T>(): DueQueue<T> {
  const heap: { readonly at: number; readonly item: T }[] = [];
  const at = (i: number): number => heap[i]?.at ?? Number.POSITIVE_INFINITY;
  const swap = (i: number, j: number): void => {
    const [a, b] = [heap[i], heap[j]];
    if (a === undefined || b === undefined) throw new Error("a heap has no holes");
    heap[i] = b;
    heap[j] = a;
  };
  const sink = (from: number): void => {
    let i = from;
    for (;;) {
      const left = 2 * i + 1;
      const child = at(left + 1) < at(left) ? left + 1 : left;
      if (at(child) >= at(i)) return;
      swap(i, child);
      i = child;
    }
  };
  const rise = (from: number): void => {
    for (let i = from; i > 0; i = (i - 1) >> 1) {
      const parent = (i - 1) >> 1;
      if (at(parent) <= at(i)) return;
      swap(i, parent);
    }
  };
  return {
    get size() {
      return heap.length;
    },
    add(time, item) {
      heap.push({ at: time, item });
      rise(heap.length - 1);
    },
    next: () => heap[0]?.at,
    take(now) {
      const first = heap[0];
      if (first === undefined || first.at > now) return undefined;
      const last = heap.pop();
      if (last !== undefined && heap.length > 0) {
        heap[0] = last;
        sink(0);
      }
      return first.item;
    },
  };
}
