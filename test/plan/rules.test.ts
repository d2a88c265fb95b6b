/**
 * How pools, advertisements and Services become prefixes: reference/rules.md §2.2, a test for each rule that we keep.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { preview } from "../../agent/plan/preview.ts";
import {
  advertisement,
  after,
  community,
  deleting,
  peer,
  planOf,
  pool,
  reasonOf,
  service,
  together,
  told,
  world,
} from "./world.ts";

const one = pool("one", ["192.0.2.0/24"]);
const p1 = peer("p1", "10.0.0.1");
const p2 = peer("p2", "10.0.0.2");
const quarantined = (made: ReturnType<typeof world>) =>
  Object.fromEntries(
    [...made.desired.quarantined].map(([key, { rule }]) => [key.split("/").at(-1), rule]),
  );

describe("rule 1: what does not select this host does not exist for it", () => {
  const elsewhere = { nodeSelectors: [{ matchLabels: { rack: "r2" } }] };
  test("a peer of another host is not opened, and conflicts with nobody", () => {
    const made = world({}, together(p1, peer("twin", "10.0.0.1", elsewhere)));
    expect(Object.keys(told(planOf(made)))).toEqual(["p1"]);
    expect(made.desired.quarantined.size).toBe(0);
  });
  test("an advertisement of another host announces nothing here: notOwner", () => {
    const made = planOf(world({}, together(one, p1, advertisement("a", elsewhere), service("s"))));
    expect(reasonOf(made, "s")).toBe("notOwner");
    expect(told(made)).toEqual({ p1: [] });
  });
  test("one bad resource is set aside, and all others go on", () => {
    const made = world(
      {},
      together(
        one,
        p1,
        peer("p2", "10.0.0.2", { bfdProfile: "none" }),
        advertisement("a"),
        service("s"),
      ),
    );
    expect(quarantined(made)).toEqual({ p2: "bfd-profile-missing" });
    expect(told(planOf(made))).toEqual({ p1: ["192.0.2.0/32"] });
  });
});

describe("rule 2: an advertisement is attached to pools", () => {
  const two = pool("two", ["198.51.100.0/24"], {}, { tier: "gold" });
  test.for([
    ["by name", { ipAddressPools: ["one"] }, ["192.0.2.0/32"]],
    [
      "by label",
      { ipAddressPoolSelectors: [{ matchLabels: { tier: "gold" } }] },
      ["198.51.100.0/32"],
    ],
    [
      "by both, as a union",
      { ipAddressPools: ["one"], ipAddressPoolSelectors: [{ matchLabels: { tier: "gold" } }] },
      ["192.0.2.0/32", "198.51.100.0/32"],
    ],
    ["by neither: to all", {}, ["192.0.2.0/32", "198.51.100.0/32"]],
    ["by an unknown name: to none", { ipAddressPools: ["three"] }, []],
  ] as const)("%s", ([, spec, prefixes]) => {
    const made = world(
      {},
      together(
        one,
        two,
        p1,
        advertisement("a", spec),
        service("s", { loadBalancerIP: "192.0.2.0" }),
        service("t", { loadBalancerIP: "198.51.100.0" }),
      ),
    );
    expect(told(planOf(made))).toEqual({ p1: prefixes });
  });
});

describe("rule 3: an aggregate is no wider than a pool's entry", () => {
  test.for([
    ["192.0.2.0/26", 24, true],
    ["192.0.2.0/24", 24, false],
    ["192.0.2.1-192.0.2.254", 24, false],
    ["192.0.2.1-192.0.2.254", 23, true],
    ["192.0.2.64-192.0.2.127", 25, true],
  ] as const)("%s as /%i is refused: %s", ([addresses, aggregationLength, refused]) => {
    const made = world(
      {},
      together(
        pool("one", [addresses]),
        p1,
        advertisement("a", { aggregationLength }),
        service("s"),
      ),
    );
    expect(quarantined(made)).toEqual(refused ? { a: "aggregation-length" } : {});
  });
});

describe("rule 4: two localPrefs for one prefix to one peer conflict", () => {
  const conflict = (a: object, b: object, pools = one) =>
    quarantined(world({}, together(pools, p1, p2, advertisement("a", a), advertisement("b", b))));
  test("and the later one by content is set aside", () => {
    expect(conflict({ localPref: 100 }, { localPref: 200 })).toEqual({ b: "local-pref-conflict" });
  });
  test("not with other peers, other lengths or equal values", () => {
    expect(conflict({ localPref: 1, peers: ["p1"] }, { localPref: 2, peers: ["p2"] })).toEqual({});
    expect(conflict({ localPref: 1, aggregationLength: 24 }, { localPref: 2 })).toEqual({});
    expect(conflict({ localPref: 2 }, { localPref: 2 })).toEqual({});
  });
  test("of a family that the pool has", () => {
    const six = pool("six", ["2001:db8::/64"]);
    expect(conflict({ localPref: 1, aggregationLength: 24 }, { localPref: 2 }, six)).toEqual({
      b: "local-pref-conflict",
    });
    expect(conflict({ localPref: 1, aggregationLengthV6: 64 }, { localPref: 2 }, six)).toEqual({});
  });
  test("with serviceSelectors it is judged for each Service: conflictingAdvertisements", () => {
    const gold = { serviceSelectors: [{ matchLabels: { tier: "gold" } }] };
    const made = planOf(
      world(
        {},
        together(
          one,
          p1,
          advertisement("a", { localPref: 1, ...gold }),
          advertisement("b", { localPref: 2 }),
          service("s", {}, { tier: "gold" }),
          service("t"),
        ),
      ),
    );
    expect(reasonOf(made, "s")).toBe("conflictingAdvertisements");
    expect(told(made)).toEqual({ p1: ["192.0.2.1/32 lp=2"] });
  });
});

describe("rule 6: why a Service is not announced", () => {
  const node = (spec: object) =>
    `apiVersion: rutter/v1\nkind: Node\nmetadata: {name: host-1}\nspec: ${JSON.stringify(spec)}`;
  const base = together(one, p1, advertisement("a"));
  test.for([
    ["notLoadBalancer", base, service("s", { type: "ClusterIP" }), {}],
    ["noIPAllocated", together(p1, advertisement("a")), service("s"), {}],
    ["notOwner", together(one, p1), service("s"), {}],
    [
      "noMatchingAdvertisement",
      together(one, p1, advertisement("a", { serviceSelectors: [{ matchLabels: { x: "y" } }] })),
      service("s"),
      {},
    ],
    [
      "nodeNetworkUnavailable",
      together(base, node({ networkUnavailable: true })),
      service("s"),
      {},
    ],
    [
      "nodeLabeledExcludeBalancers",
      together(
        base,
        node({ labels: { "node.kubernetes.io/exclude-from-external-load-balancers": "" } }),
      ),
      service("s"),
      {},
    ],
    ["noEndpoints", base, service("s"), { defaultEndpoint: "none" as const }],
    [
      "noLocalEndpoints",
      base,
      service("s", { externalTrafficPolicy: "Local" }),
      { defaultEndpoint: "listen" as const },
    ],
  ] as const)("%s", ([reason, others, subject, facts]) => {
    const made = planOf(world(facts, together(others, subject)));
    expect(reasonOf(made, "s")).toBe(reason);
    expect(told(made)).toEqual({ p1: [] });
  });

  test("an endpoint that was seen healthy brings it, one that fails takes it away", () => {
    const start = world({ defaultEndpoint: "listen" }, together(base, service("s")));
    const key = [...start.desired.allocations.keys()][0]!;
    const seen = (healthy: boolean) =>
      ({ type: "observe-endpoint", service: key, healthy, reason: "seen" }) as const;
    expect(told(planOf(after(start, seen(true))))).toEqual({ p1: ["192.0.2.0/32"] });
    expect(reasonOf(planOf(after(start, seen(true), seen(false))), "s")).toBe("noEndpoints");
  });
});

describe("rule 7: prefixes", () => {
  test("an aggregate stays while one of its Services is announced", () => {
    const start = world(
      {},
      together(one, p1, advertisement("a", { aggregationLength: 24 }), service("s"), service("t")),
    );
    expect(told(planOf(start))).toEqual({ p1: ["192.0.2.0/24"] });
    const fewer = after(start, deleting("/Service/default/s"));
    expect(told(planOf(fewer))).toEqual({ p1: ["192.0.2.0/24"] });
    expect(told(planOf(after(fewer, deleting("/Service/default/t"))))).toEqual({ p1: [] });
  });
  test("an aggregate under externalTrafficPolicy Local is warned of", () => {
    const made = planOf(
      world(
        {},
        together(
          one,
          p1,
          advertisement("a", { aggregationLength: 24 }),
          service("s", { externalTrafficPolicy: "Local" }),
        ),
      ),
    );
    expect([...made.warnings.values()][0]?.[0]).toContain("may not serve");
    expect(preview(undefined, made).warnings).toHaveLength(1);
  });
});

describe("rule 8: what one peer is told", () => {
  test("only what names it, and only its own family", () => {
    const dual = pool("dual", ["192.0.2.0/24", "2001:db8::/120"]);
    const both = { ipFamilyPolicy: "RequireDualStack" };
    const made = world(
      {},
      together(
        dual,
        p1,
        peer("v6", "2001:db8:1::1"),
        peer("dual", "10.0.0.3", { dualStackAddressFamily: true }),
        p2,
        advertisement("a", { peers: ["p1", "v6", "dual"] }),
        service("s", both),
      ),
    );
    expect(told(planOf(made))).toEqual({
      p1: ["192.0.2.0/32"],
      p2: [],
      v6: ["2001:db8::/128"],
      dual: ["192.0.2.0/32", "2001:db8::/128"],
    });
  });
  test("communities of two advertisements are united, names are resolved", () => {
    const made = world(
      {},
      together(
        one,
        p1,
        p2,
        community("c", { blue: "64512:7" }),
        advertisement("a", { communities: ["blue", "large:1:2:3"] }),
        advertisement("b", { communities: ["64512:5", "no-export"], peers: ["p1"] }),
        service("s"),
      ),
    );
    expect(told(planOf(made))).toEqual({
      p1: ["192.0.2.0/32 64512:5 64512:7 65535:65281 1:2:3"],
      p2: ["192.0.2.0/32 64512:7 1:2:3"],
    });
  });
  test("an alias that nobody defines yet sets the advertisement aside until somebody does", () => {
    const start = world(
      {},
      together(one, p1, advertisement("a", { communities: ["blue"] }), service("s")),
    );
    expect(quarantined(start)).toEqual({ a: "community-unknown" });
    const later = after(start, community("c", { blue: "1:2" }));
    expect(quarantined(later)).toEqual({});
    expect(told(planOf(later))).toEqual({ p1: ["192.0.2.0/32 1:2"] });
  });
  test("more than 63 communities together are refused, to peers that get them all", () => {
    const many = (from: number) => Array.from({ length: 40 }, (_, i) => `64512:${from + i}`);
    const two = (peers: readonly string[]) =>
      planOf(
        world(
          {},
          together(
            one,
            p1,
            p2,
            advertisement("a", { communities: many(0), peers: ["p1"] }),
            advertisement("b", { communities: many(40), peers }),
            service("s"),
          ),
        ),
      );
    expect(reasonOf(two(["p1", "p2"]), "s")).toBe("tooManyCommunities");
    expect(reasonOf(two(["p2"]), "s")).toBe("");
  });
});

describe("who is set aside", () => {
  test("is the newcomer, whatever its name", () => {
    const start = world({}, peer("zz", "10.0.0.1"));
    expect(quarantined(after(start, peer("aa", "10.0.0.1")))).toEqual({ aa: "same-neighbor" });
  });
  test("comes back when what it conflicts with goes", () => {
    const start = world({}, peer("zz", "10.0.0.1"), peer("aa", "10.0.0.1"));
    expect(quarantined(after(start, deleting("metallb.io/BGPPeer/metallb-system/zz")))).toEqual({});
  });
  test("does not depend on the order of the documents in a change", () => {
    const parts = [
      one,
      pool("two", ["192.0.2.128/25"]),
      p1,
      peer("again", "10.0.0.1"),
      advertisement("a", { localPref: 1 }),
      advertisement("b", { localPref: 2 }),
      service("s"),
      service("t"),
      service("u", { loadBalancerIP: "192.0.2.0" }),
    ];
    const summary = (order: readonly string[]) => {
      const made = world({}, together(...order));
      return {
        quarantined: quarantined(made),
        addresses: [...made.desired.allocations]
          .map(([key, { addresses }]) => [key, addresses])
          .toSorted(),
        told: told(planOf(made)),
      };
    };
    const expected = summary(parts);
    fc.assert(
      fc.property(fc.shuffledSubarray(parts, { minLength: parts.length }), (order) => {
        expect(summary(order)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });
});
