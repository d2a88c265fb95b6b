/**
 * What of a resource has no effect on this host now: what this version does not carry, and neighbours that wait for a Secret.
 *
 * Pure. Only an FRRConfiguration waits in part; a BGPPeer whose Secret is missing is set aside whole (conflicts.ts).
 */
import type { NeighborKey } from "../../events/ids.ts";
import type { BgpPeer } from "../../events/resources/bgp-peer.ts";
import { notCarried } from "../../events/resources/carried.ts";
import { keyOf, type Resource } from "../../events/resources/kinds.ts";
import { MOST_IMPORTED } from "../../events/resources/route-import.ts";
import type { NotCarried } from "../../events/resources/resource.ts";
import { type DesiredState, resourcesOf } from "../../events/state.ts";
import { fieldsNotCarried } from "./carried-fields.ts";
import { claimsOf } from "./claims.ts";
import { missingPeers } from "./exports.ts";
import { isSpecial } from "./imports.ts";
import { anySelects, nodeLabels, selects } from "./labels.ts";
import type { NeighborVerdict } from "./neighbors.ts";
import { has, type PlanOptions } from "./options.ts";

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
    ...(options === undefined ? [] : fieldsNotCarried(resource, options, peers)),
    ...peersMissing(desired, resource),
    ...(options === undefined ? [] : importMissing(resource, options)),
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

/**
 * A speaker that installs by itself counts for nobody, and goes on installing into its own table what a RouteImport wants elsewhere
 * (imports.ts).
 */
function importMissing(resource: Resource, options: PlanOptions): readonly NotCarried[] {
  if (resource.type !== "rutter/RouteImport" || !has(options, "installs-routes")) return [];
  const { maximum } = resource.spec;
  const line = (field: string, what: string): NotCarried => ({
    resource: keyOf(resource),
    field,
    reason: `not carried yet: ${what}`,
  });
  const speaker = `the ${options.backend} speaker`;
  if (isSpecial(resource)) {
    const what = `that these routes stand nowhere else; ${speaker} installs what it learns into the table of the VRF, too`;
    return [line("spec.table", what)];
  }
  const what = `a bound on what ${speaker} installs by itself; \`receive.maximumPrefixes\` in agent.yaml bounds what comes in`;
  return maximum === MOST_IMPORTED ? [] : [line("spec.maximum", what)];
}

/** Peers that are named and that this host does not have; a RouteExport or RouteImport of another host says nothing here. */
function peersMissing(desired: DesiredState, resource: Resource): readonly NotCarried[] {
  if (resource.type !== "rutter/RouteExport" && resource.type !== "rutter/RouteImport") return [];
  const { spec } = resource;
  if (!anySelects(spec.nodeSelectors, nodeLabels(desired))) return [];
  const where = spec.vrf === "" ? "" : ` in VRF ${spec.vrf}`;
  return missingPeers(desired, spec).map((peer) => ({
    resource: keyOf(resource),
    field: "spec.peers",
    reason: `without effect: this host has no peer ${peer}${where}`,
  }));
}

/** Neighbours of FRRConfigurations that the speaker can't open, each with what it lacks. */
export const notOpened = (
  neighbors: ReadonlyMap<NeighborKey, NeighborVerdict>,
): readonly NotCarried[] =>
  [...neighbors.values()].flatMap(({ neighbor, verdict }) =>
    verdict.type === "opened"
      ? []
      : neighbor.owners
          .filter(({ resource }) => resource.startsWith(`${CONFIGURATION}/`))
          .map(({ resource, field }) => ({
            resource,
            field,
            reason: `not opened: ${verdict.reason}`,
          })),
  );
