/**
 * Adj-RIB-In: what one peer has told us and not taken back (RFC 4271 §3.2), as typed arrays and interned attribute sets.
 *
 * Takes UPDATEs as ranges of octets, so that a full table makes no object per route: 13 to 27 octets a route for IPv4, 29 to
 * 59 for IPv6, by how full the table is. Never selects a best path. Mutable, owned by one session. With path identifiers
 * (RFC 7911), which we do not offer, the last path of a prefix would stand for all.
 * Reads next: prefix-table.ts, attribute-store.ts, ../wire/update.ts.
 */
import type { Family } from "../../../events/address.ts";
import type { Prefix } from "../../../events/prefix.ts";
import { prefixFamily } from "../../../events/prefix.ts";
import type { NlriRange, Update } from "../wire/message.ts";
import { prefixOctets } from "../wire/nlri.ts";
import {
  type AttributesId,
  type AttributeStore,
  createAttributeStore,
  intern,
  octetsOf,
  release,
  releaseUnused,
  retain,
} from "./attribute-store.ts";
import {
  claimSlot,
  clearTable,
  createPrefixTable,
  findSlot,
  isTaken,
  lengthAt,
  marksAt,
  prefixAt,
  type PrefixTable,
  removeSlot,
  setMarks,
  slotsOf,
  wordAt,
} from "./prefix-table.ts";

/** Judges a prefix of up to four 32-bit words; IPv4 has the first only. Called once for each route that comes. */
export type Accepts = (
  family: Family,
  length: number,
  a: number,
  b: number,
  c: number,
  d: number,
) => boolean;

export type AdjRibInOptions = {
  readonly accepts: Accepts;
  /** Prefixes of one family after which no more are taken; see DEFAULT_PREFIX_LIMIT. */
  readonly limit: number;
  /** Any 32-bit number that the peer does not know. */
  readonly seed: number;
};

/** Twice the prefixes of the IPv4 Internet of 2026, about 60 MB: a choice that stops a runaway peer and no honest one. */
export const DEFAULT_PREFIX_LIMIT = 2_000_000;

export type AdjRibIn = {
  options: AdjRibInOptions;
  readonly store: AttributeStore;
  readonly tables: Readonly<Record<Family, PrefixTable>>;
  readonly accepted: Record<Family, number>;
};

export type RibInChange = {
  /** Prefixes that came, also those that came again; and those that went. */
  readonly announced: number;
  readonly withdrawn: number;
  /** Set where the limit was reached: the rest of the message was not taken, and the session is to end with 6/1 (RFC 4486 §4). */
  readonly exceeded: { readonly family: Family; readonly limit: number } | undefined;
};

const STALE = 1;
const ACCEPTED = 2;
const FAMILIES = ["ipv4", "ipv6"] as const satisfies readonly Family[];

export function createAdjRibIn(options: AdjRibInOptions): AdjRibIn {
  const { seed } = options;
  return {
    options,
    store: createAttributeStore(seed),
    tables: { ipv4: createPrefixTable("ipv4", seed), ipv6: createPrefixTable("ipv6", seed) },
    accepted: { ipv4: 0, ipv6: 0 },
  };
}

/** RFC 4271 §9: withdrawals first, then announcements, each replacing what was said of its prefix before. */
export function applyUpdate(rib: AdjRibIn, update: Update): RibInChange {
  const { bytes } = update;
  const change = { announced: 0, withdrawn: 0, exceeded: undefined as RibInChange["exceeded"] };
  for (const range of update.withdrawn) {
    eachPrefix(bytes, range, (length, a, b, c, d) => {
      const table = rib.tables[range.family];
      const slot = findSlot(table, length, a, b, c, d);
      if (slot >= 0) {
        removeRoute(rib, table, slot);
        change.withdrawn += 1;
      }
      return true;
    });
  }
  if (update.announced.length === 0) return change;
  const id = intern(rib.store, update.attributes);
  for (const range of update.announced) {
    const { family } = range;
    const isWhole = eachPrefix(bytes, range, (length, a, b, c, d) => {
      if (!putRoute(rib, family, id, length, a, b, c, d)) return false;
      change.announced += 1;
      return true;
    });
    if (!isWhole) {
      change.exceeded = { family, limit: rib.options.limit };
      break;
    }
  }
  releaseUnused(rib.store, id);
  return change;
}

type Visit = (length: number, a: number, b: number, c: number, d: number) => boolean;

/** The range was checked by parseUpdate(). False where the visitor stopped it. */
function eachPrefix(bytes: Uint8Array, range: NlriRange, visit: Visit): boolean {
  const isIpv4 = range.family === "ipv4";
  let at = range.start;
  while (at < range.end) {
    if (range.addPath) at += 4;
    const length = bytes[at] ?? 0;
    const next = at + 1 + ((length + 7) >> 3);
    const a = wordFrom(bytes, at + 1, length);
    const more = isIpv4
      ? visit(length, a, 0, 0, 0)
      : visit(
          length,
          a,
          wordFrom(bytes, at + 5, length - 32),
          wordFrom(bytes, at + 9, length - 64),
          wordFrom(bytes, at + 13, length - 96),
        );
    if (!more) return false;
    at = next;
  }
  return true;
}

/** The leading `bits` of a word; RFC 4271 §4.3: what stands beyond them is of no meaning. */
function wordFrom(bytes: Uint8Array, at: number, bits: number): number {
  if (bits <= 0) return 0;
  const word =
    (((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0)) >>>
    0;
  return bits >= 32 ? word : (word & (0xffff_ffff << (32 - bits))) >>> 0;
}

/** False where the prefix is new and the table is full by the limit. */
function putRoute(
  rib: AdjRibIn,
  family: Family,
  id: AttributesId,
  length: number,
  a: number,
  b: number,
  c: number,
  d: number,
): boolean {
  const table = rib.tables[family];
  const { accepts, limit } = rib.options;
  const isFull = table.size >= limit;
  if (isFull && findSlot(table, length, a, b, c, d) < 0) return false;
  const before = table.size;
  const slot = claimSlot(table, length, a, b, c, d);
  retain(rib.store, id);
  if (table.size > before) {
    const marks = accepts(family, length, a, b, c, d) ? ACCEPTED : 0;
    if (marks !== 0) rib.accepted[family] += 1;
    setMarks(table, slot, marks);
  } else {
    release(rib.store, table.values[slot] ?? 0);
    setMarks(table, slot, marksAt(table, slot) & ~STALE);
  }
  table.values[slot] = id;
  return true;
}

function removeRoute(rib: AdjRibIn, table: PrefixTable, slot: number): void {
  if ((marksAt(table, slot) & ACCEPTED) !== 0) rib.accepted[table.family] -= 1;
  release(rib.store, table.values[slot] ?? 0);
  removeSlot(table, slot);
}

/** Prefixes held, and of these the accepted ones. */
export const received = (rib: AdjRibIn, family: Family): number => rib.tables[family].size;
export const accepted = (rib: AdjRibIn, family: Family): number => rib.accepted[family];

/** The session is gone, and with it what the peer said (RFC 4271 §8.2.2). */
export function clearRoutes(rib: AdjRibIn): void {
  for (const family of FAMILIES) {
    const table = rib.tables[family];
    for (let slot = 0; slot < slotsOf(table); slot += 1)
      if (isTaken(table, slot)) release(rib.store, table.values[slot] ?? 0);
    clearTable(table);
    rib.accepted[family] = 0;
  }
}

/** RFC 4724 §4.2: the routes stay while the peer restarts; one that comes again is stale no more. */
export function markStale(rib: AdjRibIn, family: Family): void {
  const table = rib.tables[family];
  for (let slot = 0; slot < slotsOf(table); slot += 1)
    if (isTaken(table, slot)) setMarks(table, slot, marksAt(table, slot) | STALE);
}

/** RFC 4724 §4.2: at the End-of-RIB, or when the peer took too long. The answer is how many went. */
export function sweepStale(rib: AdjRibIn, family: Family): number {
  const table = rib.tables[family];
  const before = table.size;
  for (let slot = 0; slot < slotsOf(table);) {
    if (isTaken(table, slot) && (marksAt(table, slot) & STALE) !== 0) removeRoute(rib, table, slot);
    else slot += 1;
  }
  return before - table.size;
}

/** Judges all routes anew by another rule. */
export function reconsider(rib: AdjRibIn, accepts: Accepts): void {
  rib.options = { ...rib.options, accepts };
  for (const family of FAMILIES) {
    const table = rib.tables[family];
    rib.accepted[family] = 0;
    for (let slot = 0; slot < slotsOf(table); slot += 1) {
      if (!isTaken(table, slot)) continue;
      const word = (index: number): number => wordAt(table, slot, index);
      const isAccepted = accepts(family, lengthAt(table, slot), word(0), word(1), word(2), word(3));
      if (isAccepted) rib.accepted[family] += 1;
      setMarks(table, slot, (marksAt(table, slot) & STALE) | (isAccepted ? ACCEPTED : 0));
    }
  }
}

export type RouteIn = {
  readonly prefix: Prefix;
  readonly attributes: AttributesId;
  readonly accepted: boolean;
  readonly stale: boolean;
};

function routeAt(table: PrefixTable, slot: number): RouteIn {
  const marks = marksAt(table, slot);
  return {
    prefix: prefixAt(table, slot),
    attributes: table.values[slot] ?? 0,
    accepted: (marks & ACCEPTED) !== 0,
    stale: (marks & STALE) !== 0,
  };
}

/** In no order. Routes that change while the walk pauses may be missed or come twice; none is ever made up. */
export function* routesIn(rib: AdjRibIn): Generator<RouteIn> {
  for (const family of FAMILIES) {
    const table = rib.tables[family];
    for (let slot = 0; slot < slotsOf(table); slot += 1)
      if (isTaken(table, slot)) yield routeAt(table, slot);
  }
}

export function lookupRoute(rib: AdjRibIn, prefix: Prefix): RouteIn | undefined {
  const family = prefixFamily(prefix);
  const octets = prefixOctets(prefix, family);
  const range = { family, addPath: false, start: 0, end: octets.length };
  let found: RouteIn | undefined;
  eachPrefix(octets, range, (length, a, b, c, d) => {
    const table = rib.tables[family];
    const slot = findSlot(table, length, a, b, c, d);
    if (slot >= 0) found = routeAt(table, slot);
    return false;
  });
  return found;
}

/** Octets of an attribute set for decodeAttributes(); a view, good until the next UPDATE is applied. */
export const attributesOf = (rib: AdjRibIn, id: AttributesId): Uint8Array =>
  octetsOf(rib.store, id);
