/**
 * Manifests from where a user keeps them: a file, a directory, standard input. The shell around read.ts.
 *
 * Each file is opened once, judged by its descriptor, and its digest is of the very octets that are parsed: a file that is swapped or grows
 * while it is read is never half old and half new unnoticed. Never decides what a manifest means.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { MAX_BYTES, tooLarge } from "./text.ts";

export type ManifestFile = {
  /** As the user named it; `-` is standard input. */
  readonly file: string;
  readonly octets: Uint8Array;
  /** SHA-256 of `octets`, hexadecimal. */
  readonly digest: string;
};

export type ManifestFileErrorCode =
  | "MANIFEST_NOT_FOUND"
  | "MANIFEST_UNREADABLE"
  | "MANIFEST_NOT_A_FILE"
  | "MANIFEST_TOO_LARGE"
  | "MANIFEST_CHANGED_WHILE_READ"
  | "MANIFEST_TOO_MANY_FILES";

/** The world's fault, with the way out in its message. */
export class ManifestFileError extends Error {
  override readonly name = "ManifestFileError";
  readonly code: ManifestFileErrorCode;
  readonly file: string;
  constructor(code: ManifestFileErrorCode, file: string, message: string, options?: ErrorOptions) {
    super(`${file}: ${message}`, options);
    this.code = code;
    this.file = file;
  }
}

/** A directory with more manifests is more likely the wrong directory. */
const MAX_FILES = 10_000;
const EXTENSIONS = [".yaml", ".yml", ".json"];

/** Reads `path`: a file, the manifests of a directory in order of name (not below it, none that is hidden), or `-`. Throws ManifestFileError. */
export async function readSource(path: string, stdin: Readable): Promise<readonly ManifestFile[]> {
  if (path === "-") return [await readStream(stdin)];
  const names = await directoryEntries(path);
  if (names === undefined) return [await readManifestFile(path)];
  const files: ManifestFile[] = [];
  for (const name of names) files.push(await readManifestFile(join(path, name)));
  return files;
}

/** Undefined where `path` is no directory. */
async function directoryEntries(path: string): Promise<readonly string[] | undefined> {
  const { isDirectory } = await attempt(path, async () => {
    const status = await stat(path);
    return { isDirectory: status.isDirectory() };
  });
  if (!isDirectory) return undefined;
  const all = await attempt(path, () => readdir(path));
  const names = all.filter((name) => isManifestName(name)).toSorted();
  if (names.length <= MAX_FILES) return names;
  throw new ManifestFileError(
    "MANIFEST_TOO_MANY_FILES",
    path,
    `holds more than ${MAX_FILES} manifests: is it the right directory?`,
  );
}

export const isManifestName = (name: string): boolean =>
  !name.startsWith(".") && EXTENSIONS.some((extension) => name.endsWith(extension));

/** One regular file, whole. A FIFO or device would wait or never end, so it is refused and never waited for. */
export async function readManifestFile(file: string): Promise<ManifestFile> {
  const handle = await attempt(file, () => open(file, constants.O_RDONLY | constants.O_NONBLOCK));
  try {
    return await attempt(file, () => readHandle(handle, file));
  } finally {
    await handle.close();
  }
}

async function readHandle(handle: FileHandle, file: string): Promise<ManifestFile> {
  const before = await handle.stat({ bigint: true });
  if (!before.isFile())
    throw new ManifestFileError("MANIFEST_NOT_A_FILE", file, "is no regular file");
  if (before.size > MAX_BYTES) {
    throw new ManifestFileError("MANIFEST_TOO_LARGE", file, tooLarge(Number(before.size)).message);
  }
  // One octet more than it had: growth shows.
  const buffer = new Uint8Array(Number(before.size) + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
    length += bytesRead;
    if (bytesRead === 0 || length === buffer.length) break;
  }
  const after = await handle.stat({ bigint: true });
  const same =
    BigInt(length) === before.size &&
    after.mtimeNs === before.mtimeNs &&
    after.size === before.size;
  if (!same) {
    throw new ManifestFileError(
      "MANIFEST_CHANGED_WHILE_READ",
      file,
      "changed while it was read: write it beside and rename it",
    );
  }
  return made(file, buffer.subarray(0, length));
}

async function readStream(stream: Readable): Promise<ManifestFile> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of stream) {
    const octets = part instanceof Uint8Array ? Buffer.from(part) : Buffer.from(String(part));
    size += octets.length;
    if (size > MAX_BYTES)
      throw new ManifestFileError("MANIFEST_TOO_LARGE", "-", tooLarge(size).message);
    parts.push(octets);
  }
  return made("-", Buffer.concat(parts));
}

const made = (file: string, octets: Uint8Array): ManifestFile => ({
  file,
  octets,
  digest: createHash("sha256").update(octets).digest("hex"),
});

async function attempt<T>(file: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof ManifestFileError || !isSystemError(error)) throw error;
    const missing = error.code === "ENOENT" || error.code === "ENOTDIR";
    throw new ManifestFileError(
      missing ? "MANIFEST_NOT_FOUND" : "MANIFEST_UNREADABLE",
      file,
      missing ? "is not there" : `cannot be read (${error.code})`,
      { cause: error },
    );
  }
}

const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && "code" in error && "syscall" in error;
