/**
 * Where a command reads from and writes to; a test hands in its own.
 *
 * Writing waits for the reader, so that a full table through a pipe takes no memory. A reader that left (`| head`) ends the
 * command quietly.
 */
import { once } from "node:events";
import type { Readable } from "node:stream";
import type { Client } from "./client.ts";
import { safeJson } from "./terminal.ts";
import { yaml } from "./yaml.ts";

export type Output = "table" | "json" | "yaml";

export type Io = {
  readonly stdin: Readable;
  /** Resolves when there is room for more. */
  out(text: string): Promise<void>;
  err(text: string): void;
  /** Columns of the terminal on standard output; undefined where it is none. */
  width(): number | undefined;
  readonly colour: boolean;
  /** Whether standard error is a terminal: progress is shown only there. */
  readonly progress: boolean;
  nowMillis(): number;
};

export type Context = { readonly io: Io; readonly output: Output; readonly client: () => Client };

export function processIo(): Io {
  const { stdin, stdout, stderr, env } = process;
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  return {
    stdin,
    async out(text) {
      if (!stdout.write(text)) await once(stdout, "drain");
    },
    err: (text) => void stderr.write(text),
    width: () => (stdout.isTTY ? stdout.columns : undefined),
    colour: stdout.isTTY && env["NO_COLOR"] === undefined,
    progress: stderr.isTTY,
    nowMillis: () => Date.now(),
  };
}

/** A value in the form that was asked for. */
export async function show<T>(
  { io, output }: Context,
  value: T,
  asTable: (value: T) => string,
): Promise<void> {
  if (output === "json") await io.out(`${safeJson(JSON.stringify(value, null, 2))}\n`);
  else if (output === "yaml") await io.out(safeJson(yaml(value)));
  else await io.out(asTable(value));
}
