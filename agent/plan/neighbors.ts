/**
 * BGPPeers → neighbours with every parameter pinned, gathered into routers.
 *
 * Pure. Defaults are pinned here and nowhere else, because they differ between the speakers (manifests.md §7): hold 90 s as
 * MetalLB's native speaker and GoBGP, keepalive a third of it (RFC 4271 §4.4), ConnectRetryTime 120 s (RFC 4271 §10).
 */
import type { Capabilities } from "../../backends/backend.ts";
import type { BackendName, NeighborIntent, RouterIntent } from "../../backends/intent.ts";
import type { Family } from "../../events/address.ts";
import { familyOf } from "../../events/address.ts";
import type { EventId, NeighborKey, ResourceKey } from "../../events/ids.ts";
import { resourceKey } from "../../events/ids.ts";
import type { BgpPeer } from "../../events/resources/bgp-peer.ts";
import { type DesiredState, type Held, resourcesOf } from "../../events/state.ts";
import { keyOfPeer } from "./conflicts.ts";
import { anySelects, nodeLabels } from "./labels.ts";
import { optionsOfPeer } from "./bfd-profile.ts";
import { secretOfPeer } from "./secrets.ts";

const HOLD_TIME_SECONDS = 90;
const CONNECT_RETRY_SECONDS = 120;
/** What FRR and BIRD offer; longer than any start that was measured. RFC 4724 §3 has 12 bits for it. */
const RESTART_TIME_SECONDS = 120;
/** An external neighbour is on the link unless the manifest says otherwise (RFC 4271 §5.1.3, FRR's rule). */
const DIRECT_TIME_TO_LIVE = 1;
const DISTANT_TIME_TO_LIVE = 255;

export type PeerVerdict =
  | { readonly type: "opened"; readonly neighbor: NeighborKey; readonly router: string }
  | { readonly type: "not-selected" }
  | { readonly type: "quarantined"; readonly reason: string }
  | { readonly type: "refused"; readonly reason: string };

export type PlanOptions = { readonly backend: BackendName; readonly capabilities: Capabilities };

/** A router without its routes; the plan adds them. */
export type PlannedRouter = Omit<RouterIntent, "routes">;

export type PlannedNeighbors = {
  readonly routers: readonly PlannedRouter[];
  readonly verdicts: ReadonlyMap<ResourceKey, PeerVerdict>;
};

export function planNeighbors(desired: DesiredState, options: PlanOptions): PlannedNeighbors {
  const labels = nodeLabels(desired);
  const verdicts = new Map<ResourceKey, PeerVerdict>();
  const routers = new Map<string, PlannedRouter>();
  const peers = [...resourcesOf(desired, "metallb.io/BGPPeer").values()].toSorted((a, b) =>
    a.key < b.key ? -1 : 1,
  );
  for (const held of peers) {
    const verdict = judgePeer(desired, held, labels, options);
    verdicts.set(held.key, verdict);
    if (verdict.type !== "opened") continue;
    const { localAsn, routerId, vrf } = held.resource.spec;
    const router = routers.get(verdict.router) ?? {
      key: verdict.router,
      vrf,
      localAs: localAsn,
      routerId,
      neighbors: [],
    };
    const neighbors = [...router.neighbors, neighborOf(desired, held, verdict.neighbor, options)];
    routers.set(verdict.router, {
      ...router,
      neighbors: neighbors.toSorted((a, b) => (a.key < b.key ? -1 : 1)),
    });
  }
  return {
    routers: [...routers.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1)),
    verdicts,
  };
}

function judgePeer(
  desired: DesiredState,
  { key, resource }: Held<BgpPeer>,
  labels: Parameters<typeof anySelects>[1],
  { capabilities, backend }: PlanOptions,
): PeerVerdict {
  const { spec } = resource;
  if (!anySelects(spec.nodeSelectors, labels)) return { type: "not-selected" };
  const quarantine = desired.quarantined.get(key);
  if (quarantine !== undefined) return { type: "quarantined", reason: quarantine.reason };
  const needs = [
    spec.remote.type === "interface" ? ("unnumbered" as const) : undefined,
    spec.vrf === "" ? undefined : ("vrf" as const),
    spec.authentication.type === "none" ? undefined : ("tcp-md5" as const),
  ];
  for (const capability of needs) {
    if (capability !== undefined && !capabilities.has.has(capability)) {
      const why = capabilities.missing.get(capability) ?? "not carried yet";
      return { type: "refused", reason: `the ${backend} speaker has no ${capability}: ${why}` };
    }
  }
  const router = `${spec.vrf}|${spec.localAsn}|${spec.routerId ?? ""}`;
  return { type: "opened", neighbor: keyOfPeer(resource), router };
}

function neighborOf(
  desired: DesiredState,
  held: Held<BgpPeer>,
  key: NeighborKey,
  { backend }: PlanOptions,
): NeighborIntent {
  const { spec, metadata } = held.resource;
  const secret = secretOfPeer(desired, held.resource);
  const holdTimeSeconds =
    spec.timers.type === "given" ? spec.timers.holdTimeSeconds : HOLD_TIME_SECONDS;
  return {
    key,
    name: metadata.name,
    backend,
    remoteAs: spec.remoteAs,
    remote:
      spec.remote.type === "address"
        ? spec.remote
        : { type: "interface", interface: spec.remote.interface },
    localAddress: spec.sourceAddress,
    // Not carried yet (carried.ts): the router's own AS is shown.
    localAsOverride: undefined,
    holdTimeSeconds,
    keepaliveTimeSeconds:
      spec.timers.type === "given"
        ? spec.timers.keepaliveTimeSeconds
        : Math.floor(holdTimeSeconds / 3),
    connectRetrySeconds: spec.connectTimeSeconds ?? CONNECT_RETRY_SECONDS,
    timeToLive: isExternal(spec) && !spec.ebgpMultiHop ? DIRECT_TIME_TO_LIVE : DISTANT_TIME_TO_LIVE,
    authentication:
      secret.type === "found" ? { type: "tcp-md5", secret: secret.secret } : undefined,
    families: familiesOf(spec),
    gracefulRestart: spec.enableGracefulRestart
      ? { restartTimeSeconds: RESTART_TIME_SECONDS }
      : undefined,
    waitsForBfd: optionsOfPeer(desired, held.resource)?.resource.spec.strictMode ?? false,
    receive: { type: "nothing" },
    provenance: [held.fact, ...secretFact(desired, held.resource)],
  };
}

const isExternal = ({ remoteAs, localAsn }: BgpPeer["spec"]): boolean =>
  remoteAs.type === "external" || (remoteAs.type === "asn" && remoteAs.asn !== localAsn);

/** The session's own family, or both (rules.md §2.2.8). */
function familiesOf({ remote, dualStackAddressFamily }: BgpPeer["spec"]): readonly Family[] {
  if (remote.type === "interface" || dualStackAddressFamily) return ["ipv4", "ipv6"];
  return [familyOf(remote.address)];
}

function secretFact(desired: DesiredState, { spec, metadata }: BgpPeer): readonly EventId[] {
  if (spec.authentication.type !== "reference") return [];
  const { name, namespace } = spec.authentication;
  const key = resourceKey("", "Secret", namespace || metadata.namespace, name);
  const held = resourcesOf(desired, "/Secret").get(key);
  return held === undefined ? [] : [held.fact];
}
