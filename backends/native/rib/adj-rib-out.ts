/**
 * Adj-RIB-Out: what one peer was told, and what it is yet to be told (RFC 4271 §3.2).
 *
 * Of each prefix only the latest waits, in groups with equal attributes; the socket pulls as much as it takes, so a peer that
 * does not read has a queue bounded by the number of prefixes. A value: dumpAdjRibOut() gives it as JSON, and the restored one
 * sends the same octets. Never decides what a peer is told. Reads next: drain.ts (how it leaves), ../wire/encode-updates.ts.
 */
import type { Family } from "../../../events/address.ts";
import { type Prefix, prefixFamily } from "../../../events/prefix.ts";
import { attributesKey } from "../wire/encode-attributes.ts";
import type { Pull } from "../wire/encode-updates.ts";
import type { OutAttributes } from "../wire/message.ts";

/** Routes of one family that leave together: with equal attributes, or as withdrawals. */
export type Group = {
  readonly family: Family;
  readonly set: AttributeSet | undefined;
  readonly prefixes: Set<Prefix>;
};

export type AttributeSet = {
  readonly attributes: OutAttributes;
  readonly key: string;
  /** Prefixes that are told or wait with these attributes; at zero the set is forgotten. */
  references: number;
  readonly groups: { ipv4: Group | undefined; ipv6: Group | undefined };
};

export type AdjRibOut = {
  readonly told: Map<Prefix, AttributeSet>;
  /** Of those, how many in each family. */
  readonly toldOf: Record<Family, number>;
  readonly pending: Map<Prefix, Group>;
  /** Those with prefixes, the longest waiting first. */
  readonly queue: Set<Group>;
  readonly sets: Map<string, AttributeSet>;
  readonly withdrawals: Readonly<Record<Family, Group>>;
  /** End-of-RIB markers that wait until nothing else does (RFC 4724 §2). */
  readonly endOfRib: Set<Family>;
};

/** Nothing told: the state of a new session. */
export function createAdjRibOut(): AdjRibOut {
  return {
    told: new Map(),
    toldOf: { ipv4: 0, ipv6: 0 },
    pending: new Map(),
    queue: new Set(),
    sets: new Map(),
    withdrawals: {
      ipv4: { family: "ipv4", set: undefined, prefixes: new Set() },
      ipv6: { family: "ipv6", set: undefined, prefixes: new Set() },
    },
    endOfRib: new Set(),
  };
}

/** The peer is to know the prefix with these attributes. One attributes object for many prefixes makes it quick. */
export function announce(rib: AdjRibOut, prefix: Prefix, attributes: OutAttributes): void {
  const set = setOf(rib, attributes);
  const waiting = rib.pending.get(prefix);
  if (waiting?.set === set) return;
  set.references += 1;
  if (waiting !== undefined) dequeue(rib, prefix);
  if (rib.told.get(prefix) !== set) enqueue(rib, prefix, groupOf(set, prefixFamily(prefix)));
  unreference(rib, set);
}

/** The peer is to forget the prefix; one that it was never told costs no message. */
export function withdraw(rib: AdjRibOut, prefix: Prefix): void {
  const family = prefixFamily(prefix);
  const waiting = rib.pending.get(prefix);
  if (waiting !== undefined && waiting.set === undefined) return;
  dequeue(rib, prefix);
  if (rib.told.has(prefix)) enqueue(rib, prefix, rib.withdrawals[family]);
}

/** RFC 2918 §4, RFC 4724 §4.1: tells all of a family again. */
export function readvertise(rib: AdjRibOut, family: Family): void {
  for (const [prefix, set] of rib.told) {
    if (prefixFamily(prefix) !== family || rib.pending.has(prefix)) continue;
    enqueue(rib, prefix, groupOf(set, family));
  }
}

/** Sends the End-of-RIB marker of the family once everything that waits has left (RFC 4724 §2). */
export function markEndOfRib(rib: AdjRibOut, family: Family): void {
  rib.endOfRib.add(family);
}

export const hasPending = (rib: AdjRibOut): boolean => rib.queue.size > 0 || rib.endOfRib.size > 0;
/** Prefixes that the peer was told and was not told to forget, of all families or of one. */
export const toldCount = (rib: AdjRibOut, family?: Family): number =>
  family === undefined ? rib.told.size : rib.toldOf[family];
export const pendingCount = (rib: AdjRibOut): number => rib.pending.size;

/** What the peer was told, in no order. */
export function* toldRoutes(rib: AdjRibOut): Generator<readonly [Prefix, OutAttributes]> {
  for (const [prefix, set] of rib.told) yield [prefix, set.attributes];
}

export const toldAttributes = (rib: AdjRibOut, prefix: Prefix): OutAttributes | undefined =>
  rib.told.get(prefix)?.attributes;

/**
 * Takes prefixes out of a group, one a call, and holds them for told; for drain.ts. One iterator for many prefixes: a new one
 * would walk again over all that were taken before.
 */
export function pullFrom(rib: AdjRibOut, group: Group): Pull {
  const waiting = group.prefixes.values();
  return () => {
    const { value: prefix } = waiting.next();
    if (prefix !== undefined) tell(rib, group, prefix);
    return prefix;
  };
}

function tell(rib: AdjRibOut, group: Group, prefix: Prefix): void {
  const before = rib.told.get(prefix);
  if (group.set === undefined) rib.told.delete(prefix);
  else {
    group.set.references += 1;
    rib.told.set(prefix, group.set);
  }
  rib.toldOf[group.family] += Number(group.set !== undefined) - Number(before !== undefined);
  dequeue(rib, prefix);
  if (before !== undefined) unreference(rib, before);
}

/** Takes all prefixes of a group out of the queue without telling them; for drain.ts. */
export function abandon(rib: AdjRibOut, group: Group): readonly Prefix[] {
  const prefixes = [...group.prefixes];
  for (const prefix of prefixes) {
    dequeue(rib, prefix);
    // What the peer knows of it is no longer true, so that has to go.
    if (rib.told.has(prefix)) enqueue(rib, prefix, rib.withdrawals[group.family]);
  }
  return prefixes;
}

function setOf(rib: AdjRibOut, attributes: OutAttributes): AttributeSet {
  const key = attributesKey(attributes);
  const known = rib.sets.get(key);
  if (known !== undefined) return known;
  const set: AttributeSet = {
    attributes,
    key,
    references: 0,
    groups: { ipv4: undefined, ipv6: undefined },
  };
  rib.sets.set(key, set);
  return set;
}

function groupOf(set: AttributeSet, family: Family): Group {
  set.groups[family] ??= { family, set, prefixes: new Set() };
  return set.groups[family];
}

function enqueue(rib: AdjRibOut, prefix: Prefix, group: Group): void {
  group.prefixes.add(prefix);
  rib.pending.set(prefix, group);
  rib.queue.add(group);
  if (group.set !== undefined) group.set.references += 1;
}

function dequeue(rib: AdjRibOut, prefix: Prefix): void {
  const group = rib.pending.get(prefix);
  if (group === undefined) return;
  rib.pending.delete(prefix);
  group.prefixes.delete(prefix);
  if (group.prefixes.size === 0) rib.queue.delete(group);
  if (group.set !== undefined) unreference(rib, group.set);
}

function unreference(rib: AdjRibOut, set: AttributeSet): void {
  set.references -= 1;
  if (set.references === 0) rib.sets.delete(set.key);
}

/** Plain JSON; attribute sets stand once and are referred to by position. */
export type AdjRibOutDump = {
  readonly sets: readonly OutAttributes[];
  readonly told: readonly (readonly [Prefix, number])[];
  /** Groups in the order in which they leave; -1: withdrawals. */
  readonly queue: readonly {
    readonly set: number;
    readonly family: Family;
    readonly prefixes: readonly Prefix[];
  }[];
  readonly endOfRib: readonly Family[];
};

export function dumpAdjRibOut(rib: AdjRibOut): AdjRibOutDump {
  const positions = new Map<AttributeSet, number>();
  for (const set of rib.sets.values()) positions.set(set, positions.size);
  const positionOf = (set: AttributeSet | undefined): number =>
    set === undefined ? -1 : (positions.get(set) ?? -1);
  return {
    sets: [...positions.keys()].map(({ attributes }) => attributes),
    told: [...rib.told].map(([prefix, set]) => [prefix, positionOf(set)] as const),
    queue: [...rib.queue].map(({ set, family, prefixes }) => ({
      set: positionOf(set),
      family,
      prefixes: [...prefixes],
    })),
    endOfRib: [...rib.endOfRib],
  };
}

/** Throws where the dump is none of dumpAdjRibOut(): our own bug. */
export function restoreAdjRibOut(dump: AdjRibOutDump): AdjRibOut {
  const rib = createAdjRibOut();
  const sets = dump.sets.map((attributes) => setOf(rib, attributes));
  const at = (position: number): AttributeSet => {
    const set = sets[position];
    if (set === undefined) throw new Error(`no attribute set ${position} in the dump`);
    return set;
  };
  for (const [prefix, position] of dump.told) {
    const set = at(position);
    set.references += 1;
    rib.told.set(prefix, set);
    rib.toldOf[prefixFamily(prefix)] += 1;
  }
  for (const { set, family, prefixes } of dump.queue) {
    const group = set < 0 ? rib.withdrawals[family] : groupOf(at(set), family);
    for (const prefix of prefixes) enqueue(rib, prefix, group);
  }
  for (const family of dump.endOfRib) rib.endOfRib.add(family);
  return rib;
}
