/**
 * Secret values, beside the log and never in it: one file for each (name, version), under STATE/secrets (design §4).
 *
 * A value is sealed into a reference at the border, stays in memory until flush(), and is on disk before the event that
 * names it. What systemd gives as a credential stays in memory alone. The digest in a reference is keyed by this host, so that a
 * copy of the log tells no more than which values are equal. Never gives a value to anything but reveal().
 * Reads next: vault-file.ts, credentials.ts, redact.ts.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import type { RevealSecret } from "../../backends/backend.ts";
import type { Seal, SecretRef } from "../../events/resources/resource.ts";
import type { SecretSpec } from "../../events/resources/secret.ts";
import { errorCode } from "../errno.ts";
import { givenSecrets, readCredential } from "./credentials.ts";
import { redactValues } from "./redact.ts";
import { fileName, isVersion } from "./file-name.ts";
import {
  decode,
  encode,
  type Lock,
  lockFrom,
  readOwn,
  SecretsError,
  syncDirectory,
  writeOwn,
} from "./vault-file.ts";

/** The sealing of one command: what it sealed is kept or thrown away without touching another's. */
export type SecretBatch = {
  readonly seal: Seal;
  /** Resolves when all sealed values are on disk, directory included. Rejects with SECRETS_UNWRITABLE; may be called again. */
  flush(): Promise<void>;
  /** Forgets what was not flushed. */
  discard(): void;
};

export type Secrets = SecretBatch & {
  batch(): SecretBatch;
  /** undefined: the file is missing, cannot be opened, or holds something else than the reference says. */
  readonly reveal: RevealSecret;
  /** Removes files that no reference names; never one that this run wrote. Says how many went. */
  sweep(keep: Iterable<SecretRef>): Promise<number>;
  /** Takes every value that is known out of a text, and what else looks like one. */
  redact(text: string): string;
  /** Secrets that this run was given as credentials, by `namespace/name` in its order; undefined where there is none. */
  readonly given: Readonly<Record<string, SecretSpec>> | undefined;
};

const KEY_FILE = ".key";
const KEY_OCTETS = 32;
/** The name that the unit gives the credential (`LoadCredentialEncrypted=`). */
const CREDENTIAL = "rutter-secrets-key";
/** A shorter one could be guessed. */
const MIN_CREDENTIAL_OCTETS = 16;
const DRAFT = /^\.new-[0-9a-f]{16}$/;

/** `credentials`: systemd's directory of credentials. Throws SecretsError where what is there cannot be trusted or opened. */
export function openSecrets(
  stateDirectory: string,
  credentials: string | undefined = process.env["CREDENTIALS_DIRECTORY"],
): Secrets {
  const directory = `${stateDirectory}/secrets`;
  openDirectory(directory);
  const lock = credentials === undefined ? undefined : readLock(credentials);
  const key = openKey(`${directory}/${KEY_FILE}`, lock);
  if (lock !== undefined) encryptPlain(directory, lock);
  const written = new Set<string>();
  const values = new Map<string, string>();

  const refOf = (name: string, value: string): SecretRef => {
    const digest = createHmac("sha256", key).update(value).digest("hex");
    return { name, version: digest.slice(0, 16), digest };
  };
  const given = new Map<string, SecretSpec>();
  for (const { secret, name, password } of givenSecrets(credentials)) {
    if (password.type === "unusable") {
      given.set(secret, password);
    } else {
      const ref = refOf(name, password.value);
      values.set(fileName(ref.name, ref.version), password.value);
      given.set(secret, { type: "basic-auth", password: ref });
    }
  }
  const load = (ref: SecretRef, file: string): string | undefined => {
    const text = readOwn(`${directory}/${file}`);
    const read = text === undefined ? undefined : decode(file, text, lock);
    if (read?.type !== "value") return undefined;
    return sameDigest(refOf(ref.name, read.value).digest, ref.digest) ? read.value : undefined;
  };
  const reveal: RevealSecret = (ref) => {
    if (!isVersion(ref.version)) return undefined;
    const file = fileName(ref.name, ref.version);
    const known = values.get(file);
    if (known !== undefined)
      return sameDigest(refOf("", known).digest, ref.digest) ? known : undefined;
    const value = load(ref, file);
    if (value !== undefined) values.set(file, value);
    return value;
  };
  const batch = (): SecretBatch => {
    const pending = new Map<string, string>();
    return {
      seal(name, value) {
        const ref = refOf(name, value);
        const file = fileName(name, ref.version);
        if (!written.has(file)) pending.set(file, value);
        return ref;
      },
      async flush() {
        const mine = [...pending];
        if (mine.length === 0) return;
        try {
          for (const [file, value] of mine) {
            await writeOwn(`${directory}/${file}`, encode(file, value, lock));
          }
          await syncDirectory(directory);
        } catch (error) {
          throw unwritable(directory, error);
        }
        for (const [file, value] of mine) {
          pending.delete(file);
          written.add(file);
          values.set(file, value);
        }
      },
      discard: () => pending.clear(),
    };
  };
  return {
    ...batch(),
    batch,
    reveal,
    async sweep(keep) {
      const kept = new Set(written);
      for (const { name, version } of keep)
        if (isVersion(version)) kept.add(fileName(name, version));
      const lost = readdirSync(directory).filter(
        (file) => !file.startsWith(".") && !kept.has(file),
      );
      for (const file of lost) {
        await rm(`${directory}/${file}`, { force: true });
        values.delete(file);
      }
      if (lost.length > 0) await syncDirectory(directory);
      return lost.length;
    },
    redact: (text) => redactValues(text, values.values()),
    given: given.size === 0 ? undefined : Object.fromEntries(given),
  };
}

/** The world's refusal in words, with the way out; anything else is our own bug and thrown on. */
function unwritable(path: string, error: unknown): SecretsError {
  const code = errorCode(error);
  if (code === "") throw error;
  const wayOut = code === "ENOSPC" ? "make room there" : "let this user write there";
  const message = `a secret cannot be written to ${path} (${code}): ${wayOut}`;
  return new SecretsError("SECRETS_UNWRITABLE", message, { cause: error });
}

function sameDigest(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}

/** 0700 and ours; half-written drafts of a run that died are removed. */
function openDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw unwritable(directory, error);
  }
  let handle: number;
  try {
    handle = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    const message = `${directory} cannot be opened as a directory: ${errorCode(error)}`;
    throw new SecretsError("SECRETS_UNSAFE", message, { cause: error });
  }
  try {
    const { uid } = fstatSync(handle);
    if (uid !== process.geteuid?.()) {
      throw new SecretsError(
        "SECRETS_UNSAFE",
        `${directory} belongs to user ${uid}, not to the agent's`,
      );
    }
    fchmodSync(handle, 0o700);
  } finally {
    closeSync(handle);
  }
  for (const file of readdirSync(directory))
    if (DRAFT.test(file)) rmSync(`${directory}/${file}`, { force: true });
}

function readLock(credentials: string): Lock {
  const octets = readCredential(credentials, CREDENTIAL);
  if (octets === undefined) return undefined;
  if (octets.length < MIN_CREDENTIAL_OCTETS) {
    const message = `the credential ${CREDENTIAL} has ${octets.length} octets: at least ${MIN_CREDENTIAL_OCTETS}`;
    throw new SecretsError("SECRETS_UNSAFE", message);
  }
  return lockFrom(octets);
}

/** The host's key for digests; drawn once. It is never replaced: every reference in the log hangs on it. */
function openKey(path: string, lock: Lock): Buffer {
  const text = readOwn(path) ?? drawKey(path, lock);
  const read = decode(KEY_FILE, text, lock);
  if (read.type === "locked") {
    const message = `${path} is encrypted, and the credential ${CREDENTIAL} is missing or another one`;
    throw new SecretsError("SECRETS_LOCKED", message);
  }
  const key = Buffer.from(read.type === "value" ? read.value : "", "hex");
  if (key.length !== KEY_OCTETS) throw new SecretsError("SECRETS_UNREADABLE", `${path} is damaged`);
  return key;
}

/** link() and not rename(): of two agents that start at once the second one gets the first one's key. */
function drawKey(path: string, lock: Lock): string {
  const key = randomBytes(KEY_OCTETS).toString("hex");
  const draft = writeDraft(path, encode(KEY_FILE, key, lock));
  try {
    linkSync(draft, path);
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw unwritable(path, error);
  } finally {
    rmSync(draft, { force: true });
  }
  const text = readOwn(path);
  if (text === undefined) throw new SecretsError("SECRETS_UNREADABLE", `${path} vanished`);
  return text;
}

/** A credential that was given later: what lies there in the clear is written anew. The references stay as they are. */
function encryptPlain(directory: string, lock: Lock): void {
  for (const file of readdirSync(directory)) {
    const path = `${directory}/${file}`;
    const text = file.startsWith(".new-") ? undefined : readOwn(path);
    const read = text === undefined ? undefined : decode(file, text, lock);
    if (read?.type === "value" && !read.encrypted) {
      renameSync(writeDraft(path, encode(file, read.value, lock)), path);
    }
  }
  const handle = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** A synced file beside `path`; gives its name. */
function writeDraft(path: string, text: string): string {
  const draft = path.replace(/[^/]+$/, `.new-${randomBytes(8).toString("hex")}`);
  const file = openSync(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return draft;
}
