/**
 * A storm in the sessions lane: what is told of it stays within a budget, and every fact is told or counted.
 * Method: candidates with times of their own; the coalescer has no clock.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Candidate, coalescer, type Told } from "../../agent/report/coalesce.ts";

const BOOT = "boot-1";
const at = (seq: number, millis: number, subject = "peer-a", boot = BOOT): Candidate => ({
  seq,
  subject,
  millis,
  boot,
});

const told = (budget: number, candidates: readonly Candidate[]): Told[] => {
  const one = coalescer(budget);
  return [...candidates.flatMap((candidate) => one.push(candidate)), ...one.close()];
};

test("what stays within the budget passes at once, each fact by itself", () => {
  const one = coalescer(3);
  expect(one.push(at(1, 0))).toEqual([{ seq: 1, standsFor: 0 }]);
  expect(one.push(at(2, 10))).toEqual([{ seq: 2, standsFor: 0 }]);
  expect(one.push(at(3, 20))).toEqual([{ seq: 3, standsFor: 0 }]);
  expect(one.waiting()).toBeUndefined();
  expect(one.push(at(4, 1000))).toEqual([{ seq: 4, standsFor: 0 }]);
});

test("beyond it each subject's newest is told at the window's end, with how many it stands for", () => {
  const one = coalescer(2);
  const first = [at(1, 0), at(2, 1), at(3, 2), at(4, 3), at(5, 4, "peer-b"), at(6, 5)];
  expect(first.flatMap((candidate) => one.push(candidate))).toEqual([
    { seq: 1, standsFor: 0 },
    { seq: 2, standsFor: 0 },
  ]);
  expect(one.waiting()).toEqual({ opened: 1, spanMillis: 2000 });
  expect(one.push(at(7, 2000, "peer-c"))).toEqual([
    { seq: 5, standsFor: 0 },
    { seq: 6, standsFor: 2 },
    { seq: 7, standsFor: 0 },
  ]);
});

test("a hundred sessions that go down together take ten seconds of a budget of ten, and none is left out", () => {
  const down = Array.from({ length: 100 }, (_, index) => at(index + 1, index, `peer-${index}`));
  const one = coalescer(10);
  const passed = down.flatMap((candidate) => one.push(candidate));
  expect(passed.length).toBe(10);
  expect(one.waiting()?.spanMillis).toBe(10_000);
  expect(one.close().length).toBe(90);
});

test("another boot ends the window, because its clock says nothing of this one's", () => {
  const one = coalescer(1);
  one.push(at(1, 5000));
  expect(one.push(at(2, 5001))).toEqual([]);
  expect(one.push(at(3, 5002, "peer-a", "boot-2"))).toEqual([
    { seq: 2, standsFor: 0 },
    { seq: 3, standsFor: 0 },
  ]);
});

test("every fact is told or counted, in order of seq, and each subject's last one is told", () => {
  const storm = fc.array(
    fc.record({
      subject: fc.constantFrom("a", "b", "c", "d"),
      after: fc.integer({ min: 0, max: 900 }),
    }),
    { maxLength: 200 },
  );
  fc.assert(
    fc.property(storm, fc.integer({ min: 1, max: 20 }), (facts, budget) => {
      let millis = 0;
      const candidates = facts.map(({ subject, after }, index) => {
        millis += after;
        return at(index + 1, millis, subject);
      });
      const all = told(budget, candidates);
      const seqs = all.map(({ seq }) => seq);
      const lasts = [...new Map(candidates.map(({ subject, seq }) => [subject, seq])).values()];
      expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
      expect(seqs).toEqual(expect.arrayContaining(lasts));
      expect(all.reduce((sum, { standsFor }) => sum + 1 + standsFor, 0)).toBe(candidates.length);
      expect(told(budget, candidates)).toEqual(all);
    }),
  );
});
