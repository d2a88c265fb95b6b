/**
 * Which speaker of this host has which neighbour (PeerBackends), and whose learned routes go into the kernel.
 *
 * Pure. A far end in a VRF belongs to one speaker as a whole: to whom a PeerBackend in force gives it, else to the first. In each VRF
 * one speaker feeds the kernel: the first, unless the neighbours there are all of others (design §3). Reads next: neighbors.ts,
 * imports.ts.
 */
import type { BackendName } from "../../backends/intent.ts";
import { type ResourceKey, resourceKeyParts } from "../../events/ids.ts";
import type { PeerBackend } from "../../events/resources/peer-backend.ts";
import type { DesiredState, Held } from "../../events/state.ts";
import { claimsOf, neighborId, type NeighborClaim, remoteText, spoken } from "./claims.ts";
import { heldIn, inForceOf } from "./held.ts";
import { anySelects, nodeLabels } from "./labels.ts";
import type { Found } from "./merge-rules.ts";
import { ownersHere } from "./owners-here.ts";
import { type PlanOptions, type SpeakerOptions, speakersOf } from "./options.ts";

/** A far end, and all objects that have it. */
export type FarEnd = Pick<NeighborClaim, "vrf" | "remote"> & {
  readonly owners: readonly ResourceKey[];
};

type Homes = {
  /** By neighborId(); who is in none is the first speaker's. */
  readonly given: ReadonlyMap<string, Held<PeerBackend>>;
  /** By VRF: whose neighbours are there; `first`: those that nobody gave away. */
  readonly inVrf: ReadonlyMap<string, ReadonlySet<BackendName | "first">>;
};

const nothingGiven: Homes = { given: new Map(), inVrf: new Map() };

/** Asked for each resource of one state, and the same for all of them. */
const known = new WeakMap<DesiredState, Homes>();

function homesIn(desired: DesiredState): Homes {
  const found = known.get(desired) ?? homesOf(desired);
  known.set(desired, found);
  return found;
}

function homesOf(desired: DesiredState): Homes {
  const rules = inForceOf(desired, "rutter/PeerBackend").filter((one) => isHere(desired, one));
  if (rules.length === 0) return nothingGiven;
  const given = new Map<string, Held<PeerBackend>>();
  const inVrf = new Map<string, Set<BackendName | "first">>();
  const inForce = ownersHere(desired).filter(({ key }) => !desired.quarantined.has(key));
  for (const [id, farEnd] of farEndsOf(desired, inForce)) {
    const rule = rules.find((one) => names(desired, one, farEnd));
    if (rule !== undefined) given.set(id, rule);
    const there = inVrf.get(farEnd.vrf) ?? new Set();
    inVrf.set(farEnd.vrf, there.add(rule?.resource.spec.backend ?? "first"));
  }
  return { given, inVrf };
}

/** The PeerBackend that gives the neighbour to somebody; undefined: it is the first speaker's. */
export const givenBy = (
  desired: DesiredState,
  neighbor: Pick<NeighborClaim, "vrf" | "remote">,
): Held<PeerBackend> | undefined => homesIn(desired).given.get(neighborId(neighbor));

/** Who has the neighbour; undefined: a speaker that this host does not run. */
export function speakerOf(
  desired: DesiredState,
  neighbor: Pick<NeighborClaim, "vrf" | "remote">,
  options: PlanOptions,
): SpeakerOptions | undefined {
  const rule = givenBy(desired, neighbor);
  if (rule === undefined) return options;
  return speakersOf(options).find(({ backend }) => backend === rule.resource.spec.backend);
}

/** Whose learned routes go into the kernel in this VRF. */
export function feederOf(desired: DesiredState, vrf: string, options: PlanOptions): SpeakerOptions {
  const there = homesIn(desired).inVrf.get(vrf);
  if (there === undefined || there.has("first")) return options;
  return speakersOf(options).find(({ backend }) => there.has(backend)) ?? options;
}

/** VRFs that another than the first speaker feeds. */
export const feedersIn = (
  desired: DesiredState,
  options: PlanOptions,
): ReadonlyMap<string, BackendName> =>
  new Map(
    [...homesIn(desired).inVrf.keys()]
      .toSorted()
      .map((vrf) => [vrf, feederOf(desired, vrf, options).backend] as const)
      .filter(([, backend]) => backend !== options.backend),
  );

/** Why no peer can be given to it on this host; undefined where it can. */
export const notRun = (backend: BackendName, options: PlanOptions): string | undefined =>
  speakersOf(options).some((one) => one.backend === backend)
    ? undefined
    : `this host runs no ${backend} speaker beside ${options.backend}: name it in \`besides\` of agent.yaml`;

/** Why what a neighbour of `speaker` says is not installed; undefined where it is. */
export function notFed(
  desired: DesiredState,
  vrf: string,
  { backend }: SpeakerOptions,
  options: PlanOptions,
): string | undefined {
  const feeder = feederOf(desired, vrf, options);
  if (feeder.backend === backend) return undefined;
  const where = vrf === "" ? "in the default VRF" : `in VRF ${vrf}`;
  return `it is the ${backend} speaker's, and what is installed ${where} is what the ${feeder.backend} speaker learns`;
}

export const isHere = (desired: DesiredState, { resource }: Held<PeerBackend>): boolean =>
  anySelects(resource.spec.nodeSelectors, nodeLabels(desired));

/** By neighborId(). */
export function farEndsOf(
  desired: DesiredState,
  owners: ReturnType<typeof ownersHere>,
): ReadonlyMap<string, FarEnd> {
  const claims = owners.flatMap((owner) =>
    claimsOf(desired, owner).routers.flatMap(({ neighbors }) => neighbors),
  );
  return new Map(
    [...Map.groupBy(claims, neighborId)].flatMap(([id, all]): [string, FarEnd][] => {
      const [first] = all;
      if (first === undefined) return [];
      const { vrf, remote } = first;
      return [[id, { vrf, remote, owners: all.map(({ owner }) => owner) }]];
    }),
  );
}

/** One far end has one speaker: which PeerBackend gives it to another one already. */
export function givenTwice(
  desired: DesiredState,
  one: Held<PeerBackend>,
  kept: readonly Held<PeerBackend>[],
  farEnds: readonly FarEnd[],
): Found {
  const others = kept.filter(
    ({ resource }) =>
      resource.spec.backend !== one.resource.spec.backend &&
      resource.spec.vrf === one.resource.spec.vrf,
  );
  if (others.length === 0) return undefined;
  for (const farEnd of farEnds) {
    if (!names(desired, one, farEnd)) continue;
    const other = others.find((rule) => names(desired, rule, farEnd));
    if (other === undefined) continue;
    const { backend } = other.resource.spec;
    return [
      "peer-backend-twice",
      `${spoken(other.key)} gives ${nameOf(farEnd)} to the ${backend} speaker already: one speaker has an address of a VRF`,
    ];
  }
  return undefined;
}

const isPeer = (owner: ResourceKey): boolean => owner.startsWith("metallb.io/BGPPeer/");

const nameOf = ({ owners, remote }: FarEnd): string => {
  const peer = owners.find(isPeer);
  return peer === undefined ? remoteText(remote) : resourceKeyParts(peer).name;
};

function names(
  desired: DesiredState,
  { resource: { spec } }: Held<PeerBackend>,
  { vrf, remote, owners }: FarEnd,
): boolean {
  if (spec.vrf !== vrf) return false;
  const { peers, peerSelectors } = spec;
  if (peers.length + peerSelectors.length === 0 || peers.includes(remoteText(remote))) return true;
  return owners.some(
    (owner) =>
      (isPeer(owner) && peers.includes(resourceKeyParts(owner).name)) ||
      (peerSelectors.length > 0 &&
        anySelects(peerSelectors, heldIn(desired, owner)?.resource.metadata.labels ?? {})),
  );
}
