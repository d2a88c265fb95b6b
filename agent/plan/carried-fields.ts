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
import { has, type PlanOptions, type SpeakerOptions, speakersOf } from "./options.ts";

type Field = readonly [needs: Capability, field: string, what: string, advice?: string];
/** A field, and who is to carry it. */
type Asked = readonly [speaker: SpeakerOptions, field: Field];

/** Who has a neighbour (peer-backends.ts). */
export type SpeakerOf = (neighbor: {
  readonly vrf: string;
  readonly remote: Remote;
}) => SpeakerOptions;

/**
 * `peers`: all BGPPeers in force, so that advice can name their AS numbers. `speakerOf`: the first speaker unless told. Empty where
 * everything acts.
 */
export function fieldsNotCarried(
  resource: Resource,
  options: PlanOptions,
  peers: readonly BgpPeer[] = [],
  speakerOf: SpeakerOf = () => options,
): readonly NotCarried[] {
  return fieldsOf(resource, options, peers, speakerOf)
    .filter(([speaker, [needs]]) => !has(speaker, needs))
    .map(([speaker, [needs, field, what, advice]]) => ({
      resource: keyOf(resource),
      field,
      reason: `not carried yet: ${what}${because(speaker, needs)}${advice === undefined ? "" : `. ${advice}`}`,
    }));
}

/** What is of no neighbour is carried by whichever speaker can. */
const anyOf = (options: PlanOptions, needs: Capability): SpeakerOptions =>
  speakersOf(options).find((one) => has(one, needs)) ?? options;

const askedOf = (speaker: SpeakerOptions, fields: readonly Field[]): readonly Asked[] =>
  fields.map((field) => [speaker, field]);

/** Said once: where the speaker says no more than that, the field's own words are enough. */
function because(options: SpeakerOptions, needs: Capability): string {
  const why = options.capabilities.missing.get(needs);
  return why === undefined || why === "not carried yet" ? "" : ` (${why})`;
}

function fieldsOf(
  resource: Resource,
  options: PlanOptions,
  peers: readonly BgpPeer[],
  speakerOf: SpeakerOf,
): readonly Asked[] {
  const raw = (fields: readonly Field[]): readonly Asked[] =>
    askedOf(anyOf(options, "raw"), fields);
  if (resource.type === "metallb.io/BGPPeer") {
    const { spec } = resource;
    return askedOf(speakerOf(spec), interfaceField("spec.", spec.remote));
  }
  if (resource.type === "frrk8s.metallb.io/FRRConfiguration") {
    const { spec } = resource;
    return [
      ...spec.routers.flatMap((router, i) =>
        routerFields(`spec.bgp.routers[${i}].`, router, options, speakerOf),
      ),
      ...raw(when(spec.raw !== undefined, ["raw", "spec.raw", RAW])),
    ];
  }
  if (resource.type === "/ConfigMap")
    return raw([["raw", "data.extras", RAW, extrasAdvice(resource, peers)]]);
  if (resource.type === "rutter/BFDOptions")
    return speakersOf(options)
      .filter(({ bfd }) => bfd === "speaker")
      .flatMap((speaker) => askedOf(speaker, bfdFields(resource.spec)));
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

function routerFields(
  at: string,
  router: FrrRouter,
  options: PlanOptions,
  speakerOf: SpeakerOf,
): readonly Asked[] {
  const { vrf } = router;
  const who = router.neighbors.map(({ remote }) => speakerOf({ vrf, remote }));
  const unable = who.find((one) => !has(one, "vrf-import")) ?? anyOf(options, "vrf-import");
  const leaking = when(router.imports.length > 0, [
    "vrf-import",
    `${at}imports`,
    "leaking between VRFs; prefixes that only an imported VRF has are told to nobody here",
  ]);
  const evpn = when(router.evpn !== undefined, ["evpn", `${at}evpn`, "EVPN"]);
  return [
    ...askedOf(unable, leaking),
    ...askedOf(anyOf(options, "evpn"), evpn),
    ...router.neighbors.flatMap((one, k) =>
      askedOf(speakerOf({ vrf, remote: one.remote }), neighborFields(`${at}neighbors[${k}].`, one)),
    ),
  ];
}

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
