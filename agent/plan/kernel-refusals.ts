/**
 * What of a resource this host's kernel can't do: said on the resource, and left out of the plan.
 *
 * Pure, and true of now only: what a kernel can is not recorded, so of a moment of the past nothing is said.
 */
import type { Resource } from "../../events/resources/kinds.ts";
import { keyOf } from "../../events/resources/kinds.ts";
import type { NotCarried } from "../../events/resources/resource.ts";
import type { DesiredState } from "../../events/state.ts";
import { claimsOf } from "./claims.ts";
import { leavesOtherwise, needsNat } from "./egress.ts";
import {
  exportLacking,
  importLacking,
  type KernelAbility,
  natLacking,
  ruleLacking,
  vrfLacking,
} from "./kernel-ability.ts";
import { anySelects, nodeLabels } from "./labels.ts";
import { ownersHere } from "./owners-here.ts";

type Lack = readonly [field: string, why: string | undefined];

/** Empty for what is of another host. */
export const kernelRefusals = (
  desired: DesiredState,
  resource: Resource,
  kernel: KernelAbility,
): readonly NotCarried[] =>
  lacks(desired, resource, kernel).flatMap(([field, why]) =>
    why === undefined
      ? []
      : [{ resource: keyOf(resource), field, reason: `not carried on this host: ${why}` }],
  );

function lacks(desired: DesiredState, resource: Resource, kernel: KernelAbility): readonly Lack[] {
  const { type } = resource;
  if (type === "metallb.io/BGPPeer" || type === "frrk8s.metallb.io/FRRConfiguration")
    return inVrfs(desired, resource, kernel);
  if (type === "rutter/RouteImport" || type === "rutter/RouteExport") {
    const { vrf, nodeSelectors } = resource.spec;
    const why = type === "rutter/RouteImport" ? importLacking : exportLacking;
    const isHere = anySelects(nodeSelectors, nodeLabels(desired));
    return isHere ? [[vrf === "" ? "spec" : "spec.vrf", why(kernel, vrf)]] : [];
  }
  if (type !== "k8s.ovn.org/EgressService") return [];
  const rule: Lack = ["spec.network", ruleLacking(kernel, resource.spec)];
  const nat: Lack = ["spec.sourceIPBy", natLacking(kernel)];
  return [
    ...(leavesOtherwise(desired, resource) ? [rule] : []),
    ...(needsNat(desired, resource) ? [nat] : []),
  ];
}

/** Neighbours that are not opened. */
function inVrfs(desired: DesiredState, resource: Resource, kernel: KernelAbility): readonly Lack[] {
  const owner = ownersHere(desired).find(({ key }) => key === keyOf(resource));
  if (owner === undefined) return [];
  return claimsOf(desired, owner)
    .routers.flatMap(({ neighbors }) => neighbors)
    .map(({ kind, field, vrf }) => [kind === "peer" ? "spec.vrf" : field, vrfLacking(kernel, vrf)]);
}
