/**
 * The back channel as a whole: heartbeats, checkpoints, dead letters, and that nothing of it holds the agent up.
 * Method: a real log, a fake server, the command line's own judgement of what arrived.
 */
import { expect, onTestFinished, test } from "vitest";
import { newSeed, signerFromSeed } from "../../agent/fleet/signing.ts";
import { auditReader, type AuditReader } from "../../agent/report/audit-reader.ts";
import { readCheckpoint } from "../../agent/report/checkpoint.ts";
import { type Report, type ReportPlan, startReport } from "../../agent/report/report.ts";
import { type Look, readStatus } from "../../agent/report/status.ts";
import { systemClock } from "../../backends/clock.ts";
import { factPen, ownDirectory, ownLog } from "../log/facts.ts";
import { until } from "../live/until.ts";
import { type FakeFleet, fakeFleet } from "./fake-fleet.ts";

const signer = signerFromSeed(newSeed("user"));
const clock = {
  ...systemClock,
  monotonicMillis: () => systemClock.monotonicMillis() * 10,
  after: (millis: number, act: () => void) => systemClock.after(millis / 10, act),
};
const LOOK: Look = {
  program: "rutter 0.1.0",
  backend: "native",
  sessions: [
    { name: "tor-1", up: true },
    { name: "tor-2", up: false },
  ],
  bfd: [],
  feed: { generation: 3, digest: "d", stateDigest: "s" },
};

async function bench(changes: Partial<ReportPlan> = {}, directory = ownDirectory()) {
  const pen = factPen();
  const log = await ownLog(directory, pen);
  const fleet = fakeFleet();
  const start = (more: Partial<ReportPlan> = {}): Report => {
    const report = startReport({
      fleet: "berlin",
      host: "edge-1",
      settings: { heartbeatSeconds: 10, sessionsPerSecond: 10, routes: "none" },
      connection: fleet.connection,
      log,
      signer,
      clock,
      wallNanos: () => BigInt(Date.now()) * 1_000_000n,
      logger: { info: () => undefined, warn: () => undefined },
      look: () => LOOK,
      ...changes,
      ...more,
    });
    onTestFinished(() => report.stop());
    return report;
  };
  return { pen, log, fleet, start };
}

const statusIn = ({ keys }: FakeFleet) => {
  const value = keys.get("rutter-berlin-status/edge-1");
  return value && readStatus(value);
};
const checkpointsIn = ({ stored }: FakeFleet) =>
  stored
    .filter(({ subject }) => subject.endsWith(".checkpoint"))
    .map((message) => readCheckpoint(message, { fleet: "berlin", host: "edge-1" }));
const reads = async ({ stored }: FakeFleet) => {
  const reader = auditReader({
    fleet: "berlin",
    lane: undefined,
    known: () => undefined,
    positions: () => ({}),
  });
  return takeAll(reader, stored);
};
async function takeAll(reader: AuditReader, stored: FakeFleet["stored"]) {
  const facts: number[] = [];
  const words: string[] = [];
  for (const message of stored) {
    const taken = await reader.take(message, "created");
    if (taken.fact !== undefined) facts.push(taken.fact.fact.seq);
    words.push(...taken.words.map(({ text }) => text));
  }
  return { facts, words };
}

test("tells its status at once and again, and what changed without waiting", async () => {
  const { fleet, start, log, pen } = await bench();
  let look = LOOK;
  start({ look: () => look });
  const first = await until(() => statusIn(fleet), { what: "a status" });
  expect(first).toMatchObject({
    host: "edge-1",
    state: "running",
    sessions: { up: 1, all: 2, down: ["tor-2"] },
    feed: { generation: 3, stateDigest: "s" },
    log: log.head(),
    key: signer.publicKey,
  });
  look = { ...LOOK, sessions: [] };
  await log.append([pen.session()]);
  await until(() => statusIn(fleet)?.sessions.all === 0, { what: "the change" });
  await until(() => statusIn(fleet)?.at !== first.at, { what: "the next heartbeat" });
});

test("the status is told while a question about checkpoints has no answer", async () => {
  const { fleet, start, log, pen } = await bench();
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<undefined>();
  let look = LOOK;
  let begun = false;
  start({
    look: () => look,
    connection: {
      ...fleet.connection,
      lastOfSubject(stream, subject) {
        // The lanes ask first, as they begin.
        const isForNext = subject.endsWith(".checkpoint") && begun;
        begun = true;
        if (!isForNext) return fleet.connection.lastOfSubject(stream, subject);
        asked.resolve();
        return answer.promise;
      },
    },
  });
  await asked.promise;
  look = { ...LOOK, sessions: [] };
  await log.append([pen.session()]);
  await until(() => statusIn(fleet)?.sessions.all === 0, { what: "the change" });
  expect(checkpointsIn(fleet)).toEqual([]);
  answer.resolve(undefined);
  await until(() => checkpointsIn(fleet).length === 1, { what: "the checkpoint" });
});

test("a server that comes back is told at once, though the next heartbeat is far", async () => {
  const all = await bench();
  all.start({
    settings: { heartbeatSeconds: 3600, sessionsPerSecond: 10, routes: "none" },
  });
  await until(() => statusIn(all.fleet), { what: "the first word" });
  all.fleet.keys.clear();
  all.fleet.down();
  all.fleet.up();
  expect(await until(() => statusIn(all.fleet), { what: "the next word" })).toMatchObject({
    host: "edge-1",
  });
});

test("a stop is told, and takes no time where there is no server", async () => {
  const { fleet, start } = await bench();
  const report = start();
  await until(() => statusIn(fleet), { what: "a status" });
  await report.stop();
  expect(statusIn(fleet)?.state).toBe("stopped");
  fleet.down();
  const other = start();
  await other.stop();
  expect(other.state()).toMatchObject({ telling: false, reason: "the server is gone" });
});

test("a checkpoint leaves the host after a start, signed, with the log's head and what the lanes have", async () => {
  const { fleet, start, log } = await bench();
  start();
  const [made] = await until(
    () => (checkpointsIn(fleet).length > 0 ? checkpointsIn(fleet) : undefined),
    { what: "a checkpoint" },
  );
  expect(made).toMatchObject({
    ok: true,
    checkpoint: { count: 1, seq: 1, hash: log.head().hash, before: null, key: signer.publicKey },
  });
});

test("a reader finds a whole log, whole facts and nothing to say; a later start names the checkpoint before", async () => {
  const { fleet, start, log, pen } = await bench();
  const first = start();
  await until(() => checkpointsIn(fleet).length === 1, { what: "a checkpoint" });
  await log.append(
    Array.from({ length: 5 }, () => pen.fact({ type: "agent-stopped", mode: "final" })),
  );
  await until(async () => (await reads(fleet)).facts.length === 6, { what: "all facts" });
  await first.stop();
  start();
  await until(() => checkpointsIn(fleet).length === 2, { what: "the next checkpoint" });
  expect(await reads(fleet)).toEqual({ facts: [1, 2, 3, 4, 5, 6], words: [] });
  expect(checkpointsIn(fleet)[1]).toMatchObject({ checkpoint: { seq: 6, before: { seq: 1 } } });
});

test("10,000 facts later the next checkpoint is made", async () => {
  const { fleet, start, log, pen } = await bench();
  start();
  await until(() => checkpointsIn(fleet).length === 1, { what: "a checkpoint" });
  const flaps = Array.from({ length: 10_000 }, (_, index) => pen.session(`flap ${index}`));
  await log.append(flaps);
  await until(() => checkpointsIn(fleet).length === 2, { what: "the next checkpoint" });
  expect(checkpointsIn(fleet)[1]).toMatchObject({ checkpoint: { seq: 10_001 } });
});

test("dead letters are told, later where there is no server, and bounded in number", async () => {
  const { fleet, start } = await bench();
  fleet.down();
  const report = start();
  const secret = new TextEncoder().encode('{"stringData":{"password":"planted-secret-1"}}');
  for (let index = 0; index < 100; index += 1) report.deadLetter(`feed ${index}`, "poison", secret);
  fleet.up();
  const letters = () => fleet.stored.filter(({ subject }) => subject.endsWith(".dead"));
  await until(() => letters().length >= 20, { what: "the letters" });
  const text = letters().map(({ body }) => new TextDecoder().decode(body));
  expect(JSON.parse(text[0] ?? "")).toMatchObject({
    host: "edge-1",
    what: "feed 0",
    reason: "poison",
    octets: 46,
    leftOut: 80,
  });
  expect(text.join("")).not.toContain("planted-secret-1");
});

test("a dead letter that the server did not take is told again", async () => {
  const { fleet, start } = await bench();
  fleet.loseOneOf(".dead");
  const report = start();
  report.deadLetter("feed 7", "poison", new Uint8Array(3));
  const letters = () => fleet.stored.filter(({ subject }) => subject.endsWith(".dead"));
  await until(() => letters().length === 1, { what: "the letter" });
  expect(new TextDecoder().decode(letters()[0]?.body)).toContain("feed 7");
});

test("without a host key nothing is signed and no checkpoint is made", async () => {
  const { fleet, start } = await bench({ signer: undefined });
  start();
  await until(async () => (await reads(fleet)).facts.length === 1, { what: "the fact" });
  await until(() => statusIn(fleet), { what: "a status" });
  expect(statusIn(fleet)?.key).toBeNull();
  expect(fleet.stored.flatMap(({ headers }) => headers["Rutter-Signer"] ?? [])).toEqual([]);
  expect(checkpointsIn(fleet)).toEqual([]);
});

test("routes stay here unless they are asked for", async () => {
  const { fleet, start, log, pen } = await bench();
  const neighbor = pen.session();
  const routes = { type: "routes-observed", received: 5, announced: 5, withdrawn: 0 } as const;
  await log.append([pen.fact({ ...routes, neighbor: neighbor.subject as never })]);
  const first = start();
  await until(() => checkpointsIn(fleet).length === 1, { what: "a checkpoint" });
  expect((await reads(fleet)).facts).toEqual([1]);
  await first.stop();
  start({ settings: { heartbeatSeconds: 10, sessionsPerSecond: 10, routes: "counts" } });
  await until(async () => (await reads(fleet)).facts.length === 2, { what: "the routes" });
});
