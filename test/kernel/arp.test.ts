/**
 * ARP probes and what counts as somebody else's claim (RFC 5227 §2.1.1, RFC 826), octet by octet.
 */
import { describe, expect, test } from "vitest";
import { claimIn, encodeProbe } from "../../backends/kernel/arp.ts";
import type { Address } from "../../events/address.ts";

const OWN = Uint8Array.of(2, 0, 0, 0, 0, 1);
const OTHER = Uint8Array.of(2, 0, 0, 0, 0, 0xab);
const ASKED = "192.0.2.1" as Address;
const probe = (hardware: Uint8Array): Uint8Array => encodeProbe(hardware, ASKED);
/** An answer: who has it says so as its sender. */
const answer = (hardware: Uint8Array): Uint8Array => {
  const packet = probe(hardware);
  packet[7] = 2;
  packet.set([192, 0, 2, 1], 14);
  packet.set([0, 0, 0, 0], 24);
  return packet;
};

test("a probe asks for the address and does not say that it is ours", () => {
  expect(Buffer.from(probe(OWN)).toString("hex")).toBe(
    "000108000604000102000000000100000000000000000000c0000201",
  );
});

describe("a claim", () => {
  const claim = { address: ASKED, hardware: "02:00:00:00:00:ab" };
  test("is an answer, and another's probe for the same address", () => {
    expect(claimIn(answer(OTHER), OWN)).toEqual(claim);
    expect(claimIn(probe(OTHER), OWN)).toEqual(claim);
    expect(claimIn(Uint8Array.of(...answer(OTHER), 0, 0, 0), OWN)).toEqual(claim);
  });
  test("is nothing of our own, and nothing that is cut off or of another protocol", () => {
    expect(claimIn(answer(OWN), OWN)).toBeUndefined();
    expect(claimIn(answer(OTHER).subarray(0, 27), OWN)).toBeUndefined();
    for (const at of [1, 2, 4, 5]) {
      const packet = answer(OTHER);
      packet[at] = 9;
      expect(claimIn(packet, OWN)).toBeUndefined();
    }
  });
});
