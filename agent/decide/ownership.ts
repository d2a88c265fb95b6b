/**
 * Who may change a resource, and what stands in the way of deleting one.
 *
 * Pure questions about desired state, answered with a sentence for the user or nothing. Never changes state.
 */
import { canonicalJson } from "../../events/digest.ts";
import { typeOf } from "../../events/fold.ts";
import type { ResourceKey } from "../../events/ids.ts";
import type { Resource } from "../../events/resources/kinds.ts";
import type { Owner } from "../../events/resources/resource.ts";
import { type DesiredState, type Held, resourcesOf } from "../../events/state.ts";

export const heldResource = (desired: DesiredState, key: ResourceKey): Held | undefined =>
  desired.resources[typeOf(key)]?.get(key);

/** Another source's write is refused unless it takes over (design §5). */
export function ownershipRefusal(held: Held | undefined, owner: Owner): string | undefined {
  if (held === undefined || held.owner === owner) return undefined;
  return `belongs to ${held.owner}: change it there, or take it over with --take-over`;
}

/** Equal as far as the plan can tell: content and labels; not the counters that Kubernetes keeps. */
export const sameResource = (a: Resource, b: Resource): boolean =>
  canonicalJson(a) === canonicalJson(b);

/**
 * MetalLB refuses to delete a BFDProfile while a BGPPeer names it (reference/manifests.md §1.2); one that is deleted in the
 * same change does not count.
 */
export function referenceRefusal(
  desired: DesiredState,
  held: Held,
  alsoDeleted: readonly ResourceKey[],
): string | undefined {
  if (held.resource.type !== "metallb.io/BFDProfile") return undefined;
  const { name } = held.resource.metadata;
  const user = [...resourcesOf(desired, "metallb.io/BGPPeer").values()].find(
    ({ key, resource }) => resource.spec.bfdProfile === name && !alsoDeleted.includes(key),
  );
  return user === undefined
    ? undefined
    : `BGPPeer ${user.resource.metadata.namespace}/${user.resource.metadata.name} uses it: remove bfdProfile there first`;
}
