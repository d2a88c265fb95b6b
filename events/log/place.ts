/**
 * The state directory of a log: names, permissions, the lock of its single writer, and moving a bad file aside.
 *
 * Never follows a symbolic link to a database and never looks inside one. The lock is SQLite's own exclusive lock on a
 * small database beside the log, which the kernel frees however a process ends; the holder's pid is only for the message.
 * Reads next: store.ts, writer.ts.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { LogError } from "./log.ts";
import { asLogError, holdExclusively, messageOf } from "./sqlite.ts";

export type Place = {
  readonly directory: string;
  readonly database: string;
  readonly lock: string;
  readonly holder: string;
  readonly snapshots: string;
};

/** The book is for its agent and its group, and for nobody else. */
const DIRECTORY_MODE = 0o750;
export const FILE_MODE = 0o640;
/** What SQLite keeps beside a database in WAL mode; the WAL goes first, because alone it would be read into a new file. */
const SIDE_FILES = ["-wal", "-shm", ""] as const;

export const placeOf = (directory: string): Place => ({
  directory,
  database: join(directory, "log.db"),
  lock: join(directory, "log.lock"),
  holder: join(directory, "log.holder"),
  snapshots: join(directory, "snapshots"),
});

/** Makes the directories. Throws LOG_UNREADABLE where it cannot, or where a link stands in the place of a file. */
export function preparePlace(place: Place): void {
  try {
    mkdirSync(place.directory, { recursive: true, mode: DIRECTORY_MODE });
    mkdirSync(place.snapshots, { recursive: true, mode: DIRECTORY_MODE });
  } catch (error) {
    throw asLogError(error, place.directory);
  }
  for (const suffix of SIDE_FILES) refuseLink(`${place.database}${suffix}`);
  refuseLink(place.lock);
  refuseLink(place.holder);
  // SQLite would only say that it is unable to open it.
  for (const suffix of SIDE_FILES) refuseOthers(`${place.database}${suffix}`);
}

function refuseOthers(file: string): void {
  if (!existsSync(file)) return;
  try {
    accessSync(file, constants.R_OK | constants.W_OK);
  } catch (error) {
    const readOnly = error instanceof Error && "code" in error && error.code === "EROFS";
    const text = readOnly
      ? `${file} is on a read-only file system: remount it for writing, or name another --state`
      : `${file} cannot be written by uid ${process.geteuid?.()}: chown it, or run the agent as its owner`;
    throw new LogError("LOG_UNREADABLE", text, { cause: error });
  }
}

function refuseLink(file: string): void {
  if (lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true) {
    throw new LogError("LOG_UNREADABLE", `${file} is a symbolic link: put the file itself there`);
  }
}

/** An empty file of the log's mode. Throws where it exists. */
export function createFile(file: string): void {
  closeSync(openSync(file, "wx", FILE_MODE));
}

/** Holds the place until the returned function is called or the process ends. Throws LOG_HELD with the holder's pid. */
export function holdPlace(place: Place, program: string): () => void {
  try {
    if (!existsSync(place.lock)) closeSync(openSync(place.lock, "a", FILE_MODE));
    const lock = holdExclusively(place.lock);
    if (lock === undefined) throw heldError(place);
    nameHolder(place, program);
    return () => {
      lock.close();
    };
  } catch (error) {
    throw asLogError(error, place.lock);
  }
}

/** Only a message is made of it, so a full disk must not keep an agent from starting. */
function nameHolder({ holder }: Place, program: string): void {
  try {
    writeFileSync(holder, `${process.pid} ${program}\n`, { mode: FILE_MODE });
  } catch {
    // The name of the one before would be worse than none.
    rmSync(holder, { force: true });
  }
}

function heldError(place: Place): LogError {
  const [pid, program] = holderOf(place);
  const who = pid === undefined ? "another agent" : `pid ${pid} (${program ?? "rutter"})`;
  return new LogError(
    "LOG_HELD",
    `${place.database} is held by ${who}: stop it, or give this agent another --state`,
  );
}

function holderOf(place: Place): readonly (string | undefined)[] {
  try {
    const [pid, ...program] = readFileSync(place.holder, "utf8").trim().split(" ");
    return [pid, program.join(" ")];
  } catch {
    // The message is poorer without the file, nothing else: the lock itself is what counts.
    return [];
  }
}

/** Renames the database and what SQLite keeps beside it; gives the database's new path. */
export function moveAside(place: Place): string {
  let number = 1;
  while (SIDE_FILES.some((suffix) => existsSync(`${aside(place, number)}${suffix}`))) number += 1;
  for (const suffix of SIDE_FILES) {
    const file = `${place.database}${suffix}`;
    if (existsSync(file)) renameSync(file, `${aside(place, number)}${suffix}`);
  }
  syncDirectory(place.directory);
  return aside(place, number);
}

const aside = (place: Place, number: number): string => `${place.database}.damaged-${number}`;

/** Less than a commit of one fact may take: the database's pages, the WAL's, and the index of the WAL (32 KiB at once). */
const NO_ROOM_OCTETS = 256 * 1024;

/** Why the disk refused, with the way out as far as it can be seen from here. */
export function withWayOut(place: Place, refusal: string): string {
  const { directory } = place;
  try {
    const { bavail, bsize } = statfsSync(directory);
    // A large change may not fit where a small one does.
    if (bavail * bsize < NO_ROOM_OCTETS || saysFull(refusal)) {
      return `${refusal}: the file system of ${directory} is full: make room there`;
    }
    accessSync(directory, constants.W_OK);
    return `${refusal}: look at the disk under ${directory} (rutter doctor, dmesg)`;
  } catch (error) {
    return `${refusal}: ${directory} cannot be written (${messageOf(error)})`;
  }
}

export const saysFull = (refusal: string): boolean => /\bfull\b|ENOSPC/.test(refusal);

/** Makes renames in a directory durable. */
export function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
