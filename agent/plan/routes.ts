/**
 * Contributions → own routes: one for each prefix and router, with who is told and how.
 *
 * Pure. Arrays and attribute objects are interned, so that 100,000 routes told alike share them and equal routes are the same
 * object (events/persistent-map.ts compares by identity).
 */
import type { Export, ExportAttributes, OwnRoute } from "../../backends/intent.ts";
import type { Address, Family } from "../../events/address.ts";
import type { EventId, NeighborKey } from "../../events/ids.ts";
import { type Prefix, prefixFamily } from "../../events/prefix.ts";
import type { Contribution } from "./announce.ts";
import { sortedCommunities, sortedLarge } from "./communities.ts";
import type { Tellable } from "./neighbors.ts";

/** A route of a large aggregate names this many of its causes; the others are found by `why` on the Service. */
const MAX_PROVENANCE = 16;

/** Equal exports are one array. Lives with a plan and its successors; made anew with a plan from scratch. */
export type Interned = {
  readonly byText: Map<string, readonly Export[]>;
  /** Of contributions that stand alone, which nearly all do; by whom they go to, one object for all of an advertisement. */
  readonly alone: WeakMap<Contribution["to"], Alone>;
};

type Alone = {
  readonly attributes: ExportAttributes;
  readonly neighbors: readonly Tellable[];
  readonly byFamily: Map<Family, readonly Export[]>;
};

export const nothingInterned = (): Interned => ({ byText: new Map(), alone: new WeakMap() });

export function routeOf(
  prefix: Prefix,
  contributions: readonly Contribution[],
  neighbors: readonly Tellable[],
  interned: Interned,
): OwnRoute | undefined {
  const exports = exportsOf(prefixFamily(prefix), contributions, neighbors, interned);
  return exports.length === 0 ? undefined : { prefix, exports, provenance: causes(contributions) };
}

function exportsOf(
  family: Family,
  contributions: readonly Contribution[],
  neighbors: readonly Tellable[],
  interned: Interned,
): readonly Export[] {
  const [first] = contributions;
  if (first === undefined || contributions.length > 1) {
    return together(family, contributions, neighbors, interned);
  }
  const { to, attributes } = first;
  let known = interned.alone.get(to);
  if (known?.attributes !== attributes || known.neighbors !== neighbors) {
    known = { attributes, neighbors, byFamily: new Map() };
    interned.alone.set(to, known);
  }
  let exports = known.byFamily.get(family);
  if (exports === undefined) {
    exports = together(family, contributions, neighbors, interned);
    known.byFamily.set(family, exports);
  }
  return exports;
}

/** Empty where nobody is told. */
function together(
  family: Family,
  contributions: readonly Contribution[],
  neighbors: readonly Tellable[],
  interned: Interned,
): readonly Export[] {
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
  return intern([...groups.values()], interned);
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

function intern(exports: readonly Export[], { byText }: Interned): readonly Export[] {
  const text = JSON.stringify(exports);
  const known = byText.get(text);
  if (known !== undefined) return known;
  byText.set(text, exports);
  return exports;
}

function causes(contributions: readonly Contribution[]): readonly EventId[] {
  const [first] = contributions;
  // The array itself where it will do: there are as many of them as prefixes.
  if (first !== undefined && contributions.length === 1 && areFewAndDistinct(first.provenance)) {
    return first.provenance;
  }
  return [...new Set(contributions.flatMap(({ provenance }) => provenance))].slice(
    0,
    MAX_PROVENANCE,
  );
}

const areFewAndDistinct = (ids: readonly EventId[]): boolean =>
  ids.length <= MAX_PROVENANCE && ids.every((id, i) => ids.indexOf(id) === i);

/** Equal for the wire and for provenance: then the older object is kept. */
export const sameRoute = (a: OwnRoute, b: OwnRoute): boolean =>
  a.exports === b.exports &&
  a.provenance.length === b.provenance.length &&
  a.provenance.every((id, i) => id === b.provenance[i]);
