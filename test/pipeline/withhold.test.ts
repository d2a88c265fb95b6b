/**
 * Bound before announced, in failure too: what is not announced while this host does not receive it.
 */
import { expect, test } from "vitest";
import { withheld, withhold } from "../../agent/pipeline/withhold.ts";
import { NO_SPEAKER } from "../../backends/intent.ts";
import { address } from "../../events/address.ts";
import { advertisement, peer, planOf, pool, service, together, world } from "../plan/world.ts";

const made = planOf(
  world(
    { bindAddresses: "lo" },
    together(
      pool("one", ["192.0.2.0/24"]),
      peer("p1", "10.0.0.1"),
      advertisement("each"),
      advertisement("wide", { aggregationLength: 24 }),
      service("a"),
      service("b"),
    ),
  ),
);
const { addresses } = made.kernel;
const speaker = made.speakers.native ?? NO_SPEAKER;
const [a, b] = [address("192.0.2.0"), address("192.0.2.1")];
const told = (...unusable: (typeof a)[]): string[] => {
  const reasons = new Map(unusable.map((one) => [one, "device lo9 is not there"]));
  const { routers } = withhold(speaker, addresses, reasons);
  return routers.flatMap(({ routes }) => [...routes.keys()]).toSorted();
};

test("where every address is bound, the very intent goes out", () => {
  expect(withhold(speaker, addresses, new Map())).toBe(speaker);
  expect(told()).toEqual(["192.0.2.0/24", "192.0.2.0/32", "192.0.2.1/32"]);
});

test("an address that is not bound keeps its own prefix back, and no other", () => {
  expect(told(a)).toEqual(["192.0.2.0/24", "192.0.2.1/32"]);
  expect([...withheld(addresses, new Map([[a, "why"]]))]).toEqual([["192.0.2.0/32", "why"]]);
});

test("the aggregate goes with the last of its addresses", () => {
  expect(told(a, b)).toEqual([]);
});
