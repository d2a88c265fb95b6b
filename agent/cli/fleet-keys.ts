/**
 * `rutter fleet keygen` and `auth`: keys, and what a NATS server lets their owners do.
 *
 * A seed goes into a file and nowhere else. Reads next: agent/fleet/signing.ts, agent/fleet/permissions.ts.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { text as textOf } from "node:stream/consumers";
import { authorizationBlock, type Member, permissionsOf, type Role } from "../fleet/permissions.ts";
import { isSigningKey, newSeed, publicKeyOf } from "../fleet/signing.ts";
import { Failure } from "./failure.ts";
import { type Context, show } from "./io.ts";

export type KeygenFlags = { readonly filename: string; readonly curve?: boolean };
export type AuthFlags = { readonly fleet: string; readonly filename: string };

export async function keygen(context: Context, { filename, curve }: KeygenFlags): Promise<void> {
  const seed = newSeed(curve === true ? "curve" : "user");
  try {
    // Exclusive: whoever has signed with the key that is there would be a stranger from now on.
    writeFileSync(filename, `${seed}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw asFailure(error, filename, "nothing was written");
  }
  const publicKey = publicKeyOf(seed);
  await show(context, { publicKey, file: filename }, () => `${publicKey}\n`);
}

const ROLES: readonly Role[] = ["host", "publisher", "reader"];

export async function auth(context: Context, { fleet, filename }: AuthFlags): Promise<void> {
  const members = parseMembers(await read(context, filename), filename);
  if (members.length === 0) throw new Failure("UNREADABLE", `${filename} names no member`);
  const answer = {
    users: members.map((member) => ({ ...member, ...permissionsOf(fleet, member) })),
  };
  await show(context, answer, () => authorizationBlock(fleet, members));
}

/** `ROLE NAME KEY` a line; `#` begins a comment. */
function parseMembers(text: string, file: string): readonly Member[] {
  const members: Member[] = [];
  const seen = new Set<string>();
  for (const [at, line] of text.split("\n").entries()) {
    const words = line.replace(/#.*/, "").trim().split(/\s+/);
    const [word = "", name = "", key = ""] = words;
    if (word === "") continue;
    const refuse = (reason: string): Failure =>
      new Failure("UNREADABLE", `${file}:${at + 1}: ${reason}`);
    const role = ROLES.find((one) => one === word);
    if (words.length !== 3) throw refuse("must be: host|publisher|reader NAME KEY");
    if (role === undefined) throw refuse(`"${word}" is not host, publisher or reader`);
    if (!isSigningKey(key)) throw refuse(`"${key}" is no public nkey of a user (U…)`);
    // Two with one key would have each other's rights; two of one name would write to the same subjects.
    if (seen.has(key)) throw refuse("another member has this key already");
    if (seen.has(`${role} ${name}`)) throw refuse(`there is another ${role} ${name} above`);
    seen.add(key).add(`${role} ${name}`);
    members.push({ role, name, key });
  }
  return members;
}

async function read({ io }: Context, file: string): Promise<string> {
  if (file === "-") return textOf(io.stdin);
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw asFailure(error, file, "it cannot be read");
  }
}

function asFailure(error: unknown, file: string, consequence: string): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
  if (code === undefined) return error;
  const why = code === "EEXIST" ? "is there already" : code;
  return new Failure("UNREADABLE", `${file}: ${why}: ${consequence}`, { cause: error });
}
