/**
 * gobgpd's paths as routes that people read, as markers of our own, and as candidates for the kernel.
 *
 * Pure and total: a path that is none of IPv4 or IPv6 unicast, or whose octets are no prefix, is left out.
 */
import {
  type Address,
  addressFromOctets,
  addressOctets,
  bitsOf,
  type Family,
  parseAddress,
} from "../../../events/address.ts";
import {
  type Prefix,
  prefixContains,
  prefixFamily,
  prefixLength,
  prefixOf,
} from "../../../events/prefix.ts";
import type { ShownRoute } from "../../backend.ts";
import type { NeighborIntent } from "../../intent.ts";
import type { Candidate } from "../../native/rib/decision.ts";
import { VERDICT, verdictWords } from "../../native/rib/verdict.ts";
import { pathLength } from "../../native/wire/as-path.ts";
import {
  decodeAttributes,
  originNumber,
  type RouteAttributes,
} from "../../native/wire/route-attributes.ts";
import {
  type Destination,
  familyOfMessage,
  type ListedPath,
  type OwnPath,
} from "../api/messages.ts";
import { type Marker, markerIn } from "../render/markers.ts";
import { OUR_IDENTIFIER } from "../render/paths.ts";

export function prefixOfPath(path: Pick<OwnPath, "family" | "nlri_binary">): Prefix | undefined {
  const family = familyOfMessage(path.family);
  const [length] = path.nlri_binary;
  if (family === undefined || length === undefined || length > bitsOf(family)) return undefined;
  const octets = new Uint8Array(bitsOf(family) / 8);
  const given = path.nlri_binary.subarray(1);
  if (given.length !== Math.ceil(length / 8)) return undefined;
  octets.set(given);
  return prefixOf(addressFromOctets(octets), length);
}

export function attributesOfPath({
  pattrs_binary,
}: Pick<OwnPath, "pattrs_binary">): RouteAttributes {
  const whole = new Uint8Array(pattrs_binary.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const one of pattrs_binary) {
    whole.set(one, at);
    at += one.length;
  }
  return decodeAttributes(whole);
}

/** Which own route it is, and of which class; undefined: it is not ours. */
export function ownRouteOf(path: ListedPath): { prefix: Prefix; marker: Marker } | undefined {
  if (path.identifier !== OUR_IDENTIFIER || fromNeighbor(path) !== undefined) return undefined;
  const [marker] = attributesOfPath(path).largeCommunities.flatMap((one) => markerIn(one) ?? []);
  const prefix = prefixOfPath(path);
  return marker === undefined || prefix === undefined ? undefined : { prefix, marker };
}

/** undefined: gobgpd's own path. */
export const fromNeighbor = ({ neighbor_ip }: ListedPath): Address | undefined =>
  parseAddress(neighbor_ip);

/** A learned path in a decision; `path` and `order` are the caller's numbers. undefined: it has no next hop. */
export function candidateOf(
  listed: ListedPath,
  from: Address,
  path: number,
  order: number,
): { readonly candidate: Candidate; readonly nextHop: Address } | undefined {
  const attributes = attributesOfPath(listed);
  const { asPath, localPref, med, nextHop, linkLocal, originatorId, clusterList, origin } =
    attributes;
  const used = nextHop ?? linkLocal;
  if (used === undefined) return undefined;
  const candidate: Candidate = {
    // The decision treats it as an opaque number.
    path,
    order,
    localPref: localPref ?? 100,
    pathLength: pathLength(asPath),
    origin: originNumber(origin),
    med: med ?? 0,
    neighborAs: asPath[0]?.ases[0] ?? 0,
    external: listed.is_from_external,
    routerId: numberOf(originatorId ?? parseAddress(listed.source_id)),
    clusterLength: clusterList.length,
    remoteAddress: from,
  };
  return { candidate, nextHop: used };
}

const numberOf = (id: Address | undefined): number =>
  id === undefined ? 0 : addressOctets(id).reduce((sum, octet) => (sum * 256 + octet) % 2 ** 32, 0);

/** Routes of one prefix of a neighbour's table, as `routes` shows them. */
export function* shownRoutes(
  destination: Destination,
  neighbor: NeighborIntent,
  direction: "received" | "advertised",
  provenance: (prefix: Prefix) => ShownRoute["provenance"],
): Generator<ShownRoute> {
  for (const path of destination.paths) {
    const prefix = prefixOfPath(path);
    if (prefix === undefined) continue;
    const attributes = attributesOfPath(path);
    const reason = direction === "received" ? reasonFor(path, prefix, neighbor) : "";
    yield {
      prefix,
      neighbor: neighbor.key,
      pathId: direction === "received" ? path.identifier : 0,
      nextHop: attributes.nextHop ?? attributes.linkLocal ?? UNSPECIFIED[prefixFamily(prefix)],
      asPath: attributes.asPathText,
      origin: attributes.origin,
      localPref: attributes.localPref,
      med: attributes.med,
      communities: attributes.communities,
      largeCommunities: attributes.largeCommunities,
      accepted: direction === "advertised" || !path.filtered,
      reason: reason === "" && path.stale ? STALE : reason,
      provenance: provenance(prefix),
      raw: attributes.raw,
    };
  }
}

const STALE = "stale: kept from before the peer's restart, not said again yet (RFC 4724 §4.2)";
const UNSPECIFIED: Readonly<Record<Family, Address>> = {
  ipv4: addressFromOctets(new Uint8Array(4)),
  ipv6: addressFromOctets(new Uint8Array(16)),
};

/** gobgpd says that its policy rejected a path and not why; the intent that the policy was made from tells. */
function reasonFor(
  path: ListedPath,
  prefix: Prefix,
  { receive, receiveGuard }: NeighborIntent,
): string {
  if (!path.filtered) return "";
  if (receiveGuard?.alwaysBlock.some((outer) => prefixContains(outer, prefix)) === true) {
    return verdictWords(VERDICT.blocked);
  }
  if (receive.type === "nothing") return verdictWords(VERDICT.notAsked);
  const length = prefixLength(prefix);
  const isListed =
    receive.type === "everything" ||
    receive.prefixes.some(
      (one) => prefixContains(one.prefix, prefix) && length >= one.atLeast && length <= one.atMost,
    );
  return isListed ? verdictWords(VERDICT.firstAs) : verdictWords(VERDICT.notListed);
}
