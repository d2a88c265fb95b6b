/**
 * The agent as a benchmark's subject: a process of its own on the loopback, filled through its API.
 *
 * Reads next: sink.ts (the far end), wire.ts, restart.ts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  advertisementManifest,
  ALWAYS,
  documents,
  peerManifest,
  poolManifest,
  serviceManifest,
} from "../test/live/manifests.ts";
import type { Sink } from "./sink.ts";

const PROGRAM = join(import.meta.dirname, "../agent/main.ts");
/** Documents in one apply: what the body limit of the API takes with room to spare. */
const CHUNK = 20_000;
export const HOST_AS = 64512;
export const SINK_AS = 64999;

export type Row = readonly (string | number)[];

export type Subject = {
  readonly state: string;
  /** Starts it; resolves with the milliseconds from exec to the line `ready`. `env`: beside this process' own. */
  start(installed?: Installed, env?: NodeJS.ProcessEnv): Promise<number>;
  apply(text: string): Promise<void>;
  /** A pool, an advertisement and so many Services. */
  fill(vips: number): Promise<void>;
  peerWith(sink: Sink): Promise<void>;
  stop(signal: NodeJS.Signals): Promise<void>;
  pid(): number;
  remove(): Promise<void>;
};

/** Node and the program's entry: the sources, or a package's. */
export type Installed = { readonly node: string; readonly main: string };
const SOURCES: Installed = { node: process.execPath, main: PROGRAM };

/** `bindAs`: as in agent.yaml. */
export function createSubject(bindAs: "addresses" | "routes" = "addresses"): Subject {
  const directory = mkdtempSync(join(tmpdir(), "rutter-bench-"));
  const config = join(directory, "agent.yaml");
  const socket = join(directory, "api.sock");
  const state = join(directory, "state");
  writeFileSync(config, `${ALWAYS}kernel: { bindAs: ${bindAs} }\n`);
  const keepAlive = new Agent({ keepAlive: true, maxSockets: 1 });
  let child: ChildProcess | undefined;
  const apply = (text: string) => post(socket, keepAlive, text);
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined) return;
    await new Promise((resolve) => {
      running.once("exit", resolve);
      running.kill(signal);
    });
  };
  return {
    state,
    apply,
    stop,
    pid: () => child?.pid ?? 0,
    async start({ node, main } = SOURCES, env = {}) {
      const started = performance.now();
      const options = ["--state", state, "--socket", socket, "--config", config];
      const spawned = spawn(node, [main, "agent", ...options, "--listen", "127.0.0.1:1"], {
        stdio: ["ignore", "pipe", "ignore"],
        env: { ...process.env, ...env },
      });
      child = spawned;
      await new Promise((resolve) => {
        spawned.stdout.once("data", resolve);
      });
      return performance.now() - started;
    },
    async fill(vips) {
      await apply(documents(poolManifest(["10.0.0.0/8"]), advertisementManifest()));
      for (let from = 0; from < vips; from += CHUNK) {
        const count = Math.min(CHUNK, vips - from);
        const services = Array.from({ length: count }, (_, i) => serviceManifest(`s${from + i}`));
        await apply(documents(...services));
        process.stderr.write(`${from + count} of ${vips} VIPs\n`);
      }
    },
    peerWith: (sink) =>
      apply(
        peerManifest({
          localAs: HOST_AS,
          remoteAs: SINK_AS,
          address: "127.0.0.1",
          extra: [`peerPort: ${sink.port}`],
        }),
      ),
    async remove() {
      await stop("SIGKILL");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function post(socketPath: string, agent: Agent, text: string): Promise<void> {
  const body = JSON.stringify({ files: [{ name: "bench.yaml", text }] });
  const headers = {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  };
  return new Promise((resolve, reject) => {
    const asked = request(
      { socketPath, agent, path: "/v1/apply", method: "POST", headers },
      (answer) => {
        answer.resume();
        answer.on("end", () => {
          if (answer.statusCode === 200) resolve();
          else reject(new Error(`apply ends with ${answer.statusCode}`));
        });
      },
    );
    asked.once("error", reject);
    asked.end(body);
  });
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

export function print(heading: Row, lines: readonly Row[]): void {
  for (const line of [heading, ...lines]) {
    console.log(line.map((cell) => String(cell).padStart(12)).join(""));
  }
}
