/**
 * Addresses and prefixes as canonical text: RFC 4291 §2.2 in, RFC 5952 §4 out.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addressFromBigInt,
  addressFromOctets,
  addressOctets,
  addressToBigInt,
  compareAddresses,
  familyOf,
  parseAddress,
} from "../../events/address.ts";
import {
  comparePrefixes,
  parsePrefix,
  prefix,
  prefixContains,
  prefixOf,
} from "../../events/prefix.ts";

describe("an address in canonical form", () => {
  test.for([
    ["2001:DB8::0001", "2001:db8::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["0:0:0:1:0:0:0:0", "0:0:0:1::"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["::ffff:192.0.2.1", "::ffff:c000:201"],
    ["::", "::"],
    ["192.0.2.1", "192.0.2.1"],
  ])("%s is %s (RFC 5952 §4)", ([text, canonical]) => {
    expect(parseAddress(text ?? "")).toBe(canonical);
  });

  test.for([
    "",
    "1.2.3",
    "1.2.3.4.",
    "01.2.3.4",
    "256.1.1.1",
    ":::",
    "1:::2",
    "fe80::1%eth0",
    "1::2::3",
    "12345::",
  ])("%j is none", (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  test("survives its octets and its number, whatever they are", () => {
    const octets = fc
      .constantFrom(4, 16)
      .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));
    fc.assert(
      fc.property(octets, (bytes) => {
        const text = addressFromOctets(bytes);
        expect(addressOctets(text)).toEqual(bytes);
        expect(parseAddress(text)).toBe(text);
        expect(addressFromBigInt(addressToBigInt(text), familyOf(text))).toBe(text);
      }),
    );
  });

  test("sorts by value and not as text", () => {
    const sorted = ["10.0.0.10", "10.0.0.9", "2001:db8::1", "9.255.255.255"]
      .map((text) => parseAddress(text)!)
      .toSorted(compareAddresses);
    expect(sorted).toEqual(["9.255.255.255", "10.0.0.9", "10.0.0.10", "2001:db8::1"]);
  });
});

describe("a prefix", () => {
  test("is masked, and says so", () => {
    expect(parsePrefix("172.16.1.10/24")).toEqual({ prefix: "172.16.1.0/24", hadHostBits: true });
    expect(parsePrefix("2001:db8:8000::/33")).toEqual({
      prefix: "2001:db8:8000::/33",
      hadHostBits: false,
    });
  });

  test.for(["10.0.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "::/129", "/8"])(
    "%s is none",
    (text) => {
      expect(parsePrefix(text)).toBeUndefined();
    },
  );

  test("contains what lies inside it, of its own family", () => {
    expect(prefixContains(prefix("10.0.0.0/8"), prefix("10.9.0.0/16"))).toBe(true);
    expect(prefixContains(prefix("10.9.0.0/16"), prefix("10.0.0.0/8"))).toBe(false);
    expect(prefixContains(prefix("0.0.0.0/0"), prefix("::/0"))).toBe(false);
    expect(prefixContains(prefix("10.0.0.0/9"), prefix("10.128.0.0/9"))).toBe(false);
  });

  test("of an address and a length holds that address", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(128), (bytes, length) => {
        const address = addressFromOctets(bytes);
        const outer = prefixOf(address, length);
        expect(prefixContains(outer, prefixOf(address, 128))).toBe(true);
        expect(parsePrefix(outer)).toEqual({ prefix: outer, hadHostBits: false });
      }),
    );
  });

  test("sorts as a routing table does", () => {
    const sorted = ["10.0.0.0/16", "10.0.0.0/8", "::/0", "9.0.0.0/8"].map(prefix);
    expect(sorted.toSorted(comparePrefixes)).toEqual([
      "9.0.0.0/8",
      "10.0.0.0/8",
      "10.0.0.0/16",
      "::/0",
    ]);
  });
});
