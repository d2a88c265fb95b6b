/**
 * NOTIFICATION, Cease and the words in it (RFC 4271 §4.5, RFC 4486, RFC 9003, RFC 8538), and ROUTE-REFRESH (RFC 2918, RFC 7313).
 * Method: round trips, and the line that an operator reads.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ipv4Unicast } from "../../backends/native/wire/afi-safi.ts";
import {
  administrativeShutdown,
  badPeerAs,
  decodeNotification,
  encodeNotification,
  hardReset,
  holdTimerExpired,
  maximumPrefixesReached,
} from "../../backends/native/wire/notification.ts";
import { describeNotification } from "../../backends/native/wire/notification-text.ts";
import {
  decodeRouteRefresh,
  encodeRouteRefresh,
} from "../../backends/native/wire/route-refresh.ts";
import {
  decodeShutdownText,
  encodeShutdownText,
} from "../../backends/native/wire/shutdown-text.ts";
import { octets } from "./session-options.ts";

test("every NOTIFICATION reads back as it was written (RFC 4271 §4.5)", () => {
  const any = fc.record({ code: fc.nat(255), subcode: fc.nat(255), data: fc.uint8Array() });
  fc.assert(
    fc.property(any, (notification) => {
      const bytes = encodeNotification(notification);
      expect(decodeNotification(bytes, 19, bytes.length)).toEqual({
        ok: true,
        value: notification,
      });
    }),
  );
});

test("one without a subcode is an error value", () => {
  expect(decodeNotification(octets("06"), 0, 1).ok).toBe(false);
});

describe("shutdown communication (RFC 9003 §2)", () => {
  test("survives the way there", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 60 }), (text) => {
        fc.pre(/^[\w .,-]+$/.test(text) && text.trim() === text);
        expect(decodeShutdownText(encodeShutdownText(text))).toBe(text);
      }),
    );
    expect(decodeShutdownText(encodeShutdownText("Wartung für 1 h ☕"))).toBe("Wartung für 1 h ☕");
  });
  test("has at most 255 octets and no half character", () => {
    const data = encodeShutdownText("é".repeat(200));
    expect(data).toHaveLength(255);
    expect(decodeShutdownText(data)).toBe("é".repeat(127));
  });
  test.for(["", "00", "05 4142", "02 c328", "01 ff"])("`%s` is no text, and no error", (hex) => {
    expect(decodeShutdownText(octets(hex))).toBeUndefined();
  });
  test("brings no control characters to a terminal", () => {
    expect(decodeShutdownText(encodeShutdownText("a\u001B[31mb\u0000\u202Ec"))).toBe("a [31mb c");
  });
});

describe("in words", () => {
  test.for([
    [badPeerAs, "OPEN refused: bad peer AS: our AS number is not the one it expects (2/2)"],
    [holdTimerExpired, "hold timer expired (4/0)"],
    [
      administrativeShutdown("maintenance"),
      'session ceased: administrative shutdown (6/2), saying "maintenance"',
    ],
    [
      maximumPrefixesReached(ipv4Unicast, 100),
      "session ceased: maximum number of prefixes reached (6/1), bound 100 for AFI 1 SAFI 1",
    ],
    [
      hardReset(administrativeShutdown("bye")),
      'session ceased: hard reset (6/9), because of session ceased: administrative shutdown (6/2), saying "bye"',
    ],
    [{ code: 77, subcode: 3, data: new Uint8Array(0) }, "unknown error (77/3)"],
  ] as const)("%j", ([notification, line]) => {
    expect(describeNotification(notification)).toBe(line);
  });
  test("any notification has a line, and just one", () => {
    const any = fc.record({ code: fc.nat(9), subcode: fc.nat(12), data: fc.uint8Array() });
    fc.assert(
      fc.property(any, (notification) => {
        expect(describeNotification(notification)).toMatch(/^[^\n\r]+$/);
      }),
    );
  });
});

describe("ROUTE-REFRESH", () => {
  test("reads back as it was written (RFC 2918 §3)", () => {
    const refresh = { family: { afi: 2, safi: 1 }, subtype: 1 };
    const bytes = encodeRouteRefresh(refresh);
    expect(decodeRouteRefresh(bytes, 19, bytes.length)).toEqual({ ok: true, value: refresh });
  });
  test("a mark of another length: 7/1 with the message (RFC 7313 §5)", () => {
    const answer = decodeRouteRefresh(octets("0001 01 01 00"), 0, 5);
    expect(answer).toMatchObject({ ok: false, error: { code: 7, subcode: 1 } });
  });
  test("too short: 1/2", () => {
    expect(decodeRouteRefresh(octets("000100"), 0, 3)).toMatchObject({
      error: { code: 1, subcode: 2 },
    });
  });
});
