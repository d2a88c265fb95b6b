/**
 * Follows a directory of manifests, or a single file, and hands over its whole content whenever it changed.
 *
 * Never parses and never deletes: a directory that is missing or unreadable is said to be so, and is never an empty one.
 * The kernel's notices make it quick, a slow look again makes it sure (notices get lost, and network file systems send
 * none). Changes that come while it reads are read in one go afterwards. Reads next: stable-read.ts.
 */
import { type FSWatcher, watch } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Clock } from "../../backends/clock.ts";
import { errorCode } from "../errno.ts";
import {
  type FileProblem,
  type ManifestFile,
  readStable,
  type ReadFile,
  signatureAt,
} from "./stable-read.ts";

export type Snapshot =
  | {
      readonly type: "content";
      /** Absolute; files of a directory have `root/name` as their path, a single file has root itself. */
      readonly root: string;
      /** In order of path. */
      readonly files: readonly ManifestFile[];
      /** Files that say nothing now: what they owned must stay. */
      readonly problems: readonly FileProblem[];
    }
  /** Everything that came from here must stay as it is. */
  | { readonly type: "unreadable"; readonly root: string; readonly reason: string };

export type ManifestsDirectory = {
  /** Looks now; resolves after what was found was handed over. */
  rescan(): Promise<void>;
  /** Nothing is handed over any more. Idempotent. */
  stop(): void;
};

export type ManifestsOptions = {
  readonly path: string;
  readonly clock: Clock;
  /** The first look in any case, then every change. Must not throw. */
  readonly onSnapshot: (snapshot: Snapshot) => void;
  readonly rescanMillis?: number;
};

const RESCAN_MILLIS = 30_000;
/** While something is wrong it is looked at more often: nobody sends a notice when a directory appears. */
const TROUBLE_MILLIS = 1000;
/** A directory with more is not one that people write. */
const MAX_FILES = 10_000;
/** While files come and go faster than they are read, nothing new is believed after so many readings. */
const ATTEMPTS = 5;
/**
 * A name that is gone is looked for again after this long, until the list stands still: who removes a directory, or
 * changes a git branch, takes names away one by one, and each step alone would look like a small, honest deletion.
 */
const GONE_SETTLE_MILLIS = 250;

export function watchManifests(options: ManifestsOptions): ManifestsDirectory {
  const { clock, onSnapshot } = options;
  const root = resolve(options.path);
  const cache: Cache = { files: new Map(), names: [] };
  let last = "";
  let watched: { readonly path: string; readonly watcher: FSWatcher } | undefined;
  let cancel: (() => void) | undefined;
  let running: Promise<void> | undefined;
  let again = false;
  let stopped = false;

  const notice = (): void => {
    again = true;
    if (running === undefined && !stopped) running = scanAll();
  };
  const scanAll = async (): Promise<void> => {
    try {
      while (again) {
        again = false;
        await scanOnce();
      }
    } finally {
      running = undefined;
    }
  };
  const scanOnce = async (): Promise<void> => {
    if (stopped) return;
    await watchRoot();
    const snapshot = await readRoot(
      root,
      cache,
      (millis) => new Promise((done) => clock.after(millis, done)),
    );
    if (stopped) return;
    const digest = digestOf(snapshot);
    if (digest !== last) onSnapshot(snapshot);
    last = digest;
    const isTrouble = snapshot.type === "unreadable" || snapshot.problems.length > 0;
    cancel?.();
    cancel = clock.after(
      isTrouble ? TROUBLE_MILLIS : (options.rescanMillis ?? RESCAN_MILLIS),
      notice,
    );
  };
  const unwatch = (): void => {
    watched?.watcher.close();
    watched = undefined;
  };
  /** A single file is followed through its directory, because a new version is often another file of that name. */
  const watchRoot = async (): Promise<void> => {
    const isDirectory = (await kindOf(root)) === "directory";
    const place = isDirectory ? root : dirname(root);
    const identity = `${place} ${await inodeOf(place)}`;
    if (stopped || watched?.path === identity) return;
    unwatch();
    try {
      const watcher = watch(place, { persistent: false }, (_event, name) => {
        if (isDirectory || name === null || name === basename(root)) notice();
      });
      watcher.on("error", unwatch);
      watched = { path: identity, watcher };
    } catch (error) {
      // Not there, or no watches left: the slow look goes on.
      if (errorCode(error) === "") throw error;
    }
  };
  notice();
  return {
    async rescan() {
      notice();
      await running;
    },
    stop() {
      stopped = true;
      cancel?.();
      unwatch();
    },
  };
}

type Cache = {
  /** What was read last of each path, with the signature of the file then. */
  readonly files: Map<string, Extract<ReadFile, { type: "file" }>>;
  /** All that the directory held when it was handed over last, readable or not. */
  names: readonly string[];
};
type PauseFor = (millis: number) => Promise<void>;

async function readRoot(root: string, cache: Cache, pause: PauseFor): Promise<Snapshot> {
  const kind = await kindOf(root);
  if (kind === "directory") return readDirectory(root, cache, pause);
  if (kind !== "file") return { type: "unreadable", root, reason: kind };
  const read = await readCached(root, true, cache, pause);
  if (read.type === "gone") return { type: "unreadable", root, reason: "is not there" };
  return read.type === "file"
    ? { type: "content", root, files: [read.file], problems: [] }
    : { type: "unreadable", root, reason: read.problem.reason };
}

async function readDirectory(root: string, cache: Cache, pause: PauseFor): Promise<Snapshot> {
  for (let attempt = 1; ; attempt += 1) {
    const names = await listNames(root);
    if (!names.ok) return { type: "unreadable", root, reason: names.reason };
    const files: ManifestFile[] = [];
    const problems: FileProblem[] = [];
    for (const name of names.list) {
      const read = await readCached(join(root, name), false, cache, pause);
      if (read.type === "file") files.push(read.file);
      else if (read.type === "problem") problems.push(read.problem);
    }
    const present = new Set(names.list);
    if (cache.names.some((name) => !present.has(name))) await pause(GONE_SETTLE_MILLIS);
    // A file that was renamed while this read would be missing under both names.
    const after = await listNames(root);
    const isSame = after.ok && after.text === names.text;
    if (!isSame && attempt < ATTEMPTS) continue;
    if (!isSame) return { type: "unreadable", root, reason: "changes faster than it can be read" };
    for (const path of cache.files.keys())
      if (!present.has(basename(path))) cache.files.delete(path);
    cache.names = names.list;
    return { type: "content", root, files, problems };
  }
}

async function readCached(
  path: string,
  follow: boolean,
  cache: Cache,
  pause: PauseFor,
): Promise<ReadFile> {
  const known = cache.files.get(path);
  if (
    known !== undefined &&
    known.signature === (await signatureAt(path, follow ? "file" : "link"))
  )
    return known;
  const read = await readStable(path, follow, pause);
  if (read.type === "file") cache.files.set(path, read);
  else cache.files.delete(path);
  return read;
}

type Names =
  | { readonly ok: true; readonly list: readonly string[]; readonly text: string }
  | { readonly ok: false; readonly reason: string };

/** Manifests by their ending; hidden files are editors' and package managers' own. In code-unit order on every host. */
async function listNames(root: string): Promise<Names> {
  try {
    const all = await readdir(root);
    const list = all.filter((name) => /^[^.].*\.(?:ya?ml|json)$/.test(name)).toSorted();
    if (list.length > MAX_FILES) {
      return { ok: false, reason: `holds ${list.length} manifests; at most ${MAX_FILES} are read` };
    }
    return { ok: true, list, text: list.join("/") };
  } catch (error) {
    const code = errorCode(error);
    if (code === "") throw error;
    return { ok: false, reason: code === "ENOENT" ? "is not there" : `cannot be read: ${code}` };
  }
}

/** `directory`, `file`, or why it is neither. */
async function kindOf(path: string): Promise<string> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) return "directory";
    return found.isFile() ? "file" : "is neither a directory nor a regular file";
  } catch (error) {
    const code = errorCode(error);
    if (code === "") throw error;
    return code === "ENOENT" ? "is not there" : `cannot be read: ${code}`;
  }
}

async function inodeOf(path: string): Promise<string> {
  return (await signatureAt(path)).split(" ", 2).join(" ");
}

const digestOf = (snapshot: Snapshot): string =>
  JSON.stringify(
    snapshot.type === "unreadable"
      ? snapshot
      : [snapshot.files.map(({ path, digest }) => [path, digest]), snapshot.problems],
  );
