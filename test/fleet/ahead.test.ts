/**
 * Hosts that are ahead of a stream: who they are, and what a publisher is told.
 */
import { expect, test } from "vitest";
import { aheadRefusal, aheadText, highest } from "../../agent/fleet/ahead.ts";

const words = (...generations: readonly number[]) =>
  generations.map((generation, index) => ({ host: `edge${index + 1}`, generation }));

test("of a host's words the highest counts, and hosts stand highest first", () => {
  expect(highest([...words(3, 9, 3), { host: "edge1", generation: 5 }])).toEqual([
    { host: "edge2", generation: 9 },
    { host: "edge1", generation: 5 },
    { host: "edge3", generation: 3 },
  ]);
});

test("names the hosts above a generation, and counts the rest", () => {
  expect(aheadText(words(3, 4), 4)).toBeUndefined();
  expect(aheadText(words(3, 4), 3)).toBe("edge2 has 4");
  expect(aheadText(words(2, 3, 4, 5, 6, 7, 8), 1)).toBe(
    "edge7 has 8, edge6 has 7, edge5 has 6, edge4 has 5, edge3 has 4 and 2 more",
  );
});

test("refuses with what to do, and not where nobody was asked or nobody is ahead", () => {
  expect(aheadRefusal(undefined, 0)).toBeUndefined();
  expect(aheadRefusal(words(4), 4)).toBeUndefined();
  expect(aheadRefusal(words(4), 0)?.message).toMatch(
    /ends with generation 0, and edge1 has 4.*fleet rebase.*--despite-hosts/,
  );
  expect(aheadRefusal("forbidden", 0)?.message).toContain("fleet auth");
  expect(aheadRefusal("forbidden", 1)).toBeUndefined();
});
