/**
 * What FRRConfigurations have neighbours told (router.prefixes through toAdvertise) → contributions to routes.
 *
 * Pure. They meet those of Services in routes.ts: where both speak of one prefix to one neighbour, it is one route with the
 * communities of both. A next hop belongs to the neighbour and is set there. Reads next: routes.ts.
 */
import type { ExportAttributes } from "../../backends/intent.ts";
import type { NeighborKey } from "../../events/ids.ts";
import type { Prefix } from "../../events/prefix.ts";
import type { Contribution, Preferred } from "./announce.ts";
import { sortedCommunities, sortedLarge } from "./communities.ts";
import type { NeighborVerdict } from "./neighbors.ts";

const PLAIN: ExportAttributes = {
  localPref: undefined,
  med: undefined,
  communities: [],
  largeCommunities: [],
  nextHop: undefined,
};

/** In order of neighbour. What is refused is told nothing. */
export function ownContributions(
  neighbors: ReadonlyMap<NeighborKey, NeighborVerdict>,
): readonly Contribution[] {
  const known = new Map<string, ExportAttributes>();
  return [...neighbors.values()].flatMap(({ neighbor, verdict }) =>
    verdict.type !== "opened"
      ? []
      : neighbor.told.map(({ owner, prefix, localPref, communities }): Contribution => ({
          cause: owner.resource,
          prefix,
          to: { type: "neighbor", key: neighbor.key },
          advertisement: owner.resource,
          attributes:
            localPref === undefined && communities.length === 0
              ? PLAIN
              : shared(known, {
                  ...PLAIN,
                  localPref,
                  communities: sortedCommunities(
                    communities.flatMap((one) => (one.type === "standard" ? [one.value] : [])),
                  ),
                  largeCommunities: sortedLarge(
                    communities.flatMap((one) => (one.type === "large" ? [one.value] : [])),
                  ),
                }),
          provenance: owner.facts,
        })),
  );
}

/** The localPrefs that meet those of BGPAdvertisements: towards neighbours that a BGPPeer has too. */
export function preferredOf(
  neighbors: ReadonlyMap<NeighborKey, NeighborVerdict>,
): ReadonlyMap<Prefix, readonly Preferred[]> {
  const all = [...neighbors.values()].flatMap(({ neighbor: { peer, told } }) =>
    told.flatMap(({ owner, prefix, localPref }) =>
      peer === undefined || localPref === undefined
        ? []
        : [{ prefix, owner: owner.resource, peer, localPref }],
    ),
  );
  return Map.groupBy(all, ({ prefix }) => prefix);
}

/** One object for equal attributes, as routes that are told alike share them. */
function shared(known: Map<string, ExportAttributes>, made: ExportAttributes): ExportAttributes {
  const text = JSON.stringify(made);
  const before = known.get(text) ?? made;
  known.set(text, before);
  return before;
}
