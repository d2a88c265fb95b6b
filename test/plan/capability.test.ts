/**
 * One state, planned for speakers that can do different things: what each is asked, and what is said of the rest.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fieldsNotCarried } from "../../agent/plan/carried-fields.ts";
import { preview } from "../../agent/plan/preview.ts";
import { plan, type Plan } from "../../agent/plan/plan.ts";
import { SHARED, skipUnless } from "../probe.ts";
import { frr, planned, router, routers } from "./frr-speaker.ts";
import {
  after,
  configuration,
  documentsIn,
  options,
  peer,
  planOf,
  together,
  type World,
  world,
} from "./world.ts";

const toldTo = (made: Plan, vrf: string): readonly string[] =>
  [...(router(made, vrf)?.routes.values() ?? [])]
    .map(({ prefix, exports }) => `${prefix} ${exports.flatMap(({ to }) => to).join(" ")}`)
    .toSorted();
const far = { asn: 64999, address: "10.0.0.1" };
const extras = (text: string, name = "bgpextras") =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: metallb-system}\ndata:\n  extras: |\n    ${text}`;

describe("raw lines", () => {
  const raw = (name: string, priority: number, more: object = {}) =>
    configuration(name, [], { raw: { priority, rawConfig: `! ${name}` }, ...more });
  const made = world(
    {},
    together(
      raw("b", 5),
      raw("c", 1),
      raw("a", 5),
      raw("z", 0, { nodeSelector: { matchLabels: { rack: "r2" } } }),
      extras("! last"),
    ),
  );
  test("by priority, then by name, and bgpextras behind all", () => {
    const { raw: snippets } = planned(made).speakers.frr!;
    expect(snippets.map(({ raw: { text } }) => text.trim())).toEqual([
      "! c",
      "! a",
      "! b",
      "! last",
    ]);
    expect(snippets.map(({ provenance }) => provenance.length)).toEqual([1, 1, 1, 1]);
    expect(snippets.at(-1)?.owner).toBe("/ConfigMap/metallb-system/bgpextras");
    expect(planned(made).notCarried).toEqual([]);
  });
  test("nothing of them where the speaker has no such language, and it is said", () => {
    expect(planOf(made).speakers.native?.raw).toEqual([]);
    expect(planOf(made).notCarried.map(({ resource }) => resource)).toEqual([
      "/ConfigMap/metallb-system/bgpextras",
      ...["a", "b", "c", "z"].map(
        (name) => `frrk8s.metallb.io/FRRConfiguration/metallb-system/${name}`,
      ),
    ]);
  });
  test("secrets in them stay references", () => {
    const sealed = world({}, extras("neighbor 10.0.0.1 password hush"));
    const [snippet] = planned(sealed).speakers.frr!.raw;
    expect(snippet?.raw.text).toContain("⟨secret 0⟩");
    expect(snippet?.raw.secrets).toHaveLength(1);
  });
  test("example 11: applied by frr; elsewhere the advice", (context) => {
    skipUnless("shared-examples")(context);
    const example = world({}, readFileSync(join(SHARED, "examples", "11-bgpextras.yaml"), "utf8"));
    expect(planned(example).notCarried).toEqual([]);
    expect(planned(example).speakers.frr?.raw).toHaveLength(1);
    for (const backend of ["native", "gobgp"] as const) {
      const [line] = plan(example.desired, { ...options, backend }).notCarried;
      expect(line?.reason).toMatch(/^not carried yet: .*toReceive/s);
      expect(line?.reason).toContain('{prefix: "172.16.1.0/24", le: 32}');
    }
  });
});

test("what a plan changes beside neighbours and routes is said by whose it is", () => {
  const leaks = configuration("a", [
    { asn: 64512, imports: [{ vrf: "red" }], neighbors: [far] },
    { asn: 64512, vrf: "red" },
  ]);
  const before = world({}, extras("! one"));
  const later = after(before, together(leaks, extras("! two")));
  expect(preview(planned(before), planned(later)).speaker).toEqual({
    add: ["routes of VRF red in the default VRF"],
    change: ["raw lines of ConfigMap metallb-system/bgpextras"],
    remove: [],
  });
  expect(preview(planned(later), planned(world({}))).speaker.remove).toEqual([
    "raw lines of ConfigMap metallb-system/bgpextras",
    "routes of VRF red in the default VRF",
  ]);
  expect(preview(planned(later), planned(later)).speaker).toEqual({
    add: [],
    change: [],
    remove: [],
  });
});

describe("VRF imports", () => {
  const leaking = (allowed: object) =>
    world(
      {},
      configuration("a", [
        {
          asn: 64512,
          prefixes: ["10.1.0.0/16"],
          imports: [{ vrf: "red" }],
          neighbors: [{ ...far, toAdvertise: { allowed } }],
        },
        { asn: 64512, vrf: "red", prefixes: ["10.3.0.0/16"] },
      ]),
    );
  test("prefixes of an imported VRF can be told, one by one or all", () => {
    const all = planned(leaking({ mode: "all" }));
    expect(toldTo(all, "")).toEqual(["10.1.0.0/16 |10.0.0.1|", "10.3.0.0/16 |10.0.0.1|"]);
    expect(router(all, "")?.imports).toEqual(["red"]);
    expect(toldTo(planned(leaking({ prefixes: ["10.3.0.0/16"] })), "")).toEqual([
      "10.3.0.0/16 |10.0.0.1|",
    ]);
    expect(all.notCarried).toEqual([]);
  });
  test("what it learned is used in the importing one by the kernel, unless the speaker installs it itself", () => {
    const open = { ...far, toReceive: { allowed: { mode: "all" } } };
    const both = (imports: readonly object[]) =>
      world(
        {},
        configuration("a", [
          { asn: 64512, imports },
          { asn: 64512, vrf: "blue", neighbors: [open] },
          { asn: 64512, vrf: "red", imports: [{ vrf: "blue" }], neighbors: [open] },
          { asn: 64512, vrf: "silent", neighbors: [far] },
        ]),
      );
    const has = { has: new Set(["vrf", "vrf-import"] as const), missing: new Map() };
    const rulesOf = (made: World) =>
      plan(made.desired, { ...options, capabilities: has })
        .kernel.imports.filter(({ table }) => table !== undefined)
        .map(({ name, vrf, table, metric, acceptDefault, provenance }) => ({
          name,
          vrf,
          table,
          metric,
          acceptDefault,
          causes: provenance.length,
        }));
    const rule = (name: string, vrf: string, into: string, metric: number) => ({
      name,
      vrf,
      table: { vrf: into },
      metric,
      acceptDefault: false,
      causes: 1,
    });
    const made = both([{ vrf: "red" }, { vrf: "silent" }, { vrf: "blue" }]);
    expect(rulesOf(made)).toEqual([
      rule("imports.blue@red", "blue", "red", 21),
      rule("imports.blue", "blue", "", 21),
      rule("imports.red", "red", "", 22),
    ]);
    expect(rulesOf(both([]))).toEqual([rule("imports.blue@red", "blue", "red", 21)]);
    expect(planned(made).kernel.imports).toEqual([]);
  });
  test("a VRF that is imported is a router, also without neighbours", () => {
    expect(routers(planned(leaking({ mode: "all" }))).map(({ vrf }) => vrf)).toEqual(["red", ""]);
  });
  test("and not where the speaker does not leak", () => {
    const made = planned(leaking({ mode: "all" }), frr(["vrf-import"]));
    expect(toldTo(made, "")).toEqual(["10.1.0.0/16 |10.0.0.1|"]);
    expect(routers(made).map(({ vrf, imports }) => [vrf, imports])).toEqual([["", []]]);
    expect(made.notCarried).toEqual([
      {
        resource: "frrk8s.metallb.io/FRRConfiguration/metallb-system/a",
        field: "spec.bgp.routers[0].imports",
        reason:
          "not carried yet: leaking between VRFs; prefixes that only an imported VRF has are told to nobody here (FRR 1.0 has none)",
      },
    ]);
  });
});

describe("EVPN", () => {
  const made = world(
    {},
    configuration("a", [
      {
        asn: 64512,
        evpn: { advertiseVNIs: "All" },
        neighbors: [
          { ...far, addressFamilies: ["evpn"] },
          { asn: 1, address: "10.0.0.2", addressFamilies: ["unicast", "evpn"] },
          { asn: 2, address: "10.0.0.3" },
        ],
      },
      { asn: 64512, vrf: "red", evpn: { l3vni: { vni: 100, advertisePrefixes: ["unicast"] } } },
    ]),
  );
  test("neighbours with EVPN alone are opened; VNIs come with their routers", () => {
    const neighbors = router(planned(made), "")?.neighbors;
    expect(neighbors?.map(({ families, carriesEvpn }) => [families, carriesEvpn])).toEqual([
      [[], true],
      [["ipv4"], true],
      [["ipv4"], false],
    ]);
    expect(router(planned(made), "")?.evpn).toMatchObject({ advertiseVnis: "All" });
    expect(router(planned(made), "red")).toMatchObject({
      neighbors: [],
      evpn: { l3vni: { vni: 100 } },
    });
    expect(planned(made).notCarried).toEqual([]);
  });
  test("are refused alone where it is missing, and unicast goes on", () => {
    const without = planned(made, frr(["evpn"]));
    expect(routers(without)).toMatchObject([
      { vrf: "", evpn: undefined, neighbors: [{ key: "|10.0.0.2|" }, { key: "|10.0.0.3|" }] },
    ]);
    expect(without.notCarried.map(({ field }) => field)).toEqual([
      "spec.bgp.routers[0].evpn",
      "spec.bgp.routers[0].neighbors[0]",
      "spec.bgp.routers[0].neighbors[0].addressFamilies",
      "spec.bgp.routers[0].neighbors[1].addressFamilies",
      "spec.bgp.routers[1].evpn",
    ]);
  });
});

test("an interface as the source is carried where the speaker resolves it", () => {
  const made = world(
    {},
    configuration("a", [{ asn: 64512, neighbors: [{ ...far, sourceaddress: "lo1" }] }]),
  );
  expect(router(planned(made), "")?.neighbors).toMatchObject([
    { key: "|10.0.0.1|lo1", localAddress: undefined, localInterface: "lo1" },
  ]);
  expect(routers(planned(made, frr(["source-interface"])))).toEqual([]);
});

describe("a speaker that installs what it learns", () => {
  const receiving = (allowed: object) =>
    configuration("a", [{ asn: 64512, neighbors: [{ ...far, toReceive: { allowed } }] }]);
  const routeImport = (name: string, spec: object) =>
    `apiVersion: rutter/v1\nkind: RouteImport\nmetadata: {name: ${name}}\nspec: ${JSON.stringify(spec)}`;
  const received = (made: World, by = frr()) =>
    Object.values(planned(made, by).speakers)[0]!.routers[0]!.neighbors[0]!.receive;
  const rules = (made: World, by = frr()) =>
    planned(made, by).kernel.imports.map(({ name }) => name);
  const everythingElse = {
    type: "prefixes",
    prefixes: [
      { prefix: "0.0.0.0/0", atLeast: 1, atMost: 32 },
      { prefix: "::/0", atLeast: 1, atMost: 128 },
    ],
  };
  const without = frr(["installs-routes"]);
  test("is not doubled: what receive rules imply is left to it", () => {
    const made = world({}, receiving({ mode: "all" }));
    expect(rules(made)).toEqual([]);
    expect(rules(made, without)).toEqual(["toReceive"]);
  });
  test("takes no default route that nobody named", () => {
    const made = world({}, receiving({ mode: "all" }));
    expect(received(made)).toEqual(everythingElse);
    expect(received(made, without)).toEqual({ type: "everything" });
    const named = world({}, receiving({ prefixes: [{ prefix: "0.0.0.0/0" }] }));
    expect(received(named)).toEqual({
      type: "prefixes",
      prefixes: [{ prefix: "0.0.0.0/0", atLeast: 0, atMost: 0 }],
    });
  });
  test("a RouteImport opens for the default route only with acceptDefault", () => {
    const shy = world({}, together(peer("p", "10.0.0.1"), routeImport("i", {})));
    expect(received(shy)).toEqual(everythingElse);
    const exact = { prefixes: [{ prefix: "0.0.0.0/0" }] };
    const alone = world({}, together(peer("p", "10.0.0.1"), routeImport("i", exact)));
    expect(received(alone)).toEqual({ type: "nothing" });
    const open = world(
      {},
      together(peer("p", "10.0.0.1"), routeImport("i", { acceptDefault: true })),
    );
    expect(received(open)).toEqual({ type: "everything" });
  });
  test("installs without a RouteImport's bound, and beside another table: that is said", () => {
    const bounded = (spec: object) =>
      world({}, together(peer("p", "10.0.0.1"), routeImport("i", { maximum: 5, ...spec })));
    const fields = (made: World, by = frr()) =>
      planned(made, by).notCarried.map(({ field }) => field);
    expect(fields(bounded({}))).toEqual(["spec.maximum"]);
    expect(fields(bounded({ table: 100 }))).toEqual(["spec.table"]);
    expect(fields(bounded({}), without)).toEqual([]);
    expect(fields(bounded({ table: 100 }), without)).toEqual([]);
  });
  test("a RouteImport that it can't follow is the kernel backend's", () => {
    const made = world(
      {},
      together(
        peer("p", "10.0.0.1"),
        routeImport("plain", {}),
        routeImport("tabled", { table: 100 }),
        routeImport("dear", { metric: 50 }),
        routeImport("sourced", { preferredSource: { ipv4: "10.9.9.9" } }),
      ),
    );
    expect(rules(made)).toEqual(["default/dear", "default/sourced", "default/tabled"]);
    expect(rules(made, without)).toEqual([
      "default/dear",
      "default/plain",
      "default/sourced",
      "default/tabled",
    ]);
  });
});

describe("a peer's fields", () => {
  const fields = (spec: object, by = options) => {
    const [document] = documentsIn(peer("p", "10.0.0.1", spec));
    return fieldsNotCarried(document!.resource, by);
  };
  test("interface waits for a speaker that can, and nothing else does", () => {
    const unnumbered = { peerAddress: undefined, interface: "eth0" };
    expect(fields(unnumbered)).toEqual([
      {
        resource: "metallb.io/BGPPeer/metallb-system/p",
        field: "spec.interface",
        reason: "not carried yet: unnumbered peering; the session is not opened",
      },
    ]);
    expect(fields(unnumbered, frr())).toEqual([]);
    const rest = {
      enableGracefulRestart: true,
      vrf: "red",
      localASN: 3,
      bfdProfile: "p",
      password: "x",
      connectTime: "1s",
      holdTime: "9s",
      ebgpMultiHop: true,
      dualStackAddressFamily: true,
      routerID: "1.1.1.1",
      sourceAddress: "10.0.0.2",
    };
    expect(fields(rest)).toEqual([]);
  });
  test("the advice for raw lines has the manifest to paste, with the peer's own numbers", () => {
    const lines =
      "ip prefix-list f permit 172.16.1.0/24 le 32\n    route-map 10.0.0.1-in permit 20\n     match ip address prefix-list f";
    const made = world({}, together(extras(lines), peer("p", "10.0.0.1")));
    const reason = planOf(made).notCarried[0]?.reason;
    expect(reason).toMatch(/^not carried yet: .*toReceive/);
    for (const part of ["asn: 64512", "asn: 64999", '{prefix: "172.16.1.0/24", le: 32}'])
      expect(reason).toContain(part);
  });
});
