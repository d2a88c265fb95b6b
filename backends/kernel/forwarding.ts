/**
 * Where routes go to: sets of hops and a preferred source, each held once as a number, and the kernel's next hop objects for them.
 *
 * A route refers to its forwarding by number, so 100,000 routes over the same paths share one next hop object or group
 * (linux/nexthop.h). Objects are made before the first route needs them, found again after a restart by their content, and
 * taken away when no route refers to them: never earlier, because the kernel drops an object's routes with it, without a word.
 * Reads next: fib.ts (who refers), netlink/nexthop.ts.
 */
import type { Family } from "../../events/address.ts";
import type { NexthopEntry } from "./netlink/nexthop.ts";
import { encodeNexthopGroup, encodeNexthopHop, encodeNexthopRemoval } from "./netlink/nexthop.ts";
import { type Attribute, encodeAttributes } from "./netlink/codec.ts";
import { FIRST_NEXTHOP, LAST_NEXTHOP } from "./netlink/numbers.ts";
import {
  encodeHops,
  type Hop,
  nexthopAttribute,
  preferredSourceAttribute,
  type RouteView,
} from "./netlink/route.ts";

/** Nothing: no route. */
export const NOWHERE = 0;

export type Forwarding = {
  /** What two of them are told apart by. */
  readonly content: string;
  readonly family: Family;
  readonly hops: readonly Hop[];
  readonly preferredSource: Uint8Array | undefined;
  /** Of the object that carries it; 0 where the route names its hops itself. */
  readonly nexthop: number;
  /** Attributes of a route that goes there. */
  readonly attributes: Uint8Array;
  /** Wanted and held routes. */
  references: number;
};

type NexthopObject = {
  readonly id: number;
  readonly content: string;
  readonly entry: NexthopEntry;
  /** Forwardings and groups that need it. */
  users: number;
  present: boolean;
};

export type Forwardings = {
  /** The number of these hops; the same as long as something refers to it. Order of hops does not matter. */
  intern(family: Family, hops: readonly Hop[], preferredSource: Uint8Array | undefined): number;
  /** The number of what the kernel holds; one of its own kind where the object is none of ours. */
  ofKernel(view: RouteView): number;
  at(index: number): Forwarding | undefined;
  refer(index: number, by: 1 | -1): void;
  /** Orders that make the objects of a forwarding which the kernel does not have. They count as made from now on. */
  missing(index: number): readonly Uint8Array[];
  /** Forgets forwardings that nothing refers to, and gives the orders that take their objects away. Only while no batch is out. */
  sweep(): readonly Uint8Array[];
  beforeDump(): void;
  /** What a dump, or the kernel by itself, says is there. */
  told(entry: NexthopEntry): void;
  /** After a dump: orders that make the objects in use anew which are gone or not as they were made. */
  restore(): readonly Uint8Array[];
  /** True where it was one of ours and in use: its routes are gone, too. */
  gone(id: number): boolean;
  usesDevice(device: number): boolean;
};

const hex = (octets: Uint8Array | undefined): string =>
  octets === undefined ? "" : Array.from(octets, (octet) => octet.toString(16)).join(":");
const hopText = ({ device, gateway }: Hop): string => `${device}>${hex(gateway)}`;

/** Without `objects` the routes carry their hops themselves (RTA_MULTIPATH). */
export function createForwardings(objects: boolean): Forwardings {
  const all: (Forwarding | undefined)[] = [undefined];
  const free: number[] = [];
  const byContent = new Map<string, number>();
  const byId = new Map<number, NexthopObject>();
  const byEntry = new Map<string, NexthopObject>();
  /** Members of groups that were told before them, and by how many: a dump goes by number. */
  const awaited = new Map<number, number>();
  let nextId = FIRST_NEXTHOP;
  /** Forwardings that nothing refers to. */
  let unused = 0;
  let strangers = false;

  const newId = (): number => {
    while (byId.has(nextId)) nextId = nextId >= LAST_NEXTHOP ? FIRST_NEXTHOP : nextId + 1;
    return nextId;
  };
  const object = (content: string, entry: (id: number) => NexthopEntry): NexthopObject => {
    const known = byEntry.get(content);
    if (known !== undefined) return known;
    const id = newId();
    const made = { id, content, entry: entry(id), users: 0, present: false };
    byId.set(id, made);
    byEntry.set(content, made);
    return made;
  };
  const single = (family: Family, hop: Hop): NexthopObject =>
    object(contentOfHop(family, hop), (id) => ({ type: "hop", id, family, hop }));

  const objectFor = (family: Family, hops: readonly Hop[]): NexthopObject => {
    const members = hops.map((hop) => single(family, hop));
    const [first] = members;
    if (first !== undefined && members.length === 1) return first;
    const ids = members.map(({ id }) => id).toSorted((a, b) => a - b);
    const known = byEntry.get(contentOfGroup(ids));
    if (known !== undefined) return known;
    for (const member of members) member.users += 1;
    return object(contentOfGroup(ids), (id) => ({ type: "group", id, members: ids }));
  };

  const add = (content: string, make: (content: string) => Forwarding): number => {
    const known = byContent.get(content);
    if (known !== undefined) return known;
    const index = free.pop() ?? all.length;
    all[index] = make(content);
    byContent.set(content, index);
    unused += 1;
    return index;
  };

  const make = (
    content: string,
    family: Family,
    hops: readonly Hop[],
    preferredSource: Uint8Array | undefined,
    nexthop: number,
  ): Forwarding => {
    const to: readonly Attribute[] =
      nexthop === 0 ? encodeHops(family, hops) : [nexthopAttribute(nexthop)];
    const from = preferredSource === undefined ? [] : [preferredSourceAttribute(preferredSource)];
    const attributes = encodeAttributes([...to, ...from]);
    return { content, family, hops, preferredSource, nexthop, attributes, references: 0 };
  };

  const intern: Forwardings["intern"] = (family, hops, preferredSource) => {
    const texts = new Map(hops.map((hop) => [hopText(hop), hop]));
    const sorted = [...texts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, hop]) => hop);
    const content = `${family} ${sorted.map(hopText).join()} ${hex(preferredSource)}`;
    return add(content, (content) => {
      const kept = sorted.map(({ device, gateway }) => ({ device, gateway: gateway?.slice() }));
      const carrier = objects ? objectFor(family, kept) : undefined;
      if (carrier !== undefined) carrier.users += 1;
      return make(content, family, kept, preferredSource?.slice(), carrier?.id ?? 0);
    });
  };

  const useMembers = (entry: NexthopEntry, by: 1 | -1): void => {
    for (const id of entry.type === "group" ? entry.members : []) {
      const one = byId.get(id);
      if (one === undefined) awaited.set(id, (awaited.get(id) ?? 0) + by);
      else one.users += by;
    }
  };
  const release = ({ id, content, entry }: NexthopObject): void => {
    byId.delete(id);
    byEntry.delete(content);
    useMembers(entry, -1);
  };

  return {
    intern,
    ofKernel({ family, hops, preferredSource, nexthop }) {
      if (nexthop === 0) {
        // With objects in use, a route that names its hops itself is not as we make them.
        if (!objects) return intern(family, hops, preferredSource);
        const content = `${family} plain ${hops.map(hopText).join()} ${hex(preferredSource)}`;
        return add(content, (content) => make(content, family, [], preferredSource?.slice(), 0));
      }
      const known = byId.get(nexthop);
      const resolved = known === undefined ? undefined : hopsOf(known, byId);
      if (resolved !== undefined && resolved.length > 0) {
        return intern(family, resolved, preferredSource);
      }
      const content = `${family} #${nexthop} ${hex(preferredSource)}`;
      return add(content, (content) =>
        make(content, family, [], preferredSource?.slice(), nexthop),
      );
    },
    at: (index) => all[index],
    refer(index, by) {
      const one = all[index];
      if (one === undefined) return;
      if (one.references === 0) unused -= 1;
      one.references += by;
      if (one.references === 0) unused += 1;
    },
    missing(index) {
      const carrier = byId.get(all[index]?.nexthop ?? 0);
      if (carrier === undefined || carrier.present) return [];
      const orders: Uint8Array[] = [];
      const { entry } = carrier;
      for (const id of entry.type === "group" ? entry.members : []) {
        const member = byId.get(id);
        if (member === undefined || member.present || member.entry.type !== "hop") continue;
        member.present = true;
        orders.push(orderFor(member.entry));
      }
      carrier.present = true;
      orders.push(orderFor(entry));
      return orders;
    },
    sweep() {
      if (unused === 0 && !strangers) return [];
      strangers = false;
      for (const [index, one] of all.entries()) {
        if (one === undefined || one.references > 0) continue;
        all[index] = undefined;
        free.push(index);
        unused -= 1;
        byContent.delete(one.content);
        const carrier = byId.get(one.nexthop);
        if (carrier !== undefined && one.hops.length > 0) carrier.users -= 1;
      }
      const orders: Uint8Array[] = [];
      // Groups before their members, whose users they are.
      for (const type of ["group", "hop"] as const) {
        for (const one of byId.values()) {
          if (one.entry.type !== type || one.users > 0) continue;
          if (one.present) orders.push(encodeNexthopRemoval(one.id));
          release(one);
        }
      }
      return orders;
    },
    beforeDump() {
      for (const one of byId.values()) one.present = false;
    },
    told(entry) {
      const known = byId.get(entry.id);
      const content =
        entry.type === "hop"
          ? contentOfHop(entry.family, entry.hop)
          : contentOfGroup(entry.members);
      if (known?.content === content) {
        known.present = true;
        return;
      }
      // A number that was used for something else, or content that is there twice: the newer knowledge replaces nothing in use.
      if (known !== undefined || byEntry.has(content)) return;
      const users = awaited.get(entry.id) ?? 0;
      awaited.delete(entry.id);
      const made = { id: entry.id, content, entry, users, present: true };
      byId.set(entry.id, made);
      byEntry.set(content, made);
      strangers = true;
      useMembers(entry, 1);
    },
    restore() {
      const orders: Uint8Array[] = [];
      for (const type of ["hop", "group"] as const) {
        for (const one of byId.values()) {
          if (one.entry.type !== type || one.users === 0 || one.present) continue;
          one.present = true;
          orders.push(orderFor(one.entry));
        }
      }
      return orders;
    },
    gone(id) {
      const one = byId.get(id);
      if (one === undefined || !one.present) return false;
      one.present = false;
      return one.users > 0;
    },
    usesDevice: (device) =>
      [...byId.values()].some(
        ({ entry, users }) => users > 0 && entry.type === "hop" && entry.hop.device === device,
      ) || all.some((one) => one?.hops.some((hop) => hop.device === device) === true),
  };
}

function hopsOf(object: NexthopObject, byId: ReadonlyMap<number, NexthopObject>): readonly Hop[] {
  const { entry } = object;
  if (entry.type === "hop") return [entry.hop];
  return entry.members.flatMap((id) => {
    const member = byId.get(id)?.entry;
    return member?.type === "hop" ? [member.hop] : [];
  });
}

const orderFor = (entry: NexthopEntry): Uint8Array =>
  entry.type === "hop" ? encodeNexthopHop(entry) : encodeNexthopGroup(entry);

/** The family of an object is that of its gateway; without one, that of the routes it is for. */
const contentOfHop = (family: Family, hop: Hop): string =>
  `${hop.gateway === undefined ? family : ""} ${hopText(hop)}`;
const contentOfGroup = (members: readonly number[]): string => `group ${members.join()}`;
