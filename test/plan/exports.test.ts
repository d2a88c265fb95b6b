/**
 * RouteExports: what the kernel offers becomes routes, to those who are named, beside what Services and FRRConfigurations have.
 */
import { describe, expect, test } from "vitest";
import { plan, replan } from "../../agent/plan/plan.ts";
import { preview } from "../../agent/plan/preview.ts";
import { why } from "../../agent/plan/why.ts";
import { resourceViews } from "../../agent/core/resource-view.ts";
import type { ExportsSeen } from "../../agent/decide/exports-seen.ts";
import { exportedBy } from "../../events/exported.ts";
import { foldAll } from "../../events/fold.ts";
import type { ResourceKey } from "../../events/ids.ts";
import { diff, PersistentMap } from "../../events/persistent-map.ts";
import type { Prefix } from "../../events/prefix.ts";
import { snapshotText, stateFromSnapshot } from "../../events/snapshot.ts";
import { nothingRecorded } from "../../events/state.ts";
import {
  advertisement,
  after,
  asideIn,
  community,
  configuration,
  deleting,
  options,
  peer,
  planOf,
  pool,
  service,
  together,
  told,
  type World,
  world,
} from "./world.ts";

const p1 = peer("p1", "10.0.0.1");
const p2 = peer("p2", "10.0.0.2");
const CONNECTED = { type: "connected" };
const routeExport = (name: string, spec: object = {}): string =>
  `apiVersion: rutter/v1\nkind: RouteExport\nmetadata: {name: ${name}, namespace: metallb-system}\nspec: ${JSON.stringify({ from: CONNECTED, ...spec })}`;
const keyOf = (name: string) => `rutter/RouteExport/metallb-system/${name}` as ResourceKey;
const seen = (name: string, rest: Partial<ExportsSeen> = {}): ExportsSeen => ({
  type: "observe-exports",
  rule: keyOf(name),
  whole: false,
  added: [],
  removed: [],
  ...rest,
});
const prefixes = (...texts: readonly string[]) => texts as readonly Prefix[];
const offering = (name: string, ...texts: readonly string[]): ExportsSeen =>
  seen(name, { added: prefixes(...texts) });
const offeredIn = ({ desired }: World, name: string): readonly string[] =>
  [...exportedBy(desired, keyOf(name)).keys()].toSorted();
const factsSince = (before: World, now: World) =>
  now.decisions.slice(before.decisions.length).flatMap(({ facts }) => facts);

describe("what the kernel offers", () => {
  const made = world({}, together(p1, p2, routeExport("nets", { communities: ["1:2"], med: 7 })));
  test("is told to every peer, with what the RouteExport puts on it, and ends with its route", () => {
    const offered = after(made, offering("nets", "10.1.0.0/24", "10.2.0.0/24"));
    const lines = ["10.1.0.0/24 1:2", "10.2.0.0/24 1:2"];
    expect(told(planOf(offered))).toEqual({ p1: lines, p2: lines });
    const route = planOf(offered).speakers.native!.routers[0]!.routes.get(
      prefixes("10.1.0.0/24")[0]!,
    );
    expect(route!.exports[0]!.attributes).toMatchObject({ med: 7, nextHop: undefined });
    expect(route!.provenance).toHaveLength(2);
    const less = after(offered, seen("nets", { removed: prefixes("10.1.0.0/24") }));
    expect(told(planOf(less))).toMatchObject({ p1: ["10.2.0.0/24 1:2"] });
  });
  test("is told before anything is offered to nobody", () => {
    expect(told(planOf(made))).toEqual({ p1: [], p2: [] });
  });
  test("leaves no blackhole: the kernel has the route itself; an aggregate of a Service still does", () => {
    const offered = after(made, offering("nets", "10.1.0.0/24"));
    expect([...planOf(offered).kernel.routes.keys()]).toEqual([]);
    const wide = advertisement("a", { aggregationLength: 24 });
    const both = after(offered, together(pool("one", ["10.1.0.0/24"]), wide, service("s")));
    expect([...planOf(both).kernel.routes.keys()]).toEqual(["blackhole 10.1.0.0/24"]);
  });
  test("goes with the RouteExport, and comes back only by what the kernel says", () => {
    const offered = after(made, offering("nets", "10.1.0.0/24"));
    const gone = after(offered, deleting(keyOf("nets")));
    expect(told(planOf(gone))).toMatchObject({ p1: [] });
    expect(offeredIn(after(gone, routeExport("nets")), "nets")).toEqual([]);
    // Too late to mean anybody.
    expect(factsSince(gone, after(gone, offering("nets", "10.1.0.0/24")))).toEqual([]);
  });
});

describe("whom it names", () => {
  test("peers by name or address, and only those of its VRF", () => {
    const made = after(
      world(
        {},
        together(
          p1,
          p2,
          peer("red", "10.0.0.3", { vrf: "red" }),
          routeExport("a", { peers: ["p1"] }),
          routeExport("b", { peers: ["10.0.0.2"] }),
          routeExport("c", { vrf: "red" }),
        ),
      ),
      offering("a", "10.1.0.0/24"),
      offering("b", "10.2.0.0/24"),
      offering("c", "10.3.0.0/24"),
    );
    const has = new Set([...options.capabilities.has, "vrf" as const]);
    const capabilities = { ...options.capabilities, has };
    expect(told(plan(made.desired, { ...options, capabilities }))).toEqual({
      p1: ["10.1.0.0/24"],
      p2: ["10.2.0.0/24"],
      red: ["10.3.0.0/24"],
    });
  });
  test("a peer that this host does not have is said on the resource and by plan", () => {
    const made = world({}, together(p1, routeExport("a", { peers: ["p1", "tor9"] })));
    const line = { field: "spec.peers", reason: "without effect: this host has no peer tor9" };
    const selection = { types: ["rutter/RouteExport"], namespace: undefined, name: "a" } as const;
    const [view] = resourceViews(made.desired, selection, () => null, undefined);
    expect(view!.status.notCarried).toMatchObject([line]);
    expect(preview(undefined, planOf(made)).notCarried).toMatchObject([line]);
  });
  test("another host's does nothing here, whatever was offered before", () => {
    const elsewhere = routeExport("a", { nodeSelectors: [{ matchLabels: { rack: "r2" } }] });
    const made = after(
      world({}, together(p1, routeExport("a"))),
      offering("a", "10.1.0.0/24"),
      elsewhere,
    );
    expect(told(planOf(made))).toEqual({ p1: [] });
    expect(planOf(made).kernel.exports).toEqual([]);
  });
  test("one with a community that nobody defines is set aside, until somebody does", () => {
    const made = after(
      world({}, together(p1, routeExport("a", { communities: ["home"] }))),
      offering("a", "10.1.0.0/24"),
    );
    expect(asideIn(made)).toEqual({ a: "community-unknown" });
    expect(told(planOf(made))).toEqual({ p1: [] });
    const defined = after(made, community("c", { home: "7:7" }));
    expect(told(planOf(defined))).toEqual({ p1: ["10.1.0.0/24 7:7"] });
  });
});

test("a prefix of a Service and an FRRConfiguration, too, is one route with the communities of all", () => {
  const own = configuration("own", [
    {
      asn: 64512,
      prefixes: ["192.0.2.0/32"],
      neighbors: [
        {
          asn: 64999,
          address: "10.0.0.1",
          toAdvertise: {
            allowed: { mode: "all" },
            withCommunity: [{ community: "3:3", prefixes: ["192.0.2.0/32"] }],
          },
        },
      ],
    },
  ]);
  const made = after(
    world(
      {},
      together(
        p1,
        pool("one", ["192.0.2.0/24"]),
        advertisement("a", { communities: ["1:1"] }),
        own,
      ),
      together(service("s"), routeExport("e", { communities: ["2:2"], med: 5 })),
    ),
    offering("e", "192.0.2.0/32"),
  );
  expect(told(planOf(made))).toEqual({ p1: ["192.0.2.0/32 1:1 2:2 3:3"] });
  const [route] = planOf(made).speakers.native!.routers[0]!.routes.values();
  expect(route!.exports[0]!.attributes.med).toBe(5);
});

describe("the rule for the kernel", () => {
  test("says what to look for", () => {
    const from = { type: "kernel-routes", protocols: ["static"], table: 100 };
    const made = world(
      {},
      routeExport("a", { from, prefixes: [{ prefix: "10.0.0.0/8", le: 24 }], maximum: 9 }),
    );
    expect(planOf(made).kernel.exports).toMatchObject([
      {
        rule: keyOf("a"),
        from: { type: "kernel-routes", protocols: [4], table: 100 },
        prefixes: [{ prefix: "10.0.0.0/8", atLeast: 8, atMost: 24 }],
        maximum: 9,
      },
    ]);
  });
});

describe("the book", () => {
  const made = after(
    world({}, together(p1, routeExport("a"))),
    offering("a", "10.1.0.0/24", "10.2.0.0/24"),
  );
  test("has only what is news: after a restart the difference to what the kernel has now", () => {
    const whole = seen("a", { whole: true, added: prefixes("10.2.0.0/24", "10.3.0.0/24") });
    const again = after(made, whole);
    expect(factsSince(made, again).map(({ event }) => event)).toEqual([
      {
        type: "exports-observed",
        rule: keyOf("a"),
        added: ["10.3.0.0/24"],
        removed: ["10.1.0.0/24"],
      },
    ]);
    expect(offeredIn(again, "a")).toEqual(["10.2.0.0/24", "10.3.0.0/24"]);
    expect(factsSince(again, after(again, whole))).toEqual([]);
  });
  test("bounds a fact's size", () => {
    const many = Array.from({ length: 12_000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`);
    const facts = factsSince(made, after(made, offering("a", ...many)));
    expect(facts).toHaveLength(3);
  });
  test("gives the same state again, also through a snapshot", () => {
    const { facts } = made.decisions.at(-1)!;
    const at = { wall: 0n, monotonic: 0n, boot: "b" };
    const state = foldAll(
      facts.map((fact, i) => ({ ...fact, seq: i + 1, at }) as never),
      {
        ...nothingRecorded,
        desired: { ...made.desired, exports: undefined },
      },
    );
    expect(state.desired.exports).toEqual(made.desired.exports);
    const read = stateFromSnapshot(snapshotText(state)).desired;
    expect(read.exports?.get(keyOf("a"))).toBeInstanceOf(PersistentMap);
    expect([...exportedBy(read, keyOf("a"))].toSorted()).toEqual(
      [...exportedBy(made.desired, keyOf("a"))].toSorted(),
    );
    expect(planOf({ ...made, desired: read }).kernel.exports).toEqual(planOf(made).kernel.exports);
  });
});

test("one more exported prefix moves its own route and nothing else", () => {
  const before = after(
    world({}, together(p1, routeExport("a"))),
    offering("a", ...Array.from({ length: 500 }, (_, i) => `10.1.${i >> 8}.${i & 255}/32`)),
  );
  const made = planOf(before);
  const later = after(before, offering("a", "10.9.0.0/24"));
  const next = replan({ desired: before.desired, plan: made }, later.desired, options);
  const [old, young] = [made, next].map((each) => each.speakers.native!.routers[0]!);
  expect([...diff(old!.routes, young!.routes)].map(({ key }) => key)).toEqual(["10.9.0.0/24"]);
  expect(young!.neighbors).toBe(old!.neighbors);
  expect(next.kernel).toBe(made.kernel);
});

describe("why", () => {
  const made = after(
    world(
      {},
      together(
        p1,
        routeExport("a", { peers: ["p1", "tor9"], prefixes: [{ prefix: "10.0.0.0/8", le: 24 }] }),
      ),
    ),
    offering("a", "10.1.0.0/24"),
  );
  const chainOf = (subject: string) =>
    why({ subject, peer: undefined }, made.desired, planOf(made), new Map());
  test("a prefix: from the manifest over the kernel to the session", () => {
    const { prefix, chain } = chainOf("10.1.0.7");
    expect(prefix).toBe("10.1.0.0/24");
    expect(chain.map(({ step, verdict }) => `${step} ${verdict}`)).toEqual([
      "manifest ok",
      "kernel ok",
      "peer ok",
      "session stopped",
    ]);
    expect(chain[1]!.fact).toBeDefined();
  });
  test("a prefix that the kernel lacks, or that the filter leaves out", () => {
    expect(chainOf("10.2.0.0/24").chain[0]).toMatchObject({
      step: "kernel",
      verdict: "stopped",
      reason: "the kernel has no 10.2.0.0/24 for it: connected networks",
    });
    expect(chainOf("172.16.0.0/24").chain[0]).toMatchObject({
      step: "export",
      reason: "its prefixes do not take 172.16.0.0/24",
    });
  });
  test("a RouteExport by its name, and whom it names in vain", () => {
    expect(
      chainOf("a").chain.map(({ step, verdict, subject }) => [step, verdict, subject]),
    ).toEqual([
      ["manifest", "ok", keyOf("a")],
      ["kernel", "ok", keyOf("a")],
      ["peer", "stopped", "tor9"],
    ]);
  });
});
