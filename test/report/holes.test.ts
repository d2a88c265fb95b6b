/**
 * Holes in a lane: what no message tells of, and which of it is told again.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { coverage, judgeHoles, removedFrom } from "../../agent/report/holes.ts";

const holesOf = (spans: readonly (readonly [number, number])[], upTo: number) => {
  const one = coverage();
  for (const [from, to] of spans) one.add(from, to);
  return one.holes(upTo).map(({ from, to }) => [from, to]);
};

describe("coverage", () => {
  test("a lane that follows without a gap has no hole, and none is all hole", () => {
    expect(
      holesOf(
        [
          [0, 2],
          [2, 5],
          [5, 9],
        ],
        9,
      ),
    ).toEqual([]);
    expect(holesOf([], 9)).toEqual([[0, 9]]);
    expect(holesOf([], 0)).toEqual([]);
  });

  test("the beginning, the middle and the end may be missing, and what is beyond the end is not looked at", () => {
    const spans = [
      [2, 5],
      [7, 9],
      [20, 30],
    ] as const;
    expect(holesOf(spans, 12)).toEqual([
      [0, 2],
      [5, 7],
      [9, 12],
    ]);
    expect(holesOf(spans, 25)).toEqual([
      [0, 2],
      [5, 7],
      [9, 20],
    ]);
  });

  test("says the same in whatever order and however often messages come", () => {
    const span = fc
      .tuple(fc.nat(60), fc.nat(20))
      .map(([from, more]) => [from, from + 1 + more] as const);
    fc.assert(
      fc.property(fc.array(span, { maxLength: 30 }), (spans) => {
        const missing = Array.from({ length: 70 }, (_, index) => index + 1).filter(
          (seq) => !spans.some(([from, to]) => seq > from && seq <= to),
        );
        const said = holesOf([...spans, ...spans.toReversed()], 70).flatMap(([from = 0, to = 0]) =>
          Array.from({ length: to - from }, (_, index) => from + 1 + index),
        );
        expect(said).toEqual(missing);
      }),
    );
  });
});

describe("what was taken out of a stream", () => {
  const info = { created: "c", firstSequence: 4, lastSequence: 10, messages: 5, isLimited: false };

  test("is what has a sequence and is not there", () => {
    expect(removedFrom(info)).toBe(5);
    expect(removedFrom({ ...info, firstSequence: 11, messages: 0 })).toBe(10);
    expect(removedFrom({ ...info, firstSequence: 0, lastSequence: 0, messages: 0 })).toBe(0);
  });

  test("is what is missing behind its first message where its own rules let the oldest go", () => {
    expect(removedFrom({ ...info, isLimited: true })).toBe(2);
  });
});

describe("a hole", () => {
  const holes = [
    { from: 0, to: 4 },
    { from: 6, to: 8 },
  ];
  const judged = (readers: readonly number[], isLimited = false) =>
    judgeHoles("desired", holes, { readers, isLimited });

  test("is filled where nobody reads by name, for who comes is to find everything", () => {
    expect(judged([])).toEqual({ fill: holes, missing: [] });
  });

  test("is filled where a reader lacks any of it, and stays where all have it", () => {
    expect(judged([9, 7])).toEqual({
      fill: [{ from: 6, to: 8 }],
      missing: [{ lane: "desired", from: 0, to: 4, why: "read" }],
    });
    expect(judged([8, 20]).fill).toEqual([]);
  });

  test("at the beginning of a stream with limits is what the limits took", () => {
    expect(judged([], true)).toEqual({
      fill: [{ from: 6, to: 8 }],
      missing: [{ lane: "desired", from: 0, to: 4, why: "limits" }],
    });
  });
});
