/**
 * FRR's daemons without any configuration, for tests that give them one over their vty sockets.
 *
 * Read next: frr.ts (a router from a plan).
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Daemon } from "./daemon.ts";
import { askVty, daemonArguments, ownedByFrr } from "./frr.ts";
import type { Node } from "./netns.ts";
import { serving } from "./until.ts";

const NAMES = ["zebra", "bgpd", "bfdd"] as const;
export type DaemonName = (typeof NAMES)[number];

export type FrrDaemons = AsyncDisposable & {
  /** Where their vty sockets are. */
  readonly directory: string;
  /** Of the process that runs, or ran last. */
  pid(daemon: DaemonName): number;
  /** kill -9, and nothing in its place. */
  kill(daemon: DaemonName): Promise<void>;
  /** In the place of one that has ended; without any configuration, as at first. */
  start(daemon: DaemonName): Promise<void>;
  /** Answers to commands, in order, from the enable node. */
  ask(
    daemon: DaemonName,
    commands: readonly string[],
  ): Promise<readonly { readonly text: string; readonly status: number }[]>;
};

/** Starts zebra, bgpd and bfdd in `node`. `kernel` lets zebra put learned routes into its kernel table; `modules` are bgpd's. */
export async function startFrrDaemons(
  node: Node,
  options: { readonly kernel?: boolean; readonly modules?: readonly string[] } = {},
): Promise<FrrDaemons> {
  const directory = join(node.directory, "frr-daemons");
  const file = (name: string): string => join(directory, name);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  const files = NAMES.flatMap((name) => [file(`${name}.conf`), file(`${name}.log`)]);
  for (const path of files) writeFileSync(path, "");
  ownedByFrr([directory, ...files]);
  const more: Readonly<Record<DaemonName, readonly string[]>> = {
    zebra: [],
    bgpd: [
      ...(options.kernel === true ? [] : ["--no_kernel"]),
      ...(options.modules ?? []).flatMap((name) => ["-M", name]),
    ],
    bfdd: ["--bfdctl", file("bfdd.sock")],
  };
  const running = new Map<DaemonName, Daemon>();
  const daemonOf = (name: DaemonName): Daemon => {
    const daemon = running.get(name);
    if (daemon === undefined) throw new Error(`${name} was never started`);
    return daemon;
  };
  const start = async (name: DaemonName): Promise<void> => {
    const daemon = await node.start([...daemonArguments(directory, name), ...more[name]]);
    running.set(name, daemon);
    await serving(daemon, () => askVty(file(`${name}.vty`), ["show version"]), {
      what: `${name} in ${node.name}`,
      explain: () => daemon.stderr() + readFileSync(file(`${name}.log`), "utf8"),
    });
  };
  for (const name of NAMES) await start(name);
  return {
    directory,
    pid: (name) => daemonOf(name).pid,
    kill: async (name) => {
      await daemonOf(name).stop("SIGKILL");
    },
    start,
    ask: async (daemon, commands) =>
      (await askVty(file(`${daemon}.vty`), ["enable", ...commands])).slice(1),
    async [Symbol.asyncDispose]() {
      for (const name of NAMES.toReversed()) await running.get(name)?.stop("SIGKILL");
    },
  };
}
