/**
 * Where the outbox goes on: what the stream holds, what readers lack, and what this log says of it.
 */
import { describe, expect, test } from "vitest";
import { resume } from "../../agent/report/cursor.ts";
import { pace } from "../../agent/report/pace.ts";

/** A log of 100 facts whose hashes are their own names. */
const hashAt = (seq: number): string | undefined => (seq <= 100 ? `hash-${seq}` : undefined);
const place = (seq: number, previous: number, confirmed: number, isWhole = true) => ({
  seq,
  hash: `hash-${seq}`,
  previous,
  confirmed,
  isWhole,
});

describe("a stream that has messages of this lane", () => {
  test("is told on behind the last one, where everything before it was acknowledged", () => {
    expect(resume({ last: place(40, 38, 38), looked: undefined, readers: [] }, hashAt)).toEqual({
      upTo: 40,
      readFrom: 41,
      why: "goes-on",
    });
  });

  test("is told again from the last acknowledged one, where one on the way may be lost", () => {
    expect(resume({ last: place(40, 38, 12), looked: undefined, readers: [] }, hashAt)).toEqual({
      upTo: 12,
      readFrom: 13,
      why: "goes-on",
    });
  });

  test("is told again from the fact whose last part is missing", () => {
    const last = place(40, 38, 38, false);
    expect(resume({ last, looked: undefined, readers: [] }, hashAt)).toMatchObject({ upTo: 38 });
  });

  test("a checkpoint saves what was looked through already, and what it knows as acknowledged", () => {
    const looked = { last: 40, to: 90 };
    expect(resume({ last: place(40, 38, 12), looked, readers: [] }, hashAt)).toEqual({
      upTo: 40,
      readFrom: 91,
      why: "goes-on",
    });
  });

  test("a checkpoint that is behind the last message saves nothing", () => {
    const looked = { last: 30, to: 33 };
    expect(resume({ last: place(40, 38, 38), looked, readers: [] }, hashAt)).toMatchObject({
      upTo: 40,
      readFrom: 41,
    });
  });

  test("readers do not matter", () => {
    const found = { last: place(40, 38, 38), looked: undefined, readers: [3] };
    expect(resume(found, hashAt)).toMatchObject({ upTo: 40 });
  });

  test("of another log is told anew from the first fact", () => {
    const other = { ...place(40, 38, 38), hash: "another" };
    const beyond = place(101, 100, 100);
    const anew = { upTo: 0, readFrom: 1, why: "foreign" };
    expect(resume({ last: other, looked: undefined, readers: [40] }, hashAt)).toEqual(anew);
    expect(resume({ last: beyond, looked: undefined, readers: [] }, hashAt)).toEqual(anew);
  });
});

describe("a stream that has none", () => {
  const lost = (readers: readonly number[]) =>
    resume({ last: undefined, looked: { last: 90, to: 99 }, readers }, hashAt);

  test("is told from the first fact, where nobody reads", () => {
    expect(lost([])).toEqual({ upTo: 0, readFrom: 1, why: "nothing-there" });
  });

  test("is told from what the slowest reader lacks", () => {
    expect(lost([70, 25, 100])).toEqual({ upTo: 25, readFrom: 26, why: "nothing-there" });
  });

  test("is told from the first fact, where a reader knows more than this log ever told", () => {
    expect(lost([70, 101])).toMatchObject({ upTo: 0, readFrom: 1 });
  });
});

describe("the pace of a refill", () => {
  test("a second's worth goes at once, then it keeps to the rate", () => {
    const { spend } = pace({ messages: 10, octets: 1000 });
    const waits = Array.from({ length: 12 }, () => spend(1, 0));
    expect(waits.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 0));
    expect(waits.slice(10)).toEqual([100, 200]);
  });

  test("octets count, too, and one message of many seconds' worth is waited for afterwards", () => {
    const { spend } = pace({ messages: 10, octets: 1000 });
    expect(spend(5000, 0)).toBe(4000);
    expect(spend(0, 4000)).toBe(0);
  });

  test("a long rest saves up one second's worth", () => {
    const { spend } = pace({ messages: 2, octets: 1000 });
    spend(1, 0);
    expect([spend(1, 60_000), spend(1, 60_000), spend(1, 60_000)]).toEqual([0, 0, 500]);
  });
});
