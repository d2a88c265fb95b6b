/**
 * BFDProfile, IPAddressPool, BGPAdvertisement, Community and L2Advertisement of metallb.io.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addressFromBigInt, addressToBigInt } from "../../events/address.ts";
import { prefixAddress, prefixLength } from "../../events/prefix.ts";
import { summarise } from "../../events/resources/ranges.ts";
import { manifest, refusals, specOf, warnings, type Written } from "./parsing.ts";

const of = (kind: string) => (spec: unknown) => manifest("metallb.io/v1beta1", kind, spec);

describe("BFDProfile", () => {
  const profile = of("BFDProfile");

  test("has upstream's defaults, in milliseconds", () => {
    expect(specOf("metallb.io/BFDProfile", profile({}))).toEqual({
      receiveIntervalMillis: 300,
      transmitIntervalMillis: 300,
      detectMultiplier: 3,
      echoMode: false,
      echoIntervalMillis: 50,
      passiveMode: false,
      minimumTtl: 254,
    });
    expect(
      refusals({ apiVersion: "metallb.io/v1beta1", kind: "BFDProfile", metadata: { name: "p" } }),
    ).toEqual([]);
  });

  test.for<[string, number, number]>([
    ["receiveInterval", 10, 60000],
    ["transmitInterval", 10, 60000],
    ["echoInterval", 10, 60000],
    ["detectMultiplier", 2, 255],
    ["minimumTtl", 1, 254],
  ])("%s reaches from %i to %i", ([field, min, max]) => {
    expect(refusals(profile({ [field]: min }))).toEqual([]);
    expect(refusals(profile({ [field]: max }))).toEqual([]);
    expect(refusals(profile({ [field]: min - 1 }))).toEqual([`spec.${field} out-of-range`]);
    expect(refusals(profile({ [field]: max + 1 }))).toEqual([`spec.${field} out-of-range`]);
  });
});

const pool = (addresses: unknown, more: Written = {}) =>
  of("IPAddressPool")({ addresses, ...more });

const prefixes = (...addresses: readonly string[]) =>
  specOf("metallb.io/IPAddressPool", pool(addresses)).addresses.map((entry) => entry.prefixes);

describe("IPAddressPool", () => {
  test("assigns by itself and pins to nothing unless told", () => {
    expect(specOf("metallb.io/IPAddressPool", pool(["10.0.0.0/24"]))).toEqual({
      addresses: [{ text: "10.0.0.0/24", prefixes: ["10.0.0.0/24"] }],
      autoAssign: true,
      avoidBuggyIPs: false,
      pinning: { type: "none" },
    });
  });

  test("summarises a range into the fewest prefixes", () => {
    expect(prefixes("172.16.200.1-172.16.200.6")).toEqual([
      ["172.16.200.1/32", "172.16.200.2/31", "172.16.200.4/31", "172.16.200.6/32"],
    ]);
    expect(prefixes("10.0.0.0 - 10.0.0.255", "2001:db8::-2001:db8::ffff")).toEqual([
      ["10.0.0.0/24"],
      ["2001:db8::/112"],
    ]);
    expect(prefixes("10.0.0.7-10.0.0.7")).toEqual([["10.0.0.7/32"]]);
  });

  test("a range reaches to the end of its family", () => {
    expect(prefixes("255.255.255.254-255.255.255.255")).toEqual([["255.255.255.254/31"]]);
  });

  test("what a range is summarised to holds exactly its addresses, in order, and no two prefixes join", () => {
    const bounds = fc.tuple(fc.bigInt(0n, 0xffff_ffffn), fc.bigInt(0n, 5000n));
    fc.assert(
      fc.property(bounds, ([start, length]) => {
        const end = start + length > 0xffff_ffffn ? 0xffff_ffffn : start + length;
        const list = summarise(addressFromBigInt(start, "ipv4"), addressFromBigInt(end, "ipv4"));
        let at = start;
        for (const prefix of list) {
          expect(addressToBigInt(prefixAddress(prefix))).toBe(at);
          at += 1n << BigInt(32 - prefixLength(prefix));
        }
        expect(at).toBe(end + 1n);
        expect(list.length).toBeLessThanOrEqual(64);
      }),
    );
  });

  test.for<[string, unknown, string]>([
    ["no addresses", [], "spec.addresses required"],
    ["a bare address", ["10.0.0.1"], "spec.addresses[0] bad-value"],
    ["a range that runs backwards", ["10.0.0.9-10.0.0.1"], "spec.addresses[0] out-of-range"],
    ["a range over two families", ["10.0.0.1-2001:db8::1"], "spec.addresses[0] family-mismatch"],
    ["three ends", ["10.0.0.1-10.0.0.2-10.0.0.3"], "spec.addresses[0] bad-value"],
    ["every IPv4 address", ["0.0.0.0/0"], "spec.addresses[0] out-of-range"],
    [
      "every IPv4 address as a range",
      ["0.0.0.0-255.255.255.255"],
      "spec.addresses[0] out-of-range",
    ],
    ["every IPv6 address", ["::/0"], "spec.addresses[0] out-of-range"],
    ["a mask of 33", ["10.0.0.0/33"], "spec.addresses[0] bad-value"],
    ["text that is none", ["any"], "spec.addresses[0] bad-value"],
    ["the same entry twice", ["10.0.0.0/24", "10.0.0.0/24"], "spec.addresses[1] overlap"],
    [
      "an entry within another",
      ["10.0.0.0/8", "11.0.0.0/24", "10.1.0.5-10.1.0.9"],
      "spec.addresses[2] overlap",
    ],
    [
      "two ranges that share one address",
      ["10.0.0.1-10.0.0.5", "10.0.0.5-10.0.0.9"],
      "spec.addresses[1] overlap",
    ],
    ["text in place of the list", "10.0.0.0/24", "spec.addresses wrong-type"],
  ])("refuses %s", ([, addresses, complaint]) => {
    expect(refusals(pool(addresses))).toEqual([complaint]);
  });

  test("entries that only touch do not overlap", () => {
    expect(refusals(pool(["10.0.0.0/25", "10.0.0.128/25", "::a00:0/104"]))).toEqual([]);
  });

  test("host bits are masked, and said", () => {
    expect(prefixes("10.0.0.9/24")).toEqual([["10.0.0.0/24"]]);
    expect(warnings(pool(["10.0.0.9/24"]))).toEqual(["spec.addresses[0] host-bits"]);
  });

  test("an empty serviceAllocation pins to everything, which is not the same as none", () => {
    expect(
      specOf("metallb.io/IPAddressPool", pool(["10.0.0.0/24"], { serviceAllocation: {} })).pinning,
    ).toEqual({
      type: "pinned",
      priority: 0,
      namespaces: [],
      namespaceSelectors: [],
      serviceSelectors: [],
    });
  });

  test.for<[Written, string]>([
    [{ namespaces: ["a", "a"] }, "spec.serviceAllocation.namespaces[1] duplicate"],
    [{ namespaceSelectors: [{}, {}] }, "spec.serviceAllocation.namespaceSelectors[1] duplicate"],
    [{ priority: 1.5 }, "spec.serviceAllocation.priority wrong-type"],
  ])("serviceAllocation %j is refused", ([serviceAllocation, complaint]) => {
    expect(refusals(pool(["10.0.0.0/24"], { serviceAllocation }))).toEqual([complaint]);
  });
});

describe("BGPAdvertisement", () => {
  const advertisement = of("BGPAdvertisement");
  const spec = (given: Written) => specOf("metallb.io/BGPAdvertisement", advertisement(given));

  test("announces single addresses of all pools to all peers from all nodes unless told", () => {
    expect(spec({})).toEqual({
      aggregationLength: 32,
      aggregationLengthV6: 128,
      communities: [],
      ipAddressPools: [],
      ipAddressPoolSelectors: [],
      nodeSelectors: [],
      peers: [],
      serviceSelectors: [],
    });
  });

  test("localPref 0 is not said", () => {
    expect(spec({ localPref: 0 })).not.toHaveProperty("localPref");
    expect(spec({ localPref: 4294967295 }).localPref).toBe(4294967295);
  });

  test("communities are numbers where they can be, and names where they cannot", () => {
    const communities = [
      "65535:65282",
      "large:1:2:4294967295",
      "no-export",
      "12345",
      "1:2:3",
      "65536:1",
    ];
    expect(spec({ communities }).communities).toEqual([
      { type: "standard", value: 0xffffff02 },
      { type: "large", value: "1:2:4294967295" },
      { type: "name", name: "no-export" },
      { type: "name", name: "12345" },
      { type: "name", name: "1:2:3" },
      { type: "name", name: "65536:1" },
    ]);
  });

  test.for<[string, Written, string]>([
    ["aggregationLength 0", { aggregationLength: 0 }, "spec.aggregationLength out-of-range"],
    ["aggregationLength 33", { aggregationLength: 33 }, "spec.aggregationLength out-of-range"],
    [
      "aggregationLengthV6 129",
      { aggregationLengthV6: 129 },
      "spec.aggregationLengthV6 out-of-range",
    ],
    ["aggregationLengthV6 0", { aggregationLengthV6: 0 }, "spec.aggregationLengthV6 out-of-range"],
    ["localPref above four octets", { localPref: 4294967296 }, "spec.localPref out-of-range"],
    [
      "a community twice, in two spellings",
      { communities: ["1:2", "01:2"] },
      "spec.communities[1] duplicate",
    ],
    [
      "64 communities",
      { communities: Array.from({ length: 64 }, (_, i) => `1:${i}`) },
      "spec.communities too-many",
    ],
    ["a pool twice", { ipAddressPools: ["a", "a"] }, "spec.ipAddressPools[1] duplicate"],
    [
      "a pool selector twice",
      { ipAddressPoolSelectors: [{}, {}] },
      "spec.ipAddressPoolSelectors[1] duplicate",
    ],
    ["a node selector twice", { nodeSelectors: [{}, {}] }, "spec.nodeSelectors[1] duplicate"],
    ["a peer twice", { peers: ["a", "a"] }, "spec.peers[1] duplicate"],
    [
      "service selectors with an IPv4 aggregate",
      { serviceSelectors: [{}], aggregationLength: 24 },
      "spec.serviceSelectors exclusive-fields",
    ],
    [
      "service selectors with an IPv6 aggregate",
      { serviceSelectors: [{}], aggregationLengthV6: 64 },
      "spec.serviceSelectors exclusive-fields",
    ],
    ["an unknown field", { med: 5 }, "spec.med unknown-field"],
  ])("refuses %s", ([, given, complaint]) => {
    expect(refusals(advertisement(given))).toEqual([complaint]);
  });

  test("service selectors go with the default lengths, also where they are written out", () => {
    expect(
      refusals(
        advertisement({ serviceSelectors: [{}], aggregationLength: 32, aggregationLengthV6: 128 }),
      ),
    ).toEqual([]);
  });
});

const community = (...communities: readonly Written[]) => of("Community")({ communities });

describe("Community", () => {
  test("gives names to values of both sorts", () => {
    expect(
      specOf(
        "metallb.io/Community",
        community({ name: "a", value: "1:2" }, { name: "b", value: "large:1:2:3" }),
      ),
    ).toEqual({
      communities: [
        { name: "a", value: { type: "standard", value: 65538 } },
        { name: "b", value: { type: "large", value: "1:2:3" } },
      ],
    });
  });

  test.for<[Written[], string]>([
    [
      [
        { name: "a", value: "1:2" },
        { name: "a", value: "1:3" },
      ],
      "spec.communities[1] duplicate",
    ],
    [[{ name: "a", value: "65536:1" }], "spec.communities[0].value bad-value"],
    [[{ name: "a", value: "large:1:2" }], "spec.communities[0].value bad-value"],
    [[{ name: "", value: "1:2" }], "spec.communities[0].name out-of-range"],
    [[{ name: "a" }], "spec.communities[0].value required"],
  ])("%j is refused", ([list, complaint]) => {
    expect(refusals(community(...list))).toEqual([complaint]);
  });
});

describe("L2Advertisement", () => {
  const advertisement = of("L2Advertisement");
  const preferred = (weight: number) =>
    advertisement({ preferredNodeSelectors: [{ weight, preference: {} }] });

  test("is read whole", () => {
    expect(
      specOf(
        "metallb.io/L2Advertisement",
        advertisement({ interfaces: ["eth0"], ipAddressPools: ["a"] }),
      ),
    ).toMatchObject({
      interfaces: ["eth0"],
      ipAddressPools: ["a"],
    });
  });

  test("weights reach from 1 to 100", () => {
    expect(refusals(preferred(1))).toEqual([]);
    expect(refusals(preferred(100))).toEqual([]);
    expect(refusals(preferred(0))).toEqual(["spec.preferredNodeSelectors[0].weight out-of-range"]);
    expect(refusals(preferred(101))).toEqual([
      "spec.preferredNodeSelectors[0].weight out-of-range",
    ]);
  });
});
