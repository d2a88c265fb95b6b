/**
 * Adj-RIB-In: what a peer said and did not take back, no more and no less, however it churns (RFC 4271 §3.2).
 * Method: UPDATEs through the codec; a plain Map as the model.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { address } from "../../events/address.ts";
import { asn } from "../../events/ids.ts";
import { type Prefix, prefix, prefixLength } from "../../events/prefix.ts";
import {
  accepted,
  type AdjRibIn,
  applyUpdate,
  attributesOf,
  endRib,
  fresh,
  lookupRoute,
  received,
  type RibInChange,
  routesIn,
} from "../../backends/native/rib/adj-rib-in.ts";
import { packedRoutes } from "../../backends/native/rib/packed.ts";
import { ageRoutes, condemnStale } from "../../backends/native/rib/stale-routes.ts";
import { VERDICT } from "../../backends/native/rib/verdict.ts";
import { announcer, encodeAll, withdrawer } from "../../backends/native/wire/encode-updates.ts";
import type { SessionOptions } from "../../backends/native/wire/message.ts";
import { decodeAttributes } from "../../backends/native/wire/route-attributes.ts";
import { parseUpdate } from "../../backends/native/wire/update.ts";
import { reconsider, ribOf, sweepAll } from "./ribs.ts";

const session: SessionOptions = {
  as4: true,
  external: true,
  families: ["ipv4", "ipv6"],
  addPath: [],
  extendedMessage: false,
  extendedNextHop: false,
};
const newRib = (limit = 1_000_000): AdjRibIn =>
  ribOf({
    policy: {
      judge: (_family, length) => (length <= 24 ? VERDICT.accepted : VERDICT.notListed),
      checkFirstAs: false,
    },
    limits: { ipv4: limit, ipv6: limit },
  });

const familyOf = (one: Prefix): "ipv4" | "ipv6" => (one.includes(":") ? "ipv6" : "ipv4");

function say(rib: AdjRibIn, prefixes: readonly Prefix[], med: number | undefined): RibInChange[] {
  return (["ipv4", "ipv6"] as const).flatMap((family) => {
    const writer =
      med === undefined
        ? withdrawer(family)
        : announcer(
            family,
            {
              origin: "igp",
              asPath: [asn(65_001)],
              nextHop: address(family === "ipv4" ? "192.0.2.1" : "2001:db8::1"),
              med,
              communities: [],
              largeCommunities: [],
            },
            session,
          );
    if (typeof writer === "string") throw new Error(writer);
    const mine = prefixes.filter((one) => familyOf(one) === family);
    return encodeAll(writer, mine).map((bytes) => {
      // As a socket's buffer does, the octets change once the message was taken in.
      const read = parseUpdate(bytes, 19, bytes.length, session);
      if (!read.ok) throw new Error("reset");
      const change = applyUpdate(rib, read.value);
      bytes.fill(0xee);
      return change;
    });
  });
}

const medsOf = (rib: AdjRibIn): Map<Prefix, number | undefined> =>
  new Map(
    [...routesIn(rib)].map((r) => [
      r.prefix,
      decodeAttributes(attributesOf(rib, r.attributes)).med,
    ]),
  );

const host = (i: number): Prefix => prefix(`10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}/32`);
const hosts = (count: number): Prefix[] => Array.from({ length: count }, (_, i) => host(i));

describe("routes", () => {
  test("of a prefix the last word counts, and a withdrawal ends it", () => {
    const rib = newRib();
    say(rib, [prefix("10.0.0.0/8"), prefix("2001:db8::/32")], 1);
    say(rib, [prefix("10.0.0.0/8")], 2);
    expect(medsOf(rib)).toEqual(
      new Map([
        ["10.0.0.0/8", 2],
        ["2001:db8::/32", 1],
      ]),
    );
    expect(say(rib, [prefix("10.0.0.0/8"), prefix("10.0.0.0/9")], undefined)).toEqual([
      { announced: 0, withdrawn: 1, exceeded: undefined },
    ]);
    expect(medsOf(rib)).toEqual(new Map([["2001:db8::/32", 1]]));
  });
  test("0.0.0.0/0, ::/0 and host routes are prefixes like others", () => {
    const all = ["0.0.0.0/0", "::/0", "255.255.255.255/32", "::1/128", "0.0.0.0/32"].map(prefix);
    const rib = newRib();
    say(rib, all, 1);
    expect(new Set(medsOf(rib).keys())).toEqual(new Set(all));
  });
  test("can be looked up one by one", () => {
    const rib = newRib();
    say(rib, [prefix("10.1.0.0/16"), prefix("2001:db8:1::/48")], 1);
    expect(lookupRoute(rib, prefix("10.1.0.0/16"))).toMatchObject({
      verdict: VERDICT.accepted,
      stale: false,
    });
    expect(lookupRoute(rib, prefix("2001:db8:1::/48"))).toMatchObject({
      verdict: VERDICT.notListed,
    });
    expect(lookupRoute(rib, prefix("10.1.0.0/17"))).toBeUndefined();
  });
  test("bits beyond the length mean nothing (RFC 4271 §4.3)", () => {
    const rib = newRib();
    const body = Uint8Array.from([0, 2, 1, 0xff, 0, 0]);
    say(rib, [prefix("128.0.0.0/1")], 1);
    const read = parseUpdate(body, 0, body.length, session);
    if (!read.ok) throw new Error("reset");
    expect(applyUpdate(rib, read.value).withdrawn).toBe(1);
  });
  test("a prefix that is withdrawn and announced in one UPDATE is there (RFC 4271 §4.3)", () => {
    const rib = newRib();
    const writer = announcer("ipv4", anyAttributes, session);
    if (typeof writer === "string") throw new Error(writer);
    const [bytes = new Uint8Array(0)] = encodeAll(writer, [prefix("10.0.0.0/8")]);
    const both = Uint8Array.of(0, 2, 8, 10, ...bytes.subarray(21));
    const read = parseUpdate(both, 0, both.length, session);
    if (!read.ok) throw new Error("reset");
    applyUpdate(rib, read.value);
    expect(received(rib, "ipv4")).toBe(1);
  });
});

const anyAttributes = {
  origin: "igp",
  asPath: [asn(65_001)],
  nextHop: address("192.0.2.1"),
  communities: [],
  largeCommunities: [],
} as const;

describe("the limit", () => {
  test("stops the message at the first prefix beyond it, and says so (RFC 4486 §4)", () => {
    const rib = newRib(10);
    expect(say(rib, hosts(12), 1)).toEqual([
      { announced: 10, withdrawn: 0, exceeded: { family: "ipv4", limit: 10 } },
    ]);
    expect(received(rib, "ipv4")).toBe(10);
  });
  test("does not stop a prefix that is known", () => {
    const rib = newRib(10);
    say(rib, hosts(10), 1);
    expect(say(rib, [host(9)], 2)).toEqual([{ announced: 1, withdrawn: 0, exceeded: undefined }]);
  });
});

describe("graceful restart of the peer (RFC 4724 §4.2)", () => {
  test("what does not come again is swept, what does is kept", () => {
    const rib = newRib();
    say(rib, hosts(100), 1);
    ageRoutes(rib, "ipv4", true);
    say(rib, hosts(40), 1);
    expect([...routesIn(rib)].filter(({ stale }) => stale)).toHaveLength(60);
    expect([received(rib, "ipv4"), fresh(rib, "ipv4")]).toEqual([100, 40]);
    expect(condemnStale(rib, "ipv4")).toBe(true);
    expect(condemnStale(rib, "ipv4")).toBe(false);
    // Nothing is in force otherwise until it is swept, and what is said meanwhile stays.
    expect(received(rib, "ipv4")).toBe(100);
    say(rib, [host(99)], 1);
    sweepAll(rib);
    expect(new Set(medsOf(rib).keys())).toEqual(new Set([...hosts(40), host(99)]));
    expect([rib.stale.ipv4, rib.condemned.ipv4, fresh(rib, "ipv4")]).toEqual([0, 0, 41]);
  });
  test("what is stale at a second end goes; what was said in between stays once more", () => {
    const rib = newRib();
    say(rib, hosts(100), 1);
    ageRoutes(rib, "ipv4", true);
    say(rib, hosts(40), 2);
    ageRoutes(rib, "ipv4", true);
    sweepAll(rib);
    expect([received(rib, "ipv4"), rib.stale.ipv4]).toEqual([40, 40]);
  });
  test("the limit counts what the session that is has said", () => {
    const rib = newRib(10);
    say(rib, hosts(10), 1);
    ageRoutes(rib, "ipv4", true);
    const others = hosts(20).slice(10);
    expect(say(rib, others, 1)).toEqual([{ announced: 10, withdrawn: 0, exceeded: undefined }]);
    // A stale one is no free place.
    expect(say(rib, [host(0)], 1)[0]?.exceeded).toEqual({ family: "ipv4", limit: 10 });
    expect(say(rib, [host(15)], 2)[0]?.exceeded).toBeUndefined();
  });
});

describe("the rule of what is accepted", () => {
  test("is counted as routes come and go, and anew when it changes", () => {
    const rib = newRib();
    say(rib, [prefix("10.0.0.0/24"), prefix("10.0.1.0/25"), prefix("10.0.2.0/24")], 1);
    expect([received(rib, "ipv4"), accepted(rib, "ipv4")]).toEqual([3, 2]);
    say(rib, [prefix("10.0.0.0/24")], undefined);
    expect(accepted(rib, "ipv4")).toBe(1);
    reconsider(rib, {
      judge: (_family, length) => (length === 25 ? VERDICT.accepted : VERDICT.notListed),
      checkFirstAs: false,
    });
    const left = [...routesIn(rib)].filter(({ verdict }) => verdict === VERDICT.accepted);
    expect(left.map((r) => r.prefix)).toEqual(["10.0.1.0/25"]);
    expect(accepted(rib, "ipv4")).toBe(1);
  });
});

describe("memory", () => {
  test("follows what is there, not what was said: a million changes of 1,000 routes", () => {
    const rib = newRib();
    for (let round = 0; round < 1000; round += 1) say(rib, hosts(1000), round);
    expect(rib.store.alive).toBe(1);
    expect(rib.store.nextId).toBeLessThan(10);
    expect(rib.store.arena.length).toBeLessThan(16_384);
    expect(rib.tables.ipv4.meta.length).toBe(2048);
  });
  test("of an attribute set goes with its last route", () => {
    const rib = newRib();
    for (let i = 0; i < 500; i += 1) say(rib, [host(i)], i);
    expect(rib.store.alive).toBe(500);
    say(rib, hosts(500), undefined);
    expect(rib.store.alive).toBe(0);
    expect(rib.facts.nextHops.size).toBe(0);
    const { paths } = rib.options;
    expect(paths.paths.byKey.size).toBe(0);
    say(rib, hosts(5), 1);
    expect(paths.paths.byKey.size).toBe(1);
    endRib(rib);
    expect(paths.paths.byKey.size).toBe(0);
  });
  test("is at most 27 octets a route for 100,000 IPv4 routes", () => {
    const rib = newRib();
    say(rib, hosts(100_000), 1);
    const { keys, meta, values } = rib.tables.ipv4;
    expect((keys.byteLength + meta.byteLength + values.byteLength) / 100_000).toBeLessThan(27);
  });
});

test("packed batches hold each route once", () => {
  const rib = newRib();
  say(rib, [...hosts(1000), prefix("2001:db8::/33"), prefix("::/0")], 1);
  const batches = [...packedRoutes(rib, "ipv4", 300)];
  expect(batches.map(({ count }) => count)).toEqual([300, 300, 300, 100]);
  const again = newRib();
  for (const family of ["ipv4", "ipv6"] as const) {
    for (const { nlri } of packedRoutes(rib, family, 300)) {
      const range = { family, addPath: false, start: 0, end: nlri.length };
      applyUpdate(again, {
        bytes: nlri,
        withdrawn: [],
        announced: [range],
        attributes: new Uint8Array(0),
        outcome: "ok",
        faults: [],
        endOfRib: undefined,
      });
    }
  }
  expect(new Set(medsOf(again).keys())).toEqual(new Set(medsOf(rib).keys()));
});

test("any sequence of announcements and withdrawals leaves what a Map would", () => {
  const anyPrefix = fc.oneof(
    fc.nat(40).map(host),
    fc.nat(40).map((i) => prefix(`2001:db8:${i.toString(16)}::/${33 + (i % 60)}`)),
  );
  const step = fc.tuple(
    fc.array(anyPrefix, { maxLength: 12 }),
    fc.option(fc.nat(4), { nil: undefined }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const rib = newRib();
      const model = new Map<Prefix, number>();
      for (const [prefixes, med] of steps) {
        say(rib, prefixes, med);
        for (const one of prefixes)
          if (med === undefined) model.delete(one);
          else model.set(one, med);
      }
      expect(medsOf(rib)).toEqual(model);
      const short = [...model.keys()].filter((one) => prefixLength(one) <= 24).length;
      expect(accepted(rib, "ipv4") + accepted(rib, "ipv6")).toBe(short);
    }),
    { numRuns: 60 },
  );
});
