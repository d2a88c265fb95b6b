/**
 * Change to wire: `node bench/wire.ts [VIPS …]`, by default with 10, 10,000 and 100,000 VIPs announced already.
 *
 * From sending the apply of one more Service to the API until the UPDATE is at a peer, the durable commit included; and the
 * time in which a peer that is new is told everything. Figures of ROUNDS changes; they hang on the machine.
 */
import { serviceManifest } from "../test/live/manifests.ts";
import { openSink } from "./sink.ts";
import { createSubject, print, type Row, SINK_AS } from "./subject.ts";

const ROUNDS = 200;
const WARM_UP = 20;

const sizes = process.argv.slice(2).map(Number);
const rows: Row[] = [];
for (const vips of sizes.length > 0 ? sizes : [10, 10_000, 100_000]) rows.push(await measure(vips));
print(["VIPs", "p50 ms", "p99 ms", "max ms", "told in s"], rows);

async function measure(vips: number): Promise<Row> {
  const sink = await openSink(SINK_AS);
  const subject = createSubject();
  try {
    await subject.start();
    await subject.fill(vips);
    const before = performance.now();
    await subject.peerWith(sink);
    const told = (await sink.reaches(vips)) - before;
    const spent: number[] = [];
    for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
      const arrival = sink.reaches(sink.announced() + 1);
      const start = performance.now();
      const [at] = await Promise.all([arrival, subject.apply(serviceManifest(`more${round}`))]);
      if (round >= WARM_UP) spent.push(at - start);
    }
    const sorted = spent.toSorted((a, b) => a - b);
    const part = (share: number): string =>
      (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(2);
    return [vips, part(0.5), part(0.99), part(1), (told / 1000).toFixed(2)];
  } finally {
    await subject.remove();
    sink.close();
  }
}
