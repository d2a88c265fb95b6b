/**
 * EVPN of a router (RFC 7432, RFC 9136) → bgpd's `l2vpn evpn` family, and the VNI that zebra gives a VRF.
 *
 * Pure; the values were checked where they were read (frr-evpn.ts).
 */
import type { FrrEvpn, Vni } from "../../../events/resources/frr-evpn.ts";
import type { RouterIntent } from "../../intent.ts";
import { type ConfigTree, leaves, NO_LINES } from "../config/tree.ts";
import { peerOf } from "./names.ts";

/** Lines of the family's node; none where the router has nothing to do with EVPN. */
export function evpnLines({ evpn, neighbors }: RouterIntent): ConfigTree {
  const lines = new Map<string, ConfigTree>();
  for (const neighbor of neighbors) {
    if (neighbor.carriesEvpn) lines.set(`neighbor ${peerOf(neighbor)} activate`, NO_LINES);
  }
  if (evpn === undefined) return lines;
  if (evpn.advertiseVnis === "All") lines.set("advertise-all-vni", NO_LINES);
  if (evpn.advertiseSvi) lines.set("advertise-svi-ip", NO_LINES);
  for (const vni of evpn.l2vnis) {
    const children = vniLines(vni);
    // As frr-k8s: a VNI of which nothing is said is zebra's to find.
    if (children.length > 0) lines.set(`vni ${vni.vni}`, leaves(children));
  }
  for (const line of layer3Lines(evpn)) lines.set(line, NO_LINES);
  return lines;
}

/** What zebra is told within the VRF. */
export const zebraVniLines = ({ evpn }: RouterIntent): string[] =>
  evpn?.l3vni === undefined ? [] : [`vni ${evpn.l3vni.vni}`];

const layer3Lines = ({ l3vni }: FrrEvpn): string[] =>
  l3vni === undefined
    ? []
    : [
        ...l3vni.advertisePrefixes.flatMap((what) => [
          `advertise ipv4 ${what}`,
          `advertise ipv6 ${what}`,
        ]),
        ...vniLines(l3vni),
      ];

const vniLines = ({ rd, importRouteTargets, exportRouteTargets }: Vni): string[] => [
  ...(rd === "" ? [] : [`rd ${rd}`]),
  ...importRouteTargets.map((target) => `route-target import ${target}`),
  ...exportRouteTargets.map((target) => `route-target export ${target}`),
];
