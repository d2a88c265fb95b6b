/**
 * PeerBackends: who has which neighbour, what each speaker is told, and whose routes go into the kernel.
 */
import { describe, expect, test } from "vitest";
import { besideEachOther } from "../../agent/plan/options.ts";
import { plan, replan } from "../../agent/plan/plan.ts";
import { preview } from "../../agent/plan/preview.ts";
import { shadowOf } from "../../agent/plan/shadow.ts";
import { why } from "../../agent/plan/why.ts";
import { setText } from "../../backends/delta.ts";
import { NO_SPEAKER } from "../../backends/intent.ts";
import { frr } from "./frr-speaker.ts";
import { both, peerBackend, refusedIn, shareOf, toNative } from "./two-speakers.ts";
import {
  advertisement,
  after,
  asideIn,
  configuration,
  deleting,
  options as native,
  peer,
  pool,
  service,
  together,
  world,
} from "./world.ts";

const [FABRIC, MONITOR] = ["10.0.0.1", "10.0.0.9"] as const;
const peers = together(peer("fabric", FABRIC), peer("monitor", MONITOR));
const served = together(
  peers,
  pool("one", ["192.0.2.0/24"]),
  advertisement("each"),
  service("web"),
);
const lines = (made: ReturnType<typeof plan>) =>
  made.notCarried.map(
    ({ resource, field, reason }) => `${resource.split("/").at(-1)} ${field} ${reason}`,
  );

describe("each speaker is handed its own neighbours alone", () => {
  const made = world({}, served, toNative("monitor"));
  const split = plan(made.desired, both);
  test("and own routes go to both", () => {
    expect(shareOf(split, "frr")).toEqual({ neighbors: ["fabric"], routes: ["192.0.2.0/32"] });
    expect(shareOf(split, "native")).toEqual({ neighbors: ["monitor"], routes: ["192.0.2.0/32"] });
    expect(split.speakers.native?.routers[0]?.neighbors[0]?.backend).toBe("native");
  });
  test("by the fact that gave it away", () => {
    const [rule] = made.desired.resources["rutter/PeerBackend"]!.values();
    expect(split.speakers.native?.routers[0]?.neighbors[0]?.provenance).toContain(rule?.fact);
    expect(split.speakers.frr?.routers[0]?.neighbors[0]?.provenance).not.toContain(rule?.fact);
  });
  test("a Service more is planned for both as from scratch", () => {
    const next = after(made, service("more"));
    const young = replan({ desired: made.desired, plan: split }, next.desired, both);
    const whole = plan(next.desired, both);
    const told = (one: typeof young) =>
      Object.entries(one.speakers).map(([name, { routers }]) => [
        name,
        routers.map(({ routes }) =>
          [...routes.values()].map((r) => [r.prefix, setText(r.exports)]),
        ),
      ]);
    expect(shareOf(young, "native").routes).toEqual(["192.0.2.0/32", "192.0.2.1/32"]);
    expect(told(young)).toEqual(told(whole));
  });
  test("without a PeerBackend the first one has all", () => {
    const plain = plan(world({}, served).desired, both);
    expect(shareOf(plain, "frr").neighbors).toEqual(["fabric", "monitor"]);
    expect(plain.speakers.native?.routers).toEqual(NO_SPEAKER.routers);
    expect(shareOf(plan(world({}, served).desired, native), "native").neighbors).toHaveLength(2);
  });
});

describe("a PeerBackend names its peers", () => {
  const given = (spec: object, facts = {}, ...more: readonly string[]) =>
    shareOf(
      plan(
        world(facts, together(peers, ...more), peerBackend("one", { backend: "native", ...spec }))
          .desired,
        both,
      ),
      "native",
    ).neighbors;
  test("by name, by address, or all in the VRF", () => {
    expect(given({ peers: ["monitor"] })).toEqual(["monitor"]);
    expect(given({ peers: [MONITOR] })).toEqual(["monitor"]);
    expect(given({})).toEqual(["fabric", "monitor"]);
    expect(given({ vrf: "red" })).toEqual([]);
  });
  test("by the labels of whoever has them", () => {
    const labelled = peer("third", "10.0.0.3").replace(
      '"labels":{}',
      '"labels":{"use":"monitoring"}',
    );
    const peerSelectors = [{ matchLabels: { use: "monitoring" } }];
    expect(given({ peerSelectors }, {}, labelled)).toEqual(["third"]);
    expect(given({ peerSelectors, peers: ["monitor"] }, {}, labelled)).toEqual([
      "third",
      "monitor",
    ]);
  });
  test("by the name of the BGPPeer that an FRRConfiguration shares the neighbour with, too", () => {
    const shared = configuration("c", [
      { asn: 64512, neighbors: [{ asn: 64999, address: MONITOR }] },
    ]);
    expect(given({ peers: ["monitor"] }, {}, shared)).toEqual(["monitor"]);
  });
  test("on the hosts that it selects", () => {
    const nodeSelectors = [{ matchLabels: { rack: "r1" } }];
    expect(given({ peers: ["monitor"], nodeSelectors })).toEqual(["monitor"]);
    expect(given({ peers: ["monitor"], nodeSelectors: [{ matchLabels: { rack: "r2" } }] })).toEqual(
      [],
    );
  });
  test("an unnumbered one by its interface", () => {
    const unnumbered = peer("link", "", { peerAddress: undefined, interface: "eth1" });
    const made = plan(world({}, unnumbered, toNative("eth1")).desired, both);
    expect(refusedIn(made)["link"]).toContain("the native speaker has no unnumbered");
    expect(refusedIn(plan(world({}, unnumbered).desired, both))).toEqual({});
  });
  test("who is not there is said of it", () => {
    const made = plan(world({}, peers, toNative("nobody")).desired, both);
    expect(lines(made)).toEqual([
      "to-native spec.peers without effect: this host has no peer nobody",
    ]);
  });
});

test("a speaker that the host does not run has nobody: the peer is refused with the reason, and the rest goes on", () => {
  const made = world({}, peers, peerBackend("far", { peers: ["monitor"], backend: "gobgp" }));
  const split = plan(made.desired, both);
  expect(refusedIn(split)).toEqual({
    monitor: "this host runs no gobgp speaker beside frr: name it in `besides` of agent.yaml",
  });
  expect(shareOf(split, "frr").neighbors).toEqual(["fabric"]);
  expect(split.peers.get("metallb.io/BGPPeer/metallb-system/monitor" as never)?.type).toBe(
    "refused",
  );
  expect(lines(split).join()).toContain("far spec.backend not carried on this host");
});

describe("one far end has one speaker", () => {
  const [a, b] = [
    peerBackend("a", { peers: ["monitor"], backend: "native" }),
    peerBackend("b", { peers: [MONITOR], backend: "frr" }),
  ];
  test("of two that say otherwise content decides, not the order of the documents", () => {
    expect(asideIn(world({}, together(peers, a, b)))).toEqual({ b: "peer-backend-twice" });
    expect(asideIn(world({}, together(b, a, peers)))).toEqual({ b: "peer-backend-twice" });
  });
  test("what is in force stays", () => {
    expect(asideIn(world({}, peers, b, a))).toEqual({ a: "peer-backend-twice" });
  });
  test("with the other one gone it is back in force", () => {
    const made = world({}, together(peers, a, b));
    const left = after(made, deleting("rutter/PeerBackend/metallb-system/a"));
    expect(asideIn(left)).toEqual({});
  });
  test("two that say the same agree, and so do two of other peers", () => {
    const same = peerBackend("b", { peers: [MONITOR], backend: "native" });
    const other = peerBackend("b", { peers: [FABRIC], backend: "frr" });
    expect(asideIn(world({}, together(peers, a, same)))).toEqual({});
    expect(asideIn(world({}, together(peers, a, other)))).toEqual({});
  });
  test("also where two BGPPeers speak to it from two addresses", () => {
    const twice = together(
      peer("near", MONITOR, { sourceAddress: "10.0.0.2" }),
      peer("far", MONITOR, { sourceAddress: "10.0.0.3" }),
    );
    const rules = together(
      peerBackend("a", { peers: ["near"], backend: "native" }),
      peerBackend("b", { peers: ["far"], backend: "frr" }),
    );
    expect(asideIn(world({}, twice, rules))).toEqual({ b: "peer-backend-twice" });
    const one = plan(world({}, twice, toNative("near")).desired, both);
    expect(shareOf(one, "native").neighbors.toSorted()).toEqual(["far", "near"]);
    expect(shareOf(one, "frr").neighbors).toEqual([]);
  });
});

describe("in a VRF one speaker feeds the kernel", () => {
  const receiving = (vrf: string, ...addresses: readonly string[]) => ({
    asn: 64512,
    ...(vrf === "" ? {} : { vrf }),
    neighbors: addresses.map((address) => ({
      asn: 64999,
      address,
      toReceive: { allowed: { mode: "all" } },
    })),
  });
  const able = {
    ...native,
    capabilities: {
      ...native.capabilities,
      has: new Set([...native.capabilities.has, "vrf"] as const),
    },
  };
  const first = besideEachOther(able, [frr()]);
  const second = besideEachOther(frr(), [able]);
  const shared = configuration("c", [receiving("", FABRIC, MONITOR)]);
  const rules = (made: ReturnType<typeof plan>) =>
    made.kernel.imports.map(({ name, neighbors }) => `${name} ${(neighbors ?? ["all"]).join(" ")}`);

  test("the first one, where it has peers there", () => {
    const made = plan(
      world({}, shared, peerBackend("x", { peers: [MONITOR], backend: "frr" })).desired,
      first,
    );
    expect(made.feeders.size).toBe(0);
    expect(rules(made)).toEqual([`toReceive |${FABRIC}|`]);
  });
  test("another one, where it alone has peers there", () => {
    const made = plan(
      world(
        {},
        configuration("c", [receiving("", FABRIC), receiving("red", MONITOR)]),
        peerBackend("x", { vrf: "red", backend: "native" }),
      ).desired,
      second,
    );
    expect([...made.feeders]).toEqual([["red", "native"]]);
    // FRR's zebra installs what FRR learns; in the other VRF it is the agent's business.
    expect(rules(made)).toEqual([`toReceive@red red|${MONITOR}|`]);
    expect(lines(made)).toEqual([]);
  });
  test("which then does as a RouteImport says", () => {
    const routeImport = (vrf: string) =>
      `apiVersion: rutter/v1\nkind: RouteImport\nmetadata: {name: i}\nspec: {vrf: "${vrf}", table: 100}`;
    const home = peerBackend("x", { vrf: "red", backend: "native" });
    const routers = configuration("c", [receiving("", FABRIC), receiving("red", MONITOR)]);
    const fields = (vrf: string) =>
      plan(world({}, routers, home, routeImport(vrf)).desired, second).notCarried.map(
        ({ field }) => field,
      );
    expect(fields("red")).toEqual([]);
    expect(fields("")).toEqual(["spec.table"]);
  });
  test("what the other one's neighbours say is not installed, and that is said", () => {
    const made = plan(world({}, shared, toNative(MONITOR)).desired, second);
    const received = made.speakers.native?.routers[0]?.neighbors[0]?.receive;
    expect(received).toEqual({ type: "everything" });
    expect(lines(made)).toEqual([
      "c spec.bgp.routers[0].neighbors[1].toReceive not installed: it is the native speaker's, and what is installed in the default VRF is what the frr speaker learns",
    ]);
  });
  test("one that installs by itself takes nothing in where another one feeds", () => {
    const made = plan(
      world({}, shared, peerBackend("x", { peers: [MONITOR], backend: "frr" })).desired,
      first,
    );
    expect(made.speakers.frr?.routers[0]?.neighbors[0]?.receive).toEqual({ type: "nothing" });
    expect(made.speakers.native?.routers[0]?.neighbors[0]?.receive).toEqual({ type: "everything" });
  });
  test("a RouteImport that names the other one's peer gets the reason, and does not open it", () => {
    const routeImport = `apiVersion: rutter/v1\nkind: RouteImport\nmetadata: {name: i}\nspec: {peers: [fabric, monitor], table: 100}`;
    const made = plan(world({}, peers, toNative("monitor"), routeImport).desired, second);
    expect(lines(made)).toEqual([
      "i spec.peers without effect for monitor: it is the native speaker's, and what is installed in the default VRF is what the frr speaker learns",
      "i spec.table not carried yet: that these routes stand nowhere else; the frr speaker installs what it learns into the table of the VRF, too",
    ]);
    expect(rules(made)).toEqual([`default/i |${FABRIC}|`]);
    expect(made.speakers.native?.routers[0]?.neighbors[0]?.receive).toEqual({ type: "nothing" });
  });
});

describe("what a speaker can is asked of the one that has the peer", () => {
  test("fields of a neighbour", () => {
    const made = world(
      {},
      configuration("c", [
        {
          asn: 64512,
          neighbors: [
            { asn: 64999, address: FABRIC, sourceaddress: "eth0" },
            { asn: 64999, address: MONITOR, sourceaddress: "eth0" },
          ],
        },
      ]),
      toNative(MONITOR),
    );
    const split = plan(made.desired, both);
    expect(Object.keys(refusedIn(split))).toEqual([MONITOR]);
    expect(split.notCarried.map(({ field }) => field)).toContain(
      "spec.bgp.routers[0].neighbors[1].sourceaddress",
    );
    expect(split.notCarried.map(({ field }) => field).join()).not.toContain("neighbors[0]");
  });
  test("what is of no neighbour goes to whoever can", () => {
    const made = world({}, together(peers, configuration("c", [], { raw: { rawConfig: "! x" } })));
    const split = plan(made.desired, besideEachOther(native, [frr()]));
    expect(split.speakers.frr?.raw).toHaveLength(1);
    expect(split.speakers.native?.raw).toEqual([]);
    expect(lines(split)).toEqual([]);
  });
  test("BFD is kept by one daemon of the host", () => {
    const profile = `apiVersion: metallb.io/v1beta1\nkind: BFDProfile\nmetadata: {name: fast, namespace: metallb-system}\nspec: {}`;
    const made = world(
      {},
      together(
        profile,
        peer("fabric", FABRIC, { bfdProfile: "fast" }),
        peer("monitor", MONITOR, { bfdProfile: "fast" }),
      ),
      toNative("monitor"),
    );
    const kept = plan(made.desired, besideEachOther({ ...frr(), bfd: "speaker" }, [native]));
    expect(refusedIn(kept)["monitor"]).toContain(
      "has BFD's port on this host; `frr: {bfd: engine}`",
    );
    expect(kept.bfd.sessions).toEqual([]);
    const engine = plan(made.desired, besideEachOther({ ...frr(), bfd: "engine" }, [native]));
    expect(refusedIn(engine)).toEqual({});
    expect(engine.bfd.sessions.map(({ remote }) => remote)).toEqual([FABRIC, MONITOR]);
  });
});

describe("what a move would do", () => {
  const made = world({}, served);
  const moved = after(made, toNative("monitor"));
  test("resets that session and changes no route", () => {
    const foreseen = preview(plan(made.desired, both), plan(moved.desired, both));
    expect(foreseen).toMatchObject({ resets: ["monitor"], peers: [] });
    const back = preview(plan(moved.desired, both), plan(made.desired, both));
    expect(back).toMatchObject({ resets: ["monitor"], peers: [] });
    expect(foreseen.kernel).toEqual({ add: [], remove: [] });
  });
  test("and with another route on the way, that one", () => {
    const next = after(moved, service("more"));
    const foreseen = preview(plan(made.desired, both), plan(next.desired, both));
    expect(foreseen.peers).toEqual([
      { peer: "fabric", add: ["192.0.2.1/32"], change: [], remove: [] },
      { peer: "monitor", add: ["192.0.2.1/32"], change: [], remove: [] },
    ]);
  });
  test("another speaker in place of the first leaves those beside it as they are", () => {
    const gobgp = besideEachOther({ ...native, backend: "gobgp" }, [native]);
    const foreseen = shadowOf(plan(moved.desired, both), "frr", moved.desired, {
      options: gobgp,
      warnings: [],
    });
    expect(foreseen.resets).toEqual(["fabric"]);
    expect(foreseen.shadow?.neighbors).toEqual([]);
  });
});

test("why of a neighbour says who gave it away, and that it is not installed", () => {
  const { desired } = world({}, peers, toNative("monitor"));
  const split = plan(desired, both);
  const { chain } = why({ subject: "monitor", peer: undefined }, desired, split, new Map());
  expect(chain.map(({ step, verdict, reason }) => `${step} ${verdict} ${reason}`)).toEqual([
    "owner ok has monitor (spec)",
    "backend ok gives monitor to the native speaker",
    "import warning what it says is not installed: in the default VRF that is what the frr speaker learns",
    "session stopped the session is not started",
  ]);
  const first = why({ subject: "fabric", peer: undefined }, desired, split, new Map());
  expect(first.chain.map(({ step }) => step)).toEqual(["owner", "session"]);
});
