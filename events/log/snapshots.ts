/**
 * Snapshots of folds: files beside the log, a cache that can be deleted at any time.
 *
 * Written under another name, synced and renamed, so that a file of the right name is whole; believed only where digest,
 * fold version and the chain's hash at its seq agree. Anything else is ignored, never repaired.
 * Reads next: writer.ts (which writes them), open-log.ts.
 */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { seq } from "../ids.ts";
import { bodyDigest } from "./chain.ts";
import type { LogHead, Snapshot } from "./log.ts";
import { FILE_MODE, syncDirectory } from "./place.ts";

/** The newest, and the one before it in case the newest is not whole. */
const KEPT = 2;
const NAME = /^\d{16}\.json$/;

type FirstLine = Omit<Snapshot, "state"> & { readonly sha256: string };

export async function writeSnapshot(directory: string, snapshot: Snapshot): Promise<void> {
  const { state, ...rest } = snapshot;
  const name = `${String(snapshot.seq).padStart(16, "0")}.json`;
  const unfinished = join(directory, `${name}.new`);
  const first = JSON.stringify({ ...rest, sha256: bodyDigest(state) } satisfies FirstLine);
  try {
    const file = await open(unfinished, "w", FILE_MODE);
    try {
      await file.writeFile(`${first}\n`);
      await file.writeFile(state);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, join(directory, name));
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  syncDirectory(directory);
  const older = snapshotNames(directory).slice(KEPT);
  await Promise.all(older.map((old) => rm(join(directory, old), { force: true })));
}

/** The newest snapshot that is whole, of this fold version, and of this log. */
export function readSnapshot(
  directory: string,
  foldVersion: string,
  isOfLog: (at: LogHead) => boolean,
): Snapshot | undefined {
  for (const name of snapshotNames(directory)) {
    const snapshot = parseSnapshot(join(directory, name));
    if (snapshot?.foldVersion === foldVersion && isOfLog(snapshot)) return snapshot;
  }
  return undefined;
}

/** An erased body may live on in a snapshot, so all of them go. */
export function dropSnapshots(directory: string): void {
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { force: true });
}

/** Newest first. */
function snapshotNames(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => NAME.test(name))
    .toSorted()
    .toReversed();
}

function parseSnapshot(file: string): Snapshot | undefined {
  try {
    const text = readFileSync(file, "utf8");
    const end = text.indexOf("\n");
    const first: FirstLine = JSON.parse(text.slice(0, end));
    const { sha256, hash, foldVersion } = first;
    const state = text.slice(end + 1);
    if (bodyDigest(state) !== sha256) return undefined;
    return { seq: seq(Number(first.seq)), hash, foldVersion, state };
  } catch {
    // A cache: whatever is wrong with a file, it is as if it were not there.
    return undefined;
  }
}
