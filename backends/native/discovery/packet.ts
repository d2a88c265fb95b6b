/**
 * Router Solicitation and Router Advertisement (RFC 4861 §4.1, §4.2), as far as two unnumbered neighbours find each other by them.
 *
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +---------------------------------------------------------------+
 *  |  Type 133/134 |    Code 0     |           Checksum            |
 *  +---------------------------------------------------------------+
 *  | Cur Hop Limit |M|O| Reserved  |  Router Lifetime, seconds     |   of a solicitation: Reserved, 4 octets, then options
 *  +---------------------------------------------------------------+
 *  |                 Reachable Time, milliseconds                  |
 *  +---------------------------------------------------------------+
 *  |                 Retrans Timer, milliseconds                   |
 *  +---------------------------------------------------------------+
 *  | Options: type, length in units of 8 octets, value …           |
 *
 * Pure and total: any octets give a value. The checksum is the kernel's on both ways (RFC 3542 §3.1). Options are walked, never
 * used: what an advertisement offers to hosts is the kernel's business. Reads next: finding.ts.
 */
import { type Address, isLinkLocal } from "../../../events/address.ts";

export const ROUTER_SOLICITATION = 133;
export const ROUTER_ADVERTISEMENT = 134;

/** RFC 4861 §4.1, §4.2, §6.1: what was not sent on this very link has another one. */
export const ROUTER_HOP_LIMIT = 255;

const SOLICITATION_OCTETS = 8;
const ADVERTISEMENT_OCTETS = 16;
const SOURCE_LINK_ADDRESS = 1;

export type RouterMessage = "solicitation" | "advertisement";

/** What a packet says that passes RFC 4861 §6.1.1 or §6.1.2; undefined where it is to be discarded in silence. */
export function readRouterMessage(
  octets: Uint8Array,
  source: Address,
  hopLimit: number,
): RouterMessage | undefined {
  if (hopLimit !== ROUTER_HOP_LIMIT || octets[1] !== 0) return undefined;
  const isUnspecified = source === "::";
  if (octets[0] === ROUTER_ADVERTISEMENT) {
    // RFC 4861 §6.1.2: only a link-local address identifies a router.
    const options = optionsFrom(octets, ADVERTISEMENT_OCTETS);
    return isLinkLocal(source) && options !== undefined ? "advertisement" : undefined;
  }
  if (octets[0] !== ROUTER_SOLICITATION) return undefined;
  const options = optionsFrom(octets, SOLICITATION_OCTETS);
  if (options === undefined) return undefined;
  // RFC 4861 §6.1.1: who has no address yet has no address to be told of.
  return isUnspecified && options.includes(SOURCE_LINK_ADDRESS) ? undefined : "solicitation";
}

/** Types of the options from there on; undefined where one has no length or runs over the end. */
function optionsFrom(octets: Uint8Array, from: number): readonly number[] | undefined {
  if (octets.length < from) return undefined;
  const types: number[] = [];
  for (let at = from; at < octets.length;) {
    const length = 8 * (octets[at + 1] ?? 0);
    if (length === 0 || at + length > octets.length) return undefined;
    types.push(octets[at] ?? 0);
    at += length;
  }
  return types;
}

/**
 * Says that a neighbour is here, and nothing else: Router Lifetime 0 is "not a default router" (RFC 4861 §4.2), for a host with
 * virtual IPs forwards nothing for others on the link. Zebra's own say 30 s there, and make hosts that listen send through it;
 * it learns a neighbour from the source address alone (seen with FRR 8.4). Zeros elsewhere leave all to the receiver.
 */
export function routerAdvertisement(): Uint8Array {
  const octets = new Uint8Array(ADVERTISEMENT_OCTETS);
  octets[0] = ROUTER_ADVERTISEMENT;
  return octets;
}

/** Asks routers on the link to say at once that they are there. */
export function routerSolicitation(): Uint8Array {
  const octets = new Uint8Array(SOLICITATION_OCTETS);
  octets[0] = ROUTER_SOLICITATION;
  return octets;
}
