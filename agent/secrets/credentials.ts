/**
 * What systemd hands this run alone (LoadCredential=, LoadCredentialEncrypted=): passwords of Secrets, and the key at rest.
 *
 * A credential `rutter.secret.NAMESPACE.NAME` is the password of the Secret of that name, whether somebody applied one or not. It
 * holds for one run and is written nowhere: systemd gives it anew at each start, and a start without it is one without the Secret.
 * Which Secret a credential is for is in its name, which its operator gave it: no manifest can ask for another one.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync } from "node:fs";
import { SECRET_CREDENTIALS } from "../../events/resources/secret.ts";
import { isMd5Key, MAX_MD5_KEY_OCTETS } from "../../events/resources/session.ts";
import { errorCode } from "../errno.ts";
import { SecretsError } from "./vault-file.ts";

export type GivenSecret = {
  /** `namespace/name`. */
  readonly secret: string;
  /** The credential's. */
  readonly name: string;
  readonly password:
    | { readonly type: "value"; readonly value: string }
    /** It is there and no peer can use it, and why. */
    | { readonly type: "unusable"; readonly reason: string };
};

/** systemd's own bound for one. */
const MAX_OCTETS = 1024 * 1024;

/** undefined: it was not given. Throws SecretsError where it is there and cannot be read. */
export function readCredential(directory: string, name: string): Buffer | undefined {
  let file: number;
  try {
    file = openSync(`${directory}/${name}`, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw unreadable(`the credential ${name}`, error);
  }
  try {
    const { size } = fstatSync(file);
    if (size > MAX_OCTETS) {
      throw new SecretsError("SECRETS_UNSAFE", `the credential ${name} has ${size} octets`);
    }
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

/** In the order of their names. `directory`: systemd's; undefined where it gave nothing. Throws SecretsError. */
export function givenSecrets(directory: string | undefined): readonly GivenSecret[] {
  if (directory === undefined) return [];
  return namesIn(directory).flatMap((name): GivenSecret[] => {
    const secret = secretNamed(name);
    const octets = secret === undefined ? undefined : readCredential(directory, name);
    if (secret === undefined || octets === undefined) return [];
    return [{ secret, name, password: passwordOf(name, octets) }];
  });
}

/** A namespace is a DNS label, so it ends at the first dot; a Secret's name may have more of them. */
function secretNamed(credential: string): string | undefined {
  if (!credential.startsWith(SECRET_CREDENTIALS)) return undefined;
  const [, namespace, name] =
    /^([^.]+)\.(.+)$/.exec(credential.slice(SECRET_CREDENTIALS.length)) ?? [];
  return name === undefined ? undefined : `${namespace}/${name}`;
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).toSorted();
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw unreadable(`the directory of credentials ${directory}`, error);
  }
}

/** Without one line break at its end: whoever writes a file by an editor or echo has one, and no speaker takes it for the key. */
function passwordOf(name: string, octets: Buffer): GivenSecret["password"] {
  const text = octets.toString("utf8");
  const value = text.replace(/\r?\n$/, "");
  if (text.includes("\u{fffd}")) return unusable(name, "is no UTF-8 text");
  if (value !== "" && isMd5Key(value)) return { type: "value", value };
  return unusable(name, `is no TCP-MD5 key: 1 to ${MAX_MD5_KEY_OCTETS} octets and no NUL`);
}

const unusable = (name: string, why: string): GivenSecret["password"] => ({
  type: "unusable",
  reason: `the credential ${name} ${why}`,
});

const unreadable = (what: string, cause: unknown): SecretsError =>
  new SecretsError("SECRETS_UNREADABLE", `${what} cannot be read: ${errorCode(cause)}`, { cause });
