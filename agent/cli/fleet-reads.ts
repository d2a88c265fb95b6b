/**
 * The commands of a fleet that show what its hosts say: `fleet status` and `fleet log`.
 *
 * Reads arguments and hands on. Reads next: fleet-status.ts, fleet-log.ts.
 */
import {
  type Command,
  contextOf,
  example,
  printing,
  type Program,
  type Shared,
} from "./commands.ts";
import { type FleetFlags, joining } from "./fleet-options.ts";
import type { FleetLogFlags } from "./fleet-log.ts";
import type { FleetStatusFlags } from "./fleet-status.ts";

const access = () => import("./fleet-access.ts");

export function addFleetReads(fleet: Command, program: Program): void {
  joining(
    printing(
      fleet,
      "status",
      "What every host said of itself last; who is silent, behind, or differs.",
    ),
    program,
  )
    .option("--check", "end with 1 where a host is silent, behind, or differs from the others")
    .addHelpText("after", example("rutter fleet status --fleet berlin --server nats://10.0.0.1"))
    .action(async (flags: Shared & FleetFlags & FleetStatusFlags) => {
      await using joined = await (await access()).openFleet(program, flags, "reader");
      const { fleetStatus } = await import("./fleet-status.ts");
      await fleetStatus(contextOf(program, flags), joined, flags);
    });

  joining(
    printing(
      fleet,
      "log",
      "The hosts' books as they tell them; each fact and checkpoint is verified.",
    ),
    program,
  )
    .option("--host <name>", "only this host's")
    .option("--lane <lane>", "only desired, sessions or routes")
    .option("--follow", "go on with what they tell from now on")
    .option(
      "--verify",
      "print no facts but what they add up to; end with 1 where something is missing or was changed",
    )
    .option(
      "--reader <name>",
      "go on where the reader of this name was, with the same hosts and lanes",
    )
    .option("--heads <file>", "what is known of each log (default: in the user's state directory)")
    .option("--accept <host>", "take this host's log as it is now, whatever it was before")
    .addHelpText("after", example("rutter fleet log --fleet berlin --reader audit --follow"))
    .action(
      async (flags: Shared & FleetFlags & Omit<FleetLogFlags, "heads"> & { heads?: string }) => {
        await using joined = await (await access()).openFleet(program, flags, "reader");
        const [{ fleetLog }, { defaultHeadsFile }] = await Promise.all([
          import("./fleet-log.ts"),
          import("./known-heads.ts"),
        ]);
        const heads = flags.heads ?? defaultHeadsFile(program.env);
        await fleetLog(contextOf(program, flags), joined, { ...flags, heads });
      },
    );
}
