/**
 * The file in which a reader keeps what it knows of each host's log, beside the fleet and out of its reach.
 *
 * A log that was rewritten shows only against what somebody else remembers, so this file is never made from what is read now
 * where it is damaged: that is said instead. Reads next: ../report/heads.ts.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { type KnownFleets, type KnownHost, knownText, readKnown } from "../report/heads.ts";
import { Failure } from "./failure.ts";

export type KnownHeads = {
  of(host: string): KnownHost | undefined;
  /** Remembers, and writes the file where that is new. */
  save(hosts: ReadonlyMap<string, KnownHost>): void;
};

export function defaultHeadsFile(env: Readonly<Record<string, string | undefined>>): string {
  const state = env["XDG_STATE_HOME"] ?? join(homedir(), ".local", "state");
  return join(state, "rutter", "fleet-heads.json");
}

/** Throws UNREADABLE where the file is there and is not what was written. */
export function openKnownHeads(file: string, fleet: string): KnownHeads {
  let fleets = load(file);
  let hosts = new Map(Object.entries(fleets[fleet] ?? {}));
  return {
    of: (host) => hosts.get(host),
    save(changed) {
      const isNews = [...changed].some(([host, known]) => hosts.get(host) !== known);
      if (!isNews) return;
      hosts = new Map([...hosts, ...changed]);
      // Another reader may have written meanwhile: what it knows of other fleets stays.
      fleets = { ...load(file), [fleet]: Object.fromEntries(hosts) };
      write(file, knownText(fleets));
    },
  };
}

function load(file: string): KnownFleets {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw unreadable(file, error);
  }
  const fleets = readKnown(text);
  if (fleets !== undefined) return fleets;
  const way = "restore it from a backup, or move it away and trust what is read from now on";
  throw new Failure("UNREADABLE", `${file} is damaged: ${way}`);
}

function write(file: string, text: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(`${file}.new`, text, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  } catch (error) {
    throw unreadable(file, error);
  }
}

const unreadable = (file: string, error: unknown): unknown =>
  error instanceof Error && "code" in error
    ? new Failure("UNREADABLE", `${file}: ${error.message}`, { cause: error })
    : error;
