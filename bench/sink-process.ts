/**
 * The far end as a process of its own, for a namespace: `node bench/sink-process.ts AS ADDRESS PORT`.
 *
 * Prints a line for each route that arrives: how many there were, and CLOCK_MONOTONIC in nanoseconds, which all processes of a
 * machine share. Reads next: sink.ts, others.ts.
 */
import { openSink } from "./sink.ts";

const [as = "", address = "", port = ""] = process.argv.slice(2);
const sink = await openSink(Number(as), Number(port), address);
process.stdout.write("ready\n");
for (let count = 1; ; count += 1) {
  await sink.reaches(count);
  process.stdout.write(`${count} ${process.hrtime.bigint()}\n`);
}
