/**
 * Next hop objects that an earlier run left: in use as long as a group in use has them, in whatever order they are told.
 */
import { describe, expect, test } from "vitest";
import { createForwardings, type Forwardings } from "../../backends/kernel/forwarding.ts";
import { FIRST_NEXTHOP } from "../../backends/kernel/netlink/numbers.ts";
import { routeView } from "../../backends/kernel/netlink/route.ts";

const [GROUP, A, B] = [FIRST_NEXTHOP + 1, FIRST_NEXTHOP, FIRST_NEXTHOP + 2];
const hop = (id: number, last: number) =>
  ({
    type: "hop",
    id,
    family: "ipv4",
    hop: { device: 2, gateway: Uint8Array.of(10, 0, 0, last) },
  }) as const;
const group = { type: "group", id: GROUP, members: [A, B] } as const;

function usedBy(told: readonly Parameters<Forwardings["told"]>[0][]): Forwardings {
  const forwardings = createForwardings(true);
  for (const one of told) forwardings.told(one);
  const route = { ...routeView(), family: "ipv4" as const, nexthop: GROUP };
  forwardings.refer(forwardings.ofKernel(route), 1);
  return forwardings;
}

describe("a group of two that a route uses", () => {
  test.for([
    ["after its members", [hop(A, 1), hop(B, 2), group]],
    ["between them, as a dump by numbers tells it", [hop(A, 1), group, hop(B, 2)]],
    ["before them", [group, hop(A, 1), hop(B, 2)]],
  ] as const)("told %s, keeps both", ([, told]) => {
    const forwardings = usedBy(told);
    expect(forwardings.sweep()).toEqual([]);
    // The same once more: a reading finds what is there.
    forwardings.beforeDump();
    for (const one of told) forwardings.told(one);
    expect(forwardings.restore()).toEqual([]);
    expect(forwardings.sweep()).toEqual([]);
  });
});
