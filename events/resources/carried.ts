/**
 * What is valid and stored but has no effect in this version, whatever the speaker: said on the resource, never dropped silently
 * (design §5).
 *
 * Fields that wait for a speaker that can carry them are the plan's (agent/plan/carried-fields.ts).
 */
import type { BgpPeer } from "./bgp-peer.ts";
import { keyOf, type Resource, type ResourceType } from "./kinds.ts";
import type { NotCarried } from "./resource.ts";

/** Kinds that as a whole wait for a later version. */
const WHOLE_KINDS: Partial<Readonly<Record<ResourceType, string>>> = {
  "metallb.io/L2Advertisement": "announcing by ARP and neighbour discovery",
  "networking.gke.io/NetworkGatewayGroup": "floating addresses",
  "networking.gke.io/BGPLoadBalancer": "sessions from floating addresses",
  "networking.gke.io/BGPPeer": "sessions from floating addresses",
  "baremetal.cluster.gke.io/Cluster": "control-plane sessions and pools of a Cluster",
};

/** `peers`: all BGPPeers in force. Empty where everything acts. */
export function notCarried(
  resource: Resource,
  peers: readonly BgpPeer[] = [],
): readonly NotCarried[] {
  const key = keyOf(resource);
  if (resource.type === "metallb.io/BFDProfile" && resource.spec.echoMode) {
    return peers
      .filter(({ spec }) => spec.bfdProfile === resource.metadata.name && spec.ebgpMultiHop)
      .map(({ metadata }) => ({
        resource: key,
        field: "spec.echoMode",
        reason: `peer ${metadata.name} is multihop, where there is no echo function (RFC 5883 §3): control packets alone detect`,
      }));
  }
  const whole = WHOLE_KINDS[resource.type];
  return whole === undefined
    ? []
    : [{ resource: key, field: "spec", reason: `not carried yet: ${whole}` }];
}
