/**
 * Restart: `node bench/restart.ts [EVENTS] [VIPS]`, by default a log of 1,000,000 events and 10,000 VIPs.
 *
 * From exec to the first UPDATE and to the last VIP at a peer that takes the session at once, after kill -9; with a snapshot,
 * and without one, which is what the first start after an upgrade costs. Of the sources, and of the program as the package has it,
 * compiled as on a host. Medians of RUNS with the lowest and the highest.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostId, instants } from "../agent/identity.ts";
import { createPen } from "../agent/pipeline/pen.ts";
import { neighborKey, type RunId } from "../events/ids.ts";
import { openLog } from "../events/log/open-log.ts";
import { alone } from "./alone.ts";
import { openSink } from "./sink.ts";
import {
  createSubject,
  type Installed,
  median,
  print,
  type Row,
  SINK_AS,
  type Subject,
} from "./subject.ts";

const RUNS = 5;
/** Facts in one append, and appends that wait at the same time. */
const BATCH = 1000;
const IN_FLIGHT = 8;

alone();
const [events = 1_000_000, vips = 10_000] = process.argv.slice(2).map(Number);
const subject = createSubject();
let sink = await openSink(SINK_AS);
const { port } = sink;
const tree = mkdtempSync(join(tmpdir(), "rutter-bench-package-"));
try {
  const packaged = layOut();
  await subject.start();
  await subject.fill(vips);
  await subject.peerWith(sink);
  await sink.reaches(vips);
  await subject.stop("SIGKILL");
  await pad(subject, events);
  // A start and an orderly end: the end writes the snapshot that the measured starts read.
  await subject.start();
  await subject.stop("SIGTERM");
  const rows = [
    await measure("sources", false),
    await measure("package", false, packaged),
    // From here on the snapshot is gone.
    await measure("sources, no", true),
    await measure("package, no", true, packaged),
  ];
  print(["snapshot", "first s", "last s", "lowest", "highest"], rows);
} finally {
  rmSync(tree, { recursive: true, force: true });
  await subject.remove();
  sink.close();
}

/** The package's files, and what its postinst does with them. */
function layOut(): Installed {
  const build = join(import.meta.dirname, "../systemd/package/build.ts");
  const library = join(tree, "usr/lib/rutter");
  const node = join(library, "node");
  for (const argv of [
    [process.execPath, build, "--tree", "--out", tree],
    [node, join(library, "program/warm.js")],
  ]) {
    const [program = "", ...rest] = argv;
    const { status, stderr } = spawnSync(program, rest, { env: { ...process.env, ...compiled() } });
    if (status !== 0) throw new Error(`${argv.join(" ")}: ${String(stderr)}`);
  }
  return { node, main: join(library, "program/main.js") };
}

function compiled(): NodeJS.ProcessEnv {
  return { NODE_COMPILE_CACHE: join(tree, "code"), NODE_COMPILE_CACHE_PORTABLE: "1" };
}

async function measure(
  name: string,
  withoutSnapshot: boolean,
  installed?: Installed,
): Promise<Row> {
  const env = installed === undefined ? {} : compiled();
  const firsts: number[] = [];
  const lasts: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    if (withoutSnapshot) rmSync(join(subject.state, "snapshots"), { recursive: true, force: true });
    sink.close();
    sink = await openSink(SINK_AS, port);
    const start = performance.now();
    const [first, last] = await Promise.all([
      sink.reaches(1),
      sink.reaches(vips),
      subject.start(installed, env),
    ]);
    firsts.push((first - start) / 1000);
    lasts.push((last - start) / 1000);
    await subject.stop("SIGKILL");
  }
  const cells = [median(firsts), median(lasts), Math.min(...lasts), Math.max(...lasts)];
  return [name, ...cells.map((cell) => cell.toFixed(2))];
}

/** Fills the log up to so many events with what a host sees over the years: sessions that come and go. */
async function pad({ state }: Subject, wanted: number): Promise<void> {
  const now = instants("another-boot");
  const pen = createPen("ffffffffffff" as RunId, now);
  const birth = (event: Parameters<typeof pen.own>[0]) => pen.own(event, "log");
  const log = await openLog({ directory: state, host: hostId(), program: "bench", birth });
  const neighbor = neighborKey("", "192.0.2.99", "");
  const waiting = new Set<Promise<unknown>>();
  for (let left = wanted - log.head().seq; left > 0; left -= BATCH) {
    const facts = Array.from({ length: Math.min(BATCH, left) }, (_, i) =>
      pen.own(
        { type: "session-observed", neighbor, peer: "old", state: "Active", reason: `${i}` },
        neighbor,
      ),
    );
    const append = log.append(facts).finally(() => waiting.delete(append));
    waiting.add(append);
    if (waiting.size >= IN_FLIGHT) await Promise.race(waiting);
  }
  await Promise.all(waiting);
  await log.close();
}
