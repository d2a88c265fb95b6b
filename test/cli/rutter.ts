/**
 * `rutter ARGS` as a process of its own, as an operator runs it.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Served } from "../api/serve.ts";

const PROGRAM = join(import.meta.dirname, "../../agent/main.ts");

export type Ended = {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type Running = {
  readonly ended: Promise<Ended>;
  readonly stdout: () => string;
  kill(): void;
};

export function start(
  args: readonly string[],
  { input = "", env = {} }: { input?: string; env?: Readonly<Record<string, string>> } = {},
): Running {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { ...process.env, NO_COLOR: "1", ...env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (stdout += piece));
  child.stderr.setEncoding("utf8").on("data", (piece: string) => (stderr += piece));
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
  return { ended, stdout: () => stdout, kill: () => child.kill("SIGKILL") };
}

export const rutter = (args: readonly string[], input?: string): Promise<Ended> =>
  start(args, input === undefined ? {} : { input }).ended;

/** Against the API of a test. */
export const asked = (api: Served, args: readonly string[], input?: string): Promise<Ended> =>
  start(args, { env: { RUTTER_SOCKET: api.socketPath }, ...(input === undefined ? {} : { input }) })
    .ended;
