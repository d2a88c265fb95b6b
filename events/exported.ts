/**
 * What this host's kernel offers each RouteExport, as a fold: prefixes, and the facts that said so.
 *
 * Pure. The kernel tells differences (`exports-observed`), so that one more route costs one entry. Reads next: fold.ts.
 */
import type { ObservedEvent } from "./event.ts";
import type { EventId, ResourceKey } from "./ids.ts";
import { PersistentMap } from "./persistent-map.ts";
import type { Prefix } from "./prefix.ts";
import type { DesiredState } from "./state.ts";

type Exports = DesiredState["exports"];
const NONE: PersistentMap<Prefix, EventId> = PersistentMap.empty();

/** Prefixes that the kernel offers for this RouteExport; empty where it was not looked at yet. */
export const exportedBy = (
  { exports }: Pick<DesiredState, "exports">,
  rule: ResourceKey,
): PersistentMap<Prefix, EventId> => exports?.get(rule) ?? NONE;

export function exportsAfter(
  desired: DesiredState,
  { rule, added, removed }: Extract<ObservedEvent, { type: "exports-observed" }>,
  fact: EventId,
): Exports {
  // What is said of a rule that was deleted meanwhile is said of nobody.
  if (desired.resources["rutter/RouteExport"]?.has(rule) !== true) return desired.exports;
  const before = exportedBy(desired, rule);
  let prefixes = before;
  for (const one of removed) prefixes = prefixes.delete(one);
  if (prefixes.size === 0) prefixes = PersistentMap.from(added.map((one) => [one, fact] as const));
  else for (const one of added) prefixes = prefixes.set(one, fact);
  const all = desired.exports ?? PersistentMap.empty<ResourceKey, typeof prefixes>();
  return prefixes.size === 0 ? all.delete(rule) : all.set(rule, prefixes);
}
