/**
 * Routes in packed batches: NLRI octets beside attribute-set ids, for whoever takes routes in thousands (RFC 4271 §4.3).
 *
 * One batch is two typed arrays, whatever it holds. Reads next: adj-rib-in.ts.
 */
import type { Family } from "../../../events/address.ts";
import { MAX_NLRI_OCTETS } from "../wire/nlri.ts";
import type { AdjRibIn } from "./adj-rib-in.ts";
import { isTaken, lengthAt, type PrefixTable, slotsOf, wordAt } from "./prefix-table.ts";

export type PackedRoutes = {
  readonly family: Family;
  readonly count: number;
  /** `length, octets` for each, as in an UPDATE. */
  readonly nlri: Uint8Array;
  /** One attribute-set id for each, in the same order. */
  readonly attributes: Uint32Array;
};

/** All routes of a family, at most `size` a batch. As routesIn(), it follows a table that changes only as far as it can. */
export function* packedRoutes(
  rib: AdjRibIn,
  family: Family,
  size: number,
): Generator<PackedRoutes> {
  const table = rib.tables[family];
  for (let slot = 0; slot < slotsOf(table);) {
    const nlri = new Uint8Array(size * MAX_NLRI_OCTETS[family]);
    const attributes = new Uint32Array(size);
    let count = 0;
    let at = 0;
    for (; slot < slotsOf(table) && count < size; slot += 1) {
      if (!isTaken(table, slot)) continue;
      at = pack(table, slot, nlri, at);
      attributes[count] = table.values[slot] ?? 0;
      count += 1;
    }
    if (count === 0) return;
    yield { family, count, nlri: nlri.subarray(0, at), attributes: attributes.subarray(0, count) };
  }
}

function pack(table: PrefixTable, slot: number, out: Uint8Array, at: number): number {
  const word = (index: number): number => wordAt(table, slot, index);
  return packPrefix(out, at, lengthAt(table, slot), word(0), word(1), word(2), word(3));
}

/** Writes `length, octets` and returns where the next one begins. `out` has MAX_NLRI_OCTETS of room. */
export function packPrefix(
  out: Uint8Array,
  at: number,
  length: number,
  a: number,
  b: number,
  c: number,
  d: number,
): number {
  const end = at + 1 + ((length + 7) >> 3);
  out[at] = length;
  for (let next = at + 1, bit = 0; next < end; next += 1, bit += 8) {
    const word = bit < 32 ? a : bit < 64 ? b : bit < 96 ? c : d;
    out[next] = (word >>> (24 - (bit & 31))) & 0xff;
  }
  return end;
}
