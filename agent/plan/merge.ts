/**
 * The objects in force on this host → one set of routers and neighbours, whoever owns what (reference/rules.md §2.1).
 *
 * Pure. Takes only claims that agree (ledger.ts set the others aside), so a union is all that is left, and its result does not
 * depend on the order of the objects: an object only adds, and one that goes leaves what the others say. What nobody set is
 * still open here. Reads next: neighbors.ts (defaults, capabilities), own-prefixes.ts (what each neighbour is told).
 */
import type { ReceiveRule } from "../../backends/intent.ts";
import type { Address } from "../../events/address.ts";
import {
  type Asn,
  type EventId,
  type NeighborKey,
  type ResourceKey,
  resourceKeyParts,
} from "../../events/ids.ts";
import { comparePrefixes, type Prefix } from "../../events/prefix.ts";
import type { CommunityValue } from "../../events/resources/communities.ts";
import type { FrrEvpn } from "../../events/resources/frr-evpn.ts";
import {
  type Claims,
  keyOfClaim,
  type NeighborClaim,
  remoteText,
  type RouterClaim,
} from "./claims.ts";
import { mergeEvpn } from "./evpn.ts";
import { localPrefs } from "./merge-rules.ts";
import { compare } from "./order.ts";

/** An object that has this neighbour, and where in it. */
export type Owner = {
  readonly resource: ResourceKey;
  readonly field: string;
  readonly facts: readonly EventId[];
};

/** What one owner has a neighbour told. */
export type Telling = {
  readonly owner: Owner;
  readonly prefix: Prefix;
  readonly localPref: number | undefined;
  readonly communities: readonly CommunityValue[];
};

export type MergedNeighbor = Pick<
  NeighborClaim,
  | "vrf"
  | "localAsn"
  | "remoteAs"
  | "remote"
  | "source"
  | "secret"
  | "timers"
  | "connectTimeSeconds"
  | "ebgpMultiHop"
  | "bfd"
  | "gracefulRestart"
  | "dualStack"
  | "localAsOverride"
  | "addressFamilies"
  | "nextHops"
> & {
  readonly key: NeighborKey;
  /** Of the BGPPeer where one takes part; else upstream's id: the far end, `-vrf` behind it. */
  readonly name: string;
  /** Name of the BGPPeer that takes part: who BGPAdvertisements can name. At most one (`same-neighbor`). */
  readonly peer: string | undefined;
  readonly receive: ReceiveRule;
  readonly told: readonly Telling[];
  /** The BGPPeer first, then in order of key. */
  readonly owners: readonly [Owner, ...Owner[]];
};

export type MergedRouter = {
  /** `vrf|localAs|routerId`. */
  readonly key: string;
  readonly vrf: string;
  readonly asn: Asn;
  readonly routerId: Address | undefined;
  /** In order of key. */
  readonly neighbors: readonly MergedNeighbor[];
  /** All own prefixes, told to somebody or not. */
  readonly prefixes: readonly Prefix[];
  readonly imports: readonly string[];
  readonly evpn: FrrEvpn | undefined;
};

/** In order of key. `all` are the claims in force that select this host; `leaks`: whether the speaker has VRF imports. */
export function merge(all: readonly Claims[], leaks = false): readonly MergedRouter[] {
  const claims = all.flatMap(({ routers }) => routers).toSorted(byOwner);
  return [...Map.groupBy(claims, ({ vrf }) => vrf).values()]
    .flatMap((ofVrf) => routersOf(ofVrf, leaks))
    .toSorted((a, b) => compare(a.key, b.key));
}

/** A BGPPeer goes before an FRRConfiguration, for its name is the neighbour's. */
function byOwner(a: RouterClaim, b: RouterClaim): number {
  return (
    Number(a.kind !== "peer") - Number(b.kind !== "peer") ||
    compare(a.owner, b.owner) ||
    compare(a.field, b.field)
  );
}

/** A VRF with an FRRConfiguration in it is one router; BGPPeers alone make one for each (AS, router id). */
function routersOf(claims: readonly RouterClaim[], leaks: boolean): readonly MergedRouter[] {
  if (claims.some(({ kind }) => kind === "configuration")) return routerOf(claims, leaks);
  const groups = Map.groupBy(claims, ({ asn, routerId }) => `${asn}|${routerId ?? ""}`);
  return [...groups.values()].flatMap((group) => routerOf(group, leaks));
}

function routerOf(claims: readonly RouterClaim[], leaks: boolean): readonly MergedRouter[] {
  const [first] = claims;
  if (first === undefined) return [];
  const { vrf, asn } = first;
  const routerId = claims.find((one) => one.routerId !== undefined)?.routerId;
  const prefixes = union(claims.flatMap((one) => one.prefixes)).toSorted(comparePrefixes);
  const own = leaks ? undefined : new Set(prefixes);
  const neighbors = Map.groupBy(
    claims.flatMap((one) => one.neighbors),
    keyOfClaim,
  );
  return [
    {
      key: `${vrf}|${asn}|${routerId ?? ""}`,
      vrf,
      asn,
      routerId,
      neighbors: [...neighbors]
        .flatMap(([key, owned]) => neighborOf(key, owned, own))
        .toSorted((a, b) => compare(a.key, b.key)),
      prefixes,
      imports: union(claims.flatMap((one) => one.imports)).toSorted(),
      evpn: mergeEvpn(claims.map(({ evpn }) => evpn)),
    },
  ];
}

const union = <T>(all: readonly T[]): readonly T[] => [...new Set(all)];

function neighborOf(
  key: NeighborKey,
  owned: readonly NeighborClaim[],
  own: ReadonlySet<Prefix> | undefined,
): readonly MergedNeighbor[] {
  const [first, ...rest] = owned;
  if (first === undefined) return [];
  const peer = owned.find(({ kind }) => kind === "peer");
  const peerName = peer && resourceKeyParts(peer.owner).name;
  const { vrf, localAsn, remoteAs, remote, source, secret } = first;
  return [
    {
      key,
      name: peerName ?? `${remoteText(remote)}${vrf === "" ? "" : `-${vrf}`}`,
      peer: peerName,
      vrf,
      localAsn,
      remoteAs,
      remote,
      source,
      secret,
      ebgpMultiHop: first.ebgpMultiHop,
      gracefulRestart: first.gracefulRestart,
      dualStack: first.dualStack,
      localAsOverride: first.localAsOverride,
      // One side may have said nothing: it adopts.
      timers: owned.find(({ timers }) => timers.type === "given")?.timers ?? first.timers,
      connectTimeSeconds: owned.find((one) => one.connectTimeSeconds !== undefined)
        ?.connectTimeSeconds,
      bfd: owned.find(({ bfd }) => bfd !== undefined)?.bfd,
      nextHops: Object.assign({}, ...owned.map((one) => one.nextHops)) as typeof first.nextHops,
      addressFamilies: union(owned.flatMap((one) => one.addressFamilies)).toSorted(),
      receive: receiveOf(owned),
      told: owned.flatMap((claim) => tellingsOf(claim, own)),
      owners: [ownerOf(first), ...rest.map(ownerOf)],
    },
  ];
}

const ownerOf = ({ owner, field, facts }: NeighborClaim): Owner => ({
  resource: owner,
  field,
  facts,
});

/** `all` on any side wins; otherwise the union of (prefix, ge, le). */
function receiveOf(owned: readonly NeighborClaim[]): ReceiveRule {
  if (owned.some(({ receive }) => receive.type === "all")) return { type: "everything" };
  const filters = owned.flatMap(({ receive }) => (receive.type === "all" ? [] : receive.prefixes));
  const unique = new Map(filters.map((one) => [`${one.prefix} ${one.ge} ${one.le}`, one] as const));
  if (unique.size === 0) return { type: "nothing" };
  return {
    type: "prefixes",
    prefixes: [...unique.values()]
      .toSorted((a, b) => comparePrefixes(a.prefix, b.prefix) || a.ge - b.ge || a.le - b.le)
      .map(({ prefix, ge, le }) => ({ prefix, atLeast: ge, atMost: le })),
  };
}

/** `own`: prefixes that only an imported VRF has are left out, for the speaker does not leak between VRFs. */
function tellingsOf(
  claim: NeighborClaim,
  own: ReadonlySet<Prefix> | undefined,
): readonly Telling[] {
  const { advertise } = claim;
  if (advertise === undefined) return [];
  const owner = ownerOf(claim);
  const localPref = localPrefs(claim);
  const communities = new Map<Prefix, CommunityValue[]>();
  for (const { community, prefixes } of advertise.withCommunity) {
    for (const prefix of prefixes) {
      const known = communities.get(prefix);
      if (known === undefined) communities.set(prefix, [community]);
      else known.push(community);
    }
  }
  return advertise.allowed
    .filter((prefix) => own === undefined || own.has(prefix))
    .map((prefix) => ({
      owner,
      prefix,
      localPref: localPref.get(prefix),
      communities: communities.get(prefix) ?? [],
    }));
}
