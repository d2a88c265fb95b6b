/**
 * Fields that are valid and stored, and that only some speakers can carry: which of a resource have no effect with this one.
 *
 * Pure. The list is closed: a field that neither stands here nor in events/resources/carried.ts must act. Every line begins with
 * "not carried yet: ". Reads next: refusal.ts (what a neighbour is not opened for).
 */
import type { Capability } from "../../backends/backend.ts";
import type { BfdOptionsSpec } from "../../events/resources/bfd-options.ts";
import type { BgpPeer } from "../../events/resources/bgp-peer.ts";
import { extrasAdvice } from "../../events/resources/extras-advice.ts";
import type { FrrRouter } from "../../events/resources/frr-configuration.ts";
import type { FrrNeighbor } from "../../events/resources/frr-neighbor.ts";
import { keyOf, type Resource } from "../../events/resources/kinds.ts";
import type { NotCarried } from "../../events/resources/resource.ts";
import type { Remote } from "../../events/resources/session.ts";
import { has, type PlanOptions } from "./options.ts";

type Field = readonly [needs: Capability, field: string, what: string, advice?: string];

/** `peers`: all BGPPeers in force, so that advice can name their AS numbers. Empty where everything acts. */
export function fieldsNotCarried(
  resource: Resource,
  options: PlanOptions,
  peers: readonly BgpPeer[] = [],
): readonly NotCarried[] {
  return fieldsOf(resource, options, peers)
    .filter(([needs]) => !has(options, needs))
    .map(([needs, field, what, advice]) => ({
      resource: keyOf(resource),
      field,
      reason: `not carried yet: ${what}${because(options, needs)}${advice === undefined ? "" : `. ${advice}`}`,
    }));
}

/** Said once: where the speaker says no more than that, the field's own words are enough. */
function because(options: PlanOptions, needs: Capability): string {
  const why = options.capabilities.missing.get(needs);
  return why === undefined || why === "not carried yet" ? "" : ` (${why})`;
}

function fieldsOf(
  resource: Resource,
  options: PlanOptions,
  peers: readonly BgpPeer[],
): readonly Field[] {
  if (resource.type === "metallb.io/BGPPeer") return interfaceField("spec.", resource.spec.remote);
  if (resource.type === "frrk8s.metallb.io/FRRConfiguration") {
    const { routers, raw } = resource.spec;
    return [
      ...routers.flatMap((router, i) => routerFields(`spec.bgp.routers[${i}].`, router)),
      ...when(raw !== undefined, ["raw", "spec.raw", RAW]),
    ];
  }
  if (resource.type === "/ConfigMap")
    return [["raw", "data.extras", RAW, extrasAdvice(resource, peers)]];
  if (resource.type === "rutter/BFDOptions" && options.bfd === "speaker")
    return bfdFields(resource.spec);
  return [];
}

const bfdFields = ({ strictMode, authentication }: BfdOptionsSpec): readonly Field[] => [
  ...when(strictMode, [
    "bfd-strict",
    "spec.strictMode",
    "BGP that waits for BFD; its peers are not opened",
  ]),
  ...when(authentication !== undefined, [
    "bfd-authentication",
    "spec.authentication",
    "authentication of BFD; its peers are not opened",
  ]),
];

const RAW = "raw FRR lines, which only the frr backend can take";

const routerFields = (at: string, router: FrrRouter): readonly Field[] => [
  ...when(router.imports.length > 0, [
    "vrf-import",
    `${at}imports`,
    "leaking between VRFs; prefixes that only an imported VRF has are told to nobody here",
  ]),
  ...when(router.evpn !== undefined, ["evpn", `${at}evpn`, "EVPN"]),
  ...router.neighbors.flatMap((one, k) => neighborFields(`${at}neighbors[${k}].`, one)),
];

function neighborFields(at: string, neighbor: FrrNeighbor): readonly Field[] {
  const unicast = neighbor.addressFamilies.includes("unicast");
  return [
    ...interfaceField(at, neighbor.remote),
    ...when(neighbor.source?.type === "interface", [
      "source-interface",
      `${at}sourceaddress`,
      "an interface as the source; the session is not opened: write its address",
    ]),
    ...when(neighbor.addressFamilies.includes("evpn"), [
      "evpn",
      `${at}addressFamilies`,
      `EVPN routes; ${unicast ? "the session carries unicast" : "the session is not opened"}`,
    ]),
  ];
}

const interfaceField = (at: string, { type }: Remote): readonly Field[] =>
  when(type === "interface", [
    "unnumbered",
    `${at}interface`,
    "unnumbered peering; the session is not opened",
  ]);

const when = (applies: boolean, field: Field): readonly Field[] => (applies ? [field] : []);
