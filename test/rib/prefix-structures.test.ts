/**
 * What waits and what walks: a queue of prefixes as an array is one, and a walk that misses nothing while its table changes.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  createPrefixQueue,
  dequeue,
  enqueue,
  queued,
} from "../../backends/native/rib/prefix-queue.ts";
import {
  claimSlot,
  createPrefixTable,
  findSlot,
  type PrefixTable,
  removeSlot,
} from "../../backends/native/rib/prefix-table.ts";
import { walkTable } from "../../backends/native/rib/table-walk.ts";

const NOTHING = { length: 0, a: 0, b: 0, c: 0, d: 0 };

test.for(["ipv4", "ipv6"] as const)(
  "a queue of %s prefixes gives back what was put in",
  (family) => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -150, max: 200 }), { maxLength: 30 }), (bursts) => {
        const queue = createPrefixQueue(family);
        const model: number[][] = [];
        let next = 0;
        for (const burst of bursts) {
          for (let i = 0; i < burst; i += 1) {
            next += 1;
            const entry =
              family === "ipv4" ? [24, next, 0, 0, 0] : [64, next, next + 1, next + 2, 7];
            model.push(entry);
            enqueue(queue, ...(entry as [number, number, number, number, number]));
          }
          for (let i = burst; i < 0; i += 1) {
            const expected = model.shift();
            const { length, a, b, c, d } = dequeue(queue) ? queue.taken : NOTHING;
            expect([length, a, b, c, d]).toEqual(expected ?? [0, 0, 0, 0, 0]);
          }
          expect(queued(queue)).toBe(model.length);
        }
      }),
      { numRuns: 200, endOnFailure: true },
    );
  },
);

describe("a walk over a table", () => {
  const put = (table: PrefixTable, i: number): void => void claimSlot(table, 32, i, 0, 0, 0);
  const take = (table: PrefixTable, i: number): void => {
    const slot = findSlot(table, 32, i, 0, 0, 0);
    if (slot >= 0) removeSlot(table, slot);
  };
  test("visits each prefix that was there, whatever comes and goes meanwhile", () => {
    const table = createPrefixTable("ipv4", 3);
    for (let i = 0; i < 700; i += 1) put(table, i);
    const walk = walkTable(table, true);
    const seen: number[] = [];
    for (let more = true, turn = 0; more; turn += 1) {
      more = walk.some(10, (_family, _length, a) => void seen.push(a));
      for (let i = 0; i < 7; i += 1) take(table, 7 * turn + i);
      for (let i = 0; i < 20; i += 1) put(table, 1000 + 20 * turn + i);
    }
    expect(seen.toSorted((x, y) => x - y)).toEqual(Array.from({ length: 700 }, (_, i) => i));
  });
});
