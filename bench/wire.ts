/**
 * Change to wire: `node bench/wire.ts [VIPS …]`, by default with 10, 10,000 and 100,000 VIPs announced already.
 *
 * From sending the apply of one more Service to the API until the UPDATE is at a peer, the durable commit included; and the
 * time in which a peer that connects is told everything. Beside it, in the same run, one prefix through BIRD's control socket
 * where BIRD is installed. Medians over ROUNDS changes; figures hang on the machine, ratios do not.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent } from "node:http";
import {
  ALWAYS,
  documents,
  peerManifest,
  poolManifest,
  serviceManifest,
} from "../test/live/manifests.ts";
import { advertisementManifest } from "../test/live/manifests.ts";
import { openSink, type Sink } from "./sink.ts";

const ROUNDS = 200;
const WARM_UP = 20;
const PROGRAM = join(import.meta.dirname, "../agent/main.ts");
/** Documents in one apply: what the body limit of the API takes with room to spare. */
const CHUNK = 20_000;

type Row = readonly (string | number)[];

const sizes = process.argv.slice(2).map(Number);
const rows: Row[] = [];
for (const vips of sizes.length > 0 ? sizes : [10, 10_000, 100_000]) rows.push(await measure(vips));
print(["VIPs", "p50 ms", "p99 ms", "max ms", "dump s", "ready ms"], rows);

async function measure(vips: number): Promise<Row> {
  const directory = mkdtempSync(join(tmpdir(), "rutter-bench-"));
  const sink = await openSink(64999);
  const config = join(directory, "agent.yaml");
  const socket = join(directory, "api.sock");
  writeFileSync(config, ALWAYS);
  const started = performance.now();
  const args = [
    "agent",
    "--state",
    join(directory, "state"),
    "--socket",
    socket,
    "--config",
    config,
  ];
  const child = spawn(process.execPath, [PROGRAM, ...args, "--listen", "127.0.0.1:1"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  try {
    await new Promise((resolve) => {
      child.stdout.once("data", resolve);
    });
    const ready = performance.now() - started;
    const keepAlive = new Agent({ keepAlive: true, maxSockets: 1 });
    const apply = (text: string) => post(socket, keepAlive, text);
    await apply(documents(poolManifest(["10.0.0.0/8"]), advertisementManifest()));
    for (let from = 0; from < vips; from += CHUNK) {
      const count = Math.min(CHUNK, vips - from);
      await apply(
        documents(...Array.from({ length: count }, (_, i) => serviceManifest(`s${from + i}`))),
      );
      process.stderr.write(`\r${from + count} of ${vips} VIPs`);
    }
    process.stderr.write("\n");
    const before = performance.now();
    await apply(
      peerManifest({
        localAs: 64512,
        remoteAs: 64999,
        address: "127.0.0.1",
        extra: [`peerPort: ${sink.port}`],
      }),
    );
    const dump = (await sink.reaches(vips)) - before;
    const spent: number[] = [];
    for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
      const took = await one(sink, apply, round);
      if (round >= WARM_UP) spent.push(took);
    }
    const sorted = spent.toSorted((a, b) => a - b);
    const at = (part: number): string =>
      (sorted[Math.floor(part * (sorted.length - 1))] ?? 0).toFixed(2);
    return [vips, at(0.5), at(0.99), at(1), (dump / 1000).toFixed(2), ready.toFixed(0)];
  } finally {
    child.kill("SIGKILL");
    sink.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function one(
  sink: Sink,
  apply: (text: string) => Promise<void>,
  round: number,
): Promise<number> {
  const arrival = sink.reaches(sink.announced() + 1);
  const start = performance.now();
  const [at] = await Promise.all([arrival, apply(serviceManifest(`more${round}`))]);
  return at - start;
}

function post(socketPath: string, agent: Agent, text: string): Promise<void> {
  const body = JSON.stringify({ files: [{ name: "bench.yaml", text }] });
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        socketPath,
        agent,
        path: "/v1/apply",
        method: "POST",
        headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
      },
      (answer) => {
        let said = "";
        answer.setEncoding("utf8");
        answer.on("data", (part: string) => {
          said += part.length < 10_000 ? part : "";
        });
        answer.on("end", () => {
          if (answer.statusCode === 200) resolve();
          else reject(new Error(`apply ends with ${answer.statusCode}: ${said}`));
        });
      },
    );
    asked.once("error", reject);
    asked.end(body);
  });
}

function print(heading: Row, lines: readonly Row[]): void {
  for (const line of [heading, ...lines])
    console.log(line.map((one_) => String(one_).padStart(10)).join(""));
}
