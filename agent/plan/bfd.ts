/**
 * Neighbours with a BFD profile → BFD sessions.
 *
 * Pure. Several BGP sessions between the same addresses share one BFD session, which then runs as fast as the fastest asks
 * (RFC 5882 §2) and is authenticated where one of them asks for it. Single hop or multihop is FRR's rule, because the other side
 * often is FRR: multihop where ebgpMultiHop is set, and inside an AS where the peer is in none of this host's networks.
 * Where the speaker's own daemon keeps BFD, there are none here (speaker-bfd.ts).
 */
import type { BfdIntent, BfdSessionIntent, BfdTiming } from "../../backends/bfd/intent.ts";
import type { Address } from "../../events/address.ts";
import { bfdKey, type BfdKey, type EventId, type NeighborKey } from "../../events/ids.ts";
import { hostPrefix, prefixContains } from "../../events/prefix.ts";
import type { DesiredState } from "../../events/state.ts";
import type { MergedNeighbor } from "./merge.ts";
import type { NeighborVerdict } from "./neighbors.ts";
import { type PlanOptions, speakersOf } from "./options.ts";

/** RFC 5881 §5. */
const SINGLE_HOP_TIME_TO_LIVE = 255;

export function planBfd(
  desired: DesiredState,
  neighbors: ReadonlyMap<NeighborKey, NeighborVerdict>,
  options: PlanOptions,
): BfdIntent {
  const served = new Set(
    speakersOf(options).flatMap(({ backend, bfd = "engine" }) =>
      bfd === "engine" ? [backend] : [],
    ),
  );
  const sessions = new Map<BfdKey, BfdSessionIntent>();
  for (const { neighbor, verdict, backend } of neighbors.values()) {
    if (verdict.type !== "opened" || !served.has(backend)) continue;
    const session = sessionOf(desired, neighbor);
    if (session !== undefined) join(sessions, session.key, session);
  }
  // Who leaves the address to the kernel shares with who names it: two sessions to one peer could not be told apart there.
  for (const session of [...sessions.values()].filter(({ local }) => local === undefined)) {
    const named = [...sessions.values()].find(
      (one) =>
        one.local !== undefined &&
        one.vrf === session.vrf &&
        one.remote === session.remote &&
        one.interface === session.interface &&
        one.multihop === session.multihop,
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

function sessionOf(desired: DesiredState, neighbor: MergedNeighbor): BfdSessionIntent | undefined {
  const { key, vrf, source, bfd, owners } = neighbor;
  const remote = placeOf(desired, neighbor);
  if (remote === undefined || bfd?.spec === undefined) return undefined;
  const { spec, authentication } = bfd;
  if (typeof authentication === "string") throw new Error("who lacks its key is held back");
  const local = source?.type === "address" ? source.address : undefined;
  // Who is known by its interface is on that link.
  const multihop = remote.interface === "" && isMultihop(desired, neighbor, remote.address);
  const timing: BfdTiming = {
    transmitIntervalMillis: spec.transmitIntervalMillis,
    receiveIntervalMillis: spec.receiveIntervalMillis,
    detectMultiplier: spec.detectMultiplier,
    echoIntervalMillis: spec.echoMode && !multihop ? spec.echoIntervalMillis : undefined,
    passive: spec.passiveMode,
    minimumTimeToLive: multihop ? spec.minimumTtl : SINGLE_HOP_TIME_TO_LIVE,
  };
  return {
    key: bfdKey(vrf, remote.address, local ?? "", remote.interface, multihop),
    vrf,
    remote: remote.address,
    local,
    interface: remote.interface,
    multihop,
    timing,
    authentication,
    guards: [key],
    provenance: [
      ...new Set([...bfd.facts, ...owners.flatMap(({ facts }) => facts), ...remote.facts]),
    ],
  };
}

/** Where the far end is; undefined where it is known by its interface, and nobody answered there yet. */
function placeOf(
  desired: DesiredState,
  { key, remote }: MergedNeighbor,
):
  | { readonly address: Address; readonly interface: string; readonly facts: readonly EventId[] }
  | undefined {
  if (remote.type === "address") return { address: remote.address, interface: "", facts: [] };
  const found = desired.found?.get(key);
  return found?.interface === remote.interface ? { ...found, facts: [found.fact] } : undefined;
}

export function isMultihop(
  desired: DesiredState,
  { remoteAs, localAsn, ebgpMultiHop }: MergedNeighbor,
  remote: Address,
): boolean {
  const isInternal =
    remoteAs.type === "internal" || (remoteAs.type === "asn" && remoteAs.asn === localAsn);
  if (!isInternal) return ebgpMultiHop;
  const networks = desired.host?.facts.networks ?? [];
  return !networks.some((network) => prefixContains(network, hostPrefix(remote)));
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
