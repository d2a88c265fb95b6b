/**
 * A NATS server's operator mode for a test: an operator, its accounts and their users, as JWTs that are made here by hand.
 *
 * A JWT of NATS is header.claims.signature in base64url, signed with Ed25519 by the issuer's nkey over the first two parts
 * (its decentralised authentication; `nsc` makes the same). Read next: fleet-jwt.live.test.ts.
 */
import { renameSync, writeFileSync } from "node:fs";
import { createAccount, createOperator, createUser, type KeyPair } from "@nats-io/nkeys";

/** Subjects that a user may publish on and read. */
export type Allowed = {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
};

export type Operator = {
  /** Configuration of a server: users of the account come in, but those that are revoked. */
  config(revoked?: readonly string[]): string;
  /** Writes a credentials file of a new user, in the place of one that is there. Gives the user's public key. */
  user(file: string, name: string, allowed: Allowed): string;
  /** The same of another account, which the operator does not know. */
  stranger(file: string, name: string, allowed: Allowed): string;
};

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const now = (): number => Math.floor(Date.now() / 1000);

function jwt(issuer: KeyPair, subject: string, name: string, nats: object): string {
  const claims = { jti: subject, iat: now(), iss: issuer.getPublicKey(), name, sub: subject, nats };
  const text = `${base64({ typ: "JWT", alg: "ed25519-nkey" })}.${base64(claims)}`;
  const signature = issuer.sign(new TextEncoder().encode(text));
  return `${text}.${Buffer.from(signature).toString("base64url")}`;
}

const NO_LIMITS = { subs: -1, data: -1, payload: -1 };
const ACCOUNT_LIMITS = {
  ...NO_LIMITS,
  imports: -1,
  exports: -1,
  wildcards: true,
  conn: -1,
  leaf: -1,
};
const STREAM_LIMITS = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };

function userFile(account: KeyPair, file: string, name: string, allowed: Allowed): string {
  const user = createUser();
  const token = jwt(account, user.getPublicKey(), name, {
    ...NO_LIMITS,
    pub: { allow: allowed.publish },
    sub: { allow: allowed.subscribe },
    type: "user",
    version: 2,
  });
  const seed = new TextDecoder().decode(user.getSeed());
  const text = [
    "-----BEGIN NATS USER JWT-----",
    token,
    "------END NATS USER JWT------",
    "",
    "-----BEGIN USER NKEY SEED-----",
    seed,
    "------END USER NKEY SEED------",
    "",
  ].join("\n");
  // At once: who reads it meanwhile has one file or the other.
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return user.getPublicKey();
}

export function newOperator(): Operator {
  const [operator, system, account] = [createOperator(), createAccount(), createAccount()];
  const stranger = createAccount();
  const operatorJwt = jwt(operator, operator.getPublicKey(), "operator", {
    type: "operator",
    version: 2,
  });
  const accountJwt = (of: KeyPair, name: string, more: object): string =>
    jwt(operator, of.getPublicKey(), name, { type: "account", version: 2, ...more });
  const systemJwt = accountJwt(system, "SYS", { limits: ACCOUNT_LIMITS });
  return {
    config: (revoked = []) => `
operator: ${operatorJwt}
system_account: ${system.getPublicKey()}
resolver: MEMORY
resolver_preload: {
  ${system.getPublicKey()}: ${systemJwt}
  ${account.getPublicKey()}: ${accountJwt(account, "fleet", {
    limits: { ...ACCOUNT_LIMITS, ...STREAM_LIMITS },
    // Of each user: what was issued up to then counts no more.
    revocations: Object.fromEntries(revoked.map((user) => [user, now() + 1])),
  })}
}
`,
    user: (file, name, allowed) => userFile(account, file, name, allowed),
    stranger: (file, name, allowed) => userFile(stranger, file, name, allowed),
  };
}
