/**
 * BGPPeers with a BFDProfile → BFD sessions.
 *
 * Pure. Several BGP sessions between the same addresses share one BFD session, which then runs as fast as the fastest asks
 * (RFC 5882 §2) and is authenticated where one of them asks for it. Single hop or multihop is FRR's rule, because the other side often is FRR: multihop where ebgpMultiHop is
 * set, and inside an AS where the peer is in none of this host's networks.
 */
import type { BfdIntent, BfdSessionIntent, BfdTiming } from "../../backends/bfd/intent.ts";
import { bfdKey, type BfdKey, type NeighborKey, type ResourceKey } from "../../events/ids.ts";
import { hostPrefix, prefixContains } from "../../events/prefix.ts";
import type { BfdOptions } from "../../events/resources/bfd-options.ts";
import type { BfdProfile } from "../../events/resources/bfd-profile.ts";
import type { BgpPeer } from "../../events/resources/bgp-peer.ts";
import { type DesiredState, type Held, resourcesOf } from "../../events/state.ts";
import { optionsOfPeer, profileOfPeer, secretOfOptions } from "./bfd-profile.ts";
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
    const profile = held && profileOfPeer(desired, held.resource);
    if (held === undefined || profile === undefined) continue;
    const session = sessionOf(desired, held, profile, verdict.neighbor);
    if (session !== undefined) join(sessions, session.key, session);
  }
  // Who leaves the address to the kernel shares with who names it: two sessions to one peer could not be told apart there.
  for (const session of [...sessions.values()].filter(({ local }) => local === undefined)) {
    const named = [...sessions.values()].find(
      ({ local, vrf, remote, multihop }) =>
        local !== undefined &&
        vrf === session.vrf &&
        remote === session.remote &&
        multihop === session.multihop,
    );
    if (named === undefined) continue;
    sessions.delete(session.key);
    join(sessions, named.key, session);
  }
  return { sessions: [...sessions.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1)) };
}

function join(
  sessions: Map<BfdKey, BfdSessionIntent>,
  key: BfdKey,
  session: BfdSessionIntent,
): void {
  const known = sessions.get(key);
  sessions.set(key, known === undefined ? session : shared(known, session));
}

function sessionOf(
  desired: DesiredState,
  { resource, fact }: Held<BgpPeer>,
  profile: Held<BfdProfile>,
  neighbor: NeighborKey,
): BfdSessionIntent | undefined {
  const { spec } = resource;
  const { remote, sourceAddress, vrf } = spec;
  if (remote.type !== "address") return undefined;
  const multihop = isMultihop(desired, spec);
  const given = profile.resource.spec;
  const options = optionsOfPeer(desired, resource);
  const authentication = authenticationOf(desired, options);
  const timing: BfdTiming = {
    transmitIntervalMillis: given.transmitIntervalMillis,
    receiveIntervalMillis: given.receiveIntervalMillis,
    detectMultiplier: given.detectMultiplier,
    echoIntervalMillis: given.echoMode && !multihop ? given.echoIntervalMillis : undefined,
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
    authentication,
    guards: [neighbor],
    provenance: [profile.fact, ...(options === undefined ? [] : [options.fact]), fact],
  };
}

/** A missing key has set the peer aside already (conflicts.ts). */
function authenticationOf(
  desired: DesiredState,
  options: Held<BfdOptions> | undefined,
): BfdSessionIntent["authentication"] {
  const asked = options?.resource.spec.authentication;
  if (options === undefined || asked === undefined) return undefined;
  const found = secretOfOptions(desired, options.resource);
  if (found.type !== "found") throw new Error("a peer whose key is missing is set aside");
  return { type: asked.type, keyId: asked.keyId, secret: found.secret };
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
    authentication: one.authentication ?? other.authentication,
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
