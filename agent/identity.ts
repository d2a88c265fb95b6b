/**
 * Who and when: this run, this boot of the kernel, this host, this program, and the two clocks.
 *
 * The one file of the agent that reads wall clock and chance for facts; everything else is handed what it says.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import type { Instant } from "../events/envelope.ts";
import type { RunId } from "../events/ids.ts";
import { parsePrefix, type Prefix } from "../events/prefix.ts";

/** 48 bits: two runs of one log that draw the same number are not to be expected in its lifetime, and the log refuses a double id. */
const RUN_ID_OCTETS = 6;
/** Node's wall clock has milliseconds; finer order is the monotonic clock's business. */
const NANOS_A_MILLI = 1_000_000n;

export const newRunId = (): RunId => randomBytes(RUN_ID_OCTETS).toString("hex") as RunId;

/** The kernel's boot id: monotonic times compare, and forwarding state survived, only within one. */
export const bootId = (): string => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

/** Networks that this host has an address in now, loopback and host prefixes left out; sorted, each once. */
export function hostNetworks(): readonly Prefix[] {
  const found = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, cidr }) => !internal && cidr !== null)
    .flatMap(({ cidr }) => parsePrefix(cidr ?? "")?.prefix ?? [])
    .filter((prefix) => !/\/(?:32|128)$/.test(prefix) && !prefix.startsWith("fe80:"));
  return [...new Set(found)].toSorted();
}

/** What the log is bound to, so that a copied database is noticed: machine-id(5), else the host name. */
export function hostId(): string {
  try {
    const id = readFileSync("/etc/machine-id", "utf8").trim();
    if (id !== "") return id;
  } catch {
    // A container without the file: its name is the best there is.
  }
  return hostname();
}

/** `rutter 1.2.3`, from package.json. */
export function programVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  const { name, version } = JSON.parse(text) as { name: string; version: string };
  return `${name} ${version}`;
}

/** Both clocks at once, as they stand: a step of the wall clock shows as a step against the monotonic one. */
export function instants(boot: string): () => Instant {
  return () => ({
    wall: BigInt(Date.now()) * NANOS_A_MILLI,
    monotonic: process.hrtime.bigint(),
    boot,
  });
}
