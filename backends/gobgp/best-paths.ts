/**
 * gobgpd's learned routes as best paths for the kernel: its events say which prefixes moved, its table says what they lead to.
 *
 * gobgpd marks one best path; which are used together is decided as by the native speaker (native/rib/decision.ts), so that
 * the kernel's routes do not change with the speaker. Own paths are never among them. While gobgpd is away, routes of peers
 * with graceful restart stay until those peers have said theirs again, or their time is over. Reads next: ../best-paths.ts.
 */
import { type Address, type Family } from "../../events/address.ts";
import type { NeighborKey } from "../../events/ids.ts";
import { type Prefix, prefixFamily } from "../../events/prefix.ts";
import { type BestPaths, NO_PATHS, type Path, type PathSet } from "../best-paths.ts";
import { type Candidate, decide } from "../native/rib/decision.ts";
import { DEFAULT_MAXIMUM_PATHS } from "../native/rib/loc-rib.ts";
import { prefixOctets } from "../native/wire/nlri.ts";
import type { Destination } from "./api/messages.ts";
import { candidateOf, fromNeighbor } from "./read/paths.ts";

export type Source = { readonly key: NeighborKey; readonly device: string };

export type BestPathTable = {
  /** What gobgpd's table has for these prefixes now; one that is absent has none left. */
  take(destinations: ReadonlyMap<Prefix, Destination | undefined>): void;
  /** All prefixes that are told now and are not in `present`: they are gone, but for those that are kept. */
  sweep(present: ReadonlySet<Prefix>, family: Family, isKept: (set: PathSet) => boolean): void;
  complete(family: Family): void;
  listen(listener: (told: BestPaths) => void): () => void;
  readonly size: () => number;
};

/** Prefixes in a batch at most; as the native speaker's. */
const BATCH_PREFIXES = 4096;

export function createBestPathTable(
  sourceOf: (address: Address) => Source | undefined,
): BestPathTable {
  const told = new Map<Prefix, PathSet>();
  /** Equal sets are one object. */
  const sets = new Map<string, PathSet>();
  const listeners = new Set<(told: BestPaths) => void>();
  const complete = new Set<Family>();

  const intern = (paths: readonly Path[]): PathSet => {
    const text = JSON.stringify(paths);
    const set = sets.get(text) ?? { paths };
    sets.set(text, set);
    return set;
  };
  const forget = (): void => {
    // Sets of routes that went are few beside the routes; swept when they are most of what is kept.
    if (sets.size < 64 || sets.size < 2 * told.size) return;
    const used = new Set(told.values());
    for (const [text, set] of sets) if (!used.has(set)) sets.delete(text);
  };
  const say = (changes: readonly (readonly [Prefix, PathSet | undefined])[]): void => {
    for (const batch of batchesOf(changes)) for (const listener of listeners) listener(batch);
  };
  const change = (changes: readonly (readonly [Prefix, PathSet | undefined])[]): void => {
    for (const [prefix, set] of changes) {
      if (set === undefined) told.delete(prefix);
      else told.set(prefix, set);
    }
    forget();
    say(changes);
  };

  return {
    take(destinations) {
      const changes: (readonly [Prefix, PathSet | undefined])[] = [];
      for (const [prefix, destination] of destinations) {
        const paths = usedPaths(destination, sourceOf);
        const set = paths.length === 0 ? undefined : intern(paths);
        if (told.get(prefix) !== set) changes.push([prefix, set]);
      }
      if (changes.length > 0) change(changes);
    },
    sweep(present, family, isKept) {
      const gone = [...told].filter(
        ([prefix, set]) => prefixFamily(prefix) === family && !present.has(prefix) && !isKept(set),
      );
      if (gone.length > 0) change(gone.map(([prefix]) => [prefix, undefined] as const));
    },
    complete(family) {
      if (complete.has(family)) return;
      complete.add(family);
      for (const listener of listeners) listener({ type: "complete", vrf: "", family });
    },
    listen(listener) {
      for (const batch of batchesOf([...told])) listener(batch);
      for (const family of complete) listener({ type: "complete", vrf: "", family });
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    size: () => told.size,
  };
}

/** In order of neighbour; empty where nobody's path can be used. */
function usedPaths(
  destination: Destination | undefined,
  sourceOf: (address: Address) => Source | undefined,
): readonly Path[] {
  const found: { candidate: Candidate; path: Path }[] = [];
  for (const listed of destination?.paths ?? []) {
    const from = fromNeighbor(listed);
    const source = from && sourceOf(from);
    if (from === undefined || source === undefined) continue;
    const one = candidateOf(listed, from, found.length, found.length);
    if (one === undefined) continue;
    const { candidate, nextHop } = one;
    const device = nextHop.startsWith("fe80:") ? source.device : "";
    const path = { neighbor: source.key, nextHop, interface: device, external: candidate.external };
    found.push({ candidate, path });
  }
  const candidates = found.map(({ candidate }) => candidate);
  const count = decide(candidates, candidates.length, {
    maximumPaths: DEFAULT_MAXIMUM_PATHS,
    costOf: () => 0,
  });
  return candidates
    .slice(0, count)
    .flatMap(({ path }) => found[path]?.path ?? [])
    .toSorted((a, b) => (a.neighbor < b.neighbor ? -1 : 1));
}

function* batchesOf(
  changes: readonly (readonly [Prefix, PathSet | undefined])[],
): Generator<BestPaths> {
  for (const family of ["ipv4", "ipv6"] as const) {
    const own = changes.filter(([prefix]) => prefixFamily(prefix) === family);
    for (let from = 0; from < own.length; from += BATCH_PREFIXES) {
      yield batchOf(own.slice(from, from + BATCH_PREFIXES), family);
    }
  }
}

function batchOf(
  changes: readonly (readonly [Prefix, PathSet | undefined])[],
  family: Family,
): BestPaths {
  const indices = new Map<PathSet, number>();
  const chosen = new Uint32Array(changes.length);
  const nlri: number[] = [];
  for (const [at, [prefix, set]] of changes.entries()) {
    nlri.push(...prefixOctets(prefix, family));
    if (set === undefined) chosen[at] = NO_PATHS;
    else {
      const index = indices.get(set) ?? indices.size;
      indices.set(set, index);
      chosen[at] = index;
    }
  }
  const sets = [...indices.keys()];
  return {
    type: "batch",
    vrf: "",
    family,
    count: changes.length,
    nlri: Uint8Array.from(nlri),
    chosen,
    sets,
  };
}
