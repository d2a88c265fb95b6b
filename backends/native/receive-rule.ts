/**
 * A neighbour's receive rule as a test on a route's prefix, without making an object of it.
 *
 * Pure. RFC 8212 §3: nothing is accepted unless somebody asked for it.
 */
import { addressOctets } from "../../events/address.ts";
import { prefixAddress, prefixFamily, prefixLength } from "../../events/prefix.ts";
import type { ReceiveRule } from "../intent.ts";
import type { Accepts } from "./rib/adj-rib-in.ts";

type Entry = {
  readonly family: "ipv4" | "ipv6";
  readonly words: readonly number[];
  readonly length: number;
  readonly atLeast: number;
  readonly atMost: number;
};

export function acceptance(rule: ReceiveRule): Accepts {
  if (rule.type !== "prefixes") {
    const all = rule.type === "everything";
    return () => all;
  }
  const entries = rule.prefixes.map(({ prefix, atLeast, atMost }): Entry => ({
    family: prefixFamily(prefix),
    words: wordsOf(addressOctets(prefixAddress(prefix))),
    length: prefixLength(prefix),
    atLeast,
    atMost,
  }));
  return (family, length, a, b, c, d) =>
    entries.some(
      (entry) =>
        entry.family === family &&
        length >= Math.max(entry.length, entry.atLeast) &&
        length <= entry.atMost &&
        covers(entry, [a, b, c, d]),
    );
}

function wordsOf(octets: Uint8Array): readonly number[] {
  const view = new DataView(octets.buffer);
  return Array.from({ length: octets.length / 4 }, (_, i) => view.getUint32(4 * i));
}

/** Whether the first `length` bits are the entry's. */
function covers({ words, length }: Entry, route: readonly number[]): boolean {
  for (let i = 0, left = length; left > 0; i += 1, left -= 32) {
    const mask = left >= 32 ? 0xffff_ffff : ~(0xffff_ffff >>> left);
    if ((((words[i] ?? 0) ^ (route[i] ?? 0)) & mask) !== 0) return false;
  }
  return true;
}
