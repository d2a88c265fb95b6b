/**
 * The commands that change what a fleet is to do: `rutter fleet apply` and `delete`.
 *
 * Manifests are read here, by the rules that every host has; the change set that follows is signed and published. What it
 * leads to (addresses, what is set aside) is known before it is sent, and said. Reads next: fleet-publisher.ts,
 * fleet-rebase.ts.
 */
import { type ResourceKey, resourceKeyParts } from "../../events/ids.ts";
import { CoreError } from "../api/core.ts";
import { keyNamed } from "../api/kind-names.ts";
import { type FleetState, headOf } from "../fleet/fleet-state.ts";
import type { Change, Published } from "../fleet/io/publisher.ts";
import { type FleetManifests, readFleetManifests } from "../fleet/read-manifests.ts";
import { KeyError } from "../fleet/signing.ts";
import { nothingChanged, readFiles, report } from "./change.ts";
import { Failure } from "./failure.ts";
import { type PublisherFlags, publishing, type Publishing } from "./fleet-publisher.ts";
import { type Context, show } from "./io.ts";
import { manifestName } from "./tables.ts";
import { safe } from "./terminal.ts";

export type FleetApplyFlags = PublisherFlags & {
  readonly filename: readonly string[];
  readonly dryRun?: boolean;
  readonly prune?: boolean;
};
export type FleetDeleteFlags = PublisherFlags & {
  readonly filename?: readonly string[];
  readonly namespace?: string;
  readonly dryRun?: boolean;
};
/** The JSON of these commands. */
export type FleetChangeJson = {
  readonly outcome: "published" | "unchanged" | "planned";
  readonly fleet: string;
  /** Of the change set; of the fleet as it is where nothing was published. */
  readonly generation: number;
  /** SHA-256 of the change set; empty where there is none. */
  readonly digest: string;
  /** Of its last part in the stream; null where nothing was published. */
  readonly sequence: number | null;
  readonly resources: readonly {
    readonly resource: ResourceKey;
    readonly result: "created" | "configured" | "deleted";
  }[];
  /** Which change; an empty list: the Service has none any more. */
  readonly addresses: readonly {
    readonly service: ResourceKey;
    readonly addresses: readonly string[];
  }[];
  /** What is set aside, and Services that wait for an address. */
  readonly warnings: readonly { readonly resource: ResourceKey; readonly reason: string }[];
};

export async function apply(context: Context, flags: FleetApplyFlags): Promise<void> {
  await publishing(flags, async (by) => {
    const { puts, keys } = await manifests(context, flags.filename, by);
    if (flags.dryRun !== true) await by.publisher.ensureStreams(by.config.replicas);
    const change = (state: FleetState): Change => ({
      puts,
      deletes: flags.prune === true ? notNamed(state, keys) : [],
    });
    await conclude(context, by, await by.publisher.publish(change, flags.dryRun === true));
  });
}

const notNamed = (state: FleetState, keys: readonly ResourceKey[]): readonly ResourceKey[] => {
  const named = new Set(keys);
  return [...state.puts.keys()].filter((key) => !named.has(key)).toSorted();
};

/** `rutter fleet delete -f FILE` or `rutter fleet delete KIND NAME...`. */
export async function remove(
  context: Context,
  kind: string | undefined,
  names: readonly string[],
  flags: FleetDeleteFlags,
): Promise<void> {
  const { filename = [], namespace } = flags;
  const byName = kind !== undefined && names.length > 0;
  if (byName === filename.length > 0) {
    throw new Failure(
      "USAGE",
      "name a KIND and a NAME, or manifests with -f; see rutter fleet delete --help",
    );
  }
  await publishing(flags, async (by) => {
    const deletes = byName
      ? names.map((name) => keyFor(kind, namespace, name))
      : (await manifests(context, filename, by)).keys;
    const done = await by.publisher.publish(() => ({ puts: [], deletes }), flags.dryRun === true);
    await conclude(context, by, done);
  });
}

function keyFor(kind: string, namespace: string | undefined, name: string): ResourceKey {
  try {
    return keyNamed({ kind, namespace, name });
  } catch (error) {
    if (!(error instanceof CoreError)) throw error;
    throw new Failure("USAGE", error.message, { cause: error });
  }
}

/** Throws Failure with a line for each complaint. */
export async function manifests(
  context: Context,
  sources: readonly string[],
  { config }: Publishing,
): Promise<FleetManifests> {
  const files = await readFiles(context, sources);
  const read = sealed(() => readFleetManifests(files, config.name, config.sealTo));
  report(context, [...read.complaints, ...read.warnings]);
  for (const { kind, name, reason } of read.notApplicable) {
    context.io.err(`${safe(`${kind} ${name}: ${reason}`)}\n`);
  }
  if (read.complaints.length > 0) {
    throw new Failure("CHANGE_REFUSED", nothingChanged(read.complaints.length));
  }
  return read;
}

function sealed<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    throw new Failure("UNREADABLE", `hosts in fleet.yaml: ${error.message}`, { cause: error });
  }
}

export async function conclude(
  context: Context,
  { config, publisher }: Publishing,
  done: Published,
): Promise<void> {
  if (done.type === "refused") {
    for (const { rule, message } of done.refusals) {
      context.io.err(`${safe(`error: ${message} [${rule}]`)}\n`);
    }
    throw new Failure("CHANGE_REFUSED", nothingChanged(done.refusals.length));
  }
  if (done.type === "unchanged") {
    const { state } = await publisher.read();
    const { generation } = headOf(state);
    await show(
      context,
      { ...NOTHING, fleet: config.name, generation } satisfies FleetChangeJson,
      () => `nothing is to be changed: generation ${generation} says it all\n`,
    );
    return;
  }
  await show(context, changeJson(done), changeText);
}

const NOTHING = {
  outcome: "unchanged",
  digest: "",
  sequence: null,
  resources: [],
  addresses: [],
  warnings: [],
} as const;

function changeJson({
  set,
  decision,
  digest,
  sequence,
}: Extract<Published, { readonly type: "set" }>): FleetChangeJson {
  const { after } = decision;
  const changed = new Set(decision.changes.map(({ key }) => key));
  const aside = [...after.quarantined].map(([resource, { reason }]) => ({ resource, reason }));
  const waiting = [...after.awaiting].map(([resource, { reason }]) => ({ resource, reason }));
  return {
    outcome: sequence === undefined ? "planned" : "published",
    fleet: set.fleet,
    generation: set.generation,
    digest,
    sequence: sequence ?? null,
    resources: decision.changes.flatMap(({ key, result }) =>
      result === "created" || result === "configured" || result === "deleted"
        ? [{ resource: key, result }]
        : [],
    ),
    addresses: set.allocations.map(({ service, addresses }) => ({
      service,
      addresses: addresses.map((one) => one.address),
    })),
    warnings: [...aside, ...waiting].filter(({ resource }) => changed.has(resource)),
  };
}

function changeText(change: FleetChangeJson): string {
  const dry = change.outcome === "planned" ? " (dry run)" : "";
  const named = (key: ResourceKey): string => {
    const { group, kind, namespace, name } = resourceKeyParts(key);
    return manifestName(group, kind, namespace, name);
  };
  const lines = change.resources.map(
    ({ resource, result }) => `${named(resource)} ${result}${dry}`,
  );
  for (const { service, addresses } of change.addresses) {
    lines.push(`  ${named(service)}: ${addresses.join(", ") || "no address any more"}`);
  }
  for (const { resource, reason } of change.warnings) {
    lines.push(`warning: ${named(resource)}: ${safe(reason)}`);
  }
  const verb = change.outcome === "planned" ? "would be" : "published as";
  lines.push(`${verb} generation ${change.generation} of fleet ${safe(change.fleet)}`);
  return lines.map((line) => `${line}\n`).join("");
}
