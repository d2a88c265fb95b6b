/**
 * One secret on disk: how it is written so that a power cut leaves it whole or absent, and read so that nobody can swap it.
 *
 * A line of JSON, plain or encrypted (AES-256-GCM, bound to its name and version). Never logs and never returns a value that
 * failed its tag. Reads next: secrets.ts.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import * as z from "zod";
import { errorCode } from "../errno.ts";

export type SecretsErrorCode =
  | "SECRETS_UNSAFE"
  | "SECRETS_UNREADABLE"
  | "SECRETS_UNWRITABLE"
  | "SECRETS_LOCKED";

/** Never holds a value. */
export class SecretsError extends Error {
  override readonly name = "SecretsError";
  readonly code: SecretsErrorCode;
  constructor(code: SecretsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What encrypts at rest; undefined: values are plain, and 0600 is all that guards them. */
export type Lock = Buffer | undefined;

const line = z.union([
  z.strictObject({ format: z.literal(1), label: z.string(), value: z.string() }),
  z.strictObject({
    format: z.literal(1),
    label: z.string(),
    cipher: z.literal("aes-256-gcm"),
    nonce: z.base64(),
    tag: z.base64(),
    sealed: z.base64(),
  }),
]);

/** A credential of any length → a key of 32 octets (RFC 5869). */
export const lockFrom = (credential: Uint8Array): Lock =>
  Buffer.from(hkdfSync("sha256", credential, "", "rutter secrets at rest", 32));

/** `label` says what the value is for; an encrypted value opens under no other label. */
export function encode(label: string, value: string, lock: Lock): string {
  if (lock === undefined) return `${JSON.stringify({ format: 1, label, value })}\n`;
  // 96 random bits: NIST SP 800-38D §8.2.2; a host never writes the 2^32 values at which that would matter.
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", lock, nonce).setAAD(Buffer.from(label));
  const sealed = Buffer.concat([cipher.update(value, "utf8"), cipher.final()]);
  const [n, tag, s] = [nonce, cipher.getAuthTag(), sealed].map((octets) =>
    octets.toString("base64"),
  );
  return `${JSON.stringify({ format: 1, label, cipher: "aes-256-gcm", nonce: n, tag, sealed: s })}\n`;
}

export type Decoded =
  | { readonly type: "value"; readonly value: string; readonly encrypted: boolean }
  | { readonly type: "locked" }
  | { readonly type: "damaged" };

export function decode(label: string, text: string, lock: Lock): Decoded {
  const read = line.safeParse(jsonOf(text));
  if (!read.success || read.data.label !== label) return { type: "damaged" };
  const { data } = read;
  if ("value" in data) return { type: "value", value: data.value, encrypted: false };
  if (lock === undefined) return { type: "locked" };
  try {
    const decipher = createDecipheriv("aes-256-gcm", lock, Buffer.from(data.nonce, "base64"), {
      authTagLength: 16,
    });
    decipher.setAAD(Buffer.from(label)).setAuthTag(Buffer.from(data.tag, "base64"));
    const octets = Buffer.concat([decipher.update(data.sealed, "base64"), decipher.final()]);
    return { type: "value", value: octets.toString("utf8"), encrypted: true };
  } catch {
    // A wrong key and a changed file look alike, and both mean that the value cannot be had.
    return { type: "locked" };
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A key or a password is short. */
const MAX_FILE_OCTETS = 64 * 1024;
const OTHERS = 0o077;

/** The text of a file that is ours alone; undefined where there is none. Throws SecretsError on one that is not ours alone. */
export function readOwn(path: string): string | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT") return undefined;
    if (code === "ELOOP") throw new SecretsError("SECRETS_UNSAFE", `${path} is a symbolic link`);
    throw new SecretsError("SECRETS_UNREADABLE", `${path} cannot be read: ${code}`, {
      cause: error,
    });
  }
  try {
    const status = fstatSync(file);
    const { uid, mode, nlink, size } = status;
    const wrong = !status.isFile()
      ? "is not a regular file"
      : uid !== process.geteuid?.()
        ? `belongs to user ${uid}`
        : (mode & OTHERS) !== 0
          ? "is open to others: chmod 600"
          : nlink !== 1
            ? "has a second name (hard link)"
            : size > MAX_FILE_OCTETS
              ? "is too large"
              : "";
    if (wrong !== "") throw new SecretsError("SECRETS_UNSAFE", `${path} ${wrong}`);
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}

/** Writes, syncs and puts in place; after it resolves the file is on disk under its name, once `syncDirectory` was called too. */
export async function writeOwn(path: string, text: string): Promise<void> {
  const draft = `${dirname(path)}/.new-${randomBytes(8).toString("hex")}`;
  try {
    await writeSynced(draft, text);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
