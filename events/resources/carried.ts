/**
 * What is valid and stored but has no effect in this version: said on the resource, never dropped silently (design §5).
 *
 * The list is closed: a field that is not named here must act. Every line begins with "not carried yet: ".
 * Reads next: extras-advice.ts (what to write in place of raw FRR lines).
 */
import type { BgpPeer } from "./bgp-peer.ts";
import { extrasAdvice } from "./extras-advice.ts";
import type { FrrConfiguration, FrrRouter } from "./frr-configuration.ts";
import type { FrrNeighbor } from "./frr-neighbor.ts";
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
  if (resource.type === "frrk8s.metallb.io/FRRConfiguration")
    return configurationFields(resource).map(([field, what]) => line(field, what));
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

type Field = readonly [field: string, what: string];

function configurationFields({ spec }: FrrConfiguration): readonly Field[] {
  return [
    ...spec.routers.flatMap((router, i) => routerFields(`spec.bgp.routers[${i}].`, router)),
    ...when(
      spec.raw !== undefined,
      "spec.raw",
      "raw FRR lines, which only the frr backend can take",
    ),
  ];
}

function routerFields(at: string, router: FrrRouter): readonly Field[] {
  return [
    ...when(
      router.imports.length > 0,
      `${at}imports`,
      "leaking between VRFs; prefixes that only an imported VRF has are told to nobody here",
    ),
    ...when(router.evpn !== undefined, `${at}evpn`, "EVPN, which the native speaker does not have"),
    ...router.neighbors.flatMap((one, k) => neighborFields(`${at}neighbors[${k}].`, one)),
  ];
}

function neighborFields(at: string, neighbor: FrrNeighbor): readonly Field[] {
  const unicast = neighbor.addressFamilies.includes("unicast");
  return [
    ...when(
      neighbor.source?.type === "interface",
      `${at}sourceaddress`,
      "an interface as the source; the session is not opened: write its address",
    ),
    ...when(
      neighbor.addressFamilies.includes("evpn"),
      `${at}addressFamilies`,
      `EVPN routes; ${unicast ? "the session carries unicast" : "the session is not opened"}`,
    ),
  ];
}

const when = (applies: boolean, field: string, what: string): readonly Field[] =>
  applies ? [[field, what]] : [];
