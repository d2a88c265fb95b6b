/**
 * Our OPEN, and what two OPENs agree on (RFC 4271 §4.2, RFC 5492 §3).
 *
 * Pure. What the peer asks that we can't take is a NOTIFICATION, given back as a value with words for the operator.
 */
import type { Family } from "../../../events/address.ts";
import { asn } from "../../../events/ids.ts";
import { AFI_IPV6, type AfiSafi, afiSafiOf, familyOfAfiSafi } from "../wire/afi-safi.ts";
import { capabilityName, lastCapability } from "../wire/capability.ts";
import type { Capability, Notification, Open } from "../wire/message.ts";
import { badBgpIdentifier, badPeerAs } from "../wire/notification.ts";
import type { Negotiated, Peering } from "./signals.ts";

export function openOf(peering: Peering): Open {
  const { families, gracefulRestart } = peering;
  const capabilities: Capability[] = [
    ...families.map((family): Capability => ({ type: "multiprotocol", family: afiSafiOf(family) })),
    { type: "route-refresh" },
    { type: "four-octet-asn", asn: peering.localAs },
  ];
  if (peering.extendedNextHop) {
    const nextHops = [{ family: afiSafiOf("ipv4"), nextHopAfi: AFI_IPV6 }];
    capabilities.push({ type: "extended-next-hop", families: nextHops });
  }
  if (gracefulRestart !== undefined) {
    const { restartTimeSeconds, restarting, forwardingPreserved } = gracefulRestart;
    capabilities.push({
      type: "graceful-restart",
      restartState: restarting,
      notification: false,
      restartTimeSeconds,
      // RFC 4724 §3: F says that forwarding went on through the restart; without one there is nothing to say.
      families: families.map((family) => ({
        family: afiSafiOf(family),
        forwarding: restarting && forwardingPreserved,
      })),
    });
  }
  return {
    asn: peering.localAs,
    holdTimeSeconds: peering.holdTimeSeconds,
    routerId: peering.routerId,
    capabilities,
  };
}

export type Agreement =
  | { readonly ok: true; readonly negotiated: Negotiated }
  | { readonly ok: false; readonly notification: Notification; readonly reason: string };

export function negotiate(peering: Peering, open: Open): Agreement {
  const refusal = refusalOf(peering, open);
  if (refusal !== undefined) return { ok: false, ...refusal };
  const { capabilities } = open;
  // RFC 4271 §4.2: the smaller hold time wins; §4.4: keepalives at most every third of it.
  const holdTimeSeconds = Math.min(open.holdTimeSeconds, peering.holdTimeSeconds);
  const third = Math.floor(holdTimeSeconds / 3);
  const restart = lastCapability(capabilities, "graceful-restart");
  const families = peering.families.filter((family) => offered(capabilities).includes(family));
  const isMutual = peering.gracefulRestart !== undefined && restart !== undefined;
  const restartable = isMutual ? restart.families : [];
  return {
    ok: true,
    negotiated: {
      as4: capabilities.some(({ type }) => type === "four-octet-asn"),
      external: open.asn !== peering.localAs,
      families,
      addPath: [],
      extendedMessage: false,
      extendedNextHop: peering.extendedNextHop && takesExtendedNextHop(capabilities),
      holdTimeSeconds,
      keepaliveTimeSeconds: Math.min(third, peering.keepaliveTimeSeconds || third),
      remoteAs: asn(open.asn),
      remoteRouterId: open.routerId,
      capabilities: capabilities.map(capabilityName),
      gracefulRestart: isMutual,
      peerRestartSeconds: restart?.restartTimeSeconds ?? 0,
      restartFamilies: families.filter((family) => isListed(restartable, family)),
      forwardingKept: families.filter((family) =>
        isListed(
          restartable.filter(({ forwarding }) => forwarding),
          family,
        ),
      ),
      routeRefresh: capabilities.some(({ type }) => type === "route-refresh"),
    },
  };
}

const isListed = (listed: readonly { readonly family: AfiSafi }[], wanted: Family): boolean =>
  listed.some(({ family: { afi, safi } }) => familyOfAfiSafi(afi, safi) === wanted);

/** RFC 8950 §4: IPv6 next hops of IPv4 unicast are sent to those alone who say so of this very pair. */
const takesExtendedNextHop = (capabilities: readonly Capability[]): boolean =>
  capabilities.some(
    (one) =>
      one.type === "extended-next-hop" &&
      one.families.some(({ family: { afi, safi }, nextHopAfi }) => {
        return familyOfAfiSafi(afi, safi) === "ipv4" && nextHopAfi === AFI_IPV6;
      }),
  );

/** RFC 4760 §8: who says nothing of families means IPv4 unicast. */
function offered(capabilities: readonly Capability[]): readonly Family[] {
  const families = capabilities.flatMap((one) =>
    one.type === "multiprotocol" ? (familyOfAfiSafi(one.family.afi, one.family.safi) ?? []) : [],
  );
  const saysAny = capabilities.some(({ type }) => type === "multiprotocol");
  return saysAny ? families : ["ipv4"];
}

function refusalOf(
  { localAs, remoteAs, routerId }: Peering,
  open: Open,
): { readonly notification: Notification; readonly reason: string } | undefined {
  const wrongAs = (expected: string): { notification: Notification; reason: string } => ({
    notification: badPeerAs,
    reason: `wrong AS: the peer says it is AS ${open.asn}, expected ${expected}`,
  });
  // RFC 4271 §6.2.
  if (remoteAs.type === "asn" && open.asn !== remoteAs.asn) return wrongAs(`AS ${remoteAs.asn}`);
  if (remoteAs.type === "internal" && open.asn !== localAs)
    return wrongAs(`our own, AS ${localAs}`);
  if (remoteAs.type === "external" && open.asn === localAs) return wrongAs("another one than ours");
  // RFC 6286 §2.2: inside one AS an identifier is unique.
  if (open.asn === localAs && open.routerId === routerId) {
    return {
      notification: badBgpIdentifier,
      reason: `the peer has our own router id ${routerId}: give one of the two another routerID`,
    };
  }
  return undefined;
}

/** RFC 4271 §6.8, RFC 6286 §2.3: whose connection stays; the higher identifier's, then the higher AS's. */
export function weWinCollision(peering: Peering, open: Open): boolean {
  const mine = routerIdNumber(peering.routerId);
  const theirs = routerIdNumber(open.routerId);
  return mine === theirs ? peering.localAs > open.asn : mine > theirs;
}

/** RFC 6286 §2.1: compared as a number. */
export const routerIdNumber = (routerId: string): number =>
  routerId.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
