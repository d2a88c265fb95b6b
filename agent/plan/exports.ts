/**
 * RouteExports: the rules for the kernel, and what it offers by them → contributions to routes.
 *
 * Pure. Contributions meet those of Services and FRRConfigurations in routes.ts: where several speak of one prefix to one
 * neighbour, it is one route with the communities of all. Reads next: own-prefixes.ts, routes.ts.
 */
import type { ExportAttributes, NeighborIntent } from "../../backends/intent.ts";
import type { ExportRule } from "../../backends/kernel/intent.ts";
import { exportedBy } from "../../events/exported.ts";
import {
  type EventId,
  type NeighborKey,
  type ResourceKey,
  resourceKeyParts,
} from "../../events/ids.ts";
import { diff } from "../../events/persistent-map.ts";
import type { Prefix } from "../../events/prefix.ts";
import type { RouteExport, RouteExportSpec } from "../../events/resources/route-export.ts";
import { type DesiredState, type Held, resourcesOf } from "../../events/state.ts";
import type { Contribution } from "./announce.ts";
import { claimsOf, remoteText } from "./claims.ts";
import { resolveCommunities } from "./communities.ts";
import { inForceOf } from "./held.ts";
import { exportLacking, type KernelAbility } from "./kernel-ability.ts";
import { anySelects, nodeLabels } from "./labels.ts";
import type { PlannedRouter } from "./neighbors.ts";
import { ownersHere } from "./owners-here.ts";

const KIND = "rutter/RouteExport";

/** Who is told by a RouteExport, and how; the same objects for all that it tells. */
export type Exporting = {
  readonly held: Held<RouteExport>;
  readonly to: Extract<Contribution["to"], { type: "neighbors" }>;
  readonly attributes: ExportAttributes;
};

export const exportsHere = (desired: DesiredState): readonly Held<RouteExport>[] => {
  const labels = nodeLabels(desired);
  return inForceOf(desired, KIND).filter(({ resource }) =>
    anySelects(resource.spec.nodeSelectors, labels),
  );
};

/** What the kernel is asked to look for, in order of key. */
export const planExports = (desired: DesiredState, kernel: KernelAbility): readonly ExportRule[] =>
  exportsHere(desired)
    .filter(({ resource: { spec } }) => exportLacking(kernel, spec.vrf) === undefined)
    .map(({ key, resource: { spec }, fact }): ExportRule => {
      const { from } = spec;
      return {
        rule: key,
        vrf: spec.vrf,
        from: from.type === "kernel-routes" ? { ...from, table: from.table } : from,
        prefixes: spec.prefixes.map(({ prefix, ge, le }) => ({ prefix, atLeast: ge, atMost: le })),
        maximum: spec.maximum,
        exportDefault: spec.exportDefault,
        provenance: [fact],
      };
    });

/** RouteImports and RouteExports name peers alike. */
export const namesPeer = (
  { vrf, peers }: Pick<RouteExportSpec, "vrf" | "peers">,
  inVrf: string,
  { name, remote }: Pick<NeighborIntent, "name" | "remote">,
): boolean =>
  vrf === inVrf &&
  (peers.length === 0 ||
    peers.includes(name) ||
    peers.includes(remoteText({ ...remote, port: 0 })));

export function exportersOf(
  desired: DesiredState,
  routers: readonly PlannedRouter[],
): ReadonlyMap<ResourceKey, Exporting> {
  const aliases = inForceOf(desired, "metallb.io/Community").flatMap(
    ({ resource }) => resource.spec.communities,
  );
  return new Map(
    exportsHere(desired).map((held): [ResourceKey, Exporting] => {
      const { spec } = held.resource;
      const { communities, largeCommunities } = resolveCommunities(spec.communities, aliases);
      const keys = routers.flatMap(({ router }): NeighborKey[] =>
        router.neighbors
          .filter((one) => namesPeer(spec, router.vrf, one))
          .map(({ key }): NeighborKey => key),
      );
      const { localPref, med } = spec;
      const nextHop = undefined;
      const attributes = { localPref, med, communities, largeCommunities, nextHop };
      return [held.key, { held, to: { type: "neighbors", keys }, attributes }];
    }),
  );
}

/** All that is offered now. */
export const exportContributions = (
  desired: DesiredState,
  exporters: ReadonlyMap<ResourceKey, Exporting>,
): readonly Contribution[] =>
  [...exporters.values()].flatMap((one) =>
    [...exportedBy(desired, one.held.key)].map(([prefix, fact]) => share(one, prefix, fact)),
  );

export type ExportChange = {
  readonly rule: ResourceKey;
  readonly old: readonly Contribution[];
  readonly young: readonly Contribution[];
};

/** What the kernel offers otherwise than before; for the price of what differs. */
export function exportChanges(
  before: DesiredState,
  after: DesiredState,
  exporters: ReadonlyMap<ResourceKey, Exporting>,
): readonly ExportChange[] {
  if (before.exports === after.exports) return [];
  return [...exporters.values()].map((one): ExportChange => {
    const rule = one.held.key;
    const old: Contribution[] = [];
    const young: Contribution[] = [];
    for (const change of diff(exportedBy(before, rule), exportedBy(after, rule))) {
      if (change.before !== undefined) old.push(share(one, change.key, change.before));
      if (change.after !== undefined) young.push(share(one, change.key, change.after));
    }
    return { rule, old, young };
  });
}

const share = (
  { held, to, attributes }: Exporting,
  prefix: Prefix,
  fact: EventId,
): Contribution => ({
  cause: held.key,
  prefix,
  to,
  advertisement: held.key,
  attributes,
  provenance: [held.fact, fact],
});

/** The kernel itself routes what it offers: such a prefix is no aggregate, and has no remainder to end here. */
export const isFromKernel = (contributions: readonly Contribution[]): boolean =>
  contributions.every(({ to }) => to.type === "neighbors");

/** Names and addresses that are of no neighbour of this host, set aside or not. */
export function missingPeers(
  desired: DesiredState,
  { vrf, peers }: Pick<RouteExportSpec, "vrf" | "peers">,
): readonly string[] {
  if (peers.length === 0) return [];
  const known = new Set(
    ownersHere(desired).flatMap((owner) => {
      const { routers, held } = claimsOf(desired, owner);
      const claims = [...routers.flatMap(({ neighbors }) => neighbors), ...held];
      const remotes = claims
        .filter((one) => one.vrf === vrf)
        .map(({ remote }) => remoteText(remote));
      const isPeer = owner.resource.type === "metallb.io/BGPPeer";
      return isPeer && remotes.length > 0
        ? [resourceKeyParts(owner.key).name, ...remotes]
        : remotes;
    }),
  );
  return peers.filter((one) => !known.has(one));
}

/** RouteExports by name (`ns/name` or `name`). */
export const exportNamed = (desired: DesiredState, name: string): Held<RouteExport> | undefined =>
  [...resourcesOf(desired, KIND).values()].find(({ resource: { metadata } }) =>
    [metadata.name, `${metadata.namespace}/${metadata.name}`].includes(name),
  );
