/**
 * Looking things up in desired state, leaving out what is set aside.
 */
import { typeOf } from "../../events/fold.ts";
import type { ResourceKey } from "../../events/ids.ts";
import {
  type DesiredState,
  type Held,
  type ResourceOf,
  resourcesOf,
  type ResourceType,
} from "../../events/state.ts";

export const heldIn = (desired: DesiredState, key: ResourceKey): Held | undefined =>
  desired.resources[typeOf(key)]?.get(key);

/** Resources of a type that are not quarantined, in order of key. */
export function inForceOf<T extends ResourceType>(
  desired: DesiredState,
  type: T,
): readonly Held<ResourceOf<T>>[] {
  return [...resourcesOf(desired, type).values()]
    .filter(({ key }) => !desired.quarantined.has(key))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
}
