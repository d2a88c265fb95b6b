/**
 * The same in a VRF of the host: its link is in it, and nothing of it in the default one. Only where the kernel has VRFs.
 */
import { advertisement, frrConfiguration, pool, service } from "./manifests.ts";
import type { Group, Scenario } from "./scenario.ts";
import { remoteAddress, type Session } from "./session.ts";
import { AS_OF, FAR_NAMES, HOST_AS, isInside, linkAddress } from "./world.ts";

const VRF = "red";
const PASSWORD = "k3y-of-both";
const SESSIONS = FAR_NAMES.map((far): Session => ({
  far,
  transport: isInside(far) ? "ipv6" : "ipv4",
  lane: 0,
  dualStack: true,
  vrf: VRF,
  password: PASSWORD,
}));
const WEB = [{ prefix: "203.0.113.1/32" }, { prefix: "2001:db8:f::1/128" }];
const API = { prefix: "203.0.113.2/32" };
const api = service("api", "203.0.113.2");

const OUTSIDE = "198.51.100.0/25";
const LEARNED = "20.8.0.0/16";
/** Each of the two has what the other one knows. */
const leaking = frrConfiguration("leaking", {
  bgp: {
    routers: [
      { asn: HOST_AS, prefixes: [OUTSIDE], imports: [{ vrf: VRF }] },
      {
        asn: HOST_AS,
        vrf: VRF,
        imports: [{ vrf: "default" }],
        neighbors: SESSIONS.map((session) => ({
          asn: AS_OF[session.far],
          address: remoteAddress(session),
          dualStackAddressFamily: true,
          password: PASSWORD,
          toAdvertise: { allowed: { prefixes: [OUTSIDE] } },
          toReceive: { allowed: { prefixes: [{ prefix: LEARNED }] } },
        })),
      },
    ],
  },
});

const scenarios: readonly Scenario[] = [
  {
    name: "sessions with TCP-MD5 in a VRF, a Service that comes and goes",
    needs: ["vrf", "tcp-md5"],
    probes: ["vrf"],
    sessions: SESSIONS,
    steps: [
      { after: "the start", does: [], told: WEB },
      { after: "apply", does: [{ type: "apply", manifests: [api] }], told: [...WEB, API] },
      { after: "delete", does: [{ type: "delete", manifests: [api] }], told: WEB },
    ],
    sessionsMay: "never end",
  },
  {
    name: "VRFs that leak: a prefix from outside is told in it, and what it learned is used outside",
    needs: ["vrf", "tcp-md5", "vrf-import"],
    probes: ["vrf"],
    steps: [
      {
        after: "apply",
        does: [{ type: "apply", manifests: [leaking] }],
        told: [...WEB, { prefix: OUTSIDE }],
        accepted: { bird: [LEARNED] },
        installed: [LEARNED],
      },
      {
        after: "delete",
        does: [{ type: "delete", manifests: [leaking] }],
        told: WEB,
        accepted: { bird: [] },
        installed: [],
      },
    ],
    sessionsMay: "never end",
  },
];

export const IN_VRF: Group = {
  name: "In a VRF",
  sessions: SESSIONS,
  manifests: [
    pool("pool", "203.0.113.0/24", "2001:db8:f::/64"),
    advertisement("all", {}),
    service("web", "203.0.113.1", "2001:db8:f::1"),
  ],
  always: WEB,
  config: "",
  prepared: [
    ["link", "add", VRF, "type", "vrf", "table", "10"],
    ["link", "set", VRF, "up"],
    ["link", "set", "eth0", "master", VRF],
    // The kernel takes them away when a link changes its VRF.
    ["address", "replace", `${linkAddress("host", "ipv6", 0)}/64`, "dev", "eth0", "nodad"],
  ],
  networks: { bird: [LEARNED] },
  scenarios,
};
