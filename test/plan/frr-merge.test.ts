/**
 * How several FRRConfigurations, and BGPPeers with them, become one set of neighbours: a test for each row of frr-k8s' merge
 * table (reference/rules.md §2.1), and where ours differs from it on purpose.
 * Method: two objects in one change. Either they merge, and the neighbour says so; or one is set aside with rule and reason.
 */
import { describe, expect, test } from "vitest";
import {
  asideIn,
  configuration,
  mergedIn,
  neighborsIn,
  password,
  planOf,
  together,
  told,
  type World,
  world,
} from "./world.ts";

const FAR = "10.0.0.1";
const far = { asn: 64999, address: FAR };
/** An FRRConfiguration of one router with one neighbour. */
const owner = (
  name: string,
  neighbor: object = {},
  router: object = {},
  more: Record<string, unknown> = {},
) => configuration(name, [{ asn: 64512, neighbors: [{ ...far, ...neighbor }], ...router }], more);
const reasonIn = ({ desired }: World): string => [...desired.quarantined.values()][0]?.reason ?? "";
const neighborIn = (made: World) => mergedIn(made)[0]?.neighbors[0];

const profile = (name: string, receiveInterval: number) => ({ name, receiveInterval });
const withBfd = (name: string, used: string, ...bfdProfiles: object[]) =>
  owner(name, { bfdProfile: used }, {}, { bfdProfiles });
const evpn = (name: string, spec: object, router: object = {}) =>
  configuration(name, [
    {
      asn: 64512,
      neighbors: [{ ...far, addressFamilies: ["unicast", "evpn"] }],
      evpn: spec,
      ...router,
    },
  ]);
const vni = (more: object) => ({ l2vnis: [{ vni: 5, ...more }] });

describe("what may not differ sets the later object aside, and only that", () => {
  test.for<[rule: string, a: string, b: string, reason: string]>([
    [
      "router-asn-conflict",
      owner("a"),
      owner("b", { address: "10.0.0.2" }, { asn: 64513 }),
      "spec.bgp.routers[0]: AS 64513 here, 64512 in FRRConfiguration metallb-system/a",
    ],
    [
      "router-id-conflict",
      owner("a", {}, { id: "1.1.1.1" }),
      owner("b", {}, { id: "2.2.2.2" }),
      "spec.bgp.routers[0]: router id 2.2.2.2 here, 1.1.1.1 in FRRConfiguration metallb-system/a",
    ],
    [
      "remote-asn-conflict",
      owner("a"),
      owner("b", { asn: 65000 }),
      "neighbour 10.0.0.1 (spec.bgp.routers[0].neighbors[0]): AS 65000 here, 64999 in FRRConfiguration metallb-system/a",
    ],
    [
      "remote-asn-conflict",
      owner("a"),
      owner("b", { asn: 0, dynamicASN: "external" }),
      "AS external here, 64999 in",
    ],
    ["port-conflict", owner("a"), owner("b", { port: 1790 }), "port 1790 here, 179 in"],
    [
      "source-address-conflict",
      owner("a"),
      owner("b", { sourceaddress: "10.0.0.9" }),
      "source 10.0.0.9 here, none in",
    ],
    ["password-conflict", owner("a"), owner("b", { password: "x" }), "password set here, none in"],
    [
      "password-conflict",
      owner("a", { password: "x" }),
      owner("b", { password: "longer" }),
      "password set here, another in",
    ],
    [
      "ebgp-multihop-conflict",
      owner("a"),
      owner("b", { ebgpMultiHop: true }),
      "ebgpMultiHop true here, false in",
    ],
    [
      "dual-stack-conflict",
      owner("a"),
      owner("b", { dualStackAddressFamily: true }),
      "dualStackAddressFamily true here, false in",
    ],
    ["local-asn-conflict", owner("a"), owner("b", { localASN: 7 }), "localASN 7 here, none in"],
    [
      "graceful-restart-conflict",
      owner("a"),
      owner("b", { enableGracefulRestart: true }),
      "enableGracefulRestart true here, false in",
    ],
    [
      "hold-time-conflict",
      owner("a"),
      owner("b", { holdTime: "90s", keepaliveTime: "60s" }),
      "holdTime 90s here, unset (180s) in",
    ],
    [
      "keepalive-time-conflict",
      owner("a"),
      owner("b", { holdTime: "180s", keepaliveTime: "59s" }),
      "keepaliveTime 59s here, unset (60s) in",
    ],
    [
      "connect-time-conflict",
      owner("a"),
      owner("b", { connectTime: "61s" }),
      "connectTime 61s here, unset (60s) in",
    ],
    [
      "bfd-profile-conflict",
      withBfd("a", "fast", profile("fast", 50)),
      withBfd("b", "slow", profile("slow", 500)),
      "BFD profile slow here, fast in",
    ],
    [
      "bfd-profile-differs",
      withBfd("a", "", profile("fast", 50)),
      withBfd("b", "", profile("fast", 60)),
      "BFD profile fast has other parameters in FRRConfiguration metallb-system/a",
    ],
    [
      "next-hop-conflict",
      owner("a", { toAdvertise: { nextHop: { ipv4: "10.9.9.1" } } }),
      owner("b", { toAdvertise: { nextHop: { ipv4: "10.9.9.2" } } }),
      "IPv4 next hop 10.9.9.2 here, 10.9.9.1 in",
    ],
    [
      "evpn-conflict",
      evpn("a", { advertiseVNIs: "All" }),
      evpn("b", {}),
      "evpn.advertiseVNIs Disabled here, All in",
    ],
    [
      "evpn-conflict",
      evpn("a", { advertiseSVI: true }),
      evpn("b", {}),
      "evpn.advertiseSVI false here, true in",
    ],
    [
      "evpn-conflict",
      evpn("a", vni({ rd: "1:1" })),
      evpn("b", vni({ rd: "1:2" })),
      "rd of VNI 5 1:2 here, 1:1 in",
    ],
    [
      "evpn-conflict",
      evpn("a", vni({ importRTs: ["1:1"] })),
      evpn("b", vni({})),
      "importRTs of VNI 5 implicit here, explicit in",
    ],
    [
      "evpn-conflict",
      evpn(
        "a",
        { l3vni: { vni: 5, advertisePrefixes: ["unicast"] } },
        { neighbors: [], vrf: "red" },
      ),
      evpn(
        "b",
        { l3vni: { vni: 6, advertisePrefixes: ["unicast"] } },
        { neighbors: [], vrf: "red" },
      ),
      "evpn.l3vni.vni 6 here, 5 in",
    ],
    [
      "l3vni-neighbors",
      owner("a"),
      evpn("b", { l3vni: { vni: 5, advertisePrefixes: ["unicast"] } }, { neighbors: [] }),
      "l3vni here, neighbours in FRRConfiguration metallb-system/a",
    ],
    [
      "vni-conflict",
      evpn("a", vni({})),
      evpn("b", vni({}), { vrf: "red" }),
      "VNI 5 is used in spec.bgp.routers[0] of FRRConfiguration metallb-system/a already",
    ],
  ])("%s: %#", ([rule, a, b, reason]) => {
    const made = world({}, together(a, b, owner("c", { address: "10.0.0.3" })));
    expect(asideIn(made)).toEqual({ b: rule });
    expect(reasonIn(made)).toContain(reason);
    expect(Object.keys(neighborsIn(planOf(made)))).toContain("10.0.0.3");
  });

  test("two localPrefs for one prefix", () => {
    const prefers = (name: string, localPref: number) =>
      owner(
        name,
        {
          toAdvertise: {
            allowed: { mode: "all" },
            withLocalPref: [{ localPref, prefixes: ["192.0.2.0/24"] }],
          },
        },
        { prefixes: ["192.0.2.0/24"] },
      );
    const made = world({}, together(prefers("a", 1), prefers("b", 2)));
    expect(asideIn(made)).toEqual({ b: "local-pref-conflict" });
    expect(reasonIn(made)).toContain("localPref of 192.0.2.0/24 2 here, 1 in");
    expect(asideIn(world({}, together(prefers("a", 1), prefers("b", 1))))).toEqual({});
  });
});

describe("what one side leaves open is adopted from the other", () => {
  test.for<[what: string, a: string, b: string, expected: object]>([
    ["the router id", owner("a"), owner("b", {}, { id: "1.1.1.1" }), {}],
    ["port nil is 179", owner("a"), owner("b", { port: 179 }), { remote: { port: 179 } }],
    [
      "hold and keepalive time nil are 180 s and 60 s",
      owner("a"),
      owner("b", { holdTime: "180s", keepaliveTime: "60s" }),
      { timers: { holdTimeSeconds: 180, keepaliveTimeSeconds: 60 } },
    ],
    [
      "connect time nil is 60 s",
      owner("a"),
      owner("b", { connectTime: "1m" }),
      { connectTimeSeconds: 60 },
    ],
    [
      "the BFD profile",
      owner("a"),
      withBfd("b", "fast", profile("fast", 50)),
      { bfd: { name: "fast", spec: { receiveIntervalMillis: 50 } } },
    ],
    [
      "the next hop of a family",
      owner("a", { toAdvertise: { nextHop: { ipv4: "10.9.9.1" } } }),
      owner("b"),
      { nextHops: { ipv4: "10.9.9.1" } },
    ],
    [
      "address families: the union",
      owner("a"),
      owner("b", { addressFamilies: ["evpn"] }),
      { addressFamilies: ["evpn", "unicast"] },
    ],
    [
      "one password, of two Secrets",
      owner("a", { passwordSecret: { name: "one" } }),
      owner("b", { passwordSecret: { name: "two" } }),
      { secret: { digest: "4" } },
    ],
  ])("%s", ([, a, b, expected]) => {
    const secrets = together(password("one", "same"), password("two", "same"));
    const made = world({}, together(secrets, a, b));
    expect(asideIn(made)).toEqual({});
    expect(mergedIn(made)).toHaveLength(1);
    expect(neighborIn(made)).toMatchObject(expected);
    expect(neighborIn(made)?.owners).toHaveLength(2);
  });

  test("the router id goes to the router", () => {
    const made = planOf(world({}, together(owner("a"), owner("b", {}, { id: "1.1.1.1" }))));
    expect(made.speakers.native?.routers.map(({ key }) => key)).toEqual(["|64512|1.1.1.1"]);
  });
});

describe("what is a set is united", () => {
  test("routers by VRF, neighbours by far end and VRF", () => {
    const made = world(
      {},
      together(
        owner("a"),
        owner("b", { address: "10.0.0.2" }),
        owner("c", {}, { vrf: "red" }),
        owner("d", {}, { vrf: "red", asn: 64513, prefixes: ["192.0.2.0/24"], neighbors: [] }),
      ),
    );
    expect(asideIn(made)).toEqual({ d: "router-asn-conflict" });
    expect(
      mergedIn(made).map(({ key, neighbors }) => [key, neighbors.map(({ name }) => name)]),
    ).toEqual([
      ["red|64512|", ["10.0.0.1-red"]],
      ["|64512|", ["10.0.0.1", "10.0.0.2"]],
    ]);
  });

  test("prefixes, masked, and imports", () => {
    const vrf = { asn: 64512, vrf: "red" };
    const of = (name: string, prefix: string, imported: string) =>
      configuration(name, [
        { asn: 64512, prefixes: [prefix], imports: [{ vrf: imported }] },
        { ...vrf, vrf: imported },
      ]);
    const made = world(
      {},
      together(
        of("a", "192.0.2.9/24", "red"),
        of("b", "192.0.2.0/24", "blue"),
        of("c", "10.0.0.0/8", "red"),
      ),
    );
    const router = mergedIn(made).find((one) => one.vrf === "");
    expect(router).toMatchObject({
      prefixes: ["10.0.0.0/8", "192.0.2.0/24"],
      imports: ["blue", "red"],
    });
  });

  test("toAdvertise: prefixes and communities; `all` means those of its own object", () => {
    const of = (name: string, prefixes: readonly string[], allowed: object, community: string) =>
      owner(
        name,
        { toAdvertise: { allowed, withCommunity: [{ community, prefixes: ["192.0.2.0/24"] }] } },
        { prefixes },
      );
    const made = world(
      {},
      together(
        of("a", ["192.0.2.0/24", "198.51.100.0/24"], { mode: "all" }, "1:2"),
        of("b", ["192.0.2.0/24", "203.0.113.0/24"], { prefixes: ["192.0.2.0/24"] }, "large:1:2:3"),
      ),
    );
    expect(told(planOf(made))).toEqual({
      "10.0.0.1": ["192.0.2.0/24 1:2 1:2:3", "198.51.100.0/24"],
    });
  });

  test("toReceive: (prefix, le, ge), and everything where one side wants everything", () => {
    const takes = (name: string, allowed: object) => owner(name, { toReceive: { allowed } });
    const some = takes("a", {
      prefixes: [{ prefix: "192.0.2.0/24" }, { prefix: "10.0.0.0/8", le: 24 }],
    });
    const other = takes("b", {
      prefixes: [
        { prefix: "10.0.0.0/8", le: 24 },
        { prefix: "10.0.0.0/8", ge: 25, le: 32 },
      ],
    });
    expect(neighborsIn(planOf(world({}, together(some, other))))[FAR]?.receive).toEqual({
      type: "prefixes",
      prefixes: [
        { prefix: "10.0.0.0/8", atLeast: 8, atMost: 24 },
        { prefix: "10.0.0.0/8", atLeast: 25, atMost: 32 },
        { prefix: "192.0.2.0/24", atLeast: 24, atMost: 24 },
      ],
    });
    const all = takes("c", { mode: "all" });
    expect(neighborsIn(planOf(world({}, together(some, all))))[FAR]?.receive).toEqual({
      type: "everything",
    });
    expect(neighborsIn(planOf(world({}, owner("d"))))[FAR]?.receive).toEqual({ type: "nothing" });
  });

  test("equal BFD profiles of two objects are one", () => {
    const made = world(
      {},
      together(
        withBfd("a", "fast", profile("fast", 50)),
        withBfd("b", "fast", profile("fast", 50)),
      ),
    );
    expect(asideIn(made)).toEqual({});
  });

  test("route targets of one VNI, where neither side leaves them to the speaker", () => {
    const made = world(
      {},
      together(
        evpn("a", vni({ rd: "1:1", importRTs: ["1:2"], exportRTs: ["1:9"] })),
        evpn("b", { l2vnis: [{ vni: 4 }, { vni: 5, importRTs: ["1:1"], exportRTs: ["1:9"] }] }),
        owner("c"),
      ),
    );
    expect(asideIn(made)).toEqual({});
    expect(mergedIn(made)[0]?.evpn?.l2vnis).toEqual([
      { vni: 4, rd: "", importRouteTargets: [], exportRouteTargets: [] },
      { vni: 5, rd: "1:1", importRouteTargets: ["1:1", "1:2"], exportRouteTargets: ["1:9"] },
    ]);
  });
});
