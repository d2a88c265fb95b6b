/**
 * Import rules, guards and next hops: which learned route goes where, and why one does not.
 * Method: an importer over a host made by hand; what it wants is read from its fibs.
 */
import { beforeEach, describe, expect, test } from "vitest";
import { type Address, address, addressOctets } from "../../events/address.ts";
import { neighborKey } from "../../events/ids.ts";
import { type Prefix, prefix, prefixFamily } from "../../events/prefix.ts";
import {
  type BestPathBatch,
  NO_PATHS,
  type Path,
  type PathSet,
} from "../../backends/best-paths.ts";
import { foreignRoute, type Host } from "../../backends/kernel/host.ts";
import { createImporter, type Importer } from "../../backends/kernel/importer.ts";
import { createImporters } from "../../backends/kernel/importers.ts";
import { prefixWords } from "../../backends/kernel/imports.ts";
import type { ImportRule } from "../../backends/kernel/intent.ts";
import { createModel, type Model, prefixText } from "../../backends/kernel/model.ts";
import { type Hop, routeView } from "../../backends/kernel/netlink/route.ts";
import { wordsAt } from "../../backends/kernel/fib.ts";
import { isTaken, removeSlot, slotsOf } from "../../backends/native/rib/prefix-table.ts";
import { prefixOctets } from "../../backends/native/wire/nlri.ts";

const ETH0 = 2;
const BLUE = 3;
let model: Model;

const route = (
  host: Host,
  text: string,
  hops: readonly Hop[],
  rest: { table?: number; type?: number } = {},
  present = true,
) => {
  const [length, a, b, c, d] = prefixWords(prefix(text));
  const family = prefixFamily(prefix(text));
  foreignRoute(
    host,
    { ...routeView(), family, table: 254, type: 1, protocol: 4, length, a, b, c, d, hops, ...rest },
    present,
  );
};
const via = (gateway: string | undefined, device = ETH0): Hop => ({
  device,
  gateway: gateway === undefined ? undefined : addressOctets(address(gateway)),
});

beforeEach(() => {
  model = createModel({ nexthopObjects: true, seed: 1, repairs: true, inLedger: () => false });
  const { host } = model;
  host.links.set(ETH0, {
    index: ETH0,
    name: "eth0",
    up: true,
    loopback: false,
    master: 0,
    vrfTable: undefined,
  });
  host.links.set(BLUE, {
    index: BLUE,
    name: "blue",
    up: true,
    loopback: false,
    master: 0,
    vrfTable: 10,
  });
  route(host, "10.0.0.0/24", [via(undefined)]);
  route(host, "2001:db8::/64", [via(undefined)]);
});

const rule = (rest: Partial<ImportRule> = {}): ImportRule => ({
  name: "all",
  vrf: "",
  neighbors: undefined,
  prefixes: [],
  table: undefined,
  metric: 20,
  preferredSource: {},
  maximum: 100,
  acceptDefault: false,
  provenance: [],
  ...rest,
});

function importer(
  rules: readonly ImportRule[],
  options: { vrf?: string; family?: "ipv4" | "ipv6"; guard?: readonly Prefix[] } = {},
): Importer {
  const { host, forwardings, fib, fibsOf, claim } = model;
  const protectedPrefixes = options.guard ?? [];
  const common = { host, forwardings, protectedPrefixes, seed: 1, fib, fibsOf, claim };
  const made = createImporter(options.vrf ?? "", options.family ?? "ipv4", common);
  made.setRules(rules);
  return made;
}

const path = (nextHop: string, device = ""): Path => ({
  neighbor: neighborKey("", nextHop, ""),
  nextHop: nextHop as Address,
  interface: device,
  external: true,
});
const set = (...hops: readonly string[]): PathSet => ({ paths: hops.map((one) => path(one)) });

function batchOf(
  { vrf, family }: Pick<BestPathBatch, "vrf" | "family">,
  prefixes: readonly string[],
  paths: PathSet | null,
): BestPathBatch {
  const nlri = Uint8Array.from(prefixes.flatMap((one) => [...prefixOctets(prefix(one), family)]));
  const chosen = new Uint32Array(prefixes.length).fill(paths === null ? NO_PATHS : 0);
  const sets = paths === null ? [] : [paths];
  return { type: "batch", vrf, family, count: prefixes.length, nlri, chosen, sets };
}
const learn = (to: Importer, prefixes: readonly string[], paths: PathSet | null): void =>
  to.learn(batchOf(to, prefixes, paths));

/** `prefix table metric hops`, sorted. */
const wanted = (): string[] =>
  [...model.fibs.values()]
    .flatMap((fib) =>
      Array.from({ length: slotsOf(fib.wanted) }, (_, slot) => slot)
        .filter((slot) => isTaken(fib.wanted, slot))
        .map((slot) => {
          const hops = model.forwardings.at(fib.wanted.values[slot] ?? 0)?.hops ?? [];
          const text = hops.map(({ gateway }) => gateway?.at(-1)).join();
          return `${prefixText(fib.family, wordsAt(fib.wanted, slot))} ${fib.table} ${fib.metric} ${text}`;
        }),
    )
    .toSorted();
const verdicts = (of: Importer): Record<string, string> =>
  Object.fromEntries(
    of.counts().map(({ verdict, example }) => [prefixText(of.family, example), verdict]),
  );

describe("rules", () => {
  test("the first that takes a prefix decides, by prefix, length and neighbour", () => {
    const some = [{ prefix: prefix("172.16.0.0/12"), atLeast: 24, atMost: 28 }];
    const one = importer([
      rule({ name: "a", prefixes: some, neighbors: [neighborKey("", "10.0.0.1", "")], table: 100 }),
      rule({ name: "b", prefixes: some, metric: 30 }),
    ]);
    learn(one, ["172.16.1.0/24", "172.16.2.0/30", "192.0.2.0/24"], set("10.0.0.1", "10.0.0.2"));
    learn(one, ["172.17.0.0/24"], set("10.0.0.2"));
    expect(wanted()).toEqual(["172.16.1.0/24 100 20 1", "172.17.0.0/24 254 30 2"]);
  });

  test("a changed rule moves what it took", () => {
    const one = importer([rule()]);
    learn(one, ["172.16.1.0/24"], set("10.0.0.1"));
    for (const words of one.setRules([rule({ metric: 50 })])) one.judge(words);
    expect(wanted()).toEqual(["172.16.1.0/24 254 50 1"]);
    for (const words of one.setRules([])) one.judge(words);
    expect(wanted()).toEqual([]);
  });

  test("the default route only where it is wanted, and no more than the maximum", () => {
    const one = importer([rule({ maximum: 2 })]);
    learn(one, ["0.0.0.0/0", "172.16.1.0/24", "172.16.2.0/24", "172.16.3.0/24"], set("10.0.0.1"));
    expect(verdicts(one)).toMatchObject({
      "0.0.0.0/0": "default-route",
      "172.16.3.0/24": "maximum",
    });
    // What is held stays, also when the rules are read anew.
    for (const words of one.setRules([rule({ maximum: 1, acceptDefault: true })])) one.judge(words);
    expect(wanted()).toHaveLength(1);
    expect(wanted()[0]).toMatch(/^172\.16\.[12]\.0/);
    learn(one, ["172.16.1.0/24", "172.16.2.0/24", "172.16.3.0/24"], null);
    learn(one, ["0.0.0.0/0"], set("10.0.0.1"));
    expect(wanted()).toEqual(["0.0.0.0/0 254 20 1"]);
  });

  test("room below the maximum is filled with what it held back, whatever made the room", () => {
    const one = importer([rule({ maximum: 2 })]);
    const all = [1, 2, 3, 4, 5].map((i) => `172.16.${i}.0/24`);
    learn(one, all, set("10.0.0.1"));
    expect(one.held("all")).toBe(3);
    learn(one, ["172.16.1.0/24"], null);
    expect(wanted()).toHaveLength(2);
    expect([one.held("all"), wanted().join().includes("172.16.2.0/24")]).toEqual([2, true]);
    // Through a next hop that nobody has: it is held back for another reason, and makes room.
    learn(one, ["172.16.2.0/24"], set("192.0.2.77"));
    expect(verdicts(one)).toMatchObject({ "172.16.2.0/24": "no-route" });
    expect([wanted().length, one.held("all")]).toEqual([2, 2]);
    learn(one, all.slice(1), null);
    expect([wanted(), one.held("all")]).toEqual([[], 0]);
  });

  test("a VRF's own table by its device; held back where the device is missing", () => {
    route(model.host, "10.0.0.0/24", [via(undefined, BLUE)], { table: 10 });
    const blue = importer([rule({ vrf: "blue" })], { vrf: "blue" });
    const red = importer([rule({ vrf: "red", metric: 21 })], { vrf: "red" });
    learn(blue, ["172.16.1.0/24"], set("10.0.0.1"));
    learn(red, ["172.16.2.0/24"], set("10.0.0.1"));
    expect(wanted()).toEqual(["172.16.1.0/24 10 20 1"]);
    expect(verdicts(red)).toEqual({ "172.16.2.0/24": "vrf-missing" });
    model.host.links.set(9, {
      index: 9,
      name: "red",
      up: true,
      loopback: false,
      master: 0,
      vrfTable: 11,
    });
    route(model.host, "10.0.0.0/24", [via(undefined)], { table: 11 });
    for (const words of red.hostChanged()) red.judge(words);
    expect(wanted()).toContain("172.16.2.0/24 11 21 1");
  });

  test("one table and metric is filled by one VRF", () => {
    const one = importer([rule({ table: 100 })]);
    learn(one, ["172.16.1.0/24"], set("10.0.0.1"));
    const blue = importer([rule({ vrf: "blue", table: 100 })], { vrf: "blue" });
    learn(blue, ["172.16.1.0/24"], set("10.0.0.1"));
    expect(verdicts(blue)).toEqual({ "172.16.1.0/24": "table-shared" });
  });
});

describe("a VRF that is leaked", () => {
  const own = rule({ name: "blue", vrf: "blue" });
  const out = rule({ name: "imports.blue", vrf: "blue", table: { vrf: "" }, metric: 21 });
  const blue = { vrf: "blue", family: "ipv4" } as const;
  const all = () =>
    createImporters({
      host: model.host,
      forwardings: model.forwardings,
      protectedPrefixes: [],
      fib: model.fib,
      fibsOf: model.fibsOf,
      claim: model.claim,
      seed: () => 1,
      kick: () => undefined,
      closing: () => false,
    });
  const some = ["172.16.1.0/24", "0.0.0.0/0"];
  // The next hop is only in the VRF.
  beforeEach(() => route(model.host, "10.50.0.0/24", [via(undefined, BLUE)], { table: 10 }));

  test("fills its own table and that of the other, over its own next hops, without a default route", async () => {
    const importers = all();
    await importers.setRules([own, out]);
    importers.learn(batchOf(blue, some, set("10.50.0.2")));
    expect(wanted()).toEqual(["172.16.1.0/24 10 20 2", "172.16.1.0/24 254 21 2"]);
    importers.learn(batchOf(blue, some, null));
    expect(wanted()).toEqual([]);
  });

  test("later than it learned, and no more afterwards", async () => {
    const importers = all();
    importers.learn(batchOf(blue, some, set("10.50.0.2")));
    await importers.setRules([own]);
    await importers.setRules([own, out]);
    expect(wanted()).toEqual(["172.16.1.0/24 10 20 2", "172.16.1.0/24 254 21 2"]);
    await importers.setRules([own]);
    expect(wanted()).toEqual(["172.16.1.0/24 10 20 2"]);
  });

  test("into a VRF whose device comes later", async () => {
    const importers = all();
    await importers.setRules([{ ...out, table: { vrf: "red" } }]);
    importers.learn(batchOf(blue, some, set("10.50.0.2")));
    expect(wanted()).toEqual([]);
    const red = { index: 9, name: "red", up: true, loopback: false, master: 0, vrfTable: 11 };
    model.host.links.set(9, red);
    await importers.hostChanged([]);
    expect(wanted()).toEqual(["172.16.1.0/24 11 21 2"]);
  });

  test("says that a table was another's, until it is asked again", async () => {
    const importers = all();
    await importers.setRules([out]);
    importers.learn(batchOf(blue, some, set("10.50.0.2")));
    await importers.setRules([rule({ metric: 21 })]);
    importers.learn(batchOf({ vrf: "", family: "ipv4" }, ["172.16.2.0/24"], set("10.0.0.1")));
    expect([importers.contested(), wanted()]).toEqual([true, []]);
    // The pump has sent what was to be sent.
    for (const { dirty } of model.fibs.values()) {
      for (let slot = 0; slot < slotsOf(dirty); slot += 1) {
        if (isTaken(dirty, slot)) removeSlot(dirty, slot);
      }
    }
    await importers.hostChanged([]);
    expect([importers.contested(), wanted()]).toEqual([false, ["172.16.2.0/24 254 21 1"]]);
  });
});

describe("guards", () => {
  test.for([
    ["10.0.0.0/24", "connected"],
    ["192.0.2.0/24", "protected"],
    ["192.0.2.0/28", "protected"],
    ["192.0.2.7/32", "protected"],
    ["192.0.0.0/16", "taken"],
    ["192.0.2.128/25", "taken"],
    ["10.0.0.0/23", "taken"],
  ])("%s is %s", ([text, verdict]) => {
    route(model.host, "192.0.2.0/24", [via("10.0.0.9")], {});
    const one = importer([rule({ metric: 0 })], { guard: [prefix("192.0.2.7/32")] });
    learn(one, [text ?? ""], set("10.0.0.1"));
    expect(verdicts(one)).toEqual({ [text ?? ""]: verdict });
  });
});

describe("next hops", () => {
  const held = (nextHop: string): string | undefined => {
    const one = importer([rule()]);
    learn(one, ["172.16.1.0/24"], set(nextHop));
    return one.counts()[0]?.verdict;
  };

  test("over a static route to what is on the link; no route, an own address, a rejected one, a loop", () => {
    const { host } = model;
    route(host, "203.0.113.0/24", [via("10.0.0.9")]);
    route(host, "198.51.100.0/24", [], { type: 7 });
    route(host, "100.64.0.0/24", [via("100.64.0.1")]);
    host.addresses.set({
      address: address("10.0.0.5"),
      length: 24,
      device: ETH0,
      protocol: 0,
      duplicate: false,
      tentative: false,
    });
    expect(held("203.0.113.77")).toBe("taken");
    expect(wanted()).toEqual(["172.16.1.0/24 254 20 9"]);
    expect(held("192.0.2.1")).toBe("no-route");
    expect(held("10.0.0.5")).toBe("own-address");
    expect(held("198.51.100.1")).toBe("rejected");
    expect(held("100.64.0.7")).toBe("too-deep");
  });

  test("IPv4 over IPv6, and never the other way round", () => {
    expect(held("2001:db8::7")).toBe("taken");
    const six = importer([rule()], { family: "ipv6" });
    learn(six, ["2001:db8:1::/48"], set("10.0.0.1"));
    expect(verdicts(six)).toEqual({ "2001:db8:1::/48": "wrong-family" });
  });

  test("of several the reachable ones; all are judged anew when the host changes, and only then", () => {
    const one = importer([rule()]);
    learn(one, ["172.16.1.0/24"], set("10.0.0.1", "10.9.0.1"));
    expect(wanted()).toEqual(["172.16.1.0/24 254 20 1"]);
    expect(one.hostChanged()).toEqual([]);
    route(model.host, "10.9.0.0/24", [via(undefined)]);
    for (const words of one.hostChanged()) one.judge(words);
    expect(wanted()).toEqual(["172.16.1.0/24 254 20 1,1"]);
    model.host.links.set(ETH0, {
      index: ETH0,
      name: "eth0",
      up: false,
      loopback: false,
      master: 0,
      vrfTable: undefined,
    });
    for (const words of one.hostChanged()) one.judge(words);
    expect(wanted()).toEqual([]);
    expect(verdicts(one)).toEqual({ "172.16.1.0/24": "device-down" });
  });
});

test("what is forgotten is wanted no longer, and what is learned afterwards is", () => {
  const one = importer([rule({ maximum: 2 })]);
  const many = Array.from({ length: 40 }, (_, i) => `172.20.${i}.0/24`);
  learn(one, [...many, "172.16.1.0/24"], set("10.0.0.1"));
  expect(wanted()).toHaveLength(2);
  for (const words of one.forget()) one.judge(words);
  expect(wanted()).toEqual([]);
  expect(one.size).toBe(0);
  expect(one.counts()).toEqual([]);
  model.forwardings.sweep();
  expect(model.forwardings.usesDevice(ETH0)).toBe(false);
  learn(one, ["172.16.1.0/24"], set("10.0.0.2"));
  expect(wanted()).toEqual(["172.16.1.0/24 254 20 2"]);
});
