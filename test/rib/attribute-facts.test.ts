/**
 * What is learned of an attribute set: the numbers that a decision compares, and the path that it stands for.
 *
 * Method: attributes as octets through parseUpdate(), facts as the Adj-RIB-In keeps them; AS_PATHs of any kind against the
 * slow reader that shows them to people.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyUpdate, lookupRoute } from "../../backends/native/rib/adj-rib-in.ts";
import { pathOf, verdictOf } from "../../backends/native/rib/attribute-facts.ts";
import { pathAt } from "../../backends/native/rib/path-store.ts";
import { VERDICT } from "../../backends/native/rib/verdict.ts";
import { pathLength, type Segment, writeAsPath } from "../../backends/native/wire/as-path.ts";
import type { SessionOptions } from "../../backends/native/wire/message.ts";
import { address } from "../../events/address.ts";
import { prefix, prefixFamily } from "../../events/prefix.ts";
import { AS_PATH, external, internal, NEXT_HOP, ORIGIN, parsed } from "../wire/session-options.ts";
import { ordinaryPeer, ribOf } from "./ribs.ts";

type Given = Parameters<typeof parsed>[0];

/** The facts of a route of this UPDATE. */
function learned(given: Given, route: string, session: SessionOptions = external) {
  const peer = session.external
    ? ordinaryPeer
    : { ...ordinaryPeer, external: false, remoteAs: 64_512 };
  const rib = ribOf({ peer });
  applyUpdate(rib, parsed(given, session));
  const found = lookupRoute(rib, prefix(route));
  if (found === undefined) throw new Error(`no route ${route}`);
  const { facts } = rib;
  const id = found.attributes;
  const family = prefixFamily(prefix(route));
  const path = pathOf(facts, family, id);
  return {
    localPref: facts.localPref[id],
    pathLength: facts.pathLength[id],
    origin: facts.origin[id],
    med: facts.med[id],
    neighborAs: facts.neighborAs[id],
    routerId: facts.routerId[id],
    clusterLength: facts.clusterLength[id],
    verdict: verdictOf(facts, family, id),
    path: path < 0 ? undefined : pathAt(facts.store, path),
  };
}

const hex = (octets: readonly number[]): string =>
  octets.map((one) => one.toString(16).padStart(2, "0")).join("");
const ROUTE = "203.0.113.0/24";
const NLRI = "18 cb0071";
const asPath = (segments: readonly Segment[]): string => {
  const value = writeAsPath(segments, 4);
  return `50 02 ${hex([value.length >> 8, value.length & 255])} ${hex(value)}`;
};

test("what an attribute does not say is ordinary: LOCAL_PREF 100, MED 0, the peer's identifier", () => {
  expect(learned({ attributes: `${ORIGIN}${AS_PATH}${NEXT_HOP}`, nlri: NLRI }, ROUTE)).toEqual({
    localPref: 100,
    pathLength: 1,
    origin: 0,
    med: 0,
    neighborAs: 65_001,
    routerId: ordinaryPeer.remoteRouterId,
    clusterLength: 0,
    verdict: VERDICT.accepted,
    path: {
      neighbor: ordinaryPeer.neighbor,
      nextHop: "192.0.2.1",
      interface: "",
      external: true,
    },
  });
});

test("inside our AS LOCAL_PREF and the reflectors' attributes count (RFC 4456 §9)", () => {
  const attributes = `${ORIGIN}${AS_PATH}${NEXT_HOP}80 04 04 00000007 40 05 04 000000c8 80 09 04 c0000205 80 0a 08 c0000206 c0000207`;
  expect(learned({ attributes, nlri: NLRI }, ROUTE, internal)).toMatchObject({
    localPref: 200,
    med: 7,
    routerId: 0xc000_0205,
    clusterLength: 2,
    path: { external: false },
  });
  // From outside they are discarded (RFC 7606 §7.5, §7.9).
  expect(learned({ attributes, nlri: NLRI }, ROUTE)).toMatchObject({
    localPref: 100,
    med: 7,
    routerId: ordinaryPeer.remoteRouterId,
    clusterLength: 0,
  });
});

describe("the neighbouring AS (RFC 4271 §9.1.2.2)", () => {
  const of = (segments: readonly Segment[], session = internal): number | undefined =>
    learned({ attributes: `${ORIGIN}${asPath(segments)}${NEXT_HOP}`, nlri: NLRI }, ROUTE, session)
      .neighborAs;
  test("is the first of the path, also behind a confederation", () => {
    expect(of([{ type: 2, ases: [65_009, 65_010] }])).toBe(65_009);
    expect(
      of([
        { type: 3, ases: [65_100] },
        { type: 2, ases: [65_009] },
      ]),
    ).toBe(65_009);
  });
  test("is the peer's own where the path is empty or begins with a set", () => {
    expect(of([])).toBe(64_512);
    expect(of([{ type: 1, ases: [65_009] }])).toBe(64_512);
    expect(
      of([
        { type: 1, ases: [65_009] },
        { type: 2, ases: [65_010] },
      ]),
    ).toBe(64_512);
  });
});

describe("the next hop", () => {
  const of = (given: Given, route: string, session?: SessionOptions) =>
    learned(given, route, session).path;
  const reach = (nextHop: string, afi = "0002", nlri = "20 20010db8"): Given => {
    const value = `${afi} 01 ${hex([nextHop.replaceAll(" ", "").length / 2])} ${nextHop} 00 ${nlri}`;
    const length = value.replaceAll(" ", "").length / 2;
    return { attributes: `80 0e ${hex([length])} ${value}${ORIGIN}${AS_PATH}` };
  };
  const GLOBAL = "20010db8000000000000000000000002";
  const LINK_LOCAL = "fe800000000000000000000000000002";

  test("is the global one where there are two (RFC 2545 §3)", () => {
    expect(of(reach(`${GLOBAL} ${LINK_LOCAL}`), "2001:db8::/32")).toMatchObject({
      nextHop: "2001:db8::2",
      interface: "",
    });
  });
  test("is the link-local one of the two where the session runs over link-local addresses", () => {
    const peer = { ...ordinaryPeer, remoteAddress: address("fe80::2") };
    const rib = ribOf({ peer });
    applyUpdate(rib, parsed(reach(`${GLOBAL} ${LINK_LOCAL}`), external));
    const id = lookupRoute(rib, prefix("2001:db8::/32"))?.attributes ?? -1;
    expect(pathAt(rib.facts.store, pathOf(rib.facts, "ipv6", id))).toMatchObject({
      nextHop: "fe80::2",
      interface: "eth0",
    });
  });
  test("that is link-local is one on the session's device", () => {
    const onDevice = { nextHop: "fe80::2", interface: "eth0" };
    expect(of(reach(LINK_LOCAL), "2001:db8::/32")).toMatchObject(onDevice);
    const nothing = "0".repeat(32);
    expect(of(reach(`${nothing} ${LINK_LOCAL}`), "2001:db8::/32")).toMatchObject(onDevice);
  });
  test("of an IPv4 route may be an IPv6 address (RFC 8950 §3)", () => {
    const session = { ...external, extendedNextHop: true };
    expect(of(reach(GLOBAL, "0001", NLRI), ROUTE, session)).toMatchObject({
      nextHop: "2001:db8::2",
    });
    expect(of(reach(LINK_LOCAL, "0001", NLRI), ROUTE, session)).toMatchObject({
      nextHop: "fe80::2",
      interface: "eth0",
    });
  });
  test("of somebody else stays his", () => {
    const attributes = `${ORIGIN}${AS_PATH}40 03 04 c0000237`;
    expect(of({ attributes, nlri: NLRI }, ROUTE)).toMatchObject({ nextHop: "192.0.2.55" });
  });
});

test("so many next hops and no more are kept of a peer, and room that is given back is used again", () => {
  const LIMIT = 65_536;
  const rib = ribOf();
  const say = (i: number, isHere: boolean): void => {
    const nlri = `20 ${hex([10, (i >> 16) & 255, (i >> 8) & 255, i & 255])}`;
    const nextHop = `40 03 04 ${hex([11 + (i >> 16), (i >> 8) & 255, i & 255, 1])}`;
    const attributes = `${ORIGIN}${AS_PATH}${nextHop}`;
    applyUpdate(rib, parsed(isHere ? { attributes, nlri } : { withdrawn: nlri }));
  };
  for (let i = 0; i <= LIMIT; i += 1) say(i, true);
  const verdict = (): number | undefined => lookupRoute(rib, prefix("10.1.0.0/32"))?.verdict;
  expect(rib.facts.nextHops.size).toBe(LIMIT);
  expect(verdict()).toBe(VERDICT.tooManyNextHops);
  say(7, false);
  say(LIMIT, true);
  // Known octets are not judged anew while somebody has them.
  expect(verdict()).toBe(VERDICT.tooManyNextHops);
  say(LIMIT, false);
  say(LIMIT, true);
  expect(verdict()).toBe(VERDICT.accepted);
});

test("the length of any path is the one that is shown (RFC 4271 §9.1.2.2 a, RFC 5065 §5.3)", () => {
  const segment = fc.record({
    type: fc.integer({ min: 1, max: 4 }),
    ases: fc.array(fc.integer({ min: 1, max: 0xffff_ffff }), { minLength: 1, maxLength: 5 }),
  });
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 5 }), (segments) => {
      const attributes = `${ORIGIN}${asPath(segments)}${NEXT_HOP}`;
      const seen = learned({ attributes, nlri: NLRI }, ROUTE, internal);
      expect(seen.pathLength).toBe(pathLength(segments));
    }),
    { numRuns: 300, endOnFailure: true },
  );
});
