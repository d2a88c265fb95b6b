/**
 * Checkpoints and what a reader makes of them: a log that was cut, set back or replaced contradicts what left the host before.
 */
import { describe, expect, test } from "vitest";
import { newSeed, signerFromSeed } from "../../agent/fleet/signing.ts";
import {
  type Checkpoint,
  checkpointMessage,
  isDue,
  readCheckpoint,
} from "../../agent/report/checkpoint.ts";
import {
  contradiction,
  judge,
  type KnownHost,
  noted,
  type StreamPlace,
} from "../../agent/report/heads.ts";

const signer = signerFromSeed(newSeed("user"));
const hashOf = (name: string, seq: number): string =>
  `${name}${seq}`.padEnd(64, "0").replaceAll(/[^0-9a-f]/g, "a");
const CREATED = "2026-11-21T10:00:00Z";
const place = (sequence: number, created = CREATED): StreamPlace => ({ created, sequence });

const checkpoint = (seq: number, changes: Partial<Checkpoint> = {}): Checkpoint => ({
  fleet: "berlin",
  host: "edge-1",
  count: seq,
  seq,
  hash: hashOf("a", seq),
  at: new Date(Date.UTC(2026, 10, 21, 12, 0, seq)).toISOString(),
  key: signer.publicKey,
  before: null,
  lanes: { desired: { last: seq - 1, to: seq } },
  ...changes,
});
const known = (...seqs: readonly number[]): KnownHost | undefined =>
  seqs.reduce<KnownHost | undefined>(
    (before, seq, index) => noted(before, checkpoint(seq), place(index + 1)),
    undefined,
  );

describe("a checkpoint on its way", () => {
  const berlin = { fleet: "berlin", host: "edge-1" };

  test("arrives as it was signed", () => {
    const message = checkpointMessage(checkpoint(10), signer);
    expect(readCheckpoint(message, berlin)).toEqual({ ok: true, checkpoint: checkpoint(10) });
  });

  test("of another host, or on another host's subject, is none of this one's", () => {
    const message = checkpointMessage(checkpoint(10), signer);
    expect(readCheckpoint(message, { ...berlin, host: "edge-2" })).toMatchObject({ ok: false });
    expect(readCheckpoint(message, { ...berlin, fleet: "paris" })).toMatchObject({ ok: false });
  });

  test("that was touched, or that another key signed, is refused", () => {
    const { headers, body } = checkpointMessage(checkpoint(10), signer);
    const touched = Buffer.from(Buffer.from(body).toString().replace('"seq":10', '"seq":11'));
    expect(readCheckpoint({ headers, body: touched }, berlin)).toEqual({
      ok: false,
      reason: "its signature is not its key's",
    });
    const stranger = signerFromSeed(newSeed("user"));
    expect(readCheckpoint(checkpointMessage(checkpoint(10), stranger), berlin)).toEqual({
      ok: false,
      reason: "its signer is not its key",
    });
  });

  test.each(["", "{", "[]", '{"fleet":"berlin"}', '{"__proto__":{"seq":1}}'])(
    "%j is no checkpoint",
    (text) => {
      const message = { headers: {}, body: new TextEncoder().encode(text) };
      expect(readCheckpoint(message, berlin)).toEqual({ ok: false, reason: "it is no checkpoint" });
    },
  );
});

describe("the judgement", () => {
  test("the first word of a host is believed", () => {
    expect(judge(undefined, checkpoint(10), place(1))).toEqual({ type: "first" });
  });

  test("a log that grew goes on", () => {
    expect(judge(known(10), checkpoint(20), place(2))).toEqual({ type: "goes-on" });
  });

  test("an older checkpoint that is read again is known", () => {
    expect(judge(known(10, 20), checkpoint(10), place(1))).toEqual({ type: "known" });
  });

  test("fewer facts than before: rewritten", () => {
    expect(judge(known(10, 20), checkpoint(15), place(3))).toMatchObject({
      type: "rewritten",
      reason: "it has 15 facts, and had 20 before",
    });
  });

  test("fewer facts in a stream that was made later: rewritten", () => {
    const later = checkpoint(15, { at: "2026-11-22T00:00:00Z" });
    expect(judge(known(10, 20), later, place(1, "2026-11-21T23:00:00Z"))).toMatchObject({
      type: "rewritten",
    });
  });

  test("another hash where one is known: rewritten", () => {
    const other = checkpoint(20, { hash: hashOf("b", 20) });
    expect(judge(known(10, 20), other, place(3))).toMatchObject({ type: "rewritten" });
  });

  test("a replaced log that has grown beyond what is known shows by the hash at the checkpoint before", () => {
    const before = { seq: 20, hash: hashOf("b", 20) };
    const grown = checkpoint(500, { hash: hashOf("b", 500), before });
    expect(judge(known(10, 20), grown, place(3))).toMatchObject({ type: "rewritten" });
    const cut = checkpoint(12, { before: { seq: 20, hash: "" } });
    expect(judge(known(10, 20), cut, place(3))).toMatchObject({
      type: "rewritten",
      reason: expect.stringContaining("now it has nothing there"),
    });
  });

  test("a fact's hash is held against what is known", () => {
    expect(contradiction(known(10, 20), { seq: 10, hash: hashOf("a", 10) })).toBeUndefined();
    expect(contradiction(known(10, 20), { seq: 15, hash: hashOf("b", 15) })).toBeUndefined();
    expect(contradiction(known(10, 20), { seq: 10, hash: hashOf("b", 10) })).toContain("seq 10");
    expect(contradiction(undefined, { seq: 10, hash: hashOf("b", 10) })).toBeUndefined();
  });

  test("a year of checkpoints is remembered in bounds, the first and the newest among them", () => {
    const all = known(...Array.from({ length: 5000 }, (_, index) => index + 1));
    expect(all?.heads.length).toBeLessThanOrEqual(256);
    expect(all?.heads[0]?.seq).toBe(1);
    expect(all?.heads.at(-1)?.seq).toBe(5000);
  });
});

test("one is due after a start, after a time, and after 10,000 facts", () => {
  const due = (seq: number, nowMillis: number): boolean =>
    isDue({ made: { atMillis: 1000, seq: 50 }, nowMillis, seq, everyMillis: 60_000 });
  expect(isDue({ made: undefined, nowMillis: 0, seq: 1, everyMillis: 60_000 })).toBe(true);
  expect(due(51, 60_999)).toBe(false);
  expect(due(51, 61_000)).toBe(true);
  expect(due(10_049, 2000)).toBe(false);
  expect(due(10_050, 2000)).toBe(true);
});
