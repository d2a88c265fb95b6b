/**
 * The kinds of v1 and of rutter/v1: Service, Secret, ConfigMap bgpextras, Node, ServiceEndpoint, and EgressService.
 */
import { describe, expect, test } from "vitest";
import {
  manifest,
  parsed,
  refusals,
  resourceOf,
  specOf,
  warnings,
  type Written,
} from "./parsing.ts";

const ports = [{ port: 80 }];
const service = (spec: Written, annotations: Written = {}) =>
  manifest("v1", "Service", { type: "LoadBalancer", ports, ...spec }, { annotations });
const serviceSpec = (spec: Written, annotations?: Written) =>
  specOf("/Service", service(spec, annotations));

describe("Service", () => {
  test("the least one wants any address", () => {
    expect(serviceSpec({})).toEqual({
      type: "LoadBalancer",
      loadBalancerClass: "",
      wantedAddresses: [],
      ipFamilyPolicy: "SingleStack",
      ipFamilies: [],
      clusterIPs: [],
      externalTrafficPolicy: "Cluster",
      ports: [{ name: "", protocol: "TCP", port: 80, targetPort: 80 }],
      selector: {},
      assignedAddresses: [],
    });
  });

  test("its wishes come from annotations", () => {
    const annotations = {
      "metallb.io/loadBalancerIPs": "192.0.2.1, 2001:DB8::1",
      "metallb.io/address-pool": "pool",
      "metallb.io/allow-shared-ip": "key",
      "metallb.io/ip-allocated-from-pool": "pool",
    };
    expect(serviceSpec({}, annotations)).toMatchObject({
      wantedAddresses: ["192.0.2.1", "2001:db8::1"],
      wantedPool: "pool",
      sharingKey: "key",
      assignedFromPool: "pool",
    });
  });

  test("the deprecated annotations mean the same, and the stable one goes first", () => {
    const old = {
      "metallb.universe.tf/address-pool": "old",
      "metallb.universe.tf/loadBalancerIPs": "192.0.2.1",
    };
    expect(serviceSpec({}, old)).toMatchObject({
      wantedPool: "old",
      wantedAddresses: ["192.0.2.1"],
    });
    const both = { ...old, "metallb.io/address-pool": "new" };
    expect(serviceSpec({}, both)).toMatchObject({ wantedPool: "new" });
    expect(warnings(service({}, both))).toContain(
      'metadata.annotations["metallb.universe.tf/address-pool"] ignored',
    );
  });

  test("what a cluster gave it is read from its status", () => {
    const given = {
      ...service({}),
      status: {
        loadBalancer: { ingress: [{ ip: "192.0.2.7", ipMode: "VIP" }, { hostname: "x" }] },
      },
    };
    expect(specOf("/Service", given).assignedAddresses).toEqual(["192.0.2.7"]);
    expect(
      specOf("/Service", { ...service({}), status: { loadBalancer: {} } }).assignedAddresses,
    ).toEqual([]);
  });

  test("families come from ipFamilies, or else from clusterIPs", () => {
    expect(
      serviceSpec({ ipFamilies: ["IPv6", "IPv4"], ipFamilyPolicy: "PreferDualStack" }),
    ).toMatchObject({
      ipFamilies: ["ipv6", "ipv4"],
      ipFamilyPolicy: "PreferDualStack",
    });
    expect(serviceSpec({ clusterIP: "fd00::1" }).ipFamilies).toEqual(["ipv6"]);
    expect(serviceSpec({ clusterIP: "None" }).clusterIPs).toEqual([]);
  });

  test.for<[string, Written, Written, string]>([
    [
      "two wanted addresses of one family",
      {},
      { "metallb.io/loadBalancerIPs": "192.0.2.1,192.0.2.2" },
      'metadata.annotations["metallb.io/loadBalancerIPs"] family-mismatch',
    ],
    [
      "a wanted address that is none",
      {},
      { "metallb.io/loadBalancerIPs": "192.0.2.1,x" },
      'metadata.annotations["metallb.io/loadBalancerIPs"] bad-value',
    ],
    [
      "loadBalancerIP beside the annotation",
      { loadBalancerIP: "192.0.2.1" },
      { "metallb.io/loadBalancerIPs": "192.0.2.1" },
      "spec.loadBalancerIP exclusive-fields",
    ],
    ["a loadBalancerIP that is none", { loadBalancerIP: "x" }, {}, "spec.loadBalancerIP bad-value"],
    ["an unknown type", { type: "Balancer" }, {}, "spec.type not-allowed"],
    [
      "an unknown traffic policy",
      { externalTrafficPolicy: "Node" },
      {},
      "spec.externalTrafficPolicy not-allowed",
    ],
    [
      "an unknown protocol",
      { ports: [{ port: 1, protocol: "ICMP" }] },
      {},
      "spec.ports[0].protocol not-allowed",
    ],
    ["no ports", { ports: [] }, {}, "spec.ports required"],
    ["port 0", { ports: [{ port: 0 }] }, {}, "spec.ports[0].port out-of-range"],
    [
      "the same port twice",
      {
        ports: [
          { name: "a", port: 1 },
          { name: "b", port: 1, protocol: "TCP" },
        ],
      },
      {},
      "spec.ports[1] duplicate",
    ],
    [
      "two ports of which one has no name",
      { ports: [{ name: "a", port: 1 }, { port: 2 }] },
      {},
      "spec.ports required",
    ],
    [
      "two families with SingleStack",
      { ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "SingleStack" },
      {},
      "spec.ipFamilies exclusive-fields",
    ],
    ["the same family twice", { ipFamilies: ["IPv4", "IPv4"] }, {}, "spec.ipFamilies[1] duplicate"],
    [
      "an annotation that is no text",
      {},
      { "metallb.io/address-pool": 5 },
      'metadata.annotations["metallb.io/address-pool"] wrong-type',
    ],
  ])("refuses %s", ([, spec, annotations, complaint]) => {
    expect(refusals(service(spec, annotations))).toEqual([complaint]);
  });

  test("the same number over TCP and UDP is two ports", () => {
    expect(
      refusals(
        service({
          ports: [
            { name: "t", port: 53 },
            { name: "u", port: 53, protocol: "UDP" },
          ],
        }),
      ),
    ).toEqual([]);
  });

  test("upstream's other fields pass without a word, unknown ones warn", () => {
    const known = {
      allocateLoadBalancerNodePorts: true,
      internalTrafficPolicy: "Cluster",
      sessionAffinity: "None",
      ports: [{ port: 80, nodePort: 30080 }],
    };
    expect(warnings(service(known))).toEqual([]);
    expect(warnings(service({ externaltrafficpolicy: "Local" }))).toEqual([
      "spec.externaltrafficpolicy unknown-field",
    ]);
  });

  test("source ranges that nobody here enforces are said", () => {
    expect(warnings(service({ loadBalancerSourceRanges: ["10.0.0.0/8"] }))).toEqual([
      "spec.loadBalancerSourceRanges ignored",
    ]);
  });
});

const secret = (more: Written) => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "it" },
  type: "kubernetes.io/basic-auth",
  ...more,
});

describe("Secret", () => {
  test("keeps the password as a reference and nothing else", () => {
    const resource = resourceOf(
      secret({ data: { password: btoa("hush"), username: btoa("someone") } }),
    );
    expect(resource.spec).toEqual({
      type: "basic-auth",
      password: { name: "/Secret/default/it#password", version: "1", digest: "00" },
    });
  });

  test("stringData goes before data", () => {
    expect(
      refusals(secret({ data: { password: "!!" }, stringData: { password: "hush" } })),
    ).toEqual([]);
  });

  test("of another type, or without the entry, cannot be used, and says why", () => {
    expect(
      specOf("/Secret", secret({ type: "Opaque", data: { password: btoa("x") } })),
    ).toMatchObject({ type: "unusable" });
    expect(specOf("/Secret", secret({ data: { username: btoa("x") } }))).toMatchObject({
      type: "unusable",
    });
  });

  test("what is no base64 of text is refused without being shown", () => {
    expect(refusals(secret({ data: { password: "hush!" } }))).toEqual(["data.password bad-value"]);
    expect(refusals(secret({ data: { password: btoa("\u00ff\u00fe") } }))).toEqual([
      "data.password bad-value",
    ]);
    expect(JSON.stringify(parsed(secret({ data: { password: "hush!" } })))).not.toContain("hush");
  });

  test("a trailing line break warns", () => {
    expect(warnings(secret({ data: { password: btoa("hush\n") } }))).toEqual([
      "data.password bad-value",
    ]);
  });
});

const extras = (text: string) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "bgpextras" },
  data: { extras: text },
});

describe("ConfigMap", () => {
  test("only bgpextras means something", () => {
    expect(
      parsed({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "other" }, data: {} }),
    ).toMatchObject({ type: "not-applicable" });
    expect(specOf("/ConfigMap", extras("line"))).toEqual({ extras: { text: "line", secrets: [] } });
  });

  test("secrets in raw lines are taken out", () => {
    const resource = resourceOf(
      extras(
        "router bgp 1\n neighbor 10.0.0.1 password hush\nkey chain a\n key 1\n  key-string hush",
      ),
    );
    expect(JSON.stringify(resource)).not.toContain("hush");
    expect(resource.spec).toMatchObject({
      extras: {
        text: "router bgp 1\n neighbor 10.0.0.1 password ⟨secret 0⟩\nkey chain a\n key 1\n  key-string ⟨secret 1⟩",
      },
    });
  });
});

const endpoint = (spec: Written) => manifest("rutter/v1", "ServiceEndpoint", spec);

describe("rutter/v1", () => {
  test("Node belongs to no namespace and adds labels", () => {
    expect(resourceOf(manifest("rutter/v1", "Node", { labels: { rack: "r1" } }))).toMatchObject({
      metadata: { namespace: "" },
      spec: { labels: { rack: "r1" }, networkUnavailable: false },
    });
    expect(refusals(manifest("rutter/v1", "Node", { labels: { "a b": "c" } }))).toEqual([
      'spec.labels["a b"] bad-value',
    ]);
    expect(refusals(manifest("rutter/v1", "Node", { unschedulable: true }))).toEqual([
      "spec.unschedulable unknown-field",
    ]);
  });

  test("ServiceEndpoint follows the Service of its own name, by listening, unless told", () => {
    expect(specOf("rutter/ServiceEndpoint", endpoint({}))).toEqual({
      service: "it",
      check: { type: "listen" },
      intervalSeconds: 2,
      timeoutSeconds: 1,
      rise: 2,
      fall: 3,
    });
  });

  test("an http check has defaults of its own", () => {
    expect(
      specOf("rutter/ServiceEndpoint", endpoint({ check: { type: "http", port: 8080 } })).check,
    ).toEqual({
      type: "http",
      scheme: "http",
      port: 8080,
      path: "/",
      expectStatus: { from: 200, to: 399 },
    });
  });

  test.for<[string, Written, string]>([
    ["a command", { check: { type: "exec", command: "rm" } }, "spec.check.name required"],
    [
      "a command in place of a name",
      { check: { type: "exec", name: "/bin/rm -rf" } },
      "spec.check.name bad-value",
    ],
    ["an unknown check", { check: { type: "ping" } }, "spec.check.type not-allowed"],
    ["a check without a type", { check: { port: 80 } }, "spec.check.type required"],
    [
      "a field of another check",
      { check: { type: "listen", port: 80 } },
      "spec.check.port unknown-field",
    ],
    ["port 0", { check: { type: "tcp", port: 0 } }, "spec.check.port out-of-range"],
    [
      "a path without /",
      { check: { type: "http", port: 1, path: "x" } },
      "spec.check.path bad-value",
    ],
    [
      "status 600",
      { check: { type: "http", port: 1, expectStatus: 600 } },
      "spec.check.expectStatus out-of-range",
    ],
    [
      "a timeout longer than the interval",
      { intervalSeconds: 1, timeoutSeconds: 2 },
      "spec.timeoutSeconds out-of-range",
    ],
    ["interval 0", { intervalSeconds: 0 }, "spec.intervalSeconds out-of-range"],
    ["rise 0", { rise: 0 }, "spec.rise out-of-range"],
    ["fall 101", { fall: 101 }, "spec.fall out-of-range"],
  ])("refuses %s", ([, spec, complaint]) => {
    expect(refusals(endpoint(spec))).toContain(complaint);
  });
});

const egress = (spec: Written) => manifest("k8s.ovn.org/v1", "EgressService", spec);

describe("EgressService", () => {
  test("a network is a table where it is a number, and a VRF where it is not", () => {
    expect(specOf("k8s.ovn.org/EgressService", egress({ network: "11" })).network).toEqual({
      type: "table",
      table: 11,
    });
    expect(specOf("k8s.ovn.org/EgressService", egress({ network: "red" })).network).toEqual({
      type: "vrf",
      vrf: "red",
    });
    expect(specOf("k8s.ovn.org/EgressService", egress({})).network).toEqual({ type: "main" });
  });

  test("sourceIPBy is LoadBalancerIP or Network, whatever its documents say", () => {
    expect(refusals(egress({ sourceIPBy: "LoadBalancerIP" }))).toEqual([]);
    expect(refusals(egress({ sourceIPBy: "LoadBalancer" }))).toEqual([
      "spec.sourceIPBy not-allowed",
    ]);
  });

  test("table 0 is none", () => {
    expect(refusals(egress({ network: "0" }))).toEqual(["spec.network out-of-range"]);
  });
});
