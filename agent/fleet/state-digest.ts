/**
 * One digest for what a host has of a fleet: equal on all that are equally far and hold the same, whatever else they hold.
 *
 * Made of the feed's generation and chain, its resources in force here and their addresses; not of secrets, whose references
 * are each host's own, and not of which bases or refused sets a host happened to see: what those led to shows in the resources.
 * Resources are digested once each, so that it can be asked after every change.
 */
import { canonicalJson, type Sha256 } from "../../events/digest.ts";
import { isFields } from "../../events/resources/reading.ts";
import type { DesiredState, Held } from "../../events/state.ts";

/** A digest function for the states of one fleet; empty before the fleet fed this host. */
export function fleetDigest(sha256: Sha256): (desired: DesiredState, fleet: string) => string {
  const known = new WeakMap<Held, string>();
  const ofResource = (held: Held): string => {
    const before = known.get(held);
    if (before !== undefined) return before;
    const digest = sha256(canonicalJson(withoutSecrets(held.resource)));
    known.set(held, digest);
    return digest;
  };
  let last: { readonly of: readonly unknown[]; readonly digest: string } | undefined;
  return (desired, fleet) => {
    const feed = desired.feeds?.get(fleet);
    if (feed === undefined || feed.generation === 0) return "";
    const of = [fleet, feed.digest, feed.generation, desired.resources, desired.allocations];
    // Mostly nothing changed between two heartbeats.
    if (last !== undefined && of.every((part, i) => part === last?.of[i])) return last.digest;
    const lines: string[] = [];
    for (const ofType of Object.values(desired.resources)) {
      for (const held of ofType.values()) {
        if (held.owner !== `feed:${fleet}`) continue;
        const addresses = desired.allocations.get(held.key)?.addresses ?? [];
        const given = addresses.map(({ address, pool }) => ` ${address} ${pool}`).join("");
        lines.push(`${held.key} ${ofResource(held)}${given}`);
      }
    }
    const head = `${fleet} ${feed.generation} ${feed.digest}`;
    last = { of, digest: sha256([head, ...lines.toSorted()].join("\n")) };
    return last.digest;
  };
}

/** References keep their place and lose what tells one host's from another's. */
function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (!isFields(value)) return value;
  const keys = Object.keys(value);
  const isReference =
    keys.length === 3 && ["name", "version", "digest"].every((key) => keys.includes(key));
  return isReference
    ? { name: value["name"] }
    : Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withoutSecrets(one)]));
}
