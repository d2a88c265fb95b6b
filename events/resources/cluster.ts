/**
 * baremetal.cluster.gke.io Cluster, its `loadBalancer` part: control-plane sessions and pools of Anthos' bundled load balancer.
 *
 * Everything else of a Cluster is known by name and says nothing to a host. Which nodes are there at all is read from
 * `controlPlane.nodePoolSpec`, for each of them needs a peer.
 */
import * as z from "zod";
import type { Address } from "../address.ts";
import { type Asn, asn } from "../ids.ts";
import { prefixContains, hostPrefix } from "../prefix.ts";
import { addressAt, flag, MAX_PORT, MAX_UINT32, text, texts, unicastAt, whole } from "./fields.ts";
import { GATEWAY_ANNOTATION } from "./metadata.ts";
import { type AddressEntry, addressEntryAt, refuseOverlaps } from "./ranges.ts";
import { type Manifest, type Path, type Reading, refuseDuplicates } from "./reading.ts";
import type { Typed } from "./resource.ts";
import { warnUnknown } from "./unknown.ts";

export type Cluster = Typed<"baremetal.cluster.gke.io/Cluster", ClusterSpec>;

export type ClusterSpec = {
  readonly balancing:
    | { readonly type: "bgp"; readonly localAsn: Asn; readonly peers: readonly ControlPlanePeer[] }
    /** Bundled, by ARP. */
    | { readonly type: "layer2" }
    /** Somebody else's load balancer. */
    | { readonly type: "manual" };
  readonly controlPlaneVip?: Address;
  readonly controlPlanePort: number;
  readonly ingressVip?: Address;
  readonly pools: readonly { readonly name: string; readonly addresses: readonly AddressEntry[] }[];
  /** Next hops of the data plane; empty: the control-plane nodes. */
  readonly loadBalancerNodes: readonly Address[];
  /** Empty where the manifest does not list them. */
  readonly controlPlaneNodes: readonly Address[];
};

export type ControlPlanePeer = {
  readonly address: Address;
  readonly asn: Asn;
  /** Nodes that open a session to it; empty: all of the control plane. */
  readonly nodes: readonly Address[];
};

const nodePool = z.looseObject({ nodes: z.array(z.looseObject({ address: text })).optional() });
const writtenPeer = z.looseObject({
  ip: text,
  asn: whole(1, MAX_UINT32),
  controlPlaneNodes: texts.optional(),
});
const writtenPool = z.looseObject({
  name: text,
  addresses: texts.min(1, "needs at least one prefix or range"),
});
const writtenVips = z.looseObject({
  controlPlaneVIP: text.optional(),
  ingressVIP: text.optional(),
});
const writtenPorts = z.looseObject({ controlPlaneLBPort: whole(1, MAX_PORT).optional() });
const writtenBalancer = z.looseObject({
  mode: z.enum(["bundled", "manual"]).optional(),
  type: z.enum(["bgp", "layer2"]).optional(),
  localASN: whole(1, MAX_UINT32).optional(),
  bgpPeers: z.array(writtenPeer).optional(),
  ports: writtenPorts.optional(),
  vips: writtenVips.optional(),
  addressPools: z.array(writtenPool).optional(),
  nodePoolSpec: nodePool.optional(),
});
export const writtenCluster = z.looseObject({
  loadBalancer: writtenBalancer,
  clusterNetwork: z.looseObject({ advancedNetworking: flag.optional() }).optional(),
  controlPlane: z.looseObject({ nodePoolSpec: nodePool.optional() }).optional(),
});
type Written = z.infer<typeof writtenCluster>;
type Balancer = Written["loadBalancer"];

const IGNORED =
  "type profile anthosBareMetalVersion anthosBareMetalPlatform authentication binaryAuthorization bypassPreflightCheck clusterOperations clusterSecurity gkeConnect gkeVersion kubevirt maintenanceBlocks nodeAccess nodeConfig nodePoolUpgradeStrategy osEnvironmentConfig proxy storage workloadNode".split(
    " ",
  );
const AT: Path = ["spec", "loadBalancer"];

export function clusterSpec(written: Written, manifest: Manifest, reading: Reading): ClusterSpec {
  const balancer = written.loadBalancer;
  warnUnknown(reading, ["spec"], written, writtenCluster, IGNORED);
  warnUnknown(reading, AT, balancer, writtenBalancer);
  const controlPlaneNodes = nodesAt(
    reading,
    ["spec", "controlPlane", "nodePoolSpec"],
    written.controlPlane?.nodePoolSpec,
  );
  const balancing = balancingOf(balancer, reading);
  if (balancing.type === "bgp") {
    requireGateway(written, manifest, reading);
    requirePeers(controlPlaneNodes, balancing.peers, reading);
  }
  const controlPlaneVip = unicastAt(
    reading,
    [...AT, "vips", "controlPlaneVIP"],
    balancer.vips?.controlPlaneVIP,
  );
  const ingressVip = unicastAt(reading, [...AT, "vips", "ingressVIP"], balancer.vips?.ingressVIP);
  const pools = poolsOf(balancer, reading);
  requireInsidePool(ingressVip, pools, reading);
  return {
    balancing,
    ...(controlPlaneVip === undefined ? {} : { controlPlaneVip }),
    controlPlanePort: balancer.ports?.controlPlaneLBPort ?? 443,
    ...(ingressVip === undefined ? {} : { ingressVip }),
    pools,
    loadBalancerNodes: nodesAt(reading, [...AT, "nodePoolSpec"], balancer.nodePoolSpec),
    controlPlaneNodes,
  };
}

function balancingOf(balancer: Balancer, reading: Reading): ClusterSpec["balancing"] {
  if (balancer.mode === "manual" && balancer.type === "bgp") {
    reading.refuse([...AT, "mode"], "exclusive-fields", "type bgp needs mode bundled");
  }
  if (balancer.mode === "manual") return { type: "manual" };
  if (balancer.type !== "bgp") return { type: "layer2" };
  const { localASN, bgpPeers = [] } = balancer;
  if (localASN === undefined)
    reading.refuse([...AT, "localASN"], "required", "type bgp needs the control plane's AS");
  if (bgpPeers.length === 0)
    reading.refuse(
      [...AT, "bgpPeers"],
      "required",
      "type bgp needs at least one peer; two are advised",
    );
  if (bgpPeers.length === 1)
    reading.warn(
      [...AT, "bgpPeers"],
      "out-of-range",
      "one peer is a single point of failure: two or more are advised",
    );
  const peers = bgpPeers.flatMap((peer, i) => peerAt(peer, i, reading));
  // The number only fills the place of one that was refused.
  return { type: "bgp", localAsn: asn(localASN ?? 1), peers };
}

function peerAt(
  peer: z.infer<typeof writtenPeer>,
  i: number,
  reading: Reading,
): ControlPlanePeer[] {
  const path = [...AT, "bgpPeers", i];
  warnUnknown(reading, path, peer, writtenPeer);
  const nodes = (peer.controlPlaneNodes ?? []).flatMap(
    (node, k) => unicastAt(reading, [...path, "controlPlaneNodes", k], node, "required") ?? [],
  );
  const address = unicastAt(reading, [...path, "ip"], peer.ip, "required");
  return address === undefined ? [] : [{ address, asn: asn(peer.asn), nodes }];
}

function requireGateway(written: Written, manifest: Manifest, reading: Reading): void {
  const on =
    manifest.metadata.annotations[GATEWAY_ANNOTATION] === "true" ||
    written.clusterNetwork?.advancedNetworking === true;
  if (on) return;
  reading.refuse(
    ["spec", "clusterNetwork", "advancedNetworking"],
    "required",
    `type bgp needs advancedNetworking: true, or the older annotation ${GATEWAY_ANNOTATION}: "true"`,
  );
}

function requirePeers(
  nodes: readonly Address[],
  peers: readonly ControlPlanePeer[],
  reading: Reading,
): void {
  if (peers.some((peer) => peer.nodes.length === 0)) return;
  const served = new Set(peers.flatMap((peer) => peer.nodes));
  const alone = nodes.filter((node) => !served.has(node));
  if (alone.length === 0) return;
  reading.refuse(
    [...AT, "bgpPeers"],
    "required",
    `each control-plane node needs a peer, and none names ${alone.slice(0, 3).join(", ")}`,
  );
}

function poolsOf(balancer: Balancer, reading: Reading): ClusterSpec["pools"] {
  const path = [...AT, "addressPools"];
  const placed: { path: Path; entry: AddressEntry }[] = [];
  const pools = (balancer.addressPools ?? []).map((pool, i) => {
    warnUnknown(reading, [...path, i], pool, writtenPool, [
      "autoAssign",
      "avoidBuggyIPs",
      "manualAssign",
    ]);
    const addresses = pool.addresses.flatMap((line, k) => {
      const at = [...path, i, "addresses", k];
      const entry = addressEntryAt(reading, at, line);
      if (entry !== undefined) placed.push({ path: at, entry });
      return entry ?? [];
    });
    return { name: pool.name, addresses };
  });
  refuseDuplicates(reading, path, pools, ({ name }) => name, "this name");
  refuseOverlaps(reading, placed);
  return pools;
}

function requireInsidePool(
  vip: Address | undefined,
  pools: ClusterSpec["pools"],
  reading: Reading,
): void {
  if (vip === undefined || reading.refusals.length > 0) return;
  const prefixes = pools.flatMap((pool) => pool.addresses.flatMap((entry) => entry.prefixes));
  if (prefixes.some((prefix) => prefixContains(prefix, hostPrefix(vip)))) return;
  reading.refuse(
    [...AT, "vips", "ingressVIP"],
    "out-of-range",
    `${vip} is in none of the address pools`,
  );
}

function nodesAt(
  reading: Reading,
  path: Path,
  pool: z.infer<typeof nodePool> | undefined,
): readonly Address[] {
  return (pool?.nodes ?? []).flatMap(
    ({ address }, i) =>
      addressAt(reading, [...path, "nodes", i, "address"], address, "required") ?? [],
  );
}
