/**
 * Contributions → own routes: one for each prefix and router, with who is told and how.
 *
 * Pure. Arrays and attribute objects are interned, so that 100,000 routes told alike share them and equal routes are the same
 * object (events/persistent-map.ts compares by identity).
 */
import type { Export, ExportAttributes, OwnRoute } from "../../backends/intent.ts";
import type { Address } from "../../events/address.ts";
import type { EventId, NeighborKey } from "../../events/ids.ts";
import { type Prefix, prefixFamily } from "../../events/prefix.ts";
import type { Contribution } from "./announce.ts";
import { sortedCommunities, sortedLarge } from "./communities.ts";
import type { Tellable } from "./neighbors.ts";

/** A route of a large aggregate names this many of its causes; the others are found by `why` on the Service. */
const MAX_PROVENANCE = 16;

/** Equal exports are one array. Lives with a plan and its successors; cleared with a plan from scratch. */
export type Interned = Map<string, readonly Export[]>;

export function routeOf(
  prefix: Prefix,
  contributions: readonly Contribution[],
  neighbors: readonly Tellable[],
  interned: Interned,
): OwnRoute | undefined {
  const family = prefixFamily(prefix);
  const groups = new Map<
    string,
    { readonly attributes: ExportAttributes; readonly to: NeighborKey[] }
  >();
  for (const neighbor of neighbors) {
    if (!neighbor.families.includes(family)) continue;
    const mine = contributions.filter(({ to }) => reaches(to, neighbor));
    if (mine.length === 0) continue;
    const attributes = towards(neighbor.nextHops[family], mine);
    const text = JSON.stringify(attributes);
    const group = groups.get(text);
    if (group === undefined) groups.set(text, { attributes, to: [neighbor.key] });
    else group.to.push(neighbor.key);
  }
  if (groups.size === 0) return undefined;
  return {
    prefix,
    exports: intern([...groups.values()], interned),
    provenance: causes(contributions),
  };
}

function reaches(to: Contribution["to"], { key, peer }: Tellable): boolean {
  switch (to.type) {
    case "neighbor":
      return to.key === key;
    case "neighbors":
      return to.keys.includes(key);
    case "peers":
      return peer !== undefined && (to.names.length === 0 || to.names.includes(peer));
  }
}

/** toAdvertise.nextHop is set on everything that goes to the neighbour, also on what Services bring (manifests.md §1.8). */
function towards(nextHop: Address | undefined, mine: readonly Contribution[]): ExportAttributes {
  const attributes = united(mine.map((one) => one.attributes));
  return nextHop === undefined ? attributes : { ...attributes, nextHop };
}

/**
 * Same prefix by several advertisements: communities are united, the first localPref in order of key stays (rule 8); so an
 * FRRConfiguration's goes before a BGPAdvertisement's, and that before a RouteExport's. MED likewise.
 */
function united(all: readonly ExportAttributes[]): ExportAttributes {
  const [first] = all;
  if (first === undefined) throw new Error("a route has at least one contribution");
  if (all.every((one) => one === first)) return first;
  return {
    localPref: all.find(({ localPref }) => localPref !== undefined)?.localPref,
    med: all.find(({ med }) => med !== undefined)?.med,
    communities: sortedCommunities(all.flatMap(({ communities }) => communities)),
    largeCommunities: sortedLarge(all.flatMap(({ largeCommunities }) => largeCommunities)),
    nextHop: first.nextHop,
  };
}

function intern(exports: readonly Export[], interned: Interned): readonly Export[] {
  const text = JSON.stringify(exports);
  const known = interned.get(text);
  if (known !== undefined) return known;
  interned.set(text, exports);
  return exports;
}

const causes = (contributions: readonly Contribution[]): readonly EventId[] =>
  [...new Set(contributions.flatMap(({ provenance }) => provenance))].slice(0, MAX_PROVENANCE);

/** Equal for the wire and for provenance: then the older object is kept. */
export const sameRoute = (a: OwnRoute, b: OwnRoute): boolean =>
  a.exports === b.exports &&
  a.provenance.length === b.provenance.length &&
  a.provenance.every((id, i) => id === b.provenance[i]);
