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
  const length = lengthAt(table, slot);
  const octets = (length + 7) >> 3;
  out[at] = length;
  for (let i = 0; i < octets; i += 1) {
    out[at + 1 + i] = (wordAt(table, slot, i >> 2) >>> (24 - 8 * (i & 3))) & 0xff;
  }
  return at + 1 + octets;
}
