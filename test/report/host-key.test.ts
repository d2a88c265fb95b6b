/**
 * A host's key: pinned, heard first, or another one, which is never taken in silence.
 */
import { describe, expect, test } from "vitest";
import { knownText, readKnown, type KnownHost } from "../../agent/report/heads.ts";
import { hostKey, standingOf } from "../../agent/report/host-key.ts";

const [A, B, C] = ["UA", "UB", "UC"] as const;
const known: KnownHost = {
  key: A,
  heads: [],
  at: "2026-11-20T00:00:00Z",
  place: { created: "c", sequence: 1 },
};
const of = (before?: KnownHost, pins: readonly string[] = [], accepts = false) =>
  hostKey(before, { pins, accepts });
const types = ({ findings }: ReturnType<ReturnType<typeof hostKey>["fact"]>): string[] =>
  findings.map(({ type }) => type);

describe("without a pin", () => {
  test("the first key that is heard is the host's, and nothing is said", () => {
    const keys = of();
    expect(keys.standing()).toBe("unknown");
    expect(keys.fact(1, B)).toEqual({ believed: true, findings: [] });
    expect(keys.checkpoint(A, "t1", undefined)).toEqual({ believed: true, findings: [] });
    expect(keys.standing()).toBe("first heard");
    expect(keys.fact(2, A).believed).toBe(true);
  });

  test("another one is not believed, and it is said who and since when, now and by every later run", () => {
    const keys = of(known);
    const { believed, findings } = keys.checkpoint(B, "2026-11-21T00:00:00Z", known.at);
    expect(believed).toBe(false);
    expect(findings[0]?.type).toBe("other-key");
    expect(findings[0]?.reason).toContain(
      "it signs with UB since 2026-11-21T00:00:00Z (its own clock), and signed with UA until 2026-11-20T00:00:00Z",
    );
    expect(keys.checkpoint(B, "2026-11-21T00:05:00Z", known.at).findings).toEqual([]);
    expect(keys.standing()).toBe("another");
    const later = of(keys.remembered(known));
    expect(later.standing()).toBe("another");
    expect(later.checkpoint(B, "2026-11-22T00:00:00Z", known.at).findings[0]?.reason).toContain(
      "since 2026-11-21T00:00:00Z",
    );
  });

  test("a fact of a stranger is said once, and of nobody, too", () => {
    const keys = of(known);
    expect(keys.fact(5, B)).toMatchObject({ believed: false, findings: [{ type: "unsigned" }] });
    expect(keys.fact(6, B)).toEqual({ believed: false, findings: [] });
    expect(keys.fact(7, undefined).findings[0]?.reason).toBe("seq 7: nobody signed it, not UA");
    expect(keys.fact(8, A).believed).toBe(true);
  });

  test("what an operator accepts is the host's from then on, and what the old one signed stays its own", () => {
    const keys = of(known, [], true);
    expect(types(keys.fact(5, B))).toEqual(["new-key"]);
    expect(keys.checkpoint(B, "t", known.at)).toEqual({ believed: true, findings: [] });
    const after = keys.remembered(known);
    expect(after).toMatchObject({ key: B, former: [A] });
    expect(readKnown(knownText({ berlin: { edge: after } }))?.["berlin"]?.["edge"]).toEqual(after);
    expect(of(after).fact(4, A)).toEqual({ believed: true, findings: [] });
    expect(of(after).checkpoint(A, "t", "t")).toEqual({ believed: true, findings: [] });
  });

  test("nothing new is the very same memory", () => {
    const keys = of(known);
    keys.checkpoint(A, "t", known.at);
    expect(keys.remembered(known)).toBe(known);
  });
});

describe("with a pin", () => {
  test("only what it names is believed, whatever was heard before, and accepting changes nothing", () => {
    const keys = of(known, [B], true);
    expect(types(keys.checkpoint(A, "t", known.at))).toEqual(["not-pinned"]);
    expect(keys.checkpoint(A, "t", known.at).believed).toBe(false);
    expect(types(keys.fact(3, C))).toEqual(["unsigned"]);
    expect(keys.standing()).toBe("not pinned");
  });

  test("a change to what it names is said, and is no fault", () => {
    const keys = of(known, [B, A]);
    expect(keys.fact(3, A).believed).toBe(true);
    expect(keys.checkpoint(B, "t", known.at)).toMatchObject({
      believed: true,
      findings: [{ type: "new-key" }],
    });
    expect(keys.standing()).toBe("pinned");
    expect(keys.remembered(known).key).toBe(B);
  });

  test("a host's first word is held against it", () => {
    expect(of(undefined, [A]).checkpoint(B, "t", undefined).believed).toBe(false);
    expect(of(undefined, [A]).fact(1, undefined).believed).toBe(false);
    expect(of(undefined, [A]).checkpoint(A, "t", undefined)).toEqual({
      believed: true,
      findings: [],
    });
  });
});

test("the key in a status is judged alike", () => {
  expect(standingOf(A, [A, B], undefined)).toBe("pinned");
  expect(standingOf(C, [A, B], known)).toBe("not pinned");
  expect(standingOf(null, [A], known)).toBe("not pinned");
  expect(standingOf(A, [], known)).toBe("first heard");
  expect(standingOf(B, [], { ...known, former: [B] })).toBe("first heard");
  expect(standingOf(B, [], known)).toBe("another");
  expect(standingOf(B, [], undefined)).toBe("unknown");
});
