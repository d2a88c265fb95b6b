/**
 * The part of an explanation that RouteExports have: what the kernel offers them, or why they take nothing.
 *
 * Pure. Reads next: why.ts (who asks), exports.ts.
 */
import { exportedBy } from "../../events/exported.ts";
import { comparePrefixes, type Prefix, prefixContains, prefixLength } from "../../events/prefix.ts";
import type { ExportSource, RouteExport } from "../../events/resources/route-export.ts";
import { type DesiredState, type Held, resourcesOf } from "../../events/state.ts";
import { exportNamed, missingPeers } from "./exports.ts";
import { anySelects, nodeLabels } from "./labels.ts";
import { compare } from "./order.ts";
import { ok, prefixNamed, type Step, stop } from "./why-steps.ts";

const exportsOf = (desired: DesiredState): readonly Held<RouteExport>[] =>
  [...resourcesOf(desired, "rutter/RouteExport").values()].toSorted((a, b) =>
    compare(a.key, b.key),
  );

/** The offered prefix that is meant: that very one, else the longest that holds it. */
export function exportedPrefixNamed(subject: string, desired: DesiredState): Prefix | undefined {
  const asked = prefixNamed(subject);
  if (asked === undefined) return undefined;
  let longest: Prefix | undefined;
  for (const { key } of exportsOf(desired)) {
    const offered = exportedBy(desired, key);
    if (offered.has(asked)) return asked;
    for (const one of offered.keys()) {
      if (!prefixContains(one, asked)) continue;
      if (longest === undefined || comparePrefixes(longest, one) < 0) longest = one;
    }
  }
  return longest;
}

/** Every RouteExport that the kernel offers the prefix, and whether it is in force here. */
export const exportChain = (prefix: Prefix, desired: DesiredState): readonly Step[] =>
  exportsOf(desired).flatMap((held): readonly Step[] => {
    const fact = exportedBy(desired, held.key).get(prefix);
    if (fact === undefined) return [];
    const { from } = held.resource.spec;
    const kernel = ok("kernel", held.key, `the kernel has it: ${spokenSource(from)}`, fact);
    return [...inForceSteps(held, desired), kernel];
  });

/** A RouteExport by its name: whether it is in force, what it is offered, and whom it names in vain. */
export function exportOwnerChain(
  subject: string,
  desired: DesiredState,
): readonly Step[] | undefined {
  const held = exportNamed(desired, subject);
  if (held === undefined) return undefined;
  const { spec } = held.resource;
  const count = exportedBy(desired, held.key).size;
  const source = spokenSource(spec.from);
  const missing = missingPeers(desired, spec).map((peer) =>
    stop("peer", peer, "this host has no such peer", held.fact),
  );
  return [
    ...inForceSteps(held, desired),
    count === 0
      ? stop("kernel", held.key, `the kernel offers nothing: ${source}`)
      : ok("kernel", held.key, `the kernel offers ${count} prefixes: ${source}`, held.fact),
    ...missing,
  ];
}

/** Why no RouteExport of this host has the prefix: each with what stopped it. */
export const notExported = (subject: string, desired: DesiredState): readonly Step[] => {
  const asked = prefixNamed(subject);
  if (asked === undefined) return [];
  return exportsOf(desired).map(({ key, resource: { spec }, fact }) => {
    const length = prefixLength(asked);
    const isTaken =
      spec.prefixes.length === 0 ||
      spec.prefixes.some(
        ({ prefix, ge, le }) => prefixContains(prefix, asked) && length >= ge && length <= le,
      );
    return isTaken
      ? stop("kernel", key, `the kernel has no ${asked} for it: ${spokenSource(spec.from)}`)
      : stop("export", key, `its prefixes do not take ${asked}`, fact);
  });
};

function inForceSteps({ key, owner, fact, resource }: Held<RouteExport>, desired: DesiredState) {
  const steps: Step[] = [ok("manifest", key, `applied by ${owner}`, fact)];
  const quarantine = desired.quarantined.get(key);
  if (!anySelects(resource.spec.nodeSelectors, nodeLabels(desired)))
    steps.push(stop("node", key, "does not select this host"));
  else if (quarantine !== undefined)
    steps.push(stop("quarantine", key, quarantine.reason, quarantine.fact));
  return steps;
}

function spokenSource(from: ExportSource): string {
  const over = from.interfaces.length === 0 ? "" : ` of ${from.interfaces.join(", ")}`;
  if (from.type === "addresses") return `addresses${over}`;
  if (from.type === "connected") return `connected networks${over}`;
  const table = from.table === undefined ? "" : ` of table ${from.table}`;
  const protocols = from.protocols.length === 0 ? "" : ` of protocol ${from.protocols.join(", ")}`;
  return `routes${table}${protocols}${over.replace(" of ", " over ")}`;
}
