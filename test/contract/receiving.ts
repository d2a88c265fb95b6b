/**
 * What is accepted of routers, and what of it is in the host's kernel. Nothing is, unless somebody asked for it.
 */
import { frrConfiguration, type Manifest, rutter } from "./manifests.ts";
import type { Action, Group, Scenario, Step } from "./scenario.ts";
import { remoteAddress, type Session } from "./session.ts";
import { AS_OF, type FarName, HOST_AS } from "./world.ts";

const FARS: readonly FarName[] = ["frr", "bird"];
const sessionTo = (far: FarName): Session => ({
  far,
  transport: "ipv4",
  lane: 0,
  dualStack: true,
});
const NETWORKS = [
  "20.1.0.0/16",
  "20.1.2.0/24",
  "20.1.2.128/25",
  "2001:db8:7::/48",
  "2001:db8:7:1::/64",
  "30.7.0.0/16",
  "30.7.1.0/24",
];
/** Never accepted, whatever a manifest says. */
const BLOCKED = "30.7.0.0/16";
const OPEN = NETWORKS.filter((one) => !one.startsWith("30.7.")).toSorted();

const configuration = (allowed: object, fars = FARS): Manifest =>
  frrConfiguration("receive", {
    bgp: {
      routers: [
        {
          asn: HOST_AS,
          neighbors: fars.map((far) => ({
            asn: AS_OF[far],
            address: remoteAddress(sessionTo(far)),
            dualStackAddressFamily: true,
            toReceive: { allowed },
          })),
        },
      ],
    },
  });
const everything = configuration({ mode: "all" });
const apply = (...manifests: readonly Manifest[]): Action => ({ type: "apply", manifests });
const step = (
  after: string,
  does: readonly Action[],
  prefixes: readonly string[],
  more: Partial<Step> = {},
): Step => ({
  after,
  does,
  told: [],
  accepted: { frr: prefixes.toSorted(), bird: prefixes.toSorted() },
  ...more,
});
const scenario = (name: string, ...steps: readonly Step[]): Scenario => ({
  name,
  needs: [],
  steps,
  sessionsMay: "never end",
});

const scenarios: readonly Scenario[] = [
  scenario("nothing where nobody asks", step("the start", [], [], { installed: [] })),
  scenario(
    "everything but what is always blocked",
    step("apply", [apply(everything)], OPEN),
    step("the wish is deleted", [{ type: "delete", manifests: [everything] }], []),
  ),
  scenario(
    "prefixes by length: exactly, from, up to",
    step(
      "apply",
      [
        apply(
          configuration({
            prefixes: [{ prefix: "20.1.0.0/16", ge: 24, le: 24 }, { prefix: "2001:db8:7::/48" }],
          }),
        ),
      ],
      ["20.1.2.0/24", "2001:db8:7::/48"],
    ),
    step(
      "a wider list",
      [
        apply(
          configuration({
            prefixes: [
              { prefix: "20.1.0.0/16", le: 24 },
              { prefix: "2001:db8::/32", ge: 64 },
            ],
          }),
        ),
      ],
      ["20.1.0.0/16", "20.1.2.0/24", "2001:db8:7:1::/64"],
    ),
    step("all of them", [apply(everything)], OPEN),
  ),
  {
    ...scenario("from one router, and not from the other"),
    steps: [
      {
        after: "apply",
        does: [apply(configuration({ mode: "all" }, ["bird"]))],
        told: [],
        accepted: { frr: [], bird: OPEN },
      },
      {
        after: "the other way about",
        does: [apply(configuration({ mode: "all" }, ["frr"]))],
        told: [],
        accepted: { frr: OPEN, bird: [] },
      },
    ],
  },
  scenario(
    "into the kernel, by a RouteImport, and out of it with its rule",
    step("apply", [apply(rutter("RouteImport", "all", {}))], OPEN, { installed: OPEN }),
    step(
      "the rule is deleted",
      [{ type: "delete", manifests: [rutter("RouteImport", "all", {})] }],
      [],
      { installed: [] },
    ),
  ),
];

export const RECEIVING: Group = {
  name: "Receiving",
  sessions: FARS.map(sessionTo),
  manifests: [],
  always: [],
  config: `receive: {alwaysBlock: ["${BLOCKED}"]}\n`,
  prepared: [],
  networks: { frr: NETWORKS, bird: NETWORKS },
  scenarios,
};
