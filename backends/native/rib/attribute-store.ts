/**
 * Attribute sets by their octets: equal sets have one number, and a set that no route uses any more is forgotten.
 *
 * All octets stand in one arena that is tidied when half of it is waste, so that memory follows what is alive and not
 * what was ever said. A full table has some ten thousand sets for a million routes (RFC 4271 §4.3: routes of one UPDATE share
 * theirs). Reads next: adj-rib-in.ts.
 */

export type AttributesId = number;

export type AttributeStore = {
  /** Begins every hash, so that a peer cannot know which sets collide. */
  readonly seed: number;
  arena: Uint8Array;
  used: number;
  wasted: number;
  /** By id. */
  offsets: Uint32Array;
  lengths: Uint32Array;
  references: Uint32Array;
  hashes: Int32Array;
  /** Ids that were used and are free. */
  readonly free: number[];
  nextId: number;
  alive: number;
  /** Open addressing, id + 1; zero is free. */
  slots: Uint32Array;
};

const FIRST_ARENA = 4096;
const FIRST_IDS = 64;

export function createAttributeStore(seed: number): AttributeStore {
  return {
    seed,
    arena: new Uint8Array(FIRST_ARENA),
    used: 0,
    wasted: 0,
    offsets: new Uint32Array(FIRST_IDS),
    lengths: new Uint32Array(FIRST_IDS),
    references: new Uint32Array(FIRST_IDS),
    hashes: new Int32Array(FIRST_IDS),
    free: [],
    nextId: 0,
    alive: 0,
    slots: new Uint32Array(FIRST_IDS * 2),
  };
}

/** Number of the set with these octets, which are copied. It lives while it has references: see retain(). */
export function intern(store: AttributeStore, octets: Uint8Array): AttributesId {
  const hash = hashOf(store.seed, octets);
  const slot = probe(store, hash, octets);
  const found = store.slots[slot] ?? 0;
  if (found !== 0) return found - 1;
  const id = store.free.pop() ?? store.nextId;
  if (id === store.nextId) {
    store.nextId += 1;
    if (id === store.offsets.length) growIds(store);
  }
  place(store, id, octets);
  store.hashes[id] = hash;
  store.references[id] = 0;
  store.slots[slot] = id + 1;
  store.alive += 1;
  if (store.alive * 2 > store.slots.length) rehash(store, store.slots.length * 2);
  return id;
}

export function retain(store: AttributeStore, id: AttributesId): void {
  store.references[id] = (store.references[id] ?? 0) + 1;
}

/** Takes one reference back; with the last one the set is gone and its number is free. */
export function release(store: AttributeStore, id: AttributesId): void {
  const left = (store.references[id] ?? 0) - 1;
  if (left < 0) throw new Error(`attribute set ${id} was released more often than retained`);
  store.references[id] = left;
  if (left === 0) forget(store, id);
}

/** True of a set that was interned and is not retained yet, and of one that was released and is gone. */
export const isUnused = (store: AttributeStore, id: AttributesId): boolean =>
  (store.references[id] ?? 0) === 0;

/** Forgets a set that was interned and never retained. */
export function releaseUnused(store: AttributeStore, id: AttributesId): void {
  if (isUnused(store, id)) forget(store, id);
}

/** A view, good until the next change of the store. */
export function octetsOf(store: AttributeStore, id: AttributesId): Uint8Array {
  const offset = store.offsets[id] ?? 0;
  return store.arena.subarray(offset, offset + (store.lengths[id] ?? 0));
}

function forget(store: AttributeStore, id: AttributesId): void {
  unslot(store, id);
  store.wasted += store.lengths[id] ?? 0;
  store.lengths[id] = 0;
  store.free.push(id);
  store.alive -= 1;
}

function place(store: AttributeStore, id: number, octets: Uint8Array): void {
  if (store.used + octets.length > store.arena.length) makeRoom(store, octets.length);
  store.arena.set(octets, store.used);
  store.offsets[id] = store.used;
  store.lengths[id] = octets.length;
  store.used += octets.length;
}

/** Copies what is alive into an arena that is twice as large as that, so that tidying costs a fixed share of interning. */
function makeRoom(store: AttributeStore, more: number): void {
  const alive = store.used - store.wasted;
  const arena = new Uint8Array(Math.max(FIRST_ARENA, (alive + more) * 2));
  let used = 0;
  for (let id = 0; id < store.nextId; id += 1) {
    const length = store.lengths[id] ?? 0;
    if (length === 0) continue;
    const offset = store.offsets[id] ?? 0;
    arena.set(store.arena.subarray(offset, offset + length), used);
    store.offsets[id] = used;
    used += length;
  }
  store.arena = arena;
  store.used = used;
  store.wasted = 0;
}

function growIds(store: AttributeStore): void {
  const size = store.offsets.length * 2;
  const wider = (old: Uint32Array): Uint32Array => {
    const more = new Uint32Array(size);
    more.set(old);
    return more;
  };
  store.offsets = wider(store.offsets);
  store.lengths = wider(store.lengths);
  store.references = wider(store.references);
  const hashes = new Int32Array(size);
  hashes.set(store.hashes);
  store.hashes = hashes;
}

/** FNV-1a from a beginning that the peer does not know. */
function hashOf(seed: number, octets: Uint8Array): number {
  let hash = 0x811c_9dc5 ^ seed;
  for (let i = 0; i < octets.length; i += 1) hash = Math.imul(hash ^ (octets[i] ?? 0), 0x0100_0193);
  return hash ^ (hash >>> 15);
}

function probe(store: AttributeStore, hash: number, octets: Uint8Array): number {
  const { slots } = store;
  const mask = slots.length - 1;
  let slot = hash & mask;
  for (; slots[slot] !== 0; slot = (slot + 1) & mask) {
    const id = (slots[slot] ?? 0) - 1;
    if (store.hashes[id] === hash && isEqual(store, id, octets)) return slot;
  }
  return slot;
}

function isEqual(store: AttributeStore, id: number, octets: Uint8Array): boolean {
  if (store.lengths[id] !== octets.length) return false;
  const { arena } = store;
  const offset = store.offsets[id] ?? 0;
  for (let i = 0; i < octets.length; i += 1) if (arena[offset + i] !== octets[i]) return false;
  return true;
}

/** Takes an id out of the hash and moves its followers back. */
function unslot(store: AttributeStore, id: number): void {
  const { slots, hashes } = store;
  const mask = slots.length - 1;
  let hole = (hashes[id] ?? 0) & mask;
  while (slots[hole] !== id + 1) hole = (hole + 1) & mask;
  for (let at = (hole + 1) & mask; slots[at] !== 0; at = (at + 1) & mask) {
    const home = (hashes[(slots[at] ?? 0) - 1] ?? 0) & mask;
    if (((at - home) & mask) >= ((at - hole) & mask)) {
      slots[hole] = slots[at] ?? 0;
      hole = at;
    }
  }
  slots[hole] = 0;
}

function rehash(store: AttributeStore, size: number): void {
  const old = store.slots;
  const mask = size - 1;
  store.slots = new Uint32Array(size);
  for (const entry of old) {
    if (entry === 0) continue;
    let slot = (store.hashes[entry - 1] ?? 0) & mask;
    while (store.slots[slot] !== 0) slot = (slot + 1) & mask;
    store.slots[slot] = entry;
  }
}
