/**
 * Loc-RIB of one VRF and family: to each prefix that somebody's accepted route leads to, the paths that are used (RFC 4271 §3.2).
 *
 * Holds results only: candidates are looked up in the neighbours' Adj-RIBs-In when a prefix is decided, so a change costs its
 * own prefix and one look-up a neighbour. touch() lets a prefix wait, takeBatch() decides what waits and says what is different
 * now; whatever happens to a prefix in between is told once. Own routes never enter: this host forwards nothing between its
 * neighbours. Stale routes take part (RFC 4724 §4.2). Whether a next hop can be reached is the kernel's to know.
 * Reads next: decision.ts, path-store.ts, ../best-path-feed.ts (when it is called).
 */
import type { Family } from "../../../events/address.ts";
import { type BestPathBatch, NO_PATHS, type PathSet } from "../../best-paths.ts";
import { MAX_NLRI_OCTETS } from "../wire/nlri.ts";
import { acceptedRoute, type AdjRibIn } from "./adj-rib-in.ts";
import { pathOf } from "./attribute-facts.ts";
import { type Candidate, decide, type DecisionOptions } from "./decision.ts";
import { packPrefix } from "./packed.ts";
import {
  dropSet,
  findSet,
  type PathId,
  type PathStore,
  setAt,
  type SetId,
  useSet,
} from "./path-store.ts";
import { createPrefixQueue, dequeue, enqueue, type PrefixQueue, queued } from "./prefix-queue.ts";
import {
  claimSlot,
  createPrefixTable,
  findSlot,
  marksAt,
  type PrefixTable,
  removeSlot,
  setMarks,
} from "./prefix-table.ts";
import type { TableWalk } from "./table-walk.ts";

export type LocRib = {
  readonly vrf: string;
  readonly family: Family;
  readonly options: DecisionOptions;
  readonly paths: PathStore;
  /** Value: number of the set, or NO_PATHS of a prefix that waits for its first decision. */
  readonly table: PrefixTable;
  readonly waiting: PrefixQueue;
  /** In order of neighbour. */
  sources: readonly AdjRibIn[];
  /** Used again for each decision. */
  readonly candidates: Candidate[];
};

/** Linux takes more next hops in one route; no fabric that hosts are in has more routers (choice). */
export const DEFAULT_MAXIMUM_PATHS = 64;
const WAITS = 1;

export function createLocRib(
  vrf: string,
  family: Family,
  paths: PathStore,
  seed: number,
  options: DecisionOptions,
): LocRib {
  return {
    vrf,
    family,
    options,
    paths,
    table: createPrefixTable(family, seed),
    waiting: createPrefixQueue(family),
    sources: [],
    candidates: [],
  };
}

/** A neighbour's routes count from now on; those that it has already are touched by the caller. */
export function addSource(loc: LocRib, rib: AdjRibIn): void {
  loc.sources = [...loc.sources, rib].toSorted((x, y) =>
    x.facts.peer.neighbor < y.facts.peer.neighbor ? -1 : 1,
  );
}

/** They count no more; the caller touches their prefixes, in as many turns as it takes. */
export function removeSource(loc: LocRib, rib: AdjRibIn): void {
  loc.sources = loc.sources.filter((one) => one !== rib);
}

/** The prefix is to be decided anew. */
export function touch(
  loc: LocRib,
  length: number,
  a: number,
  b: number,
  c: number,
  d: number,
): void {
  const { table } = loc;
  const { size } = table;
  const slot = claimSlot(table, length, a, b, c, d);
  if (table.size > size) table.values[slot] = NO_PATHS;
  if ((marksAt(table, slot) & WAITS) !== 0) return;
  setMarks(table, slot, WAITS);
  enqueue(loc.waiting, length, a, b, c, d);
}

export const waitingCount = (loc: LocRib): number => queued(loc.waiting);

/** Decides up to `count` prefixes that wait; undefined where nothing became different. */
export function takeBatch(loc: LocRib, count: number): BestPathBatch | undefined {
  const batch = startBatch(loc, Math.min(count, waitingCount(loc)));
  const { taken } = loc.waiting;
  for (let done = 0; done < count && dequeue(loc.waiting); done += 1) {
    const { length, a, b, c, d } = taken;
    if (settle(loc, length, a, b, c, d)) note(loc, batch, length, a, b, c, d);
  }
  return closeBatch(loc, batch);
}

/** Up to `count` more prefixes of a walk over the table, as they are told now; `more` is false at the end. */
export function contentBatch(
  loc: LocRib,
  walk: TableWalk,
  count: number,
): { readonly batch: BestPathBatch | undefined; readonly more: boolean } {
  const batch = startBatch(loc, count);
  const more = walk.some(count, (_family, length, a, b, c, d) => {
    const slot = findSlot(loc.table, length, a, b, c, d);
    // One that waits for its first decision was told to nobody, and will be.
    if (slot >= 0 && loc.table.values[slot] !== NO_PATHS) note(loc, batch, length, a, b, c, d);
  });
  return { batch: closeBatch(loc, batch), more };
}

/** True where the prefix is used otherwise than before. */
function settle(loc: LocRib, length: number, a: number, b: number, c: number, d: number): boolean {
  const { table, paths } = loc;
  const chosen = choose(loc, length, a, b, c, d);
  const slot = findSlot(table, length, a, b, c, d);
  const before = table.values[slot] ?? NO_PATHS;
  setMarks(table, slot, 0);
  if (chosen === before) {
    if (chosen === NO_PATHS) removeSlot(table, slot);
    return false;
  }
  if (chosen === NO_PATHS) removeSlot(table, slot);
  else {
    useSet(paths, chosen);
    table.values[slot] = chosen;
  }
  if (before !== NO_PATHS) dropSet(paths, before);
  return true;
}

/** Or NO_PATHS. */
function choose(loc: LocRib, length: number, a: number, b: number, c: number, d: number): SetId {
  const { sources, candidates, family } = loc;
  let count = 0;
  for (let order = 0; order < sources.length; order += 1) {
    const rib = sources[order];
    if (rib === undefined) continue;
    const id = acceptedRoute(rib, family, length, a, b, c, d);
    if (id < 0) continue;
    fill(candidates, count, rib, family, id, order);
    count += 1;
  }
  if (count === 0) return NO_PATHS;
  const used = decide(candidates, count, loc.options);
  const ids: PathId[] = [];
  for (let i = 0; i < used; i += 1) ids.push(candidates[i]?.path ?? 0);
  return findSet(loc.paths, ids);
}

function fill(
  candidates: Candidate[],
  at: number,
  { facts }: AdjRibIn,
  family: Family,
  id: number,
  order: number,
): void {
  const { peer } = facts;
  const one = (candidates[at] ??= blank(peer.remoteAddress));
  one.path = pathOf(facts, family, id);
  one.order = order;
  one.localPref = facts.localPref[id] ?? 0;
  one.pathLength = facts.pathLength[id] ?? 0;
  one.origin = facts.origin[id] ?? 0;
  one.med = facts.med[id] ?? 0;
  one.neighborAs = facts.neighborAs[id] ?? 0;
  one.external = peer.external;
  one.routerId = facts.routerId[id] ?? 0;
  one.clusterLength = facts.clusterLength[id] ?? 0;
  one.remoteAddress = peer.remoteAddress;
}

const blank = (remoteAddress: Candidate["remoteAddress"]): Candidate => ({
  path: 0,
  order: 0,
  localPref: 0,
  pathLength: 0,
  origin: 0,
  med: 0,
  neighborAs: 0,
  external: false,
  routerId: 0,
  clusterLength: 0,
  remoteAddress,
});

type Batch = {
  readonly nlri: Uint8Array;
  readonly chosen: Uint32Array;
  readonly sets: PathSet[];
  /** By number of the set: its place in `sets`. */
  readonly places: Map<SetId, number>;
  count: number;
  octets: number;
};

const startBatch = ({ family }: LocRib, room: number): Batch => ({
  nlri: new Uint8Array(room * MAX_NLRI_OCTETS[family]),
  chosen: new Uint32Array(room),
  sets: [],
  places: new Map(),
  count: 0,
  octets: 0,
});

/** What the table says of the prefix now. */
function note(
  loc: LocRib,
  batch: Batch,
  length: number,
  a: number,
  b: number,
  c: number,
  d: number,
): void {
  const slot = findSlot(loc.table, length, a, b, c, d);
  const id = slot < 0 ? NO_PATHS : (loc.table.values[slot] ?? NO_PATHS);
  batch.octets = packPrefix(batch.nlri, batch.octets, length, a, b, c, d);
  batch.chosen[batch.count] = id === NO_PATHS ? NO_PATHS : placeOf(loc, batch, id);
  batch.count += 1;
}

function placeOf(loc: LocRib, { sets, places }: Batch, id: SetId): number {
  const known = places.get(id);
  if (known !== undefined) return known;
  const place = sets.push(setAt(loc.paths, id)) - 1;
  places.set(id, place);
  return place;
}

function closeBatch({ vrf, family }: LocRib, batch: Batch): BestPathBatch | undefined {
  const { count, sets } = batch;
  if (count === 0) return undefined;
  const nlri = batch.nlri.subarray(0, batch.octets);
  return { type: "batch", vrf, family, count, nlri, chosen: batch.chosen.subarray(0, count), sets };
}
