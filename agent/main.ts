#!/usr/bin/env node
/**
 * The program's entry: hands the process to the command line, and loads the agent only for `rutter agent`.
 *
 * Nothing else in the tree reads argv or sets the exit code. Reads next: cli/program.ts, compose.ts.
 */
import { readFileSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";
import type { AgentFlags, BfdFlags } from "./cli/commands.ts";

/**
 * Stripped and compiled once, then taken from there: a command starts in a third of the time. Beside the packages, which
 * only the owner of this program may write; never in a temporary directory, where others could leave code.
 */
enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/rutter", import.meta.url)));

function version(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  const { version: number }: { readonly version: string } = JSON.parse(text);
  return number;
}

async function runAgent({ listen, filename, ...flags }: AgentFlags): Promise<void> {
  const [{ parseListenAt }, { Failure }, { loadConfig }, { startLog }] = await Promise.all([
    import("./written-config.ts"),
    import("./cli/failure.ts"),
    import("./config.ts"),
    import("./core/early-log.ts"),
  ]);
  const places = listen?.map((text) => {
    const place = parseListenAt(text);
    if (place !== undefined) return place;
    throw new Failure("USAGE", `--listen: "${text}" is not ADDRESS:PORT or [IPV6]:PORT`);
  });
  const options = {
    ...flags,
    ...(places === undefined ? {} : { listen: places }),
    ...(filename === undefined ? {} : { manifests: filename }),
  };
  const config = loadConfig(options);
  const writer = startLog(config.stateDirectory);
  const compose = await import("./compose.ts");
  await compose.runAgent(options, { config, writer }).catch((error: unknown) => {
    // The log's writer or a session may have begun already and would keep the process; `run` says why first.
    setImmediate(() => process.exit());
    throw error;
  });
}

async function runBfd(flags: BfdFlags): Promise<void> {
  const process = await import("./serve-bfd.ts");
  await process.runBfd(flags);
}

const [{ processIo }, { run }] = await Promise.all([
  import("./cli/io.ts"),
  import("./cli/program.ts"),
]);
process.exitCode = await run(
  { io: processIo(), env: process.env, version, runAgent, runBfd },
  process.argv.slice(2),
);
