/**
 * A neighbour with what gobgpd must be told of it beyond its intent: its router, our next hops, whether it is inside our AS.
 *
 * Pure. Reads next: peers.ts, policies.ts.
 */
import { type Address, type Family, familyOf, isLinkLocal } from "../../../events/address.ts";
import type { Asn } from "../../../events/ids.ts";
import type { NeighborIntent, RouterIntent, SpeakerIntent } from "../../intent.ts";

export type Speaking = {
  readonly neighbor: NeighborIntent;
  readonly address: Address;
  readonly localAs: Asn;
  readonly internal: boolean;
  /**
   * Our address of the family that the session itself does not run over; absent where it is not known (yet): routes of that
   * family are not told then, for gobgpd would name an address of the other one.
   */
  readonly otherNextHop: Address | undefined;
};

/** Why a neighbour is not given to gobgpd at all; the others are. */
export type Refused = { readonly neighbor: NeighborIntent; readonly reason: string };

export type Speakings = {
  readonly speaking: readonly Speaking[];
  readonly refused: readonly Refused[];
};

/** Where a neighbour is spoken from. No address: the kernel chooses, or, with a problem, there is none (yet). */
export type Near = { readonly address: Address | undefined; readonly problem?: string | undefined };

/** What this host says of a neighbour: our address of `family` towards it, as far as that is known, and where it is spoken from. */
export type HostSays = {
  readonly otherNextHop: (neighbor: NeighborIntent, family: Family) => Address | undefined;
  readonly hasSecret: (neighbor: NeighborIntent) => boolean;
  readonly near: (neighbor: NeighborIntent) => Near;
};

/** A neighbour that is spoken to from an interface has its address here. */
export function speakingsOf(intent: SpeakerIntent, host: HostSays): Speakings {
  const speaking: Speaking[] = [];
  const refused: Refused[] = [];
  for (const router of intent.routers) {
    for (const asked of router.neighbors) {
      const near = host.near(asked);
      const neighbor = near.address === asked.localAddress ? asked : at(asked, near.address);
      const reason = refusalOf(router, neighbor, intent.routers[0], host.hasSecret) ?? near.problem;
      const { remote } = neighbor;
      if (reason !== undefined || remote.type !== "address") {
        refused.push({ neighbor, reason: reason ?? UNNUMBERED });
        continue;
      }
      const localAs = neighbor.localAsOverride ?? router.localAs;
      const { remoteAs } = neighbor;
      speaking.push({
        neighbor,
        address: remote.address,
        localAs,
        internal:
          remoteAs.type === "internal" || (remoteAs.type === "asn" && remoteAs.asn === localAs),
        otherNextHop: host.otherNextHop(
          neighbor,
          familyOf(remote.address) === "ipv4" ? "ipv6" : "ipv4",
        ),
      });
    }
  }
  return { speaking, refused };
}

const at = (neighbor: NeighborIntent, localAddress: Address | undefined): NeighborIntent => ({
  ...neighbor,
  localAddress,
});

export const UNNUMBERED =
  "gobgpd is driven by addresses: name this peer's address instead of its interface";
const LINK_LOCAL = "gobgpd is not told of link-local peers: use an address of the network";
export const LINUX_VRF = "GoBGP has no Linux VRF: its VRFs are those of VPN routes (RFC 4364)";

/** The plan refuses what a capability is missing for; this stands behind it. */
function refusalOf(
  router: RouterIntent,
  neighbor: NeighborIntent,
  first: RouterIntent | undefined,
  hasSecret: (neighbor: NeighborIntent) => boolean,
): string | undefined {
  if (router.vrf !== "") return LINUX_VRF;
  if (neighbor.remote.type === "address" && isLinkLocal(neighbor.remote.address)) return LINK_LOCAL;
  if (
    first?.routerId !== undefined &&
    router.routerId !== undefined &&
    first.routerId !== router.routerId
  ) {
    return `gobgpd has one router id, and ${first.routerId} is it: give this peer's router the same`;
  }
  const secret = neighbor.authentication?.secret;
  if (secret !== undefined && !hasSecret(neighbor)) {
    return `the password ${secret.name} is missing on this host: apply it again; the session is never opened without it`;
  }
  return undefined;
}
