/** What a listener of best paths knows after some batches: the least that the kernel's side has to do with them. */
import { type BestPaths, NO_PATHS, type PathSet } from "../../backends/best-paths.ts";
import { addressFromOctets, bitsOf, type Family } from "../../events/address.ts";
import { type Prefix, prefixOf } from "../../events/prefix.ts";

export type Told = {
  readonly routes: Map<Prefix, PathSet>;
  /** `vrf|family`, in the order told. */
  readonly complete: string[];
  /** Prefixes told, also those told again and those that went. */
  count: number;
  batches: number;
  take(told: BestPaths): void;
};

export function createTold(): Told {
  const told: Told = {
    routes: new Map(),
    complete: [],
    count: 0,
    batches: 0,
    take(one) {
      if (one.type === "complete") {
        told.complete.push(`${one.vrf}|${one.family}`);
        return;
      }
      told.batches += 1;
      told.count += one.count;
      const prefixes = [...prefixesIn(one.nlri, one.family)];
      if (prefixes.length !== one.count) throw new Error("count and NLRI disagree");
      for (const [index, prefix] of prefixes.entries()) {
        const chosen = one.chosen[index] ?? NO_PATHS;
        const set = one.sets[chosen];
        if (chosen === NO_PATHS) told.routes.delete(prefix);
        else if (set === undefined) throw new Error("no such set in the batch");
        else told.routes.set(prefix, set);
      }
    },
  };
  return told;
}

function* prefixesIn(nlri: Uint8Array, family: Family): Generator<Prefix> {
  for (let at = 0; at < nlri.length;) {
    const length = nlri[at] ?? 0;
    const octets = new Uint8Array(bitsOf(family) / 8);
    const end = at + 1 + Math.ceil(length / 8);
    octets.set(nlri.subarray(at + 1, end));
    yield prefixOf(addressFromOctets(octets), length);
    at = end;
  }
}

/** As `prefix: neighbour>next hop …`, sorted. */
export const linesOf = (routes: ReadonlyMap<Prefix, PathSet>): readonly string[] =>
  [...routes].map(([prefix, { paths }]) => `${prefix}: ${textOf(paths)}`).toSorted();

const textOf = (paths: PathSet["paths"]): string =>
  paths
    .map(
      (one) => `${one.neighbor}>${one.nextHop}${one.interface === "" ? "" : `%${one.interface}`}`,
    )
    .join(" ");
