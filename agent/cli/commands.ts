/**
 * What every command of the command line has: a form to print in, a socket to ask at, an example.
 *
 * The one door of commander. Reads next: program.ts (the commands), fleet-program.ts (those of a fleet).
 */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { type Client, createClient } from "./client.ts";
import type { Context, Io, Output } from "./io.ts";

export { Command, CommanderError, InvalidArgumentError, Option };

export type AgentFlags = {
  readonly config?: string;
  readonly state?: string;
  readonly socket?: string;
  readonly backend?: "native" | "frr" | "gobgp";
  readonly listen?: readonly string[];
  readonly filename?: string;
};

export type BfdFlags = {
  readonly socket: string;
  readonly keep: number;
  readonly untilIdle?: boolean;
};

export type Program = {
  readonly io: Io;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: () => string;
  /** `rutter agent`: resolves when the agent has ended. */
  readonly runAgent: (flags: AgentFlags) => Promise<void>;
  /** `rutter bfd serve`: resolves when the process has ended. */
  readonly runBfd: (flags: BfdFlags) => Promise<void>;
};

export type Shared = { readonly output?: Output; readonly socket: string };

const DEFAULT_SOCKET = "/run/rutter/api.sock";
const OUTPUTS: readonly Output[] = ["table", "json", "yaml"];

export const example = (line: string): string => `\nExample:\n  ${line}`;

/** `-f a -f b` → both. */
export const collect = (value: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  value,
];

const socketOption = ({ env }: Program): Option =>
  new Option("--socket <path>", "the agent's socket; RUTTER_SOCKET sets it too").default(
    env["RUTTER_SOCKET"] ?? DEFAULT_SOCKET,
  );

/** A command that prints. */
export const printing = (parent: Command, usage: string, description: string): Command =>
  parent
    .command(usage)
    .description(description)
    .addOption(new Option("-o, --output <form>", "how to print").choices(OUTPUTS).default("table"));

/** A command that asks the agent and prints. */
export const asking = (
  parent: Command,
  program: Program,
  usage: string,
  description: string,
): Command => printing(parent, usage, description).addOption(socketOption(program));

export function contextOf({ io }: Program, { output = "table", socket }: Shared): Context {
  let client: Client | undefined;
  return { io, output, client: () => (client ??= createClient(socket)) };
}
