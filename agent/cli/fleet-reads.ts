/**
 * The commands of a fleet that show what its hosts say, and who reads it: `fleet status`, `log` and `readers`.
 *
 * Reads arguments and hands on. Reads next: fleet-status.ts, fleet-log.ts, fleet-readers.ts.
 */
import {
  type Command,
  contextOf,
  example,
  printing,
  type Program,
  type Shared,
} from "./commands.ts";
import type { MemberFlags } from "./fleet-access.ts";
import type { FleetLogFlags } from "./fleet-log.ts";
import type { RemoveFlags } from "./fleet-readers.ts";
import { memberOptions } from "./fleet-options.ts";
import type { FleetStatusFlags } from "./fleet-status.ts";

const access = () => import("./fleet-access.ts");

const reading = (fleet: Command, usage: string, description: string): Command =>
  memberOptions(printing(fleet, usage, description), "reader");

const HEADS = "what is known of each host's log and key (default: in the user's state directory)";
type Headed<T> = Omit<T, "heads"> & { heads?: string };

async function headsFile({ env }: Program, { heads }: { heads?: string }): Promise<string> {
  const { defaultHeadsFile } = await import("./known-heads.ts");
  return heads ?? defaultHeadsFile(env);
}

export function addFleetReads(fleet: Command, program: Program): void {
  reading(fleet, "status", "What every host said last; who is silent, behind, or differs.")
    .option(
      "--check",
      "end with 1 where a host is silent, stopped, behind, differs, or has another key",
    )
    .option("--heads <file>", HEADS)
    .addHelpText("after", example("rutter fleet status --check"))
    .action(async (flags: Shared & MemberFlags & Headed<FleetStatusFlags>) => {
      const { fleetStatus } = await import("./fleet-status.ts");
      const context = contextOf(program, flags);
      const heads = await headsFile(program, flags);
      await (
        await access()
      ).joined(flags, (joined) => fleetStatus(context, joined, { ...flags, heads }));
    });

  reading(fleet, "log", "The hosts' books as they tell them; each fact and checkpoint is verified.")
    .option("--host <name>", "only this host's")
    .option("--lane <lane>", "only desired, sessions or routes")
    .option("--follow", "go on with what they tell from now on")
    .option(
      "--verify",
      "show what it adds up to; ends with 1 where something is missing or changed",
    )
    .option(
      "--reader <name>",
      "go on where the reader of this name was, with the same hosts and lanes",
    )
    .option("--heads <file>", HEADS)
    .option(
      "--accept <host>",
      "take this host's log and its key as they are now, whatever they were",
    )
    .addHelpText("after", example("rutter fleet log --reader audit --follow"))
    .action(async (flags: Shared & MemberFlags & Headed<FleetLogFlags>) => {
      const { fleetLog } = await import("./fleet-log.ts");
      const context = contextOf(program, flags);
      const heads = await headsFile(program, flags);
      await (
        await access()
      ).joined(flags, (joined) => fleetLog(context, joined, { ...flags, heads }));
    });

  const readers = reading(
    fleet,
    "readers",
    "Who reads the hosts' books by name, how far, and when that was noted.",
  )
    .addHelpText("after", example("rutter fleet readers -o json"))
    .action(async (flags: Shared & MemberFlags) => {
      const { fleetReaders } = await import("./fleet-readers.ts");
      const context = contextOf(program, flags);
      await (await access()).joined(flags, (joined) => fleetReaders(context, joined));
    });

  memberOptions(
    printing(
      readers,
      "remove <name>",
      "Forget a reader that is gone: what it lacks is not told again for it. As a publisher.",
    ),
    "publisher",
  )
    .option("--host <name>", "only what it noted of this host")
    .addHelpText("after", example("rutter fleet readers remove old-audit"))
    .action(async (name: string, flags: Shared & MemberFlags & RemoveFlags) => {
      const { removeReader } = await import("./fleet-readers.ts");
      const context = contextOf(program, flags);
      await (
        await access()
      ).asMember(flags, "publisher", async (member) => {
        await member.connection.connected(AbortSignal.timeout(flags.timeout * 1000));
        await removeReader(context, member, name, flags);
      });
    });
}
