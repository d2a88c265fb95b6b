/**
 * Routes of one neighbour as `routes received|advertised` shows them.
 *
 * Pure, lazy, and for people: nothing on the way of an UPDATE calls it. Reads next: ../backend.ts (ShownRoute).
 */
import { type Prefix, prefixFamily } from "../../events/prefix.ts";
import type { ShownRoute } from "../backend.ts";
import type { NeighborIntent } from "../intent.ts";
import { type AdjRibIn, attributesOf, routesIn } from "./rib/adj-rib-in.ts";
import { pathOf } from "./rib/attribute-facts.ts";
import { pathAt } from "./rib/path-store.ts";
import { VERDICT, verdictWords } from "./rib/verdict.ts";
import type { OutAttributes } from "./wire/message.ts";
import { decodeAttributes } from "./wire/route-attributes.ts";

const STALE = "stale: kept from before the peer's restart, not said again yet (RFC 4724 §4.2)";

export function* shownIn(rib: AdjRibIn, intent: NeighborIntent): Generator<ShownRoute> {
  for (const route of routesIn(rib)) {
    const attributes = decodeAttributes(attributesOf(rib, route.attributes));
    const path = pathOf(rib.facts, prefixFamily(route.prefix), route.attributes);
    yield {
      prefix: route.prefix,
      neighbor: intent.key,
      pathId: 0,
      nextHop:
        path < 0
          ? (attributes.nextHop ?? rib.facts.peer.remoteAddress)
          : pathAt(rib.facts.store, path).nextHop,
      asPath: attributes.asPathText,
      origin: attributes.origin,
      localPref: attributes.localPref,
      med: attributes.med,
      communities: attributes.communities,
      largeCommunities: attributes.largeCommunities,
      accepted: route.verdict === VERDICT.accepted,
      reason:
        route.stale && route.verdict === VERDICT.accepted ? STALE : verdictWords(route.verdict),
      provenance: intent.provenance,
      raw: attributes.raw,
    };
  }
}

export const shownOut = (
  prefix: Prefix,
  attributes: OutAttributes,
  intent: NeighborIntent,
  provenance: ShownRoute["provenance"],
): ShownRoute => ({
  prefix,
  neighbor: intent.key,
  pathId: 0,
  nextHop: attributes.nextHop,
  asPath: attributes.asPath.join(" "),
  origin: attributes.origin,
  localPref: attributes.localPref,
  med: attributes.med,
  communities: attributes.communities.map((one) => `${one >>> 16}:${one & 0xffff}`),
  largeCommunities: attributes.largeCommunities,
  accepted: true,
  reason: "",
  provenance,
  raw: [],
});
