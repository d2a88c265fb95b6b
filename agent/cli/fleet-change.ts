/**
 * The commands that change what a fleet is to do: `rutter fleet apply`, `delete` and `rebase`.
 *
 * Manifests are read here, by the rules that every host has; the change set that follows is signed and published. What it
 * leads to (addresses, what is set aside) is known before it is sent, and said. Reads next: fleet-publisher.ts.
 */
import { readFileSync } from "node:fs";
import { canonicalJson } from "../../events/digest.ts";
import { address } from "../../events/address.ts";
import { type ResourceKey, resourceKey, resourceKeyParts } from "../../events/ids.ts";
import { resourcesOf } from "../../events/state.ts";
import { CoreError } from "../api/core.ts";
import { keyNamed } from "../api/kind-names.ts";
import type { Allocated, Put } from "../fleet/change-set.ts";
import type { FleetState } from "../fleet/fleet-state.ts";
import type { Change, Published } from "../fleet/io/publisher.ts";
import { type FleetManifests, readFleetManifests } from "../fleet/read-manifests.ts";
import { KeyError } from "../fleet/signing.ts";
import type { Complaint } from "../manifests/complaint.ts";
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
export type RebaseFlags = PublisherFlags & {
  readonly filename: readonly string[];
  readonly status: string;
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
    const { puts } = await manifests(context, flags.filename, by);
    await publisherReady(by, flags);
    const change = (state: FleetState): Change => ({
      puts: puts.map(({ put }) => put),
      deletes: flags.prune === true ? notNamed(state, puts) : [],
    });
    await conclude(context, by, await by.publisher.publish(change, flags.dryRun === true), flags);
  });
}

/** A dry run makes nothing, so it asks nothing of a server that has no stream yet. */
async function publisherReady(
  { publisher, config }: Publishing,
  { dryRun }: { readonly dryRun?: boolean },
): Promise<void> {
  if (dryRun !== true) await publisher.ensureStreams(config.replicas);
}

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
      : (await manifests(context, filename, by)).puts.map(({ key }) => key);
    const done = await by.publisher.publish(() => ({ puts: [], deletes }), flags.dryRun === true);
    await conclude(context, by, done, flags);
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

type KeyedPut = FleetManifests["puts"][number];

/** Throws Failure with a line for each complaint. */
async function manifests(
  context: Context,
  sources: readonly string[],
  { config }: Publishing,
): Promise<{ readonly puts: readonly KeyedPut[] }> {
  const files = await readFiles(context, sources);
  const read = readOrFail(files, config);
  report(context, [...read.complaints, ...read.warnings]);
  for (const { kind, name, reason } of read.notApplicable) {
    context.io.err(`${safe(`${kind} ${name}: ${reason}`)}\n`);
  }
  if (read.complaints.length > 0) {
    throw new Failure("CHANGE_REFUSED", nothingChanged(read.complaints.length));
  }
  return read;
}
