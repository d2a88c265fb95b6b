/**
 * UPDATE as received: what RFC 4271 §6.3 still ends a session for, and what RFC 7606 makes of the rest.
 * Method: one good UPDATE, each test breaking one thing in it.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Update } from "../../backends/native/wire/message.ts";
import { parseUpdate } from "../../backends/native/wire/update.ts";
import {
  AS_PATH,
  external,
  GOOD,
  internal,
  MP_REACH,
  MP_UNREACH,
  NEXT_HOP,
  NLRI,
  octets,
  ORIGIN,
  parse,
  parsed,
  reset,
  updateBody,
} from "./session-options.ts";

const families = (ranges: Update["withdrawn"]): string => ranges.map((r) => r.family).join(" ");
/** What happens to NLRI of both families that stands beside these attributes. */
const fate = (attributes: string, session = external): string => {
  const update = parsed({ attributes, nlri: NLRI }, session);
  return `${update.outcome}: ${update.faults.map((f) => f.clause).join(", ")}`;
};

describe("a good UPDATE", () => {
  test("announces its NLRI with its attributes as they stand (RFC 4271 §4.3)", () => {
    const update = parsed({ attributes: GOOD, nlri: NLRI });
    expect(update).toMatchObject({ outcome: "ok", faults: [], withdrawn: [] });
    expect(families(update.announced)).toBe("ipv4");
    expect(update.attributes).toEqual(octets(GOOD));
  });
  test("withdraws and announces both families at once (RFC 4760 §3, §4)", () => {
    const attributes = `${MP_REACH}${MP_UNREACH}${GOOD}`;
    const update = parsed({ withdrawn: "08 0a", attributes, nlri: NLRI });
    expect(families(update.withdrawn)).toBe("ipv4 ipv6");
    expect(families(update.announced)).toBe("ipv4 ipv6");
  });
  test("without NLRI needs no attributes (RFC 4271 §5)", () => {
    expect(parsed({ withdrawn: "08 0a" }).outcome).toBe("ok");
    expect(parsed({ attributes: MP_UNREACH }).outcome).toBe("ok");
  });
  test("of a family that was not agreed says nothing (RFC 4760 §6)", () => {
    const attributes = `${MP_REACH}${ORIGIN}${AS_PATH}`;
    const update = parsed({ attributes }, { ...external, families: ["ipv4"] });
    expect(update).toMatchObject({ outcome: "ok", announced: [] });
    const classic = parsed({ attributes: GOOD, nlri: NLRI }, { ...external, families: ["ipv6"] });
    expect(classic).toMatchObject({ outcome: "ok", announced: [] });
  });
});

describe("End-of-RIB (RFC 4724 §2)", () => {
  test("is the shortest UPDATE for IPv4, an empty MP_UNREACH_NLRI for IPv6", () => {
    expect(parsed({}).endOfRib).toBe("ipv4");
    expect(parsed({ attributes: "80 0f 03 0002 01" }).endOfRib).toBe("ipv6");
  });
  test("is nothing that says more", () => {
    expect(parsed({ withdrawn: "08 0a" }).endOfRib).toBeUndefined();
    expect(parsed({ attributes: MP_UNREACH }).endOfRib).toBeUndefined();
    expect(parsed({ attributes: GOOD, nlri: NLRI }).endOfRib).toBeUndefined();
  });
});

describe("what ends the session", () => {
  test("lengths that contradict the message: 3/1 (RFC 7606 §3(b))", () => {
    for (const body of ["", "0000 00", "0005 08 0a 0000", "0000 0009 40 01 01 00"]) {
      const bytes = octets(body);
      expect(parseUpdate(bytes, 0, bytes.length, external)).toMatchObject({
        error: { code: 3, subcode: 1 },
      });
    }
  });
  test.for(["21 0a000000", "18 0a", "18", "ff"])(
    "NLRI `%s` that cannot be read: 3/10 (RFC 7606 §5.3)",
    (nlri) => {
      expect(reset({ attributes: GOOD, nlri })).toBe("3/10");
      expect(reset({ withdrawn: nlri })).toBe("3/10");
    },
  );
  test.for([
    ["shorter than its fixed fields", "80 0e 04 0002 01 00"],
    ["next hop of 15 octets", "80 0e 15 0002 01 0f 20010db80000000000000000000000 00 00"],
    ["next hop that leaves the attribute", "80 0e 06 0002 01 10 2001"],
    ["IPv6 next hop for IPv4 unagreed", "80 0e 15 0001 01 10 20010db8000000000000000000000001 00"],
    ["prefix of 129 bits", "80 0e 16 0002 01 10 20010db8000000000000000000000001 00 81"],
    ["prefix cut", "80 0e 18 0002 01 10 20010db8000000000000000000000001 00 20 2001"],
  ] as const)("MP_REACH_NLRI: %s: 3/9 (RFC 7606 §7.11)", ([, attribute]) => {
    expect(reset({ attributes: `${attribute}${GOOD}`, nlri: NLRI })).toBe("3/9");
  });
  test.for([
    ["shorter than its fixed fields", "80 0f 02 0002"],
    ["prefix cut", "80 0f 05 0002 01 20 20"],
  ] as const)("MP_UNREACH_NLRI: %s: 3/9 (RFC 7606 §7.12)", ([, attribute]) => {
    expect(reset({ attributes: attribute })).toBe("3/9");
  });
  test("MP_REACH_NLRI or MP_UNREACH_NLRI twice: 3/1 (RFC 7606 §3(g))", () => {
    expect(reset({ attributes: `${MP_REACH}${MP_REACH}${GOOD}` })).toBe("3/1");
    expect(reset({ attributes: `${MP_UNREACH}${MP_UNREACH}` })).toBe("3/1");
  });
  test("MP_REACH_NLRI that leaves the attributes takes its NLRI with it: 3/1", () => {
    expect(reset({ attributes: `${GOOD} 80 0e ff 0002 01`, nlri: NLRI })).toBe("3/1");
  });
  test("a fault with nothing to withdraw: 3/1 (RFC 7606 §5.2)", () => {
    expect(reset({ attributes: "40 01 20 00" })).toBe("3/1");
    expect(reset({ attributes: "40 01 01 09", withdrawn: "08 0a" })).toBe("3/1");
  });
});

describe("the NLRI is found from the total attribute length (RFC 7606 §4)", () => {
  test.for(["c0 63 ff 00", "d0 63 ffff", "40", "40 01", "d0 63 00"])(
    "attribute `%s` that leaves the block costs the routes only",
    (tail) => {
      const update = parsed({ attributes: `${GOOD}${tail}`, nlri: NLRI });
      expect(update.outcome).toBe("treat-as-withdraw");
      expect(update.faults[0]?.clause).toBe("RFC 7606 §4");
      expect(families(update.withdrawn)).toBe("ipv4");
    },
  );
  test("an attribute of 0 octets is followed by the next one", () => {
    expect(fate(`${GOOD} c0 63 00`)).toBe("ok: ");
  });
});

describe("treat-as-withdraw (RFC 7606 §2)", () => {
  test("takes back both families, wherever the bad attribute stands", () => {
    const parts = [ORIGIN, AS_PATH, NEXT_HOP, MP_REACH, "c0 08 03 000102"];
    for (let turn = 0; turn < parts.length; turn += 1) {
      const attributes = [...parts.slice(turn), ...parts.slice(0, turn)].join("");
      const update = parsed({ attributes, nlri: NLRI });
      expect(update.outcome).toBe("treat-as-withdraw");
      expect(families(update.withdrawn)).toBe("ipv4 ipv6");
      expect(update.announced).toEqual([]);
    }
  });
  test.for([
    ["ORIGIN", `${AS_PATH}${NEXT_HOP}`],
    ["AS_PATH", `${ORIGIN}${NEXT_HOP}`],
    ["NEXT_HOP", `${ORIGIN}${AS_PATH}`],
  ] as const)("%s is missing (RFC 7606 §3(d))", ([, attributes]) => {
    expect(fate(attributes)).toBe("treat-as-withdraw: RFC 7606 §3(d)");
  });
  test("MP_REACH_NLRI needs no NEXT_HOP (RFC 4760 §3)", () => {
    expect(parsed({ attributes: `${MP_REACH}${ORIGIN}${AS_PATH}` }).outcome).toBe("ok");
  });
  test("an attribute twice: the first counts (RFC 7606 §3(g))", () => {
    const update = parsed({ attributes: `${GOOD} 40 01 01 02`, nlri: NLRI });
    expect(update.outcome).toBe("attribute-discard");
    expect(update.attributes).toEqual(octets(GOOD));
  });
  test("of several faults the strictest counts (RFC 7606 §3(h))", () => {
    expect(parsed({ attributes: `${GOOD} 40 06 01 00 c0 08 01 00`, nlri: NLRI }).outcome).toBe(
      "treat-as-withdraw",
    );
  });
});

const W = "treat-as-withdraw";
const D = "attribute-discard";
const AP = (value: string, length: string): string =>
  `${ORIGIN} 40 02 ${length} ${value} ${NEXT_HOP}`;

describe("each attribute by its own rule", () => {
  test.for([
    ["ORIGIN of 2 octets", `40 01 02 0000 ${AS_PATH}${NEXT_HOP}`, W, "RFC 7606 §7.1"],
    ["ORIGIN 3", `40 01 01 03 ${AS_PATH}${NEXT_HOP}`, W, "RFC 7606 §7.1"],
    ["ORIGIN marked optional", `c0 01 01 00 ${AS_PATH}${NEXT_HOP}`, W, "RFC 7606 §3(c)"],
    ["AS_PATH segment of type 0", AP("00 01 0000fde9", "06"), W, "RFC 7606 §7.2"],
    ["AS_PATH segment of type 5", AP("05 01 0000fde9", "06"), W, "RFC 7606 §7.2"],
    ["AS_PATH segment without AS", AP("02 00", "02"), W, "RFC 7606 §7.2"],
    ["AS_PATH with one octet over", AP("02 01 0000fde9 02", "07"), W, "RFC 7606 §7.2"],
    ["AS_PATH segment that leaves it", AP("02 02 0000fde9", "06"), W, "RFC 7606 §7.2"],
    ["AS_PATH with AS 0", AP("02 01 00000000", "06"), W, "RFC 7607 §2"],
    ["AS_PATH with a confederation", AP("03 01 0000fde9", "06"), W, "RFC 5065 §5"],
    ["NEXT_HOP of 5 octets", `${ORIGIN}${AS_PATH} 40 03 05 c000020100`, W, "RFC 7606 §7.3"],
    ["NEXT_HOP 0.0.0.0", `${ORIGIN}${AS_PATH} 40 03 04 00000000`, W, "RFC 4271 §6.3"],
    ["NEXT_HOP 127.0.0.1", `${ORIGIN}${AS_PATH} 40 03 04 7f000001`, W, "RFC 4271 §6.3"],
    ["NEXT_HOP 224.0.0.1", `${ORIGIN}${AS_PATH} 40 03 04 e0000001`, W, "RFC 4271 §6.3"],
    ["MED of 3 octets", `${GOOD} 80 04 03 000000`, W, "RFC 7606 §7.4"],
    ["LOCAL_PREF from outside", `${GOOD} 40 05 04 00000064`, D, "RFC 7606 §7.5"],
    ["ATOMIC_AGGREGATE of 1 octet", `${GOOD} 40 06 01 00`, D, "RFC 7606 §7.6"],
    ["AGGREGATOR of 6 octets", `${GOOD} c0 07 06 fde9c0000201`, D, "RFC 7606 §7.7"],
    ["AGGREGATOR with AS 0", `${GOOD} c0 07 08 00000000c0000201`, D, "RFC 7607 §2"],
    ["AGGREGATOR well-known", `${GOOD} 40 07 08 0000fde9c0000201`, W, "RFC 7606 §3(c)"],
    ["COMMUNITIES of 3 octets", `${GOOD} c0 08 03 000000`, W, "RFC 7606 §7.8"],
    ["COMMUNITIES of 0 octets", `${GOOD} c0 08 00`, W, "RFC 7606 §7.8"],
    ["ORIGINATOR_ID from outside", `${GOOD} 80 09 04 c0000201`, D, "RFC 7606 §7.9"],
    ["CLUSTER_LIST from outside", `${GOOD} 80 0a 04 c0000201`, D, "RFC 7606 §7.10"],
    ["EXTENDED COMMUNITIES of 7", `${GOOD} c0 10 07 00000000000000`, W, "RFC 7606 §7.14"],
    ["EXTENDED COMMUNITIES of 0", `${GOOD} c0 10 00`, W, "RFC 7606 §7.14"],
    ["IPv6 EXTENDED COMMUNITIES of 8", `${GOOD} c0 19 08 0000000000000000`, W, "RFC 7606 §7.15"],
    ["LARGE_COMMUNITIES of 8", `${GOOD} c0 20 08 0000000000000000`, W, "RFC 8092 §6"],
    ["LARGE_COMMUNITIES of 0", `${GOOD} c0 20 00`, W, "RFC 8092 §6"],
    ["OTC of 3", `${GOOD} c0 23 03 000000`, W, "RFC 9234 §5"],
    ["unknown but well-known", `${GOOD} 40 63 00`, W, "RFC 7606 §3(c)"],
  ] as const)("%s from another AS", ([, attributes, outcome, clause]) => {
    expect(fate(attributes)).toBe(`${outcome}: ${clause}`);
  });

  test.for([
    ["LOCAL_PREF of 3 octets", `${GOOD} 40 05 03 000000`, "RFC 7606 §7.5"],
    ["ORIGINATOR_ID of 3 octets", `${GOOD} 80 09 03 000000`, "RFC 7606 §7.9"],
    ["CLUSTER_LIST of 0 octets", `${GOOD} 80 0a 00`, "RFC 7606 §7.10"],
    ["CLUSTER_LIST of 5 octets", `${GOOD} 80 0a 05 0000000000`, "RFC 7606 §7.10"],
  ] as const)("%s from our own AS", ([, attributes, clause]) => {
    expect(fate(attributes, internal)).toBe(`${W}: ${clause}`);
  });

  test.for(["40 05 04 00000064", "80 09 04 c0000201", "80 0a 04 c0000201"])(
    "`%s` is kept from our own AS, left out from another (RFC 7606 §7.5, §7.9, §7.10)",
    (attribute) => {
      const parts = { attributes: `${GOOD}${attribute}`, nlri: NLRI };
      expect(parsed(parts, internal).attributes).toEqual(octets(`${GOOD}${attribute}`));
      expect(parsed(parts, external).attributes).toEqual(octets(GOOD));
    },
  );

  test("a next hop that is no host in MP_REACH_NLRI (RFC 4271 §6.3)", () => {
    for (const nextHop of ["00".repeat(16), `${"00".repeat(15)}01`, `ff02${"00".repeat(14)}`]) {
      const attributes = `80 0e 1a 0002 01 10 ${nextHop} 00 20 20010db8 ${ORIGIN}${AS_PATH}`;
      const update = parsed({ attributes });
      expect(update.outcome).toBe(W);
      expect(families(update.withdrawn)).toBe("ipv6");
    }
  });
});

describe("what we do not read is carried and not judged (RFC 4271 §5)", () => {
  test.for([
    ["tunnel encapsulation with a length that is wrong inside", "c0 17 05 0008ffff00"],
    ["prefix SID of 1 octet", "c0 28 01 ff"],
    ["ATTR_SET of 1 octet", "c0 80 01 00"],
    ["BGP-LS attribute", "80 1d 03 04ffff"],
    ["AIGP of 0 octets", "80 1a 00"],
    ["the highest code", "c0 ff 02 beef"],
  ] as const)("%s", ([, attribute]) => {
    const update = parsed({ attributes: `${GOOD}${attribute}`, nlri: NLRI });
    expect(update.outcome).toBe("ok");
    expect(update.attributes).toEqual(octets(`${GOOD}${attribute}`));
  });
  test.for(["f0ff", "f0", "00", "05 01"])(
    "FlowSpec NLRI `%s` with a length that lies, of a family not agreed",
    (nlri) => {
      const value = `0001 85 00 00 ${nlri}`;
      const length = (value.replaceAll(" ", "").length / 2).toString(16).padStart(2, "0");
      const update = parsed({ attributes: `80 0e ${length} ${value}${ORIGIN}${AS_PATH}` });
      expect(update).toMatchObject({ outcome: "ok", announced: [] });
    },
  );
});

describe("path identifiers (RFC 7911 §3)", () => {
  const session = { ...external, addPath: ["ipv4"] } as const;
  test("stand before each prefix where they were agreed", () => {
    const read = parse({ attributes: GOOD, nlri: `00000001 ${NLRI}` }, session);
    expect(read.ok && read.value.announced[0]?.addPath).toBe(true);
  });
  test("that are cut end the session", () => {
    expect(reset({ attributes: GOOD, nlri: "000000" }, session)).toBe("3/10");
    expect(reset({ attributes: GOOD, nlri: "00000001" }, session)).toBe("3/10");
  });
});

describe("any octets", () => {
  const anySession = fc.record({
    as4: fc.boolean(),
    external: fc.boolean(),
    families: fc.subarray(["ipv4", "ipv6"] as const),
    addPath: fc.subarray(["ipv4", "ipv6"] as const),
    extendedMessage: fc.boolean(),
    extendedNextHop: fc.boolean(),
  });
  test("never throw, and ranges stay in the message", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), anySession, (body, session) => {
        const read = parseUpdate(body, 0, body.length, session);
        if (!read.ok) return;
        for (const { start, end } of [...read.value.withdrawn, ...read.value.announced]) {
          expect(start).toBeGreaterThanOrEqual(2);
          expect(end).toBeLessThanOrEqual(body.length);
        }
      }),
      { numRuns: 300 },
    );
  });
  test("never throw when a good UPDATE has a few octets changed", () => {
    const good = octets(
      updateBody({ withdrawn: "08 0a", attributes: `${MP_REACH}${MP_UNREACH}${GOOD}`, nlri: NLRI }),
    );
    const change = fc.tuple(fc.nat(good.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 4 }), anySession, (changes, session) => {
        const body = good.slice();
        for (const [at, value] of changes) body[at] = value;
        const read = parseUpdate(body, 0, body.length, session);
        expect(read.ok || read.error.code === 3).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
