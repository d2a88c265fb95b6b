/**
 * A list of prefixes with bounds on the length, as a test on a route's prefix that makes no object.
 *
 * Costs one look-up for each length that stands in the list, however long the list is. Pure. Reads next: prefix-table.ts.
 */
import { addressOctets, type Family } from "../../../events/address.ts";
import { type Prefix, prefixAddress, prefixFamily, prefixLength } from "../../../events/prefix.ts";
import { claimSlot, createPrefixTable, findSlot, type PrefixTable } from "./prefix-table.ts";

export type ListEntry = {
  readonly prefix: Prefix;
  /** Lengths of routes inside the prefix that match. */
  readonly atLeast: number;
  readonly atMost: number;
};

/** A prefix of up to four 32-bit words; IPv4 has the first only. */
export type PrefixTest = (
  family: Family,
  length: number,
  a: number,
  b: number,
  c: number,
  d: number,
) => boolean;

type Side = {
  /** Lengths of the list's prefixes, each once, ascending. */
  readonly lengths: readonly number[];
  /** Value: place of the first entry with this prefix, plus one. */
  readonly table: PrefixTable;
  readonly entries: readonly ListEntry[];
  /** Place plus one of the next entry with the same prefix; 0 at the end. */
  readonly next: readonly number[];
};

export function compileList(entries: readonly ListEntry[]): PrefixTest {
  const sides: Readonly<Record<Family, Side>> = {
    ipv4: sideOf("ipv4", entries),
    ipv6: sideOf("ipv6", entries),
  };
  return (family, length, a, b, c, d) => {
    const side = sides[family];
    for (const bits of side.lengths) {
      if (bits > length) return false;
      const slot = findSlot(
        side.table,
        bits,
        leading(a, bits),
        leading(b, bits - 32),
        leading(c, bits - 64),
        leading(d, bits - 96),
      );
      if (slot >= 0 && matchesAny(side, side.table.values[slot] ?? 0, length)) return true;
    }
    return false;
  };
}

function matchesAny({ entries, next }: Side, first: number, length: number): boolean {
  for (let place = first; place > 0; place = next[place - 1] ?? 0) {
    const entry = entries[place - 1];
    if (entry !== undefined && length >= entry.atLeast && length <= entry.atMost) return true;
  }
  return false;
}

function sideOf(family: Family, all: readonly ListEntry[]): Side {
  const entries = all.filter(({ prefix }) => prefixFamily(prefix) === family);
  // The operator's own list: nobody chooses its prefixes so that they collide.
  const table = createPrefixTable(family, 0);
  const next: number[] = [];
  for (const [index, { prefix }] of entries.entries()) {
    const [a, b, c, d] = wordsOf(prefix);
    const { size } = table;
    const slot = claimSlot(table, prefixLength(prefix), a, b, c, d);
    next.push(table.size > size ? 0 : (table.values[slot] ?? 0));
    table.values[slot] = index + 1;
  }
  const lengths = [...new Set(entries.map(({ prefix }) => prefixLength(prefix)))];
  return { lengths: lengths.toSorted((x, y) => x - y), table, entries, next };
}

export function wordsOf(prefix: Prefix): readonly [number, number, number, number] {
  const octets = addressOctets(prefixAddress(prefix));
  const view = new DataView(octets.buffer);
  const word = (index: number): number =>
    4 * index < octets.length ? view.getUint32(4 * index) : 0;
  return [word(0), word(1), word(2), word(3)];
}

/** The first `bits` of a word, the others zero. */
export function leading(word: number, bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? word : (word & (0xffff_ffff << (32 - bits))) >>> 0;
}
