/**
 * A host's own keys: one that signs what it reports, and one that values are sealed to. Drawn at the first start.
 *
 * Only their owner can read the files, and they are never written over: a host with another key is another host. Reads next:
 * ../signing.ts.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { errorCode } from "../../errno.ts";
import {
  newSeed,
  type Opener,
  openerFromSeed,
  type SeedKind,
  type Signer,
  signerFromSeed,
} from "../signing.ts";
import { FleetError } from "./connection.ts";

export type HostKeys = { readonly signer: Signer; readonly opener: Opener };

/** `file`, and `file.curve` beside it. Throws FleetError where one can neither be read nor made, KeyError where it is no seed. */
export function openHostKeys(file: string): HostKeys {
  return {
    signer: signerFromSeed(seedIn(file, "user")),
    opener: openerFromSeed(seedIn(`${file}.curve`, "curve")),
  };
}

function seedIn(file: string, kind: SeedKind): string {
  try {
    return readOrMake(file, kind);
  } catch (error) {
    const code = errorCode(error);
    if (code === "") throw error;
    throw new FleetError("FLEET_REFUSED", `${file}: ${code}`, { cause: error });
  }
}

function readOrMake(file: string, kind: SeedKind): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const seed = newSeed(kind);
  const descriptor = openSync(file, "wx", 0o600);
  try {
    writeSync(descriptor, `${seed}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  return seed;
}
