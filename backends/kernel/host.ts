/**
 * The host's network as the kernel tells it: links, addresses, VRFs, and the routes of others.
 *
 * Pure. What of the routes is kept are those that say how to reach a next hop or must not be shadowed; equal targets are one
 * object, prefixes stand in packed tables. Our own routes are never in here. Reads next: resolve.ts, guards.ts.
 */
import { type Address, bitsOf, type Family, familyOf } from "../../events/address.ts";
import { type Prefix, prefixOf } from "../../events/prefix.ts";
import {
  claimSlot,
  createPrefixTable,
  findSlot,
  isTaken,
  lengthAt,
  type PrefixTable,
  removeSlot,
  slotsOf,
  wordAt,
} from "../native/rib/prefix-table.ts";
import { type Bound, newBound } from "./bound.ts";
import type { BoundAddress, Link } from "./netlink/entries.ts";
import { RT_TABLE_LOCAL, RT_TABLE_MAIN, RTN_BLACKHOLE, RTN_UNICAST } from "./netlink/numbers.ts";
import type { Hop, RouteView } from "./netlink/route.ts";

/** Types that mean "not to be reached": blackhole, unreachable, prohibit. */
const RTN_PROHIBIT = 8;

export type Words = readonly [length: number, a: number, b: number, c: number, d: number];

export type Target = {
  readonly type: number;
  readonly protocol: number;
  readonly metric: number;
  readonly hops: readonly Hop[];
};

/** Directly on a link, by an address that is bound there or by hand. */
export const isConnected = ({ type, hops }: Target): boolean =>
  type === RTN_UNICAST && hops.length > 0 && hops.every(({ gateway }) => gateway === undefined);

type ForeignTable = {
  /** `family table`. */
  readonly name: string;
  readonly prefixes: PrefixTable;
  /** How many prefixes there are of each length. */
  readonly lengths: Uint32Array;
};

export type LocalRoute = {
  readonly address: Address;
  /** Interface index. */
  readonly device: number;
  /** That of addresses, or a VRF's. */
  readonly table: number;
};

export type Host = {
  readonly links: Map<number, Link>;
  readonly addresses: Bound<BoundAddress>;
  /** Ours: addresses that are received without being on the device. */
  readonly locals: Bound<LocalRoute>;
  readonly foreign: Map<number, ForeignTable>;
  /** Targets of one prefix, best first; equal lists are one. */
  readonly lists: (readonly Target[])[];
  readonly listNumbers: Map<string, number>;
  readonly changed: Changed;
};

/** Others' routes since somebody looked (exporter.ts); beyond CHANGED_MAX, and after a reading, it is `everything`. */
type Changed = {
  everything: boolean;
  /** By `family table words`. */
  readonly routes: Map<
    string,
    { readonly family: Family; readonly table: number; readonly words: Words }
  >;
};
const CHANGED_MAX = 10_000;

export const newHost = (): Host => ({
  links: new Map(),
  addresses: newBound(({ device }) => device),
  locals: newBound(({ table }) => table),
  foreign: new Map(),
  lists: [[]],
  listNumbers: new Map([["", 0]]),
  changed: { everything: true, routes: new Map() },
});

export function linkNamed(host: Host, name: string): Link | undefined {
  for (const link of host.links.values()) if (link.name === name) return link;
  return undefined;
}

/** The table of a VRF device; main for the default VRF; undefined where there is no such device. */
export const tableOfVrf = (host: Host, vrf: string): number | undefined =>
  vrf === "" ? RT_TABLE_MAIN : linkNamed(host, vrf)?.vrfTable;

/** Networks that this host has an address in now, loopback and host prefixes left out; sorted, each once. */
export function networksOf({ links, addresses }: Host): readonly Prefix[] {
  const found = new Set<Prefix>();
  for (const { address, length, device } of addresses.values()) {
    // Virtual IPs among them: 100,000 of those are passed over in some 2 ms.
    if (length === bitsOf(familyOf(address)) || address.startsWith("fe80:")) continue;
    const link = links.get(device);
    if (link?.up === true && !link.loopback) found.add(prefixOf(address, length));
  }
  return [...found].toSorted();
}

export const isOwnAddress = ({ addresses, locals }: Host, address: Address): boolean =>
  addresses.has(address) || locals.has(address);

/** A number, for it is looked up for every prefix. */
const placeOf = (family: Family, table: number): number => table * 2 + (family === "ipv4" ? 0 : 1);

function tableFor(host: Host, family: Family, table: number): ForeignTable {
  const place = placeOf(family, table);
  let found = host.foreign.get(place);
  if (found === undefined) {
    const prefixes = createPrefixTable(family, 0);
    found = { name: `${family} ${table}`, prefixes, lengths: new Uint32Array(129) };
    host.foreign.set(place, found);
  }
  return found;
}

const relevant = ({ table, type }: RouteView): boolean =>
  table !== RT_TABLE_LOCAL &&
  (type === RTN_UNICAST || (type >= RTN_BLACKHOLE && type <= RTN_PROHIBIT));

const targetText = ({ type, protocol, metric, hops }: Target): string =>
  `${type} ${protocol} ${metric} ${hops.map(({ device, gateway }) => `${device}>${gateway?.join(".") ?? ""}`).join(" ")}`;

function numberOf(host: Host, targets: readonly Target[]): number {
  const text = targets.map(targetText).join("|");
  let number = host.listNumbers.get(text);
  if (number === undefined) {
    number = host.lists.push(targets) - 1;
    host.listNumbers.set(text, number);
  }
  return number;
}

const kept = ({ type, protocol, metric, hops }: RouteView): Target => ({
  type,
  protocol,
  metric,
  hops: hops.map(({ device, gateway }) => ({ device, gateway: gateway?.slice() })),
});

/** Enters another's route, or takes it away. True where that changed anything. */
export function foreignRoute(host: Host, view: RouteView, present: boolean): boolean {
  if (!relevant(view)) return false;
  const { prefixes, lengths } = tableFor(host, view.family, view.table);
  const { length, a, b, c, d } = view;
  let slot = findSlot(prefixes, length, a, b, c, d);
  const before = slot < 0 ? 0 : (prefixes.values[slot] ?? 0);
  const target = kept(view);
  // One route to a prefix for each metric: a newer one replaced it, or stands behind it where appended.
  const others = (host.lists[before] ?? []).filter(({ metric }) => metric !== target.metric);
  const after = numberOf(
    host,
    (present ? [...others, target] : others).toSorted((x, y) => x.metric - y.metric),
  );
  if (after === before) return false;
  if (after === 0) {
    removeSlot(prefixes, slot);
    lengths[length] = (lengths[length] ?? 1) - 1;
  } else {
    if (slot < 0) {
      slot = claimSlot(prefixes, length, a, b, c, d);
      lengths[length] = (lengths[length] ?? 0) + 1;
    }
    prefixes.values[slot] = after;
  }
  noteChange(host.changed, view);
  return true;
}

function noteChange(changed: Changed, { family, table, length, a, b, c, d }: RouteView): void {
  if (changed.everything) return;
  const words: Words = [length, a, b, c, d];
  changed.routes.set(`${family} ${table} ${words.join(" ")}`, { family, table, words });
  if (changed.routes.size <= CHANGED_MAX) return;
  changed.everything = true;
  changed.routes.clear();
}

export const clearForeign = (host: Host): void => {
  host.changed.everything = true;
  host.changed.routes.clear();
  host.foreign.clear();
  host.lists.length = 1;
  host.listNumbers.clear();
  host.listNumbers.set("", 0);
};

/** All prefixes of others in a table; their values are numbers of `host.lists`. */
export const foreignIn = (host: Host, family: Family, table: number): PrefixTable | undefined =>
  host.foreign.get(placeOf(family, table))?.prefixes;

/** Others' routes to exactly this prefix, best first. */
export function foreignAt(
  host: Host,
  family: Family,
  table: number,
  [length, a, b, c, d]: Words,
): readonly Target[] {
  const found = host.foreign.get(placeOf(family, table));
  if (found === undefined) return NONE;
  const slot = findSlot(found.prefixes, length, a, b, c, d);
  return slot < 0 ? NONE : (host.lists[found.prefixes.values[slot] ?? 0] ?? NONE);
}

const NONE: readonly Target[] = [];

/** Keeps the first `length` of the bits of word number `word`. */
export const masked = (value: number, word: number, length: number): number => {
  const bits = Math.min(32, Math.max(0, length - 32 * word));
  return bits === 0 ? 0 : (value & (-1 << (32 - bits))) >>> 0;
};

/** The longest prefix of others that holds the address, with its best target. */
export function longestMatch(
  host: Host,
  family: Family,
  table: number,
  address: Words,
): { readonly length: number; readonly target: Target } | undefined {
  const found = host.foreign.get(placeOf(family, table));
  if (found === undefined) return undefined;
  const [full, a, b, c, d] = address;
  for (let length = Math.min(full, bitsOf(family)); length >= 0; length -= 1) {
    if ((found.lengths[length] ?? 0) === 0) continue;
    const [target] = foreignAt(host, family, table, [
      length,
      masked(a, 0, length),
      masked(b, 1, length),
      masked(c, 2, length),
      masked(d, 3, length),
    ]);
    if (target !== undefined) return { length, target };
  }
  return undefined;
}

/** Every prefix on a link, as `family table length a b c d`: what a learned route must not equal. */
export function connectedPrefixes(host: Host): ReadonlySet<string> {
  const all = new Set<string>();
  for (const { name, prefixes } of host.foreign.values()) {
    for (let slot = 0; slot < slotsOf(prefixes); slot += 1) {
      if (!isTaken(prefixes, slot)) continue;
      const targets = host.lists[prefixes.values[slot] ?? 0] ?? NONE;
      if (!targets.some(isConnected)) continue;
      const words = [0, 1, 2, 3].map((word) => wordAt(prefixes, slot, word));
      all.add(`${name} ${lengthAt(prefixes, slot)} ${words.join(" ")}`);
    }
  }
  return all;
}
