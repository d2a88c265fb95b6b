/**
 * UPDATE as we send it (RFC 4271 §4.3, RFC 4760, RFC 8950, RFC 4724 §2).
 * Method: write, then read with our own parser into an Adj-RIB-In.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { address, addressFromOctets } from "../../events/address.ts";
import { asn } from "../../events/ids.ts";
import { type Prefix, prefix, prefixOf } from "../../events/prefix.ts";
import { applyUpdate, attributesOf, routesIn } from "../../backends/native/rib/adj-rib-in.ts";
import { attributesKey } from "../../backends/native/wire/encode-attributes.ts";
import {
  announcer,
  encodeAll,
  encodeEndOfRib,
  type MessageWriter,
  withdrawer,
} from "../../backends/native/wire/encode-updates.ts";
import type { OutAttributes, SessionOptions, Update } from "../../backends/native/wire/message.ts";
import {
  decodeAttributes,
  type RouteAttributes,
} from "../../backends/native/wire/route-attributes.ts";
import { parseUpdate } from "../../backends/native/wire/update.ts";
import { external, framed, internal } from "./session-options.ts";
import { ribOf } from "../rib/ribs.ts";

const plain: OutAttributes = {
  origin: "igp",
  asPath: [asn(65_001)],
  nextHop: address("192.0.2.1"),
  communities: [],
  largeCommunities: [],
};
const plain6: OutAttributes = { ...plain, nextHop: address("2001:db8::1") };

function writerFor(
  family: "ipv4" | "ipv6",
  attributes: OutAttributes,
  session = external,
): MessageWriter {
  const writer = announcer(family, attributes, session);
  if (typeof writer === "string") throw new Error(writer);
  return writer;
}

function readBack(bytes: Uint8Array, session: SessionOptions): Update {
  expect(framed(bytes)).toMatchObject({ type: "message", kind: 2, end: bytes.length });
  const read = parseUpdate(bytes, 19, bytes.length, session);
  if (!read.ok) throw new Error(`reset ${read.error.code}/${read.error.subcode}`);
  expect(read.value.faults).toEqual([]);
  return read.value;
}

function told(messages: readonly Uint8Array[], session = external): Map<Prefix, RouteAttributes> {
  const rib = ribOf();
  for (const bytes of messages) applyUpdate(rib, readBack(bytes, session));
  return new Map(
    [...routesIn(rib)].map((r) => [r.prefix, decodeAttributes(attributesOf(rib, r.attributes))]),
  );
}

const hosts = (count: number): Prefix[] =>
  Array.from({ length: count }, (_, i) => prefix(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32`));

describe("packing", () => {
  test("holds as many prefixes as fit in 4096 octets (RFC 4271 §4)", () => {
    const messages = encodeAll(writerFor("ipv4", plain), hosts(2000));
    expect(messages).toHaveLength(3);
    for (const message of messages.slice(0, -1)) expect(message.length).toBeGreaterThan(4096 - 5);
    for (const message of messages) expect(message.length).toBeLessThanOrEqual(4096);
    expect(told(messages).size).toBe(2000);
  });
  test("so do withdrawals, which name nothing else", () => {
    const messages = encodeAll(withdrawer("ipv4"), hosts(1000));
    expect(messages).toHaveLength(2);
    const updates = messages.map((bytes) => readBack(bytes, external));
    expect(updates.every(({ announced }) => announced.length === 0)).toBe(true);
  });
});

describe("every attribute arrives", () => {
  const full: OutAttributes = {
    origin: "incomplete",
    asPath: [asn(65_001), asn(4_200_000_000)],
    nextHop: address("192.0.2.1"),
    med: 4_294_967_295,
    localPref: 200,
    communities: [65_001 * 65_536 + 1, 0xffff_ff01],
    largeCommunities: ["4294967295:1:2", "65001:0:7"],
  };
  test("to an internal peer over IPv4", () => {
    const route = told(encodeAll(writerFor("ipv4", full, internal), hosts(1)), internal).get(
      prefix("10.0.0.0/32"),
    );
    expect(route).toMatchObject({
      origin: "incomplete",
      asPathText: "65001 4200000000",
      nextHop: "192.0.2.1",
      med: 4_294_967_295,
      localPref: 200,
      communities: ["65001:1", "65535:65281"],
      largeCommunities: ["4294967295:1:2", "65001:0:7"],
    });
  });
  test("IPv6 with global and link-local next hop, MP_REACH_NLRI first (RFC 2545 §3, RFC 7606 §5.1)", () => {
    const attributes = { ...plain6, linkLocal: address("fe80::1") };
    const messages = encodeAll(writerFor("ipv6", attributes), [prefix("2001:db8:1::/48")]);
    expect(messages[0]?.[24]).toBe(14);
    expect(told(messages).get(prefix("2001:db8:1::/48"))).toMatchObject({
      nextHop: "2001:db8::1",
      linkLocal: "fe80::1",
    });
  });
  test("an empty AS_PATH is no segment (RFC 4271 §5.1.2)", () => {
    const messages = encodeAll(writerFor("ipv4", { ...plain, asPath: [] }, internal), hosts(1));
    expect(told(messages, internal).get(prefix("10.0.0.0/32"))?.asPath).toEqual([]);
  });
});

describe("IPv4 with an IPv6 next hop (RFC 8950)", () => {
  test("goes where it was agreed", () => {
    const session = { ...external, extendedNextHop: true };
    const messages = encodeAll(writerFor("ipv4", plain6, session), hosts(3));
    expect(told(messages, session).get(prefix("10.0.0.2/32"))?.nextHop).toBe("2001:db8::1");
  });
  test("and is refused, not bent, where it was not", () => {
    expect(announcer("ipv4", plain6, external)).toBe("no-next-hop-of-the-family");
    expect(announcer("ipv6", plain, external)).toBe("no-next-hop-of-the-family");
    expect(announcer("ipv6", plain6, { ...external, families: ["ipv4"] })).toBe(
      "family-not-agreed",
    );
  });
});

test("attributes that leave no room for a prefix are refused as a value", () => {
  const communities = Array.from({ length: 1020 }, (_, i) => i);
  expect(announcer("ipv4", { ...plain, communities }, external)).toBe("attributes-too-long");
});

test.for(["ipv4", "ipv6"] as const)("End-of-RIB of %s reads back (RFC 4724 §2)", (family) => {
  expect(readBack(encodeEndOfRib(family), external).endOfRib).toBe(family);
});

test("equal attributes have one key, and unequal ones do not", () => {
  expect(attributesKey({ ...plain })).toBe(attributesKey(plain));
  expect(attributesKey({ ...plain, med: undefined })).toBe(attributesKey(plain));
  expect(attributesKey({ ...plain, med: 0 })).not.toBe(attributesKey(plain));
});

const anyPrefix = (size: 4 | 16): fc.Arbitrary<Prefix> =>
  fc
    .tuple(fc.uint8Array({ minLength: size, maxLength: size }), fc.nat(size * 8), fc.nat(3))
    .map(([octets, length, zeros]) => {
      if (zeros > 0) octets.fill(0, zeros, size - zeros);
      return prefixOf(addressFromOctets(octets), length);
    });

test("any prefixes that are told are the prefixes that are read, and withdrawn they are gone", () => {
  fc.assert(
    fc.property(
      fc.array(anyPrefix(4), { maxLength: 30 }),
      fc.array(anyPrefix(16), { maxLength: 30 }),
      (ipv4, ipv6) => {
        const messages = [
          ...encodeAll(writerFor("ipv4", plain), ipv4),
          ...encodeAll(writerFor("ipv6", plain6), ipv6),
        ];
        expect(new Set(told(messages).keys())).toEqual(new Set([...ipv4, ...ipv6]));
        const gone = [
          ...encodeAll(withdrawer("ipv4"), ipv4),
          ...encodeAll(withdrawer("ipv6"), ipv6),
        ];
        expect(told([...messages, ...gone]).size).toBe(0);
      },
    ),
  );
});
