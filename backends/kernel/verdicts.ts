/**
 * What became of each learned prefix, packed: the rule that would take it, and whether it did or what holds it back.
 *
 * Pure. Counts what each rule took and what its maximum alone holds back, and finds one of those when there is room.
 * Reads next: importer.ts (who judges).
 */
import type { Family } from "../../events/address.ts";
import {
  claimSlot,
  createPrefixTable,
  findSlot,
  isTaken,
  removeSlot,
  slotsOf,
} from "../native/rib/prefix-table.ts";
import { wordsAt } from "./fib.ts";
import type { Words } from "./host.ts";
import type { Unresolved } from "./resolve.ts";

export type HeldReason =
  | Unresolved
  | "default-route"
  | "protected"
  | "connected"
  | "maximum"
  | "vrf-missing"
  | "table-shared";

/** Verdicts as numbers in a packed table: the rule's index plus one above, this below. */
const VERDICTS = [
  "taken",
  "default-route",
  "protected",
  "connected",
  "maximum",
  "vrf-missing",
  "table-shared",
  "no-route",
  "device-missing",
  "device-down",
  "own-address",
  "rejected",
  "too-deep",
  "wrong-family",
] as const satisfies readonly ("taken" | HeldReason)[];
const TAKEN = 0;
const MAXIMUM = VERDICTS.indexOf("maximum");
const VERDICT_BITS = 8;

type Verdict = "taken" | HeldReason;

const packed = (rule: number, verdict: Verdict): number =>
  ((rule + 1) << VERDICT_BITS) | VERDICTS.indexOf(verdict);
const ruleIn = (value: number): number => (value >>> VERDICT_BITS) - 1;

/** Rules by their index. */
export type Verdicts = {
  set(words: Words, rule: number, verdict: Verdict): void;
  remove(words: Words): void;
  clear(): void;
  /** The rule that took the prefix; -1 where none did. */
  takenBy(words: Words): number;
  taken(rule: number): number;
  /** How many a rule's maximum alone holds back, and one of them: in turn, for who waited longest is nobody's memory. */
  waiting(rule: number): number;
  nextWaiting(rule: number): Words | undefined;
  /** How many of a rule's prefixes are held back for whatever reason. */
  held(rule: number): number;
  counts(): readonly {
    readonly rule: number;
    readonly verdict: Verdict;
    readonly count: number;
    /** One of them. */
    readonly example: Words;
  }[];
};

export function createVerdicts(family: Family, seed: number): Verdicts {
  let table = createPrefixTable(family, seed);
  let taken: number[] = [];
  let waiting: number[] = [];
  let cursor = 0;

  const count = (value: number, by: 1 | -1): void => {
    const rule = ruleIn(value);
    const verdict = value & 0xff;
    if (verdict === TAKEN) taken[rule] = (taken[rule] ?? 0) + by;
    if (verdict === MAXIMUM) waiting[rule] = (waiting[rule] ?? 0) + by;
  };

  return {
    set([length, a, b, c, d], rule, verdict) {
      const value = packed(rule, verdict);
      let slot = findSlot(table, length, a, b, c, d);
      if (slot >= 0) count(table.values[slot] ?? 0, -1);
      else slot = claimSlot(table, length, a, b, c, d);
      table.values[slot] = value;
      count(value, 1);
    },
    remove([length, a, b, c, d]) {
      const slot = findSlot(table, length, a, b, c, d);
      if (slot < 0) return;
      count(table.values[slot] ?? 0, -1);
      removeSlot(table, slot);
    },
    clear() {
      table = createPrefixTable(family, seed);
      taken = [];
      waiting = [];
    },
    takenBy([length, a, b, c, d]) {
      const slot = findSlot(table, length, a, b, c, d);
      const value = slot < 0 ? 0 : (table.values[slot] ?? 0);
      return (value & 0xff) === TAKEN ? ruleIn(value) : -1;
    },
    taken: (rule) => taken[rule] ?? 0,
    waiting: (rule) => waiting[rule] ?? 0,
    nextWaiting(rule) {
      const wanted = packed(rule, "maximum");
      const slots = slotsOf(table);
      for (let step = 0; step < slots; step += 1) {
        cursor = cursor + 1 < slots ? cursor + 1 : 0;
        if (isTaken(table, cursor) && table.values[cursor] === wanted)
          return wordsAt(table, cursor);
      }
      return undefined;
    },
    held(rule) {
      let all = 0;
      for (let slot = 0; slot < slotsOf(table); slot += 1) {
        if (isTaken(table, slot) && ruleIn(table.values[slot] ?? 0) === rule) all += 1;
      }
      return all - (taken[rule] ?? 0);
    },
    counts() {
      const found = new Map<number, { count: number; readonly example: Words }>();
      for (let slot = 0; slot < slotsOf(table); slot += 1) {
        if (!isTaken(table, slot)) continue;
        const value = table.values[slot] ?? 0;
        const known = found.get(value);
        if (known === undefined) found.set(value, { count: 1, example: wordsAt(table, slot) });
        else known.count += 1;
      }
      return [...found].map(([value, one]) => ({
        rule: ruleIn(value),
        verdict: VERDICTS[value & 0xff] ?? "no-route",
        ...one,
      }));
    },
  };
}
