/**
 * Prefixes of one family to numbers: an open-addressing hash in typed arrays, 10 octets a slot for IPv4 and 22 for IPv6.
 *
 * No object per prefix. A prefix is up to four 32-bit words (IPv4 uses the first) and a length, host bits zero. Removal moves
 * the followers back, so that churn leaves no graves. Slots move; keep none over a change. Reads next: adj-rib-in.ts.
 */
import { addressFromOctets, type Family } from "../../../events/address.ts";
import type { Prefix } from "../../../events/prefix.ts";

export type PrefixTable = {
  readonly family: Family;
  /** Mixed into every hash, so that a peer cannot know which prefixes collide. */
  readonly seed: number;
  size: number;
  mask: number;
  /** `words` numbers a slot. */
  keys: Uint32Array;
  /** Zero: free. Else the prefix length plus one, and the marks of the caller above MARK_SHIFT. */
  meta: Uint16Array;
  values: Uint32Array;
};

const MIN_SLOTS = 16;
/** The marks are the octet above the length. */
const MARK_SHIFT = 8;
const LENGTH_MASK = 0xff;

const wordsOf = (table: PrefixTable): 1 | 4 => (table.family === "ipv4" ? 1 : 4);

export function createPrefixTable(family: Family, seed: number): PrefixTable {
  const table = {
    family,
    seed,
    size: 0,
    mask: 0,
    keys: new Uint32Array(0),
    meta: new Uint16Array(0),
    values: new Uint32Array(0),
  };
  allocate(table, MIN_SLOTS);
  return table;
}

function allocate(table: PrefixTable, slots: number): void {
  table.mask = slots - 1;
  table.keys = new Uint32Array(slots * wordsOf(table));
  table.meta = new Uint16Array(slots);
  table.values = new Uint32Array(slots);
}

/** Slot of a prefix, or -1. */
export function findSlot(
  table: PrefixTable,
  length: number,
  a: number,
  b: number,
  c: number,
  d: number,
): number {
  const slot = probe(table, length, a, b, c, d);
  return table.meta[slot] === 0 ? -1 : slot;
}

/** The slot of the prefix, made free for it if it is new: then its marks are 0 and `size` has grown. */
export function claimSlot(
  table: PrefixTable,
  length: number,
  a: number,
  b: number,
  c: number,
  d: number,
): number {
  // Three quarters full at most: linear probing stays at a few steps.
  if ((table.size + 1) * 4 > (table.mask + 1) * 3) resize(table, (table.mask + 1) * 2);
  const slot = probe(table, length, a, b, c, d);
  if (table.meta[slot] !== 0) return slot;
  const { keys } = table;
  if (table.family === "ipv4") keys[slot] = a;
  else {
    keys[slot * 4] = a;
    keys[slot * 4 + 1] = b;
    keys[slot * 4 + 2] = c;
    keys[slot * 4 + 3] = d;
  }
  table.meta[slot] = length + 1;
  table.size += 1;
  return slot;
}

/** Frees a slot. Another prefix may stand in it afterwards: whoever walks looks at the same slot again. */
export function removeSlot(table: PrefixTable, slot: number): void {
  const { meta, mask } = table;
  let hole = slot;
  for (let at = (slot + 1) & mask; meta[at] !== 0; at = (at + 1) & mask) {
    const home = hashAt(table, at) & mask;
    // Moves back whatever would no longer be found from its home slot.
    if (((at - home) & mask) >= ((at - hole) & mask)) {
      copySlot(table, at, hole);
      hole = at;
    }
  }
  meta[hole] = 0;
  table.size -= 1;
}

export const slotsOf = (table: PrefixTable): number => table.mask + 1;
export const isTaken = (table: PrefixTable, slot: number): boolean => table.meta[slot] !== 0;
export const lengthAt = (table: PrefixTable, slot: number): number =>
  ((table.meta[slot] ?? 0) & LENGTH_MASK) - 1;
export const marksAt = (table: PrefixTable, slot: number): number =>
  (table.meta[slot] ?? 0) >> MARK_SHIFT;

export function setMarks(table: PrefixTable, slot: number, marks: number): void {
  table.meta[slot] = ((table.meta[slot] ?? 0) & LENGTH_MASK) | (marks << MARK_SHIFT);
}

export const wordAt = (table: PrefixTable, slot: number, word: number): number =>
  table.family === "ipv4"
    ? word === 0
      ? (table.keys[slot] ?? 0)
      : 0
    : (table.keys[slot * 4 + word] ?? 0);

/** Canonical text of the prefix in a taken slot; its host bits are zero already, so nothing is masked again. */
export function prefixAt(table: PrefixTable, slot: number): Prefix {
  const words = wordsOf(table);
  const octets = new Uint8Array(words * 4);
  for (let i = 0; i < octets.length; i += 1) {
    octets[i] = wordAt(table, slot, i >> 2) >>> (24 - 8 * (i & 3));
  }
  return `${addressFromOctets(octets)}/${lengthAt(table, slot)}` as Prefix;
}

function probe(
  table: PrefixTable,
  length: number,
  a: number,
  b: number,
  c: number,
  d: number,
): number {
  const { keys, meta, mask } = table;
  const wanted = length + 1;
  let slot = hash(table.seed, length, a, b, c, d) & mask;
  if (table.family === "ipv4") {
    while (
      meta[slot] !== 0 &&
      !(keys[slot] === a && ((meta[slot] ?? 0) & LENGTH_MASK) === wanted)
    ) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }
  for (; meta[slot] !== 0; slot = (slot + 1) & mask) {
    const at = slot * 4;
    if (
      keys[at] === a &&
      keys[at + 1] === b &&
      keys[at + 2] === c &&
      keys[at + 3] === d &&
      ((meta[slot] ?? 0) & LENGTH_MASK) === wanted
    ) {
      return slot;
    }
  }
  return slot;
}

const hashAt = (table: PrefixTable, slot: number): number =>
  hash(
    table.seed,
    lengthAt(table, slot),
    wordAt(table, slot, 0),
    wordAt(table, slot, 1),
    wordAt(table, slot, 2),
    wordAt(table, slot, 3),
  );

/** Multiply and rotate, then MurmurHash3's last steps, which spread every bit over the low ones. */
function hash(seed: number, length: number, a: number, b: number, c: number, d: number): number {
  let h = Math.imul(seed ^ length, 0x9e37_79b1) ^ a;
  h = Math.imul((h << 15) | (h >>> 17), 0x85eb_ca6b) ^ b;
  h = Math.imul((h << 13) | (h >>> 19), 0xc2b2_ae35) ^ c;
  h = Math.imul((h << 16) | (h >>> 16), 0x27d4_eb2f) ^ d;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return h ^ (h >>> 16);
}

function copySlot(table: PrefixTable, from: number, to: number): void {
  const words = wordsOf(table);
  table.keys.copyWithin(to * words, from * words, (from + 1) * words);
  table.meta[to] = table.meta[from] ?? 0;
  table.values[to] = table.values[from] ?? 0;
}

/** One long step, some 20 ms for a million: no prefix is compared, for all are there once. */
function resize(table: PrefixTable, slots: number): void {
  const old = { ...table };
  allocate(table, slots);
  const { keys, meta, values, mask } = table;
  const words = wordsOf(table);
  for (let from = 0; from <= old.mask; from += 1) {
    if (old.meta[from] === 0) continue;
    let to = hashAt(old, from) & mask;
    while (meta[to] !== 0) to = (to + 1) & mask;
    meta[to] = old.meta[from] ?? 0;
    values[to] = old.values[from] ?? 0;
    for (let word = 0; word < words; word += 1) {
      keys[to * words + word] = old.keys[from * words + word] ?? 0;
    }
  }
}
