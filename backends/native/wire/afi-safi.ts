/**
 * Address families as the wire numbers them (RFC 4760 §3; IANA "Address Family Numbers" and "SAFI Namespace").
 *
 * Any pair can stand in a capability; only IPv4 and IPv6 unicast are ever a `Family` of ours. No codec here.
 * Reads next: message.ts.
 */
import type { Family } from "../../../events/address.ts";

/** One (AFI, SAFI) pair, ours or not. */
export type AfiSafi = { readonly afi: number; readonly safi: number };

export const AFI_IPV4 = 1;
export const AFI_IPV6 = 2;
export const SAFI_UNICAST = 1;

export const ipv4Unicast: AfiSafi = { afi: AFI_IPV4, safi: SAFI_UNICAST };
export const ipv6Unicast: AfiSafi = { afi: AFI_IPV6, safi: SAFI_UNICAST };

export const afiSafiOf = (family: Family): AfiSafi =>
  family === "ipv4" ? ipv4Unicast : ipv6Unicast;

/** Undefined where the pair is none that this speaker carries. */
export function familyOfAfiSafi(afi: number, safi: number): Family | undefined {
  if (safi !== SAFI_UNICAST) return undefined;
  if (afi === AFI_IPV4) return "ipv4";
  return afi === AFI_IPV6 ? "ipv6" : undefined;
}
