/**
 * What of a resource has no effect on this host now: what this version or the kernel does not carry, and neighbours that wait
 * for a Secret.
 *
 * Pure. Only an FRRConfiguration waits in part; a BGPPeer whose Secret is missing is set aside whole (conflicts.ts).
 */
import { type NeighborKey, resourceKeyParts } from "../../events/ids.ts";
import type { BgpPeer } from "../../events/resources/bgp-peer.ts";
import { notCarried } from "../../events/resources/carried.ts";
import { keyOf, type Resource } from "../../events/resources/kinds.ts";
import { MOST_IMPORTED } from "../../events/resources/route-import.ts";
import type { NotCarried } from "../../events/resources/resource.ts";
import { type DesiredState, resourcesOf } from "../../events/state.ts";
import { fieldsNotCarried } from "./carried-fields.ts";
import { claimsOf, type NeighborClaim, remoteText } from "./claims.ts";
import { missingPeers, namesPeer } from "./exports.ts";
import { type KernelAbility, vrfLacking } from "./kernel-ability.ts";
import { kernelRefusals } from "./kernel-refusals.ts";
import { isSpecial } from "./imports.ts";
import { anySelects, nodeLabels, selects } from "./labels.ts";
import type { NeighborVerdict } from "./neighbors.ts";
import { has, type PlanOptions, type SpeakerOptions } from "./options.ts";
import { ownersHere } from "./owners-here.ts";
import { feederOf, notFed, notRun, speakerOf } from "./peer-backends.ts";

const CONFIGURATION = "frrk8s.metallb.io/FRRConfiguration";

/** `options` undefined: nothing is known of the speaker, as where a log is read without its agent. `peers`: all BGPPeers in force. */
export function notCarriedHere(
  desired: DesiredState,
  resource: Resource,
  options: PlanOptions | undefined,
  peers: readonly BgpPeer[] = [],
): readonly NotCarried[] {
  const fields = [
    ...notCarried(resource, peers),
    ...peersMissing(desired, resource),
    ...(options === undefined ? [] : bySpeakers(desired, resource, options, peers)),
  ];
  if (resource.type !== CONFIGURATION) return fields;
  const owner = resourcesOf(desired, CONFIGURATION).get(keyOf(resource));
  if (owner === undefined || !selects(owner.resource.spec.nodeSelector, nodeLabels(desired)))
    return fields;
  const waiting = claimsOf(desired, owner).held.map(({ field, reason }): NotCarried => ({
    resource: owner.key,
    field,
    reason: `not carried yet: ${reason}`,
  }));
  return [...fields, ...waiting];
}

/** What the speakers of this host and its kernel leave without effect. */
function bySpeakers(
  desired: DesiredState,
  resource: Resource,
  options: PlanOptions,
  peers: readonly BgpPeer[],
): readonly NotCarried[] {
  // Who is given to a speaker that does not run is not opened at all; that is said of its PeerBackend.
  const home = (one: Pick<NeighborClaim, "vrf" | "remote">): SpeakerOptions =>
    speakerOf(desired, one, options) ?? options;
  return [
    ...fieldsNotCarried(resource, options, peers, home),
    ...importMissing(desired, resource, options),
    ...notFedHere(desired, resource, options),
    ...backendMissing(desired, resource, options),
    ...kernelRefusals(desired, resource, options.kernel),
  ];
}

function backendMissing(
  desired: DesiredState,
  resource: Resource,
  options: PlanOptions,
): readonly NotCarried[] {
  if (resource.type !== "rutter/PeerBackend") return [];
  const { nodeSelectors, backend } = resource.spec;
  const why = notRun(backend, options);
  if (why === undefined || !anySelects(nodeSelectors, nodeLabels(desired))) return [];
  const reason = `not carried on this host: its peers are not opened, for ${why}`;
  return [{ resource: keyOf(resource), field: "spec.backend", reason }];
}

/** Neighbours whose routes would go into the kernel, if theirs were the speaker that feeds it in their VRF. */
function notFedHere(
  desired: DesiredState,
  resource: Resource,
  options: PlanOptions,
): readonly NotCarried[] {
  if (options.besides === undefined || options.besides.length === 0) return [];
  const why = (one: NeighborClaim): string | undefined => {
    const speaker = speakerOf(desired, one, options);
    return speaker && notFed(desired, one.vrf, speaker, options);
  };
  const here = ownersHere(desired).filter(({ key }) => !desired.quarantined.has(key));
  const claimsIn = (owner: (typeof here)[number]): readonly NeighborClaim[] =>
    claimsOf(desired, owner).routers.flatMap(({ neighbors }) => neighbors);
  const key = keyOf(resource);
  if (resource.type === CONFIGURATION) {
    return here
      .filter((owner) => owner.key === key)
      .flatMap(claimsIn)
      .filter(({ receive }) => receive.type === "all" || receive.prefixes.length > 0)
      .flatMap((one) => {
        const reason = why(one);
        return reason === undefined
          ? []
          : [
              {
                resource: key,
                field: `${one.field}.toReceive`,
                reason: `not installed: ${reason}`,
              },
            ];
      });
  }
  if (resource.type !== "rutter/RouteImport") return [];
  const { spec } = resource;
  if (!anySelects(spec.nodeSelectors, nodeLabels(desired))) return [];
  const lines = here.flatMap(claimsIn).flatMap((one) => {
    const name = one.kind === "peer" ? resourceKeyParts(one.owner).name : remoteText(one.remote);
    const reason = namesPeer(spec, one.vrf, { name, remote: one.remote }) ? why(one) : undefined;
    return reason === undefined ? [] : [`${name}: ${reason}`];
  });
  return [...new Set(lines)].toSorted().map((line) => ({
    resource: key,
    field: "spec.peers",
    reason: `without effect for ${line}`,
  }));
}

/**
 * A speaker that installs by itself counts for nobody, and goes on installing into its own table what a RouteImport wants elsewhere
 * (imports.ts).
 */
function importMissing(
  desired: DesiredState,
  resource: Resource,
  options: PlanOptions,
): readonly NotCarried[] {
  if (resource.type !== "rutter/RouteImport") return [];
  const { maximum, vrf } = resource.spec;
  const feeder = feederOf(desired, vrf, options);
  if (!has(feeder, "installs-routes")) return [];
  const line = (field: string, what: string): NotCarried => ({
    resource: keyOf(resource),
    field,
    reason: `not carried yet: ${what}`,
  });
  const speaker = `the ${feeder.backend} speaker`;
  if (isSpecial(resource)) {
    const what = `that these routes stand nowhere else; ${speaker} installs what it learns into the table of the VRF, too`;
    return [line("spec.table", what)];
  }
  const what = `a bound on what ${speaker} installs by itself; \`receive.maximumPrefixes\` in agent.yaml bounds what comes in`;
  return maximum === MOST_IMPORTED ? [] : [line("spec.maximum", what)];
}

/** Peers that are named and that this host does not have; a RouteExport or RouteImport of another host says nothing here. */
function peersMissing(desired: DesiredState, resource: Resource): readonly NotCarried[] {
  if (
    resource.type !== "rutter/RouteExport" &&
    resource.type !== "rutter/RouteImport" &&
    resource.type !== "rutter/PeerBackend"
  )
    return [];
  const { spec } = resource;
  if (!anySelects(spec.nodeSelectors, nodeLabels(desired))) return [];
  const where = spec.vrf === "" ? "" : ` in VRF ${spec.vrf}`;
  return missingPeers(desired, spec).map((peer) => ({
    resource: keyOf(resource),
    field: "spec.peers",
    reason: `without effect: this host has no peer ${peer}${where}`,
  }));
}

/** Neighbours of FRRConfigurations that the speaker can't open, each with what it lacks; what the kernel lacks is said above. */
export const notOpened = (
  neighbors: ReadonlyMap<NeighborKey, NeighborVerdict>,
  kernel: KernelAbility,
): readonly NotCarried[] =>
  [...neighbors.values()].flatMap(({ neighbor, verdict }) =>
    verdict.type === "opened" || vrfLacking(kernel, neighbor.vrf) !== undefined
      ? []
      : neighbor.owners
          .filter(({ resource }) => resource.startsWith(`${CONFIGURATION}/`))
          .map(({ resource, field }) => ({
            resource,
            field,
            reason: `not opened: ${verdict.reason}`,
          })),
  );
