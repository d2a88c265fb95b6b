/**
 * Feed events as their first version was written: every later version lifts and folds them the same.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Event } from "../../events/event.ts";
import { feedsAfter, MAX_TOMBSTONES, MAX_VERDICTS } from "../../events/feeds.ts";
import { applyDesired } from "../../events/fold.ts";
import { type EventId, resourceKey } from "../../events/ids.ts";
import { snapshotText, stateFromSnapshot } from "../../events/snapshot.ts";
import { nothingDesired, nothingRecorded } from "../../events/state.ts";
import { stateDigest } from "../../events/state-digest.ts";
import { upcast } from "../../events/upcasts.ts";

const fixture = join(import.meta.dirname, "../fixtures/feed-events");
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

const lifted: readonly Event[] = readFileSync(join(fixture, "events.jsonl"), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => {
    const { type, version, body } = JSON.parse(line) as {
      readonly type: string;
      readonly version: number;
      readonly body: Readonly<Record<string, unknown>>;
    };
    const read = upcast(type, version, body);
    if (!read.ok) throw new Error(read.reason);
    return read.event;
  });
const desired = lifted.reduce(
  (state, event, i) => applyDesired(state, event, `fixture-${i + 1}` as EventId),
  nothingDesired,
);

test("they fold to the state that they folded to then, through a snapshot, too", () => {
  const noted = readFileSync(join(fixture, "fold.sha256"), "utf8").trim();
  expect(stateDigest(desired, sha256)).toBe(noted);
  const through = stateFromSnapshot(snapshotText({ ...nothingRecorded, desired }));
  expect(stateDigest(through.desired, sha256)).toBe(noted);
  expect(through.desired.feeds?.get("berlin")?.tombstones.size).toBe(2);
});

test("they say how far the host is, what it waits for and what it refused", () => {
  expect(desired.feeds?.get("berlin")).toMatchObject({
    generation: 9,
    base: 9,
    verdicts: [],
    left: [{ key: "/Service/shop/web", addresses: [{ address: "192.0.2.1" }] }],
    diverged: { strays: ["/Service/shop/stray"], fact: "fixture-11" },
    fact: "fixture-11",
  });
});

const advanced = (generation: number, more: object): Parameters<typeof feedsAfter>[1] => ({
  type: "feed-advanced",
  fleet: "f",
  set: "change",
  generation,
  digest: "",
  signer: "",
  position: { stream: "", created: "", sequence: 0 },
  verdict: { result: "applied" },
  applied: [],
  deleted: [],
  unchanged: 0,
  left: [],
  tombstones: [],
  ...more,
});
const fact = "fact-1" as EventId;

test("a base forgets the verdicts that it skips, and one of where we are forgets none", () => {
  const refused = { verdict: { result: "refused", rule: "r", reason: "" } };
  const one = feedsAfter(undefined, advanced(1, refused), fact);
  const mended = feedsAfter(one, advanced(1, { set: "base" }), fact);
  const skipped = feedsAfter(mended, advanced(2, { set: "base" }), fact);
  expect(mended.get("f")).toMatchObject({ base: 0, verdicts: [{ generation: 1 }] });
  expect(skipped.get("f")).toMatchObject({ base: 2, verdicts: [] });
});

test("what is remembered has a bound: the newest verdicts and tombstones stay", () => {
  const refused = { verdict: { result: "refused", rule: "r", reason: "" } };
  let feeds: Parameters<typeof feedsAfter>[0];
  for (let i = 1; i <= MAX_VERDICTS + 1; i += 1) {
    feeds = feedsAfter(feeds, advanced(i, refused), fact);
  }
  const verdicts = feeds?.get("f")?.verdicts ?? [];
  expect([verdicts.length, verdicts[0]?.generation]).toEqual([MAX_VERDICTS, 2]);
  const keys = (count: number, name: string) =>
    Array.from({ length: count }, (_, i) => resourceKey("", "Service", "n", `${name}${i}`));
  feeds = feedsAfter(feeds, advanced(200, { tombstones: keys(MAX_TOMBSTONES, "a") }), fact);
  feeds = feedsAfter(feeds, advanced(201, { tombstones: keys(2, "b") }), fact);
  const tombstones = feeds.get("f")?.tombstones;
  expect(tombstones?.size).toBe(MAX_TOMBSTONES);
  expect(keys(2, "b").map((key) => tombstones?.get(key))).toEqual([201, 201]);
});
