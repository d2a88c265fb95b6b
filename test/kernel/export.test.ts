/**
 * Export rules: what of the kernel each takes, what none may take, and that only what changed is looked at and told.
 * Method: an exporter over a host made by hand; what it tells is folded into sets, as the log does.
 */
import { beforeEach, describe, expect, test } from "vitest";
import { address, addressOctets } from "../../events/address.ts";
import type { ResourceKey } from "../../events/ids.ts";
import { prefix, prefixFamily } from "../../events/prefix.ts";
import { createExporter, type Exporter } from "../../backends/kernel/exporter.ts";
import type { ExportedFact } from "../../backends/kernel/facts.ts";
import { clearForeign, foreignRoute } from "../../backends/kernel/host.ts";
import { prefixWords } from "../../backends/kernel/imports.ts";
import type { ExportRule } from "../../backends/kernel/intent.ts";
import { createModel, type Model } from "../../backends/kernel/model.ts";
import { PROTOCOL } from "../../backends/kernel/netlink/numbers.ts";
import { routeView } from "../../backends/kernel/netlink/route.ts";

const [LO, ETH0, ETH1, BLUE, ETH2] = [1, 2, 3, 4, 5];
const STATIC = 4;
const BIRD = 12;
let model: Model;
let facts: ExportedFact[];
let exporter: Exporter;

const link = (index: number, name: string, rest: object = {}): void => {
  const fresh = {
    index,
    name,
    up: true,
    loopback: index === LO,
    master: 0,
    vrfTable: undefined,
    ...rest,
  };
  model.host.links.set(index, fresh);
};
const bind = (text: string, device: number, rest: object = {}): void => {
  const [bare = "", length = ""] = text.split("/");
  const bound = { address: address(bare), length: Number(length), device };
  model.host.addresses.set({
    ...bound,
    protocol: 0,
    duplicate: false,
    tentative: false,
    ...rest,
  });
};
const route = (
  text: string,
  rest: { table?: number; type?: number; protocol?: number; metric?: number; device?: number } = {},
  present = true,
): void => {
  const [length, a, b, c, d] = prefixWords(prefix(text));
  const { device = ETH0, ...fields } = rest;
  const family = prefixFamily(prefix(text));
  const gateway = addressOctets(address(family === "ipv4" ? "10.0.0.1" : "2001:db8::1"));
  const hops = device === 0 ? [] : [{ device, gateway }];
  const view = { ...routeView(), family, table: 254, type: 1, protocol: STATIC };
  foreignRoute(model.host, { ...view, length, a, b, c, d, hops, ...fields }, present);
};

const KEY = "rutter/RouteExport/default/r" as ResourceKey;
type Changes = Partial<Omit<ExportRule, "from">>;
const rule = (from: object = {}, rest: Changes = {}): ExportRule => ({
  rule: KEY,
  vrf: "",
  from: {
    type: "kernel-routes",
    table: undefined,
    protocols: [],
    interfaces: [],
    ...from,
  },
  prefixes: [],
  maximum: 1000,
  exportDefault: false,
  provenance: [],
  ...rest,
});
const routesWhere = (from: object, rest: Changes = {}) => taken(rule(from, rest));
/** What the rule takes of all that is there. */
function taken(one: ExportRule): readonly string[] {
  exporter.setRules([one]);
  return sum();
}
/** What was told, folded. */
function sum(): readonly string[] {
  const all = new Set<string>();
  for (const { whole, added, removed } of facts) {
    if (whole) all.clear();
    for (const each of removed) all.delete(each);
    for (const each of added) all.add(each);
  }
  return [...all].toSorted();
}

beforeEach(() => {
  model = createModel({ nexthopObjects: true, seed: 1, repairs: true, inLedger: () => false });
  facts = [];
  exporter = createExporter(model, (fact) => void facts.push(fact));
  link(LO, "lo");
  link(ETH0, "eth0");
  link(ETH1, "eth1");
  link(BLUE, "blue", { vrfTable: 10 });
  link(ETH2, "eth2", { master: BLUE });
  model.afterDump(false);
});

describe("kernel routes", () => {
  beforeEach(() => {
    route("10.1.0.0/24");
    route("10.2.0.0/24", { device: ETH1, protocol: 16 });
    route("10.3.0.0/24", { protocol: BIRD });
    route("10.4.0.0/24", { table: 100 });
    route("10.5.0.0/24", { table: 10, device: ETH2 });
    route("2001:db8:1::/48");
    route("10.6.0.0/24", { type: 6, device: 0 });
    route("0.0.0.0/0");
  });
  test("of the VRF's own table: all but blackholes, the default route and those of routing daemons", () => {
    expect(routesWhere({})).toEqual(["10.1.0.0/24", "10.2.0.0/24", "2001:db8:1::/48"]);
    expect(routesWhere({}, { vrf: "blue" })).toEqual(["10.5.0.0/24"]);
    expect(routesWhere({}, { vrf: "none" })).toEqual([]);
  });
  test("by table, protocol, interface and prefix", () => {
    expect(routesWhere({ table: 100 })).toEqual(["10.4.0.0/24"]);
    expect(routesWhere({ protocols: [BIRD, 16] })).toEqual(["10.2.0.0/24", "10.3.0.0/24"]);
    expect(routesWhere({ interfaces: ["eth1"] })).toEqual(["10.2.0.0/24"]);
    const prefixes = [{ prefix: prefix("10.0.0.0/14"), atLeast: 20, atMost: 24 }];
    expect(routesWhere({}, { prefixes })).toEqual(["10.1.0.0/24", "10.2.0.0/24"]);
    expect(routesWhere({ protocols: [STATIC] })).toContain("10.6.0.0/24");
  });
  test("never what this agent itself learned", () => {
    route("10.7.0.0/24", { protocol: PROTOCOL });
    expect(routesWhere({})).not.toContain("10.7.0.0/24");
    expect(routesWhere({ protocols: [PROTOCOL] })).toEqual([]);
  });
  test("a default route where it is asked for", () => {
    expect(routesWhere({}, { exportDefault: true })).toContain("0.0.0.0/0");
  });
  test("never loopback, link-local, multicast or reserved ranges", () => {
    for (const one of ["127.1.0.0/16", "169.254.0.0/16", "224.0.0.0/4", "fe80::/64", "ff00::/8"]) {
      route(one);
    }
    expect(routesWhere({})).toEqual(["10.1.0.0/24", "10.2.0.0/24", "2001:db8:1::/48"]);
  });
  test("not over a link that is down, and again when it is up", () => {
    expect(routesWhere({})).toContain("10.2.0.0/24");
    link(ETH1, "eth1", { up: false });
    exporter.look(true);
    expect(sum()).not.toContain("10.2.0.0/24");
    link(ETH1, "eth1");
    exporter.look(true);
    expect(sum()).toContain("10.2.0.0/24");
  });
  test("one of two routes to a prefix is enough", () => {
    route("10.1.0.0/24", { protocol: BIRD, metric: 5 });
    expect(routesWhere({})).toContain("10.1.0.0/24");
    route("10.1.0.0/24", {}, false);
    exporter.look(false);
    expect(sum()).not.toContain("10.1.0.0/24");
  });
});

describe("addresses", () => {
  beforeEach(() => {
    bind("127.0.0.1/8", LO);
    bind("192.0.2.1/32", LO);
    bind("192.0.2.9/32", LO, { protocol: PROTOCOL });
    bind("10.0.0.7/24", ETH0);
    bind("fe80::7/64", ETH0);
    bind("2001:db8::7/64", ETH0);
    bind("10.7.0.1/24", ETH2);
    bind("2001:db8:5::7/64", ETH1, { duplicate: true });
  });
  test("as host prefixes, of the interfaces named; what we bound is for its Service to tell", () => {
    expect(taken(rule({ type: "addresses", interfaces: ["lo"] }))).toEqual(["192.0.2.1/32"]);
    expect(taken(rule({ type: "addresses", interfaces: ["eth0", "eth1"] }))).toEqual([
      "10.0.0.7/32",
      "2001:db8::7/128",
    ]);
  });
  test("as connected networks, of one VRF", () => {
    const connected = { type: "connected" } as const;
    expect(taken(rule(connected))).toEqual(["10.0.0.0/24", "192.0.2.1/32", "2001:db8::/64"]);
    expect(taken(rule(connected, { vrf: "blue" }))).toEqual(["10.7.0.0/24"]);
  });
  test("while their link is up", () => {
    expect(taken(rule({ type: "connected", interfaces: ["eth0"] }))).toHaveLength(2);
    link(ETH0, "eth0", { up: false });
    exporter.look(true);
    expect(sum()).toEqual([]);
  });
});

describe("what is told", () => {
  test("is one fact with what changed since, and none where nothing did", () => {
    route("10.1.0.0/24");
    exporter.setRules([rule()]);
    expect(facts).toMatchObject([{ rule: KEY, whole: true, added: ["10.1.0.0/24"] }]);
    facts.length = 0;
    route("10.2.0.0/24");
    route("10.3.0.0/24", { table: 7 });
    route("10.1.0.0/24", {}, false);
    exporter.look(false);
    exporter.look(false);
    expect(facts).toEqual([
      {
        type: "exported",
        rule: KEY,
        whole: false,
        added: ["10.2.0.0/24"],
        removed: ["10.1.0.0/24"],
      },
    ]);
  });
  test("is nothing while the tables are being read, nor after a reading that failed", () => {
    route("10.1.0.0/24");
    exporter.setRules([rule()]);
    facts.length = 0;
    model.beforeDump();
    clearForeign(model.host);
    exporter.look(true);
    model.dropDump();
    exporter.look(true);
    expect(facts).toEqual([]);
    model.beforeDump();
    route("10.1.0.0/24");
    model.afterDump(false);
    exporter.look(false);
    expect(sum()).toEqual(["10.1.0.0/24"]);
    expect(facts).toHaveLength(1);
  });
  test("is all again after a reading, and where the rule is another, even one of the same name", () => {
    route("10.1.0.0/24");
    exporter.setRules([rule()]);
    exporter.setRules([rule()]);
    expect(facts).toHaveLength(1);
    exporter.setRules([rule({}, { provenance: ["x" as never] })]);
    expect(facts).toMatchObject([{ whole: true }, { whole: true, added: ["10.1.0.0/24"] }]);
    exporter.setRules([]);
    expect(facts.at(-1)).toMatchObject({ rule: KEY, whole: true, added: [] });
  });
  test("may be asked for without being told", () => {
    route("10.1.0.0/24");
    exporter.setRules([rule()]);
    facts.length = 0;
    route("10.2.0.0/24");
    const offers = exporter.offers([rule({}, { maximum: 1 })]);
    expect(offers).toMatchObject([{ rule: KEY, whole: true }]);
    expect(offers[0]!.added).toHaveLength(1);
    expect(facts).toEqual([]);
    exporter.look(false);
    expect(facts).toMatchObject([{ whole: false, added: ["10.2.0.0/24"] }]);
    model.beforeDump();
    expect(exporter.offers([rule()])).toEqual([]);
  });
  test("is no more than the maximum; what is told stays, and room is filled", () => {
    for (const i of [1, 2, 3]) route(`10.${i}.0.0/24`);
    const told = taken(rule({}, { maximum: 2 }));
    expect(told).toHaveLength(2);
    expect(exporter.counts()).toMatchObject([{ told: 2, beyond: 1 }]);
    route("10.0.0.0/30");
    exporter.look(false);
    expect(sum()).toEqual(told);
    route(told[0]!, {}, false);
    exporter.look(false);
    expect(sum()).toHaveLength(2);
    expect(sum()).toContain(told[1]);
    expect(exporter.counts()).toMatchObject([{ told: 2, beyond: 1 }]);
  });
});
