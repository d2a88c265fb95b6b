/** What a speaker takes from the addresses of its host: who it is, its next hops, what is its own. Virtual IPs are only the last. */
import { describe, expect, test } from "vitest";
import type { HostAddress } from "../../backends/host-address.ts";
import {
  lowestAddress,
  nextHopsFrom,
  ownAddresses,
  sourceAddress,
  systemAddresses,
} from "../../backends/native/host-addresses.ts";
import { address } from "../../events/address.ts";

const bound = (text: string, rest: Partial<HostAddress> = {}): HostAddress => ({
  address: address(text),
  device: "eth0",
  loopback: false,
  virtual: false,
  ...rest,
});
const read = (...all: readonly HostAddress[]) => {
  return () => all;
};

describe("a router is known by the host's first IPv4 address", () => {
  test("and by no virtual IP, however low", () => {
    const host = read(bound("10.0.0.1", { virtual: true }), bound("10.9.0.2"), bound("10.9.0.1"));
    expect(lowestAddress(host)).toBe("10.9.0.1");
  });
  test("nor by one of the loopback, or of IPv6", () => {
    const lo = { device: "lo", loopback: true };
    expect(lowestAddress(read(bound("10.0.0.1", lo), bound("2001:db8::1")))).toBeUndefined();
  });
});

describe("the next hop of the other family", () => {
  const local = { address: address("2001:db8::1"), interface: "" };
  const of = (...all: readonly HostAddress[]) =>
    nextHopsFrom(local, "", false, read(bound("2001:db8::1"), ...all));

  test("is beside the session's own address, and no virtual IP there", () => {
    const mine = of(bound("10.0.0.1", { virtual: true }), bound("10.9.0.1"));
    expect(mine).toEqual({ ipv6: "2001:db8::1", ipv4: "10.9.0.1" });
  });
  test("is none where only another device has one", () => {
    expect(of(bound("10.9.0.1", { device: "eth1" }))).toEqual({ ipv6: "2001:db8::1" });
  });
});

describe("an interface as the source of a session", () => {
  const host = [
    bound("127.0.0.1"),
    bound("10.0.0.9", { virtual: true }),
    bound("10.9.0.2"),
    bound("10.9.0.1"),
    bound("fe80::1"),
    bound("2001:db8::1"),
    bound("10.9.9.9", { device: "eth1" }),
  ];
  const of = (family: "ipv4" | "ipv6", linkLocal = false, before?: string) =>
    sourceAddress(
      "eth0",
      "",
      { family, linkLocal },
      before === undefined ? undefined : address(before),
      read(...host),
    );

  test("is its first address of the family, no virtual one, none of the host alone", () => {
    expect(of("ipv4")).toBe("10.9.0.2");
    expect(of("ipv6")).toBe("2001:db8::1");
  });
  test("is link-local towards a link-local peer", () => {
    expect(of("ipv6", true)).toBe("fe80::1");
  });
  test("stays as long as it is there", () => {
    expect(of("ipv4", false, "10.9.0.1")).toBe("10.9.0.1");
    expect(of("ipv4", false, "10.9.0.3")).toBe("10.9.0.2");
  });
  test("is none where the device has none, or is not in the VRF", () => {
    const far = { family: "ipv4", linkLocal: false } as const;
    expect(sourceAddress("eth2", "", far, undefined, read(...host))).toBeUndefined();
    expect(sourceAddress("eth0", "no-such-vrf", far, undefined, read(...host))).toBeUndefined();
  });
});

test("a virtual IP is an address of this host to a path that leads there", () => {
  const own = ownAddresses("", read(bound("10.0.0.1", { virtual: true }), bound("10.9.0.1")));
  expect([...own]).toEqual(["10.0.0.1", "10.9.0.1"]);
});

test("where nobody watches the kernel the system says them", () => {
  expect(systemAddresses()).toContainEqual({
    address: "127.0.0.1",
    device: "lo",
    loopback: true,
    virtual: false,
  });
});
