/**
 * Change to wire: `node bench/wire.ts [FORM[:VIPS] …]`, by default routes:10 routes:10000 routes:100000 addresses:10 addresses:10000:
 * so many VIPs bound in that form (`kernel.bindAs`) and announced already.
 *
 * From sending the apply of one more Service to the API until its address is bound, until the UPDATE is at a peer, and until
 * the answer is here, the durable commit included; the time in which a peer that is new is told everything; an orderly end, of
 * which until the last one is unbound; a fresh start with nothing bound: until the last VIP is bound, and announced, and the
 * memory it takes; and a start after kill -9 with all of them bound, with what was unbound meanwhile, which is to be nothing.
 * Figures of ROUNDS changes; they hang on the machine.
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
const DEFAULT = ["routes:10", "routes:10000", "routes:100000", "addresses:10", "addresses:10000"];
const asked = process.argv.slice(2);
const rows: Row[] = [];
for (const one of asked.length > 0 ? asked : DEFAULT) {
  const [form = "", vips = "100000"] = one.split(":");
  if (form !== "routes" && form !== "addresses") throw new Error(`${one}: routes or addresses`);
  rows.push(await measure(form, Number(vips)));
}
print(
  ["as", "VIPs", "bound p50", "wire p50", "wire p99", "wire max", "answer p50", "told in s"].concat(
    ["end s", "unbound s", "ready s", "bound s", "start s", "MB", "again s", "unbound"],
  ),
  rows,
);

async function measure(form: "addresses" | "routes", vips: number): Promise<Row> {
  const witness = openWitness();
  let sink = await openSink(SINK_AS);
  const { port } = sink;
  const subject = createSubject(form);
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
    const all = vips + WARM_UP + ROUNDS;
    const ending = performance.now();
    const [unbound, ended] = await Promise.all([
      witness.gone(witness.unbound() + all).then((at) => at - ending),
      subject.stop("SIGTERM").then(() => performance.now() - ending),
    ]);
    sink.close();
    sink = await openSink(SINK_AS, port);
    const starting = performance.now();
    const [last, ready, held] = await Promise.all([
      sink.reaches(all),
      subject.start(),
      witness.reaches(witness.bound() + all),
    ]);
    const memory = memoryOf(subject);
    await subject.stop("SIGKILL");
    sink.close();
    sink = await openSink(SINK_AS, port);
    const unboundBefore = witness.unbound();
    const rising = performance.now();
    const [again] = await Promise.all([sink.reaches(all), subject.start()]);
    const figures = [median(bound), part(0.5), part(0.99), part(1), median(answered)];
    const inSeconds = (millis: number): string => (millis / 1000).toFixed(2);
    const took = [told, ended, unbound, ready, held - starting, last - starting].map(inSeconds);
    const taken = witness.unbound() - unboundBefore;
    const cells = figures.map((one) => one.toFixed(2));
    return [form, vips, ...cells, ...took, memory, inSeconds(again - rising), taken];
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
