/**
 * What a restart costs: of a router, of the agent, and of a speaker beside it. Outside routers keep routes over a restart, inside
 * ones were not asked to. Each session carries the other family, too.
 */
import { advertisement, pool, rutter, service } from "./manifests.ts";
import type { Group, Scenario, Step } from "./scenario.ts";
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
/** Each router announces its own, so that none stands in for another. */
const NETWORKS: Readonly<Record<FarName, readonly string[]>> = {
  frr: ["20.1.0.0/16", "2001:db8:1::/48"],
  bird: ["20.2.0.0/16", "2001:db8:2::/48"],
  frrInside: ["20.3.0.0/16", "2001:db8:3::/48"],
  birdInside: ["20.4.0.0/16", "2001:db8:4::/48"],
};
const INSTALLED = Object.values(NETWORKS).flat().toSorted();
const TOLD = VIPS.map((prefix) => ({ prefix }));

const ALL = { told: TOLD, accepted: NETWORKS, installed: INSTALLED };
/** What is there before anything is restarted. */
const START: Step = { after: "the start", does: [], ...ALL };

const restartOf = (far: FarName): Scenario => ({
  name: isInside(far)
    ? `${far} is killed and started again: told everything, and heard again`
    : `${far} is killed and started again: the same, and what it announced stays in the kernel meanwhile`,
  needs: isInside(far) ? [] : ["graceful-restart"],
  steps: [
    START,
    {
      after: "the restart",
      does: [{ type: "restart-router", far }],
      ...ALL,
      ...(isInside(far) ? {} : { neverMissed: { at: ["kernel"], prefixes: NETWORKS[far] } }),
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
        START,
        {
          after: "the restart",
          does: [{ type: "restart-agent" }],
          ...ALL,
          neverMissed: { at: ["frr", "bird"], prefixes: VIPS },
        },
      ],
      sessionsMay: "end",
    },
    {
      name: "the speaker beside the agent is killed and started again: all is told and heard again",
      needs: ["own-process"],
      steps: [
        START,
        {
          after: "the restart",
          does: [{ type: "restart-speaker" }],
          ...ALL,
        },
      ],
      sessionsMay: "end",
    },
  ],
};
