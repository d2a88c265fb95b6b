/**
 * Reads one manifest file whole: never half of it, never two halves of different files.
 *
 * The file is read through one descriptor and looked at before and after; one that was written a moment ago is looked at
 * again after a pause, for its author may not have finished. Never follows a symbolic link. Reads next: manifests-dir.ts.
 */
import { createHash } from "node:crypto";
import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, lstat, open, stat } from "node:fs/promises";
import { errorCode } from "../errno.ts";

export type ManifestFile = {
  readonly path: string;
  readonly text: string;
  /** SHA-256 of the octets as read, hexadecimal. */
  readonly digest: string;
};

/** A file that says nothing now; what it said before stays in force. */
export type FileProblem = {
  readonly path: string;
  readonly code:
    | "symlink"
    | "not-a-file"
    | "unreadable"
    | "too-large"
    | "not-text"
    | "empty"
    | "unsteady";
  /** In words an operator can act on. */
  readonly reason: string;
};

export type ReadFile =
  | { readonly type: "file"; readonly file: ManifestFile; readonly signature: string }
  | { readonly type: "problem"; readonly problem: FileProblem }
  /** It went away meanwhile. */
  | { readonly type: "gone" };

/** 100,000 Services in one file are some 30 MB; twice that. */
const MAX_OCTETS = 64 * 1024 * 1024;
/** Who writes in place pauses less than this between two writes; who renames into place never waits for it twice. */
const SETTLE_MILLIS = 50;
const ATTEMPTS = 5;

export type Pause = (millis: number) => Promise<void>;

/** `follow`: the file was named by the operator, so a link there is meant. */
export async function readStable(path: string, follow: boolean, pause: Pause): Promise<ReadFile> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const before = await readOnce(path, follow);
    if (before.type !== "file") return before;
    const isOld = Date.now() - before.mtimeMillis >= SETTLE_MILLIS;
    if (!isOld) await pause(SETTLE_MILLIS);
    if ((await signatureAt(path, follow ? "file" : "link")) === before.signature)
      return judged(before);
  }
  return problem(
    path,
    "unsteady",
    "is being written all the time: put new versions in place with mv",
  );
}

/** Equal signatures: the same file with the same content. Empty where there is none. `link`: of the link itself, where it is one. */
export async function signatureAt(path: string, what: "file" | "link" = "file"): Promise<string> {
  try {
    const look = what === "link" ? lstat : stat;
    return signatureOf(await look(path, { bigint: true }));
  } catch (error) {
    if (errorCode(error) === "") throw error;
    return "";
  }
}

const signatureOf = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string =>
  [dev, ino, size, mtimeNs, ctimeNs].join(" ");

type Raw = {
  readonly type: "file";
  readonly path: string;
  readonly octets: Buffer;
  readonly signature: string;
  readonly mtimeMillis: number;
};

async function readOnce(
  path: string,
  follow: boolean,
): Promise<Raw | Exclude<ReadFile, { type: "file" }>> {
  let file: FileHandle;
  try {
    const link = follow ? 0 : constants.O_NOFOLLOW;
    // O_NONBLOCK: a FIFO must not hold a thread.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | link);
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT") return { type: "gone" };
    if (code === "ELOOP")
      return problem(path, "symlink", "is a symbolic link, which is not followed: copy the file");
    if (code === "") throw error;
    return problem(path, "unreadable", `cannot be read: ${code}`);
  }
  try {
    const before = await file.stat({ bigint: true });
    if (!before.isFile()) return problem(path, "not-a-file", "is not a regular file");
    if (before.size > BigInt(MAX_OCTETS)) {
      return problem(
        path,
        "too-large",
        `has ${before.size} octets; at most ${MAX_OCTETS} are read: split it`,
      );
    }
    const octets = await file.readFile();
    const after = await file.stat({ bigint: true });
    const isSame =
      signatureOf(before) === signatureOf(after) && octets.length === Number(after.size);
    const signature = isSame ? signatureOf(after) : "changed while it was read";
    return {
      type: "file",
      path,
      octets,
      signature,
      mtimeMillis: Number(after.mtimeNs / 1_000_000n),
    };
  } catch (error) {
    if (errorCode(error) === "") throw error;
    return problem(path, "unreadable", `cannot be read: ${errorCode(error)}`);
  } finally {
    await file.close();
  }
}

function judged({ path, octets, signature }: Raw): ReadFile {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(octets);
  } catch {
    return problem(path, "not-text", "is not UTF-8 text");
  }
  // `> file` empties it long before the new content comes: never a reason to delete everything.
  if (text.trim() === "") {
    return problem(path, "empty", "is empty: to take its resources back delete the file");
  }
  const digest = createHash("sha256").update(octets).digest("hex");
  return { type: "file", file: { path, text, digest }, signature };
}

const problem = (
  path: string,
  code: FileProblem["code"],
  reason: string,
): { type: "problem"; problem: FileProblem } => ({
  type: "problem",
  problem: { path, code, reason },
});
