/**
 * Messages that were taken out of the audit stream: told again where somebody lacks them, and nothing else is.
 * Method: as outbox.test.ts; the fake server drops doubles of what it once had, as the real one does.
 */
import { expect, test } from "vitest";
import type { Held } from "../../agent/report/checkpoint.ts";
import { endOf } from "../../agent/report/message.ts";
import type { Outbox } from "../../agent/report/outbox.ts";
import { until } from "../live/until.ts";
import { fakeFleet } from "./fake-fleet.ts";
import { allThere, type Bench, bench, seqsIn, unique, wanted } from "./outbox-bench.ts";

/** Takes facts of the desired lane out. */
const take = ({ fleet }: Bench, ...seqs: readonly number[]): void =>
  fleet.remove(
    ({ subject, headers }) =>
      subject.endsWith(".desired") && seqs.includes(Number(headers["Rutter-Seq"])),
  );
const judged = (outbox: Outbox, removed: number): Promise<Held> =>
  until(() => (outbox.held()?.removed === removed ? outbox.held() : undefined), {
    what: `a look at ${removed} messages that were taken`,
  });
/** One fact more, told when all before it are acknowledged: it says so. */
async function settled(all: Bench, outbox: Outbox): Promise<void> {
  const isAll = (): boolean => {
    const { last, to } = outbox.positions()["desired"] ?? {};
    return last === to && to === all.log.head().seq;
  };
  await until(isAll, { what: "the acknowledgements" });
  await wanted(all, 1);
  await until(isAll, { what: "the last acknowledgement" });
}
const placeOfLast = ({ fleet }: Bench) => {
  const last = fleet.stored.findLast(({ subject }) => subject.endsWith(".desired"));
  return last && endOf(last.headers);
};

test("the middle and the beginning are told again behind the end, and nothing that is still there", async () => {
  const all = await bench();
  await wanted(all, 8);
  const outbox = all.start();
  await allThere(all);
  take(all, 1, 2, 5, 6);
  expect(seqsIn(all, "desired")).toEqual([3, 4, 7, 8, 9]);
  await allThere(all);
  expect(seqsIn(all, "desired")).toEqual([3, 4, 7, 8, 9, 1, 2, 5, 6]);
  const previous = all.fleet.stored.map(({ headers }) => Number(headers["Rutter-Lane-Previous"]));
  expect(previous).toEqual([2, 3, 6, 7, 8, 0, 1, 4, 5]);
  expect(await judged(outbox, 4)).toEqual({ created: "created", removed: 4, missing: [] });
  expect(outbox.positions()["desired"]).toEqual({ last: 9, to: 9 });
});

test("what was told again and is taken again is told once more: the server does not take it for a double", async () => {
  const all = await bench();
  await wanted(all, 4);
  all.start();
  await allThere(all);
  take(all, 2, 3);
  await allThere(all);
  await wanted(all, 1);
  await allThere(all);
  take(all, 2, 3);
  await allThere(all);
  expect(seqsIn(all, "desired")).toEqual([1, 4, 5, 6, 2, 3]);
});

test("one lane's are told again, those of a storm by its newest facts", async () => {
  const all = await bench();
  await all.log.append(Array.from({ length: 100 }, (_, i) => all.pen.session(`flap ${i % 3}`)));
  await wanted(all, 2);
  all.start();
  await allThere(all);
  await until(() => seqsIn(all, "sessions").includes(101), { what: "the last flap" });
  const before = seqsIn(all, "sessions");
  all.fleet.remove(({ headers }) => {
    const seq = Number(headers["Rutter-Seq"]);
    return seq > 4 && seq < 101;
  });
  await until(() => seqsIn(all, "sessions").length === before.length, { what: "the refill" });
  expect(unique(seqsIn(all, "sessions"))).toEqual(before);
  expect(seqsIn(all, "desired")).toEqual([1, 102, 103]);
});

test("a restart behind a refill goes on where the lane ended, and neither looks nor tells again", async () => {
  const all = await bench();
  await wanted(all, 6);
  const first = all.start();
  await allThere(all);
  take(all, 3);
  await allThere(all);
  expect(placeOfLast(all)).toMatchObject({ seq: 7, confirmed: 7 });
  const held = await judged(first, 1);
  await first.stop();
  await wanted(all, 1);
  const { count } = all.fleet.asked;
  const readings = all.fleet.readings.length;
  const second = all.start({ looked: () => Promise.resolve({ lanes: {}, held }) });
  await allThere(all);
  await judged(second, 1);
  expect(seqsIn(all, "desired")).toEqual([1, 2, 4, 5, 6, 7, 3, 8]);
  expect(all.fleet.asked.count - count).toBe(1);
  expect(all.fleet.readings.length).toBe(readings);
});

test("a restart that remembers nothing finds holes that were made while nobody was there", async () => {
  const all = await bench();
  await wanted(all, 5);
  const first = all.start();
  await settled(all, first);
  await first.stop();
  take(all, 2, 3);
  all.start();
  await allThere(all);
  expect(seqsIn(all, "desired")).toEqual([1, 4, 5, 6, 7, 2, 3]);
});

test("what all readers have stays out and is known; a reader that comes and lacks it has it told", async () => {
  const all = await bench();
  await wanted(all, 6);
  const readers: { desired: number }[] = [];
  const outbox = all.start({ readers: () => Promise.resolve(readers) });
  await allThere(all);
  readers.push({ desired: 5 }, { desired: 6 });
  take(all, 2, 6);
  await until(() => seqsIn(all, "desired").includes(6), { what: "what a reader lacks" });
  expect((await judged(outbox, 2)).missing).toEqual([
    { lane: "desired", from: 1, to: 2, why: "read" },
  ]);
  expect(seqsIn(all, "desired")).toEqual([1, 3, 4, 5, 7, 6]);
  readers.push({ desired: 1 });
  await allThere(all);
  await until(() => outbox.held()?.missing.length === 0, { what: "nothing that is missing" });
});

test("what a stream's own limits took from its beginning is not told again", async () => {
  const all = await bench();
  await wanted(all, 5);
  const first = all.start();
  await settled(all, first);
  await first.stop();
  all.fleet.limit();
  take(all, 1, 2, 5);
  const outbox = all.start();
  await until(() => seqsIn(all, "desired").includes(5), { what: "what nobody's limits took" });
  expect((await judged(outbox, 1)).missing).toEqual([
    { lane: "desired", from: 0, to: 2, why: "limits" },
  ]);
});

test("a connection that breaks in a refill leaves nothing out", async () => {
  const all = await bench();
  await wanted(all, 30);
  all.start();
  await allThere(all);
  take(all, ...Array.from({ length: 20 }, (_, index) => index + 3));
  all.fleet.lose(9);
  await allThere(all);
  expect(placeOfLast(all)).toMatchObject({ seq: 31 });
});

test("a fact in parts that lost one of them is told again whole", async () => {
  const all = await bench(fakeFleet(8 * 1024));
  const reason = Array.from({ length: 4000 }, (_, index) => `${index * 7919}`).join();
  await all.log.append([all.pen.fact({ type: "recording-interrupted", lost: 1, reason })]);
  await wanted(all, 2);
  all.start();
  await allThere(all);
  const parts = all.fleet.stored.filter(({ headers }) => headers["Rutter-Seq"] === "2").length;
  expect(parts).toBeGreaterThan(2);
  all.fleet.remove(({ headers }) => (headers["Rutter-Part"] ?? "").startsWith("2/"));
  await until(() => seqsIn(all, "desired").filter((seq) => seq === 2).length === 2 * parts - 1, {
    what: "all parts again",
  });
  expect(placeOfLast(all)).toMatchObject({ seq: 4 });
});
