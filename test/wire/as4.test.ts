/**
 * Four-octet AS numbers through speakers that have only two (RFC 6793 §4.2), and what we say to those.
 * Method: UPDATEs of a two-octet session, read as people see them.
 */
import { describe, expect, test } from "vitest";
import { address } from "../../events/address.ts";
import { asn } from "../../events/ids.ts";
import { prefix } from "../../events/prefix.ts";
import { announcer, encodeAll } from "../../backends/native/wire/encode-updates.ts";
import { decodeAttributes } from "../../backends/native/wire/route-attributes.ts";
import { parseUpdate } from "../../backends/native/wire/update.ts";
import { external, GOOD, NEXT_HOP, NLRI, octets, ORIGIN, parsed } from "./session-options.ts";

const old = { ...external, as4: false };
const pathOf = (attributes: string): string =>
  decodeAttributes(
    parsed({ attributes: `${ORIGIN}${attributes}${NEXT_HOP}`, nlri: NLRI }, old).attributes,
  ).asPathText;

describe("from an old speaker (§4.2.3)", () => {
  test("a path of two octets is kept with four", () => {
    expect(pathOf("40 02 06 02 02 fde9 fdea")).toBe("65001 65002");
  });
  test("AS_TRANS is replaced by what AS4_PATH says, the leading ASes stay", () => {
    expect(pathOf("40 02 06 02 02 fde9 5ba0 c0 11 06 02 01 000186a0")).toBe("65001 100000");
  });
  test("an AS4_PATH longer than the path is not believed", () => {
    expect(pathOf("40 02 04 02 01 fde9 c0 11 0a 02 02 000186a0 000186a1")).toBe("65001");
  });
  test("a malformed AS4_PATH is discarded, and the route is kept (§6)", () => {
    expect(pathOf("40 02 04 02 01 5ba0 c0 11 05 02 01 000186")).toBe("23456");
  });
  test("an AGGREGATOR with its own number makes AS4_PATH old", () => {
    const both = "40 02 04 02 01 5ba0 c0 07 06 fde9 c0000201 c0 11 06 02 01 000186a0";
    expect(pathOf(both)).toBe("23456");
  });
  test("AS4_AGGREGATOR stands for an AGGREGATOR of AS_TRANS", () => {
    const attributes = `${ORIGIN} 40 02 04 02 01 fde9 ${NEXT_HOP} c0 07 06 5ba0 c0000201 c0 12 08 000186a0 c0000201`;
    const { aggregator } = decodeAttributes(parsed({ attributes, nlri: NLRI }, old).attributes);
    expect(aggregator).toEqual({ asn: 100_000, routerId: "192.0.2.1" });
  });
});

test("AS4_PATH and AS4_AGGREGATOR of a four-octet speaker are discarded, whatever they hold (§6)", () => {
  for (const attribute of ["c0 11 06 02 01 000186a0", "c0 11 01 ff", "40 12 00"]) {
    const update = parsed({ attributes: `${GOOD}${attribute}`, nlri: NLRI });
    expect(update.outcome).toBe("ok");
    expect(update.attributes).toEqual(octets(GOOD));
  }
});

/** Path of `first` and AS 65002, told to an old peer and read back. */
function tell(first: number): ReturnType<typeof decodeAttributes> {
  const attributes = {
    origin: "igp",
    asPath: [asn(first), asn(65_002)],
    nextHop: address("192.0.2.1"),
    communities: [],
    largeCommunities: [],
  } as const;
  const writer = announcer("ipv4", attributes, old);
  if (typeof writer === "string") throw new Error(writer);
  const [bytes = new Uint8Array(0)] = encodeAll(writer, [prefix("10.0.0.0/8")]);
  const read = parseUpdate(bytes, 19, bytes.length, old);
  if (!read.ok) throw new Error("reset");
  expect(bytes.includes(17)).toBe(first > 65_535);
  return decodeAttributes(read.value.attributes);
}

test("an old peer gets AS_TRANS and, where that hides something, AS4_PATH (§4.2.2)", () => {
  expect(tell(100_000).asPathText).toBe("100000 65002");
  expect(tell(65_001).asPathText).toBe("65001 65002");
});
