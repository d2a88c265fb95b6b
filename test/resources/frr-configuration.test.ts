/**
 * FRRConfiguration of frrk8s.metallb.io: sessions, what is told and taken, EVPN, raw lines.
 */
import { describe, expect, test } from "vitest";
import { manifest, refusals, resourceOf, specOf, warnings, type Written } from "./parsing.ts";

const TYPE = "frrk8s.metallb.io/FRRConfiguration";
const configuration = (spec: Written) =>
  manifest("frrk8s.metallb.io/v1beta1", "FRRConfiguration", spec);
const routers = (...list: readonly Written[]) => configuration({ bgp: { routers: list } });
const least = { asn: 64501, address: "10.0.0.1" };
const router = (neighbor: Written, more: Written = {}) =>
  routers({
    asn: 64500,
    prefixes: ["192.0.2.0/24", "192.0.2.128/25", "2001:db8::/32"],
    neighbors: [{ ...least, ...neighbor }],
    ...more,
  });
const neighborOf = (document: unknown) => specOf(TYPE, document).routers[0]?.neighbors[0];
const N = "spec.bgp.routers[0].neighbors[0]";

test("an empty one is valid and selects every node", () => {
  expect(specOf(TYPE, configuration({ raw: {} }))).toEqual({
    bfdProfiles: [],
    routers: [],
    nodeSelector: { matchLabels: {}, matchExpressions: [] },
  });
});

test("the least neighbour is told nothing and may send nothing", () => {
  expect(neighborOf(router({}))).toEqual({
    remoteAs: { type: "asn", asn: 64501 },
    remote: { type: "address", address: "10.0.0.1", port: 179 },
    authentication: { type: "none" },
    timers: { type: "default" },
    ebgpMultiHop: false,
    bfdProfile: "",
    enableGracefulRestart: false,
    dualStackAddressFamily: false,
    addressFamilies: ["unicast"],
    toAdvertise: {
      allowed: { type: "filtered", prefixes: [] },
      withLocalPref: [],
      withCommunity: [],
    },
    toReceive: { type: "filtered", prefixes: [] },
  });
});

test.for<[string, Written, string]>([
  ["asn together with dynamicASN", { dynamicASN: "internal" }, `${N}.dynamicASN exclusive-fields`],
  ["neither", { asn: 0 }, `${N}.asn required`],
  ["address together with interface", { interface: "eth0" }, `${N}.interface exclusive-fields`],
  ["holdTime without keepaliveTime", { holdTime: "90s" }, `${N}.keepaliveTime required`],
  ["keepaliveTime without holdTime", { keepaliveTime: "30s" }, `${N}.holdTime required`],
  [
    "holdTime below three seconds",
    { holdTime: "1s", keepaliveTime: "1s" },
    `${N}.holdTime out-of-range`,
  ],
  [
    "keepaliveTime above holdTime",
    { holdTime: "3s", keepaliveTime: "4s" },
    `${N}.keepaliveTime out-of-range`,
  ],
  ["connectTime 0", { connectTime: "0s" }, `${N}.connectTime out-of-range`],
  [
    "both sorts of password",
    { password: "x", passwordSecret: { name: "y" } },
    `${N}.password exclusive-fields`,
  ],
  ["a profile of somewhere else", { bfdProfile: "fast" }, `${N}.bfdProfile required`],
  [
    "localASN for a neighbour of the own AS",
    { asn: 64500, localASN: 1 },
    `${N}.localASN exclusive-fields`,
  ],
  ["localASN 0", { localASN: 0 }, `${N}.localASN out-of-range`],
  ["port 65536", { port: 65536 }, `${N}.port out-of-range`],
  [
    "sourceAddress in the other spelling",
    { sourceAddress: "10.0.0.2" },
    `${N}.sourceAddress unknown-field`,
  ],
  [
    "a source of another family",
    { sourceaddress: "2001:db8::1" },
    `${N}.sourceaddress family-mismatch`,
  ],
  [
    "three address families",
    { addressFamilies: ["unicast", "evpn", "unicast"] },
    `${N}.addressFamilies out-of-range`,
  ],
  [
    "a told prefix that the router lacks",
    { toAdvertise: { allowed: { prefixes: ["198.51.100.0/24"] } } },
    `${N}.toAdvertise.allowed.prefixes[0] required`,
  ],
  [
    "a told prefix of another family",
    { toAdvertise: { allowed: { prefixes: ["2001:db8::/32"] } } },
    `${N}.toAdvertise.allowed.prefixes[0] family-mismatch`,
  ],
  [
    "a next hop of another family",
    { toAdvertise: { nextHop: { ipv4: "2001:db8::1" } } },
    `${N}.toAdvertise.nextHop.ipv4 family-mismatch`,
  ],
  [
    "a next hop for a family that is not active",
    { toAdvertise: { nextHop: { ipv6: "2001:db8::1" } } },
    `${N}.toAdvertise.nextHop.ipv6 family-mismatch`,
  ],
  [
    "localPref for what is not told",
    { toAdvertise: { withLocalPref: [{ localPref: 1, prefixes: ["192.0.2.0/24"] }] } },
    `${N}.toAdvertise.withLocalPref[0].prefixes[0] required`,
  ],
  [
    "localPref without prefixes",
    { toAdvertise: { withLocalPref: [{ localPref: 1, prefixes: [] }] } },
    `${N}.toAdvertise.withLocalPref[0].prefixes required`,
  ],
  [
    "the same localPref twice",
    {
      toAdvertise: {
        allowed: { mode: "all" },
        withLocalPref: [
          { localPref: 1, prefixes: ["192.0.2.0/24"] },
          { localPref: 1, prefixes: ["192.0.2.128/25"] },
        ],
      },
    },
    `${N}.toAdvertise.withLocalPref[1] duplicate`,
  ],
  [
    "two values for one prefix",
    {
      toAdvertise: {
        allowed: { mode: "all" },
        withLocalPref: [
          { localPref: 1, prefixes: ["192.0.2.0/24"] },
          { localPref: 2, prefixes: ["192.0.2.0/24"] },
        ],
      },
    },
    `${N}.toAdvertise.withLocalPref[1].prefixes duplicate`,
  ],
  [
    "the same community twice",
    {
      toAdvertise: {
        allowed: { mode: "all" },
        withCommunity: [
          { community: "1:2", prefixes: ["192.0.2.0/24"] },
          { community: "1:2", prefixes: ["192.0.2.128/25"] },
        ],
      },
    },
    `${N}.toAdvertise.withCommunity[1] duplicate`,
  ],
  [
    "a community that is none",
    {
      toAdvertise: {
        allowed: { mode: "all" },
        withCommunity: [{ community: "no-export", prefixes: ["192.0.2.0/24"] }],
      },
    },
    `${N}.toAdvertise.withCommunity[0].community bad-value`,
  ],
  [
    "an unknown mode",
    { toReceive: { allowed: { mode: "some" } } },
    `${N}.toReceive.allowed.mode not-allowed`,
  ],
  [
    "ge below the mask",
    { toReceive: { allowed: { prefixes: [{ prefix: "10.0.0.0/16", ge: 8 }] } } },
    `${N}.toReceive.allowed.prefixes[0].ge out-of-range`,
  ],
  [
    "le below ge",
    { toReceive: { allowed: { prefixes: [{ prefix: "10.0.0.0/16", ge: 24, le: 20 }] } } },
    `${N}.toReceive.allowed.prefixes[0].ge out-of-range`,
  ],
  [
    "le beyond the family",
    { toReceive: { allowed: { prefixes: [{ prefix: "10.0.0.0/16", le: 33 }] } } },
    `${N}.toReceive.allowed.prefixes[0].le out-of-range`,
  ],
  [
    "le 129",
    { toReceive: { allowed: { prefixes: [{ prefix: "::/16", le: 129 }] } } },
    `${N}.toReceive.allowed.prefixes[0].le out-of-range`,
  ],
])("refuses %s", ([, neighbor, complaint]) => {
  expect(refusals(router(neighbor))).toEqual([complaint]);
});

test("filters are exact without bounds, and reach from ge to le with them", () => {
  const prefixes = [
    { prefix: "10.0.0.0/16" },
    { prefix: "10.1.0.0/16", le: 24 },
    { prefix: "10.2.0.0/16", ge: 20 },
    { prefix: "10.3.0.0/16", ge: 20, le: 24 },
  ];
  expect(neighborOf(router({ toReceive: { allowed: { prefixes } } }))?.toReceive).toEqual({
    type: "filtered",
    prefixes: [
      { prefix: "10.0.0.0/16", ge: 16, le: 16 },
      { prefix: "10.1.0.0/16", ge: 16, le: 24 },
      { prefix: "10.2.0.0/16", ge: 20, le: 32 },
      { prefix: "10.3.0.0/16", ge: 20, le: 24 },
    ],
  });
});

test("prefixes are compared masked, not as text", () => {
  const document = router({ toAdvertise: { allowed: { prefixes: ["192.0.2.7/24"] } } });
  expect(neighborOf(document)?.toAdvertise.allowed).toEqual({
    type: "filtered",
    prefixes: ["192.0.2.0/24"],
  });
  expect(warnings(document)).toEqual([`${N}.toAdvertise.allowed.prefixes[0] host-bits`]);
});

test("a source may be an interface", () => {
  expect(neighborOf(router({ sourceaddress: "lo0" }))?.source).toEqual({
    type: "interface",
    interface: "lo0",
  });
  expect(neighborOf(router({ sourceaddress: "10.0.0.2" }))?.source).toEqual({
    type: "address",
    address: "10.0.0.2",
  });
});

test("an empty passwordSecret and port 0 are not said", () => {
  expect(neighborOf(router({ passwordSecret: {}, port: 0 }))).toMatchObject({
    authentication: { type: "none" },
    remote: { port: 179 },
  });
});

test("a password is kept by reference, under the neighbour's name and not its place", () => {
  const text = JSON.stringify(resourceOf(router({ password: "hush" })));
  expect(text).not.toContain("hush");
  expect(text).toContain("/10.0.0.1/password");
});

describe("routers", () => {
  test("are one per VRF, at most 50, with an AS", () => {
    expect(refusals(routers({ asn: 1 }, { asn: 1 }))).toEqual(["spec.bgp.routers[1] duplicate"]);
    expect(refusals(routers({ asn: 0 }))).toEqual(["spec.bgp.routers[0].asn out-of-range"]);
    expect(refusals(routers({}))).toEqual(["spec.bgp.routers[0].asn required"]);
    const many = Array.from({ length: 51 }, (_, i) => ({ asn: 1, vrf: `v${i}` }));
    expect(refusals(routers(...many))).toEqual(["spec.bgp.routers out-of-range"]);
    expect(refusals(routers(...many.slice(1)))).toEqual([]);
  });

  test("import only VRFs of the same resource, and what they import may be told", () => {
    const red = { asn: 1, vrf: "red", prefixes: ["198.51.100.0/24"] };
    const told = { ...least, toAdvertise: { allowed: { prefixes: ["198.51.100.0/24"] } } };
    expect(
      refusals(routers(red, { asn: 1, imports: [{ vrf: "red" }], neighbors: [told] })),
    ).toEqual([]);
    expect(refusals(routers({ asn: 1, imports: [{ vrf: "red" }] }))).toEqual([
      "spec.bgp.routers[0].imports[0].vrf required",
    ]);
    expect(refusals(routers({ asn: 1, vrf: "red", imports: [{ vrf: "default" }] }))).toEqual([
      "spec.bgp.routers[0].imports[0].vrf required",
    ]);
    expect(
      refusals(routers({ asn: 1, vrf: "red", imports: [{ vrf: "default" }] }, { asn: 1 })),
    ).toEqual([]);
  });

  test("hold each neighbour once", () => {
    expect(refusals(routers({ asn: 1, neighbors: [least, least] }))).toEqual([
      "spec.bgp.routers[0].neighbors[1] duplicate",
    ]);
    const spelled = ["2001:db8::1", "2001:DB8:0::1"].map((address) => ({ asn: 5, address }));
    expect(refusals(routers({ asn: 1, neighbors: spelled }))).toEqual([
      "spec.bgp.routers[0].neighbors[1] duplicate",
    ]);
    const links = ["eth0", "eth1"].map((link) => ({ asn: 5, address: "", interface: link }));
    expect(refusals(routers({ asn: 1, neighbors: links }))).toEqual([]);
  });
});

const bgp = (...names: readonly string[]) =>
  configuration({
    bgp: {
      bfdProfiles: names.map((name) => ({ name })),
      routers: [{ asn: 1, neighbors: [{ ...least, bfdProfile: "fast" }] }],
    },
  });

test("a BFD profile is found beside its neighbour, and has a name that is there once", () => {
  expect(refusals(bgp("fast"))).toEqual([]);
  expect(refusals(bgp("fast", "fast"))).toEqual(["spec.bgp.bfdProfiles[1] duplicate"]);
});

test("raw lines keep their priority and lose their secrets", () => {
  const raw = { priority: 5, rawConfig: "router bgp 1\n neighbor 10.0.0.1 password 8 hush" };
  expect(specOf(TYPE, configuration({ raw })).raw).toMatchObject({
    priority: 5,
    text: "router bgp 1\n neighbor 10.0.0.1 password 8 ⟨secret 0⟩",
    secrets: [{ name: `${TYPE}/default/it#raw-0` }],
  });
});

describe("EVPN", () => {
  const evpn = (
    part: Written,
    neighbors: readonly Written[] = [{ ...least, addressFamilies: ["unicast", "evpn"] }],
  ) => routers({ asn: 1, neighbors, evpn: part });
  const E = "spec.bgp.routers[0].evpn";
  const l3vni = { vni: 100, advertisePrefixes: ["unicast"] };

  test.for<[string, unknown, string | undefined]>([
    ["both with an evpn neighbour", evpn({ advertiseVNIs: "All", advertiseSVI: true }), undefined],
    [
      "advertiseVNIs without one",
      evpn({ advertiseVNIs: "All" }, [least]),
      `${E}.advertiseVNIs required`,
    ],
    ["advertiseSVI without one", evpn({ advertiseSVI: true }, []), `${E}.advertiseSVI required`],
    ["VNI 0", evpn({ l2vnis: [{ vni: 0 }] }), `${E}.l2vnis[0].vni out-of-range`],
    ["VNI 2^24", evpn({ l2vnis: [{ vni: 16777216 }] }), `${E}.l2vnis[0].vni out-of-range`],
    ["a VNI twice", evpn({ l2vnis: [{ vni: 1 }, { vni: 1 }] }), `${E}.l2vnis[1].vni duplicate`],
    [
      "eleven VNIs",
      evpn({ l2vnis: Array.from({ length: 11 }, (_, i) => ({ vni: i + 1 })) }),
      `${E}.l2vnis out-of-range`,
    ],
    ["a wildcard import", evpn({ l2vnis: [{ vni: 1, importRTs: ["*:5"] }] }), undefined],
    [
      "a wildcard export",
      evpn({ l2vnis: [{ vni: 1, exportRTs: ["*:5"] }] }),
      `${E}.l2vnis[0].exportRTs[0] bad-value`,
    ],
    [
      "32 bits after a two-octet AS",
      evpn({ l2vnis: [{ vni: 1, rd: "65000:4294967295" }] }),
      undefined,
    ],
    [
      "17 bits after an address",
      evpn({ l2vnis: [{ vni: 1, rd: "192.0.2.1:65536" }] }),
      `${E}.l2vnis[0].rd bad-value`,
    ],
    [
      "17 bits after a four-octet AS",
      evpn({ l2vnis: [{ vni: 1, rd: "65536:65536" }] }),
      `${E}.l2vnis[0].rd bad-value`,
    ],
    ["an L3 VNI on a router without neighbours", evpn({ l3vni }, []), undefined],
    ["an L3 VNI beside neighbours", evpn({ l3vni }), `${E}.l3vni exclusive-fields`],
    [
      "an L3 VNI that advertises nothing",
      evpn({ l3vni: { ...l3vni, advertisePrefixes: [] } }, []),
      `${E}.l3vni.advertisePrefixes required`,
    ],
  ])("%s", ([, document, complaint]) => {
    expect(refusals(document)).toEqual(complaint === undefined ? [] : [complaint]);
  });
});
