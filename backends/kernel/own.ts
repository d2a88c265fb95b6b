/**
 * Own entries: addresses, local, blackhole and unreachable routes, policy rules; what is wanted and what is there, as items with a text.
 *
 * Pure. Equal texts are the same entry, and the text is what people read. Only what carries our mark is ever removed; an
 * address that is there by another hand is left alone and counts as present. Reads next: own-keeping.ts, netlink/entries.ts.
 */
import { type Address, bitsOf, familyOf } from "../../events/address.ts";
import { hostPrefix, prefixFamily } from "../../events/prefix.ts";
import type { OwnProblem } from "./facts.ts";
import { type Host, linkNamed, type LocalRoute, tableOfVrf } from "./host.ts";
import { prefixWords } from "./imports.ts";
import type { OwnAddress, OwnKernelRoute, PolicyRule } from "./intent.ts";
import { encodeAddress, encodeRule, type Link, type Rule } from "./netlink/entries.ts";
import {
  PROTOCOL,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTN_BLACKHOLE,
  RTN_LOCAL,
  RTN_UNREACHABLE,
} from "./netlink/numbers.ts";
import { encodeAttributes } from "./netlink/codec.ts";
import { encodeHops, type RouteOrder, routeOctets, writeRoute } from "./netlink/route.ts";

/** Plain data: with 100,000 virtual IPs there are 100,000 of them. */
export type OwnItem =
  | {
      readonly kind: "address";
      readonly text: string;
      readonly address: Address;
      /** Interface index. */
      readonly device: number;
      /** Nothing is received for it until the kernel has found that nobody else on the link has it (RFC 4862 §5.4). */
      readonly awaited: boolean;
    }
  | ({ readonly kind: "local" } & LocalItem)
  | { readonly kind: "own-route"; readonly text: string; readonly route: KernelOwnRoute }
  | { readonly kind: "rule"; readonly text: string; readonly rule: Rule };

type LocalItem = LocalRoute & {
  readonly text: string;
  /** Another one of ours stands there, to another device: it is taken over in one step. */
  readonly over: boolean;
};

/** What of an intent is looked at: all of it, or what differs from another. */
export type OwnWish = {
  readonly addresses: Iterable<OwnAddress>;
  readonly routes: Iterable<OwnKernelRoute>;
  readonly rules: Iterable<PolicyRule>;
};

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

/** Beside the kernel's own, which has 0, so that an address and a route to it can be there together: one before the other goes. */
export const LOCAL_METRIC = 1;

export const localText = ({ address, table }: Omit<LocalRoute, "device">, device: string): string =>
  `local ${address}/${bitsOf(familyOf(address))} dev ${device} table ${table}`;

function localMessage(order: RouteOrder, { address, device, table }: LocalRoute): Uint8Array {
  const family = familyOf(address);
  const [length, a, b, c, d] = prefixWords(hostPrefix(address));
  const rest = encodeAttributes(encodeHops(family, [{ device, gateway: undefined }]));
  const out = new Uint8Array(routeOctets(family) + rest.length);
  const key = { family, table, metric: LOCAL_METRIC };
  writeRoute(new DataView(out.buffer), 0, order, key, length, a, b, c, d, rest, RTN_LOCAL);
  return out;
}

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
  route,
});

const ruleItem = (rule: Rule): OwnItem => ({ kind: "rule", text: ruleText(rule), rule });

export function orderOf(item: OwnItem, order: "add" | "remove"): Uint8Array {
  switch (item.kind) {
    case "address":
      return encodeAddress(order, item.address, item.device);
    case "local":
      return localMessage(order === "add" && item.over ? "replace" : order, item);
    case "own-route":
      return routeMessage(order, item.route);
    case "rule":
      return encodeRule(order, item.rule);
  }
}

/**
 * Enters in the model that it is there now, or is not: the kernel's news do not tell our own doings. The returned function puts
 * back what was known before.
 */
export function enter({ host, own }: Known, item: OwnItem, present: boolean): () => void {
  switch (item.kind) {
    case "address": {
      const { address, device, awaited } = item;
      const before = host.addresses.on(address, device);
      const length = bitsOf(familyOf(address));
      const bound = { address, length, device, protocol: PROTOCOL, duplicate: false };
      if (present) host.addresses.set({ ...bound, tentative: awaited });
      else host.addresses.delete(address, device);
      return () => {
        if (before === undefined) host.addresses.delete(address, device);
        else host.addresses.set(before);
      };
    }
    case "local": {
      const { address, device, table } = item;
      const before = host.locals.on(address, table);
      if (present) host.locals.set({ address, device, table });
      else if (before?.device === device) host.locals.delete(address, table);
      return () => {
        if (before === undefined) host.locals.delete(address, table);
        else host.locals.set(before);
      };
    }
    case "own-route":
      return kept(own.routes, item.text, present ? item.route : undefined);
    case "rule":
      return kept(own.rules, item.text, present ? item.rule : undefined);
  }
}

function kept<V>(map: Map<string, V>, key: string, value: V | undefined): () => void {
  const before = map.get(key);
  const put = (one: V | undefined): void =>
    void (one === undefined ? map.delete(key) : map.set(key, one));
  put(value);
  return () => put(before);
}

/** As our own, with our mark. */
export function isThere({ host, own, isOurs }: Known, item: OwnItem): boolean {
  switch (item.kind) {
    case "address": {
      const bound = host.addresses.on(item.address, item.device);
      const name = host.links.get(item.device)?.name ?? "";
      return (
        bound !== undefined &&
        bound.length === bitsOf(familyOf(bound.address)) &&
        isOurs(bound.address, name, bound.protocol)
      );
    }
    case "local":
      return host.locals.on(item.address, item.table)?.device === item.device;
    case "own-route":
      return own.routes.has(item.text);
    case "rule":
      return own.rules.has(item.text);
  }
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

/** What of the model is asked here. `isOurs`: by the kernel's mark or the ledger. */
export type Known = {
  readonly host: Host;
  readonly own: OwnState;
  isOurs(address: Address, device: string, protocol?: number): boolean;
};

/** Where a wanted entry belongs, or why it can't be there. */
export type Placed =
  | { readonly type: "item"; readonly item: OwnItem }
  /** Another program has bound it on this host, which will do. */
  | { readonly type: "others" }
  | { readonly type: "problem"; readonly problem: OwnProblem };

const asItem = (item: OwnItem): Placed => ({ type: "item", item });
const asProblem = (entry: string, reason: string): Placed => ({
  type: "problem",
  problem: { entry, reason },
});

/**
 * An address that another program has bound on this host is as good as bound by us: what is sent to it ends here, whatever the
 * device (kube-proxy binds each LoadBalancer address on kube-ipvs0), and it is theirs to take away. In another VRF it is another
 * address.
 */
export function placeAddress(known: Known, own: OwnAddress): Placed {
  const { host, isOurs } = known;
  const link = linkNamed(host, own.device);
  const entry = entryOf(known, own);
  const others = host.addresses.of(own.address).filter(({ device, protocol, duplicate }) => {
    const there = host.links.get(device);
    if (there === undefined || duplicate) return false;
    return (
      !isOurs(own.address, there.name, protocol) &&
      (link === undefined || domainOf(host, there) === domainOf(host, link))
    );
  });
  if (link === undefined) {
    return others.length > 0
      ? { type: "others" }
      : asProblem(entry, `device ${own.device} is not there`);
  }
  // Ours stays where it is: who came later may go before.
  if (own.as === "route") {
    const { address } = own;
    const table = localTable(host, link);
    const there = host.locals.on(address, table);
    if (others.length > 0 && there === undefined) return { type: "others" };
    const over = there !== undefined && there.device !== link.index;
    return asItem({ kind: "local", text: entry, address, device: link.index, table, over });
  }
  const mine = host.addresses.on(own.address, link.index);
  if (others.length > 0 && (mine === undefined || others.includes(mine))) return { type: "others" };
  const awaited = familyOf(own.address) === "ipv6" && !link.loopback;
  return asItem({
    kind: "address",
    text: entry,
    address: own.address,
    device: link.index,
    awaited,
  });
}

/** Addresses are told apart within a VRF: its table, or main. */
const domainOf = (host: Host, link: Link): number =>
  link.vrfTable ?? host.links.get(link.master)?.vrfTable ?? RT_TABLE_MAIN;

/** Where the kernel looks for its own addresses: a VRF has them beside its routes. */
function localTable(host: Host, link: Link): number {
  const domain = domainOf(host, link);
  return domain === RT_TABLE_MAIN ? RT_TABLE_LOCAL : domain;
}

/** By what an item for it, or a problem with it, is called. */
export function entryOf({ host }: Pick<Known, "host">, own: OwnAddress): string {
  if (own.as === "address") return addressText(own);
  const link = linkNamed(host, own.device);
  const table = link === undefined ? RT_TABLE_LOCAL : localTable(host, link);
  return localText({ address: own.address, table }, own.device);
}

export function placeRoute({ host }: Known, route: OwnKernelRoute): Placed {
  const table = tableOfVrf(host, route.vrf);
  return table === undefined
    ? asProblem(`${route.type} ${route.prefix} vrf ${route.vrf}`, noVrf(route.vrf))
    : asItem(routeItem(normal(route, table)));
}

export function placeRule({ host }: Known, rule: PolicyRule): Placed {
  const { table: where } = rule;
  if (typeof where === "number") return asItem(ruleItem(ruleOf(rule, where)));
  const table = tableOfVrf(host, where.vrf);
  const entry = `rule ${rule.priority} from ${rule.from ?? "all"} lookup ${where.vrf}`;
  return table === undefined
    ? asProblem(entry, noVrf(where.vrf))
    : asItem(ruleItem(ruleOf(rule, table)));
}

const noVrf = (vrf: string): string => `VRF device ${vrf} is not there`;

/** Why a virtual IP that is bound is of no use yet; undefined where it is. */
export function notUsable(
  { host }: Known,
  { address, device }: Pick<OwnAddress, "address" | "device">,
): string | undefined {
  const link = linkNamed(host, device);
  const isHere = (one: { readonly device: number }): boolean => {
    const there = host.links.get(one.device);
    return (
      link === undefined || there === undefined || domainOf(host, there) === domainOf(host, link)
    );
  };
  if (host.locals.of(address).some(isHere)) return undefined;
  const bound = host.addresses.of(address).filter(isHere);
  if (bound.some(({ duplicate, tentative }) => !duplicate && !tentative)) return undefined;
  const [one] = bound;
  if (one === undefined) return `${address} is not bound`;
  const name = host.links.get(one.device)?.name ?? "";
  return one.duplicate
    ? `another host on ${name} has ${address} (duplicate address detection failed)`
    : `it is not known yet whether another host on ${name} has it (duplicate address detection)`;
}

/** Everything that carries our mark, lazily. */
export function* presentItems({ host, own, isOurs }: Known): Generator<OwnItem> {
  for (const { address, device, length, protocol } of host.addresses.values()) {
    const name = host.links.get(device)?.name;
    if (name === undefined || length !== bitsOf(familyOf(address))) continue;
    if (!isOurs(address, name, protocol)) continue;
    yield {
      kind: "address",
      text: addressText({ address, device: name }),
      address,
      device,
      awaited: false,
    };
  }
  for (const local of host.locals.values()) {
    const name = host.links.get(local.device)?.name ?? `#${local.device}`;
    yield { kind: "local", text: localText(local, name), ...local, over: false };
  }
  for (const route of own.routes.values()) yield routeItem(route);
  for (const rule of own.rules.values()) yield ruleItem(rule);
}
