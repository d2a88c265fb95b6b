/**
 * The kinds of Anthos' bundled load balancer: Cluster, gateway group, BGPLoadBalancer, BGPPeer of networking.gke.io.
 */
import { describe, expect, test } from "vitest";
import { manifest, refusals, resourceOf, specOf, warnings, type Written } from "./parsing.ts";

const bgp = {
  mode: "bundled",
  type: "bgp",
  localASN: 65001,
  bgpPeers: [
    { ip: "10.0.1.254", asn: 65002 },
    { ip: "10.0.2.254", asn: 65002 },
  ],
  vips: { controlPlaneVIP: "10.0.0.8", ingressVIP: "10.0.0.1" },
  addressPools: [{ name: "p", addresses: ["10.0.0.1-10.0.0.4"] }],
};
const cluster = (part: Written, more: Written = {}) =>
  manifest("baremetal.cluster.gke.io/v1", "Cluster", {
    clusterNetwork: { advancedNetworking: true },
    loadBalancer: { ...bgp, ...part },
    ...more,
  });
const L = "spec.loadBalancer";

describe("Cluster", () => {
  test("gives its load balancer, the port filled in", () => {
    expect(specOf("baremetal.cluster.gke.io/Cluster", cluster({}))).toMatchObject({
      balancing: {
        type: "bgp",
        localAsn: 65001,
        peers: [{ address: "10.0.1.254", asn: 65002, nodes: [] }, {}],
      },
      controlPlaneVip: "10.0.0.8",
      controlPlanePort: 443,
      pools: [
        { name: "p", addresses: [{ prefixes: ["10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/32"] }] },
      ],
    });
  });

  test("without a type it is layer2, and manual needs nothing", () => {
    expect(
      specOf("baremetal.cluster.gke.io/Cluster", cluster({ type: undefined })).balancing,
    ).toEqual({ type: "layer2" });
    expect(
      specOf("baremetal.cluster.gke.io/Cluster", cluster({ mode: "manual", type: undefined }))
        .balancing,
    ).toEqual({ type: "manual" });
  });

  test.for<[string, Written, string]>([
    ["bgp with mode manual", { mode: "manual" }, `${L}.mode exclusive-fields`],
    ["bgp without an AS", { localASN: undefined }, `${L}.localASN required`],
    ["bgp without peers", { bgpPeers: [] }, `${L}.bgpPeers required`],
    [
      "a peer that is no address",
      {
        bgpPeers: [
          { ip: "x", asn: 1 },
          { ip: "10.0.0.9", asn: 1 },
        ],
      },
      `${L}.bgpPeers[0].ip bad-value`,
    ],
    ["a peer without an AS", { bgpPeers: [{ ip: "10.0.0.9" }] }, `${L}.bgpPeers[0].asn required`],
    [
      "an ingressVIP outside the pools",
      { vips: { ingressVIP: "10.0.0.5" } },
      `${L}.vips.ingressVIP out-of-range`,
    ],
    [
      "pools that overlap",
      {
        addressPools: [
          { name: "p", addresses: ["10.0.0.0/24"] },
          { name: "q", addresses: ["10.0.0.9-10.0.0.9"] },
        ],
      },
      `${L}.addressPools[1].addresses[0] overlap`,
    ],
    [
      "two pools of one name",
      {
        addressPools: [
          { name: "p", addresses: ["10.0.0.0/24"] },
          { name: "p", addresses: ["10.0.1.0/24"] },
        ],
      },
      `${L}.addressPools[1] duplicate`,
    ],
    ["port 0", { ports: { controlPlaneLBPort: 0 } }, `${L}.ports.controlPlaneLBPort out-of-range`],
  ])("refuses %s", ([, part, complaint]) => {
    expect(refusals(cluster(part))).toEqual([complaint]);
  });

  test("each control-plane node needs a peer", () => {
    const controlPlane = {
      nodePoolSpec: { nodes: [{ address: "10.0.1.10" }, { address: "10.0.2.10" }] },
    };
    const one = [{ ip: "10.0.1.254", asn: 1, controlPlaneNodes: ["10.0.1.10"] }];
    expect(refusals(cluster({ bgpPeers: one }, { controlPlane }))).toEqual([
      `${L}.bgpPeers required`,
    ]);
    expect(refusals(cluster({}, { controlPlane }))).toEqual([]);
  });

  test("bgp needs the gateway turned on, by field or by annotation", () => {
    const off = { ...cluster({}, { clusterNetwork: {} }) };
    expect(refusals(off)).toEqual(["spec.clusterNetwork.advancedNetworking required"]);
    const annotations = { "baremetal.cluster.gke.io/enable-anthos-network-gateway": "true" };
    expect(refusals({ ...off, metadata: { name: "it", annotations } })).toEqual([]);
  });
});

const gateway = (kind: string, floatingIPs: unknown, name = "default", version = "v1alpha1") =>
  manifest(`networking.gke.io/${version}`, kind, { floatingIPs }, { name });

describe("NetworkGatewayGroup", () => {
  test("is one kind under its old and its new name", () => {
    const old = resourceOf(gateway("AnthosNetworkGateway", ["10.0.0.1", "10.0.0.2"]));
    const now = resourceOf(
      gateway("NetworkGatewayGroup", ["10.0.0.1", "10.0.0.2"], "default", "v1"),
    );
    expect(old).toMatchObject({ type: "networking.gke.io/NetworkGatewayGroup", spec: now.spec });
  });

  test("is named default, and holds different addresses", () => {
    expect(refusals(gateway("NetworkGatewayGroup", ["10.0.0.1"], "other"))).toEqual([
      "metadata.name not-allowed",
    ]);
    expect(refusals(gateway("NetworkGatewayGroup", []))).toEqual(["spec.floatingIPs required"]);
    expect(refusals(gateway("NetworkGatewayGroup", ["10.0.0.1", "10.0.0.1"]))).toEqual([
      "spec.floatingIPs[1] duplicate",
    ]);
    expect(warnings(gateway("NetworkGatewayGroup", ["10.0.0.1"]))).toEqual([
      "spec.floatingIPs out-of-range",
    ]);
  });
});

const balancer = (spec: Written) => manifest("networking.gke.io/v1", "BGPLoadBalancer", spec);

describe("BGPLoadBalancer", () => {
  const peers = [
    { peerIP: "10.0.0.1", peerASN: 1 },
    { peerIP: "10.0.0.2", peerASN: 1 },
  ];

  test("lists its peers, or selects them", () => {
    expect(specOf("networking.gke.io/BGPLoadBalancer", balancer({ localASN: 2, peers }))).toEqual({
      type: "listed",
      localAsn: 2,
      peers: [
        { address: "10.0.0.1", asn: 1 },
        { address: "10.0.0.2", asn: 1 },
      ],
    });
    expect(
      specOf("networking.gke.io/BGPLoadBalancer", balancer({ peerSelector: { a: "b" } })),
    ).toEqual({
      type: "selected",
      peerSelector: { matchLabels: { a: "b" }, matchExpressions: [] },
    });
  });

  test.for<[string, Written, string]>([
    [
      "both ways at once",
      { localASN: 2, peers, peerSelector: { a: "b" } },
      "spec.peerSelector exclusive-fields",
    ],
    ["no AS", { peers }, "spec.localASN required"],
    ["no peers", { localASN: 2 }, "spec.peers required"],
    ["a peer twice", { localASN: 2, peers: [peers[0], peers[0]] }, "spec.peers[1] duplicate"],
    ["AS 0", { localASN: 0, peers }, "spec.localASN out-of-range"],
    [
      "an empty address",
      { localASN: 2, peers: [{ peerIP: "", peerASN: 1 }, peers[1]] },
      "spec.peers[0].peerIP required",
    ],
  ])("refuses %s", ([, spec, complaint]) => {
    expect(refusals(balancer(spec))).toEqual([complaint]);
  });

  test("nested under bgp it is refused with the correction, and read as meant where asked", () => {
    const nested = balancer({ bgp: { localASN: 2, peers } });
    expect(refusals(nested)).toEqual(["spec.bgp misplaced-field"]);
    expect(resourceOf(nested, { lenient: true }).spec).toEqual(
      resourceOf(balancer({ localASN: 2, peers })).spec,
    );
  });
});

test("BGPPeer of networking.gke.io is not MetalLB's", () => {
  const spec = { localASN: 1, peerASN: 2, peerIP: "10.0.0.1" };
  expect(resourceOf(manifest("networking.gke.io/v1", "BGPPeer", spec))).toMatchObject({
    type: "networking.gke.io/BGPPeer",
    spec: { localAsn: 1, remoteAsn: 2, address: "10.0.0.1", sessions: 2 },
  });
});
