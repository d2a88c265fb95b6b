/**
 * replan() gives what plan() gives, for the price of what changed; why() tells the chain that led there.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { plan, replan } from "../../agent/plan/plan.ts";
import { why } from "../../agent/plan/why.ts";
import { diff } from "../../events/persistent-map.ts";
import { setText } from "../../backends/delta.ts";
import type { ResourceKey } from "../../events/ids.ts";
import type { Prefix } from "../../events/prefix.ts";
import {
  advertisement,
  after,
  applying,
  configuration,
  deleting,
  options,
  peer,
  planOf,
  pool,
  service,
  together,
  told,
  world,
} from "./world.ts";

const one = pool("one", ["192.0.2.0/24"]);
const p1 = peer("p1", "10.0.0.1");
const p2 = peer("p2", "10.0.0.2");

const exported = (name: string, added: readonly string[], removed: readonly string[]) =>
  ({
    type: "observe-exports",
    rule: `rutter/RouteExport/default/${name}` as ResourceKey,
    whole: false,
    added: added as readonly Prefix[],
    removed: removed as readonly Prefix[],
  }) as const;

test("an incremental plan is the plan from scratch, whatever changes", () => {
  const edits = [
    service("a"),
    service("b", { externalTrafficPolicy: "Local" }),
    service("c", { ipFamilyPolicy: "PreferDualStack" }),
    service("a", { type: "ClusterIP" }),
    pool("two", ["198.51.100.0/30", "2001:db8::/126"]),
    advertisement("agg", { aggregationLength: 24, communities: ["1:2"] }),
    p2,
    configuration("opens", [
      {
        asn: 64512,
        prefixes: ["192.0.2.1/32", "198.51.100.0/24"],
        neighbors: [
          {
            asn: 64999,
            address: "10.0.0.1",
            toAdvertise: {
              allowed: { mode: "all" },
              nextHop: { ipv4: "10.9.9.9" },
              withCommunity: [{ community: "7:7", prefixes: ["192.0.2.1/32"] }],
            },
            toReceive: { allowed: { mode: "all" } },
          },
          {
            asn: 64998,
            address: "10.0.0.8",
            toAdvertise: { allowed: { prefixes: ["192.0.2.1/32"] } },
          },
        ],
      },
    ]),
    deleting("frrk8s.metallb.io/FRRConfiguration/metallb-system/opens"),
    `apiVersion: k8s.ovn.org/v1\nkind: EgressService\nmetadata: {name: a, namespace: default}\nspec: {sourceIPBy: Network, network: "11"}`,
    deleting("/Service/default/a"),
    deleting("/Service/default/b"),
    `apiVersion: rutter/v1\nkind: RouteExport\nmetadata: {name: e, namespace: default}\nspec: {from: {type: connected}, communities: ["9:9"], localPref: 3}`,
    `apiVersion: rutter/v1\nkind: RouteExport\nmetadata: {name: f, namespace: default}\nspec: {from: {type: connected}, peers: [p2], med: 4}`,
    deleting("rutter/RouteExport/default/e"),
    exported("e", ["192.0.2.1/32", "198.51.100.0/24", "10.5.0.0/16"], []),
    exported("e", ["2001:db8::/64"], ["192.0.2.1/32"]),
    exported("f", ["198.51.100.0/24", "10.5.0.0/16"], ["10.6.0.0/16"]),
    exported("f", ["10.6.0.0/16"], ["198.51.100.0/24"]),
    {
      type: "observe-host",
      facts: {
        node: "x",
        hostname: "x",
        labels: {},
        defaultEndpoint: "none",
        bindAddresses: "lo",
      },
    } as const,
  ];
  const text = (made: ReturnType<typeof plan>) => ({
    told: told(made),
    routes: (made.speakers.native?.routers ?? []).map((router) =>
      [...router.routes.values()]
        .map((route) => [route.prefix, setText(route.exports), route.provenance])
        .toSorted(),
    ),
    verdicts: [...made.verdicts].toSorted(),
    warnings: [...made.warnings].toSorted(),
    peers: [...made.peers],
    neighbors: [...made.neighbors],
    notCarried: made.notCarried,
    kernel: {
      entries: [
        ...made.kernel.addresses,
        ...made.kernel.routes,
        ...made.kernel.rules,
        ...made.kernel.sourceNats,
      ].toSorted(),
      imports: made.kernel.imports,
      exports: made.kernel.exports,
    },
  });
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...edits), { maxLength: 12 }), (list) => {
      let state = world({ bindAddresses: "lo" }, together(one, p1, advertisement("all")));
      let made = planOf(state);
      for (const edit of list) {
        const before = { desired: state.desired, plan: made };
        state = after(state, typeof edit === "string" ? applying(edit) : edit);
        made = replan(before, state.desired, options);
        expect(text(made)).toEqual(text(plan(state.desired, options)));
      }
    }),
    { numRuns: 60 },
  );
});

test("one more VIP beside own prefixes moves one route and nothing else of the intent", () => {
  const own = configuration("own", [
    {
      asn: 64512,
      prefixes: ["10.1.0.0/16", "192.0.2.0/32"],
      neighbors: [{ asn: 64999, address: "10.0.0.1", toAdvertise: { allowed: { mode: "all" } } }],
    },
  ]);
  const before = world({}, together(one, p1, advertisement("all"), own, service("a")));
  const made = planOf(before);
  const later = after(before, service("b"));
  const next = replan({ desired: before.desired, plan: made }, later.desired, options);
  const [old, young] = [made, next].map((each) => each.speakers.native!.routers[0]!);
  expect([...diff(old!.routes, young!.routes)].map(({ key }) => key)).toEqual(["192.0.2.1/32"]);
  expect(young!.neighbors).toBe(old!.neighbors);
  expect(next.neighbors).toBe(made.neighbors);
});

describe("why", () => {
  const base = world({}, together(one, p1, advertisement("a"), service("s")));
  test("names every step from the manifest to the session", () => {
    const answer = why(
      { subject: "192.0.2.0", peer: undefined },
      base.desired,
      planOf(base),
      new Map(),
    );
    expect(answer.prefix).toBe("192.0.2.0/32");
    expect(answer.chain.map(({ step, verdict }) => `${step} ${verdict}`)).toEqual([
      "manifest ok",
      "allocation ok",
      "pool ok",
      "advertisement ok",
      "endpoint ok",
      "peer ok",
      "session stopped",
    ]);
  });
  test("ends at the first rule that stopped it", () => {
    const stopped = world({}, together(one, p1, service("s")));
    const answer = why(
      { subject: "s", peer: undefined },
      stopped.desired,
      planOf(stopped),
      new Map(),
    );
    expect(answer.chain.at(-1)).toMatchObject({
      step: "announce",
      verdict: "stopped",
      reason: expect.stringContaining("notOwner"),
    });
  });
});
