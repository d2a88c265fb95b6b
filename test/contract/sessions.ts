/**
 * Sessions of every sort at once: outside and inside the AS, over either family, with and without TCP-MD5, on the link and over
 * a hop, with timers and graceful restart asked for. Each carries the host's prefix of its family.
 */
import { advertisement, pool, service } from "./manifests.ts";
import type { Group, Scenario } from "./scenario.ts";
import { needsOf, type Session } from "./session.ts";
import type { FarName, Lane } from "./world.ts";

const KEY = "k3y-of-both";
/** Not below half a minute: a busy machine may hold a process up for seconds. */
const KINDS: readonly (Omit<Session, "far" | "transport"> & { readonly words: string })[] = [
  { lane: 0, words: "on the link" },
  {
    lane: 1,
    words: "on the link, TCP-MD5, hold time 30 s, graceful restart",
    password: KEY,
    holdTimeSeconds: 30,
    gracefulRestart: true,
  },
  { lane: 2, words: "over a hop, graceful restart", gracefulRestart: true },
  {
    lane: 3,
    words: "over a hop, TCP-MD5, hold time 45 s, AS from the OPEN",
    password: KEY,
    holdTimeSeconds: 45,
    dynamicAs: true,
  },
];

const PAIRS: readonly (readonly [string, readonly FarName[]])[] = [
  ["eBGP", ["frr", "bird"]],
  ["iBGP", ["frrInside", "birdInside"]],
];
const TRANSPORTS = [
  ["IPv4", "ipv4"],
  ["IPv6", "ipv6"],
] as const;
const TOLD = [{ prefix: "203.0.113.1/32" }, { prefix: "2001:db8:f::1/128" }];

const combined = PAIRS.flatMap(([sort, fars]) =>
  TRANSPORTS.flatMap(([over, transport]) =>
    KINDS.map(({ words, ...kind }) => ({
      name: `${sort} over ${over}, ${words}`,
      sessions: fars.map((far): Session => ({ ...kind, far, transport })),
    })),
  ),
);

/** RFC 7705. */
const OTHER_AS = 64700;
const otherLane: Lane = 4;
const asOther = (["frr", "bird"] as const).map((far): Session => ({
  far,
  transport: "ipv4",
  lane: otherLane,
  localAs: OTHER_AS,
}));

/** Another router of the host in the same VRF. */
const SECOND_AS = 64600;
const secondRouter = (["frr", "bird"] as const).map((far): Session => ({
  far,
  transport: "ipv6",
  lane: otherLane,
  routerAs: SECOND_AS,
}));
const evpn: readonly Session[] = [
  { far: "frrInside", transport: "ipv4", lane: otherLane, evpn: true },
];

const scenarioOf = (name: string, sessions: readonly Session[]): Scenario => ({
  name,
  needs: [...new Set(sessions.flatMap(needsOf))],
  sessions,
  steps: [{ after: "the start", does: [], told: TOLD }],
  sessionsMay: "never end",
});

export const SESSIONS: Group = {
  name: "Sessions",
  sessions: [...combined.flatMap(({ sessions }) => sessions), ...asOther, ...secondRouter, ...evpn],
  manifests: [
    pool("pool", "203.0.113.0/24", "2001:db8:f::/64"),
    advertisement("all", {}),
    service("web", "203.0.113.1", "2001:db8:f::1"),
  ],
  always: TOLD,
  config: "",
  prepared: [],
  networks: {},
  scenarios: [
    ...combined.map(({ name, sessions }) => scenarioOf(name, sessions)),
    scenarioOf(`eBGP where the host is AS ${OTHER_AS} to the router alone (RFC 7705)`, asOther),
    scenarioOf(`eBGP where the host is AS ${SECOND_AS}, beside its other AS`, secondRouter),
    {
      ...scenarioOf("iBGP that carries EVPN alone (RFC 7432)", evpn),
      fields: ["spec.bgp.routers[0].neighbors[0].addressFamilies"],
    },
  ],
};
