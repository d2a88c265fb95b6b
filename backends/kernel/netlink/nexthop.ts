/**
 * Next hop objects and their groups as rtnetlink octets (struct nhmsg, linux/nexthop.h; Linux 5.3).
 *
 *  +-------+-------+--------+-------+---------------+
 *  |family |scope  |protocol| 0     | flags         |  NHA_ID, then NHA_OIF and NHA_GATEWAY, or NHA_GROUP
 *  +-------+-------+--------+-------+---------------+
 *  NHA_GROUP: for each member  id (4), weight - 1 (1), 0 (3)
 *
 * Reads next: ../forwarding.ts.
 */
import type { Family } from "../../../events/address.ts";
import { attributesOf, encodeMessage, uint, uint32, viewOf } from "./codec.ts";
import {
  FIRST_NEXTHOP,
  LAST_NEXTHOP,
  NHA_GATEWAY,
  NHA_GROUP,
  NHA_ID,
  NHA_OIF,
  NLM_F_CREATE,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  PROTOCOL,
  RTM_DELNEXTHOP,
  RTM_NEWNEXTHOP,
} from "./numbers.ts";
import { FAMILY_NUMBER, type Hop } from "./route.ts";

const NHMSG_OCTETS = 8;
const MEMBER_OCTETS = 8;

export type NexthopEntry =
  | { readonly type: "hop"; readonly id: number; readonly family: Family; readonly hop: Hop }
  | { readonly type: "group"; readonly id: number; readonly members: readonly number[] };

/** The id of any object; undefined where there is none. */
export const nexthopId = (body: Uint8Array): number | undefined =>
  uint(attributesOf(body, NHMSG_OCTETS).get(NHA_ID));

/** An object of ours, by protocol and id; undefined where it is another's or of a kind that we do not make. */
export function decodeNexthop(body: Uint8Array): NexthopEntry | undefined {
  const attributes = attributesOf(body, NHMSG_OCTETS);
  const id = uint(attributes.get(NHA_ID)) ?? 0;
  if (body[2] !== PROTOCOL || id < FIRST_NEXTHOP || id > LAST_NEXTHOP) return undefined;
  const group = attributes.get(NHA_GROUP);
  if (group !== undefined) {
    const view = viewOf(group);
    const members: number[] = [];
    for (let at = 0; at + MEMBER_OCTETS <= group.length; at += MEMBER_OCTETS) {
      members.push(view.getUint32(at, true));
    }
    return { type: "group", id, members: members.toSorted((a, b) => a - b) };
  }
  const device = uint(attributes.get(NHA_OIF));
  if (device === undefined) return undefined;
  const family = body[0] === FAMILY_NUMBER.ipv6 ? "ipv6" : "ipv4";
  return {
    type: "hop",
    id,
    family,
    hop: { device, gateway: attributes.get(NHA_GATEWAY)?.slice() },
  };
}

const nhmsg = (family: number): Uint8Array => Uint8Array.of(family, 0, PROTOCOL, 0, 0, 0, 0, 0);
const MAKE = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE;

export function encodeNexthopHop(entry: Extract<NexthopEntry, { type: "hop" }>): Uint8Array {
  const { gateway, device } = entry.hop;
  const family: Family =
    gateway === undefined ? entry.family : gateway.length === 4 ? "ipv4" : "ipv6";
  return encodeMessage(RTM_NEWNEXTHOP, MAKE, nhmsg(FAMILY_NUMBER[family]), [
    [NHA_ID, uint32(entry.id)],
    [NHA_OIF, uint32(device)],
    ...(gateway === undefined ? [] : [[NHA_GATEWAY, gateway] as const]),
  ]);
}

export function encodeNexthopGroup(entry: Extract<NexthopEntry, { type: "group" }>): Uint8Array {
  const members = new Uint8Array(entry.members.length * MEMBER_OCTETS);
  const view = viewOf(members);
  for (const [i, id] of entry.members.entries()) view.setUint32(i * MEMBER_OCTETS, id, true);
  return encodeMessage(RTM_NEWNEXTHOP, MAKE, nhmsg(0), [
    [NHA_ID, uint32(entry.id)],
    [NHA_GROUP, members],
  ]);
}

/** Its header must be zero: the kernel refuses a protocol in a removal. */
export const nexthopFilter = new Uint8Array(NHMSG_OCTETS);

export const encodeNexthopRemoval = (id: number): Uint8Array =>
  encodeMessage(RTM_DELNEXTHOP, NLM_F_REQUEST, nexthopFilter, [[NHA_ID, uint32(id)]]);
