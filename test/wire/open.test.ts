/**
 * OPEN as RFC 4271 §4.2 and §6.2 tell it, with capabilities (RFC 5492) and extended parameters (RFC 9072).
 * Method: octets of one OPEN, each breaking one rule; and every OPEN that we can write, read back.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { address, addressFromOctets } from "../../events/address.ts";
import { asn } from "../../events/ids.ts";
import { lastCapability } from "../../backends/native/wire/capability.ts";
import type { Capability, Open } from "../../backends/native/wire/message.ts";
import { decodeOpen, encodeOpen } from "../../backends/native/wire/open.ts";
import { octets, sizeOf } from "./session-options.ts";

const HEAD = "04 fde9 005a c0000201";
const byte = (value: number): string => value.toString(16).padStart(2, "0");
const withParameters = (parameters: string): string =>
  `${HEAD}${byte(sizeOf(parameters))}${parameters}`;
const capabilities = (value: string): string => withParameters(`02${byte(sizeOf(value))}${value}`);

const read = (hex: string): ReturnType<typeof decodeOpen> => {
  const body = octets(hex);
  return decodeOpen(body, 0, body.length);
};
const refusal = (hex: string): string | undefined => {
  const answer = read(hex);
  return answer.ok ? undefined : `${answer.error.code}/${answer.error.subcode}`;
};
const opened = (hex: string): Open => {
  const answer = read(hex);
  if (!answer.ok) throw new Error(`refused ${answer.error.code}/${answer.error.subcode}`);
  return answer.value;
};

describe("what an OPEN alone can get wrong (RFC 4271 §6.2)", () => {
  test("version 3: 2/1 with the version that we speak", () => {
    const answer = read(`03${HEAD.slice(2)}00`);
    expect(answer).toEqual({
      ok: false,
      error: { code: 2, subcode: 1, data: Uint8Array.of(0, 4) },
    });
  });
  test("AS 0: 2/2 (RFC 7607 §2)", () => {
    expect(refusal("04 0000 005a c0000201 00")).toBe("2/2");
  });
  test("AS 0 in the four-octet capability: 2/2 (RFC 7607 §2)", () => {
    expect(refusal(capabilities("41 04 00000000"))).toBe("2/2");
  });
  test.for(["0001", "0002"])("hold time %s: 2/6", (hold) => {
    expect(refusal(`04 fde9 ${hold} c0000201 00`)).toBe("2/6");
  });
  test.for(["0000", "0003", "ffff"])("hold time %s is taken", (hold) => {
    expect(opened(`04 fde9 ${hold} c0000201 00`).holdTimeSeconds).toBe(Number.parseInt(hold, 16));
  });
  test("router id 0: 2/3 (RFC 6286 §2.2)", () => {
    expect(refusal("04 fde9 005a 00000000 00")).toBe("2/3");
  });
  test("an optional parameter that is none: 2/4", () => {
    expect(refusal(withParameters("07 01 00"))).toBe("2/4");
    expect(refusal(withParameters("01 01 00"))).toBe("2/4");
  });
  test.for([
    ["a parameter that leaves the message", `${HEAD} 04 02 06 0104`],
    ["a length that says less than there is", `${HEAD} 00 02 00`],
    ["a length that says more than there is", `${HEAD} 08 02 00`],
    ["half a parameter head", `${HEAD} 01 02`],
    ["a capability that leaves its parameter", capabilities("01 08 0001 0001")],
    ["half a capability head", capabilities("41")],
    ["a multiprotocol capability of three octets", capabilities("01 03 000100")],
    ["a four-octet capability of two octets", capabilities("41 02 fde9")],
    ["a graceful restart capability of one octet", capabilities("40 01 00")],
  ] as const)("%s: 2/0", ([, hex]) => {
    expect(refusal(hex)).toBe("2/0");
  });
  test("fewer octets than the fixed part: 1/2", () => {
    expect(refusal("04 fde9 005a")).toBe("1/2");
  });
});

describe("capabilities", () => {
  test("the four-octet AS number stands for AS_TRANS (RFC 6793 §4.1)", () => {
    expect(opened(`04 5ba0 005a c0000201 08 02 06 41 04 000186a0`).asn).toBe(100_000);
  });
  test("an unknown one is kept and no error (RFC 5492 §3)", () => {
    expect(opened(capabilities("f0 02 beef")).capabilities).toEqual([
      { type: "unknown", code: 0xf0, hex: "beef" },
    ]);
  });
  test("several in one parameter and in several are the same (RFC 5492 §4)", () => {
    const one = opened(capabilities("02 00 01 04 0002 00 01"));
    const two = opened(withParameters("02 02 02 00 02 06 01 04 0002 00 01"));
    expect(two.capabilities).toEqual(one.capabilities);
    expect(one.capabilities).toHaveLength(2);
  });
  test("graceful restart: R, N, 12 bits of time, F of each family (RFC 4724 §3, RFC 8538 §2)", () => {
    const open = opened(capabilities("40 0a c078 0001 01 80 0002 01 00"));
    expect(lastCapability(open.capabilities, "graceful-restart")).toEqual({
      type: "graceful-restart",
      restartState: true,
      notification: true,
      restartTimeSeconds: 120,
      families: [
        { family: { afi: 1, safi: 1 }, forwarding: true },
        { family: { afi: 2, safi: 1 }, forwarding: false },
      ],
    });
  });
  test("of graceful restart twice the last counts (RFC 4724 §3)", () => {
    const open = opened(capabilities("40 02 0001 40 02 0002"));
    expect(lastCapability(open.capabilities, "graceful-restart")?.restartTimeSeconds).toBe(2);
  });
});

describe("extended optional parameters (RFC 9072 §2)", () => {
  test("are read whatever the first length says, but zero", () => {
    for (const first of ["ff", "01"]) {
      expect(opened(`${HEAD} ${first} ff 0005 02 0002 0200`).capabilities).toEqual([
        { type: "route-refresh" },
      ]);
    }
  });
  test("255 as the type of a later parameter is an unknown one: 2/4", () => {
    expect(refusal(`${HEAD} ff ff 0003 ff 0000`)).toBe("2/4");
  });
  test("are cut off: 2/0", () => {
    expect(refusal(`${HEAD} ff ff`)).toBe("2/0");
    expect(refusal(`${HEAD} ff ff 0009 02 0002 0200`)).toBe("2/0");
  });
  test("are written only where 255 octets are not enough", () => {
    expect(many(5).subarray(28, 31)).toEqual(Uint8Array.of(252, 2, 250));
    expect(many(6).subarray(28, 30)).toEqual(Uint8Array.of(255, 255));
  });
});

/** An OPEN with so many capabilities of 50 octets. */
const many = (count: number): Uint8Array =>
  encodeOpen({
    ...base,
    capabilities: Array.from({ length: count }, () => ({
      type: "unknown",
      code: 200,
      hex: "00".repeat(48),
    })),
  });

const base: Open = {
  asn: asn(65_001),
  holdTimeSeconds: 90,
  routerId: address("192.0.2.1"),
  capabilities: [],
};

const family = fc.record({ afi: fc.nat(65_535), safi: fc.nat(255) });
const anyCapability: fc.Arbitrary<Capability> = fc.oneof(
  fc.record({ type: fc.constant("multiprotocol" as const), family }),
  fc.constant({ type: "route-refresh" as const }),
  fc.constant({ type: "enhanced-route-refresh" as const }),
  fc.constant({ type: "extended-message" as const }),
  fc.record({
    type: fc.constant("graceful-restart" as const),
    restartState: fc.boolean(),
    notification: fc.boolean(),
    restartTimeSeconds: fc.nat(4095),
    families: fc.array(fc.record({ family, forwarding: fc.boolean() }), { maxLength: 8 }),
  }),
  fc.record({
    type: fc.constant("add-path" as const),
    families: fc.array(fc.record({ family, direction: fc.integer({ min: 1, max: 3 }) }), {
      maxLength: 8,
    }),
  }),
  fc.record({
    type: fc.constant("extended-next-hop" as const),
    families: fc.array(fc.record({ family, nextHopAfi: fc.nat(65_535) }), { maxLength: 8 }),
  }),
  fc.record({
    type: fc.constant("unknown" as const),
    code: fc.integer({ min: 128, max: 255 }),
    hex: fc.uint8Array({ maxLength: 40 }).map((octet) => Buffer.from(octet).toString("hex")),
  }),
);
const anyOpen: fc.Arbitrary<Open> = fc
  .record({
    as: fc.integer({ min: 1, max: 0xffff_ffff }),
    hold: fc.oneof(fc.constant(0), fc.integer({ min: 3, max: 65_535 })),
    id: fc.uint8Array({ minLength: 4, maxLength: 4 }).filter((id) => id.some((o) => o !== 0)),
    more: fc.array(anyCapability, { maxLength: 20 }),
  })
  .map(({ as, hold, id, more }) => ({
    asn: asn(as),
    holdTimeSeconds: hold,
    routerId: addressFromOctets(id),
    capabilities: [{ type: "four-octet-asn", asn: as }, ...more],
  }));

test("every OPEN that we write reads back as it was", () => {
  fc.assert(
    fc.property(anyOpen, (open) => {
      const bytes = encodeOpen(open);
      expect((bytes[16] ?? 0) * 256 + (bytes[17] ?? 0)).toBe(bytes.length);
      expect(decodeOpen(bytes, 19, bytes.length)).toEqual({ ok: true, value: open });
    }),
  );
});

test("any octets are an OPEN or a refusal, never an exception", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (junk) => {
      for (const body of [junk, Uint8Array.of(...octets(HEAD), ...junk)]) {
        const answer = decodeOpen(body, 0, body.length);
        expect(answer.ok || answer.error.code > 0).toBe(true);
      }
    }),
  );
});
