/**
 * What every command of a fleet is told of its way there; loads nothing of NATS.
 *
 * Reads next: fleet-access.ts (what becomes of it).
 */
import { type Command, InvalidArgumentError } from "./commands.ts";

const TIMEOUT_SECONDS = 30;

function seconds(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 3600) return value;
  throw new InvalidArgumentError("more than 0, at most 3600");
}

export const memberOptions = (command: Command, role: "reader" | "publisher"): Command =>
  command
    .option(
      "--fleet-config <file>",
      "fleet.yaml (default: /etc/rutter/fleet.yaml, else what agent.yaml says of its fleet)",
    )
    .option("--as <name>", `this ${role}'s name in \`fleet auth\` (default: the user's name)`)
    .option("--timeout <seconds>", "how long a server is waited for", seconds, TIMEOUT_SECONDS);
