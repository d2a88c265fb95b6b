/**
 * BGPPeers with a BFDProfile → BFD sessions.
 *
 * Pure. Several BGP sessions between the same addresses share one BFD session, which then runs as fast as the fastest asks
 * (RFC 5882 §2). Single hop or multihop is FRR's rule, because the other side often is FRR: multihop where ebgpMultiHop is
 * set, and inside an AS where the peer is in none of this host's networks.
 */
import type { BfdIntent, BfdSessionIntent, BfdTiming } from "../../backends/bfd/intent.ts";
import { bfdKey, type BfdKey, type NeighborKey, type ResourceKey } from "../../events/ids.ts";
import { hostPrefix, prefixContains } from "../../events/prefix.ts";
import type { BfdProfile } from "../../events/resources/bfd-profile.ts";
import type { BgpPeer } from "../../events/resources/bgp-peer.ts";
import { type DesiredState, type Held, resourcesOf } from "../../events/state.ts";
import type { PeerVerdict } from "./neighbors.ts";

/** RFC 5881 §5. */
const SINGLE_HOP_TIME_TO_LIVE = 255;

export function planBfd(
  desired: DesiredState,
  peers: ReadonlyMap<ResourceKey, PeerVerdict>,
): BfdIntent {
  const sessions = new Map<BfdKey, BfdSessionIntent>();
  for (const [key, verdict] of peers) {
    if (verdict.type !== "opened") continue;
    const held = resourcesOf(desired, "metallb.io/BGPPeer").get(key);
    const profile = held && profileOf(desired, held.resource);
    if (held === undefined || profile === undefined) continue;
    const session = sessionOf(desired, held, profile, verdict.neighbor);
    if (session === undefined) continue;
    const known = sessions.get(session.key);
    sessions.set(session.key, known === undefined ? session : shared(known, session));
  }
  return { sessions: [...sessions.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1)) };
}

/** Upstream's rule: by name alone; of two with that name the one beside the peer. */
function profileOf(
  desired: DesiredState,
  { metadata, spec }: BgpPeer,
): Held<BfdProfile> | undefined {
  if (spec.bfdProfile === "") return undefined;
  const named = [...resourcesOf(desired, "metallb.io/BFDProfile").values()].filter(
    ({ resource }) => resource.metadata.name === spec.bfdProfile,
  );
  const beside = named.find(({ resource }) => resource.metadata.namespace === metadata.namespace);
  return beside ?? named.toSorted((a, b) => (a.key < b.key ? -1 : 1))[0];
}

function sessionOf(
  desired: DesiredState,
  { resource: { spec }, fact }: Held<BgpPeer>,
  profile: Held<BfdProfile>,
  neighbor: NeighborKey,
): BfdSessionIntent | undefined {
  const { remote, sourceAddress, vrf } = spec;
  if (remote.type !== "address") return undefined;
  const multihop = isMultihop(desired, spec);
  const given = profile.resource.spec;
  const timing: BfdTiming = {
    transmitIntervalMillis: given.transmitIntervalMillis,
    receiveIntervalMillis: given.receiveIntervalMillis,
    detectMultiplier: given.detectMultiplier,
    // Not carried yet (carried.ts): a peer that does not send echoes back would flap for ever.
    echoIntervalMillis: undefined,
    passive: given.passiveMode,
    minimumTimeToLive: multihop ? given.minimumTtl : SINGLE_HOP_TIME_TO_LIVE,
  };
  return {
    key: bfdKey(vrf, remote.address, sourceAddress ?? "", "", multihop),
    vrf,
    remote: remote.address,
    local: sourceAddress,
    interface: "",
    multihop,
    timing,
    authentication: undefined,
    guards: [neighbor],
    provenance: [profile.fact, fact],
  };
}

function isMultihop(desired: DesiredState, spec: BgpPeer["spec"]): boolean {
  const { remote, remoteAs, localAsn, ebgpMultiHop } = spec;
  if (remote.type !== "address") return false;
  const isInternal =
    remoteAs.type === "internal" || (remoteAs.type === "asn" && remoteAs.asn === localAsn);
  if (!isInternal) return ebgpMultiHop;
  const networks = desired.host?.facts.networks ?? [];
  return !networks.some((network) => prefixContains(network, hostPrefix(remote.address)));
}

function shared(one: BfdSessionIntent, other: BfdSessionIntent): BfdSessionIntent {
  const [a, b] = [one.timing, other.timing];
  const echoes = [a.echoIntervalMillis, b.echoIntervalMillis].filter((echo) => echo !== undefined);
  return {
    ...one,
    timing: {
      transmitIntervalMillis: Math.min(a.transmitIntervalMillis, b.transmitIntervalMillis),
      receiveIntervalMillis: Math.min(a.receiveIntervalMillis, b.receiveIntervalMillis),
      detectMultiplier: Math.min(a.detectMultiplier, b.detectMultiplier),
      echoIntervalMillis: echoes.length === 0 ? undefined : Math.min(...echoes),
      passive: a.passive && b.passive,
      minimumTimeToLive: Math.max(a.minimumTimeToLive, b.minimumTimeToLive),
    },
    guards: [...new Set([...one.guards, ...other.guards])].toSorted(),
    provenance: [...new Set([...one.provenance, ...other.provenance])],
  };
}
