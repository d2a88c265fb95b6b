/**
 * Adj-RIB-Out: each peer ends up knowing exactly what it is meant to know, in few messages and bounded memory (RFC 4271 §3.2).
 * Method: orders go in, UPDATEs are drained and read by a peer that is our own parser.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { address } from "../../events/address.ts";
import { asn } from "../../events/ids.ts";
import { type Prefix, prefix } from "../../events/prefix.ts";
import {
  type AdjRibIn,
  applyUpdate,
  attributesOf,
  routesIn,
} from "../../backends/native/rib/adj-rib-in.ts";
import {
  type AdjRibOut,
  announce,
  createAdjRibOut,
  dumpAdjRibOut,
  hasPending,
  markEndOfRib,
  pendingCount,
  readvertise,
  restoreAdjRibOut,
  toldAttributes,
  toldCount,
  toldRoutes,
  withdraw,
} from "../../backends/native/rib/adj-rib-out.ts";
import { drain, type Drained } from "../../backends/native/rib/drain.ts";
import type { OutAttributes, SessionOptions } from "../../backends/native/wire/message.ts";
import { decodeAttributes } from "../../backends/native/wire/route-attributes.ts";
import { parseUpdate } from "../../backends/native/wire/update.ts";
import { ribOf } from "./ribs.ts";

const session: SessionOptions = {
  as4: true,
  external: true,
  families: ["ipv4", "ipv6"],
  addPath: [],
  extendedMessage: false,
  extendedNextHop: false,
};
const attributesFor = (med: number, nextHop = "192.0.2.1"): OutAttributes => ({
  origin: "igp",
  asPath: [asn(65_001)],
  nextHop: address(nextHop),
  med,
  communities: [],
  largeCommunities: [],
});
const one = attributesFor(1);
const two = attributesFor(2);
const six = attributesFor(6, "2001:db8::1");
const vip = prefix("10.0.0.1/32");
const vip6 = prefix("2001:db8::1/128");
const MUCH = 1_000_000;

type Peer = { readonly rib: AdjRibIn; readonly endOfRib: string[] };
const newPeer = (): Peer => ({
  rib: ribOf({ limits: { ipv4: MUCH, ipv6: MUCH }, seed: 3 }),
  endOfRib: [],
});

function hear(peer: Peer, drained: Drained): void {
  for (const bytes of drained.messages) {
    const read = parseUpdate(bytes, 19, bytes.length, session);
    if (!read.ok) throw new Error("reset");
    applyUpdate(peer.rib, read.value);
    if (read.value.endOfRib !== undefined) peer.endOfRib.push(read.value.endOfRib);
  }
}
const knows = (peer: Peer): Map<Prefix, number | undefined> =>
  new Map(
    [...routesIn(peer.rib)].map((route) => [
      route.prefix,
      decodeAttributes(attributesOf(peer.rib, route.attributes)).med,
    ]),
  );
const hosts = (count: number): Prefix[] =>
  Array.from({ length: count }, (_, i) => prefix(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32`));

describe("of one prefix only the latest is said", () => {
  test("the last of many announcements", () => {
    const rib = createAdjRibOut();
    const peer = newPeer();
    for (const attributes of [one, two, one, two]) announce(rib, vip, attributes);
    expect(pendingCount(rib)).toBe(1);
    hear(peer, drain(rib, session, MUCH));
    expect(knows(peer)).toEqual(new Map([[vip, 2]]));
  });
  test("nothing, where it was taken back before it was said", () => {
    const rib = createAdjRibOut();
    announce(rib, vip, one);
    withdraw(rib, vip);
    expect(drain(rib, session, MUCH).messages).toEqual([]);
  });
  test("nothing, where the peer knows it already, also by an equal object", () => {
    const rib = createAdjRibOut();
    announce(rib, vip, one);
    drain(rib, session, MUCH);
    announce(rib, vip, attributesFor(1));
    withdraw(rib, prefix("10.9.9.9/32"));
    expect(hasPending(rib)).toBe(false);
    withdraw(rib, vip);
    announce(rib, vip, one);
    expect(hasPending(rib)).toBe(false);
  });
  test("a withdrawal, where it was announced and changed in between", () => {
    const rib = createAdjRibOut();
    const peer = newPeer();
    announce(rib, vip, one);
    hear(peer, drain(rib, session, MUCH));
    announce(rib, vip, two);
    withdraw(rib, vip);
    hear(peer, drain(rib, session, MUCH));
    expect(knows(peer).size).toBe(0);
    expect(toldCount(rib)).toBe(0);
  });
});

describe("draining", () => {
  test("packs routes with equal attributes together, whatever the order of orders", () => {
    const rib = createAdjRibOut();
    for (const [i, host] of hosts(600).entries()) announce(rib, host, attributesFor(i % 2));
    expect(drain(rib, session, MUCH).messages).toHaveLength(2);
  });
  test("stops near its budget, and a peer that does not read holds one entry a prefix", () => {
    const rib = createAdjRibOut();
    const peer = newPeer();
    for (let round = 0; round < 5; round += 1) {
      for (const host of hosts(5000)) announce(rib, host, attributesFor(round));
    }
    expect(pendingCount(rib)).toBe(5000);
    const first = drain(rib, session, 5000);
    expect(first.octets).toBeGreaterThanOrEqual(5000);
    expect(first.octets).toBeLessThan(5000 + 4096);
    hear(peer, first);
    expect(knows(peer).size).toBe(5000 - pendingCount(rib));
    while (hasPending(rib)) hear(peer, drain(rib, session, 5000));
    expect(new Set(knows(peer).values())).toEqual(new Set([4]));
    expect(toldCount(rib)).toBe(5000);
  });
  test("what was told is counted for each family, through changes, withdrawals and a restart", () => {
    const rib = createAdjRibOut();
    const counts = (of: AdjRibOut) => [toldCount(of, "ipv4"), toldCount(of, "ipv6")];
    for (const host of hosts(3)) announce(rib, host, one);
    announce(rib, vip6, six);
    drain(rib, session, MUCH);
    expect(counts(rib)).toEqual([3, 1]);
    const [first = vip] = hosts(3);
    announce(rib, first, two);
    withdraw(rib, vip6);
    drain(rib, session, MUCH);
    expect(counts(rib)).toEqual([3, 0]);
    expect(counts(restoreAdjRibOut(dumpAdjRibOut(rib)))).toEqual([3, 0]);
  });
  test("what the session cannot carry is named, and taken back where it was said before", () => {
    const rib = createAdjRibOut();
    const peer = newPeer();
    announce(rib, vip, one);
    hear(peer, drain(rib, session, MUCH));
    announce(rib, vip, six);
    announce(rib, vip6, two);
    const drained = drain(rib, session, MUCH);
    hear(peer, drained);
    expect(drained.unsendable).toEqual([
      { reason: "no-next-hop-of-the-family", prefixes: [vip] },
      { reason: "no-next-hop-of-the-family", prefixes: [vip6] },
    ]);
    expect(knows(peer).size).toBe(0);
    expect([toldCount(rib), hasPending(rib)]).toEqual([0, false]);
  });
});

describe("End-of-RIB (RFC 4724 §2)", () => {
  test("comes once, after everything that waits, also what was ordered later", () => {
    const rib = createAdjRibOut();
    const peer = newPeer();
    markEndOfRib(rib, "ipv4");
    markEndOfRib(rib, "ipv6");
    for (const host of hosts(2000)) announce(rib, host, one);
    hear(peer, drain(rib, session, 100));
    expect(peer.endOfRib).toEqual([]);
    announce(rib, vip6, six);
    hear(peer, drain(rib, session, MUCH));
    expect(peer.endOfRib).toEqual(["ipv4", "ipv6"]);
    expect(knows(peer).size).toBe(2001);
    expect(hasPending(rib)).toBe(false);
  });
  test("is not sent for a family that was not agreed", () => {
    const rib = createAdjRibOut();
    markEndOfRib(rib, "ipv6");
    const drained = drain(rib, { ...session, families: ["ipv4"] }, MUCH);
    expect([drained.messages, hasPending(rib)]).toEqual([[], false]);
  });
});

test("a route refresh says all of a family again, and what is taken back meanwhile not (RFC 2918 §4)", () => {
  const rib = createAdjRibOut();
  const peer = newPeer();
  for (const host of hosts(10)) announce(rib, host, one);
  announce(rib, vip6, six);
  drain(rib, session, MUCH);
  readvertise(rib, "ipv4");
  withdraw(rib, vip);
  hear(peer, drain(rib, session, MUCH));
  expect(new Set(knows(peer).keys())).toEqual(new Set(hosts(10).filter((host) => host !== vip)));
});

test("attribute sets are forgotten with their last route", () => {
  const rib = createAdjRibOut();
  for (let round = 0; round < 100; round += 1) {
    announce(rib, vip, attributesFor(round));
    if (round % 3 === 0) drain(rib, session, MUCH);
  }
  drain(rib, session, MUCH);
  expect(rib.sets.size).toBe(1);
  withdraw(rib, vip);
  drain(rib, session, MUCH);
  expect(rib.sets.size).toBe(0);
});

type Order =
  | { readonly type: "announce"; readonly prefix: Prefix; readonly med: number }
  | { readonly type: "withdraw"; readonly prefix: Prefix }
  | { readonly type: "drain"; readonly budget: number }
  | { readonly type: "refresh" };
const somePrefix = fc.constantFrom(...hosts(12), vip6, prefix("::/0"));
const order: fc.Arbitrary<Order> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("announce" as const),
      prefix: somePrefix,
      med: fc.nat(3),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant("withdraw" as const), prefix: somePrefix }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("drain" as const),
      budget: fc.integer({ min: 1, max: 200 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ type: "refresh" as const }) },
);

function obey(rib: AdjRibOut, peer: Peer, each: Order): void {
  if (each.type === "announce") {
    const nextHop = each.prefix.includes(":") ? "2001:db8::1" : "192.0.2.1";
    announce(rib, each.prefix, attributesFor(each.med, nextHop));
  } else if (each.type === "withdraw") withdraw(rib, each.prefix);
  else if (each.type === "refresh") readvertise(rib, "ipv4");
  else hear(peer, drain(rib, session, each.budget));
}

/** What leaves by one order. */
function step(rib: AdjRibOut, each: Order): Drained | undefined {
  if (each.type === "drain") return drain(rib, session, each.budget);
  obey(rib, newPeer(), each);
  return undefined;
}

describe("any sequence of orders", () => {
  test("leaves the peer with what was ordered last, and the RIB knows what the peer knows", () => {
    fc.assert(
      fc.property(fc.array(order, { maxLength: 60 }), (orders) => {
        const rib = createAdjRibOut();
        const peer = newPeer();
        const wanted = new Map<Prefix, number>();
        for (const each of orders) {
          obey(rib, peer, each);
          if (each.type === "announce") wanted.set(each.prefix, each.med);
          if (each.type === "withdraw") wanted.delete(each.prefix);
          expect(new Map([...toldRoutes(rib)].map(([at, { med }]) => [at, med]))).toEqual(
            knows(peer),
          );
        }
        hear(peer, drain(rib, session, MUCH));
        expect(knows(peer)).toEqual(wanted);
        for (const [at, med] of wanted) expect(toldAttributes(rib, at)?.med).toBe(med);
      }),
    );
  });
  test("and a dump anywhere, through JSON, sends the same octets from there on", () => {
    fc.assert(
      fc.property(
        fc.array(order, { maxLength: 40 }),
        fc.array(order, { maxLength: 20 }),
        (before, after) => {
          const rib = createAdjRibOut();
          for (const each of before) obey(rib, newPeer(), each);
          const copy = restoreAdjRibOut(JSON.parse(JSON.stringify(dumpAdjRibOut(rib))));
          expect(dumpAdjRibOut(copy)).toEqual(dumpAdjRibOut(rib));
          const sent = [rib, copy].map((each) => after.map((next) => step(each, next)));
          expect(sent[1]).toEqual(sent[0]);
          expect(drain(copy, session, MUCH)).toEqual(drain(rib, session, MUCH));
        },
      ),
    );
  });
});
