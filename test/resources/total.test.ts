/**
 * Whatever comes in, a value comes out; and what was taken in reads the same a second time.
 * Method: good manifests of every kind, one place at a time replaced by anything.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { kinds } from "../../events/resources/kinds.ts";
import { isFields } from "../../events/resources/reading.ts";
import { manifest, parsed } from "./parsing.ts";

const selector = {
  matchLabels: { a: "b" },
  matchExpressions: [{ key: "k", operator: "In", values: ["x"] }],
};
const peers = [
  { peerIP: "10.0.0.1", peerASN: 2 },
  { peerIP: "10.0.0.2", peerASN: 2 },
];
const neighbor = {
  asn: 2,
  address: "10.0.0.1",
  port: 179,
  password: "p",
  holdTime: "9s",
  keepaliveTime: "3s",
  connectTime: "5s",
  bfdProfile: "f",
  localASN: 3,
  sourceaddress: "lo",
  addressFamilies: ["unicast", "evpn"],
  toAdvertise: {
    allowed: { mode: "filtered", prefixes: ["192.0.2.0/24"] },
    nextHop: { ipv4: "10.0.0.9" },
    withLocalPref: [{ localPref: 5, prefixes: ["192.0.2.0/24"] }],
    withCommunity: [{ community: "1:2", prefixes: ["192.0.2.0/24"] }],
  },
  toReceive: { allowed: { mode: "filtered", prefixes: [{ prefix: "10.0.0.0/8", ge: 9, le: 24 }] } },
};
const good: readonly unknown[] = [
  manifest("metallb.io/v1beta2", "BGPPeer", {
    myASN: 1,
    peerASN: 2,
    peerAddress: "10.0.0.1",
    sourceAddress: "10.0.0.2",
    peerPort: 179,
    holdTime: "9s",
    keepaliveTime: "3s",
    connectTime: "5s",
    routerID: "1.1.1.1",
    password: "p",
    nodeSelectors: [selector],
    vrf: "v",
    bfdProfile: "b",
  }),
  manifest("metallb.io/v1beta1", "BGPPeer", {
    myASN: 1,
    peerASN: 2,
    peerAddress: "10.0.0.1",
    nodeSelectors: [selector],
  }),
  manifest("metallb.io/v1beta1", "BFDProfile", {
    receiveInterval: 25,
    detectMultiplier: 3,
    echoMode: true,
  }),
  manifest("metallb.io/v1beta1", "IPAddressPool", {
    addresses: ["10.0.0.0/24", "10.1.0.1-10.1.0.9"],
    serviceAllocation: {
      priority: 5,
      namespaces: ["a"],
      namespaceSelectors: [selector],
      serviceSelectors: [selector],
    },
  }),
  manifest("metallb.io/v1beta1", "BGPAdvertisement", {
    aggregationLength: 24,
    localPref: 5,
    communities: ["1:2"],
    ipAddressPools: ["a"],
    peers: ["b"],
    nodeSelectors: [selector],
  }),
  manifest("metallb.io/v1beta1", "Community", { communities: [{ name: "a", value: "1:2" }] }),
  manifest("metallb.io/v1beta1", "L2Advertisement", {
    interfaces: ["e"],
    preferredNodeSelectors: [{ weight: 5, preference: selector }],
  }),
  manifest("frrk8s.metallb.io/v1beta1", "FRRConfiguration", {
    raw: { priority: 5, rawConfig: "neighbor 10.0.0.1 password x" },
    nodeSelector: selector,
    bgp: {
      bfdProfiles: [{ name: "f", receiveInterval: 25 }],
      routers: [
        {
          asn: 1,
          id: "1.1.1.1",
          prefixes: ["192.0.2.0/24"],
          imports: [{ vrf: "red" }],
          neighbors: [neighbor],
          evpn: {
            advertiseVNIs: "All",
            l2vnis: [{ vni: 5, rd: "1:2", importRTs: ["*:1"], exportRTs: ["1:1"] }],
          },
        },
        { asn: 1, vrf: "red", evpn: { l3vni: { vni: 6, advertisePrefixes: ["unicast"] } } },
      ],
    },
  }),
  {
    ...manifest(
      "v1",
      "Service",
      {
        type: "LoadBalancer",
        ports: [{ name: "a", port: 80, targetPort: "x" }],
        ipFamilies: ["IPv4"],
        clusterIPs: ["10.0.0.1"],
        selector: { a: "b" },
      },
      {
        annotations: { "metallb.io/loadBalancerIPs": "10.0.0.9" },
        labels: { a: "b" },
        namespace: "n",
      },
    ),
    status: { loadBalancer: { ingress: [{ ip: "10.0.0.9" }] } },
  },
  {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "it" },
    type: "kubernetes.io/basic-auth",
    data: { password: "aHVzaA==" },
  },
  {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "bgpextras" },
    data: { extras: "neighbor 10.0.0.1 password x" },
  },
  manifest("k8s.ovn.org/v1", "EgressService", {
    sourceIPBy: "LoadBalancerIP",
    network: "11",
    nodeSelector: selector,
  }),
  manifest(
    "networking.gke.io/v1",
    "NetworkGatewayGroup",
    { floatingIPs: ["10.0.0.1", "10.0.0.2"] },
    { name: "default" },
  ),
  manifest("networking.gke.io/v1", "BGPLoadBalancer", { localASN: 1, peers }),
  manifest("networking.gke.io/v1", "BGPLoadBalancer", { bgp: { localASN: 1, peers } }),
  manifest("networking.gke.io/v1", "BGPPeer", {
    localASN: 1,
    peerASN: 2,
    peerIP: "10.0.0.1",
    sessions: 2,
  }),
  manifest("baremetal.cluster.gke.io/v1", "Cluster", {
    clusterNetwork: { advancedNetworking: true },
    controlPlane: { nodePoolSpec: { nodes: [{ address: "10.0.0.3" }] } },
    loadBalancer: {
      mode: "bundled",
      type: "bgp",
      localASN: 1,
      bgpPeers: [
        { ip: "10.0.0.1", asn: 2, controlPlaneNodes: ["10.0.0.3"] },
        { ip: "10.0.0.2", asn: 2 },
      ],
      ports: { controlPlaneLBPort: 443 },
      vips: { controlPlaneVIP: "10.0.0.8", ingressVIP: "10.0.1.1" },
      addressPools: [{ name: "p", addresses: ["10.0.1.0/24"] }],
    },
  }),
  manifest("rutter/v1", "BFDOptions", {
    profile: "p",
    strictMode: true,
    authentication: { type: "keyed-sha1", keyId: 7, secretName: "k" },
  }),
  manifest("rutter/v1", "PeerBackend", {
    nodeSelectors: [{ matchLabels: { rack: "r1" } }],
    vrf: "blue",
    peers: ["p", "10.0.0.1", "eth0"],
    peerSelectors: [{ matchLabels: { use: "monitoring" } }],
    backend: "native",
  }),
  manifest("rutter/v1", "RouteImport", {
    nodeSelectors: [{ matchLabels: { rack: "r1" } }],
    vrf: "blue",
    peers: ["p"],
    prefixes: [{ prefix: "10.0.0.0/8", ge: 16, le: 24 }],
    table: 100,
    metric: 20,
    preferredSource: { ipv4: "10.0.0.1", ipv6: "fd00::1" },
    maximum: 1000,
    acceptDefault: true,
  }),
  manifest("rutter/v1", "RouteExport", {
    nodeSelectors: [{ matchLabels: { rack: "r1" } }],
    vrf: "blue",
    peers: ["p", "10.0.0.1"],
    from: { type: "kernel-routes", table: 100, protocols: ["static", 99], interfaces: ["eth0"] },
    prefixes: [{ prefix: "10.0.0.0/8", ge: 16, le: 24 }],
    communities: ["1:2", "large:1:2:3", "home"],
    localPref: 5,
    med: 7,
    maximum: 1000,
    exportDefault: true,
  }),
  manifest("rutter/v1", "Node", { labels: { a: "b" }, networkUnavailable: true }),
  manifest("rutter/v1", "ServiceEndpoint", {
    service: "s",
    check: {
      type: "http",
      port: 80,
      path: "/x",
      host: "h",
      address: "10.0.0.1",
      expectStatus: 200,
    },
    intervalSeconds: 5,
    timeoutSeconds: 1,
    rise: 1,
    fall: 1,
  }),
];

test("the good ones cover every kind", () => {
  const types = good.flatMap((document) => {
    const result = parsed(document, { lenient: true });
    return result.type === "resource" ? [result.resource.type] : [];
  });
  expect(types).toHaveLength(good.length);
  expect(new Set(types)).toEqual(new Set(kinds.map(({ type }) => type)));
});

type Path = readonly (string | number)[];

function pathsOf(value: unknown, path: Path = []): readonly Path[] {
  if (Array.isArray(value))
    return [path, ...value.flatMap((item, i) => pathsOf(item, [...path, i]))];
  if (!isFields(value)) return [path];
  return [path, ...Object.entries(value).flatMap(([key, item]) => pathsOf(item, [...path, key]))];
}

function replaced(value: unknown, path: Path, by: unknown): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return by;
  if (Array.isArray(value))
    return value.map((item: unknown, i) => (i === head ? replaced(item, rest, by) : item));
  return isFields(value) ? { ...value, [head]: replaced(value[head], rest, by) } : value;
}

const odd = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    "",
    0,
    -1,
    1.5,
    4294967296,
    true,
    [],
    {},
    [null],
    [[]],
    "10.0.0.0/0",
    "::",
    "constructor",
    "__proto__",
    "10.0.0.1-",
    "1s",
    "x".repeat(300),
    Number.NaN,
    { toString: 1 },
  ),
  fc.jsonValue({ maxDepth: 2 }),
);
const place = fc.constantFrom(
  ...good.flatMap((document) => pathsOf(document).map((path) => ({ document, path }))),
);

test("one place replaced by anything still gives a resource or complaints that say something", () => {
  fc.assert(
    fc.property(place, odd, ({ document, path }, by) => {
      const result = parsed(replaced(document, path, by));
      if (result.type !== "refused") return;
      expect(result.complaints.length).toBeGreaterThan(0);
      for (const { message, path: at } of result.complaints) {
        expect(message).toMatch(/\w/);
        expect(at.every((part) => part !== undefined)).toBe(true);
      }
    }),
    { numRuns: 5000 },
  );
});

test("anything at all gives a value", () => {
  fc.assert(
    fc.property(fc.anything(), (document) => {
      expect(parsed(document).type).toMatch(/resource|refused|not-applicable/);
    }),
  );
});

test("what was read is plain data: JSON gives it back", () => {
  const read = good.map((document) => parsed(document, { lenient: true }));
  expect(JSON.parse(JSON.stringify(read))).toEqual(read);
});
