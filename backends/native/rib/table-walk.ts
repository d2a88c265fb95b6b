/**
 * All prefixes of a table as it was at one moment, some at a time, while the table itself goes on changing.
 *
 * Slots of a living table move, so the walk has its own copy of the keys (6 to 18 octets a slot, no time to speak of); whoever
 * is told a prefix looks it up again. Reads next: prefix-table.ts.
 */
import type { Family } from "../../../events/address.ts";
import { isTaken, lengthAt, type PrefixTable, slotsOf, wordAt } from "./prefix-table.ts";

export type VisitPrefix = (
  family: Family,
  length: number,
  a: number,
  b: number,
  c: number,
  d: number,
) => void;

export type TableWalk = {
  /** Visits up to `count` prefixes; false where nothing is left. */
  some(count: number, visit: VisitPrefix): boolean;
};

/** Of a table that nobody changes any more `living` is false, and nothing is copied. */
export function walkTable(table: PrefixTable, living: boolean): TableWalk {
  const held: PrefixTable = living
    ? { ...table, keys: table.keys.slice(), meta: table.meta.slice() }
    : table;
  let slot = 0;
  return {
    some(count, visit) {
      const end = slotsOf(held);
      for (let seen = 0; slot < end && seen < count; slot += 1) {
        if (!isTaken(held, slot)) continue;
        seen += 1;
        visit(
          held.family,
          lengthAt(held, slot),
          wordAt(held, slot, 0),
          wordAt(held, slot, 1),
          wordAt(held, slot, 2),
          wordAt(held, slot, 3),
        );
      }
      return slot < end;
    },
  };
}
