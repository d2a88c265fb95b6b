/** BMP (RFC 7854): what bgpd 8.4.4 sent, read; the forms that it has no use for; and octets that are none. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bmpReader,
  COMMON_OCTETS,
  MAX_BMP_OCTETS,
} from "../../../../backends/frr/watch/bmp/frame.ts";
import { readBmp } from "../../../../backends/frr/watch/bmp/message.ts";
import { PER_PEER_OCTETS } from "../../../../backends/frr/watch/bmp/peer.ts";
import { lossInWords } from "../../../../backends/frr/watch/bmp/words.ts";
import {
  ALL,
  DOWN_BEFORE_UP,
  DOWN_BY_CLEAR,
  DOWN_BY_CLOSE,
  DOWN_BY_NOTIFICATION,
  END_OF_RIB,
  INITIATION,
  PEER_UP,
  PEER_UP_IPV6,
  ROUTE_POST_POLICY,
  STATISTICS,
  WITHDRAWN_PRE_POLICY,
} from "./recorded.ts";

const read = (octets: Uint8Array) => bmpReader().take(octets).frames.map(readBmp);
const reasonOf = (octets: Uint8Array): string | undefined => {
  const [message] = read(octets);
  return message?.type === "peer-down" ? lossInWords(message.cause) : undefined;
};
const framed = (kind: number, ...body: readonly number[]): Uint8Array => {
  const octets = new Uint8Array(COMMON_OCTETS + body.length);
  new DataView(octets.buffer).setUint32(1, octets.length);
  octets[0] = 3;
  octets[5] = kind;
  octets.set(body, COMMON_OCTETS);
  return octets;
};
/** Of a recorded message with a per-peer header: what stands behind that taken out, other octets in. */
const behindPeer = (octets: Uint8Array, ...said: readonly number[]): Uint8Array =>
  framed(
    octets[5] ?? 0,
    ...octets.subarray(COMMON_OCTETS, COMMON_OCTETS + PER_PEER_OCTETS),
    ...said,
  );

describe("bgpd 8.4.4", () => {
  test("says who it is (RFC 7854 §4.3)", () => {
    expect(read(INITIATION)).toEqual([
      {
        type: "initiation",
        information: [
          { type: 1, text: "FRRouting 8.4.4" },
          { type: 2, text: "vm" },
        ],
      },
    ]);
  });

  test("says that a session is up, with both ends and both OPENs (§4.10)", () => {
    expect(read(PEER_UP)).toMatchObject([
      {
        type: "peer-up",
        peer: {
          type: 0,
          distinguisher: 0n,
          address: "192.168.77.2",
          asn: 64_513,
          routerId: "192.168.77.2",
          isPostPolicy: false,
          hasShortAs: false,
          atMicros: 1_795_265_342_875_682n,
        },
        localAddress: "192.168.77.1",
        localPort: 53_108,
        remotePort: 179,
        sent: { asn: 64_512, holdTimeSeconds: 9, routerId: "192.168.77.1" },
        received: { asn: 64_513, holdTimeSeconds: 180, routerId: "192.168.77.2" },
      },
    ]);
  });

  test("says it of an IPv6 peer by the flag V (§4.2)", () => {
    expect(read(PEER_UP_IPV6)).toMatchObject([
      { type: "peer-up", peer: { address: "fd77::2" }, localAddress: "fd77::1" },
    ]);
  });

  test.each([
    [
      'the peer sent session ceased: administrative shutdown (6/2), saying "maintenance"',
      DOWN_BY_NOTIFICATION,
    ],
    ["the peer closed the connection", DOWN_BY_CLOSE],
    ["", DOWN_BY_CLEAR],
    ["the connection failed", DOWN_BEFORE_UP],
  ])("says why one is down: %j (§4.9)", (words, octets) => {
    expect(reasonOf(octets)).toBe(words);
  });

  test("says routes past policy and before it (§4.6)", () => {
    const [route, withdrawn, end] = [ROUTE_POST_POLICY, WITHDRAWN_PRE_POLICY, END_OF_RIB].flatMap(
      read,
    );
    expect(route).toMatchObject({
      type: "route-monitoring",
      peer: { isPostPolicy: true },
      update: { outcome: "ok", withdrawn: [], announced: [{ family: "ipv4" }] },
    });
    expect(withdrawn).toMatchObject({
      peer: { isPostPolicy: false },
      update: { withdrawn: [{ family: "ipv4" }], announced: [] },
    });
    expect(end).toMatchObject({ update: { endOfRib: "ipv4" } });
  });

  test("says its counters (§4.8)", () => {
    expect(read(STATISTICS)).toMatchObject([
      {
        type: "statistics",
        values: new Map([
          [0, 0n],
          [4, 0n],
          [5, 0n],
          [3, 0n],
          [2, 0n],
          [11, 0n],
          [0xff_fb, 0n],
        ]),
      },
    ]);
  });
});

describe("RFC 7854", () => {
  const notification = [...DOWN_BY_NOTIFICATION.subarray(COMMON_OCTETS + PER_PEER_OCTETS + 1)];
  test.each([
    [
      'bgpd sent session ceased: administrative shutdown (6/2), saying "maintenance"',
      [1, ...notification],
    ],
    ["the hold timer expired", [2, 0, 10]],
    ["", [2]],
    ["bgpd's configuration has the neighbour no more", [5]],
    ["", [99]],
  ])("§4.9 %j", (words, said) => {
    expect(reasonOf(behindPeer(DOWN_BY_CLOSE, ...said))).toBe(words);
  });

  test("§4.5 a termination has its reason, and words without control characters", () => {
    expect(read(framed(5, 0, 1, 0, 2, 0, 1, 0, 0, 0, 3, 0x61, 0x1b, 0x62))).toEqual([
      { type: "termination", reason: 1, information: [{ type: 0, text: "a b" }] },
    ]);
    expect(read(framed(5))).toEqual([{ type: "termination", reason: undefined, information: [] }]);
  });

  test("§4.4 information that is cut ends the list", () => {
    expect(read(framed(4, 0, 0, 0, 1, 0x61, 0, 0, 0, 2, 0x62))).toEqual([
      { type: "initiation", information: [{ type: 0, text: "a" }] },
    ]);
  });

  test("§4.8 a gauge has eight octets", () => {
    const said = [0, 0, 0, 1, 0, 7, 0, 8, 0, 0, 0, 1, 0, 0, 0, 2];
    expect(read(behindPeer(STATISTICS, ...said))).toMatchObject([
      { values: new Map([[7, 4_294_967_298n]]) },
    ]);
  });

  test("§4.1 a type that nobody knows is ignored, and what follows it is read", () => {
    const both = new Uint8Array([...framed(77, 1, 2, 3), ...INITIATION]);
    expect(read(both)).toMatchObject([{ type: "ignored", kind: 77 }, { type: "initiation" }]);
  });

  test.each([
    ["a per-peer header that is cut", framed(2, 0, 0, 1)],
    ["a peer that is down without a reason", behindPeer(DOWN_BY_CLOSE)],
    ["a reason that promises a NOTIFICATION", behindPeer(DOWN_BY_CLOSE, 3, 0xff)],
    ["a peer that is up without OPENs", behindPeer(PEER_UP)],
    [
      "one with two NOTIFICATIONs for OPENs",
      behindPeer(PEER_UP, ...Array<number>(20).fill(0), ...notification, ...notification),
    ],
    ["a route without an UPDATE", behindPeer(ROUTE_POST_POLICY, ...notification)],
  ])("%s is malformed", (_what, octets) => {
    expect(read(octets)).toMatchObject([{ type: "malformed" }]);
  });
});

describe("a connection", () => {
  const stream = new Uint8Array(ALL.flatMap((one) => [...one]));
  const whole = read(stream);

  test("is read alike however it is cut", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 40 }), (sizes) => {
        const reader = bmpReader();
        const messages = [];
        let at = 0;
        for (const size of [...sizes, stream.length]) {
          messages.push(...reader.take(stream.subarray(at, at + size)).frames.map(readBmp));
          at += size;
        }
        expect(messages).toEqual(whole);
      }),
      { seed: 7854 },
    );
  });

  test.each([
    ["another version", [2, 0, 0, 0, 6, 4], "BMP version 2, not 3"],
    ["a length below the header's", [3, 0, 0, 0, 5, 4], "a BMP message of 5 octets"],
    [
      "a length beyond all sense",
      [3, 0xff, 0, 0, 0, 0],
      `a BMP message of more than ${MAX_BMP_OCTETS} octets`,
    ],
  ])("with %s is read no further", (_what, octets, fault) => {
    const reader = bmpReader();
    expect(reader.take(new Uint8Array([...INITIATION, ...octets]))).toMatchObject({
      frames: [{ kind: 4 }],
      fault,
    });
    expect(reader.take(INITIATION)).toEqual({ frames: [], fault });
  });

  test("may say anything at all: it is read, or refused, and nothing is thrown", () => {
    const kinds = fc.integer({ min: 0, max: 7 });
    const noise = fc.uint8Array({ maxLength: 400 });
    const spoilt = fc
      .tuple(fc.constantFrom(...ALL), fc.nat(), fc.integer({ min: 0, max: 255 }), fc.nat())
      .map(([octets, at, value, end]) => {
        const copy = octets.slice(COMMON_OCTETS);
        copy[at % copy.length] = value;
        return framed(octets[5] ?? 0, ...copy.subarray(0, 1 + (end % copy.length)));
      });
    const random = fc.tuple(kinds, noise).map(([kind, body]) => framed(kind, ...body));
    fc.assert(
      fc.property(fc.array(fc.oneof(spoilt, random, noise), { maxLength: 5 }), (parts) => {
        const reader = bmpReader();
        for (const part of parts)
          for (const frame of reader.take(part).frames) expect(readBmp(frame).type).toMatch(/./);
      }),
      { seed: 7854, numRuns: 2_000 },
    );
  });
});
