/**
 * How fast the log is: `node bench/log.ts`.
 *
 * Durable appends one by one and in groups with the whole envelope, the round trip of one append, replay and verification.
 * Medians of RUNS runs, each on a fresh database; the spread is (highest − lowest) ⁄ median. Never run it beside other work.
 * Reads next: ../events/log/open-log.ts.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Fact } from "../events/envelope.ts";
import type { Event } from "../events/event.ts";
import { eventId, neighborKey, type RunId } from "../events/ids.ts";
import type { EventLog } from "../events/log/log.ts";
import { openLog } from "../events/log/open-log.ts";
import { readOnlyLog } from "../events/log/read.ts";
import { verifyLog } from "../events/log/verify.ts";

const RUNS = 5;
const ONE_BY_ONE = 1_000;
const GROUPED = 200_000;
/** Facts in a batch of the grouped run: what one apply of a large file is. */
const BATCH = 1_000;
/** Batches that wait at the same time. */
const IN_FLIGHT = 8;
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a brand
const run = "0123456789ab" as RunId;
const boot = "5e2a1f9c-7f0c-4be5-9d4c-0b6d6f1f7a11";

type Figures = Readonly<Record<string, number>>;

let counter = 0;
function factOf(event: Event, subject: string): Fact {
  counter += 1;
  return {
    id: eventId(run, counter),
    at: { wall: 1_795_219_200_000_000_000n + BigInt(counter), monotonic: BigInt(counter), boot },
    run,
    subject,
    actor: { type: "user", uid: 1000, name: "operator" },
    source: { name: "api" },
    cause: [eventId(run, Math.max(counter - 1, 1))],
    event,
  };
}

function sessionFact(): Fact {
  const neighbor = neighborKey("default", `192.0.2.${counter % 250}`, "192.0.2.254");
  return factOf(
    {
      type: "session-observed",
      neighbor,
      peer: "default/tor-1",
      state: "Established",
      reason: "session is up",
      holdTimeSeconds: 90,
      keepaliveTimeSeconds: 30,
    },
    neighbor,
  );
}

async function oneByOne(log: EventLog): Promise<Figures> {
  const millis: number[] = [];
  const start = performance.now();
  for (let i = 0; i < ONE_BY_ONE; i += 1) {
    const from = performance.now();
    // oxlint-disable-next-line no-await-in-loop -- one after the other is what is measured
    await log.append([sessionFact()]);
    millis.push(performance.now() - from);
  }
  const seconds = (performance.now() - start) / 1000;
  const sorted = millis.toSorted((a, b) => a - b);
  return {
    "one by one, events/s": ONE_BY_ONE / seconds,
    "round trip p50, ms": sorted[Math.floor(ONE_BY_ONE * 0.5)] ?? 0,
    "round trip p99, ms": sorted[Math.floor(ONE_BY_ONE * 0.99)] ?? 0,
  };
}

async function grouped(log: EventLog): Promise<Figures> {
  const batches = Array.from({ length: GROUPED / BATCH }, () =>
    Array.from({ length: BATCH }, sessionFact),
  );
  const start = performance.now();
  const worker = async (): Promise<void> => {
    for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) {
      // oxlint-disable-next-line no-await-in-loop -- IN_FLIGHT of these run side by side
      await log.append(batch);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return { "grouped, events/s": GROUPED / ((performance.now() - start) / 1000) };
}

function reading(file: string): Figures {
  const reader = readOnlyLog(file);
  const verifyStart = performance.now();
  const verified = verifyLog(reader);
  const verifySeconds = (performance.now() - verifyStart) / 1000;
  if (!verified.ok) throw new Error(verified.reason);
  const readStart = performance.now();
  let count = 0;
  for (const fact of reader.read({})) count = fact.seq;
  const readSeconds = (performance.now() - readStart) / 1000;
  reader.close();
  return {
    "verify, events/s": verified.count / verifySeconds,
    "replay with chain check, events/s": count / readSeconds,
  };
}

async function oneRun(): Promise<Figures> {
  const directory = mkdtempSync(join(tmpdir(), "rutter-bench-log-"));
  try {
    const log = await openLog({
      directory,
      host: "bench",
      program: "bench",
      birth: (event) => factOf(event, "agent"),
    });
    const single = await oneByOne(log);
    const many = await grouped(log);
    await log.close();
    return { ...single, ...many, ...reading(join(directory, "log.db")) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function table(runs: readonly Figures[]): string {
  return Object.keys(runs[0] ?? {})
    .map((name) => {
      const values = runs.map((figures) => figures[name] ?? 0).toSorted((a, b) => a - b);
      const median = values[Math.floor(values.length / 2)] ?? 0;
      const spread = ((values.at(-1) ?? 0) - (values[0] ?? 0)) / median;
      const shown = median < 100 ? median.toFixed(2) : Math.round(median).toLocaleString("en");
      return `${name.padEnd(36)} ${shown.padStart(10)}   ±${(spread * 50).toFixed(0)} %`;
    })
    .join("\n");
}

const runs: Figures[] = [];
for (let i = 0; i < RUNS; i += 1) {
  // oxlint-disable-next-line no-await-in-loop -- runs must not share the disk
  runs.push(await oneRun());
}
console.log(table(runs));
