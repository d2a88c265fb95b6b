/**
 * Resources as users see them: the shape of a manifest, with what the agent has to say of it as its status.
 *
 * Pure; works on any state, today's or one of long ago. Reads next: status-view.ts, moments.ts.
 */
import { exportedBy } from "../../events/exported.ts";
import type { EventId, ResourceKey } from "../../events/ids.ts";
import type { DesiredState, Held, ResourceType } from "../../events/state.ts";
import { resourcesOf } from "../../events/state.ts";
import type { ResourceJson } from "../api/contract.ts";
import { notCarriedHere } from "../plan/carried-here.ts";
import type { PlanOptions } from "../plan/options.ts";

/** Seq of a fact, where it is recorded. */
export type SeqOf = (fact: EventId) => number | null;

export type Selection = {
  readonly types: readonly ResourceType[];
  readonly namespace: string | undefined;
  readonly name: string | undefined;
};

/** In order of type, namespace, name. `options` undefined: what depends on the speaker is not said. */
export function resourceViews(
  desired: DesiredState,
  selection: Selection,
  seqOf: SeqOf,
  options?: PlanOptions,
): readonly ResourceJson[] {
  return selection.types
    .flatMap((type) => [...resourcesOf(desired, type).values()] as readonly Held[])
    .filter(
      ({ resource: { metadata } }) =>
        (selection.namespace === undefined || metadata.namespace === selection.namespace) &&
        (selection.name === undefined || metadata.name === selection.name),
    )
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map((held) => resourceView(desired, held, seqOf, options));
}

export function resourceView(
  desired: DesiredState,
  held: Held,
  seqOf: SeqOf,
  options?: PlanOptions,
): ResourceJson {
  const { apiVersion, metadata, spec, type } = held.resource;
  const { namespace, ...rest } = metadata;
  const quarantine = desired.quarantined.get(held.key);
  const awaited = desired.awaiting.get(held.key);
  const allocation = desired.allocations.get(held.key);
  return {
    apiVersion,
    kind: kindOf(type),
    metadata: { ...rest, ...(namespace === "" ? {} : { namespace }) },
    spec,
    status: {
      owner: held.owner,
      seq: seqOf(held.fact),
      state:
        quarantine !== undefined ? "quarantined" : awaited !== undefined ? "awaiting" : "accepted",
      rule: quarantine?.rule ?? "",
      reason: quarantine?.reason ?? awaited?.reason ?? "",
      notCarried: [...notCarriedHere(desired, held.resource, options)],
      ...(type === "rutter/RouteExport" ? { exported: exportedBy(desired, held.key).size } : {}),
      ...(allocation === undefined
        ? {}
        : {
            loadBalancer: { ingress: allocation.addresses.map(({ address }) => ({ ip: address })) },
          }),
    },
  };
}

export const kindOf = (type: ResourceType): string => type.slice(type.indexOf("/") + 1);

export const quarantinedViews = (
  desired: DesiredState,
): { resource: ResourceKey; rule: string; reason: string }[] =>
  [...desired.quarantined]
    .map(([resource, { rule, reason }]) => ({ resource, rule, reason }))
    .toSorted((a, b) => (a.resource < b.resource ? -1 : 1));
