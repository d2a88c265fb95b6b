/**
 * Octets of a stream into messages, as RFC 4271 §6.1 tells it.
 * Method: hand nextMessage() a header that breaks one rule, and a stream cut at every place.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextMessage } from "../../backends/native/wire/framing.ts";
import { encodeKeepalive } from "../../backends/native/wire/header.ts";
import { framed, GOOD, message, NLRI, octets, updateBody } from "./session-options.ts";

const headerOf = (length: number, type: number): Uint8Array =>
  Uint8Array.of(...new Uint8Array(16).fill(255), length >> 8, length & 255, type);

const errorOf = (bytes: Uint8Array, extended = false): unknown => {
  const answer = framed(bytes, extended);
  return answer.type === "error" ? answer.error : answer.type;
};

describe("a header that breaks a rule (§6.1)", () => {
  test("marker not all ones: 1/1", () => {
    const bytes = encodeKeepalive();
    bytes[15] = 0xfe;
    expect(errorOf(bytes)).toMatchObject({ code: 1, subcode: 1 });
  });

  test.for([0, 18, 4097, 65_535])("length %i: 1/2 with the length as data", (length) => {
    expect(errorOf(headerOf(length, 2))).toEqual({
      code: 1,
      subcode: 2,
      data: Uint8Array.of(length >> 8, length & 255),
    });
  });

  test.for([0, 6, 255])("type %i: 1/3 with the type as data", (type) => {
    expect(errorOf(headerOf(40, type))).toEqual({ code: 1, subcode: 3, data: Uint8Array.of(type) });
  });

  test.for([
    [1, 28],
    [2, 22],
    [3, 20],
    [4, 20],
    [5, 22],
  ] as const)("type %i of %i octets is no such message: 1/2", ([type, length]) => {
    expect(errorOf(headerOf(length, type))).toMatchObject({ code: 1, subcode: 2 });
  });

  test("is found before the rest of the message is there", () => {
    expect(errorOf(headerOf(4097, 2))).toMatchObject({ code: 1, subcode: 2 });
  });
});

describe("extended messages (RFC 8654 §4)", () => {
  test("65535 octets where they were agreed", () => {
    expect(framed(headerOf(65_535, 2), true)).toEqual({ type: "need-more", octets: 65_535 });
  });
  test("but never for OPEN and KEEPALIVE", () => {
    expect(errorOf(headerOf(4097, 1), true)).toMatchObject({ code: 1, subcode: 2 });
    expect(errorOf(headerOf(4097, 4), true)).toMatchObject({ code: 1, subcode: 2 });
  });
});

test("a stream cut anywhere gives the same messages", () => {
  const stream = Uint8Array.of(
    ...encodeKeepalive(),
    ...message(2, updateBody({ attributes: GOOD, nlri: NLRI })),
    ...message(3, "0602"),
    ...encodeKeepalive(),
  );
  const whole = framesOf(stream, stream.length);
  expect(whole).toHaveLength(4);
  for (let cut = 0; cut <= stream.length; cut += 1) {
    const early = framesOf(stream, cut);
    const rest = framesOf(stream, stream.length, early.at(-1)?.[2] ?? 0);
    expect([...early, ...rest]).toEqual(whole);
  }
});

function framesOf(bytes: Uint8Array, end: number, from = 0): (readonly [number, number, number])[] {
  const frames: (readonly [number, number, number])[] = [];
  for (let start = from; ;) {
    const answer = nextMessage(bytes, start, end, false);
    if (answer.type !== "message") return frames;
    frames.push([answer.kind, answer.bodyStart, answer.end]);
    start = answer.end;
  }
}

test("any octets are judged, and never by an exception", () => {
  const header = fc.tuple(fc.integer({ min: 0, max: 65_535 }), fc.integer({ min: 0, max: 7 }));
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 64 }),
      header,
      fc.boolean(),
      (junk, [length, type], extended) => {
        for (const bytes of [junk, Uint8Array.of(...headerOf(length, type), ...junk)]) {
          const answer = framed(bytes, extended);
          const end = answer.type === "message" ? answer.end : 0;
          expect(end).toBeLessThanOrEqual(bytes.length);
        }
      },
    ),
  );
});

test("need-more names the octets that are needed", () => {
  expect(framed(octets("ffff"))).toEqual({ type: "need-more", octets: 19 });
  expect(framed(headerOf(23, 2))).toEqual({ type: "need-more", octets: 23 });
});
