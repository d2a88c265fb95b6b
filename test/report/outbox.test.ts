/**
 * The outbox: every fact of a lane is in the stream in the end, whatever becomes of the server, the stream or the agent.
 * Method: a real log and a fake server; what a reader would have is put together from the stream.
 */
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { LogError } from "../../events/log/log.ts";
import { until } from "../live/until.ts";
import { fakeFleet } from "./fake-fleet.ts";
import { allThere, bench, seqsIn, seqsOf, unique, wanted } from "./outbox-bench.ts";

test("tells each lane in order, and says with each fact what stood before it in the lane", async () => {
  const all = await bench();
  await wanted(all, 3);
  await all.log.append([all.pen.session("a"), all.pen.session("b")]);
  all.start();
  await allThere(all);
  await wanted(all, 2);
  await allThere(all);
  expect(seqsIn(all, "desired")).toEqual([1, 2, 3, 4, 7, 8]);
  expect(seqsIn(all, "sessions")).toEqual([5, 6]);
  const before = all.fleet.stored
    .filter(({ subject }) => subject.endsWith(".desired"))
    .map(({ headers }) => Number(headers["Rutter-Lane-Previous"]));
  expect(before).toEqual([0, 1, 2, 3, 4, 7]);
});

test("goes on where the stream ends after a restart, and tells nothing twice", async () => {
  const all = await bench();
  const first = all.start();
  await allThere(all);
  await wanted(all, 1);
  await allThere(all);
  await until(() => first.positions()["desired"]?.last === 2, { what: "the acknowledgement" });
  await first.stop();
  await wanted(all, 2);
  const asked = all.fleet.asked.count;
  all.start();
  await allThere(all);
  expect(seqsIn(all, "desired")).toEqual([1, 2, 3, 4]);
  expect(all.fleet.asked.count - asked).toBe(2);
});

test("a message that is lost while later ones are stored is told again, also after a kill", async () => {
  const all = await bench();
  await wanted(all, 30);
  all.fleet.lose(7);
  const first = all.start();
  await until(() => seqsIn(all, "desired").length >= 20, { what: "messages behind the lost one" });
  await first.stop();
  all.start();
  await allThere(all);
  expect(unique(seqsIn(all, "desired"))).toEqual(seqsOf(all, "desired"));
});

test("a stream that was wiped is told anew, without a word from anybody", async () => {
  const all = await bench();
  await wanted(all, 5);
  all.start();
  await allThere(all);
  all.fleet.wipe();
  await allThere(all);
  expect(seqsIn(all, "desired")).toEqual([1, 2, 3, 4, 5, 6]);
});

test("a wiped stream is told from what the slowest reader lacks, and says up to where it was told before", async () => {
  const all = await bench();
  await wanted(all, 9);
  all.start({
    readers: () => Promise.resolve([{ desired: 8 }, { desired: 6 }, { sessions: 1 }]),
  });
  await until(() => seqsIn(all, "desired").length === 4, { what: "the refill" });
  expect(seqsIn(all, "desired")).toEqual([7, 8, 9, 10]);
  expect(all.fleet.stored[0]?.headers["Rutter-Lane-Previous"]).toBe("6");
});

test("a stream that tells of another log is told anew from the first fact", async () => {
  const fleet = fakeFleet();
  const old = await bench(fleet);
  await wanted(old, 8);
  const first = old.start();
  await allThere(old);
  await first.stop();
  const other = await bench(fleet, "ba9876543210");
  await wanted(other, 3);
  const outbox = other.start();
  await until(() => seqsIn(other, "desired").length === 13, { what: "the other log" });
  expect(seqsIn(other, "desired").slice(9)).toEqual([1, 2, 3, 4]);
  expect(outbox.state().foreign).toBe(true);
});

test("while the server is away nothing gathers; afterwards all of it is told", async () => {
  const all = await bench();
  const outbox = all.start();
  await allThere(all);
  all.fleet.down();
  await until(() => !outbox.state().telling, { what: "the outbox to notice" });
  const asked = all.fleet.asked.count;
  await wanted(all, 300);
  expect(all.fleet.asked.count).toBe(asked);
  all.fleet.up();
  await allThere(all);
  expect(unique(seqsIn(all, "desired"))).toEqual(seqsOf(all, "desired"));
});

test("a refill has a bounded number of messages and octets on the way", async () => {
  const all = await bench();
  await wanted(all, 200);
  all.fleet.hold();
  all.start();
  await until(() => all.fleet.asked.most === 64, { what: "as many on the way as may be" });
  all.fleet.release();
  await allThere(all);
  expect(all.fleet.asked.most).toBe(64);
});

test("large facts are on the way one after the other, in parts", async () => {
  const all = await bench(fakeFleet(64 * 1024));
  const noise = () =>
    all.pen.fact({
      type: "recording-interrupted",
      lost: 1,
      reason: randomBytes(400_000).toString("base64"),
    });
  for (let index = 0; index < 3; index += 1) await all.log.append([noise()]);
  all.start();
  await allThere(all);
  expect(all.fleet.asked.mostOctets).toBeLessThan(64 * 1024);
  expect(seqsIn(all, "desired").length).toBeGreaterThan(20);
});

test("a storm of session facts is coalesced with a count, and wanted facts beside it are not", async () => {
  const all = await bench();
  const storm = Array.from({ length: 500 }, (_, index) => all.pen.session(`flap ${index}`));
  await all.log.append(storm);
  await wanted(all, 20);
  all.start();
  await allThere(all);
  await until(() => seqsIn(all, "sessions").includes(501), { what: "the last flap" });
  expect(seqsIn(all, "sessions")).toEqual([...Array.from({ length: 10 }, (_, i) => i + 2), 501]);
  const last = all.fleet.stored.find(({ headers }) => headers["Rutter-Seq"] === "501");
  expect(last?.headers["Rutter-Stands-For"]).toBe("489");
  expect(seqsIn(all, "desired").length).toBe(21);
});

test("a log that cannot be read on is said, and nothing but the outbox stops", async () => {
  const all = await bench();
  const rows = (): never => {
    throw new LogError("LOG_CORRUPT", "seq 1: damaged");
  };
  const outbox = all.start({ reader: { ...all.reader, rows } });
  await until(() => outbox.state().reason === "seq 1: damaged", { what: "the reason" });
  expect(outbox.state().telling).toBe(false);
});

test("a checkpoint's positions spare a restart what was looked through already", async () => {
  const all = await bench();
  const first = all.start();
  await allThere(all);
  await all.log.append(Array.from({ length: 50 }, (_, index) => all.pen.session(`${index}`)));
  await until(() => first.positions()["sessions"]?.to === 51, { what: "the sessions" });
  const positions = first.positions();
  expect(positions["desired"]).toEqual({ last: 1, to: 51 });
  await first.stop();
  const from: number[] = [];
  const rows = (at: number, to?: number) => {
    from.push(at);
    return all.reader.rows(at, to);
  };
  all.start({
    reader: { ...all.reader, rows },
    looked: () => Promise.resolve({ lanes: positions }),
  });
  await until(() => from.length > 0, { what: "the first look" });
  expect(from[0]).toBe(52);
});
