/**
 * IPv4 routes with IPv6 next hops, as two OPENs agree on them (RFC 8950 §4).
 */
import { describe, expect, test } from "vitest";
import { negotiate, openOf } from "../../backends/native/fsm/negotiate.ts";
import type { Peering } from "../../backends/native/fsm/signals.ts";
import type { Capability } from "../../backends/native/wire/message.ts";
import { address } from "../../events/address.ts";
import { asn } from "../../events/ids.ts";

const silent: Peering = {
  localAs: asn(64512),
  routerId: address("192.0.2.1"),
  remoteAs: { type: "external" },
  holdTimeSeconds: 90,
  keepaliveTimeSeconds: 30,
  connectRetrySeconds: 120,
  families: ["ipv4", "ipv6"],
  extendedNextHop: false,
  gracefulRestart: undefined,
};
const offers: Peering = { ...silent, extendedNextHop: true };
const capability = (safi: number, nextHopAfi: number): Capability => ({
  type: "extended-next-hop",
  families: [{ family: { afi: 1, safi }, nextHopAfi }],
});

describe("IPv6 next hops of IPv4 routes", () => {
  test("are offered where they are wanted, for IPv4 unicast", () => {
    const offered = (as: Peering) =>
      openOf(as).capabilities.filter(({ type }) => type === "extended-next-hop");
    expect(offered(offers)).toEqual([capability(1, 2)]);
    expect(offered(silent)).toEqual([]);
  });
  test.for([
    ["both offer them", offers, capability(1, 2), true],
    ["we alone do", offers, { type: "route-refresh" }, false],
    ["the peer alone does", silent, capability(1, 2), false],
    ["the peer means another family", offers, capability(128, 2), false],
    ["the peer means IPv4 next hops", offers, capability(1, 1), false],
  ] as const)("where %s", ([, as, said, agreed]) => {
    const answer = negotiate(as, {
      asn: asn(64999),
      holdTimeSeconds: 30,
      routerId: address("192.0.2.2"),
      capabilities: [said],
    });
    expect(answer).toMatchObject({ ok: true, negotiated: { extendedNextHop: agreed } });
  });
});
