/**
 * What is valid and stored but has no effect in this version: said on the resource, never dropped silently (design §5).
 *
 * The list is closed: a field that is not named here must act. Every line begins with "not carried yet: ".
 * Reads next: extras-advice.ts (what to write in place of raw FRR lines).
 */
import type { BgpPeer } from "./bgp-peer.ts";
import { extrasAdvice } from "./extras-advice.ts";
import { keyOf, type Resource, type ResourceType } from "./kinds.ts";
import type { NotCarried } from "./resource.ts";

/** Kinds that as a whole wait for a later version. */
const WHOLE_KINDS: Partial<Readonly<Record<ResourceType, string>>> = {
  "metallb.io/L2Advertisement": "announcing by ARP and neighbour discovery",
  "frrk8s.metallb.io/FRRConfiguration": "routers and neighbours of FRRConfiguration",
  "k8s.ovn.org/EgressService": "egress rules and source addresses of a Service",
  "networking.gke.io/NetworkGatewayGroup": "floating addresses",
  "networking.gke.io/BGPLoadBalancer": "sessions from floating addresses",
  "networking.gke.io/BGPPeer": "sessions from floating addresses",
  "baremetal.cluster.gke.io/Cluster": "control-plane sessions and pools of a Cluster",
};

/** `peers`: all BGPPeers in force, so that advice can name their AS numbers. Empty where everything acts. */
export function notCarried(
  resource: Resource,
  peers: readonly BgpPeer[] = [],
): readonly NotCarried[] {
  const key = keyOf(resource);
  const line = (field: string, what: string): NotCarried => ({
    resource: key,
    field,
    reason: `not carried yet: ${what}`,
  });
  if (resource.type === "metallb.io/BGPPeer")
    return peerFields(resource).map(([field, what]) => line(field, what));
  if (resource.type === "metallb.io/BFDProfile" && resource.spec.echoMode) {
    return peers
      .filter(({ spec }) => spec.bfdProfile === resource.metadata.name && spec.ebgpMultiHop)
      .map(({ metadata }) => ({
        resource: key,
        field: "spec.echoMode",
        reason: `peer ${metadata.name} is multihop, where there is no echo function (RFC 5883 §3): control packets alone detect`,
      }));
  }
  if (resource.type === "/ConfigMap") {
    return [
      line(
        "data.extras",
        `raw FRR lines, which only the frr backend can take. ${extrasAdvice(resource, peers)}`,
      ),
    ];
  }
  const whole = WHOLE_KINDS[resource.type];
  return whole === undefined ? [] : [line("spec", whole)];
}

function peerFields({ spec }: BgpPeer): readonly (readonly [field: string, what: string])[] {
  const fields: (readonly [string, string] | false)[] = [
    spec.remote.type === "interface" && [
      "spec.interface",
      "unnumbered peering; the session is not opened",
    ],
    spec.vrf !== "" && ["spec.vrf", `sessions in VRF ${spec.vrf}; the session is not opened`],
    spec.localAsnOverride !== undefined && [
      "spec.localASN",
      "another local AS for one peer; myASN is shown",
    ],
    spec.enableGracefulRestart && [
      "spec.enableGracefulRestart",
      "keeping a restarting peer's routes; our own restart is announced",
    ],
  ];
  return fields.filter((field) => field !== false);
}
