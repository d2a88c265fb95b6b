/**
 * Runs a shell script as root under a kernel of its own, one that has VRF, VLAN, dummy and netem whatever this machine has.
 *
 *     const { code, log, out } = await runInGuest({ script: "ip link add blue type vrf table 10" });
 *
 * The guest sees this machine's files at their own paths (the project, its packages, Node, BIRD, FRR) and may write
 * anywhere: what it writes is forgotten, except in $OUT. The live tests' harness runs in it as it does outside. It has
 * one processor, slow system calls and no way to the network: nothing to measure in.
 * Read next: README.md beside this file, kernel.ts, init.sh.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { lastLines } from "../live/router.ts";
import { bootFolder, bootOf, kernelFolder, type Start } from "./kernel.ts";

export type GuestJob = {
  /** For `sh -eu`, in the project's directory, with Node on the PATH; `/job` holds `files`, `$OUT` takes what it leaves. */
  readonly script: string;
  readonly files?: Readonly<Record<string, string>>;
  /** For the script; afterwards it is killed and the code is TIMED_OUT. */
  readonly timeoutSeconds?: number;
};

export type GuestRun = {
  /** The script's exit code. */
  readonly code: number;
  /** What it wrote to standard output and standard error. */
  readonly log: string;
  /** What it left in $OUT, by path. */
  readonly out: ReadonlyMap<string, Buffer>;
  /** From the kernel's start to the script's, by the guest's clock. */
  readonly bootSeconds: number;
  /** From the call to the end, by this machine's. */
  readonly seconds: number;
};

/** The code of a script whose time ran out. */
export const TIMED_OUT = 124;
const SCRIPT_SECONDS = 200;
/** What the script has after a polite SIGTERM. */
const GRACE_SECONDS = 2;
/** Boot and power-off, on a machine that does much else. */
const KERNEL_SECONDS = 90;
/** A kernel in trouble may say the same for ever. */
const CONSOLE_LIMIT = 100_000;
const PROJECT = join(import.meta.dirname, "../..");
/** What Node has stripped and compiled, here or in earlier guests: nothing costs a guest more than to do it again. */
const COMPILED = join(PROJECT, "node_modules/.cache/rutter");

const living = new Map<ChildProcess, string>();
process.once("exit", () => {
  for (const [child, folder] of living) {
    kill(child);
    rmSync(folder, { recursive: true, force: true });
  }
});

/** A kernel is a group of processes: its helpers, and one for each of the guest's. */
function kill(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // It ended meanwhile.
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

function prepare(folder: string, { script, files = {}, timeoutSeconds }: GuestJob): string {
  const job = join(folder, "job");
  mkdirSync(join(job, "out"), { recursive: true });
  for (const [name, text] of Object.entries({ ...files, script })) {
    mkdirSync(dirname(join(job, name)), { recursive: true });
    writeFileSync(join(job, name), text);
  }
  const path = `${dirname(process.execPath)}:/usr/sbin:/usr/bin:/sbin:/bin`;
  const limit = `timeout -k ${GRACE_SECONDS} ${timeoutSeconds ?? SCRIPT_SECONDS}`;
  const start = [
    `export PATH=${quoted(path)} HOME=/root OUT=/job/out`,
    // With one processor further threads are only switched to.
    `export NODE_COMPILE_CACHE=${quoted(COMPILED)} NODE_OPTIONS=--v8-pool-size=0`,
    `cd ${quoted(PROJECT)}`,
    `exec ${limit} sh -eu /job/script`,
  ];
  writeFileSync(join(job, "start"), `${start.join("\n")}\n`);
  copyFileSync(join(import.meta.dirname, "init.sh"), join(folder, "init"));
  chmodSync(join(folder, "init"), 0o755);
  return job;
}

function filesBelow(folder: string): ReadonlyMap<string, Buffer> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
  return new Map(paths.map((path) => [relative(folder, path), readFileSync(path)]));
}

function answer(job: string, since: number, said: string): GuestRun {
  const text = (name: string) =>
    existsSync(join(job, name)) ? readFileSync(join(job, name), "utf8") : "";
  const code = text("code").trim();
  if (code === "") {
    throw new Error(`the guest gave no answer:\n${lastLines(said)}\n${lastLines(text("log"))}`);
  }
  return {
    code: Number(code),
    log: text("log"),
    out: filesBelow(join(job, "out")),
    bootSeconds: Number(text("booted")),
    seconds: (performance.now() - since) / 1e3,
  };
}

/** Another kernel than the usual one: how it is booted, in its own folder, with the job's. */
export type Boot = (folder: string, init: string, job: string) => Start;

const usual: Boot = (folder, init, job) => {
  mkdirSync(COMPILED, { recursive: true });
  const shared = [`JOB=${job}`, `COMPILED=${realpathSync(COMPILED)}`];
  return bootOf(folder, [init, `KERNEL=${kernelFolder()}`, ...shared]);
};

/** Boots a fresh guest, runs the script, powers off. Throws where the guest itself fails; the script's code is an answer. */
export async function runInGuest(job: GuestJob, boot: Boot = usual): Promise<GuestRun> {
  const since = performance.now();
  const folder = bootFolder();
  const shared = prepare(folder, job);
  const { argv, env } = boot(folder, join(folder, "init"), shared);
  const [program = "", ...rest] = argv;
  const child = spawn(program, rest, { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  living.set(child, folder);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      said = (said + chunk).slice(-CONSOLE_LIMIT);
    });
  }
  const seconds = (job.timeoutSeconds ?? SCRIPT_SECONDS) + GRACE_SECONDS + KERNEL_SECONDS;
  const impatience = setTimeout(() => kill(child), seconds * 1e3);
  try {
    await once(child, "close");
    return answer(shared, since, said);
  } finally {
    clearTimeout(impatience);
    living.delete(child);
    rmSync(folder, { recursive: true, force: true });
  }
}
