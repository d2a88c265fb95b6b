/**
 * Best paths of one VRF and family: what bgpd's table says now against what was told of it.
 *
 * Pure. Equal path sets are one object for as long as a prefix has them (../../best-paths.ts). After a restart of bgpd its table fills
 * anew, so nothing is taken back before it is settled: what is not there yet need not be gone.
 * Reads next: best-path-watch.ts (when it is read), tables.ts.
 */
import { type Address, addressOctets, type Family } from "../../../events/address.ts";
import { type Prefix, prefixAddress, prefixLength } from "../../../events/prefix.ts";
import { type BestPathBatch, NO_PATHS, type Path, type PathSet } from "../../best-paths.ts";
import type { NeighborKey } from "../../../events/ids.ts";
import type { TablePath, TableRow } from "./tables.ts";

export type BestPathTable = {
  readonly vrf: string;
  readonly family: Family;
  readonly held: Map<Prefix, PathSet>;
  readonly sets: Map<string, PathSet>;
};

export type WhoSaid = (path: TablePath) => {
  readonly neighbor: NeighborKey;
  readonly device: string;
};

/** Prefixes in a batch at most; some 50 kB of IPv4. */
export const BATCH_PREFIXES = 4096;

export const createBestPathTable = (vrf: string, family: Family): BestPathTable => ({
  vrf,
  family,
  held: new Map(),
  sets: new Map(),
});

/**
 * Takes over a whole table and returns what changed. `settled` false: what is missing stays held.
 */
export function takeTable(
  table: BestPathTable,
  rows: Iterable<TableRow>,
  whoSaid: WhoSaid,
  settled: boolean,
): readonly BestPathBatch[] {
  const seen = new Map<Prefix, PathSet>();
  const sets = new Map<string, PathSet>();
  const changed: (readonly [Prefix, PathSet | undefined])[] = [];
  for (const { prefix, paths } of rows) {
    const chosen = paths.flatMap((path) => (path.chosen ? (pathOf(path, whoSaid) ?? []) : []));
    if (chosen.length === 0) continue;
    const sorted = chosen.toSorted((a, b) => (a.neighbor < b.neighbor ? -1 : 1));
    const key = JSON.stringify(sorted);
    const set = sets.get(key) ?? table.sets.get(key) ?? { paths: sorted };
    sets.set(key, set);
    seen.set(prefix, set);
    if (table.held.get(prefix) !== set) changed.push([prefix, set]);
  }
  for (const [prefix, set] of table.held) {
    if (seen.has(prefix)) continue;
    if (settled) changed.push([prefix, undefined]);
    else {
      seen.set(prefix, set);
      sets.set(JSON.stringify(set.paths), set);
    }
  }
  replace(table.held, seen);
  replace(table.sets, sets);
  return batchesOf(table, changed);
}

/** All that is held, for who comes later. */
export const contentsOf = (table: BestPathTable): readonly BestPathBatch[] =>
  batchesOf(table, [...table.held]);

function pathOf(path: TablePath, whoSaid: WhoSaid): Path | undefined {
  if (path.nextHop === undefined) return undefined;
  const { neighbor, device } = whoSaid(path);
  const isLinkLocal = isLinkLocalAddress(path.nextHop);
  // Without its device a link-local address leads nowhere.
  if (isLinkLocal && device === "") return undefined;
  return {
    neighbor,
    nextHop: path.nextHop,
    interface: isLinkLocal ? device : "",
    external: path.external,
  };
}

/** fe80::/10 (RFC 4291 §2.5.6). */
const isLinkLocalAddress = (value: Address): boolean => /^fe[89ab]/.test(value);

function replace<K, V>(target: Map<K, V>, by: ReadonlyMap<K, V>): void {
  target.clear();
  for (const [key, value] of by) target.set(key, value);
}

function batchesOf(
  { vrf, family }: BestPathTable,
  changed: readonly (readonly [Prefix, PathSet | undefined])[],
): readonly BestPathBatch[] {
  const batches: BestPathBatch[] = [];
  for (let from = 0; from < changed.length; from += BATCH_PREFIXES) {
    const part = changed.slice(from, from + BATCH_PREFIXES);
    const sets = new Map<PathSet, number>();
    const chosen = part.map(([, set]) => {
      if (set === undefined) return NO_PATHS;
      const index = sets.get(set) ?? sets.size;
      sets.set(set, index);
      return index;
    });
    batches.push({
      type: "batch",
      vrf,
      family,
      count: part.length,
      nlri: Uint8Array.from(part.flatMap(([prefix]) => nlriOf(prefix))),
      chosen: Uint32Array.from(chosen),
      sets: [...sets.keys()],
    });
  }
  return batches;
}

function nlriOf(prefix: Prefix): readonly number[] {
  const length = prefixLength(prefix);
  return [length, ...addressOctets(prefixAddress(prefix)).subarray(0, (length + 7) >> 3)];
}
