/**
 * The decision process, clause by clause (RFC 4271 §9.1.2.2, RFC 4456 §9, RFC 5065 §5.3).
 *
 * Method: candidates that differ in one thing, and one step later in the other direction; then any set of them in any order.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Candidate, decide } from "../../backends/native/rib/decision.ts";
import { address } from "../../events/address.ts";

const ordinary: Omit<Candidate, "order" | "path"> = {
  localPref: 100,
  pathLength: 2,
  origin: 0,
  med: 0,
  neighborAs: 65_001,
  external: true,
  routerId: 1,
  clusterLength: 0,
  remoteAddress: address("192.0.2.1"),
};
type Given = Partial<Omit<Candidate, "order" | "path">>;
const candidatesOf = (given: readonly Given[]): Candidate[] =>
  given.map((one, order) => ({ ...ordinary, ...one, order, path: order }));

/** Places of those that are used. */
function used(
  given: readonly Given[],
  { maximumPaths = 64, costOf = () => 0 }: Partial<Parameters<typeof decide>[2]> = {},
): readonly number[] {
  const candidates = candidatesOf(given);
  const count = decide(candidates, candidates.length, { maximumPaths, costOf });
  return candidates.slice(0, count).map(({ order }) => order);
}

describe("of two routes the better is", () => {
  /** The first is better by what is named, and worse by all that comes after it. */
  const cases: readonly (readonly [clause: string, better: Given, worse: Given])[] = [
    ["the higher LOCAL_PREF (RFC 4271 §9.1.1)", { localPref: 101, pathLength: 9 }, {}],
    ["the shorter AS_PATH (§9.1.2.2 a)", { pathLength: 1, origin: 2 }, {}],
    ["the lower origin (§9.1.2.2 b)", { origin: 0, med: 9 }, { origin: 1 }],
    ["the lower MED of the same AS (§9.1.2.2 c)", { med: 1, external: false }, { med: 2 }],
    ["the one from another AS (§9.1.2.2 d)", { external: true, routerId: 9 }, { external: false }],
  ];
  test.for(cases)("%s", ([, better, worse]) => {
    expect(used([better, worse])).toEqual([0]);
    expect(used([worse, better])).toEqual([1]);
  });

  test("the one with the nearer next hop (§9.1.2.2 e)", () => {
    const costOf = (path: number): number => [10, 5][path] ?? 0;
    expect(used([{ routerId: 1 }, { routerId: 9 }], { costOf })).toEqual([1]);
  });

  const last: readonly (readonly [clause: string, better: Given, worse: Given])[] = [
    ["the lower router id (§9.1.2.2 f)", { routerId: 1, clusterLength: 3 }, { routerId: 2 }],
    [
      "the shorter CLUSTER_LIST (RFC 4456 §9)",
      { clusterLength: 0, remoteAddress: address("192.0.2.9") },
      { clusterLength: 1 },
    ],
    [
      "the lower peer address, as a number (§9.1.2.2 g)",
      { remoteAddress: address("192.0.2.9") },
      { remoteAddress: address("192.0.2.10") },
    ],
  ];
  test.for(last)("where only one is used, %s", ([, better, worse]) => {
    expect(used([worse, better], { maximumPaths: 1 })).toEqual([1]);
    expect(used([worse, better])).toEqual([0, 1]);
  });
});

describe("MED (RFC 4271 §9.1.2.2 c)", () => {
  test("says nothing between routes of two ASes", () => {
    expect(used([{ med: 5 }, { med: 1, neighborAs: 65_002 }])).toEqual([0, 1]);
  });
  test("does not bring a route back that lost to another one of its AS", () => {
    // Compared in pairs, in an unlucky order, the first would win over the second, the second over the third, the third over the first.
    const circle: readonly Given[] = [
      { med: 10, routerId: 1 },
      { med: 0, neighborAs: 65_002, routerId: 2 },
      { med: 5, routerId: 3 },
    ];
    expect(used(circle)).toEqual([1, 2]);
    expect(used(circle, { maximumPaths: 1 })).toEqual([1]);
  });
});

describe("together are used", () => {
  test("paths that lead through different ASes but are equally long", () => {
    expect(used([{ neighborAs: 1 }, { neighborAs: 2 }, { neighborAs: 3 }])).toEqual([0, 1, 2]);
  });
  test("never one from another AS and one from our own", () => {
    expect(used([{ external: false }, {}, { external: false }, {}])).toEqual([1, 3]);
  });
  test("at most so many: those that would win the last steps, in order of neighbour", () => {
    const five = [5, 1, 4, 2, 3].map((routerId) => ({ routerId }));
    expect(used(five, { maximumPaths: 3 })).toEqual([1, 3, 4]);
  });
  test("none where there is none, and the only one where there is one", () => {
    expect(used([])).toEqual([]);
    expect(used([{ origin: 2, external: false }])).toEqual([0]);
  });
});

test("the order in which candidates stand makes no difference", () => {
  const few = (max: number): fc.Arbitrary<number> => fc.nat(max);
  const any = fc.record({
    localPref: few(1),
    pathLength: few(1),
    origin: few(1),
    med: few(2),
    neighborAs: few(1),
    external: fc.boolean(),
    routerId: few(2),
    clusterLength: few(1),
    remoteAddress: few(2).map((i) => address(`192.0.2.${i}`)),
  });
  fc.assert(
    fc.property(
      fc.array(any, { minLength: 1, maxLength: 7 }),
      fc.integer({ min: 1, max: 4 }),
      fc.infiniteStream(fc.nat()),
      (given, maximumPaths, chance) => {
        const candidates = candidatesOf(given);
        const shuffled = candidates
          .map((one) => [chance.next().value, one] as const)
          .toSorted(([x], [y]) => x - y)
          .map(([, one]) => one);
        const options = { maximumPaths, costOf: () => 0 };
        const one = decide(candidates, candidates.length, options);
        const other = decide(shuffled, shuffled.length, options);
        const orders = (of: readonly Candidate[], count: number): number[] =>
          of
            .slice(0, count)
            .map(({ order }) => order)
            .toSorted((x, y) => x - y);
        expect(orders(shuffled, other)).toEqual(orders(candidates, one));
      },
    ),
    { numRuns: 500, endOnFailure: true },
  );
});
