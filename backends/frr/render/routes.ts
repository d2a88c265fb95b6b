/**
 * Own routes → `network` lines, all of them for a whole configuration or those of changed routes alone.
 *
 * Pure. The quick way of an apply that changes nothing but routes: no tree is made, and the cost is that of what changed.
 */
import type { Family } from "../../../events/address.ts";
import { type Prefix, prefixFamily } from "../../../events/prefix.ts";
import type { RouteChange } from "../../delta.ts";
import type { RouterIntent } from "../../intent.ts";
import { type ConfigTree, NO_LINES } from "../config/tree.ts";
import type { Classes } from "./classes.ts";
import { familyLine, routerLine, tagMap } from "./names.ts";

/**
 * Commands within `configure terminal`, each node opened and left; undefined where a route is in a class that `classes` does not
 * have, so that its tag must come first. `classes` are of the last rendering, since when only routes have changed.
 */
export function routeLines(
  changes: Iterable<RouteChange>,
  classes: Classes,
): readonly string[] | undefined {
  const nodes = new Map<string, Map<Family, string[]>>();
  for (const { router, prefix, route } of changes) {
    const tag = route === undefined ? undefined : classes.tagOf(route.exports);
    if (route !== undefined && tag === undefined) return undefined;
    const line = routerLine(router.localAs, router.vrf);
    const families = nodes.get(line) ?? new Map<Family, string[]>();
    nodes.set(line, families);
    const family = prefixFamily(prefix);
    const lines = families.get(family) ?? [];
    families.set(family, lines);
    // A prefix has one line: a new one takes the place of the old.
    lines.push(tag === undefined ? `no network ${prefix}` : networkLine(prefix, tag));
  }
  return [...nodes].flatMap(([router, families]) => [
    router,
    ...[...families].flatMap(([family, lines]) => [
      familyLine(family),
      ...lines,
      "exit-address-family",
    ]),
    "exit",
  ]);
}

/** All routes of a router, by family. */
export function networks(
  { routes }: RouterIntent,
  classes: Classes,
): ReadonlyMap<Family, ConfigTree> {
  const families = new Map<Family, Map<string, ConfigTree>>();
  for (const [prefix, { exports }] of routes.entries()) {
    const tag = classes.tagOf(exports);
    if (tag === undefined) throw new Error(`the class of ${prefix} has no tag`);
    const family = prefixFamily(prefix);
    const lines = families.get(family) ?? new Map<string, ConfigTree>();
    families.set(family, lines.set(networkLine(prefix, tag), NO_LINES));
  }
  return families;
}

const networkLine = (prefix: Prefix, tag: number): string =>
  `network ${prefix} route-map ${tagMap(tag)}`;
