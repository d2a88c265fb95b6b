/**
 * Change to wire: `node bench/wire.ts [VIPS …]`, by default with 10, 10,000 and 100,000 VIPs bound and announced already.
 *
 * From sending the apply of one more Service to the API until its address is bound, until the UPDATE is at a peer, and until
 * the answer is here, the durable commit included; the time in which a peer that is new is told everything; and a fresh start
 * with nothing bound: until the last VIP is announced, and the memory it takes. Figures of ROUNDS changes; they hang on the
 * machine.
 */
import { readFileSync } from "node:fs";
import { serviceManifest } from "../test/live/manifests.ts";
import { alone } from "./alone.ts";
import { openSink } from "./sink.ts";
import { createSubject, median, print, type Row, SINK_AS, type Subject } from "./subject.ts";
import { openWitness } from "./witness.ts";

const ROUNDS = 200;
const WARM_UP = 20;

alone();
const sizes = process.argv.slice(2).map(Number);
const rows: Row[] = [];
for (const vips of sizes.length > 0 ? sizes : [10, 10_000, 100_000]) rows.push(await measure(vips));
print(
  ["VIPs", "bound p50", "wire p50", "wire p99", "wire max", "answer p50", "told in s"].concat([
    "end s",
    "ready s",
    "start s",
    "MB",
  ]),
  rows,
);

async function measure(vips: number): Promise<Row> {
  const witness = openWitness();
  let sink = await openSink(SINK_AS);
  const { port } = sink;
  const subject = createSubject();
  try {
    await subject.start();
    await subject.fill(vips);
    const before = performance.now();
    await subject.peerWith(sink);
    const told = (await sink.reaches(vips)) - before;
    const bound: number[] = [];
    const wire: number[] = [];
    const answered: number[] = [];
    for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
      const arrival = sink.reaches(sink.announced() + 1);
      const binding = witness.reaches(witness.bound() + 1);
      const start = performance.now();
      const answer = subject.apply(serviceManifest(`more${round}`)).then(() => performance.now());
      const moments = await Promise.all([binding, arrival, answer]);
      if (round < WARM_UP) continue;
      for (const [i, list] of [bound, wire, answered].entries()) {
        list.push((moments[i] ?? 0) - start);
      }
    }
    const sorted = wire.toSorted((a, b) => a - b);
    const part = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
    const ending = performance.now();
    await subject.stop("SIGTERM");
    const ended = performance.now() - ending;
    sink.close();
    sink = await openSink(SINK_AS, port);
    const all = vips + WARM_UP + ROUNDS;
    const starting = performance.now();
    const [last, ready] = await Promise.all([sink.reaches(all), subject.start()]);
    const figures = [median(bound), part(0.5), part(0.99), part(1), median(answered)];
    const seconds = [told, ended, ready, last - starting].map((one) => (one / 1000).toFixed(2));
    return [vips, ...figures.map((one) => one.toFixed(2)), ...seconds, memoryOf(subject)];
  } finally {
    await subject.remove();
    sink.close();
    witness.close();
  }
}

/** The most that it ever had (proc_pid_status(5)). */
function memoryOf({ pid }: Subject): number {
  const status = readFileSync(`/proc/${pid()}/status`, "utf8");
  return Math.round(Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024);
}
