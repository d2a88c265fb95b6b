/**
 * Virtual IPs as local routes: where each belongs, what counts as bound, and what of the host they are no part of.
 * Method: a model filled by hand, or by octets that are written by one half of the codec and read by the other.
 */
import { beforeEach, expect, test } from "vitest";
import { createExporter } from "../../backends/kernel/exporter.ts";
import type { ExportedFact } from "../../backends/kernel/facts.ts";
import { isOwnAddress, networksOf } from "../../backends/kernel/host.ts";
import type { OwnAddress } from "../../backends/kernel/intent.ts";
import { createModel, knownAddresses, type Model } from "../../backends/kernel/model.ts";
import { messagesOf } from "../../backends/kernel/netlink/codec.ts";
import { PROTOCOL } from "../../backends/kernel/netlink/numbers.ts";
import {
  enter as enterItem,
  isThere,
  notUsable,
  type OwnItem,
  orderOf,
  placeAddress,
  presentItems,
} from "../../backends/kernel/own.ts";
import { enter } from "../../backends/kernel/reading.ts";
import { address } from "../../events/address.ts";
import type { ResourceKey } from "../../events/ids.ts";

const [LO, ETH0, RED, PORT] = [1, 2, 3, 4];
const A = address("192.0.2.1");
let model: Model;

const link = (index: number, name: string, rest: object = {}): void => {
  const fresh = { index, name, up: true, loopback: index === LO, master: 0, vrfTable: undefined };
  model.host.links.set(index, { ...fresh, ...rest });
};
const bind = (text: string, length: number, device: number, protocol = 0): void =>
  model.host.addresses.set({
    address: address(text),
    length,
    device,
    protocol,
    duplicate: false,
    tentative: false,
  });
const wanted = (device = "lo", as: OwnAddress["as"] = "route"): OwnAddress => ({
  address: A,
  device,
  as,
  announcedAs: [],
  provenance: [],
});
const itemOf = (own: OwnAddress): OwnItem => {
  const placed = placeAddress(model, own);
  if (placed.type !== "item") throw new Error(placed.type);
  return placed.item;
};
/** As another's doing, for what we do ourselves is not told. */
const told = (item: OwnItem, order: "add" | "remove") => {
  const [message] = messagesOf(orderOf(item, order));
  if (message === undefined) throw new Error("no message");
  return enter(model, message, 7);
};

beforeEach(() => {
  model = createModel({ nexthopObjects: true, seed: 1, repairs: true, inLedger: () => false });
  link(LO, "lo");
  link(ETH0, "eth0");
  link(RED, "red", { vrfTable: 100 });
  link(PORT, "port", { master: RED });
});

test.for([
  ["lo", "local 192.0.2.1/32 dev lo table 255"],
  ["eth0", "local 192.0.2.1/32 dev eth0 table 255"],
  ["red", "local 192.0.2.1/32 dev red table 100"],
  ["port", "local 192.0.2.1/32 dev port table 100"],
] as const)("to %s it is %s", ([device, text]) => {
  expect(itemOf(wanted(device)).text).toBe(text);
});

test("what was written is read as ours and counts as bound; taken by another it does not, and is drift", () => {
  const item = itemOf(wanted());
  expect(notUsable(model, wanted())).toBe("192.0.2.1 is not bound");
  expect(told(item, "add")).toEqual({ type: "drift", what: "own-route", entry: item.text });
  expect(told(item, "add")).toEqual({ type: "nothing" });
  expect(isThere(model, item)).toBe(true);
  expect([...presentItems(model)].map(({ text }) => text)).toEqual([item.text]);
  expect(notUsable(model, wanted())).toBeUndefined();
  // In a VRF it is another address.
  expect(notUsable(model, wanted("red"))).toBe("192.0.2.1 is not bound");
  expect(told(item, "remove")).toEqual({ type: "drift", what: "own-route", entry: item.text });
  expect(isThere(model, item)).toBe(false);
  expect([...presentItems(model)]).toEqual([]);
});

test("one that goes to another device takes the place of the one before, whose removal takes nothing", () => {
  const before = itemOf(wanted("lo"));
  enterItem(model, before, true);
  expect(before).toMatchObject({ over: false });
  const after = itemOf(wanted("eth0"));
  expect(after).toMatchObject({ over: true });
  enterItem(model, after, true);
  enterItem(model, before, false);
  expect(isThere(model, after)).toBe(true);
  expect(isThere(model, before)).toBe(false);
});

test("an order that failed leaves what was known before", () => {
  const item = itemOf(wanted());
  const undo = enterItem(model, item, true);
  undo();
  expect(isThere(model, item)).toBe(false);
  enterItem(model, item, true);
  enterItem(model, item, false)();
  expect(isThere(model, item)).toBe(true);
});

test("both forms are there together, each for itself", () => {
  enterItem(model, itemOf(wanted()), true);
  enterItem(model, itemOf(wanted("lo", "address")), true);
  expect([...presentItems(model)].map(({ text }) => text)).toEqual([
    "address 192.0.2.1/32 dev lo",
    "local 192.0.2.1/32 dev lo table 255",
  ]);
  enterItem(model, itemOf(wanted("lo", "address")), false);
  expect(notUsable(model, wanted())).toBeUndefined();
});

test("where another program has it bound there is none, unless ours was there before", () => {
  bind("192.0.2.1", 32, ETH0);
  expect(placeAddress(model, wanted())).toEqual({ type: "others" });
  model.host.locals.set({ address: A, device: LO, table: 255 });
  expect(placeAddress(model, wanted())).toMatchObject({ type: "item" });
});

test("it is an address of this host to a next hop, no network of it, and nothing to a RouteExport", () => {
  const facts: ExportedFact[] = [];
  const exporter = createExporter(model, (fact) => void facts.push(fact));
  model.beforeDump();
  told(itemOf(wanted()), "add");
  bind("10.0.0.5", 24, ETH0);
  bind("192.0.2.2", 32, ETH0, PROTOCOL);
  bind("10.1.0.5", 24, LO);
  model.afterDump(true);
  const rest = { vrf: "", prefixes: [], maximum: 10, exportDefault: false, provenance: [] };
  const take = (name: string, from: object) =>
    exporter.setRules([{ ...rest, rule: name as ResourceKey, from: from as never }]);
  take("a", { type: "addresses", interfaces: [] });
  take("l", { type: "kernel-routes", table: 255, protocols: [PROTOCOL], interfaces: [] });
  expect(facts.filter(({ added }) => added.length > 0)).toMatchObject([
    { rule: "a", added: ["10.0.0.5/32", "10.1.0.5/32"] },
  ]);
  expect(isOwnAddress(model.host, A)).toBe(true);
  expect(networksOf(model.host)).toEqual(["10.0.0.0/24"]);
});

test("a speaker is told which addresses of the host are ours, of devices that are up", () => {
  bind("10.0.0.5", 24, ETH0);
  bind("192.0.2.2", 32, LO, PROTOCOL);
  bind("10.8.0.5", 24, PORT);
  link(PORT, "port", { up: false });
  expect(knownAddresses(model)()).toEqual([
    { address: "10.0.0.5", device: "eth0", loopback: false, virtual: false },
    { address: "192.0.2.2", device: "lo", loopback: true, virtual: true },
  ]);
});

test("the addresses are the same list until one of them, or a link, is another", () => {
  bind("10.0.0.5", 24, ETH0);
  const addresses = knownAddresses(model);
  const texts = (): readonly string[] => addresses().map((one) => one.address);
  const first = addresses();
  expect(addresses()).toBe(first);
  bind("10.0.0.6", 24, ETH0);
  expect(texts()).toEqual(["10.0.0.5", "10.0.0.6"]);
  model.host.addresses.delete(address("10.0.0.5"), ETH0);
  expect(texts()).toEqual(["10.0.0.6"]);
  link(ETH0, "eth0", { up: false });
  expect(texts()).toEqual([]);
  link(ETH0, "eth0");
  expect(texts()).toEqual(["10.0.0.6"]);
  model.host.addresses.clear();
  expect(texts()).toEqual([]);
});
