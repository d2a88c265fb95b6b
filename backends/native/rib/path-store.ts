/**
 * Paths and sets of paths by what they say: equal ones are one object and one number for as long as somebody uses them.
 *
 * Kept by counting, so that a next hop that nobody names any more costs nothing. Never chooses a path. Reads next:
 * loc-rib.ts (who makes sets), attribute-facts.ts (who names paths), ../../best-paths.ts (where they go).
 */
import type { Path, PathSet } from "../../best-paths.ts";

export type PathId = number;
export type SetId = number;

type Counted<T> = {
  readonly items: (T | undefined)[];
  readonly keys: string[];
  readonly counts: number[];
  readonly free: number[];
  readonly byKey: Map<string, number>;
};

export type PathStore = {
  readonly paths: Counted<Path>;
  readonly sets: Counted<PathSet>;
  /** By path: number of the set that is this path alone, plus one; the common case, found without a text. */
  readonly alone: number[];
  /** By set: its paths. */
  readonly members: (readonly PathId[])[];
  /** The set that was found last: in a fabric most prefixes have the same. */
  last: SetId;
};

const counted = <T>(): Counted<T> => ({
  items: [],
  keys: [],
  counts: [],
  free: [],
  byKey: new Map(),
});

export const createPathStore = (): PathStore => ({
  paths: counted(),
  sets: counted(),
  alone: [],
  members: [],
  last: 0,
});

/** Number of an equal path, which has one user more from now on. */
export function usePath(store: PathStore, path: Path): PathId {
  const key = `${path.neighbor} ${path.nextHop} ${path.interface} ${path.external}`;
  return use(store.paths, key, () => Object.freeze(path));
}

export const dropPath = (store: PathStore, id: PathId): boolean => drop(store.paths, id);

export const pathAt = (store: PathStore, id: PathId): Path => itemAt(store.paths, id);
export const setAt = (store: PathStore, id: SetId): PathSet => itemAt(store.sets, id);

/** Number of the set of these paths, in this order; it may be unused: see useSet(). */
export function findSet(store: PathStore, ids: readonly PathId[]): SetId {
  const [only] = ids;
  if (only !== undefined && ids.length === 1) {
    const known = store.alone[only] ?? 0;
    if (known > 0) return known - 1;
  }
  if (isSame(store.members[store.last], ids)) return store.last;
  const key = ids.join();
  const known = store.sets.byKey.get(key);
  if (known !== undefined) {
    store.last = known;
    return known;
  }
  const id = add(store.sets, key, Object.freeze({ paths: ids.map((one) => pathAt(store, one)) }));
  store.members[id] = [...ids];
  // A set keeps its paths: their numbers must not go to others while it stands for them.
  for (const one of ids) store.paths.counts[one] = (store.paths.counts[one] ?? 0) + 1;
  if (only !== undefined && ids.length === 1) store.alone[only] = id + 1;
  return id;
}

function isSame(known: readonly PathId[] | undefined, ids: readonly PathId[]): boolean {
  if (known === undefined || known.length !== ids.length) return false;
  for (let i = 0; i < ids.length; i += 1) if (known[i] !== ids[i]) return false;
  return true;
}

export function useSet(store: PathStore, id: SetId): void {
  store.sets.counts[id] = (store.sets.counts[id] ?? 0) + 1;
}

export function dropSet(store: PathStore, id: SetId): void {
  const members = store.members[id] ?? [];
  if (!drop(store.sets, id)) return;
  store.members[id] = [];
  const [only] = members;
  if (only !== undefined && members.length === 1) store.alone[only] = 0;
  for (const one of members) dropPath(store, one);
}

function itemAt<T>(among: Counted<T>, id: number): T {
  const item = among.items[id];
  if (item === undefined) throw new Error(`no path or set ${id}`);
  return item;
}

function use<T>(among: Counted<T>, key: string, make: () => T): number {
  const known = among.byKey.get(key);
  const id = known ?? add(among, key, make());
  among.counts[id] = (among.counts[id] ?? 0) + 1;
  return id;
}

function add<T>(among: Counted<T>, key: string, item: T): number {
  const id = among.free.pop() ?? among.items.length;
  among.items[id] = item;
  among.keys[id] = key;
  among.counts[id] = 0;
  among.byKey.set(key, id);
  return id;
}

/** True where that was the last user: then the number is free. */
function drop<T>(among: Counted<T>, id: number): boolean {
  const left = (among.counts[id] ?? 0) - 1;
  if (left < 0) throw new Error(`path or set ${id} was dropped more often than used`);
  among.counts[id] = left;
  if (left > 0) return false;
  among.byKey.delete(among.keys[id] ?? "");
  among.items[id] = undefined;
  among.keys[id] = "";
  among.free.push(id);
  return true;
}
