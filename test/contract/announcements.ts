/**
 * What is announced, and how: outside routers speak over IPv4, inside ones over IPv6, and every session carries both families.
 */
import {
  advertisement,
  frrConfiguration,
  type Manifest,
  pool,
  rutter,
  service,
} from "./manifests.ts";
import type { Action, Group, Scenario, Told } from "./scenario.ts";
import { type Session, peerName, remoteAddress } from "./session.ts";
import { AS_OF, FAR_NAMES, type FarName, HOST_AS, isInside } from "./world.ts";

const sessionTo = (far: FarName): Session => ({
  far,
  transport: isInside(far) ? "ipv6" : "ipv4",
  lane: 0,
  dualStack: true,
});
const nameAt = (far: FarName): string => peerName(sessionTo(far));
const INSIDE: readonly FarName[] = ["frrInside", "birdInside"];
const OUTSIDE: readonly FarName[] = ["frr", "bird"];

const POOL = pool("pool", "203.0.113.0/24", "2001:db8:f::/64");
const apply = (...manifests: readonly Manifest[]): Action => ({ type: "apply", manifests });
const remove = (...manifests: readonly Manifest[]): Action => ({ type: "delete", manifests });
const web = service("web", "203.0.113.1", "2001:db8:f::1");
const api = service("api", "203.0.113.2", "2001:db8:f::2");
const WEB = ["203.0.113.1/32", "2001:db8:f::1/128"] as const;
const API = ["203.0.113.2/32", "2001:db8:f::2/128"] as const;
/** The same of several prefixes. */
const each = (prefixes: readonly string[], more: Omit<Told, "prefix"> = {}): readonly Told[] =>
  prefixes.map((prefix) => ({ prefix, ...more }));

const simple = (name: string, manifests: readonly Manifest[], told: readonly Told[]): Scenario => ({
  name,
  needs: [],
  steps: [{ after: "apply", does: [apply(POOL, ...manifests)], told }],
  sessionsMay: "never end",
});

/** A configuration of frr-k8s' that owns the same neighbours as the BGPPeers. */
const configuration = (toAdvertise: object, spec: object = {}): Manifest =>
  frrConfiguration("more", {
    bgp: {
      routers: [
        {
          asn: HOST_AS,
          prefixes: ["198.51.100.0/25", "2001:db8:e::/64"],
          neighbors: FAR_NAMES.map((far) => ({
            asn: AS_OF[far],
            address: remoteAddress(sessionTo(far)),
            dualStackAddressFamily: true,
            toAdvertise: { allowed: { mode: "all" }, ...toAdvertise },
          })),
        },
      ],
    },
    ...spec,
  });
const CONFIGURED = ["198.51.100.0/25", "2001:db8:e::/64"] as const;

const LOOPBACK = ["198.51.100.200/32", "dev", "lo"] as const;

const scenarios: readonly Scenario[] = [
  simple(
    "a Service's address of either family, to every peer",
    [advertisement("all", {}), web],
    each(WEB),
  ),
  simple(
    "an aggregate instead of its addresses",
    [advertisement("all", { aggregationLength: 25, aggregationLengthV6: 120 }), web, api],
    each(["203.0.113.0/25", "2001:db8:f::/120"]),
  ),
  simple(
    "communities: plain, well-known and large",
    [
      advertisement("all", {
        communities: [
          "64512:70",
          "64512:8",
          "large:64512:1:2",
          "large:4200000000:7:8",
          "no-export",
        ],
      }),
      web,
    ],
    each(WEB, {
      communities: ["64512:8", "64512:70", "65535:65281"],
      largeCommunities: ["64512:1:2", "4200000000:7:8"],
    }),
  ),
  simple(
    "LOCAL_PREF, inside the AS only (RFC 4271 §5.1.5)",
    [advertisement("all", { localPref: 321 }), web],
    each(WEB, { localPref: 321 }),
  ),
  simple(
    "two peers with different sets and different communities",
    [
      advertisement("frr", {
        ipAddressPools: ["pool"],
        peers: INSIDE.map(nameAt),
        communities: ["64512:1"],
      }),
      pool("other", "192.0.2.0/24"),
      advertisement("other", { ipAddressPools: ["other"], peers: [nameAt("bird"), nameAt("frr")] }),
      web,
      service("mail", "192.0.2.9"),
    ],
    [
      ...each(WEB, { at: INSIDE, communities: ["64512:1"] }),
      { prefix: "192.0.2.9/32", at: OUTSIDE },
    ],
  ),
  {
    name: "MED, of a RouteExport",
    needs: [],
    steps: [
      {
        after: "an address on lo and a RouteExport of it",
        does: [
          { type: "ip", arguments: ["address", "add", ...LOOPBACK] },
          apply(
            rutter("RouteExport", "loopback", {
              from: { type: "addresses", interfaces: ["lo"] },
              med: 50,
              communities: ["64512:3"],
              localPref: 150,
            }),
          ),
        ],
        told: [{ prefix: "198.51.100.200/32", med: 50, localPref: 150, communities: ["64512:3"] }],
      },
      {
        after: "the address is gone",
        does: [{ type: "ip", arguments: ["address", "delete", ...LOOPBACK] }],
        told: [],
      },
    ],
    sessionsMay: "never end",
  },
  simple(
    "a next hop of another host, of an FRRConfiguration",
    [configuration({ nextHop: { ipv4: "10.99.0.77", ipv6: "fd99::77" } })],
    [
      { prefix: CONFIGURED[0], nextHop: "10.99.0.77" },
      { prefix: CONFIGURED[1], nextHop: "fd99::77" },
    ],
  ),
  simple(
    "communities and LOCAL_PREF of some prefixes of an FRRConfiguration",
    [
      configuration({
        withCommunity: [{ community: "64512:9", prefixes: [CONFIGURED[0]] }],
        withLocalPref: [{ localPref: 222, prefixes: [CONFIGURED[1]] }],
      }),
    ],
    [
      { prefix: CONFIGURED[0], communities: ["64512:9"] },
      { prefix: CONFIGURED[1], localPref: 222 },
    ],
  ),
  {
    name: "an update in place: what changes is told anew, and is missed by nobody meanwhile",
    needs: [],
    steps: [
      {
        after: "apply",
        does: [apply(POOL, advertisement("all", { communities: ["64512:1"] }), web, api)],
        told: each([...WEB, ...API], { communities: ["64512:1"] }),
      },
      {
        after: "other communities and another LOCAL_PREF",
        does: [
          apply(advertisement("all", { communities: ["64512:2", "no-export"], localPref: 50 })),
        ],
        told: each([...WEB, ...API], { communities: ["64512:2", "65535:65281"], localPref: 50 }),
        neverMissed: { at: FAR_NAMES, prefixes: [...WEB, ...API] },
      },
      {
        after: "none at all",
        does: [apply(advertisement("all", {}))],
        told: each([...WEB, ...API]),
        neverMissed: { at: FAR_NAMES, prefixes: [...WEB, ...API] },
      },
    ],
    sessionsMay: "never end",
  },
  {
    name: "a withdrawal: one Service goes, the other stays and is missed by nobody",
    needs: [],
    steps: [
      {
        after: "apply",
        does: [apply(POOL, advertisement("all", {}), web, api)],
        told: each([...WEB, ...API]),
      },
      {
        after: "one Service is deleted",
        does: [remove(web)],
        told: each(API),
        neverMissed: { at: FAR_NAMES, prefixes: API },
      },
      {
        after: "it comes again",
        does: [apply(web)],
        told: each([...WEB, ...API]),
        neverMissed: { at: FAR_NAMES, prefixes: API },
      },
    ],
    sessionsMay: "never end",
  },
  {
    name: "raw lines: FRR's own default-originate",
    needs: ["raw"],
    fields: ["spec.raw"],
    steps: [
      {
        after: "apply",
        does: [
          apply(
            configuration(
              {},
              {
                raw: {
                  rawConfig: [
                    `router bgp ${HOST_AS}`,
                    " address-family ipv4 unicast",
                    ...OUTSIDE.map(
                      (far) => `  neighbor ${remoteAddress(sessionTo(far))} default-originate`,
                    ),
                    " exit-address-family",
                  ].join("\n"),
                },
              },
            ),
          ),
        ],
        told: [...each(CONFIGURED), { prefix: "0.0.0.0/0", at: OUTSIDE }],
      },
    ],
    sessionsMay: "never end",
  },
];

export const ANNOUNCEMENTS: Group = {
  name: "Announcements",
  sessions: FAR_NAMES.map(sessionTo),
  manifests: [],
  always: [],
  config: "",
  prepared: [],
  networks: {},
  scenarios,
};
