/**
 * The marks of a route in Adj-RIB-In, one octet in its table's slot: its age, and above that its verdict.
 *
 * Reads next: adj-rib-in.ts (who sets them), stale-routes.ts (what age means), prefix-table.ts (where they stand).
 */
import { marksAt, type PrefixTable } from "./prefix-table.ts";
import type { Verdict } from "./verdict.ts";

/** Said in the session that is; RFC 4724 §4.2: kept of one before; kept no longer, and gone as soon as its turn comes. */
export const AGE = { fresh: 0, stale: 1, condemned: 2 } as const;
export type Age = (typeof AGE)[keyof typeof AGE];

const AGE_MASK = 3;
const VERDICT_SHIFT = 2;

export const marksOf = (verdict: Verdict, age: Age): number => age | (verdict << VERDICT_SHIFT);

export const verdictAt = (table: PrefixTable, slot: number): Verdict =>
  // Only marksOf() makes what is put there.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  (marksAt(table, slot) >> VERDICT_SHIFT) as Verdict;

export const ageAt = (table: PrefixTable, slot: number): Age =>
  // As above.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  (marksAt(table, slot) & AGE_MASK) as Age;
