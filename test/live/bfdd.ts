/**
 * FRR's bfdd as a live test's peer, without any other daemon of FRR but zebra where it is asked for.
 *
 * Read next: frr.ts (the same for bgpd), bfd-process.live.test.ts.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { askVty, daemonArguments, ownedByFrr } from "./frr.ts";
import type { Node } from "./netns.ts";
import { serving } from "./until.ts";

export type BfddPeer = {
  readonly status: string;
  readonly diagnostic: string;
  readonly "remote-diagnostic": string;
  readonly "remote-transmit-interval": number;
  readonly "session-down": number;
  readonly "echo-packet-input": number;
  readonly "echo-packet-output": number;
};

export type Bfdd = AsyncDisposable & {
  readonly pid: number;
  peer(): Promise<BfddPeer | undefined>;
  /** Lines of configuration, from the top level. */
  configure(lines: readonly string[]): Promise<void>;
  explain(): Promise<string>;
};

/**
 * Starts bfdd in `node` with these lines inside its `bfd` section. With `zebra` it knows the node's interfaces, without which
 * it sends no echo.
 */
export async function startBfdd(
  node: Node,
  lines: readonly string[],
  options: { readonly zebra?: boolean } = {},
): Promise<Bfdd> {
  const directory = join(node.directory, "bfdd");
  const file = (name: string): string => join(directory, name);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  writeFileSync(file("bfdd.log"), "");
  writeFileSync(file("bfdd.conf"), ["bfd", ...lines, "exit", ""].join("\n"));
  for (const name of ["zebra.log", "zebra.conf"]) writeFileSync(file(name), "");
  const files = ["bfdd.log", "bfdd.conf", "zebra.log", "zebra.conf"].map(file);
  ownedByFrr([directory, ...files]);
  if (options.zebra === true) {
    const zebra = await node.start(daemonArguments(directory, "zebra"));
    await serving(zebra, () => askVty(file("zebra.vty"), ["show version"]), {
      what: `zebra in ${node.name}`,
      explain: () => zebra.stderr() + readFileSync(file("zebra.log"), "utf8"),
    });
  }
  const control = ["--bfdctl", file("bfdd.sock")];
  const daemon = await node.start([...daemonArguments(directory, "bfdd"), ...control]);
  const ask = async (commands: readonly string[]): Promise<string> => {
    const answers = await askVty(file("bfdd.vty"), ["enable", ...commands]);
    const refused = answers.find(({ status }) => status > 1);
    if (refused !== undefined) throw new Error(`bfdd refuses: ${refused.text}`);
    return answers.at(-1)?.text ?? "";
  };
  const explain = async (): Promise<string> =>
    `${await ask(["show bfd peers"])}\n${readFileSync(file("bfdd.log"), "utf8").slice(-2000)}`;
  await serving(daemon, () => ask(["show version"]), {
    what: `bfdd in ${node.name}`,
    explain: () => daemon.stderr() + readFileSync(file("bfdd.log"), "utf8"),
  });
  return {
    pid: daemon.pid,
    async peer() {
      const [peer]: BfddPeer[] = JSON.parse(await ask(["show bfd peers json"]));
      const [counters]: object[] = JSON.parse(await ask(["show bfd peers counters json"]));
      return peer === undefined ? undefined : { ...counters, ...peer };
    },
    async configure(more) {
      await ask(["configure terminal", ...more]);
    },
    explain,
    async [Symbol.asyncDispose]() {
      await daemon.stop("SIGKILL");
    },
  };
}
