/**
 * Who goes first: content decides, never arrival (design §2, "quarantine").
 */
import type { ResourceKey } from "../../events/ids.ts";
import type { DesiredState, Held } from "../../events/state.ts";
import { heldIn } from "./held.ts";

/** Lower (generation, creationTimestamp, identity) goes first. */
export function byContent(a: Held, b: Held): number {
  const x = a.resource.metadata;
  const y = b.resource.metadata;
  return (
    x.generation - y.generation ||
    compare(x.creationTimestamp, y.creationTimestamp) ||
    compare(a.key, b.key)
  );
}

/** What was in force before goes first; among the rest content decides. */
export function inForceFirst(before: DesiredState | undefined): (a: Held, b: Held) => number {
  return (a, b) =>
    Number(inForce(before, b.key)) - Number(inForce(before, a.key)) || byContent(a, b);
}

const inForce = (before: DesiredState | undefined, key: ResourceKey): boolean =>
  before !== undefined && heldIn(before, key) !== undefined && !before.quarantined.has(key);

export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
