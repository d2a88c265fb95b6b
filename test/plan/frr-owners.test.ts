/**
 * Several owners of one neighbour: a BGPPeer and FRRConfigurations, who come and go without a new session, agree or are set
 * aside by content, in whatever order they come (docs/decisions/008).
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { preview } from "../../agent/plan/preview.ts";
import { classify } from "../../backends/delta.ts";
import {
  advertisement,
  after,
  asideIn,
  configuration,
  deleting,
  host,
  mergedIn,
  neighborsIn,
  password,
  peer,
  planOf,
  pool,
  service,
  together,
  told,
  type World,
  world,
} from "./world.ts";

const FAR = "10.0.0.1";
const far = { asn: 64999, address: FAR };
const all = { allowed: { mode: "all" } };
/** An FRRConfiguration of one router with one neighbour. */
const owner = (
  name: string,
  neighbor: object = {},
  router: object = {},
  more: Record<string, unknown> = {},
) => configuration(name, [{ asn: 64512, neighbors: [{ ...far, ...neighbor }], ...router }], more);
const opens = (name: string, neighbor: object = {}, router: object = {}) =>
  owner(name, { toReceive: all, ...neighbor }, router);
const gone = (name: string) =>
  deleting(`frrk8s.metallb.io/FRRConfiguration/metallb-system/${name}`);
const p1 = peer("p1", FAR);
const base = together(pool("one", ["192.0.2.0/24"]), p1, advertisement("ad"), service("s"));
const intentOf = (made: World, name: string) => neighborsIn(planOf(made))[name]!;
/** What a change costs the sessions that were there before it. */
const resets = (before: World, later: World) => preview(planOf(before), planOf(later)).resets;

describe("a second owner", () => {
  test("opens the receive side and closes it again, softly both times", () => {
    const before = world({}, base);
    const with2 = after(before, opens("open"));
    expect(classify(intentOf(before, "p1"), intentOf(with2, "p1"))).toEqual({
      effect: "soft",
      fields: ["receive"],
    });
    expect(resets(before, with2)).toEqual([]);
    const without = after(with2, gone("open"));
    expect(resets(with2, without)).toEqual([]);
    expect(intentOf(without, "p1")).toEqual(intentOf(before, "p1"));
  });
  test("with the same password from another Secret resets nothing, whoever goes first", () => {
    const keys = together(password("one", "same"), password("two", "same"));
    const first = opens("b", { passwordSecret: { name: "one" } });
    const before = world({}, together(keys, first));
    const both = after(before, opens("a", { passwordSecret: { name: "two" } }));
    expect(intentOf(both, FAR).authentication).not.toEqual(intentOf(before, FAR).authentication);
    expect(resets(before, both)).toEqual([]);
    expect(resets(both, after(both, gone("b")))).toEqual([]);
  });
  test("that brings a router id resets the session, and the preview says so", () => {
    const before = world({}, base);
    expect(resets(before, after(before, opens("open", {}, { id: "1.1.1.1" })))).toEqual(["p1"]);
  });
  test("that goes leaves what the others say", () => {
    const made = world(
      {},
      base,
      opens("a"),
      opens("b", { toReceive: {} }, { prefixes: ["10.0.0.0/8"] }),
    );
    const later = after(made, deleting("metallb.io/BGPPeer/metallb-system/p1"), gone("a"));
    expect(intentOf(later, FAR)).toMatchObject({ name: FAR, receive: { type: "nothing" } });
  });
  test("that disagrees is set aside, and the session goes on as it was", () => {
    const before = world({}, base);
    const later = after(before, opens("open", { asn: 65000 }));
    expect(asideIn(later)).toEqual({ open: "remote-asn-conflict" });
    expect(resets(before, later)).toEqual([]);
    expect(asideIn(after(later, opens("open")))).toEqual({});
  });
  test("in force stays; the newcomer goes, whatever its name and kind", () => {
    const made = world({}, opens("zz"), peer("aa", FAR, { peerASN: 65000 }));
    expect(asideIn(made)).toEqual({ aa: "remote-asn-conflict" });
    expect(asideIn(after(made, gone("zz")))).toEqual({});
  });
  test("loses to the BGPPeer where something that both name is changed", () => {
    const keys = together(password("one", "same"), password("two", "same"));
    const mine = peer("p1", FAR, { passwordSecret: { name: "one" } });
    const both = world({}, together(keys, mine, opens("aa", { passwordSecret: { name: "two" } })));
    expect(asideIn(both)).toEqual({});
    const rotating = after(both, password("one", "rotated"));
    expect(asideIn(rotating)).toEqual({ aa: "password-conflict" });
    expect(asideIn(after(rotating, password("two", "rotated")))).toEqual({});
  });
  test("in force stays also against one that was edited, or that a new label brings here", () => {
    const both = world({}, p1, opens("aa"));
    expect(asideIn(after(both, opens("aa", { asn: 65000 })))).toEqual({
      aa: "remote-asn-conflict",
    });
    const labelled = configuration("aa", [{ asn: 64512, neighbors: [{ ...far, asn: 65000 }] }], {
      nodeSelector: { matchLabels: { rack: "r2" } },
    });
    const moved = after(world({}, p1, labelled), {
      type: "observe-host",
      facts: { ...host, labels: { ...host.labels, rack: "r2" } },
    });
    expect(asideIn(moved)).toEqual({ aa: "remote-asn-conflict" });
  });
});

describe("a BGPPeer and an FRRConfiguration of one neighbour", () => {
  test("merge where the FRRConfiguration is what was advised in place of raw FRR lines", () => {
    const mine = peer("p1", FAR, {
      peerPort: 1790,
      sourceAddress: "10.0.0.9",
      passwordSecret: { name: "key" },
      ebgpMultiHop: true,
      enableGracefulRestart: true,
      dualStackAddressFamily: true,
      localASN: 7,
      holdTime: "30s",
    });
    const extras =
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bgpextras, namespace: metallb-system}\ndata:\n  extras: |\n    ip prefix-list in permit 10.0.0.0/8 le 24\n    route-map 10.0.0.1-in permit 20\n      match ip address prefix-list in";
    const before = world({}, together(password("key", "hush"), mine, extras));
    const advice = planOf(before).notCarried.find(({ field }) => field === "data.extras")?.reason;
    const manifest = advice?.slice(advice.indexOf("apiVersion")) ?? "";
    const advised = after(before, manifest);
    expect(asideIn(advised)).toEqual({});
    expect(resets(before, advised)).toEqual([]);
    expect(intentOf(advised, "p1").receive).toEqual({
      type: "prefixes",
      prefixes: [{ prefix: "10.0.0.0/8", atLeast: 8, atMost: 24 }],
    });
  });
  const metallb = (spec: object = {}) => peer("zz", FAR, spec);
  test("are one neighbour, under the BGPPeer's name and timers where nobody set one", () => {
    const made = world(
      {},
      together(metallb(), owner("a", { toReceive: { allowed: { mode: "all" } } })),
    );
    expect(asideIn(made)).toEqual({});
    expect(neighborsIn(planOf(made))).toMatchObject({
      zz: {
        key: "|10.0.0.1|",
        holdTimeSeconds: 90,
        keepaliveTimeSeconds: 30,
        connectRetrySeconds: 120,
        receive: { type: "everything" },
      },
    });
    expect(neighborsIn(planOf(made))["zz"]?.provenance).toHaveLength(2);
  });
  test("alone, an FRRConfiguration's has frr-k8s' timers", () => {
    expect(neighborsIn(planOf(world({}, owner("a"))))[FAR]).toMatchObject({
      holdTimeSeconds: 180,
      keepaliveTimeSeconds: 60,
      connectRetrySeconds: 60,
    });
  });
  test.for<[string, object, object, number]>([
    ["the BGPPeer adopts", {}, { holdTime: "30s", keepaliveTime: "10s" }, 30],
    ["the FRRConfiguration adopts", { holdTime: "30s" }, {}, 30],
  ])("timers: %s", ([, mine, theirs, hold]) => {
    const made = world({}, together(metallb(mine), owner("a", theirs)));
    expect(asideIn(made)).toEqual({});
    expect(neighborsIn(planOf(made))["zz"]?.holdTimeSeconds).toBe(hold);
  });
  test.for<[string, object, object, object]>([
    ["hold-time-conflict", { holdTime: "30s" }, { holdTime: "60s", keepaliveTime: "10s" }, {}],
    ["router-asn-conflict", { myASN: 64513 }, {}, {}],
    ["router-id-conflict", { routerID: "1.1.1.1" }, {}, { id: "2.2.2.2" }],
    ["remote-asn-conflict", { peerASN: 65000 }, {}, {}],
    ["graceful-restart-conflict", { enableGracefulRestart: true }, {}, {}],
    ["source-address-conflict", { sourceAddress: "10.0.0.9" }, {}, {}],
  ])("%s", ([rule, mine, theirs, router]) => {
    expect(asideIn(world({}, together(metallb(mine), owner("a", theirs, router))))).toEqual({
      zz: rule,
    });
  });
  test("a profile of one name with other parameters conflicts on that neighbour only", () => {
    const fast = `apiVersion: metallb.io/v1beta1\nkind: BFDProfile\nmetadata: {name: fast, namespace: metallb-system}\nspec: {receiveInterval: 60}`;
    const with50 = (name: string, neighbor: object) =>
      owner(
        name,
        { bfdProfile: "fast", ...neighbor },
        {},
        { bfdProfiles: [{ name: "fast", receiveInterval: 50 }] },
      );
    const made = (one: string) =>
      asideIn(world({}, together(fast, metallb({ bfdProfile: "fast" }), one)));
    expect(made(with50("a", {}))).toEqual({ zz: "bfd-profile-conflict" });
    expect(made(with50("a", { address: "10.0.0.2" }))).toEqual({});
  });
  test("BGPPeers alone may differ in AS and router id: each is a router of its own", () => {
    const other = peer("yy", "10.0.0.2", { myASN: 64513, routerID: "2.2.2.2" });
    const both = world({}, together(metallb(), other));
    expect(mergedIn(both).map(({ key }) => key)).toEqual(["|64512|", "|64513|2.2.2.2"]);
    expect(asideIn(world({}, together(metallb(), other), owner("a")))).toEqual({
      a: "router-asn-conflict",
    });
  });
});

describe("the order in which objects come", () => {
  const wire = (made: World) => {
    const made1 = planOf(made);
    return {
      told: told(made1),
      neighbors: Object.values(neighborsIn(made1)).map((one) => ({ ...one, provenance: [] })),
    };
  };
  const agreeing = [
    base,
    opens("a", {}, { prefixes: ["10.1.0.0/16"] }),
    opens(
      "b",
      { toAdvertise: all, toReceive: {} },
      { id: "1.1.1.1", prefixes: ["10.1.0.0/16", "10.2.0.0/16"] },
    ),
    opens("c", { toReceive: { allowed: { prefixes: [{ prefix: "10.0.0.0/8", le: 24 }] } } }),
    configuration("d", [
      { asn: 64512, neighbors: [{ asn: 7, address: "10.0.0.7", connectTime: "60s" }] },
    ]),
    configuration("e", [
      { asn: 64512, neighbors: [{ asn: 7, address: "10.0.0.7", toReceive: all }] },
    ]),
  ];
  test("does not matter where they agree", () => {
    const expected = wire(world({}, together(...agreeing)));
    expect(expected.neighbors).toHaveLength(2);
    fc.assert(
      fc.property(
        fc.shuffledSubarray(agreeing, { minLength: agreeing.length }),
        fc.nat(agreeing.length),
        (order, cut) => {
          const groups = [order.slice(0, cut), order.slice(cut)].filter((list) => list.length > 0);
          const made = world({}, ...groups.map((list) => together(...list)));
          expect(asideIn(made)).toEqual({});
          expect(wire(made)).toEqual(expected);
        },
      ),
      { numRuns: 80 },
    );
  });
  test("within one change does not decide who is set aside: content does", () => {
    const clashing = [
      ...agreeing,
      opens("f", { asn: 5 }),
      opens("g", { enableGracefulRestart: true }),
      peer("a0", FAR, { peerASN: 5 }),
      configuration("h", [{ asn: 1, neighbors: [far] }]),
      opens("i", {}, { id: "2.2.2.2" }),
    ];
    const expected = world({}, together(...clashing));
    expect(Object.keys(asideIn(expected)).length).toBeGreaterThan(3);
    fc.assert(
      fc.property(fc.shuffledSubarray(clashing, { minLength: clashing.length }), (order) => {
        const made = world({}, together(...order));
        expect(asideIn(made)).toEqual(asideIn(expected));
        expect(wire(made)).toEqual(wire(expected));
      }),
      { numRuns: 60 },
    );
  });
  test("nor who was there and went: what is left is what the others say", () => {
    const parts = agreeing.slice(1);
    const names = ["a", "b", "c", "d", "e"];
    fc.assert(
      fc.property(fc.shuffledSubarray(names, { minLength: 1 }), (leaving) => {
        const left = names.filter((name) => !leaving.includes(name));
        const made = world({}, base, together(...parts), ...leaving.map(gone));
        const fresh = world({}, base, ...left.map((name) => parts[names.indexOf(name)]!));
        expect(wire(made)).toEqual(wire(fresh));
      }),
      { numRuns: 40 },
    );
  });
  test("an older generation goes first, before any name", () => {
    const generation = (text: string, value: number) =>
      text.replace('"labels":{}', `"labels":{},"generation":${value}`);
    const [a, b] = [generation(opens("a"), 3), generation(opens("b", { asn: 5 }), 2)];
    expect(asideIn(world({}, together(a, b)))).toEqual({ a: "remote-asn-conflict" });
  });
});

/** Owners that often meet: few far ends, VRFs and values. */
const anyNeighbor = fc.record(
  {
    address: fc.constantFrom(FAR, "10.0.0.2"),
    asn: fc.constantFrom(64999, 64999, 64999, 65000),
    port: fc.constantFrom(179, 1790),
    sourceaddress: fc.constantFrom("10.0.0.9"),
    password: fc.constantFrom("x", "longer"),
    ebgpMultiHop: fc.boolean(),
    connectTime: fc.constantFrom("60s", "61s"),
    enableGracefulRestart: fc.constantFrom(false, false, true),
    toReceive: fc.constantFrom(all, { allowed: { prefixes: [{ prefix: "10.0.0.0/8", le: 24 }] } }),
    toAdvertise: fc.constantFrom(
      all,
      { nextHop: { ipv4: "10.9.9.1" } },
      { ...all, withLocalPref: [{ localPref: 5, prefixes: ["10.1.0.0/16"] }] },
      { ...all, withLocalPref: [{ localPref: 6, prefixes: ["10.1.0.0/16"] }] },
    ),
  },
  { requiredKeys: ["address", "asn"] },
);
const anyRouter = fc.record(
  {
    asn: fc.constantFrom(64512, 64512, 64512, 64513),
    id: fc.constantFrom("1.1.1.1", "2.2.2.2"),
    prefixes: fc.constant(["10.1.0.0/16"]),
    neighbors: fc.uniqueArray(anyNeighbor, { maxLength: 2, selector: ({ address }) => address }),
  },
  { requiredKeys: ["asn", "prefixes", "neighbors"] },
);
const anyPeer = fc.record(
  {
    myASN: fc.constantFrom(64512, 64512, 64513),
    peerASN: fc.constantFrom(64999, 64999, 65000),
    peerAddress: fc.constantFrom(FAR, "10.0.0.2"),
    sourceAddress: fc.constantFrom("10.0.0.8", "10.0.0.9"),
    routerID: fc.constantFrom("1.1.1.1", "2.2.2.2"),
    holdTime: fc.constantFrom("30s", "60s"),
  },
  { requiredKeys: ["myASN", "peerASN", "peerAddress"] },
);
const anyOwner = fc.oneof(
  anyRouter.map((router) => (name: string) => configuration(name, [router])),
  anyPeer.map(
    ({ peerAddress, ...spec }) =>
      (name: string) =>
        peer(name, peerAddress, spec),
  ),
);

test("any owners at all: content decides, and those that stay agree in any order", () => {
  const wire = (made: World) => [
    told(planOf(made)),
    Object.values(neighborsIn(planOf(made))).map((one) => ({ ...one, provenance: [] })),
  ];
  fc.assert(
    fc.property(fc.array(anyOwner, { minLength: 1, maxLength: 6 }), fc.nat(), (makers, turn) => {
      const owners = makers.map((make, i) => [`o${i}`, make(`o${i}`)] as const);
      const made = world({}, together(...owners.map(([, text]) => text)));
      const turned = owners.map((_, i) => owners[(i + turn) % owners.length]![1]).toReversed();
      const again = world({}, together(...turned));
      expect(asideIn(again)).toEqual(asideIn(made));
      expect(wire(again)).toEqual(wire(made));
      const stay = owners
        .filter(([name]) => !Object.hasOwn(asideIn(made), name))
        .map(([, text]) => text);
      const alone = world({}, ...stay.toReversed());
      expect(asideIn(alone)).toEqual({});
      expect(wire(alone)).toEqual(wire(made));
    }),
    { numRuns: 150 },
  );
});
