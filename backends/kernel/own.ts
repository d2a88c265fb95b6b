/**
 * Own entries: addresses, blackhole and unreachable routes, policy rules; what is wanted and what is there, as items with a text.
 *
 * Pure. Equal texts are the same entry, and the text is what people read. Only what carries our mark is ever removed; an
 * address that is there by another hand is left alone and counts as present. Reads next: own-orders.ts, netlink/entries.ts.
 */
import { type Address, bitsOf, familyOf } from "../../events/address.ts";
import { prefixFamily } from "../../events/prefix.ts";
import type { OwnProblem } from "./facts.ts";
import { addressKey, type Host, linkNamed, tableOfVrf } from "./host.ts";
import { prefixWords } from "./imports.ts";
import type { KernelIntent, OwnAddress, OwnKernelRoute, PolicyRule } from "./intent.ts";
import { encodeAddress, encodeRule, type Rule } from "./netlink/entries.ts";
import { PROTOCOL, RTN_BLACKHOLE, RTN_UNREACHABLE } from "./netlink/numbers.ts";
import { type RouteOrder, routeOctets, writeRoute } from "./netlink/route.ts";

export type OwnItem = {
  readonly kind: "address" | "own-route" | "rule";
  readonly text: string;
  readonly add: () => Uint8Array;
  readonly remove: () => Uint8Array;
  /** Enters in the model that it is there now, or is not: our own doings are not told by the kernel's news. */
  readonly enter: (host: Host, own: OwnState, present: boolean) => void;
};

export type OwnItems = ReadonlyMap<string, OwnItem>;

export type KernelOwnRoute = Pick<OwnKernelRoute, "type" | "prefix" | "metric"> & {
  readonly table: number;
};

/** Entries of ours that the kernel has, beside addresses, which the host's model knows. */
export type OwnState = {
  readonly routes: Map<string, KernelOwnRoute>;
  readonly rules: Map<string, Rule>;
};

const TYPES: Readonly<Record<OwnKernelRoute["type"], number>> = {
  blackhole: RTN_BLACKHOLE,
  unreachable: RTN_UNREACHABLE,
};

export const ownRouteType = (number: number): OwnKernelRoute["type"] | undefined =>
  number === RTN_BLACKHOLE ? "blackhole" : number === RTN_UNREACHABLE ? "unreachable" : undefined;

export const addressText = ({ address, device }: Pick<OwnAddress, "address" | "device">): string =>
  `address ${address}/${bitsOf(familyOf(address))} dev ${device}`;

export const ownRouteText = ({ type, prefix, table, metric }: KernelOwnRoute): string =>
  `${type} ${prefix} table ${table} metric ${metric}`;

export const ruleText = ({ priority, family, from, to, incoming, mark, table }: Rule): string =>
  [
    `rule ${priority} ${family}`,
    `from ${from ?? "all"}`,
    ...(to === undefined ? [] : [`to ${to}`]),
    ...(incoming === "" ? [] : [`iif ${incoming}`]),
    ...(mark === undefined ? [] : [`fwmark ${mark}`]),
    `table ${table}`,
  ].join(" ");

function routeMessage(order: RouteOrder, route: KernelOwnRoute): Uint8Array {
  const family = prefixFamily(route.prefix);
  const [length, a, b, c, d] = prefixWords(route.prefix);
  const out = new Uint8Array(routeOctets(family));
  const key = { family, table: route.table, metric: route.metric };
  const view = new DataView(out.buffer);
  writeRoute(view, 0, order, key, length, a, b, c, d, new Uint8Array(0), TYPES[route.type]);
  return out;
}

const routeItem = (route: KernelOwnRoute): OwnItem => ({
  kind: "own-route",
  text: ownRouteText(route),
  add: () => routeMessage("add", route),
  remove: () => routeMessage("remove", route),
  enter: (_host, own, present) => keep(own.routes, ownRouteText(route), route, present),
});

const ruleItem = (rule: Rule): OwnItem => ({
  kind: "rule",
  text: ruleText(rule),
  add: () => encodeRule("add", rule),
  remove: () => encodeRule("remove", rule),
  enter: (_host, own, present) => keep(own.rules, ruleText(rule), rule, present),
});

function keep<V>(map: Map<string, V>, key: string, value: V, present: boolean): void {
  if (present) map.set(key, value);
  else map.delete(key);
}

const ruleOf = (
  { priority, family, from, to, incoming, mark }: PolicyRule,
  table: number,
): Rule => ({ priority, family, from, to, incoming, mark, table });

/** Metric 0 means 1024 to the kernel in IPv6. */
const normal = ({ type, prefix, metric }: OwnKernelRoute, table: number): KernelOwnRoute => ({
  type,
  prefix,
  table,
  metric: metric === 0 && prefixFamily(prefix) === "ipv6" ? 1024 : metric,
});

/** `isOurs`: by the kernel's mark or the ledger. */
export function wantedItems(
  intent: KernelIntent,
  host: Host,
  isOurs: (address: Address, device: string) => boolean,
): { readonly items: OwnItems; readonly problems: readonly OwnProblem[] } {
  const items = new Map<string, OwnItem>();
  const problems: OwnProblem[] = [];
  const bound = new Map<Address, string[]>();
  for (const { address, device } of host.addresses.values()) {
    const name = host.links.get(device)?.name ?? "";
    bound.set(address, [...(bound.get(address) ?? []), name]);
  }
  for (const own of intent.addresses.values()) {
    const entry = addressText(own);
    const link = linkNamed(host, own.device);
    const there = bound.get(own.address) ?? [];
    const other = there.find((name) => name !== own.device && !isOurs(own.address, name));
    if (link === undefined) problems.push({ entry, reason: `device ${own.device} is not there` });
    else if (other !== undefined) {
      const reason = `${own.address} is bound on ${other} already: take it away there, or give the VIP another address`;
      problems.push({ entry, reason });
    } else if (!there.includes(own.device) || isOurs(own.address, own.device)) {
      items.set(entry, addressItem(own, link.index));
      if (host.addresses.get(addressKey({ ...own, device: link.index }))?.duplicate === true) {
        const reason = `another host on ${own.device} has ${own.address} (duplicate address detection failed)`;
        problems.push({ entry, reason });
      }
    }
  }
  const absent = (entry: string, vrf: string): void =>
    void problems.push({ entry, reason: `VRF device ${vrf} is not there` });
  for (const [entry, route] of intent.routes) {
    const table = tableOfVrf(host, route.vrf);
    if (table === undefined) absent(entry, route.vrf);
    else {
      const item = routeItem(normal(route, table));
      items.set(item.text, item);
    }
  }
  for (const [entry, rule] of intent.rules) {
    const { table: where } = rule;
    const table = typeof where === "number" ? where : tableOfVrf(host, where.vrf);
    if (table === undefined) absent(entry, typeof where === "number" ? "" : where.vrf);
    else {
      const item = ruleItem(ruleOf(rule, table));
      items.set(item.text, item);
    }
  }
  return { items, problems };
}

const addressItem = (own: Pick<OwnAddress, "address" | "device">, index: number): OwnItem => ({
  kind: "address",
  text: addressText(own),
  add: () => encodeAddress("add", own.address, index),
  remove: () => encodeAddress("remove", own.address, index),
  enter(host, _own, present) {
    const { address } = own;
    const length = bitsOf(familyOf(address));
    const bound = { address, length, device: index, protocol: PROTOCOL, duplicate: false };
    keep(host.addresses, addressKey(bound), bound, present);
  },
});

/** What carries our mark. */
export function presentItems(
  host: Host,
  own: OwnState,
  isOurs: (address: Address, device: string) => boolean,
): OwnItems {
  const items = new Map<string, OwnItem>();
  for (const { address, device, length } of host.addresses.values()) {
    const name = host.links.get(device)?.name;
    if (name === undefined || length !== bitsOf(familyOf(address)) || !isOurs(address, name))
      continue;
    const item = addressItem({ address, device: name }, device);
    items.set(item.text, item);
  }
  for (const route of own.routes.values()) items.set(ownRouteText(route), routeItem(route));
  for (const rule of own.rules.values()) items.set(ruleText(rule), ruleItem(rule));
  return items;
}

/** What is to be added, then what is to be removed: a VIP's new place is there before its old one goes. */
export const differenceOf = (
  wanted: OwnItems,
  present: OwnItems,
): { readonly add: readonly OwnItem[]; readonly remove: readonly OwnItem[] } => ({
  add: [...wanted.values()].filter(({ text }) => !present.has(text)),
  remove: [...present.values()].filter(({ text }) => !wanted.has(text)),
});
