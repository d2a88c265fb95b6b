/**
 * What the applies of a backend left on the wire, folded: neighbours with their parameters, routes with how they are told.
 *
 * Pure, as fold.ts, which this is a part of.
 */
import type { Recorded } from "./envelope.ts";
import type { AppliedDelta, Event } from "./event.ts";
import { PersistentMap } from "./persistent-map.ts";
import { type Wire, wireKey } from "./state.ts";

export function wireAfter(
  before: Wire | undefined,
  fact: Recorded,
  event: Extract<Event, { type: "applied" }>,
): Wire {
  return {
    program: event.program,
    intentDigest: event.intentDigest,
    fact: fact.id,
    seq: fact.seq,
    neighbors: neighborsAfter(before?.neighbors ?? PersistentMap.empty(), event),
    routes: routesAfter(before?.routes ?? PersistentMap.empty(), event.delta),
  };
}

function neighborsAfter(
  told: Wire["neighbors"],
  { neighbors, delta }: Extract<Event, { type: "applied" }>,
): Wire["neighbors"] {
  let next = told;
  for (const neighbor of delta.neighborsRemoved) next = next.delete(neighbor);
  for (const [neighbor, router, parameters] of neighbors) {
    next = next.set(neighbor, { router, parameters });
  }
  return next;
}

function routesAfter(routes: Wire["routes"], delta: AppliedDelta): Wire["routes"] {
  let next = routes;
  for (const [router, prefix] of delta.routesRemoved) next = next.delete(wireKey(router, prefix));
  for (const [router, prefix, set] of delta.routes) {
    next = next.set(wireKey(router, prefix), delta.sets[set] ?? "");
  }
  return next;
}
