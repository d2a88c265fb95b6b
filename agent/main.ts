#!/usr/bin/env node
/**
 * The program's entry: hands the process to the command line, and loads the agent only for `rutter agent`.
 *
 * Nothing else in the tree reads argv or sets the exit code. Reads next: cli/program.ts, compose.ts.
 */
import { readFileSync } from "node:fs";
import { Failure } from "./cli/failure.ts";
import { processIo } from "./cli/io.ts";
import { type AgentFlags, run } from "./cli/program.ts";

function version(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  const { version: number }: { readonly version: string } = JSON.parse(text);
  return number;
}

async function runAgent({ listen, filename, ...flags }: AgentFlags): Promise<void> {
  const [{ parseListenAt }, compose] = await Promise.all([
    import("./config-schema.ts"),
    import("./compose.ts"),
  ]);
  const places = listen?.map((text) => {
    const place = parseListenAt(text);
    if (place !== undefined) return place;
    throw new Failure("USAGE", `--listen: "${text}" is not ADDRESS:PORT or [IPV6]:PORT`);
  });
  await compose.runAgent({
    ...flags,
    ...(places === undefined ? {} : { listen: places }),
    ...(filename === undefined ? {} : { manifests: filename }),
  });
}

process.exitCode = await run(
  { io: processIo(), env: process.env, version, runAgent },
  process.argv.slice(2),
);
