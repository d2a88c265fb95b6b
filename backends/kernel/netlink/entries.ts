/**
 * Links, addresses and policy rules as rtnetlink octets (struct ifinfomsg, ifaddrmsg, fib_rule_hdr; linux/rtnetlink.h).
 *
 *  ifinfomsg     family, 0, type (2), index (4), flags (4), change (4)
 *  ifaddrmsg     family, prefix length, flags, scope, index (4)
 *  fib_rule_hdr  family, dst len, src len, tos, table, 0, 0, action, flags (4)
 *
 * Reads next: ../host.ts (links, addresses), ../own.ts (our addresses and rules).
 */
import {
  type Address,
  addressFromOctets,
  addressOctets,
  type Family,
} from "../../../events/address.ts";
import {
  type Prefix,
  prefixAddress,
  prefixFamily,
  prefixLength,
  prefixOf,
} from "../../../events/prefix.ts";
import {
  type Attribute,
  attributesOf,
  cString,
  encodeMessage,
  text,
  uint,
  uint32,
  uint8,
  viewOf,
} from "./codec.ts";
import * as N from "./numbers.ts";
import { FAMILY_NUMBER } from "./route.ts";

const IFINFO_OCTETS = 16;
const IFADDR_OCTETS = 8;
const RULE_OCTETS = 12;

export const linkFilter = new Uint8Array(IFINFO_OCTETS);
export const addressFilter = new Uint8Array(IFADDR_OCTETS);
export const ruleFilter = (family: Family): Uint8Array => {
  const fixed = new Uint8Array(RULE_OCTETS);
  fixed[0] = FAMILY_NUMBER[family];
  return fixed;
};

export type Link = {
  readonly index: number;
  readonly name: string;
  /** Set up by the administrator, and with a carrier. */
  readonly up: boolean;
  readonly loopback: boolean;
  /** Index of the bridge, bond or VRF that it is in; 0: none. */
  readonly master: number;
  /** Of a VRF device: its table (IFLA_VRF_TABLE). */
  readonly vrfTable: number | undefined;
};

export function decodeLink(body: Uint8Array): Link | undefined {
  if (body.length < IFINFO_OCTETS) return undefined;
  const view = viewOf(body);
  // AF_BRIDGE tells of ports, not of links.
  if (body[0] !== 0) return undefined;
  const attributes = attributesOf(body, IFINFO_OCTETS);
  const info = attributesOf(attributes.get(N.IFLA_LINKINFO) ?? new Uint8Array(0), 0);
  const isVrf = text(info.get(N.IFLA_INFO_KIND)) === "vrf";
  const data = isVrf ? info.get(N.IFLA_INFO_DATA) : undefined;
  const wanted = N.IFF_UP | N.IFF_LOWER_UP;
  return {
    index: view.getInt32(4, true),
    name: text(attributes.get(N.IFLA_IFNAME)),
    up: (view.getUint32(8, true) & wanted) === wanted,
    loopback: (view.getUint32(8, true) & N.IFF_LOOPBACK) !== 0,
    master: uint(attributes.get(N.IFLA_MASTER)) ?? 0,
    vrfTable: data === undefined ? undefined : uint(attributesOf(data, 0).get(N.IFLA_VRF_TABLE)),
  };
}

export type BoundAddress = {
  readonly address: Address;
  readonly length: number;
  /** Interface index. */
  readonly device: number;
  /** Who bound it (IFA_PROTO, Linux 5.18); 0 where nobody says. */
  readonly protocol: number;
  /** Duplicate address detection found another host with it (RFC 4862 §5.4.5). */
  readonly duplicate: boolean;
  /** The detection is not over: nothing is received for it yet (RFC 4862 §5.4). */
  readonly tentative: boolean;
};

export function decodeAddress(body: Uint8Array): BoundAddress | undefined {
  if (body.length < IFADDR_OCTETS) return undefined;
  const family = body[0];
  const octets = family === FAMILY_NUMBER.ipv4 ? 4 : family === FAMILY_NUMBER.ipv6 ? 16 : 0;
  const attributes = attributesOf(body, IFADDR_OCTETS);
  const bound = attributes.get(N.IFA_LOCAL) ?? attributes.get(N.IFA_ADDRESS);
  if (octets === 0 || bound?.length !== octets) return undefined;
  const flags = uint(attributes.get(N.IFA_FLAGS)) ?? body[2] ?? 0;
  return {
    address: addressFromOctets(bound),
    length: body[1] ?? 0,
    device: viewOf(body).getUint32(4, true),
    protocol: uint(attributes.get(N.IFA_PROTO)) ?? 0,
    duplicate: (flags & N.IFA_F_DADFAILED) !== 0,
    tentative: (flags & N.IFA_F_TENTATIVE) !== 0 && (flags & N.IFA_F_OPTIMISTIC) === 0,
  };
}

/** With its full length, marked as ours. */
export function encodeAddress(
  type: "add" | "remove",
  address: Address,
  device: number,
): Uint8Array {
  const octets = addressOctets(address);
  const fixed = new Uint8Array(IFADDR_OCTETS);
  fixed[0] = octets.length === 4 ? FAMILY_NUMBER.ipv4 : FAMILY_NUMBER.ipv6;
  fixed[1] = octets.length * 8;
  viewOf(fixed).setUint32(4, device, true);
  const attributes: readonly Attribute[] = [
    [N.IFA_LOCAL, octets],
    [N.IFA_ADDRESS, octets],
    [N.IFA_PROTO, uint8(N.PROTOCOL)],
    // Else the kernel of IPv6 adds a route to the main table beside the local one that receives, and tells of it as another's.
    ...(octets.length === 16 ? [[N.IFA_FLAGS, uint32(N.IFA_F_NOPREFIXROUTE)] as const] : []),
  ];
  return type === "add"
    ? encodeMessage(
        N.RTM_NEWADDR,
        N.NLM_F_REQUEST | N.NLM_F_CREATE | N.NLM_F_EXCL,
        fixed,
        attributes,
      )
    : encodeMessage(N.RTM_DELADDR, N.NLM_F_REQUEST, fixed, attributes.slice(0, 2));
}

export type Rule = {
  readonly priority: number;
  readonly family: Family;
  readonly from: Prefix | undefined;
  readonly to: Prefix | undefined;
  readonly incoming: string;
  readonly mark: number | undefined;
  readonly table: number;
};

/** A rule of ours (FRA_PROTOCOL); undefined where it is another's, or says what we never say. */
export function decodeRule(body: Uint8Array): Rule | undefined {
  if (body.length < RULE_OCTETS) return undefined;
  const attributes = attributesOf(body, RULE_OCTETS);
  if (uint(attributes.get(N.FRA_PROTOCOL)) !== N.PROTOCOL) return undefined;
  const family =
    body[0] === FAMILY_NUMBER.ipv4 ? "ipv4" : body[0] === FAMILY_NUMBER.ipv6 ? "ipv6" : undefined;
  if (family === undefined || body[7] !== N.FR_ACT_TO_TBL) return undefined;
  const prefix = (octets: Uint8Array | undefined, length: number): Prefix | undefined =>
    octets?.length === (family === "ipv4" ? 4 : 16)
      ? prefixOf(addressFromOctets(octets), length)
      : undefined;
  const mark = uint(attributes.get(N.FRA_FWMARK));
  return {
    priority: uint(attributes.get(N.FRA_PRIORITY)) ?? 0,
    family,
    from: prefix(attributes.get(N.FRA_SRC), body[2] ?? 0),
    to: prefix(attributes.get(N.FRA_DST), body[1] ?? 0),
    incoming: text(attributes.get(N.FRA_IIFNAME)),
    mark: mark === 0 ? undefined : mark,
    table: uint(attributes.get(N.FRA_TABLE)) ?? body[4] ?? 0,
  };
}

export function encodeRule(type: "add" | "remove", rule: Rule): Uint8Array {
  const fixed = ruleFilter(rule.family);
  fixed[1] = rule.to === undefined ? 0 : prefixLength(rule.to);
  fixed[2] = rule.from === undefined ? 0 : prefixLength(rule.from);
  fixed[7] = N.FR_ACT_TO_TBL;
  const of = (number: number, prefix: Prefix | undefined): Attribute[] =>
    prefix === undefined || prefixFamily(prefix) !== rule.family
      ? []
      : [[number, addressOctets(prefixAddress(prefix))]];
  const mark: Attribute[] =
    rule.mark === undefined
      ? []
      : [
          [N.FRA_FWMARK, uint32(rule.mark)],
          [N.FRA_FWMASK, uint32(0xffff_ffff)],
        ];
  const [message, flags] =
    type === "add"
      ? [N.RTM_NEWRULE, N.NLM_F_REQUEST | N.NLM_F_CREATE | N.NLM_F_EXCL]
      : [N.RTM_DELRULE, N.NLM_F_REQUEST];
  return encodeMessage(message, flags, fixed, [
    [N.FRA_PRIORITY, uint32(rule.priority)],
    [N.FRA_TABLE, uint32(rule.table)],
    [N.FRA_PROTOCOL, uint8(N.PROTOCOL)],
    ...of(N.FRA_SRC, rule.from),
    ...of(N.FRA_DST, rule.to),
    ...(rule.incoming === "" ? [] : [[N.FRA_IIFNAME, cString(rule.incoming)] as const]),
    ...mark,
  ]);
}
