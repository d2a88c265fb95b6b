/**
 * Adj-RIB-In: what one peer has told us and not taken back (RFC 4271 §3.2), as typed arrays and interned attribute sets.
 *
 * Takes UPDATEs as ranges of octets, so that a full table makes no object per route: 13 to 27 octets a route for IPv4, 29 to
 * 59 for IPv6, by how full the table is. Judges each route by the peer's policy and tells of each change that can matter to
 * a decision; never selects a best path. Mutable, owned by one session. With path identifiers (RFC 7911), which we do not
 * offer, the last path of a prefix would stand for all.
 * Reads next: prefix-table.ts, attribute-store.ts, attribute-facts.ts, stale-routes.ts, loc-rib.ts (who decides), ../wire/update.ts.
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
  isUnused,
  octetsOf,
  release,
  releaseUnused,
  retain,
} from "./attribute-store.ts";
import {
  type AttributeFacts,
  createAttributeFacts,
  forgetAllFacts,
  forgetFacts,
  learnFacts,
  type PeerFacts,
  verdictOf,
} from "./attribute-facts.ts";
import type { PathStore } from "./path-store.ts";
import { leading } from "./prefix-list.ts";
import {
  claimSlot,
  createPrefixTable,
  findSlot,
  isTaken,
  prefixAt,
  type PrefixTable,
  removeSlot,
  setMarks,
  slotsOf,
} from "./prefix-table.ts";
import { AGE, ageAt, marksOf, verdictAt } from "./route-marks.ts";
import { VERDICT, type Verdict } from "./verdict.ts";

/** Judges a prefix of up to four 32-bit words; IPv4 has the first only. Called once for each route that comes. */
export type PrefixJudge = (
  family: Family,
  length: number,
  a: number,
  b: number,
  c: number,
  d: number,
) => Verdict;

export type Policy = {
  readonly judge: PrefixJudge;
  /** RFC 4271 §6.3: routes whose AS_PATH does not begin with the neighbour's AS are not accepted. */
  readonly checkFirstAs: boolean;
};

export type AdjRibInOptions = {
  readonly policy: Policy;
  readonly peer: PeerFacts;
  readonly paths: PathStore;
  /** Prefixes of a family after which no more are taken; see DEFAULT_PREFIX_LIMIT. */
  readonly limits: Readonly<Record<Family, number>>;
  /** Any 32-bit number that the peer does not know. */
  readonly seed: number;
  /** An accepted route came, changed its attributes or went. Called after the table was changed. */
  readonly changed: (
    family: Family,
    length: number,
    a: number,
    b: number,
    c: number,
    d: number,
  ) => void;
};

/** Twice the prefixes of the IPv4 Internet of 2026, about 60 MB: a choice that stops a runaway peer and no honest one. */
export const DEFAULT_PREFIX_LIMIT = 2_000_000;

export type AdjRibIn = {
  options: AdjRibInOptions;
  readonly store: AttributeStore;
  readonly facts: AttributeFacts;
  readonly tables: Readonly<Record<Family, PrefixTable>>;
  readonly accepted: Record<Family, number>;
  /** Prefixes held of these ages (route-marks.ts). */
  readonly stale: Record<Family, number>;
  readonly condemned: Record<Family, number>;
};

export type RibInChange = {
  /** Prefixes that came, also those that came again; and those that went. */
  readonly announced: number;
  readonly withdrawn: number;
  /** Set where the limit was reached: the rest of the message was not taken, and the session is to end with 6/1 (RFC 4486 §4). */
  readonly exceeded: { readonly family: Family; readonly limit: number } | undefined;
};

const FAMILIES = ["ipv4", "ipv6"] as const satisfies readonly Family[];

export function createAdjRibIn(options: AdjRibInOptions): AdjRibIn {
  const { seed, peer, paths } = options;
  return {
    options,
    store: createAttributeStore(seed),
    facts: createAttributeFacts(peer, paths),
    tables: { ipv4: createPrefixTable("ipv4", seed), ipv6: createPrefixTable("ipv6", seed) },
    accepted: { ipv4: 0, ipv6: 0 },
    stale: { ipv4: 0, ipv6: 0 },
    condemned: { ipv4: 0, ipv6: 0 },
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
        const wasAccepted = verdictAt(table, slot) === VERDICT.accepted;
        removeRoute(rib, table, slot);
        change.withdrawn += 1;
        if (wasAccepted) rib.options.changed(range.family, length, a, b, c, d);
      }
      return true;
    });
  }
  if (update.announced.length === 0) return change;
  const id = intern(rib.store, update.attributes);
  if (isUnused(rib.store, id)) learnFacts(rib.facts, id, update.attributes);
  for (const range of update.announced) {
    const { family } = range;
    const isWhole = eachPrefix(bytes, range, (length, a, b, c, d) => {
      if (!putRoute(rib, family, id, length, a, b, c, d)) return false;
      change.announced += 1;
      return true;
    });
    if (!isWhole) {
      change.exceeded = { family, limit: rib.options.limits[family] };
      break;
    }
  }
  if (isUnused(rib.store, id)) forgetFacts(rib.facts, id);
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
  return leading(word, bits);
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
  const { limits, changed } = rib.options;
  if (fresh(rib, family) >= limits[family]) {
    const known = findSlot(table, length, a, b, c, d);
    if (known < 0 || ageAt(table, known) !== AGE.fresh) return false;
  }
  const size = table.size;
  const slot = claimSlot(table, length, a, b, c, d);
  const isNew = table.size > size;
  const before = table.values[slot] ?? 0;
  const wasAccepted = !isNew && verdictAt(table, slot) === VERDICT.accepted;
  const verdict = judge(rib, family, id, length, a, b, c, d);
  const isAccepted = verdict === VERDICT.accepted;
  retain(rib.store, id);
  if (!isNew) {
    letGo(rib, before);
    forgetAge(rib, table, slot);
  }
  table.values[slot] = id;
  setMarks(table, slot, marksOf(verdict, AGE.fresh));
  if (isAccepted !== wasAccepted) rib.accepted[family] += isAccepted ? 1 : -1;
  // What is said again changes nothing.
  if ((isAccepted || wasAccepted) && (isNew || before !== id || !isAccepted || !wasAccepted)) {
    changed(family, length, a, b, c, d);
  }
  return true;
}

/** The prefix first, so that a peer of whom nothing is wanted costs nothing more. */
function judge(
  rib: AdjRibIn,
  family: Family,
  id: AttributesId,
  length: number,
  a: number,
  b: number,
  c: number,
  d: number,
): Verdict {
  const { policy } = rib.options;
  const byPrefix = policy.judge(family, length, a, b, c, d);
  if (byPrefix !== VERDICT.accepted) return byPrefix;
  const byAttributes = verdictOf(rib.facts, family, id);
  return byAttributes === VERDICT.firstAs && !policy.checkFirstAs ? VERDICT.accepted : byAttributes;
}

/** The slot is free afterwards, or another prefix stands in it. */
export function removeRoute(rib: AdjRibIn, table: PrefixTable, slot: number): void {
  if (verdictAt(table, slot) === VERDICT.accepted) rib.accepted[table.family] -= 1;
  letGo(rib, table.values[slot] ?? 0);
  forgetAge(rib, table, slot);
  removeSlot(table, slot);
}

function forgetAge({ stale, condemned }: AdjRibIn, table: PrefixTable, slot: number): void {
  const age = ageAt(table, slot);
  if (age === AGE.stale) stale[table.family] -= 1;
  else if (age === AGE.condemned) condemned[table.family] -= 1;
}

function letGo(rib: AdjRibIn, id: AttributesId): void {
  release(rib.store, id);
  if (isUnused(rib.store, id)) forgetFacts(rib.facts, id);
}

/** Prefixes held; of these those that were said in the session that is, which is what a maximum counts; and the accepted ones. */
export const received = (rib: AdjRibIn, family: Family): number => rib.tables[family].size;
export const fresh = (rib: AdjRibIn, family: Family): number =>
  rib.tables[family].size - rib.stale[family] - rib.condemned[family];
export const accepted = (rib: AdjRibIn, family: Family): number => rib.accepted[family];

/**
 * The session is gone, and with it what the peer said (RFC 4271 §8.2.2). The tables stay as they are for who walks them
 * (table-walk.ts) to tell that their routes left; nothing may be applied any more.
 */
export function endRib(rib: AdjRibIn): void {
  forgetAllFacts(rib.facts);
}

/** What comes from now on is judged so; what is there is when rejudge() is called for it. */
export function setPolicy(
  rib: AdjRibIn,
  changes: Pick<AdjRibInOptions, "policy" | "limits">,
): void {
  rib.options = { ...rib.options, ...changes };
}

/** One route by the present policy; for table-walk.ts. A prefix that is gone meanwhile is passed over. */
export function rejudge(
  rib: AdjRibIn,
  family: Family,
  length: number,
  a: number,
  b: number,
  c: number,
  d: number,
): void {
  const table = rib.tables[family];
  const slot = findSlot(table, length, a, b, c, d);
  if (slot < 0) return;
  const before = verdictAt(table, slot);
  const verdict = judge(rib, family, table.values[slot] ?? 0, length, a, b, c, d);
  if (verdict === before) return;
  setMarks(table, slot, marksOf(verdict, ageAt(table, slot)));
  const isAccepted = verdict === VERDICT.accepted;
  if (isAccepted === (before === VERDICT.accepted)) return;
  rib.accepted[family] += isAccepted ? 1 : -1;
  rib.options.changed(family, length, a, b, c, d);
}

/** Attributes of the accepted route to a prefix, or -1. */
export function acceptedRoute(
  rib: AdjRibIn,
  family: Family,
  length: number,
  a: number,
  b: number,
  c: number,
  d: number,
): AttributesId {
  const table = rib.tables[family];
  const slot = findSlot(table, length, a, b, c, d);
  return slot >= 0 && verdictAt(table, slot) === VERDICT.accepted ? (table.values[slot] ?? 0) : -1;
}

export type RouteIn = {
  readonly prefix: Prefix;
  readonly attributes: AttributesId;
  readonly verdict: Verdict;
  readonly stale: boolean;
};

function routeAt(table: PrefixTable, slot: number): RouteIn {
  return {
    prefix: prefixAt(table, slot),
    attributes: table.values[slot] ?? 0,
    verdict: verdictAt(table, slot),
    stale: ageAt(table, slot) !== AGE.fresh,
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
