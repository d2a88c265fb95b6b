/**
 * The FRRConfiguration that MetalLB would have generated for this host: what BGPPeers, pools, advertisements and Services say here.
 *
 * Pure. A manifest, never in force by itself: it is the plan of those kinds alone, for a speaker that can do everything, written
 * down as reference/rules.md §2.2.10 says: one object for a node, prefixes at the router, filters at the neighbours, nothing
 * received. Unlike upstream it carries sourceaddress and localASN, and every timer, for the defaults of the kinds differ.
 */
import type { Capability } from "../../backends/backend.ts";
import type { NeighborIntent, RouterIntent } from "../../backends/intent.ts";
import type { NeighborKey } from "../../events/ids.ts";
import { comparePrefixes, type Prefix } from "../../events/prefix.ts";
import type { BfdProfileSpec } from "../../events/resources/bfd-profile.ts";
import { communityText } from "../../events/resources/communities.ts";
import { BGP_PORT } from "../../events/resources/session.ts";
import { type DesiredState, resourcesOf } from "../../events/state.ts";
import type { MergedNeighbor } from "./merge.ts";
import { compare } from "./order.ts";
import { plan, type Plan } from "./plan.ts";

export type Generated = {
  readonly apiVersion: "frrk8s.metallb.io/v1beta1";
  readonly kind: "FRRConfiguration";
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly spec: object;
};

/** Where MetalLB and frr-k8s live where nobody says otherwise. */
const NAMESPACE = "metallb-system";
/** Marks what nobody wrote; never an object in force. */
const GENERATED = "rutter/generated";
/** Peers that one FRRConfiguration can't say, and secrets that have to be applied beside it. */
const LEFT_OUT = "rutter/left-out";
const NEEDS = "rutter/needs-secret";

/** Of MetalLB's kinds nothing needs more. */
const EVERYTHING: readonly Capability[] = [
  "tcp-md5",
  "graceful-restart",
  "unnumbered",
  "vrf",
  "local-as",
  "routers-per-vrf",
];

const NOT_METALLB = [
  "frrk8s.metallb.io/FRRConfiguration",
  "rutter/PeerBackend",
  "rutter/RouteExport",
  "rutter/RouteImport",
] as const;

export function generatedConfiguration(desired: DesiredState): Generated {
  const made = plan(withoutOthers(desired), {
    backend: "frr",
    capabilities: { has: new Set(EVERYTHING), missing: new Map() },
    kernel: { has: new Set(), missing: new Map() },
  });
  const routers = made.speakers.frr?.routers ?? [];
  // A VRF has one router here; BGPPeers of another AS or router id are another router of theirs.
  const kept = [...Map.groupBy(routers, ({ vrf }) => vrf).values()]
    .flatMap(([first]) => first ?? [])
    .toSorted((a, b) => compare(a.vrf, b.vrf));
  const leftOut = routers
    .filter((one) => !kept.includes(one))
    .flatMap(({ neighbors }) => neighbors.map(({ name }) => name));
  const known = contextOf(desired, made, kept);
  const node = desired.host?.facts.node ?? "";
  const listed = kept.map((router) => routerOf(router, known));
  const secrets = [...known.needs].toSorted();
  return {
    apiVersion: "frrk8s.metallb.io/v1beta1",
    kind: "FRRConfiguration",
    metadata: {
      name: `metallb-${node}`,
      namespace: known.namespace,
      labels: { [GENERATED]: "true" },
      annotations: {
        [GENERATED]: "from BGPPeers, IPAddressPools, BGPAdvertisements and Services of this host",
        ...(leftOut.length === 0 ? {} : { [LEFT_OUT]: leftOut.toSorted().join(", ") }),
        ...(secrets.length === 0 ? {} : { [NEEDS]: secrets.join(", ") }),
      },
    },
    spec: {
      bgp: {
        ...(known.profiles.size === 0
          ? {}
          : {
              bfdProfiles: [...known.profiles]
                .toSorted(([a], [b]) => compare(a, b))
                .map(([name, spec]) => profileOf(name, spec)),
            }),
        routers: listed,
      },
      nodeSelector: { matchLabels: { "kubernetes.io/hostname": node } },
    },
  };
}

function withoutOthers(desired: DesiredState): DesiredState {
  const resources = { ...desired.resources };
  for (const type of NOT_METALLB) delete resources[type];
  return { ...desired, resources };
}

type Known = {
  readonly desired: DesiredState;
  readonly merged: Plan["neighbors"];
  readonly namespace: string;
  readonly profiles: ReadonlyMap<string, BfdProfileSpec>;
  /** Secrets that are named here and that no manifest brings. */
  readonly needs: Set<string>;
};

function contextOf(desired: DesiredState, made: Plan, routers: readonly RouterIntent[]): Known {
  const shown = new Set<NeighborKey>(routers.flatMap((one) => one.neighbors.map(({ key }) => key)));
  const merged = [...made.neighbors].filter(([key]) => shown.has(key));
  const [home] = merged.flatMap(
    ([, { neighbor }]) => neighbor.owners[0].resource.split("/")[2] ?? [],
  );
  return {
    desired,
    merged: made.neighbors,
    namespace: home ?? NAMESPACE,
    profiles: new Map(
      merged.flatMap(
        ([
          ,
          {
            neighbor: { bfd },
          },
        ]) => (bfd?.spec === undefined ? [] : [[bfd.name, bfd.spec] as const]),
      ),
    ),
    needs: new Set(),
  };
}

/** Absent members are left out, so that the text is what a person would write. */
const written = (fields: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== false),
  );

const profileOf = (name: string, spec: BfdProfileSpec): object => ({
  name,
  receiveInterval: spec.receiveIntervalMillis,
  transmitInterval: spec.transmitIntervalMillis,
  detectMultiplier: spec.detectMultiplier,
  ...written({ echoMode: spec.echoMode, passiveMode: spec.passiveMode }),
  echoInterval: spec.echoIntervalMillis,
  minimumTtl: spec.minimumTtl,
});

function routerOf(router: RouterIntent, known: Known): object {
  const prefixes = [...router.routes.keys()].toSorted(comparePrefixes);
  return {
    asn: router.localAs,
    ...written({ id: router.routerId, vrf: router.vrf === "" ? undefined : router.vrf }),
    neighbors: router.neighbors.map((one) => neighborOf(one, router, known)),
    ...(prefixes.length === 0 ? {} : { prefixes }),
  };
}

function neighborOf(intent: NeighborIntent, router: RouterIntent, known: Known): object {
  const merged = known.merged.get(intent.key)?.neighbor;
  if (merged === undefined) throw new Error("an intent's neighbour was merged");
  const { remote, remoteAs, source } = merged;
  return written({
    asn: remoteAs.type === "asn" ? remoteAs.asn : undefined,
    dynamicASN: remoteAs.type === "asn" ? undefined : remoteAs.type,
    address: remote.type === "address" ? remote.address : undefined,
    interface: remote.type === "interface" ? remote.interface : undefined,
    port: remote.port === BGP_PORT ? undefined : remote.port,
    sourceaddress: source?.type === "address" ? source.address : source?.interface,
    passwordSecret: secretOf(merged, known),
    holdTime: `${intent.holdTimeSeconds}s`,
    keepaliveTime: `${intent.keepaliveTimeSeconds}s`,
    connectTime: `${intent.connectRetrySeconds}s`,
    ebgpMultiHop: merged.ebgpMultiHop,
    bfdProfile: merged.bfd?.name,
    enableGracefulRestart: merged.gracefulRestart,
    dualStackAddressFamily: merged.dualStack,
    localASN: merged.localAsOverride,
    toAdvertise: advertiseOf(intent.key, router),
  });
}

/** The Secret that the peer names; of a password in the peer itself, the Secret that it would have to be in. */
function secretOf(
  { owners, secret }: MergedNeighbor,
  { desired, namespace, needs }: Known,
): object | undefined {
  if (secret === undefined) return undefined;
  const owner = resourcesOf(desired, "metallb.io/BGPPeer").get(owners[0].resource)?.resource;
  if (owner === undefined) throw new Error("without FRRConfigurations every owner is a BGPPeer");
  const { metadata, spec } = owner;
  if (spec.authentication.type === "reference") {
    const { name, namespace: named } = spec.authentication;
    return { name, namespace: named || metadata.namespace };
  }
  const name = `${metadata.name}-password`;
  needs.add(`${namespace}/${name}: the password of BGPPeer ${metadata.name}`);
  return { name, namespace };
}

/** Everything by name, `filtered`; each value of localPref and community once, with its prefixes. */
function advertiseOf(key: NeighborKey, { routes }: RouterIntent): object {
  const told: Prefix[] = [];
  const localPrefs = new Map<number, Prefix[]>();
  const communities = new Map<string, Prefix[]>();
  const join = <K>(into: Map<K, Prefix[]>, value: K, prefix: Prefix): void => {
    const known = into.get(value);
    if (known === undefined) into.set(value, [prefix]);
    else known.push(prefix);
  };
  for (const prefix of [...routes.keys()].toSorted(comparePrefixes)) {
    const mine = routes.get(prefix)?.exports.find(({ to }) => to.includes(key));
    if (mine === undefined) continue;
    const { localPref, communities: standard, largeCommunities } = mine.attributes;
    told.push(prefix);
    if (localPref !== undefined) join(localPrefs, localPref, prefix);
    for (const value of standard)
      join(communities, communityText({ type: "standard", value }), prefix);
    for (const value of largeCommunities)
      join(communities, communityText({ type: "large", value }), prefix);
  }
  return {
    allowed: { mode: "filtered", ...(told.length === 0 ? {} : { prefixes: told }) },
    ...(localPrefs.size === 0
      ? {}
      : {
          withLocalPref: [...localPrefs]
            .toSorted(([a], [b]) => a - b)
            .map(([localPref, prefixes]) => ({ localPref, prefixes })),
        }),
    ...(communities.size === 0
      ? {}
      : {
          withCommunity: [...communities]
            .toSorted(([a], [b]) => compare(a, b))
            .map(([community, prefixes]) => ({ community, prefixes })),
        }),
  };
}
