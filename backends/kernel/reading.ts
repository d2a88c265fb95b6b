/**
 * Reads the kernel: whole, by dumps, and message by message as it tells what changes.
 *
 * What a message means is entered in the model here and nowhere else; whether and when something is done about it is for
 * kernel.ts. Reads next: model.ts, io/socket.ts.
 */
import { addressFromOctets, bitsOf, type Family } from "../../events/address.ts";
import { type Prefix, prefixAddress } from "../../events/prefix.ts";
import { found, repair } from "./fib.ts";
import { NOWHERE } from "./forwarding.ts";
import { clearForeign, foreignRoute, type Host, type LocalRoute, type Words } from "./host.ts";
import type { Orders } from "./io/socket.ts";
import { type Model, prefixText } from "./model.ts";
import type { Message } from "./netlink/codec.ts";
import {
  addressFilter,
  type BoundAddress,
  decodeAddress,
  decodeLink,
  decodeRule,
  linkFilter,
  ruleFilter,
} from "./netlink/entries.ts";
import { decodeNexthop, nexthopFilter, nexthopId } from "./netlink/nexthop.ts";
import * as N from "./netlink/numbers.ts";
import { decodeRoute, routeFilter, routeView, type RouteView } from "./netlink/route.ts";
import {
  type KernelOwnRoute,
  LOCAL_METRIC,
  localText,
  ownRouteText,
  ownRouteType,
  ruleText,
} from "./own.ts";

const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];
const view = routeView();

const wordsOf = ({ length, a, b, c, d }: RouteView): Words => [length, a, b, c, d];

function ownRouteOf(route: RouteView): KernelOwnRoute | undefined {
  const type = ownRouteType(route.type);
  if (type === undefined) return undefined;
  const prefix: Prefix = prefixText(route.family, wordsOf(route));
  return { type, prefix, table: route.table, metric: route.metric };
}

function localOf(route: RouteView): LocalRoute | undefined {
  const [hop] = route.hops;
  const { type, metric, length, family, table } = route;
  if (type !== N.RTN_LOCAL || metric !== LOCAL_METRIC || hop === undefined) return undefined;
  if (length !== bitsOf(family)) return undefined;
  return { address: prefixAddress(prefixText(family, wordsOf(route))), device: hop.device, table };
}

/**
 * Everything the model knows, anew. Between model.beforeDump() and afterDump(), and while no batch is out. Throws NetlinkError
 * where the tables changed meanwhile.
 */
export async function readAll(model: Model, orders: Orders): Promise<void> {
  const { host, own, forwardings } = model;
  const links = new Map(host.links);
  links.clear();
  await orders.dump(N.RTM_GETLINK, linkFilter, ({ body }) => {
    const link = decodeLink(body);
    if (link !== undefined) links.set(link.index, link);
  });
  replace(host.links, links);
  const addresses: BoundAddress[] = [];
  await orders.dump(N.RTM_GETADDR, addressFilter, ({ body }) => {
    const bound = decodeAddress(body);
    if (bound !== undefined) addresses.push(bound);
  });
  host.addresses.clear();
  for (const bound of addresses) host.addresses.set(settledOn(host, bound));
  forwardings.beforeDump();
  if (model.nexthopObjects) {
    await orders.dump(N.RTM_GETNEXTHOP, nexthopFilter, ({ body }) => {
      const entry = decodeNexthop(body);
      if (entry !== undefined) forwardings.told(entry);
    });
  }
  own.rules.clear();
  own.routes.clear();
  host.locals.clear();
  clearForeign(host);
  for (const family of FAMILIES) {
    await orders.dump(N.RTM_GETRULE, ruleFilter(family), ({ body }) => {
      const rule = decodeRule(body);
      if (rule !== undefined) own.rules.set(ruleText(rule), rule);
    });
    await orders.dump(N.RTM_GETROUTE, routeFilter(family), ({ body }) => {
      if (!decodeRoute(body, view) || (view.flags & N.RTM_F_CLONED) !== 0) return;
      if (view.protocol !== N.PROTOCOL) foreignRoute(host, view, true);
      else {
        const local = localOf(view);
        const mine = ownRouteOf(view);
        if (local !== undefined) host.locals.set(local);
        else if (mine !== undefined) own.routes.set(ownRouteText(mine), mine);
        else
          found(
            model.fib(view.family, view.table, view.metric),
            forwardings,
            wordsOf(view),
            forwardings.ofKernel(view),
          );
      }
    });
  }
}

function replace<K, V>(old: Map<K, V>, young: ReadonlyMap<K, V>): void {
  old.clear();
  for (const [key, value] of young) old.set(key, value);
}

/** What a message changed, for kernel.ts to act upon. */
export type News =
  | { readonly type: "nothing" }
  | {
      readonly type: "host";
      readonly what: "link" | "address" | "route" | "vrf";
      /** The kernel may have dropped routes with it that it does not tell of. */
      readonly silent: boolean;
    }
  | {
      readonly type: "drift";
      readonly what: "route" | "nexthop" | "address" | "rule" | "own-route";
      readonly entry: string;
    };

const NOTHING: News = { type: "nothing" };

/** A change by others: what we do ourselves is not told (io/socket.ts). `rtm_protocol` is the sixth octet of struct rtmsg. */
export const isRouteOfOurs = ({ type, body }: Message): boolean =>
  (type === N.RTM_NEWROUTE || type === N.RTM_DELROUTE) && body[5] === N.PROTOCOL;

/** On a loopback there is nobody to ask, though the kernel tells of the address before it has seen that (addrconf_dad_begin). */
const settledOn = ({ links }: Host, bound: BoundAddress): BoundAddress =>
  bound.tentative && links.get(bound.device)?.loopback === true
    ? { ...bound, tentative: false }
    : bound;

/** Enters a message of the multicast groups. `ours`: the port of our own orders, whose doings are known already. */
export function enter(model: Model, message: Message, ours: number): News {
  switch (message.type) {
    case N.RTM_NEWLINK:
    case N.RTM_DELLINK:
      return link(model, message);
    case N.RTM_NEWADDR:
    case N.RTM_DELADDR:
      return address(model, message, ours);
    case N.RTM_NEWROUTE:
    case N.RTM_DELROUTE:
      return route(model, message, ours);
    case N.RTM_NEWRULE:
    case N.RTM_DELRULE:
      return rule(model, message, ours);
    case N.RTM_NEWNEXTHOP:
    case N.RTM_DELNEXTHOP:
      return nexthop(model, message, ours);
    default:
      return NOTHING;
  }
}

function link({ host }: Model, { type, body }: Message): News {
  const now = decodeLink(body);
  if (now === undefined) return NOTHING;
  const before = host.links.get(now.index);
  if (type === N.RTM_DELLINK) {
    host.links.delete(now.index);
    const what = before?.vrfTable === undefined ? "link" : "vrf";
    return { type: "host", what, silent: true };
  }
  host.links.set(now.index, now);
  if (
    before !== undefined &&
    before.name === now.name &&
    before.up === now.up &&
    before.master === now.master &&
    before.vrfTable === now.vrfTable
  ) {
    return NOTHING;
  }
  const vrf = now.vrfTable !== before?.vrfTable || before?.master !== now.master;
  return { type: "host", what: vrf ? "vrf" : "link", silent: before !== undefined };
}

function address(model: Model, { type, body, port }: Message, ours: number): News {
  const { host } = model;
  const told = decodeAddress(body);
  if (told === undefined) return NOTHING;
  const bound = settledOn(host, told);
  const before = host.addresses.on(bound.address, bound.device);
  if (type === N.RTM_NEWADDR) {
    host.addresses.set(bound);
    if (
      before !== undefined &&
      before.duplicate === bound.duplicate &&
      before.tentative === bound.tentative
    ) {
      return NOTHING;
    }
    return port === ours ? NOTHING : { type: "host", what: "address", silent: false };
  }
  if (before === undefined) return NOTHING;
  host.addresses.delete(bound.address, bound.device);
  if (port === ours) return NOTHING;
  const device = host.links.get(bound.device)?.name ?? `#${bound.device}`;
  if (model.isOurs(before.address, device, before.protocol)) {
    const entry = `address ${before.address}/${before.length} dev ${device}`;
    return { type: "drift", what: "address", entry };
  }
  return { type: "host", what: "address", silent: true };
}

function route(model: Model, { type, flags, body, port }: Message, ours: number): News {
  const { host, forwardings, own } = model;
  if (port === ours || !decodeRoute(body, view)) return NOTHING;
  if ((view.flags & N.RTM_F_CLONED) !== 0) return NOTHING;
  const isNew = type === N.RTM_NEWROUTE;
  const words = wordsOf(view);
  const fib = model.knownFib(view.family, view.table, view.metric);
  if (view.protocol !== N.PROTOCOL) {
    // Another's route took the place of ours (it may have replaced a third one's: then ours is found again), or made it free.
    if (fib !== undefined && isNew && (flags & N.NLM_F_REPLACE) !== 0) {
      if (found(fib, forwardings, words, NOWHERE)) {
        model.repair(fib, words);
        foreignRoute(host, view, true);
        return { type: "drift", what: "route", entry: routeText(view) };
      }
    }
    if (!foreignRoute(host, view, isNew)) return NOTHING;
    if (!isNew && fib !== undefined) repair(fib, words);
    return { type: "host", what: "route", silent: false };
  }
  const local = localOf(view);
  if (local !== undefined) return localRoute(host, local, isNew);
  const mine = ownRouteOf(view);
  if (mine !== undefined) {
    const known = own.routes.has(ownRouteText(mine));
    if (isNew) own.routes.set(ownRouteText(mine), mine);
    else own.routes.delete(ownRouteText(mine));
    return known === isNew
      ? NOTHING
      : { type: "drift", what: "own-route", entry: ownRouteText(mine) };
  }
  const there = fib ?? model.fib(view.family, view.table, view.metric);
  if (!found(there, forwardings, words, isNew ? forwardings.ofKernel(view) : NOWHERE))
    return NOTHING;
  model.repair(there, words);
  return { type: "drift", what: "route", entry: routeText(view) };
}

function localRoute({ links, locals }: Host, local: LocalRoute, isNew: boolean): News {
  const known = locals.on(local.address, local.table)?.device === local.device;
  if (known === isNew) return NOTHING;
  if (isNew) locals.set(local);
  else locals.delete(local.address, local.table);
  const device = links.get(local.device)?.name ?? `#${local.device}`;
  return { type: "drift", what: "own-route", entry: localText(local, device) };
}

function rule({ own }: Model, { type, body, port }: Message, ours: number): News {
  const one = decodeRule(body);
  if (one === undefined) return NOTHING;
  const entry = ruleText(one);
  const isNew = type === N.RTM_NEWRULE;
  const known = own.rules.has(entry);
  if (isNew) own.rules.set(entry, one);
  else own.rules.delete(entry);
  return known === isNew || port === ours ? NOTHING : { type: "drift", what: "rule", entry };
}

function nexthop({ forwardings }: Model, { type, body, port }: Message, ours: number): News {
  if (port === ours) return NOTHING;
  const id = nexthopId(body);
  if (id === undefined || id < N.FIRST_NEXTHOP || id > N.LAST_NEXTHOP) return NOTHING;
  // Made anew or otherwise by hand: only a reading tells whether it is as it was.
  if (type === N.RTM_NEWNEXTHOP) return { type: "drift", what: "nexthop", entry: `nexthop ${id}` };
  return forwardings.gone(id)
    ? { type: "drift", what: "nexthop", entry: `nexthop ${id}` }
    : NOTHING;
}

const routeText = (route: RouteView): string => {
  const gateway = route.hops[0]?.gateway;
  const via =
    gateway === undefined || (gateway.length !== 4 && gateway.length !== 16)
      ? ""
      : ` via ${addressFromOctets(gateway)}`;
  const prefix = prefixText(route.family, wordsOf(route));
  return `route ${prefix}${via} table ${route.table} metric ${route.metric} proto ${route.protocol}`;
};
