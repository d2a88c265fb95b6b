/**
 * What is accepted of a peer, and the reason where it is not (RFC 8212, RFC 4271 §9.1.2, RFC 4456 §8).
 *
 * Method: intents through policyOf(), UPDATEs through the codec, reasons as people read them.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { limitsOf, policyOf } from "../../backends/native/receive-rule.ts";
import {
  accepted,
  type AdjRibIn,
  applyUpdate,
  lookupRoute,
} from "../../backends/native/rib/adj-rib-in.ts";
import { compileList, type ListEntry, wordsOf } from "../../backends/native/rib/prefix-list.ts";
import { verdictWords } from "../../backends/native/rib/verdict.ts";
import type { NeighborIntent, ReceiveGuard, ReceiveRule } from "../../backends/intent.ts";
import { address } from "../../events/address.ts";
import {
  type Prefix,
  prefix,
  prefixContains,
  prefixFamily,
  prefixLength,
  prefixOf,
} from "../../events/prefix.ts";
import { external, internal, octets, parsed } from "../wire/session-options.ts";
import { neighborOf } from "./neighbors.ts";
import { ordinaryPeer, reconsider, ribOf } from "./ribs.ts";

const guard: ReceiveGuard = { alwaysBlock: [], maximumPrefixes: {}, checkFirstAs: true };
const intentOf = (receive: ReceiveRule, receiveGuard: Partial<ReceiveGuard> = {}): NeighborIntent =>
  neighborOf({ receive, receiveGuard: { ...guard, ...receiveGuard } });
const everything: ReceiveRule = { type: "everything" };
const listed = (text: string, atLeast: number, atMost: number): ListEntry => ({
  prefix: prefix(text),
  atLeast,
  atMost,
});

const ORIGIN = "40 01 01 00";
const NEXT_HOP = "40 03 04 c0000201";
const hex32 = (value: number): string => value.toString(16).padStart(8, "0");
const path = (...ases: readonly number[]): string =>
  `40 02 ${(2 + 4 * ases.length).toString(16).padStart(2, "0")} 02 ${ases.length.toString(16).padStart(2, "0")} ${ases.map(hex32).join("")}`;

const hexOf = (one: Prefix): string =>
  [prefixLength(one), ...wordsOf(one)]
    .map((word, i) => (i === 0 ? word.toString(16).padStart(2, "0") : hex32(word)))
    .join("")
    .slice(0, 2 + 2 * Math.ceil(prefixLength(one) / 8));

/** The reason for one route with these attributes. */
function reasonOf(
  intent: NeighborIntent,
  route: string,
  { attributes = `${ORIGIN}${path(65_001)}${NEXT_HOP}`, ...peer }: Record<string, unknown> = {},
): string {
  const rib = ribOf({
    policy: policyOf(intent),
    limits: limitsOf(intent),
    peer: { ...ordinaryPeer, ...peer },
  });
  return say(rib, route, String(attributes));
}

function say(rib: AdjRibIn, route: string, attributes: string): string {
  const session = rib.options.peer.external ? external : internal;
  applyUpdate(rib, parsed({ attributes, nlri: hexOf(prefix(route)) }, session));
  return reasonIn(rib, route);
}

const reasonIn = (rib: AdjRibIn, route: string): string => {
  const found = lookupRoute(rib, prefix(route));
  if (found === undefined) throw new Error(`no route ${route}`);
  return verdictWords(found.verdict);
};

describe("by its prefix a route is", () => {
  test("not accepted unless somebody asks for it (RFC 8212)", () => {
    expect(reasonOf(intentOf({ type: "nothing" }), "10.0.0.0/8")).toMatch(/nothing is accepted/);
    expect(reasonOf(intentOf(everything), "10.0.0.0/8")).toBe("");
  });
  test("accepted from a list by the bounds on its length", () => {
    const intent = intentOf({
      type: "prefixes",
      prefixes: [
        listed("10.0.0.0/8", 8, 8),
        listed("10.64.0.0/10", 16, 24),
        listed("10.64.0.0/10", 32, 32),
      ],
    });
    const isIn = (route: string): boolean => reasonOf(intent, route) === "";
    expect(isIn("10.0.0.0/8")).toBe(true);
    expect(isIn("10.0.0.0/9")).toBe(false);
    expect(isIn("10.64.0.0/15")).toBe(false);
    expect(isIn("10.64.0.0/16")).toBe(true);
    expect(isIn("10.127.255.0/24")).toBe(true);
    expect(isIn("10.128.0.0/16")).toBe(false);
    expect(isIn("10.64.0.0/25")).toBe(false);
    expect(isIn("10.64.0.1/32")).toBe(true);
    expect(reasonOf(intent, "192.0.2.0/24")).toMatch(/not in the receive list/);
  });
  test("never accepted where it is always blocked, and none more specific", () => {
    const intent = intentOf(everything, { alwaysBlock: [prefix("10.0.0.0/8")] });
    expect(reasonOf(intent, "10.0.0.0/8")).toMatch(/always blocked/);
    expect(reasonOf(intent, "10.1.2.3/32")).toMatch(/always blocked/);
    expect(reasonOf(intent, "0.0.0.0/0")).toBe("");
    expect(reasonOf(intent, "11.0.0.0/8")).toBe("");
  });
});

describe("by its attributes a route is not accepted", () => {
  const all = intentOf(everything);
  const route = "203.0.113.0/24";
  const given = (attributes: string, peer: object = {}): string =>
    reasonOf(all, route, { attributes, ...peer });

  test("with our own AS anywhere in AS_PATH (RFC 4271 §9.1.2)", () => {
    expect(given(`${ORIGIN}${path(65_001, 64_512, 65_003)}${NEXT_HOP}`)).toMatch(/own AS/);
    const inSet = "40 02 0c 02 01 0000fde9 01 01 0000fc00";
    expect(given(`${ORIGIN}${inSet}${NEXT_HOP}`)).toMatch(/own AS/);
  });
  test("with our other AS there either (RFC 7705 §3)", () => {
    const attributes = `${ORIGIN}${path(65_001, 64_513)}${NEXT_HOP}`;
    expect(given(attributes)).toBe("");
    expect(given(attributes, { localAses: [64_512, 64_513] })).toMatch(/own AS/);
  });
  test("with a first AS that is not the peer's, unless it need not be (RFC 4271 §6.3)", () => {
    const attributes = `${ORIGIN}${path(65_002)}${NEXT_HOP}`;
    expect(given(attributes)).toMatch(/first AS/);
    expect(given(`${ORIGIN}40 02 00${NEXT_HOP}`)).toMatch(/first AS/);
    const server = intentOf(everything, { checkFirstAs: false });
    expect(reasonOf(server, route, { attributes })).toBe("");
    expect(given(attributes, { external: false, remoteAs: 64_512 })).toBe("");
  });
  test("with a next hop that is this host (RFC 4271 §5.1.3)", () => {
    expect(given(`${ORIGIN}${path(65_001)}40 03 04 c0000209`)).toMatch(/next hop is an address/);
  });
  test("from inside our AS where it is our own or comes back (RFC 4456 §8)", () => {
    const inside = { external: false, remoteAs: 64_512 };
    const reflected = (more: string): string =>
      given(`${ORIGIN}40 02 00${NEXT_HOP}40 05 04 00000064${more}`, inside);
    expect(reflected("80 09 04 c0000207")).toBe("");
    expect(reflected("80 09 04 c0000209")).toMatch(/ORIGINATOR_ID is our router id/);
    expect(reflected("80 0a 08 c0000207 c0000209")).toMatch(/CLUSTER_LIST/);
  });
});

test("another policy is one for the routes that are there, too", () => {
  const rib = ribOf({ policy: policyOf(intentOf({ type: "nothing" })) });
  const odd = `${ORIGIN}${path(65_002)}${NEXT_HOP}`;
  say(rib, "10.0.0.0/8", `${ORIGIN}${path(65_001)}${NEXT_HOP}`);
  say(rib, "11.0.0.0/8", odd);
  const now = (intent: NeighborIntent): string[] => {
    reconsider(rib, policyOf(intent));
    return ["10.0.0.0/8", "11.0.0.0/8"].filter((one) => reasonIn(rib, one) === "");
  };
  expect(now(intentOf(everything))).toEqual(["10.0.0.0/8"]);
  expect(now(intentOf(everything, { checkFirstAs: false }))).toHaveLength(2);
  expect(accepted(rib, "ipv4")).toBe(2);
  const blocked = { alwaysBlock: [prefix("10.0.0.0/8")], checkFirstAs: false };
  expect(now(intentOf(everything, blocked))).toEqual(["11.0.0.0/8"]);
  expect(now(intentOf({ type: "nothing" }))).toEqual([]);
  expect(accepted(rib, "ipv4")).toBe(0);
});

test("the next hop of an UPDATE with both families is each family's own (RFC 4760 §3)", () => {
  const rib = ribOf({
    peer: { ...ordinaryPeer, localAddresses: new Set([address("2001:db8::1")]) },
  });
  const reach = "80 0e 1a 0002 01 10 20010db8000000000000000000000001 00 20 20010db8";
  expect(say(rib, "10.0.0.0/8", `${ORIGIN}${path(65_001)}${NEXT_HOP}${reach}`)).toBe("");
  expect(reasonIn(rib, "2001:db8::/32")).toMatch(/next hop is an address of this host/);
});

test("a list says of any prefix what a look at each of its entries says", () => {
  const anyPrefix = fc
    .tuple(fc.boolean(), fc.nat(7), fc.integer({ min: 0, max: 3 }), fc.nat(32))
    .map(([isIpv6, high, low, length]) =>
      prefixOf(
        address(
          isIpv6 ? `${(0x2000 + high * 256).toString(16)}:${low}::1` : `${high * 32}.${low}.0.1`,
        ),
        isIpv6 ? length * 4 : length,
      ),
    );
  const anyEntry = fc.tuple(anyPrefix, fc.nat(128), fc.nat(128)).map(([one, x, y]): ListEntry => ({
    prefix: one,
    atLeast: Math.max(prefixLength(one), Math.min(x, y)),
    atMost: Math.max(x, y),
  }));
  fc.assert(
    fc.property(fc.array(anyEntry, { maxLength: 20 }), fc.array(anyPrefix), (entries, routes) => {
      const isListed = compileList(entries);
      for (const route of routes) {
        const length = prefixLength(route);
        const expected = entries.some(
          (one) =>
            prefixContains(one.prefix, route) && length >= one.atLeast && length <= one.atMost,
        );
        expect(isListed(prefixFamily(route), length, ...wordsOf(route)), route).toBe(expected);
      }
    }),
    { numRuns: 300, endOnFailure: true },
  );
});

test("octets of the wire and of this file agree", () => {
  expect(octets(hexOf(prefix("203.0.113.0/24")))).toEqual(Uint8Array.of(24, 203, 0, 113));
  expect(octets(hexOf(prefix("0.0.0.0/0")))).toEqual(Uint8Array.of(0));
});
