/**
 * rtnetlink octets (RFC 3549 §2.3): what we write is read back, what a kernel wrote is understood, and no octets throw.
 * Method: messages that Linux 6.18 sent in dumps, as hexadecimal; fast-check for everything else.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { address } from "../../events/address.ts";
import { prefix } from "../../events/prefix.ts";
import {
  attributesOf,
  decodeError,
  encodeMessage,
  type Message,
  messagesOf,
  uint,
} from "../../backends/kernel/netlink/codec.ts";
import {
  decodeAddress,
  decodeLink,
  decodeRule,
  encodeAddress,
  encodeRule,
  type Rule,
} from "../../backends/kernel/netlink/entries.ts";
import {
  decodeNexthop,
  encodeNexthopGroup,
  encodeNexthopHop,
} from "../../backends/kernel/netlink/nexthop.ts";
import { FIRST_NEXTHOP } from "../../backends/kernel/netlink/numbers.ts";
import {
  decodeRoute,
  encodeHops,
  routeOctets,
  routeView,
  writeRoute,
} from "../../backends/kernel/netlink/route.ts";
import { encodeAttributes } from "../../backends/kernel/netlink/codec.ts";
import { CAPTURED } from "./captured.ts";

const first = (octets: Uint8Array): Message => {
  const [message] = messagesOf(octets);
  if (message === undefined) throw new Error("no message");
  return message;
};
const captured = (name: keyof typeof CAPTURED): Message =>
  first(Uint8Array.from(Buffer.from(CAPTURED[name], "hex")));

describe("what Linux 6.18 wrote", () => {
  test("a route over a next hop object", () => {
    const view = routeView();
    expect(decodeRoute(captured("nhidRoute").body, view)).toBe(true);
    expect(view).toMatchObject({
      family: "ipv4",
      table: 254,
      protocol: 82,
      metric: 20,
      length: 24,
    });
    expect(view.a).toBe(0xac10_0000);
    expect(view.nexthop).toBe(FIRST_NEXTHOP);
    expect(view.hops).toMatchObject([{ gateway: Uint8Array.of(10, 99, 0, 2) }]);
  });
  test("a multipath route, one hop of another family", () => {
    const view = routeView();
    expect(decodeRoute(captured("multipath").body, view)).toBe(true);
    expect(view.hops.map(({ gateway }) => gateway?.length)).toEqual([4, 16]);
  });
  test("an IPv6 route", () => {
    const view = routeView();
    expect(decodeRoute(captured("ipv6Route").body, view)).toBe(true);
    expect(view).toMatchObject({ family: "ipv6", length: 64, a: 0xfd00_0001, metric: 20 });
  });
  test("an address with its protocol, a link, a rule, a group", () => {
    expect(decodeAddress(captured("address").body)).toMatchObject({
      address: "192.0.2.1",
      length: 32,
      protocol: 82,
      duplicate: false,
      tentative: false,
    });
    expect(decodeLink(captured("link").body)).toMatchObject({ name: "eth0", up: true, master: 0 });
    expect(decodeRule(captured("rule").body)).toMatchObject({
      priority: 700,
      from: "192.0.2.0/24",
      table: 100,
    });
    expect(decodeNexthop(captured("group").body)).toMatchObject({
      type: "group",
      members: [FIRST_NEXTHOP, FIRST_NEXTHOP + 1],
    });
  });
});

describe("round trips", () => {
  const family = fc.constantFrom("ipv4" as const, "ipv6" as const);
  const octetsFor = (one: "ipv4" | "ipv6") =>
    fc.uint8Array({ minLength: one === "ipv4" ? 4 : 16, maxLength: one === "ipv4" ? 4 : 16 });
  const word = fc.nat(0xffff_ffff);

  test("a route with any hops", () => {
    const anything = fc.record({
      family,
      table: word,
      metric: word,
      words: fc.tuple(word, word, word, word),
    });
    const hop = (one: "ipv4" | "ipv6") =>
      fc.record({
        device: fc.integer({ min: 1, max: 0x7fff_ffff }),
        gateway: fc.option(
          one === "ipv4" ? fc.oneof(octetsFor("ipv4"), octetsFor("ipv6")) : octetsFor(one),
          {
            nil: undefined,
          },
        ),
      });
    const withHops = anything.chain((key) =>
      fc.tuple(fc.constant(key), fc.array(hop(key.family), { minLength: 1, maxLength: 5 })),
    );
    fc.assert(
      fc.property(withHops, ([key, hops]) => {
        const rest = encodeAttributes(encodeHops(key.family, hops));
        const out = new Uint8Array(routeOctets(key.family) + rest.length);
        const [a, b, c, d] = key.words;
        writeRoute(new DataView(out.buffer), 0, "add", key, 24, a, b, c, d, rest);
        const view = routeView();
        expect(decodeRoute(first(out).body, view)).toBe(true);
        const words = key.family === "ipv4" ? [a, 0, 0, 0] : [a, b, c, d];
        expect([view.a, view.b, view.c, view.d]).toEqual(words);
        expect([view.table, view.metric, view.length, view.protocol]).toEqual([
          key.table,
          key.metric,
          24,
          82,
        ]);
        expect(view.hops).toEqual(hops);
      }),
    );
  });

  test("addresses and rules", () => {
    for (const one of ["192.0.2.1", "2001:db8::1"]) {
      const { body } = first(encodeAddress("add", address(one), 7));
      expect(decodeAddress(body)).toMatchObject({ address: one, device: 7, protocol: 82 });
    }
    const rule: Rule = {
      priority: 700,
      family: "ipv6",
      from: prefix("2001:db8::/32"),
      to: prefix("2001:db8:1::/48"),
      incoming: "eth0",
      mark: 7,
      table: 1000,
    };
    expect(decodeRule(first(encodeRule("add", rule)).body)).toEqual(rule);
  });

  test("next hop objects", () => {
    const hop = { device: 4, gateway: Uint8Array.of(10, 0, 0, 1) };
    const entry = { type: "hop", id: FIRST_NEXTHOP + 3, family: "ipv4", hop } as const;
    expect(decodeNexthop(first(encodeNexthopHop(entry)).body)).toEqual(entry);
    const group = {
      type: "group",
      id: FIRST_NEXTHOP,
      members: [FIRST_NEXTHOP + 1, FIRST_NEXTHOP + 2],
    } as const;
    expect(decodeNexthop(first(encodeNexthopGroup(group)).body)).toEqual(group);
  });
});

describe("no octets throw", () => {
  const decoders = [
    decodeLink,
    decodeAddress,
    decodeRule,
    decodeNexthop,
    (body: Uint8Array) => decodeRoute(body, routeView()),
  ];
  const readAll = (octets: Uint8Array): void => {
    for (const message of messagesOf(octets)) {
      decodeError(message);
      for (const decode of decoders) decode(message.body);
    }
    for (const decode of decoders) decode(octets);
    attributesOf(octets, 0);
  };
  test("at random", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => readAll(octets)));
  });
  test("nor a message with one octet changed or its end cut off", () => {
    const one = fc.constantFrom(...Object.values(CAPTURED));
    fc.assert(
      fc.property(one, fc.nat(), fc.nat(255), fc.nat(), (hex, at, value, cut) => {
        const octets = Uint8Array.from(Buffer.from(hex, "hex"));
        octets[at % octets.length] = value;
        readAll(octets);
        readAll(octets.subarray(0, cut % octets.length));
      }),
    );
  });
});

test("an error names its words, and an acknowledgement is no error", () => {
  const words = encodeAttributes([[1, new TextEncoder().encode("Nexthop id does not exist\0")]]);
  const body = Uint8Array.of(0xea, 0xff, 0xff, 0xff, ...new Uint8Array(16), ...words);
  const refused = { ...first(encodeMessage(2, 0x300, body)), body };
  expect(decodeError(refused)).toEqual({ errno: 22, words: "Nexthop id does not exist" });
  expect(decodeError({ ...refused, flags: 0x100, body: new Uint8Array(20) })).toEqual({
    errno: 0,
    words: "",
  });
  expect(uint(undefined)).toBeUndefined();
});
