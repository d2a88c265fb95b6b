/**
 * One program in the foreground, started by a test and ended by it: its output, its end, its pid.
 *
 * It signals only the pid it started, and whatever still runs when the test process leaves is killed then, so that a
 * test that fails half-way leaves nothing behind. It never runs a shell.
 * Read next: netns.ts, which starts daemons inside namespaces.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

type Ended = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type Daemon = AsyncDisposable & {
  readonly pid: number;
  /** Text so far, the newest OUTPUT_LIMIT characters of each. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly running: () => boolean;
  /** Calls back with each whole line of standard output, from now on. */
  onLine(listener: (line: string) => void): void;
  /** Sends the signal (SIGTERM unless told) and waits for the end; SIGKILL follows after GRACE_MS. */
  stop(signal?: NodeJS.Signals): Promise<Ended>;
  readonly ended: Promise<Ended>;
};

/** A daemon that logs each route must not fill the test's memory. */
const OUTPUT_LIMIT = 4_000_000;
/** What a daemon may take for a graceful end before it is killed. */
const GRACE_MS = 20_000;

const alive = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});

function keepText(stream: NodeJS.ReadableStream | null): () => string {
  let text = "";
  stream?.setEncoding("utf8");
  stream?.on("data", (chunk: string) => {
    text = (text + chunk).slice(-OUTPUT_LIMIT);
  });
  return () => text;
}

function splitLines(stream: NodeJS.ReadableStream | null, listeners: ((line: string) => void)[]) {
  let rest = "";
  stream?.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) for (const listener of listeners) listener(line);
  });
}

/** Starts `argv[0]` with the rest as its arguments. Throws when the program cannot be started at all. */
export async function startDaemon(
  argv: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<Daemon> {
  const [program = "", ...rest] = argv;
  const child = spawn(program, rest, { stdio: ["ignore", "pipe", "pipe"], ...options });
  await once(child, "spawn");
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} has no pid`);
  alive.add(child);

  const stdout = keepText(child.stdout);
  const stderr = keepText(child.stderr);
  const listeners: ((line: string) => void)[] = [];
  splitLines(child.stdout, listeners);
  const ended = new Promise<Ended>((resolve) => {
    child.once("close", (code, signal) => {
      alive.delete(child);
      resolve({ code, signal });
    });
  });
  const running = (): boolean => child.exitCode === null && child.signalCode === null;

  const stop = async (signal: NodeJS.Signals = "SIGTERM"): Promise<Ended> => {
    if (running()) child.kill(signal);
    const impatience = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
    const end = await ended;
    clearTimeout(impatience);
    return end;
  };

  return {
    pid,
    stdout,
    stderr,
    running,
    onLine: (listener) => void listeners.push(listener),
    stop,
    ended,
    [Symbol.asyncDispose]: async () => {
      await stop("SIGKILL");
    },
  };
}

export type Finished = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a program to its end and gives its output; a code other than 0 is an answer, not an exception. */
export async function run(
  argv: readonly string[],
  options: {
    readonly env?: NodeJS.ProcessEnv;
    readonly cwd?: string;
    readonly input?: string;
    readonly timeoutMs?: number;
  } = {},
): Promise<Finished> {
  const [program = "", ...rest] = argv;
  const { input = "", timeoutMs = 60_000, ...spawnOptions } = options;
  const child = spawn(program, rest, { stdio: ["pipe", "pipe", "pipe"], ...spawnOptions });
  await once(child, "spawn");
  alive.add(child);
  const stdout = keepText(child.stdout);
  const stderr = keepText(child.stderr);
  // A program that leaves without reading its input is no fault of the test.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const impatience = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  const [code]: (number | null)[] = await once(child, "close");
  clearTimeout(impatience);
  alive.delete(child);
  return { code: code ?? 128, stdout: stdout(), stderr: stderr() };
}
