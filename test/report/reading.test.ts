/**
 * A reader of the audit stream: each fact once, gaps seen and filled, and another log noticed however it comes.
 * Method: facts as messages would give them; hashes are names, because message.test.ts has the real ones.
 */
import { describe, expect, test } from "vitest";
import type { Checkpoint } from "../../agent/report/checkpoint.ts";
import { isGivenUp, knownText, noted, readKnown } from "../../agent/report/heads.ts";
import type { AuditFact } from "../../agent/report/message.ts";
import { hostReading } from "../../agent/report/reading.ts";

const KEY = "UHOST";
const hash = (log: string, seq: number): string => `${log}-${seq}`;
const fact = (seq: number, previous: number, log = "a", signer = KEY): AuditFact => ({
  seq,
  hash: hash(log, seq),
  previousHash: hash(log, seq - 1),
  previous,
  standsFor: 0,
  header: "{}",
  body: "{}",
  signer,
});
const checkpoint = (seq: number, log = "a", changes: Partial<Checkpoint> = {}): Checkpoint => ({
  fleet: "berlin",
  host: "edge-1",
  count: seq,
  seq,
  hash: hash(log, seq),
  at: `2026-11-21T12:00:${`${seq % 60}`.padStart(2, "0")}Z`,
  key: KEY,
  before: null,
  lanes: {},
  ...changes,
});
const place = (sequence: number) => ({ created: "stream-1", sequence });

test("each fact is new once; doubles of a refill are not", () => {
  const one = hostReading(undefined, {});
  expect(one.fact("desired", fact(1, 0), place(1))).toEqual({ isNew: true, findings: [] });
  expect(one.fact("desired", fact(4, 1), place(1))).toEqual({ isNew: true, findings: [] });
  expect(one.fact("desired", fact(1, 0), place(1))).toEqual({ isNew: false, findings: [] });
  expect(one.fact("desired", fact(4, 1), place(1))).toEqual({ isNew: false, findings: [] });
  expect(one.fact("sessions", fact(2, 0), place(1))).toEqual({ isNew: true, findings: [] });
  expect(one.positions()).toEqual({ desired: 4, sessions: 2 });
});

test("goes on from a noted position: what was read before is not new", () => {
  const one = hostReading(undefined, { desired: 4 });
  expect(one.fact("desired", fact(4, 1), place(1)).isNew).toBe(false);
  expect(one.fact("desired", fact(6, 4), place(1))).toEqual({ isNew: true, findings: [] });
});

test("a stream that begins later than the log is no gap for who never read it", () => {
  const one = hostReading(undefined, {});
  expect(one.fact("desired", fact(9, 7), place(1)).findings).toEqual([
    { type: "begins-behind", lane: "desired", to: 7 },
  ]);
  expect(one.gaps()).toEqual([]);
  expect(one.positions()).toEqual({ desired: 9 });
  // It was lost on its way, and is told again behind the later one.
  expect(one.fact("desired", fact(7, 0), place(1)).isNew).toBe(true);
  expect(one.fact("desired", fact(7, 0), place(1)).isNew).toBe(false);
});

describe("a gap", () => {
  test("is seen, kept as the reader's position, and filled by a refill whose facts are new", () => {
    const one = hostReading(undefined, {});
    one.fact("desired", fact(1, 0), place(1));
    expect(one.fact("desired", fact(9, 6), place(1)).findings).toEqual([
      { type: "gap", lane: "desired", from: 1, to: 6 },
    ]);
    expect(one.positions()).toEqual({ desired: 1 });
    expect(one.fact("desired", fact(3, 1), place(1)).isNew).toBe(true);
    expect(one.gaps()).toEqual([{ lane: "desired", from: 3, to: 6 }]);
    expect(one.fact("desired", fact(6, 3), place(1)).isNew).toBe(true);
    expect(one.gaps()).toEqual([]);
    expect(one.positions()).toEqual({ desired: 9 });
    expect(one.fact("desired", fact(9, 6), place(1))).toEqual({ isNew: false, findings: [] });
  });

  test("at the end shows by the checkpoint that counts what was told", () => {
    const one = hostReading(undefined, {});
    one.fact("desired", fact(1, 0), place(1));
    const lanes = { desired: { last: 5, to: 7 }, sessions: { last: 6, to: 7 } };
    expect(one.checkpoint(checkpoint(7, "a", { lanes }), place(9))).toEqual([
      { type: "gap", lane: "desired", from: 1, to: 5 },
    ]);
  });

  test("is none where facts between were coalesced, whichever were told before", () => {
    const one = hostReading(undefined, {});
    one.fact("sessions", fact(10, 0), place(1));
    one.fact("sessions", fact(20, 10), place(1));
    expect(one.fact("sessions", fact(15, 10), place(1))).toEqual({ isNew: false, findings: [] });
    expect(one.fact("sessions", fact(30, 15), place(1))).toEqual({ isNew: true, findings: [] });
  });
});

describe("another log", () => {
  const begun = () => {
    const one = hostReading(undefined, {});
    one.fact("desired", fact(1, 0), place(1));
    one.fact("desired", fact(2, 1), place(1));
    one.checkpoint(checkpoint(2), place(3));
    return one;
  };

  test("is noticed by another hash at a seq that was told, and its facts are new", () => {
    const one = begun();
    const { isNew, findings } = one.fact("desired", fact(2, 1, "b"), place(1));
    expect(isNew).toBe(true);
    expect(findings[0]?.type).toBe("rewritten");
    expect(one.isRewritten()).toBe(true);
    expect(one.fact("desired", fact(3, 2, "b"), place(1)).isNew).toBe(true);
  });

  test("is noticed by what it says stands before a fact", () => {
    expect(begun().fact("desired", fact(3, 2, "b"), place(1)).findings[0]?.type).toBe("rewritten");
  });

  test("is noticed by a checkpoint with fewer facts", () => {
    expect(begun().checkpoint(checkpoint(1), place(4))[0]?.type).toBe("rewritten");
  });

  test("is noticed by what a run long ago remembered, and what was remembered stays", () => {
    const remembered = noted(undefined, checkpoint(2), place(3));
    const one = hostReading(remembered, {});
    expect(one.fact("desired", fact(2, 1, "b"), place(1)).findings[0]?.type).toBe("rewritten");
    one.checkpoint(checkpoint(9, "b"), place(12));
    expect(one.known()).toBe(remembered);
  });

  test("that nobody remembers is believed", () => {
    const one = hostReading(undefined, {});
    expect(one.checkpoint(checkpoint(9, "b"), place(12))).toEqual([]);
    expect(one.known()?.heads).toEqual([{ seq: 9, hash: "b-9" }]);
  });
});

describe("another log that an operator accepts", () => {
  const remembered = noted(undefined, checkpoint(2), place(3));
  const accepted = () => {
    const one = hostReading(remembered, {}, true);
    one.fact("desired", fact(1, 0), place(1));
    const seen = one.fact("desired", fact(2, 1, "b"), place(7));
    one.checkpoint(checkpoint(9, "b"), place(12));
    return { one, seen };
  };

  test("is said once more, and remembered in the place of the old one", () => {
    const { one, seen } = accepted();
    expect(seen.findings[0]?.type).toBe("accepted");
    expect(one.isRewritten()).toBe(false);
    expect(one.known()).toMatchObject({ heads: [{ seq: 9, hash: "b-9" }], begins: place(7) });
  });

  test("what stands before it in the stream is of the log that was given up", () => {
    const known = accepted().one.known();
    expect(isGivenUp(known, place(6))).toBe(true);
    expect(isGivenUp(known, place(7))).toBe(false);
    expect(isGivenUp(known, { created: "stream-2", sequence: 1 })).toBe(false);
    expect(isGivenUp(remembered, place(1))).toBe(false);
    expect(noted(known, checkpoint(20, "b"), place(20)).begins).toEqual(place(7));
  });
});

describe("a fact that the host's key did not sign", () => {
  test("is said and changes nothing, once the key is known", () => {
    const one = hostReading(undefined, {});
    one.checkpoint(checkpoint(2), place(1));
    expect(one.fact("desired", fact(3, 2, "a", "USTRANGER"), place(1)).findings[0]?.type).toBe(
      "unsigned",
    );
    expect(one.positions()).toEqual({});
  });

  test("a checkpoint of another key is said, and the key that is known stays", () => {
    const one = hostReading(noted(undefined, checkpoint(2), place(1)), {});
    const other = checkpoint(5, "a", { key: "USTRANGER" });
    expect(one.checkpoint(other, place(2))[0]?.type).toBe("other-key");
    expect(one.known()?.key).toBe(KEY);
  });
});

describe("a host whose key is pinned", () => {
  test("has no fact and no checkpoint that another key signed, and nothing of them is remembered", () => {
    const one = hostReading(undefined, {}, false, ["UPINNED"]);
    const seen = one.fact("desired", fact(1, 0), place(1));
    expect(seen).toMatchObject({ isNew: false, findings: [{ type: "unsigned" }] });
    expect(one.checkpoint(checkpoint(1), place(2))[0]?.type).toBe("not-pinned");
    expect(one.known()).toBeUndefined();
    expect(one.positions()).toEqual({});
    expect(one.key()).toBe("not pinned");
    expect(one.fact("desired", fact(1, 0, "a", "UPINNED"), place(3))).toEqual({
      isNew: true,
      findings: [],
    });
  });
});

test("a key that an operator accepts takes the known one's place, and the log goes on", () => {
  const one = hostReading(noted(undefined, checkpoint(2), place(1)), {}, true);
  const findings = one.checkpoint(checkpoint(5, "a", { key: "UNEW" }), place(2));
  expect(findings.map(({ type }) => type)).toEqual(["new-key"]);
  expect(one.known()).toMatchObject({
    key: "UNEW",
    former: [KEY],
    heads: [{ seq: 2 }, { seq: 5 }],
  });
});

test("what is remembered is written and read as it is; anything else is refused", () => {
  const fleets = { berlin: { "edge-1": noted(undefined, checkpoint(2), place(3)) } };
  const text = knownText(fleets).replaceAll("a-2", "ab".repeat(32));
  expect(readKnown(text)?.["berlin"]?.["edge-1"]?.key).toBe(KEY);
  expect(readKnown("{")).toBeUndefined();
  expect(readKnown('{"version":2,"fleets":{}}')).toBeUndefined();
});
