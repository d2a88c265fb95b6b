/**
 * Routes as rtnetlink octets (struct rtmsg, linux/rtnetlink.h): read into one view that is used again, written straight into a batch.
 *
 *  +-------+-------+-------+-------+-------+--------+-------+-------+---------------+
 *  |family |dst len|src len| tos   | table |protocol| scope | type  | flags         |  then attributes
 *  +-------+-------+-------+-------+-------+--------+-------+-------+---------------+
 *
 * No object per route on either way. Reads next: ../forwarding.ts (the attributes that say where to), ../fib.ts (who writes).
 */
import type { Family } from "../../../events/address.ts";
import { aligned, type Attribute, attributesOf, encodeAttributes, viewOf } from "./codec.ts";
import {
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  PROTOCOL,
  RT_SCOPE_HOST,
  RT_SCOPE_NOWHERE,
  RT_SCOPE_UNIVERSE,
  RTA_DST,
  RTA_GATEWAY,
  RTA_MULTIPATH,
  RTA_NH_ID,
  RTA_OIF,
  RTA_PREFSRC,
  RTA_PRIORITY,
  RTA_TABLE,
  RTA_VIA,
  RTM_DELROUTE,
  RTM_NEWROUTE,
  RTN_LOCAL,
  RTN_UNICAST,
} from "./numbers.ts";

export const FAMILY_NUMBER: Readonly<Record<Family, number>> = { ipv4: 2, ipv6: 10 };
const RTMSG_OCTETS = 12;
const RTNEXTHOP_OCTETS = 8;

export type Hop = {
  /** Interface index. */
  readonly device: number;
  /** Four or sixteen octets, whichever family the route has; undefined: on the link itself. */
  readonly gateway: Uint8Array | undefined;
};

/** One route as the kernel tells it; overwritten by the next decodeRoute(). */
export type RouteView = {
  family: Family;
  table: number;
  protocol: number;
  type: number;
  scope: number;
  flags: number;
  metric: number;
  length: number;
  a: number;
  b: number;
  c: number;
  d: number;
  /** 0: none. */
  nexthop: number;
  preferredSource: Uint8Array | undefined;
  hops: readonly Hop[];
};

export const routeView = (): RouteView => ({
  family: "ipv4",
  table: 0,
  protocol: 0,
  type: 0,
  scope: 0,
  flags: 0,
  metric: 0,
  length: 0,
  a: 0,
  b: 0,
  c: 0,
  d: 0,
  nexthop: 0,
  preferredSource: undefined,
  hops: [],
});

const NO_HOPS: readonly Hop[] = [];

/** False where it is no route of IPv4 or IPv6 that we could hold; then the view means nothing. */
export function decodeRoute(body: Uint8Array, into: RouteView): boolean {
  if (body.length < RTMSG_OCTETS) return false;
  const view = viewOf(body);
  const number = body[0] ?? 0;
  if (number !== FAMILY_NUMBER.ipv4 && number !== FAMILY_NUMBER.ipv6) return false;
  const octets = number === FAMILY_NUMBER.ipv4 ? 4 : 16;
  into.family = octets === 4 ? "ipv4" : "ipv6";
  into.length = body[1] ?? 0;
  if (into.length > octets * 8) return false;
  into.table = body[4] ?? 0;
  into.protocol = body[5] ?? 0;
  into.scope = body[6] ?? 0;
  into.type = body[7] ?? 0;
  into.flags = view.getUint32(8, true);
  into.metric = 0;
  into.nexthop = 0;
  into.preferredSource = undefined;
  into.a = into.b = into.c = into.d = 0;
  let device = 0;
  let gateway: Uint8Array | undefined;
  let multipath: Uint8Array | undefined;
  for (let at = RTMSG_OCTETS; at + 4 <= body.length;) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > body.length) break;
    const value = at + 4;
    const size = length - 4;
    switch (view.getUint16(at + 2, true) & 0x3fff) {
      case RTA_DST:
        if (size < octets) return false;
        into.a = view.getUint32(value, false);
        if (octets === 16) {
          into.b = view.getUint32(value + 4, false);
          into.c = view.getUint32(value + 8, false);
          into.d = view.getUint32(value + 12, false);
        }
        break;
      case RTA_TABLE:
        if (size >= 4) into.table = view.getUint32(value, true);
        break;
      case RTA_PRIORITY:
        if (size >= 4) into.metric = view.getUint32(value, true);
        break;
      case RTA_NH_ID:
        if (size >= 4) into.nexthop = view.getUint32(value, true);
        break;
      case RTA_OIF:
        if (size >= 4) device = view.getUint32(value, true);
        break;
      case RTA_GATEWAY:
        gateway = body.subarray(value, value + size);
        break;
      case RTA_VIA:
        gateway = body.subarray(value + 2, value + size);
        break;
      case RTA_PREFSRC:
        into.preferredSource = body.subarray(value, value + size);
        break;
      case RTA_MULTIPATH:
        multipath = body.subarray(value, value + size);
        break;
      default:
    }
    at += aligned(length);
  }
  // A kernel in compatibility mode (nexthop_compat_mode) names the hops beside the object's id.
  if (multipath !== undefined) into.hops = decodeMultipath(multipath);
  else into.hops = device === 0 ? NO_HOPS : [{ device, gateway }];
  return true;
}

/** struct rtnexthop: length (2), flags, hops (weight - 1), interface index (4), attributes. */
function decodeMultipath(octets: Uint8Array): Hop[] {
  const hops: Hop[] = [];
  const view = viewOf(octets);
  for (let at = 0; at + RTNEXTHOP_OCTETS <= octets.length;) {
    const length = view.getUint16(at, true);
    if (length < RTNEXTHOP_OCTETS || at + length > octets.length) break;
    const attributes = attributesOf(octets.subarray(at, at + length), RTNEXTHOP_OCTETS);
    hops.push({
      device: view.getInt32(at + 4, true),
      gateway: attributes.get(RTA_GATEWAY) ?? attributes.get(RTA_VIA)?.subarray(2),
    });
    at += aligned(length);
  }
  return hops;
}

const gatewayAttribute = (family: Family, gateway: Uint8Array): Attribute =>
  gateway.length === (family === "ipv4" ? 4 : 16)
    ? [RTA_GATEWAY, gateway]
    : [RTA_VIA, Uint8Array.of(FAMILY_NUMBER.ipv6, 0, ...gateway)];

function hopAttributes(family: Family, hop: Hop): Attribute[] {
  const device = new Uint8Array(4);
  viewOf(device).setUint32(0, hop.device, true);
  return [
    [RTA_OIF, device],
    ...(hop.gateway === undefined ? [] : [gatewayAttribute(family, hop.gateway)]),
  ];
}

/** Attributes of a route over these hops, where the kernel has no next hop objects (or the route needs none). */
export function encodeHops(family: Family, hops: readonly Hop[]): Attribute[] {
  const [first] = hops;
  if (first === undefined) return [];
  if (hops.length === 1) return hopAttributes(family, first);
  const parts = hops.map((hop) => {
    const rest = hop.gateway === undefined ? [] : [gatewayAttribute(family, hop.gateway)];
    const attributes = encodeAttributes(rest);
    const part = new Uint8Array(RTNEXTHOP_OCTETS + attributes.length);
    const view = viewOf(part);
    view.setUint16(0, part.length, true);
    view.setInt32(4, hop.device, true);
    part.set(attributes, RTNEXTHOP_OCTETS);
    return part;
  });
  return [[RTA_MULTIPATH, Uint8Array.from(parts.flatMap((part) => [...part]))]];
}

export type RouteOrder = "add" | "replace" | "remove";

/**
 * `add` is refused (EEXIST) where any route with this prefix, metric and table is there, whoever owns it; `replace` is for what is
 * known to be ours; `remove` takes only routes of our protocol.
 */
const FLAGS: Readonly<Record<RouteOrder, number>> = {
  add: NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL,
  replace: NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE,
  remove: NLM_F_REQUEST,
};

const HEADER_OCTETS = 16;
/** Header, rtmsg, destination, table and metric of a route; its forwarding attributes come after. */
export const routeOctets = (family: Family): number =>
  HEADER_OCTETS + RTMSG_OCTETS + (family === "ipv4" ? 8 : 20) + 16;

export type RouteKey = {
  readonly family: Family;
  readonly table: number;
  readonly metric: number;
};

/** Writes one order at `at` and returns where the next begins. The sequence is left to the socket. `rest`: encoded attributes. */
export function writeRoute(
  out: DataView,
  at: number,
  order: RouteOrder,
  key: RouteKey,
  length: number,
  a: number,
  b: number,
  c: number,
  d: number,
  rest: Uint8Array,
  type: number = RTN_UNICAST,
): number {
  const ipv4 = key.family === "ipv4";
  const end = at + routeOctets(key.family) + rest.length;
  out.setUint32(at, end - at, true);
  out.setUint16(at + 4, order === "remove" ? RTM_DELROUTE : RTM_NEWROUTE, true);
  out.setUint16(at + 6, FLAGS[order], true);
  out.setUint32(at + 8, 0, true);
  out.setUint32(at + 12, 0, true);
  // family, dst len, src len, tos; table (RTA_TABLE says it), protocol, scope, type; flags.
  out.setUint32(at + 16, FAMILY_NUMBER[key.family] | (length << 8), true);
  const kept = type === RTN_LOCAL ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  const scope = order === "remove" ? RT_SCOPE_NOWHERE : kept;
  out.setUint32(at + 20, (PROTOCOL << 8) | (scope << 16) | (type << 24), true);
  out.setUint32(at + 24, 0, true);
  let next = at + 28;
  out.setUint32(next, (ipv4 ? 8 : 20) | (RTA_DST << 16), true);
  out.setUint32(next + 4, a, false);
  if (!ipv4) {
    out.setUint32(next + 8, b, false);
    out.setUint32(next + 12, c, false);
    out.setUint32(next + 16, d, false);
  }
  next += ipv4 ? 8 : 20;
  out.setUint32(next, 8 | (RTA_TABLE << 16), true);
  out.setUint32(next + 4, key.table, true);
  out.setUint32(next + 8, 8 | (RTA_PRIORITY << 16), true);
  out.setUint32(next + 12, key.metric, true);
  next += 16;
  for (let i = 0; i < rest.length; i += 1) out.setUint8(next + i, rest[i] ?? 0);
  return end;
}

/** struct rtmsg of a dump; the filters need a socket with strict checks (NETLINK_GET_STRICT_CHK). */
export function routeFilter(family: Family, protocol = 0): Uint8Array {
  const fixed = new Uint8Array(RTMSG_OCTETS);
  fixed[0] = FAMILY_NUMBER[family];
  fixed[5] = protocol;
  return fixed;
}

export const nexthopAttribute = (id: number): Attribute => {
  const octets = new Uint8Array(4);
  viewOf(octets).setUint32(0, id, true);
  return [RTA_NH_ID, octets];
};

export const preferredSourceAttribute = (source: Uint8Array): Attribute => [RTA_PREFSRC, source];
