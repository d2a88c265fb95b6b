/**
 * Which routes to one prefix are used (RFC 4271 §9.1.2.2, in the order that routers follow), and which of these together.
 *
 * By elimination over all of them at once, so that neither the order of arrival nor MED between three neighbouring ASes makes
 * a difference. Knows nothing of where routes come from; own routes never take part, because this host forwards nothing
 * between its neighbours. Pure. Reads next: loc-rib.ts (who asks).
 */
import { type Address, compareAddresses } from "../../../events/address.ts";
import type { PathId } from "./path-store.ts";

export type Candidate = {
  path: PathId;
  /** Place of the neighbour among all; of candidates for one prefix no two are the same. */
  order: number;
  localPref: number;
  pathLength: number;
  origin: number;
  med: number;
  neighborAs: number;
  external: boolean;
  routerId: number;
  clusterLength: number;
  remoteAddress: Address;
};

export type DecisionOptions = {
  /** Paths that are used together at most; one: the single best. */
  readonly maximumPaths: number;
  /** RFC 4271 §9.1.2.2(e): what the way to the next hop costs; lower is better. */
  readonly costOf: (path: PathId) => number;
};

/**
 * Moves those that are used to the front, in order of neighbour, and says how many they are. `count` bounds the array: what
 * stands beyond it is of before.
 */
export function decide(
  candidates: Candidate[],
  count: number,
  { maximumPaths, costOf }: DecisionOptions,
): number {
  if (count <= 1) return count;
  // RFC 4271 §9.1.1; then §9.1.2.2(a) to (e). Paths that are equal so far are used together, whatever ASes they lead through.
  let left = keepLowest(candidates, count, (one) => -one.localPref);
  left = keepLowest(candidates, left, (one) => one.pathLength);
  left = keepLowest(candidates, left, (one) => one.origin);
  left = keepLowestMed(candidates, left);
  left = keepLowest(candidates, left, (one) => (one.external ? 0 : 1));
  left = keepLowest(candidates, left, (one) => costOf(one.path));
  if (left <= maximumPaths) return left;
  const best = candidates.slice(0, left).toSorted(compareLast).slice(0, maximumPaths);
  const inOrder = best.toSorted((x, y) => x.order - y.order);
  const others = candidates.slice(0, left).filter((one) => !best.includes(one));
  for (const [index, one] of [...inOrder, ...others].entries()) candidates[index] = one;
  return maximumPaths;
}

/** RFC 4271 §9.1.2.2(f) with RFC 4456 §9: identifier of who brought the route in, then reflections, then §9.1.2.2(g). */
const compareLast = (x: Candidate, y: Candidate): number =>
  x.routerId - y.routerId ||
  x.clusterLength - y.clusterLength ||
  compareAddresses(x.remoteAddress, y.remoteAddress) ||
  x.order - y.order;

/** Those that stay keep their order; the others end up behind them. */
function keepLowest(
  candidates: Candidate[],
  count: number,
  valueOf: (one: Candidate) => number,
): number {
  let lowest = Infinity;
  for (let i = 0; i < count; i += 1) {
    const one = candidates[i];
    if (one !== undefined) lowest = Math.min(lowest, valueOf(one));
  }
  return keep(candidates, count, (one) => valueOf(one) === lowest);
}

/** RFC 4271 §9.1.2.2(c): MED says something only among routes of one neighbouring AS. */
function keepLowestMed(candidates: Candidate[], count: number): number {
  const [first] = candidates;
  let isOne = true;
  for (let i = 1; i < count; i += 1) isOne = isOne && candidates[i]?.med === first?.med;
  if (isOne) return count;
  const lowest = new Map<number, number>();
  for (let i = 0; i < count; i += 1) {
    const one = candidates[i];
    if (one === undefined) continue;
    const known = lowest.get(one.neighborAs) ?? Infinity;
    if (one.med < known) lowest.set(one.neighborAs, one.med);
  }
  return keep(candidates, count, (one) => one.med === lowest.get(one.neighborAs));
}

function keep(candidates: Candidate[], count: number, stays: (one: Candidate) => boolean): number {
  let kept = 0;
  for (let i = 0; i < count; i += 1) {
    const one = candidates[i];
    if (one === undefined || !stays(one)) continue;
    const other = candidates[kept];
    candidates[kept] = one;
    if (other !== undefined) candidates[i] = other;
    kept += 1;
  }
  return kept;
}
