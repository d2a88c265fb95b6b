/**
 * What every command that speaks to a fleet's NATS is told: whereto, who connects, and with which key.
 *
 * An operator's machine runs no agent, so nothing of it stands in an agent.yaml. Loads nothing of NATS: it is read at each
 * start of the command line. Reads next: fleet-access.ts (connects).
 */
import { collect, type Command, Option, type Program } from "./commands.ts";

export type FleetFlags = {
  readonly fleet?: string;
  readonly server?: readonly string[];
  readonly credentials?: string;
  readonly seed?: string;
  readonly tlsCa?: string;
  readonly tlsCertificate?: string;
  readonly tlsKey?: string;
  readonly as?: string;
};

/** The options of every command that speaks to a fleet. */
export function joining(command: Command, { env }: Program): Command {
  const servers = env["RUTTER_FLEET_SERVERS"]?.split(",");
  return command
    .addOption(
      new Option("--fleet <name>", "the fleet; RUTTER_FLEET sets it too").default(
        env["RUTTER_FLEET"],
      ),
    )
    .addOption(
      new Option(
        "--server <url>",
        "nats://host:port; may be repeated; RUTTER_FLEET_SERVERS sets them too, comma between them",
      )
        .argParser(collect)
        .default(undefined, servers?.join(",")),
    )
    .option("--credentials <file>", "NATS credentials: a JWT and its seed")
    .option("--seed <file>", "the seed of an nkey to connect with")
    .option("--tls-ca <file>", "who vouches for the servers")
    .option("--tls-certificate <file>", "this member's certificate")
    .option("--tls-key <file>", "and its key")
    .option(
      "--as <name>",
      "this member's name in `fleet auth`; the user's name where it is absent",
    );
}
