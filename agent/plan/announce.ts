/**
 * Whether this host announces a Service, and as which prefixes: MetalLB's announce decision with its own reason strings.
 *
 * Pure (reference/rules.md §2.2.6 and §2.2.7). The order of the questions is upstream's, so that the first reason is the one
 * that its users know.
 */
import type { ExportAttributes } from "../../backends/intent.ts";
import { familyOf } from "../../events/address.ts";
import type { EventId, NeighborKey, ResourceKey } from "../../events/ids.ts";
import { bitsOf } from "../../events/address.ts";
import { type Prefix, prefixLength, prefixOf } from "../../events/prefix.ts";
import type { BgpAdvertisement } from "../../events/resources/bgp-advertisement.ts";
import type { CommunityValue } from "../../events/resources/communities.ts";
import type { IpAddressPool } from "../../events/resources/ip-address-pool.ts";
import type { Service } from "../../events/resources/service.ts";
import type { ServiceEndpoint } from "../../events/resources/service-endpoint.ts";
import { type DesiredState, type Held, resourcesOf } from "../../events/state.ts";
import { effectiveCheck, endpointInForce, serviceKeyOf } from "../health/effective-check.ts";
import { isAttached } from "./attached.ts";
import { spoken } from "./claims.ts";
import { resolveCommunities } from "./communities.ts";
import { peersMeet } from "./conflicts.ts";
import { inForceOf } from "./held.ts";
import { anySelects, nodeLabels, nodeOf } from "./labels.ts";

/** MetalLB's words for why a Service is not announced from a host. */
export type NotAnnounced =
  | "notLoadBalancer"
  | "noIPAllocated"
  | "ipNotAllowed"
  | "notOwner"
  | "noMatchingAdvertisement"
  | "conflictingAdvertisements"
  | "tooManyCommunities"
  | "nodeNetworkUnavailable"
  | "nodeLabeledExcludeBalancers"
  | "noLocalEndpoints"
  | "noEndpoints";

export type Verdict = {
  readonly announced: boolean;
  /** Its addresses are bound here: before they are announced, and while a check asks them whether they may be. */
  readonly bound: boolean;
  /** Empty where it is announced. */
  readonly code: NotAnnounced | "";
  /** The code with what led to it, for people. */
  readonly reason: string;
  readonly prefixes: readonly Prefix[];
  readonly warnings: readonly string[];
};

/** One share in one prefix: a Service's by one advertisement, an FRRConfiguration's to one neighbour, or a RouteExport's. */
export type Contribution = {
  /** The Service, FRRConfiguration or RouteExport. */
  readonly cause: ResourceKey;
  readonly prefix: Prefix;
  readonly to:
    /** Names of BGPPeers; empty: all. Neighbours that no BGPPeer has are none of MetalLB's. */
    | { readonly type: "peers"; readonly names: readonly string[] }
    | { readonly type: "neighbor"; readonly key: NeighborKey }
    | { readonly type: "neighbors"; readonly keys: readonly NeighborKey[] };
  /** The FRRConfiguration or RouteExport itself where it is the cause. */
  readonly advertisement: ResourceKey;
  readonly attributes: ExportAttributes;
  readonly provenance: readonly EventId[];
};

/** What is the same for all Services, looked up once. */
export type Context = {
  readonly desired: DesiredState;
  readonly pools: ReadonlyMap<ResourceKey, Held<IpAddressPool>>;
  readonly advertisements: readonly Offered[];
  readonly endpoints: ReadonlyMap<ResourceKey, ServiceEndpoint>;
  readonly nodeRefuses: "nodeNetworkUnavailable" | "nodeLabeledExcludeBalancers" | undefined;
  /** What FRRConfigurations prefer towards BGPPeers. */
  readonly preferred: ReadonlyMap<Prefix, readonly Preferred[]>;
};

/** A localPref that an FRRConfiguration sets on a prefix towards a BGPPeer. */
export type Preferred = {
  readonly owner: ResourceKey;
  readonly peer: string;
  readonly localPref: number;
};

type Offered = {
  readonly held: Held<BgpAdvertisement>;
  /** One object for all that it announces: routes.ts knows it again. */
  readonly to: Contribution["to"];
  readonly attributes: ExportAttributes;
};

/** RFC 1997 in FRR's and MetalLB's hands: more do not fit their matching (rules.md §2.2.8). */
const MAX_COMMUNITIES = 63;
const EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers";

export function contextOf(
  desired: DesiredState,
  preferred: Context["preferred"] = new Map(),
): Context {
  const labels = nodeLabels(desired);
  const aliases = inForceOf(desired, "metallb.io/Community").flatMap(
    ({ resource }) => resource.spec.communities,
  );
  return {
    desired,
    preferred,
    pools: new Map(inForceOf(desired, "metallb.io/IPAddressPool").map((held) => [held.key, held])),
    advertisements: inForceOf(desired, "metallb.io/BGPAdvertisement")
      .filter(({ resource }) => anySelects(resource.spec.nodeSelectors, labels))
      .map((held) => ({
        held,
        to: { type: "peers", names: held.resource.spec.peers },
        attributes: attributesOf(held.resource, aliases),
      })),
    endpoints: endpointsOf(desired),
    nodeRefuses: nodeOf(desired)?.networkUnavailable
      ? "nodeNetworkUnavailable"
      : Object.hasOwn(labels, EXCLUDE_LABEL)
        ? "nodeLabeledExcludeBalancers"
        : undefined,
  };
}

function endpointsOf(desired: DesiredState): ReadonlyMap<ResourceKey, ServiceEndpoint> {
  const groups = Map.groupBy(
    [...resourcesOf(desired, "rutter/ServiceEndpoint").values()].map(({ resource }) => resource),
    serviceKeyOf,
  );
  const chosen = new Map<ResourceKey, ServiceEndpoint>();
  for (const [service, candidates] of groups) {
    const one = endpointInForce(candidates);
    if (one !== undefined) chosen.set(service, one);
  }
  return chosen;
}

function attributesOf(
  { spec }: BgpAdvertisement,
  aliases: readonly { readonly name: string; readonly value: CommunityValue }[],
): ExportAttributes {
  const { communities, largeCommunities } = resolveCommunities(spec.communities, aliases);
  return {
    localPref: spec.localPref,
    med: undefined,
    communities,
    largeCommunities,
    nextHop: undefined,
  };
}

export type Announcement = {
  readonly verdict: Verdict;
  readonly contributions: readonly Contribution[];
};

export function announce(context: Context, held: Held<Service>): Announcement {
  const { desired } = context;
  const { spec, metadata } = held.resource;
  if (spec.type !== "LoadBalancer") return no("notLoadBalancer", "the Service is no LoadBalancer");
  const allocation = desired.allocations.get(held.key);
  if (allocation === undefined) {
    return no("noIPAllocated", desired.awaiting.get(held.key)?.reason ?? "it has no address");
  }
  const [first] = allocation.addresses;
  const pool = first === undefined ? undefined : context.pools.get(first.pool);
  if (pool === undefined) return no("ipNotAllowed", `${first?.address}: its pool is not in force`);
  const offered = context.advertisements.filter((one) =>
    isAttached(one.held.resource, pool.resource),
  );
  if (offered.length === 0) {
    return no(
      "notOwner",
      `no BGPAdvertisement in force announces pool ${pool.resource.metadata.name} from this host`,
    );
  }
  const matching = offered.filter((one) =>
    anySelects(one.held.resource.spec.serviceSelectors, metadata.labels),
  );
  if (matching.length === 0)
    return no("noMatchingAdvertisement", "no serviceSelectors match its labels");
  const conflict = conflictAmong(matching);
  if (conflict !== undefined) return no("conflictingAdvertisements", conflict);
  const crowded = matching.find((one) => communityCount(one, matching) > MAX_COMMUNITIES);
  if (crowded !== undefined) {
    const { name } = crowded.held.resource.metadata;
    return no(
      "tooManyCommunities",
      `more than ${MAX_COMMUNITIES} communities by ${name} and what goes to the same peers`,
    );
  }
  if (context.nodeRefuses !== undefined) return no(context.nodeRefuses, "this host is marked so");
  const health = healthOf(context, held.key);
  if (!health.healthy) {
    const { verdict } = no(
      spec.externalTrafficPolicy === "Local" ? "noLocalEndpoints" : "noEndpoints",
      health.reason,
    );
    return { verdict: { ...verdict, bound: asksAddress(context, held.key) }, contributions: [] };
  }
  const provenance = [held.fact, allocation.fact, pool.fact, ...health.facts];
  const contributions = allocation.addresses.flatMap(({ address }) =>
    matching.map((one): Contribution => ({
      cause: held.key,
      prefix: prefixOf(address, lengthFor(one.held.resource, familyOf(address))),
      to: one.to,
      advertisement: one.held.key,
      attributes: one.attributes,
      provenance: [...provenance, one.held.fact],
    })),
  );
  const prefixes = [...new Set(contributions.map(({ prefix }) => prefix))];
  const warnings = [
    ...(spec.externalTrafficPolicy === "Local" ? prefixes.flatMap(aggregateWarning) : []),
    ...new Set(contributions.flatMap((one) => outvoted(context, one))),
  ];
  return {
    verdict: { announced: true, bound: true, code: "", reason: "", prefixes, warnings },
    contributions,
  };
}

const lengthFor = ({ spec }: BgpAdvertisement, family: "ipv4" | "ipv6"): number =>
  family === "ipv4" ? spec.aggregationLength : spec.aggregationLengthV6;

/** metallb#2811: the aggregate attracts traffic for addresses whose endpoints are elsewhere. */
function aggregateWarning(prefix: Prefix): readonly string[] {
  const family = prefix.includes(":") ? "ipv6" : "ipv4";
  if (prefixLength(prefix) === bitsOf(family)) return [];
  return [
    `${prefix} is an aggregate, and externalTrafficPolicy Local serves only what is on this host: it attracts traffic for addresses that this host may not serve`,
  ];
}

/** Upstream calls two localPrefs of one prefix a conflict and freezes; here the FRRConfiguration's goes out (routes.ts). */
function outvoted(
  { preferred }: Context,
  { prefix, to, attributes: { localPref } }: Contribution,
): readonly string[] {
  if (localPref === undefined || to.type !== "peers") return [];
  return (preferred.get(prefix) ?? [])
    .filter(({ peer }) => to.names.length === 0 || to.names.includes(peer))
    .filter((one) => one.localPref !== localPref)
    .map(
      ({ owner, peer, localPref: theirs }) =>
        `${prefix} goes to ${peer} with localPref ${theirs} of ${spoken(owner)}, not ${localPref}: keep one of them`,
    );
}

/** What a peer of this advertisement is told at most: its own communities and those of all that reach one of its peers (rule 8). */
function communityCount(one: Offered, matching: readonly Offered[]): number {
  const together = matching.filter((other) =>
    peersMeet(one.held.resource.spec.peers, other.held.resource.spec.peers),
  );
  const of = (list: (attributes: ExportAttributes) => readonly (number | string)[]): number =>
    new Set(together.flatMap(({ attributes }) => list(attributes))).size;
  return of((a) => a.communities) + of((a) => a.largeCommunities);
}

/** Rule 4 at announce time: the same prefix to the same peer with two localPrefs. */
function conflictAmong(matching: readonly Offered[]): string | undefined {
  for (const [i, a] of matching.entries()) {
    for (const b of matching.slice(i + 1)) {
      const x = a.held.resource.spec;
      const y = b.held.resource.spec;
      const lengths =
        x.aggregationLength === y.aggregationLength ||
        x.aggregationLengthV6 === y.aggregationLengthV6;
      if (lengths && (x.localPref ?? 0) !== (y.localPref ?? 0) && peersMeet(x.peers, y.peers)) {
        return `${a.held.resource.metadata.name} and ${b.held.resource.metadata.name} ask for different localPref towards the same peer`;
      }
    }
  }
  return undefined;
}

/** Of `always` and `none` the check itself says it; everything else must have been observed. */
export function healthOf(
  { desired, endpoints }: Pick<Context, "desired" | "endpoints">,
  service: ResourceKey,
): { readonly healthy: boolean; readonly reason: string; readonly facts: readonly EventId[] } {
  const { check } = effectiveCheck(
    endpoints.get(service),
    desired.host?.facts.defaultEndpoint ?? "none",
  );
  if (check.type === "always") return { healthy: true, reason: "", facts: [] };
  if (check.type === "none") return { healthy: false, reason: "its endpoint is `none`", facts: [] };
  const seen = desired.endpoints.get(service);
  if (seen === undefined) {
    return { healthy: false, reason: `the ${check.type} check has not answered yet`, facts: [] };
  }
  return { healthy: seen.healthy, reason: seen.reason, facts: [seen.fact] };
}

/** A tcp or http check without an address goes to the Service's own, which nobody answers on before it is bound. */
function asksAddress({ desired, endpoints }: Context, service: ResourceKey): boolean {
  const { check } = effectiveCheck(
    endpoints.get(service),
    desired.host?.facts.defaultEndpoint ?? "none",
  );
  return (check.type === "tcp" || check.type === "http") && check.address === undefined;
}

const no = (code: NotAnnounced, detail: string): Announcement => ({
  verdict: {
    announced: false,
    bound: false,
    code,
    reason: `${code}: ${detail}`,
    prefixes: [],
    warnings: [],
  },
  contributions: [],
});
