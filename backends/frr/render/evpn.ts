/**
 * EVPN of a router (RFC 7432, RFC 9136) → bgpd's `l2vpn evpn` family, and the VNI that zebra gives a VRF.
 *
 * Pure; the values were checked where they were read (frr-evpn.ts).
 */
import type { Asn } from "../../../events/ids.ts";
import type { FrrEvpn, Vni } from "../../../events/resources/frr-evpn.ts";
import type { RouterIntent } from "../../intent.ts";
import { type ConfigTree, leaves, NO_LINES } from "../config/tree.ts";
import { peerOf } from "./names.ts";

/** Lines of the family's node; none where the router has nothing to do with EVPN. */
export function evpnLines({ evpn, neighbors, localAs }: RouterIntent): ConfigTree {
  const lines = new Map<string, ConfigTree>();
  for (const neighbor of neighbors) {
    if (neighbor.carriesEvpn) lines.set(`neighbor ${peerOf(neighbor)} activate`, NO_LINES);
  }
  if (evpn === undefined) return lines;
  if (evpn.advertiseVnis === "All") lines.set("advertise-all-vni", NO_LINES);
  if (evpn.advertiseSvi) lines.set("advertise-svi-ip", NO_LINES);
  // FRR takes a VNI's lines only where it advertises VNIs: without, they say nothing to anybody.
  for (const vni of evpn.advertiseVnis === "All" ? evpn.l2vnis : []) {
    const children = vniLines(vni, localAs);
    // As frr-k8s: a VNI of which nothing is said is zebra's to find.
    if (children.length > 0) lines.set(`vni ${vni.vni}`, leaves(children));
  }
  for (const line of layer3Lines(evpn, localAs)) lines.set(line, NO_LINES);
  return lines;
}

/** What zebra is told within the VRF. */
export const zebraVniLines = ({ evpn }: RouterIntent): string[] =>
  evpn?.l3vni === undefined ? [] : [`vni ${evpn.l3vni.vni}`];

const layer3Lines = ({ l3vni }: FrrEvpn, localAs: Asn): string[] =>
  l3vni === undefined
    ? []
    : [
        ...l3vni.advertisePrefixes.flatMap((what) => [
          `advertise ipv4 ${what}`,
          `advertise ipv6 ${what}`,
        ]),
        ...vniLines(l3vni, localAs),
      ];

function vniLines(
  { vni, rd, importRouteTargets, exportRouteTargets }: Vni,
  localAs: Asn,
): string[] {
  const derived = derivedTarget(localAs, vni);
  return [
    ...(rd === "" ? [] : [`rd ${rd}`]),
    ...saidTargets(importRouteTargets, derived).map((target) => `route-target import ${target}`),
    ...saidTargets(exportRouteTargets, derived).map((target) => `route-target export ${target}`),
  ];
}

/** What FRR takes where no target is said (RFC 8365 §5.1.2.1, without its type bits). */
const derivedTarget = (localAs: Asn, vni: number): string => `${localAs & 0xffff}:${vni}`;

/**
 * FRR ignores the derived target while it has it by itself, and drops it when another one is said (seen with 8.4): alone it needs no
 * words, and beside others it comes last.
 */
function saidTargets(targets: readonly string[], derived: string): readonly string[] {
  const others = targets.filter((target) => target !== derived);
  return others.length === targets.length || others.length === 0 ? others : [...others, derived];
}
