/**
 * A directory of manifests as a source of commands: each snapshot of it is synced whole.
 *
 * A file that can't be read or has a mistake keeps what it owned; a directory that can't be read keeps everything. Complaints
 * go to the log lines and to `status`, once for each content. Reads next: agent/feeds/manifests-dir.ts, agent/decide/decide.ts.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Clock, Logger } from "../../backends/clock.ts";
import { LogError } from "../../events/log/log.ts";
import type { Owner } from "../../events/resources/resource.ts";
import type { Document } from "../decide/decision.ts";
import type { AgentConfig } from "../config-schema.ts";
import { type Snapshot, watchManifests } from "../feeds/manifests-dir.ts";
import { type Complaint, complaintText } from "../manifests/complaint.ts";
import { readManifests } from "../manifests/read.ts";
import type { Commands } from "../pipeline/commands.ts";
import type { Secrets } from "../secrets/secrets.ts";
import { documentsOf, secretsFirst } from "./changes.ts";

type ContentSnapshot = Extract<Snapshot, { readonly type: "content" }>;

export type SourceState = {
  readonly root: Owner;
  readonly complaints: readonly Complaint[];
  readonly problems: readonly string[];
};

export type ManifestSource = {
  /** Resolves when the snapshot's change is recorded, or refused with its complaints told. */
  take(snapshot: Snapshot): Promise<void>;
  /** Syncs the last snapshot again although it deletes much: the operator said so. Resolves with the newest seq, if any. */
  confirm(): Promise<number | null>;
  state(): SourceState;
};

type Parts = {
  readonly root: Owner;
  readonly commands: Commands;
  readonly secrets: Secrets;
  readonly logger: Logger;
};

export function createManifestSource({ root, commands, secrets, logger }: Parts): ManifestSource {
  let last: ContentSnapshot | undefined;
  let unreadable: string | undefined;
  let complaints: readonly Complaint[] = [];

  const sync = async (snapshot: ContentSnapshot, confirmed: boolean): Promise<number | null> => {
    const documents: Document[] = [];
    const unreadable: Owner[] = snapshot.problems.map(({ path }) => ownerOf(path));
    const batch = secrets.batch();
    const found: Complaint[] = [];
    for (const { path, text } of snapshot.files) {
      const read = readManifests(text, path, { seal: batch.seal });
      found.push(...read.complaints);
      if (read.complaints.length > 0) unreadable.push(ownerOf(path));
      else documents.push(...documentsOf(read, ownerOf(path)));
    }
    tell(found);
    const { decision, positions } = await commands.submit(
      { type: "sync", root, documents, unreadable, confirmed },
      { type: "agent" },
      { name: root },
      secretsFirst(batch),
    );
    for (const { message, document } of decision.refusals) {
      logger.warn({ file: document?.file, line: document?.line }, message);
    }
    if (decision.type === "held")
      logger.warn({ source: root }, "held: it would delete more than half of what it owned");
    return Math.max(0, ...positions.values()) || null;
  };

  const tell = (found: readonly Complaint[]): void => {
    const known = new Set(complaints.map(complaintText));
    for (const complaint of found) {
      if (!known.has(complaintText(complaint))) logger.warn({}, complaintText(complaint));
    }
    complaints = found;
  };

  return {
    async take(snapshot) {
      if (snapshot.type === "unreadable") {
        unreadable = snapshot.reason;
        logger.warn({ source: root }, snapshot.reason);
        return;
      }
      unreadable = undefined;
      last = snapshot;
      for (const { path, reason } of snapshot.problems) logger.warn({ file: path }, reason);
      await sync(snapshot, false);
    },
    confirm: async () => (last === undefined ? null : sync(last, true)),
    state: () => ({
      root,
      complaints,
      problems:
        unreadable === undefined
          ? (last?.problems ?? []).map(({ path, reason }) => `${path}: ${reason}`)
          : [unreadable],
    }),
  };
}

export type ManifestSources = {
  confirm(root: Owner): Promise<void>;
  /** Looks now; resolves when what was found is recorded, or refused and told. */
  rescan(): Promise<void>;
  states(): readonly SourceState[];
  stop(): void;
};

/** Resolves when the manifests that are there now are recorded, or refused and told. */
export async function followManifests(
  { manifests }: Pick<AgentConfig, "manifests">,
  parts: Omit<Parts, "root"> & { readonly clock: Clock },
): Promise<ManifestSources> {
  const none: ManifestSources = {
    confirm: async () => {},
    rescan: async () => {},
    states: () => [],
    stop: () => {},
  };
  if (manifests.isDefault && !existsSync(manifests.path)) return none;
  const root = ownerOf(resolve(manifests.path));
  const source = createManifestSource({ ...parts, root });
  let turn = Promise.resolve();
  let newest: Snapshot | undefined;
  let cancelRetry: (() => void) | undefined;
  // One after the other: a later snapshot must never be overtaken by an earlier one.
  const take = (snapshot: Snapshot): void => {
    turn = turn
      .then(async () => {
        if (snapshot === newest) await source.take(snapshot);
      })
      .catch((error: unknown) => {
        if (!(error instanceof LogError)) throw error;
        parts.logger.error({ code: error.code }, `manifests are not applied yet: ${error.message}`);
        // Nobody sends these files again: once the log can be written, they are taken all the same.
        cancelRetry = parts.clock.after(RETRY_MILLIS, () => take(snapshot));
      });
  };
  const directory = watchManifests({
    path: manifests.path,
    clock: parts.clock,
    onSnapshot: (snapshot) => {
      newest = snapshot;
      take(snapshot);
    },
  });
  const rescan = async (): Promise<void> => {
    await directory.rescan();
    await turn;
  };
  await rescan();
  return {
    rescan,
    confirm: async (owner) => {
      if (owner === root) await source.confirm();
    },
    states: () => [source.state()],
    stop: () => {
      cancelRetry?.();
      directory.stop();
    },
  };
}

/** A log that could not be written is tried again after this long. */
const RETRY_MILLIS = 5000;

const ownerOf = (path: string): Owner => `file:${path}`;
