/**
 * The command line: every command with its options, its help and an example (design §8).
 *
 * It reads arguments and hands on; what a command does stands in change.ts, read.ts and book.ts.
 * Loads nothing heavy: `rutter agent` and the offline commands import what they need when they run.
 */
import type { AtFlags, LogFlags } from "./book.ts";
import type { ApplyFlags, DeleteFlags, PlanFlags } from "./change.ts";
import {
  type AgentFlags,
  asking,
  type BfdFlags,
  collect,
  Command,
  CommanderError,
  contextOf,
  example,
  InvalidArgumentError,
  Option,
  type Program,
  type Shared,
} from "./commands.ts";
import { exitCode, Failure } from "./failure.ts";
import { addFleet } from "./fleet-program.ts";
import type { GetFlags, RoutesFlags } from "./read.ts";
import { safe } from "./terminal.ts";

const USAGE = 2;

/** Loaded when a command runs: a start that loads them all takes twice as long. */
const change = () => import("./change.ts");
const read = () => import("./read.ts");
const book = () => import("./book.ts");

/** Runs one command line (without program name) and gives its exit code; everything it has to say goes to `io`. */
export async function run(program: Program, argv: readonly string[]): Promise<number> {
  const { io } = program;
  try {
    await commands(program).parseAsync([...argv], { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
    if (!isWorldsFault(error)) throw error;
    for (const line of error.message.split("\n")) io.err(`rutter: ${safe(line)}\n`);
    return error instanceof Failure ? exitCode(error) : 1;
  }
}

/** By convention of this program: what has a stable upper-case code. Anything else is our bug and keeps its stack. */
function isWorldsFault(error: unknown): error is Error {
  if (error instanceof Failure) return true;
  return (
    error instanceof Error &&
    error.name !== "Error" &&
    "code" in error &&
    typeof error.code === "string" &&
    !error.code.startsWith("ERR_")
  );
}

function commands(program: Program): Command {
  const { io } = program;
  const root = new Command("rutter")
    .version(program.version(), "-V, --version", "print the version and end")
    .description("The book of this host's routing: desired state, sessions, routes, and why.")
    .exitOverride()
    .enablePositionalOptions()
    .configureOutput({ writeErr: (text) => io.err(text), writeOut: (text) => void io.out(text) })
    .configureHelp({ showGlobalOptions: false })
    .showHelpAfterError("(see rutter --help)");
  addAgent(root, program);
  addChanges(root, program);
  addReads(root, program);
  addBfd(root, program);
  addBook(root, program);
  addFleet(root, program);
  return root;
}

function addAgent(root: Command, program: Program): void {
  root
    .command("agent")
    .description("Run the agent in the foreground; prints `ready SOCKET` when it serves.")
    .option("--config <file>", "configuration (default: /etc/rutter/agent.yaml, if it is there)")
    .option("--state <dir>", "where the log and the secrets are kept")
    .option("--socket <path>", "where to serve the API", program.env["RUTTER_SOCKET"])
    .addOption(new Option("--backend <name>", "the speaker").choices(["native", "frr", "gobgp"]))
    .option("--listen <address:port>", "where BGP peers connect to; may be repeated", collect)
    .option("-f, --filename <path>", "manifests: a file or a directory that is watched")
    .addHelpText(
      "after",
      example(
        "rutter agent --state ./state --socket ./api.sock --listen 0.0.0.0:1790 -f manifests/",
      ),
    )
    .action((flags: AgentFlags) => program.runAgent(flags));
}

/** `--wait` answers after the wire; the others are the same for each change. */
const changing = (command: Command): Command =>
  command
    .option("--dry-run", "say what would happen, change nothing")
    .option("--wait", "return when the speaker has it, not when it is recorded")
    .option("--take-over", "also change what another source owns, and own it from now on")
    .option("--idempotency-key <key>", "a second request with this key is the same change");

const manifestsOption = (command: Command): Command =>
  command.requiredOption(
    "-f, --filename <path>",
    "a file, a directory or - for standard input; may be repeated",
    collect,
  );

const judging = (command: Command): Command =>
  command
    .option("--keep-going", "leave out what is refused and go on with the rest")
    .option("--lenient", "read well-known slips as they are meant, with a warning")
    .option("--prune", "also delete what this owner has and the manifests do not name");

function addChanges(root: Command, program: Program): void {
  judging(
    changing(
      manifestsOption(asking(root, program, "apply", "Apply manifests: all of them or none.")),
    ),
  )
    .addHelpText("after", example("rutter apply -f examples/01-ecmp-bfd-service.yaml --wait"))
    .action(async (flags: ApplyFlags & Shared) => {
      const { output: _output, socket: _socket, ...options } = flags;
      return (await change()).apply(contextOf(program, flags), options);
    });

  changing(
    asking(root, program, "delete [kind] [names...]", "Delete resources by name or by manifests."),
  )
    .option("-f, --filename <path>", "manifests that name what is to go; may be repeated", collect)
    .option("-n, --namespace <name>", "namespace of what is named")
    .addHelpText("after", example("rutter delete bgppeers.metallb.io peer1 -n metallb-system"))
    .action(async (kind: string | undefined, names: string[], flags: DeleteFlags & Shared) => {
      const { output: _output, socket: _socket, ...options } = flags;
      return (await change()).remove(contextOf(program, flags), kind, names, options);
    });

  judging(
    asking(
      root,
      program,
      "plan",
      "What manifests, or another speaker, would change on the wire; changes nothing.",
    ),
  )
    .option(
      "-f, --filename <path>",
      "a file, a directory or -; may be left out with --backend",
      collect,
    )
    .addOption(
      new Option(
        "--backend <name>",
        "compare what this speaker would be told with what is told now",
      ).choices(["native", "frr", "gobgp"]),
    )
    .option("--take-over", "plan as if --take-over were given to apply")
    .addHelpText("after", example("rutter plan -f new-pool.yaml\n  rutter plan --backend frr"))
    .action(async (flags: PlanFlags & Shared) =>
      (await change()).plan(contextOf(program, flags), flags),
    );

  asking(root, program, "confirm [what]", "Let go on what is held: `plan`, a source, or all.")
    .addHelpText("after", example("rutter confirm file:/etc/rutter/manifests.d"))
    .action(async (what: string | undefined, flags: Shared) =>
      (await change()).confirm(contextOf(program, flags), what),
    );
}

function addReads(root: Command, program: Program): void {
  asking(root, program, "get <kind> [name]", "Resources of a kind, of `all`, or the `intent`.")
    .option("-n, --namespace <name>", "only of this namespace (default: all)")
    .option(
      "--generated",
      "of frrconfiguration: what MetalLB would have made of its own kinds here",
    )
    .addHelpText("after", example("rutter get services -n default -o yaml"))
    .action(async (kind: string, name: string | undefined, flags: Shared & GetFlags) =>
      (await read()).get(contextOf(program, flags), kind, name, flags),
    );

  asking(root, program, "status", "Everything at a glance.")
    .option("--watch", "show it again whenever it changes")
    .addHelpText("after", example("rutter status --watch"))
    .action(async (flags: Shared & { watch?: boolean }) =>
      (await read()).status(contextOf(program, flags), flags.watch === true),
    );

  asking(root, program, "peers", "All BGP neighbours, also those that are down, and why.")
    .addHelpText("after", example("rutter peers -o json"))
    .action(async (flags: Shared) => (await read()).peers(contextOf(program, flags)));

  asking(root, program, "routes <direction>", "Routes: received, advertised, or in the kernel.")
    .option("--peer <name>", "only of this peer, by name or address")
    .option("--stream", "one JSON object a line, as they come")
    .option("--raw", "with the path attributes as they were on the wire")
    .addHelpText("after", example("rutter routes advertised --peer tor1"))
    .action(async (direction: string, flags: Shared & RoutesFlags) => {
      if (direction !== "received" && direction !== "advertised" && direction !== "kernel") {
        const message = `routes: "${direction}" is not received, advertised or kernel`;
        throw new Failure("USAGE", message);
      }
      return (await read()).routes(contextOf(program, flags), direction, flags);
    });

  asking(root, program, "why <subject>", "Why a prefix, address or Service is announced or not.")
    .option("--peer <name>", "to this peer")
    .addHelpText("after", example("rutter why 203.0.113.10"))
    .action(async (subject: string, flags: Shared & { peer?: string }) =>
      (await read()).why(contextOf(program, flags), subject, flags.peer),
    );

  asking(root, program, "doctor", "Check the host and the agent, with a way out for each fault.")
    .addHelpText("after", example("rutter doctor"))
    .action(async (flags: Shared) => (await read()).doctor(contextOf(program, flags)));
}

const DEFAULT_BFD_SOCKET = "/run/rutter/bfd.sock";
/** As long as a host takes to upgrade a package, and no longer: nobody minds the sessions meanwhile. */
const KEEP_SECONDS = 300;

function addBfd(root: Command, program: Program): void {
  const bfd = asking(root, program, "bfd", "BFD sessions: state, timers, and what went wrong last.")
    .enablePositionalOptions()
    .addHelpText("after", example("rutter bfd -o json"))
    .action(async (flags: Shared) => (await read()).bfd(contextOf(program, flags)));

  bfd
    .command("serve")
    .description("Run the BFD process in the foreground; it outlives the agent that drives it.")
    .option("--socket <path>", "where the agent finds it", DEFAULT_BFD_SOCKET)
    .option(
      "--keep <seconds>",
      "how long sessions go on while no agent is there",
      wholeSeconds,
      KEEP_SECONDS,
    )
    .option("--until-idle", "end when nothing is held and no agent is connected")
    .addHelpText("after", example("rutter bfd serve --socket ./bfd.sock --keep 60"))
    .action((flags: BfdFlags) => program.runBfd(flags));
}

function wholeSeconds(text: string): number {
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= 86_400) return seconds;
  throw new InvalidArgumentError("0 to 86400, a whole number");
}

const fileOption = "read this log's file instead of asking the agent";

function addBook(root: Command, program: Program): void {
  const log = asking(root, program, "log", "The log: what happened, by whom, because of what.")
    .enablePositionalOptions()
    .option("--follow", "go on with what is recorded from now on")
    .option("--from <seq>", "from this position")
    .option("--to <seq>", "up to this position")
    .option("--since <time>", "2026-01-31T10:00:00Z, or 10m for ten minutes ago")
    .option("--until <time>", "like --since")
    .option("--type <types>", "only these event types, comma between them")
    .option("--subject <subject>", "only about this")
    .option("-n, --limit <count>", "only the newest so many")
    .option("--log <file>", fileOption)
    .addHelpText("after", example("rutter log --since 1h --type session-observed"))
    .action(async (flags: LogFlags & Shared) =>
      (await book()).log(contextOf(program, flags), flags),
    );

  asking(log, program, "verify", "Walk the hash chain and say where it breaks.")
    .option("--log <file>", fileOption)
    .option("--checkpoint <seq:hash>", "a position noted elsewhere, which the log must have")
    .addHelpText("after", example("rutter log verify --log /var/lib/rutter/log.db"))
    .action(async (flags: Shared & { log?: string; checkpoint?: string }) =>
      (await book()).verify(contextOf(program, flags), flags),
    );

  asking(log, program, "export", "The log as JSON Lines, with each body as it was stored.")
    .option("--log <file>", fileOption)
    .option("--from <seq>", "from this position")
    .addHelpText("after", example("rutter log export --log copy-of-log.db > log.jsonl"))
    .action(async (flags: Shared & { log?: string; from?: string }) =>
      (await book()).exportFacts(contextOf(program, flags), flags),
    );

  asking(
    root,
    program,
    "at <moment> <what> [kind] [name]",
    "`status` or `get` as of a seq or a time.",
  )
    .option("-n, --namespace <name>", "only of this namespace")
    .option("--log <file>", fileOption)
    .addHelpText("after", example("rutter at 2026-01-31T10:00:00Z get services"))
    .action(
      async (
        moment: string,
        what: string,
        kind: string | undefined,
        name: string | undefined,
        flags: Shared & AtFlags,
      ) => (await book()).at(contextOf(program, flags), [moment, what, kind, name], flags),
    );
}
