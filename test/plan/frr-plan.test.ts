/**
 * FRRConfigurations in the plan: what neighbours are told, what waits and says so, what `why` answers, and the examples.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { plan } from "../../agent/plan/plan.ts";
import { why } from "../../agent/plan/why.ts";
import type { Capability } from "../../backends/backend.ts";
import { classify } from "../../backends/delta.ts";
import { notCarriedHere } from "../../agent/plan/carried-here.ts";
import { SHARED, skipUnless } from "../probe.ts";
import {
  advertisement,
  after,
  asideIn,
  configuration,
  deleting,
  neighborsIn,
  options,
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
const opens = (name: string, neighbor: object = {}, router: object = {}) =>
  configuration(name, [
    { asn: 64512, neighbors: [{ ...far, toReceive: all, ...neighbor }], ...router },
  ]);
const gone = (name: string) =>
  deleting(`frrk8s.metallb.io/FRRConfiguration/metallb-system/${name}`);
const one = pool("one", ["192.0.2.0/24"]);
const p1 = peer("p1", FAR);
const base = together(one, p1, advertisement("ad"), service("s"));
const intentOf = (made: World, name: string) => neighborsIn(planOf(made))[name]!;

describe("what a neighbour is told", () => {
  const tells = (toAdvertise: object, prefixes: readonly string[], more: object = {}) =>
    opens("open", { toAdvertise, ...more }, { prefixes });
  test("router prefixes by toAdvertise only, Services by BGPAdvertisement only", () => {
    const other = configuration("other", [
      {
        asn: 64512,
        prefixes: ["10.1.0.0/16", "10.2.0.0/16"],
        neighbors: [
          { asn: 1, address: "10.0.0.7", toAdvertise: { allowed: { prefixes: ["10.1.0.0/16"] } } },
        ],
      },
    ]);
    expect(told(planOf(world({}, together(base, other))))).toEqual({
      p1: ["192.0.2.0/32"],
      "10.0.0.7": ["10.1.0.0/16"],
    });
  });
  test("a VIP that is a router prefix too goes out once, with the communities of both", () => {
    const toAdvertise = {
      allowed: { mode: "all" },
      withCommunity: [{ community: "1:2", prefixes: ["192.0.2.0/32"] }],
      withLocalPref: [{ localPref: 7, prefixes: ["192.0.2.0/32"] }],
    };
    const made = world(
      {},
      together(one, p1, advertisement("ad", { communities: ["1:1"], localPref: 9 }), service("s")),
      tells(toAdvertise, ["192.0.2.0/32"]),
    );
    // Two localPrefs for a prefix: the FRRConfiguration's goes first (routes.ts).
    expect(told(planOf(made))).toEqual({ p1: ["192.0.2.0/32 lp=7 1:1 1:2"] });
    expect([...planOf(made).warnings.values()]).toEqual([
      [
        "192.0.2.0/32 goes to p1 with localPref 7 of FRRConfiguration metallb-system/open, not 9: keep one of them",
      ],
    ]);
    const without = after(made, deleting("/Service/default/s"));
    expect(told(planOf(without))).toEqual({ p1: ["192.0.2.0/32 lp=7 1:2"] });
    expect(told(planOf(after(made, gone("open"))))).toEqual({ p1: ["192.0.2.0/32 lp=9 1:1"] });
  });
  test("with the next hop of its family, Services' routes too", () => {
    const made = planOf(
      world(
        {},
        base,
        tells({ allowed: { mode: "all" }, nextHop: { ipv4: "10.9.9.9" } }, ["10.1.0.0/16"]),
      ),
    );
    const hops = [...made.speakers.native!.routers[0]!.routes.values()].flatMap((route) =>
      route.exports.map(({ attributes }) => [route.prefix, attributes.nextHop]),
    );
    expect(hops.toSorted()).toEqual([
      ["10.1.0.0/16", "10.9.9.9"],
      ["192.0.2.0/32", "10.9.9.9"],
    ]);
  });
  test("only its own family, and nothing that only an imported VRF has", () => {
    const made = planOf(
      world(
        {},
        configuration("a", [
          {
            asn: 64512,
            prefixes: ["10.1.0.0/16", "2001:db8::/32"],
            imports: [{ vrf: "red" }],
            neighbors: [
              { ...far, toAdvertise: { allowed: { mode: "all" } } },
              {
                asn: 1,
                address: "10.0.0.2",
                toAdvertise: { allowed: { prefixes: ["10.3.0.0/16"] } },
              },
            ],
          },
          { asn: 64512, vrf: "red", prefixes: ["10.3.0.0/16"] },
        ]),
      ),
    );
    expect(told(made)).toEqual({ [FAR]: ["10.1.0.0/16"], "10.0.0.2": [] });
    expect(made.notCarried.map(({ field }) => field)).toContain("spec.bgp.routers[0].imports");
  });
});

describe("what waits", () => {
  const twoNeighbors = configuration("a", [
    {
      asn: 64512,
      neighbors: [
        { ...far, passwordSecret: { name: "key" } },
        { asn: 1, address: "10.0.0.2" },
      ],
    },
  ]);
  test("a neighbour without its Secret, alone; it comes up when that is applied", () => {
    const made = world({}, twoNeighbors);
    expect(Object.keys(neighborsIn(planOf(made)))).toEqual(["10.0.0.2"]);
    expect(asideIn(made)).toEqual({});
    expect(planOf(made).notCarried).toEqual([
      {
        resource: "frrk8s.metallb.io/FRRConfiguration/metallb-system/a",
        field: "spec.bgp.routers[0].neighbors[0].passwordSecret",
        reason: expect.stringContaining("there is no Secret metallb-system/key"),
      },
    ]);
    const later = after(made, password("key", "hush"));
    expect(Object.keys(neighborsIn(planOf(later)))).toEqual([FAR, "10.0.0.2"]);
    expect(intentOf(later, FAR).authentication).toMatchObject({ type: "tcp-md5" });
  });
  test("a second owner without its Secret does not touch the session of the first", () => {
    const before = world(
      {},
      together(password("mine", "hush"), peer("p1", FAR, { passwordSecret: { name: "mine" } })),
    );
    const later = after(before, opens("open", { passwordSecret: { name: "other" } }));
    expect(asideIn(later)).toEqual({});
    expect(intentOf(later, "p1")).toEqual(intentOf(before, "p1"));
    const known = after(later, password("other", "another"));
    expect(asideIn(known)).toEqual({ open: "password-conflict" });
  });
  test("what the speaker lacks: each neighbour with its reason, and the others are opened", () => {
    const made = planOf(
      world(
        {},
        configuration("a", [
          {
            asn: 64512,
            neighbors: [
              far,
              { asn: 1, interface: "eth0" },
              { asn: 2, address: "10.0.0.2", addressFamilies: ["evpn"] },
              { asn: 3, address: "10.0.0.3", sourceaddress: "lo1" },
            ],
          },
          { asn: 64512, vrf: "red", neighbors: [far] },
        ]),
      ),
    );
    expect(Object.keys(neighborsIn(made))).toEqual([FAR]);
    const refused = made.notCarried.filter(({ reason }) => reason.startsWith("not opened"));
    expect(refused.map(({ field, reason }) => `${field} ${reason}`)).toEqual([
      "spec.bgp.routers[0].neighbors[1] not opened: the native speaker has no unnumbered: not carried yet",
      "spec.bgp.routers[0].neighbors[2] not opened: the native speaker has no evpn: not carried yet",
      "spec.bgp.routers[0].neighbors[3] not opened: sourceaddress lo1 is an interface: not carried yet, write its address",
      "spec.bgp.routers[1].neighbors[0] not opened: the native speaker has no vrf: not carried yet",
    ]);
  });
  test("and are opened where the speaker has it", () => {
    const able = new Set<Capability>(["unnumbered", "vrf", "local-as"]);
    const { desired } = world(
      {},
      configuration("a", [
        {
          asn: 64512,
          vrf: "red",
          prefixes: ["10.1.0.0/16"],
          neighbors: [{ asn: 1, interface: "eth0", localASN: 7, toAdvertise: all }],
        },
      ]),
    );
    const made = plan(desired, { ...options, capabilities: { has: able, missing: new Map() } });
    expect(made.speakers.native?.routers).toMatchObject([
      { vrf: "red", neighbors: [{ name: "eth0-red", localAsOverride: 7 }] },
    ]);
    expect(told(made)).toEqual({ "eth0-red": ["10.1.0.0/16"] });
  });
  test("an object for another host says nothing here", () => {
    const elsewhere = configuration("a", [{ asn: 1, neighbors: [far] }], {
      nodeSelector: { matchLabels: { rack: "r2" } },
    });
    const made = world({}, base, elsewhere);
    expect(asideIn(made)).toEqual({});
    expect(Object.keys(neighborsIn(planOf(made)))).toEqual(["p1"]);
    expect([...planOf(made).neighbors.keys()]).toEqual(["|10.0.0.1|"]);
  });
});

describe("what BFD needs is at the neighbour", () => {
  const bfdProfiles = [{ name: "fast", receiveInterval: 25 }];
  test("from the FRRConfiguration's own profiles", () => {
    const made = planOf(
      world(
        {},
        p1,
        configuration("a", [{ asn: 64512, neighbors: [{ ...far, bfdProfile: "fast" }] }], {
          bfdProfiles,
        }),
      ),
    );
    expect(made.neighbors.get("|10.0.0.1|" as never)).toMatchObject({
      verdict: { type: "opened" },
      neighbor: { bfd: { name: "fast", spec: { receiveIntervalMillis: 25 } }, localAsn: 64512 },
    });
  });
});

describe("why", () => {
  const ask = (made: World, subject: string, peerName?: string) =>
    why({ subject, peer: peerName }, made.desired, planOf(made), new Map());
  const steps = (made: World, subject: string) =>
    ask(made, subject).chain.map(
      ({ step, verdict, subject: who }) => `${step} ${verdict} ${who.split("/").at(-1)}`,
    );
  test("a neighbour names all its owners, and who would be one", () => {
    const made = world({}, together(base, opens("open")), opens("other", { asn: 5 }));
    for (const name of ["p1", FAR]) {
      expect(steps(made, name)).toEqual([
        "owner ok p1",
        "owner ok open",
        "owner warning other",
        "session stopped p1",
      ]);
    }
  });
  test("a Service's prefix names the owners of the peer that is told", () => {
    expect(steps(world({}, together(base, opens("open"))), "192.0.2.0").slice(-4)).toEqual([
      "peer ok p1",
      "owner ok p1",
      "owner ok open",
      "session stopped p1",
    ]);
  });
  test("a router's prefix is followed from its FRRConfiguration", () => {
    const made = world({}, opens("open", { toAdvertise: all }, { prefixes: ["10.1.0.0/16"] }));
    expect(steps(made, "10.1.0.0/16")).toEqual([
      "manifest ok open",
      "advertise ok open",
      "peer ok 10.0.0.1",
      "session stopped 10.0.0.1",
    ]);
    expect(ask(made, "10.1.2.3").prefix).toBe("10.1.0.0/16");
  });
  test("an object is followed to its neighbours: opened, waiting, or why it is set aside", () => {
    const made = world(
      {},
      together(base, opens("open", {}, { neighbors: [far, { asn: 1, interface: "eth0" }] })),
      opens("other", { asn: 5 }),
      opens("late", { address: "10.0.0.9", passwordSecret: { name: "key" } }),
    );
    expect(steps(made, "open")).toEqual([
      "manifest ok open",
      "neighbor ok p1",
      "neighbor stopped eth0",
    ]);
    expect(steps(made, "other")).toEqual(["manifest ok other", "quarantine stopped other"]);
    expect(steps(made, "late")).toEqual(["manifest ok late", "neighbor stopped 10.0.0.9"]);
  });
  test("and ends where it is told to nobody, or set aside", () => {
    const silent = world({}, opens("open", {}, { prefixes: ["10.1.0.0/16"] }));
    expect(steps(silent, "10.1.0.0/16")).toEqual(["manifest ok open", "advertise stopped open"]);
    const aside = world({}, p1, opens("open", { asn: 5 }, { prefixes: ["10.1.0.0/16"] }));
    expect(steps(aside, "10.1.0.0/16")).toEqual(["manifest ok open", "quarantine stopped open"]);
  });
});

describe("the examples", () => {
  const example = (name: string) => readFileSync(join(SHARED, "examples", name), "utf8");
  const wk3 = {
    node: "wk3",
    labels: { "kubernetes.io/hostname": "wk3", "node-role.kubernetes.io/worker-virt": "" },
  };
  test("05: one neighbour that is told the VIP and may send everything", (context) => {
    skipUnless("shared-examples")(context);
    const made = world(wk3, example("05-receive-routes.yaml"));
    expect(asideIn(made)).toEqual({});
    const plan = planOf(made);
    expect(told(plan)).toEqual({ "bgppeer-r2": ["172.19.20.181/32"] });
    expect(Object.values(neighborsIn(plan))).toMatchObject([
      { key: "|172.18.20.1|", remoteAs: { asn: 65102 }, receive: { type: "everything" } },
    ]);
    expect(plan.notCarried).toEqual([]);
  });
  test("06: what the MetalLB kinds would have said, but for timers and what comes in; VRF by capability", (context) => {
    skipUnless("shared-examples")(context);
    const generated = planOf(world(wk3, example("06-generated-frrconfiguration.yaml")));
    const metallb = planOf(
      world(
        wk3,
        together(
          pool("p", ["172.19.20.181/32"]),
          peer("r2", "172.18.20.1", { myASN: 65801, peerASN: 65102 }),
          advertisement("a"),
          service("s"),
        ),
      ),
    );
    expect(Object.values(told(generated))).toEqual(Object.values(told(metallb)));
    const [mine, theirs] = [generated, metallb].map((made) => Object.values(neighborsIn(made))[0]!);
    // frr-k8s' own timers, as nobody set any and no BGPPeer takes part; receive as the file says.
    expect(classify(theirs!, mine!).fields.toSorted()).toEqual([
      "connectRetrySeconds",
      "holdTimeSeconds",
      "keepaliveTimeSeconds",
      "name",
      "receive",
    ]);
    expect(mine!.receive).toEqual({
      type: "prefixes",
      prefixes: [{ prefix: "172.19.20.181/32", atLeast: 32, atMost: 32 }],
    });
    expect(generated.notCarried.map(({ field }) => field)).toEqual([
      "spec.bgp.routers[1].neighbors[0]",
    ]);
  });
});

test("the fields that wait are named one by one", () => {
  const { desired } = world(
    {},
    configuration(
      "a",
      [
        {
          asn: 64512,
          imports: [{ vrf: "red" }],
          evpn: { advertiseVNIs: "All" },
          neighbors: [
            {
              asn: 1,
              interface: "eth0",
              sourceaddress: "lo1",
              localASN: 5,
              bfdProfile: "p",
              enableGracefulRestart: true,
              addressFamilies: ["unicast", "evpn"],
            },
            {
              ...far,
              password: "x",
              ebgpMultiHop: true,
              dualStackAddressFamily: true,
              connectTime: "9s",
            },
          ],
        },
        { asn: 64512, vrf: "red" },
      ],
      { bfdProfiles: [{ name: "p" }], raw: { rawConfig: "! x" } },
    ),
  );
  const [held] = desired.resources["frrk8s.metallb.io/FRRConfiguration"]!.values();
  const [r, n] = ["spec.bgp.routers[0]", "spec.bgp.routers[0].neighbors[0]"];
  expect(notCarriedHere(desired, held!.resource, options).map(({ field }) => field)).toEqual([
    `${r}.imports`,
    `${r}.evpn`,
    `${n}.interface`,
    `${n}.sourceaddress`,
    `${n}.addressFamilies`,
    "spec.raw",
  ]);
});
