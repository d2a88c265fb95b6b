/**
 * The log as version 0.1 wrote it: every later version reads it the same.
 * Method: the stored database of test/fixtures/log-v1 against its stored export; only copies are opened for writing.
 */
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { versions } from "../../events/event.ts";
import { foldAll } from "../../events/fold.ts";
import { exportLog } from "../../events/log/export.ts";
import { type LogReader, readOnlyLog } from "../../events/log/read.ts";
import { verifyLog } from "../../events/log/verify.ts";
import { snapshotText, stateFromSnapshot } from "../../events/snapshot.ts";
import { stateDigest } from "../../events/state-digest.ts";
import { factPen, ownDirectory, ownLog } from "./facts.ts";

const fixture = join(import.meta.dirname, "../fixtures/log-v1");
const HEAD: { readonly seq: number; readonly hash: string } = JSON.parse(
  readFileSync(join(fixture, "export.jsonl"), "utf8").trimEnd().split("\n").at(-1) ?? "",
);

function stored(): LogReader {
  const reader = readOnlyLog(join(fixture, "log.db"));
  onTestFinished(() => reader.close());
  return reader;
}

test("it verifies up to the head that was noted then", () => {
  const { seq, hash } = HEAD;
  expect(verifyLog(stored())).toEqual({ ok: true, count: seq, head: { seq, hash } });
});

test("it exports the same octets", () => {
  expect([...exportLog(stored())].join("")).toBe(
    readFileSync(join(fixture, "export.jsonl"), "utf8"),
  );
});

test("each of its events is lifted to one of today's, and folds", () => {
  const facts = [...stored().read({})];
  expect(facts).toHaveLength(HEAD.seq);
  const lifted = facts.flatMap(({ event }) => event?.type ?? []);
  expect(lifted.filter((type) => !Object.hasOwn(versions, type))).toEqual([]);
  expect(facts.filter(({ event }) => event === undefined)).toMatchObject([
    { seq: 24, type: "session-observed", version: 1 },
  ]);
  expect(foldAll(facts).seq).toBe(HEAD.seq);
});

test("it folds to the state that it folded to then", () => {
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
  const noted = readFileSync(join(fixture, "fold.sha256"), "utf8").trim();
  const state = foldAll(stored().read({}));
  expect(stateDigest(state, sha256)).toBe(noted);
  expect(stateDigest(stateFromSnapshot(snapshotText(state)), sha256), "through a snapshot").toBe(
    noted,
  );
});

test("today's agent goes on writing it: no released migration was edited", async () => {
  const directory = ownDirectory();
  copyFileSync(join(fixture, "log.db"), join(directory, "log.db"));
  const pen = factPen();
  const log = await ownLog(directory, pen, { host: "fixture" });
  await log.append([pen.session()]);
  expect(log.head().seq).toBe(HEAD.seq + 1);
});
