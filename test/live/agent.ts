/**
 * `rutter agent` as a live test's subject: started in a place, asked through the command line as an operator does,
 * killed, and started again on the same state directory.
 *
 * It knows the outside contract only (arguments, the line `ready`, JSON): never the agent's own modules.
 * Read next: place.ts; the commands are agent/cli/.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Daemon, Finished } from "./daemon.ts";
import type { Place } from "./place.ts";
import { lastLines } from "./router.ts";
import { until } from "./until.ts";

/** The program's entry, from this file, so that tests run from any directory. */
const PROGRAM = join(import.meta.dirname, "../../agent/main.ts");
/** A cold start of Node and a replay of a large log, on a machine that does much else. */
const READY_TIMEOUT_MS = 60_000;

export type AgentPlan = {
  /** Told apart where one place has several agents. */
  readonly name?: string;
  /** File or directory for `-f`. */
  readonly manifests?: string;
  /** Text of an agent.yaml. */
  readonly config?: string;
  /** `ADDRESS:PORT` or `[ADDRESS]:PORT` of the BGP listener. */
  readonly listen?: string;
  /** Further arguments of `rutter agent`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Name of the agent in this place whose state directory or socket this one is given instead of its own. */
  readonly stateOf?: string;
  readonly socketOf?: string;
  /** A program that runs the agent (setpriv and its arguments); it must become it, so that the pid is the agent's. */
  readonly under?: readonly string[];
  /** Another version's agent/main.ts, where a test starts one on this version's state. */
  readonly program?: string;
  /** Milliseconds to its line `ready`, where the machine is a slow one. */
  readonly readyTimeoutMs?: number;
};

export type Agent = AsyncDisposable & {
  readonly pid: number;
  readonly socket: string;
  readonly state: string;
  /** Milliseconds from exec to the line `ready`. */
  readonly readyAfterMs: number;
  readonly running: () => boolean;
  /** `rutter ARGS --socket …`; the exit code is an answer. */
  rutter(...args: readonly string[]): Promise<Finished>;
  /** `rutter ARGS -o json --socket …`, parsed. Throws when the command fails or prints no JSON. */
  ask<T>(...args: readonly string[]): Promise<T>;
  /** `rutter apply -f - ARGS` with this text on standard input. */
  apply(manifests: string, ...args: readonly string[]): Promise<Finished>;
  /** kill -9, and waits until the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>;
  /** Starts again on the same state directory, with changes to the plan if any. */
  restart(changes?: AgentPlan): Promise<Agent>;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** What to print when a test fails: status, peers, the end of standard error. */
  explain(): Promise<string>;
};

const option = (name: string, value: string | undefined): string[] =>
  value === undefined ? [] : [name, value];

function argumentsOf(plan: AgentPlan, directory: string, state: string, socket: string): string[] {
  const config = plan.config === undefined ? undefined : join(directory, `${plan.name}.yaml`);
  if (config !== undefined) writeFileSync(config, plan.config ?? "");
  return [
    "agent",
    ...option("--state", state),
    ...option("--socket", socket),
    ...option("--config", config),
    ...option("--listen", plan.listen),
    ...option("-f", plan.manifests),
    ...(plan.args ?? []),
  ];
}

/** The path that the agent says it serves on, once it has said so. */
const readySocket = (daemon: Daemon): string | undefined =>
  /^ready (\S+)$/m.exec(daemon.stdout())?.[1];

/** Runs `rutter agent` where it is expected to refuse, and gives what it said. One that serves instead is killed in the end. */
export function refusedAgent(place: Place, plan: AgentPlan = {}): Promise<Finished> {
  const { argv, env } = startOf(place, plan);
  return place.run(argv, { env, timeoutMs: READY_TIMEOUT_MS });
}

function startOf(place: Place, plan: AgentPlan) {
  const name = plan.name ?? "agent";
  const state = join(place.directory, `${plan.stateOf ?? name}-state`);
  const socket = join(place.directory, `${plan.socketOf ?? name}.sock`);
  const program = plan.program ?? PROGRAM;
  const rest = argumentsOf({ ...plan, name }, place.directory, state, socket);
  const argv = [...(plan.under ?? []), process.execPath, program, ...rest];
  return { state, program, argv, env: { ...process.env, ...plan.env } };
}

/** Starts `rutter agent` in `place` and returns when it is ready. Throws with its own words when it ends before. */
export async function startAgent(place: Place, plan: AgentPlan = {}): Promise<Agent> {
  const { state, program, argv, env } = startOf(place, plan);
  const started = performance.now();
  const daemon = await place.start(argv, { env });

  const said = () => `${lastLines(daemon.stdout())}\n${lastLines(daemon.stderr())}`;
  const socket = await until(
    () => readySocket(daemon) ?? (daemon.running() ? undefined : "ended"),
    {
      what: `the agent in ${place.name}`,
      everyMs: 5,
      timeoutMs: plan.readyTimeoutMs ?? READY_TIMEOUT_MS,
      explain: said,
    },
  );
  if (socket === "ended") throw new Error(`the agent in ${place.name} ended at once:\n${said()}`);
  const readyAfterMs = performance.now() - started;

  const command = (args: readonly string[], input = "") =>
    place.run([process.execPath, program, ...args, "--socket", socket], { env, input });
  const ask = async <T>(...args: readonly string[]): Promise<T> => {
    const { code, stdout, stderr } = await command([...args, "-o", "json"]);
    if (code !== 0) throw new Error(`rutter ${args.join(" ")} ends with ${code}: ${stderr}`);
    const answer: T = JSON.parse(stdout);
    return answer;
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    await daemon.stop(signal);
  };
  const explain = async (): Promise<string> => {
    const answers = await Promise.all([command(["status"]), command(["peers"])]);
    return `agent in ${place.name}:\n${answers.map((one) => one.stdout + one.stderr).join("\n")}\n${said()}`;
  };

  return {
    pid: daemon.pid,
    socket,
    state,
    readyAfterMs,
    running: daemon.running,
    rutter: (...args) => command(args),
    ask,
    apply: (manifests, ...args) => command(["apply", "-f", "-", ...args], manifests),
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
    restart: async (changes = {}) => {
      await end("SIGKILL");
      return startAgent(place, { ...plan, ...changes });
    },
    stdout: daemon.stdout,
    stderr: daemon.stderr,
    explain,
    [Symbol.asyncDispose]: () => end("SIGKILL"),
  };
}
