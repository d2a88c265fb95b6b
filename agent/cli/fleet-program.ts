/**
 * `rutter fleet …`: the commands that speak to a fleet's NATS themselves, and run where no agent does.
 *
 * Reads arguments and hands on. Reads next: fleet-change.ts (apply, delete), fleet-get.ts, fleet-keys.ts (keygen, auth).
 */
import {
  collect,
  type Command,
  contextOf,
  example,
  printing,
  type Program,
  type Shared,
} from "./commands.ts";
import type { FleetApplyFlags, FleetDeleteFlags } from "./fleet-change.ts";
import type { FleetGetFlags } from "./fleet-get.ts";
import type { AuthFlags, KeygenFlags } from "./fleet-keys.ts";
import { memberOptions } from "./fleet-options.ts";
import { addFleetReads } from "./fleet-reads.ts";
import type { RebaseFlags } from "./fleet-rebase.ts";

const change = () => import("./fleet-change.ts");
const keys = () => import("./fleet-keys.ts");

export function addFleet(root: Command, program: Program): void {
  const fleet = root
    .command("fleet")
    .description("A fleet's hosts, fed over NATS: what all of them are to do.")
    .enablePositionalOptions();
  addFleetChanges(fleet, program);
  addFleetReads(fleet, program);
  addFleetKeys(fleet, program);
}

function addFleetKeys(fleet: Command, program: Program): void {
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
}

/** What a publisher is told; fleet.yaml says the rest. */
const publishingOptions = (command: Command): Command =>
  memberOptions(command, "publisher").option(
    "--signing-seed <file>",
    "the seed that signs, where fleet.yaml does not name it",
  );

const DESPITE = "publish though a host has a higher generation: it diverges and keeps what it has";

function addFleetChanges(fleet: Command, program: Program): void {
  publishingOptions(
    printing(
      fleet,
      "apply",
      "Publish manifests to the fleet as one change set: all of them or none.",
    ),
  )
    .requiredOption(
      "-f, --filename <path>",
      "a file, a directory or - for standard input; may be repeated",
      collect,
    )
    .option("--dry-run", "say what the change set would hold, publish nothing")
    .option("--prune", "also delete what the fleet has and the manifests do not name")
    .option("--despite-hosts", DESPITE)
    .addHelpText("after", example("rutter fleet apply -f fleet/ --dry-run"))
    .action(async (flags: Shared & FleetApplyFlags) =>
      (await change()).apply(contextOf(program, flags), flags),
    );

  publishingOptions(
    printing(fleet, "delete [kind] [names...]", "Delete the fleet's resources, everywhere."),
  )
    .option("-f, --filename <path>", "manifests that name what is to go; may be repeated", collect)
    .option("-n, --namespace <name>", "namespace of what is named")
    .option("--despite-hosts", DESPITE)
    .option("--dry-run", "say what the change set would hold, publish nothing")
    .addHelpText("after", example("rutter fleet delete services web -n default"))
    .action(async (kind: string | undefined, names: string[], flags: Shared & FleetDeleteFlags) =>
      (await change()).remove(contextOf(program, flags), kind, names, flags),
    );

  publishingOptions(
    printing(fleet, "get <kind> [name]", "The fleet's resources of a kind, or `all`."),
  )
    .option("-n, --namespace <name>", "only of this namespace (default: all)")
    .addHelpText("after", example("rutter fleet get services -o yaml"))
    .action(async (kind: string, name: string | undefined, flags: Shared & FleetGetFlags) => {
      const { get } = await import("./fleet-get.ts");
      return get(contextOf(program, flags), kind, name, flags);
    });

  publishingOptions(
    printing(
      fleet,
      "rebase",
      "Begin the feed anew, above what the hosts have: its stream was lost.",
    ),
  )
    .requiredOption(
      "-f, --filename <path>",
      "manifests of the whole fleet; may be repeated",
      collect,
    )
    .requiredOption(
      "--status <file>",
      "what `rutter status -o json` says on a host that had everything",
    )
    .option("--despite-hosts", "though another host has a higher generation than this status")
    .addHelpText("after", example("rutter fleet rebase -f fleet/ --status edge1.json"))
    .action(async (flags: Shared & RebaseFlags) => {
      const { rebase } = await import("./fleet-rebase.ts");
      return rebase(contextOf(program, flags), flags);
    });
}
