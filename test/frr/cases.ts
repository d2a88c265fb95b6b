/**
 * Intents whose rendering is kept as text, and which a real FRR has to take and print back.
 *
 * One line each, named after what it is about; the text is in golden/NAME.txt. Read next: render.test.ts,
 * ../live/frr-render.live.test.ts.
 */
import type { NeighborIntent, ReceiveRule, SpeakerIntent } from "../../backends/intent.ts";
import { address } from "../../events/address.ts";
import { asn } from "../../events/ids.ts";
import { prefix } from "../../events/prefix.ts";
import type { FrrEvpn } from "../../events/resources/frr-evpn.ts";
import {
  keyOf,
  neighbor,
  router,
  routes,
  type Said,
  secret,
  speaker,
  timing,
  to,
} from "./intents.ts";

const V4 = "192.0.2.2";
const V4B = "192.0.2.3";
const V6 = "2001:db8::2";
const BOTH: Said = { families: ["ipv4", "ipv6"] };
const IBGP: Said = { remoteAs: { type: "asn", asn: asn(64_512) } };
const FAR: Said = { timeToLive: 255 };
const RED = { vrf: "red" };

/** One router, one neighbour. */
const one = (remote: string, said?: Said): SpeakerIntent =>
  speaker([router([neighbor(remote, said)])]);

/** The neighbour is told one IPv4 and one IPv6 prefix with these attributes. */
const told = (said: Said, attributes: Parameters<typeof to>[1]): SpeakerIntent =>
  speaker([
    router([neighbor(V4, { ...BOTH, ...said })], {
      routes: routes([to([keyOf(V4)], attributes), "198.51.100.1/32", "2001:db8:1::1/128"]),
    }),
  ]);

const listed = (...prefixes: readonly [string, number, number][]): ReceiveRule => ({
  type: "prefixes",
  prefixes: prefixes.map(([text, atLeast, atMost]) => ({ prefix: prefix(text), atLeast, atMost })),
});
const receives = (receive: ReceiveRule, said: Said = BOTH): SpeakerIntent =>
  one(V4, { ...said, receive });

type Guard = NonNullable<NeighborIntent["receiveGuard"]>;
const guarded = (guard: Partial<Guard>, said: Said = {}): SpeakerIntent =>
  one(V4, {
    ...said,
    receiveGuard: { alwaysBlock: [], maximumPrefixes: {}, checkFirstAs: true, ...guard },
  });
const BLOCKED = ["10.0.0.0/8", "0.0.0.0/0", "2001:db8:bad::/48"].map(prefix);
const ipv4Maximum = (
  warnAtPercent: number | undefined,
  beyond: NonNullable<Guard["maximumPrefixes"]["ipv4"]>["beyond"],
): SpeakerIntent => guarded({ maximumPrefixes: { ipv4: { count: 100, warnAtPercent, beyond } } });

const bfd = (
  said: Parameters<typeof timing>[0] = {},
  profile = "fast",
  multihop = false,
): Said => ({ speakerBfd: { profile, multihop, timing: timing(said) } });

const evpn = (said: Partial<FrrEvpn>): FrrEvpn => ({
  advertiseVnis: "Disabled",
  advertiseSvi: false,
  l2vnis: [],
  ...said,
});
const vni = (
  number: number,
  rd: string,
  inward: readonly string[],
  outward: readonly string[],
) => ({
  vni: number,
  rd,
  importRouteTargets: inward,
  exportRouteTargets: outward,
});
const EVPN_ALONE: Said = { carriesEvpn: true, families: [] };

const withRaw = (receive: ReceiveRule, ...raw: readonly string[]): SpeakerIntent =>
  speaker(
    [
      router([neighbor(V4, { ...BOTH, ...IBGP, receive })], {
        routes: routes(
          [
            to([keyOf(V4)], {
              localPref: 200,
              communities: [0xfde80001],
              largeCommunities: ["65000:1:2"],
            }),
            "198.51.100.1/32",
          ],
          [to([keyOf(V4)]), "198.51.100.2/32"],
        ),
      }),
    ],
    ...raw,
  );

/** Name → intent. */
export const CASES: Readonly<Record<string, SpeakerIntent>> = {
  nothing: speaker([]),
  "router-alone": speaker([router([])]),
  "router-id": speaker([router([], { routerId: address("192.0.2.1") })]),
  "as-of-four-octets": speaker([
    router([neighbor(V4, { remoteAs: { type: "asn", asn: asn(4_200_000_001) } })], {
      localAs: asn(4_200_000_000),
    }),
  ]),
  "ebgp-ipv4": one(V4),
  "ebgp-ipv6": one(V6),
  "ebgp-far-ipv4": one(V4, FAR),
  "ebgp-far-ipv6": one(V6, FAR),
  "ibgp-ipv4": one(V4, { ...IBGP, ...FAR }),
  "ibgp-ipv6": one(V6, { ...IBGP, ...FAR }),
  "dual-stack-over-ipv4": one(V4, BOTH),
  "dual-stack-over-ipv6": one(V6, BOTH),
  "as-internal": one(V4, { remoteAs: { type: "internal" } }),
  "as-external": one(V4, { remoteAs: { type: "external" } }),
  "as-external-ipv6": one(V6, { remoteAs: { type: "external" } }),
  "hops-limited": one(V4, { timeToLive: 3 }),
  port: one(V4, { remote: { type: "address", address: address(V4), port: 1790 } }),
  "update-source": one(V4, { localAddress: address("192.0.2.1") }),
  "update-source-ipv6": one(V6, { localAddress: address("2001:db8::1") }),
  "update-source-interface": one(V4, { localInterface: "dum0" }),
  password: one(V4, { authentication: secret("plain") }),
  "password-odd": one(V4, { authentication: secret("odd") }),
  "password-longest": one(V4, { authentication: secret("longest") }),
  timers: one(V4, { holdTimeSeconds: 9, keepaliveTimeSeconds: 3, connectRetrySeconds: 5 }),
  "timers-off": one(V4, { holdTimeSeconds: 0, keepaliveTimeSeconds: 0 }),
  "timers-longest": one(V4, {
    holdTimeSeconds: 65_535,
    keepaliveTimeSeconds: 21_845,
    connectRetrySeconds: 65_535,
  }),
  "local-as": one(V4, { localAsOverride: asn(65_099) }),
  unnumbered: one("eth0"),
  "unnumbered-external": one("eth0", {
    remoteAs: { type: "external" },
    localAddress: address("192.0.2.1"),
  }),
  "unnumbered-internal": one("eth0", { remoteAs: { type: "internal" }, families: ["ipv6"] }),
  "unnumbered-vlan": one("bond0.100", { ...FAR, ...bfd() }),
  "graceful-restart": one(V4, { gracefulRestart: { restartTimeSeconds: 120 } }),
  "graceful-restart-time": speaker([
    router([
      neighbor(V4, { gracefulRestart: { restartTimeSeconds: 90 } }),
      neighbor(V4B, { gracefulRestart: { restartTimeSeconds: 300 } }),
    ]),
  ]),
  "bfd-default": one(V4, bfd({ echoIntervalMillis: 50 })),
  "bfd-fast": one(
    V4,
    bfd({ transmitIntervalMillis: 10, receiveIntervalMillis: 25, detectMultiplier: 2 }),
  ),
  "bfd-echo": one(V4, bfd({ echoIntervalMillis: 100 })),
  "bfd-passive": one(V4, bfd({ passive: true })),
  "bfd-far": one(V4, { ...FAR, ...bfd({ minimumTimeToLive: 250 }, "far", true) }),
  "bfd-shared-profile": speaker([
    router([
      neighbor(V4, bfd({ echoIntervalMillis: 60 }, "shared")),
      neighbor(V4B, { ...FAR, ...bfd({ minimumTimeToLive: 10 }, "shared", true) }),
    ]),
  ]),
  "bfd-two-profiles": speaker([
    router([
      neighbor(V4, bfd({}, "fast")),
      neighbor(V6, bfd({ transmitIntervalMillis: 1_000, receiveIntervalMillis: 1_000 }, "slow")),
    ]),
  ]),
  "bfd-long-name": one(V4, bfd({}, `${"long-".repeat(20)}name`)),
  "receive-everything": receives({ type: "everything" }),
  "receive-exact": receives(listed(["203.0.113.0/24", 24, 24], ["2001:db8:2::/48", 48, 48])),
  "receive-ranges": receives(
    listed(
      ["10.0.0.0/8", 8, 24],
      ["10.1.0.0/16", 17, 32],
      ["10.2.0.0/16", 24, 24],
      ["10.3.0.0/16", 20, 28],
      ["10.4.0.0/16", 16, 32],
      ["2001:db8::/32", 32, 128],
      ["2001:db8:4::/48", 64, 128],
    ),
  ),
  "receive-default-route": receives(listed(["0.0.0.0/0", 0, 0], ["::/0", 0, 0])),
  "receive-any-length": receives(listed(["0.0.0.0/0", 0, 32], ["::/0", 0, 128])),
  "receive-one-family": receives(listed(["203.0.113.0/24", 24, 24]), {}),
  "receive-by-ipv6": one(V6, { receive: listed(["2001:db8:2::/48", 48, 64]) }),
  "always-block": guarded({ alwaysBlock: BLOCKED }, { ...BOTH, receive: { type: "everything" } }),
  "always-block-many": speaker([
    router(
      [V4, V4B].map((remote) =>
        neighbor(remote, {
          receiveGuard: { alwaysBlock: BLOCKED, maximumPrefixes: {}, checkFirstAs: true },
          receive: listed(["203.0.113.0/24", 24, 32]),
        }),
      ),
    ),
  ]),
  "first-as-unchecked": guarded({ checkFirstAs: false }),
  "maximum-warn": ipv4Maximum(undefined, { type: "warn" }),
  "maximum-warn-at": ipv4Maximum(80, { type: "warn" }),
  "maximum-restart": ipv4Maximum(75, { type: "restart", afterSeconds: 90 }),
  "maximum-restart-at": ipv4Maximum(50, { type: "restart", afterSeconds: 60 }),
  "maximum-idle": ipv4Maximum(undefined, { type: "idle" }),
  "maximum-both": guarded(
    {
      maximumPrefixes: {
        ipv4: { count: 10, warnAtPercent: 75, beyond: { type: "idle" } },
        ipv6: { count: 20, warnAtPercent: 90, beyond: { type: "warn" } },
      },
    },
    BOTH,
  ),
  "told-plain": told({}, {}),
  "told-communities": told(
    {},
    { communities: [0, 0xfde80001, 0xffff0000, 0xffff029a, 0xffffff01] },
  ),
  "told-large-communities": told({}, { largeCommunities: ["65000:1:2", "4294967295:0:1"] }),
  "told-med": told({}, { med: 50 }),
  "told-local-pref-inside": told(IBGP, { localPref: 200 }),
  "told-local-pref-outside": told({}, { localPref: 200 }),
  "told-next-hop-ipv4": told({}, { nextHop: address("192.0.2.100") }),
  "told-next-hop-ipv6": told({}, { nextHop: address("2001:db8::100") }),
  "told-everything": told(IBGP, {
    localPref: 4_294_967_295,
    med: 0,
    communities: [0xfde80001, 0xfde80002],
    largeCommunities: ["65000:1:2"],
    nextHop: address("192.0.2.100"),
  }),
  "told-differently": speaker([
    router([neighbor(V4), neighbor(V4B, IBGP)], {
      routes: routes(
        [to([keyOf(V4), keyOf(V4B)]), "198.51.100.1/32", "198.51.100.2/32"],
        [to([keyOf(V4)], { communities: [0xfde80001] }), "198.51.100.3/32"],
        [
          [...to([keyOf(V4)], { med: 10 }), ...to([keyOf(V4B)], { localPref: 300 })],
          "198.51.100.4/32",
        ],
      ),
    }),
  ]),
  "told-nobody": speaker([router([neighbor(V4)], { routes: routes([[], "198.51.100.1/32"]) })]),
  vrf: speaker([
    router([neighbor(V4, RED)], {
      ...RED,
      routes: routes([to([keyOf(V4, "red")]), "198.51.100.1/32"]),
    }),
  ]),
  "vrf-same-address": speaker([
    router([neighbor(V4)], { routes: routes([to([keyOf(V4)]), "198.51.100.1/32"]) }),
    router([neighbor(V4, { ...RED, receive: { type: "everything" } })], {
      ...RED,
      localAs: asn(64_600),
      routes: routes([to([keyOf(V4, "red")]), "198.51.100.1/32"]),
    }),
  ]),
  "vrf-unnumbered-bfd": speaker([router([neighbor("eth0", { ...RED, ...bfd() })], RED)]),
  "vrf-import": speaker([
    router([neighbor(V4)], { imports: ["red"] }),
    router([], { ...RED, routes: routes([to([keyOf(V4)]), "198.51.100.1/32", "2001:db8:1::/64"]) }),
  ]),
  "vrf-import-default": speaker([
    router([neighbor(V4)]),
    router([neighbor(V6, { vrf: "blue" })], { vrf: "blue", imports: ["", "red"] }),
    router([], RED),
  ]),
  "evpn-neighbor": one(V4, { ...EVPN_ALONE, ...IBGP }),
  "evpn-beside-unicast": one(V4, { carriesEvpn: true }),
  "evpn-unnumbered": one("eth0", { ...EVPN_ALONE, remoteAs: { type: "external" } }),
  "evpn-advertise": speaker([
    router([neighbor(V4, EVPN_ALONE)], {
      evpn: evpn({ advertiseVnis: "All", advertiseSvi: true }),
    }),
  ]),
  "evpn-layer-2": speaker([
    router([neighbor(V4, EVPN_ALONE)], {
      evpn: evpn({
        advertiseVnis: "All",
        l2vnis: [
          vni(100, "192.0.2.1:100", ["64512:101", "64512:199"], ["64512:101"]),
          vni(200, "", [], ["192.0.2.1:200"]),
          vni(300, "", [], []),
        ],
      }),
    }),
  ]),
  "evpn-derived-targets": speaker([
    router([neighbor(V4, EVPN_ALONE)], {
      evpn: evpn({
        advertiseVnis: "All",
        l2vnis: [
          vni(100, "", ["64512:100", "64512:199"], ["64512:100"]),
          vni(200, "", ["64512:200"], ["64512:200"]),
        ],
      }),
    }),
  ]),
  "evpn-not-advertised": speaker([
    router([neighbor(V4, EVPN_ALONE)], { evpn: evpn({ l2vnis: [vni(100, "64512:9", [], [])] }) }),
  ]),
  "evpn-layer-3": speaker([
    router([neighbor(V4, EVPN_ALONE)], { evpn: evpn({ advertiseVnis: "All" }) }),
    router([], {
      ...RED,
      evpn: evpn({
        l3vni: {
          ...vni(3_000, "64512:3000", ["64512:3000"], ["64512:3000", "64512:3099"]),
          advertisePrefixes: ["unicast"],
        },
      }),
    }),
  ]),
  "raw-names-no-list": withRaw(
    { type: "everything" },
    "router bgp 64512\n neighbor 192.0.2.2 description x",
  ),
  "raw-names-lists": withRaw(
    { type: "everything" },
    [
      "route-map x permit 10",
      " match ip address prefix-list 192.0.2.2-allowed-ipv4",
      " match ip address prefix-list 192.0.2.2-200-ip-localpref-prefixes",
      " match ip address prefix-list 192.0.2.2-65000:1-ip-community-prefixes",
      " match ip address prefix-list 192.0.2.2-large:65000:1:2-ip-community-prefixes",
      " match ipv6 address prefix-list 192.0.2.2-allowed-ipv6",
      " match ip address prefix-list 192.0.2.2-inpl-dual",
    ].join("\n"),
  ),
  "raw-extends-in-map": withRaw(
    { type: "nothing" },
    "route-map 192.0.2.2-in permit 20\n match tag 5\nexit",
  ),
};
