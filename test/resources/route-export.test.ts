/**
 * rutter/v1 RouteExport, as it is read.
 */
import { describe, expect, test } from "vitest";
import { manifest, refusals, specOf, type Written } from "./parsing.ts";

const routeExport = (spec: Written) => manifest("rutter/v1", "RouteExport", spec);
const specFrom = (from: Written, rest: Written = {}) =>
  specOf("rutter/RouteExport", routeExport({ from, ...rest }));
const refused = (from: Written, rest: Written = {}) => refusals(routeExport({ from, ...rest }));

test("says what is exported and leaves the rest open", () => {
  expect(specFrom({ type: "connected" })).toEqual({
    nodeSelectors: [],
    vrf: "",
    peers: [],
    from: { type: "connected", interfaces: [] },
    prefixes: [],
    communities: [],
    maximum: 10_000,
    exportDefault: false,
  });
});

describe("protocols", () => {
  test("are names as ip route prints them, or numbers; kept as numbers, each once", () => {
    const { from } = specFrom({ type: "kernel-routes", protocols: ["static", 4, "99", "bird"] });
    expect(from).toEqual({ type: "kernel-routes", protocols: [4, 12, 99], interfaces: [] });
  });
  test("what nobody has is refused, and so are our own learned routes", () => {
    const protocols = ["stattic", "toString", 82, "82", 256, 0];
    expect(refused({ type: "kernel-routes", protocols: protocols.slice(0, 4) })).toEqual([
      "spec.from.protocols[0] bad-value",
      "spec.from.protocols[1] bad-value",
      "spec.from.protocols[2] not-allowed",
      "spec.from.protocols[3] not-allowed",
    ]);
    for (const one of protocols.slice(4)) {
      expect(refused({ type: "kernel-routes", protocols: [one] })).not.toEqual([]);
    }
  });
});

test("tables of the kernel itself, odd devices and no device for addresses are refused", () => {
  expect(refused({ type: "kernel-routes", table: 255 })).toEqual(["spec.from.table not-allowed"]);
  expect(refused({ type: "connected", interfaces: ["eth0", "a/b"] })).toEqual([
    "spec.from.interfaces[1] bad-value",
  ]);
  expect(refused({ type: "addresses", interfaces: [] })).toHaveLength(1);
  expect(refused({ type: "addresses" })).toHaveLength(1);
  expect(refused({ type: "addresses", interfaces: ["lo"], table: 5 })).toHaveLength(1);
  expect(refusals(routeExport({}))).toHaveLength(1);
  expect(refused({ type: "connected" }, { communities: ["1:2", "1:2"] })).toEqual([
    "spec.communities[1] duplicate",
  ]);
});

test("peers are names or addresses in canonical text, a filter has bounds as elsewhere", () => {
  const { peers, prefixes } = specFrom(
    { type: "connected" },
    { peers: ["tor1", "FD00:0::1", "tor1"], prefixes: [{ prefix: "10.0.0.0/8", le: 24 }] },
  );
  expect(peers).toEqual(["fd00::1", "tor1"]);
  expect(prefixes).toEqual([{ prefix: "10.0.0.0/8", ge: 8, le: 24 }]);
});
