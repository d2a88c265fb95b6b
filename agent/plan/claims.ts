/**
 * What one object says of routers and neighbours, in one shape for BGPPeer and FRRConfiguration.
 *
 * Pure. A claim keeps what was left open as left open: the merge decides what an unset side adopts, and neighbors.ts pins what
 * nobody set. A neighbour whose Secret is missing is no claim but `held`: the object's other parts go on (design: a session
 * without its secret is never opened without it). Reads next: merge-rules.ts (what may not differ), merge.ts (the union).
 */
import type { Address, Family } from "../../events/address.ts";
import {
  type Asn,
  type EventId,
  type NeighborKey,
  neighborKey,
  type ResourceKey,
  resourceKeyParts,
} from "../../events/ids.ts";
import { comparePrefixes, type Prefix } from "../../events/prefix.ts";
import type { BfdProfile, BfdProfileSpec } from "../../events/resources/bfd-profile.ts";
import type { BgpPeer } from "../../events/resources/bgp-peer.ts";
import type { FrrConfiguration, FrrRouter } from "../../events/resources/frr-configuration.ts";
import type { FrrEvpn } from "../../events/resources/frr-evpn.ts";
import type { FrrNeighbor } from "../../events/resources/frr-neighbor.ts";
import type { FrrAdvertise, FrrReceive } from "../../events/resources/frr-policy.ts";
import type { RawText } from "../../events/resources/raw.ts";
import type { SecretRef } from "../../events/resources/resource.ts";
import type { Remote, RemoteAs, SessionTimers } from "../../events/resources/session.ts";
import { type DesiredState, type Held, resourcesOf } from "../../events/state.ts";
import { bfdKeyProblem, bfdOptionsOf, type ClaimedOptions } from "./bfd-options.ts";
import { compare } from "./order.ts";
import { secretFact, secretOf } from "./secrets.ts";

export type NeighborOwner = Held<BgpPeer> | Held<FrrConfiguration>;

/** A BFD profile by the name that its users know it by; the spec is undefined where nobody has it. */
export type ClaimedProfile = ClaimedOptions & {
  readonly name: string;
  readonly spec: BfdProfileSpec | undefined;
  readonly facts: readonly EventId[];
};

export type NeighborClaim = {
  readonly owner: ResourceKey;
  readonly kind: "peer" | "configuration";
  /** Where in the owner it stands. */
  readonly field: string;
  /** The owner's fact, then that of the Secret it names. */
  readonly facts: readonly EventId[];
  readonly vrf: string;
  readonly localAsn: Asn;
  readonly remoteAs: RemoteAs;
  readonly remote: Remote;
  readonly source: FrrNeighbor["source"];
  readonly secret: SecretRef | undefined;
  readonly timers: SessionTimers;
  readonly connectTimeSeconds: number | undefined;
  readonly ebgpMultiHop: boolean;
  readonly bfd: ClaimedProfile | undefined;
  readonly gracefulRestart: boolean;
  readonly dualStack: boolean;
  readonly localAsOverride: Asn | undefined;
  readonly addressFamilies: FrrNeighbor["addressFamilies"];
  readonly nextHops: Readonly<Partial<Record<Family, Address>>>;
  /** Undefined: a BGPPeer, which BGPAdvertisements tell. `all` is already every prefix of its own router and of VRFs it imports. */
  readonly advertise:
    | (Omit<FrrAdvertise, "allowed"> & { readonly allowed: readonly Prefix[] })
    | undefined;
  readonly receive: FrrReceive;
};

export type RouterClaim = {
  readonly owner: ResourceKey;
  readonly kind: NeighborClaim["kind"];
  readonly field: string;
  readonly vrf: string;
  readonly asn: Asn;
  readonly routerId: Address | undefined;
  readonly prefixes: readonly Prefix[];
  readonly imports: readonly string[];
  readonly neighbors: readonly NeighborClaim[];
  readonly evpn: FrrEvpn | undefined;
};

/** A neighbour that can't be opened yet, and what it waits for. */
type HeldClaim = {
  readonly owner: ResourceKey;
  readonly field: string;
  readonly vrf: string;
  readonly remote: Remote;
  readonly reason: string;
};

/** Everything that one object says. */
export type Claims = {
  readonly owner: ResourceKey;
  readonly kind: NeighborClaim["kind"];
  readonly routers: readonly RouterClaim[];
  readonly held: readonly HeldClaim[];
  /** An FRRConfiguration's own; names of a BGPPeer's live elsewhere. */
  readonly bfdProfiles: readonly ClaimedProfile[];
  readonly raw: (RawText & { readonly priority: number }) | undefined;
};

export const claimsOf = (desired: DesiredState, held: NeighborOwner): Claims =>
  held.resource.type === "metallb.io/BGPPeer"
    ? claimsOfPeer(desired, held as Held<BgpPeer>)
    : claimsOfConfiguration(desired, held as Held<FrrConfiguration>);

export const remoteText = (remote: Remote): string =>
  remote.type === "address" ? remote.address : remote.interface;

/** Upstream's identity: far end and VRF; neither port nor AS (rules.md §2.1). */
export const neighborId = ({ vrf, remote }: Pick<NeighborClaim, "vrf" | "remote">): string =>
  `${vrf}|${remoteText(remote)}`;

/**
 * The same for every owner of a neighbour, so that an owner may come and go without a new session: who agrees on a neighbour
 * agrees on its source (merge-rules.ts).
 */
export function keyOfClaim({
  vrf,
  remote,
  source,
}: Pick<NeighborClaim, "vrf" | "remote" | "source">): NeighborKey {
  return neighborKey(vrf, remoteText(remote), sourceText(source));
}

export const sourceText = (source: NeighborClaim["source"]): string =>
  source === undefined ? "" : source.type === "address" ? source.address : source.interface;

/** `BGPPeer metallb-system/peer1`, as a person says it. */
export function spoken(owner: ResourceKey): string {
  const { kind, namespace, name } = resourceKeyParts(owner);
  return `${kind} ${namespace}/${name}`;
}

function claimsOfPeer(desired: DesiredState, { key, resource, fact }: Held<BgpPeer>): Claims {
  const { spec, metadata } = resource;
  const { vrf, localAsn, remote } = spec;
  const common = { owner: key, kind: "peer", field: "spec", vrf } as const;
  const router = (neighbors: readonly NeighborClaim[]): RouterClaim => ({
    ...common,
    asn: localAsn,
    routerId: spec.routerId,
    prefixes: [],
    imports: [],
    neighbors,
    evpn: undefined,
  });
  const whole = { owner: key, kind: "peer", bfdProfiles: [], raw: undefined } as const;
  const secret = secretOf(desired, spec.authentication, metadata.namespace);
  if (secret.type === "missing") {
    const { reason } = secret;
    const field = "spec.passwordSecret";
    return { ...whole, routers: [router([])], held: [{ owner: key, field, vrf, remote, reason }] };
  }
  const neighbor: NeighborClaim = {
    ...common,
    facts: [fact, ...secretFact(desired, spec.authentication, metadata.namespace)],
    localAsn,
    remoteAs: spec.remoteAs,
    remote,
    source:
      spec.sourceAddress === undefined
        ? undefined
        : { type: "address", address: spec.sourceAddress },
    secret: secret.type === "found" ? secret.secret : undefined,
    timers: spec.timers,
    connectTimeSeconds: spec.connectTimeSeconds,
    ebgpMultiHop: spec.ebgpMultiHop,
    bfd: profileOfPeer(desired, resource),
    gracefulRestart: spec.enableGracefulRestart,
    dualStack: spec.dualStackAddressFamily,
    localAsOverride: spec.localAsnOverride,
    addressFamilies: ["unicast"],
    nextHops: {},
    advertise: undefined,
    receive: { type: "filtered", prefixes: [] },
  };
  return { ...whole, routers: [router([neighbor])], held: [] };
}

/** Upstream's rule: by name alone; of two with that name the one beside the peer. */
export function profileOfPeer(
  desired: DesiredState,
  { metadata, spec }: BgpPeer,
): ClaimedProfile | undefined {
  if (spec.bfdProfile === "") return undefined;
  const named = [...resourcesOf(desired, "metallb.io/BFDProfile").values()]
    .filter(({ resource }) => resource.metadata.name === spec.bfdProfile)
    .toSorted((a, b) => compare(a.key, b.key));
  const beside = (one: Held<BfdProfile>): boolean =>
    one.resource.metadata.namespace === metadata.namespace;
  const found = named.find(beside) ?? named[0];
  const options = bfdOptionsOf(desired, found?.resource.metadata.namespace, spec.bfdProfile);
  return {
    name: spec.bfdProfile,
    spec: found?.resource.spec,
    ...options,
    facts: [...(found === undefined ? [] : [found.fact]), ...options.facts],
  };
}

function claimsOfConfiguration(
  desired: DesiredState,
  { key, resource, fact }: Held<FrrConfiguration>,
): Claims {
  const { spec, metadata } = resource;
  const bfdProfiles = spec.bfdProfiles.map(({ name, ...profile }): ClaimedProfile => {
    const options = bfdOptionsOf(desired, metadata.namespace, name);
    return { name, spec: profile, ...options, facts: [fact, ...options.facts] };
  });
  const held: HeldClaim[] = [];
  const routers = spec.routers.map((router, i): RouterClaim => {
    const field = `spec.bgp.routers[${i}]`;
    const neighbors = router.neighbors.flatMap((neighbor, k): NeighborClaim[] => {
      const at = `${field}.neighbors[${k}]`;
      const { authentication, remote } = neighbor;
      const secret = secretOf(desired, authentication, metadata.namespace);
      if (secret.type === "missing") {
        const { reason } = secret;
        held.push({ owner: key, field: `${at}.passwordSecret`, vrf: router.vrf, remote, reason });
        return [];
      }
      const facts = [fact, ...secretFact(desired, authentication, metadata.namespace)];
      const bfd = bfdProfiles.find(({ name }) => name === neighbor.bfdProfile);
      const problem = bfdKeyProblem(bfd);
      if (problem !== undefined) {
        const where = { owner: key, field: `${at}.bfdProfile`, vrf: router.vrf, remote };
        held.push({ ...where, reason: problem });
        return [];
      }
      return [
        {
          ...claimOfNeighbor(router, neighbor, advertisableOf(router, spec.routers)),
          owner: key,
          field: at,
          facts,
          bfd,
          secret: secret.type === "found" ? secret.secret : undefined,
        },
      ];
    });
    const { vrf, asn, routerId, prefixes, imports, evpn } = router;
    const kind = "configuration";
    return { owner: key, kind, field, vrf, asn, routerId, prefixes, imports, neighbors, evpn };
  });
  return { owner: key, kind: "configuration", routers, held, bfdProfiles, raw: spec.raw };
}

/** Each object stands for itself: an imported VRF's prefixes are those that the same object gives it. */
const advertisableOf = (router: FrrRouter, all: readonly FrrRouter[]): readonly Prefix[] =>
  router.imports.length === 0
    ? router.prefixes
    : [
        ...new Set([
          ...router.prefixes,
          ...all.flatMap(({ vrf, prefixes }) => (router.imports.includes(vrf) ? prefixes : [])),
        ]),
      ].toSorted(comparePrefixes);

function claimOfNeighbor(
  router: FrrRouter,
  neighbor: FrrNeighbor,
  advertisable: readonly Prefix[],
): Omit<NeighborClaim, "owner" | "field" | "facts" | "bfd" | "secret"> {
  const { allowed, nextHopIpv4: ipv4, nextHopIpv6: ipv6, ...rest } = neighbor.toAdvertise;
  return {
    kind: "configuration",
    vrf: router.vrf,
    localAsn: router.asn,
    remoteAs: neighbor.remoteAs,
    remote: neighbor.remote,
    source: neighbor.source,
    timers: neighbor.timers,
    connectTimeSeconds: neighbor.connectTimeSeconds,
    ebgpMultiHop: neighbor.ebgpMultiHop,
    gracefulRestart: neighbor.enableGracefulRestart,
    dualStack: neighbor.dualStackAddressFamily,
    localAsOverride: neighbor.localAsnOverride,
    addressFamilies: neighbor.addressFamilies,
    nextHops: { ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }) },
    advertise: { ...rest, allowed: allowed.type === "all" ? advertisable : allowed.prefixes },
    receive: neighbor.toReceive,
  };
}
