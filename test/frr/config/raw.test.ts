/**
 * Raw lines: where they belong, what is refused of them, and what they become.
 */
import { describe, expect, test } from "vitest";
import { parseRunning } from "../../../backends/frr/config/parse.ts";
import { effectOf, foundIn, overlay, placeRaw } from "../../../backends/frr/config/raw.ts";
import { plain } from "../text.ts";

describe("raw text", () => {
  test("is placed by the nodes that it opens, closed or not", () => {
    const text = `
! a comment
router bgp 64512
 neighbor 192.0.2.2   description   two words
 address-family ipv4 unicast
  network 10.0.0.0/8
 exit-address-family
 bgp router-id 192.0.2.1
exit
ip prefix-list a permit any
route-map m permit 10
 match ip address prefix-list a
route-map m deny 20
bgp as-path access-list x permit ^$
router bgp 64512 vrf red
 address-family l2vpn evpn
  vni 5
   rd 1:1
end
ip prefix-list b permit any
`;
    expect(placeRaw(text).refused).toEqual([]);
    expect(placeRaw(text).lines.map(({ path, line }) => [...path, line].join(" / "))).toEqual([
      "router bgp 64512",
      "router bgp 64512 / neighbor 192.0.2.2 description two words",
      "router bgp 64512 / address-family ipv4 unicast",
      "router bgp 64512 / address-family ipv4 unicast / network 10.0.0.0/8",
      "router bgp 64512 / bgp router-id 192.0.2.1",
      "ip prefix-list a permit any",
      "route-map m permit 10",
      "route-map m permit 10 / match ip address prefix-list a",
      "route-map m deny 20",
      "bgp as-path access-list x permit ^$",
      "router bgp 64512 vrf red",
      "router bgp 64512 vrf red / address-family l2vpn evpn",
      "router bgp 64512 vrf red / address-family l2vpn evpn / vni 5",
      "router bgp 64512 vrf red / address-family l2vpn evpn / vni 5 / rd 1:1",
      "ip prefix-list b permit any",
    ]);
  });

  test("writes no startup file, and steers no vty", () => {
    const text =
      "do write memory\nwrite\nconfigure terminal\nXFRR_end_configuration\nbfd\nip prefix-list a permit any\n";
    expect(placeRaw(text)).toEqual({
      lines: [{ path: [], line: "ip prefix-list a permit any" }],
      refused: ["do write memory", "write", "configure terminal", "XFRR_end_configuration", "bfd"],
    });
  });
});

const RUNNING = parseRunning(
  "router bgp 1\n neighbor 192.0.2.2 remote-as 2\n neighbor 192.0.2.2 timers 1 3\nip prefix-list a seq 5 permit 10.0.0.0/8 le 32\n",
);

describe("what is there", () => {
  test("is found as it was written, or with the number that FRR gave it", () => {
    const { lines } = placeRaw(
      "ip prefix-list a permit 10.0.0.0/8 le 32\nrouter bgp 1\nneighbor 192.0.2.2 timers 1 3\nno bgp router-id\n",
    );
    expect(foundIn(RUNNING, lines)).toEqual({
      isAll: true,
      effect: {
        added: [
          { path: [], line: "ip prefix-list a seq 5 permit 10.0.0.0/8 le 32" },
          { path: [], line: "router bgp 1" },
          { path: ["router bgp 1"], line: "neighbor 192.0.2.2 timers 1 3" },
        ],
        removed: [{ path: ["router bgp 1"], line: "bgp router-id" }],
      },
    });
  });

  test("is told from what is missing", () => {
    const { lines } = placeRaw(
      "ip prefix-list a permit any\nrouter bgp 1\nno neighbor 192.0.2.2 timers 1 3",
    );
    expect(foundIn(RUNNING, lines)).toEqual({
      isAll: false,
      effect: { added: [{ path: [], line: "router bgp 1" }], removed: [] },
    });
  });

  test("is laid over what is rendered, in the place of what says the same", () => {
    const rendered = parseRunning(
      "router bgp 1\n neighbor 192.0.2.2 remote-as 2\n neighbor 192.0.2.2 timers 30 90\n bgp router-id 192.0.2.1\n",
    );
    const after = parseRunning(
      "router bgp 1\n neighbor 192.0.2.2 remote-as 2\n neighbor 192.0.2.2 timers 1 3\nroute-map x permit 1\n set tag 5\n",
    );
    const effect = effectOf(rendered, after);
    expect(plain(overlay(rendered, effect))).toEqual(plain(after));
    expect(
      plain(overlay(parseRunning("router bgp 1\n bgp router-id 192.0.2.1\n"), effect)),
    ).toEqual({
      "router bgp 1": {},
      "route-map x permit 1": { "set tag 5": {} },
    });
  });
});
