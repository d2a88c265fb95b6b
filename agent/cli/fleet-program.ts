/**
 * `rutter fleet …`: the commands that speak to a fleet's NATS themselves, and run where no agent does.
 *
 * Reads arguments and hands on. Reads next: fleet-keys.ts (keygen, auth).
 */
import {
  type Command,
  contextOf,
  example,
  printing,
  type Program,
  type Shared,
} from "./commands.ts";
import type { AuthFlags, KeygenFlags } from "./fleet-keys.ts";
import { addFleetReads } from "./fleet-reads.ts";

const keys = () => import("./fleet-keys.ts");

export function addFleet(root: Command, program: Program): void {
  const fleet = root
    .command("fleet")
    .description("A fleet's hosts, fed over NATS: what all of them are to do.")
    .enablePositionalOptions();

  printing(fleet, "keygen", "Draw a key: its seed into a file, its public half printed.")
    .requiredOption("-f, --filename <file>", "where the seed goes; it must not be there yet")
    .option("--curve", "a key that values are sealed to (X…), not one that signs (U…)")
    .addHelpText("after", example("rutter fleet keygen -f /etc/rutter/publisher.nk"))
    .action(async (flags: Shared & KeygenFlags) =>
      (await keys()).keygen(contextOf(program, flags), flags),
    );

  printing(
    fleet,
    "auth",
    "The authorization block of nats-server for a fleet's members; each may only do its own.",
  )
    .requiredOption("--fleet <name>", "the fleet's name")
    .requiredOption(
      "-f, --filename <file>",
      "a line for each member: host, publisher or reader, its name, the nkey that it connects with",
    )
    .addHelpText(
      "after",
      example(
        'printf "host edge1 UC…\\npublisher ops UD…\\n" | rutter fleet auth --fleet berlin -f - > members.conf',
      ),
    )
    .action(async (flags: Shared & AuthFlags) =>
      (await keys()).auth(contextOf(program, flags), flags),
    );

  addFleetReads(fleet, program);
}
