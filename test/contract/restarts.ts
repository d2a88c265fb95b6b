/**
 * What a restart costs: of a router, of the agent, and of a speaker beside it. Outside routers keep routes over a restart, inside
 * ones were not asked to. Each session carries the other family, too.
 */
import { advertisement, pool, rutter, service } from "./manifests.ts";
import type { Group, Scenario } from "./scenario.ts";
import type { Session } from "./session.ts";
import { FAR_NAMES, type FarName, isInside } from "./world.ts";

const sessionTo = (far: FarName): Session => ({
  far,
  transport: isInside(far) ? "ipv4" : "ipv6",
  lane: 0,
  dualStack: true,
  ...(isInside(far) ? {} : { gracefulRestart: true }),
});
const VIPS = ["203.0.113.1/32", "203.0.113.2/32", "2001:db8:f::1/128", "2001:db8:f::2/128"];
const NETWORKS = ["20.1.0.0/16", "2001:db8:7::/48"];
const TOLD = VIPS.map((prefix) => ({ prefix }));
const ACCEPTED = Object.fromEntries(FAR_NAMES.map((far) => [far, NETWORKS]));

const restartOf = (far: FarName): Scenario => ({
  name: `${far} is killed and started again: told everything, and heard again`,
  needs: [],
  steps: [
    {
      after: "the restart",
      does: [{ type: "restart-router", far }],
      told: TOLD,
      accepted: ACCEPTED,
      installed: NETWORKS,
    },
  ],
  sessionsMay: "end",
});

export const RESTARTS: Group = {
  name: "Restarts",
  sessions: FAR_NAMES.map(sessionTo),
  manifests: [
    pool("pool", "203.0.113.0/24", "2001:db8:f::/64"),
    advertisement("all", {}),
    service("web", "203.0.113.1", "2001:db8:f::1"),
    service("api", "203.0.113.2", "2001:db8:f::2"),
    rutter("RouteImport", "all", {}),
  ],
  always: TOLD,
  config: "",
  prepared: [],
  networks: NETWORKS,
  scenarios: [
    ...FAR_NAMES.map(restartOf),
    {
      name: "the agent is killed and started again: missed by nobody who was asked to keep routes",
      needs: ["graceful-restart"],
      steps: [
        {
          after: "the restart",
          does: [{ type: "restart-agent" }],
          told: TOLD,
          neverMissed: { at: ["frr", "bird"], prefixes: VIPS },
          accepted: ACCEPTED,
          installed: NETWORKS,
        },
      ],
      sessionsMay: "end",
    },
    {
      name: "the speaker beside the agent is killed and started again: all is told and heard again",
      needs: ["own-process"],
      steps: [
        {
          after: "the restart",
          does: [{ type: "restart-speaker" }],
          told: TOLD,
          accepted: ACCEPTED,
          installed: NETWORKS,
        },
      ],
      sessionsMay: "end",
    },
  ],
};
