/**
 * Router solicitations and advertisements as neighbours find each other by them (RFC 4861 §6.1, §6.2), and who is believed.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  advertisePause,
  answerPause,
  mayAsk,
  neighborAfter,
} from "../../backends/native/discovery/finding.ts";
import {
  readRouterMessage,
  routerAdvertisement,
  routerSolicitation,
} from "../../backends/native/discovery/packet.ts";
import { address } from "../../events/address.ts";
import { octets } from "./session-options.ts";

const PEER = address("fe80::2");
const OTHER = address("fe80::3");
/** As zebra of FRR 8.4 sends it: lifetime 30 s, its link address as the only option. */
const FROM_FRR = "86 00 1234 40 00 001e 00000000 00000000 01 01 02005e005377";

describe("an advertisement", () => {
  test("of FRR is one, and ours is", () => {
    expect(readRouterMessage(octets(FROM_FRR), PEER, 255)).toBe("advertisement");
    expect(readRouterMessage(routerAdvertisement(), PEER, 255)).toBe("advertisement");
  });
  test("of ours makes nobody send through us: Router Lifetime 0 (§4.2)", () => {
    expect([...routerAdvertisement()]).toEqual([134, ...Array.from({ length: 15 }, () => 0)]);
  });
  test.for([
    ["from behind a router (hop limit 254)", FROM_FRR, "fe80::2", 254],
    ["from a global address", FROM_FRR, "2001:db8::2", 255],
    ["with another code", FROM_FRR.replace("86 00", "86 01"), "fe80::2", 255],
    ["that is cut", FROM_FRR.slice(0, 30), "fe80::2", 255],
    ["with an option without length", FROM_FRR.replace("01 01 0200", "01 00 0200"), "fe80::2", 255],
    ["with an option over its end", FROM_FRR.replace("01 01 0200", "01 02 0200"), "fe80::2", 255],
  ] as const)("%s is none (§6.1.2)", ([, text, source, hopLimit]) => {
    expect(readRouterMessage(octets(text), address(source), hopLimit)).toBeUndefined();
  });
});

describe("a solicitation", () => {
  test("is taken from an address, and from who has none yet", () => {
    expect(readRouterMessage(routerSolicitation(), PEER, 255)).toBe("solicitation");
    expect(readRouterMessage(routerSolicitation(), address("::"), 255)).toBe("solicitation");
  });
  test("of who has no address does not say where it is (§6.1.1)", () => {
    const placed = octets("85 00 0000 00000000 01 01 02005e005377");
    expect(readRouterMessage(placed, PEER, 255)).toBe("solicitation");
    expect(readRouterMessage(placed, address("::"), 255)).toBeUndefined();
  });
});

test("any octets give a value", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(255), (bytes, hopLimit) => {
      const read = readRouterMessage(bytes, PEER, hopLimit);
      expect([undefined, "advertisement", "solicitation"]).toContain(read);
    }),
  );
});

describe("the neighbour", () => {
  test("is the first that is heard, for as long as it is", () => {
    const first = neighborAfter(undefined, PEER, 0);
    expect(first).toEqual({ address: PEER, atMillis: 0 });
    expect(neighborAfter(first, OTHER, 29_999)).toBe(first);
    const again = neighborAfter(first, PEER, 29_999);
    expect(neighborAfter(again, OTHER, 59_998).address).toBe(PEER);
  });
  test("is another one once it has been silent for three intervals", () => {
    const first = neighborAfter(undefined, PEER, 0);
    expect(neighborAfter(first, OTHER, 30_000)).toEqual({ address: OTHER, atMillis: 30_000 });
  });
  test("is asked for three times (§6.3.7)", () => {
    const heard = { address: PEER, atMillis: 0 };
    expect([mayAsk(2, undefined), mayAsk(3, undefined), mayAsk(0, heard)]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

test("we say that we are there every 3.3 to 10 s, and answer half a second late, at most every 3 s (§6.2.4, §6.2.6)", () => {
  expect([advertisePause(0), advertisePause(1)]).toEqual([3300, 10_000]);
  expect(answerPause(undefined, 50, 0)).toBe(0);
  expect(answerPause(1000, 2000, 0)).toBe(2000);
  expect(answerPause(1000, 9000, 1)).toBe(500);
});
