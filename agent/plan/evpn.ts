/**
 * EVPN of several FRRConfigurations: what may not differ in one VRF, and the union (reference/rules.md §2.1, last row).
 *
 * Pure. No speaker of this version carries it; it is judged all the same, so that a conflict is told when it is made and not
 * when a backend that can comes along.
 */
import type { FrrEvpn, Vni } from "../../events/resources/frr-evpn.ts";
import { type RouterClaim, spoken } from "./claims.ts";
import type { Found } from "./merge-rules.ts";

export function evpnConflict(mine: RouterClaim, theirs: RouterClaim): Found {
  if (mine.evpn === undefined && theirs.evpn === undefined) return undefined;
  return mine.vrf === theirs.vrf
    ? (withNeighbors(mine, theirs) ?? withinVrf(mine, theirs))
    : sharedVni(mine, theirs);
}

/** An L3 VNI belongs to a router without neighbours, also where the neighbours are another object's. */
function withNeighbors(mine: RouterClaim, theirs: RouterClaim): Found {
  const l3 = [mine, theirs].find(({ evpn }) => evpn?.l3vni !== undefined);
  const other = l3 === mine ? theirs : mine;
  if (l3 === undefined || other.neighbors.length === 0) return undefined;
  const who = l3 === mine ? "l3vni here, neighbours in" : "neighbours here, l3vni in";
  return ["l3vni-neighbors", `${placeOf(mine)}: ${who} ${spoken(theirs.owner)}`];
}

function withinVrf(mine: RouterClaim, theirs: RouterClaim): Found {
  const [a, b] = [mine.evpn, theirs.evpn];
  if (a === undefined || b === undefined) return undefined;
  const differs = (what: string, x: unknown, y: unknown): Found => [
    "evpn-conflict",
    `${placeOf(mine)}: ${what} ${String(x)} here, ${String(y)} in ${spoken(theirs.owner)}`,
  ];
  if (a.advertiseVnis !== b.advertiseVnis)
    return differs("evpn.advertiseVNIs", a.advertiseVnis, b.advertiseVnis);
  if (a.advertiseSvi !== b.advertiseSvi)
    return differs("evpn.advertiseSVI", a.advertiseSvi, b.advertiseSvi);
  const pairs = a.l2vnis.flatMap((x) => {
    const y = b.l2vnis.find(({ vni }) => vni === x.vni);
    return y === undefined ? [] : [[x, y] as const];
  });
  if (a.l3vni !== undefined && b.l3vni !== undefined) {
    if (a.l3vni.vni !== b.l3vni.vni) return differs("evpn.l3vni.vni", a.l3vni.vni, b.l3vni.vni);
    pairs.push([a.l3vni, b.l3vni]);
  }
  for (const [x, y] of pairs) {
    if (x.rd !== "" && y.rd !== "" && x.rd !== y.rd)
      return differs(`rd of VNI ${x.vni}`, x.rd, y.rd);
    for (const side of ["importRouteTargets", "exportRouteTargets"] as const) {
      const [mineSays, theirsSay] = [x[side].length > 0, y[side].length > 0];
      if (mineSays === theirsSay) continue;
      const word = (says: boolean): string => (says ? "explicit" : "implicit");
      const what = side === "importRouteTargets" ? "importRTs" : "exportRTs";
      return differs(`${what} of VNI ${x.vni}`, word(mineSays), word(theirsSay));
    }
  }
  return mixedUse(mine, theirs);
}

/** A number is an L2 or an L3 VNI, not both. */
function mixedUse(mine: RouterClaim, theirs: RouterClaim): Found {
  const [a, b] = [mine.evpn, theirs.evpn];
  const both =
    b?.l2vnis.find(({ vni }) => vni === a?.l3vni?.vni) ??
    a?.l2vnis.find(({ vni }) => vni === b?.l3vni?.vni);
  return both === undefined ? undefined : taken(mine, theirs, both.vni);
}

/** VNIs are unique over VRFs. */
function sharedVni(mine: RouterClaim, theirs: RouterClaim): Found {
  const known = new Set(vnisOf(theirs.evpn));
  const shared = vnisOf(mine.evpn).find((vni) => known.has(vni));
  return shared === undefined ? undefined : taken(mine, theirs, shared);
}

const taken = (mine: RouterClaim, theirs: RouterClaim, vni: number): Found => [
  "vni-conflict",
  `${placeOf(mine)}: VNI ${vni} is used in ${placeOf(theirs)} of ${spoken(theirs.owner)} already`,
];

const placeOf = ({ field, vrf }: RouterClaim): string =>
  vrf === "" ? field : `${field} (VRF ${vrf})`;

const vnisOf = (evpn: FrrEvpn | undefined): readonly number[] => [
  ...(evpn?.l2vnis.map(({ vni }) => vni) ?? []),
  ...(evpn?.l3vni === undefined ? [] : [evpn.l3vni.vni]),
];

/** The union of what agrees; undefined where nobody has any. */
export function mergeEvpn(all: readonly (FrrEvpn | undefined)[]): FrrEvpn | undefined {
  const some = all.filter((one) => one !== undefined);
  const [first] = some;
  if (first === undefined) return undefined;
  const l2 = Map.groupBy(
    some.flatMap(({ l2vnis }) => l2vnis),
    ({ vni }) => vni,
  );
  const l3 = some.flatMap(({ l3vni }) => l3vni ?? []);
  const merged = mergeVni(l3);
  return {
    advertiseVnis: first.advertiseVnis,
    advertiseSvi: first.advertiseSvi,
    l2vnis: [...l2.values()]
      .flatMap((same) => mergeVni(same) ?? [])
      .toSorted((a, b) => a.vni - b.vni),
    ...(merged === undefined ? {} : { l3vni: { ...merged, advertisePrefixes: ["unicast"] } }),
  };
}

function mergeVni(same: readonly Vni[]): Vni | undefined {
  const [first] = same;
  if (first === undefined) return undefined;
  const union = (of: (one: Vni) => readonly string[]): readonly string[] =>
    [...new Set(same.flatMap(of))].toSorted();
  return {
    vni: first.vni,
    rd: same.find(({ rd }) => rd !== "")?.rd ?? "",
    importRouteTargets: union((one) => one.importRouteTargets),
    exportRouteTargets: union((one) => one.exportRouteTargets),
  };
}
