/**
 * What is missing in the end, and what its host says of it.
 */
import { expect, test } from "vitest";
import { missingText } from "../../agent/report/audit-reader.ts";
import type { Checkpoint } from "../../agent/report/checkpoint.ts";
import { hostReading } from "../../agent/report/reading.ts";

const GAP = { lane: "desired", from: 4, to: 9 } as const;
const textOf = (changes: Partial<Checkpoint> | undefined, isLimited = false): string => {
  const reading = hostReading(undefined, {});
  if (changes !== undefined) {
    const lanes = { desired: { last: 20, to: 20 } };
    const at = "2026-11-21T12:00:00Z";
    const plain = {
      fleet: "f",
      host: "h",
      count: 20,
      seq: 20,
      hash: "x",
      at,
      key: "UA",
      before: null,
    };
    reading.checkpoint({ ...plain, lanes, ...changes }, { created: "c", sequence: 1 });
  }
  return missingText(reading, GAP, isLimited);
};
const held = (why: "read" | "limits" | "log", from = 3, to = 5) => ({
  held: { created: "c", removed: 1, missing: [{ lane: "desired" as const, from, to, why }] },
});

test("a host that says nothing of it fills it, unless it tells that lane no more or was never heard", () => {
  expect(textOf({})).toBe(
    "desired: facts above seq 4 and up to seq 9 are missing: its host fills it while it is connected",
  );
  expect(textOf({ lanes: {} })).toContain("does not tell this lane any more");
  expect(textOf(undefined)).toContain("nothing is known of its host");
});

test("a host's own reason is said where it is of this gap", () => {
  expect(textOf(held("read"))).toContain("so it is not filled");
  expect(textOf(held("limits"))).toContain("cannot be filled, for the stream has limits");
  expect(textOf(held("log"))).toContain("cannot be filled, for the host's own log lacks it");
  expect(textOf(held("read", 0, 4))).toContain("its host fills it");
  expect(textOf(held("read", 9, 12))).toContain("its host fills it");
});

test("limits of the stream are said beside it", () => {
  expect(textOf({}, true)).toContain("the stream's own limits let messages go");
});
