/**
 * Which resources can't be in force together, or not at all: the rules that need more than one resource.
 *
 * Pure. Goes through the resources in order of precedence (order.ts) and keeps each that agrees with what was kept; the
 * others are set aside with rule and reason while everything else goes on. Upstream rejects its whole configuration instead
 * (reference/rules.md §2.1 and §2.2.1). Rules inside one resource are its schema's (events/resources/). Reads next: ledger.ts
 * (routers and neighbours of BGPPeers and FRRConfigurations together).
 */
import type { ResourceKey } from "../../events/ids.ts";
import {
  type Prefix,
  prefixAddress,
  prefixContains,
  prefixFamily,
  prefixLength,
  prefixOf,
} from "../../events/prefix.ts";
import type { BfdOptions } from "../../events/resources/bfd-options.ts";
import type { BgpAdvertisement } from "../../events/resources/bgp-advertisement.ts";
import type { RouteExport } from "../../events/resources/route-export.ts";
import type { IpAddressPool } from "../../events/resources/ip-address-pool.ts";
import { type DesiredState, type Held, resourcesOf } from "../../events/state.ts";
import { attachedPools } from "./attached.ts";
import { bfdKeyProblem } from "./bfd-options.ts";
import { claimsOf, type NeighborOwner, profileOfPeer } from "./claims.ts";
import { resolveCommunities } from "./communities.ts";
import { anySelects, nodeLabels } from "./labels.ts";
import { createLedger } from "./ledger.ts";
import type { Found } from "./merge-rules.ts";
import { ownersHere } from "./owners-here.ts";
import { byContent, inForceFirst } from "./order.ts";
import { farEndsOf, givenTwice, isHere } from "./peer-backends.ts";
import { secretOf } from "./secrets.ts";

const BGP_PEER = "metallb.io/BGPPeer";

export type Reasons = ReadonlyMap<ResourceKey, { readonly rule: string; readonly reason: string }>;

/** Everything that has to be set aside in `after`, given what was in force in `before`. */
export function conflicts(before: DesiredState | undefined, after: DesiredState): Reasons {
  const order = inForceFirst(before);
  const labels = nodeLabels(after);
  const reasons = new Map<ResourceKey, { rule: string; reason: string }>();
  const judge = <R extends Held>(
    candidates: Iterable<R>,
    against: (
      candidate: R,
      kept: readonly R[],
    ) => readonly [rule: string, reason: string] | undefined,
    sooner: (a: R, b: R) => number = order,
  ): readonly R[] => {
    const kept: R[] = [];
    for (const candidate of [...candidates].toSorted(sooner)) {
      const found = against(candidate, kept);
      if (found === undefined) kept.push(candidate);
      else reasons.set(candidate.key, { rule: found[0], reason: found[1] });
    }
    return kept;
  };

  judge(resourcesOf(after, "rutter/BFDOptions").values(), optionsTwice);
  const aliases = judge(resourcesOf(after, "metallb.io/Community").values(), aliasTwice);
  const pools = judge(resourcesOf(after, "metallb.io/IPAddressPool").values(), overlap);
  // Peers and advertisements that do not select this node are out before any check (rules.md §2.2.1, asks 6).
  const here = ({ resource }: Held<BgpAdvertisement>): boolean =>
    anySelects(resource.spec.nodeSelectors, labels);
  const ledger = createLedger();
  judge(
    ownersHere(after),
    (owner) => brokenReference(after, owner) ?? ledger.enter(claimsOf(after, owner)),
    ownersInForceFirst(before),
  );
  judge(
    [...resourcesOf(after, "metallb.io/BGPAdvertisement").values()].filter(here),
    (one, kept) =>
      unknownAlias(one, aliases) ?? tooShort(one, pools) ?? localPrefConflict(one, kept, pools),
  );
  judge(resourcesOf(after, "rutter/RouteExport").values(), (one) => unknownAlias(one, aliases));
  const given = [...resourcesOf(after, "rutter/PeerBackend").values()].filter((one) =>
    isHere(after, one),
  );
  const farEnds = given.length > 1 ? [...farEndsOf(after, ownersHere(after)).values()] : [];
  judge(given, (one, kept) => givenTwice(after, one, kept, farEnds));
  return reasons;
}

const nameOf = ({ resource: { metadata } }: Held): string =>
  `${metadata.namespace}/${metadata.name}`;

/** A name may be defined once over all Community objects (manifests.md §1.5). */
function aliasTwice(
  one: Held<Extract<Held["resource"], { type: "metallb.io/Community" }>>,
  kept: readonly (typeof one)[],
): Found {
  for (const { name } of one.resource.spec.communities) {
    const other = kept.find(({ resource }) =>
      resource.spec.communities.some((c) => c.name === name),
    );
    if (other !== undefined) {
      return ["community-twice", `community "${name}" is defined in ${nameOf(other)} already`];
    }
  }
  return undefined;
}

/** A BFDProfile has one set of options. */
function optionsTwice(one: Held<BfdOptions>, kept: readonly Held<BfdOptions>[]): Found {
  const { metadata, spec } = one.resource;
  const other = kept.find(
    ({ resource }) =>
      resource.metadata.namespace === metadata.namespace && resource.spec.profile === spec.profile,
  );
  return other === undefined
    ? undefined
    : [
        "bfd-options-twice",
        `BFDOptions ${nameOf(other)} are those of BFDProfile ${spec.profile} already`,
      ];
}

/** Pools do not overlap (manifests.md §1.3). */
function overlap(one: Held<IpAddressPool>, kept: readonly Held<IpAddressPool>[]): Found {
  for (const other of kept) {
    for (const mine of prefixesOf(one)) {
      const theirs = prefixesOf(other).find(
        (p) => prefixContains(p, mine) || prefixContains(mine, p),
      );
      if (theirs !== undefined) {
        return ["pool-overlap", `${mine} overlaps ${theirs} of pool ${nameOf(other)}`];
      }
    }
  }
  return undefined;
}

const prefixesOf = ({ resource }: Held<IpAddressPool>) =>
  resource.spec.addresses.flatMap(({ prefixes }) => prefixes);

/**
 * Of those in force, who was so whole and is unchanged goes first, for it must not lose a session to another's edit, late
 * Secret or new node label. Among equals in force (a Secret or BFDProfile that they name was changed) the BGPPeer goes first,
 * because Services are told through it; then content decides, as everywhere.
 */
function ownersInForceFirst(
  before: DesiredState | undefined,
): (a: NeighborOwner, b: NeighborOwner) => number {
  const known = new Map(
    (before === undefined ? [] : ownersHere(before)).map((owner) => [owner.key, owner] as const),
  );
  const standing = (owner: NeighborOwner): 0 | 1 | 2 => {
    const was = known.get(owner.key);
    if (before === undefined || was === undefined || before.quarantined.has(owner.key)) return 0;
    return was.fact === owner.fact && claimsOf(before, was).held.length === 0 ? 2 : 1;
  };
  const standings = new Map<ResourceKey, number>();
  const of = (owner: NeighborOwner): number => {
    const seen = standings.get(owner.key) ?? standing(owner);
    standings.set(owner.key, seen);
    return seen;
  };
  const peersFirst = (a: NeighborOwner, b: NeighborOwner): number =>
    of(a) === 0 ? 0 : Number(a.resource.type !== BGP_PEER) - Number(b.resource.type !== BGP_PEER);
  return (a, b) => of(b) - of(a) || peersFirst(a, b) || byContent(a, b);
}

/** What a BGPPeer names must be there; an FRRConfiguration's neighbour that waits for a Secret holds up only itself (claims.ts). */
function brokenReference(desired: DesiredState, { resource }: NeighborOwner): Found {
  if (resource.type !== BGP_PEER) return undefined;
  const { bfdProfile, authentication } = resource.spec;
  const profiles = resourcesOf(desired, "metallb.io/BFDProfile");
  if (
    bfdProfile !== "" &&
    ![...profiles.values()].some((one) => one.resource.metadata.name === bfdProfile)
  ) {
    return [
      "bfd-profile-missing",
      `there is no BFDProfile ${bfdProfile}; the peer comes up when it is applied`,
    ];
  }
  const home = resource.metadata.namespace;
  const secret = secretOf(desired, authentication, home);
  if (secret.type === "missing") return ["secret-missing", secret.reason];
  const problem = bfdKeyProblem(profileOfPeer(desired, resource));
  return problem === undefined ? undefined : ["bfd-key-missing", problem];
}

function unknownAlias(
  { resource }: Held<BgpAdvertisement | RouteExport>,
  aliases: readonly Held<Extract<Held["resource"], { type: "metallb.io/Community" }>>[],
): Found {
  const { unknown } = resolveCommunities(
    resource.spec.communities,
    aliases.flatMap((one) => one.resource.spec.communities),
  );
  return unknown === undefined
    ? undefined
    : ["community-unknown", `"${unknown}" is no community and no Community defines it yet`];
}

/**
 * An aggregate must not cover more than the pool's entry does (rule 3). For a range that is the smallest prefix which holds
 * all of it: 172.16.200.1-172.16.200.254 may go out as /24 (docs/decisions/005).
 */
function tooShort(one: Held<BgpAdvertisement>, pools: readonly Held<IpAddressPool>[]): Found {
  const { aggregationLength, aggregationLengthV6 } = one.resource.spec;
  for (const pool of attachedPools(one.resource, pools)) {
    for (const { text, prefixes } of pool.resource.spec.addresses) {
      const whole = spanOf(prefixes);
      if (whole === undefined) continue;
      const length = prefixFamily(whole) === "ipv4" ? aggregationLength : aggregationLengthV6;
      if (length >= prefixLength(whole)) continue;
      return [
        "aggregation-length",
        `aggregation to /${length} is wider than ${text} of pool ${nameOf(pool)} (/${prefixLength(whole)})`,
      ];
    }
  }
  return undefined;
}

/** The longest prefix that holds all of an entry's, which are in order and of one family. */
function spanOf(prefixes: readonly Prefix[]): Prefix | undefined {
  const [first] = prefixes;
  const last = prefixes.at(-1);
  if (first === undefined || last === undefined) return undefined;
  for (let length = prefixLength(first); length > 0; length -= 1) {
    const span = prefixOf(prefixAddress(first), length);
    if (prefixContains(span, last)) return span;
  }
  return prefixOf(prefixAddress(first), 0);
}

/** Rule 4: equal prefixes to one peer would need two localPrefs. With serviceSelectors it is judged for each Service. */
function localPrefConflict(
  one: Held<BgpAdvertisement>,
  kept: readonly Held<BgpAdvertisement>[],
  pools: readonly Held<IpAddressPool>[],
): Found {
  const mine = one.resource.spec;
  const shared = attachedPools(one.resource, pools);
  for (const other of kept) {
    const theirs = other.resource.spec;
    const pool = attachedPools(other.resource, shared)[0];
    if (pool === undefined || (mine.localPref ?? 0) === (theirs.localPref ?? 0)) continue;
    if (mine.serviceSelectors.length > 0 || theirs.serviceSelectors.length > 0) continue;
    if (!peersMeet(mine.peers, theirs.peers) || !lengthsMeet(one.resource, other.resource, pool))
      continue;
    return [
      "local-pref-conflict",
      `pool ${nameOf(pool)} is announced by ${nameOf(other)} with localPref ${theirs.localPref ?? "unset"} to the same peers`,
    ];
  }
  return undefined;
}

/** Empty means all. */
export const peersMeet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === 0 || b.length === 0 || a.some((peer) => b.includes(peer));

function lengthsMeet(a: BgpAdvertisement, b: BgpAdvertisement, pool: Held<IpAddressPool>): boolean {
  const families = new Set(prefixesOf(pool).map(prefixFamily));
  return (
    (families.has("ipv4") && a.spec.aggregationLength === b.spec.aggregationLength) ||
    (families.has("ipv6") && a.spec.aggregationLengthV6 === b.spec.aggregationLengthV6)
  );
}
