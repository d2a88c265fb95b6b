/**
 * `peers` and `status`, of now (from the plan and the speaker) and of long ago (from the log alone).
 *
 * Pure: sessions, clocks and positions are handed in. Reads next: agent/api/contract.ts (the shapes).
 */
import type { SessionStatus } from "../../backends/backend.ts";
import type { NeighborIntent, RouterIntent } from "../../backends/intent.ts";
import type { NeighborKey, ResourceKey } from "../../events/ids.ts";
import { resourceKeyParts } from "../../events/ids.ts";
import { rfc3339 } from "../../events/log/export.ts";
import type { Prefix } from "../../events/prefix.ts";
import { type DesiredState, resourcesOf, type State } from "../../events/state.ts";
import type { BfdJson } from "../api/bfd-json.ts";
import type { HeldJson, PeerJson, ServiceJson, StatusJson } from "../api/contract.ts";
import type { DaemonJson } from "../api/daemon-json.ts";
import type { MergedNeighbor } from "../plan/merge.ts";
import type { Plan } from "../plan/plan.ts";
import { recordedBfd } from "./bfd-view.ts";
import { recordedDaemons } from "./daemon-view.ts";
import { recordedFleet } from "./fleet-view.ts";
import { quarantinedViews, type SeqOf } from "./resource-view.ts";

/** Turns monotonic milliseconds of this process into wall-clock nanoseconds. */
export type WallOf = (monotonicMillis: number) => bigint;

export type SeenPeers = {
  readonly sessions: ReadonlyMap<NeighborKey, SessionStatus>;
  readonly bfd: ReadonlyMap<NeighborKey, BfdJson>;
  /** What keeps one from being handed to its speaker, in words. */
  readonly waiting: ReadonlyMap<NeighborKey, string>;
};

export function peerViews(plan: Plan, seen: SeenPeers, wallOf: WallOf): readonly PeerJson[] {
  const opened = Object.values(plan.speakers)
    .flatMap((speaker) => speaker?.routers ?? [])
    .flatMap((router) =>
      router.neighbors.map((neighbor) => peerView(router, neighbor, seen, wallOf)),
    );
  const refused = [...plan.neighbors.values()].flatMap(({ neighbor, backend, verdict }) =>
    verdict.type === "refused" ? [refusedView(neighbor, backend, verdict.reason)] : [],
  );
  return [...opened, ...refused].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The speaker never hears of it: its times are never agreed, and shown as zero. */
function refusedView(neighbor: MergedNeighbor, backend: string, reason: string): PeerJson {
  const { name, remote, vrf, localAsn, localAsOverride, remoteAs } = neighbor;
  return {
    ...UNAGREED,
    name,
    backend,
    address: remote.type === "address" ? remote.address : null,
    interface: remote.type === "interface" ? remote.interface : null,
    vrf,
    localAs: localAsOverride ?? localAsn,
    remoteAs: remoteAs.type === "asn" ? remoteAs.asn : remoteAs.type,
    state: "Refused",
    since: null,
    reason,
    resets: 0,
    provenance: [...new Set(neighbor.owners.flatMap(({ facts }) => facts))],
  };
}

const UNAGREED = {
  holdTime: 0,
  keepaliveTime: 0,
  capabilities: [],
  bfd: null,
  sent: 0,
  received: 0,
  accepted: 0,
};

function peerView(
  router: RouterIntent,
  neighbor: NeighborIntent,
  { sessions, bfd, waiting }: SeenPeers,
  wallOf: WallOf,
): PeerJson {
  const { key, remote, remoteAs } = neighbor;
  const session = sessions.get(key);
  const asked = remoteAs.type === "asn" ? remoteAs.asn : remoteAs.type;
  return {
    name: neighbor.name,
    backend: neighbor.backend,
    address: remote.type === "address" ? remote.address : (session?.found?.address ?? null),
    interface: remote.type === "interface" ? remote.interface : null,
    vrf: router.vrf,
    localAs: neighbor.localAsOverride ?? router.localAs,
    remoteAs: session?.remoteAs ?? asked,
    state: session?.state ?? "Idle",
    since: session === undefined ? null : rfc3339(wallOf(session.sinceMillis)),
    reason: waiting.get(key) ?? session?.reason ?? "not handed to the speaker yet",
    holdTime: session?.holdTimeSeconds ?? neighbor.holdTimeSeconds,
    keepaliveTime: session?.keepaliveTimeSeconds ?? neighbor.keepaliveTimeSeconds,
    capabilities: [...(session?.capabilities ?? [])],
    bfd: bfd.get(key) ?? null,
    sent: session?.sent ?? 0,
    received: session?.received ?? 0,
    accepted: session?.accepted ?? 0,
    resets: session?.resets ?? 0,
    provenance: [...neighbor.provenance],
  };
}

/** `withheld`: prefixes that are planned and not announced, with the reason. */
export function serviceViews(
  desired: DesiredState,
  plan: Plan,
  withheld: ReadonlyMap<Prefix, string>,
): readonly ServiceJson[] {
  return [...plan.verdicts]
    .map(([key, verdict]) => {
      const prefixes = verdict.prefixes.filter((prefix) => !withheld.has(prefix));
      const reasons = verdict.prefixes.flatMap((prefix) => withheld.get(prefix) ?? []);
      return {
        ...serviceName(key),
        addresses: addressesOf(desired, key),
        announced: verdict.announced && prefixes.length > 0,
        reason: verdict.announced ? [...new Set(reasons)].join("; ") : verdict.reason,
        prefixes,
      };
    })
    .toSorted(byName);
}

/** Services as the log alone knows them: what they hold; whether it was announced then is in `wires`. */
function recordedServices(state: State): readonly ServiceJson[] {
  const told = new Set(
    Object.values(state.wires).flatMap((wire) =>
      [...wire.routes.keys()].map((key) => key.slice(key.lastIndexOf(" ") + 1)),
    ),
  );
  return [...resourcesOf(state.desired, "/Service").keys()]
    .map((key) => {
      const addresses = addressesOf(state.desired, key);
      const prefixes = addresses
        .map(({ address }) => `${address}/${address.includes(":") ? 128 : 32}`)
        .filter((prefix) => told.has(prefix));
      const reason = state.desired.awaiting.get(key)?.reason ?? "";
      return { ...serviceName(key), addresses, announced: prefixes.length > 0, reason, prefixes };
    })
    .toSorted(byName);
}

export type Now = {
  readonly state: StatusJson["state"];
  readonly backend: string;
  readonly besides: readonly string[];
  readonly peers: readonly PeerJson[];
  readonly bfd: readonly BfdJson[];
  readonly daemons: readonly DaemonJson[];
  readonly services: readonly ServiceJson[];
  readonly kernel: StatusJson["kernel"];
  readonly notRecording: StatusJson["notRecording"];
  readonly fleet: StatusJson["fleet"];
};

export function statusView(
  state: State,
  desired: DesiredState,
  now: Now,
  seqOf: SeqOf,
): StatusJson {
  return {
    node: desired.host?.facts.node ?? "",
    backend: now.backend,
    besides: [...now.besides],
    state: now.state,
    logSeq: state.seq,
    peers: [...now.peers],
    bfd: [...now.bfd],
    daemons: [...now.daemons],
    services: [...now.services],
    quarantined: quarantinedViews(desired),
    kernel: now.kernel,
    notRecording: now.notRecording,
    held: heldViews(state, seqOf),
    fleet: now.fleet,
    program: state.run?.program ?? "",
    startedAt: state.run === undefined ? null : rfc3339(state.run.startedAt.wall),
  };
}

/** `at … status`: what the log says of that moment. Counters of the wire are not in the log and are zero. */
export function recordedStatus(state: State, seqOf: SeqOf): StatusJson {
  const [fleet] = state.desired.feeds?.keys() ?? [];
  const peers = [...state.sessions].map(([key, session]): PeerJson => ({
    ...UNAGREED,
    name: session.peer,
    backend: toldBy(state, key),
    address: key.split("|")[1] ?? null,
    interface: null,
    vrf: key.split("|")[0] ?? "",
    localAs: 0,
    remoteAs: "external",
    state: session.state,
    since: rfc3339(session.since.wall),
    reason: session.reason,
    resets: session.resets,
    provenance: [session.fact],
  }));
  return statusView(
    state,
    state.desired,
    {
      state: state.run === undefined || state.run.stopped ? "stopped" : "running",
      backend: Object.keys(state.wires).join(", "),
      besides: [],
      peers: peers
        .map((peer) => recordedParameters(state, peer))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
      bfd: recordedBfd(state),
      daemons: recordedDaemons(state),
      services: recordedServices(state),
      kernel: null,
      notRecording: null,
      fleet: fleet === undefined ? null : recordedFleet(state.desired, fleet, ""),
    },
    seqOf,
  );
}

/** Who was told of the neighbour last; empty where the log does not say. */
const toldBy = ({ wires }: State, key: NeighborKey): string =>
  Object.entries(wires)
    .filter(([, { neighbors }]) => neighbors.has(key))
    .toSorted(([, a], [, b]) => b.seq - a.seq)[0]?.[0] ?? "";

/** Adds what the last apply recorded of the neighbour's parameters. */
function recordedParameters(state: State, peer: PeerJson): PeerJson {
  for (const wire of Object.values(state.wires)) {
    for (const { router, parameters } of wire.neighbors.values()) {
      const told = JSON.parse(parameters) as Pick<
        NeighborIntent,
        "name" | "remoteAs" | "holdTimeSeconds" | "keepaliveTimeSeconds"
      >;
      if (told.name !== peer.name) continue;
      return {
        ...peer,
        localAs: Number(router.split("|")[1] ?? 0),
        remoteAs: told.remoteAs.type === "asn" ? told.remoteAs.asn : told.remoteAs.type,
        holdTime: told.holdTimeSeconds,
        keepaliveTime: told.keepaliveTimeSeconds,
      };
    }
  }
  return peer;
}

export function heldViews(state: State, seqOf: SeqOf): HeldJson[] {
  const plan =
    state.heldPlan === undefined
      ? []
      : [
          {
            what: "plan",
            reason: `rutter ${state.heldPlan.to} plans withdrawals or resets that ${state.heldPlan.from} did not; they wait for: rutter confirm plan`,
            seq: seqOf(state.heldPlan.fact),
          },
        ];
  const sources = Object.entries(state.suspected).map(([what, { reason, fact }]) => ({
    what,
    reason,
    seq: seqOf(fact),
  }));
  return [...plan, ...sources];
}

const serviceName = (key: ResourceKey): { namespace: string; name: string } => {
  const { namespace, name } = resourceKeyParts(key);
  return { namespace, name };
};

const addressesOf = (desired: DesiredState, key: ResourceKey): ServiceJson["addresses"] =>
  (desired.allocations.get(key)?.addresses ?? []).map(({ address, pool }) => ({ address, pool }));

const byName = (a: ServiceJson, b: ServiceJson): number =>
  `${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1;
