/**
 * Merged neighbours → intents with every parameter pinned, gathered into routers; and what each object's neighbour came to.
 *
 * Pure. Defaults are pinned here and nowhere else, because they differ between the kinds and between the speakers
 * (manifests.md §7): where a BGPPeer takes part MetalLB's (hold 90 s, keepalive a third of it, connect 120 s), else frr-k8s'
 * (180, 60, 60 s). Whatever somebody set goes before both (docs/decisions/008). Reads next: merge.ts, routes.ts.
 */
import type {
  BackendName,
  MaximumPrefixes,
  NeighborIntent,
  ReceiveGuard,
  RouterIntent,
} from "../../backends/intent.ts";
import { type Address, type Family, familyOf } from "../../events/address.ts";
import type { EventId, NeighborKey, ResourceKey } from "../../events/ids.ts";
import { type DesiredState, resourcesOf } from "../../events/state.ts";
import { type Claims, claimsOf } from "./claims.ts";
import { merge, type MergedNeighbor, type MergedRouter } from "./merge.ts";
import {
  FRR_CONNECT_SECONDS,
  FRR_HOLD_TIME_SECONDS,
  FRR_KEEPALIVE_SECONDS,
} from "./merge-rules.ts";
import { has, type PlanOptions, type SpeakerOptions, speakersOf } from "./options.ts";
import { compare } from "./order.ts";
import { ownersHere } from "./owners-here.ts";
import { givenBy, notRun } from "./peer-backends.ts";
import { refusal } from "./refusal.ts";
import { type SpeakerBfdOf, speakerBfdOf } from "./speaker-bfd.ts";

/** MetalLB's native speaker and GoBGP; RFC 4271 §10 for the connect time. */
const HOLD_TIME_SECONDS = 90;
const CONNECT_RETRY_SECONDS = 120;
/** What FRR and BIRD offer; longer than any start that was measured. RFC 4724 §3 has 12 bits for it. */
const RESTART_TIME_SECONDS = 120;
/** An external neighbour is on the link unless the manifest says otherwise (RFC 4271 §5.1.3, FRR's rule). */
const DIRECT_TIME_TO_LIVE = 1;
const DISTANT_TIME_TO_LIVE = 255;

/** What became of a BGPPeer. */
export type PeerVerdict =
  | { readonly type: "opened"; readonly neighbor: NeighborKey; readonly router: string }
  | { readonly type: "not-selected" }
  | { readonly type: "quarantined"; readonly reason: string }
  | { readonly type: "refused"; readonly reason: string };

/** What became of a neighbour, whoever owns it: all that was said of it is in `neighbor`, its BFD profile too. */
export type NeighborVerdict = {
  readonly neighbor: MergedNeighbor;
  /** Whose it is, opened or not; this host may not run that one. */
  readonly backend: BackendName;
  readonly verdict: Extract<PeerVerdict, { readonly type: "opened" | "refused" }>;
};

/** A router without its routes; the plan adds them. */
export type PlannedRouter = {
  readonly router: Omit<RouterIntent, "routes">;
  /** One for each neighbour of the router, in its order. */
  readonly tellable: readonly Tellable[];
};

/** Who can be told, and what holds for all that it is told. */
export type Tellable = {
  readonly key: NeighborKey;
  readonly families: readonly Family[];
  /** The name by which BGPAdvertisements know it; undefined: they do not. */
  readonly peer: string | undefined;
  /** toAdvertise.nextHop: set on everything of that family. */
  readonly nextHops: Readonly<Partial<Record<Family, Address>>>;
};

/** What is the same for all neighbours of a speaker. */
type Shared = {
  readonly options: SpeakerOptions;
  readonly guard: ReceiveGuard | undefined;
  readonly restartTimeSeconds: number;
  readonly bfdOf: SpeakerBfdOf;
};

export type PlannedRouters = ReadonlyMap<BackendName, readonly PlannedRouter[]>;

export type PlannedNeighbors = {
  /** Of each speaker. */
  readonly routers: PlannedRouters;
  readonly peers: ReadonlyMap<ResourceKey, PeerVerdict>;
  readonly neighbors: ReadonlyMap<NeighborKey, NeighborVerdict>;
};

export function planNeighbors(desired: DesiredState, options: PlanOptions): PlannedNeighbors {
  const claims = ownersHere(desired)
    .filter(({ key }) => !desired.quarantined.has(key))
    .map((owner) => claimsOf(desired, owner));
  const guard = guardOf(desired);
  const restartTimeSeconds = desired.host?.facts.restartTimeSeconds ?? RESTART_TIME_SECONDS;
  const neighbors = new Map<NeighborKey, NeighborVerdict>();
  const routers = new Map(
    speakersOf(options).map((speaker) => {
      const bfdOf = speakerBfdOf(desired, claims, speaker);
      const shared: Shared = { options: speaker, guard, restartTimeSeconds, bfdOf };
      return [speaker.backend, routersOf(desired, claims, options, shared, neighbors)] as const;
    }),
  );
  return { routers, peers: peerVerdicts(desired, neighbors), neighbors };
}

/** One speaker's, with its own neighbours alone; what becomes of those is entered into `verdicts`. */
function routersOf(
  desired: DesiredState,
  claims: readonly Claims[],
  all: PlanOptions,
  shared: Shared,
  verdicts: Map<NeighborKey, NeighborVerdict>,
): readonly PlannedRouter[] {
  const { options } = shared;
  const routers: PlannedRouter[] = [];
  const leaks = has(options, "vrf-import");
  const merged = merge(claims, leaks);
  const imported = new Set(leaks ? merged.flatMap(({ imports }) => imports) : []);
  for (const router of merged) {
    const opened: MergedNeighbor[] = [];
    for (const neighbor of router.neighbors) {
      const rule = givenBy(desired, neighbor);
      const backend = rule?.resource.spec.backend ?? all.backend;
      const nobody = notRun(backend, all);
      // Who is given to nobody is refused once, with the first speaker's.
      if ((nobody === undefined ? backend : all.backend) !== options.backend) continue;
      const reason = nobody ?? refusal(neighbor, options);
      const verdict: NeighborVerdict["verdict"] =
        reason === undefined
          ? { type: "opened", neighbor: neighbor.key, router: router.key }
          : { type: "refused", reason };
      verdicts.set(neighbor.key, { neighbor, backend, verdict });
      if (verdict.type === "opened") opened.push(given(neighbor, rule?.fact));
    }
    // Without a neighbour a router is of use where VRFs leak, or for its EVPN.
    const isUsed =
      opened.length > 0 ||
      imported.has(router.vrf) ||
      (leaks && router.imports.length > 0) ||
      (has(options, "evpn") && router.evpn !== undefined);
    const canBe = router.vrf === "" || has(options, "vrf");
    if (isUsed && canBe) routers.push(plannedRouter(router, opened, shared));
  }
  return routers;
}

/** With the fact that gave it to its speaker, behind its owners'. */
function given(neighbor: MergedNeighbor, fact: EventId | undefined): MergedNeighbor {
  if (fact === undefined) return neighbor;
  const [first, ...rest] = neighbor.owners;
  return { ...neighbor, owners: [{ ...first, facts: [...first.facts, fact] }, ...rest] };
}

function peerVerdicts(
  desired: DesiredState,
  neighbors: PlannedNeighbors["neighbors"],
): PlannedNeighbors["peers"] {
  const found = new Map<ResourceKey, PeerVerdict>();
  for (const { neighbor, verdict } of neighbors.values()) {
    for (const { resource } of neighbor.owners) found.set(resource, verdict);
  }
  const here = new Set(ownersHere(desired).map(({ key }) => key));
  return new Map(
    [...resourcesOf(desired, "metallb.io/BGPPeer").keys()]
      .toSorted(compare)
      .map((key): [ResourceKey, PeerVerdict] => {
        if (!here.has(key)) return [key, { type: "not-selected" }];
        const quarantine = desired.quarantined.get(key);
        if (quarantine !== undefined)
          return [key, { type: "quarantined", reason: quarantine.reason }];
        return [key, found.get(key) ?? { type: "refused", reason: "its Secret is missing" }];
      }),
  );
}

function plannedRouter(
  { key, vrf, asn, routerId, imports, evpn }: MergedRouter,
  opened: readonly MergedNeighbor[],
  shared: Shared,
): PlannedRouter {
  const { options } = shared;
  return {
    router: {
      key,
      vrf,
      localAs: asn,
      routerId,
      neighbors: opened.map((one) => intentOf(one, shared)),
      imports: has(options, "vrf-import") ? imports : [],
      evpn: has(options, "evpn") ? evpn : undefined,
    },
    tellable: opened.map(({ peer, nextHops, ...one }) => ({
      key: one.key,
      families: familiesOf(one),
      peer,
      nextHops,
    })),
  };
}

/** One object for all neighbours: what the configuration of this host says whatever manifests do. */
function guardOf(desired: DesiredState): ReceiveGuard | undefined {
  const said = desired.host?.facts.receive;
  if (said === undefined) return undefined;
  const { alwaysBlock, maximumPrefixes, warnAtPercent, beyond, restartAfterSeconds } = said;
  const then =
    beyond === "restart"
      ? ({ type: beyond, afterSeconds: restartAfterSeconds } as const)
      : ({ type: beyond } as const);
  const maximum = (count: number | undefined): MaximumPrefixes | undefined =>
    count === undefined ? undefined : { count, warnAtPercent, beyond: then };
  const [ipv4, ipv6] = [maximum(maximumPrefixes.ipv4), maximum(maximumPrefixes.ipv6)];
  return {
    alwaysBlock,
    maximumPrefixes: {
      ...(ipv4 === undefined ? {} : { ipv4 }),
      ...(ipv6 === undefined ? {} : { ipv6 }),
    },
    checkFirstAs: true,
  };
}

function intentOf(neighbor: MergedNeighbor, shared: Shared): NeighborIntent {
  const { key, name, remoteAs, remote, source, secret, receive } = neighbor;
  const { options, guard, restartTimeSeconds, bfdOf } = shared;
  return {
    key,
    name,
    backend: options.backend,
    remoteAs,
    remote,
    localAddress: source?.type === "address" ? source.address : undefined,
    ...(source?.type === "interface" ? { localInterface: source.interface } : {}),
    localAsOverride: neighbor.localAsOverride,
    ...timersOf(neighbor),
    timeToLive:
      isExternal(neighbor) && !neighbor.ebgpMultiHop ? DIRECT_TIME_TO_LIVE : DISTANT_TIME_TO_LIVE,
    authentication: secret === undefined ? undefined : { type: "tcp-md5", secret },
    families: familiesOf(neighbor),
    carriesEvpn: has(options, "evpn") && neighbor.addressFamilies.includes("evpn"),
    gracefulRestart: neighbor.gracefulRestart ? { restartTimeSeconds } : undefined,
    receiveGuard: guard,
    waitsForBfd: neighbor.bfd?.strictMode ?? false,
    speakerBfd: bfdOf(neighbor),
    receive,
    provenance: [...new Set(neighbor.owners.flatMap(({ facts }) => facts))],
  };
}

function timersOf({
  timers,
  connectTimeSeconds,
  peer,
}: Pick<MergedNeighbor, "timers" | "connectTimeSeconds" | "peer">): Pick<
  NeighborIntent,
  "holdTimeSeconds" | "keepaliveTimeSeconds" | "connectRetrySeconds"
> {
  const metallb = peer !== undefined;
  const connectRetrySeconds =
    connectTimeSeconds ?? (metallb ? CONNECT_RETRY_SECONDS : FRR_CONNECT_SECONDS);
  if (timers.type === "given") {
    const { holdTimeSeconds, keepaliveTimeSeconds } = timers;
    return { holdTimeSeconds, keepaliveTimeSeconds, connectRetrySeconds };
  }
  return {
    holdTimeSeconds: metallb ? HOLD_TIME_SECONDS : FRR_HOLD_TIME_SECONDS,
    keepaliveTimeSeconds: metallb ? Math.floor(HOLD_TIME_SECONDS / 3) : FRR_KEEPALIVE_SECONDS,
    connectRetrySeconds,
  };
}

const isExternal = ({
  remoteAs,
  localAsn,
  localAsOverride,
}: Pick<MergedNeighbor, "remoteAs" | "localAsn" | "localAsOverride">): boolean =>
  remoteAs.type === "external" ||
  (remoteAs.type === "asn" && remoteAs.asn !== (localAsOverride ?? localAsn));

/** The session's own family, or both (rules.md §2.2.8). */
function familiesOf({
  remote,
  dualStack,
  addressFamilies,
}: Pick<MergedNeighbor, "remote" | "dualStack" | "addressFamilies">): readonly Family[] {
  if (!addressFamilies.includes("unicast")) return [];
  if (remote.type === "interface" || dualStack) return ["ipv4", "ipv6"];
  return [familyOf(remote.address)];
}
